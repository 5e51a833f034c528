//! Vaswani et al. (2017), section 3.2.2: scaled dot products of several projections side by side.
//!
//! ```text
//! e_ij^h = (W_q^h s)ᵀ (W_k^h h_j) / √size      α_i^h = softmax_j(e_ij^h)
//! c_i = W_o [Σ_j α_ij^1 W_v^1 h_j ; … ; Σ_j α_ij^H W_v^H h_j]
//! ```
//!
//! The alignment that is told is the mean of the heads'.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Attended, Draw, Kind, Memory, Past, project};

/// Several heads; n' are the units of all together, those of one head side by side.
#[derive(Module, Debug)]
pub struct Heads {
    /// W_q, `[n, n']`.
    pub query_weight: Param<Tensor<2>>,
    /// W_k, `[2n, n']`.
    pub key_weight: Param<Tensor<2>>,
    /// W_v, `[2n, n']`.
    pub value_weight: Param<Tensor<2>>,
    /// W_o, `[n', 2n]`.
    pub output_weight: Param<Tensor<2>>,
    /// H.
    pub heads: usize,
}

impl Heads {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        let (features, hidden) = (2 * config.encoder_hidden, config.attention_hidden);
        Self {
            query_weight: init.alignment(config.decoder_hidden, hidden),
            key_weight: init.alignment(features, hidden),
            value_weight: init.dense(features, hidden),
            output_weight: init.dense(hidden, features),
            heads: config.attention_options.heads,
        }
    }
}

impl Kind for Heads {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        (project(annotations.clone(), self.key_weight.val()), project(annotations, self.value_weight.val()))
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, _draw: Option<&Draw>) -> Attended {
        let [batch, src_len, hidden] = memory.keys.dims();
        let (heads, size) = (self.heads, hidden / self.heads);
        let query = query.matmul(self.query_weight.val()) / (size as f64).sqrt();
        let products = memory.keys.clone() * query.unsqueeze_dim::<3>(1);
        let energies = products.reshape([batch, src_len, heads, size]).sum_dim(3).reshape([batch, src_len, heads]);
        let weights = softmax(energies + memory.bias.clone().unsqueeze_dim::<3>(2), 1);
        let values = memory.values.clone().reshape([batch, src_len, heads, size]);
        let seen = (values * weights.clone().unsqueeze_dim::<4>(3)).sum_dim(1).reshape([batch, hidden]);
        Attended {
            context: seen.matmul(self.output_weight.val()),
            alignment: weights.mean_dim(2).reshape([batch, src_len]),
            picked: None,
        }
    }
}
