//! The output layer's cross-entropy, and its gradients, in slices of tokens.

#[cfg(target_arch = "x86_64")]
mod blocks;

use rayon::prelude::*;

use crate::linear::add_rows;
#[cfg(target_arch = "x86_64")]
use crate::product::current_precision;
use crate::product::{Factor, Matrix, Write, product, product_of};
use crate::vector;

/// The floats of a slice of logits: what is stored instead of `[tokens, vocabulary]`.
const SLICE: usize = 8 << 20;

/// The output layer over all target tokens of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The size of a readout.
    pub size: usize,
    /// t_i of every target token, `[tokens, size]`.
    pub readout: &'a [f32],
    /// W_o, `[size, vocabulary]`.
    pub weight: &'a [f32],
    /// b, `[vocabulary]`.
    pub bias: &'a [f32],
    /// The word of every target token, below vocabulary.
    pub targets: &'a [usize],
    /// ε of label smoothing: the target distribution is 1 - ε at the target word and ε shared by all words.
    pub smoothing: f32,
    /// What the cross-entropy of every target token is multiplied by; none for 1.
    pub weights: Option<&'a [f32]>,
    /// Where this is not 0, tokens are twins by twos, predictions p and q of the same word, and this many times
    /// ½ Σ (p - q) (ln p - ln q), the mean of their divergences from each other, is added. Then all weigh 1.
    pub consistency: f32,
}

/// The gradients of a loss with respect to all that enters an [`Output`], in its shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct OutputGradients {
    pub readout: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Output<'_> {
    /// The cross-entropy in nats, summed over tokens, and what keeps twins together.
    pub fn loss(&self) -> f64 {
        self.run(|_, _| {})
    }

    /// As [`Output::loss`], with gradients, while the logits are at hand.
    pub fn loss_and_gradients(&self) -> (f64, OutputGradients) {
        #[cfg(target_arch = "x86_64")]
        if current_precision() == crate::Precision::Bfloat16 {
            self.check();
            return blocks::loss_and_gradients(self);
        }
        let (size, vocabulary) = (self.size, self.bias.len());
        let mut d = OutputGradients {
            readout: Vec::with_capacity(self.readout.len()),
            weight: Vec::new(),
            bias: vec![0.0; vocabulary],
        };
        let weight = Factor::new(Matrix::new(self.weight, size, vocabulary).transposed());
        let loss = self.run(|from, d_logits| {
            let tokens = d_logits.len() / vocabulary;
            let range = from * size..(from + tokens) * size;
            let d_matrix = Matrix::new(d_logits, tokens, vocabulary);
            let readout = Matrix::new(&self.readout[range.clone()], tokens, size).transposed();
            d.readout.extend(weight.product_of(d_matrix));
            if from == 0 {
                d.weight = product_of(readout, d_matrix);
            } else {
                product(readout, d_matrix, &mut d.weight, vocabulary, Write::Add);
            }
            add_rows(&mut d.bias, d_logits);
        });
        (loss, d)
    }

    fn check(&self) {
        let Self { bias, targets, weights, consistency, .. } = *self;
        assert!(targets.iter().all(|target| *target < bias.len()), "targets are words of the vocabulary");
        let are_twins = || weights.is_none() && targets.len() % 2 == 0 && targets.chunks(2).all(|two| two[0] == two[1]);
        assert!(consistency == 0.0 || are_twins(), "tokens are twins by twos, of weight 1");
    }

    /// The loss of two twins; their logits, without the bias, become its gradients.
    fn twins(&self, logits: &mut [f32], target: usize) -> f32 {
        let (p, q) = logits.split_at_mut(self.bias.len());
        let apart = difference(p, q);
        let [one, other] = [&mut *p, &mut *q].map(|row| {
            let loss = vector::cross_entropy(row, self.bias, target, self.smoothing);
            row[target] += 1.0 - self.smoothing;
            loss
        });
        let share = self.smoothing / self.bias.len() as f32;
        let means = [&*p, &*q].map(|row| vector::mean(row, share, &apart));
        vector::pull_together(p, q, &apart, means, share, self.consistency);
        for row in [p, q] {
            row[target] -= 1.0 - self.smoothing;
        }
        one + other + self.consistency * 0.5 * (means[0] - means[1])
    }

    /// Sums the losses, and shows `visit` the gradients of the logits slice by slice, with the number of the first token.
    fn run(&self, mut visit: impl FnMut(usize, &[f32])) -> f64 {
        self.check();
        let vocabulary = self.bias.len();
        let weight = Factor::new(Matrix::new(self.weight, self.size, vocabulary));
        // Twins are in the same slice.
        let tokens = (SLICE / vocabulary / 2 * 2).max(2);
        let mut losses = vec![0.0; self.targets.len()];
        for (slice, (losses, targets)) in losses.chunks_mut(tokens).zip(self.targets.chunks(tokens)).enumerate() {
            let from = slice * tokens;
            let readout = &self.readout[from * self.size..(from + targets.len()) * self.size];
            let mut logits = weight.product_of(Matrix::new(readout, targets.len(), self.size));
            if self.consistency == 0.0 {
                let rows = logits.par_chunks_exact_mut(vocabulary).zip(&mut *losses).zip(targets);
                rows.for_each(|((logits, loss), target)| {
                    *loss = vector::cross_entropy(logits, self.bias, *target, self.smoothing);
                });
            } else {
                let rows = logits.par_chunks_exact_mut(2 * vocabulary).zip(losses.par_chunks_exact_mut(2));
                rows.zip(targets.par_chunks_exact(2)).for_each(|((logits, losses), targets)| {
                    losses[0] = self.twins(logits, targets[0]);
                });
            }
            if let Some(weights) = self.weights {
                let rows = logits.par_chunks_exact_mut(vocabulary).zip(losses).zip(&weights[from..]);
                rows.for_each(|((d_logits, loss), weight)| {
                    *loss *= weight;
                    d_logits.iter_mut().for_each(|d_logit| *d_logit *= weight);
                });
            }
            visit(from, &logits);
        }
        losses.iter().map(|loss| f64::from(*loss)).sum()
    }
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
