//! Phrases that a translation must not contain, whatever words of the vocabulary spell them.
//!
//! What counts is the text, as with what is required: a phrase has come where its characters stand as whole words. A word that ends
//! them is banned even if the next one might have made it another word (`cat` by `s`): that nothing else may follow would only be
//! found out when it is too late.

use std::sync::Arc;

use crate::units::{Units, in_spaced_word, with_single_blanks};

/// The phrases that a translation must not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forbidden {
    phrases: Vec<Phrase>,
    units: Arc<Units>,
}

/// A phrase as text, see [`Units::text`], without a blank at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    text: Vec<u8>,
    /// The words that hold it behind their first character.
    held_by: Vec<u32>,
}

impl Forbidden {
    /// These phrases, in the vocabulary's normal form; blank ones are left out.
    pub fn new<S: AsRef<str>>(phrases: impl IntoIterator<Item = S>, units: Arc<Units>) -> Self {
        let texts = phrases.into_iter().map(|phrase| with_single_blanks(phrase.as_ref()).trim().to_owned());
        let phrases =
            texts.filter(|text| !text.is_empty()).map(|text| Phrase::new(text.into_bytes(), &units)).collect();
        Self { phrases, units }
    }

    /// Whether nothing is forbidden.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// The words that must not follow some words.
    pub(crate) fn after(&self, words: &[u32]) -> Vec<u32> {
        if self.is_empty() {
            return Vec::new();
        }
        let text = self.units.text(words);
        self.phrases.iter().flat_map(|phrase| phrase.ended_after(&text, &self.units)).collect()
    }

    /// Whether some words hold any of the phrases.
    pub(crate) fn comes_in(&self, words: &[u32]) -> bool {
        let text = self.units.text(words);
        self.phrases.iter().any(|phrase| phrase.comes_in(&text, 0))
    }
}

impl Phrase {
    fn new(text: Vec<u8>, units: &Units) -> Self {
        let phrase = Self { text, held_by: Vec::new() };
        let held_by = units.all().filter(|&word| phrase.comes_in(units.written(word), 1)).collect();
        Self { held_by, ..phrase }
    }

    /// The words after which the phrase has come, if they follow a text.
    fn ended_after(&self, text: &[u8], units: &Units) -> Vec<u32> {
        let mut words = self.held_by.clone();
        for begun in (0..self.text.len()).filter(|&begun| self.is_begun(text, begun)) {
            let rest = &self.text[begun..];
            words.extend(self.ended_by(rest, units));
            // Two blanks are as one.
            if text.ends_with(b" ") {
                words.extend(self.ended_by(&[b" ", rest].concat(), units));
            }
        }
        words
    }

    /// The words that begin with the rest of the phrase.
    fn ended_by(&self, rest: &[u8], units: &Units) -> Vec<u32> {
        let ends = |word: &u32| self.may_end(&units.written(*word)[rest.len()..]);
        units.beginning_with(rest).filter(ends).collect()
    }

    /// Whether it stands in a text, at this byte or after it.
    fn comes_in(&self, text: &[u8], from: usize) -> bool {
        let mut places = (from..text.len()).filter(|&place| text[place..].starts_with(&self.text));
        places.any(|place| self.may_begin(&text[..place]) && self.may_end(&text[place + self.text.len()..]))
    }

    /// Whether a text ends with its first bytes.
    fn is_begun(&self, text: &[u8], bytes: usize) -> bool {
        text.strip_suffix(&self.text[..bytes]).is_some_and(|before| self.may_begin(before))
    }

    /// Whether it is not the end of a longer word after this.
    fn may_begin(&self, before: &[u8]) -> bool {
        !(last_is_in_word(before) && first_is_in_word(&self.text))
    }

    /// Whether it is not the beginning of a longer word before this.
    fn may_end(&self, after: &[u8]) -> bool {
        !(last_is_in_word(&self.text) && first_is_in_word(after))
    }
}

fn first_is_in_word(text: &[u8]) -> bool {
    let (first, _) = text.split_at(text.len().min(4));
    String::from_utf8_lossy(first).chars().next().is_some_and(in_spaced_word)
}

fn last_is_in_word(text: &[u8]) -> bool {
    let mut start = text.len().saturating_sub(1);
    while start > 0 && start + 4 > text.len() && text[start] & 0xC0 == 0x80 {
        start -= 1;
    }
    String::from_utf8_lossy(&text[start..]).chars().next_back().is_some_and(in_spaced_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each word writes; a blank as itself.
    const WORDS: [&str; 12] = [" the", " cat", " ca", "t", " c", "at", "s", ".", " ", "cat", "-cat", " cat."];

    fn units() -> Arc<Units> {
        Arc::new(Units::writing(WORDS.map(|word| word.as_bytes().to_vec()).to_vec()))
    }

    fn id(word: &str) -> u32 {
        WORDS.iter().position(|other| *other == word).unwrap() as u32
    }

    fn ids(words: &[&str]) -> Vec<u32> {
        words.iter().map(|word| id(word)).collect()
    }

    fn after(phrase: &str, words: &[&str]) -> Vec<&'static str> {
        let mut found = Forbidden::new([phrase], units()).after(&ids(words));
        found.sort_unstable();
        found.dedup();
        found.iter().map(|&id| WORDS[id as usize]).collect()
    }

    #[test]
    fn words_that_end_it_are_found_however_it_is_spelled() {
        // These hold it by themselves, wherever they stand.
        const WHOLE: [&str; 3] = [" cat", "-cat", " cat."];
        let with = |more: &[&'static str]| {
            let mut all = [&WHOLE[..], more].concat();
            all.sort_by_key(|word| id(word));
            all
        };
        let after_cat = |words: &[&str]| after("cat", words);
        assert_eq!(after_cat(&[]), with(&["cat"]), "a text begins with a word");
        assert_eq!(after_cat(&[" the"]), with(&[]));
        assert_eq!(after_cat(&[" the", " "]), with(&["cat"]));
        assert_eq!(after_cat(&[" ca"]), with(&["t"]));
        assert_eq!(after_cat(&[" c"]), with(&["at"]));
        assert_eq!(after_cat(&["s", "."]), with(&["cat"]), "a mark ends a word");
        for phrase in ["the cat", " the \u{a0}cat\n"] {
            assert_eq!(after(phrase, &[" the"]), [" cat", " cat."]);
            assert_eq!(after(phrase, &[" the", " "]), [" cat", "cat", " cat."], "two blanks are as one");
            assert_eq!(after(phrase, &[" the", " ", " c"]), ["at"]);
            assert_eq!(after(phrase, &["s"]), [""; 0]);
        }
        assert_eq!(after(".", &["s"]), [".", " cat."]);
        assert_eq!(after(" ", &["s"]), [""; 0]);
    }

    #[test]
    fn it_comes_as_whole_words() {
        let forbidden = Forbidden::new(["cat"], units());
        let comes = |words: &[&str]| forbidden.comes_in(&ids(words));
        for words in [&[" cat"][..], &[" ca", "t", "."], &[" the", " c", "at", " the"], &["-cat"], &["cat"]] {
            assert!(comes(words), "{words:?}");
        }
        for words in [&[" ca", "t", "s"][..], &["s", "cat"], &[" the", " c", "t"], &[]] {
            assert!(!comes(words), "{words:?}");
        }
        assert!(Forbidden::default().is_empty() && !forbidden.is_empty());
    }
}
