//! Results: to standard output, or to files that appear only when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use anyhow::{Context, Result};
use rnnsearch_corpus::files::{folder_of, sync_folder};
use tempfile::NamedTempFile;

use crate::failure::{INTERRUPTED, Misuse};
use crate::interrupt::on_interrupt;

/// Where the results of a command go.
pub enum Output {
    /// Standard output.
    Standard(BufWriter<Stdout>),
    /// A file.
    File(OutputFile),
}

impl Output {
    /// Opens a file, or standard output if there is none. `inputs` are files that are read meanwhile.
    pub fn open(path: Option<&Path>, inputs: &[&Path]) -> Result<Self> {
        match path {
            Some(path) => OutputFile::create(path, inputs).map(Self::File),
            None => Ok(Self::standard()),
        }
    }

    /// Standard output.
    pub fn standard() -> Self {
        Self::Standard(BufWriter::with_capacity(1 << 16, io::stdout()))
    }

    /// Writes a piece of the results.
    pub fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Standard(stdout) => stdout.write_all(text.as_bytes()).context(STANDARD),
            Self::File(file) => file.write(text.as_bytes()),
        }
    }

    /// Hands on what was written so far, also to a pipe or device with a name; a file still appears only in the end.
    pub fn flush(&mut self) -> Result<()> {
        match self {
            Self::Standard(stdout) => stdout.flush().context(STANDARD),
            Self::File(file) => file.hand_on(),
        }
    }

    /// Ends the results.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Standard(mut stdout) => stdout.flush().context(STANDARD),
            Self::File(file) => file.finish(),
        }
    }
}

/// Prints a result to standard output.
pub fn print(text: &str) -> Result<()> {
    let mut output = Output::standard();
    output.write(text)?;
    output.finish()
}

const STANDARD: &str = "cannot write to standard output";

/// A file that is written beside its place, and put there when it is complete.
pub struct OutputFile {
    path: PathBuf,
    target: BufWriter<Target>,
}

/// What the bytes go to meanwhile.
enum Target {
    /// A file in the same folder.
    Temporary(NamedTempFile),
    /// A device or a pipe, which must not be replaced by a file.
    Direct(File),
}

impl OutputFile {
    /// Makes the file, so that one that cannot be made is known before any work is done. `inputs` are files that are read.
    pub fn create(path: &Path, inputs: &[&Path]) -> Result<Self> {
        if let Some(input) = inputs.iter().find(|input| is_same(input, path)) {
            let (path, input) = (path.display(), input.display());
            return Err(Misuse(format!("`{path}` is read and written: write to another file than `{input}`")).into());
        }
        // A link is followed: what it points to is written, and it stays a link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let target = Target::open(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self { path, target: BufWriter::with_capacity(1 << 16, target) })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.target.write_all(bytes).with_context(|| self.failed())
    }

    /// Hands on what was written to a device or a pipe.
    fn hand_on(&mut self) -> Result<()> {
        match self.target.get_ref() {
            Target::Temporary(_) => Ok(()),
            Target::Direct(_) => self.target.flush().with_context(|| self.failed()),
        }
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<()> {
        let failed = self.failed();
        let place = || -> io::Result<()> {
            match self.target.into_inner().map_err(io::IntoInnerError::into_error)? {
                Target::Temporary(file) => put_in_place(file, &self.path),
                Target::Direct(mut file) => file.flush(),
            }
        };
        place().context(failed)
    }

    fn failed(&self) -> String {
        format!("cannot write `{}`", self.path.display())
    }
}

/// For writers of formats; their errors do not name the file.
impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.target.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(metadata) if !metadata.is_file() => File::options().write(true).open(path).map(Self::Direct),
            _ => Ok(Self::Temporary(temporary(folder_of(path))?)),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

/// A temporary file that does not outlive the program, if that is interrupted.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    static HANDLER: Once = Once::new();
    let mut result = Ok(());
    HANDLER.call_once(|| result = on_interrupt(stop));
    result?;
    let file = builder().tempfile_in(folder)?;
    unfinished().push(file.path().to_owned());
    Ok(file)
}

/// Temporary files are born for their owner's eyes only; results get the mode of any other new file.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rnnsearch-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

fn put_in_place(file: NamedTempFile, path: &Path) -> io::Result<()> {
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    let temporary = file.path().to_owned();
    file.persist(path).map_err(|error| error.error)?;
    unfinished().retain(|path| *path != temporary);
    sync_folder(folder_of(path))
}

/// Temporary files to remove if the program is interrupted. Those that were given up are gone from the disk.
fn unfinished() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stop() {
    for path in unfinished().iter() {
        // One that was put in its place, or removed, is not there any more.
        let _ = fs::remove_file(path);
    }
    std::process::exit(INTERRUPTED.into());
}

/// Fails if two outputs are the same file.
pub fn are_different(outputs: &[Option<&Path>]) -> Result<()> {
    let outputs: Vec<&Path> = outputs.iter().copied().flatten().collect();
    for (number, one) in outputs.iter().enumerate() {
        if let Some(other) = outputs[..number].iter().find(|other| is_same(one, other)) {
            let (one, other) = (one.display(), other.display());
            return Err(Misuse(format!("`{other}` and `{one}` are one file: write each output to its own")).into());
        }
    }
    Ok(())
}

/// Whether two paths lead to the same regular file, which may not be there yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| match fs::canonicalize(path) {
        Ok(path) => path.is_file().then_some(path),
        Err(_) => Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?)),
    };
    matches!((real(one), real(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        fs::write(&path, "old").unwrap();
        let mut file = OutputFile::create(&path, &[]).unwrap();
        file.write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        drop(OutputFile::create(&path, &[]).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_input_is_no_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, "").unwrap();
        let roundabout = folder.path().join(".").join("text");
        let Err(error) = OutputFile::create(&roundabout, &[&path]) else { panic!("it was opened") };
        assert!(error.to_string().contains("is read and written"), "{error}");
    }

    #[test]
    fn an_output_is_no_other_output() {
        let folder = tempfile::tempdir().unwrap();
        let (path, roundabout) = (folder.path().join("new"), folder.path().join(".").join("new"));
        let error = are_different(&[Some(&path), None, Some(&roundabout)]).unwrap_err();
        assert!(error.to_string().contains("are one file"), "{error}");
        are_different(&[Some(&path), Some(&folder.path().join("other"))]).unwrap();
        are_different(&[Some(Path::new("/dev/null")), Some(Path::new("/dev/null"))]).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_links_are_written_through() {
        let mut null = OutputFile::create(Path::new("/dev/null"), &[]).unwrap();
        null.write(b"x").unwrap();
        null.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());

        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        OutputFile::create(&link, &[]).unwrap().finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"");
    }
}
