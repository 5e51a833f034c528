//! Translations as lines of text or JSON.

use std::path::Path;

use anyhow::{Context, Result};
use rnnsearch_inference::{Translation, Translator};
use serde_json::{Map, Value};

use super::control::Control;
use super::input::Input;
use crate::args::{AlignmentForm, Translate};
use crate::record::{Form, one_line};

/// Writes translations as text or JSON.
pub struct Printer<'a> {
    args: &'a Translate,
    form: Form<'a>,
}

impl<'a> Printer<'a> {
    pub fn new(args: &'a Translate, translator: &'a Translator) -> Self {
        let alignments = args.alignments.unwrap_or(AlignmentForm::Soft);
        let form = Form { source: &translator.vocabularies().source, subwords: args.subwords, alignments };
        Self { args, form }
    }

    /// What lines of the input ask for, up to the first that is wrong; `before` lines came before them.
    pub fn read(&self, lines: &[String], before: usize, control: &Control) -> (Vec<Input>, Result<()>) {
        let mut inputs = Vec::with_capacity(lines.len());
        for (number, line) in (before + 1..).zip(lines) {
            let input = self.args.input.as_deref().filter(|path| *path != Path::new("-"));
            let name = || input.map_or_else(|| "standard input".into(), |path| path.display().to_string());
            let place = || format!("{}:{number}", name());
            let read = || {
                let mut input = if self.args.jsonl { Input::json(line, place)? } else { Input::text(line) };
                input.kept = control.prepare(&mut input.request).with_context(place)?;
                anyhow::Ok(input)
            };
            match read() {
                Ok(input) => inputs.push(input),
                Err(error) => return (inputs, Err(error)),
            }
        }
        (inputs, Ok(()))
    }

    /// The lines of the translation of line number `line`; a JSON object gets `others` too.
    pub fn print(&self, line: usize, translation: &Translation, others: Map<String, Value>) -> Result<String> {
        if self.args.json || self.args.jsonl {
            let record = self.form.record(translation, self.args.n_best.is_some())?;
            let Value::Object(mut fields) = serde_json::to_value(&record)? else { unreachable!("a record has fields") };
            for (name, value) in others {
                fields.entry(name).or_insert(value);
            }
            return Ok(serde_json::to_string(&fields)? + "\n");
        }
        let links = |candidate: usize, before: &str| match self.args.alignments {
            None => Ok(String::new()),
            Some(_) => {
                let links = self.form.links(translation.candidates[candidate].alignment.as_ref())?;
                anyhow::Ok(format!("{before}{links}"))
            }
        };
        if self.args.n_best.is_none() {
            return Ok(format!("{}{}\n", one_line(&translation.candidates[0].text), links(0, "\t")?));
        }
        let candidate = |(rank, candidate): (usize, &rnnsearch_inference::Candidate)| {
            let (text, score) = (one_line(&candidate.text), candidate.score);
            Ok(format!("{line} ||| {text} ||| {score:.6}{}\n", links(rank, " ||| ")?))
        };
        translation.candidates.iter().enumerate().map(candidate).collect()
    }
}
