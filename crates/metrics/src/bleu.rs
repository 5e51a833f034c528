//! BLEU (Papineni et al., 2002) as sacreBLEU computes it (Post, 2018).
//!
//! ```text
//! BLEU = 100 · BP · exp(Σ_n ln p_n / 4)      n = 1..4
//! p_n  = matching n-grams / n-grams of the hypotheses
//! BP   = exp(1 - r/c) if the hypotheses have fewer words (c) than the references (r), else 1
//! ```

use crate::corpus::corpus_statistics;
use crate::ngrams::{Profile, Words, pairwise, sorted_ngrams};
use crate::text::{Tokenizer, trim_end, words};
use crate::{CorpusMetric, MetricError, NgramStatistics, PROGRAM, yes_no};
use std::fmt;

/// The longest n-grams that BLEU compares.
const MAX_ORDER: usize = 4;

/// BLEU of a corpus: `hypotheses[i]` translates the sentence whose reference is `references[i]`.
///
/// # Errors
///
/// If the lists are empty or of unequal length.
pub fn bleu<H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    options: &BleuOptions,
) -> Result<BleuScore, MetricError> {
    Ok(BleuScore::new(options, &corpus_statistics(options, hypotheses, references)?))
}

/// BLEU of one sentence. [`BleuOptions::for_sentences`] are the options that suit it.
pub fn sentence_bleu(hypothesis: &str, reference: &str, options: &BleuOptions) -> BleuScore {
    BleuScore::new(options, &options.statistics(hypothesis, reference))
}

/// How BLEU is computed; the default is sacreBLEU's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BleuOptions {
    /// Cuts text into words; default [`Tokenizer::V13a`].
    pub tokenizer: Tokenizer,
    /// Compare in lower case; default no.
    pub lowercase: bool,
    /// What replaces a precision of zero; default [`Smoothing::Exp`].
    pub smoothing: Smoothing,
    /// Leave out orders that are longer than the hypothesis, instead of scoring it 0; default no.
    pub effective_order: bool,
}

impl BleuOptions {
    /// The default options with effective order: a sentence of fewer than four words is not scored 0.
    pub fn for_sentences() -> Self {
        Self { effective_order: true, ..Self::default() }
    }

    fn profile(&self, text: &str, numbers: &mut Words) -> Profile<MAX_ORDER> {
        let lower = if self.lowercase { &text.to_lowercase() } else { text };
        let separated = self.tokenizer.separate(trim_end(lower));
        let units = numbers.number(words(&separated));
        Profile(std::array::from_fn(|i| sorted_ngrams(&units, i + 1, 32)))
    }

    /// The precisions in percent, smoothed, and how many of them count.
    fn precisions(&self, statistics: &NgramStatistics<MAX_ORDER>) -> ([f64; MAX_ORDER], usize) {
        let mut precisions = [0.0; MAX_ORDER];
        let mut order = MAX_ORDER;
        let mut smooth = 100.0;
        if statistics.0.iter().all(|counts| counts.matches == 0) {
            return (precisions, order);
        }
        for (i, counts) in statistics.0.iter().enumerate() {
            let added = if i > 0 { self.smoothing.added() } else { 0.0 };
            let (matches, total) = (counts.matches as f64 + added, counts.hypothesis as f64 + added);
            if total == 0.0 {
                break;
            }
            if self.effective_order {
                order = i + 1;
            }
            precisions[i] = match self.smoothing {
                _ if matches != 0.0 => 100.0 * matches / total,
                Smoothing::Exp => {
                    smooth /= 2.0;
                    smooth / total
                }
                Smoothing::Floor(value) => 100.0 * value / total,
                Smoothing::None | Smoothing::AddK(_) => 0.0,
            };
        }
        (precisions, order)
    }
}

impl CorpusMetric for BleuOptions {
    type Statistics = NgramStatistics<MAX_ORDER>;

    fn statistics(&self, hypothesis: &str, reference: &str) -> Self::Statistics {
        let mut numbers = Words::default();
        self.profile(hypothesis, &mut numbers).against(&self.profile(reference, &mut numbers))
    }

    fn score(&self, statistics: &Self::Statistics) -> f64 {
        let (precisions, order) = self.precisions(statistics);
        let mean_log = precisions[..order].iter().map(|p| p.ln()).sum::<f64>() / order as f64;
        brevity_penalty(statistics) * mean_log.exp()
    }

    fn name(&self) -> String {
        "BLEU".to_owned()
    }

    fn signature(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let (eff, tok, smooth) = (yes_no(self.effective_order), self.tokenizer, self.smoothing);
        format!("nrefs:1|case:{case}|eff:{eff}|tok:{tok}|smooth:{smooth}|version:{PROGRAM}")
    }

