//! Sentence pairs from the formats a parallel corpus comes in, as one stream over several corpora.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rnnsearch_config::CorpusConfig;
use serde_json::{Map, Value};

use crate::error::CorpusError;
use crate::guide::{TokenLink, WordLinks, parse_links, words};
use crate::lines::Lines;

/// A source sentence, its translation, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The source sentence.
    pub source: String,
    /// The target sentence.
    pub target: String,
    /// The links between their words, where they are given.
    pub links: Option<WordLinks>,
    /// The number of its corpus, from 0.
    pub corpus: usize,
    /// Where the pair was read.
    pub place: Place,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file; of two parallel files, the source file.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The pairs of one or several corpora, one after the other; nothing is held in memory.
///
/// The iterator stops after the first error. It gives blank sentences too: see [`crate::Filter`].
pub struct Pairs {
    readers: VecDeque<Reader>,
}

impl Pairs {
    /// Opens all files of the corpora, so that a missing one is known before any is read.
    ///
    /// # Errors
    ///
    /// Those of [`Lines::open`], and [`CorpusError::CorpusSetting`] if a corpus is none of two files, TSV or JSONL.
    pub fn open(corpora: &[CorpusConfig]) -> Result<Self, CorpusError> {
        Ok(Self { readers: corpora.iter().enumerate().map(Reader::open).collect::<Result<_, _>>()? })
    }
}

