//! What a step says of the next words.

use std::sync::Arc;

/// Words whose largest logit is kept, to pass over them at once.
pub(super) const PART: usize = 64;

/// What a step is to say of the next words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// log p of all.
    All,
    /// Only so many of the best of each row, without what would make log p of their logits.
    Best(usize),
}

/// What a step says of every row's next word.
#[derive(Debug, Default)]
pub struct Scores {
    /// The words that a row has logits of: the target vocabulary, or the longest of the shortlists.
    pub words: usize,
    /// The words of each row, in rising order, `[rows]`; empty if every row has all.
    pub shortlists: Vec<Arc<[u32]>>,
    /// log p(y_i) up to the row's normalizer, `[rows, words]`.
    pub logits: Vec<f32>,
    /// The largest of each 64 logits of a row, so that not all need be looked at, `[rows, words / 64]`; may be empty.
    pub maxima: Vec<f32>,
    /// What is to be taken from each row's logits to give log p(y_i), `[rows]`; 0 where that is not needed.
    pub normalizers: Vec<f32>,
    /// The number of columns of the alignments.
    pub src_len: usize,
    /// α_i, `[rows, src_len]`, 0 beyond the sentence's end; empty without attention.
    pub alignments: Vec<f32>,
}

impl Scores {
    /// log p of a row's next word; that of a word beside the row's shortlist is -∞.
    pub fn log_prob(&self, row: usize, word: u32) -> f32 {
        let place = match self.shortlists.get(row) {
            Some(words) => words.binary_search(&word).ok(),
            None => Some(word as usize),
        };
        place.map_or(f32::NEG_INFINITY, |place| self.logits[row * self.words + place] - self.normalizers[row])
    }

    /// The logits of a row.
    fn logits(&self, row: usize) -> &[f32] {
        let words = self.shortlists.get(row).map_or(self.words, |words| words.len());
        &self.logits[row * self.words..][..words]
    }

    /// The word that a place among a row's logits stands for.
    fn word(&self, row: usize, place: usize) -> u32 {
        self.shortlists.get(row).map_or(place as u32, |words| words[place])
    }

    /// α_i of a row over the tokens of its source; empty without attention.
    pub fn alignment(&self, row: usize, source_tokens: usize) -> &[f32] {
        let start = row * self.src_len;
        self.alignments.get(start..start + source_tokens.min(self.src_len)).unwrap_or_default()
    }

    /// All words of a row in their order, with log p. Those of `but` are left out, and what is not a number.
    pub fn all(&self, row: usize, but: &[u32]) -> Vec<(f32, u32)> {
        let logits = self.logits(row).iter().enumerate();
        let words = logits.map(|(place, logit)| (logit - self.normalizers[row], self.word(row, place)));
        words.filter(|(log_prob, word)| !log_prob.is_nan() && !but.contains(word)).collect()
    }

    /// The `count` most probable words of a row, best first, with log p; of equals, the lower first. Those of `but` are left out,
    /// what is not a number, and where log p is below `least`.
    pub fn best(&self, row: usize, count: usize, but: &[u32], least: f32) -> Vec<(f32, u32)> {
        let (logits, least) = (self.logits(row), least + self.normalizers[row]);
        let (stride, parts) = (self.words.div_ceil(PART), logits.len().div_ceil(PART));
        let maxima = match self.maxima.get(row * stride..row * stride + parts) {
            Some(maxima) => maxima.to_vec(),
            None => logits.chunks(PART).map(|part| part.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect(),
        };
        // So many parts hold as many words that are at least as good: in parts that have no such word is none of the best.
        let enough = (count + but.len()).clamp(1, parts);
        let (_, &mut worst, _) = maxima.clone().select_nth_unstable_by(enough - 1, |a, b| b.total_cmp(a));
        let mut best: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
        for part in (0..parts).filter(|part| maxima[*part] >= worst.max(least)) {
            for (place, &logit) in (part * PART..).zip(logits[part * PART..].iter().take(PART)) {
                let is_full = best.len() == count;
                let is_enough = if is_full { logit > best[count - 1].0 } else { logit >= least };
                if !is_enough || but.contains(&self.word(row, place)) {
                    continue;
                }
                let rank = best.partition_point(|&(better, _)| better >= logit);
                best.insert(rank, (logit, self.word(row, place)));
                best.truncate(count);
            }
        }
        best.iter().map(|&(logit, word)| (logit - self.normalizers[row], word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: f32 = f32::NEG_INFINITY;

    #[test]
    fn best_words_come_in_order_and_ties_by_id() {
        let logits = vec![9.0, -1.0, 9.0, -2.0, f32::NAN, -1.0, -3.0, f32::NEG_INFINITY];
        let scores = Scores { words: logits.len(), logits, normalizers: vec![1.0], ..Scores::default() };
        assert_eq!(scores.best(0, 3, &[0, 2], ALL), [(-2.0, 1), (-2.0, 5), (-3.0, 3)]);
        assert_eq!(scores.best(0, 10, &[0, 2], ALL).len(), 5);
        assert_eq!(scores.log_prob(0, 6), -4.0);
        let many: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1009) as f32).collect();
        let scores = Scores { words: 1000, logits: many.clone(), normalizers: vec![0.0], ..Scores::default() };
        let mut expected: Vec<(f32, u32)> = many.into_iter().zip(0..).collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(scores.best(0, 20, &[], ALL), expected[..20]);
        for least in [expected[7].0, f32::INFINITY] {
            let above = expected.iter().filter(|(logit, _)| *logit >= least).copied().collect::<Vec<_>>();
            assert_eq!(scores.best(0, 20, &[], least), above);
        }
    }

    #[test]
    fn a_shortlist_says_what_words_logits_are_of() {
        let shortlists = vec![Arc::from([3, 7, 8, 40]), Arc::from([2, 9])];
        let logits = vec![1.0, 3.0, 3.0, 2.0, 5.0, 6.0, 99.0, 99.0];
        let scores = Scores { words: 4, shortlists, logits, normalizers: vec![1.0, 2.0], ..Scores::default() };
        assert_eq!(scores.best(0, 3, &[40], ALL), [(2.0, 7), (2.0, 8), (0.0, 3)]);
        assert_eq!(scores.best(1, 3, &[], ALL), [(4.0, 9), (3.0, 2)]);
        assert_eq!(scores.all(1, &[2]), [(4.0, 9)]);
        assert_eq!((scores.log_prob(0, 40), scores.log_prob(1, 2)), (1.0, 3.0));
        assert_eq!(scores.log_prob(1, 40), f32::NEG_INFINITY);
    }
}
