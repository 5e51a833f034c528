//! `rnnsearch translate`

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::Result;
use rnnsearch_corpus::{CorpusError, Lines};
use rnnsearch_inference::{Request, Sampling, TranslateOptions, Translation, Translator, Utility};
use serde_json::{Map, Value};

use crate::args::{Agreement, AlignmentForm, Translate};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::messages::Messages;
use crate::output::Output;
use crate::progress::Counter;
use crate::prompt;
use crate::record::{Form, one_line};

/// Translates at a prompt or as a stream.
pub fn run(args: &Translate) -> Result<()> {
    let as_json = args.json || args.jsonl;
    if args.alignments == Some(AlignmentForm::Soft) && !as_json {
        return Err(Misuse("--alignments soft needs --json: a line of text has no room for a matrix".into()).into());
    }
    if args.subwords && !as_json && args.alignments.is_none() {
        return Err(Misuse("--subwords needs --json or --alignments pharaoh, which tell of tokens".into()).into());
    }
    if is_prompt(args) {
        let translator = args.compute.load(&args.model, &args.search.ensemble, args.messages)?;
        let options = options(args, &translator);
        return prompt::run(translator, options, args.messages);
    }
    let input = args.input.as_deref().filter(|path| *path != Path::new("-"));
    let lines = match input {
        Some(path) => Lines::open(path)?,
        None => Lines::from_reader("standard input", io::stdin()),
    };
    let inputs: Vec<&Path> = input.into_iter().chain([args.model.as_path()]).collect();
    let output = Output::open(args.output.as_deref(), &inputs)?;
    let translator = args.compute.load(&args.model, &args.search.ensemble, args.messages)?;
    if args.alignments.is_some() {
        require_attention(&translator)?;
    }
    stream(args, &translator, lines, output)
}

