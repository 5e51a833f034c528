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
        let objective = loss.objective + self.penalty(hard.baseline.val().detach(), options);
        // What is not finite would stay in the average for ever.
        Loss { objective, reward: reward.is_finite().then_some(f64::from(reward)), ..loss }
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
