//! The attending decoder over known target words.
//!
//! ```text
//! one unit:   c_i is asked for by s_{i-1}           s_i = GRU(s_{i-1}; [E y_{i-1} ; c_i])
//! two units:  s'_i = GRU_1(s_{i-1}; E y_{i-1})      c_i is asked for by s'_i      s_i = GRU_2(s'_i; c_i)
//! ```
//!
//! With layer normalisation (see [`norm`]) the products of states and of contexts are normalised, each by itself.

use std::ops::Range;

use rayon::prelude::*;

use crate::attention::AttendBackward;
use crate::buffers::zeros;
use crate::cell::{Cell, CellBackward, StepBackward, Steps, mask};
use crate::gru::Active;
use crate::linear::sum_of_rows;
use crate::norm::{Part, add_normalized, gain_gradient, part_backward};
use crate::product::{Matrix, Packed, Write, current_precision, product_of};
use crate::rows::{Deal, Rows, columns, only, only_at, play, read, row};
use crate::{Memory, Reset, norm, vector};

/// A decoder over a batch: its weights and what enters it.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    /// The size of a state.
    pub n: usize,
    /// The number of sentences.
    pub batch: usize,
    /// s_0, `[batch, n]`.
    pub initial: &'a [f32],
    /// What multiplies the state where it enters the recurrent products, `[tgt_len or 1, batch, n]`.
    pub dropout: Option<&'a [f32]>,
    /// The number of target words of each sentence, `[batch]`; none where all are full. At padding the output is 0, and
    /// nothing is computed.
    pub lengths: Option<&'a [usize]>,
    /// What it attends to.
    pub memory: Memory<'a>,
    /// W_a, `[n, n']`.
    pub query: &'a [f32],
    /// v_a, `[n']`.
    pub energy: &'a [f32],
    /// [C_r | C_z | C] of the unit that takes the context, `[annotation, 3n]`.
    pub context: &'a [f32],
    /// [U_r | U_z | U], `[n, 3n]`.
    pub weight: &'a [f32],
    /// b_u, `[n]`; only with [`Reset::After`].
    pub bias: Option<&'a [f32]>,
    /// Where the reset gates act.
    pub reset: Reset,
    /// The second unit of a conditional decoder.
    pub second: Option<SecondUnit<'a>>,
    /// Those of layer normalisation, `[2 or 3, 3n]`: of the products with the recurrent weight, with the context's, and with the second
    /// unit's recurrent weight; none where they are taken as they are.
    pub gains: Option<&'a [f32]>,
}

/// The rows of [`Decoder::gains`].
const FIRST: usize = 0;
const CONTEXT: usize = 1;
const SECOND: usize = 2;

/// The unit of a conditional decoder that takes the context.
#[derive(Clone, Copy, Debug)]
pub struct SecondUnit<'a> {
    /// What is added to the context's part of the three gates, `[3n]`.
    pub input_bias: &'a [f32],
    /// [U_r | U_z | U], `[n, 3n]`.
    pub weight: &'a [f32],
    /// b_u, `[n]`; only with [`Reset::After`].
    pub bias: Option<&'a [f32]>,
}

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Debug)]
pub struct DecoderTape {
    first: UnitTape,
    /// Of the second unit; empty where there is none.
    second: UnitTape,
    /// s'_i, `[tgt_len, batch, n]`; empty where there is one unit.
    between: Vec<f32>,
    queries: Vec<f32>,
    /// What is kept of the contexts' normalised products, `[tgt_len, batch, 3n + 2]`; empty where they are taken as they are.
    taken: Vec<f32>,
    /// α_i, `[tgt_len, batch, src_len]`; 0 where either side is padding.
    pub alignments: Vec<f32>,
}

/// What a unit keeps of all steps.
#[derive(Clone, Debug)]
struct UnitTape {
    /// `[tgt_len, batch, 3n]`
    gates: Vec<f32>,
    /// `[tgt_len, batch, n]`
    inner: Vec<f32>,
    /// `[tgt_len, batch, 3n + 2]`; empty where products are taken as they are.
    normalized: Vec<f32>,
}

