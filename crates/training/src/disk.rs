//! Every change that a training makes to files, and how each fails.
//!
//! All of a run folder goes through these few functions. What is replaced is written beside its place, synced, renamed, and its
//! folder synced: at every instant, a crash or a power loss included, a path holds what it held before or all of the new. An error
//! names what was tried, and on which file. Tests let any of the operations fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rnnsearch_inference::files::folder_of;

use crate::TrainingError;

/// What begins the names of files and folders that are being written. Those that a crash leaves behind are of no use.
pub(crate) const UNFINISHED: &str = "unfinished-";

type Result<T> = std::result::Result<T, TrainingError>;

/// Does something to a file, which tests may keep from succeeding.
pub(crate) fn operation<T>(action: &'static str, path: &Path, run: impl FnOnce() -> io::Result<T>) -> Result<T> {
    #[cfg(test)]
    faults::strike(action, path, &[])?;
    run().map_err(TrainingError::file(action, path))
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    operation("read", path, || fs::read(path))
}

/// Writes a new file and waits until its content is on the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    #[cfg(test)]
    faults::strike("write", path, bytes)?;
    let write = || -> io::Result<File> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    let file = write().map_err(TrainingError::file("write", path))?;
    operation("sync", path, || file.sync_all())
}

/// Replaces a file, if there is one, by another content.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("{UNFINISHED}{name}"));
    let done = write(&beside, bytes).and_then(|()| rename(&beside, path));
    if done.is_err() {
        // On a full disk its room is needed; the error that matters is the first.
        let _ = remove(&beside);
    }
    done?;
    sync_folder(folder_of(path))
}

/// A file that is written piece by piece beside the place that it is to have, and takes it when it is whole.
pub(crate) struct Growing {
    beside: PathBuf,
    path: PathBuf,
    file: File,
}

impl Growing {
    /// Begins the file, and deletes what a crash has left of it.
    pub fn create(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!("{UNFINISHED}{name}"));
        let file = operation("create", &beside, || File::create(&beside))?;
        Ok(Self { beside, path: path.into(), file })
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<()> {
        operation("sync", &self.beside, || self.file.sync_all())?;
        rename(&self.beside, &self.path)?;
        sync_folder(folder_of(&self.path))
    }

    /// The name that it has as yet.
    pub fn beside(&self) -> &Path {
        &self.beside
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        faults::strike("write", &self.beside, bytes).map_err(TrainingError::into_io)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Adds a line to a file, in one piece, so that a crash leaves whole lines.
pub(crate) fn append(path: &Path, line: &str) -> Result<()> {
    let line = format!("{line}\n");
    #[cfg(test)]
    faults::strike("write to", path, line.as_bytes())?;
    let write = || OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes());
    write().map_err(TrainingError::file("write to", path))
}

/// Cuts a file to a length.
pub(crate) fn shorten(path: &Path, len: u64) -> Result<()> {
    operation("shorten", path, || OpenOptions::new().write(true).open(path)?.set_len(len))
}

/// Waits until what was written to a file is on the disk.
pub(crate) fn sync(path: &Path) -> Result<()> {
    operation("sync", path, || OpenOptions::new().append(true).open(path)?.sync_all())
}

/// Waits until what was created, renamed or deleted in a folder is so on the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    operation("sync", folder, || rnnsearch_inference::files::sync_folder(folder))
}

/// Gives a file or folder another name, on the same disk.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    operation("rename", from, || fs::rename(from, to))
}

/// Makes a folder, where it is missing, with those it is in.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if !folder_of(path).exists() {
        create_folder(folder_of(path))?;
    }
    operation("create", path, || fs::create_dir(path))?;
    sync_folder(folder_of(path))
}

/// Deletes a file, or a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let remove = || if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    operation("delete", path, || match remove() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    })
}

/// Deletes what crashes have left in a folder.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<()> {
    remove_unfinished_of(folder, |_| true)
}

/// Deletes what crashes have left in a folder of some paths.
pub(crate) fn remove_unfinished_of(folder: &Path, ours: impl Fn(&Path) -> bool) -> Result<()> {
    let unfinished = list(folder)?.into_iter().filter(|(name, path)| name.starts_with(UNFINISHED) && ours(path));
    unfinished.into_iter().try_for_each(|(_, path)| remove(&path))
}

/// The names and paths of what is in a folder; nothing where it is missing.
pub(crate) fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
    };
    operation("read", folder, || match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(entry).collect(),
    })
}

/// Files that fail when a test says so.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::RefCell;
    use std::fs::OpenOptions;
    use std::io::{self, Write};
    use std::path::{Path, PathBuf};

    use crate::TrainingError;

    /// What becomes of the operation that is struck.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// It alone fails. A write that fails has written half.
        Once,
        /// It fails, and so does all that comes after it: the disk is gone, or the process.
        ForGood,
    }

    /// What was done, and on which file.
    pub type Operation = (&'static str, PathBuf);

    #[derive(Default)]
    struct Plan {
        strike: Option<(usize, Fault)>,
        struck: Option<Operation>,
        /// What was done, in order.
        done: Vec<Operation>,
    }

    thread_local! {
        static PLAN: RefCell<Plan> = RefCell::default();
    }

    /// Lets an operation of this thread fail, counted from 0; none lets all succeed.
    pub fn plan(strike: Option<(usize, Fault)>) {
        PLAN.with_borrow_mut(|plan| *plan = Plan { strike, ..Plan::default() });
    }

    /// The operations since the last [`plan`], and the first that failed.
    pub fn done() -> (Vec<Operation>, Option<Operation>) {
        PLAN.with_borrow(|plan| (plan.done.clone(), plan.struck.clone()))
    }

    pub(super) fn strike(action: &'static str, path: &Path, bytes: &[u8]) -> Result<(), TrainingError> {
        PLAN.with_borrow_mut(|plan| {
            let number = plan.done.len();
            plan.done.push((action, path.into()));
            let fails = plan.strike.is_some_and(|(first, fault)| match fault {
                Fault::Once => number == first,
                Fault::ForGood => number >= first,
            });
            if !fails {
                return Ok(());
            }
            let first = plan.struck.is_none();
            plan.struck.get_or_insert((action, path.into()));
            let error =
                if bytes.is_empty() { io::Error::from_raw_os_error(5) } else { io::Error::from_raw_os_error(28) };
            if first && !bytes.is_empty() {
                write_half(action, path, bytes);
            }
            Err(TrainingError::file(action, path)(error))
        })
    }

    fn write_half(action: &str, path: &Path, bytes: &[u8]) {
        let append = action == "write to";
        let file = OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path);
        file.and_then(|mut file| file.write_all(&bytes[..bytes.len() / 2])).expect("half can be written");
    }
}
