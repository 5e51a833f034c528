//! Token ids to text, with the place of every token in it.

use std::ops::Range;

use rnnsearch_config::TokenizerKind;

use super::pipeline::{CONTINUATION, hides_words, marks_spaces, spells_bytes};
use super::{BOS, EOS, PAD, SPECIAL_TOKENS, Tokenizer, UNK, tag_name};

/// A text made of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The text.
    pub text: String,
    /// For every id, the bytes of the text that it fills; nothing for special tokens. The bytes of one character have the span
    /// of that character, each of them.
    pub spans: Vec<Range<usize>>,
}

/// What an id adds to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Nothing: padding, begin and end of sentence, tags.
    Nothing,
    /// The sign for unknown text.
    Unknown,
    /// One byte of a character.
    Byte(u8),
    /// Text.
    Text(String),
}

impl Piece {
    /// The text it is, if it is text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Unknown | Self::Byte(_) => None,
        }
    }

    pub(super) fn new(kind: TokenizerKind, id: u32, token: &str) -> Self {
        match id {
            PAD | BOS | EOS => Self::Nothing,
            UNK => Self::Unknown,
            _ => match parse_byte(token) {
                Some(byte) if spells_bytes(kind) => Self::Byte(byte),
                _ if tag_name(token).is_some() => Self::Nothing,
                _ if kind == TokenizerKind::Wordpiece => {
                    Self::Text(token.strip_prefix(CONTINUATION).unwrap_or(token).to_owned())
                }
                _ => Self::Text(token.to_owned()),
            },
        }
    }
}

fn parse_byte(token: &str) -> Option<u8> {
    u8::from_str_radix(token.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?, 16).ok()
}

impl Tokenizer {
    /// The text of the ids.
    ///
    /// Special tokens add nothing, but for `<unk>`, which shows as itself, as do ids that are not in the vocabulary. A run of
    /// byte tokens that is not UTF-8 shows as one U+FFFD a byte, as other readers of `tokenizer.json` show it.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.decode_with_spans(ids).text
    }

    /// The text of the ids, and which part of it every id fills.
    pub fn decode_with_spans(&self, ids: &[u32]) -> Decoded {
        self.decode_replacing(ids, |_| None)
    }

    /// Like [`Tokenizer::decode_with_spans`], with another text in the place of unknown ones: `replacement` is asked for
    /// each, by its position in `ids`, and may give the source word that the model looked at.
    pub fn decode_replacing<'a>(&self, ids: &[u32], replacement: impl Fn(usize) -> Option<&'a str>) -> Decoded {
        let mut writer = Writer::default();
        for (position, &id) in ids.iter().enumerate() {
            match self.pieces.get(id as usize).unwrap_or(&Piece::Unknown) {
                Piece::Nothing => writer.nothing(),
                Piece::Byte(byte) => writer.byte(*byte),
                Piece::Text(text) => writer.text(text),
                Piece::Unknown => {
                    let text = replacement(position).unwrap_or(SPECIAL_TOKENS[UNK as usize]);
                    if hides_words(self.kind) { writer.text(&format!(" {text}")) } else { writer.text(text) }
                }
            }
        }
        writer.finish(marks_spaces(self.kind))
    }
}

#[derive(Default)]
struct Writer {
    decoded: Decoded,
    /// Bytes of characters that are not complete yet, and the positions of their ids.
    bytes: Vec<u8>,
    byte_positions: Vec<usize>,
}

impl Writer {
    fn nothing(&mut self) {
        let end = self.decoded.text.len();
        self.decoded.spans.push(end..end);
    }

    fn byte(&mut self, byte: u8) {
        self.byte_positions.push(self.decoded.spans.len());
        self.bytes.push(byte);
        self.nothing();
    }

    fn text(&mut self, text: &str) {
        self.flush();
        let start = self.decoded.text.len();
        self.decoded.text.push_str(text);
        self.decoded.spans.push(start..self.decoded.text.len());
    }

    /// Writes the pending bytes as characters, or each as U+FFFD if not all of them are UTF-8.
    fn flush(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut positions = std::mem::take(&mut self.byte_positions).into_iter();
        let (text, ids_per_char) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => (char::REPLACEMENT_CHARACTER.to_string().repeat(error.as_bytes().len()), Some(1)),
        };
        for c in text.chars() {
            let start = self.decoded.text.len();
            self.decoded.text.push(c);
            for position in positions.by_ref().take(ids_per_char.unwrap_or(c.len_utf8())) {
                self.decoded.spans[position] = start..self.decoded.text.len();
            }
        }
    }

    fn finish(mut self, strip_space: bool) -> Decoded {
        self.flush();
        if strip_space && self.decoded.text.starts_with(' ') {
            self.decoded.text.remove(0);
            for span in &mut self.decoded.spans {
                *span = span.start.saturating_sub(1)..span.end.saturating_sub(1);
            }
        }
        self.decoded
    }
}
