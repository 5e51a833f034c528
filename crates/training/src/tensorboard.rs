//! Event files for [TensorBoard](https://www.tensorflow.org/tensorboard), in the folder `tensorboard` of a run.
//!
//! A file is a row of records, `length, crc of the length, bytes, crc of the bytes`, and the bytes of each are an `Event` of
//! `tensorflow/core/util/event.proto`. The few fields that are needed are written by hand.
//!
//! A file begins with a `SessionLog` that says START and the update it begins with, and a training that goes back writes another:
//! readers then forget what they were told of that update and later ones, so that a curve has each point once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rnnsearch_alignment::heatmap::{self, Style};
use rnnsearch_alignment::{Alignment, Fonts, Segmentation};

use crate::{Observer, Prepared, Progress, Sample, TrainingError, ValidationReport, disk};

/// What the names of our files end in.
const SUFFIX: &str = ".rnnsearch";

/// An observer that hands on all it is told to another, and writes it down. Where that fails the training goes on without.
pub(crate) struct Board<'a> {
    observer: &'a mut dyn Observer,
    /// Where the files go, if there are to be any.
    folder: Option<PathBuf>,
    events: Option<Events>,
}

impl<'a> Board<'a> {
    pub fn new(observer: &'a mut dyn Observer, folder: Option<PathBuf>) -> Self {
        Self { observer, folder, events: None }
    }

    /// Writes something, if there is a file.
    fn write(&mut self, write: impl FnOnce(&mut Events) -> io::Result<()>) {
        let Some(events) = &mut self.events else { return };
        if let Err(error) = write(events) {
            self.events = None;
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
        self.observer.warning(&format!("cannot write events into `{folder}`: {error}; going on without"));
    }
}

impl Observer for Board<'_> {
    fn message(&mut self, text: &str) {
        self.observer.message(text);
    }

    fn detail(&mut self, text: &str) {
        self.observer.detail(text);
    }

    fn warning(&mut self, text: &str) {
        self.observer.warning(text);
    }

    fn prepared(&mut self, prepared: &Prepared) {
        self.observer.prepared(prepared);
        match self.folder.as_deref().map(|folder| Events::create(folder, prepared.update)).transpose() {
            Ok(events) => self.events = events,
            Err(error) => self.give_up(&error),
        }
    }

    fn went_back(&mut self, update: u64) {
        self.observer.went_back(update);
        self.write(|events| events.start(update));
    }

    fn progress(&mut self, progress: &Progress) {
        self.observer.progress(progress);
        if progress.logged {
            self.write(|events| events.progress(progress));
        }
    }

    fn validated(&mut self, report: &ValidationReport) {
        self.observer.validated(report);
        self.write(|events| events.validated(report));
    }
}

/// Deletes the event files in a folder, and the folder if nothing else is in it.
pub(crate) fn clear(folder: &Path) -> Result<(), TrainingError> {
    let (events, others): (Vec<_>, Vec<_>) =
        disk::list(folder)?.into_iter().partition(|(name, _)| name.ends_with(SUFFIX));
    events.iter().try_for_each(|(_, path)| disk::remove(path))?;
    if others.is_empty() { disk::remove(folder) } else { Ok(()) }
}

/// An event file that is being written.
struct Events {
    file: File,
    fonts: Fonts,
}

impl Events {
    /// A new file for what comes after an update.
    fn create(folder: &Path, update: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut events = Self { file: new_file(folder)?, fonts: Fonts::shipped() };
        events.event(0, &text(3, "brain.Event:2"))?;
        // Before the first update too: a training that was killed before its first checkpoint has told of some.
        events.start(update)?;
        Ok(events)
    }

