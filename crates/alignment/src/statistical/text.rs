//! Sentence pairs as numbers.

use std::collections::HashMap;
use std::ops::Range;

use super::NULL;
use super::chain::VocabularySizes;

/// Sentence pairs, each word a number from 1.
#[derive(Debug, Default)]
pub struct Text {
    /// Of each pair the source words, then the target words.
    words: Vec<u32>,
    pairs: Vec<Place>,
    longest: usize,
}

/// Where the words of a pair are.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    /// Of the source and the target sentence.
    lengths: [u16; 2],
}

/// Numbers the words of each side, in the order of their first appearance.
#[derive(Debug, Default)]
pub struct Numbering {
    numbers: [HashMap<String, u32>; 2],
    text: Text,
}

impl Numbering {
    /// Adds a pair. Its sentences have at most `u16::MAX` words.
    pub fn add(&mut self, sides: [Vec<String>; 2]) {
        let start = self.text.words.len();
        let lengths = sides.each_ref().map(|side| side.len() as u16);
        for (side, numbers) in sides.into_iter().zip(&mut self.numbers) {
            for word in side {
                let next = NULL + 1 + numbers.len() as u32;
                self.text.words.push(*numbers.entry(word).or_insert(next));
            }
        }
        self.text.pairs.push(Place { start, lengths });
        self.text.longest = lengths.map(usize::from).into_iter().fold(self.text.longest, usize::max);
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// All pairs. The words themselves are no longer needed.
    pub fn finish(self) -> (Text, VocabularySizes) {
        (self.text, VocabularySizes(self.numbers.map(|numbers| numbers.len())))
    }
}

impl Text {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Words of the longest sentence.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Words of all pairs, both sides.
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// The source and the target words of a pair.
    pub fn pair(&self, index: usize) -> [&[u32]; 2] {
        let (source, target) = self.words[self.place(index)].split_at(self.pairs[index].lengths[0].into());
        [source, target]
    }

    /// Where the words of a pair are among those of all.
    pub fn place(&self, index: usize) -> Range<usize> {
        let Place { start, lengths } = self.pairs[index];
        start..start + lengths.map(usize::from).iter().sum::<usize>()
    }
}
