//! TER, the translation edit rate (Snover et al., 2006), as sacreBLEU computes it.
//!
//! How many words must be inserted, deleted or replaced, or how many blocks of words moved, to turn the hypothesis into
//! the reference; in percent of the reference's words. The moves are found greedily with the limits of the program Tercom:
//! the block whose move saves most edits is moved, as long as one saves any.

use crate::corpus::corpus_statistics;
use crate::ngrams::Words;
use crate::text::{
    AFTER_NON_DIGIT, BEFORE_NON_DIGIT, DASH_AFTER_DIGIT, PUNCTUATION, Rules, isolate, rules, substitute, trim_end,
    unescape_entities, words,
};
use crate::{CorpusMetric, MetricError, PROGRAM, yes_no};
use edits::translation_edits;
use std::fmt;
use std::ops::AddAssign;
use std::sync::LazyLock;

mod edits;

/// TER of a corpus: `hypotheses[i]` translates the sentence whose reference is `references[i]`.
///
/// # Errors
///
/// If the lists are empty or of unequal length.
pub fn ter<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    options: &TerOptions,
) -> Result<TerScore, MetricError> {
    Ok(TerScore::new(options, &corpus_statistics(options, hypotheses, references)?))
}

/// TER of one sentence.
pub fn sentence_ter(hypothesis: &str, reference: &str, options: &TerOptions) -> TerScore {
    TerScore::new(options, &options.statistics(hypothesis, reference))
}

/// How TER is computed; the default, all off, is sacreBLEU's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerOptions {
    /// Tell upper from lower case.
    pub case_sensitive: bool,
    /// Read XML entities and cut off punctuation.
    pub normalized: bool,
    /// Leave out punctuation.
    pub no_punctuation: bool,
    /// Let [`normalized`](Self::normalized) cut Chinese and Japanese into characters, and
    /// [`no_punctuation`](Self::no_punctuation) leave out their punctuation.
    pub asian_support: bool,
}

impl TerOptions {
    /// The words of `text`, with spaces between them.
    fn separate(&self, text: &str) -> String {
        let text = trim_end(text);
        let mut text = if self.case_sensitive { text.to_owned() } else { text.to_lowercase() };
        if self.normalized && !text.is_empty() {
            text = normalize(&text);
            if self.asian_support {
                text = isolate(&text, is_asian);
            }
        }
        if self.no_punctuation {
            text.retain(|c| !(is_punctuation(c) || self.asian_support && is_asian_punctuation(c)));
        }
        words(&text).collect::<Vec<_>>().join(" ")
    }
}

impl CorpusMetric for TerOptions {
    type Statistics = TerStatistics;

    fn statistics(&self, hypothesis: &str, reference: &str) -> TerStatistics {
        let mut numbers = Words::default();
        let hypothesis = numbers.number(words(&self.separate(hypothesis)));
        // Twice, as sacreBLEU does by oversight: `7's\tup` is first `7's up`, then `7 's up`.
        let reference = numbers.number(words(&self.separate(&self.separate(reference))));
        let edits = translation_edits(hypothesis, &reference);
        TerStatistics { edits, reference_length: reference.len() as u64 }
    }

    fn score(&self, statistics: &TerStatistics) -> f64 {
        match (statistics.edits, statistics.reference_length) {
            (0, 0) => 0.0,
            (_, 0) => 100.0,
            (edits, length) => 100.0 * (edits as f64 / length as f64),
        }
    }

    fn name(&self) -> String {
        "TER".to_owned()
    }

    fn signature(&self) -> String {
        let case = if self.case_sensitive { "mixed" } else { "lc" };
        let [norm, punct, asian] = [self.normalized, !self.no_punctuation, self.asian_support].map(yes_no);
        format!("nrefs:1|case:{case}|tok:tercom|norm:{norm}|punct:{punct}|asian:{asian}|version:{PROGRAM}")
    }
}

/// The sufficient statistics of TER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerStatistics {
    /// Insertions, deletions, replacements and moves.
    pub edits: u64,
    /// Words in the reference.
    pub reference_length: u64,
}

impl AddAssign<&Self> for TerStatistics {
    fn add_assign(&mut self, other: &Self) {
        self.edits += other.edits;
        self.reference_length += other.reference_length;
    }
}

/// TER and what it was made of. `Display` prints it as sacreBLEU does.
#[derive(Clone, Debug, PartialEq)]
pub struct TerScore {
    /// TER in percent: 0 is best, and it can be more than 100.
    pub score: f64,
    /// Insertions, deletions, replacements and moves.
    pub edits: u64,
    /// Words in the references.
    pub reference_length: u64,
    /// How it was computed.
    pub signature: String,
}

impl TerScore {
    fn new(options: &TerOptions, statistics: &TerStatistics) -> Self {
        let TerStatistics { edits, reference_length } = *statistics;
        Self { score: options.score(statistics), edits, reference_length, signature: options.signature() }
    }
}

impl fmt::Display for TerScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TER|{} = {:.2}", self.signature, self.score)
    }
}

/// Tercom's normalisation of Western text.
fn normalize(text: &str) -> String {
    let text = unescape_entities(text.replace("\n-", "").replace('\n', " "));
    substitute(&WESTERN, &format!(" {text} "))
}

static WESTERN: LazyLock<Rules> =
    LazyLock::new(|| rules(&[PUNCTUATION, ("'s ", " 's "), AFTER_NON_DIGIT, BEFORE_NON_DIGIT, DASH_AFTER_DIGIT]));

/// Characters that stand alone in Chinese and Japanese text. The block up to U+3F22 is Tercom's.
fn is_asian(c: char) -> bool {
    is_asian_punctuation(c)
        || matches!(c, '\u{2e80}'..='\u{2eff}' | '\u{31c0}'..='\u{31ef}' | '\u{3200}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}')
}

fn is_punctuation(c: char) -> bool {
    ".,?:;!\"()".contains(c)
}

fn is_asian_punctuation(c: char) -> bool {
    matches!(c, '\u{3001}' | '\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff61}'..='\u{ff65}'
        | '\u{30fb}' | '．' | '，' | '？' | '：' | '；' | '！' | '＂' | '（' | '）')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_block_is_one_edit() {
        let score = sentence_ter("in the park we met", "we met in the park", &TerOptions::default());
        assert_eq!((score.edits, score.reference_length, score.score), (1, 5, 20.0));
        assert_eq!(
            score.to_string().split_once("|version").unwrap().0,
            "TER|nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no"
        );
    }

    #[test]
    fn empty_sides() {
        let score = |h, r| sentence_ter(h, r, &TerOptions::default()).score;
        assert_eq!([score("", ""), score("a b", ""), score("", "a b")], [0.0, 100.0, 100.0]);
    }
}
