//! Luong et al. (2015), location: e_i = W s, an energy a position, whatever word stands there.
//!
//! W has a row for so many positions; all further ones have the energy of its last.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Memory, Score};

/// Energies from the state alone.
#[derive(Module, Debug)]
pub struct Location {
    /// Wᵀ, `[n, positions]`.
    pub weight: Param<Tensor<2>>,
}

impl Location {
    /// Scores with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { weight: init.alignment(config.decoder_hidden, config.attention_options.positions) }
    }
}

impl Score for Location {
    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        let ([batch, src_len], [_, positions]) = (memory.bias.dims(), self.weight.dims());
        let energies = query.matmul(self.weight.val());
        if src_len <= positions {
            return energies.slice([0..batch, 0..src_len]);
        }
        let last = energies.clone().slice([0..batch, positions - 1..positions]);
        Tensor::cat(vec![energies, last.repeat_dim(1, src_len - positions)], 1)
    }
}
