//! Luong et al. (2015), concat: e_ij = vᵀ tanh(W [s ; h_j]).
//!
//! As W [s ; h] = W_s s + W_h h, this is the function of [`Additive`](super::Additive). What differs is that W is one matrix, drawn
//! as one; and that Luong et al. query with the new state, as `decoder = "conditional"` nearly does.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::plain::additive_energies;

use super::{Memory, Score, project};

/// Additive scores with one matrix.
#[derive(Module, Debug)]
pub struct Concat {
    /// W, `[n + 2n, n']`: the rows of the state come first.
    pub weight: Param<Tensor<2>>,
    /// v, `[n']`.
    pub energy_weight: Param<Tensor<1>>,
}

impl Concat {
    /// Scores with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        let hidden = config.attention_hidden;
        Self {
            weight: init.alignment(config.decoder_hidden + 2 * config.encoder_hidden, hidden),
            energy_weight: init.energy(hidden),
        }
    }
}

impl Score for Concat {
    fn keys(&self, annotations: Tensor<3>) -> Tensor<3> {
        let ([_, _, features], [rows, hidden]) = (annotations.dims(), self.weight.dims());
        project(annotations, self.weight.val().slice([rows - features..rows, 0..hidden]))
    }

    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        let ([_, n], [_, hidden]) = (query.dims(), self.weight.dims());
        let query = query.matmul(self.weight.val().slice([0..n, 0..hidden]));
        additive_energies(query, memory.keys.clone(), self.energy_weight.val())
    }
}
