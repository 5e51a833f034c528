//! chrF (Popović, 2015) and chrF++ (Popović, 2017) as sacreBLEU computes them.
//!
//! The F score of character n-grams, orders 1 to 6, and in chrF++ of words and pairs of words too. Precision and recall
//! are averaged over the orders that both sides are long enough for:
//!
//! ```text
//! chrF_β = 100 · (1 + β²) · P · R / (β² · P + R)
//! ```

use crate::corpus::corpus_statistics;
use crate::ngrams::{Profile, Words, pairwise, sorted_ngrams};
use crate::text::{is_space, words};
use crate::{CorpusMetric, MetricError, NgramStatistics, PROGRAM, yes_no};
use std::fmt;

/// The longest character n-grams.
const CHAR_ORDER: usize = 6;
/// Character n-grams, and up to two orders of words.
const KINDS: usize = CHAR_ORDER + 2;

/// chrF of a corpus: `hypotheses[i]` translates the sentence whose reference is `references[i]`.
///
/// # Errors
///
/// If the lists are empty or of unequal length.
pub fn chrf<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    options: &ChrfOptions,
) -> Result<ChrfScore, MetricError> {
    Ok(ChrfScore::new(options, &corpus_statistics(options, hypotheses, references)?))
}

/// chrF of one sentence.
pub fn sentence_chrf(hypothesis: &str, reference: &str, options: &ChrfOptions) -> ChrfScore {
    ChrfScore::new(options, &options.statistics(hypothesis, reference))
}

/// How chrF is computed; the default is sacreBLEU's, chrF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChrfOptions {
    /// Whether words count beside characters; default no.
    pub variant: ChrfVariant,
    /// How many times more recall weighs than precision; default 2.
    pub beta: u32,
    /// Compare in lower case; default no.
    pub lowercase: bool,
    /// Count white space as characters; default no.
    pub whitespace: bool,
}

impl Default for ChrfOptions {
    fn default() -> Self {
        Self { variant: ChrfVariant::Chrf, beta: 2, lowercase: false, whitespace: false }
    }
}

/// Which words count beside characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChrfVariant {
    /// chrF: none.
    Chrf,
    /// chrF+: single words.
    ChrfPlus,
    /// chrF++: single words and pairs of words.
    ChrfPlusPlus,
}

impl ChrfOptions {
    /// chrF2++.
    pub fn plus_plus() -> Self {
        Self { variant: ChrfVariant::ChrfPlusPlus, ..Self::default() }
    }

    fn word_order(&self) -> usize {
        match self.variant {
            ChrfVariant::Chrf => 0,
            ChrfVariant::ChrfPlus => 1,
            ChrfVariant::ChrfPlusPlus => 2,
        }
    }

    fn profile(&self, text: &str, numbers: &mut Words) -> Profile<KINDS> {
        let text = if self.lowercase { &text.to_lowercase() } else { text };
        let chars: Vec<u32> = text.chars().filter(|&c| self.whitespace || !is_space(c)).map(u32::from).collect();
        let word_order = self.word_order();
        let words = if word_order > 0 { numbers.number(words(text).flat_map(split_punctuation)) } else { Vec::new() };
        Profile(std::array::from_fn(|kind| match kind {
            0..CHAR_ORDER => sorted_ngrams(&chars, kind + 1, 21),
            _ => sorted_ngrams(&words, kind + 1 - CHAR_ORDER, 32),
        }))
    }
}

impl CorpusMetric for ChrfOptions {
    type Statistics = NgramStatistics<KINDS>;

    fn statistics(&self, hypothesis: &str, reference: &str) -> Self::Statistics {
        let mut numbers = Words::default();
        compare(&self.profile(hypothesis, &mut numbers), &self.profile(reference, &mut numbers))
    }

