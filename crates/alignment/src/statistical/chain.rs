//! What a sampler has counted beside word pairs: how far links jump, and how many words a word is linked with.

use super::NULL;
use super::text::Text;

/// How much of the model is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Which words are translations of each other: IBM model 1.
    Words,
    /// That, and how far a link is from that of the word before: the hidden Markov model.
    Jumps,
    /// That, and how many words each word is linked with.
    Fertility,
}

/// How many different words each side has.
#[derive(Clone, Copy, Debug)]
pub struct VocabularySizes(pub [usize; 2]);

/// Fertilities that are told apart: 0, 1, ..., and all from the last on.
const FERTILITIES: usize = 8;
/// How many sightings of a word the fertilities of all words count as.
const FERTILITY_PRIOR: f32 = 4.0;
/// Jumps that are told apart: up to so many words, to either side.
const WIDEST: usize = 100;
/// What is added to the counts of jumps.
const JUMP_PRIOR: f32 = 5.0;

/// One sampler of one direction, as far as it is not in the table of word pairs.
#[derive(Debug, Default)]
pub struct Chain {
    /// Links of each generating word; the first is [`NULL`].
    pub totals: Vec<u32>,
    pub jumps: Jumps,
    /// How often each generating word had each fertility.
    fertilities: Vec<[u32; FERTILITIES]>,
    /// Fertilities of all words, as fractions of 1, times [`FERTILITY_PRIOR`].
    usual: [f32; FERTILITIES],
}

impl VocabularySizes {
    /// Of the words that generate.
    pub fn generating(self, direction: usize) -> usize {
        self.0[direction]
    }

    /// Of the words that are generated.
    pub fn generated(self, direction: usize) -> usize {
        self.0[1 - direction]
    }
}

impl Chain {
    /// The probability that a word is linked with none.
    pub const NULL_PROBABILITY: f32 = 0.2;

    /// Has seen nothing.
    pub fn new(generating: usize) -> Self {
        Self { totals: vec![0; 1 + generating], ..Self::default() }
    }

    /// Estimates jumps and fertilities from the links of all pairs, which `links` gives by number.
    pub fn estimate<'l>(&mut self, text: &Text, direction: usize, links: impl Fn(usize) -> &'l [u16]) {
        self.fertilities.clear();
        self.fertilities.resize(self.totals.len(), [0; FERTILITIES]);
        let mut jumps = [0; 2 * WIDEST + 1];
        let mut own = Vec::new();
        for index in 0..text.len() {
            let pair = text.pair(index);
            if pair.iter().any(|side| side.is_empty()) {
                continue;
            }
            let generating = pair[direction];
            own.clear();
            own.resize(generating.len(), 0);
            let mut previous = 0;
            for &link in links(index).iter().filter(|link| **link > 0) {
                jumps[jump(previous, link)] += 1;
                own[usize::from(link) - 1] += 1;
                previous = link;
            }
            jumps[jump(previous, generating.len() as u16 + 1)] += 1;
            for (&word, &fertility) in generating.iter().zip(&own) {
                self.fertilities[word as usize][usize::min(fertility, FERTILITIES - 1)] += 1;
            }
        }
        self.jumps = Jumps::new(&jumps, text.longest());
        self.usual = usual(&self.fertilities);
    }

    /// P(`fertility` + 1) / P(`fertility`) of a word, not counting one place of it, where its fertility was `counted`.
    pub fn fertility_ratio(&self, word: u32, counted: u16, fertility: u16) -> f32 {
        let counts = &self.fertilities[word as usize];
        let counted = usize::from(counted).min(FERTILITIES - 1);
        let weight = |fertility: usize| {
            let count = counts[fertility] - u32::from(fertility == counted);
            count as f32 + self.usual[fertility]
        };
        let low = usize::from(fertility).min(FERTILITIES - 2);
        weight(low + 1) / weight(low)
    }
}

/// The fertilities of all words.
fn usual(words: &[[u32; FERTILITIES]]) -> [f32; FERTILITIES] {
    debug_assert_eq!(words[NULL as usize], [0; FERTILITIES]);
    let mut sums = [0u64; FERTILITIES];
    for counts in words {
        sums.iter_mut().zip(counts).for_each(|(sum, &count)| *sum += u64::from(count));
    }
    // Half a word more of each fertility, so that none is impossible.
    let counts = sums.map(|sum| sum as f32 + 0.5);
    let total: f32 = counts.iter().sum();
    counts.map(|count| FERTILITY_PRIOR * count / total)
}

/// Probabilities of the distance from the link of a word to that of the next word that has one. The first word jumps from 0,
/// and after the last there is a jump to one beyond the last generating word.
#[derive(Debug, Default)]
pub struct Jumps {
    /// Of the distance `d`, at `centre + d`.
    ahead: Vec<f32>,
    /// Of the distance `-d`, at `centre + d`: so all jumps to one place stand in a row, too.
    back: Vec<f32>,
    centre: usize,
}

