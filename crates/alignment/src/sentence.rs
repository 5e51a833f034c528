//! One side of an alignment: a text and the tokens that the model saw of it.

use std::ops::Range;

use crate::AlignmentError;

/// The label of the end-of-sentence token.
pub const END: &str = "</s>";

/// A text and its tokens, each with the bytes it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    text: String,
    tokens: Vec<Token>,
}

/// A row or column of an alignment: a word, a sub-word, or the end of the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    label: String,
    span: Option<Range<usize>>,
}

impl Sentence {
    /// A sentence whose tokens carry labels of their own, such as the pieces of a vocabulary.
    ///
    /// Spans may overlap (several byte tokens can stand for one character); one that cuts a character is widened to it.
    ///
    /// # Errors
    ///
    /// A span that lies outside the text, or an end token that is not last.
    pub fn new(text: impl Into<String>, tokens: Vec<Token>) -> Result<Self, AlignmentError> {
        let text = text.into();
        let mut tokens = tokens;
        let count = tokens.len();
        for (index, token) in tokens.iter_mut().enumerate() {
            match &mut token.span {
                Some(span) => *span = whole_characters(&text, index, span)?,
                None if index + 1 < count => return Err(AlignmentError::EndNotLast { token: index }),
                None => {}
            }
        }
        Ok(Self { text, tokens })
    }

    /// A sentence whose tokens are labelled with the text they cover.
    ///
    /// # Errors
    ///
    /// As [`Sentence::new`].
    pub fn from_spans(text: impl Into<String>, spans: &[Range<usize>]) -> Result<Self, AlignmentError> {
        let mut sentence = Self::new(text, spans.iter().map(|span| Token::new("", span.clone())).collect())?;
        for token in &mut sentence.tokens {
            if let Some(span) = &token.span {
                token.label = sentence.text[span.clone()].to_owned();
            }
        }
        Ok(sentence)
    }

    /// A sentence of words that are split already; its text is the words with spaces between them.
    pub fn from_words<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let mut sentence = Self { text: String::new(), tokens: Vec::new() };
        for (index, word) in words.into_iter().enumerate() {
            if index > 0 {
                sentence.text.push(' ');
            }
            let start = sentence.text.len();
            sentence.text.push_str(word.as_ref());
            sentence.tokens.push(Token::new(word.as_ref(), start..sentence.text.len()));
        }
        sentence
    }

    /// Adds the end-of-sentence token, unless the sentence has it.
    pub fn with_end(mut self) -> Self {
        if !self.has_end() {
            self.tokens.push(Token::end());
        }
        self
    }

    /// The text as the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tokens in order; the end of the sentence, if present, is last.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Number of tokens, the end of the sentence included.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are no tokens at all.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether the last token is the end of the sentence.
    pub fn has_end(&self) -> bool {
        self.tokens.last().is_some_and(Token::is_end)
    }

    /// The sentence without its end token.
    pub(crate) fn without_end(&self) -> Self {
        let kept = self.len() - usize::from(self.has_end());
        Self { text: self.text.clone(), tokens: self.tokens[..kept].to_vec() }
    }
}

impl Token {
    /// A token shown as `label` that covers the bytes `span` of the text.
    pub fn new(label: impl Into<String>, span: Range<usize>) -> Self {
        Self { label: label.into(), span: Some(span) }
    }

    /// The end of the sentence, which covers no text.
    pub fn end() -> Self {
        Self { label: END.to_owned(), span: None }
    }

    /// What is shown for the token.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The bytes of the text that the token covers; `None` for the end of the sentence.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// Whether this is the end of the sentence (the text `</s>` written by a user is not).
    pub fn is_end(&self) -> bool {
        self.span.is_none()
    }
}

/// The span, widened to whole characters.
fn whole_characters(text: &str, token: usize, span: &Range<usize>) -> Result<Range<usize>, AlignmentError> {
    if span.start > span.end || span.end > text.len() {
        let Range { start, end } = *span;
        return Err(AlignmentError::Span { token, start, end, length: text.len() });
    }
    let start = text.floor_char_boundary(span.start);
    // An empty span inside a character stays empty: it marks a place, not a piece.
    let end = if span.is_empty() { start } else { text.ceil_char_boundary(span.end) };
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_widened_to_characters() {
        // é is bytes 1..3: a byte token that covers only half of it stands for all of it.
        let sentence = Sentence::from_spans("été", &[0..1, 1..2, 2..3, 3..5]).unwrap();
        let labels: Vec<_> = sentence.tokens().iter().map(Token::label).collect();
        assert_eq!(labels, ["é", "é", "t", "é"]);
    }

    #[test]
    fn words_are_joined_by_spaces() {
        let sentence = Sentence::from_words(["zone", "économique"]).with_end().with_end();
        assert_eq!(sentence.text(), "zone économique");
        assert_eq!(sentence.tokens()[1].span(), Some(5..16));
        assert_eq!(sentence.len(), 3);
        assert_eq!(sentence.without_end().len(), 2);
    }

    #[test]
    fn bad_spans_and_ends_are_refused() {
        let outside = Sentence::from_spans("abc", &[0..1, 1..4]).unwrap_err();
        assert_eq!(outside.to_string(), "token 1 covers bytes 1..4 of a text of 3 bytes");
        let backwards = Range { start: 2, end: 1 };
        assert!(matches!(Sentence::from_spans("abc", &[backwards]), Err(AlignmentError::Span { token: 0, .. })));
        let early = Sentence::new("abc", vec![Token::end(), Token::new("abc", 0..3)]).unwrap_err();
        assert_eq!(early.to_string(), "token 0 is the end of the sentence, but more tokens follow it");
    }

    #[test]
    fn a_written_end_tag_is_text() {
        let sentence = Sentence::from_words(["a", "</s>"]);
        assert!(!sentence.has_end());
    }
}
