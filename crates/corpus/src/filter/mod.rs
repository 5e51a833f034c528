//! Which pairs are left out of training, and the report of how many and why.

mod text;

use std::fmt;

use rnnsearch_config::{DataConfig, FilterConfig};

use crate::pairs::{Pair, Place};

pub(crate) use text::{Flaw, fingerprint};
pub use text::{Side, TextFilter, TrainingPairs};

/// The limits a training pair must keep; lengths are counted in tokens, without the end of sentence.
///
/// Pairs with a blank side are always left out: they teach the model to translate nothing into something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The most tokens on a side.
    pub max_length: usize,
    /// The fewest tokens on a side.
    pub min_length: usize,
    /// The most times one side may be longer than the other; 0 for any number.
    pub max_ratio: f64,
    /// What the text must not be; [`TextFilter`] sees to it.
    pub text: FilterConfig,
}

impl Filter {
    /// The limits of the settings.
    pub fn new(data: &DataConfig) -> Self {
        let DataConfig { max_length, min_length, max_ratio, .. } = *data;
        Self { max_length, min_length, max_ratio, text: data.filter.clone() }
    }

    /// Leaves out a pair with a blank side: nothing, or white space only.
    pub fn check_blank(pair: &Pair) -> Option<Reason> {
        is_blank([&pair.source, &pair.target]).then_some(Reason::Blank)
    }

    /// The reason to leave out a pair of so many source and target tokens, if there is one.
    pub fn check(&self, source: usize, target: usize) -> Option<Reason> {
        let (short, long) = (source.min(target), source.max(target));
        if long > self.max_length {
            Some(Reason::TooLong)
        } else if short < self.min_length {
            Some(Reason::TooShort)
        } else if self.max_ratio > 0.0 && long as f64 > self.max_ratio * short as f64 {
            Some(Reason::Ratio)
        } else {
            None
        }
    }
}

/// Whether a side is nothing, or white space only.
pub(crate) fn is_blank(pair: [&str; 2]) -> bool {
    pair.iter().any(|side| side.trim().is_empty())
}

/// Why a pair was left out, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A side could not be read; training stops there, cleaning does not.
    Unreadable,
    /// A side is blank.
    Blank,
    /// Both sides are the same.
    Identical,
    /// A side has control characters, or U+FFFD.
    BrokenCharacters,
    /// A side has UTF-8 that was taken for Latin-1 or Windows-1252.
    Mojibake,
    /// A side has tags or entities of HTML.
    Markup,
    /// A side has more than `data.filter.max_characters` characters.
    ManyCharacters,
    /// A side has more than `data.filter.max_words` words.
    ManyWords,
    /// A side has a word of more than `data.filter.max_word_length` characters.
    LongWord,
    /// The sides differ by more than `data.filter.max_character_ratio`.
    CharacterRatio,
    /// Less than `data.filter.min_letters` of a side are letters.
    FewLetters,
    /// Each side has a long number that the other lacks.
    Numbers,
    /// The sides have not as many URLs and mail addresses.
    Urls,
    /// A side is surely in another language than it should be.
    Language,
    /// The same pair came before.
    Duplicate,
    /// A side has more than `data.max_length` tokens.
    TooLong,
    /// A side has fewer than `data.min_length` tokens.
    TooShort,
    /// The sides differ by more than `data.max_ratio`.
    Ratio,
}

impl Reason {
    const ALL: [Self; 18] = [
        Self::Unreadable,
        Self::Blank,
        Self::Identical,
        Self::BrokenCharacters,
        Self::Mojibake,
        Self::Markup,
        Self::ManyCharacters,
        Self::ManyWords,
        Self::LongWord,
        Self::CharacterRatio,
        Self::FewLetters,
        Self::Numbers,
        Self::Urls,
        Self::Language,
        Self::Duplicate,
        Self::TooLong,
        Self::TooShort,
        Self::Ratio,
    ];

