//! What can be wrong with text, tokenizers and vocabularies: one enum, with the facts and the remedy.

use std::fmt;
use std::io;

use crate::filter::FilterReport;
use crate::language::Language;

/// Why text could not be read, filtered or turned into tokens.
///
/// The messages name the file, and the line where there is one, and say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file could not be opened or read.
    #[error("cannot read `{file}`: {reason}")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A folder stands where a file is expected.
    #[error("`{file}` is a folder: name a file of sentences, one a line")]
    Folder {
        /// The folder.
        file: String,
    },
    /// A corpus file has no lines.
    #[error("`{file}` is empty: it should hold one sentence a line")]
    EmptyFile {
        /// The file.
        file: String,
    },
    /// A compressed file is damaged or ends too early.
    #[error("`{file}` is damaged or cut short, after line {line}: {reason}; copy it anew or make it anew")]
    Damaged {
        /// The file.
        file: String,
        /// The last line that could be read; 0 if none.
        line: u64,
        /// What the decompressor said.
        reason: io::Error,
    },
    /// A file is compressed in a way that is not read.
    #[error(
        "`{file}` is compressed with bzip2, which is not read: decompress it, or recompress it with gzip, zstd or xz"
    )]
    Bzip2 {
        /// The file.
        file: String,
    },
    /// A line is not UTF-8.
    #[error("{file}:{line}: not UTF-8 (at byte {offset} of the text, counted from 0): {guess}")]
    InvalidUtf8 {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// Offset in bytes from the start of the (decompressed) text, counted from 0.
        offset: u64,
        /// What the bytes look like, and so what to do.
        guess: EncodingGuess,
    },
    /// A line is too long to be a sentence.
    #[error("{file}:{line}: a line of over {limit} bytes: this does not look like text with one sentence a line")]
    LineTooLong {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The longest line that is read, in bytes.
        limit: usize,
    },
    /// Two sides of a corpus do not pair.
    #[error(
        "{source_file} has {source_lines} lines, {target_file} has {target_lines}: the two sides must pair line by line"
    )]
    UnequalLines {
        /// File of source sentences.
        source_file: String,
        /// Its lines.
        source_lines: u64,
        /// File of target sentences.
        target_file: String,
        /// Its lines.
        target_lines: u64,
    },
    /// A line of a file of links holds something else.
    #[error("{file}:{line}: `{word}` {reason}")]
    Link {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The word.
        word: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A TSV line is not source, tab, target.
    #[error("{file}:{line}: {columns} column(s) where a line is source, one tab, target{}", tsv_remedy(*columns))]
    Columns {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The columns found.
        columns: usize,
    },
    /// A JSONL line is not JSON.
    #[error("{file}:{line}: not a JSON object: {reason}")]
    Json {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What the parser said.
        reason: String,
    },
    /// A JSONL object lacks a field, or the field is no sentence.
    #[error("{file}:{line}: field `{field}` {problem}; `source_field` and `target_field` name the fields to read")]
    Field {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A corpus setting names no files, or too many.
    #[error("a corpus is either `source` and `target`, or `tsv`, or `jsonl`: {found}")]
    CorpusSetting {
        /// What was set.
        found: String,
    },
    /// A language that cannot be told from others.
    #[error(
        "{key} = \"{name}\" is no language that can be told from others; there are {}: take one of their codes (two letters will do, \
         with or without a country) or English names, or leave languages unchecked", Language::codes().join(", ")
    )]
    UnknownLanguage {
        /// The setting.
        key: &'static str,
        /// Its value.
        name: String,
    },
    /// There is no text to learn a vocabulary from.
    #[error("the training text holds nothing but blank lines: there is no vocabulary to learn from it")]
    NoText,
    /// The filters left no pair.
    #[error("no sentence pair is left to train on: {0}")]
    NothingLeft(Box<FilterReport>),
    /// More pairs than a data set can number.
    #[error("more than {limit} sentence pairs: train on a part of them")]
    TooManyPairs {
        /// The most pairs a data set holds.
        limit: u64,
    },
    /// A vocabulary is larger than the text can fill.
    #[error(
        "{key} = {asked}, but the training text fills no more than {largest}: set {key} = {largest} or lower, \
         or train on more text{}", frequency_remedy(*min_frequency)
    )]
    VocabularyTooLarge {
        /// The setting.
        key: &'static str,
        /// Its value.
        asked: usize,
        /// The largest value that works.
        largest: usize,
        /// `tokenizer.min_frequency`.
        min_frequency: u64,
    },
    /// A vocabulary has no room for what it must hold.
    #[error("{key} = {asked}, but {reserved} entries are taken by {taken_by}: set {key} well above {reserved}")]
    VocabularyTooSmall {
        /// The setting.
        key: &'static str,
        /// Its value.
        asked: usize,
        /// Entries that any vocabulary of the kind has.
        reserved: usize,
        /// What these entries are.
        taken_by: &'static str,
    },
    /// A tokenizer file is not one of ours.
    #[error("`{file}` is not a tokenizer of rnnsearch: {reason}")]
    Tokenizer {
        /// The file, or where else the text came from.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl CorpusError {
    /// Whether a line is wrong, and those after it can be read.
    pub fn is_of_line(&self) -> bool {
        matches!(self, Self::InvalidUtf8 { .. } | Self::LineTooLong { .. })
    }
}

/// What bytes that are not UTF-8 look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingGuess {
    /// Text in some other encoding, most likely a Latin one.
    OtherEncoding,
    /// UTF-16, by its byte order mark.
    Utf16,
    /// No text at all.
    Binary,
}

impl fmt::Display for EncodingGuess {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::OtherEncoding => "convert it to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`",
            Self::Utf16 => "it looks like UTF-16: convert it to UTF-8 with `iconv -f UTF-16 -t UTF-8`",
            Self::Binary => "this is a binary file, not text",
        })
    }
}

fn tsv_remedy(columns: usize) -> &'static str {
    if columns > 2 { "; keep two columns, for example with `cut -f1,2`" } else { "" }
}

fn frequency_remedy(min_frequency: u64) -> &'static str {
    if min_frequency > 1 { ", or lower tokenizer.min_frequency" } else { "" }
}
