//! Padded arrays of token ids: what one update or one validation step takes.

use crate::dataset::{Dataset, Example};
use crate::tokenizer::{BOS, PAD};

/// Sequences of ids side by side, filled up with [`PAD`] to the length of the longest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Padded {
    /// The ids, time-major: `[longest, sequences]`, all first tokens, then all second tokens, and so on.
    pub ids: Vec<i32>,
    /// The length of each sequence.
    pub lengths: Vec<usize>,
    /// The length of the longest.
    pub longest: usize,
}

impl Padded {
    /// Lays out sequences in the order given.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S]) -> Self {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.as_ref().len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = vec![PAD as i32; longest * sequences.len()];
        for (column, sequence) in sequences.iter().enumerate() {
            for (time, &id) in sequence.as_ref().iter().enumerate() {
                ids[time * sequences.len() + column] = id as i32;
            }
        }
        Self { ids, lengths, longest }
    }

    /// The number of sequences.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Tokens that are no padding.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }
}

/// Examples as padded arrays.
///
/// They stand in the order of decreasing target length (ties: decreasing source length, then number), so that those still
/// running at a time step are always the first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The numbers of the examples in the data set, in the order of the columns.
    pub indices: Vec<u32>,
    /// Source ids with `</s>`, `[src_len, batch]`.
    pub source: Padded,
    /// What the decoder is given, `<s>` and the target but for its last token, `[tgt_len, batch]`.
    pub target_in: Padded,
    /// What the decoder should answer, the target with `</s>`, `[tgt_len, batch]`.
    pub target_out: Padded,
}

impl Batch {
    /// Makes a batch of some examples of a data set.
    ///
    /// # Panics
    ///
    /// If there is no example of a number.
    pub fn new(dataset: &Dataset, indices: &[u32]) -> Self {
        let mut examples: Vec<(u32, Example)> = indices.iter().map(|&index| (index, dataset.example(index))).collect();
        examples
            .sort_by_key(|(index, example)| (std::cmp::Reverse((example.target.len(), example.source.len())), *index));
        let sources: Vec<&[u32]> = examples.iter().map(|(_, example)| &example.source[..]).collect();
        let targets: Vec<&[u32]> = examples.iter().map(|(_, example)| &example.target[..]).collect();
        Self {
            indices: examples.iter().map(|(index, _)| *index).collect(),
            source: Padded::new(&sources),
            target_in: Padded::new(&targets.iter().map(|target| shift(target)).collect::<Vec<_>>()),
            target_out: Padded::new(&targets),
        }
    }
}

fn shift(target: &[u32]) -> Vec<u32> {
    let before_last = target.split_last().map_or(&[][..], |(_, rest)| rest);
    std::iter::once(BOS).chain(before_last.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_stand_in_columns() {
        let padded = Padded::new(&[vec![7, 8, 3], vec![9, 3]]);
        assert_eq!(padded.ids, [7, 9, 8, 3, 3, 0]);
        assert_eq!((padded.lengths.as_slice(), padded.longest, padded.tokens()), (&[3, 2][..], 3, 5));
    }

    #[test]
    fn the_decoder_input_is_the_target_a_step_later() {
        assert_eq!(shift(&[7, 8, 3]), [BOS, 7, 8]);
        assert_eq!(shift(&[3]), [BOS]);
    }
}
