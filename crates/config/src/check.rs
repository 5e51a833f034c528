//! A parsed value against the schema: unknown keys, wrong types, values out of range.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use crate::error::Fault;
use crate::key::{KeyPath, Segment};
use crate::schema::{self, Shape};
use crate::snippet::printable;

/// A mistake in `text`, before it has a line.
pub(crate) struct Finding {
    pub(crate) span: Range<usize>,
    pub(crate) fault: Fault,
    pub(crate) help: Option<String>,
}

/// Longest quotation of a value in a message, in characters.
const QUOTED: usize = 60;

/// Everything wrong with `table`, the whole of the file `text`, in the order of the text.
pub(crate) fn check_file(text: &str, table: &DeTable<'_>) -> Vec<Finding> {
    let mut checker = Checker { text, findings: Vec::new() };
    if let Shape::Table { properties } = Shape::of(schema::root()) {
        checker.table(&KeyPath::default(), properties, table);
    }
    checker.findings.sort_by_key(|finding| finding.span.start);
    checker.findings
}

/// Everything wrong with `value`, parsed from `text`, as the value of `path`.
pub(crate) fn check_override(path: &KeyPath, text: &str, value: &Spanned<DeValue<'_>>) -> Vec<Finding> {
    let mut checker = Checker { text, findings: Vec::new() };
    match descend(path) {
        Ok(schema) => checker.value(path, schema, value),
        Err((fault, help)) => checker.findings.push(Finding { span: 0..0, fault, help }),
    }
    checker.findings
}

/// The schema of the setting at `path`.
fn descend(path: &KeyPath) -> Result<&'static Value, (Fault, Option<String>)> {
    let mut schema = schema::root();
    let mut above = KeyPath::default();
    for segment in path.segments() {
        let Segment::Key(key) = segment else { unreachable!("the path of an override has keys alone") };
        let Shape::Table { properties } = Shape::of(schema) else {
            return Err((unknown(path), Some(format!("`{above}` is one value: set it as a whole"))));
        };
        schema = properties.get(key).ok_or_else(|| (unknown(path), advice(&above, properties, key)))?;
        above = above.key(key);
    }
    Ok(schema)
}

struct Checker<'t> {
    text: &'t str,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn value(&mut self, path: &KeyPath, schema: &Value, value: &Spanned<DeValue<'_>>) {
        let shape = Shape::of(schema);
        match (&shape, value.get_ref()) {
            (Shape::Table { properties }, DeValue::Table(table)) => self.table(path, properties, table),
            (Shape::Tables { item } | Shape::List { item }, DeValue::Array(values)) => {
                for (index, value) in values.iter().enumerate() {
                    self.value(&path.index(index), item, value);
                }
            }
            (Shape::Choice(choices), DeValue::String(given)) => {
                if !choices.iter().any(|choice| choice.name == *given) {
                    let near = nearest(given, choices.iter().map(|choice| choice.name));
                    self.bad(path, &shape, value, false, near.map(|name| format!("did you mean `{name}`?")));
                }
            }
            (Shape::Integer { min, max }, DeValue::Integer(given)) => {
                let help = integer(given).is_none().then(|| format!("the largest integer is {}", i64::MAX));
                if !integer(given).is_some_and(|given| (*min..=*max).contains(&given)) {
                    self.bad(path, &shape, value, false, help);
                }
            }
            (Shape::Number { min, max }, DeValue::Integer(_) | DeValue::Float(_)) => {
                let given = number(value.get_ref());
                let help = given.is_none().then(|| "it has to be finite".to_owned());
                if !given.is_some_and(|given| min.allows_from_below(given) && max.allows_from_above(given)) {
                    self.bad(path, &shape, value, false, help);
                }
            }
            (Shape::Text { empty }, DeValue::String(given)) => {
                if given.is_empty() && !empty {
                    self.bad(path, &shape, value, false, None);
                }
            }
            (Shape::Switch, DeValue::Boolean(_)) => {}
            (_, given) => self.bad(path, &shape, value, true, type_help(&shape, given)),
        }
    }

    fn table(&mut self, path: &KeyPath, properties: &Map<String, Value>, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let below = path.key(key.get_ref());
            match properties.get(key.get_ref().as_ref()) {
                Some(schema) => self.value(&below, schema, value),
                None => self.findings.push(Finding {
                    span: key.span(),
                    fault: unknown(&below),
                    help: advice(path, properties, key.get_ref()),
                }),
            }
        }
    }

    fn bad(
        &mut self,
        path: &KeyPath,
        shape: &Shape<'_>,
        value: &Spanned<DeValue<'_>>,
        wrong_type: bool,
        help: Option<String>,
    ) {
        let key = path.to_string();
        let expected = shape.expected(&key);
        let given = self.quote(value, wrong_type);
        self.findings.push(Finding { span: value.span(), fault: Fault::BadValue { key, given, expected }, help });
    }

    /// The value as written, after its type where that is what is wrong.
    fn quote(&self, value: &Spanned<DeValue<'_>>, with_type: bool) -> String {
        let written = self.text.get(value.span()).unwrap_or_default();
        let mut quoted: String = written.chars().take(QUOTED).map(printable).collect();
        if written.chars().nth(QUOTED).is_some() {
            quoted.push('…');
        }
        match value.get_ref() {
            DeValue::Table(_) => "a table".into(),
            DeValue::Array(_) => "a list".into(),
            value if with_type => format!("the {} `{quoted}`", value.type_str()),
            _ => format!("`{quoted}`"),
        }
    }
}

