//! Text to token ids and back.
//!
//! A [`Tokenizer`] is a `tokenizer.json` of the Hugging Face `tokenizers` library, and other programs that read such files
//! get the same ids and the same text. What it does to text is fixed by its kind (see the `pipeline` module); only
//! the vocabulary is learned.

mod alphabet;
mod decode;
mod grow;
mod merges;
mod pieces;
mod pipeline;
mod train;
mod vocabularies;

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;
use rnnsearch_config::TokenizerKind;
use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::{Model, ModelWrapper, NormalizedString, Normalizer};

pub use decode::Decoded;
use decode::Piece;
use pipeline::{Pipeline, spells_bytes};
pub use vocabularies::Vocabularies;

use crate::error::CorpusError;

/// The id that fills a batch up to the length of its longest sentence.
pub const PAD: u32 = 0;
/// The id of text that the vocabulary cannot spell.
pub const UNK: u32 = 1;
/// The id that the decoder is given before the first target token.
pub const BOS: u32 = 2;
/// The id that ends every sentence.
pub const EOS: u32 = 3;
/// The special tokens in the order of their ids; no text is ever encoded as one of them, except as `<unk>`.
pub const SPECIAL_TOKENS: [&str; 4] = ["<pad>", "<unk>", "<s>", "</s>"];

/// Encodes text as token ids and decodes token ids as text.
///
/// For `bpe` and `unigram`, `decode(encode(text))` is `text` in Unicode normal form C (lower-cased where the configuration says
/// so), whatever `text` is: white space of all kinds, control characters, and what looks like a special token included.
/// For `char`, `wordlevel` and `wordpiece` the same holds for text that the vocabulary can spell; the rest is `<unk>`.
///
/// ```
/// use rnnsearch_config::{TokenizerConfig, TokenizerKind};
/// use rnnsearch_corpus::Vocabularies;
///
/// let config = TokenizerConfig { kind: TokenizerKind::Bpe, vocabulary: 280, ..Default::default() };
/// let pairs = [("Die Katze schläft.", "The cat sleeps."), ("Der Hund schläft.", "The dog sleeps.")];
/// let vocabularies = Vocabularies::train_on(&pairs, &config)?;
/// let ids = vocabularies.source.encode_ids(" Der Kater </s> schläft \u{2603}");
/// assert_eq!(vocabularies.source.decode(&ids), " Der Kater </s> schläft \u{2603}");
/// # Ok::<(), rnnsearch_corpus::CorpusError>(())
/// ```
pub struct Tokenizer {
    kind: TokenizerKind,
    inner: tokenizers::Tokenizer,
    pieces: Vec<Piece>,
}

/// A `tokenizer.json`.
#[derive(Deserialize)]
struct TokenizerFile {
    model: ModelWrapper,
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
    #[serde(default)]
    added_tokens: Value,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
}

