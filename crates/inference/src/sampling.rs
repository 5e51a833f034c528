//! Drawing words instead of choosing the best.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rnnsearch_numeric::network::Scores;

/// How words are drawn: from p(y)^(1/temperature), among the most probable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Below 1 the probable gets more probable, above 1 less; above 0.
    pub temperature: f64,
    /// Only from the so many most probable words; 0 for all.
    pub top_k: usize,
    /// Only from the fewest words that have together this probability, taken in their order; 1 for all.
    pub top_p: f64,
    /// The same seed draws the same translations of a source, in any company.
    pub seed: u64,
}

impl Sampling {
    /// The random numbers of the sample of this number for a source.
    pub(crate) fn stream(&self, source: &[u32], sample: usize) -> ChaCha8Rng {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        source.iter().for_each(|word| {
            hasher.update(&word.to_le_bytes());
        });
        let mut stream = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
        stream.set_stream(sample as u64);
        stream
    }

    /// A word for a row, with its log p. Those of `but` are not drawn; none if there is nothing else.
    pub(crate) fn draw(&self, scores: &Scores, row: usize, but: &[u32], stream: &mut ChaCha8Rng) -> Option<(f32, u32)> {
        let words = match (self.top_k, self.top_p >= 1.0) {
            (0, true) => scores.all(row, but),
            (0, false) => {
                let mut words = scores.all(row, but);
                words.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                words
            }
            (count, _) => scores.best(row, count, but, f32::NEG_INFINITY),
        };
        let most = words.iter().map(|(log_prob, _)| *log_prob).fold(f32::NEG_INFINITY, f32::max);
        let mut weights: Vec<f64> =
            words.iter().map(|(log_prob, _)| (f64::from(log_prob - most) / self.temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut kept = 0.0;
        let nucleus = weights.iter().take_while(|weight| {
            let before = kept;
            kept += **weight;
            before < self.top_p * total
        });
        let nucleus = nucleus.count();
        weights.truncate(nucleus);
        let mut place = stream.random::<f64>() * weights.iter().sum::<f64>();
        for (weight, word) in weights.iter().zip(&words) {
            place -= weight;
            if place < 0.0 {
                return Some(*word);
            }
        }
        words.get(nucleus.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-probabilities of four words, up to a constant.
    fn scores() -> Scores {
        let probabilities: [f32; 4] = [0.1, 0.4, 0.2, 0.3];
        let logits = probabilities.iter().map(|p| p.ln() + 2.0).collect();
        Scores { words: 4, logits, normalizers: vec![2.0], ..Scores::default() }
    }

    /// How often each word is drawn.
    fn shares(sampling: Sampling, but: &[u32]) -> [f64; 4] {
        const DRAWS: usize = 20_000;
        let (scores, mut stream) = (scores(), sampling.stream(&[5, 3], 0));
        let mut counts = [0.0; 4];
        for _ in 0..DRAWS {
            let (log_prob, word) = sampling.draw(&scores, 0, but, &mut stream).unwrap();
            assert!((log_prob - scores.log_prob(0, word)).abs() < 1e-6);
            counts[word as usize] += 1.0 / DRAWS as f64;
        }
        counts
    }

    const ALL: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 1 };

    #[test]
    fn words_come_as_often_as_they_are_probable() {
        let close = |found: [f64; 4], expected: [f64; 4]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.015), "{found:?} {expected:?}");
        };
        close(shares(ALL, &[]), [0.1, 0.4, 0.2, 0.3]);
        close(shares(ALL, &[1]), [1.0 / 6.0, 0.0, 2.0 / 6.0, 0.5]);
        let squares = [0.01, 0.16, 0.04, 0.09].map(|square: f64| square / 0.3);
        close(shares(Sampling { temperature: 0.5, ..ALL }, &[]), squares);
        close(shares(Sampling { top_k: 2, ..ALL }, &[]), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        close(shares(Sampling { top_p: 0.65, ..ALL }, &[]), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        close(shares(Sampling { top_p: 0.75, ..ALL }, &[]), [0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
        close(shares(Sampling { top_p: 1e-9, ..ALL }, &[]), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn streams_differ_by_seed_source_and_sample() {
        let first = |sampling: Sampling, source: &[u32], sample| sampling.stream(source, sample).random::<u64>();
        let one = first(ALL, &[1, 2], 0);
        assert_eq!(one, first(ALL, &[1, 2], 0));
        for other in [first(Sampling { seed: 2, ..ALL }, &[1, 2], 0), first(ALL, &[1, 3], 0), first(ALL, &[1, 2], 1)] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        assert_eq!(ALL.draw(&scores(), 0, &[0, 1, 2, 3], &mut ALL.stream(&[], 0)), None);
    }
}
