//! Pairs left out by their text: before vocabularies, links and data sets are made of it, so that all of them are of the same pairs.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use rayon::prelude::*;
use rnnsearch_config::{DataConfig, FilterConfig};

use super::{Filter, FilterReport, Reason, is_blank};
use crate::error::CorpusError;
use crate::flaws;
use crate::language::Language;
use crate::pairs::{Pair, Pairs};

/// A side of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The source sentence.
    Source,
    /// Its translation.
    Target,
}

impl Side {
    /// Both, in the order of a pair.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// Its name, for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// What was found in a pair, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flaw {
    /// None where it is between the sides.
    pub side: Option<Side>,
    /// The bytes of that side.
    pub at: Range<usize>,
    /// More about it, in a few words.
    pub detail: String,
}

impl Flaw {
    fn between(detail: String) -> Self {
        Self { side: None, at: 0..0, detail }
    }
}

/// Leaves out pairs by their text, as `data.filter` says.
///
/// To know duplicates it remembers a number of eight bytes for each different pair, which takes 10 to 21 bytes of memory, and 31 while the
/// table grows. Two of a hundred million different pairs are taken for the same with a probability of 0.0003.
#[derive(Clone, Debug)]
pub struct TextFilter {
    settings: FilterConfig,
    /// Those of source and target, if they count.
    languages: Option<[Language; 2]>,
    seen: HashSet<u64>,
}

impl TextFilter {
    /// The filter of the settings.
    ///
    /// # Errors
    ///
    /// [`CorpusError::UnknownLanguage`] if languages are to be told that cannot be.
    pub fn new(data: &DataConfig) -> Result<Self, CorpusError> {
        let source = || Language::of_setting("data.source_language", &data.source_language);
        let target = || Language::of_setting("data.target_language", &data.target_language);
        let languages = if data.filter.languages { Some([source()?, target()?]) } else { None };
        Ok(Self { settings: data.filter.clone(), languages, seen: HashSet::new() })
    }

    /// Whether it leaves out anything.
    pub fn is_idle(&self) -> bool {
        self.settings == FilterConfig::default()
    }

    /// What it looks for.
    pub(crate) fn settings(&self) -> &FilterConfig {
        &self.settings
    }

    /// The languages of source and target, if they count.
    pub(crate) fn languages(&self) -> Option<[Language; 2]> {
        self.languages
    }

    /// The reason to leave out a pair, whatever came before.
    pub fn check(&self, source: &str, target: &str) -> Option<Reason> {
        if is_blank([source, target]) {
            return Some(Reason::Blank);
        }
        Reason::of_text().find(|reason| self.find(*reason, [source, target]).is_some())
    }

    /// Remembers a pair; the reason to leave it out if it came before.
    pub fn check_again(&mut self, source: &str, target: &str) -> Option<Reason> {
        (self.settings.duplicates && !self.seen.insert(fingerprint([source, target]))).then_some(Reason::Duplicate)
    }

    /// Looks for one thing, if it counts.
    pub(crate) fn find(&self, reason: Reason, pair: [&str; 2]) -> Option<Flaw> {
        let (on, [source, target]) = (&self.settings, pair);
        match reason {
            Reason::Identical if on.identical => flaws::is_same(source, target).then(|| Flaw::between(String::new())),
            Reason::BrokenCharacters if on.broken_characters => on_a_side(pair, flaws::find_broken),
            Reason::Mojibake if on.mojibake => on_a_side(pair, flaws::find_mojibake),
            Reason::Markup if on.markup => on_a_side(pair, flaws::find_markup),
            Reason::ManyCharacters if on.max_characters > 0 => {
                count_on_a_side(pair, "characters", on.max_characters, |text| text.chars().count())
            }
            Reason::ManyWords if on.max_words > 0 => {
                count_on_a_side(pair, "words", on.max_words, |text| text.split_whitespace().count())
            }
            Reason::LongWord if on.max_word_length > 0 => {
                on_a_side(pair, |text| flaws::find_long_word(text, on.max_word_length))
            }
            Reason::CharacterRatio if on.max_character_ratio > 0.0 => {
                let counts = pair.map(|text| text.chars().count());
                let detail = || format!("{} and {} characters", counts[0], counts[1]);
                let is_over = flaws::character_ratio(source, target) > on.max_character_ratio;
                is_over.then(|| Flaw::between(detail()))
            }
            Reason::FewLetters if on.min_letters > 0.0 => {
                let few = |text: &str| flaws::letters(text).filter(|share| *share < on.min_letters);
                on_one_side(pair, |text| few(text).map(|share| (0..0, format!("{:.0} % letters", 100.0 * share))))
            }
            Reason::Numbers if on.numbers => flaws::different_numbers(source, target)
                .map(|(source, target)| Flaw::between(format!("{source} and {target}"))),
            Reason::Urls if on.urls => flaws::different_urls(source, target)
                .map(|(source, target)| Flaw::between(format!("{source} and {target}"))),
            Reason::Language => self.languages.and_then(|languages| other_language(pair, languages)),
            _ => None,
        }
    }
}

