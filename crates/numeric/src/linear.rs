//! A linear layer over many rows, and the readout made of three of them.

use rayon::prelude::*;

use crate::buffers::zeros;
use crate::product::{Matrix, Write, product, product_of};
use crate::vector;

/// The columns of a bias' gradient that are summed together.
const COLUMNS: usize = 256;

/// y = x W + b over rows.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// The size of an input.
    pub input: usize,
    /// The size of an output.
    pub output: usize,
    /// x, `[rows, input]`.
    pub x: &'a [f32],
    /// W, `[input, output]`.
    pub weight: &'a [f32],
}

impl Linear<'_> {
    fn rows(&self) -> usize {
        self.x.len() / self.input
    }

    /// y, `[rows, output]`; `bias` is b, `[output]`.
    pub fn forward(&self, bias: Option<&[f32]>) -> Vec<f32> {
        let (x, weight) = self.matrices();
        let mut y = product_of(x, weight);
        if let Some(bias) = bias {
            y.par_chunks_mut(self.output).for_each(|row| vector::add(row, bias));
        }
        y
    }

    /// The gradient of x from that of y.
    pub fn input_gradient(&self, d_y: &[f32]) -> Vec<f32> {
        let (_, weight) = self.matrices();
        product_of(Matrix::new(d_y, self.rows(), self.output), weight.transposed())
    }

    /// The gradient of W from that of y.
    pub fn weight_gradient(&self, d_y: &[f32]) -> Vec<f32> {
        let (x, _) = self.matrices();
        product_of(x.transposed(), Matrix::new(d_y, self.rows(), self.output))
    }

    fn matrices(&self) -> (Matrix<'_>, Matrix<'_>) {
        let weight = Matrix::new(self.weight, self.input, self.output);
        (Matrix::new(self.x, self.rows(), self.input), weight)
    }
}

/// The sum of the rows of `[rows, width]`, in their order: the gradient of what was added to each.
pub fn sum_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    add_rows(&mut sums, rows);
    sums
}

/// Adds all rows to `sums`, in order, each thread some columns.
pub(crate) fn add_rows(sums: &mut [f32], rows: &[f32]) {
    let width = sums.len();
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(i, sums)| {
        for row in rows.chunks_exact(width) {
            vector::add(sums, &row[i * COLUMNS..][..sums.len()]);
        }
    });
}

/// The hidden layer of maxout units over state, context and last word (appendix A.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Readout<'a> {
    /// The size of a state.
    pub n: usize,
    /// The size of an embedding.
    pub m: usize,
    /// 2l: two for each unit.
    pub pieces: usize,
    /// [s_i ; c_i], `[rows, n + context]`.
    pub seen: &'a [f32],
    /// E y_{i-1}, `[rows, m]`.
    pub embedded: &'a [f32],
    /// U_o, `[n, 2l]`.
    pub state_weight: &'a [f32],
    /// C_o, `[context, 2l]`.
    pub context_weight: &'a [f32],
    /// V_o, `[m, 2l]`.
    pub embedding_weight: &'a [f32],
}

/// Which of each pair of pieces was the larger one, `[rows, l]`: what the forward pass keeps for the backward pass.
#[derive(Clone, Debug)]
pub struct ReadoutTape {
    second_won: Vec<bool>,
}

/// The gradients of all that enters a [`Readout`], in its shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct ReadoutGradients {
    pub seen: Vec<f32>,
    pub embedded: Vec<f32>,
    pub state_weight: Vec<f32>,
    pub context_weight: Vec<f32>,
    pub embedding_weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Readout<'_> {
    fn rows(&self) -> usize {
        self.embedded.len() / self.m
    }

    /// t_i, `[rows, l]`; `bias` is `[2l]`.
    pub fn forward(&self, bias: &[f32]) -> (Vec<f32>, ReadoutTape) {
        let [state, context, word] = self.parts();
        let mut sums = product_of(state.0, state.1);
        for (x, weight) in [context, word] {
            product(x, weight, &mut sums, self.pieces, Write::Add);
        }
        let mut tape = ReadoutTape { second_won: vec![false; sums.len() / 2] };
        let mut units = zeros(sums.len() / 2);
        let rows = units.par_chunks_mut(self.pieces / 2).zip(tape.second_won.par_chunks_mut(self.pieces / 2));
        rows.zip(sums.par_chunks(self.pieces)).for_each(|((units, second_won), sums)| {
            let pairs = sums.chunks_exact(2).zip(bias.chunks_exact(2));
            for ((unit, second_won), (pair, bias)) in units.iter_mut().zip(second_won).zip(pairs) {
                let (first, second) = (pair[0] + bias[0], pair[1] + bias[1]);
                *second_won = second > first;
                *unit = if *second_won { second } else { first };
            }
        });
        (units, tape)
    }

    /// From the gradient of t_i, `[rows, l]`, those of the inputs.
    pub fn backward(&self, tape: &ReadoutTape, d_units: &[f32]) -> ReadoutGradients {
        let mut d_sums = zeros(2 * d_units.len());
        let rows = d_sums.par_chunks_mut(self.pieces).zip(tape.second_won.par_chunks(self.pieces / 2));
        rows.zip(d_units.par_chunks(self.pieces / 2)).for_each(|((d_sums, second_won), d_units)| {
            for ((pair, second_won), d) in d_sums.chunks_exact_mut(2).zip(second_won).zip(d_units) {
                (pair[0], pair[1]) = if *second_won { (0.0, *d) } else { (*d, 0.0) };
            }
        });
        let width = self.seen.len() / self.rows();
        let mut seen = zeros(self.seen.len());
        let d = Matrix::new(&d_sums, self.rows(), self.pieces);
        let [state, context, word] = self.parts();
        product(d, state.1.transposed(), &mut seen, width, Write::Set);
        product(d, context.1.transposed(), &mut seen[self.n..], width, Write::Set);
        let [state_weight, context_weight, embedding_weight] =
            [state.0, context.0, word.0].map(|x| product_of(x.transposed(), d));
        let (embedded, bias) = (product_of(d, word.1.transposed()), sum_of_rows(&d_sums, self.pieces));
        ReadoutGradients { seen, embedded, state_weight, context_weight, embedding_weight, bias }
    }

    /// States, contexts and words, each with its weight.
    fn parts(&self) -> [(Matrix<'_>, Matrix<'_>); 3] {
        let (rows, width) = (self.rows(), self.seen.len() / self.rows());
        let seen = Matrix::new(self.seen, rows, width);
        let weight = |weight, input| Matrix::new(weight, input, self.pieces);
        [
            (seen.columns(0..self.n), weight(self.state_weight, self.n)),
            (seen.columns(self.n..width), weight(self.context_weight, width - self.n)),
            (Matrix::new(self.embedded, rows, self.m), weight(self.embedding_weight, self.m)),
        ]
    }
}
