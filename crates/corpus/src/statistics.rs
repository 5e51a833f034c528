//! What is in a corpus, in numbers.
//!
//! All lengths and all different words are counted, and eight bytes are kept of each different pair: some 30 bytes a pair, and 80 a word.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;
use whatlang::detect_script;

use crate::filter::{Side, fingerprint, is_blank};
use crate::flaws;
use crate::language::Language;
use crate::tokenizer::Vocabularies;

/// How often each of some numbers came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    by_number: BTreeMap<u64, u64>,
}

impl Counts {
    /// Counts a number.
    pub fn add(&mut self, number: u64) {
        *self.by_number.entry(number).or_default() += 1;
    }

    /// How many numbers came.
    pub fn count(&self) -> u64 {
        self.by_number.values().sum()
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.by_number.iter().map(|(number, count)| number * count).sum()
    }

    /// Their mean; 0 if none came.
    pub fn mean(&self) -> f64 {
        self.sum() as f64 / self.count().max(1) as f64
    }

    /// The least number that this share (0 to 1) of all does not exceed; 0 if none came.
    ///
    /// ```
    /// # use rnnsearch_corpus::Counts;
    /// let mut counts = Counts::default();
    /// (1..=10).for_each(|number| counts.add(number));
    /// assert_eq!([0.0, 0.5, 0.95, 1.0].map(|share| counts.quantile(share)), [1, 5, 10, 10]);
    /// ```
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((share * self.count() as f64).ceil() as u64).max(1);
        let mut below = 0;
        let reaches = |(_, count): &(&u64, &u64)| {
            below += **count;
            below >= wanted
        };
        self.by_number.iter().find(reaches).map_or(0, |(number, _)| *number)
    }

    /// How many came from `from` on and below `to`.
    pub fn between(&self, from: u64, to: u64) -> u64 {
        self.by_number.range(from..to).map(|(_, count)| count).sum()
    }
}

/// What is on a side of a corpus.
#[derive(Clone, Debug, Default)]
pub struct SideStatistics {
    /// Words a sentence, as white space separates them.
    pub words: Counts,
    /// Characters a sentence.
    pub characters: Counts,
    /// Tokens a sentence, if they were counted.
    pub tokens: Option<Counts>,
    /// Sentences that are surely in a language; the others may be in any.
    pub languages: BTreeMap<&'static str, u64>,
    /// How often each word came.
    vocabulary: HashMap<String, u64>,
    characters_seen: HashMap<char, u64>,
}

impl SideStatistics {
    /// Different words.
    pub fn types(&self) -> u64 {
        self.vocabulary.len() as u64
    }

    /// Words that came once.
    pub fn singletons(&self) -> u64 {
        self.vocabulary.values().filter(|count| **count == 1).count() as u64
    }

    /// How many letters are of which script, the most frequent first, each with its most frequent letters, at most `examples`.
    pub fn scripts(&self, examples: usize) -> Vec<(String, u64, String)> {
        let mut scripts: HashMap<String, (u64, Vec<(u64, char)>)> = HashMap::new();
        for (&character, &count) in self.characters_seen.iter().filter(|(character, _)| character.is_alphabetic()) {
            let script = detect_script(character.encode_utf8(&mut [0; 4]));
            let name = script.map_or_else(|| "other".to_owned(), |script| script.name().to_owned());
            let (all, letters) = scripts.entry(name).or_default();
            *all += count;
            letters.push((count, character));
        }
        let most_frequent = |(name, (count, mut letters)): (String, (u64, Vec<(u64, char)>))| {
            letters.sort_unstable_by_key(|&(count, letter)| (std::cmp::Reverse(count), letter));
            (name, count, letters.iter().take(examples).map(|(_, letter)| letter).collect())
        };
        let mut scripts: Vec<(String, u64, String)> = scripts.into_iter().map(most_frequent).collect();
        scripts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        scripts
    }

