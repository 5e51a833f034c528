//! Reading lines while others are translated.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rnnsearch_corpus::{CorpusError, Lines};

use crate::args::Shard;

/// A line of the input.
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// What it says, or what is wrong with it alone.
    pub text: Result<String, CorpusError>,
}

/// Lines that a thread of its own reads ahead.
///
/// The translator takes as many as there are, up to a window, and waits only when there are none: who writes a line to a
/// pipe has its translation at once, and a file is translated in full batches.
pub struct ReadAhead {
    lines: Receiver<Line>,
    window: usize,
    /// What came after the lines taken last.
    failed: Option<CorpusError>,
}

impl ReadAhead {
    /// Reads the lines of a shard, if one is given.
    pub fn new(lines: Lines, window: usize, shard: Option<Shard>) -> Self {
        let (sender, receiver) = sync_channel(window);
        thread::spawn(move || {
            for (number, text) in (1..).zip(lines) {
                // A failure belongs to every shard.
                let is_ours = shard.is_none_or(|shard| shard.has(number))
                    || text.as_ref().is_err_and(|error| !error.is_of_line());
                if is_ours && sender.send(Line { number, text }).is_err() {
                    break;
                }
            }
        });
        Self { lines: receiver, window, failed: None }
    }

    /// The next lines, at least one; none at the end. Fails where no more can be read.
    pub fn next(&mut self) -> Result<Option<Vec<Line>>, CorpusError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut lines = Vec::new();
        let mut next = self.lines.recv().ok();
        while let Some(line) = next {
            match line.text {
                Err(error) if !error.is_of_line() => {
                    self.failed = Some(error);
                    break;
                }
                _ => lines.push(line),
            }
            next = (lines.len() < self.window).then(|| self.lines.try_recv().ok()).flatten();
        }
        match self.failed.take_if(|_| lines.is_empty()) {
            Some(error) => Err(error),
            None => Ok(Some(lines).filter(|lines| !lines.is_empty())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;

    fn ahead(text: impl Read + Send + 'static, window: usize) -> ReadAhead {
        ReadAhead::new(Lines::from_reader("text", text), window, None)
    }

    /// All lines, what is wrong in place of those that are wrong, and the error at the end.
    fn read(mut ahead: ReadAhead) -> (Vec<String>, Option<String>) {
        let mut all = Vec::new();
        loop {
            match ahead.next() {
                Ok(Some(lines)) => {
                    assert!(!lines.is_empty() && lines.len() <= ahead.window);
                    for line in lines {
                        all.push(line.text.unwrap_or_else(|error| error.to_string()));
                        assert_eq!(line.number, all.len());
                    }
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
                read(ahead(&b"a\n\nb\r\nc"[..], window)),
                (vec!["a".into(), String::new(), "b".into(), "c".into()], None)
            );
        }
        assert_eq!(read(ahead(&b""[..], 3)), (Vec::new(), None));
    }

    #[test]
    fn a_wrong_line_is_one_of_them() {
        for window in [1, 2, 100] {
            let (lines, error) = read(ahead(&b"a\nb\n\xff\nc\n"[..], window));
            assert!(lines[2].starts_with("text:3: not UTF-8"), "{lines:?}");
            assert_eq!((lines.len(), &*lines[3], error), (4, "c", None));
        }
    }

    #[test]
    fn lines_before_a_failure_are_not_lost() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the cable is cut"))
            }
        }
        for window in [1, 2, 100] {
            let (lines, error) = read(ahead((&b"a\n\xff\nb\nc"[..]).chain(Failing), window));
            assert_eq!((lines.len(), &*lines[2]), (3, "b"));
            assert!(error.unwrap().contains("the cable is cut"));
        }
    }
}