    /// Says that what comes is what comes after an update, whatever was told before.
    fn start(&mut self, update: u64) -> io::Result<()> {
        const START: u64 = 1;
        self.event(update + 1, &message(7, &[varint(1, START)]))
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        let values = [
            scalar("training/loss", progress.loss),
            scalar("training/gradient_norm", progress.gradient_norm),
            scalar("training/learning_rate", progress.learning_rate),
            scalar("training/tokens_per_second", progress.tokens_per_second),
        ];
        let alignment = progress.alignment_loss.map(|loss| scalar("training/alignment_loss", loss));
        let risk = progress.risk.map(|risk| scalar("training/risk", risk));
        let values: Vec<Vec<u8>> = values.into_iter().chain(alignment).chain(risk).collect();
        self.event(progress.update, &summary(&values))
    }

    fn validated(&mut self, report: &ValidationReport) -> io::Result<()> {
        let scalars = [
            scalar("validation/loss", report.loss),
            scalar("validation/bleu", report.bleu),
            scalar("validation/chrf", report.chrf),
        ];
        let samples = report.samples.iter().zip(1..).flat_map(|(sample, number)| {
            let picture = sample.alignment.as_ref().and_then(|alignment| self.picture(number, alignment));
            [Some(translation(number, sample)), picture]
        });
        let values: Vec<Vec<u8>> = scalars.into_iter().chain(samples.flatten()).collect();
        self.event(report.update, &summary(&values))
    }

    /// The heatmap of a sample; none if it has no words, or too many for a picture.
    fn picture(&self, number: usize, alignment: &Alignment) -> Option<Vec<u8>> {
        let words = alignment.words(Segmentation::Words).ok()?;
        let picture = heatmap::png(&words, &Style::default(), &self.fonts, 1.0).ok()?;
        const RGBA: u64 = 4;
        let (width, height) = (picture.width.into(), picture.height.into());
        let image = message(4, &[varint(1, height), varint(2, width), varint(3, RGBA), bytes(4, &picture.bytes)]);
        Some(value(&format!("alignment/{number}"), &image))
    }

    /// Adds a record, all of it at once.
    fn event(&mut self, update: u64, what: &[u8]) -> io::Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let event = [&double(1, now.as_secs_f64()), &varint(2, update), what].concat();
        self.file.write_all(&record(&event))
    }
}

/// A file whose name comes after those of older ones.
fn new_file(folder: &Path) -> io::Result<File> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut number = 0;
    loop {
        let name = format!("events.out.tfevents.{:010}.{number:04}{SUFFIX}", now.as_secs());
        match File::create_new(folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            file => return file,
        }
    }
}

/// The bytes of an event as they stand in the file.
fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), event, &masked_crc(event)].concat()
}

/// The checksum that such files have.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn summary(values: &[Vec<u8>]) -> Vec<u8> {
    message(5, values)
}

/// A value of a summary.
fn value(tag: &str, content: &[u8]) -> Vec<u8> {
    message(1, &[text(1, tag), content.to_vec()])
}

fn scalar(tag: &str, number: f64) -> Vec<u8> {
    value(tag, &[key(2, 5), (number as f32).to_le_bytes().to_vec()].concat())
}

/// A sample with its translation, as the plugin for text shows it: Markdown, in which four blanks keep a line as it is.
fn translation(number: usize, sample: &Sample) -> Vec<u8> {
    let plain = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    let shown: String = sample.to_string().lines().map(|line| format!("    {}\n", line.trim_start())).collect();
    let shown: String = shown.chars().map(plain).collect();
    const STRING: u64 = 7;
    let shape = message(2, &[message(2, &[varint(1, 1)])]);
    let tensor = message(8, &[varint(1, STRING), shape, text(8, &shown)]);
    let plugin = message(9, &[message(1, &[text(1, "text")])]);
    value(&format!("translation/{number}"), &[plugin, tensor].concat())
}

// Fields of protocol buffers.

fn key(field: u64, kind: u64) -> Vec<u8> {
    digits(field << 3 | kind)
}

/// A whole number, seven bits a byte, the lowest first.
fn digits(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while number >= 0x80 {
        digits.push(number as u8 | 0x80);
        number >>= 7;
    }
    digits.push(number as u8);
    digits
}

