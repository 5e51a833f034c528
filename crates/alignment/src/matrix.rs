//! The soft alignment of a sentence pair: a matrix with its labels.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{AlignmentError, Link, Links, Sentence, Side};

/// How far above 1 a weight may lie: sums of rounded probabilities exceed 1 by a little.
const ROUNDING: f32 = 1e-3;

/// Weights α_ij of source token j for target token i, with the sentences they belong to.
///
/// The matrix is `[target tokens, source tokens]`, row by row. A row is a distribution over the source: it sums to 1
/// where it comes from the model. Both sides have at least one token, and all weights lie between 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    source: Sentence,
    target: Sentence,
    weights: Vec<f32>,
}

/// How two matrices of opposite directions become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// (α + β) / 2
    Mean,
    /// α β: both must agree.
    Product,
}

/// Which weights are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRule {
    /// The highest of each target word.
    Argmax,
    /// All, down to a threshold.
    Threshold,
}

impl Alignment {
    /// Labels a matrix. `weights` is `[target.len(), source.len()]`, row by row.
    ///
    /// # Errors
    ///
    /// A side without tokens, a wrong number of weights, or a weight that is not a probability.
    pub fn new(source: Sentence, target: Sentence, weights: Vec<f32>) -> Result<Self, AlignmentError> {
        let (rows, columns) = (target.len(), source.len());
        for (side, sentence) in [(Side::Source, &source), (Side::Target, &target)] {
            if sentence.is_empty() {
                return Err(AlignmentError::Empty(side));
            }
        }
        if weights.len() != rows * columns {
            return Err(AlignmentError::Size { rows, columns, weights: weights.len() });
        }
        let wrong = |&value: &f32| !(0.0..=1.0 + ROUNDING).contains(&value);
        if let Some(at) = weights.iter().position(wrong) {
            return Err(AlignmentError::Weight { row: at / columns, column: at % columns, value: weights[at] });
        }
        Ok(Self { source, target, weights })
    }

    /// The sentence translated from; its tokens are the columns.
    pub fn source(&self) -> &Sentence {
        &self.source
    }

    /// The sentence translated to; its tokens are the rows.
    pub fn target(&self) -> &Sentence {
        &self.target
    }

    /// All weights, `[target tokens, source tokens]`, row by row.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The rows in order: for each target token its weights over the source tokens.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.weights.chunks_exact(self.source.len())
    }

    /// The alignment without the row and column of the end of the sentence.
    ///
    /// What a word gave to the end of the source is left out, so rows may sum to less than 1.
    ///
    /// # Errors
    ///
    /// A side that has no other token.
    pub fn without_end(&self) -> Result<Self, AlignmentError> {
        let (source, target) = (self.source.without_end(), self.target.without_end());
        let rows = self.rows().take(target.len());
        let weights = rows.flat_map(|row| &row[..source.len()]).copied().collect();
        Self::new(source, target, weights)
    }

    /// The rows that tell of the target's words: one for each token but the end of the sentence.
    ///
    /// # Errors
    ///
    /// A target that has no other token.
    pub fn without_target_end(&self) -> Result<Self, AlignmentError> {
        let target = self.target.without_end();
        let weights = self.weights[..target.len() * self.source.len()].to_vec();
        Self::new(self.source.clone(), target, weights)
    }

    /// The matrix between the words alone, scaled so that no word is preferred by all: the rows are made to sum to 1, then the
    /// columns, then the rows again.
    ///
    /// Attention often rests on a word that much depends on, such as a noun whose gender its neighbours take. What a source word
    /// gets from many target words counts less after this. (More rounds, as Sinkhorn's algorithm has, would make all words get
    /// the same, but some words have several partners and some have none.)
    ///
    /// # Errors
    ///
    /// A side that has no words.
    pub fn balanced(&self) -> Result<Self, AlignmentError> {
        let by_rows = |mut alignment: Self| {
            let columns = alignment.source.len();
            alignment.weights.chunks_exact_mut(columns).for_each(normalize);
            alignment
        };
        let by_columns = |alignment: Self| by_rows(alignment.transposed()).transposed();
        Ok(by_rows(by_columns(by_rows(self.without_end()?))))
    }

    /// The matrix with rows for columns.
    pub fn transposed(&self) -> Self {
        let (rows, columns) = (self.target.len(), self.source.len());
        let weights = (0..rows * columns).map(|at| self.weights[at % rows * columns + at / rows]).collect();
        Self { source: self.target.clone(), target: self.source.clone(), weights }
    }

    /// This matrix and that of the opposite direction, whose rows are this one's columns, in one; the ends of both sides are
    /// left out.
    ///
    /// # Errors
    ///
    /// A side without words, or another number of words in the other matrix.
    pub fn merged(&self, reverse: &Alignment, how: Merge) -> Result<Self, AlignmentError> {
        let (forward, reverse) = (self.without_end()?, reverse.without_end()?.transposed());
        let (rows, columns) = (forward.target.len(), forward.source.len());
        if (reverse.target.len(), reverse.source.len()) != (rows, columns) {
            return Err(AlignmentError::Size { rows, columns, weights: reverse.weights.len() });
        }
        let merge = |(&one, &other): (&f32, &f32)| match how {
            Merge::Mean => (one + other) / 2.0,
            Merge::Product => one * other,
        };
        let weights = forward.weights.iter().zip(&reverse.weights).map(merge).collect();
        Self::new(forward.source, forward.target, weights)
    }

    /// Links every target token with the source token it looks at most (the first, if several are equal).
    ///
    /// A token that looks at nothing, or most at the end of the sentence, gets no link; nor does the end itself.
    pub fn best_links(&self) -> Links {
        self.links(LinkRule::Argmax, 0.0)
    }

    /// The links that a rule finds, of those whose weight is at least `threshold` and not zero.
    ///
    /// Of equal weights the first is the highest. The ends have no links, but the end of the source can be what a token looks
    /// at most.
    pub fn links(&self, rule: LinkRule, threshold: f32) -> Links {
        let words = |sentence: &Sentence| sentence.len() - usize::from(sentence.has_end());
        let sources = words(&self.source);
        let of_row = |(target, row): (usize, &[f32])| {
            let best = highest(row);
            let linked = |&source: &usize| {
                let of_rule = rule == LinkRule::Threshold || source == best;
                of_rule && row[source] > 0.0 && row[source] >= threshold
            };
            (0..sources).filter(linked).map(|source| Link { source, target }).collect::<Vec<_>>()
        };
        self.rows().take(words(&self.target)).enumerate().flat_map(of_row).collect()
    }
}

