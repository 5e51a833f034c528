//! Pictures of an alignment, in the manner of figure 3 of the paper: source words along the top, target words down the
//! left, and a cell for every weight.
//!
//! ```
//! use rnnsearch_alignment::{Alignment, Fonts, Sentence, heatmap};
//!
//! let source = Sentence::from_words(["zone", "économique"]);
//! let target = Sentence::from_words(["economic", "area"]);
//! let alignment = Alignment::new(source, target, vec![0.1, 0.9, 0.8, 0.2])?;
//!
//! let svg = heatmap::svg(&alignment, &heatmap::Style::default(), &Fonts::shipped());
//! assert!(svg.contains("<title>économique → economic: 0.900</title>"));
//!
//! let text = heatmap::terminal(&alignment, &heatmap::TerminalOptions::default());
//! assert!(text.contains("economic"));
//! # Ok::<(), rnnsearch_alignment::AlignmentError>(())
//! ```

mod color;
mod label;
mod layout;
mod png;
mod svg;
mod terminal;

pub use color::{Palette, Theme};
pub(crate) use label::visible;
pub use png::{Rendered, png, rasterized};
pub(crate) use svg::escaped;
pub use svg::svg;
pub use terminal::{TerminalOptions, terminal};

/// How an SVG or PNG looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Colours of the paper and the ink.
    pub theme: Theme,
    /// Colours of the cells.
    pub palette: Palette,
    /// A line or two above the picture.
    pub title: Option<String>,
    /// A line or two below the picture.
    pub caption: Option<String>,
}
