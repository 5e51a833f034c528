//! Lines of text files, strictly: bytes split on `\n` only, UTF-8 or an error.
//!
//! Parallel corpora pair by line number, so everything that other programs count as a line break (NEL, U+2028, a lone
//! carriage return) must be ordinary text here. One `\r` before the `\n` is dropped, and so is a byte order mark at the
//! start of the file. Files compressed with gzip, zstd or xz are recognised by their first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use crate::error::{CorpusError, EncodingGuess};

/// The lines of a file or stream, without their line ends; memory is bounded by the longest line.
///
/// After an error of one line, see [`CorpusError::is_of_line`], the iterator goes on with the next line; any other error is the
/// last it gives.
pub struct Lines {
    name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    compressed: bool,
    line: u64,
    offset: u64,
    nul_seen: bool,
    /// Whether the rest of a line that is too long is still to be passed over.
    within_line: bool,
    byte_order_mark: bool,
    /// The lines that end in CR LF, and the first of them.
    carriage_returns: (u64, u64),
    finished: bool,
}

impl Lines {
    /// The longest line that is read, in bytes: a longer one means that the file is no list of sentences.
    pub const MAX_LINE: usize = 64 << 20;

    /// Opens a file, decompressing it if its first bytes say that it is gzip, zstd or xz, whatever its name.
    ///
    /// # Errors
    ///
    /// If the file does not exist, is a folder, cannot be opened, or is compressed with bzip2.
    pub fn open(path: &Path) -> Result<Self, CorpusError> {
        let name = path.display().to_string();
        let failed = |reason| CorpusError::Read { file: name.clone(), reason };
        let mut file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(CorpusError::Folder { file: name });
        }
        let mut head = Vec::new();
        file.by_ref().take(10).read_to_end(&mut head).map_err(failed)?;
        let format = Compression::of(&head);
        let bytes = BufReader::with_capacity(BLOCK, Cursor::new(head).chain(file));
        let reader: Box<dyn BufRead + Send> = match format {
            Compression::None => Box::new(bytes),
            Compression::Gzip => buffered(flate2::bufread::MultiGzDecoder::new(bytes)),
            Compression::Zstd => buffered(zstd::stream::read::Decoder::with_buffer(bytes).map_err(failed)?),
            Compression::Xz => buffered(liblzma::bufread::XzDecoder::new_multi_decoder(bytes)),
            Compression::Bzip2 => return Err(CorpusError::Bzip2 { file: name }),
        };
        Ok(Self::new(name.into(), reader, format != Compression::None))
    }

    /// The lines of a stream, as they come; `name` stands for the file in messages.
    ///
    /// Streams are not decompressed: to recognise a format takes more bytes than the first line may have, and who writes
    /// to a pipe may wait for the answer to that line.
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Self {
        Self::new(name.into(), buffered(reader), false)
    }

    fn new(name: Arc<str>, reader: Box<dyn BufRead + Send>, compressed: bool) -> Self {
        Self {
            name,
            reader,
            compressed,
            line: 0,
            offset: 0,
            nul_seen: false,
            within_line: false,
            byte_order_mark: false,
            carriage_returns: (0, 0),
            finished: false,
        }
    }

    /// The name of the file.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The number of lines read so far.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether there was a byte order mark at the start.
    pub fn has_byte_order_mark(&self) -> bool {
        self.byte_order_mark
    }

    /// How many lines read so far end in CR LF, and the first of them.
    pub fn carriage_returns(&self) -> (u64, u64) {
        self.carriage_returns
    }

    fn file(&self) -> String {
        self.name.to_string()
    }

    fn read_line(&mut self) -> Result<Option<String>, CorpusError> {
        if std::mem::take(&mut self.within_line) {
            self.offset += self.reader.skip_until(b'\n').map_err(|reason| self.read_error(reason))? as u64;
        }
        let mut bytes = Vec::new();
        let read = self
            .reader
            .by_ref()
            .take(Self::MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|reason| self.read_error(reason))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let start = self.offset;
        self.offset += read as u64;
        if read > Self::MAX_LINE {
            self.within_line = bytes.last() != Some(&b'\n');
            return Err(CorpusError::LineTooLong { file: self.file(), line: self.line, limit: Self::MAX_LINE });
        }
        self.nul_seen |= start < BLOCK as u64 && bytes.contains(&0);
        if strip_line_end(&mut bytes) {
            let (count, first) = self.carriage_returns;
            self.carriage_returns = (count + 1, if count == 0 { self.line } else { first });
        }
        let mut text = String::from_utf8(bytes).map_err(|error| self.not_utf8(start, &error))?;
        if self.line == 1 && text.starts_with(BYTE_ORDER_MARK) {
            self.byte_order_mark = true;
            text.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        Ok(Some(text))
    }

    fn read_error(&self, reason: io::Error) -> CorpusError {
        let file = self.file();
        if self.compressed {
            CorpusError::Damaged { file, line: self.line, reason }
        } else {
            CorpusError::Read { file, reason }
        }
    }

    fn not_utf8(&self, start: u64, error: &std::string::FromUtf8Error) -> CorpusError {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let guess = if self.line == 1 && (bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])) {
            EncodingGuess::Utf16
        } else if self.nul_seen || bytes.contains(&0) {
            EncodingGuess::Binary
        } else {
            EncodingGuess::OtherEncoding
        };
        CorpusError::InvalidUtf8 { file: self.file(), line: self.line, offset: start + valid as u64, guess }
    }
}

impl Iterator for Lines {
    type Item = Result<String, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let line = self.read_line().transpose();
        self.finished = match &line {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => !error.is_of_line(),
        };
        line
    }
}

/// How much is read at once; a NUL byte within the first block marks a binary file if there is invalid UTF-8 too.
const BLOCK: usize = 64 << 10;

const BYTE_ORDER_MARK: char = '\u{feff}';

fn buffered(reader: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(BLOCK, reader))
}

/// Takes the line end off; returns whether it was CR LF.
fn strip_line_end(bytes: &mut Vec<u8>) -> bool {
    bytes.pop_if(|last| *last == b'\n').and_then(|_| bytes.pop_if(|last| *last == b'\r')).is_some()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// None of these beginnings is valid UTF-8, but for bzip2's: a sentence may start with "BZh", so more of it is compared.
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59] => Self::Bzip2,
            _ => Self::None,
        }
    }
}
