//! What a line of the input asks for.

use anyhow::Result;
use rnnsearch_alignment::LinkFormat;
use rnnsearch_inference::{Demand, Request};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::control::Kept;

/// A line of the input.
pub struct Input {
    pub request: Request,
    /// The fields of its JSON object that are passed through.
    pub others: Map<String, Value>,
    /// What is put back into its translation.
    pub kept: Kept,
}

impl Input {
    pub fn text(line: &str) -> Self {
        Self { request: line.into(), others: Map::new(), kept: Kept::default() }
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
        let mut links = |name: &str| match text(name)? {
            None => Ok(Vec::new()),
            Some(links) => match LinkFormat::Pharaoh.parse(&links) {
                Ok(links) => Ok(links.sure().collect()),
                Err(_) => Err(wrong(format!("`{name}` is \"{links}\", not links such as \"0-0 2-1\""))),
            },
        };
        let (pinned, avoided) = (links("pin")?, links("avoid")?);
        let forbidden = match fields.shift_remove("forbid") {
            None => Vec::new(),
            Some(phrases) => serde_json::from_value(phrases.clone())
                .map_err(|_| wrong(format!("`forbid` is {phrases}, not a list of texts")))?,
        };
        let required = match fields.shift_remove("require") {
            None => Vec::new(),
            Some(phrases) => serde_json::from_value::<Vec<Phrase>>(phrases.clone()).map_err(|_| {
                wrong(format!("`require` is {phrases}, not a list of texts, or of lists of alternatives"))
            })?,
        };
        let required = required.into_iter().map(Demand::from).collect();
        let request = Request { text: source, prefix, forbidden, required, pinned, avoided };
        Ok(Self { request, others: fields, kept: Kept::default() })
    }
}

/// What must come: a phrase, or one of several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Phrase {
    One(String),
    Any(Vec<String>),
}

impl From<Phrase> for Demand {
    fn from(phrase: Phrase) -> Self {
        let alternatives = match phrase {
            Phrase::One(text) => vec![text],
            Phrase::Any(texts) => texts,
        };
        Self { alternatives, place: None }
    }
}
