//! Tu et al. (2016), linguistic coverage: additive energies that know how much of a word the steps before have translated.
//!
//! ```text
//! e_ij = v_aᵀ tanh(W_a s + U_a h_j + V_a C_{i-1,j})
//! C_ij = C_{i-1,j} + α_ij / Φ_j      C_0j = 0
//! Φ_j  = N σ(U_f h_j)                the fertility: so many words translate word j
//! ```
//!
//! As Φ_j is fixed for a sentence, C_{i-1,j} is (Σ_{k<i} α_kj) / Φ_j, and the sum is all that a step has to know of those before it.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::{sigmoid, softmax};
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Additive, Attended, Draw, Kind, Memory, Past, project};

/// Additive attention that knows what it has looked at.
#[derive(Module, Debug)]
pub struct Coverage {
    /// What gives the energies.
    pub additive: Additive,
    /// V_a, `[1, n']`.
    pub coverage_weight: Param<Tensor<2>>,
    /// U_f, `[2n, 1]`.
    pub fertility_weight: Param<Tensor<2>>,
    /// N, the most words that translate one.
    pub max_fertility: f64,
}

impl Coverage {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            additive: Additive::new(config, init),
            coverage_weight: init.alignment(1, config.attention_hidden),
            fertility_weight: init.dense(2 * config.encoder_hidden, 1),
            max_fertility: config.attention_options.max_fertility,
        }
    }
}

impl Kind for Coverage {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.additive.prepare(annotations)
    }

    fn fertilities(&self, annotations: Tensor<3>) -> Option<Tensor<2>> {
        let [batch, src_len, _] = annotations.dims();
        let scores = project(annotations, self.fertility_weight.val()).reshape([batch, src_len]);
        Some(sigmoid(scores) * self.max_fertility)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, past: &Past, _draw: Option<&Draw>) -> Attended {
        let query = self.additive.project_query(query);
        let energies = match (&past.looked, &memory.fertilities) {
            (Some(looked), Some(fertilities)) => {
                let coverage = (looked.clone() / fertilities.clone()).unsqueeze_dim::<3>(2);
                let keys = memory.keys.clone() + coverage * self.coverage_weight.val().unsqueeze::<3>();
                self.additive.projected_energies(query, keys)
            }
            _ => self.additive.projected_energies(query, memory.keys.clone()),
        };
        memory.read(softmax(energies + memory.bias.clone(), 1))
    }
}
