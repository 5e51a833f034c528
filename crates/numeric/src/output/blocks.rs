//! The cross-entropy and its gradients from rounded products, in blocks of words and tokens that stay in the second cache.
//!
//! Logits are computed twice, first for the normalisers alone: such products take less time than to write and read what they make.

use std::ops::Range;

use rayon::prelude::*;

use super::{Output, OutputGradients, difference};
use crate::buffers::zeros;
use crate::product::bfloat::{Left, PANEL, Right};
use crate::product::{Matrix, Write};
use crate::vector;

/// The words of a block: whole panels of the weight.
const WORDS: usize = 16 * PANEL;

/// The tokens of a block, twins together.
const TOKENS: usize = 256;

/// The parts of the vocabulary whose share of the readouts' gradient is summed up by one thread. Their number is fixed, so that the
/// sums do not depend on that of the threads.
const PARTS: usize = 8;

/// What a block of words says of a token.
#[derive(Clone, Copy)]
struct Seen {
    /// The largest logit.
    max: f32,
    /// Σ e^(logit - max).
    exps: f32,
    /// Σ logit.
    all: f32,
    /// The logit of the token's word, if it is one of these.
    target: Option<f32>,
    /// Σ e^(logit - max) times what the logits of the first twin are above those of the second.
    apart: f32,
}

/// What all words say of a token.
#[derive(Clone, Copy)]
struct Said {
    loss: f32,
    /// ln Σ e^logit.
    normalizer: f32,
    /// The mean of what the logits of the first twin are above those of the second.
    apart: f32,
}

/// As [`Output::loss_and_gradients`].
pub(super) fn loss_and_gradients(output: &Output) -> (f64, OutputGradients) {
    let blocks = Blocks::new(output);
    let words: Vec<Range<usize>> = (0..output.bias.len().div_ceil(WORDS)).map(|block| blocks.words(block)).collect();
    let seen: Vec<Vec<Seen>> = words.par_iter().map(|words| blocks.look(words)).collect();
    let said: Vec<Said> = (0..output.targets.len()).map(|token| blocks.sum_up(token, &seen)).collect();
    (said.iter().map(|said| f64::from(said.loss)).sum(), blocks.gradients(&words, &said))
}

/// What all blocks share.
struct Blocks<'o> {
    output: &'o Output<'o>,
    /// W_o.
    weight: Right,
    /// The readouts of some tokens each, `[tokens, size]`, and transposed.
    readouts: Vec<(Left, Left)>,
}

impl<'o> Blocks<'o> {
    fn new(output: &'o Output) -> Self {
        let readouts = output.readout.par_chunks(TOKENS * output.size).map(|readout| {
            let readout = Matrix::new(readout, readout.len() / output.size, output.size);
            (Left::new(readout), Left::new(readout.transposed()))
        });
        let weight = Right::shared(Matrix::new(output.weight, output.size, output.bias.len()));
        Self { output, weight, readouts: readouts.collect() }
    }

    /// The words of a block.
    fn words(&self, block: usize) -> Range<usize> {
        block * WORDS..self.output.bias.len().min((block + 1) * WORDS)
    }

    /// The tokens of each block, with their readouts.
    fn tokens(&self) -> impl Iterator<Item = (Range<usize>, &(Left, Left))> {
        let all = self.output.targets.len();
        (0..all).step_by(TOKENS).map(move |first| first..all.min(first + TOKENS)).zip(&self.readouts)
    }

