//! Translations as lines of text or JSON.

use std::path::Path;

use anyhow::Result;
use rnnsearch_inference::{Candidate, Translation, Translator};
use serde_json::{Map, Value};

use super::input::Input;
use super::read_ahead::Line;
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

    /// What a line of the input asks for.
    pub fn read(&self, line: Line) -> Result<Input> {
        let text = line.text?;
        if !self.args.jsonl {
            return Ok(Input::text(&text));
        }
        let input = self.args.input.as_deref().filter(|path| *path != Path::new("-"));
        let name = input.map_or_else(|| "standard input".into(), |path| path.display().to_string());
        Input::json(&text, || format!("{name}:{}", line.number))
    }

    /// What stands in the place of line number `line`, from 1, which could not be translated.
    pub fn print_error(&self, line: usize, error: &anyhow::Error) -> Result<String> {
        if self.args.json || self.args.jsonl {
            return Ok(serde_json::json!({ "error": error.to_string() }).to_string() + "\n");
        }
        let blank = Translation { source: String::new(), pieces: 0, candidates: vec![Candidate::default()] };
        self.print(line, &blank, Map::new())
    }

    /// The lines of the translation of line number `line`, from 1; a JSON object gets `others` too.
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
        let candidate = |(rank, candidate): (usize, &Candidate)| {
            let (text, score) = (one_line(&candidate.text), candidate.score);
            Ok(format!("{} ||| {text} ||| {score:.6}{}\n", line - 1, links(rank, " ||| ")?))
        };
        translation.candidates.iter().enumerate().map(candidate).collect()
    }
}
