//! Alignments: which source words each target word was made from, as numbers, links and pictures.
//!
//! The attention of the model (Bahdanau et al., 2015, section 3.1) gives a weight α_ij to every source token j for every
//! target token i. This crate takes those weights as plain values and turns them into what people read:
//!
//! ```text
//! Sentence + Sentence + weights -> Alignment --words()--> word Alignment --+--> Links   (Pharaoh, talp, NAACL)
//!                                                                         +--> heatmap (SVG, PNG, terminal), html
//!                                                                         +--> JSON    (serde), NumPy
//! ```
//!
//! A matrix has one row for each target token and one column for each source token, as figure 3 of the paper. The model
//! works on sub-words; [`Alignment::words`] sums over the pieces of a source word and averages over those of a target
//! word, so that the rows of the word matrix still sum to 1.
//!
//! ```
//! use rnnsearch_alignment::{Alignment, Segmentation, Sentence};
//!
//! // "unhappy" is two tokens on the source side; the last row and column are the end of the sentence.
//! let source = Sentence::from_spans("unhappy man", &[0..2, 2..7, 8..11])?.with_end();
//! let target = Sentence::from_spans("homme malheureux", &[0..5, 6..16])?.with_end();
//! let weights = vec![
//!     0.1, 0.1, 0.8, 0.0, //
//!     0.3, 0.4, 0.2, 0.1, //
//!     0.0, 0.0, 0.1, 0.9,
//! ];
//! let words = Alignment::new(source, target, weights)?.words(Segmentation::Words)?;
//! assert_eq!(words.best_links().to_string(), "0-1 1-0");
//! # Ok::<(), rnnsearch_alignment::AlignmentError>(())
//! ```
//!
//! [`Statistical`] learns links from a parallel text alone, where there is no model.
//!
//! What it deliberately lacks: it runs no model, reads no corpus, and prints nothing.

mod error;
mod fonts;
mod gold;
pub mod heatmap;
pub mod html;
mod links;
mod matrix;
mod npz;
mod sentence;
mod shaping;
mod statistical;
mod symmetrization;
mod words;

pub use error::{AlignmentError, Side};
pub use fonts::Fonts;
pub use gold::Gold;
pub use links::{Link, LinkFormat, Links};
pub use matrix::{Alignment, LinkRule, Merge};
pub use npz::NpzWriter;
pub use sentence::{END, Sentence, Token};
pub use shaping::Shaped;
pub use statistical::{Posteriors, Statistical, StatisticalLearner, StatisticalOptions};
pub use symmetrization::Symmetrization;
pub use words::Segmentation;
