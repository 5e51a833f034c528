//! Xu et al. (2015), section 4.1: attention that looks at one position, c_i = h_j with probability α_ij. Energies are additive.
//!
//! While training the position is drawn; for half of the sentences the expectation Σ_j α_ij h_j is taken instead, as in the paper,
//! which calms the learning. α itself learns by REINFORCE: see `reinforce`. At any other time the most probable position
//! is looked at. The alignment that is told is α, also where a single position was looked at.

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::softmax;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;
use rnnsearch_kernels::Dropout;

use super::{Additive, Attended, Draw, Kind, Memory, Past, Score};

/// The share of the old baseline in the new one, as in the paper.
const INERTIA: f64 = 0.9;

/// Additive energies, from which a position is drawn.
#[derive(Module, Debug)]
pub struct Hard {
    /// What gives the energies.
    pub additive: Additive,
    /// The moving average of log p of a target token, `[1]`. It is no weight: nothing learns it, but it goes where weights go.
    pub baseline: Param<Tensor<1>>,
}

impl Hard {
    /// Attention with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self { additive: Additive::new(config, init), baseline: init.zeros(1).set_require_grad(false) }
    }

    /// With the moving average moved towards the mean log p of a batch's target tokens.
    pub fn rewarded(mut self, reward: f64) -> Self {
        let moved = |old: Tensor<1>| (old * INERTIA + reward * (1.0 - INERTIA)).set_require_grad(false);
        self.baseline = self.baseline.map(moved);
        self
    }
}

impl Kind for Hard {
    fn prepare(&self, annotations: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        self.additive.prepare(annotations)
    }

    fn attend(&self, query: Tensor<2>, memory: &Memory, _past: &Past, draw: Option<&Draw>) -> Attended {
        let alignment = softmax(self.additive.energies(query, memory) + memory.bias.clone(), 1);
        let picked = pick(&alignment, draw);
        let expected = alignment.clone() * (picked.clone().sum_dim(1).neg() + 1.0);
        let read = memory.read(picked.clone() + expected);
        Attended { alignment, picked: draw.map(|_| picked), ..read }
    }
}

/// 1 at a position for each row: the one drawn, or, where nothing is to be drawn, the most probable; 0 everywhere in rows that take
/// the expectation.
fn pick(alignment: &Tensor<2>, draw: Option<&Draw>) -> Tensor<2> {
    let [batch, src_len] = alignment.dims();
    let weights = alignment.clone().detach().try_into_vec_as::<f32>().expect("an alignment can be read");
    let mut picked = vec![0f32; batch * src_len];
    for (row, weights) in weights.chunks_exact(src_len).enumerate() {
        let position = match draw {
            Some(Draw::Pick(numbers)) => numbers[row].map(|number| drawn(weights, number)),
            _ => Some(most_probable(weights)),
        };
        if let Some(position) = position {
            picked[row * src_len + position] = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(picked, [batch, src_len]), &alignment.device())
}

fn most_probable(weights: &[f32]) -> usize {
    (1..weights.len()).fold(0, |best, position| if weights[position] > weights[best] { position } else { best })
}

/// The position where the sum of the weights first exceeds a number from [0, 1).
fn drawn(weights: &[f32], number: f32) -> usize {
    let mut sum = 0.0;
    let exceeds = weights.iter().position(|weight| {
        sum += weight;
        sum > number
    });
    // The sum of all may be a little less than 1.
    let last = || weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
    exceeds.unwrap_or_else(last)
}

/// A number for every step of half the sentences, `[tgt_len, batch, _]`.
pub(super) fn draws([tgt_len, batch, _]: [usize; 3], random: &mut Dropout) -> Vec<Draw> {
    let tries: Vec<bool> = random.uniform(batch).into_iter().map(|number| number < 0.5).collect();
    let step = |random: &mut Dropout| {
        let numbers = random.uniform(batch).into_iter().zip(&tries);
        Draw::Pick(numbers.map(|(number, tries)| tries.then_some(number)).collect())
    };
    (0..tgt_len).map(|_| step(random)).collect()
}
