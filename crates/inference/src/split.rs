//! Sources that are too long are translated in pieces.
//!
//! A piece ends after the last sentence that fits; where none does, after the last full stop or the like; else after the last
//! comma, semicolon or colon; else at the last blank; else after the last token.

use std::ops::Range;

use rnnsearch_corpus::Encoded;

use crate::sentences::{sentences, trimmed};

/// The bytes of each piece of a text, none with more than `max_tokens` tokens, in a language given by its code. Blanks between
/// pieces belong to none.
pub(crate) fn split(text: &str, encoded: &Encoded, max_tokens: usize, language: &str) -> Vec<Range<usize>> {
    let max_tokens = max_tokens.max(1);
    let sentence_ends: Vec<usize> = sentences(text, language).into_iter().map(|sentence| sentence.end).collect();
    let mut pieces = Vec::new();
    let (mut token, mut start) = (0, 0);
    while encoded.ids.len() - token > max_tokens {
        let limit = encoded.spans[token + max_tokens].start;
        let sentence_end = sentence_ends[..sentence_ends.partition_point(|&end| end <= limit)].last().copied();
        let end = sentence_end
            .filter(|&end| end > start)
            .or_else(|| cut(&text[start..limit]).map(|length| start + length))
            .unwrap_or(limit);
        let end = if end > start { end } else { text.ceil_char_boundary(limit.max(start + 1)) };
        pieces.push(start..end);
        start = end;
        token = encoded.spans.partition_point(|span| span.end <= start).max(token + 1);
    }
    pieces.push(start..text.len());
    pieces.into_iter().map(|piece| trimmed(text, piece)).filter(|piece| !piece.is_empty()).collect()
}

/// Where a text without a sentence end is cut best, in bytes from its start.
fn cut(text: &str) -> Option<usize> {
    let after = |marks: &[char]| {
        let mut ends = text.match_indices(marks).map(|(at, mark)| at + mark.len());
        // A mark inside a number or an abbreviation has no blank behind it; East Asian marks need none.
        ends.rfind(|&end| {
            text[end..].starts_with(char::is_whitespace) || !text[..end].ends_with(|c: char| c.is_ascii())
        })
    };
    after(&['.', '!', '?', '…', '。', '！', '？', '।', '؟'])
        .or_else(|| after(&[',', ';', ':', '，', '、', '；', '：', '،', '؛']))
        .or_else(|| text.rfind(char::is_whitespace).filter(|&at| at > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One token a character.
    fn characters(text: &str) -> Encoded {
        let spans: Vec<Range<usize>> = text.char_indices().map(|(at, c)| at..at + c.len_utf8()).collect();
        Encoded { ids: vec![5; spans.len()], tokens: vec![String::new(); spans.len()], spans }
    }

    fn pieces(text: &str, max_tokens: usize) -> Vec<&str> {
        split(text, &characters(text), max_tokens, "en").into_iter().map(|piece| &text[piece]).collect()
    }

    #[test]
    fn short_text_stays_whole() {
        assert_eq!(pieces("one two.", 8), ["one two."]);
    }

    #[test]
    fn sentences_come_first_then_commas_then_blanks_then_tokens() {
        assert_eq!(pieces("One. Two, three. Four five", 18), ["One. Two, three.", "Four five"]);
        assert_eq!(pieces("See Dr. No. Twice", 15), ["See Dr. No.", "Twice"]);
        assert_eq!(pieces("See Dr. No. Twice", 9), ["See Dr.", "No.", "Twice"]);
        assert_eq!(pieces("one, two, three four", 12), ["one, two,", "three four"]);
        assert_eq!(pieces("one two three", 9), ["one two", "three"]);
        assert_eq!(pieces("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(pieces("一二。三四五", 4), ["一二。", "三四五"]);
    }

    #[test]
    fn marks_inside_numbers_do_not_cut() {
        assert_eq!(pieces("costs 3.50 euros today", 12), ["costs 3.50", "euros today"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_blanks_is_lost(text in "\\PC{0,60}", max in 1usize..12) {
            let joined: String = pieces(&text, max).concat();
            let compact = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(compact(&joined), compact(&text));
        }
    }
}
