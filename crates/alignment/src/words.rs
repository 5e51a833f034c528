//! From sub-words to words: where words are, and what a matrix over tokens says about them.
//!
//! The model sees tokens; people read words. With α the weights over tokens and p(t, w) the share of token t's
//! characters that lie in word w, the weight of source word v for target word w is
//!
//! ```text
//!             Σ_i p(i, w) Σ_j p(j, v) α_ij
//! A_wv  =  ---------------------------------        i: target tokens, j: source tokens
//!                    Σ_i p(i, w)
//! ```
//!
//! a sum over the pieces of a source word and an average over those of a target word. Every token's shares sum to 1,
//! so the rows of A sum to what the rows of α do. The end of the sentence stays a row and a column of its own.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::{Alignment, AlignmentError, Sentence, Side, Token};

/// What counts as a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segmentation {
    /// As a reader sees words, for pictures: split at blanks, punctuation and symbols on their own (but not inside words
    /// and numbers: `sous-marin`, `don't`, `3.14`), elided articles and pronouns on their own (`l'` `accord`), and in
    /// scripts without blanks every Han or kana character, or else every token, on its own.
    #[default]
    Words,
    /// Split at blanks only: what the word numbers of Pharaoh and talp files count.
    Whitespace,
}

impl Alignment {
    /// The alignment between words, by the formula of the module.
    ///
    /// A word that no token covers (a tokenizer may drop characters) has a row or column of zeros.
    ///
    /// # Errors
    ///
    /// A side whose text is blank and which has no end of the sentence either.
    pub fn words(&self, segmentation: Segmentation) -> Result<Alignment, AlignmentError> {
        self.words_at(&self.source().words(segmentation), &self.target().words(segmentation))
    }

    /// The alignment between the words that cover these bytes of the texts, in order and apart from each other.
    ///
    /// # Errors
    ///
    /// A side that has neither words nor the end of the sentence.
    ///
    /// # Panics
    ///
    /// If a word does not lie in its text, on the boundaries of characters.
    pub fn words_at(&self, source: &[Range<usize>], target: &[Range<usize>]) -> Result<Alignment, AlignmentError> {
        let (source, source_shares) = merged(self.source(), source);
        let (target, target_shares) = merged(self.target(), target);
        for (side, words) in [(Side::Source, &source), (Side::Target, &target)] {
            if words.is_empty() {
                return Err(AlignmentError::Empty(side));
            }
        }
        let columns = source.len();
        let mut weights = vec![0.0; target.len() * columns];
        let mut pieces = vec![0.0; target.len()];
        for (row, row_shares) in self.rows().zip(&target_shares) {
            let over_words = summed(row, &source_shares, columns);
            for &(word, share) in row_shares {
                pieces[word] += share;
                let out = &mut weights[word * columns..][..columns];
                out.iter_mut().zip(&over_words).for_each(|(out, weight)| *out += share * weight);
            }
        }
        for (row, pieces) in weights.chunks_exact_mut(columns).zip(pieces) {
            if pieces > 0.0 {
                row.iter_mut().for_each(|weight| *weight /= pieces);
            }
        }
        Alignment::new(source, target, weights)
    }
}

impl Sentence {
    /// The bytes of each word of the text.
    ///
    /// The tokens matter only where neither blanks nor characters tell words apart, as in Thai.
    pub fn words(&self, segmentation: Segmentation) -> Vec<Range<usize>> {
        let start = |chunk: &str| chunk.as_ptr() as usize - self.text().as_ptr() as usize;
        let chunks = self.text().split_whitespace().map(|chunk| start(chunk)..start(chunk) + chunk.len());
        match segmentation {
            Segmentation::Words => chunks.flat_map(|chunk| self.reader_words(chunk)).collect(),
            Segmentation::Whitespace => chunks.collect(),
        }
    }

    /// The words of a piece of text without blanks.
    fn reader_words(&self, chunk: Range<usize>) -> Vec<Range<usize>> {
        let graphemes = self.text()[chunk.clone()].grapheme_indices(true);
        let graphemes: Vec<Grapheme> = graphemes.map(|(at, text)| Grapheme::new(chunk.start + at, text)).collect();
        let mut words: Vec<Range<usize>> = Vec::new();
        // Whether the last word may grow.
        let mut open = false;
        for (index, grapheme) in graphemes.iter().enumerate() {
            let grows = match grapheme.kind {
                Kind::Character => false,
                Kind::Letter => open,
                Kind::UnspacedLetter => open && !self.token_starts_at(grapheme.start),
                Kind::Mark => (open && joins(&graphemes, index)) || repeats(&graphemes, index),
            };
            match words.last_mut() {
                Some(word) if grows => word.end = grapheme.end(),
                _ => words.push(grapheme.start..grapheme.end()),
            }
            open = match grapheme.kind {
                Kind::Letter | Kind::UnspacedLetter => true,
                Kind::Mark => open && grows && !self.is_elision(words.last().cloned().unwrap_or_default()),
                Kind::Character => false,
            };
        }
        words
    }

