//! How often word pairs are linked, for all samplers of both directions.

use super::{NULL, SAMPLERS};

/// Links of a word pair: by direction and sampler.
pub type PairCounts = [[u32; SAMPLERS]; 2];

/// A hash table with open addressing, which only grows. An entry holds what all samplers want to know of a word pair, so
/// that one look into memory serves them all: that is most of the time.
#[derive(Debug)]
pub struct Counts {
    entries: Vec<Entry>,
    used: usize,
}

/// What a first look for a word pair found.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pair: [u32; 2],
    at: usize,
    /// The pair that is there.
    there: [u32; 2],
}

/// 32 bytes: two in a line of the cache, and none across two.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
struct Entry {
    /// Source word, target word; [`FREE`] where there are none.
    pair: [u32; 2],
    counts: PairCounts,
}

const _: () = assert!(size_of::<Entry>() == 32);

/// No word is never linked with no word.
const FREE: [u32; 2] = [NULL; 2];
const NOTHING: PairCounts = [[0; SAMPLERS]; 2];

impl Counts {
    /// No links.
    pub fn new() -> Self {
        Self { entries: vec![Entry::default(); 1 << 10], used: 0 }
    }

    /// Looks where a word pair should be, and no further: so the memory of several can be waited for at once.
    pub fn look(&self, pair: [u32; 2]) -> Look {
        let at = self.home(pair);
        Look { pair, at, there: self.entries[at].pair }
    }

    /// The links of a word pair.
    pub fn get(&self, Look { pair, at, there }: Look) -> &PairCounts {
        if there == pair {
            return &self.entries[at].counts;
        }
        let entry = &self.entries[self.find(pair)];
        if entry.pair == pair { &entry.counts } else { &NOTHING }
    }

    /// Adds a link of a sampler, or takes one away.
    pub fn change(&mut self, pair: [u32; 2], direction: usize, sampler: usize, by: i32) {
        let mut at = self.find(pair);
        if self.entries[at].pair != pair {
            if 3 * (self.used + 1) > 2 * self.entries.len() {
                self.grow();
                at = self.find(pair);
            }
            self.entries[at].pair = pair;
            self.used += 1;
        }
        let count = &mut self.entries[at].counts[direction][sampler];
        *count = count.wrapping_add_signed(by);
    }

    /// The place of a word pair, or the free one where it would be.
    fn find(&self, pair: [u32; 2]) -> usize {
        let mask = self.entries.len() - 1;
        let mut at = self.home(pair);
        while self.entries[at].pair != pair && self.entries[at].pair != FREE {
            at = (at + 1) & mask;
        }
        at
    }

    /// Where a word pair is, if no other is there.
    fn home(&self, pair: [u32; 2]) -> usize {
        hash(pair) & (self.entries.len() - 1)
    }

    /// Leaves out word pairs that no sampler links any more, and doubles the room if that is not enough.
    fn grow(&mut self) {
        let kept = |entry: &Entry| entry.counts != NOTHING;
        self.used = self.entries.iter().filter(|entry| kept(entry)).count();
        let room = if 2 * self.used > self.entries.len() { 2 * self.entries.len() } else { self.entries.len() };
        let old = std::mem::replace(&mut self.entries, vec![Entry::default(); room]);
        for entry in old.into_iter().filter(kept) {
            let at = self.find(entry.pair);
            self.entries[at] = entry;
        }
    }
}

/// The high bits of a product, which all bits of the pair have a share in.
fn hash([source, target]: [u32; 2]) -> usize {
    let key = u64::from(source) << 32 | u64::from(target);
    let product = u128::from(key ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
    ((product >> 64) ^ product) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Many pairs, so that the table grows, and links that are taken away again, so that it forgets.
        #[test]
        fn counts_as_a_map_does(changes in prop::collection::vec((1u32..60, 0u32..60, 0usize..2, 0..SAMPLERS), 0..6000)) {
            let (mut counts, mut expected) = (Counts::new(), HashMap::<[u32; 2], PairCounts>::new());
            for (number, &(source, target, direction, sampler)) in changes.iter().enumerate() {
                let pair = [source, target];
                let known = &mut expected.entry(pair).or_default()[direction][sampler];
                let by = if *known > 0 && number % 3 == 0 { -1 } else { 1 };
                *known = known.wrapping_add_signed(by);
                counts.change(pair, direction, sampler, by);
            }
            for source in 1..60 {
                for target in 0..60 {
                    let known = expected.get(&[source, target]).unwrap_or(&NOTHING);
                    prop_assert_eq!(counts.get(counts.look([source, target])), known);
                }
            }
            prop_assert_eq!(counts.get(counts.look([NULL, NULL])), &NOTHING);
        }
    }

    #[test]
    fn pairs_that_are_linked_no_more_make_room() {
        let mut counts = Counts::new();
        for pair in 1..100_000 {
            counts.change([pair, pair], 0, 0, 1);
            counts.change([pair, pair], 0, 0, -1);
        }
        assert_eq!(counts.entries.len(), 1 << 10);
    }
}
