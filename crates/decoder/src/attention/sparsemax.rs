//! Martins & Astudillo (2016): additive energies, whose nearest point on the simplex is the alignment.
//!
//! ```text
//! α_ij = max(e_ij - τ_i, 0)      with τ_i so that Σ_j α_ij = 1
//! ```
//!
//! Positions that are far behind the best get exactly 0.

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Additive, Attended, Draw, Kind, Memory, Past, Score};

/// Additive attention without a softmax.
#[derive(Module, Debug)]
pub struct Sparsemax {
    /// What gives the energies.
    pub additive: Additive,
}

impl Sparsemax {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { additive: Additive::new(config, init) }
    }
}

impl Kind for Sparsemax {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.additive.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, _draw: Option<&Draw>) -> Attended {
        memory.read(sparsemax(self.additive.energies(query, memory) + memory.bias.clone()))
    }
}

/// The nearest distribution to each row.
pub(super) fn sparsemax(energies: Tensor<2>) -> Tensor<2> {
    // It does not depend on their height; from 0 downwards, a weight of 1 is exact.
    let energies = energies.clone() - energies.max_dim(1).detach();
    let support = support(energies.clone().detach());
    let size = support.clone().sum_dim(1);
    // Within its support the function is linear, so that this has its gradient too.
    let threshold = ((energies.clone() * support).sum_dim(1) - 1.0) / size;
    (energies - threshold).clamp_min(0.0)
}

/// 1 where a row's distribution is not 0: at its k largest energies, for the largest k with 1 + k e_(k) > Σ_{l ≤ k} e_(l).
fn support(energies: Tensor<2>) -> Tensor<2> {
    let [_, src_len] = energies.dims();
    let ranks: Vec<f32> = (1..=src_len).map(|rank| rank as f32).collect();
    let ranks = Tensor::<1>::from_floats(ranks.as_slice(), &energies.device()).unsqueeze::<2>();
    let sorted = energies.clone().sort_descending(1);
    let counted = (sorted.clone() * ranks + 1.0).greater(sorted.clone().cumsum(1)).float();
    let size = counted.clone().sum_dim(1);
    let threshold = ((sorted * counted).sum_dim(1) - 1.0) / size;
    energies.greater(threshold).float()
}
