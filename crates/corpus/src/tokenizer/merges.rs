//! Byte-pair encoding learned from word counts (Sennrich et al. 2016): join the most frequent pair of neighbours, again and
//! again.
//!
//! The trainer of the `tokenizers` crate walks through hash maps whose order changes from run to run, and that order shows
//! in the ids of word pieces and, rarely, in ties between merges. The same text must always give the same file, so the
//! merges are learned here: ties go to the pair with the lower ids, which follow from the text alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::alphabet::Alphabet;

/// Units found in a text, and the merges that make them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subwords {
    /// All units: the alphabet in code point order, then one for each merge, the most frequent first.
    pub(crate) units: Vec<String>,
    /// The pairs that are joined, in the order in which they are.
    pub(crate) merges: Vec<(String, String)>,
}

/// Learns at most `room` units from words and their counts; pairs seen fewer than `min_frequency` times are not joined.
///
/// `words` must be sorted or otherwise in an order that depends on the text alone.
pub(crate) fn learn(words: &[(String, u64)], alphabet: &Alphabet, room: usize, min_frequency: u64) -> Subwords {
    let mut learner = Learner::new(words, alphabet);
    learner.fill(room, min_frequency);
    Subwords { merges: learner.named_merges(), units: learner.units }
}

/// Learns at most `room` units beyond those that the merges in `known` make of an alphabet, and their merges.
pub(crate) fn learn_more(
    words: &[(String, u64)],
    alphabet: &Alphabet,
    known: &[(String, String)],
    room: usize,
    min_frequency: u64,
) -> Subwords {
    let mut learner = Learner::new(words, alphabet);
    for (left, right) in known {
        learner.join((learner.ids[left], learner.ids[right]));
    }
    let units = learner.units.len();
    learner.fill(units + room, min_frequency);
    let merges = learner.named_merges().split_off(known.len());
    Subwords { units: learner.units.split_off(units), merges }
}

type PairOfUnits = (u32, u32);

struct Learner {
    prefix: &'static str,
    units: Vec<String>,
    ids: HashMap<String, u32>,
    /// Words as units, with their counts; single units are left out, as they hold no pair.
    words: Vec<(Vec<u32>, u64)>,
    counts: HashMap<PairOfUnits, u64>,
    /// The words a pair was seen in; some of them may have lost it since.
    places: HashMap<PairOfUnits, Vec<u32>>,
    /// Counts as they were when a pair was last put in; checked against `counts` when taken out.
    queue: BinaryHeap<(u64, Reverse<PairOfUnits>)>,
    merges: Vec<PairOfUnits>,
    merged: HashSet<PairOfUnits>,
}

impl Learner {
    fn new(words: &[(String, u64)], alphabet: &Alphabet) -> Self {
        let units = alphabet.units().to_vec();
        let ids = units.iter().cloned().zip(0..).collect();
        let mut learner = Self {
            prefix: alphabet.prefix(),
            units,
            ids,
            words: Vec::new(),
            counts: HashMap::new(),
            places: HashMap::new(),
            queue: BinaryHeap::new(),
            merges: Vec::new(),
            merged: HashSet::new(),
        };
        for (word, count) in words {
            let runs = alphabet.spell(word);
            learner.words.extend(runs.into_iter().filter(|run| run.len() > 1).map(|run| (run, *count)));
        }
        let mut fresh = Vec::new();
        for index in 0..learner.words.len() {
            learner.count_pairs(index, &mut fresh, |_| true);
        }
        learner.enqueue(fresh);
        learner
    }

    /// Joins the most frequent pairs until there are so many units, or no pair is left.
    fn fill(&mut self, units: usize, min_frequency: u64) {
        while self.units.len() < units
            && let Some(pair) = self.most_frequent_pair(min_frequency.max(1))
        {
            self.join(pair);
        }
    }

    /// The merges so far.
    fn named_merges(&self) -> Vec<(String, String)> {
        let unit = |id: u32| self.units[id as usize].clone();
        self.merges.iter().map(|&(left, right)| (unit(left), unit(right))).collect()
    }

    /// Adds the pairs of a word to the counts, and where they are wanted to `places` and `fresh`.
    fn count_pairs(&mut self, index: usize, fresh: &mut Vec<PairOfUnits>, wanted: impl Fn(PairOfUnits) -> bool) {
        let (units, count) = &self.words[index];
        for pair in units.windows(2).map(|pair| (pair[0], pair[1])) {
            *self.counts.entry(pair).or_default() += count;
            if wanted(pair) {
                self.places.entry(pair).or_default().push(index as u32);
                fresh.push(pair);
            }
        }
    }

    fn enqueue(&mut self, mut pairs: Vec<PairOfUnits>) {
        pairs.sort_unstable();
        pairs.dedup();
        self.queue.extend(pairs.into_iter().map(|pair| (self.counts[&pair], Reverse(pair))));
    }

