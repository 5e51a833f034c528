//! One step of a gated recurrent unit on some rows, and its backward step.
//!
//! The tape of a step is its gates r, z and the candidate h~ `[3n]`, and what the reset gate met, `inner` `[n]`: r ∘ h where it
//! acts before the product, U h + b_u where it acts after.

use crate::Reset;
use crate::linear::sum_of_rows;
use crate::network::{Operand, Parameter, Weight};
use crate::product::{Matrix, Packed, Write, product};
use crate::rows::{columns, read};
use crate::vector;

/// The recurrent weights of a step, packed.
#[derive(Debug)]
pub(crate) struct Cell {
    n: usize,
    /// [U_r | U_z].
    gates: Weight,
    /// U.
    candidate: Weight,
    bias: Option<Vec<f32>>,
    reset: Reset,
}

/// One step's rows: of every sentence that has a word at its position.
pub(crate) struct Step<'s, 'g, 'i> {
    /// h, the state before.
    pub previous: &'s [&'s [f32]],
    /// h where it enters the recurrent products: after dropout.
    pub input: &'s Operand<'s>,
    /// W x + b for the three gates; becomes r, z, h~.
    pub gates: &'s mut [&'g mut [f32]],
    pub inner: &'s mut [&'i mut [f32]],
}

impl Cell {
    /// Packs `weight`, [U_r | U_z | U], `[n, 3n]`.
    pub(crate) fn new(weight: &[f32], bias: Option<&[f32]>, reset: Reset, n: usize) -> Self {
        let shape = [n, 3 * n];
        Self::of_parameters(&Parameter::from((&shape[..], weight)), bias.map(<[f32]>::to_vec), reset)
    }

    /// Packs [U_r | U_z | U], `[n, 3n]`, in whatever form.
    pub(crate) fn of_parameters(weight: &Parameter, bias: Option<Vec<f32>>, reset: Reset) -> Self {
        let n = weight.shape[0];
        let gates = || Weight::new(weight, 0..2 * n);
        let (gates, candidate) = rayon::join(gates, || Weight::new(weight, 2 * n..3 * n));
        Self { n, gates, candidate, bias, reset }
    }

    /// What a state is multiplied by.
    pub(crate) fn weights(&self) -> [&Weight; 2] {
        [&self.gates, &self.candidate]
    }

    /// The size of a state.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Writes the new states.
    pub(crate) fn forward(&self, step: Step, next: &mut [&mut [f32]]) {
        let (n, Step { previous, input, gates, inner }) = (self.n, step);
        self.gates.multiply(input, &mut columns(gates, 0, 2 * n), Write::Add);
        for gates in gates.iter_mut() {
            vector::sigmoid(&mut gates[..2 * n]);
        }
        match self.reset {
            Reset::Before => self.candidate_before(input, gates, inner),
            Reset::After => self.candidate_after(input, gates, inner),
        }
        for ((gates, previous), next) in gates.iter_mut().zip(previous).zip(next) {
            let (gates, candidate) = gates.split_at_mut(2 * n);
            vector::tanh(candidate);
            vector::blend(next, previous, &gates[n..], candidate);
        }
    }

    /// Adds U (r ∘ h) to the candidate.
    fn candidate_before(&self, input: &Operand, gates: &mut [&mut [f32]], inner: &mut [&mut [f32]]) {
        for ((gates, input), inner) in gates.iter().zip(input.rows()).zip(inner.iter_mut()) {
            vector::multiply(inner, &gates[..self.n], input);
        }
        let inner = read(inner, 0, self.n);
        self.candidate.multiply(&Operand::from(&inner[..]), &mut columns(gates, 2 * self.n, 3 * self.n), Write::Add);
    }

    /// Adds r ∘ (U h + b_u) to the candidate.
    fn candidate_after(&self, input: &Operand, gates: &mut [&mut [f32]], inner: &mut [&mut [f32]]) {
        match &self.bias {
            Some(bias) => inner.iter_mut().for_each(|inner| inner.copy_from_slice(bias)),
            None => inner.iter_mut().for_each(|inner| inner.fill(0.0)),
        }
        self.candidate.multiply(input, inner, Write::Add);
        for (gates, inner) in gates.iter_mut().zip(inner) {
            let (gates, candidate) = gates.split_at_mut(2 * self.n);
            vector::add_product(candidate, &gates[..self.n], inner);
        }
    }
}

/// The recurrent weights of a backward step: transposed and packed.
pub(crate) struct CellBackward {
    n: usize,
    gates: Packed,
    candidate: Packed,
    reset: Reset,
}

/// One backward step's rows.
pub(crate) struct StepBackward<'s, 'r> {
    pub previous: &'s [&'s [f32]],
    pub input: &'s [&'s [f32]],
    /// What multiplied h to give the input.
    pub dropout: Option<&'s [&'s [f32]]>,
    pub gates: &'s [&'s [f32]],
    pub inner: &'s [&'s [f32]],
    /// The gradient of the new state; becomes that of the previous one.
    pub d_state: &'s mut [&'r mut [f32]],
    /// Receives the gradients of the gates before their nonlinearities, `[3n]`.
    pub d_gates: &'s mut [&'r mut [f32]],
    /// Receives the gradient of U h + b_u; no rows where the reset gate acts before the product.
    pub d_product: &'s mut [&'r mut [f32]],
}

