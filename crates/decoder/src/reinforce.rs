//! How attention that draws positions learns from what they came to: REINFORCE (Williams 1992; Xu et al. 2015, section 4.1).
//!
//! The gradient of the expected loss, over all positions that might have been drawn, is that of
//!
//! ```text
//! - Σ_i (log p(y_i) + (R_i - b m_i) log α_i(drawn))
//! ```
//!
//! on average, where R_i - b m_i is taken as a number. R_i is the sum of log p over the m_i target tokens from i on, which are all that
//! the position of step i can change; and b is a baseline, the moving average of log p of a token, which takes nothing from the mean
//! and much from the variance. A reward for the entropy of α is added, so that it goes on trying.

use burn::prelude::*;
use rnnsearch_config::AttentionOptions;

use crate::Loss;
use crate::attention::Hard;

/// What is added to a probability before its logarithm.
const TINY: f64 = 1e-20;

/// The positions that were drawn, and what came of them.
pub(crate) struct Tries {
    /// α, `[tgt_len, batch, src_len]`.
    pub alignments: Tensor<3>,
    /// 1 at the positions drawn, `[tgt_len, batch, src_len]`; 0 everywhere where the expectation was taken.
    pub picked: Tensor<3>,
    /// log p of the target tokens, 0 at padding, without gradient: `[tgt_len, batch]`.
    pub rewards: Tensor<2>,
    /// 1 at real target tokens, `[tgt_len, batch]`.
    pub real: Tensor<2>,
}

impl Tries {
    /// A loss from which α learns too.
    pub fn teach(self, loss: Loss, hard: &Hard, options: &AttentionOptions) -> Loss {
        let reward = (self.rewards.clone().sum() / self.real.clone().sum()).into_scalar::<f32>();
        let penalty = Some(self.penalty(hard.baseline.val().detach(), options));
        // What is not finite would stay in the average for ever.
        Loss { penalty, reward: reward.is_finite().then_some(f64::from(reward)), ..loss }
    }

    fn penalty(self, baseline: Tensor<1>, options: &AttentionOptions) -> Tensor<1> {
        let Self { alignments, picked, rewards, real } = self;
        let advantage = from_here_on(rewards - real.clone() * baseline.unsqueeze());
        let tried = picked.clone().sum_dim(2);
        // Where nothing was drawn, this is the logarithm of 1.
        let probability = (alignments.clone() * picked).sum_dim(2) + (tried.neg() + 1.0);
        let log_probs = (probability + TINY).log().squeeze_dim::<2>(2);
        let entropy = (alignments.clone() * (alignments + TINY).log()).sum_dim(2).neg().squeeze_dim::<2>(2);
        let reward = advantage * log_probs * options.reinforce_weight + entropy * options.entropy_weight;
        (reward * real).sum().neg()
    }
}