/// The gradients of all that enters a [`Decoder`], in its shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct DecoderGradients {
    pub projected: Vec<f32>,
    pub initial: Vec<f32>,
    pub annotations: Vec<f32>,
    pub keys: Vec<f32>,
    pub query: Vec<f32>,
    pub energy: Vec<f32>,
    pub context: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Option<Vec<f32>>,
    pub second: Option<SecondGradients>,
    pub gains: Option<Vec<f32>>,
}

/// The gradients of a [`SecondUnit`], in its shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct SecondGradients {
    pub input_bias: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Option<Vec<f32>>,
}

/// The packed weights of the forward pass.
struct Weights {
    query: Packed,
    context: Packed,
    first: Cell,
    second: Option<Cell>,
}

/// A hand's rows of what the forward pass writes.
struct Hand<'r> {
    outputs: Rows<'r>,
    first: UnitRows<'r>,
    second: UnitRows<'r>,
    between: Rows<'r>,
    queries: Rows<'r>,
    taken: Rows<'r>,
    alignments: Rows<'r>,
}

/// A hand's rows of what a unit keeps.
struct UnitRows<'r> {
    gates: Rows<'r>,
    inner: Rows<'r>,
    normalized: Rows<'r>,
}

/// The rows of a step of a unit.
struct UnitStep<'r> {
    gates: Vec<&'r mut [f32]>,
    inner: Vec<&'r mut [f32]>,
    normalized: Vec<&'r mut [f32]>,
}

/// The sentences of a hand that have a word at a step.
struct At<'s> {
    step: usize,
    sentences: &'s [usize],
}

