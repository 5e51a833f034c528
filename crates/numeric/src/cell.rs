//! One step of a gated recurrent unit on some rows, and its backward step.
//!
//! The tape of a step is its gates r, z and the candidate h~ `[3n]`, and what the reset gate met, `inner` `[n]`: r ∘ h where it
//! acts before the product, U h + b_u where it acts after. Where the products with U_r, U_z and U are normalised (see [`norm`]), the
//! tape keeps them, too, and what is said of a product below is said of the normalised one.

use std::ops::Range;

use crate::Reset;
use crate::buffers::zeros;
use crate::linear::sum_of_rows;
use crate::network::{Operand, Parameter, Weight};
use crate::norm::{self, Part, gain_gradient, part_backward};
use crate::product::{Matrix, Packed, Write, product};
use crate::rows::{columns, read};
use crate::{Precision, vector};

/// The recurrent weights of a step, packed.
#[derive(Debug)]
pub(crate) struct Cell {
    n: usize,
    /// [U_r | U_z].
    gates: Weight,
    /// U.
    candidate: Weight,
    bias: Option<Vec<f32>>,
    /// Of layer normalisation, `[3n]`; none where products are taken as they are.
    gain: Option<Vec<f32>>,
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
    /// Where normalised products are kept, `[3n + 2]`; no rows where products are taken as they are.
    pub normalized: &'s mut [&'i mut [f32]],
}

impl Cell {
    /// Packs `weight`, [U_r | U_z | U], `[n, 3n]`, for products in a precision.
    pub(crate) fn new(
        precision: Precision,
        weight: &[f32],
        [bias, gain]: [Option<&[f32]>; 2],
        reset: Reset,
        n: usize,
    ) -> Self {
        let weight = Matrix::new(weight, n, 3 * n);
        let pack = |columns| Weight::Float(Packed::rounded(precision, weight.columns(columns)));
        let (gates, candidate) = rayon::join(|| pack(0..2 * n), || pack(2 * n..3 * n));
        let [bias, gain] = [bias, gain].map(|vector| vector.map(<[f32]>::to_vec));
        Self { n, gates, candidate, bias, gain, reset }
    }

    /// Packs [U_r | U_z | U], `[n, 3n]`, in whatever form.
    pub(crate) fn of_parameters(
        weight: &Parameter,
        bias: Option<Vec<f32>>,
        gain: Option<Vec<f32>>,
        reset: Reset,
    ) -> Self {
        let n = weight.shape[0];
        let gates = || Weight::new(weight, 0..2 * n);
        let (gates, candidate) = rayon::join(gates, || Weight::new(weight, 2 * n..3 * n));
        Self { n, gates, candidate, bias, gain, reset }
    }

    /// Whether products are normalised.
    pub(crate) fn normalizes(&self) -> bool {
        self.gain.is_some()
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
        let (n, Step { previous, input, gates, inner, normalized }) = (self.n, step);
        self.add_product(Part::Gates, input, &mut columns(gates, 0, 2 * n), normalized);
        for gates in gates.iter_mut() {
            vector::sigmoid(&mut gates[..2 * n]);
        }
        match self.reset {
            Reset::Before => self.candidate_before(input, gates, inner, normalized),
            Reset::After => self.candidate_after(input, gates, inner, normalized),
        }
        for ((gates, previous), next) in gates.iter_mut().zip(previous).zip(next) {
            let (gates, candidate) = gates.split_at_mut(2 * n);
            vector::tanh(candidate);
            vector::blend(next, previous, &gates[n..], candidate);
        }
    }

    /// Adds the product with the weight of a part to sums as wide as the part.
    fn add_product(&self, part: Part, input: &Operand, sums: &mut [&mut [f32]], normalized: &mut [&mut [f32]]) {
        let weight = match part {
            Part::Gates => &self.gates,
            Part::Candidate => &self.candidate,
        };
        let Some(gain) = &self.gain else { return weight.multiply(input, sums, Write::Add) };
        let Range { start, end } = part.columns(self.n);
        weight.multiply(input, &mut columns(normalized, start, end), Write::Set);
        norm::add_normalized(part, gain, normalized, sums);
    }

