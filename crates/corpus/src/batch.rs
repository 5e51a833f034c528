//! Padded arrays of token ids: what one update or one validation step takes.

use crate::dataset::{Dataset, Example};
use crate::guide::TokenLink;
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
    /// The links of the examples, in the order of the columns; empty where no example of the data set has any.
    pub links: Vec<Vec<TokenLink>>,
}

impl Batch {
    /// Makes a batch of some examples of a data set. Those of the same number stand side by side.
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
            links: match dataset.has_links() {
                true => examples.iter().map(|(_, example)| example.links.clone()).collect(),
                false => Vec::new(),
            },
        }
    }

    /// The same pairs in the other direction: targets are read, and sources are written, but for tags. The columns stay where they are,
    /// and there are no links.
    pub fn reversed(&self, is_tag: impl Fn(u32) -> bool) -> Self {
        let of_column = |column: usize| -> Vec<u32> {
            let ids =
                (0..self.source.lengths[column]).map(|time| self.source.ids[time * self.source.sequences() + column]);
            ids.map(|id| id as u32).filter(|&id| !is_tag(id)).collect()
        };
        let sources: Vec<Vec<u32>> = (0..self.source.sequences()).map(of_column).collect();
        Self {
            indices: self.indices.clone(),
            source: self.target_out.clone(),
            target_in: Padded::new(&sources.iter().map(|source| shift(source)).collect::<Vec<_>>()),
            target_out: Padded::new(&sources),
            links: Vec::new(),
        }
    }

    /// What guided alignment teaches, `[tgt_len, batch, src_len]`: the distribution a_i over the source tokens that target token i is
    /// linked to, all alike, at row i + `later`. Where a pair has links, a token without is linked to the end of the source if
    /// `unlinked` is set; else its row is zeros. None where no example has links.
    pub fn guide(&self, later: usize, unlinked: bool) -> Option<Vec<f32>> {
        let any = self.links.iter().any(|links| !links.is_empty());
        any.then(|| self.guide_of(later, unlinked))
    }

    fn guide_of(&self, later: usize, unlinked: bool) -> Vec<f32> {
        let (batch, src_len) = (self.source.sequences(), self.source.longest);
        let mut guide = vec![0.0; self.target_out.longest * batch * src_len];
        for (column, (links, &length)) in self.links.iter().zip(&self.target_out.lengths).enumerate() {
            let mut linked = vec![0.0_f32; length];
            links.iter().for_each(|&(_, target)| linked[target as usize] += 1.0);
            let row = |target: usize| ((target + later) * batch + column) * src_len;
            for &(source, target) in links {
                let (source, target) = (source as usize, target as usize);
                if target + later < length {
                    guide[row(target) + source] = 1.0 / linked[target];
                }
            }
            if unlinked && !links.is_empty() {
                let end = self.source.lengths[column] - 1;
                let taught = (0..length.saturating_sub(later)).filter(|&target| linked[target] == 0.0);
                taught.for_each(|target| guide[row(target) + end] = 1.0);
            }
        }
        guide
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
    fn a_guide_is_a_distribution_for_each_linked_token() {
        // Two pairs of lengths (3, 3) and (2, 2); the second target token of the first has no link.
        let batch = Batch {
            indices: vec![0, 1],
            source: Padded::new(&[vec![5, 6, 3], vec![7, 3]]),
            target_in: Padded::default(),
            target_out: Padded::new(&[vec![5, 6, 3], vec![7, 3]]),
            links: vec![vec![(0, 0), (1, 0), (2, 2)], vec![(0, 0), (1, 1)]],
        };
        let rows = |later, unlinked| -> Vec<Vec<f32>> {
            batch.guide(later, unlinked).unwrap().chunks(3).map(<[f32]>::to_vec).collect()
        };
        let zeros = vec![0.0; 3];
        let first = [vec![0.5, 0.5, 0.0], zeros.clone(), vec![0.0, 0.0, 1.0]];
        let second = [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], zeros.clone()];
        let columns = |i: usize| [first[i].clone(), second[i].clone()];
        assert_eq!(rows(0, false), [columns(0), columns(1), columns(2)].concat());
        let to_the_end = [vec![0.0, 0.0, 1.0], second[1].clone()];
        assert_eq!(rows(0, true), [columns(0), to_the_end.clone(), columns(2)].concat());
        // A step later; what no step is left for is gone.
        let shifted = [[zeros.clone(), zeros.clone()], columns(0), [zeros.clone(), zeros.clone()]].concat();
        assert_eq!(rows(1, false), shifted);
        let last = [to_the_end[0].clone(), zeros.clone()];
        assert_eq!(rows(1, true), [[zeros.clone(), zeros.clone()], columns(0), last].concat());
        assert_eq!(Batch { links: vec![], ..batch }.guide(0, true), None);
    }

    #[test]
    fn the_other_direction_writes_what_was_read_but_for_tags() {
        let padded = |sentences: &[&[u32]]| Padded::new(sentences);
        let batch = Batch {
            indices: vec![4, 2],
            source: padded(&[&[9, 5, 6, 3], &[7, 3]]),
            target_in: padded(&[&[BOS, 8, 5], &[BOS, 5]]),
            target_out: padded(&[&[8, 5, 3], &[5, 3]]),
            links: vec![vec![(1, 0)], vec![]],
        };
        let reversed = batch.reversed(|id| id == 9);
        let expected = Batch {
            indices: vec![4, 2],
            source: padded(&[&[8, 5, 3], &[5, 3]]),
            target_in: padded(&[&[BOS, 5, 6], &[BOS, 7]]),
            target_out: padded(&[&[5, 6, 3], &[7, 3]]),
            links: Vec::new(),
        };
        assert_eq!(reversed, expected);
    }

    #[test]
    fn the_decoder_input_is_the_target_a_step_later() {
        assert_eq!(shift(&[7, 8, 3]), [BOS, 7, 8]);
        assert_eq!(shift(&[3]), [BOS]);
    }
}
