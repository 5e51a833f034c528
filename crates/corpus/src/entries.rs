//! Lines of a corpus as they are: what [`crate::Pairs`] stops at is told here, and read past.

use std::collections::VecDeque;
use std::sync::Arc;

use rnnsearch_config::CorpusConfig;
use serde_json::{Map, Value};

use crate::error::CorpusError;
use crate::filter::Side;
use crate::lines::Lines;
use crate::pairs::{Place, TextReader, parse_object, sentence_of, split_columns};

/// What stands in a line of a corpus.
#[derive(Debug)]
pub struct Entry {
    /// Source and target sentence; none on a side that has no such line, or is in a line with an error.
    pub text: [Option<String>; 2],
    /// Why a line is no sentence, or no pair of them, and on which side.
    pub errors: Vec<(Side, CorpusError)>,
    /// The object of a JSON line, and the fields of its sentences.
    object: Option<(Map<String, Value>, [String; 2])>,
    files: [Arc<str>; 2],
    line: u64,
}

impl Entry {
    /// Both sentences, if there are both.
    pub fn pair(&self) -> Option<[&str; 2]> {
        Some([self.text[0].as_deref()?, self.text[1].as_deref()?])
    }

    /// Where a side stands; of a pair, the source.
    pub fn place(&self, side: Side) -> Place {
        Place { file: Arc::clone(&self.files[side as usize]), line: self.line }
    }

    /// A JSON object with these sentences, and all else that the object of a JSON line had.
    pub fn object_of(&self, sentences: [&str; 2]) -> Value {
        let plain = || (Map::new(), ["source".to_owned(), "target".to_owned()]);
        let (mut object, fields) = self.object.clone().unwrap_or_else(plain);
        for (field, sentence) in fields.into_iter().zip(sentences) {
            object.insert(field, sentence.into());
        }
        Value::Object(object)
    }

    /// Whether a file of two has ended before this line: that is told at the end.
    pub fn lacks_a_side(&self) -> bool {
        self.errors.is_empty() && self.pair().is_none()
    }
}

/// What is known of a file when it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEnd {
    /// The file.
    pub file: Arc<str>,
    /// Its lines.
    pub lines: u64,
    /// Whether it begins with a byte order mark.
    pub byte_order_mark: bool,
    /// The lines that end in CR LF, and the first of them.
    pub carriage_returns: (u64, u64),
}

/// A line, or the end of a corpus.
#[derive(Debug)]
pub enum Item {
    /// A line.
    Entry(Box<Entry>),
    /// The end of the files of a corpus, one or two.
    End(Vec<FileEnd>),
}

/// The lines of one or several corpora, one after the other; nothing is held in memory.
///
/// The iterator stops after the first error: a file that cannot be read on. Links are not read.
pub struct Entries {
    readers: VecDeque<TextReader>,
}

impl Entries {
    /// Opens all files of the corpora.
    ///
    /// # Errors
    ///
    /// As [`crate::Pairs::open`].
    pub fn open(corpora: &[CorpusConfig]) -> Result<Self, CorpusError> {
        Ok(Self { readers: corpora.iter().map(TextReader::open).collect::<Result<_, _>>()? })
    }
}

impl Iterator for Entries {
    type Item = Result<Item, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.readers.front_mut()?;
        match read(reader) {
            Ok(Some(entry)) => Some(Ok(Item::Entry(Box::new(entry)))),
            Ok(None) => {
                let ends = reader.all_lines().map(end_of).collect();
                self.readers.pop_front();
                Some(Ok(Item::End(ends)))
            }
            Err(error) => {
                self.readers.clear();
                Some(Err(error))
            }
        }
    }
}

fn end_of(lines: &Lines) -> FileEnd {
    FileEnd {
        file: Arc::clone(lines.name()),
        lines: lines.line(),
        byte_order_mark: lines.has_byte_order_mark(),
        carriage_returns: lines.carriage_returns(),
    }
}

fn read(reader: &mut TextReader) -> Result<Option<Entry>, CorpusError> {
    match reader {
        TextReader::Files { source, target } => {
            let (one, other) = (next(source)?, next(target)?);
            if one.is_none() && other.is_none() {
                return Ok(None);
            }
            let files = [&*source, &*target].map(|lines| Arc::clone(lines.name()));
            let mut entry = Entry::new(files, source.line().max(target.line()));
            for (side, line) in Side::BOTH.into_iter().zip([one, other]) {
                entry.text[side as usize] = line.and_then(|line| entry.noted(side, line));
            }
            Ok(Some(entry))
        }
        TextReader::Tsv(lines) => {
            let Some(line) = next(lines)? else { return Ok(None) };
            let mut entry = Entry::of(lines);
            let columns = line.and_then(|line| split_columns(lines, &line));
            let columns = entry.noted(Side::Source, columns);
            entry.text = columns.map_or([None, None], |(source, target)| [Some(source), Some(target)]);
            Ok(Some(entry))
        }
        TextReader::Jsonl { lines, source_field, target_field } => {
            let Some(line) = next(lines)? else { return Ok(None) };
            let mut entry = Entry::of(lines);
            let object = line.and_then(|line| parse_object(lines, &line));
            if let Some(object) = entry.noted(Side::Source, object) {
                let fields = [source_field.clone(), target_field.clone()];
                for (side, field) in Side::BOTH.into_iter().zip(&fields) {
                    let sentence = sentence_of(&object, field, lines).map(str::to_owned);
                    entry.text[side as usize] = entry.noted(side, sentence);
                }
                entry.object = Some((object, fields));
            }
            Ok(Some(entry))
        }
    }
}

impl Entry {
    fn new(files: [Arc<str>; 2], line: u64) -> Self {
        Self { text: [None, None], errors: Vec::new(), object: None, files, line }
    }

    /// That of the line just read.
    fn of(lines: &Lines) -> Self {
        Self::new([Arc::clone(lines.name()), Arc::clone(lines.name())], lines.line())
    }

    /// Keeps an error.
    fn noted<T>(&mut self, side: Side, read: Result<T, CorpusError>) -> Option<T> {
        read.map_err(|error| self.errors.push((side, error))).ok()
    }
}

/// The next line, or what is wrong with it; an error if no more can be read.
fn next(lines: &mut Lines) -> Result<Option<Result<String, CorpusError>>, CorpusError> {
    match lines.next() {
        Some(Err(error)) if !error.is_of_line() => Err(error),
        line => Ok(line),
    }
}
