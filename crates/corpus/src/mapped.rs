//! Examples in a file, which is mapped: memory does not grow with the corpus.
//!
//! Written in one go, from front to back (numbers are little-endian; every part begins at a multiple of 8 bytes):
//!
//! ```text
//! blocks       16,384 examples each, the last one fewer:
//!                lengths   u32 source, u32 target    of each example
//!                ends      u64                       where the numbers of each example end
//!                numbers   u16 or u32                of each example: source ids, target ids, links (source, target)
//! directory    u64         where each block begins
//! description  JSON        sizes, and what the writer wants to know later
//! footer       magic, format, length of the description, BLAKE3 of everything before
//! ```
//!
//! Lengths stand apart from ids, so that making batches does not read the text.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dataset::Example;
use crate::guide::TokenLink;
use crate::tokenizer::Vocabularies;

/// Examples of a block.
const BLOCK: usize = 1 << 14;
const MAGIC: [u8; 8] = *b"rnnsdata";
/// The format that this program writes and reads.
const FORMAT: u64 = 1;
const FOOTER: usize = 8 + 8 + 8 + blake3::OUT_LEN;
/// Bytes that are looked at between two times that pages are given back.
const STRETCH: usize = 16 << 20;
/// Examples that are looked up between two times that pages are given back. Each may map some dozens of pages.
const LOOKUPS: u32 = 256;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Description {
    examples: u64,
    /// Whether numbers are of 32 bits.
    wide: bool,
    /// Ids are below these.
    source_words: usize,
    target_words: usize,
    source_tokens: u64,
    target_tokens: u64,
    links: u64,
    /// Where the directory begins.
    directory: u64,
    notes: Value,
}

/// Writes examples as a [`Dataset`](crate::Dataset) that can be mapped. Memory is bounded by a block of examples.
pub struct DatasetWriter<W> {
    output: W,
    hasher: blake3::Hasher,
    written: u64,
    block: Block,
    starts: Vec<u64>,
    description: Description,
}

/// The examples that are written next.
#[derive(Default)]
struct Block {
    lengths: Vec<[u32; 2]>,
    ends: Vec<u64>,
    numbers: Vec<u32>,
}

impl<W: Write> DatasetWriter<W> {
    /// For ids below the sizes of the vocabularies, in sentences of at most so many tokens, `</s>` included.
    pub fn new(output: W, vocabularies: &Vocabularies, max_length: usize) -> Self {
        let [source_words, target_words] = [&vocabularies.source, &vocabularies.target].map(|side| side.vocab_size());
        // Links are numbers up to the lengths.
        let wide = source_words.max(target_words).max(max_length) > 1 << u16::BITS;
        let description = Description { wide, source_words, target_words, ..Description::default() };
        let hasher = blake3::Hasher::new();
        Self { output, hasher, written: 0, block: Block::default(), starts: Vec::new(), description }
    }

    /// Adds an example.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    ///
    /// # Panics
    ///
    /// If an id is not in the vocabulary, or a sentence too long.
    pub fn push(&mut self, example: &Example) -> io::Result<()> {
        let Example { source, target, links } = example;
        let links = links.iter().flat_map(|&(source, target)| [source, target]);
        self.block.numbers.extend(source.iter().chain(target).copied().chain(links));
        self.block.ends.push(self.block.numbers.len() as u64);
        self.block.lengths.push([source.len() as u32, target.len() as u32]);
        self.description.examples += 1;
        self.description.source_tokens += source.len() as u64;
        self.description.target_tokens += target.len() as u64;
        self.description.links += example.links.len() as u64;
        if self.block.ends.len() == BLOCK { self.write_block() } else { Ok(()) }
    }

    /// Ends the file, with notes for who reads it.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn finish(mut self, notes: Value) -> io::Result<W> {
        if !self.block.ends.is_empty() {
            self.write_block()?;
        }
        self.description.directory = self.written;
        self.description.notes = notes;
        let starts = std::mem::take(&mut self.starts);
        let description = serde_json::to_vec(&self.description)?;
        let mut end = bytemuck::cast_slice(&starts).to_vec();
        end.extend(&description);
        end.extend(MAGIC);
        end.extend(FORMAT.to_le_bytes());
        end.extend((description.len() as u64).to_le_bytes());
        self.hasher.update(&end);
        end.extend(self.hasher.finalize().as_bytes());
        self.output.write_all(&end)?;
        Ok(self.output)
    }

    fn write_block(&mut self) -> io::Result<()> {
        // As all processors are that this program is built for.
        const { assert!(cfg!(target_endian = "little")) };
        let Block { lengths, ends, numbers } = std::mem::take(&mut self.block);
        let mut bytes = bytemuck::cast_slice(&lengths).to_vec();
        bytes.extend(bytemuck::cast_slice::<_, u8>(&ends));
        if self.description.wide {
            bytes.extend(bytemuck::cast_slice::<_, u8>(&numbers));
        } else {
            let narrow = |number| u16::try_from(number).expect("an id of the vocabulary, or a place in a sentence");
            let narrow: Vec<u16> = numbers.into_iter().map(narrow).collect();
            bytes.extend(bytemuck::cast_slice::<_, u8>(&narrow));
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        self.starts.push(self.written);
        self.written += bytes.len() as u64;
        self.hasher.update(&bytes);
        self.output.write_all(&bytes)
    }
}

