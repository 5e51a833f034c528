//! What is told before a training has begun in its folder, and so can only be logged later.

use crate::Observer;

/// Tells an observer, and keeps what it told.
pub(crate) struct Notes<'a> {
    pub observer: &'a mut dyn Observer,
    pub lines: Vec<String>,
}

impl Notes<'_> {
    pub fn add(&mut self, text: String) {
        self.observer.message(&text);
        self.lines.push(text);
    }

    pub fn detail(&mut self, text: String) {
        self.observer.detail(&text);
        self.lines.push(text);
    }

    pub fn warn(&mut self, text: Option<String>) {
        text.iter().for_each(|text| self.observer.warning(text));
        self.lines.extend(text);
    }
}