/// A prompt needs both ends at a terminal, and nothing asked for that is meant for files and programs.
fn is_prompt(args: &Translate) -> bool {
    let for_programs =
        args.json || args.jsonl || args.alignments.is_some() || args.n_best.is_some() || args.output.is_some();
    args.input.is_none() && !for_programs && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn options(args: &Translate, translator: &Translator) -> TranslateOptions {
    let mut options = args.search.options(&translator.config().translation);
    options.search.n_best = args.n_best.unwrap_or(1).into();
    if let Some(count) = args.sampling.sample {
        let crate::args::Sampling { temperature, top_k, top_p, seed, .. } = args.sampling;
        options.search.beam_size = count.into();
        options.search.sampling = Some(Sampling { temperature, top_k, top_p, seed });
    }
    options.consensus = args.mbr.map(|metric| match metric {
        Agreement::Chrf => Utility::Chrf,
        Agreement::Bleu => Utility::Bleu,
    });
    options
}

/// A line of the input.
struct Input {
    request: Request,
    /// The fields of its JSON object that are passed through.
    others: Map<String, Value>,
}

impl Input {
    fn text(line: &str) -> Self {
        Self { request: line.into(), others: Map::new() }
    }

    /// From a JSON object; `place` says where it is.
    fn json(line: &str, place: impl Fn() -> String) -> Result<Self> {
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

fn stream(args: &Translate, translator: &Translator, lines: Lines, mut output: Output) -> Result<()> {
    let options = options(args, translator);
    let printer = Printer::new(args, translator);
    let mut ahead = ReadAhead::new(lines, args.search.window());
    let begin = Instant::now();
    let (mut count, shown) = (0, !args.messages.quiet && (args.output.is_some() || !io::stdout().is_terminal()));
    let counter = Counter::new(None, shown);
    let mut overlong = Overlong::default();
    while let Some(lines) = ahead.next()? {
        let (inputs, failed) = printer.read(&lines, count);
        let requests: Vec<Request> = inputs.iter().map(|input| input.request.clone()).collect();
        for (translation, input) in translator.translate_as(&requests, &options).iter().zip(inputs) {
            overlong.see(count + 1, translation);
            output.write(&printer.print(count, translation, input.others)?)?;
            count += 1;
        }
        output.flush()?;
        failed?;
        counter.add(lines.len());
    }
    counter.finish();
    overlong.tell(args.messages, options.max_source_length);
    let seconds = begin.elapsed().as_secs_f64();
    args.messages.detail(format_args!("{count} lines in {seconds:.1} s"));
    output.finish()
}

/// Counts the lines that were too long to be translated at once.
#[derive(Default)]
pub struct Overlong {
    count: usize,
    /// The number of the first one, from 1.
    first: usize,
}

impl Overlong {
    /// Takes note of the translation of line number `line`, counted from 1.
    pub fn see(&mut self, line: usize, translation: &Translation) {
        if translation.pieces > 1 {
            self.count += 1;
            self.first = if self.count == 1 { line } else { self.first };
        }
    }

    /// Tells of them, if there were any.
    pub fn tell(&self, messages: Messages, limit: usize) {
        let Self { count, first } = self;
        let what = match count {
            0 => return,
            1 => format!("line {first} has more than {limit} tokens and was translated in pieces"),
            _ => format!(
                "{count} lines, line {first} the first, have more than {limit} tokens and were translated in pieces"
            ),
        };
        messages.note(format_args!("{what} (translation.max_source_length)"));
    }
}

/// Lines that a thread of its own reads ahead.
///
/// The translator takes as many as there are, up to a window, and waits only when there are none: who writes a line to a
/// pipe has its translation at once, and a file is translated in full batches.
struct ReadAhead {
    lines: Receiver<Result<String, CorpusError>>,
    window: usize,
    /// What came after the lines taken last.
    failed: Option<CorpusError>,
}

impl ReadAhead {
    fn new(lines: Lines, window: usize) -> Self {
        let (sender, receiver) = sync_channel(window);
        thread::spawn(move || {
            for line in lines {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines: receiver, window, failed: None }
    }

    /// The next lines, at least one; none at the end.
    fn next(&mut self) -> Result<Option<Vec<String>>, CorpusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Ok(first) = self.lines.recv() else { return Ok(None) };
        let mut lines = vec![first?];
        while lines.len() < self.window {
            match self.lines.try_recv() {
                Ok(Ok(line)) => lines.push(line),
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(Some(lines))
    }
}

/// Writes translations as text or JSON.
struct Printer<'a> {
    args: &'a Translate,
    form: Form<'a>,
}

impl<'a> Printer<'a> {
    fn new(args: &'a Translate, translator: &'a Translator) -> Self {
        let alignments = args.alignments.unwrap_or(AlignmentForm::Soft);
        let form = Form { source: &translator.vocabularies().source, subwords: args.subwords, alignments };
        Self { args, form }
    }

    /// What lines of the input ask for, up to the first that is wrong; `before` lines came before them.
    fn read(&self, lines: &[String], before: usize) -> (Vec<Input>, Result<()>) {
        let mut inputs = Vec::with_capacity(lines.len());
        for (number, line) in (before + 1..).zip(lines) {
            let input = self.args.input.as_deref().filter(|path| *path != Path::new("-"));
            let name = || input.map_or_else(|| "standard input".into(), |path| path.display().to_string());
            match self.args.jsonl {
                false => inputs.push(Input::text(line)),
                true => match Input::json(line, || format!("{}:{number}", name())) {
                    Ok(input) => inputs.push(input),
                    Err(error) => return (inputs, Err(error)),
                },
            }
        }
        (inputs, Ok(()))
    }

    /// The lines of the translation of line number `line`; a JSON object gets `others` too.
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
        let candidate = |(rank, candidate): (usize, &rnnsearch_inference::Candidate)| {
            let (text, score) = (one_line(&candidate.text), candidate.score);
            Ok(format!("{line} ||| {text} ||| {score:.6}{}\n", links(rank, " ||| ")?))
        };
        translation.candidates.iter().enumerate().map(candidate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(text: &'static [u8], window: usize) -> ReadAhead {
        ReadAhead::new(Lines::from_reader("text", text), window)
    }

    /// All lines, and the error at the end.
    fn read(mut ahead: ReadAhead) -> (Vec<String>, Option<String>) {
        let mut all = Vec::new();
        loop {
            match ahead.next() {
                Ok(Some(lines)) => {
                    assert!(!lines.is_empty() && lines.len() <= ahead.window);
                    all.extend(lines);
                }
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn all_lines_come_in_order() {
        for window in [1, 2, 100] {
            assert_eq!(
                read(ahead(b"a\n\nb\r\nc", window)),
                (vec!["a".into(), String::new(), "b".into(), "c".into()], None)
            );
        }
        assert_eq!(read(ahead(b"", 3)), (Vec::new(), None));
    }

    #[test]
    fn lines_before_an_error_are_not_lost() {
        for window in [1, 2, 100] {
            let (lines, error) = read(ahead(b"a\nb\n\xff\nc\n", window));
            assert_eq!(lines, ["a", "b"]);
            assert!(error.unwrap().starts_with("text:3: not UTF-8"));
        }
    }
}
