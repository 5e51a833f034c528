//! Word alignments against gold links (Och & Ney, 2003).
//!
//! An annotator marks links that must be there, *sure*, and links that may be, *possible*. With hypothesis links A, sure
//! links S and possible links P, which include S:
//!
//! ```text
//! precision = |A ∩ P| / |A|      recall = |A ∩ S| / |S|
//! AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)
//! ```

use crate::MetricError;
use std::collections::BTreeSet;
use std::fmt;

/// Links between words of a sentence pair: (source position, target position).
pub type Links = BTreeSet<(usize, usize)>;

/// The links of an annotator for one sentence pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoldLinks {
    /// Links that must be there.
    pub sure: Links,
    /// Links that may be there. Sure links are possible too, listed here or not.
    pub possible: Links,
}

/// The alignment error rate of a corpus, links counted over all sentences.
///
/// # Errors
///
/// If there are no sentences, or not one gold alignment for each hypothesis.
pub fn alignment_error_rate(hypotheses: &[Links], gold: &[GoldLinks]) -> Result<AlignmentScore, MetricError> {
    MetricError::check_pairs(("alignments", hypotheses.len()), ("gold alignments", gold.len()))?;
    if gold.is_empty() {
        return Err(MetricError::Empty);
    }
    let mut score = AlignmentScore::default();
    for (links, gold) in hypotheses.iter().zip(gold) {
        score.add(links, gold);
    }
    Ok(score)
}

/// How an alignment compares with gold links: the counts, and the scores made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlignmentScore {
    /// Links of the hypotheses, |A|.
    pub links: u64,
    /// Sure links, |S|.
    pub sure: u64,
    /// Links that are sure, |A ∩ S|.
    pub sure_matches: u64,
    /// Links that are possible or sure, |A ∩ P|.
    pub possible_matches: u64,
}

impl AlignmentScore {
    /// Counts the links of one more sentence pair.
    pub fn add(&mut self, links: &Links, gold: &GoldLinks) {
        self.links += links.len() as u64;
        self.sure += gold.sure.len() as u64;
        self.sure_matches += links.intersection(&gold.sure).count() as u64;
        let allowed = |link: &&(usize, usize)| gold.sure.contains(link) || gold.possible.contains(link);
        self.possible_matches += links.iter().filter(allowed).count() as u64;
    }

    /// The share of links that are possible; 1 if there are no links.
    pub fn precision(&self) -> f64 {
        share(self.possible_matches, self.links)
    }

    /// The share of sure links that were found; 1 if there are none to find.
    pub fn recall(&self) -> f64 {
        share(self.sure_matches, self.sure)
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
    }

    /// The alignment error rate: 0 is best, 1 is worst.
    pub fn aer(&self) -> f64 {
        1.0 - share(self.sure_matches + self.possible_matches, self.links + self.sure)
    }
}

impl fmt::Display for AlignmentScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (precision, recall, f1) = (self.precision(), self.recall(), self.f1());
        write!(f, "AER = {:.4} (precision = {precision:.4} recall = {recall:.4} F1 = {f1:.4})", self.aer())
    }
}

/// A share of nothing is all of it.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(sure: &[(usize, usize)], possible: &[(usize, usize)]) -> GoldLinks {
        GoldLinks { sure: sure.iter().copied().collect(), possible: possible.iter().copied().collect() }
    }

    /// A = {00, 11, 12, 33}, S = {00, 11, 22}, P = S + {12}: |A∩S| = 2, |A∩P| = 3, so AER = 1 - 5/7.
    #[test]
    fn worked_by_hand() {
        let gold = gold(&[(0, 0), (1, 1), (2, 2)], &[(1, 2)]);
        let score = alignment_error_rate(&[Links::from([(0, 0), (1, 1), (1, 2), (3, 3)])], &[gold]).unwrap();
        assert_eq!(score.precision(), 3.0 / 4.0);
        assert_eq!(score.recall(), 2.0 / 3.0);
        assert!((score.f1() - 12.0 / 17.0).abs() < 1e-15);
        assert!((score.aer() - 2.0 / 7.0).abs() < 1e-15);
        assert_eq!(score.to_string(), "AER = 0.2857 (precision = 0.7500 recall = 0.6667 F1 = 0.7059)");
    }

    #[test]
    fn sentences_are_pooled_not_averaged() {
        let gold = [gold(&[(0, 0)], &[]), gold(&[(0, 0), (1, 1), (2, 2)], &[])];
        let score = alignment_error_rate(&[Links::new(), Links::from([(0, 0), (1, 1), (2, 2)])], &gold).unwrap();
        assert_eq!((score.precision(), score.recall()), (1.0, 0.75));
        assert!((score.aer() - 1.0 / 7.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_found_and_nothing_to_find() {
        let none = alignment_error_rate(&[Links::new()], &[gold(&[(0, 0)], &[])]).unwrap();
        assert_eq!((none.aer(), none.recall(), none.f1()), (1.0, 0.0, 0.0));
        assert_eq!(alignment_error_rate(&[Links::new()], &[gold(&[], &[])]).unwrap().aer(), 0.0);
        assert_eq!(alignment_error_rate(&[], &[]), Err(MetricError::Empty));
        assert!(alignment_error_rate(&[], &[gold(&[], &[])]).is_err());
    }
}