    /// Adds U (r ∘ h) to the candidate.
    fn candidate_before(
        &self,
        input: &Operand,
        gates: &mut [&mut [f32]],
        inner: &mut [&mut [f32]],
        normalized: &mut [&mut [f32]],
    ) {
        for ((gates, input), inner) in gates.iter().zip(input.rows()).zip(inner.iter_mut()) {
            vector::multiply(inner, &gates[..self.n], input);
        }
        let inner = read(inner, 0, self.n);
        let candidates = &mut columns(gates, 2 * self.n, 3 * self.n);
        self.add_product(Part::Candidate, &Operand::from(&inner[..]), candidates, normalized);
    }

    /// Adds r ∘ (U h + b_u) to the candidate.
    fn candidate_after(
        &self,
        input: &Operand,
        gates: &mut [&mut [f32]],
        inner: &mut [&mut [f32]],
        normalized: &mut [&mut [f32]],
    ) {
        match &self.bias {
            Some(bias) => inner.iter_mut().for_each(|inner| inner.copy_from_slice(bias)),
            None => inner.iter_mut().for_each(|inner| inner.fill(0.0)),
        }
        self.add_product(Part::Candidate, input, inner, normalized);
        for (gates, inner) in gates.iter_mut().zip(inner) {
            let (gates, candidate) = gates.split_at_mut(2 * self.n);
            vector::add_product(candidate, &gates[..self.n], inner);
        }
    }
}

/// The recurrent weights of a backward step: transposed and packed.
pub(crate) struct CellBackward<'a> {
    n: usize,
    gates: Packed,
    candidate: Packed,
    gain: Option<&'a [f32]>,
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
    /// What was kept of normalised products; no rows where products were taken as they are.
    pub normalized: &'s [&'s [f32]],
    /// The gradient of the new state; becomes that of the previous one.
    pub d_state: &'s mut [&'r mut [f32]],
    /// Receives the gradients of the gates before their nonlinearities, `[3n]`.
    pub d_gates: &'s mut [&'r mut [f32]],
    /// Receives the gradient of U h + b_u; no rows where the reset gate acts before the product.
    pub d_product: &'s mut [&'r mut [f32]],
    /// Receives the gradients of products before they were normalised, `[3n]`; no rows where they were not.
    pub d_raw: &'s mut [&'r mut [f32]],
}

impl<'a> CellBackward<'a> {
    /// Packs `weight`, [U_r | U_z | U], `[n, 3n]`, for products in a precision; `gain` is that of layer normalisation.
    pub(crate) fn new(precision: Precision, weight: &[f32], gain: Option<&'a [f32]>, reset: Reset, n: usize) -> Self {
        let weight = Matrix::new(weight, n, 3 * n);
        let pack = |columns| Packed::rounded(precision, weight.columns(columns).transposed());
        let (gates, candidate) = rayon::join(|| pack(0..2 * n), || pack(2 * n..3 * n));
        Self { n, gates, candidate, gain, reset }
    }

    /// Takes the gradient one step back; `scratch` has room for a state of every row.
    pub(crate) fn backward(&self, step: StepBackward, scratch: &mut [f32]) {
        let n = self.n;
        let StepBackward { previous, input, dropout, gates, inner, normalized, d_state, d_gates, d_product, d_raw } =
            step;
        for (((d, gates), previous), d_gates) in d_state.iter_mut().zip(gates).zip(previous).zip(d_gates.iter_mut()) {
            let (d_update, d_candidate) = d_gates[n..].split_at_mut(n);
            vector::blend_backward(d, previous, &gates[n..2 * n], &gates[2 * n..], d_update, d_candidate);
        }
        let mut d_input: Vec<&mut [f32]> = scratch.chunks_exact_mut(n).take(d_state.len()).collect();
        match self.reset {
            Reset::Before => {
                let d = read(d_gates, 2 * n, 3 * n);
                self.multiply(Part::Candidate, &d, normalized, d_raw, &mut d_input);
                reset_before(input, gates, d_gates, &mut d_input);
            }
            Reset::After => {
                reset_after(inner, gates, d_gates, d_product);
                self.multiply(Part::Candidate, &read(d_product, 0, n), normalized, d_raw, &mut d_input);
            }
        }
        self.multiply(Part::Gates, &read(d_gates, 0, 2 * n), normalized, d_raw, &mut d_input);
        for (i, (d, d_input)) in d_state.iter_mut().zip(&d_input).enumerate() {
            match dropout {
                Some(mask) => vector::add_product(d, d_input, mask[i]),
                None => vector::add(d, d_input),
            }
        }
    }

