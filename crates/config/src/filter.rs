//! The filter that is recommended.

use crate::settings::FilterConfig;

impl FilterConfig {
    /// What hardly ever catches a good pair: `rnnsearch corpus check` goes by it.
    pub fn recommended() -> Self {
        Self {
            identical: true,
            broken_characters: true,
            mojibake: true,
            markup: true,
            max_characters: 1000,
            max_words: 200,
            max_word_length: 50,
            max_character_ratio: 5.0,
            min_letters: 0.3,
            numbers: true,
            urls: true,
            languages: true,
            duplicates: true,
        }
    }
}