impl CellBackward {
    /// Packs `weight`, [U_r | U_z | U], `[n, 3n]`.
    pub(crate) fn new(weight: &[f32], reset: Reset, n: usize) -> Self {
        let weight = Matrix::new(weight, n, 3 * n);
        let gates = || Packed::new(weight.columns(0..2 * n).transposed());
        let (gates, candidate) = rayon::join(gates, || Packed::new(weight.columns(2 * n..3 * n).transposed()));
        Self { n, gates, candidate, reset }
    }

    /// Takes the gradient one step back; `scratch` has room for a state of every row.
    pub(crate) fn backward(&self, step: StepBackward, scratch: &mut [f32]) {
        let n = self.n;
        let StepBackward { previous, input, dropout, gates, inner, d_state, d_gates, d_product } = step;
        for (((d, gates), previous), d_gates) in d_state.iter_mut().zip(gates).zip(previous).zip(d_gates.iter_mut()) {
            let (d_update, d_candidate) = d_gates[n..].split_at_mut(n);
            vector::blend_backward(d, previous, &gates[n..2 * n], &gates[2 * n..], d_update, d_candidate);
        }
        let mut d_input: Vec<&mut [f32]> = scratch.chunks_exact_mut(n).take(d_state.len()).collect();
        match self.reset {
            Reset::Before => self.reset_before(input, gates, d_gates, &mut d_input),
            Reset::After => self.reset_after(inner, gates, d_gates, d_product, &mut d_input),
        }
        self.gates.multiply(&read(d_gates, 0, 2 * n), &mut d_input, Write::Add);
        for (i, (d, d_input)) in d_state.iter_mut().zip(&d_input).enumerate() {
            match dropout {
                Some(mask) => vector::add_product(d, d_input, mask[i]),
                None => vector::add(d, d_input),
            }
        }
    }

    fn reset_before(&self, input: &[&[f32]], gates: &[&[f32]], d_gates: &mut [&mut [f32]], d_input: &mut [&mut [f32]]) {
        let n = self.n;
        self.candidate.multiply(&read(d_gates, 2 * n, 3 * n), d_input, Write::Set);
        for (((d, gates), input), d_gates) in d_input.iter_mut().zip(gates).zip(input).zip(d_gates) {
            vector::reset_before_backward(d, &gates[..n], input, &mut d_gates[..n]);
        }
    }

    fn reset_after(
        &self,
        inner: &[&[f32]],
        gates: &[&[f32]],
        d_gates: &mut [&mut [f32]],
        d_product: &mut [&mut [f32]],
        d_input: &mut [&mut [f32]],
    ) {
        let n = self.n;
        for (((gates, inner), d_gates), d_product) in gates.iter().zip(inner).zip(d_gates).zip(d_product.iter_mut()) {
            let (d_reset_update, d_candidate) = d_gates.split_at_mut(2 * n);
            vector::reset_after_backward(d_candidate, &gates[..n], inner, &mut d_reset_update[..n], d_product);
        }
        self.candidate.multiply(&read(d_product, 0, n), d_input, Write::Set);
    }
}

/// What a backward pass has left for the gradients of the recurrent weights, all steps together.
pub(crate) struct Steps<'a> {
    pub n: usize,
    /// `[steps, n]`.
    pub input: &'a [f32],
    /// `[steps, n]`.
    pub inner: &'a [f32],
    /// `[steps, 3n]`.
    pub d_gates: &'a [f32],
    /// `[steps, n]`, empty where the reset gate acts before the product.
    pub d_product: &'a [f32],
}

impl Steps<'_> {
    /// The gradient of [U_r | U_z | U], `[n, 3n]`: two large products.
    pub(crate) fn weight_gradient(&self) -> Vec<f32> {
        let (n, rows) = (self.n, self.input.len() / self.n);
        let input = Matrix::new(self.input, rows, n).transposed();
        let d_gates = Matrix::new(self.d_gates, rows, 3 * n);
        let mut gradient = vec![0.0; n * 3 * n];
        product(input, d_gates.columns(0..2 * n), &mut gradient, 3 * n, Write::Set);
        let (met, d_candidate) = if self.d_product.is_empty() {
            (Matrix::new(self.inner, rows, n).transposed(), d_gates.columns(2 * n..3 * n))
        } else {
            (input, Matrix::new(self.d_product, rows, n))
        };
        product(met, d_candidate, &mut gradient[2 * n..], 3 * n, Write::Set);
        gradient
    }

    /// The gradient of b_u, `[n]`; none where the reset gate acts before the product.
    pub(crate) fn bias_gradient(&self) -> Option<Vec<f32>> {
        (!self.d_product.is_empty()).then(|| sum_of_rows(self.d_product, self.n))
    }
}

/// The dropout mask `[steps or 1, batch, n]` of a sentence's state at a step.
pub(crate) fn mask(dropout: &[f32], step: usize, batch: usize, sentence: usize, n: usize) -> &[f32] {
    let step = if dropout.len() == batch * n { 0 } else { step };
    crate::rows::row(dropout, step * batch + sentence, n)
}
