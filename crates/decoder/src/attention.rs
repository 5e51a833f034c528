//! Additive attention: which source positions the next target word needs.
//!
//! Bahdanau et al. (2015), sections 3.1 and A.1.2:
//!
//! ```text
//! e_ij = v_aᵀ tanh(W_a s_{i-1} + U_a h_j)    energy
//! α_ij = softmax_j(e_ij)                     alignment
//! c_i  = Σ_j α_ij h_j                        context
//! ```
//!
//! The query is the *previous* state. U_a h_j is fixed for a sentence, so [`Attention::prepare`] computes it once and the
//! caller keeps it in [`Memory`].

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::{AttentionWeights, Memory, Padding, linear};

/// The alignment model.
#[derive(Module, Debug)]
pub struct Attention {
    /// W_a, `[n, n']`.
    pub query_weight: Param<Tensor<2>>,
    /// U_a, `[2n, n']`.
    pub key_weight: Param<Tensor<2>>,
    /// v_a, `[n']`.
    pub energy_weight: Param<Tensor<1>>,
}

impl Attention {
    /// An alignment model with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            query_weight: init.alignment(config.decoder_hidden, config.attention_hidden),
            key_weight: init.alignment(2 * config.encoder_hidden, config.attention_hidden),
            energy_weight: init.energy(config.attention_hidden),
        }
    }

    /// Computes all that is fixed for a batch of sources, from annotations `[src_len, batch, 2n]`.
    pub fn prepare(&self, annotations: Tensor<3>, padding: &Padding) -> Memory {
        let annotations = annotations.swap_dims(0, 1);
        let [batch, src_len, features] = annotations.dims();
        let rows = annotations.clone().reshape([batch * src_len, features]);
        let keys = linear(rows, self.key_weight.val(), None);
        let [_, size] = keys.dims();
        Memory { annotations, keys: keys.reshape([batch, src_len, size]), bias: padding.energy_bias() }
    }

    /// The weights a step needs; `context` is how the decoder takes the context in, `[2n, 3n]`.
    pub fn weights(&self, context: &Param<Tensor<2>>) -> AttentionWeights {
        AttentionWeights { query: self.query_weight.val(), energy: self.energy_weight.val(), context: context.val() }
    }
}
