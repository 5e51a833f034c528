//! Forced decoding: what the model thinks of given translations.

use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_corpus::{BOS, PAD};
use rnnsearch_decoder::RnnSearch;

use crate::search::{Scores, pad};

/// What the model thinks of a given translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forced {
    /// log p of every target token, `</s>` included.
    pub token_log_probs: Vec<f32>,
    /// The alignment α_i of every target token: rows of one weight a source token. Empty without attention.
    pub alignment: Vec<Vec<f32>>,
}

impl Forced {
    /// log p of the translation.
    pub fn log_prob(&self) -> f64 {
        self.token_log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum()
    }
}

/// Reads given targets step by step, a batch of pairs (source, target) at a time; both end with `</s>`.
pub(crate) fn force(
    model: &RnnSearch,
    config: &ModelConfig,
    pairs: &[(&[u32], &[u32])],
    device: &Device,
) -> Vec<Forced> {
    let mut forced = vec![Forced::default(); pairs.len()];
    if pairs.is_empty() {
        return forced;
    }
    let sources: Vec<&[u32]> = pairs.iter().map(|(source, _)| *source).collect();
    let mut state = model.start(&pad(&sources, device), config);
    let mut rows: Vec<usize> = (0..pairs.len()).collect();
    for position in 0.. {
        let running: Vec<usize> = (0..rows.len()).filter(|&row| position < pairs[rows[row]].1.len()).collect();
        if running.is_empty() {
            break;
        }
        if running.len() < rows.len() {
            state = state.select(&running);
            rows = running.iter().map(|&row| rows[row]).collect();
        }
        let word = |pair: usize, position: Option<usize>| {
            position.map_or(BOS, |p| pairs[pair].1.get(p).copied().unwrap_or(PAD))
        };
        let previous: Vec<u32> = rows.iter().map(|&pair| word(pair, position.checked_sub(1))).collect();
        let step = model.step(&state, &previous, config);
        state = step.state;
        let scores = Scores::read(step.log_probs, step.alignment);
        for (row, &pair) in rows.iter().enumerate() {
            forced[pair].token_log_probs.push(scores.log_prob(row, word(pair, Some(position))));
            let alignment = scores.alignment(row, pairs[pair].0.len());
            if !alignment.is_empty() {
                forced[pair].alignment.push(alignment);
            }
        }
    }
    forced
}
