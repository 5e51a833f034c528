//! Configurations as TOML text: the resolved one, bare, and the default one with all its documentation.

use serde_json::Value as Schema;
use toml::{Table, Value};

use crate::error::ConfigError;
use crate::schema::{self, Choice, Shape, description};
use crate::settings::Config;

/// Columns of a comment.
const WIDTH: usize = 100;

const HEADER: &str = "Every setting of rnnsearch, with its default. A configuration needs no more than the lines \
                      where it differs, and a training corpus. What has no default is commented out, with an example.";

/// Every setting with its default, documentation, allowed values and range, as TOML.
///
/// It loads as `Config::default()`.
///
/// # Panics
///
/// Never: the default settings have a TOML form.
pub fn default_toml() -> String {
    let values = table(&Config::default()).expect("default settings have a TOML form");
    let mut writer = Writer { text: String::new(), documented: true };
    writer.comment(HEADER);
    writer.table("", schema::root(), &values);
    writer.text
}

/// Every setting with its value, as TOML.
pub(crate) fn resolved(config: &Config) -> Result<String, ConfigError> {
    let values = table(config)?;
    let mut writer = Writer { text: String::new(), documented: false };
    writer.table("", schema::root(), &values);
    Ok(writer.text.trim_start().to_owned())
}

/// The settings as plain values.
pub(crate) fn table(config: &Config) -> Result<Table, ConfigError> {
    Table::try_from(config).map_err(|error| ConfigError::NotToml { message: error.to_string() })
}

/// One value in TOML; floats in their shortest form, so that 1e-8 is not 0.00000001.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        _ => value.to_string(),
    }
}

struct Writer {
    text: String,
    documented: bool,
}

impl Writer {
    /// The settings of a table: single values first, as TOML wants it, then the tables in it.
    fn table(&mut self, path: &str, schema: &Schema, values: &Table) {
        let Shape::Table { properties } = Shape::of(schema) else { unreachable!("`{path}` is a table") };
        let (tables, single): (Vec<_>, Vec<_>) = properties
            .iter()
            .partition(|(_, schema)| matches!(Shape::of(schema), Shape::Table { .. } | Shape::Tables { .. }));
        for (key, schema) in single {
            self.setting(key, schema, values.get(key));
        }
        for (key, schema) in tables {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.tables(&path, schema, values.get(key));
        }
    }

    fn setting(&mut self, key: &str, schema: &Schema, given: Option<&Value>) {
        if self.documented {
            self.text.push('\n');
            self.document(schema);
        }
        match (given, schema.pointer("/examples/0")) {
            (Some(given), _) => self.line(&format!("{key} = {}", value(given))),
            (None, Some(example)) if self.documented => self.line(&format!("# {key} = {example}")),
            (None, _) => {}
        }
    }

    /// A table, or the tables of a list; where there is none, an example that is commented out.
    fn tables(&mut self, path: &str, schema: &Schema, given: Option<&Value>) {
        let (open, close, item) = match Shape::of(schema) {
            Shape::Tables { item } => ("[[", "]]", item),
            _ => ("[", "]", schema),
        };
        let given: Vec<&Table> = match given {
            Some(Value::Table(table)) => vec![table],
            Some(Value::Array(tables)) => tables.iter().filter_map(Value::as_table).collect(),
            _ => Vec::new(),
        };
        let header = format!("{open}{path}{close}");
        if self.documented {
            self.text.push('\n');
            self.document(schema);
        }
        for table in &given {
            if !self.documented {
                self.text.push('\n');
            }
            self.line(&header);
            self.table(path, item, table);
        }
        if given.is_empty() && self.documented {
            self.example(&header, item);
        }
    }

    fn example(&mut self, header: &str, schema: &Schema) {
        self.text.push('\n');
        self.line(&format!("# {header}"));
        self.table("", schema, &Table::new());
    }

    /// What a setting is for and what it may be, as a comment.
    fn document(&mut self, schema: &Schema) {
        let shape = Shape::of(schema);
        let mut text = description(schema).unwrap_or_default().to_owned();
        if let Shape::Integer { .. } | Shape::Number { .. } = shape {
            text = format!("{text} {}.", capitalized(&shape.expected("")));
        }
        self.comment(&text);
        let choice = match shape {
            Shape::List { item } => Shape::of(item),
            shape => shape,
        };
        if let Shape::Choice(choices) = choice {
            for Choice { name, description } in choices {
                self.comment_with(&format!("\"{name}\": {description}"), "# - ", "#   ");
            }
        }
    }

    fn comment(&mut self, text: &str) {
        self.comment_with(text, "# ", "# ");
    }

    /// `text` wrapped, with `first` before its first line and `then` before the others.
    fn comment_with(&mut self, text: &str, first: &str, then: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = then.to_owned();
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
