//! Matrices as NumPy reads them: a `.npz` file, which is a zip archive of `.npy` files, here without compression.
//!
//! What little of the two formats is needed stands here, by APPNOTE 6.3 of PKWARE and version 1.0 of NumPy's format:
//!
//! ```text
//! for each array:  local header, name, bytes of the .npy
//! at the end:      a directory entry for each array, then its end: in 64 bits too, where 32 (or 16) are too few
//! ```

use std::io::{self, Write};

use crate::Alignment;

/// Writes matrices one after the other; `numpy.load` gives them by their names.
///
/// Only the directory is held in memory, some 50 bytes a matrix, since it comes last.
pub struct NpzWriter<W> {
    target: W,
    /// Bytes written so far.
    offset: u64,
    entries: u64,
    directory: Vec<u8>,
}

impl<W: Write> NpzWriter<W> {
    /// Writes to a file or stream.
    pub fn new(target: W) -> Self {
        Self { target, offset: 0, entries: 0, directory: Vec::new() }
    }

    /// Adds the weights of an alignment: `float32`, `[target tokens, source tokens]`. None stands for a matrix of no rows and no
    /// columns. Names must differ.
    ///
    /// # Errors
    ///
    /// Those of writing, and a matrix of 4 GB.
    pub fn add(&mut self, name: &str, alignment: Option<&Alignment>) -> io::Result<()> {
        let (rows, columns) = alignment.map_or((0, 0), |a| (a.target().len(), a.source().len()));
        let mut array = array_header(rows, columns);
        array.extend(alignment.into_iter().flat_map(Alignment::weights).flat_map(|weight| weight.to_le_bytes()));
        let name = format!("{name}.npy");
        let entry = Entry::new(&name, &array)?;
        let header = [&LOCAL_HEADER.to_le_bytes()[..], &entry.shared, &[0; 2], name.as_bytes()].concat();
        self.directory.extend(entry.in_directory(&name, self.offset));
        self.entries += 1;
        self.write(&header)?;
        self.write(&array)
    }

    /// Ends the file, and gives back what it was written to.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        let (start, directory) = (self.offset, std::mem::take(&mut self.directory));
        self.write(&directory)?;
        let end = end_of_directory(self.entries, start, directory.len() as u64);
        self.write(&end)?;
        self.target.flush()?;
        Ok(self.target)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        self.target.write_all(bytes)
    }
}

const LOCAL_HEADER: u32 = 0x0403_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
/// The version that knows 64 bits.
const VERSION: u16 = 45;
/// 1 January 1980, the earliest there is: files do not tell when they were made.
const DATE: u16 = 0x21;

/// An array in the archive.
struct Entry {
    /// What its local header and its entry in the directory have in common: from the version to the length of the name.
    shared: Vec<u8>,
}

impl Entry {
    fn new(name: &str, array: &[u8]) -> io::Result<Self> {
        let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "a matrix of more than 4 GB");
        let size = u32::try_from(array.len()).map_err(|_| too_large())?;
        let name_length = u16::try_from(name.len()).map_err(|_| io::Error::other("a name of more than 64 KB"))?;
        let mut shared = Vec::new();
        // Version, flags, no compression, time, date.
        [VERSION, 0, 0, 0, DATE].iter().for_each(|field| shared.extend(field.to_le_bytes()));
        // The size is that of the compressed and of the plain bytes.
        [crc32fast::hash(array), size, size].iter().for_each(|field| shared.extend(field.to_le_bytes()));
        shared.extend(name_length.to_le_bytes());
        Ok(Self { shared })
    }

    /// The entry of an array that begins at `offset`.
    fn in_directory(&self, name: &str, offset: u64) -> Vec<u8> {
        let mut extra = Vec::new();
        if offset >= u64::from(u32::MAX) {
            // A field of kind 1, with the offset in 64 bits.
            [1u16, 8].iter().for_each(|field| extra.extend(field.to_le_bytes()));
            extra.extend(offset.to_le_bytes());
        }
        let mut entry = [DIRECTORY_ENTRY.to_le_bytes().as_slice(), &VERSION.to_le_bytes(), &self.shared].concat();
        // Length of the extra field; no comment, disk 0, no attributes.
        entry.extend((extra.len() as u16).to_le_bytes());
        entry.extend([0; 10]);
        entry.extend(capped(offset).to_le_bytes());
        [entry.as_slice(), name.as_bytes(), &extra].concat()
    }
}

