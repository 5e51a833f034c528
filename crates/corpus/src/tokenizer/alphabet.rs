//! The single characters a vocabulary can spell with.

use std::cmp::Reverse;
use std::collections::HashMap;

/// The characters of a text that are units of a vocabulary, and how words are spelled with them.
#[derive(Debug)]
pub(crate) struct Alphabet {
    units: Vec<String>,
    ids: HashMap<String, u32>,
    prefix: &'static str,
}

impl Alphabet {
    /// Takes the characters seen at least `min_frequency` times, the most frequent ones where there are more than `limit`.
    ///
    /// With a `prefix`, a character inside a word is another unit than the same one at its start: `##a` and `a`.
    pub(crate) fn new(words: &[(String, u64)], prefix: &'static str, limit: usize, min_frequency: u64) -> Self {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for (word, count) in words {
            for unit in characters(word, prefix) {
                *counts.entry(unit).or_default() += count;
            }
        }
        let units = most_frequent(counts, limit, min_frequency);
        Self { ids: units.iter().cloned().zip(0..).collect(), units, prefix }
    }

    /// The alphabet of these characters.
    pub(crate) fn of(units: Vec<String>) -> Self {
        Self { ids: units.iter().cloned().zip(0..).collect(), units, prefix: "" }
    }

    /// The units, in code point order where they were taken from words.
    pub(crate) fn units(&self) -> &[String] {
        &self.units
    }

    /// What marks a unit that continues a word.
    pub(crate) fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// A word as runs of units, interrupted where it has a character that is none.
    pub(crate) fn spell(&self, word: &str) -> Vec<Vec<u32>> {
        let mut runs = vec![Vec::new()];
        for unit in characters(word, self.prefix) {
            match (self.ids.get(&unit), runs.last_mut()) {
                (Some(&id), Some(run)) => run.push(id),
                _ => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }
}

/// The keys with the highest counts, at most `limit` and none below `min_frequency`, sorted; ties go to the lower key.
pub(crate) fn most_frequent(counts: HashMap<String, u64>, limit: usize, min_frequency: u64) -> Vec<String> {
    let mut counts: Vec<(String, u64)> = counts.into_iter().filter(|(_, count)| *count >= min_frequency).collect();
    counts.sort_by(|(left, left_count), (right, right_count)| {
        (Reverse(left_count), left).cmp(&(Reverse(right_count), right))
    });
    counts.truncate(limit);
    let mut keys: Vec<String> = counts.into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys
}

fn characters(word: &str, prefix: &'static str) -> impl Iterator<Item = String> {
    word.chars().enumerate().map(move |(index, c)| if index == 0 { c.to_string() } else { format!("{prefix}{c}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<(String, u64)> {
        vec![("abca".to_owned(), 3), ("cb".to_owned(), 2), ("z".to_owned(), 1)]
    }

    #[test]
    fn the_most_frequent_characters_are_kept() {
        // a: 6, b: 5, c: 5, z: 1; of b and c, which tie, the lower one stays.
        assert_eq!(Alphabet::new(&words(), "", 2, 1).units(), ["a", "b"]);
        assert_eq!(Alphabet::new(&words(), "", 9, 2).units(), ["a", "b", "c"]);
    }

    #[test]
    fn words_are_interrupted_at_other_characters() {
        let alphabet = Alphabet::new(&words(), "", 2, 1);
        assert_eq!(alphabet.spell("abca"), [vec![0, 1], vec![0]]);
        assert!(alphabet.spell("zz").is_empty());
    }

    #[test]
    fn a_prefix_tells_the_inside_of_words() {
        let alphabet = Alphabet::new(&words(), "##", 9, 1);
        assert_eq!(alphabet.units(), ["##a", "##b", "##c", "a", "c", "z"]);
    }
}
