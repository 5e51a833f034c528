//! What BLEU, chrF and TER have in common: sums over sentences, and a score of the sums.

use crate::MetricError;
use std::ops::AddAssign;

/// A corpus metric: sufficient statistics of every sentence are added up, and the sum is scored.
///
/// The score of a corpus is not the mean of the scores of its sentences. But any sub-corpus, or resampled corpus, can be
/// scored from the statistics of its sentences without looking at the text again.
pub trait CorpusMetric {
    /// What is added up.
    type Statistics: Clone + Default + for<'a> AddAssign<&'a Self::Statistics>;

    /// The statistics of one sentence.
    fn statistics(&self, hypothesis: &str, reference: &str) -> Self::Statistics;

    /// The score of summed statistics. BLEU and chrF lie in 0..=100, more is better; TER is 0 or more, less is better.
    fn score(&self, statistics: &Self::Statistics) -> f64;

    /// The metric's name, such as `chrF2++`.
    fn name(&self) -> String;

    /// How the score is computed, in the form of sacreBLEU's signatures.
    fn signature(&self) -> String;

    /// Sentence scores of every hypothesis against every reference: a row for each hypothesis.
    ///
    /// Minimum Bayes risk decoding compares each candidate with all others. The n-gram metrics then count the n-grams of a
    /// text once, not once for each comparison.
    fn pairwise<H: AsRef<str>, R: AsRef<str>>(&self, hypotheses: &[H], references: &[R]) -> Vec<Vec<f64>> {
        let score = |h: &H, r: &R| self.score(&self.statistics(h.as_ref(), r.as_ref()));
        hypotheses.iter().map(|h| references.iter().map(|r| score(h, r)).collect()).collect()
    }
}

/// The statistics of each sentence of a corpus.
///
/// Fails if there are no sentences, or not as many references as hypotheses.
pub(crate) fn sentence_statistics<M: CorpusMetric, H: AsRef<str>, R: AsRef<str>>(
    metric: &M,
    hypotheses: &[H],
    references: &[R],
) -> Result<Vec<M::Statistics>, MetricError> {
    MetricError::check_pairs(("hypotheses", hypotheses.len()), ("references", references.len()))?;
    if hypotheses.is_empty() {
        return Err(MetricError::Empty);
    }
    Ok(hypotheses.iter().zip(references).map(|(h, r)| metric.statistics(h.as_ref(), r.as_ref())).collect())
}

/// The summed statistics of a corpus; fails as [`sentence_statistics`] does.
pub(crate) fn corpus_statistics<M: CorpusMetric, H: AsRef<str>, R: AsRef<str>>(
    metric: &M,
    hypotheses: &[H],
    references: &[R],
) -> Result<M::Statistics, MetricError> {
    Ok(sum(&sentence_statistics(metric, hypotheses, references)?))
}

/// Adds up statistics.
pub(crate) fn sum<'a, S: Default + AddAssign<&'a S> + 'a>(statistics: impl IntoIterator<Item = &'a S>) -> S {
    statistics.into_iter().fold(S::default(), |mut total, one| {
        total += one;
        total
    })
}