/// The end of a directory of so many entries and bytes that begins at `start`.
fn end_of_directory(entries: u64, start: u64, size: u64) -> Vec<u8> {
    let mut end = Vec::new();
    if entries >= u64::from(u16::MAX) || start >= u64::from(u32::MAX) || size >= u64::from(u32::MAX) {
        end.extend(END_64.to_le_bytes());
        // The bytes that follow in this record.
        end.extend(44u64.to_le_bytes());
        [VERSION, VERSION].iter().for_each(|field| end.extend(field.to_le_bytes()));
        // This disk, and that of the directory.
        end.extend([0; 8]);
        [entries, entries, size, start].iter().for_each(|field| end.extend(field.to_le_bytes()));
        // Where this record is: on disk 0, after the directory; there is one disk.
        end.extend(END_64_LOCATOR.to_le_bytes());
        end.extend([0; 4]);
        end.extend((start + size).to_le_bytes());
        end.extend(1u32.to_le_bytes());
    }
    end.extend(END.to_le_bytes());
    end.extend([0; 4]);
    let entries = u16::try_from(entries).unwrap_or(u16::MAX);
    [entries, entries].iter().for_each(|field| end.extend(field.to_le_bytes()));
    [capped(size), capped(start)].iter().for_each(|field| end.extend(field.to_le_bytes()));
    // No comment.
    end.extend([0; 2]);
    end
}

/// The number, or all ones: then it stands elsewhere in 64 bits.
fn capped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The beginning of a `.npy` file: magic, version, length, and a Python dictionary that ends at a multiple of 64 bytes.
fn array_header(rows: usize, columns: usize) -> Vec<u8> {
    const FIXED: usize = 10;
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let length = (FIXED + dictionary.len() + 1).next_multiple_of(64) - FIXED;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{dictionary:<width$}\n", width = length - 1).bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sentence;

    fn file() -> Vec<u8> {
        let (source, target) = (Sentence::from_words(["a", "b", "c"]), Sentence::from_words(["x", "y"]));
        let alignment = Alignment::new(source, target, vec![0.0, 0.25, 0.5, 0.75, 1.0, 0.125]).unwrap();
        let mut npz = NpzWriter::new(Vec::new());
        npz.add("0", Some(&alignment)).unwrap();
        npz.add("1", None).unwrap();
        npz.finish().unwrap()
    }

    /// Every byte, by the two formats. The checksum of the first array was computed with Python's zlib.
    #[test]
    fn every_byte_is_what_the_formats_say() {
        let mut first =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".to_vec();
        first.resize(127, b' ');
        first.push(b'\n');
        for weight in [0.0f32, 0.25, 0.5, 0.75, 1.0, 0.125] {
            first.extend(weight.to_le_bytes());
        }
        let file = file();
        assert_eq!(file[..14], *b"PK\x03\x04\x2d\x00\0\0\0\0\0\0\x21\0");
        assert_eq!(file[14..18], FIRST_CHECKSUM.to_le_bytes());
        assert_eq!(file[18..35], *b"\x98\0\0\0\x98\0\0\0\x05\0\0\x000.npy");
        assert_eq!(file[35..187], first);
        assert_eq!(file[187..191], *b"PK\x03\x04");
        let directory = 187 + 35 + 128;
        assert_eq!(file[directory..][..6], *b"PK\x01\x02\x2d\0");
        assert_eq!(file[directory + 6..][..24], file[4..28]);
        assert_eq!(file[directory + 30..][..21], *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x000.npy");
        assert_eq!(file[directory + 51 + 42..][..4], 187u32.to_le_bytes(), "where the second array is");
        let end = [b"PK\x05\x06\0\0\0\0\x02\0\x02\0".as_slice(), &102u32.to_le_bytes(), &350u32.to_le_bytes(), &[0; 2]];
        assert_eq!(file[directory + 102..], end.concat());
    }

    const FIRST_CHECKSUM: u32 = 0x7d00_1075;

    #[test]
    fn large_numbers_stand_in_64_bits() {
        let entry = Entry::new("0.npy", b"x").unwrap().in_directory("0.npy", 5 << 30);
        assert_eq!(entry[30..32], 12u16.to_le_bytes());
        assert_eq!(entry[42..46], [0xff; 4]);
        assert_eq!(entry[51..], [&b"\x01\0\x08\0"[..], &(5u64 << 30).to_le_bytes()].concat());
        assert_eq!(end_of_directory(65_534, 7, 9).len(), 22);
        let end = end_of_directory(65_535, 5 << 30, 9);
        assert_eq!(end.len(), 56 + 20 + 22);
        assert_eq!(end[32..40], 65_535u64.to_le_bytes());
        assert_eq!(end[40..48], 9u64.to_le_bytes());
        assert_eq!(end[48..56], (5u64 << 30).to_le_bytes());
        assert_eq!(end[64..72], ((5u64 << 30) + 9).to_le_bytes(), "where the record is");
        assert_eq!(end[84..96], *b"\xff\xff\xff\xff\x09\0\0\0\xff\xff\xff\xff");
    }
}