/// The sum of each position and all after it, `[tgt_len, batch]`.
fn from_here_on(values: Tensor<2>) -> Tensor<2> {
    values.clone().sum_dim(0) - values.clone().cumsum(0) + values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::Device;
    use rnnsearch_config::{Attention, Initialization, ModelConfig};

    use super::*;
    use crate::attention::Draw;
    use crate::embedding::Lookups;
    use crate::{Batch, Gradient, ModelSettings, Objective, RnnSearch, Source, Values, load_parameters, parameters};

    const WORDS: usize = 7;

    fn config() -> ModelConfig {
        ModelConfig {
            attention: Attention::Hard,
            embedding: 3,
            encoder_hidden: 2,
            decoder_hidden: 3,
            attention_hidden: 3,
            readout: 3,
            initialization: Initialization::Xavier,
            attention_options: AttentionOptions { entropy_weight: 0.0, ..AttentionOptions::default() },
            ..ModelConfig::default()
        }
    }

    fn settings() -> ModelSettings {
        ModelSettings { config: config(), source_words: WORDS, target_words: WORDS }
    }

    /// Large weights, and a baseline that is not 0.
    fn weights(device: &Device) -> BTreeMap<String, Values> {
        let mut all = parameters(&RnnSearch::new(&settings(), 5, device));
        all.values_mut().flat_map(|(_, values)| values).for_each(|value| *value *= 3.0);
        all.get_mut("attention.baseline").unwrap().1[0] = -1.3;
        all
    }

    fn model(weights: BTreeMap<String, Values>, device: &Device) -> RnnSearch {
        load_parameters(RnnSearch::blank(&settings(), device), weights).unwrap()
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    /// Two source words and three target words: the eight ways to look at them, one word a step.
    fn ways() -> impl Iterator<Item = Vec<Draw>> {
        // The first position is drawn by 0, and the last by what is nearly 1.
        let draw = |second: bool| Draw::Pick(vec![Some(if second { 0.999_999_9 } else { 0.0 })]);
        (0..8).map(move |way| (0..3).map(|step| draw(way >> step & 1 == 1)).collect())
    }

    fn batch(device: &Device) -> Batch {
        Batch::new(Source::new(&[4, 6], &[2], device), &[2, 5, 4], &[5, 4, 6], &[3], device)
    }

    /// The probability of a way, and the loss it leads to.
    fn outcome(model: &RnnSearch, way: &[Draw], device: &Device) -> (f64, f64) {
        let taught = model.teach(&batch(device), &config(), false, &mut Lookups::default(), None, way);
        let (alignments, picked) = (values(taught.alignments.unwrap()), values(taught.picked.unwrap()));
        let looked = alignments.iter().zip(&picked).filter(|(_, picked)| **picked == 1.0);
        let loss = model.loss_of_draws(&batch(device), &config(), &Objective::default(), None, way);
        (looked.map(|(weight, _)| f64::from(*weight)).product(), f64::from(values(loss.nats)[0]))
    }

    /// A direction in which all weights move.
    fn direction(name: &str, i: usize) -> f32 {
        ((i * 7919 + name.len() * 104_729) % 13) as f32 / 6.0 - 1.0
    }

    /// The mean gradient over all ways, by their probabilities, along the direction.
    fn mean_slope(reinforce_weight: f64, device: &Device) -> f64 {
        let mut config = config();
        config.attention_options.reinforce_weight = reinforce_weight;
        let model = model(weights(device), device);
        let of_way = |way: Vec<Draw>| {
            let loss = model.loss_of_draws(&batch(device), &config, &Objective::default(), None, &way);
            let along = |(name, gradient): (String, Gradient)| -> f64 {
                let (places, gradient): (Vec<usize>, Vec<f32>) = match gradient {
                    Gradient::Dense(all) => (0..).zip(values(all)).unzip(),
                    Gradient::Rows { rows, values: given } => {
                        rows.into_iter().flat_map(|row| row * 3..row * 3 + 3).zip(values(given)).unzip()
                    }
                };
                places.iter().zip(gradient).map(|(&i, g)| f64::from(g * direction(&name, i))).sum()
            };
            outcome(&model, &way, device).0 * loss.gradients(&model, 1).into_iter().map(along).sum::<f64>()
        };
        ways().map(of_way).sum()
    }

    /// The mean loss over all ways, with weights moved along the direction.
    fn expected_loss(by: f32, device: &Device) -> f64 {
        let mut moved = weights(device);
        for (name, (_, values)) in moved.iter_mut().filter(|(name, _)| *name != "attention.baseline") {
            values.iter_mut().enumerate().for_each(|(i, value)| *value += by * direction(name, i));
        }
        let moved = model(moved, device);
        let outcomes: Vec<(f64, f64)> = ways().map(|way| outcome(&moved, &way, device)).collect();
        let all: f64 = outcomes.iter().map(|(probability, _)| probability).sum();
        assert!((all - 1.0).abs() < 1e-5, "the ways are all there are: {all}");
        outcomes.iter().map(|(probability, loss)| probability * loss).sum()
    }

    #[test]
    fn the_mean_gradient_is_that_of_the_expected_loss() {
        let device = Device::flex().autodiff();
        let epsilon = 1e-3;
        let expected =
            (expected_loss(epsilon, &device) - expected_loss(-epsilon, &device)) / (2.0 * f64::from(epsilon));
        let slope = mean_slope(1.0, &device);
        assert!((expected - slope).abs() < 5e-3 * slope.abs().max(1.0), "{slope} instead of {expected}");
        // What was learned from the tries has a part in that.
        let without = mean_slope(0.0, &device);
        assert!((expected - without).abs() > 2e-2 * slope.abs().max(1.0), "{without} and {expected}");
        let model = model(weights(&device), &device);
        let of_expectation = model.loss_of_draws(&batch(&device), &config(), &Objective::default(), None, &[]);
        assert!(of_expectation.reward.is_none(), "what is not drawn is not rewarded");
    }

    #[test]
    fn sums_from_here_on_and_entropy() {
        let device = Device::flex();
        let values_of = Tensor::<2>::from_floats([[1.0, 5.0], [2.0, 0.0], [4.0, 0.0]], &device);
        assert_eq!(values(from_here_on(values_of)), [7.0, 5.0, 6.0, 0.0, 4.0, 0.0]);
        // One token, looked at with probability ½: the penalty is -(w_r (R - b) ln ½ + w_e ln 2), with R - b = -3 + 1.
        let tries = Tries {
            alignments: Tensor::from_floats([[[0.5, 0.5, 0.0]]], &device),
            picked: Tensor::from_floats([[[0.0, 1.0, 0.0]]], &device),
            rewards: Tensor::from_floats([[-3.0]], &device),
            real: Tensor::ones([1, 1], &device),
        };
        let options = AttentionOptions { reinforce_weight: 2.0, entropy_weight: 0.5, ..AttentionOptions::default() };
        let penalty = values(tries.penalty(Tensor::from_floats([-1.0], &device), &options))[0];
        let expected = -(2.0 * -2.0 * 0.5f32.ln() + 0.5 * 2f32.ln());
        assert!((penalty - expected).abs() < 1e-6, "{penalty} instead of {expected}");
    }
}
