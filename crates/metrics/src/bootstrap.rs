//! How far a score can be trusted: bootstrap resampling (Koehn, 2004).
//!
//! Test sets of the same kind are made up by drawing sentences from the given one, with replacement. The middle 95 % of
//! their scores are a confidence interval. If two systems translated the same sentences, drawing the same sentences for both
//! tells a real difference from luck far better than two separate intervals do.

use crate::corpus::{sentence_statistics, sum};
use crate::{CorpusMetric, MetricError};
use std::fmt;

/// How to resample; the default draws 1000 test sets with sacreBLEU's seed, 12345.
///
/// The procedure is sacreBLEU's. The random numbers are not, so the last digits differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many test sets to draw.
    pub resamples: usize,
    /// The same seed gives the same numbers.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, seed: 12345 }
    }
}

impl Bootstrap {
    /// The score of `hypotheses` with its confidence interval.
    ///
    /// # Errors
    ///
    /// If the lists are empty or of unequal length, or no resamples are asked for.
    pub fn interval<M: CorpusMetric, H: AsRef<str>, R: AsRef<str>>(
        &self,
        metric: &M,
        hypotheses: &[H],
        references: &[R],
    ) -> Result<Interval, MetricError> {
        self.interval_of(metric, &sentence_statistics(metric, hypotheses, references)?)
    }

    /// The score of sentences, at least one, with its confidence interval; fails if no resamples are asked for.
    pub(crate) fn interval_of<M: CorpusMetric>(
        &self,
        metric: &M,
        sentences: &[M::Statistics],
    ) -> Result<Interval, MetricError> {
        let samples = self.resample(sentences.len(), |drawn| score_of(metric, sentences, drawn))?;
        Ok(Interval::new(metric.score(&sum(sentences)), samples))
    }

    /// Compares a system with a baseline that translated the same sentences.
    ///
    /// # Errors
    ///
    /// If the lists are empty or of unequal length, or no resamples are asked for.
    pub fn compare<M: CorpusMetric, B: AsRef<str>, H: AsRef<str>, R: AsRef<str>>(
        &self,
        metric: &M,
        baseline: &[B],
        system: &[H],
        references: &[R],
    ) -> Result<Comparison, MetricError> {
        let baseline = sentence_statistics(metric, baseline, references)?;
        let system = sentence_statistics(metric, system, references)?;
        let both = |drawn: &[usize]| (score_of(metric, &baseline, drawn), score_of(metric, &system, drawn));
        let samples = self.resample(system.len(), both)?;
        Ok(Comparison::new(metric.score(&sum(&baseline)), metric.score(&sum(&system)), &samples))
    }

    /// What `score` makes of each drawn test set, a list of sentence numbers below `sentences`.
    fn resample<T>(&self, sentences: usize, score: impl Fn(&[usize]) -> T) -> Result<Vec<T>, MetricError> {
        if self.resamples == 0 {
            return Err(MetricError::NoResamples);
        }
        let mut random = SplitMix64(self.seed);
        let mut drawn = vec![0; sentences];
        let draw_and_score = |_| {
            drawn.fill_with(|| random.below(sentences));
            score(&drawn)
        };
        Ok((0..self.resamples).map(draw_and_score).collect())
    }
}

/// The corpus score of the drawn sentences.
fn score_of<M: CorpusMetric>(metric: &M, sentences: &[M::Statistics], drawn: &[usize]) -> f64 {
    metric.score(&sum(drawn.iter().map(|&i| &sentences[i])))
}

/// A score and the interval that holds 95 % of its resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The score of the test set itself.
    pub score: f64,
    /// The mean of the resamples.
    pub mean: f64,
    /// 2.5 % of the resamples are below.
    pub lower: f64,
    /// 2.5 % of the resamples are above.
    pub upper: f64,
}

impl Interval {
    /// `samples` must not be empty.
    fn new(score: f64, mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        let tail = samples.len() / 40;
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        Self { score, mean, lower: samples[tail], upper: samples[samples.len() - 1 - tail] }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} (95 %: {:.2} to {:.2})", self.score, self.lower, self.upper)
    }
}

/// Two systems on the same test set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The baseline's score.
    pub baseline: Interval,
    /// The system's score.
    pub system: Interval,
    /// The system's score less the baseline's. An interval without 0 is a real difference.
    pub difference: Interval,
    /// The probability of such a difference, in either direction, between systems that are equally good.
    pub p_value: f64,
}

