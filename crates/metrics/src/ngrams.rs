//! Counting n-grams and the matches between two texts.
//!
//! An n-gram fits into one integer: six characters of 21 bits, or four word numbers of 32. The n-grams of a text are then
//! a sorted list, and the clipped matches of BLEU and chrF are the size of the intersection of two such lists.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::AddAssign;

/// How many n-grams of one order two texts have, and share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NgramCounts {
    /// n-grams of the hypothesis.
    pub hypothesis: u64,
    /// n-grams of the reference.
    pub reference: u64,
    /// n-grams they share, each counted as often as in the text that has it less often.
    pub matches: u64,
}

/// The sufficient statistics of BLEU and chrF: counts for each of `N` kinds of n-grams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NgramStatistics<const N: usize>(pub [NgramCounts; N]);

impl<const N: usize> Default for NgramStatistics<N> {
    fn default() -> Self {
        Self([NgramCounts::default(); N])
    }
}

impl<const N: usize> AddAssign<&Self> for NgramStatistics<N> {
    fn add_assign(&mut self, other: &Self) {
        for (sum, one) in self.0.iter_mut().zip(&other.0) {
            sum.hypothesis += one.hypothesis;
            sum.reference += one.reference;
            sum.matches += one.matches;
        }
    }
}

/// The n-grams of one text: a sorted list for each of `N` kinds.
pub(crate) struct Profile<const N: usize>(pub(crate) [Vec<u128>; N]);

impl<const N: usize> Profile<N> {
    /// Compares this hypothesis with a reference.
    pub(crate) fn against(&self, reference: &Self) -> NgramStatistics<N> {
        NgramStatistics(std::array::from_fn(|kind| {
            let (hypothesis, reference) = (&self.0[kind], &reference.0[kind]);
            NgramCounts {
                hypothesis: hypothesis.len() as u64,
                reference: reference.len() as u64,
                matches: shared(hypothesis, reference),
            }
        }))
    }
}

/// The sorted n-grams of order `order` of `units`, each of which fits into `bits` bits.
pub(crate) fn sorted_ngrams(units: &[u32], order: usize, bits: u32) -> Vec<u128> {
    debug_assert!(order >= 1 && order as u32 * bits <= u128::BITS);
    let pack = |ngram: &[u32]| ngram.iter().fold(0, |packed, &unit| packed << bits | u128::from(unit));
    let mut ngrams: Vec<u128> = units.windows(order).map(pack).collect();
    ngrams.sort_unstable();
    ngrams
}

/// The size of the intersection of two sorted lists, repeats included.
fn shared(left: &[u128], right: &[u128]) -> u64 {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        match left[i].cmp(&right[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => (i, j, count) = (i + 1, j + 1, count + 1),
        }
    }
    count
}

/// The score of every hypothesis against every reference, counting the n-grams of each text once.
pub(crate) fn pairwise<const N: usize, H: AsRef<str>, R: AsRef<str>>(
    hypotheses: &[H],
    references: &[R],
    profile: impl Fn(&str, &mut Words) -> Profile<N>,
    score: impl Fn(&Profile<N>, &Profile<N>) -> f64,
) -> Vec<Vec<f64>> {
    let mut numbers = Words::default();
    let references: Vec<_> = references.iter().map(|text| profile(text.as_ref(), &mut numbers)).collect();
    let row = |hypothesis| references.iter().map(|reference| score(&hypothesis, reference)).collect();
    hypotheses.iter().map(|text| row(profile(text.as_ref(), &mut numbers))).collect()
}

/// Numbers for words: the same word, the same number.
#[derive(Default)]
pub(crate) struct Words(HashMap<Box<str>, u32>);

impl Words {
    /// The numbers of `words`.
    pub(crate) fn number<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> Vec<u32> {
        words.into_iter().map(|word| self.number_one(word)).collect()
    }

    fn number_one(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.0.get(word) {
            return number;
        }
        let number = self.0.len() as u32;
        self.0.insert(word.into(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_clipped() {
        let mut words = Words::default();
        let mut profile = |text: &str| {
            let numbers = words.number(text.split(' '));
            Profile([1, 2].map(|order| sorted_ngrams(&numbers, order, 32)))
        };
        let counts = profile("the the the cat").against(&profile("the cat the dog"));
        assert_eq!(counts.0[0], NgramCounts { hypothesis: 4, reference: 4, matches: 3 });
        assert_eq!(counts.0[1], NgramCounts { hypothesis: 3, reference: 3, matches: 1 });
    }

    #[test]
    fn a_short_text_has_no_long_ngrams() {
        assert!(sorted_ngrams(&[7, 8], 3, 32).is_empty());
    }
}