    fn most_frequent_pair(&mut self, min_frequency: u64) -> Option<PairOfUnits> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now == count {
                return (count >= min_frequency).then_some(pair);
            }
            if now > 0 {
                self.queue.push((now, Reverse(pair)));
            }
        }
        None
    }

    /// Makes a unit of a pair, wherever it stands.
    ///
    /// Two pairs may spell the same unit; a pair may then come up again after it was merged, and is not listed twice.
    fn join(&mut self, pair: PairOfUnits) {
        let unit = self.unit_for(pair);
        if self.merged.insert(pair) {
            self.merges.push(pair);
        }
        let mut places = self.places.remove(&pair).unwrap_or_default();
        places.sort_unstable();
        places.dedup();
        let mut fresh = Vec::new();
        for index in places {
            self.join_in_word(index as usize, pair, unit, &mut fresh);
        }
        self.enqueue(fresh);
    }

    fn unit_for(&mut self, (left, right): PairOfUnits) -> u32 {
        let right = &self.units[right as usize];
        let text = format!("{}{}", self.units[left as usize], right.strip_prefix(self.prefix).unwrap_or(right));
        let next = self.units.len() as u32;
        *self.ids.entry(text).or_insert_with_key(|text| {
            self.units.push(text.clone());
            next
        })
    }

    fn join_in_word(&mut self, index: usize, pair: PairOfUnits, unit: u32, fresh: &mut Vec<PairOfUnits>) {
        let (units, count) = &mut self.words[index];
        if !units.windows(2).any(|window| (window[0], window[1]) == pair) {
            return;
        }
        for old in units.windows(2).map(|window| (window[0], window[1])) {
            if let Some(total) = self.counts.get_mut(&old) {
                *total -= *count;
            }
        }
        join_units(units, pair, unit);
        self.count_pairs(index, fresh, |(left, right)| left == unit || right == unit);
    }
}

fn join_units(units: &mut Vec<u32>, (left, right): PairOfUnits, unit: u32) {
    let mut kept = 0;
    let mut next = 0;
    while next < units.len() {
        let found = units[next] == left && units.get(next + 1) == Some(&right);
        units[kept] = if found { unit } else { units[next] };
        kept += 1;
        next += if found { 2 } else { 1 };
    }
    units.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(words: &[(&str, u64)]) -> Vec<(String, u64)> {
        words.iter().map(|&(word, count)| (word.to_owned(), count)).collect()
    }

    fn learn_from(words: &[(String, u64)], prefix: &'static str, room: usize) -> Subwords {
        learn(words, &Alphabet::new(words, prefix, usize::MAX, 1), room, 1)
    }

    /// The definition, without any bookkeeping: count all pairs anew for every merge.
    fn learn_naively(words: &[(String, u64)], prefix: &'static str, room: usize) -> Subwords {
        let alphabet = Alphabet::new(words, prefix, usize::MAX, 1);
        let mut units = alphabet.units().to_vec();
        let mut merges = Vec::new();
        let mut spelled: Vec<(Vec<u32>, u64)> =
            words.iter().flat_map(|(word, count)| alphabet.spell(word).into_iter().map(|run| (run, *count))).collect();
        while units.len() < room {
            let mut counts: HashMap<PairOfUnits, u64> = HashMap::new();
            for (word, count) in &spelled {
                word.windows(2).for_each(|pair| *counts.entry((pair[0], pair[1])).or_default() += count);
            }
            let Some((&pair, _)) = counts.iter().max_by_key(|&(&pair, &count)| (count, Reverse(pair))) else { break };
            let names = (units[pair.0 as usize].clone(), units[pair.1 as usize].clone());
            let text = format!("{}{}", names.0, names.1.strip_prefix(prefix).unwrap_or(&names.1));
            let unit = units.iter().position(|unit| *unit == text).unwrap_or(units.len());
            if unit == units.len() {
                units.push(text);
            }
            if !merges.contains(&names) {
                merges.push(names);
            }
            spelled.iter_mut().for_each(|(word, _)| join_units(word, pair, unit as u32));
        }
        Subwords { units, merges }
    }

    #[test]
    fn joins_the_most_frequent_pair_first() {
        let words = counts(&[(" low", 5), (" lower", 2), (" newest", 6), (" widest", 3)]);
        let subwords = learn_from(&words, "", 16);
        // "es" and "st" are seen 9 times, and "es" has the lower ids; then come "est" (9) and " l", "ow", " low" (7).
        assert_eq!(subwords.units[..11].concat(), " deilnorstw");
        assert_eq!(&subwords.units[11..], ["es", "est", " l", "ow", " low"]);
        assert_eq!(subwords.merges[1], ("es".to_owned(), "t".to_owned()));
    }

    #[test]
    fn continuing_units_keep_their_prefix_once() {
        let words = counts(&[("abab", 4)]);
        let subwords = learn_from(&words, "##", 6);
        assert_eq!(subwords.units, ["##a", "##b", "a", "##ab", "##bab", "abab"]);
    }

    #[test]
    fn overlapping_pairs_are_joined_from_the_left() {
        let mut units = vec![1, 1, 1];
        join_units(&mut units, (1, 1), 9);
        assert_eq!(units, [9, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn agrees_with_the_definition(
            words in proptest::collection::btree_map("[abc]{1,7}", 1_u64..9, 1..12), room in 3_usize..40, prefixed: bool
        ) {
            let words: Vec<(String, u64)> = words.into_iter().collect();
            let prefix = if prefixed { "##" } else { "" };
            prop_assert_eq!(learn_from(&words, prefix, room), learn_naively(&words, prefix, room));
        }
    }
}
