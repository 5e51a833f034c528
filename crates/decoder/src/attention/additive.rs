//! Bahdanau et al. (2015), sections 3.1 and A.1.2: e_ij = v_aᵀ tanh(W_a s + U_a h_j).

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::AttentionWeights;
use rnnsearch_kernels::plain::additive_energies;

use super::{Memory, Score, project};

/// The alignment model of the paper.
#[derive(Module, Debug)]
pub struct Additive {
    /// W_a, `[n, n']`.
    pub query_weight: Param<Tensor<2>>,
    /// U_a, `[2n, n']`.
    pub key_weight: Param<Tensor<2>>,
    /// v_a, `[n']`.
    pub energy_weight: Param<Tensor<1>>,
}

impl Additive {
    /// An alignment model with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            query_weight: init.alignment(config.decoder_hidden, config.attention_hidden),
            key_weight: init.alignment(2 * config.encoder_hidden, config.attention_hidden),
            energy_weight: init.energy(config.attention_hidden),
        }
    }

    /// The weights of a fused step; `context` is how the decoder takes the context in, `[2n, 3n]`, and `context_gain` that of the product
    /// with it, `[3n]`.
    pub fn weights(&self, context: Tensor<2>, context_gain: Option<Tensor<1>>) -> AttentionWeights {
        AttentionWeights { query: self.query_weight.val(), energy: self.energy_weight.val(), context, context_gain }
    }

    /// W_a s, `[batch, n']`.
    pub fn project_query(&self, query: Tensor<2>) -> Tensor<2> {
        query.matmul(self.query_weight.val())
    }

    /// The energies of a query and of keys that are projected already.
    pub fn projected_energies(&self, query: Tensor<2>, keys: Tensor<3>) -> Tensor<2> {
        additive_energies(query, keys, self.energy_weight.val())
    }
}

impl Score for Additive {
    fn keys(&self, annotations: Tensor<3>) -> Tensor<3> {
        project(annotations, self.key_weight.val())
    }

    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        self.projected_energies(self.project_query(query), memory.keys.clone())
    }
}