/// Why a file cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub enum Unmappable {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not as it was written.
    #[error("{0}")]
    Damaged(String),
}

fn damaged<T>(what: &str) -> Result<T, Unmappable> {
    Err(Unmappable::Damaged(what.to_owned()))
}

/// Examples in a mapped file, all of which was checked.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    file: Arc<Pages>,
    starts: Vec<u64>,
    description: Description,
}

/// The pages of a file. Those that were looked at count as memory of the process, and so they are given back now and then: the system
/// keeps them as long as it needs no room.
#[derive(Debug)]
struct Pages {
    bytes: Mmap,
    lookups: AtomicU32,
}

impl Pages {
    fn release(&self) {
        #[cfg(unix)]
        // SAFETY: the map is of a file and nobody writes to it: what is looked at again is read again.
        let _ = unsafe { self.bytes.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    fn looked_up(&self) {
        if (self.lookups.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(LOOKUPS) {
            self.release();
        }
    }
}

/// A block of a file.
struct View<'m> {
    lengths: &'m [[u32; 2]],
    ends: &'m [u64],
    numbers: Numbers<'m>,
}

#[derive(Clone, Copy)]
enum Numbers<'m> {
    Narrow(&'m [u16]),
    Wide(&'m [u32]),
}

impl Numbers<'_> {
    fn len(self) -> usize {
        match self {
            Self::Narrow(numbers) => numbers.len(),
            Self::Wide(numbers) => numbers.len(),
        }
    }

    fn to_vec(self, range: Range<usize>) -> Vec<u32> {
        match self {
            Self::Narrow(numbers) => numbers[range].iter().map(|&number| number.into()).collect(),
            Self::Wide(numbers) => numbers[range].to_vec(),
        }
    }

    /// Whether all numbers of a range are below a bound.
    fn below(self, range: Range<usize>, bound: usize) -> bool {
        match self {
            Self::Narrow(numbers) => numbers[range].iter().all(|&number| usize::from(number) < bound),
            Self::Wide(numbers) => numbers[range].iter().all(|&number| (number as usize) < bound),
        }
    }
}

impl View<'_> {
    /// Where the source ids, the target ids and the links of an example are; none where they cannot be.
    fn ranges(&self, row: usize) -> Option<[Range<usize>; 3]> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let end = usize::try_from(self.ends[row]).ok()?;
        let [source, target] = self.lengths[row].map(|length| length as usize);
        let target_start = start.checked_add(source)?;
        let links_start = target_start.checked_add(target)?;
        let whole = links_start <= end && end <= self.numbers.len() && (end - links_start).is_multiple_of(2);
        whole.then_some([start..target_start, target_start..links_start, links_start..end])
    }

    fn example(&self, row: usize) -> Example {
        let [source, target, links] = self.ranges(row).expect("the file was checked");
        let links = self.numbers.to_vec(links);
        Example {
            source: self.numbers.to_vec(source),
            target: self.numbers.to_vec(target),
            links: links.chunks_exact(2).map(|link| (link[0], link[1])).collect::<Vec<TokenLink>>(),
        }
    }

    /// Whether an example has ids and links that can be.
    fn is_sound(&self, row: usize, words: [usize; 2]) -> bool {
        self.ranges(row).is_some_and(|[source, target, links]| {
            let lengths = [source.len(), target.len()];
            let links = self.numbers.to_vec(links);
            lengths.iter().all(|&length| length > 0)
                && self.numbers.below(source, words[0])
                && self.numbers.below(target, words[1])
                && links.chunks_exact(2).all(|link| (0..2).all(|side| (link[side] as usize) < lengths[side]))
        })
    }
}

impl Mapped {
    /// Maps a file, and checks all of it: no example of it can be out of range.
    pub fn open(path: &Path, vocabularies: &Vocabularies) -> Result<(Self, Value), Unmappable> {
        let file = File::open(path)?;
        if file.metadata()?.len() < FOOTER as u64 {
            return damaged("it is cut short");
        }
        // SAFETY: files of this kind are replaced, never changed; who changes one by hand may end this process, as with any mapped file.
        let bytes = unsafe { Mmap::map(&file) }?;
        let pages = Pages { bytes, lookups: AtomicU32::new(0) };
        check_hash(&pages)?;
        let (starts, mut description) = read_end(&pages.bytes)?;
        let notes = std::mem::take(&mut description.notes);
        let mapped = Self { file: Arc::new(pages), starts, description };
        let words = [&vocabularies.source, &vocabularies.target].map(|side| side.vocab_size());
        if words != [mapped.description.source_words, mapped.description.target_words] {
            return damaged("its vocabularies are of other sizes");
        }
        mapped.check_blocks()?;
        Ok((mapped, notes))
    }

