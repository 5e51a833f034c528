//! Running text: lines of several sentences, each translated by itself.

use std::ops::Range;

use rnnsearch_inference::{Translation, sentences};
use unicode_width::UnicodeWidthChar;

use crate::record::one_line;

/// A line of running text.
pub struct Paragraph {
    text: String,
    sentences: Vec<Range<usize>>,
}

impl Paragraph {
    /// A line in a language, given by its code.
    pub fn new(text: String, language: &str) -> Self {
        Self { sentences: sentences(&text, language), text }
    }

    /// What to translate.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        self.sentences.iter().map(|sentence| &self.text[sentence.clone()])
    }

    /// The line with the translations in the places of its sentences, and its own blanks between them.
    pub fn join(&self, translations: &[Translation]) -> String {
        let (mut line, mut end) = (String::new(), 0);
        for (sentence, translation) in self.sentences.iter().zip(translations) {
            let text = one_line(&translation.candidates[0].text);
            let between = &self.text[end..sentence.start];
            // Chinese and Japanese have no blanks between sentences, the language of the translations may.
            let touch = end > 0 && between.is_empty();
            let is_wide = |c: char| c.width() == Some(2);
            if touch && !line.ends_with(is_wide) && !text.starts_with(is_wide) {
                line.push(' ');
            }
            line += between;
            line += &text;
            end = sentence.end;
        }
        line + &self.text[end..]
    }
}

#[cfg(test)]
mod tests {
    use rnnsearch_inference::Candidate;

    use super::*;

    fn joined(text: &str, translations: &[&str]) -> String {
        let translation = |text: &&str| {
            let candidate = Candidate { text: (*text).into(), ..Candidate::default() };
            Translation { source: String::new(), pieces: 1, candidates: vec![candidate] }
        };
        let paragraph = Paragraph::new(text.into(), "en");
        assert_eq!(paragraph.sentences().count(), translations.len());
        paragraph.join(&translations.iter().map(translation).collect::<Vec<_>>())
    }

    #[test]
    fn blanks_stay() {
        assert_eq!(
            joined("\tIt rains.  Dr. No stays.\u{a0} ", &["Il pleut.", "No reste."]),
            "\tIl pleut.  No reste.\u{a0} "
        );
        assert_eq!(joined("  ", &[]), "  ");
        assert_eq!(joined("", &[]), "");
    }

    #[test]
    fn scripts_without_blanks_meet_those_with() {
        assert_eq!(joined("下雨。好。", &["It rains.", "Good."]), "It rains. Good.");
        assert_eq!(joined("下雨。好。", &["雨だ。", "よし。"]), "雨だ。よし。");
        assert_eq!(joined("It rains. Good.", &["下雨。", "好。"]), "下雨。 好。");
    }
}
