//! Where in a translation that stands which translates a part of the source, by the alignment.

use std::ops::Range;

use rnnsearch_alignment::{Alignment, Segmentation, Sentence};

/// How the words of a translation look at the text of its source.
pub(crate) struct Looks {
    /// The bytes of each word.
    words: Vec<Range<usize>>,
    /// The bytes of each token of the source, from left to right.
    tokens: Vec<Range<usize>>,
    /// For each word, what it gives to the source's tokens before each and, last, to all of them: 1. Empty for a word that gives
    /// nothing, and so looks everywhere alike.
    before: Vec<Vec<f32>>,
    /// The bytes of the source.
    length: usize,
}

impl Looks {
    /// A text without an alignment is one that looks everywhere alike.
    pub(crate) fn new(alignment: Option<&Alignment>, source: &str) -> Self {
        let length = source.len();
        let Some(alignment) = alignment else {
            return Self { words: Vec::new(), tokens: Vec::new(), before: Vec::new(), length };
        };
        let words = alignment.target().words(Segmentation::Words);
        let tokens = visible(alignment.source());
        let targets = visible(alignment.target());
        let before = words.iter().map(|word| {
            let touches = |target: &Range<usize>| target.start < word.end && word.start < target.end;
            let rows = alignment.rows().zip(&targets).filter(|(_, target)| touches(target));
            sums(rows.map(|(row, _)| row), &tokens)
        });
        Self { before: before.collect(), words, tokens, length }
    }

    /// The bytes of each word of the translation.
    pub(crate) fn words(&self) -> &[Range<usize>] {
        &self.words
    }

    /// What a word gives to some bytes of the source; 1 is all.
    fn weight(&self, word: usize, span: &Range<usize>) -> f32 {
        self.before(word, span.end) - self.before(word, span.start)
    }

    /// What a word gives to the source's text before a byte, as if every byte of a token had the same share.
    fn before(&self, word: usize, byte: usize) -> f32 {
        let sums = &self.before[word];
        if sums.is_empty() {
            return byte as f32 / self.length.max(1) as f32;
        }
        let whole = self.tokens.partition_point(|token| token.end <= byte);
        let begun = (whole..).zip(&self.tokens[whole..]).take_while(|(_, token)| token.start < byte);
        let part = |(number, token): (usize, &Range<usize>)| {
            (sums[number + 1] - sums[number]) * (byte - token.start) as f32 / token.len() as f32
        };
        sums[whole] + begun.map(part).sum::<f32>()
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
            sum += 2.0 * self.before(word, at) - 1.0;
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

/// What rows give to the tokens before each, over what they give to all; nothing if that is nothing. A token of blanks has nothing.
fn sums<'r>(rows: impl Iterator<Item = &'r [f32]>, tokens: &[Range<usize>]) -> Vec<f32> {
    let mut sums = vec![0.0; tokens.len() + 1];
    for row in rows {
        for ((sum, weight), _) in sums[1..].iter_mut().zip(row).zip(tokens).filter(|(_, token)| !token.is_empty()) {
            *sum += weight;
        }
    }
    for token in 1..sums.len() {
        sums[token] += sums[token - 1];
    }
    let total = sums[tokens.len()];
    if total <= 0.0 {
        return Vec::new();
    }
    sums.iter_mut().for_each(|sum| *sum /= total);
    sums
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
    fn a_part_of_a_token_has_its_share() {
        let looks = looks();
        for (byte, before) in [(0, 0.0), (3, 0.1), (4, 0.1), (5, 0.1 + 0.8 / 3.0), (7, 0.9), (11, 0.95), (14, 1.0)] {
            assert!((looks.before(0, byte) - before).abs() < 1e-6, "{byte}: {}", looks.before(0, byte));
        }
        assert!(looks.before.iter().all(|sums| sums.len() == 3 + 1), "no more than the tokens take");
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
