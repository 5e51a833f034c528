//! What looks wrong in a corpus, line by line.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rnnsearch_config::DataConfig;
use unicode_normalization::is_nfc;

use crate::entries::{Entry, FileEnd};
use crate::error::CorpusError;
use crate::filter::{Flaw, Reason, Side, TextFilter, fingerprint, is_blank};
use crate::flaws;
use crate::language::Language;
use crate::pairs::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A training stops there.
    Error,
    /// It does harm, or is a sign of something that does.
    Warning,
    /// It is as well to know.
    Note,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A file has no lines.
    EmptyFile,
    /// Two files have not as many lines.
    UnequalLines,
    /// A line is not UTF-8.
    NotUtf8,
    /// A line is longer than any that is read.
    EndlessLine,
    /// A line of TSV or JSON holds no pair.
    Malformed,
    /// What a filter would leave out.
    Filter(Reason),
    /// Each side is surely in the language of the other.
    Swapped,
    /// Characters that nobody sees and that do nothing.
    Invisible,
    /// A tab in a sentence.
    Tab,
    /// A sentence is in the held-out text.
    HeldOut,
    /// Lines end in CR LF.
    CarriageReturns,
    /// A file begins with a byte order mark.
    ByteOrderMark,
    /// Unicode is not composed (NFC).
    NotNfc,
    /// White space at an end, or several in a row.
    Spaces,
    /// A source sentence came before with another target.
    SeveralTargets,
    /// A target sentence came before with another source.
    SeveralSources,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EmptyFile => "empty-file",
            Self::UnequalLines => "unequal-lines",
            Self::NotUtf8 => "not-utf8",
            Self::EndlessLine => "endless-line",
            Self::Malformed => "malformed",
            Self::Filter(reason) => reason.name(),
            Self::Swapped => "swapped",
            Self::Invisible => "invisible",
            Self::Tab => "tab",
            Self::HeldOut => "held-out",
            Self::CarriageReturns => "carriage-returns",
            Self::ByteOrderMark => "byte-order-mark",
            Self::NotNfc => "not-nfc",
            Self::Spaces => "spaces",
            Self::SeveralTargets => "several-targets",
            Self::SeveralSources => "several-sources",
        }
    }

    /// What it is, in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::EmptyFile => "files without a line",
            Self::UnequalLines => "two files that do not pair line by line",
            Self::NotUtf8 => "lines that are not UTF-8",
            Self::EndlessLine => "lines too long to be read",
            Self::Malformed => "lines that hold no pair",
            Self::Filter(Reason::Blank) => "a side is blank",
            Self::Filter(Reason::Identical) => "both sides are the same",
            Self::Filter(Reason::BrokenCharacters) => {
                "control characters, or U+FFFD, which stands for what could not be read"
            }
            Self::Filter(Reason::Mojibake) => "UTF-8 that was taken for Latin-1 or Windows-1252",
            Self::Filter(Reason::Markup) => "tags or entities of HTML",
            Self::Filter(Reason::ManyCharacters) => "a side of very many characters",
            Self::Filter(Reason::ManyWords) => "a side of very many words",
            Self::Filter(Reason::LongWord) => "a very long word, or a URL",
            Self::Filter(Reason::CharacterRatio) => "one side is much longer than the other",
            Self::Filter(Reason::FewLetters) => "a side with few letters",
            Self::Filter(Reason::Numbers) => "different numbers on the two sides",
            Self::Filter(Reason::Urls) => "not as many URLs and mail addresses on both sides",
            Self::Filter(Reason::Language) => "a side in another language",
            Self::Filter(Reason::Duplicate) => "a pair that came before",
            Self::Filter(_) => "a pair that is left out",
            Self::Swapped => "each side is in the language of the other",
            Self::Invisible => "invisible characters that do nothing for the text",
            Self::Tab => "a tab in a sentence",
            Self::HeldOut => "a sentence that is in the held-out text",
            Self::CarriageReturns => "files with lines that end in CR LF; it is read as LF",
            Self::ByteOrderMark => "files that begin with a byte order mark; it is passed over",
            Self::NotNfc => "Unicode that is not composed (NFC); tokenizers compose it",
            Self::Spaces => "white space at an end, or several in a row",
            Self::SeveralTargets => "a source that came before with another target",
            Self::SeveralSources => "a target that came before with another source",
        }
    }

    /// How bad it is.
    pub fn level(self) -> Level {
        match self {
            Self::EmptyFile | Self::UnequalLines | Self::NotUtf8 | Self::EndlessLine | Self::Malformed => Level::Error,
            Self::Filter(_) | Self::Swapped | Self::Invisible | Self::Tab | Self::HeldOut => Level::Warning,
            Self::CarriageReturns
            | Self::ByteOrderMark
            | Self::NotNfc
            | Self::Spaces
            | Self::SeveralTargets
            | Self::SeveralSources => Level::Note,
        }
    }

    /// All that an [`Inspector`] may find.
    pub fn all() -> impl Iterator<Item = Self> {
        let filters = [Reason::Blank].into_iter().chain(Reason::of_text()).chain([Reason::Duplicate]).map(Self::Filter);
        let errors = [Self::EmptyFile, Self::UnequalLines, Self::NotUtf8, Self::EndlessLine, Self::Malformed];
        let others = [
            Self::Swapped,
            Self::Invisible,
            Self::Tab,
            Self::HeldOut,
            Self::CarriageReturns,
            Self::ByteOrderMark,
            Self::NotNfc,
            Self::Spaces,
            Self::SeveralTargets,
            Self::SeveralSources,
        ];
        errors.into_iter().chain(filters).chain(others)
    }
}