/// A text as tokens, without special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The token ids.
    pub ids: Vec<u32>,
    /// The tokens as they are shown to people: a space is `▁`, a byte `<0xE2>`.
    pub tokens: Vec<String>,
    /// The bytes of the text, as it was given, that each token stands for, its leading space included. They follow each
    /// other without gaps; only the bytes of one character share one span.
    pub spans: Vec<Range<usize>>,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Tokenizer({:?}, {} tokens)", self.kind, self.pieces.len())
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// [`CorpusError::Tokenizer`] if it is damaged, or if anything but the vocabulary differs from what this crate writes:
    /// such a file may be a fine tokenizer, but would not give the text back that it was given.
    pub fn from_json(json: &str, file: &str) -> Result<Self, CorpusError> {
        let failed = |reason: String| CorpusError::Tokenizer { file: file.to_owned(), reason };
        let file: TokenizerFile = serde_json::from_str(json).map_err(|error| failed(error.to_string()))?;
        let lowercase = file.normalizer["normalizers"][0]["type"] == "Lowercase";
        let tokenizer = Self::assemble(kind_of(&file.model), lowercase, file.model).map_err(failed)?;
        let inner = &tokenizer.inner;
        let steps = [
            ("truncation", file.truncation, Value::Null),
            ("padding", file.padding, Value::Null),
            ("added_tokens", file.added_tokens, json!([])),
            ("normalizer", file.normalizer, json!(inner.get_normalizer())),
            ("pre_tokenizer", file.pre_tokenizer, json!(inner.get_pre_tokenizer())),
            ("post_processor", file.post_processor, Value::Null),
            ("decoder", file.decoder, json!(inner.get_decoder())),
        ];
        match steps.iter().find(|(_, found, expected)| found != expected) {
            Some((key, ..)) => Err(failed(format!("its `{key}` is not the one that rnnsearch writes"))),
            None => Ok(tokenizer),
        }
    }

    /// The `tokenizer.json`; the same vocabulary always gives the same bytes.
    pub fn to_json(&self) -> String {
        self.inner.to_string(false).expect("a tokenizer is plain data")
    }

    /// Puts the fixed steps around a model, and checks that its vocabulary holds what they rely on.
    fn assemble(kind: TokenizerKind, lowercase: bool, model: ModelWrapper) -> Result<Self, String> {
        let pieces = check_vocabulary(kind, &model)?;
        let pipeline = Pipeline::new(kind, lowercase).map_err(|error| error.to_string())?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(pipeline.normalizer)).map_err(|error| error.to_string())?;
        inner.with_pre_tokenizer(pipeline.pre_tokenizer);
        inner.with_decoder(Some(pipeline.decoder));
        Ok(Self { kind, inner, pieces })
    }

    /// The kind of units.
    pub fn kind(&self) -> TokenizerKind {
        self.kind
    }

    /// The number of ids, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The token of an id as it is shown to people: a space is `▁`, a byte `<0xE2>`.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.get_model().id_to_token(id).map(|token| shown(&token))
    }

    /// The id of a tag, a token that no text has: it says what kind of text follows. None where the vocabulary has no such tag.
    pub fn tag(&self, name: &str) -> Option<u32> {
        self.inner.get_model().token_to_id(&tag_token(name))
    }

    /// Whether an id is that of a tag.
    pub fn is_tag(&self, id: u32) -> bool {
        id > EOS && self.pieces.get(id as usize) == Some(&Piece::Nothing)
    }

    /// The tags of the vocabulary, in the order of their ids.
    pub fn tags(&self) -> Vec<String> {
        let tags = (0..self.vocab_size() as u32).filter(|&id| self.is_tag(id));
        tags.filter_map(|id| tag_name(&self.inner.get_model().id_to_token(id)?).map(str::to_owned)).collect()
    }

    /// The id here of what is token `id` in another tokenizer; none where this one has no such token.
    pub fn same_token(&self, other: &Self, id: u32) -> Option<u32> {
        self.inner.get_model().token_to_id(&other.inner.get_model().id_to_token(id)?)
    }

    /// The merges of byte-pair encoding in their order. Other kinds have none.
    pub(crate) fn merge_texts(&self) -> Vec<(String, String)> {
        let ModelWrapper::BPE(bpe) = self.inner.get_model() else { return Vec::new() };
        // The model does not show its merges but in its file.
        let file = serde_json::to_value(bpe).expect("a model is plain data");
        Vec::deserialize(&file["merges"]).expect("merges are pairs")
    }

    /// The merges as ids: left token, right token, what they are joined to.
    pub(crate) fn merges(&self) -> Vec<[u32; 3]> {
        let id = |token: &str| self.inner.get_model().token_to_id(token).expect("merges are of tokens");
        let ids = |(left, right): (String, String)| [id(&left), id(&right), id(&format!("{left}{right}"))];
        self.merge_texts().into_iter().map(ids).collect()
    }

    /// The text that a token stands for; none for special tokens and bytes.
    pub(crate) fn text_of(&self, id: u32) -> Option<&str> {
        self.pieces[id as usize].text()
    }

    /// The tokens of the characters of a token; itself where it is more or less than characters of the vocabulary.
    pub(crate) fn spelling(&self, id: u32) -> Vec<u32> {
        let character = |c: char| self.inner.get_model().token_to_id(c.encode_utf8(&mut [0; 4]));
        let characters = self.text_of(id).and_then(|text| text.chars().map(character).collect());
        characters.unwrap_or_else(|| vec![id])
    }

    /// A text in the form that its tokens have: in Unicode normal form C, in lower case where the vocabulary is.
    pub fn normalize(&self, text: &str) -> String {
        let mut normalized = NormalizedString::from(text);
        let normalizer = self.inner.get_normalizer().expect("there always is one");
        normalizer.normalize(&mut normalized).expect(ANY_TEXT);
        let normalized = normalized.get();
        let before = usize::from(pipeline::marks_spaces(self.kind) && !text.is_empty());
        normalized[before..].to_owned()
    }

    /// Encodes a text, with the place of every token in it.
    pub fn encode(&self, text: &str) -> Encoded {
        let encoding = self.inner.encode(text, false).expect(ANY_TEXT);
        let only_space = pipeline::marks_spaces(self.kind) && is_only_space(encoding.get_tokens().first(), text);
        let spans = close_gaps(encoding.get_offsets(), only_space, text.len());
        Encoded {
            ids: encoding.get_ids().to_vec(),
            tokens: encoding.get_tokens().iter().map(|token| shown(token)).collect(),
            spans,
        }
    }

    /// Encodes a text as ids alone, which is faster.
    pub fn encode_ids(&self, text: &str) -> Vec<u32> {
        self.inner.encode_fast(text, false).expect(ANY_TEXT).get_ids().to_vec()
    }

    /// Encodes many texts as ids, on all threads; the results are in the order of the texts.
    pub fn encode_batch<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Vec<u32>> {
        texts.par_iter().map(|text| self.encode_ids(text.as_ref())).collect()
    }
}

