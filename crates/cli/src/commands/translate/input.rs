//! What a line of the input asks for.

use anyhow::Result;
use rnnsearch_inference::Request;
use serde_json::{Map, Value};

/// A line of the input.
pub struct Input {
    pub request: Request,
    /// The fields of its JSON object that are passed through.
    pub others: Map<String, Value>,
}

impl Input {
    pub fn text(line: &str) -> Self {
        Self { request: line.into(), others: Map::new() }
    }

    /// From a JSON object; `place` says where it is.
    pub fn json(line: &str, place: impl Fn() -> String) -> Result<Self> {
        let wrong = |what: String| {
            anyhow::anyhow!("{}: {what}; --jsonl reads objects such as {{\"text\": \"a red car\"}}", place())
        };
        let mut fields = match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(wrong("not a JSON object".into())),
            Err(error) => return Err(wrong(format!("not JSON ({error})"))),
        };
        let mut text = |name: &str| match fields.shift_remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(format!("`{name}` is {other}, not a text"))),
        };
        let source = text("text")?.ok_or_else(|| wrong("there is no `text`".into()))?;
        let prefix = text("prefix")?.unwrap_or_default();
        let forbidden = match fields.shift_remove("forbid") {
            None => Vec::new(),
            Some(phrases) => serde_json::from_value(phrases.clone())
                .map_err(|_| wrong(format!("`forbid` is {phrases}, not a list of texts")))?,
        };
        Ok(Self { request: Request { text: source, prefix, forbidden }, others: fields })
    }
}
