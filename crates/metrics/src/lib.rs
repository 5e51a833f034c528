//! How good is a translation, and how good is an alignment: scores in plain values.
//!
//! * [`bleu`], [`chrf`] and [`ter`] compare translations with references. They give the numbers of sacreBLEU 2.6,
//!   to the last digits, and say in a *signature* how they were computed.
//! * [`Bootstrap`] says how far such a number can be trusted, and whether one system really beats another.
//! * [`by_length`] splits the scores by source length, figure 2 of Bahdanau et al. (2015), and [`length_figure`] draws them as a [`Figure`].
//! * [`Perplexity`] is what a model thinks of the references.
//! * [`alignment_error_rate`] compares word alignments with gold links.
//!
//! ```
//! use rnnsearch_metrics::{BleuOptions, bleu};
//!
//! let score = bleu(&["The cat sat on a mat."], &["The cat sat on the mat."], &BleuOptions::default())?;
//! assert_eq!(format!("{:.2}", score.score), "48.89");
//! assert!(score.signature.starts_with("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:"));
//! # Ok::<(), rnnsearch_metrics::MetricError>(())
//! ```
//!
//! The three translation metrics share one shape, [`CorpusMetric`]: sufficient statistics of each sentence, their sum,
//! and a score of the sum. Confidence intervals and scores by length are built on that alone.
//!
//! Deliberately absent: several references for a sentence, the tokenizers of sacreBLEU that need a dictionary or a
//! model (`ja-mecab`, `ko-mecab`, `flores200`, ...), and learned metrics.

mod alignment_error;
mod bleu;
mod bootstrap;
mod by_length;
mod chart;
mod chrf;
mod corpus;
mod error;
mod ngrams;
mod perplexity;
mod ter;
mod text;

pub use alignment_error::{AlignmentScore, GoldLinks, Links, alignment_error_rate};
pub use bleu::{BleuOptions, BleuScore, Smoothing, bleu, sentence_bleu};
pub use bootstrap::{Bootstrap, Comparison, Interval};
pub use by_length::{LENGTH_LIMITS, LengthBin, LengthMetric, LengthReport, LengthRow, by_length, length_figure};
pub use chart::{Anchor, AsText, Category, Figure, Label, Lettering, Line, LineKind, Panel, Point, Theme};
pub use chrf::{ChrfOptions, ChrfScore, ChrfVariant, chrf, sentence_chrf};
pub use corpus::CorpusMetric;
pub use error::MetricError;
pub use ngrams::{NgramCounts, NgramStatistics};
pub use perplexity::Perplexity;
pub use ter::{TerOptions, TerScore, TerStatistics, sentence_ter, ter};
pub use text::Tokenizer;

/// What computed a score, for signatures: this program, not sacreBLEU, though its numbers are meant to be the same.
const PROGRAM: &str = concat!("rnnsearch-", env!("CARGO_PKG_VERSION"), "/sacrebleu-2.6-compatible");

/// `yes` or `no`, as signatures spell it.
fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