    fn check_blocks(&self) -> Result<(), Unmappable> {
        let words = [self.description.source_words, self.description.target_words];
        let (mut tokens, mut links) = ([0, 0], 0);
        for block in 0..self.starts.len() {
            let Some(view) = self.view(block) else { return damaged("a block of it is out of range") };
            if !(0..view.ends.len()).all(|row| view.is_sound(row, words)) {
                return damaged("an example of it is out of range");
            }
            (0..2).for_each(|side| tokens[side] += view.lengths.iter().map(|l| u64::from(l[side])).sum::<u64>());
            links +=
                (view.numbers.len() as u64 - view.lengths.iter().flatten().map(|&l| u64::from(l)).sum::<u64>()) / 2;
            self.file.release();
        }
        let Description { source_tokens, target_tokens, links: all_links, .. } = self.description;
        if (tokens, links) == ([source_tokens, target_tokens], all_links) {
            Ok(())
        } else {
            damaged("its examples are not those it tells of")
        }
    }

    /// A block; none if it is not within the file.
    fn view(&self, block: usize) -> Option<View<'_>> {
        let rows = BLOCK.min(self.len() - block * BLOCK);
        let from = |start: u64| self.file.bytes.get(usize::try_from(start).ok()?..);
        let (lengths, rest) = from(self.starts[block])?.split_at_checked(8 * rows)?;
        let (ends, rest) = rest.split_at_checked(8 * rows)?;
        let ends: &[u64] = bytemuck::try_cast_slice(ends).ok()?;
        let count = usize::try_from(*ends.last()?).ok()?;
        let numbers = |width: usize| rest.get(..count.checked_mul(width)?);
        let numbers = match self.description.wide {
            false => Numbers::Narrow(bytemuck::try_cast_slice(numbers(2)?).ok()?),
            true => Numbers::Wide(bytemuck::try_cast_slice(numbers(4)?).ok()?),
        };
        Some(View { lengths: bytemuck::try_cast_slice(lengths).ok()?, ends, numbers })
    }

    fn at(&self, index: u32) -> (View<'_>, usize) {
        assert!((index as usize) < self.len(), "no example {index}");
        (self.view(index as usize / BLOCK).expect("the file was checked"), index as usize % BLOCK)
    }

    pub fn len(&self) -> usize {
        self.description.examples as usize
    }

    pub fn example(&self, index: u32) -> Example {
        let (view, row) = self.at(index);
        let example = view.example(row);
        self.file.looked_up();
        example
    }

    /// Source and target tokens of an example.
    pub fn lengths(&self, index: u32) -> [usize; 2] {
        // The lengths alone are looked at: not even where their block ends.
        assert!((index as usize) < self.len(), "no example {index}");
        let start = self.starts[index as usize / BLOCK] as usize + 8 * (index as usize % BLOCK);
        let lengths: &[u32] = bytemuck::cast_slice(&self.file.bytes[start..start + 8]);
        [lengths[0] as usize, lengths[1] as usize]
    }

    /// All source and all target tokens.
    pub fn tokens(&self) -> [usize; 2] {
        [self.description.source_tokens, self.description.target_tokens].map(|tokens| tokens as usize)
    }

    pub fn has_links(&self) -> bool {
        self.description.links > 0
    }

    /// Memory that stays with the process.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.starts[..])
    }
}

fn check_hash(pages: &Pages) -> Result<(), Unmappable> {
    let (content, hash) = pages.bytes.split_at(pages.bytes.len() - blake3::OUT_LEN);
    let mut hasher = blake3::Hasher::new();
    for stretch in content.chunks(STRETCH) {
        hasher.update_rayon(stretch);
        pages.release();
    }
    if hasher.finalize().as_bytes() == hash { Ok(()) } else { damaged("its checksum is wrong") }
}

/// The directory and the description, which fit the file.
fn read_end(bytes: &[u8]) -> Result<(Vec<u64>, Description), Unmappable> {
    let (content, footer) = bytes.split_at(bytes.len() - FOOTER);
    let number = |at: usize| u64::from_le_bytes(footer[at..at + 8].try_into().expect("8 bytes"));
    if footer[..8] != MAGIC {
        return damaged("it is no file of examples");
    }
    if number(8) != FORMAT {
        return Err(Unmappable::Damaged(format!("it has format {}, and this build reads {FORMAT}", number(8))));
    }
    let Some(begin) = usize::try_from(number(16)).ok().and_then(|length| content.len().checked_sub(length)) else {
        return damaged("its description is out of range");
    };
    let description: Description = serde_json::from_slice(&content[begin..])
        .map_err(|error| Unmappable::Damaged(format!("its description: {error}")))?;
    let directory = usize::try_from(description.directory).ok().and_then(|start| content.get(start..begin));
    let starts: Option<&[u64]> = directory.and_then(|directory| bytemuck::try_cast_slice(directory).ok());
    match starts {
        Some(starts)
            if description.examples <= u64::from(u32::MAX)
                && starts.len() as u64 == description.examples.div_ceil(BLOCK as u64) =>
        {
            Ok((starts.to_vec(), description))
        }
        _ => damaged("its directory is out of range"),
    }
}