/// Something that looks wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Where; with line 0, the file as a whole.
    pub place: Place,
    /// On which side; none where it is between the sides, or in the file.
    pub side: Option<Side>,
    /// The text around it, which terminals may show; empty where there is none.
    pub excerpt: String,
    /// More about it, in a few words.
    pub detail: String,
}

/// Looks at lines of a corpus, and remembers numbers of eight bytes for pairs and sentences: some 200 bytes a pair.
pub struct Inspector {
    filter: TextFilter,
    pairs: HashMap<u64, Spot>,
    /// For each side, its sentences with the fingerprint of the other side.
    sentences: [HashMap<u64, (u64, Spot)>; 2],
    held_out: HashMap<u64, Place>,
    files: Vec<Arc<str>>,
}

/// A place in few bytes.
#[derive(Clone, Copy)]
struct Spot {
    file: u32,
    line: u64,
}

impl Inspector {
    /// Looks for what `data.filter` says, and all that needs no setting.
    ///
    /// # Errors
    ///
    /// As [`TextFilter::new`].
    pub fn new(data: &DataConfig) -> Result<Self, CorpusError> {
        Ok(Self {
            filter: TextFilter::new(data)?,
            pairs: HashMap::new(),
            sentences: [HashMap::new(), HashMap::new()],
            held_out: HashMap::new(),
            files: Vec::new(),
        })
    }

    /// Takes note of a sentence of the validation or test text, which training text should not have.
    pub fn hold_out(&mut self, sentence: &str, place: &Place) {
        if !sentence.trim().is_empty() {
            self.held_out.entry(fingerprint([sentence])).or_insert_with(|| place.clone());
        }
    }

    /// What looks wrong in some lines, in their order; the texts are looked at on all threads.
    pub fn inspect(&mut self, entries: &[Entry]) -> Vec<Finding> {
        let found: Vec<Vec<Finding>> = entries.par_iter().map(|entry| self.of_entry(entry)).collect();
        let mut findings = Vec::new();
        for (entry, found) in entries.iter().zip(found) {
            findings.extend(found);
            match entry.pair() {
                Some(pair) if !is_blank(pair) => self.remember(entry, pair, &mut findings),
                _ => {}
            }
        }
        findings
    }

    /// What looks wrong in the files of a corpus, once they have been read.
    pub fn inspect_ends(&self, ends: &[FileEnd]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for end in ends {
            let mut found = |kind, line, detail| {
                let place = Place { file: Arc::clone(&end.file), line };
                findings.push(Finding { kind, place, side: None, excerpt: String::new(), detail });
            };
            if end.lines == 0 {
                found(Kind::EmptyFile, 0, String::new());
            }
            if end.byte_order_mark {
                found(Kind::ByteOrderMark, 1, String::new());
            }
            let (count, first) = end.carriage_returns;
            if count > 0 {
                found(Kind::CarriageReturns, first, format!("{count} of {} lines", end.lines));
            }
        }
        if let [source, target] = ends
            && source.lines != target.lines
        {
            let line = source.lines.min(target.lines) + 1;
            let file = Arc::clone(if source.lines > target.lines { &source.file } else { &target.file });
            let detail = format!("{} has {} lines, {} has {}", source.file, source.lines, target.file, target.lines);
            let place = Place { file, line };
            findings.push(Finding { kind: Kind::UnequalLines, place, side: None, excerpt: String::new(), detail });
        }
        findings
    }

