//! Translations as lines of text or JSON.

use std::path::Path;

use anyhow::{Context, Result};
use rnnsearch_inference::{Candidate, Translation, Translator};
use serde_json::{Map, Value};

use super::control::Control;
use super::document::Paragraph;
use super::input::Input;
use super::read_ahead::Line;
use crate::args::{AlignmentForm, OnError, Translate};
use crate::failure::message;
use crate::record::{Form, one_line};

/// What a line of the input asks for.
pub struct Asked {
    /// One, or the sentences of running text.
    pub inputs: Vec<Input>,
    paragraph: Option<Paragraph>,
}

/// Writes translations as text or JSON.
pub struct Printer<'a> {
    args: &'a Translate,
    form: Form<'a>,
    /// The language of sources.
    language: &'a str,
}

impl<'a> Printer<'a> {
    pub fn new(args: &'a Translate, translator: &'a Translator) -> Self {
        let alignments = args.alignments.unwrap_or(AlignmentForm::Soft);
        let form = Form { source: &translator.vocabularies().source, subwords: args.subwords, alignments };
        Self { args, form, language: &translator.config().data.source_language }
    }

    /// What lines of the input ask for, each with its number. Where a wrong line ends it all, those before it, and the error.
    pub fn read(&self, lines: Vec<Line>, control: &Control) -> (Vec<(usize, Result<Asked>)>, Result<()>) {
        let mut inputs = Vec::with_capacity(lines.len());
        for line in lines {
            let number = line.number;
            match self.read_line(line, control) {
                Err(error) if self.args.stream.on_error == OnError::Fail => return (inputs, Err(error)),
                input => inputs.push((number, input)),
            }
        }
        (inputs, Ok(()))
    }

    fn read_line(&self, line: Line, control: &Control) -> Result<Asked> {
        let text = line.text?;
        let path = self.args.input.as_deref().filter(|path| *path != Path::new("-"));
        let name = || path.map_or_else(|| "standard input".into(), |path| path.display().to_string());
        let place = || format!("{}:{}", name(), line.number);
        let (mut inputs, paragraph) = match (self.args.stream.document, self.args.jsonl) {
            (true, _) => {
                let paragraph = Paragraph::new(text, self.language);
                (paragraph.sentences().map(Input::text).collect(), Some(paragraph))
            }
            (false, true) => (vec![Input::json(&text, place)?], None),
            (false, false) => (vec![Input::text(&text)], None),
        };
        for input in &mut inputs {
            input.kept = control.prepare(&mut input.request).with_context(place)?;
        }
        Ok(Asked { inputs, paragraph })
    }

    /// What stands in the place of line number `line`, from 1, which could not be translated.
    pub fn print_error(&self, line: usize, error: &anyhow::Error) -> Result<String> {
        if self.args.stream.on_error == OnError::Skip {
            return Ok(String::new());
        }
        if self.args.json || self.args.jsonl {
            return Ok(serde_json::json!({ "error": message(error) }).to_string() + "\n");
        }
        let blank = Translation { source: String::new(), pieces: 0, candidates: vec![Candidate::default()] };
        self.print(line, &blank, Map::new())
    }

    /// The lines for what line number `line`, from 1, asked for, with the translations of its sentences.
    pub fn print_asked(&self, line: usize, translations: &[Translation], asked: Asked) -> Result<String> {
        match asked.paragraph {
            Some(paragraph) => Ok(paragraph.join(translations) + "\n"),
            None => {
                let others = asked.inputs.into_iter().next().map(|input| input.others);
                self.print(line, &translations[0], others.unwrap_or_default())
            }
        }
    }

    /// The lines of the translation of line number `line`, from 1; a JSON object gets `others` too.
    fn print(&self, line: usize, translation: &Translation, others: Map<String, Value>) -> Result<String> {
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
