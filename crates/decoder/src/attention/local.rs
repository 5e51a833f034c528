//! Luong et al. (2015), section 3.2: attention within a window of D positions to each side of p_i.
//!
//! ```text
//! local-m: p_i = i                                α_ij = softmax_j(sᵀ W h_j)
//! local-p: p_i = S · sigmoid(vᵀ tanh(W_p s))      α_ij = softmax_j(sᵀ W h_j) exp(-(j - p_i)² / 2σ²), σ = D / 2
//! ```
//!
//! The softmax is over the window. Positions are counted from 0, S is the number of the source's tokens, and p_i of local-m stays at
//! the last token once it is there. As in the paper, the weights of local-p are not scaled to sum to 1 again.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::{sigmoid, softmax};
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::general::General;
use super::{Attended, Draw, Kind, Memory, Past, Score};

/// What is added to energies beyond the window: no weight is left there, unless links forbid all that is within.
const OUTSIDE: f64 = -1e5;

/// A window that goes along with the target.
#[derive(Module, Debug)]
pub struct LocalM {
    /// What gives the energies.
    pub general: General,
    /// D.
    pub window: usize,
}

/// A window around a predicted position.
#[derive(Module, Debug)]
pub struct LocalP {
    /// What gives the energies.
    pub general: General,
    /// W_p, `[n, n']`.
    pub position_weight: Param<Tensor<2>>,
    /// v, `[n', 1]`.
    pub position_energy: Param<Tensor<2>>,
    /// D.
    pub window: usize,
}

impl LocalM {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { general: General::new(config, init), window: config.attention_options.window }
    }
}

impl Kind for LocalM {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.general.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, past: &Past, _draw: Option<&Draw>) -> Attended {
        let center = (memory.lengths() - 1.0).clamp_max(past.steps as f64);
        memory.read(within(self.window, self.general.energies(query, memory), memory.positions() - center, memory))
    }
}

impl LocalP {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            general: General::new(config, init),
            position_weight: init.dense(config.decoder_hidden, config.attention_hidden),
            position_energy: init.dense(config.attention_hidden, 1),
            window: config.attention_options.window,
        }
    }
}

impl Kind for LocalP {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.general.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, _draw: Option<&Draw>) -> Attended {
        let hidden = query.clone().matmul(self.position_weight.val()).tanh();
        let center = sigmoid(hidden.matmul(self.position_energy.val())) * memory.lengths();
        let distance = memory.positions() - center;
        let alignment = within(self.window, self.general.energies(query, memory), distance.clone().detach(), memory);
        let deviation = self.window as f64 / 2.0;
        memory.read(alignment * (distance.powi_scalar(2) / (-2.0 * deviation * deviation)).exp())
    }
}

/// The softmax of energies over the positions whose `distance` is within the window.
fn within(window: usize, energies: Tensor<2>, distance: Tensor<2>, memory: &Memory) -> Tensor<2> {
    let outside = distance.abs().greater_elem(window as f64).float() * OUTSIDE;
    softmax(energies + outside + memory.bias.clone(), 1)
}
