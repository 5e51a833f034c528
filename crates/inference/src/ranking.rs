//! By what translations are ranked.

use rnnsearch_config::{LengthForm, TranslationConfig};

/// How a translation is scored: (log_prob + word_reward · length) / norm(length) + coverage_penalty · coverage.
///
/// norm is length^α, or ((5 + length) / 6)^α where the form is that of GNMT (Wu et al. 2016, section 7); `</s>` counts as a
/// word. Coverage is GNMT's, see [`coverage_of`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranking {
    /// The form of the norm.
    pub length_form: LengthForm,
    /// α.
    pub length_penalty: f64,
    /// Added to log_prob for every word.
    pub word_reward: f64,
    /// β.
    pub coverage_penalty: f64,
}

impl From<&TranslationConfig> for Ranking {
    fn from(config: &TranslationConfig) -> Self {
        Self {
            length_form: config.length_form,
            length_penalty: config.length_penalty,
            word_reward: config.word_reward,
            coverage_penalty: config.coverage_penalty,
        }
    }
}

impl Ranking {
    /// The score of a translation.
    pub fn score(&self, log_prob: f64, length: usize, coverage: f64) -> f64 {
        let length = length as f64;
        let norm = match self.length_form {
            LengthForm::Power => length,
            LengthForm::Gnmt => (5.0 + length) / 6.0,
        };
        let covered = if self.coverage_penalty == 0.0 { 0.0 } else { self.coverage_penalty * coverage };
        (log_prob + self.word_reward * length) / norm.powf(self.length_penalty) + covered
    }

    /// What a translation that has this log_prob now can score at best, once it is longer: between these lengths.
    pub fn best_possible(&self, log_prob: f64, lengths: std::ops::RangeInclusive<usize>) -> f64 {
        // Between its ends the score has no maximum that is higher, but for rewards: then every length is tried.
        let (first, last) = (*lengths.start(), *lengths.end());
        let score = |length| self.score(log_prob, length, 0.0);
        match self.word_reward == 0.0 {
            true => score(first).max(score(last)),
            false => lengths.map(score).fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Σ_j ln min(Σ_i α_ij, 1) over source tokens: 0 where each got a whole word's attention, less the more was passed over. A token that
/// got next to none counts as one that got 1e-10. Without rows, 0.
pub fn coverage_of(alignment: &[Vec<f32>]) -> f64 {
    let width = alignment.first().map_or(0, Vec::len);
    let of_token = |j: usize| alignment.iter().map(|row| f64::from(row[j])).sum::<f64>();
    (0..width).map(|j| of_token(j).clamp(1e-10, 1.0).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Ranking =
        Ranking { length_form: LengthForm::Power, length_penalty: 1.0, word_reward: 0.0, coverage_penalty: 0.0 };

    #[test]
    fn scores_are_those_of_the_formula() {
        assert_eq!(PLAIN.score(-6.0, 4, -3.0), -1.5);
        assert_eq!(Ranking { length_penalty: 0.0, ..PLAIN }.score(-6.0, 4, -3.0), -6.0);
        let gnmt = Ranking { length_form: LengthForm::Gnmt, length_penalty: 0.5, ..PLAIN };
        assert_eq!(gnmt.score(-6.0, 19, 0.0), -3.0);
        assert_eq!(Ranking { word_reward: 0.5, ..PLAIN }.score(-6.0, 4, 0.0), -1.0);
        assert_eq!(Ranking { coverage_penalty: 0.2, ..PLAIN }.score(-6.0, 4, -3.0), -2.1);
    }

    #[test]
    fn coverage_counts_what_was_passed_over() {
        assert_eq!(coverage_of(&[]), 0.0);
        let rows = [vec![0.75, 0.25, 0.0], vec![0.5, 0.25, 0.0]];
        assert!((coverage_of(&rows) - (0.5f64.ln() + 1e-10f64.ln())).abs() < 1e-9);
    }

    #[test]
    fn nothing_beats_what_is_possible() {
        for length_form in [LengthForm::Power, LengthForm::Gnmt] {
            for (length_penalty, word_reward) in [(0.0, 0.0), (1.0, 0.0), (0.6, 0.7), (2.0, 3.0), (0.0, 0.1)] {
                let ranking = Ranking { length_form, length_penalty, word_reward, coverage_penalty: 0.3 };
                let best = ranking.best_possible(-7.0, 3..=30);
                assert!((3..=30).all(|length| ranking.score(-7.0, length, 0.0) <= best));
                assert!((3..=30).any(|length| ranking.score(-7.5, length, -0.1) <= best));
            }
        }
    }
}