impl Iterator for Pairs {
    type Item = Result<Pair, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(reader) = self.readers.front_mut() {
            match reader.read() {
                Ok(Some(pair)) => return Some(Ok(pair)),
                Ok(None) => drop(self.readers.pop_front()),
                Err(error) => {
                    self.readers.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// A corpus, and its file of links, if it has one.
struct Reader {
    number: usize,
    text: TextReader,
    links: Option<Lines>,
}

impl Reader {
    fn open((number, corpus): (usize, &CorpusConfig)) -> Result<Self, CorpusError> {
        let links = corpus.links.as_deref().map(Lines::open).transpose()?;
        Ok(Self { number, text: TextReader::open(corpus)?, links })
    }

    /// The next pair with its links; there must be a line of links for each pair.
    fn read(&mut self) -> Result<Option<Pair>, CorpusError> {
        let pair = self.text.read()?.map(|pair| Pair { corpus: self.number, ..pair });
        let Some(lines) = &mut self.links else { return Ok(pair) };
        match (pair, next_line(lines)?) {
            (Some(pair), Some(line)) => Ok(Some(Pair { links: Some(links_of(lines, &line, &pair)?), ..pair })),
            (None, None) => Ok(None),
            (pair, _) => {
                count_rest(lines)?;
                if pair.is_some() {
                    while self.text.read()?.is_some() {}
                }
                Err(CorpusError::UnequalLines {
                    source_file: self.text.lines().name().to_string(),
                    source_lines: self.text.lines().line(),
                    target_file: lines.name().to_string(),
                    target_lines: lines.line(),
                })
            }
        }
    }
}

/// The links of a line, between words that the pair has.
fn links_of(lines: &Lines, line: &str, pair: &Pair) -> Result<WordLinks, CorpusError> {
    let wrong = |word: String, reason: String| CorpusError::Link {
        file: lines.name().to_string(),
        line: lines.line(),
        word,
        reason,
    };
    let links = parse_links(line).map_err(|word| {
        wrong(word.to_owned(), "is not SOURCE-TARGET with words counted from 0, as in 0-2".to_owned())
    })?;
    let words = [&pair.source, &pair.target].map(|text| words(text));
    let [source, target] = words.each_ref().map(Vec::len);
    let beyond = |(from, to): &&TokenLink| *from as usize >= source || *to as usize >= target;
    match links.iter().find(beyond) {
        Some((from, to)) => {
            let reason = format!(
                "is beyond the {source} and {target} words of {}: words are what white space separates (no-break spaces too), counted \
                 from 0, as `align` without `--words` counts them",
                pair.place
            );
            Err(wrong(format!("{from}-{to}"), reason))
        }
        None => Ok(WordLinks { words, links }),
    }
}

/// The files of a corpus.
pub(crate) enum TextReader {
    Files { source: Lines, target: Lines },
    Tsv(Lines),
    Jsonl { lines: Lines, source_field: String, target_field: String },
}

impl TextReader {
    pub(crate) fn open(corpus: &CorpusConfig) -> Result<Self, CorpusError> {
        let field = |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.to_owned());
        match (&corpus.source, &corpus.target, &corpus.tsv, &corpus.jsonl) {
            (Some(source), Some(target), None, None) => {
                Ok(Self::Files { source: Lines::open(source)?, target: Lines::open(target)? })
            }
            (None, None, Some(tsv), None) => Ok(Self::Tsv(Lines::open(tsv)?)),
            (None, None, None, Some(jsonl)) => Ok(Self::Jsonl {
                lines: Lines::open(jsonl)?,
                source_field: field(&corpus.source_field, "source"),
                target_field: field(&corpus.target_field, "target"),
            }),
            _ => Err(CorpusError::CorpusSetting { found: describe(corpus) }),
        }
    }

    /// The next pair; an end at the very start is an empty file.
    fn read(&mut self) -> Result<Option<Pair>, CorpusError> {
        let pair = match self {
            Self::Files { source, target } => read_files(source, target)?,
            Self::Tsv(lines) => next_line(lines)?.map(|line| split_columns(lines, &line)).transpose()?,
            Self::Jsonl { lines, source_field, target_field } => {
                next_line(lines)?.map(|line| parse_pair(lines, &line, source_field, target_field)).transpose()?
            }
        };
        let lines = self.lines();
        match pair {
            Some((source, target)) => {
                let place = Place { file: lines.name().clone(), line: lines.line() };
                Ok(Some(Pair { source, target, links: None, corpus: 0, place }))
            }
            None if lines.line() == 0 => Err(CorpusError::EmptyFile { file: lines.name().to_string() }),
            None => Ok(None),
        }
    }

    fn lines(&self) -> &Lines {
        match self {
            Self::Files { source: lines, .. } | Self::Tsv(lines) | Self::Jsonl { lines, .. } => lines,
        }
    }

    /// The lines of all files, one or two.
    pub(crate) fn all_lines(&self) -> impl Iterator<Item = &Lines> {
        let target = match self {
            Self::Files { target, .. } => Some(target),
            _ => None,
        };
        [self.lines()].into_iter().chain(target)
    }
}

fn next_line(lines: &mut Lines) -> Result<Option<String>, CorpusError> {
    lines.next().transpose()
}

fn read_files(source: &mut Lines, target: &mut Lines) -> Result<Option<(String, String)>, CorpusError> {
    match (next_line(source)?, next_line(target)?) {
        (Some(source), Some(target)) => Ok(Some((source, target))),
        (None, None) => Ok(None),
        (one, other) => {
            let (longer, shorter) =
                if one.is_some() { (&mut *source, &mut *target) } else { (&mut *target, &mut *source) };
            debug_assert!(one.is_some() != other.is_some());
            count_rest(longer)?;
            if shorter.line() == 0 {
                return Err(CorpusError::EmptyFile { file: shorter.name().to_string() });
            }
            Err(CorpusError::UnequalLines {
                source_file: source.name().to_string(),
                source_lines: source.line(),
                target_file: target.name().to_string(),
                target_lines: target.line(),
            })
        }
    }
}

fn count_rest(lines: &mut Lines) -> Result<(), CorpusError> {
    lines.try_for_each(|line| line.map(drop))
}

pub(crate) fn split_columns(lines: &Lines, line: &str) -> Result<(String, String), CorpusError> {
    match line.split_once('\t') {
        Some((source, target)) if !target.contains('\t') => Ok((source.to_owned(), target.to_owned())),
        _ => {
            let columns = line.split('\t').count();
            Err(CorpusError::Columns { file: lines.name().to_string(), line: lines.line(), columns })
        }
    }
}

fn parse_pair(lines: &Lines, text: &str, source: &str, target: &str) -> Result<(String, String), CorpusError> {
    let object = parse_object(lines, text)?;
    let sentence = |field: &str| sentence_of(&object, field, lines).map(str::to_owned);
    Ok((sentence(source)?, sentence(target)?))
}

/// The object of the line just read.
pub(crate) fn parse_object(lines: &Lines, text: &str) -> Result<Map<String, Value>, CorpusError> {
    let (file, line) = (lines.name().to_string(), lines.line());
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(CorpusError::Json { file, line, reason: format!("found {}", json_kind(&other)) }),
        Err(error) => Err(CorpusError::Json { file, line, reason: json_reason(&error) }),
    }
}

/// The sentence in a field of the line just read.
pub(crate) fn sentence_of<'o>(
    object: &'o Map<String, Value>,
    field: &str,
    lines: &Lines,
) -> Result<&'o str, CorpusError> {
    let problem = match object.get(field) {
        Some(Value::String(text)) if !text.contains('\n') => return Ok(text),
        Some(Value::String(_)) => "holds a line break: a sentence is one line",
        Some(_) => "is not a string",
        None => "is missing",
    };
    Err(CorpusError::Field { file: lines.name().to_string(), line: lines.line(), field: field.to_owned(), problem })
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The parser counts lines within the text it was given, which is one line: only the column means something.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("{reason} (column {})", error.column())
}

fn describe(corpus: &CorpusConfig) -> String {
    let paths =
        [("source", &corpus.source), ("target", &corpus.target), ("tsv", &corpus.tsv), ("jsonl", &corpus.jsonl)];
    let set: Vec<String> = paths
        .iter()
        .filter_map(|(key, path)| path.as_deref().map(|path: &Path| format!("{key} = \"{}\"", path.display())))
        .collect();
    if set.is_empty() { "none of them is set".to_owned() } else { format!("found {}", set.join(", ")) }
}
