//! Raffel et al. (2017): attention that goes from left to right, and looks at one position a step.
//!
//! Beginning at the position of the last step, each is taken with probability p_ij, else left for good:
//!
//! ```text
//! p_ij = sigmoid(g vᵀ/‖v‖ tanh(W s + U h_j + b) + r)
//! α_ij = p_ij Σ_{k ≤ j} α_{i-1,k} Π_{k ≤ l < j} (1 - p_il)      α_0 = the first position
//! ```
//!
//! While training α is this expectation, with noise added to the energies so that they learn to be far from 0. At any other time a
//! position is taken where p_ij ≥ ½, which is the same formula with p_ij 0 or 1. If none is taken, the context is 0, and so are all
//! after it. The products are computed as sums of logarithms, which need no limits to be stable.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::Dropout;

use super::normed::Normed;
use super::{Attended, Draw, Kind, Memory, Past, Score};

/// What r begins as. Below 0, as in the paper, suits sources much longer than their targets; a translation is about as long as its
/// source, and a small model that began with -1 left the source behind within a few words and never learned to look.
const FIRST_OFFSET: f64 = 1.0;

/// An energy whose sigmoid is 0 or 1.
const SURE: f64 = 1e4;

/// What is added to the logarithm of a product that is not there.
const NEVER: f64 = -1e9;

/// Normed additive energies of taking a position.
#[derive(Module, Debug)]
pub struct Monotonic {
    /// What gives the energies.
    pub normed: Normed,
    /// r, `[1]`.
    pub offset: Param<Tensor<1>>,
}

impl Monotonic {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { normed: Normed::new(config, init), offset: init.filled(1, FIRST_OFFSET) }
    }
}

impl Kind for Monotonic {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.normed.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, past: &Past, draw: Option<&Draw>) -> Attended {
        let energies = self.normed.energies(query, memory) + self.offset.val().unsqueeze();
        let energies = match draw {
            Some(Draw::Noise(noise)) => energies + noise.clone(),
            _ => energies.greater_equal_elem(0.0).float() * (2.0 * SURE) - SURE,
        };
        let before = past.alignment.clone().unwrap_or_else(|| memory.first());
        memory.read(expected(energies, before, memory))
    }
}

impl Memory {
    /// All weight on the first position, `[batch, src_len]`.
    fn first(&self) -> Tensor<2> {
        let [batch, _] = self.real.dims();
        self.positions().equal_elem(0.0).float().repeat_dim(0, batch)
    }
}

/// α_i from the energies of step i and α_{i-1}.
fn expected(energies: Tensor<2>, before: Tensor<2>, memory: &Memory) -> Tensor<2> {
    let ([batch, src_len], device) = (energies.dims(), energies.device());
    let upper = |diagonal| Tensor::<2>::ones([src_len, src_len], &device).triu(diagonal);
    // log Π_{l < j} (1 - p_il), and from it that of k ≤ l < j, `[batch, k, j]`.
    let left = log_sigmoid(energies.clone().neg()).matmul(upper(1));
    let between = left.clone().unsqueeze_dim::<3>(1) - left.unsqueeze_dim::<3>(2);
    let backward = (upper(0).neg() + 1.0) * NEVER;
    let reached = before.unsqueeze_dim::<3>(1).matmul((between + backward.unsqueeze()).exp());
    sigmoid(energies) * reached.reshape([batch, src_len]) * memory.real.clone()
}

/// Noise for every step, `[tgt_len, batch, src_len]`.
pub(super) fn draws([tgt_len, batch, src_len]: [usize; 3], random: &mut Dropout, device: &Device) -> Vec<Draw> {
    (0..tgt_len).map(|_| Draw::Noise(random.normal([batch, src_len], device))).collect()
}
