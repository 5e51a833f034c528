//! Luong et al. (2015), general: e_ij = sᵀ W h_j.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Memory, Score, dot};

/// Dot products of annotations with a projection of the state.
#[derive(Module, Debug)]
pub struct General {
    /// W, `[n, 2n]`.
    pub query_weight: Param<Tensor<2>>,
}

impl General {
    /// Scores with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { query_weight: init.alignment(config.decoder_hidden, 2 * config.encoder_hidden) }
    }
}

impl Score for General {
    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        dot(query.matmul(self.query_weight.val()), memory.keys.clone())
    }
}
