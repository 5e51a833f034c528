//! Links between words as links between tokens: what guided alignment teaches.
//!
//! Links count words; the model sees tokens. A token belongs to each word that it shares a character with, and two tokens are
//! linked if words of theirs are.

use std::ops::Range;

use crate::tokenizer::Encoded;

/// A link between a source and a target token, or between words; counted from 0.
pub type TokenLink = (u32, u32);

/// The links between the words of a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordLinks {
    /// The bytes of the source's words, in order, and those of the target's.
    pub words: [Vec<Range<usize>>; 2],
    /// Source word, target word.
    pub links: Vec<TokenLink>,
}

/// Reads a line of links in Pharaoh format, `0-0 1-2`: source word, target word, counted from 0.
///
/// # Errors
///
/// The word of the line that is no link.
pub(crate) fn parse_links(line: &str) -> Result<Vec<TokenLink>, &str> {
    let parse = |word| {
        let (source, target): (&str, &str) = str::split_once(word, '-')?;
        let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
        Some((number(source)?, number(target)?))
    };
    line.split_ascii_whitespace().map(|word| parse(word).ok_or(word)).collect()
}

/// The words of a text, as blanks separate them.
pub(crate) fn words(text: &str) -> Vec<Range<usize>> {
    let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|word| start(word)..start(word) + word.len()).collect()
}

/// The links between tokens, in order; the ends of both sentences, their last tokens, are linked too. Without links between words
/// there are none at all.
///
/// Links between words that are not there are left out.
pub(crate) fn token_links(WordLinks { words, links }: &WordLinks, sides: [&Encoded; 2]) -> Vec<TokenLink> {
    if links.is_empty() {
        return Vec::new();
    }
    let [source, target] = [0, 1].map(|side| tokens_of(sides[side], &words[side]));
    let mut found: Vec<TokenLink> = vec![sides.map(|encoded| encoded.ids.len() as u32).into()];
    for &(from, to) in links {
        let (Some(from), Some(to)) = (source.get(from as usize), target.get(to as usize)) else { continue };
        found.extend(from.iter().flat_map(|&source| to.iter().map(move |&target| (source, target))));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The tokens that share a character with each word.
fn tokens_of(encoded: &Encoded, words: &[Range<usize>]) -> Vec<Vec<u32>> {
    let mut first = 0;
    let of_word = |word: &Range<usize>| {
        // Words and tokens are in order: no token before `first` reaches this word.
        while encoded.spans.get(first).is_some_and(|span| span.end <= word.start) {
            first += 1;
        }
        let reaching = encoded.spans[first..].iter().take_while(|span| span.start < word.end);
        (first as u32..).zip(reaching).map(|(token, _)| token).collect()
    };
    words.iter().map(of_word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(spans: &[Range<usize>]) -> Encoded {
        Encoded { ids: vec![9; spans.len()], tokens: vec![String::new(); spans.len()], spans: spans.to_vec() }
    }

    #[test]
    fn links_of_a_line() {
        assert_eq!(parse_links(" 0-0 12-3\t"), Ok(vec![(0, 0), (12, 3)]));
        assert_eq!(parse_links(""), Ok(vec![]));
        for wrong in ["1", "1-", "-1", "1-2-3", "1p2", "+1-2", "99999999999-1"] {
            assert_eq!(parse_links(&format!("0-0 {wrong}")), Err(wrong));
        }
    }

    #[test]
    fn tokens_are_linked_as_their_words_are() {
        // "ab cd" as a, b, ␣cd; "xy z" as ␣xy, ␣z. Words: ab cd; xy z.
        let (source, target) = (encoded(&[0..1, 1..2, 2..5]), encoded(&[0..2, 2..4]));
        let (from, to) = (words("ab cd"), words("xy z"));
        assert_eq!((from.as_slice(), to.as_slice()), (&[0..2, 3..5][..], &[0..2, 3..4][..]));
        let linked = |links| token_links(&WordLinks { words: [from.clone(), to.clone()], links }, [&source, &target]);
        assert_eq!(linked(vec![(0, 1), (1, 0), (7, 0)]), [(0, 1), (1, 1), (2, 0), (3, 2)]);
        assert_eq!(linked(vec![]), [], "the ends alone say nothing");
    }

    #[test]
    fn a_token_over_two_words_belongs_to_both() {
        assert_eq!(tokens_of(&encoded(&[0..1, 1..4, 4..5]), &words("ab cd")), [[0, 1], [1, 2]]);
    }
}
