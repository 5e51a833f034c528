//! Layer normalisation of what makes the gates of a recurrent unit (Ba, Kiros & Hinton 2016).
//!
//! ```text
//! LN(a) = g ∘ (a - mean a) / √(variance a + ε)
//! ```
//!
//! A product with the matrices of all three gates, `[3n]`, is two vectors that are normalised apart: `[2n]` of the reset and the
//! update gate, and `[n]` of the candidate, in both forms of the unit: as a candidate that is reset before its product cannot be
//! in one vector with the gates.
//!
//! A row that is kept for the backward pass is `[3n + 2]`: the product normalised, before its gain, and then 1 / √(variance + ε) of
//! both parts.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffers::zeros;
use crate::linear::sum_of_rows;
use crate::vector;

/// What is added to a variance (ε).
pub const EPSILON: f32 = 1e-5;

/// The columns of a gain's gradient that are summed together.
const COLUMNS: usize = 256;

/// What is normalised together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The reset and the update gate.
    Gates,
    Candidate,
}

impl Part {
    pub(crate) const ALL: [Self; 2] = [Self::Gates, Self::Candidate];

    /// Its columns among those of the three gates.
    pub(crate) fn columns(self, n: usize) -> Range<usize> {
        match self {
            Self::Gates => 0..2 * n,
            Self::Candidate => 2 * n..3 * n,
        }
    }

    /// Where a row that is kept has its scale.
    fn scale(self, n: usize) -> usize {
        3 * n + self as usize
    }
}

/// The width of a row that is kept.
pub(crate) fn width(n: usize) -> usize {
    3 * n + 2
}

/// Normalises a part of products that stand in rows to be kept, and adds it times the gain, `[3n]`, to sums as wide as the part.
pub(crate) fn add_normalized(part: Part, gain: &[f32], products: &mut [&mut [f32]], sums: &mut [&mut [f32]]) {
    let n = gain.len() / 3;
    for (row, sum) in products.iter_mut().zip(sums) {
        let product = &mut row[part.columns(n)];
        let scale = vector::normalize(product);
        vector::add_product(sum, &gain[part.columns(n)], product);
        row[part.scale(n)] = scale;
    }
}

/// From the gradients of a part, each as wide as it, those of the products before they were normalised, into rows `[3n]`.
pub(crate) fn part_backward(part: Part, gain: &[f32], kept: &[&[f32]], d: &[&[f32]], d_products: &mut [&mut [f32]]) {
    let n = gain.len() / 3;
    let columns = part.columns(n);
    for ((d, kept), d_product) in d.iter().zip(kept).zip(d_products) {
        let normalized = &kept[columns.clone()];
        let d_product = &mut d_product[columns.clone()];
        vector::normalize_backward(d, &gain[columns.clone()], normalized, kept[part.scale(n)], d_product);
    }
}

/// The gradient of a gain over all steps, Σ d x̂, of so many columns; each buffer begins with the first of them, and rows lie a stride
/// apart.
pub(crate) fn gain_gradient(width: usize, d: (&[f32], usize), normalized: (&[f32], usize)) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(i, sums)| {
        let (from, to) = (i * COLUMNS, i * COLUMNS + sums.len());
        for (d, normalized) in d.0.chunks(d.1).zip(normalized.0.chunks(normalized.1)) {
            vector::add_product(sums, &d[from..to], &normalized[from..to]);
        }
    });
    sums
}

/// Layer normalisation of products that do not wait for a step: those with inputs, of all positions.
#[derive(Clone, Copy, Debug)]
pub struct Normalization<'a> {
    /// g, `[3n]`.
    pub gain: &'a [f32],
}

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Debug)]
pub struct NormalizationTape {
    /// `[rows, 3n]`
    normalized: Vec<f32>,
    /// `[rows, 2]`
    scales: Vec<f32>,
}

/// The gradients of all that enters a [`Normalization`], in its shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct NormalizationGradients {
    pub products: Vec<f32>,
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Normalization<'_> {
    /// LN(a) + b of every row a of `products`, `[rows, 3n]`; `bias` is b, `[3n]`.
    pub fn forward(&self, products: Vec<f32>, bias: &[f32]) -> (Vec<f32>, NormalizationTape) {
        let (width, n) = (self.gain.len(), self.gain.len() / 3);
        let mut sums = bias.repeat(products.len() / width);
        let mut tape = NormalizationTape { scales: vec![0.0; products.len() / width * 2], normalized: products };
        let rows = tape.normalized.par_chunks_exact_mut(width).zip(tape.scales.par_chunks_exact_mut(2));
        rows.zip(sums.par_chunks_exact_mut(width)).for_each(|((product, scales), sum)| {
            for (part, scale) in Part::ALL.into_iter().zip(scales) {
                let columns = part.columns(n);
                *scale = vector::normalize(&mut product[columns.clone()]);
                vector::add_product(&mut sum[columns.clone()], &self.gain[columns.clone()], &product[columns]);
            }
        });
        (sums, tape)
    }

    /// From the gradient of the result, `[rows, 3n]`, those of the inputs.
    pub fn backward(&self, tape: &NormalizationTape, d: &[f32]) -> NormalizationGradients {
        let (width, n) = (self.gain.len(), self.gain.len() / 3);
        let mut products = zeros(d.len());
        let rows = products.par_chunks_exact_mut(width).zip(d.par_chunks_exact(width));
        let kept = tape.normalized.par_chunks_exact(width).zip(tape.scales.par_chunks_exact(2));
        rows.zip(kept).for_each(|((d_product, d), (normalized, scales))| {
            for (part, &scale) in Part::ALL.into_iter().zip(scales) {
                let [d, gain, normalized] = [d, self.gain, normalized].map(|row| &row[part.columns(n)]);
                vector::normalize_backward(d, gain, normalized, scale, &mut d_product[part.columns(n)]);
            }
        });
        let gain = gain_gradient(width, (d, width), (&tape.normalized, width));
        NormalizationGradients { products, gain, bias: sum_of_rows(d, width) }
    }
}