    /// What the gradients `d` of a part's products say of what was multiplied: sets `d_input`, or adds the gates' to the candidate's.
    fn multiply(
        &self,
        part: Part,
        d: &[&[f32]],
        normalized: &[&[f32]],
        d_raw: &mut [&mut [f32]],
        d_input: &mut [&mut [f32]],
    ) {
        let (weight, write) = match part {
            Part::Candidate => (&self.candidate, Write::Set),
            Part::Gates => (&self.gates, Write::Add),
        };
        let Some(gain) = self.gain else { return weight.multiply(d, d_input, write) };
        part_backward(part, gain, normalized, d, d_raw);
        let Range { start, end } = part.columns(self.n);
        weight.multiply(&read(d_raw, start, end), d_input, write);
    }
}

/// From the gradients of r ∘ h, which become those of h, the reset gates'.
fn reset_before(input: &[&[f32]], gates: &[&[f32]], d_gates: &mut [&mut [f32]], d_input: &mut [&mut [f32]]) {
    for (((d, gates), input), d_gates) in d_input.iter_mut().zip(gates).zip(input).zip(d_gates) {
        let n = input.len();
        vector::reset_before_backward(d, &gates[..n], input, &mut d_gates[..n]);
    }
}

/// From the gradients of r ∘ (U h + b_u) those of the reset gates and the products.
fn reset_after(inner: &[&[f32]], gates: &[&[f32]], d_gates: &mut [&mut [f32]], d_product: &mut [&mut [f32]]) {
    for (((gates, inner), d_gates), d_product) in gates.iter().zip(inner).zip(d_gates).zip(d_product) {
        let n = inner.len();
        let (d_reset_update, d_candidate) = d_gates.split_at_mut(2 * n);
        vector::reset_after_backward(d_candidate, &gates[..n], inner, &mut d_reset_update[..n], d_product);
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
    /// `[steps, 3n + 2]`, empty where products are not normalised.
    pub normalized: &'a [f32],
    /// `[steps, 3n]`, empty where products are not normalised.
    pub d_raw: &'a [f32],
}

impl Steps<'_> {
    /// The gradient of [U_r | U_z | U], `[n, 3n]`: two large products.
    pub(crate) fn weight_gradient(&self) -> Vec<f32> {
        let (n, rows) = (self.n, self.input.len() / self.n);
        let input = Matrix::new(self.input, rows, n).transposed();
        let normalizes = !self.d_raw.is_empty();
        let d_products = Matrix::new(if normalizes { self.d_raw } else { self.d_gates }, rows, 3 * n);
        let mut gradient = zeros(n * 3 * n);
        product(input, d_products.columns(0..2 * n), &mut gradient, 3 * n, Write::Set);
        let (met, d_candidate) = if self.d_product.is_empty() {
            (Matrix::new(self.inner, rows, n).transposed(), d_products.columns(2 * n..3 * n))
        } else if normalizes {
            (input, d_products.columns(2 * n..3 * n))
        } else {
            (input, Matrix::new(self.d_product, rows, n))
        };
        product(met, d_candidate, &mut gradient[2 * n..], 3 * n, Write::Set);
        gradient
    }

    /// The gradient of the gain, `[3n]`; none where products are not normalised.
    pub(crate) fn gain_gradient(&self) -> Option<Vec<f32>> {
        let n = self.n;
        let of_part = |part: Part, d: &[f32], stride: usize| {
            let columns = part.columns(n);
            gain_gradient(columns.len(), (d, stride), (&self.normalized[columns.start..], norm::width(n)))
        };
        (!self.normalized.is_empty()).then(|| {
            let mut gradient = of_part(Part::Gates, self.d_gates, 3 * n);
            gradient.extend(match self.d_product {
                [] => of_part(Part::Candidate, &self.d_gates[2 * n..], 3 * n),
                d_product => of_part(Part::Candidate, d_product, n),
            });
            gradient
        })
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
