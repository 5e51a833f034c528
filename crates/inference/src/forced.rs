//! Forced decoding: what the model thinks of given translations.

use rnnsearch_corpus::{BOS, PAD};
use rnnsearch_numeric::network::Need;

use crate::decoding::{Decoding, Engine, Task};

/// What the model thinks of a given translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forced {
    /// log p of every target token, `</s>` included.
    pub token_log_probs: Vec<f32>,
    /// α_i of every target token, whatever step tells of it: rows of one weight a source token. Empty without attention.
    pub alignment: Vec<Vec<f32>>,
}

impl Forced {
    /// log p of the translation.
    pub fn log_prob(&self) -> f64 {
        self.token_log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum()
    }
}

/// Rows of weights of a source that begins with a tag, as those of its text: what looks at the tag looks at the end.
pub(crate) fn without_tag(rows: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let folded = |mut row: Vec<f32>| {
        let tag = row.remove(0);
        row.last_mut().into_iter().for_each(|end| *end += tag);
        row
    };
    rows.into_iter().map(folded).collect()
}

/// Reads given targets step by step, a batch of pairs (source, target) at a time; both end with `</s>`.
pub(crate) fn force(engine: &Engine, pairs: &[(&[u32], &[u32])]) -> Vec<Forced> {
    let sources: Vec<&[u32]> = pairs.iter().map(|(source, _)| *source).collect();
    engine.run(&sources, &Force(pairs))
}

struct Force<'p>(&'p [(&'p [u32], &'p [u32])]);

impl Task for Force<'_> {
    type Result = Forced;

    /// log p is that among all words.
    fn words(&self, _source: usize) -> Option<Vec<u32>> {
        None
    }

    fn run(&self, mut decoding: impl Decoding, sources: &[usize]) -> Vec<Forced> {
        let pairs: Vec<_> = sources.iter().map(|&source| self.0[source]).collect();
        let mut forced = vec![Forced::default(); pairs.len()];
        let mut rows: Vec<usize> = (0..pairs.len()).collect();
        for position in 0.. {
            let running: Vec<usize> = (0..rows.len()).filter(|&row| position < pairs[rows[row]].1.len()).collect();
            if running.is_empty() {
                break;
            }
            if running.len() < rows.len() {
                decoding.keep(&running, false);
                rows = running.iter().map(|&row| rows[row]).collect();
            }
            let word = |pair: usize, position: Option<usize>| {
                position.map_or(BOS, |p| pairs[pair].1.get(p).copied().unwrap_or(PAD))
            };
            let previous: Vec<u32> = rows.iter().map(|&pair| word(pair, position.checked_sub(1))).collect();
            let scores = decoding.step(&previous, Need::All);
            for (row, &pair) in rows.iter().enumerate() {
                forced[pair].token_log_probs.push(scores.log_prob(row, word(pair, Some(position))));
                let alignment = scores.alignment(row, pairs[pair].0.len());
                if !alignment.is_empty() {
                    forced[pair].alignment.push(alignment.to_vec());
                }
            }
        }
        forced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_at_a_tag_looks_at_the_end() {
        let rows = vec![vec![0.5, 0.25, 0.125, 0.125], vec![0.0, 1.0, 0.0, 0.0]];
        assert_eq!(without_tag(rows), [[0.25, 0.125, 0.625], [1.0, 0.0, 0.0]]);
        assert!(without_tag(Vec::new()).is_empty(), "there is no attention");
    }
}
