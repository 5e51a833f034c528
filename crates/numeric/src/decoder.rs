//! The attending decoder over known target words.

use rayon::prelude::*;

use crate::attention::AttendBackward;
use crate::cell::{Cell, CellBackward, StepBackward, Steps, mask};
use crate::gru::Active;
use crate::linear::sum_of_rows;
use crate::product::{Matrix, Packed, Write, product_of};
use crate::rows::{Deal, Rows, only, play, read, row};
use crate::{Memory, Reset, vector};

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
    /// [C_r | C_z | C], `[annotation, 3n]`.
    pub context: &'a [f32],
    /// [U_r | U_z | U], `[n, 3n]`.
    pub weight: &'a [f32],
    /// b_u, `[n]`; only with [`Reset::After`].
    pub bias: Option<&'a [f32]>,
    /// Where the reset gate acts.
    pub reset: Reset,
}

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Debug)]
pub struct DecoderTape {
    gates: Vec<f32>,
    inner: Vec<f32>,
    queries: Vec<f32>,
    /// α_i, `[tgt_len, batch, src_len]`; 0 where either side is padding.
    pub alignments: Vec<f32>,
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
}

/// The packed weights of the forward pass.
struct Weights {
    query: Packed,
    context: Packed,
    cell: Cell,
}

/// A hand's rows of what the forward pass writes.
struct Hand<'r> {
    outputs: Rows<'r>,
    gates: Rows<'r>,
    inner: Rows<'r>,
    queries: Rows<'r>,
    alignments: Rows<'r>,
}