impl Decoder<'_> {
    /// The width of an output: a state and a context.
    fn width(&self) -> usize {
        self.n + self.memory.annotation
    }

    /// A row of the gains.
    fn gain(&self, number: usize) -> Option<&[f32]> {
        self.gains.map(|gains| row(gains, number, 3 * self.n))
    }

    /// [s_i ; c_i], `[tgt_len, batch, n + annotation]`; `projected` is W E y_{i-1} + b for the three gates, `[tgt_len, batch, 3n]`.
    pub fn forward(&self, projected: Vec<f32>) -> (Vec<f32>, DecoderTape) {
        let Memory { src_len, annotation, attention, .. } = self.memory;
        let precision = current_precision();
        let query = || Packed::rounded(precision, Matrix::new(self.query, self.n, attention));
        let context = || Packed::rounded(precision, Matrix::new(self.context, annotation, 3 * self.n));
        let cell = |weight, bias, gain| Cell::new(precision, weight, [bias, self.gain(gain)], self.reset, self.n);
        let first = || cell(self.weight, self.bias, FIRST);
        let second = || self.second.map(|unit| cell(unit.weight, unit.bias, SECOND));
        let ((query, context), (first, second)) = rayon::join(|| (query(), context()), || (first(), second()));
        let weights = Weights { query, context, first, second };
        let steps = projected.len() / (3 * self.n);
        assert!(steps.is_multiple_of(self.batch), "whole steps");
        let mut outputs = zeros(steps * self.width());
        let two = if self.second.is_some() { steps } else { 0 };
        let second_gates = self.second.map_or_else(Vec::new, |unit| unit.input_bias.repeat(steps));
        let kept = if self.gains.is_some() { norm::width(self.n) } else { 0 };
        let unit =
            |gates, steps: usize| UnitTape { gates, inner: zeros(steps * self.n), normalized: zeros(steps * kept) };
        let mut tape = DecoderTape {
            first: unit(projected, steps),
            second: unit(second_gates, two),
            between: zeros(two * self.n),
            queries: zeros(steps * attention),
            taken: zeros(steps * kept),
            alignments: vec![0.0; steps * src_len],
        };
        let deal = Deal::new(self.batch);
        let hands = deal
            .rows(&mut outputs, self.width())
            .zip(tape.first.deal(deal, self.n))
            .zip(tape.second.deal(deal, self.n))
            .zip(deal.rows(&mut tape.between, self.n))
            .zip(deal.rows(&mut tape.queries, attention))
            .zip(deal.rows(&mut tape.taken, norm::width(self.n)))
            .zip(deal.rows(&mut tape.alignments, src_len))
            .map(|((((((outputs, first), second), between), queries), taken), alignments)| Hand {
                outputs,
                first,
                second,
                between,
                queries,
                taken,
                alignments,
            });
        play(hands, |hand, rows| self.run(&weights, deal.sentences(hand).collect(), rows));
        (outputs, tape)
    }

    /// Which of a hand's sentences have a word at a step.
    fn active(&self, sentences: &[usize], step: usize) -> Vec<bool> {
        sentences.iter().map(|&b| self.lengths.is_none_or(|lengths| step < lengths[b])).collect()
    }

    /// All steps of one hand's sentences.
    fn run(&self, weights: &Weights, sentences: Vec<usize>, mut rows: Hand) {
        let n = self.n;
        for step in 0..rows.outputs.len() {
            let active = self.active(&sentences, step);
            let sentences: Vec<usize> = chosen(&sentences, &active).copied().collect();
            let (before, now) = rows.outputs.split_at_mut(step);
            let previous: Vec<&[f32]> = match before.last() {
                Some(before) => chosen(before, &active).map(|output| &output[..n]).collect(),
                None => sentences.iter().map(|&b| row(self.initial, b, n)).collect(),
            };
            let at = At { step, sentences: &sentences };
            let mut between = only_at(&mut rows.between, step, &active);
            if weights.second.is_some() {
                self.unit(&weights.first, &at, &previous, rows.first.at(step, &active), &mut between);
            }
            let asking = if weights.second.is_some() { read(&between, 0, n) } else { previous };
            let mut queries = only(&mut rows.queries[step], &active);
            weights.query.multiply(&asking, &mut queries, Write::Set);
            let outputs = only(&mut now[0], &active).into_iter();
            let (mut states, mut contexts): (Vec<_>, Vec<_>) = outputs.map(|output| output.split_at_mut(n)).unzip();
            let alignments = only(&mut rows.alignments[step], &active).into_iter();
            for (((&b, query), alignment), context) in sentences.iter().zip(queries).zip(alignments).zip(&mut contexts)
            {
                self.memory.attend(b, query, self.energy, alignment, context);
            }
            let (cell, mut taking) = match &weights.second {
                Some(second) => (second, rows.second.at(step, &active)),
                None => (&weights.first, rows.first.at(step, &active)),
            };
            let contexts = read(&contexts, 0, self.memory.annotation);
            self.take(weights, &contexts, &mut only_at(&mut rows.taken, step, &active), &mut taking.gates);
            self.unit(cell, &at, &asking, taking, &mut states);
        }
    }

    /// Adds the contexts' products to the gates; where they are normalised, they are kept in `taken`.
    fn take(&self, weights: &Weights, contexts: &[&[f32]], taken: &mut [&mut [f32]], gates: &mut [&mut [f32]]) {
        let Some(gain) = self.gain(CONTEXT) else { return weights.context.multiply(contexts, gates, Write::Add) };
        weights.context.multiply(contexts, &mut columns(taken, 0, 3 * self.n), Write::Set);
        for part in Part::ALL {
            let Range { start, end } = part.columns(self.n);
            add_normalized(part, gain, taken, &mut columns(gates, start, end));
        }
    }

    /// A step of a unit: from the states before and the gates' inputs to the new states.
    fn unit(
        &self,
        cell: &Cell,
        at: &At,
        previous: &[&[f32]],
        UnitStep { gates, inner, normalized }: UnitStep,
        states: &mut [&mut [f32]],
    ) {
        let mut unit = Active::default();
        let cells = previous.iter().zip(gates).zip(inner).zip(states).zip(at.sentences);
        let mut normalized = normalized.into_iter();
        for ((((previous, gates), inner), state), &b) in cells {
            let inner = (inner, normalized.next());
            unit.push(previous, gates, inner, state, self.dropout.map(|d| mask(d, at.step, self.batch, b, self.n)));
        }
        unit.forward(cell);
    }

    /// From the gradient of [s_i ; c_i], `[tgt_len, batch, n + annotation]`, and that of α_i, `[tgt_len, batch, src_len]`, where
    /// the loss depends on it, those of the inputs.
    pub fn backward(
        &self,
        outputs: &[f32],
        tape: &DecoderTape,
        d_outputs: &[f32],
        d_alignments: Option<&[f32]>,
    ) -> DecoderGradients {
        let Memory { src_len, annotation, attention, .. } = self.memory;
        let precision = current_precision();
        let query = || Packed::rounded(precision, Matrix::new(self.query, self.n, attention).transposed());
        let context = || Packed::rounded(precision, Matrix::new(self.context, annotation, 3 * self.n).transposed());
        let cell = |weight, gain| CellBackward::new(precision, weight, self.gain(gain), self.reset, self.n);
        let first = || cell(self.weight, FIRST);
        let second = || self.second.map(|unit| cell(unit.weight, SECOND));
        let ((query, context), (first, second)) = rayon::join(|| (query(), context()), || (first(), second()));
        let weights = WeightsBackward { query, context, first, second };
        let previous = self.previous(outputs);
        let dropped = [&previous, &tape.between].map(|states| self.dropped(states));
        let before = [&previous, &tape.between].map(|states| &states[..]);
        let input = [0, 1].map(|unit| dropped[unit].as_deref().unwrap_or(before[unit]));
        let from = Read { tape, before, input, d_outputs, d_alignments };
        let steps = outputs.len() / self.width();
        let mut d = Written {
            first: self.unit_written(steps),
            second: self.unit_written(if self.second.is_some() { steps } else { 0 }),
            queries: zeros(steps * attention),
            contexts: zeros(steps * annotation),
            taken: self.of_normalized(steps),
            initial: vec![0.0; self.batch * self.n],
            keys: zeros(self.batch * src_len * attention),
            energies: vec![0.0; self.batch * attention],
        };
        let deal = Deal::new(self.batch);
        play(self.deal_backward(deal, &mut d), |hand, rows| {
            self.run_backward(&weights, deal.sentences(hand).collect(), &from, rows);
        });
        self.gradients(outputs, &from, d)
    }

    /// Room for what a unit writes in so many steps of all sentences.
    fn unit_written(&self, steps: usize) -> UnitWritten {
        let product = if self.reset == Reset::After { steps * self.n } else { 0 };
        let (gates, raw) = (zeros(steps * 3 * self.n), self.of_normalized(steps));
        UnitWritten { gates, product: zeros(product), raw }
    }

    /// Room for the gradients of products of so many steps before they were normalised, if they were.
    fn of_normalized(&self, steps: usize) -> Vec<f32> {
        zeros(if self.gains.is_some() { steps * 3 * self.n } else { 0 })
    }

    /// The state before each step, `[tgt_len, batch, n]`.
    fn previous(&self, outputs: &[f32]) -> Vec<f32> {
        let n = self.n;
        let mut previous = Vec::with_capacity(outputs.len() / self.width() * n);
        previous.extend_from_slice(self.initial);
        let before = outputs.len() - self.batch * self.width();
        for output in outputs[..before].chunks_exact(self.width()) {
            previous.extend_from_slice(&output[..n]);
        }
        previous
    }

    /// States as they enter the recurrent products, if they differ there.
    fn dropped(&self, states: &[f32]) -> Option<Vec<f32>> {
        let n = self.n;
        let dropout = self.dropout?;
        let mut dropped = vec![0.0; states.len()];
        for (i, (dropped, state)) in dropped.chunks_exact_mut(n).zip(states.chunks_exact(n)).enumerate() {
            vector::multiply(dropped, state, mask(dropout, i / self.batch, self.batch, i % self.batch, n));
        }
        Some(dropped)
    }

    /// Each hand's rows of what the steps backward write.
    fn deal_backward<'d>(&self, deal: Deal, d: &'d mut Written) -> impl Iterator<Item = HandBackward<'d>> {
        let Memory { src_len, annotation, attention, .. } = self.memory;
        d.first
            .deal(deal, self.n)
            .zip(d.second.deal(deal, self.n))
            .zip(deal.rows(&mut d.queries, attention))
            .zip(deal.rows(&mut d.contexts, annotation))
            .zip(deal.rows(&mut d.taken, 3 * self.n))
            .zip(deal.sentence_rows(&mut d.initial, self.n))
            .zip(deal.sentence_rows(&mut d.keys, src_len * attention))
            .zip(deal.sentence_rows(&mut d.energies, attention))
            .map(move |(((((((first, second), queries), contexts), taken), state), keys), energies)| HandBackward {
                first,
                second,
                queries,
                contexts,
                taken,
                state,
                keys,
                energies,
            })
    }

    /// All steps of one hand's sentences, the last first.
    fn run_backward(&self, weights: &WeightsBackward, sentences: Vec<usize>, from: &Read, mut d: HandBackward) {
        let mut scratch = vec![0.0; sentences.len() * self.n];
        for step in (0..d.queries.len()).rev() {
            let active = self.active(&sentences, step);
            let sentences: Vec<usize> = chosen(&sentences, &active).copied().collect();
            let at = At { step, sentences: &sentences };
            let mut d = d.at(step, &active);
            self.outputs_backward(&at, from, &mut d);
            let (taking, cell) = match &weights.second {
                Some(second) => (1, second),
                None => (0, &weights.first),
            };
            self.unit_backward(cell, &at, from, taking, &mut d, &mut scratch);
            self.take_backward(weights, &at, from, taking, &mut d);
            self.attention_backward(&sentences, from, step, &mut d);
            weights.query.multiply(&read(&d.queries, 0, self.memory.attention), &mut d.state, Write::Add);
            if weights.second.is_some() {
                self.unit_backward(&weights.first, &at, from, 0, &mut d, &mut scratch);
            }
        }
    }

    /// Adds what the contexts' gradients get from the gates of the unit that takes them.
    fn take_backward(&self, weights: &WeightsBackward, at: &At, from: &Read, taking: usize, d: &mut StepWritten) {
        let d_gates = &d.units[taking].gates;
        let Some(gain) = self.gain(CONTEXT) else {
            return weights.context.multiply(&read(d_gates, 0, 3 * self.n), &mut d.contexts, Write::Add);
        };
        let kept = self.rows_at(at, &from.tape.taken, norm::width(self.n));
        for part in Part::ALL {
            let Range { start, end } = part.columns(self.n);
            part_backward(part, gain, &kept, &read(d_gates, start, end), &mut d.taken);
        }
        weights.context.multiply(&read(&d.taken, 0, 3 * self.n), &mut d.contexts, Write::Add);
    }

    /// The rows of a buffer for the sentences of a step.
    fn rows_at<'b>(&self, at: &At, buffer: &'b [f32], width: usize) -> Vec<&'b [f32]> {
        at.sentences.iter().map(|b| row(buffer, at.step * self.batch + b, width)).collect()
    }

    /// Adds what the state's gradient gets from the output, and sets the context's to what it gets from there.
    fn outputs_backward(&self, at: &At, from: &Read, d: &mut StepWritten) {
        for ((state, context), b) in d.state.iter_mut().zip(&mut d.contexts).zip(at.sentences) {
            let d_output = row(from.d_outputs, at.step * self.batch + b, self.width());
            vector::add(state, &d_output[..self.n]);
            context.copy_from_slice(&d_output[self.n..]);
        }
    }

    /// A unit's part of a step backward: the first is number 0, the second 1.
    fn unit_backward(
        &self,
        cell: &CellBackward,
        at: &At,
        from: &Read,
        unit: usize,
        d: &mut StepWritten,
        scratch: &mut [f32],
    ) {
        let n = self.n;
        let rows = |buffer, width| self.rows_at(at, buffer, width);
        let masks: Option<Vec<&[f32]>> = self
            .dropout
            .map(|dropout| at.sentences.iter().map(|&b| mask(dropout, at.step, self.batch, b, n)).collect());
        let tape = if unit == 0 { &from.tape.first } else { &from.tape.second };
        let written = &mut d.units[unit];
        cell.backward(
            StepBackward {
                previous: &rows(from.before[unit], n),
                input: &rows(from.input[unit], n),
                dropout: masks.as_deref(),
                gates: &rows(&tape.gates, 3 * n),
                inner: &rows(&tape.inner, n),
                normalized: &self.gains.map_or_else(Vec::new, |_| rows(&tape.normalized, norm::width(n))),
                d_state: &mut d.state,
                d_gates: &mut written.gates,
                d_product: &mut written.product,
                d_raw: &mut written.raw,
            },
            scratch,
        );
    }

    /// The attention's part of a step backward: from the contexts' gradients to the queries'.
    fn attention_backward(&self, sentences: &[usize], from: &Read, step: usize, d: &mut StepWritten) {
        let Memory { src_len, attention, .. } = self.memory;
        let mut d_energies = vec![0.0; src_len];
        let written = d.queries.iter_mut().zip(&mut d.keys).zip(&mut d.energies);
        for (((&b, d_context), d_query), (d_keys, d_v)) in
            sentences.iter().zip(&d.contexts).zip(written).map(|(a, ((q, k), v))| ((a, q), (k, v)))
        {
            let i = step * self.batch + b;
            self.memory.attend_backward(
                b,
                AttendBackward {
                    query: row(&from.tape.queries, i, attention),
                    v: self.energy,
                    alignment: row(&from.tape.alignments, i, src_len),
                    d_alignment: from.d_alignments.map(|d| row(d, i, src_len)),
                    d_context,
                    d_energies: &mut d_energies,
                    d_query,
                    d_keys,
                    d_v,
                },
            );
        }
    }

    /// The gradients that take all steps together: large products, and sums in the order of the sentences.
    fn gradients(&self, outputs: &[f32], from: &Read, d: Written) -> DecoderGradients {
        let (n, width) = (self.n, self.memory.annotation);
        let steps = outputs.len() / self.width();
        let recurrent = |unit: usize, tape: &'_ UnitTape, d: &UnitWritten| {
            let (input, inner) = (from.input[unit], &tape.inner);
            let normalized = &tape.normalized;
            let steps = Steps { n, input, inner, d_gates: &d.gates, d_product: &d.product, normalized, d_raw: &d.raw };
            (steps.weight_gradient(), steps.bias_gradient(), steps.gain_gradient())
        };
        let (weight, bias, first_gain) = recurrent(0, &from.tape.first, &d.first);
        let second = self.second.map(|_| recurrent(1, &from.tape.second, &d.second));
        let (asking, taking) =
            if self.second.is_some() { (from.before[1], &d.second.gates) } else { (from.before[0], &d.first.gates) };
        let gains = first_gain.map(|first| {
            let context = gain_gradient(3 * n, (taking, 3 * n), (&from.tape.taken, norm::width(n)));
            let second = second.as_ref().and_then(|(_, _, gain)| gain.as_deref());
            [&first, &context, second.unwrap_or_default()].concat()
        });
        let second = second.map(|(weight, bias, _)| {
            let input_bias = sum_of_rows(&d.second.gates, 3 * n);
            SecondGradients { input_bias, weight, bias }
        });
        let contexts = Matrix::new(outputs, steps, self.width()).columns(n..n + width);
        let d_taken = if self.gains.is_some() { &d.taken } else { taking };
        let context = product_of(contexts.transposed(), Matrix::new(d_taken, steps, 3 * n));
        let attention = self.memory.attention;
        let asking = Matrix::new(asking, steps, n).transposed();
        let query = product_of(asking, Matrix::new(&d.queries, steps, attention));
        let energy = sum_of_rows(&d.energies, attention);
        let annotations = self.annotations_gradient(&from.tape.alignments, &d.contexts);
        DecoderGradients {
            annotations,
            query,
            energy,
            context,
            weight,
            bias,
            second,
            gains,
            projected: d.first.gates,
            initial: d.initial,
            keys: d.keys,
        }
    }

    /// Σ_i α_ij dc_i, `[batch, src_len, annotation]`.
    fn annotations_gradient(&self, alignments: &[f32], d_contexts: &[f32]) -> Vec<f32> {
        let Memory { src_len, annotation, .. } = self.memory;
        let steps = alignments.len() / (self.batch * src_len);
        let mut gradient = zeros(self.batch * src_len * annotation);
        gradient.par_chunks_exact_mut(src_len * annotation).enumerate().for_each(|(b, d_annotations)| {
            let mut weights = vec![0.0; steps];
            for (j, d_annotation) in d_annotations.chunks_exact_mut(annotation).enumerate() {
                for (step, weight) in weights.iter_mut().enumerate() {
                    *weight = alignments[(step * self.batch + b) * src_len + j];
                }
                vector::weighted_sum(d_annotation, &weights, &d_contexts[b * annotation..], self.batch * annotation);
            }
        });
        gradient
    }
}

