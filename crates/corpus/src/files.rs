//! Files that are either whole or not there, and files that are compressed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file so that at every instant, a crash included, `path` holds either what it held before or all of `bytes`.
///
/// # Errors
///
/// Those of the file system; then `path` is as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = new_file(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Compresses what is written, if the name of the file asks for it: `.gz`, `.zst` or `.xz`.
pub enum Compressor<W: Write> {
    /// As it is.
    None(W),
    /// gzip.
    Gzip(flate2::write::GzEncoder<W>),
    /// Zstandard.
    Zstd(zstd::stream::write::Encoder<'static, W>),
    /// xz.
    Xz(liblzma::write::XzEncoder<W>),
}

impl<W: Write> Compressor<W> {
    /// What compresses for a file of this name.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub fn of_name(path: &Path, writer: W) -> io::Result<Self> {
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::default())),
            Some("zst") => Self::Zstd(zstd::stream::write::Encoder::new(writer, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            Some("xz") => Self::Xz(liblzma::write::XzEncoder::new(writer, 6)),
            _ => Self::None(writer),
        })
    }

    /// Writes the end, and gives the writer back.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::None(writer) => Ok(writer),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Xz(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(writer) => writer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(writer) => writer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Xz(encoder) => encoder.flush(),
        }
    }
}

/// Makes what was created or renamed in a folder last through a power loss.
///
/// # Errors
///
/// Those of the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Other systems than Unix cannot open a folder as a file, and do without.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomic(&path, b"first").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_compressed_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for (name, head) in
            [("a.gz", &b"\x1f\x8b"[..]), ("a.zst", b"\x28\xb5\x2f\xfd"), ("a.xz", b"\xfd7zXZ"), ("a.txt", b"a")]
        {
            let path = folder.path().join(name);
            let mut writer = Compressor::of_name(&path, File::create(&path).unwrap()).unwrap();
            writer.write_all("a line\n".repeat(1000).as_bytes()).unwrap();
            writer.finish().unwrap();
            assert!(fs::read(&path).unwrap().starts_with(head), "{name}");
            assert_eq!(
                crate::Lines::open(&path).unwrap().map(Result::unwrap).filter(|line| line == "a line").count(),
                1000
            );
        }
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomic(&folder.path().join("missing/file"), b"").is_err());
    }
}
