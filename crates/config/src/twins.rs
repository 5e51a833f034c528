//! Pairs that are in their batch twice.

use crate::settings::{DropoutConfig, TrainingConfig};

impl TrainingConfig {
    /// How often each pair is in its batch.
    pub fn copies(&self) -> usize {
        if self.r_drop > 0.0 { 2 } else { 1 }
    }
}

impl DropoutConfig {
    /// Whether anything is dropped.
    pub fn any(&self) -> bool {
        let Self { embedding, recurrent, hidden, readout, source_words, target_words, variational: _ } = *self;
        [embedding, recurrent, hidden, readout, source_words, target_words].iter().any(|rate| *rate > 0.0)
    }
}