fn varint(field: u64, number: u64) -> Vec<u8> {
    [key(field, 0), digits(number)].concat()
}

fn double(field: u64, number: f64) -> Vec<u8> {
    [key(field, 1), number.to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    [&key(field, 2), &digits(bytes.len() as u64), bytes].concat()
}

fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn message(field: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(field, &fields.concat())
}

#[cfg(test)]
mod tests {
    use rnnsearch_alignment::Sentence;

    use super::*;
    use crate::observer::told::Told;

    /// The events of a file; every length and checksum must be right.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]));
            let event = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_crc(event));
            events.push(event.to_vec());
            rest = &rest[16 + length..];
        }
        events
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn holds(event: &[u8], part: &[u8]) -> bool {
        event.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn all_is_handed_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut told = Told::default();
        let mut board = Board::new(&mut told, Some(file));
        board.message("a");
        board.detail("b");
        board.warning("c");
        board.prepared(&Prepared { update: 7, pairs: 1, target_tokens: 1, parameters: 1, vocabularies: (1, 1) });
        board.went_back(3);
        assert_eq!(told.0[..4], ["message a", "detail b", "warning c", "prepared 7"]);
        assert_eq!(told.0[5..], ["back 3"]);
        assert!(told.0[4].starts_with("warning cannot write events into `"), "{:?}", told.0);
    }

    #[test]
    fn checksums_are_those_of_the_format() {
        // The first record of any event file that TensorFlow writes has 24 bytes, whose masked checksum is this.
        assert_eq!(masked_crc(&24u64.to_le_bytes()), [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283, "as RFC 3720 has it");
        assert_eq!(varint(2, 300), [0x10, 0xac, 0x02]);
    }

    #[test]
    fn a_file_begins_with_its_version_and_where_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensorboard");
        drop(Events::create(&path, 0).unwrap());
        let mut later = Events::create(&path, 299).unwrap();
        later.event(400, &summary(&[scalar("training/loss", 2.5)])).unwrap();
        let files = files(&path);
        let (first, second) = (events(&files[0]), events(&files[1]));
        assert!(holds(&first[0], b"brain.Event:2"));
        assert_eq!((first.len(), second.len()), (2, 3));
        // Step 1 or 300, then SessionLog { status: START }.
        assert_eq!(first[1][9..], [0x10, 1, 0x3a, 0x02, 0x08, 0x01]);
        assert_eq!(second[1][9..], [0x10, 0xac, 0x02, 0x3a, 0x02, 0x08, 0x01]);
        assert!(holds(&second[2], b"training/loss") && holds(&second[2], &2.5f32.to_le_bytes()));
        fs::write(path.join("notes.txt"), "").unwrap();
        clear(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "what is not ours stays");
        fs::remove_file(path.join("notes.txt")).unwrap();
        clear(&path).unwrap();
        clear(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn samples_are_text_and_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = Events::create(folder.path(), 0).unwrap();
        let sentence = |text: &str| Sentence::from_words(text.split(' '));
        let alignment = Alignment::new(sentence("un *chat*"), sentence("a cat"), vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        let sample = |alignment| Sample {
            source: "un *chat*\u{1b}".into(),
            reference: "a cat".into(),
            translation: "a cat".into(),
            alignment,
        };
        let report = ValidationReport {
            update: 30,
            epoch: 1,
            loss: 1.0,
            perplexity: 2.7,
            bleu: 50.0,
            bleu_signature: String::new(),
            chrf: 60.0,
            chrf_signature: String::new(),
            best: true,
            seconds: 1.0,
            samples: vec![sample(Some(alignment)), sample(None)],
        };
        board.validated(&report).unwrap();
        let event = &events(&files(folder.path())[0])[2];
        for part in
            ["validation/bleu", "translation/1", "    source      un *chat*\u{fffd}\n", "translation/2", "alignment/1"]
        {
            assert!(holds(event, part.as_bytes()), "{part}");
        }
        assert!(holds(event, b"\x89PNG") && !holds(event, b"alignment/2"));
    }
}
