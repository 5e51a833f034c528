//! What can go wrong with an alignment.

use std::fmt;
use std::path::PathBuf;

use crate::LinkFormat;

/// One side of a sentence pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The sentence translated from: the columns of a matrix.
    Source,
    /// The sentence translated to: the rows of a matrix.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Target => "target",
        })
    }
}

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlignmentError {
    /// A side has nothing that a row or column could stand for.
    #[error("the {0} sentence has no tokens: there is nothing to align")]
    Empty(Side),

    /// The number of weights is not rows times columns.
    #[error("{weights} weights do not fill a matrix of {rows} target tokens by {columns} source tokens")]
    Size {
        /// Target tokens.
        rows: usize,
        /// Source tokens.
        columns: usize,
        /// Weights given.
        weights: usize,
    },

    /// A weight is no probability.
    #[error("the weight of source token {column} for target token {row} is {value}: it must lie between 0 and 1")]
    Weight {
        /// Index of the target token.
        row: usize,
        /// Index of the source token.
        column: usize,
        /// The weight.
        value: f32,
    },

    /// A token claims bytes that the text does not have.
    #[error("token {token} covers bytes {start}..{end} of a text of {length} bytes")]
    Span {
        /// Index of the token.
        token: usize,
        /// First byte claimed.
        start: usize,
        /// End of the bytes claimed.
        end: usize,
        /// Bytes in the text.
        length: usize,
    },

    /// The end-of-sentence token stands somewhere else than at the end.
    #[error("token {token} is the end of the sentence, but more tokens follow it")]
    EndNotLast {
        /// Index of the token.
        token: usize,
    },

    /// A link of an alignment file cannot be read.
    #[error("{file}:{line}: {token:?} is not a link of the {format} format: write {}", .format.form())]
    Link {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The format the file should have.
        format: LinkFormat,
        /// What is not a link.
        token: String,
    },

    /// Nothing in an alignment file tells its format.
    #[error(
        "{file}: these links could be of the Pharaoh or of the talp format, which count words from 0 and from 1: say which it is"
    )]
    UnknownFormat {
        /// The file.
        file: String,
    },

    /// A link of an alignment file is of words that the sentences do not have.
    #[error(
        "{file}:{line}: the {format} link {link} is of words beyond the sentences, which have {source_words} and {target_words} \
         words: the links must number the words of this very text, source first"
    )]
    Beyond {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The format of the file.
        format: LinkFormat,
        /// The link as the file has it.
        link: String,
        /// Words of the source sentence.
        source_words: usize,
        /// Words of the target sentence.
        target_words: usize,
    },

    /// An alignment file is of another number of sentence pairs.
    #[error("{file} has the links of {found} sentence pairs, the text has {pairs} pairs: they must pair line by line")]
    Pairs {
        /// The file.
        file: String,
        /// Sentence pairs that it has links of.
        found: usize,
        /// Sentence pairs of the text.
        pairs: usize,
    },

    /// A font file cannot be read.
    #[error("cannot read the font {}: {error}", .path.display())]
    FontFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: std::io::Error,
    },

    /// A file holds no font that text can be drawn with.
    #[error("{} holds no font with outlines: give a TrueType or OpenType file (.ttf, .otf, .ttc)", .path.display())]
    NotAFont {
        /// The file.
        path: PathBuf,
    },

    /// A picture would be larger than is sensible.
    #[error("the picture would have {width} x {height} pixels, more than {limit} in all: use a smaller scale, or SVG")]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Most pixels allowed.
        limit: u64,
    },

    /// The scale of a picture is not a positive number.
    #[error("a picture cannot be scaled by {0}: the scale must be a positive number")]
    Scale(f32),

    /// The SVG could not be rasterised.
    #[error("cannot draw the picture: {0}")]
    Raster(String),
}
