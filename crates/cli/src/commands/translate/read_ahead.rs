//! Reading lines while others are translated.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rnnsearch_corpus::{CorpusError, Lines};

/// Lines that a thread of its own reads ahead.
///
/// The translator takes as many as there are, up to a window, and waits only when there are none: who writes a line to a
/// pipe has its translation at once, and a file is translated in full batches.
pub struct ReadAhead {
    lines: Receiver<Result<String, CorpusError>>,
    window: usize,
    /// What came after the lines taken last.
    failed: Option<CorpusError>,
}

impl ReadAhead {
    pub fn new(lines: Lines, window: usize) -> Self {
        let (sender, receiver) = sync_channel(window);
        thread::spawn(move || {
            for line in lines {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines: receiver, window, failed: None }
    }

    /// The next lines, at least one; none at the end.
    pub fn next(&mut self) -> Result<Option<Vec<String>>, CorpusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Ok(first) = self.lines.recv() else { return Ok(None) };
        let mut lines = vec![first?];
        while lines.len() < self.window {
            match self.lines.try_recv() {
                Ok(Ok(line)) => lines.push(line),
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(Some(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(text: &'static [u8], window: usize) -> ReadAhead {
        ReadAhead::new(Lines::from_reader("text", text), window)
    }

    /// All lines, and the error at the end.
    fn read(mut ahead: ReadAhead) -> (Vec<String>, Option<String>) {
        let mut all = Vec::new();
        loop {
            match ahead.next() {
                Ok(Some(lines)) => {
                    assert!(!lines.is_empty() && lines.len() <= ahead.window);
                    all.extend(lines);
                }
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn all_lines_come_in_order() {
        for window in [1, 2, 100] {
            assert_eq!(
                read(ahead(b"a\n\nb\r\nc", window)),
                (vec!["a".into(), String::new(), "b".into(), "c".into()], None)
            );
        }
        assert_eq!(read(ahead(b"", 3)), (Vec::new(), None));
    }

    #[test]
    fn lines_before_an_error_are_not_lost() {
        for window in [1, 2, 100] {
            let (lines, error) = read(ahead(b"a\nb\n\xff\nc\n", window));
            assert_eq!(lines, ["a", "b"]);
            assert!(error.unwrap().starts_with("text:3: not UTF-8"));
        }
    }
}
