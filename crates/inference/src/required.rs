//! Phrases that a translation must contain, and how far a hypothesis is with them.
//!
//! Search with phrases that must come keeps hypotheses of every number of words that are still needed, as Post & Vilar (2018) do.
//! Every way to spell a phrase is followed by an automaton of its own (Knuth, Morris & Pratt 1977), so that phrases may overlap,
//! begin alike, hold each other or be broken off and begun again. What counts is the text: a phrase whose last word is continued
//! (`cat` by `s`) has not come.
//!
//! At every moment the words that are needed to have all phrases are known, see [`Required::needed`]. There is always a word after
//! which one less is needed, so a search that never takes a word after which more are needed than there is length left always
//! ends with all of them.

use std::sync::Arc;

use crate::forbidden::Forbidden;
use crate::units::Units;

/// The phrases that a translation must contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Required {
    phrases: Vec<Phrase>,
    units: Arc<Units>,
}

/// A phrase in the model's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The ways to write it; the first may be begun anywhere.
    spellings: Vec<Spelling>,
    /// How often it must come, without overlap.
    count: usize,
}

/// One way to write a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// The words, at least one.
    pub ids: Vec<u32>,
    /// Whether it ends in a word that may be continued, and then is another one.
    pub open: bool,
    /// Whether it has no blank before it though another spelling has.
    pub glued: bool,
}

/// How far a hypothesis is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// For every spelling of every phrase, how many of its words are the last ones of the hypothesis.
    matched: Vec<usize>,
    /// How often each phrase came.
    done: Vec<usize>,
    /// How each ended that came with the last word: the next one may take it away.
    fresh: Vec<Option<Ending>>,
    /// Whether the last word is a byte.
    after_byte: bool,
}

/// How a phrase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ending {
    /// With a word that may be continued.
    open: bool,
    /// With a byte: with more bytes it may be no character.
    byte: bool,
}

impl Phrase {
    /// # Panics
    ///
    /// If there is no spelling, or an empty one.
    pub(crate) fn new(spellings: Vec<Spelling>) -> Self {
        assert!(
            !spellings.is_empty() && spellings.iter().all(|spelling| !spelling.ids.is_empty()),
            "a phrase has words"
        );
        Self { spellings, count: 1 }
    }

    /// The ways to write it.
    pub fn spellings(&self) -> &[Spelling] {
        &self.spellings
    }

    /// The words it takes to write it anywhere.
    fn length(&self) -> usize {
        self.spellings[0].ids.len()
    }
}

impl Spelling {
    /// How many of its first words are the last ones, once `word` follows where `matched` were.
    fn follow(&self, mut matched: usize, word: u32) -> usize {
        loop {
            if self.ids[matched] == word {
                return matched + 1;
            }
            if matched == 0 {
                return 0;
            }
            // The longest beginning that is an end of what was matched.
            let seen = &self.ids[..matched];
            matched = (0..matched).rev().find(|&shorter| seen.ends_with(&self.ids[..shorter])).unwrap_or(0);
        }
    }
}

impl Required {
    /// A phrase that is given twice must come twice.
    pub(crate) fn new(phrases: Vec<Phrase>, units: Arc<Units>) -> Self {
        let mut different: Vec<Phrase> = Vec::new();
        for phrase in phrases {
            match different.iter_mut().find(|other| other.spellings == phrase.spellings) {
                Some(same) => same.count += 1,
                None => different.push(phrase),
            }
        }
        Self { phrases: different, units }
    }

    /// Whether nothing is required.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// The words that phrases are written with.
    pub(crate) fn words(&self) -> impl Iterator<Item = u32> {
        self.spellings().flat_map(|(_, spelling)| spelling.ids.iter().copied())
    }

    /// The number of words that all phrases have together.
    pub(crate) fn length(&self) -> usize {
        self.phrases.iter().map(|phrase| phrase.count * phrase.length()).sum()
    }

    /// How far a hypothesis without words is.
    pub(crate) fn start(&self) -> Progress {
        Progress {
            matched: vec![0; self.spellings().count()],
            done: vec![0; self.phrases.len()],
            fresh: vec![None; self.phrases.len()],
            after_byte: false,
        }
    }

    /// How far a hypothesis is with one more word.
    pub(crate) fn follow(&self, before: &Progress, word: u32) -> Progress {
        let mut after = before.clone();
        for (done, fresh) in after.done.iter_mut().zip(&before.fresh) {
            *done -= usize::from(self.takes_away(word, *fresh));
        }
        after.fresh.fill(None);
        after.after_byte = self.units.is_byte(word);
        let mut first = 0;
        for (number, phrase) in self.phrases.iter().enumerate() {
            let matched = &mut after.matched[first..first + phrase.spellings.len()];
            first += phrase.spellings.len();
            let next = |(spelling, &mut matched): (&Spelling, &mut usize)| match matched {
                // A byte may be taken for a part of the character before it, unless there is a blank between them.
                0 if spelling.glued && before.after_byte && after.after_byte => 0,
                _ => spelling.follow(matched, word),
            };
            let next: Vec<usize> = phrase.spellings.iter().zip(&mut *matched).map(next).collect();
            let whole = phrase.spellings.iter().zip(&next).find(|(spelling, matched)| **matched == spelling.ids.len());
            match whole {
                Some((spelling, _)) => {
                    matched.fill(0);
                    after.done[number] += 1;
                    after.fresh[number] = Some(Ending { open: spelling.open, byte: self.units.is_byte(word) });
                }
                None => matched.copy_from_slice(&next),
            }
        }
        after
    }