impl Jumps {
    /// `counts` are those of [`jump`]; no sentence has more words than `longest`.
    fn new(counts: &[u64; 2 * WIDEST + 1], longest: usize) -> Self {
        let total = counts.iter().sum::<u64>() as f32 + JUMP_PRIOR * counts.len() as f32;
        let centre = longest + 1;
        let probability = |to: usize| {
            let at = (to + WIDEST).saturating_sub(centre).min(2 * WIDEST);
            (counts[at] as f32 + JUMP_PRIOR) / total
        };
        let ahead: Vec<f32> = (0..=2 * centre).map(probability).collect();
        let back = ahead.iter().rev().copied().collect();
        Self { ahead, back, centre }
    }

    /// The probability of a jump.
    pub fn between(&self, from: u16, to: u16) -> f32 {
        self.ahead[self.centre + usize::from(to) - usize::from(from)]
    }

    /// The probabilities of the jumps to each of `count` words, and from each of them onwards.
    pub fn around(&self, from: u16, to: u16, count: usize) -> (&[f32], &[f32]) {
        let after = |place: u16| self.centre + 1 - usize::from(place);
        (&self.ahead[after(from)..][..count], &self.back[after(to)..][..count])
    }
}

/// Where a jump is counted.
fn jump(from: u16, to: u16) -> usize {
    (usize::from(to) + WIDEST).saturating_sub(from.into()).min(2 * WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistical::text::Numbering;

    fn chain(pairs: &[(&str, &str)], links: &[&[u16]]) -> Chain {
        let mut numbering = Numbering::default();
        for (source, target) in pairs {
            numbering.add([source, target].map(|side| side.split(' ').map(str::to_owned).collect()));
        }
        let (text, kinds) = numbering.finish();
        let mut chain = Chain::new(kinds.generating(0));
        chain.estimate(&text, 0, |index| links[index]);
        chain
    }

    /// Two pairs of three words, whose target words have the links 1, none, 3 and 2, 2: the jumps are 1, 2, 1 and 2, 0, 2.
    #[test]
    fn jumps_worked_by_hand() {
        let Chain { jumps, .. } = chain(&[("a b c", "x y z"), ("a b c", "x y")], &[&[1, 0, 3], &[2, 2]]);
        let total = 6.0 + 201.0 * JUMP_PRIOR;
        for (from, to, count) in [(0, 1, 2.0), (1, 3, 3.0), (2, 2, 1.0), (3, 2, 0.0), (0, 4, 0.0)] {
            let expected = (count + JUMP_PRIOR) / total;
            assert!((jumps.between(from, to) - expected).abs() < 1e-6, "{from} to {to}");
        }
        let (there, onward) = jumps.around(1, 4, 3);
        assert_eq!(there, [jumps.between(1, 1), jumps.between(1, 2), jumps.between(1, 3)]);
        assert_eq!(onward, [jumps.between(1, 4), jumps.between(2, 4), jumps.between(3, 4)]);
    }

    #[test]
    fn far_jumps_count_as_the_farthest() {
        let words = vec!["a"; 400].join(" ");
        let Chain { jumps, .. } = chain(&[(&words, "x")], &[&[300]]);
        let total = 2.0 + 201.0 * JUMP_PRIOR;
        for (from, to, count) in [(0, 300, 1.0), (0, 100, 1.0), (0, 101, 1.0), (300, 401, 1.0), (400, 1, 0.0)] {
            // 0 to 300, and 300 to the end at 401, are both farther than what is told apart.
            let expected = (2.0 * count + JUMP_PRIOR) / total;
            assert!((jumps.between(from, to) - expected).abs() < 1e-6, "{from} to {to}");
        }
    }

    /// a has two words and then none, b has none and then one. Of all four places two have no word, one has one, one has two.
    #[test]
    fn fertilities_worked_by_hand() {
        let chain = chain(&[("a b", "x y"), ("a b", "x")], &[&[1, 1], &[2]]);
        let usual = |count: f32| FERTILITY_PRIOR * (count + 0.5) / (4.0 + 0.5 * FERTILITIES as f32);
        // The first a: what is left is the second, with fertility 0.
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        close(chain.fertility_ratio(1, 2, 0), usual(1.0) / (1.0 + usual(2.0)));
        close(chain.fertility_ratio(1, 2, 1), usual(1.0) / usual(1.0));
        close(chain.fertility_ratio(1, 0, 1), (1.0 + usual(1.0)) / usual(1.0));
        close(chain.fertility_ratio(1, 0, 500), 1.0);
    }
}
