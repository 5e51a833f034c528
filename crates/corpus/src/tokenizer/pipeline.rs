//! How text is cut before and put together after the model of a tokenizer, for each kind.
//!
//! Everything but the model is fixed by the kind, so that a tokenizer file can be checked and no text is changed silently:
//!
//! 1. The text is brought to Unicode normal form C (after lower-casing, where asked for).
//! 2. Except for `char`, a space is put before it, so that a word is the same unit at the start of a sentence and inside.
//! 3. Except for `char`, it is cut into words: a punctuation mark or symbol is a word, white space ends a word, and a space
//!    belongs to the word after it. Together the words are the text again, so nothing but step 1 changes it.
//!
//! Spaces stay spaces. The usual `▁` would turn a `▁` in the text into a space, and a leading space into nothing. Because
//! `<` is a word of its own, no text is ever taken for a special token such as `</s>` or `<0x41>`.

use rnnsearch_config::TokenizerKind;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::normalizers::{Lowercase, NFC, Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    DecoderWrapper, NormalizedString, Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, PreTokenizerWrapper, SplitDelimiterBehavior,
};

use super::{SPECIAL_TOKENS, UNK};

/// One word with its space: a mark, a run of anything but marks and white space, or a lone white space.
const WORD: &str = r" ?[\p{P}\p{S}]| ?[^\s\p{P}\p{S}]+|\s";

/// What marks a word piece that continues a word.
pub(crate) const CONTINUATION: &str = "##";

/// The steps around a model.
pub(crate) struct Pipeline {
    pub(crate) normalizer: NormalizerWrapper,
    pub(crate) pre_tokenizer: Option<PreTokenizerWrapper>,
    pub(crate) decoder: DecoderWrapper,
}

impl Pipeline {
    pub(crate) fn new(kind: TokenizerKind, lowercase: bool) -> tokenizers::Result<Self> {
        let in_words = marks_spaces(kind);
        let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
        if lowercase {
            normalizers.push(Lowercase.into());
        }
        normalizers.push(NFC.into());
        if in_words {
            normalizers.push(Prepend::new(" ".to_owned()).into());
        }
        let split = || Split::new(SplitPattern::Regex(WORD.to_owned()), SplitDelimiterBehavior::Isolated, false);
        Ok(Self {
            normalizer: Normalizers::new(normalizers).into(),
            pre_tokenizer: in_words.then(split).transpose()?.map(Into::into),
            decoder: Decoders::new(decoders(kind)?).into(),
        })
    }

    /// What a vocabulary for the text is learned from: its words, or for `char` its characters.
    pub(crate) fn words(&self, text: &str) -> tokenizers::Result<Vec<String>> {
        let mut normalized = NormalizedString::from(text);
        self.normalizer.normalize(&mut normalized)?;
        let Some(pre_tokenizer) = &self.pre_tokenizer else {
            return Ok(normalized.get().chars().map(String::from).collect());
        };
        let mut words = PreTokenizedString::from(normalized);
        pre_tokenizer.pre_tokenize(&mut words)?;
        let words = words.get_splits(OffsetReferential::Normalized, OffsetType::None);
        Ok(words.into_iter().map(|(word, _, _)| word.to_owned()).collect())
    }
}

/// Whether words carry the space before them: characters need not, as the space is one of them.
pub(crate) fn marks_spaces(kind: TokenizerKind) -> bool {
    kind != TokenizerKind::Char
}

/// Whether what the vocabulary cannot spell is spelled in bytes, so that there is no unknown text.
pub(crate) fn spells_bytes(kind: TokenizerKind) -> bool {
    matches!(kind, TokenizerKind::Bpe | TokenizerKind::Unigram)
}

/// Whether an unknown token stands for a whole word, whose space is then lost with it.
pub(crate) fn hides_words(kind: TokenizerKind) -> bool {
    matches!(kind, TokenizerKind::Wordpiece | TokenizerKind::Wordlevel)
}

fn decoders(kind: TokenizerKind) -> tokenizers::Result<Vec<DecoderWrapper>> {
    let mut decoders: Vec<DecoderWrapper> = Vec::new();
    if kind == TokenizerKind::Wordpiece {
        decoders.push(Replace::new(CONTINUATION, "")?.into());
    }
    if hides_words(kind) {
        let unknown = SPECIAL_TOKENS[UNK as usize];
        decoders.push(Replace::new(unknown, format!(" {unknown}"))?.into());
    }
    if spells_bytes(kind) {
        decoders.push(ByteFallback::new().into());
    }
    decoders.push(Fuse::new().into());
    if marks_spaces(kind) {
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    Ok(decoders)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Pipeline::new(TokenizerKind::Bpe, false).and_then(|pipeline| pipeline.words(text)).expect("words")
    }

    #[test]
    fn a_word_takes_the_space_before_it() {
        assert_eq!(words("Die Katze (rot) schläft."), [" Die", " Katze", " (", "rot", ")", " schläft", "."]);
    }

    #[test]
    fn no_space_is_lost() {
        assert_eq!(words("  a  b "), [" ", " ", " a", " ", " b", " "]);
        assert_eq!(words("a\tb\u{a0}c\u{2028}"), [" a", "\t", "b", "\u{a0}", "c", "\u{2028}"]);
        assert!(words("").is_empty());
    }

    #[test]
    fn special_tokens_in_text_are_cut() {
        assert_eq!(words("<s></s>"), [" <", "s", ">", "<", "/", "s", ">"]);
        assert_eq!(words("<0x41>"), [" <", "0x41", ">"]);
    }

    #[test]
    fn lower_case_comes_before_composition() {
        let pipeline = Pipeline::new(TokenizerKind::Char, true).expect("a pipeline");
        assert_eq!(pipeline.words("E\u{301}A").expect("words"), ["\u{e9}", "a"]);
    }
}