    fn token_starts_at(&self, byte: usize) -> bool {
        self.tokens().iter().any(|token| token.span().is_some_and(|span| span.start == byte))
    }

    /// Whether the word so far is an elided article, pronoun or conjunction of French or Italian, such as `l'`.
    fn is_elision(&self, word: Range<usize>) -> bool {
        const ELIDED: [&str; 20] = [
            "c", "d", "j", "l", "m", "n", "s", "t", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "un", "all", "dall",
            "dell", "nell", "quell", "sull",
        ];
        let word = &self.text()[word];
        let stem = word.strip_suffix(['\'', '’']);
        stem.is_some_and(|stem| ELIDED.contains(&stem.to_lowercase().as_str()))
    }
}

/// For every token, the words it shares its weight among: (word, share), shares summing to 1.
type Shares = Vec<Vec<(usize, f32)>>;

/// The sentence with words for tokens (and its end, if it has one), and how tokens map to them.
fn merged(sentence: &Sentence, words: &[Range<usize>]) -> (Sentence, Shares) {
    let labelled = words.iter().map(|word| Token::new(&sentence.text()[word.clone()], word.clone()));
    let end = sentence.has_end().then(Token::end);
    let shares = sentence.tokens().iter().map(|token| match token.span() {
        None => vec![(words.len(), 1.0)],
        Some(span) => shares(sentence.text(), words, &span),
    });
    let shares = shares.collect();
    let merged = Sentence::new(sentence.text(), labelled.chain(end).collect());
    (merged.expect("words lie in the text, and its end comes last"), shares)
}

/// The words that a token shares its weight among, by characters.
///
/// One that covers blanks only goes to the word that follows, as the marks of word beginnings do, or to the last.
fn shares(text: &str, words: &[Range<usize>], span: &Range<usize>) -> Vec<(usize, f32)> {
    let first = words.partition_point(|word| word.end <= span.start);
    let overlapping = words[first..].iter().take_while(|word| word.start < span.end);
    let characters = overlapping.map(|word| text[word.start.max(span.start)..word.end.min(span.end)].chars().count());
    let characters: Vec<f32> = characters.map(|count| count as f32).collect();
    let total: f32 = characters.iter().sum();
    if total == 0.0 {
        // A blank text has no words: what is aligned with it is aligned with its end.
        return vec![(first.min(words.len().saturating_sub(1)), 1.0)];
    }
    characters.iter().enumerate().map(|(at, &count)| (first + at, count / total)).collect()
}

/// A row over source tokens as a row over `columns` source words.
fn summed(row: &[f32], shares: &Shares, columns: usize) -> Vec<f32> {
    let mut words = vec![0.0; columns];
    for (&weight, shares) in row.iter().zip(shares) {
        for &(word, share) in shares {
            words[word] += weight * share;
        }
    }
    words
}

/// What a reader takes for one character, and its part in words.
struct Grapheme<'a> {
    start: usize,
    text: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A word by itself: Han and kana.
    Character,
    /// Letters and digits, which make up words.
    Letter,
    /// Letters of scripts that put no blanks between words.
    UnspacedLetter,
    /// Punctuation and symbols.
    Mark,
}

impl<'a> Grapheme<'a> {
    fn new(start: usize, text: &'a str) -> Self {
        let kind = match text.chars().next() {
            Some(c) if is_han_or_kana(c) => Kind::Character,
            Some(c) if is_unspaced(c) => Kind::UnspacedLetter,
            Some(c) if c.is_alphanumeric() => Kind::Letter,
            _ => Kind::Mark,
        };
        Self { start, text, kind }
    }

    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn is_letter(&self) -> bool {
        matches!(self.kind, Kind::Letter | Kind::UnspacedLetter)
    }

    fn is_digit(&self) -> bool {
        self.text.chars().all(char::is_numeric)
    }
}