impl Decoder<'_> {
    /// The width of an output: a state and a context.
    fn width(&self) -> usize {
        self.n + self.memory.annotation
    }

    /// [s_i ; c_i], `[tgt_len, batch, n + annotation]`; `projected` is W E y_{i-1} + b for the three gates, `[tgt_len, batch, 3n]`.
    pub fn forward(&self, projected: Vec<f32>) -> (Vec<f32>, DecoderTape) {
        let Memory { src_len, annotation, attention, .. } = self.memory;
        let query = || Packed::new(Matrix::new(self.query, self.n, attention));
        let context = || Packed::new(Matrix::new(self.context, annotation, 3 * self.n));
        let cell = || Cell::new(self.weight, self.bias, self.reset, self.n);
        let ((query, context), cell) = rayon::join(|| (query(), context()), cell);
        let weights = Weights { query, context, cell };
        let steps = projected.len() / (3 * self.n);
        assert!(steps.is_multiple_of(self.batch), "whole steps");
        let mut outputs = vec![0.0; steps * self.width()];
        let mut tape = DecoderTape {
            gates: projected,
            inner: vec![0.0; steps * self.n],
            queries: vec![0.0; steps * attention],
            alignments: vec![0.0; steps * src_len],
        };
        let deal = Deal::new(self.batch);
        let hands = deal
            .rows(&mut outputs, self.width())
            .zip(deal.rows(&mut tape.gates, 3 * self.n))
            .zip(deal.rows(&mut tape.inner, self.n))
            .zip(deal.rows(&mut tape.queries, attention))
            .zip(deal.rows(&mut tape.alignments, src_len))
            .map(|((((outputs, gates), inner), queries), alignments)| Hand {
                outputs,
                gates,
                inner,
                queries,
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
            let mut queries = only(&mut rows.queries[step], &active);
            let mut gates = only(&mut rows.gates[step], &active);
            weights.query.multiply(&previous, &mut queries, Write::Set);
            let outputs = only(&mut now[0], &active).into_iter();
            let (states, mut contexts): (Vec<_>, Vec<_>) = outputs.map(|output| output.split_at_mut(n)).unzip();
            let alignments = only(&mut rows.alignments[step], &active).into_iter();
            for (((&b, query), alignment), context) in sentences.iter().zip(queries).zip(alignments).zip(&mut contexts)
            {
                self.memory.attend(b, query, self.energy, alignment, context);
            }
            weights.context.multiply(&read(&contexts, 0, self.memory.annotation), &mut gates, Write::Add);
            let mut unit = Active::default();
            let inner = only(&mut rows.inner[step], &active).into_iter();
            let cells = previous.iter().zip(gates).zip(inner).zip(states).zip(&sentences);
            for ((((previous, gates), inner), state), &b) in cells {
                unit.push(previous, gates, inner, state, self.dropout.map(|d| mask(d, step, self.batch, b, n)));
            }
            unit.forward(&weights.cell);
        }
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
        let query = || Packed::new(Matrix::new(self.query, self.n, attention).transposed());
        let context = || Packed::new(Matrix::new(self.context, annotation, 3 * self.n).transposed());
        let cell = || CellBackward::new(self.weight, self.reset, self.n);
        let ((query, context), (cell, (previous, dropped))) =
            rayon::join(|| (query(), context()), || (cell(), self.previous(outputs)));
        let weights = WeightsBackward { query, context, cell };
        let input = dropped.as_deref().unwrap_or(&previous);
        let from = Read { tape, previous: &previous, input, d_outputs, d_alignments };
        let steps = outputs.len() / self.width();
        let mut d = Written {
            gates: vec![0.0; steps * 3 * self.n],
            product: vec![0.0; if self.reset == Reset::After { steps * self.n } else { 0 }],
            queries: vec![0.0; steps * attention],
            contexts: vec![0.0; steps * annotation],
            initial: vec![0.0; self.batch * self.n],
            keys: vec![0.0; self.batch * src_len * attention],
            energies: vec![0.0; self.batch * attention],
        };
        let deal = Deal::new(self.batch);
        play(self.deal_backward(deal, &mut d), |hand, rows| {
            self.run_backward(&weights, deal.sentences(hand).collect(), &from, rows);
        });
        self.gradients(outputs, &from, d)
    }

    /// The state before each step, `[tgt_len, batch, n]`, and the same as it enters the recurrent products, if that differs.
    fn previous(&self, outputs: &[f32]) -> (Vec<f32>, Option<Vec<f32>>) {
        let n = self.n;
        let mut previous = Vec::with_capacity(outputs.len() / self.width() * n);
        previous.extend_from_slice(self.initial);
        let before = outputs.len() - self.batch * self.width();
        for output in outputs[..before].chunks_exact(self.width()) {
            previous.extend_from_slice(&output[..n]);
        }
        let dropped = self.dropout.map(|dropout| {
            let mut dropped = vec![0.0; previous.len()];
            for (i, (dropped, state)) in dropped.chunks_exact_mut(n).zip(previous.chunks_exact(n)).enumerate() {
                vector::multiply(dropped, state, mask(dropout, i / self.batch, self.batch, i % self.batch, n));
            }
            dropped
        });
        (previous, dropped)
    }

    /// Each hand's rows of what the steps backward write.
    fn deal_backward<'d>(&self, deal: Deal, d: &'d mut Written) -> impl Iterator<Item = HandBackward<'d>> {
        let Memory { src_len, annotation, attention, .. } = self.memory;
        let mut products = deal.rows(&mut d.product, self.n);
        deal.rows(&mut d.gates, 3 * self.n)
            .zip(deal.rows(&mut d.queries, attention))
            .zip(deal.rows(&mut d.contexts, annotation))
            .zip(deal.sentence_rows(&mut d.initial, self.n))
            .zip(deal.sentence_rows(&mut d.keys, src_len * attention))
            .zip(deal.sentence_rows(&mut d.energies, attention))
            .map(move |(((((gates, queries), contexts), state), keys), energies)| {
                let product = products.next().unwrap_or_default();
                HandBackward { gates, product, queries, contexts, state, keys, energies }
            })
    }

    /// All steps of one hand's sentences, the last first.
    fn run_backward(&self, weights: &WeightsBackward, sentences: Vec<usize>, from: &Read, mut d: HandBackward) {
        let mut scratch = vec![0.0; sentences.len() * self.n];
        for step in (0..d.gates.len()).rev() {
            let active = self.active(&sentences, step);
            let sentences: Vec<usize> = chosen(&sentences, &active).copied().collect();
            let mut d = d.at(step, &active);
            self.cell_backward(weights, &sentences, from, step, &mut d, &mut scratch);
            weights.context.multiply(&read(&d.gates, 0, 3 * self.n), &mut d.contexts, Write::Add);
            self.attention_backward(&sentences, from, step, &mut d);
            weights.query.multiply(&read(&d.queries, 0, self.memory.attention), &mut d.state, Write::Add);
        }
    }

    /// The recurrent unit's part of a step backward; the context's gradient is left at what comes from the output.
    fn cell_backward(
        &self,
        weights: &WeightsBackward,
        sentences: &[usize],
        from: &Read,
        step: usize,
        d: &mut StepWritten,
        scratch: &mut [f32],
    ) {
        let n = self.n;
        for ((state, context), b) in d.state.iter_mut().zip(&mut d.contexts).zip(sentences) {
            let d_output = row(from.d_outputs, step * self.batch + b, self.width());
            vector::add(state, &d_output[..n]);
            context.copy_from_slice(&d_output[n..]);
        }
        let rows = |buffer, width| -> Vec<&[f32]> {
            sentences.iter().map(|b| row(buffer, step * self.batch + b, width)).collect()
        };
        let masks: Option<Vec<&[f32]>> =
            self.dropout.map(|dropout| sentences.iter().map(|&b| mask(dropout, step, self.batch, b, n)).collect());
        weights.cell.backward(
            StepBackward {
                previous: &rows(from.previous, n),
                input: &rows(from.input, n),
                dropout: masks.as_deref(),
                gates: &rows(&from.tape.gates, 3 * n),
                inner: &rows(&from.tape.inner, n),
                d_state: &mut d.state,
                d_gates: &mut d.gates,
                d_product: &mut d.product,
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
        let recurrent =
            Steps { n, input: from.input, inner: &from.tape.inner, d_gates: &d.gates, d_product: &d.product };
        let contexts = Matrix::new(outputs, steps, self.width()).columns(n..n + width);
        let context = product_of(contexts.transposed(), Matrix::new(&d.gates, steps, 3 * n));
        let attention = self.memory.attention;
        let previous = Matrix::new(from.previous, steps, n).transposed();
        let query = product_of(previous, Matrix::new(&d.queries, steps, attention));
        let energy = sum_of_rows(&d.energies, attention);
        let (weight, bias) = (recurrent.weight_gradient(), recurrent.bias_gradient());
        let annotations = self.annotations_gradient(&from.tape.alignments, &d.contexts);
        DecoderGradients {
            annotations,
            query,
            energy,
            context,
            weight,
            bias,
            projected: d.gates,
            initial: d.initial,
            keys: d.keys,
        }
    }

    /// Σ_i α_ij dc_i, `[batch, src_len, annotation]`.
    fn annotations_gradient(&self, alignments: &[f32], d_contexts: &[f32]) -> Vec<f32> {
        let Memory { src_len, annotation, .. } = self.memory;
        let steps = alignments.len() / (self.batch * src_len);
        let mut gradient = vec![0.0; self.batch * src_len * annotation];
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

/// The packed weights of the backward pass, transposed.
struct WeightsBackward {
    query: Packed,
    context: Packed,
    cell: CellBackward,
}

/// What the threads of a backward pass read.
struct Read<'a> {
    tape: &'a DecoderTape,
    previous: &'a [f32],
    input: &'a [f32],
    d_outputs: &'a [f32],
    d_alignments: Option<&'a [f32]>,
}

/// What the steps backward write.
struct Written {
    gates: Vec<f32>,
    product: Vec<f32>,
    queries: Vec<f32>,
    contexts: Vec<f32>,
    initial: Vec<f32>,
    keys: Vec<f32>,
    /// The gradient of v_a by sentence: summed in their order, it does not depend on who computed them.
    energies: Vec<f32>,
}

/// A hand's rows of what the steps backward write.
struct HandBackward<'r> {
    gates: Rows<'r>,
    product: Rows<'r>,
    queries: Rows<'r>,
    contexts: Rows<'r>,
    /// The gradient of the state, running backward.
    state: Vec<&'r mut [f32]>,
    keys: Vec<&'r mut [f32]>,
    energies: Vec<&'r mut [f32]>,
}

impl HandBackward<'_> {
    /// What one step writes, for the sentences that have a word there.
    fn at(&mut self, step: usize, active: &[bool]) -> StepWritten<'_> {
        StepWritten {
            gates: only(&mut self.gates[step], active),
            product: self.product.get_mut(step).map_or_else(Vec::new, |rows| only(rows, active)),
            queries: only(&mut self.queries[step], active),
            contexts: only(&mut self.contexts[step], active),
            state: only(&mut self.state, active),
            keys: only(&mut self.keys, active),
            energies: only(&mut self.energies, active),
        }
    }
}

/// The rows that one step backward writes.
struct StepWritten<'r> {
    gates: Vec<&'r mut [f32]>,
    product: Vec<&'r mut [f32]>,
    queries: Vec<&'r mut [f32]>,
    contexts: Vec<&'r mut [f32]>,
    state: Vec<&'r mut [f32]>,
    keys: Vec<&'r mut [f32]>,
    energies: Vec<&'r mut [f32]>,
}

/// The elements that are active.
fn chosen<'s, T>(all: &'s [T], active: &'s [bool]) -> impl Iterator<Item = &'s T> {
    all.iter().zip(active).filter(|(_, active)| **active).map(|(element, _)| element)
}
