//! The readout: from a decoder step to the scores of all target words (section A.2.2).

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::{ReadoutWeights, readout};

/// A hidden layer of maxout units over the new state, the last word and the context.
#[derive(Module, Debug)]
pub struct Readout {
    /// U_o, `[n, 2l]`.
    pub state_weight: Param<Tensor<2>>,
    /// V_o, `[m, 2l]`.
    pub embedding_weight: Param<Tensor<2>>,
    /// C_o, `[2n, 2l]`.
    pub context_weight: Param<Tensor<2>>,
    /// `[2l]`.
    pub bias: Param<Tensor<1>>,
}

impl Readout {
    /// A readout of contexts of size `context`, with weights drawn by `init`.
    pub fn new(config: &ModelConfig, context: usize, init: &mut Init) -> Self {
        let units = 2 * config.readout;
        Self {
            state_weight: init.dense(config.decoder_hidden, units),
            embedding_weight: init.dense(config.embedding, units),
            context_weight: init.dense(context, units),
            bias: init.zeros(units),
        }
    }

    /// t_i, the larger of each pair of t~_i: `[rows, l]`.
    ///
    /// Of the same rows, `seen` is [s_i ; c_i], `[rows, n + 2n]`, and `embedded` is E y_{i-1}, `[rows, m]`.
    pub fn forward(&self, seen: Tensor<2>, embedded: Tensor<2>) -> Tensor<2> {
        let weights = ReadoutWeights {
            state: self.state_weight.val(),
            context: self.context_weight.val(),
            embedding: self.embedding_weight.val(),
            bias: self.bias.val(),
        };
        readout(seen, embedded, &weights)
    }
}
