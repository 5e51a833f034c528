//! The training text as token ids, encoded once and kept in a file, which is mapped.
//!
//! The file is in the run folder, or in the folder `data.cache`, where several trainings find it. Its name, `data-KEY.bin`, tells what it was
//! made from: KEY is a hash of the content of the corpora, the tokenizers and all settings that choose or change pairs. So a file that is there
//! is the right one, whatever became of the corpora meanwhile; it is checked, and made anew where it is damaged. It is written beside its
//! place, synced and renamed: there is all of it or nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rnnsearch_config::{Config, CorpusConfig, DataConfig};
use rnnsearch_corpus::{Dataset, DatasetWriter, Unmappable, Vocabularies};
use serde_json::{Value, json};

use crate::notes::Notes;
use crate::{RunFolder, TrainingError, disk, teacher};

/// The lock of who writes in a shared folder. A run folder has another one.
const DATA_LOCK: &str = "data.lock";
const PREFIX: &str = "data-";
const SUFFIX: &str = ".bin";
/// Digits of a key.
const DIGITS: usize = 32;

/// Whether a path is that of a file of examples, or of one that is being written.
pub(crate) fn is_data(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_prefix(disk::UNFINISHED).unwrap_or(&name);
    let key = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    key.is_some_and(|key| key.len() == DIGITS && key.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Where the examples of a training are, or are to be.
pub(crate) struct Cache<'a> {
    path: PathBuf,
    /// The run folder, if they are in it.
    run: Option<&'a RunFolder>,
}

impl<'a> Cache<'a> {
    pub fn new(config: &Config, vocabularies: &Vocabularies, run: &'a RunFolder) -> Result<Self, TrainingError> {
        let name = format!("{PREFIX}{}{SUFFIX}", key(config, vocabularies)?);
        let (folder, run) = match &config.data.cache {
            Some(folder) if !is_same(folder, run.path()) => (folder.as_path(), None),
            _ => (run.path(), Some(run)),
        };
        Ok(Self { path: folder.join(name), run })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The examples and the notes of who wrote them, if they are there; what is damaged is told.
    pub fn find(
        &self,
        vocabularies: &Vocabularies,
        notes: &mut Notes,
    ) -> Result<Option<(Dataset, Value)>, TrainingError> {
        if !self.path.is_file() {
            return Ok(None);
        }
        match Dataset::map(&self.path, vocabularies) {
            Ok(found) => {
                self.run.inspect(|run| run.keep_data(&self.path, false));
                notes.detail(format!("the training text is read from `{}`", self.path.display()));
                Ok(Some(found))
            }
            Err(Unmappable::Damaged(reason)) => {
                notes.warn(Some(format!("`{}` is damaged ({reason}): it is made anew", self.path.display())));
                Ok(None)
            }
            Err(Unmappable::Io(error)) => Err(TrainingError::file("read", &self.path)(error)),
        }
    }

    /// Lets `write` make the file, and maps it. Where trainings share the folder, one of them writes at a time, and the others may then
    /// find what they need.
    pub fn make(
        &self,
        vocabularies: &Vocabularies,
        max_length: usize,
        notes: &mut Notes,
        write: impl FnOnce(&mut Notes, &mut Writer) -> Result<Value, TrainingError>,
    ) -> Result<(Dataset, Value), TrainingError> {
        let _lock = match self.run {
            Some(_) => None,
            None => {
                // What can be done about it is told of the file alone.
                let lock = self.lock(notes).map_err(|error| error.of("write", &self.path))?;
                if let Some(found) = self.find(vocabularies, notes)? {
                    return Ok(found);
                }
                disk::remove_unfinished_of(self.folder(), is_data)?;
                Some(lock)
            }
        };
        // What a damaged file takes may be needed for the new one.
        disk::remove(&self.path)?;
        self.write(vocabularies, max_length, |writer| write(notes, writer))?;
        match Dataset::map(&self.path, vocabularies) {
            Ok(made) => {
                self.run.inspect(|run| run.keep_data(&self.path, true));
                notes.detail(format!("the training text is in `{}`", self.path.display()));
                Ok(made)
            }
            Err(Unmappable::Io(error)) => Err(TrainingError::file("read", &self.path)(error)),
            Err(Unmappable::Damaged(reason)) => {
                Err(TrainingError::file("read back", &self.path)(std::io::Error::other(reason)))
            }
        }
    }

    fn write(
        &self,
        vocabularies: &Vocabularies,
        max_length: usize,
        write: impl FnOnce(&mut Writer) -> Result<Value, TrainingError>,
    ) -> Result<(), TrainingError> {
        let file = disk::Growing::create(&self.path)?;
        let beside = file.beside().to_owned();
        // With a tag and the end.
        let longest = max_length + 2;
        let mut writer = Writer { dataset: DatasetWriter::new(file, vocabularies, longest), beside: beside.clone() };
        let written = write(&mut writer).and_then(|notes| {
            let file = writer.dataset.finish(notes).map_err(TrainingError::file("write", &beside))?;
            file.finish()
        });
        if written.is_err() {
            // On a full disk its room is needed; the error that matters is the first.
            let _ = disk::remove(&beside);
        }
        written
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Waits until no other process writes in the folder.
    fn lock(&self, notes: &mut Notes) -> Result<File, TrainingError> {
        disk::create_folder(self.folder())?;
        let path = self.folder().join(DATA_LOCK);
        let lock =
            disk::operation("open", &path, || OpenOptions::new().create(true).truncate(false).write(true).open(&path))?;
        if lock.try_lock().is_err() {
            notes.add(format!("waiting for another training, which writes in `{}`", self.folder().display()));
            lock.lock().map_err(TrainingError::file("lock", &path))?;
        }
        Ok(lock)
    }
}

/// Whether two paths are of one folder.
fn is_same(folder: &Path, other: &Path) -> bool {
    let of = |path: &Path| path.canonicalize().ok();
    of(folder).is_some_and(|folder| Some(folder) == of(other))
}

/// Takes the examples of a training, in their order.
pub(crate) struct Writer {
    dataset: DatasetWriter<disk::Growing>,
    beside: PathBuf,
}

impl Writer {
    pub fn push(&mut self, example: &rnnsearch_corpus::Example) -> Result<(), TrainingError> {
        self.dataset.push(example).map_err(TrainingError::file("write", &self.beside))
    }
}

/// A hash of all that the examples follow from. Where a file is does not count, only what is in it.
fn key(config: &Config, vocabularies: &Vocabularies) -> Result<String, TrainingError> {
    let mut hashes = BTreeMap::new();
    let mut hash = |path: &Path| match hashes.get(path) {
        Some(hash) => Ok::<String, TrainingError>(String::clone(hash)),
        None => {
            let hash = hash_of(path)?;
            hashes.insert(path.to_owned(), hash.clone());
            Ok(hash)
        }
    };
    let mut corpora = Vec::new();
    for corpus in &config.data.train {
        let CorpusConfig { source, target, tsv, jsonl, links, .. } = corpus;
        let files = [source, target, tsv, jsonl, links].map(|path| path.as_deref().map(&mut hash).transpose());
        let [source, target, tsv, jsonl, links] = files.map(|hash| hash.map(|hash| hash.map(PathBuf::from)));
        let (source, target, tsv, jsonl, links) = (source?, target?, tsv?, jsonl?, links?);
        corpora.push(CorpusConfig { source, target, tsv, jsonl, links, weight: None, ..corpus.clone() });
    }
    let data = DataConfig { train: corpora, validation: None, temperature: 1.0, cache: None, ..config.data.clone() };
    let tokenizers: Vec<String> = vocabularies.files().into_iter().map(|(_, json)| json).collect();
    let learnt = teacher::is_needed(config).then_some(config.training.seed);
    // Another version of the program may encode in another way.
    let made =
        json!({ "version": env!("CARGO_PKG_VERSION"), "data": data, "tokenizers": tokenizers, "learnt": learnt });
    Ok(blake3::hash(made.to_string().as_bytes()).to_hex()[..DIGITS].to_owned())
}

fn hash_of(path: &Path) -> Result<String, TrainingError> {
    let mut hasher = blake3::Hasher::new();
    let read = || hasher.update_reader(File::open(path)?).map(|hasher| hasher.finalize());
    let hash = disk::operation("read", path, read)?;
    Ok(hash.to_hex().to_string())
}

/// Deletes the files of examples in a folder, all but one.
pub(crate) fn clear(folder: &Path, kept: Option<&Path>) -> Result<(), TrainingError> {
    let others = disk::list(folder)?.into_iter().map(|(_, path)| path).filter(|path| is_data(path));
    others.filter(|path| Some(path.as_path()) != kept).try_for_each(|path| disk::remove(&path))
}