    fn pairwise<H: AsRef<str>, R: AsRef<str>>(&self, hypotheses: &[H], references: &[R]) -> Vec<Vec<f64>> {
        let profile = |text: &str, numbers: &mut Words| self.profile(text, numbers);
        pairwise(hypotheses, references, profile, |h, r| self.score(&h.against(r)))
    }
}

/// Hypotheses with fewer words than their references are marked down.
fn brevity_penalty(statistics: &NgramStatistics<MAX_ORDER>) -> f64 {
    let (hypothesis, reference) = (statistics.0[0].hypothesis, statistics.0[0].reference);
    match hypothesis {
        _ if hypothesis >= reference => 1.0,
        0 => 0.0,
        _ => (1.0 - reference as f64 / hypothesis as f64).exp(),
    }
}

/// What replaces a precision of zero, which would make the whole score zero (Chen & Cherry, 2014).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Smoothing {
    /// Nothing.
    None,
    /// The k-th such order counts as 1/2^k matches: NIST's, and sacreBLEU's default.
    #[default]
    Exp,
    /// This many matches; sacreBLEU takes 0.1.
    Floor(f64),
    /// This number is added to matches and totals of all orders above the first; sacreBLEU takes 1.
    AddK(f64),
}

impl Smoothing {
    fn added(self) -> f64 {
        if let Self::AddK(k) = self { k } else { 0.0 }
    }
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Exp => f.write_str("exp"),
            Self::Floor(value) => write!(f, "floor[{value:.2}]"),
            Self::AddK(k) => write!(f, "add-k[{k:.2}]"),
        }
    }
}

/// BLEU and what it was made of. `Display` prints it as sacreBLEU does.
#[derive(Clone, Debug, PartialEq)]
pub struct BleuScore {
    /// BLEU, 0 to 100.
    pub score: f64,
    /// Precisions of 1-grams to 4-grams in percent, smoothed.
    pub precisions: [f64; MAX_ORDER],
    /// 1, or less where the hypotheses are too short.
    pub brevity_penalty: f64,
    /// Words in the hypotheses.
    pub hypothesis_length: u64,
    /// Words in the references.
    pub reference_length: u64,
    /// How it was computed.
    pub signature: String,
}

impl BleuScore {
    fn new(options: &BleuOptions, statistics: &NgramStatistics<MAX_ORDER>) -> Self {
        Self {
            score: options.score(statistics),
            precisions: options.precisions(statistics).0,
            brevity_penalty: brevity_penalty(statistics),
            hypothesis_length: statistics.0[0].hypothesis,
            reference_length: statistics.0[0].reference,
            signature: options.signature(),
        }
    }
}

impl fmt::Display for BleuScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        let (hypothesis, reference) = (self.hypothesis_length, self.reference_length);
        let ratio = if reference > 0 { hypothesis as f64 / reference as f64 } else { 0.0 };
        write!(f, "BLEU|{} = {:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} ", self.signature, self.score)?;
        write!(f, "(BP = {:.3} ratio = {ratio:.3} ", self.brevity_penalty)?;
        write!(f, "hyp_len = {hypothesis} ref_len = {reference})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "a b c d" against "a b c e f": matches 3/4, 2/3, 1/2, 0/1, the last smoothed to 1/2; BP = e^(1 - 5/4).
    #[test]
    fn worked_by_hand() {
        let score = bleu(&["a b c d"], &["a b c e f"], &BleuOptions::default()).unwrap();
        assert_eq!(score.precisions, [75.0, 200.0 / 3.0, 50.0, 50.0]);
        let expected = 100.0 * (-0.25f64).exp() * (0.75f64 * 2.0 / 3.0 * 0.5 * 0.5).powf(0.25);
        assert!((score.score - expected).abs() < 1e-12);
        assert_eq!(
            score.to_string().split_once(" = ").unwrap().1,
            "46.31 75.0/66.7/50.0/50.0 (BP = 0.779 ratio = 0.800 hyp_len = 4 ref_len = 5)"
        );
    }

    #[test]
    fn a_short_sentence_needs_effective_order() {
        assert_eq!(sentence_bleu("yes .", "yes .", &BleuOptions::default()).score, 0.0);
        let score = sentence_bleu("yes .", "yes .", &BleuOptions::for_sentences()).score;
        assert!((score - 100.0).abs() < 1e-12);
    }

    #[test]
    fn lists_must_pair() {
        let error = bleu(&["a", "b"], &["a"], &BleuOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "2 hypotheses but 1 references: they must pair one to one");
        assert_eq!(bleu::<&str, &str>(&[], &[], &BleuOptions::default()), Err(MetricError::Empty));
    }
}
