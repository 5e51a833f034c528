//! What the words of a vocabulary do to the text before them, and how phrases are spelled in them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use rnnsearch_config::TokenizerKind;
use rnnsearch_corpus::{BOS, EOS, PAD, Tokenizer, UNK};

use crate::required::{Phrase, Spelling};

/// What each word of a vocabulary does to the text before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Whether it makes the text's last word another one, as `s` after `cat`.
    continues: Vec<bool>,
    /// Whether a blank comes before it.
    begins: Vec<bool>,
    /// Whether it is of blanks only.
    blank: Vec<bool>,
    /// Whether it is a byte, which may be a part of any character.
    bytes: Vec<bool>,
    /// What it writes, see [`Units::text`].
    written: Vec<Vec<u8>>,
    /// All words, in the order of what they write.
    in_order: Vec<u32>,
}

impl Units {
    /// Those of a tokenizer.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let (kind, ids) = (tokenizer.kind(), 0..tokenizer.vocab_size() as u32);
        let text = |id| tokenizer.token(id).unwrap_or_default();
        let written = ids.clone().map(|id| written(kind, id, &text(id))).collect();
        Self {
            continues: ids.clone().map(|id| id != EOS && continues(kind, id, &text(id))).collect(),
            begins: ids
                .clone()
                .map(|id| shown(&text(id)).starts_with(is_blank) || id == UNK && hides_words(kind))
                .collect(),
            blank: ids.clone().map(|id| is_all_blank(&shown(&text(id)))).collect(),
            bytes: ids.map(|id| byte_of(&text(id)).is_some()).collect(),
            ..Self::writing(written)
        }
    }

    /// Units of which only this is known: what they write.
    pub(crate) fn writing(written: Vec<Vec<u8>>) -> Self {
        let mut in_order: Vec<u32> = (0..written.len() as u32).collect();
        in_order.sort_by_key(|&id| &written[id as usize]);
        Self { written, in_order, ..Self::default() }
    }

    /// Units of which only this is known: before which of them a blank comes.
    #[cfg(test)]
    pub(crate) fn beginning(begins: Vec<bool>) -> Self {
        Self { begins, ..Self::default() }
    }

    /// Whether this word is of blanks only.
    pub(crate) fn is_blank(&self, word: u32) -> bool {
        self.blank.get(word as usize).copied().unwrap_or(false)
    }

    /// Whether this word makes the text's last word another one.
    pub(crate) fn continues(&self, word: u32) -> bool {
        self.continues.get(word as usize).copied().unwrap_or(false)
    }

    /// Whether this word is a byte, which may be a part of any character.
    pub(crate) fn is_byte(&self, word: u32) -> bool {
        self.bytes.get(word as usize).copied().unwrap_or(false)
    }

    /// All words.
    pub(crate) fn all(&self) -> std::ops::Range<u32> {
        0..self.written.len() as u32
    }

    /// The text of some words, which begins with a blank; blanks of any kind are one blank.
    pub(crate) fn text(&self, words: &[u32]) -> Vec<u8> {
        let mut text = vec![b' '];
        for &byte in words.iter().flat_map(|&word| self.written(word)) {
            if byte != b' ' || !text.ends_with(b" ") {
                text.push(byte);
            }
        }
        text
    }

    /// What a word adds to a text.
    pub(crate) fn written(&self, word: u32) -> &[u8] {
        self.written.get(word as usize).map_or(&[], Vec::as_slice)
    }

    /// The words that write something that begins so.
    pub(crate) fn beginning_with<'u>(&'u self, start: &'u [u8]) -> impl Iterator<Item = u32> + 'u {
        let first = self.in_order.partition_point(|&word| self.written(word) < start);
        self.in_order[first..].iter().copied().take_while(move |&word| self.written(word).starts_with(start))
    }

    /// Whether a blank comes before this word.
    pub(crate) fn begins(&self, word: u32) -> bool {
        self.begins.get(word as usize).copied().unwrap_or(false)
    }
}

/// How a tokenizer shows a blank.
const BLANK: char = '▁';

/// Whether a character of a token stands for a blank.
fn is_blank(c: char) -> bool {
    c == BLANK || c.is_whitespace()
}

fn is_all_blank(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_blank)
}

