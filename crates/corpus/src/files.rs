//! Files that are either written whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::error::CorpusError;

/// Writes a file through a temporary one in the same folder, so that a crash leaves the old file or the new one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CorpusError> {
    write(path, bytes).map_err(|reason| CorpusError::Write { file: path.to_owned(), reason })
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), CorpusError> {
    match std::fs::remove_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(CorpusError::Write { file: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = new_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// A temporary file with the mode any other new file would get; by default it would be private.
#[cfg(unix)]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o666)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}