/// Whether the mark at `index` is part of the word or number around it.
fn joins(graphemes: &[Grapheme], index: usize) -> bool {
    let Some(after) = graphemes.get(index + 1).filter(|next| next.is_letter()) else { return false };
    let Some(before) = index.checked_sub(1).map(|at| &graphemes[at]).filter(|last| last.is_letter()) else {
        return false;
    };
    match graphemes[index].text {
        "'" | "’" | "-" | "‐" | "\u{ad}" | "." | "·" | "_" | "@" => true,
        "," | ":" | "/" => before.is_digit() && after.is_digit(),
        _ => false,
    }
}

/// Whether the mark at `index` repeats the one before it, as in `...`, which is one word.
fn repeats(graphemes: &[Grapheme], index: usize) -> bool {
    index.checked_sub(1).is_some_and(|before| graphemes[before].text == graphemes[index].text)
}

fn is_han_or_kana(c: char) -> bool {
    matches!(u32::from(c),
        0x3005..=0x3007 | 0x3041..=0x3096 | 0x309D..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x20000..=0x3FFFF)
}

/// Thai, Lao, Tibetan, Myanmar, Khmer.
fn is_unspaced(c: char) -> bool {
    c.is_alphanumeric() && matches!(u32::from(c), 0x0E00..=0x0FFF | 0x1000..=0x109F | 0x1780..=0x17FF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words_of(text: &str) -> Vec<&str> {
        let sentence = Sentence::from_spans(text, &[]).unwrap();
        sentence.words(Segmentation::Words).into_iter().map(|word| &text[word]).collect()
    }

    #[test]
    fn words_are_what_a_reader_sees() {
        let cases: [(&str, &[&str]); 13] = [
            ("  Hello,  world! ", &["Hello", ",", "world", "!"]),
            ("L'accord qu’il don't aujourd'hui", &["L'", "accord", "qu’", "il", "don't", "aujourd'hui"]),
            ("3.14 1,000 10:30 a,b e-mail.", &["3.14", "1,000", "10:30", "a", ",", "b", "e-mail", "."]),
            ("wait... (5€)", &["wait", "...", "(", "5", "€", ")"]),
            ("'quoted' -5", &["'", "quoted", "'", "-", "5"]),
            ("我爱 GPT模型。", &["我", "爱", "GPT", "模", "型", "。"]),
            ("コーヒーを", &["コ", "ー", "ヒ", "ー", "を"]),
            ("한국어 문장.", &["한국어", "문장", "."]),
            ("हिन्दी में।", &["हिन्दी", "में", "।"]),
            ("می‌خواهم، كتاب", &["می‌خواهم", "،", "كتاب"]),
            ("👩‍👩‍👧ok é\u{301}", &["👩‍👩‍👧", "ok", "é\u{301}"]),
            ("\u{a0}\u{2028}", &[]),
            ("a \u{301}b", &["a", "\u{301}", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words_of(text), expected, "{text}");
        }
    }

    #[test]
    fn text_without_blanks_is_cut_at_tokens() {
        // ฉัน (I), กิน (eat), ข้าว (rice): three bytes a character.
        let text = "ฉันกินข้าว";
        let sentence = Sentence::from_spans(text, &[0..9, 9..18, 18..30]).unwrap();
        let words: Vec<_> = sentence.words(Segmentation::Words).into_iter().map(|word| &text[word]).collect();
        assert_eq!(words, ["ฉัน", "กิน", "ข้าว"]);
    }

    #[test]
    fn whitespace_words_keep_their_punctuation() {
        let sentence = Sentence::from_words(["l'accord,", "我爱"]);
        assert_eq!(sentence.words(Segmentation::Whitespace), [0..9, 10..16]);
    }

    /// "unhappy man" as un|happy|man|</s>, "der Unglückliche" as der|Unglück|liche|</s>, merged with pen and paper:
    /// the Unglückliche row is the mean of its two rows, (0.2 0.6 0.2 0 + 0.4 0 0.2 0.4) / 2.
    #[test]
    fn pieces_are_summed_over_the_source_and_averaged_over_the_target() {
        let source = Sentence::from_spans("unhappy man", &[0..2, 2..7, 8..11]).unwrap().with_end();
        let target = Sentence::from_spans("der Unglückliche", &[0..3, 4..12, 12..17]).unwrap().with_end();
        let weights = vec![
            0.1, 0.2, 0.3, 0.4, //
            0.2, 0.6, 0.2, 0.0, //
            0.4, 0.0, 0.2, 0.4, //
            0.0, 0.0, 0.0, 1.0,
        ];
        let words = Alignment::new(source, target, weights).unwrap().words(Segmentation::Words).unwrap();
        assert_eq!(labels(words.source()), ["unhappy", "man", "</s>"]);
        assert_eq!(labels(words.target()), ["der", "Unglückliche", "</s>"]);
        assert_close(words.weights(), &[0.3, 0.3, 0.4, 0.6, 0.2, 0.2, 0.0, 0.0, 1.0]);
    }

    /// One source token covers "ab c" (2 of its 3 characters in the first word), one covers the blank before "d".
    #[test]
    fn a_token_over_two_words_is_shared_by_characters() {
        let source = Sentence::from_spans("ab c d", &[0..4, 4..5, 5..6]).unwrap();
        let target = Sentence::from_spans("xy z", &[0..4, 3..4]).unwrap();
        let weights = vec![
            0.6, 0.3, 0.1, // "xy z"
            0.0, 0.0, 1.0, // "z"
        ];
        let words = Alignment::new(source, target, weights).unwrap().words(Segmentation::Words).unwrap();
        // xy has the first row whole; z takes a third of it and all of the second: (row / 3 + second) / (4 / 3).
        assert_close(words.weights(), &[0.4, 0.2, 0.4, 0.1, 0.05, 0.85]);
    }

    #[test]
    fn words_without_tokens_have_zeros() {
        let source = Sentence::new("a b", vec![Token::new("a", 0..1)]).unwrap();
        let target = Sentence::new("x y", vec![Token::new("y", 2..3)]).unwrap();
        let words = Alignment::new(source, target, vec![1.0]).unwrap().words(Segmentation::Words).unwrap();
        assert_eq!(words.weights(), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_blank_text_leaves_only_its_end() {
        let source = Sentence::from_spans("  ", &[0..1, 1..2]).unwrap();
        let target = Sentence::from_words(["x"]);
        let with_end = Alignment::new(source.clone().with_end(), target.clone(), vec![0.3, 0.3, 0.4]).unwrap();
        assert_close(with_end.words(Segmentation::Words).unwrap().weights(), &[1.0]);
        let bare = Alignment::new(source, target, vec![0.5, 0.5]).unwrap();
        assert!(matches!(bare.words(Segmentation::Words), Err(AlignmentError::Empty(Side::Source))));
    }

    fn labels(sentence: &Sentence) -> Vec<&str> {
        sentence.tokens().iter().map(Token::label).collect()
    }

    fn assert_close(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len());
        assert!(actual.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6), "{actual:?} is not {expected:?}");
    }

    /// A text with letters, and spans anywhere in it.
    fn sentence() -> impl Strategy<Value = Sentence> {
        let text = prop_oneof!["[a-c ,'我é\u{301}ก๐-]{0,30}", ".{0,30}"].prop_map(|text| format!("{text}z"));
        let tokens = prop::collection::vec((0.0f64..1.0, 0.0f64..0.3), 1..40);
        (text, tokens, any::<bool>()).prop_map(|(text, tokens, end)| {
            let place = |share: f64| (share.min(1.0) * text.len() as f64) as usize;
            let spans: Vec<_> = tokens.iter().map(|&(start, length)| place(start)..place(start + length)).collect();
            let sentence = Sentence::from_spans(text, &spans).unwrap();
            if end { sentence.with_end() } else { sentence }
        })
    }

    proptest! {
        #[test]
        fn rows_still_sum_to_one(source in sentence(), target in sentence(), seed: u64, whitespace: bool) {
            let segmentation = if whitespace { Segmentation::Whitespace } else { Segmentation::Words };
            let weights = distributions(target.len(), source.len(), seed);
            let words = Alignment::new(source, target, weights).unwrap().words(segmentation).unwrap();
            for row in words.rows() {
                let sum: f32 = row.iter().sum();
                // Words that no token covers have no weight at all.
                prop_assert!((sum - 1.0).abs() < 1e-4 || row.iter().all(|&w| w == 0.0), "{row:?}");
            }
            let merged_end = words.source().has_end();
            prop_assert!(words.source().tokens().iter().rev().skip(usize::from(merged_end)).all(|t| !t.is_end()));
        }

        #[test]
        fn words_cover_all_but_blanks(text in ".{0,40}") {
            let words: String = words_of(&text).concat();
            let blanks = |c: char| c.is_whitespace();
            prop_assert_eq!(words.replace(blanks, ""), text.replace(blanks, ""));
        }
    }

    /// Rows of positive numbers that sum to 1.
    fn distributions(rows: usize, columns: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 24) as f32 + 1e-3
        };
        let mut weights: Vec<f32> = (0..rows * columns).map(|_| next()).collect();
        for row in weights.chunks_exact_mut(columns) {
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
        weights
    }
}