const ANY_TEXT: &str = "a checked tokenizer encodes any text";

fn kind_of(model: &ModelWrapper) -> TokenizerKind {
    match model {
        ModelWrapper::BPE(bpe) if bpe.byte_fallback => TokenizerKind::Bpe,
        ModelWrapper::BPE(_) => TokenizerKind::Char,
        ModelWrapper::Unigram(_) => TokenizerKind::Unigram,
        ModelWrapper::WordPiece(_) => TokenizerKind::Wordpiece,
        ModelWrapper::WordLevel(_) => TokenizerKind::Wordlevel,
    }
}

/// The pieces of text that the ids stand for.
fn check_vocabulary(kind: TokenizerKind, model: &ModelWrapper) -> Result<Vec<Piece>, String> {
    let token = |id: usize| model.id_to_token(id as u32);
    for (id, special) in SPECIAL_TOKENS.iter().enumerate() {
        match token(id) {
            Some(found) if found == *special => {}
            found => return Err(format!("token {id} should be {special}, but is {found:?}")),
        }
    }
    if spells_bytes(kind)
        && let Some(missing) = (0..=u8::MAX).map(byte_token).find(|token| model.token_to_id(token).is_none())
    {
        return Err(format!("{missing} is not in its vocabulary"));
    }
    let tokens = (0..model.get_vocab_size()).map(|id| token(id).ok_or_else(|| format!("it has no token {id}")));
    tokens.enumerate().map(|(id, token)| token.map(|token| Piece::new(kind, id as u32, &token))).collect()
}

/// Whether the first token stands for nothing but the space that was put before the text: because it is that space, or because
/// it is an unknown word, and white space follows, which ends a word.
fn is_only_space(first: Option<&String>, text: &str) -> bool {
    first.is_some_and(|token| {
        token == " " || (token == SPECIAL_TOKENS[UNK as usize] && text.starts_with(char::is_whitespace))
    })
}

/// Spans without gaps from offsets that know nothing of combining marks which were composed or moved.
fn close_gaps(offsets: &[(usize, usize)], first_is_empty: bool, length: usize) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(offsets.len());
    let skipped = usize::from(first_is_empty);
    spans.extend(first_is_empty.then_some(0..0));
    for (index, &(_, end)) in offsets.iter().enumerate().skip(skipped) {
        let before = spans.last().cloned().unwrap_or(0..0);
        if index > skipped && offsets[index] == offsets[index - 1] {
            spans.push(before);
            continue;
        }
        let next = offsets[index..].iter().find(|&&other| other != offsets[index]);
        let next_start = next.map_or(length, |&(start, _)| start);
        spans.push(before.end..end.max(next_start).max(before.end));
    }
    spans
}

fn byte_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The token of a tag. As `<` is a word of its own, and so is every character where units are characters, it is never part of a text.
fn tag_token(name: &str) -> String {
    format!("<tag:{name}>")
}

fn tag_name(token: &str) -> Option<&str> {
    token.strip_prefix("<tag:")?.strip_suffix('>')
}

fn shown(token: &str) -> String {
    token.replace(' ', "▁")
}

#[cfg(test)]
mod tests;