impl UnitTape {
    /// Each hand's rows.
    fn deal(&mut self, deal: Deal, n: usize) -> impl Iterator<Item = UnitRows<'_>> {
        deal.rows(&mut self.gates, 3 * n)
            .zip(deal.rows(&mut self.inner, n))
            .zip(deal.rows(&mut self.normalized, norm::width(n)))
            .map(|((gates, inner), normalized)| UnitRows { gates, inner, normalized })
    }
}

impl UnitRows<'_> {
    /// Those of the sentences that are active at a step.
    fn at(&mut self, step: usize, active: &[bool]) -> UnitStep<'_> {
        UnitStep {
            gates: only_at(&mut self.gates, step, active),
            inner: only_at(&mut self.inner, step, active),
            normalized: only_at(&mut self.normalized, step, active),
        }
    }
}

/// The packed weights of the backward pass, transposed.
struct WeightsBackward<'a> {
    query: Packed,
    context: Packed,
    first: CellBackward<'a>,
    second: Option<CellBackward<'a>>,
}

/// What the threads of a backward pass read.
struct Read<'a> {
    tape: &'a DecoderTape,
    /// The states before each unit, `[tgt_len, batch, n]`.
    before: [&'a [f32]; 2],
    /// The same as they enter the recurrent products.
    input: [&'a [f32]; 2],
    d_outputs: &'a [f32],
    d_alignments: Option<&'a [f32]>,
}

/// What the steps backward write.
struct Written {
    first: UnitWritten,
    second: UnitWritten,
    queries: Vec<f32>,
    contexts: Vec<f32>,
    /// The gradients of the contexts' products before they were normalised; empty where they were not.
    taken: Vec<f32>,
    initial: Vec<f32>,
    keys: Vec<f32>,
    /// The gradient of v_a by sentence: summed in their order, it does not depend on who computed them.
    energies: Vec<f32>,
}

/// What the steps backward write of a unit.
struct UnitWritten {
    gates: Vec<f32>,
    product: Vec<f32>,
    raw: Vec<f32>,
}

impl UnitWritten {
    /// Each hand's rows.
    fn deal(&mut self, deal: Deal, n: usize) -> impl Iterator<Item = UnitRowsBackward<'_>> {
        deal.rows(&mut self.gates, 3 * n)
            .zip(deal.rows(&mut self.product, n))
            .zip(deal.rows(&mut self.raw, 3 * n))
            .map(|((gates, product), raw)| UnitRowsBackward { gates, product, raw })
    }
}

