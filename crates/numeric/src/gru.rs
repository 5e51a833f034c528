//! A gated recurrent unit over a padded batch.

use crate::Reset;
use crate::buffers::zeros;
use crate::cell::{Cell, CellBackward, Step, StepBackward, Steps, mask};
use crate::network::Operand;
use crate::product::current_precision;
use crate::rows::{Deal, Rows, only, only_at, play, read, row};
use crate::{norm, vector};

/// A recurrence over a batch: its weights and what enters it.
#[derive(Clone, Copy, Debug)]
pub struct Gru<'a> {
    /// The size of a state.
    pub n: usize,
    /// The number of sentences.
    pub batch: usize,
    /// The number of positions, padding included.
    pub len: usize,
    /// The state before the first position read, `[batch, n]`.
    pub initial: &'a [f32],
    /// [U_r | U_z | U], `[n, 3n]`.
    pub weight: &'a [f32],
    /// b_u, `[n]`; only with [`Reset::After`].
    pub bias: Option<&'a [f32]>,
    /// That of layer normalisation of the products with the weight, `[3n]`: see [`norm`]; none where they are taken as they are.
    pub gain: Option<&'a [f32]>,
    /// Where the reset gate acts.
    pub reset: Reset,
    /// The number of words of each sentence, `[batch]`; none where all are full. Where a position is padding the
    /// state is carried through, and nothing is computed.
    pub lengths: Option<&'a [usize]>,
    /// What multiplies the state where it enters the recurrent products, `[len or 1, batch, n]`, in reading order.
    pub dropout: Option<&'a [f32]>,
    /// Whether the last position is read first.
    pub reversed: bool,
}

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Debug)]
pub struct GruTape {
    gates: Vec<f32>,
    inner: Vec<f32>,
    normalized: Vec<f32>,
}

/// The gradients of all that enters a [`Gru`], in the same shapes.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "named as the inputs are")]
pub struct GruGradients {
    pub projected: Vec<f32>,
    pub initial: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Option<Vec<f32>>,
    pub gain: Option<Vec<f32>>,
}