    /// Those that are found in the text of a pair alone.
    pub(crate) fn of_text() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|reason| (Self::Identical..=Self::Language).contains(reason))
    }

    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Blank => "blank",
            Self::Identical => "identical",
            Self::BrokenCharacters => "broken-characters",
            Self::Mojibake => "mojibake",
            Self::Markup => "markup",
            Self::ManyCharacters => "max-characters",
            Self::ManyWords => "max-words",
            Self::LongWord => "max-word-length",
            Self::CharacterRatio => "max-character-ratio",
            Self::FewLetters => "min-letters",
            Self::Numbers => "numbers",
            Self::Urls => "urls",
            Self::Language => "languages",
            Self::Duplicate => "duplicates",
            Self::TooLong => "max-length",
            Self::TooShort => "min-length",
            Self::Ratio => "max-ratio",
        }
    }
}

/// How many pairs were kept and left out. Its display form is one line.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReport {
    /// The limits that were applied.
    pub filter: Filter,
    /// Pairs kept.
    pub kept: u64,
    dropped: [Dropped; Reason::ALL.len()],
}

/// The pairs left out for one reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Place>,
}

impl FilterReport {
    /// How many places are remembered for each reason.
    pub const EXAMPLES: usize = 3;

    /// A report of nothing yet.
    pub fn new(filter: Filter) -> Self {
        Self { filter, kept: 0, dropped: Default::default() }
    }

    /// Counts a pair, left out for a reason or kept.
    pub fn count(&mut self, reason: Option<Reason>, place: &Place) {
        let Some(reason) = reason else {
            self.kept += 1;
            return;
        };
        let dropped = &mut self.dropped[reason as usize];
        dropped.count += 1;
        if dropped.examples.len() < Self::EXAMPLES {
            dropped.examples.push(place.clone());
        }
    }

    /// The pairs left out for a reason.
    pub fn dropped(&self, reason: Reason) -> &Dropped {
        &self.dropped[reason as usize]
    }

    /// Adds what was left out before its pairs came.
    pub fn add_left_out(&mut self, before: &Self) {
        for (dropped, before) in self.dropped.iter_mut().zip(&before.dropped) {
            dropped.count += before.count;
            dropped.examples.extend(before.examples.iter().cloned());
            dropped.examples.truncate(Self::EXAMPLES);
        }
    }

    /// What was left out, reason by reason.
    pub fn left_out(&self) -> impl Iterator<Item = (Reason, &Dropped)> {
        Reason::ALL.into_iter().map(|reason| (reason, self.dropped(reason))).filter(|(_, dropped)| dropped.count > 0)
    }

    /// All pairs read.
    pub fn total(&self) -> u64 {
        self.kept + self.dropped.iter().map(|dropped| dropped.count).sum::<u64>()
    }

    /// What pairs left out for a reason are, in words.
    pub fn describe(&self, reason: Reason) -> String {
        let Filter { max_length, min_length, max_ratio, text } = &self.filter;
        match reason {
            Reason::Unreadable => "that cannot be read".to_owned(),
            Reason::Blank => "with a blank side".to_owned(),
            Reason::Identical => "with identical sides".to_owned(),
            Reason::BrokenCharacters => "with control characters or U+FFFD".to_owned(),
            Reason::Mojibake => "with mojibake".to_owned(),
            Reason::Markup => "with markup".to_owned(),
            Reason::ManyCharacters => format!("over {} characters", text.max_characters),
            Reason::ManyWords => format!("over {} words", text.max_words),
            Reason::LongWord => format!("with a word of over {} characters", text.max_word_length),
            Reason::CharacterRatio => {
                format!("with over {} times the characters of the other side", text.max_character_ratio)
            }
            Reason::FewLetters => format!("with less than {} % letters", 100.0 * text.min_letters),
            Reason::Numbers => "with different numbers".to_owned(),
            Reason::Urls => "with different URLs".to_owned(),
            Reason::Language => "in another language".to_owned(),
            Reason::Duplicate => "that came before".to_owned(),
            Reason::TooLong => format!("over {max_length} tokens"),
            Reason::TooShort => format!("under {min_length} tokens"),
            Reason::Ratio => format!("longer than {max_ratio} times the other side"),
        }
    }
}

impl fmt::Display for FilterReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {} pairs kept", self.kept, self.total())?;
        let mut separator = "; left out: ";
        for (reason, Dropped { count, examples }) in self.left_out() {
            let places: Vec<String> = examples.iter().map(Place::to_string).collect();
            let more = if *count > examples.len() as u64 { ", ..." } else { "" };
            write!(f, "{separator}{count} {} ({}{more})", self.describe(reason), places.join(", "))?;
            separator = "; ";
        }
        Ok(())
    }
}