/// A hand's rows of what the steps backward write of a unit.
struct UnitRowsBackward<'r> {
    gates: Rows<'r>,
    product: Rows<'r>,
    raw: Rows<'r>,
}

/// A hand's rows of what the steps backward write.
struct HandBackward<'r> {
    first: UnitRowsBackward<'r>,
    second: UnitRowsBackward<'r>,
    queries: Rows<'r>,
    contexts: Rows<'r>,
    taken: Rows<'r>,
    /// The gradient of the state, running backward.
    state: Vec<&'r mut [f32]>,
    keys: Vec<&'r mut [f32]>,
    energies: Vec<&'r mut [f32]>,
}

impl HandBackward<'_> {
    /// What one step writes, for the sentences that have a word there.
    fn at(&mut self, step: usize, active: &[bool]) -> StepWritten<'_> {
        StepWritten {
            units: [&mut self.first, &mut self.second].map(|rows| UnitStepWritten {
                gates: only_at(&mut rows.gates, step, active),
                product: only_at(&mut rows.product, step, active),
                raw: only_at(&mut rows.raw, step, active),
            }),
            queries: only(&mut self.queries[step], active),
            contexts: only(&mut self.contexts[step], active),
            taken: only_at(&mut self.taken, step, active),
            state: only(&mut self.state, active),
            keys: only(&mut self.keys, active),
            energies: only(&mut self.energies, active),
        }
    }
}

/// The rows that one step backward writes.
struct StepWritten<'r> {
    /// Of both units.
    units: [UnitStepWritten<'r>; 2],
    queries: Vec<&'r mut [f32]>,
    contexts: Vec<&'r mut [f32]>,
    taken: Vec<&'r mut [f32]>,
    state: Vec<&'r mut [f32]>,
    keys: Vec<&'r mut [f32]>,
    energies: Vec<&'r mut [f32]>,
}

/// The rows that one step backward writes of a unit.
struct UnitStepWritten<'r> {
    gates: Vec<&'r mut [f32]>,
    product: Vec<&'r mut [f32]>,
    raw: Vec<&'r mut [f32]>,
}

/// The elements that are active.
fn chosen<'s, T>(all: &'s [T], active: &'s [bool]) -> impl Iterator<Item = &'s T> {
    all.iter().zip(active).filter(|(_, active)| **active).map(|(element, _)| element)
}
