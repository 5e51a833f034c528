//! Glossaries: how phrases of the source are to be translated.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rnnsearch_corpus::{CorpusError, Lines};
use unicode_normalization::UnicodeNormalization;

use crate::Demand;
use crate::units::{in_spaced_word, tidy};

/// Phrases of the source, each with its translation.
///
/// A file has an entry a line: the phrase, a tab, its translation. Blank lines and lines that begin with `#` are passed over. Where
/// a phrase has several entries, any of their translations will do.
#[derive(Clone, Debug, Default)]
pub struct Glossary {
    /// The entries by the first word of their phrase in lower case.
    entries: HashMap<String, Vec<Entry>>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The words of the phrase, and the same in lower case.
    words: Vec<String>,
    lower: Vec<String>,
    translations: Vec<String>,
    /// The line of the first translation.
    line: usize,
}

/// What can be wrong with a glossary.
#[derive(Debug, thiserror::Error)]
pub enum GlossaryError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] CorpusError),
    /// A line that is no entry.
    #[error("{}:{line}: {what}; an entry is a phrase of the source, a tab, and its translation", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Glossary {
    /// Reads a file, which may be compressed.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or a line that is no entry.
    pub fn open(path: &Path) -> Result<Self, GlossaryError> {
        let mut glossary = Self::default();
        for (line, text) in (1..).zip(Lines::open(path)?) {
            let wrong = |what| GlossaryError::Entry { file: path.to_owned(), line, what };
            glossary.add(&text?, line).map_err(wrong)?;
        }
        Ok(glossary)
    }

    fn add(&mut self, text: &str, line: usize) -> Result<(), &'static str> {
        if text.trim().is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let (phrase, translation) = text.split_once('\t').ok_or("there is no tab")?;
        if translation.contains('\t') {
            return Err("there is more than one tab");
        }
        let (words, translation) = (words(phrase), tidy(translation));
        let words: Vec<String> = words.into_iter().map(|word| composed(&phrase[word])).collect();
        let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let first = lower.first().ok_or("the phrase is blank")?;
        if translation.is_empty() {
            return Err("the translation is blank");
        }
        let entries = self.entries.entry(first.clone()).or_default();
        match entries.iter_mut().find(|entry| entry.words == words) {
            Some(same) if same.translations.contains(&translation) => {}
            Some(same) => same.translations.push(translation),
            None => {
                entries.push(Entry { words, lower, translations: vec![translation], line });
                self.count += 1;
            }
        }
        Ok(())
    }

    /// The number of phrases.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no phrases.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The translations of every phrase, with the line of its first entry, in their order.
    pub fn translations(&self) -> Vec<(usize, Demand)> {
        let demand = |entry: &Entry| (entry.line, Demand { alternatives: entry.translations.clone(), place: None });
        let mut all: Vec<(usize, Demand)> = self.entries.values().flatten().map(demand).collect();
        all.sort_by_key(|(line, _)| *line);
        all
    }

    /// What the translation of a text must contain: from left to right, the longest phrase that begins at a word, as whole words.
    ///
    /// Of phrases of the same words one in the text's own upper and lower case goes first, then the first of the glossary.
    pub fn demands(&self, text: &str) -> Vec<Demand> {
        let places = words(text);
        let given: Vec<String> = places.iter().map(|place| composed(&text[place.clone()])).collect();
        let lower: Vec<String> = given.iter().map(|word| word.to_lowercase()).collect();
        let (mut demands, mut at) = (Vec::new(), 0);
        while at < places.len() {
            let entries = self.entries.get(&lower[at]).map_or(&[][..], Vec::as_slice);
            let fitting = entries.iter().filter(|entry| lower[at..].starts_with(&entry.lower));
            let rank = |entry: &&Entry| {
                let exact = entry.words.iter().zip(&given[at..]).all(|(word, given)| word == given);
                (entry.words.len(), exact, std::cmp::Reverse(entry.line))
            };
            match fitting.max_by_key(rank) {
                Some(entry) => {
                    let place = Some(places[at].start);
                    demands.push(Demand { alternatives: entry.translations.clone(), place });
                    at += entry.words.len();
                }
                None => at += 1,
            }
        }
        demands
    }
}

/// A word as it is compared, however its accents are written.
fn composed(word: &str) -> String {
    word.nfc().collect()
}

/// The words of a text, a mark and a letter of a script without blanks each for itself.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let end = at + c.len_utf8();
        let in_word = in_spaced_word(c);
        match words.last_mut() {
            Some(word) if in_word && open && word.end == at => word.end = end,
            _ => words.push(at..end),
        }
        open = in_word;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glossary(text: &str) -> Glossary {
        let mut glossary = Glossary::default();
        (1..).zip(text.lines()).for_each(|(line, text)| glossary.add(text, line).unwrap());
        glossary
    }

    fn found(glossary: &Glossary, text: &str) -> Vec<(usize, Vec<String>)> {
        glossary.demands(text).into_iter().map(|demand| (demand.place.unwrap(), demand.alternatives)).collect()
    }

    #[test]
    fn the_longest_phrase_comes_first_as_whole_words() {
        let glossary = glossary("# animals\n\ncat\tmatou\nred cat\tchat roux\n\nis\test\n");
        assert_eq!(glossary.len(), 3);
        let one = |place: usize, phrase: &str| (place, vec![phrase.to_owned()]);
        assert_eq!(found(&glossary, "a red  cat, a cat."), [one(2, "chat roux"), one(14, "matou")]);
        assert_eq!(found(&glossary, "cats this redcat"), []);
        assert_eq!(found(&glossary, "Red Cat's"), [one(0, "chat roux")]);
    }

    #[test]
    fn case_is_minded_where_it_tells() {
        let glossary = glossary("polish\tcirer\nPolish\tpolonais\nPolish\tpolonaise\nPolish\tpolonais\n");
        let one = |text: &str| found(&glossary, text).remove(0).1;
        assert_eq!(one("polish it"), ["cirer"]);
        assert_eq!(one("a Polish car"), ["polonais", "polonaise"]);
        assert_eq!(one("POLISH"), ["cirer"]);
    }

    #[test]
    fn accents_are_the_same_however_they_are_written() {
        for (entry, text) in [("caf\u{e9}", "un cafe\u{301} noir"), ("Cafe\u{301}", "un caf\u{e9} noir")] {
            assert_eq!(found(&glossary(&format!("{entry}\tcoffee")), text), [(3, vec!["coffee".to_owned()])]);
        }
    }

    #[test]
    fn scripts_without_blanks_have_phrases_anywhere() {
        let glossary = glossary("猫\tcat\n黒猫\tblack cat\n");
        assert_eq!(found(&glossary, "私の黒猫と猫。").len(), 2);
    }

    #[test]
    fn bad_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terms.tsv");
        for (line, complaint) in [
            ("cat", "there is no tab"),
            ("cat\tchat\tnoun", "there is more than one tab"),
            ("\tchat", "the phrase is blank"),
            ("cat\t ", "the translation is blank"),
        ] {
            std::fs::write(&path, format!("# mine\ndog\tchien\n{line}\n")).unwrap();
            let error = Glossary::open(&path).unwrap_err().to_string();
            assert!(error.contains("terms.tsv:3: ") && error.contains(complaint), "{error}");
        }
        assert!(matches!(Glossary::open(Path::new("/no/such")), Err(GlossaryError::Read(_))));
    }
}