    /// Whether a word changes the end of a phrase.
    fn takes_away(&self, word: u32, fresh: Option<Ending>) -> bool {
        let Some(Ending { open, byte }) = fresh else { return false };
        (open && self.units.continues(word)) || (byte && self.units.is_byte(word))
    }

    /// How many words it takes at most to have all phrases: to finish one that is begun, and then to write the others one by one.
    pub(crate) fn needed(&self, progress: &Progress) -> usize {
        let missing = |number: usize, phrase: &Phrase| phrase.count.saturating_sub(progress.done[number]);
        let all: usize = self.phrases.iter().enumerate().map(|(i, phrase)| missing(i, phrase) * phrase.length()).sum();
        // What a word takes away of that which came with the last one.
        let lost = |word: u32| -> usize {
            let counts = |number: usize| progress.done[number] <= self.phrases[number].count;
            let taken = |number: &usize| counts(*number) && self.takes_away(word, progress.fresh[*number]);
            (0..self.phrases.len()).filter(taken).map(|number| self.phrases[number].length()).sum()
        };
        let begun = self
            .spellings()
            .zip(&progress.matched)
            .filter(|((number, _), matched)| **matched > 0 && missing(*number, &self.phrases[*number]) > 0);
        let finishing = begun.map(|((number, spelling), &matched)| {
            let left = spelling.ids.len() - matched;
            (all - self.phrases[number].length()) + left + lost(spelling.ids[matched])
        });
        finishing.fold(all, usize::min)
    }

    /// Whether all phrases have come.
    pub(crate) fn is_met(&self, progress: &Progress) -> bool {
        self.phrases.iter().zip(&progress.done).all(|(phrase, done)| *done >= phrase.count)
    }

    /// The words that begin a phrase which has not come, or go on with it.
    pub(crate) fn next_words(&self, progress: &Progress) -> Vec<u32> {
        let mut words: Vec<u32> = Vec::new();
        for ((number, spelling), &matched) in self.spellings().zip(&progress.matched) {
            if progress.done[number] < self.phrases[number].count {
                words.extend([spelling.ids[0], spelling.ids[matched]]);
            }
        }
        words.sort_unstable();
        words.dedup();
        words
    }

    /// All spellings, each with the number of its phrase.
    fn spellings(&self) -> impl Iterator<Item = (usize, &Spelling)> {
        let numbered = self.phrases.iter().enumerate();
        numbered.flat_map(|(number, phrase)| phrase.spellings.iter().map(move |spelling| (number, spelling)))
    }

    /// Whether to write a phrase is to write what is forbidden.
    pub(crate) fn must_write(&self, forbidden: &Forbidden) -> bool {
        let holds = |spelling: &Spelling| forbidden.comes_in(&spelling.ids);
        self.phrases.iter().any(|phrase| phrase.spellings.iter().all(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(ids: &[u32]) -> Phrase {
        Phrase::new(vec![Spelling { ids: ids.to_vec(), open: true, glued: false }])
    }

    fn required(phrases: &[&[u32]]) -> Required {
        Required::new(phrases.iter().map(|ids| phrase(ids)).collect(), Arc::default())
    }

    /// How many words are needed after each of some words.
    fn needed(required: &Required, words: &[u32]) -> Vec<usize> {
        let mut progress = required.start();
        let mut after = |word| {
            progress = required.follow(&progress, word);
            required.needed(&progress)
        };
        words.iter().map(|&word| after(word)).collect()
    }

    #[test]
    fn phrases_overlap_begin_alike_and_begin_again() {
        assert_eq!(needed(&required(&[&[5, 6], &[6, 7]]), &[5, 6, 7]), [3, 1, 0]);
        assert_eq!(needed(&required(&[&[5, 6], &[5, 6, 7]]), &[5, 6, 7]), [4, 1, 0]);
        assert_eq!(needed(&required(&[&[5, 5, 6]]), &[5, 5, 5, 6]), [2, 1, 1, 0]);
        assert_eq!(needed(&required(&[&[5, 6], &[8]]), &[5, 8, 5, 6]), [2, 2, 1, 0]);
        // The same phrase twice comes twice, without overlap.
        assert_eq!(needed(&required(&[&[5, 5], &[5, 5]]), &[5, 5, 5, 5]), [3, 2, 1, 0]);
    }

    #[test]
    fn any_spelling_will_do() {
        let spelling = |ids: &[u32]| Spelling { ids: ids.to_vec(), open: true, glued: false };
        let either = Required::new(vec![Phrase::new(vec![spelling(&[5]), spelling(&[6, 7, 8])])], Arc::default());
        assert_eq!(needed(&either, &[6, 7, 8]), [1, 1, 0]);
        assert_eq!(either.next_words(&either.start()), [5, 6]);
        let words = || (0..9).map(|word| format!(" {word}").into_bytes()).collect();
        let forbidden = |text: &str| Forbidden::new([text], Arc::new(Units::writing(words())));
        assert!(!either.must_write(&forbidden("5")) && required(&[&[4, 5, 6]]).must_write(&forbidden("5 6")));
    }
}
