//! What becomes of lines that cannot be translated.

use anyhow::Error;

use crate::args::OnError;
use crate::failure::message;
use crate::messages::Messages;

/// Warns of lines that cannot be translated, and counts them.
pub struct BadLines {
    rule: OnError,
    messages: Messages,
    count: usize,
}

impl BadLines {
    pub fn new(rule: OnError, messages: Messages) -> Self {
        Self { rule, messages, count: 0 }
    }

    /// Warns of one. The error names it.
    pub fn see(&mut self, error: &Error) {
        self.count += 1;
        self.messages.warning(format_args!("{}; the line is left {}", message(error), self.fate()));
    }

    /// Tells how many there were, if any.
    pub fn tell(&self) {
        let were = match self.count {
            0 => return,
            1 => "1 line could not be translated and was",
            count => &format!("{count} lines could not be translated and were"),
        };
        self.messages.warning(format_args!("{were} left {}", self.fate()));
    }

    fn fate(&self) -> &'static str {
        match self.rule {
            OnError::Skip => "out",
            OnError::Empty | OnError::Fail => "blank",
        }
    }
}