    /// What looks wrong in a line by itself.
    fn of_entry(&self, entry: &Entry) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            entry.errors.iter().map(|(side, error)| of_error(error, entry.place(*side))).collect();
        let mut found = |kind, flaw: Flaw| findings.push(finding(kind, entry, flaw));
        let sides = Side::BOTH.into_iter().filter_map(|side| Some((side, entry.text[side as usize].as_deref()?)));
        for (kind, find) in ON_A_SIDE {
            let flaw = sides
                .clone()
                .find_map(|(side, text)| Some(Flaw { side: Some(side), at: find(text)?, detail: String::new() }));
            flaw.into_iter().for_each(|flaw| found(kind, flaw));
        }
        for (side, text) in sides {
            if let Some(place) = (!self.held_out.is_empty()).then(|| self.held_out.get(&fingerprint([text]))).flatten()
            {
                found(Kind::HeldOut, Flaw { side: Some(side), at: 0..0, detail: format!("it is {place}") });
            }
        }
        let Some(pair) = entry.pair() else { return findings };
        if is_blank(pair) {
            let side = if pair[0].trim().is_empty() { Side::Source } else { Side::Target };
            found(Kind::Filter(Reason::Blank), Flaw { side: Some(side), at: 0..0, detail: String::new() });
            return findings;
        }
        for reason in Reason::of_text() {
            if let Some(flaw) = self.filter.find(reason, pair) {
                let swapped =
                    reason == Reason::Language && self.filter.languages().is_some_and(|l| is_swapped(pair, l));
                found(if swapped { Kind::Swapped } else { Kind::Filter(reason) }, flaw);
            }
        }
        findings
    }

    /// Finds what came before, and remembers it.
    fn remember(&mut self, entry: &Entry, pair: [&str; 2], findings: &mut Vec<Finding>) {
        let spot = self.spot(&entry.place(Side::Source));
        let first =
            |files: &[Arc<str>], spot: Spot| Place { file: Arc::clone(&files[spot.file as usize]), line: spot.line };
        let between = |side, detail| Flaw { side, at: 0..0, detail };
        if let Some(earlier) = self.pairs.get(&fingerprint(pair)) {
            if self.filter.settings().duplicates {
                let detail = format!("first at {}", first(&self.files, *earlier));
                findings.push(finding(Kind::Filter(Reason::Duplicate), entry, between(None, detail)));
            }
            return;
        }
        self.pairs.insert(fingerprint(pair), spot);
        let prints = pair.map(|side| fingerprint([side]));
        for (side, kind) in [(Side::Source, Kind::SeveralTargets), (Side::Target, Kind::SeveralSources)] {
            let (own, other) = (prints[side as usize], prints[1 - side as usize]);
            let (translation, earlier) = *self.sentences[side as usize].entry(own).or_insert((other, spot));
            if translation != other {
                let detail = format!("first at {}", first(&self.files, earlier));
                findings.push(finding(kind, entry, between(Some(side), detail)));
            }
        }
    }

    fn spot(&mut self, place: &Place) -> Spot {
        if self.files.last() != Some(&place.file) {
            self.files.push(Arc::clone(&place.file));
        }
        Spot { file: self.files.len() as u32 - 1, line: place.line }
    }
}

/// Tells the bytes where something is.
type Find = fn(&str) -> Option<Range<usize>>;

/// What is looked for in each side by itself.
const ON_A_SIDE: [(Kind, Find); 4] = [
    (Kind::Invisible, flaws::find_invisible),
    (Kind::Tab, flaws::find_tab),
    (Kind::NotNfc, |text| (!is_nfc(text)).then_some(0..0)),
    (Kind::Spaces, |text| flaws::find_spacing(text).filter(|_| !text.trim().is_empty())),
];

fn is_swapped(pair: [&str; 2], languages: [Language; 2]) -> bool {
    languages[0].surely_other(pair[0]) == Some(languages[1]) && languages[1].surely_other(pair[1]) == Some(languages[0])
}

fn of_error(error: &CorpusError, place: Place) -> Finding {
    let kind = match error {
        CorpusError::InvalidUtf8 { .. } => Kind::NotUtf8,
        CorpusError::LineTooLong { .. } => Kind::EndlessLine,
        _ => Kind::Malformed,
    };
    let message = error.to_string();
    let detail = message.strip_prefix(&format!("{place}: ")).unwrap_or(&message).to_owned();
    Finding { kind, place, side: None, excerpt: String::new(), detail }
}

fn finding(kind: Kind, entry: &Entry, flaw: Flaw) -> Finding {
    let Flaw { side, at, detail } = flaw;
    let shown = side.unwrap_or(Side::Source);
    let text = entry.text[shown as usize].as_deref().unwrap_or_default();
    Finding { kind, place: entry.place(shown), side, excerpt: excerpt(text, at.start), detail }
}

/// The text around a byte, where all that is not seen is escaped.
fn excerpt(text: &str, at: usize) -> String {
    /// Characters before the place, and in all.
    const SHOWN: (usize, usize) = (30, 80);
    let before = text[..at].chars().rev().take(SHOWN.0).map(char::len_utf8).sum::<usize>();
    let start = at - before;
    let mut shown = String::from(if start > 0 { "…" } else { "" });
    let mut characters = text[start..].chars();
    for character in characters.by_ref().take(SHOWN.1) {
        let hidden = character.is_control() || flaws::is_invisible_in("")(character) || character == '\u{200b}';
        if hidden { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}