/// The place of the highest weight, the first if there are several.
fn highest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, place| if row[place] > row[best] { place } else { best })
}

/// Divides numbers by their sum, unless that is zero.
fn normalize(weights: &mut [f32]) {
    let sum: f32 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}

/// `{"source_tokens": [...], "target_tokens": [...], "alignment": [[...], ...]}`, weights to six decimals.
impl Serialize for Alignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let labels = |sentence: &Sentence| sentence.tokens().iter().map(|t| t.label().to_owned()).collect::<Vec<_>>();
        let rows: Vec<Vec<f64>> = self.rows().map(|row| row.iter().map(|&weight| rounded(weight)).collect()).collect();
        let mut object = serializer.serialize_struct("Alignment", 3)?;
        object.serialize_field("source_tokens", &labels(&self.source))?;
        object.serialize_field("target_tokens", &labels(&self.target))?;
        object.serialize_field("alignment", &rows)?;
        object.end()
    }
}

/// The weight to six decimals, as a double so that it prints no more digits than it has.
fn rounded(weight: f32) -> f64 {
    (f64::from(weight) * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(words: &[&str]) -> Sentence {
        Sentence::from_words(words)
    }

    #[test]
    fn sizes_and_weights_are_checked() {
        let message = |result: Result<Alignment, AlignmentError>| result.unwrap_err().to_string();
        assert_eq!(
            message(Alignment::new(words(&[]), words(&["a"]), vec![])),
            "the source sentence has no tokens: there is nothing to align"
        );
        assert_eq!(
            message(Alignment::new(words(&["a", "b"]), words(&["c"]), vec![1.0])),
            "1 weights do not fill a matrix of 1 target tokens by 2 source tokens"
        );
        for bad in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            let error = Alignment::new(words(&["a", "b"]), words(&["c"]), vec![1.0, bad]).unwrap_err();
            assert!(matches!(error, AlignmentError::Weight { row: 0, column: 1, .. }), "{error}");
        }
    }

    #[test]
    fn links_leave_out_the_end_and_prefer_the_first() {
        let source = words(&["a", "b"]).with_end();
        let target = words(&["x", "y", "z"]).with_end();
        let weights = vec![
            0.4, 0.4, 0.2, // a tie: the first
            0.2, 0.3, 0.5, // most at the end: no link
            0.0, 0.0, 0.0, // nothing: no link
            0.9, 0.1, 0.0, // the end's own row: no link
        ];
        let alignment = Alignment::new(source, target, weights).unwrap();
        assert_eq!(alignment.best_links().to_string(), "0-0");
        assert_eq!(alignment.links(LinkRule::Argmax, 0.4).to_string(), "0-0");
        assert_eq!(alignment.links(LinkRule::Argmax, 0.41).to_string(), "");
        assert_eq!(alignment.links(LinkRule::Threshold, 0.3).to_string(), "0-0 1-0 1-1");
        assert_eq!(alignment.links(LinkRule::Threshold, 0.0).to_string(), "0-0 0-1 1-0 1-1", "never a weight of zero");
    }

    /// By hand: [[3, 1], [3, 1]] / 4 has columns that sum to 3/2 and 1/2, by which it becomes [[1/2, 1/2], [1/2, 1/2]]. A word
    /// without weight stays without.
    #[test]
    fn no_word_is_preferred_by_all() {
        let weights = vec![0.6, 0.2, 0.2, 0.3, 0.1, 0.6, 0.0, 0.0, 1.0];
        let alignment = Alignment::new(words(&["a", "b"]).with_end(), words(&["x", "y", "z"]), weights).unwrap();
        let balanced = alignment.balanced().unwrap();
        assert!(balanced.weights().iter().zip([0.5, 0.5, 0.5, 0.5, 0.0, 0.0]).all(|(a, b)| (a - b).abs() < 1e-6));

        // Both target words look at a most, but y does so less, and nobody else looks at b.
        let weights = vec![0.9, 0.1, 0.6, 0.4];
        let alignment = Alignment::new(words(&["a", "b"]), words(&["x", "y"]), weights).unwrap();
        assert_eq!(alignment.best_links().to_string(), "0-0 0-1");
        assert_eq!(alignment.balanced().unwrap().best_links().to_string(), "0-0 1-1");
    }

    proptest! {
        #[test]
        fn balanced_rows_sum_to_one(rows in 1usize..6, columns in 1usize..6, weights in prop::collection::vec(0.0f32..1.0, 25)) {
            let [source, target] = [columns, rows].map(|count| words(&vec!["w"; count]));
            // Some words get nothing.
            let weights = weights[..rows * columns].iter().map(|&weight| if weight < 0.3 { 0.0 } else { weight }).collect();
            let alignment = Alignment::new(source.with_end(), target, with_ends(weights, columns)).unwrap();
            let balanced = alignment.balanced().unwrap();
            prop_assert_eq!(balanced.weights().len(), rows * columns);
            for row in balanced.rows() {
                let sum: f32 = row.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-4 || sum == 0.0, "{row:?}");
            }
            let links = |rule| alignment.links(rule, 0.0);
            prop_assert_eq!(balanced.links(LinkRule::Threshold, 0.0), links(LinkRule::Threshold), "no weight comes or goes");
            prop_assert_eq!(alignment.transposed().transposed(), alignment);
        }
    }

    /// Rows with a weight for the end of the source.
    fn with_ends(weights: Vec<f32>, columns: usize) -> Vec<f32> {
        weights.chunks_exact(columns).flat_map(|row| row.iter().copied().chain([0.5])).collect()
    }

    #[test]
    fn two_directions_become_one() {
        let forward = vec![0.1, 0.3, 0.6, 0.2, 0.4, 0.4];
        let forward = Alignment::new(words(&["a", "b"]).with_end(), words(&["x", "y"]), forward).unwrap();
        let reverse = Alignment::new(words(&["x", "y"]), words(&["a", "b"]), vec![0.9, 0.2, 0.3, 0.0]).unwrap();
        let merged = |how| forward.merged(&reverse, how).unwrap().weights().to_vec();
        let close = |a: Vec<f32>, b: [f32; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(merged(Merge::Mean), [0.5, 0.3, 0.2, 0.2]));
        assert!(close(merged(Merge::Product), [0.09, 0.09, 0.04, 0.0]));
        assert_eq!(reverse.transposed().weights(), [0.9, 0.3, 0.2, 0.0]);
        assert_eq!(forward.transposed().transposed(), forward);
        let other = Alignment::new(words(&["x"]), words(&["a", "b"]), vec![0.9, 0.2]).unwrap();
        assert!(matches!(forward.merged(&other, Merge::Mean), Err(AlignmentError::Size { .. })));
    }

    #[test]
    fn the_end_can_be_dropped() {
        let alignment =
            Alignment::new(words(&["a", "b"]).with_end(), words(&["x"]).with_end(), vec![0.1, 0.2, 0.7, 0.3, 0.3, 0.4]);
        let alignment = alignment.unwrap();
        let dropped = alignment.without_end().unwrap();
        assert_eq!(dropped.weights(), [0.1, 0.2]);
        assert_eq!(alignment.without_target_end().unwrap().weights(), [0.1, 0.2, 0.7]);
        let only_end = Alignment::new(words(&[]).with_end(), words(&["x"]), vec![1.0]).unwrap();
        assert!(matches!(only_end.without_end(), Err(AlignmentError::Empty(Side::Source))));
    }

    #[test]
    fn json_has_six_decimals() {
        let alignment =
            Alignment::new(words(&["a", "\"b\""]), words(&["x"]).with_end(), vec![1.0 / 3.0, 2.0 / 3.0, 1.0, 0.0]);
        assert_eq!(
            serde_json::to_string(&alignment.unwrap()).unwrap(),
            r#"{"source_tokens":["a","\"b\""],"target_tokens":["x","</s>"],"alignment":[[0.333333,0.666667],[1.0,0.0]]}"#
        );
    }
}
