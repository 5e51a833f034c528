//! Where in a translation that stands which translates a part of the source, by the alignment.

use std::ops::Range;

use rnnsearch_alignment::{Alignment, Segmentation, Sentence};

/// How the words of a translation look at the text of its source.
pub(crate) struct Looks {
    /// The bytes of each word.
    words: Vec<Range<usize>>,
    /// For each word, what it gives to the source's text before every byte and, last, to all of it: 1.
    before: Vec<Vec<f32>>,
}

impl Looks {
    /// A text without an alignment is one that looks everywhere alike.
    pub(crate) fn new(alignment: Option<&Alignment>, source: &str) -> Self {
        let Some(alignment) = alignment else { return Self { words: Vec::new(), before: Vec::new() } };
        let words = alignment.target().words(Segmentation::Words);
        let spans = visible(alignment.source());
        let targets = visible(alignment.target());
        let before = words.iter().map(|word| {
            let mut given = vec![0.0; source.len() + 1];
            for (row, target) in alignment.rows().zip(&targets) {
                if target.start < word.end && word.start < target.end {
                    spread(row, &spans, &mut given);
                }
            }
            sums(given)
        });
        Self { before: before.collect(), words }
    }

    /// The bytes of each word of the translation.
    pub(crate) fn words(&self) -> &[Range<usize>] {
        &self.words
    }

    /// What a word gives to some bytes of the source; 1 is all.
    fn weight(&self, word: usize, span: &Range<usize>) -> f32 {
        self.before[word][span.end] - self.before[word][span.start]
    }

    /// The words, of those `within`, that translate some bytes of the source: the run in which the words that look at them most of
    /// all outnumber the others by most. If there is no such word, the one that looks at them most; none if none does.
    pub(crate) fn run(&self, span: &Range<usize>, within: Range<usize>) -> Option<Range<usize>> {
        const HALF: f32 = 0.5;
        const SOME: f32 = 0.05;
        let (mut best, mut best_sum) = (0..0, 0.0);
        let (mut start, mut sum) = (within.start, 0.0);
        for word in within.clone() {
            if sum <= 0.0 {
                (start, sum) = (word, 0.0);
            }
            sum += self.weight(word, span) - HALF;
            if sum > best_sum {
                (best, best_sum) = (start..word + 1, sum);
            }
        }
        if best_sum > 0.0 {
            return Some(best);
        }
        let most = within.max_by(|&a, &b| self.weight(a, span).total_cmp(&self.weight(b, span)).then(b.cmp(&a)))?;
        (self.weight(most, span) >= SOME).then_some(most..most + 1)
    }

    /// What some words together give to some bytes of the source.
    pub(crate) fn total(&self, span: &Range<usize>, words: &Range<usize>) -> f32 {
        words.clone().map(|word| self.weight(word, span)).sum()
    }

    /// The word, of those `within`, before which a place of the source comes: so that what stands before it looks at the source's text
    /// before it, and what stands behind at that behind it. `within.end` if all stands before it.
    pub(crate) fn gap(&self, at: usize, within: Range<usize>) -> usize {
        let (mut best, mut best_sum, mut sum) = (within.start, 0.0, 0.0);
        for word in within {
            // What this word gives to the text before the place, less what it gives to that behind.
            sum += 2.0 * self.before[word][at] - 1.0;
            if sum > best_sum {
                (best, best_sum) = (word + 1, sum);
            }
        }
        best
    }
}

/// The bytes of each token but the end, without blanks before it.
fn visible(sentence: &Sentence) -> Vec<Range<usize>> {
    let visible = |span: Range<usize>| {
        let text = &sentence.text()[span.clone()];
        span.end - text.trim_start().len()..span.end
    };
    sentence.tokens().iter().filter_map(|token| token.span().map(visible)).collect()
}

/// Adds the weights of a row to the bytes of its tokens.
fn spread(row: &[f32], tokens: &[Range<usize>], bytes: &mut [f32]) {
    for (weight, token) in row.iter().zip(tokens) {
        let share = weight / token.len().max(1) as f32;
        bytes[token.clone()].iter_mut().for_each(|byte| *byte += share);
    }
}

/// The sum of all values before each, over that of all; the same steps everywhere if there is nothing.
fn sums(mut values: Vec<f32>) -> Vec<f32> {
    let count = values.len() - 1;
    let total: f32 = values.iter().sum();
    if total <= 0.0 {
        return (0..=count).map(|place| place as f32 / count.max(1) as f32).collect();
    }
    let mut sum = 0.0;
    for value in &mut values {
        let before = sum;
        sum += *value / total;
        *value = before;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "red cat sleeps" in another order: "chat rouge dort".
    fn looks() -> Looks {
        let (source, target) =
            (Sentence::from_words(["red", "cat", "sleeps"]), Sentence::from_words(["chat", "rouge", "dort"]));
        let weights = vec![0.1, 0.8, 0.1, 0.0, 0.9, 0.1, 0.0, 0.0, 0.0, 0.1, 0.6, 0.3];
        let alignment = Alignment::new(source.with_end(), target, weights).unwrap();
        Looks::new(Some(&alignment), "red cat sleeps")
    }

    #[test]
    fn runs_are_where_most_looks_are() {
        let looks = looks();
        assert_eq!(looks.words(), [0..4, 5..10, 11..15]);
        assert_eq!(looks.run(&(0..3), 0..3), Some(1..2));
        assert_eq!(looks.run(&(0..7), 0..3), Some(0..2));
        assert_eq!(looks.run(&(0..14), 0..3), Some(0..3));
        assert_eq!(looks.run(&(8..14), 0..2), Some(0..1), "little is better than nothing");
        assert_eq!(looks.run(&(0..3), 2..3), None);
        assert_eq!(looks.run(&(0..3), 1..1), None);
    }

    #[test]
    fn gaps_are_between_what_was_before_and_behind() {
        let looks = looks();
        assert_eq!(looks.gap(0, 0..3), 0);
        assert_eq!(looks.gap(8, 0..3), 2);
        assert_eq!(looks.gap(14, 0..3), 3);
        assert_eq!(Looks::new(None, "").gap(0, 0..0), 0);
    }
}