impl Comparison {
    fn new(baseline: f64, system: f64, samples: &[(f64, f64)]) -> Self {
        let of = |value: fn(&(f64, f64)) -> f64| samples.iter().map(value).collect::<Vec<f64>>();
        let difference = Interval::new(system - baseline, of(|(b, s)| s - b));
        Self {
            baseline: Interval::new(baseline, of(|(b, _)| *b)),
            system: Interval::new(system, of(|(_, s)| *s)),
            p_value: p_value(difference.score.abs(), &of(|(b, s)| (s - b).abs())),
            difference,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { baseline, system, difference, p_value } = self;
        write!(f, "{system} against {baseline}: difference {difference}, p = {p_value:.4}")
    }
}

/// How often differences stray from their mean by more than the difference found, as sacreBLEU and Moses count it.
fn p_value(found: f64, differences: &[f64]) -> f64 {
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let above = differences.iter().filter(|&&difference| difference - mean > found).count();
    (above + 1) as f64 / (differences.len() + 1) as f64
}

/// Steele, Lea & Flood's generator: a dozen operations that no new version of a library will change.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, uniform to one part in 2^64 / `limit`.
    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BleuOptions, ChrfOptions, bleu};

    const HYPOTHESES: [&str; 4] =
        ["the red house stands", "a dog runs over the field", "we saw rain", "old birds sing in trees at night"];
    const REFERENCES: [&str; 4] = [
        "the red house stands there",
        "a dog ran over the field",
        "we saw the rain",
        "old birds sing in the trees at night",
    ];

    #[test]
    fn a_drawn_test_set_scores_like_its_text() {
        let drawn = [2, 0, 0, 3];
        let options = BleuOptions::default();
        let sentences = sentence_statistics(&options, &HYPOTHESES, &REFERENCES).unwrap();
        let text = bleu(&drawn.map(|i| HYPOTHESES[i]), &drawn.map(|i| REFERENCES[i]), &options).unwrap();
        assert_eq!(score_of(&options, &sentences, &drawn), text.score);
    }

    #[test]
    fn the_interval_cuts_a_fortieth_off_each_end() {
        let samples = (0..80).rev().map(f64::from).collect();
        let interval = Interval::new(40.0, samples);
        assert_eq!(interval, Interval { score: 40.0, mean: 39.5, lower: 2.0, upper: 77.0 });
        assert_eq!(interval.to_string(), "40.00 (95 %: 2.00 to 77.00)");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let interval = |seed| {
            let bootstrap = Bootstrap { resamples: 200, seed };
            bootstrap.interval(&ChrfOptions::default(), &HYPOTHESES, &REFERENCES).unwrap()
        };
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
        assert!(interval(1).lower < interval(1).score && interval(1).score < interval(1).upper);
    }

    #[test]
    fn a_system_does_not_differ_from_itself() {
        let compare = |baseline, system| {
            Bootstrap::default().compare(&ChrfOptions::default(), baseline, system, &REFERENCES).unwrap()
        };
        let same = compare(&HYPOTHESES, &HYPOTHESES);
        assert_eq!(same.difference, Interval { score: 0.0, mean: 0.0, lower: 0.0, upper: 0.0 });
        let better = compare(&HYPOTHESES, &REFERENCES);
        assert!(better.difference.lower > 0.0 && better.p_value < 0.05, "{better}");
    }

    /// |differences| 1, 1, 4 have mean 2: one strays by more than 1, none by more than 2.
    #[test]
    fn p_value_by_hand() {
        assert_eq!(p_value(1.0, &[1.0, 1.0, 4.0]), 2.0 / 4.0);
        assert_eq!(p_value(2.0, &[1.0, 1.0, 4.0]), 1.0 / 4.0);
    }

    #[test]
    fn numbers_are_those_of_the_reference_implementation() {
        let mut random = SplitMix64(1234567);
        assert_eq!([random.next(), random.next()], [6457827717110365317, 3203168211198807973]);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let none = Bootstrap { resamples: 0, seed: 0 };
        assert_eq!(none.interval(&BleuOptions::default(), &HYPOTHESES, &REFERENCES), Err(MetricError::NoResamples));
        let empty = Bootstrap::default().interval::<_, &str, &str>(&BleuOptions::default(), &[], &[]);
        assert_eq!(empty, Err(MetricError::Empty));
    }
}
