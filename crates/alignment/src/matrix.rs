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

    /// Links every target token with the source token it looks at most (the first, if several are equal).
    ///
    /// A token that looks at nothing, or most at the end of the sentence, gets no link; nor does the end itself.
    pub fn best_links(&self) -> Links {
        self.linked(|row, column| {
            let weight = row[column];
            let before = row[..column].iter().all(|&other| other < weight);
            weight > 0.0 && before && row[column + 1..].iter().all(|&other| other <= weight)
        })
    }

    /// Links every target token with all source tokens whose weight is at least `threshold`.
    pub fn links_above(&self, threshold: f32) -> Links {
        self.linked(|row, column| row[column] >= threshold)
    }

    /// Sure links between the tokens, ends left out, where `linked(row, column)`.
    fn linked(&self, linked: impl Fn(&[f32], usize) -> bool) -> Links {
        let words = |sentence: &Sentence| sentence.len() - usize::from(sentence.has_end());
        let rows = self.rows().take(words(&self.target)).enumerate();
        rows.flat_map(|(target, row)| {
            let sources = (0..words(&self.source)).filter(|&source| linked(row, source)).collect::<Vec<_>>();
            sources.into_iter().map(move |source| Link { source, target })
        })
        .collect()
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
        assert_eq!(alignment.best_links().sure().collect::<Vec<_>>(), [Link { source: 0, target: 0 }]);
        let above: Vec<_> = alignment.links_above(0.3).sure().map(|link| (link.source, link.target)).collect();
        assert_eq!(above, [(0, 0), (1, 0), (1, 1)]);
    }

    #[test]
    fn the_end_can_be_dropped() {
        let alignment =
            Alignment::new(words(&["a", "b"]).with_end(), words(&["x"]).with_end(), vec![0.1, 0.2, 0.7, 0.3, 0.3, 0.4]);
        let dropped = alignment.unwrap().without_end().unwrap();
        assert_eq!(dropped.weights(), [0.1, 0.2]);
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