/// What to write where a value has the wrong type.
fn type_help(shape: &Shape<'_>, given: &DeValue<'_>) -> Option<String> {
    match (shape, given) {
        (Shape::Text { .. } | Shape::Choice(_), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_)) => {
            Some("put it in quotes".into())
        }
        (Shape::List { .. }, DeValue::String(_)) => Some("put it in brackets".into()),
        (Shape::Tables { .. }, DeValue::Table(_)) => Some("double the brackets: each adds one to the list".into()),
        (shape, DeValue::String(given)) if without_quotes(shape, given) => Some("leave the quotes out".into()),
        _ => None,
    }
}

/// Whether what stands in quotes has the right type.
fn without_quotes(shape: &Shape<'_>, given: &str) -> bool {
    match shape {
        Shape::Integer { .. } => given.parse::<i64>().is_ok(),
        Shape::Number { .. } => given.parse::<f64>().is_ok(),
        Shape::Switch => given.parse::<bool>().is_ok(),
        _ => false,
    }
}

fn integer(given: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(given.as_str(), given.radix()).ok()
}

/// The value of a number, if it is finite.
fn number(given: &DeValue<'_>) -> Option<f64> {
    let float = |given: &DeFloat<'_>| given.as_str().parse::<f64>().ok();
    match given {
        DeValue::Integer(given) => integer(given).map(|given| given as f64),
        DeValue::Float(given) => float(given).filter(|given| given.is_finite()),
        _ => None,
    }
}

fn unknown(path: &KeyPath) -> Fault {
    Fault::UnknownKey { key: path.to_string().chars().map(printable).collect() }
}

/// The setting that was probably meant by the unknown `key` in the table `path`, or else all of that table.
///
/// A key that another table has is taken to be in the wrong place.
fn advice(path: &KeyPath, properties: &Map<String, Value>, key: &str) -> Option<String> {
    let keys = || properties.keys().map(String::as_str);
    if let Some(near) = nearest(key, keys()) {
        return Some(format!("did you mean `{}`?", path.key(near)));
    }
    let mut elsewhere = Vec::new();
    find(key, schema::root(), &KeyPath::default(), &mut elsewhere);
    match elsewhere.as_slice() {
        [found] => Some(format!("did you mean `{found}`?")),
        _ if path.segments().is_empty() => Some(format!("there are {}", schema::list(keys()))),
        _ => Some(format!("`{path}` has {}", schema::list(keys()))),
    }
}

/// All settings named `key`.
fn find(key: &str, schema: &Value, path: &KeyPath, found: &mut Vec<KeyPath>) {
    if path.leaf() == Some(key) {
        found.push(path.clone());
    }
    if let Shape::Table { properties } = Shape::of(schema) {
        for (name, schema) in properties {
            find(key, schema, &path.key(name), found);
        }
    }
}

/// The name that `given` is a slip of, being few letters away from it, or that alone has it as a part.
fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let names: Vec<&str> = names.collect();
    let bound = given.chars().count().max(3) / 3;
    let distances = names.iter().map(|name| (strsim::osa_distance(&given, name), *name));
    let slip = distances.filter(|(distance, _)| *distance <= bound).min().map(|(_, name)| name);
    let longer: Vec<&str> = names.into_iter().filter(|name| given.len() >= 3 && name.contains(&given)).collect();
    slip.or(match longer.as_slice() {
        [name] => Some(name),
        _ => None,
    })
}