/// The number that texts are known by, whatever the white space in them.
pub(crate) fn fingerprint<const SIDES: usize>(texts: [&str; SIDES]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for text in texts {
        text.split_whitespace().for_each(|word| word.hash(&mut hasher));
        // No word is a unit.
        hasher.write_u8(0);
    }
    hasher.finish()
}

fn on_a_side(pair: [&str; 2], find: impl Fn(&str) -> Option<Range<usize>>) -> Option<Flaw> {
    on_one_side(pair, |text| find(text).map(|at| (at, String::new())))
}

fn count_on_a_side(pair: [&str; 2], what: &str, most: usize, count: impl Fn(&str) -> usize) -> Option<Flaw> {
    on_one_side(pair, |text| {
        Some(count(text)).filter(|count| *count > most).map(|count| (0..0, format!("{count} {what}")))
    })
}

/// What is found on the first side that has it.
fn on_one_side(pair: [&str; 2], find: impl Fn(&str) -> Option<(Range<usize>, String)>) -> Option<Flaw> {
    let mut sides = Side::BOTH.into_iter().zip(pair);
    sides.find_map(|(side, text)| find(text).map(|(at, detail)| Flaw { side: Some(side), at, detail }))
}

fn other_language(pair: [&str; 2], languages: [Language; 2]) -> Option<Flaw> {
    let mut sides = Side::BOTH.into_iter().zip(pair).zip(languages);
    sides.find_map(|((side, text), language)| {
        let other = language.surely_other(text)?;
        Some(Flaw { side: Some(side), at: 0..0, detail: format!("{other}, not {language}") })
    })
}

/// The pairs of the training corpora that the text filter keeps, blank ones too.
///
/// Every reader of the training text goes through them by one of its own, and they all see the same pairs.
pub struct TrainingPairs {
    pairs: Pairs,
    filter: TextFilter,
    report: FilterReport,
    ready: VecDeque<Result<Pair, CorpusError>>,
}

impl TrainingPairs {
    /// Opens all files of `data.train`.
    ///
    /// # Errors
    ///
    /// Those of [`Pairs::open`] and [`TextFilter::new`].
    pub fn open(data: &DataConfig) -> Result<Self, CorpusError> {
        let (pairs, filter) = (Pairs::open(&data.train)?, TextFilter::new(data)?);
        Ok(Self { pairs, filter, report: FilterReport::new(Filter::new(data)), ready: VecDeque::new() })
    }

    /// What was left out so far.
    pub fn report(&self) -> &FilterReport {
        &self.report
    }

    /// An error of what was to be made of the pairs, with what was left out here: that may be why.
    pub fn explain(&self, error: CorpusError) -> CorpusError {
        match error {
            CorpusError::NothingLeft(mut report) => {
                report.add_left_out(&self.report);
                CorpusError::NothingLeft(report)
            }
            CorpusError::NoText if self.report.left_out().next().is_some() => {
                let mut report = self.report.clone();
                report.dropped[Reason::Blank as usize].count = std::mem::take(&mut report.kept);
                CorpusError::NothingLeft(Box::new(report))
            }
            error => error,
        }
    }

    /// Reads on until there are pairs that are kept, or none; they are looked at on all threads.
    fn read_some(&mut self) {
        /// Pairs that are looked at together.
        const TOGETHER: usize = 4096;
        /// The bytes of text after which there are enough of them.
        const BYTES: usize = 1 << 25;
        while self.ready.is_empty() {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while some.len() < TOGETHER
                && bytes < BYTES
                && let Some(pair) = self.pairs.next()
            {
                bytes += pair.as_ref().map_or(0, |pair| pair.source.len() + pair.target.len());
                some.push(pair);
            }
            if some.is_empty() {
                return;
            }
            let filter = &self.filter;
            let checked: Vec<_> = some.into_par_iter().map(|pair| (reason_of(&pair, filter), pair)).collect();
            for (reason, pair) in checked {
                self.keep(reason, pair);
            }
        }
    }