    /// The logits of some tokens for some words, without the bias.
    fn logits<'l>(&self, tokens: usize, readout: &Left, words: &Range<usize>, room: &'l mut Vec<f32>) -> &'l mut [f32] {
        let size = tokens * words.len();
        room.reserve(size.saturating_sub(room.len()));
        let panels = words.start / PANEL..words.end.div_ceil(PANEL);
        // SAFETY: there is room for a logit of every token and word, all of which are written.
        unsafe {
            readout.multiply(&self.weight, panels, room.as_mut_ptr(), words.len(), Write::Set);
            room.set_len(room.len().max(size));
        }
        &mut room[..size]
    }

    /// What some words say of all tokens.
    fn look(&self, words: &Range<usize>) -> Vec<Seen> {
        let (mut room, mut seen) = (Vec::new(), Vec::with_capacity(self.output.targets.len()));
        let bias = &self.output.bias[words.clone()];
        for (tokens, (readout, _)) in self.tokens() {
            let logits = self.logits(tokens.len(), readout, words, &mut room);
            for (family, first) in self.families(logits, words.len()).zip(tokens.step_by(self.together())) {
                let apart = self.apart(family, words.len());
                for (logits, target) in family.chunks_exact_mut(words.len()).zip(&self.output.targets[first..]) {
                    let target = words.contains(target).then(|| target - words.start);
                    let target = target.map(|target| logits[target] + bias[target]);
                    let [max, exps, all] = vector::log_sums(logits, bias);
                    let apart = apart.as_ref().map_or(0.0, |apart| vector::dot(logits, apart));
                    seen.push(Seen { max, exps, all, target, apart });
                }
            }
        }
        seen
    }

    /// How many tokens belong together: twins, or each alone.
    fn together(&self) -> usize {
        if self.output.consistency == 0.0 { 1 } else { 2 }
    }

    /// The logits of tokens that belong together.
    fn families<'l>(&self, logits: &'l mut [f32], words: usize) -> impl Iterator<Item = &'l mut [f32]> {
        logits.chunks_exact_mut(self.together() * words)
    }

    /// What the first twin's logits are above the second's, where tokens are twins.
    fn apart(&self, family: &[f32], words: usize) -> Option<Vec<f32>> {
        (self.together() == 2).then(|| difference(&family[..words], &family[words..]))
    }

    fn sum_up(&self, token: usize, seen: &[Vec<Seen>]) -> Said {
        let max = seen.iter().map(|words| words[token].max).fold(f32::NEG_INFINITY, f32::max);
        let sum = |term: fn(&Seen) -> f32| -> f32 {
            seen.iter().map(|words| (words[token].max - max).exp() * term(&words[token])).sum()
        };
        let exps = sum(|seen| seen.exps);
        let (normalizer, apart) = (max + exps.ln(), sum(|seen| seen.apart) / exps);
        let target = seen.iter().find_map(|words| words[token].target).expect("targets are words of the vocabulary");
        let smoothing = self.output.smoothing;
        let mean = seen.iter().map(|words| f64::from(words[token].all)).sum::<f64>() / self.output.bias.len() as f64;
        let expected = (1.0 - smoothing) * (target - normalizer) + smoothing * (mean - f64::from(normalizer)) as f32;
        // ½ Σ (p - q) apart: the first twin's share is p's, the second's is q's.
        let divergence = if token.is_multiple_of(2) { 0.5 * apart } else { -0.5 * apart };
        let loss = self.output.consistency * divergence - expected * self.token_weight(token);
        Said { loss, normalizer, apart }
    }

    fn token_weight(&self, token: usize) -> f32 {
        self.output.weights.map_or(1.0, |weights| weights[token])
    }

    fn gradients(&self, words: &[Range<usize>], said: &[Said]) -> OutputGradients {
        let (size, vocabulary) = (self.output.size, self.output.bias.len());
        let mut d = OutputGradients {
            readout: zeros(self.output.readout.len()),
            weight: Vec::with_capacity(size * vocabulary),
            bias: vec![0.0; vocabulary],
        };
        let weight = Columns(d.weight.as_mut_ptr());
        let biases: Vec<&mut [f32]> = d.bias.chunks_mut(WORDS).collect();
        let mut blocks: Vec<_> = words.iter().zip(biases).collect();
        let parts: Vec<_> = blocks.chunks_mut(words.len().div_ceil(PARTS).max(1)).collect();
        let readouts = parts.into_par_iter().with_max_len(1).map(|blocks| {
            let mut d_readout = vec![0.0; self.output.readout.len()];
            for (words, d_bias) in blocks {
                // SAFETY: there is room for all words' columns, and each is written by its block.
                unsafe { self.block_gradients(words, said, &mut d_readout, weight, d_bias) };
            }
            d_readout
        });
        let readouts: Vec<Vec<f32>> = readouts.collect();
        // SAFETY: the blocks are all words, and each has written its columns.
        unsafe { d.weight.set_len(size * vocabulary) };
        d.readout.par_chunks_mut(TOKENS * size).enumerate().for_each(|(i, d_readout)| {
            readouts.iter().for_each(|part| vector::add(d_readout, &part[i * TOKENS * size..][..d_readout.len()]));
        });
        d
    }

    /// Adds what some words say of the readouts' gradient, and of the bias'; writes the weight's.
    ///
    /// # Safety
    ///
    /// The weight's gradient must have room for these words' columns, and nobody else may use them.
    unsafe fn block_gradients(
        &self,
        words: &Range<usize>,
        said: &[Said],
        d_readout: &mut [f32],
        Columns(d_weight): Columns,
        d_bias: &mut [f32],
    ) {
        let Output { size, weight, bias, .. } = *self.output;
        let turned = Right::new(Matrix::new(weight, size, bias.len()).columns(words.clone()).transposed());
        let (everything, mut room) = (0..usize::MAX, Vec::new());
        for (tokens, (readout, turned_readout)) in self.tokens() {
            let d_logits = self.logits(tokens.len(), readout, words, &mut room);
            for (family, first) in self.families(d_logits, words.len()).zip(tokens.clone().step_by(self.together())) {
                self.logit_gradients(first, words, &said[first..], family);
                family.chunks_exact(words.len()).for_each(|d_logits| vector::add(d_bias, d_logits));
            }
            let d_matrix = Matrix::new(d_logits, tokens.len(), words.len());
            let (left, right) = (Left::new(d_matrix), Right::new(d_matrix));
            let write = if tokens.start == 0 { Write::Set } else { Write::Add };
            let d_readout = &mut d_readout[tokens.start * size..tokens.end * size];
            // SAFETY: the readouts have a row for each token; of the weight the caller promises it.
            unsafe {
                left.multiply(&turned, everything.clone(), d_readout.as_mut_ptr(), size, Write::Add);
                turned_readout.multiply(&right, everything.clone(), d_weight.add(words.start), bias.len(), write);
            }
        }
    }

    /// Logits of tokens that belong together, without the bias, become their gradients. `said` begins with the first.
    fn logit_gradients(&self, first: usize, words: &Range<usize>, said: &[Said], family: &mut [f32]) {
        let Output { bias, targets, smoothing, consistency, .. } = *self.output;
        let (width, share) = (words.len(), smoothing / bias.len() as f32);
        let apart = self.apart(family, width);
        for (token, logits) in (first..).zip(family.chunks_exact_mut(width)) {
            let normalizer = said[token - first].normalizer;
            vector::softmax_gradient(logits, &bias[words.clone()], normalizer, share, self.token_weight(token));
        }
        if let Some(apart) = apart {
            let (p, q) = family.split_at_mut(width);
            vector::pull_together(p, q, &apart, [said[0].apart, said[1].apart], share, consistency);
        }
        for (token, logits) in (first..).zip(family.chunks_exact_mut(width)) {
            if words.contains(&targets[token]) {
                logits[targets[token] - words.start] -= self.token_weight(token) * (1.0 - smoothing);
            }
        }
    }
}

/// A matrix whose columns are shared out among threads.
#[derive(Clone, Copy)]
struct Columns(*mut f32);

// SAFETY: each thread writes columns of its own, as `block_gradients` demands.
unsafe impl Sync for Columns {}
// SAFETY: as above.
unsafe impl Send for Columns {}