impl Gru<'_> {
    /// The position read at a step.
    fn position(&self, step: usize) -> usize {
        if self.reversed { self.len - 1 - step } else { step }
    }

    fn is_word(&self, sentence: usize, position: usize) -> bool {
        self.lengths.is_none_or(|lengths| position < lengths[sentence])
    }

    /// The states at their positions, `[len, batch, n]`; `projected` is W x + b for the three gates, `[len, batch, 3n]`.
    pub fn forward(&self, projected: Vec<f32>) -> (Vec<f32>, GruTape) {
        let cell = Cell::new(current_precision(), self.weight, [self.bias, self.gain], self.reset, self.n);
        let size = self.len * self.batch * self.n;
        assert_eq!(projected.len(), 3 * size);
        let mut states = zeros(size);
        let normalized = self.of_normalized(norm::width(self.n));
        let mut tape = GruTape { gates: projected, inner: zeros(size), normalized };
        let deal = Deal::new(self.batch);
        let hands = deal
            .rows(&mut states, self.n)
            .zip(deal.rows(&mut tape.gates, 3 * self.n))
            .zip(deal.rows(&mut tape.inner, self.n))
            .zip(deal.rows(&mut tape.normalized, norm::width(self.n)))
            .map(|(((states, gates), inner), normalized)| Hand { states, gates, inner, normalized });
        play(hands, |hand, rows| self.run(&cell, deal.sentences(hand).collect(), rows));
        (states, tape)
    }

    /// Room for rows of this width of all positions, if products are normalised.
    fn of_normalized(&self, width: usize) -> Vec<f32> {
        zeros(if self.gain.is_some() { self.len * self.batch * width } else { 0 })
    }

    /// The whole sequence of one hand's sentences.
    fn run(&self, cell: &Cell, sentences: Vec<usize>, rows: Hand) {
        let Hand { mut states, mut gates, mut inner, mut normalized } = rows;
        for step in 0..self.len {
            let position = self.position(step);
            let (before, now) = self.split(&mut states, position);
            let previous: Vec<&[f32]> = match before {
                Some(before) => read(before, 0, self.n),
                None => sentences.iter().map(|&b| row(self.initial, b, self.n)).collect(),
            };
            let rows = previous.iter().zip(now).zip(&mut gates[position]).zip(&mut inner[position]).zip(&sentences);
            let mut normalized = normalized.get_mut(position).map(|rows| rows.iter_mut());
            let mut active = Active::default();
            for ((((&previous, now), gates), inner), &b) in rows {
                let normalized = normalized.as_mut().and_then(Iterator::next);
                if self.is_word(b, position) {
                    active.push(
                        previous,
                        gates,
                        (inner, normalized.map(|row| &mut **row)),
                        now,
                        self.dropout.map(|d| mask(d, step, self.batch, b, self.n)),
                    );
                } else {
                    now.copy_from_slice(previous);
                }
            }
            active.forward(cell);
        }
    }

    /// The rows of the state before a position in reading order, if any, and those at it.
    fn split<'s, 'r>(
        &self,
        states: &'s mut Rows<'r>,
        position: usize,
    ) -> (Option<&'s [&'r mut [f32]]>, &'s mut [&'r mut [f32]]) {
        if self.reversed {
            let (now, before) = states.split_at_mut(position + 1);
            (before.first().map(Vec::as_slice), &mut now[position])
        } else {
            let (before, now) = states.split_at_mut(position);
            (before.last().map(Vec::as_slice), &mut now[0])
        }
    }

    /// From the gradient of the states, `[len, batch, n]`, those of the inputs.
    pub fn backward(&self, states: &[f32], tape: &GruTape, d_states: &[f32]) -> GruGradients {
        let cell = CellBackward::new(current_precision(), self.weight, self.gain, self.reset, self.n);
        let previous = self.previous(states);
        let dropped = self.dropout.map(|dropout| self.dropped(&previous, dropout));
        let read = Read { tape, previous: &previous, input: dropped.as_deref().unwrap_or(&previous), d_states };
        let mut d_projected = zeros(3 * states.len());
        let mut d_initial = vec![0.0; self.initial.len()];
        let mut d_product = zeros(if self.reset == Reset::After { states.len() } else { 0 });
        let mut d_raw = self.of_normalized(3 * self.n);
        let deal = Deal::new(self.batch);
        let hands = deal
            .sentence_rows(&mut d_initial, self.n)
            .zip(deal.rows(&mut d_projected, 3 * self.n))
            .zip(deal.rows(&mut d_product, self.n))
            .zip(deal.rows(&mut d_raw, 3 * self.n))
            .map(|(((state, gates), product), raw)| HandBackward { state, gates, product, raw });
        play(hands, |hand, rows| self.run_backward(&cell, deal.sentences(hand).collect(), &read, rows));
        let steps = Steps {
            n: self.n,
            input: read.input,
            inner: &tape.inner,
            d_gates: &d_projected,
            d_product: &d_product,
            normalized: &tape.normalized,
            d_raw: &d_raw,
        };
        let (weight, bias, gain) = (steps.weight_gradient(), steps.bias_gradient(), steps.gain_gradient());
        GruGradients { weight, bias, gain, projected: d_projected, initial: d_initial }
    }

    /// The whole sequence of one hand's sentences, last step first.
    fn run_backward(&self, cell: &CellBackward, sentences: Vec<usize>, from: &Read, mut d: HandBackward) {
        let n = self.n;
        let mut scratch = vec![0.0; d.state.len() * n];
        for step in (0..self.len).rev() {
            let position = self.position(step);
            for (d_state, &b) in d.state.iter_mut().zip(&sentences) {
                vector::add(d_state, row(from.d_states, position * self.batch + b, n));
            }
            let active: Vec<bool> = sentences.iter().map(|&b| self.is_word(b, position)).collect();
            let words =
                || sentences.iter().zip(&active).filter(|(_, active)| **active).map(|(b, _)| position * self.batch + b);
            let rows = |buffer, width| words().map(|i| row(buffer, i, width)).collect::<Vec<_>>();
            let masks: Option<Vec<&[f32]>> = self
                .dropout
                .map(|dropout| words().map(|i| mask(dropout, step, self.batch, i % self.batch, n)).collect());
            cell.backward(
                StepBackward {
                    previous: &rows(from.previous, n),
                    input: &rows(from.input, n),
                    dropout: masks.as_deref(),
                    gates: &rows(&from.tape.gates, 3 * n),
                    inner: &rows(&from.tape.inner, n),
                    normalized: &self.gain.map_or_else(Vec::new, |_| rows(&from.tape.normalized, norm::width(n))),
                    d_state: &mut only(&mut d.state, &active),
                    d_gates: &mut only(&mut d.gates[position], &active),
                    d_product: &mut only_at(&mut d.product, position, &active),
                    d_raw: &mut only_at(&mut d.raw, position, &active),
                },
                &mut scratch,
            );
        }
    }

    /// The state before each position, `[len, batch, n]`.
    fn previous(&self, states: &[f32]) -> Vec<f32> {
        let (first, kept) = (self.batch * self.n, states.len() - self.batch * self.n);
        if self.reversed { [&states[first..], self.initial].concat() } else { [self.initial, &states[..kept]].concat() }
    }

    /// The state before each position as it enters the recurrent products.
    fn dropped(&self, previous: &[f32], dropout: &[f32]) -> Vec<f32> {
        let mut dropped = vec![0.0; previous.len()];
        for (i, (dropped, state)) in dropped.chunks_exact_mut(self.n).zip(previous.chunks_exact(self.n)).enumerate() {
            let step = self.position(i / self.batch);
            vector::multiply(dropped, state, mask(dropout, step, self.batch, i % self.batch, self.n));
        }
        dropped
    }
}

