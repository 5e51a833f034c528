//! Raffel et al. (2017), equation 16: e_ij = g vᵀ/‖v‖ tanh(W s + U h_j + b).
//!
//! The length of v is learned apart from its direction, so that the energies' range is one number. The paper's further
//! summand r is the same for all positions, which a softmax does not see; `monotonic` has it.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::plain::additive_energies;

use super::{Memory, Score, project};

/// Additive scores with a normed v.
#[derive(Module, Debug)]
pub struct Normed {
    /// W, `[n, n']`.
    pub query_weight: Param<Tensor<2>>,
    /// U, `[2n, n']`.
    pub key_weight: Param<Tensor<2>>,
    /// b, `[n']`.
    pub bias: Param<Tensor<1>>,
    /// v, `[n', 1]`.
    pub direction: Param<Tensor<2>>,
    /// g, `[1]`.
    pub scale: Param<Tensor<1>>,
}

impl Normed {
    /// Scores with weights drawn by `init`; g begins as 1/√n', as in the paper.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        let hidden = config.attention_hidden;
        Self {
            query_weight: init.alignment(config.decoder_hidden, hidden),
            key_weight: init.alignment(2 * config.encoder_hidden, hidden),
            bias: init.zeros(hidden),
            direction: init.dense(hidden, 1),
            scale: init.filled(1, 1.0 / (hidden as f64).sqrt()),
        }
    }
}

impl Score for Normed {
    fn keys(&self, annotations: Tensor<3>) -> Tensor<3> {
        project(annotations, self.key_weight.val())
    }

    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        let direction = self.direction.val().squeeze_dim::<1>(1);
        let length = direction.clone().powi_scalar(2).sum().sqrt();
        let query = query.matmul(self.query_weight.val()) + self.bias.val().unsqueeze();
        additive_energies(query, memory.keys.clone(), direction * self.scale.val() / length)
    }
}
