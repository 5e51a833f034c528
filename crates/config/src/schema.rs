//! The JSON schema of a configuration, and what it says of a single value.
//!
//! The schema is derived from the types in `settings`, so that documentation, ranges and allowed values have one
//! source. Every type is written out where it is used (there is no `$ref`): a node tells all about its value.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use serde_json::{Map, Value};

use crate::settings::Config;

/// The JSON schema (draft 2020-12) of a configuration file, for editors and other programs.
///
/// It holds every setting with its documentation, default, allowed values and range. What settings ask of each other,
/// such as `share_embeddings` of `joint`, is not in it.
pub fn json_schema() -> Value {
    ROOT.clone()
}

/// The schema of the whole file.
pub(crate) fn root() -> &'static Value {
    &ROOT
}

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).with_transform(simplify);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".into(), "rnnsearch configuration".into());
    // What it is comes before what is in it: people read it too.
    let mut ordered = Map::new();
    for key in ["$schema", "title", "description"] {
        ordered.extend(schema.remove(key).map(|value| (key.to_owned(), value)));
    }
    ordered.extend(schema.ensure_object().clone());
    Value::Object(ordered)
});

/// Takes out what says nothing in TOML: there is no null, not even beside something else, Rust's integer sizes mean nothing to others, and the default
/// of a table is that of its settings.
fn simplify(schema: &mut Schema) {
    schema.remove("format");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [name] = types.as_slice() {
            let name = name.clone();
            schema.insert("type".into(), name);
        }
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("anyOf") {
        kinds.retain(|kind| kind["type"] != "null");
        if let [Value::Object(kind)] = kinds.as_slice() {
            let kind = kind.clone();
            schema.remove("anyOf");
            let object = schema.ensure_object();
            for (key, value) in kind {
                object.entry(key).or_insert(value);
            }
        }
    }
    if matches!(schema.get("default"), Some(Value::Null | Value::Object(_))) {
        schema.remove("default");
    }
    transform_subschemas(&mut simplify, schema);
}

/// What a value has to be.
pub(crate) enum Shape<'s> {
    Table { properties: &'s Map<String, Value> },
    Tables { item: &'s Value },
    List { item: &'s Value },
    Choice(Vec<Choice<'s>>),
    Integer { min: i64, max: i64 },
    Number { min: Bound, max: Bound },
    Text { empty: bool },
    Switch,
}

/// One of the strings a setting may be.
pub(crate) struct Choice<'s> {
    pub(crate) name: &'s str,
    pub(crate) description: &'s str,
}

/// An end of a range of numbers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    None,
    Included(f64),
    Excluded(f64),
}

impl<'s> Shape<'s> {
    /// What `schema`, a node below [`root`], asks for.
    ///
    /// # Panics
    ///
    /// If a type of `settings` has a form unknown here; a test goes through all of them.
    pub(crate) fn of(schema: &'s Value) -> Self {
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            return Self::Choice(choices.iter().map(Choice::of).collect());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => Self::Table { properties: schema["properties"].as_object().expect("a table has keys") },
            Some("array") if schema["items"]["type"] == "object" => Self::Tables { item: &schema["items"] },
            Some("array") => Self::List { item: &schema["items"] },
            Some("integer") => Self::Integer {
                min: schema.get("minimum").and_then(Value::as_i64).unwrap_or(i64::MIN),
                max: schema.get("maximum").and_then(Value::as_i64).unwrap_or(i64::MAX),
            },
            Some("number") => Self::Number { min: Bound::of(schema, "Minimum"), max: Bound::of(schema, "Maximum") },
            Some("string") => Self::Text { empty: schema.get("minLength").is_none() },
            Some("boolean") => Self::Switch,
            _ => panic!("no setting has the form {schema}"),
        }
    }

    /// The expected form in words, such as "an integer from 1 to 64"; `key` is the setting's path.
    pub(crate) fn expected(&self, key: &str) -> String {
        match self {
            Self::Table { .. } if key.ends_with(']') => "a table, `{ key = value }`".into(),
            Self::Table { .. } => format!("a table, `[{key}]`"),
            Self::Tables { .. } => format!("a list of tables, `[[{key}]]`"),
            Self::List { item } => format!("a list, `[...]`, of which each is {}", Shape::of(item).expected(key)),
            Self::Choice(choices) => format!("one of {}", list(choices.iter().map(|choice| choice.name))),
            Self::Integer { min, max: i64::MAX } => format!("an integer, {min} or more"),
            Self::Integer { min, max } => format!("an integer from {min} to {max}"),
            Self::Number { min, max } => number_range(*min, *max),
            Self::Text { empty: true } => "a string".into(),
            Self::Text { empty: false } => "a string that is not empty".into(),
            Self::Switch => "`true` or `false`".into(),
        }
    }
}

impl<'s> Choice<'s> {
    fn of(schema: &'s Value) -> Self {
        Self {
            name: schema["const"].as_str().expect("a choice is a string"),
            description: description(schema).expect("a choice is documented"),
        }
    }
}

impl Bound {
    /// `end` is "Minimum" or "Maximum".
    fn of(schema: &Value, end: &str) -> Self {
        let number = |name: String| schema.get(name).and_then(Value::as_f64);
        match (number(format!("exclusive{end}")), number(end.to_lowercase())) {
            (Some(limit), _) => Self::Excluded(limit),
            (None, Some(limit)) => Self::Included(limit),
            (None, None) => Self::None,
        }
    }

    /// Whether `number` may be above this lower end.
    pub(crate) fn allows_from_below(self, number: f64) -> bool {
        match self {
            Self::None => true,
            Self::Included(limit) => number >= limit,
            Self::Excluded(limit) => number > limit,
        }
    }

    /// Whether `number` may be below this upper end.
    pub(crate) fn allows_from_above(self, number: f64) -> bool {
        match self {
            Self::None => true,
            Self::Included(limit) => number <= limit,
            Self::Excluded(limit) => number < limit,
        }
    }
}

/// The documentation of a setting or a choice.
pub(crate) fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

/// Names in backticks, with commas.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn number_range(min: Bound, max: Bound) -> String {
    match (min, max) {
        (Bound::None, Bound::None) => "a number".into(),
        (Bound::None, Bound::Included(max)) => format!("a number up to {max}"),
        (Bound::None, Bound::Excluded(max)) => format!("a number below {max}"),
        (Bound::Included(min), Bound::None) => format!("a number, {min} or more"),
        (Bound::Included(min), Bound::Included(max)) => format!("a number from {min} to {max}"),
        (Bound::Included(min), Bound::Excluded(max)) => format!("a number from {min} to below {max}"),
        (Bound::Excluded(min), Bound::None) => format!("a number above {min}"),
        (Bound::Excluded(min), Bound::Included(max)) => format!("a number above {min}, up to {max}"),
        (Bound::Excluded(min), Bound::Excluded(max)) => format!("a number above {min} and below {max}"),
    }
}
