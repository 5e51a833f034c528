//! Sukhbaatar et al. (2015): several looks a step, each asking with what the last one found.
//!
//! ```text
//! q_1 = W_a s      e_ij^k = v_aᵀ tanh(q_k + U_a h_j)      q_{k+1} = q_k + W_c c_i^k
//! ```
//!
//! The energies are additive, with the same weights in every hop. Context and alignment are those of the last.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Additive, Attended, Draw, Kind, Memory, Past};

/// Additive attention that looks again.
#[derive(Module, Debug)]
pub struct Hops {
    /// What gives the energies.
    pub additive: Additive,
    /// W_c, `[2n, n']`; none where there is but one hop.
    pub context_weight: Option<Param<Tensor<2>>>,
    /// How many looks there are.
    pub hops: usize,
}

impl Hops {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        let hops = config.attention_options.hops;
        Self {
            additive: Additive::new(config, init),
            context_weight: (hops > 1).then(|| init.alignment(2 * config.encoder_hidden, config.attention_hidden)),
            hops,
        }
    }
}

impl Kind for Hops {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.additive.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, _draw: Option<&Draw>) -> Attended {
        let mut query = self.additive.project_query(query);
        let look = |query: &Tensor<2>| {
            let energies = self.additive.projected_energies(query.clone(), memory.keys.clone());
            memory.read(softmax(energies + memory.bias.clone(), 1))
        };
        let mut attended = look(&query);
        for weight in std::iter::repeat_n(&self.context_weight, self.hops - 1).flatten() {
            query = query + attended.context.matmul(weight.val());
            attended = look(&query);
        }
        attended
    }
}