    fn add(&mut self, text: &str, language: Option<Language>, tokens: Option<u64>) {
        let mut words = 0;
        for word in text.split_whitespace() {
            words += 1;
            match self.vocabulary.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(self.vocabulary.insert(word.to_owned(), 1)),
            }
        }
        let mut characters = 0;
        for character in text.chars() {
            characters += 1;
            *self.characters_seen.entry(character).or_default() += 1;
        }
        self.words.add(words);
        self.characters.add(characters);
        language.into_iter().for_each(|language| *self.languages.entry(language.code()).or_default() += 1);
        tokens.into_iter().for_each(|tokens| self.tokens.get_or_insert_default().add(tokens));
    }
}

/// What is in a corpus.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Source and target.
    pub sides: [SideStatistics; 2],
    /// Pairs with a blank side; their other side is counted too.
    pub blank: u64,
    /// Pairs that came before, white space aside.
    pub duplicates: u64,
    /// Pairs whose sides are the same, white space aside.
    pub identical: u64,
    /// Hundred times the characters of the longer side by those of the shorter one, of pairs that are not blank.
    pub ratios: Counts,
    seen: HashSet<u64>,
}

impl Statistics {
    /// Counts pairs; if vocabularies are given, their tokens too. Returns the tokens of source and target.
    pub fn add(&mut self, pairs: &[[&str; 2]], vocabularies: Option<&Vocabularies>) -> Vec<Option<[usize; 2]>> {
        let tokens = |[source, target]: [&str; 2], with: &Vocabularies| {
            [with.source.encode_ids(source).len(), with.target.encode_ids(target).len()]
        };
        let look = |pair: &[&str; 2]| {
            (pair.map(Language::surely_of), vocabularies.map(|vocabularies| tokens(*pair, vocabularies)))
        };
        let looks: Vec<_> = pairs.par_iter().map(look).collect();
        for (pair, (languages, tokens)) in pairs.iter().zip(&looks) {
            for side in Side::BOTH.map(|side| side as usize) {
                self.sides[side].add(pair[side], languages[side], tokens.map(|tokens| tokens[side] as u64));
            }
            self.add_pair(*pair);
        }
        looks.into_iter().map(|(_, tokens)| tokens).collect()
    }

    fn add_pair(&mut self, pair: [&str; 2]) {
        if is_blank(pair) {
            self.blank += 1;
            return;
        }
        self.identical += u64::from(flaws::is_same(pair[0], pair[1]));
        self.duplicates += u64::from(!self.seen.insert(fingerprint(pair)));
        let [one, other] = pair.map(|text| text.chars().count() as u64);
        self.ratios.add(100 * one.max(other) / one.min(other));
    }

    /// How many pairs were counted.
    pub fn pairs(&self) -> u64 {
        self.sides[0].words.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_corpus_by_hand() {
        let mut statistics = Statistics::default();
        statistics.add(&[["a b a", "x"], ["a b  a", "x"], ["", "y z"], ["да ok", "да ok"]], None);
        let [source, target] = &statistics.sides;
        assert_eq!((statistics.pairs(), statistics.blank, statistics.duplicates, statistics.identical), (4, 1, 1, 1));
        assert_eq!((source.words.sum(), source.words.quantile(0.5), source.types(), source.singletons()), (8, 2, 4, 2));
        assert_eq!((target.words.sum(), target.types(), target.singletons()), (6, 5, 4));
        assert_eq!((source.characters.sum(), source.characters.between(5, 6)), (16, 2));
        assert_eq!(source.scripts(1), [("Latin".into(), 8, "a".into()), ("Cyrillic".into(), 2, "а".into())]);
        assert_eq!(statistics.ratios.quantile(1.0), 600, "6 characters beside one");
    }

    #[test]
    fn nothing_has_no_numbers() {
        let counts = Counts::default();
        assert_eq!((counts.count(), counts.mean(), counts.quantile(0.5)), (0, 0.0, 0));
    }
}