/// A hand's rows of what the forward pass writes.
struct Hand<'r> {
    states: Rows<'r>,
    gates: Rows<'r>,
    inner: Rows<'r>,
    normalized: Rows<'r>,
}

/// A hand's rows of what the steps backward write.
struct HandBackward<'r> {
    /// The gradient of the state, running backward.
    state: Vec<&'r mut [f32]>,
    gates: Rows<'r>,
    product: Rows<'r>,
    raw: Rows<'r>,
}

/// What the threads of a backward pass read.
struct Read<'a> {
    tape: &'a GruTape,
    previous: &'a [f32],
    input: &'a [f32],
    d_states: &'a [f32],
}

/// The rows at one position that are words.
#[derive(Default)]
pub(crate) struct Active<'s> {
    previous: Vec<&'s [f32]>,
    gates: Vec<&'s mut [f32]>,
    inner: Vec<&'s mut [f32]>,
    normalized: Vec<&'s mut [f32]>,
    next: Vec<&'s mut [f32]>,
    masks: Vec<&'s [f32]>,
}

impl<'s> Active<'s> {
    /// Takes in a row; where products are normalised, what keeps them stands beside what the reset gate met.
    pub(crate) fn push(
        &mut self,
        previous: &'s [f32],
        gates: &'s mut [f32],
        (inner, normalized): (&'s mut [f32], Option<&'s mut [f32]>),
        next: &'s mut [f32],
        mask: Option<&'s [f32]>,
    ) {
        self.previous.push(previous);
        self.gates.push(gates);
        self.inner.push(inner);
        self.normalized.extend(normalized);
        self.next.push(next);
        self.masks.extend(mask);
    }

    /// Computes the new states.
    pub(crate) fn forward(mut self, cell: &Cell) {
        let n = self.previous.first().map_or(1, |row| row.len());
        let mut dropped = vec![0.0; self.masks.len() * n];
        for ((dropped, mask), state) in dropped.chunks_exact_mut(n).zip(&self.masks).zip(&self.previous) {
            vector::multiply(dropped, state, mask);
        }
        let dropped: Vec<&[f32]> = dropped.chunks_exact(n).collect();
        let input = Operand::from(if dropped.is_empty() { &self.previous[..] } else { &dropped });
        let step = Step {
            previous: &self.previous,
            input: &input,
            gates: &mut self.gates,
            inner: &mut self.inner,
            normalized: &mut self.normalized,
        };
        cell.forward(step, &mut self.next);
    }
}