    fn keep(&mut self, mut reason: Option<Reason>, pair: Result<Pair, CorpusError>) {
        if let Ok(pair) = &pair {
            if reason.is_none() && Filter::check_blank(pair).is_none() {
                reason = self.filter.check_again(&pair.source, &pair.target);
            }
            self.report.count(reason, &pair.place);
        }
        if reason.is_none() {
            self.ready.push_back(pair);
        }
    }
}

fn reason_of(pair: &Result<Pair, CorpusError>, filter: &TextFilter) -> Option<Reason> {
    // Who reads on counts blank pairs.
    let Pair { source, target, .. } = pair.as_ref().ok()?;
    filter.check(source, target).filter(|reason| *reason != Reason::Blank)
}

impl Iterator for TrainingPairs {
    type Item = Result<Pair, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.filter.is_idle() {
            return self.pairs.next();
        }
        self.read_some();
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(settings: FilterConfig) -> TextFilter {
        let (source_language, target_language) = ("de".to_owned(), "en".to_owned());
        TextFilter::new(&DataConfig { filter: settings, source_language, target_language, ..DataConfig::default() })
            .unwrap()
    }

    const GERMAN: &str = "Das Wetter war schön, und so machten wir mit den Kindern einen langen Spaziergang am Fluss.";
    const ENGLISH: &str = "The weather was fine, and so we went for a long walk along the river with the children.";

    /// Each setting with a pair that it alone leaves out.
    #[test]
    fn each_setting_leaves_out_its_own() {
        type Set = fn(&mut FilterConfig);
        let cases: [(Reason, Set, [&str; 2]); 12] = [
            (Reason::Identical, |f| f.identical = true, ["Guten  Tag", "Guten Tag "]),
            (Reason::BrokenCharacters, |f| f.broken_characters = true, ["Tag", "da\u{7}y"]),
            (Reason::Mojibake, |f| f.mojibake = true, ["fÃ¼r", "for"]),
            (Reason::Markup, |f| f.markup = true, ["Tag &amp; Nacht", "day and night"]),
            (Reason::ManyCharacters, |f| f.max_characters = 5, ["sieben", "seven"]),
            (Reason::ManyWords, |f| f.max_words = 2, ["ja", "yes, of course"]),
            (Reason::LongWord, |f| f.max_word_length = 7, ["Spaziergang", "walk"]),
            (Reason::CharacterRatio, |f| f.max_character_ratio = 2.0, ["ja", "yes, it certainly is"]),
            (Reason::FewLetters, |f| f.min_letters = 0.5, ["1 2 3 4 5 vier", "one two three four"]),
            (Reason::Numbers, |f| f.numbers = true, ["im Jahr 1984", "in 1948"]),
            (Reason::Urls, |f| f.urls = true, ["siehe www.a.de", "see there"]),
            (Reason::Language, |f| f.languages = true, [GERMAN, GERMAN]),
        ];
        for (reason, set, [source, target]) in cases {
            let mut settings = FilterConfig::default();
            set(&mut settings);
            let only = filter(settings);
            assert_eq!(only.check(source, target), Some(reason));
            assert_eq!(
                only.check("Guten Tag", "hello"),
                if reason == Reason::ManyCharacters { Some(reason) } else { None }
            );
            assert_eq!(filter(FilterConfig::default()).check(source, target), None, "{reason:?}");
        }
        assert_eq!(filter(FilterConfig::recommended()).check(GERMAN, ENGLISH), None);
    }

    #[test]
    fn blank_pairs_are_left_out_by_any_filter() {
        assert_eq!(filter(FilterConfig::default()).check(" ", "a"), Some(Reason::Blank));
    }

    #[test]
    fn a_pair_comes_again_whatever_its_white_space() {
        let mut filter = filter(FilterConfig { duplicates: true, ..FilterConfig::default() });
        assert_eq!(filter.check_again("a b", "c"), None);
        assert_eq!(filter.check_again("a b", "d"), None, "another translation is no duplicate");
        assert_eq!(filter.check_again("a", "b c"), None);
        assert_eq!(filter.check_again(" a  b", "c\t"), Some(Reason::Duplicate));
    }

    #[test]
    fn an_unknown_language_is_an_error_where_languages_count() {
        let mut data = DataConfig::default();
        assert!(TextFilter::new(&data).is_ok());
        data.filter.languages = true;
        let error = TextFilter::new(&data).unwrap_err().to_string();
        assert!(error.contains("data.source_language = \"source\"") && error.contains("deu"), "{error}");
    }
}