    fn score(&self, statistics: &Self::Statistics) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0);
        for counts in &statistics.0[..CHAR_ORDER + self.word_order()] {
            if counts.hypothesis > 0 && counts.reference > 0 {
                precision += counts.matches as f64 / counts.hypothesis as f64;
                recall += counts.matches as f64 / counts.reference as f64;
                orders += 1;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall) = (precision / f64::from(orders), recall / f64::from(orders));
        let factor = f64::from(self.beta).powi(2);
        100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall))
    }

    fn name(&self) -> String {
        format!("chrF{}{}", self.beta, "+".repeat(self.word_order()))
    }

    fn signature(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let (words, space) = (self.word_order(), yes_no(self.whitespace));
        format!("nrefs:1|case:{case}|eff:yes|nc:{CHAR_ORDER}|nw:{words}|space:{space}|version:{PROGRAM}")
    }

    fn pairwise<H: AsRef<str>, R: AsRef<str>>(&self, hypotheses: &[H], references: &[R]) -> Vec<Vec<f64>> {
        let profile = |text: &str, numbers: &mut Words| self.profile(text, numbers);
        pairwise(hypotheses, references, profile, |h, r| self.score(&compare(h, r)))
    }
}

/// Counts matches; n-grams of the hypothesis do not count where the reference is too short to have any.
fn compare(hypothesis: &Profile<KINDS>, reference: &Profile<KINDS>) -> NgramStatistics<KINDS> {
    let mut statistics = hypothesis.against(reference);
    for counts in statistics.0.iter_mut().filter(|counts| counts.reference == 0) {
        counts.hypothesis = 0;
    }
    statistics
}

/// Cuts one punctuation mark off the end of a word, or else off its beginning: `(hi)` becomes `(hi` and `)`.
fn split_punctuation(word: &str) -> impl Iterator<Item = &str> {
    let mark = |c: char| c.is_ascii_punctuation();
    let cut = match (word.strip_suffix(mark), word.strip_prefix(mark)) {
        (Some(rest), _) if !rest.is_empty() => rest.len(),
        (_, Some(rest)) if !rest.is_empty() => word.len() - rest.len(),
        _ => 0,
    };
    let (first, second) = word.split_at(cut);
    [first, second].into_iter().filter(|part| !part.is_empty())
}

/// chrF and how it was computed. `Display` prints it as sacreBLEU does.
#[derive(Clone, Debug, PartialEq)]
pub struct ChrfScore {
    /// chrF, 0 to 100.
    pub score: f64,
    /// The metric's name, such as `chrF2++`.
    pub name: String,
    /// How it was computed.
    pub signature: String,
}

impl ChrfScore {
    fn new(options: &ChrfOptions, statistics: &NgramStatistics<KINDS>) -> Self {
        Self { score: options.score(statistics), name: options.name(), signature: options.signature() }
    }
}

impl fmt::Display for ChrfScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{} = {:.2}", self.name, self.signature, self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "ab" against "abc": precisions 2/2 and 1/1, recalls 2/3 and 1/2; trigrams exist on one side only.
    #[test]
    fn worked_by_hand() {
        let (precision, recall) = (1.0, (2.0 / 3.0 + 1.0 / 2.0) / 2.0);
        let expected = 100.0 * 5.0 * precision * recall / (4.0 * precision + recall);
        let score = sentence_chrf("ab", "abc", &ChrfOptions::default());
        assert!((score.score - expected).abs() < 1e-12);
        assert_eq!(
            score.to_string().split_once("|version").unwrap().0,
            "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no"
        );
    }

    #[test]
    fn punctuation_is_split_at_one_end() {
        let split = |word| split_punctuation(word).collect::<Vec<_>>();
        assert_eq!(split("(hi)"), ["(hi", ")"]);
        assert_eq!(split("\"hi"), ["\"", "hi"]);
        assert_eq!(split("..."), ["..", "."]);
        assert_eq!(split("."), ["."]);
        assert_eq!(split("naïve…"), ["naïve…"]);
    }

    #[test]
    fn words_count_in_plus_plus() {
        let name = |options: ChrfOptions| options.name();
        assert_eq!(name(ChrfOptions::plus_plus()), "chrF2++");
        let (plain, words) = (ChrfOptions::default(), ChrfOptions::plus_plus());
        assert_eq!(sentence_chrf("ab c", "a bc", &plain).score, 100.0);
        assert!(sentence_chrf("ab c", "a bc", &words).score < 80.0);
    }
}
