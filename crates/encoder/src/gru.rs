//! A gated recurrent unit and its weights.
//!
//! docs/recurrence.md has the formulas, with layer normalisation and without.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::{ModelConfig, Reset};
use rnnsearch_kernels::{Direction, Padding, Recurrent, gru_sequence, linear, normalize};

use crate::init::Init;

/// The weights of a gated recurrent unit, gates in the order reset, update, candidate (appendix A.1.1).
#[derive(Module, Debug)]
pub struct Gru {
    /// [W_r | W_z | W], `[input, 3n]`.
    pub input_weight: Param<Tensor<2>>,
    /// [b_r | b_z | b], `[3n]`.
    pub input_bias: Param<Tensor<1>>,
    /// [U_r | U_z | U], `[n, 3n]`.
    pub recurrent_weight: Param<Tensor<2>>,
    /// b_u, `[n]`; only where the reset gate acts after the product.
    pub recurrent_bias: Option<Param<Tensor<1>>>,
    /// The gain of layer normalisation of the products with inputs, `[3n]`; none where they are taken as they are.
    pub input_gain: Option<Param<Tensor<1>>>,
    /// That of the products with states, `[3n]`; both are there, or none.
    pub recurrent_gain: Option<Param<Tensor<1>>>,
}

/// How a sequence is read.
#[derive(Clone, Copy, Debug)]
pub struct Recurrence<'a> {
    /// Which positions are real; `None` where padding need not be skipped, because nothing after it is looked at.
    pub padding: Option<&'a Padding>,
    /// Where the reset gate acts.
    pub reset: Reset,
    /// The direction of reading.
    pub direction: Direction,
}

impl Gru {
    /// A unit of size `n` that reads vectors of size `input`.
    pub fn new(input: usize, n: usize, config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            input_weight: init.gates(input, n),
            input_bias: init.zeros(3 * n),
            recurrent_weight: init.orthogonal_gates(n),
            recurrent_bias: (config.reset == Reset::After).then(|| init.zeros(n)),
            input_gain: init.gain(n, config),
            recurrent_gain: init.gain(n, config),
        }
    }

    /// W x + b, or LN(W x) + b, for the three gates at every position: `[len, batch, input]` to `[len, batch, 3n]`.
    pub fn project(&self, sequence: Tensor<3>) -> Tensor<3> {
        let [len, batch, input] = sequence.dims();
        let rows = sequence.reshape([len * batch, input]);
        let (weight, bias) = (self.input_weight.val(), self.input_bias.val());
        let projected = match &self.input_gain {
            Some(gain) => normalize(linear(rows, weight, None), gain.val(), bias),
            None => linear(rows, weight, Some(bias)),
        };
        let [_, gates] = self.input_weight.dims();
        projected.reshape([len, batch, gates])
    }

    /// The recurrent half, for the kernels.
    pub fn recurrent(&self, reset: Reset) -> Recurrent {
        let [bias, gain] = [&self.recurrent_bias, &self.recurrent_gain].map(|vector| vector.as_ref().map(Param::val));
        Recurrent { weight: self.recurrent_weight.val(), bias, gain, reset }
    }

    /// Reads a sequence `[len, batch, input]` from the state `initial`, `[batch, n]`; returns the states `[len, batch, n]`.
    ///
    /// `dropout` multiplies the previous state in the recurrent products, `[len or 1, batch, n]`.
    pub fn forward(
        &self,
        sequence: Tensor<3>,
        initial: Tensor<2>,
        dropout: Option<Tensor<3>>,
        recurrence: &Recurrence,
    ) -> Tensor<3> {
        let recurrent = self.recurrent(recurrence.reset);
        gru_sequence(self.project(sequence), recurrence.padding, initial, &recurrent, dropout, recurrence.direction)
    }
}
