//! How often an epoch goes over each of several corpora.
//!
//! Of corpus c, which has n_c pairs and the weight w_c, an epoch at temperature T has
//!
//! ```text
//! m_c = S · w_c n_c^(1/T) / Σ_k w_k n_k^(1/T)     S = Σ_k w_k n_k
//! ```
//!
//! pairs: at T = 1 that is w_c n_c, and at any T the epoch has S pairs and two corpora of one size are in it as their weights say.
//!
//! The passes over a corpus follow each other, and an epoch takes the next m_c pairs of them: where it ends within a pass, the next one
//! takes the rest first. A pass is all of the corpus in an order that the seed, the corpus and the number of the pass give. So after any
//! number of epochs no pair was seen more than once oftener than another of its corpus, and what an epoch has depends on its number alone.

use crate::random::{shuffle, stream};

/// The shares of corpora in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    corpora: Vec<Share>,
}

/// A corpus, whose examples follow each other.
#[derive(Clone, Debug, PartialEq)]
struct Share {
    first: u32,
    pairs: u32,
    /// Pairs of an epoch, m_c.
    taken: f64,
}

impl Mixture {
    /// The shares of corpora of so many pairs, each with its weight.
    pub fn new(corpora: &[(u32, f64)], temperature: f64) -> Self {
        let sum = |value: &dyn Fn(&(u32, f64)) -> f64| corpora.iter().map(value).sum::<f64>();
        let flat = |(pairs, weight): &(u32, f64)| weight * f64::from(*pairs).powf(1.0 / temperature);
        let (total, flat_total) = (sum(&|(pairs, weight)| weight * f64::from(*pairs)), sum(&flat));
        let mut first = 0;
        let share = |corpus: &(u32, f64)| {
            let (pairs, weight) = *corpus;
            // Without rounding where there is nothing to share out anew.
            let taken = match pairs {
                0 => 0.0,
                _ if temperature == 1.0 => weight * f64::from(pairs),
                _ => total * flat(corpus) / flat_total,
            };
            first += pairs;
            Share { first: first - pairs, pairs, taken }
        };
        Self { corpora: corpora.iter().map(share).collect() }
    }

    /// How many times an epoch goes over each corpus.
    pub fn times(&self) -> Vec<f64> {
        self.corpora
            .iter()
            .map(|share| if share.pairs == 0 { 0.0 } else { share.taken / f64::from(share.pairs) })
            .collect()
    }

    /// Whether no epoch is empty.
    pub fn fills_epochs(&self) -> bool {
        self.corpora.iter().any(|share| share.taken >= 1.0)
    }

    /// The most examples that an epoch may have.
    pub fn longest_epoch(&self) -> f64 {
        self.corpora.iter().map(|share| share.taken.ceil()).sum()
    }

    /// The examples of an epoch, the first of which is 0, corpus by corpus and pass by pass.
    pub(crate) fn epoch(&self, seed: u64, epoch: u64) -> Vec<u32> {
        let mut examples = Vec::with_capacity(self.corpora.iter().map(|share| share.taken as usize + 1).sum());
        for (number, share) in self.corpora.iter().enumerate() {
            let pairs = u64::from(share.pairs);
            let end = |epoch: u64| (epoch as f64 * share.taken) as u64;
            let (mut next, end) = (end(epoch), end(epoch + 1));
            while next < end {
                let (pass, from) = (next / pairs, next % pairs);
                let to = pairs.min(from + (end - next));
                match (from, to) == (0, pairs) {
                    // In any order: they are shuffled anyway.
                    true => examples.extend(share.first..share.first + share.pairs),
                    false => examples.extend(&share.pass(seed, number, pass)[from as usize..to as usize]),
                }
                next += to - from;
            }
        }
        examples
    }
}

impl Share {
    /// A pass over the corpus.
    fn pass(&self, seed: u64, corpus: usize, pass: u64) -> Vec<u32> {
        let purpose = [(corpus as u64).to_le_bytes(), *b"a corpus"].concat();
        let mut order: Vec<u32> = (self.first..self.first + self.pairs).collect();
        shuffle(&mut order, &mut stream(seed, pass, &purpose));
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How often the examples of some epochs come.
    fn counts(mixture: &Mixture, epochs: std::ops::Range<u64>) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        epochs.flat_map(|epoch| mixture.epoch(7, epoch)).for_each(|example| *counts.entry(example).or_default() += 1);
        counts
    }

    #[test]
    fn plain_settings_take_everything_once_in_its_order() {
        let mixture = Mixture::new(&[(3, 1.0), (0, 1.0), (4, 1.0)], 1.0);
        (0..5).for_each(|epoch| assert_eq!(mixture.epoch(7, epoch), [0, 1, 2, 3, 4, 5, 6]));
        assert_eq!(mixture.times(), [1.0, 0.0, 1.0]);
    }

    #[test]
    fn weights_are_times_an_epoch() {
        let mixture = Mixture::new(&[(3, 2.0), (10, 0.5), (4, 1.0), (7, 0.3)], 1.0);
        let sizes: Vec<usize> = (0..10).map(|epoch| mixture.epoch(7, epoch).len()).collect();
        // 0.3 · 7 = 2.1: in ten epochs 21.
        assert_eq!(sizes, [17, 17, 17, 17, 17, 17, 17, 17, 17, 18]);
        let two = counts(&mixture, 4..6);
        assert!((0..3).all(|example| two[&example] == 4), "{two:?}");
        assert!((3..13).all(|example| two[&example] == 1), "two halves are all of it: {two:?}");
        assert!((13..17).all(|example| two[&example] == 2), "{two:?}");
        let ten = counts(&mixture, 0..10);
        assert!((17..24).all(|example| ten[&example] == 3), "{ten:?}");
        // Halves differ from pass to pass and with the seed.
        let half = |seed, epoch| mixture.epoch(seed, epoch)[6..11].to_vec();
        assert!(half(7, 0) != half(7, 2) && half(7, 0) != half(8, 0));
        assert_eq!(half(7, 4), half(7, 4));
    }

    #[test]
    fn temperature_by_hand() {
        // √100 = 10 and √900 = 30: a quarter and three quarters of 1000.
        let times = Mixture::new(&[(100, 1.0), (900, 1.0)], 2.0).times();
        assert!((times[0] - 2.5).abs() < 1e-12 && (times[1] - 750.0 / 900.0).abs() < 1e-12, "{times:?}");
        // With weights 3 and 1, 30 and 30: halves of 3 · 100 + 900.
        let mixture = Mixture::new(&[(100, 3.0), (900, 1.0)], 2.0);
        let times = mixture.times();
        assert!((times[0] - 6.0).abs() < 1e-12 && (times[1] - 600.0 / 900.0).abs() < 1e-12, "{times:?}");
        assert_eq!(mixture.epoch(1, 0).len(), 1200);
        // In the end corpora of any size have the same share.
        let times = Mixture::new(&[(100, 1.0), (900, 1.0)], 1e9).times();
        assert!((times[0] - 5.0).abs() < 1e-6, "{times:?}");
    }

    #[test]
    fn epochs_may_be_too_small() {
        assert!(!Mixture::new(&[(9, 0.1), (9, 0.1)], 1.0).fills_epochs());
        let mixture = Mixture::new(&[(10, 0.1), (9, 0.1)], 1.0);
        assert!(mixture.fills_epochs());
        assert!((0..30).all(|epoch| !mixture.epoch(1, epoch).is_empty()));
    }
}
