//! What to tell of lines that are too long for the model.

use rnnsearch_inference::Translation;

use crate::messages::Messages;

/// Counts the lines that were too long to be translated at once.
#[derive(Default)]
pub struct Overlong {
    count: usize,
    /// The number of the first one, from 1.
    first: usize,
}

impl Overlong {
    /// Takes note of the translation of line number `line`, counted from 1.
    pub fn see(&mut self, line: usize, translation: &Translation) {
        if translation.pieces > 1 {
            self.count += 1;
            self.first = if self.count == 1 { line } else { self.first };
        }
    }

    /// Tells of them, if there were any.
    pub fn tell(&self, messages: Messages, limit: usize) {
        let Self { count, first } = self;
        let what = match count {
            0 => return,
            1 => format!("line {first} has more than {limit} tokens and was translated in pieces"),
            _ => format!(
                "{count} lines, line {first} the first, have more than {limit} tokens and were translated in pieces"
            ),
        };
        messages.note(format_args!("{what} (translation.max_source_length)"));
    }
}
