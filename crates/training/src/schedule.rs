//! How the learning rate changes.

use rnnsearch_config::{ScheduleConfig, ScheduleKind};
use serde::{Deserialize, Serialize};

use crate::exact;

/// The learning rate over time. Its state is saved with a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    /// What `plateau` has multiplied the rate by so far.
    #[serde(with = "exact")]
    factor: f64,
    /// Validations since the last better score.
    bad: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { factor: 1.0, bad: 0 }
    }
}

impl Schedule {
    /// The rate of an update, the first being 1.
    pub fn rate(&self, config: &ScheduleConfig, initial: f64, update: u64) -> f64 {
        let (update, warmup) = (update as f64, config.warmup as f64);
        let warm = if config.warmup == 0 { 1.0 } else { (update / warmup).min(1.0) };
        let fallen = match config.kind {
            ScheduleKind::Constant => return initial * warm,
            ScheduleKind::InverseSquareRoot => (warmup.max(1.0) / update.max(warmup.max(1.0))).sqrt(),
            ScheduleKind::Plateau => self.factor,
        };
        warm * (initial * fallen).max(config.min_learning_rate.min(initial))
    }

    /// Takes note of a validation. Returns whether the rate falls.
    pub fn validated(&mut self, config: &ScheduleConfig, better: bool) -> bool {
        self.bad = if better { 0 } else { self.bad + 1 };
        let falls = config.kind == ScheduleKind::Plateau && self.bad > config.patience;
        if falls {
            self.factor *= config.factor;
            self.bad = 0;
        }
        falls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: ScheduleKind, warmup: u64) -> ScheduleConfig {
        ScheduleConfig { kind, warmup, factor: 0.5, patience: 1, min_learning_rate: 0.3 }
    }

    #[test]
    fn the_rate_rises_linearly_then_stays() {
        let config = config(ScheduleKind::Constant, 4);
        let rates: Vec<f64> = (1..=6).map(|update| Schedule::default().rate(&config, 2.0, update)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn the_rate_falls_with_the_root_down_to_its_minimum() {
        let config = config(ScheduleKind::InverseSquareRoot, 4);
        let rate = |update| Schedule::default().rate(&config, 2.0, update);
        assert_eq!((rate(2), rate(4), rate(16), rate(64), rate(1_000_000)), (1.0, 2.0, 1.0, 0.5, 0.3));
    }

    #[test]
    fn the_rate_halves_after_too_many_bad_validations() {
        let config = config(ScheduleKind::Plateau, 0);
        let mut schedule = Schedule::default();
        let falls: Vec<bool> =
            [true, false, false, false, true, false].map(|better| schedule.validated(&config, better)).into();
        assert_eq!(falls, [false, false, true, false, false, false]);
        assert_eq!(schedule.rate(&config, 2.0, 9), 1.0);
    }
}