/// A token with a byte that is a character by itself as that.
fn shown(token: &str) -> String {
    byte_of(token).filter(u8::is_ascii).map_or_else(|| token.to_owned(), |byte| char::from(byte).into())
}

/// What is part of a word, as tokenizers cut text.
static IN_WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[^\s\p{P}\p{S}]$").expect("a pattern"));

/// Scripts that put no blanks between words.
static UNSPACED: LazyLock<Regex> = LazyLock::new(|| {
    let scripts = r"^[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]$";
    Regex::new(scripts).expect("a pattern")
});

/// Whether a character is part of a word, and neither a blank nor a mark.
pub(crate) fn is_word_character(c: char) -> bool {
    IN_WORD.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Whether a character is part of a word that has blanks around it.
pub(crate) fn in_spaced_word(c: char) -> bool {
    is_word_character(c) && !UNSPACED.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Whether an unknown word shows with a blank before it.
fn hides_words(kind: TokenizerKind) -> bool {
    matches!(kind, TokenizerKind::Wordpiece | TokenizerKind::Wordlevel)
}

/// The byte that a token is; no text has such a token, as `<` is a word by itself.
fn byte_of(token: &str) -> Option<u8> {
    u8::from_str_radix(token.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

fn continues(kind: TokenizerKind, id: u32, token: &str) -> bool {
    if id == UNK {
        return !hides_words(kind);
    }
    if let Some(byte) = byte_of(token) {
        // Which character a byte is part of is not known yet.
        return !byte.is_ascii() || byte.is_ascii_alphanumeric();
    }
    let text = if kind == TokenizerKind::Wordpiece { token.strip_prefix("##").unwrap_or(token) } else { token };
    text.chars().next().is_some_and(is_word_character)
}

/// What a word adds to a text, blanks as one blank.
fn written(kind: TokenizerKind, id: u32, token: &str) -> Vec<u8> {
    if [PAD, BOS, EOS].contains(&id) {
        return Vec::new();
    }
    if id == UNK {
        return format!("{}{token}", if hides_words(kind) { " " } else { "" }).into_bytes();
    }
    if let Some(byte) = byte_of(token) {
        return vec![if byte.is_ascii_whitespace() { b' ' } else { byte }];
    }
    let text = if kind == TokenizerKind::Wordpiece { token.strip_prefix("##").unwrap_or(token) } else { token };
    with_single_blanks(text).into_bytes()
}

/// A text with one space for all blanks in a row.
pub(crate) fn with_single_blanks(text: &str) -> String {
    let mut single = String::new();
    for c in text.chars().map(|c| if is_blank(c) { ' ' } else { c }) {
        if c != ' ' || !single.ends_with(' ') {
            single.push(c);
        }
    }
    single
}

/// A phrase as the model can write it: any of `alternatives`, which have blanks neither at their ends nor two in a row. The text
/// that it cannot spell is the error.
pub(crate) fn spell(tokenizer: &Tokenizer, alternatives: &[String]) -> Result<Phrase, String> {
    let spellings: Result<Vec<Vec<Spelling>>, String> =
        alternatives.iter().map(|text| spellings(tokenizer, text).ok_or_else(|| text.clone())).collect();
    let mut spellings = spellings?.concat();
    // What may stand anywhere and is shortest comes first.
    spellings.sort_by_key(|spelling| (spelling.glued, spelling.ids.len()));
    Ok(Phrase::new(spellings))
}

/// The ways to write a text; none if the vocabulary cannot spell it.
fn spellings(tokenizer: &Tokenizer, text: &str) -> Option<Vec<Spelling>> {
    let is_known = |ids: &Vec<u32>| !ids.is_empty() && !ids.contains(&UNK);
    let open = text.chars().next_back().is_some_and(in_spaced_word);
    let glued = without_blank(tokenizer, text);
    let spaced = match tokenizer.kind() {
        TokenizerKind::Char => tokenizer.encode_ids(&format!(" {text}")),
        _ => tokenizer.encode_ids(text),
    };
    let may_follow_letters = !text.chars().next().is_some_and(in_spaced_word);
    let has_blanks = tokenizer.kind() != TokenizerKind::Char || !tokenizer.encode_ids(" ").contains(&UNK);
    let mut spellings = Vec::new();
    if is_known(&spaced) {
        spellings.push(Spelling { ids: spaced, open, glued: false });
    }
    if is_known(&glued) && (may_follow_letters || !has_blanks) {
        spellings.push(Spelling { ids: glued, open: open && has_blanks, glued: !spellings.is_empty() });
    }
    (!spellings.is_empty()).then_some(spellings)
}

/// A text as it is spelled where no blank comes before it.
fn without_blank(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    if tokenizer.kind() == TokenizerKind::Char {
        return tokenizer.encode_ids(text);
    }
    // A mark is a word by itself: what follows it has no blank.
    const MARK: &str = "(";
    let encoded = tokenizer.encode(&format!("{MARK}{text}"));
    let behind = |span: &Range<usize>| span.end > MARK.len();
    encoded.ids.iter().zip(&encoded.spans).filter(|(_, span)| behind(span)).map(|(id, _)| *id).collect()
}

/// A phrase without blanks at its ends and with single ones inside.
pub(crate) fn tidy(phrase: &str) -> String {
    phrase.split_ascii_whitespace().collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rnnsearch_config::TokenizerConfig;
    use rnnsearch_corpus::Vocabularies;

    use super::*;
    use crate::Steering;
    use crate::steering::Place;

    fn tokenizer(kind: TokenizerKind, vocabulary: usize, text: &str) -> Arc<Tokenizer> {
        let config = TokenizerConfig { kind, vocabulary, ..TokenizerConfig::default() };
        Vocabularies::train_on(&[(text, text)], &config).unwrap().target
    }

    const TEXT: &str = "the cat sees the cats, the dog sees (the) dogs. the cat";

    #[test]
    fn what_continues_a_word_is_told_from_what_begins_one() {
        let tokenizer = tokenizer(TokenizerKind::Bpe, 280, TEXT);
        let units = Units::new(&tokenizer);
        let ids = tokenizer.encode_ids("the cats, dogs\u{2603}");
        let text = |id: u32| tokenizer.token(id).unwrap();
        for (place, &id) in ids.iter().enumerate() {
            assert_eq!(units.begins(id), text(id).starts_with('▁'), "{}", text(id));
            let is_letters = text(id).starts_with(|c: char| c.is_alphabetic());
            let is_part = text(id).starts_with("<0x") && text(id) != "<0x2C>";
            assert_eq!(units.continues(id), is_letters || is_part, "{place} {}", text(id));
        }
        assert!(!units.continues(EOS) && !units.begins(EOS));
        assert!(units.begins(ids[0]) && !units.continues(u32::MAX));
    }

    #[test]
    fn words_are_counted_as_blanks_separate_them() {
        let text = "\u{a0}the cat  sees\u{a0}the\tcats,  \u{a0} the dog";
        for (kind, size) in [(TokenizerKind::Char, 20), (TokenizerKind::Bpe, 280)] {
            let tokenizer = tokenizer(kind, size, &format!("{TEXT} {text}"));
            let steering = Steering::new((&[], &[]), &[], &[], Arc::new(Units::new(&tokenizer)));
            let after = |place: Place, &id: &u32| steering.follow(place, id);
            let ids = tokenizer.encode_ids(text);
            let words = ids.iter().fold(Place::default(), after).begun;
            assert_eq!(words, tokenizer.decode(&ids).split_whitespace().count(), "{kind:?}");
        }
    }

    #[test]
    fn phrases_read_as_they_were_given() {
        for (kind, size) in [(TokenizerKind::Bpe, 280), (TokenizerKind::Char, 18), (TokenizerKind::Wordlevel, 15)] {
            let tokenizer = tokenizer(kind, size, TEXT);
            for text in ["the cat", "cat", ",", "."] {
                let phrase = spell(&tokenizer, &[text.into()]).unwrap();
                for spelling in phrase.spellings() {
                    assert_eq!(tokenizer.decode(&spelling.ids).trim(), text, "{kind:?}");
                    assert_eq!(spelling.open, text.ends_with('t'));
                }
                assert!(
                    kind == TokenizerKind::Wordlevel || phrase.spellings().len() == 1 + usize::from(text.len() == 1)
                );
            }
        }
        let words = tokenizer(TokenizerKind::Wordlevel, 15, TEXT);
        assert_eq!(spell(&words, &["the".into(), "the zebra".into()]).unwrap_err(), "the zebra");
        assert_eq!(tidy("  the\t small\ncat "), "the small cat");
    }
}
