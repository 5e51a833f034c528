//! Parallel text to padded batches of token ids.
//!
//! ```text
//! files ── Pairs ── TrainingPairs ──┬── Vocabularies::train
//!                                   └── encode_training ── DatasetWriter ── Dataset::map ── BatchPlan::epoch ── Batch
//! ```
//!
//! - [`Lines`] and [`Pairs`] read text strictly and stream it: two files, TSV or JSONL, plain or compressed.
//! - [`TrainingPairs`] leaves out those whose text looks wrong, by a [`TextFilter`].
//! - [`Entries`] reads past what is wrong, an [`Inspector`] tells of it, [`repair`] mends what can be mended, and [`Statistics`] count.
//! - [`Tokenizer`] and [`Vocabularies`] turn text into ids and ids into text, without changing it.
//! - [`Dataset`] holds the ids of the pairs that the [`Filter`] keeps, in memory or in a mapped file.
//! - [`BpeDropout`] cuts the words of examples anew for every update, where that is wanted.
//! - [`BatchPlan`] puts examples into batches, in an order that depends on the seed and the epoch alone; [`Batch`] lays them out.
//!
//! The crate knows nothing of models and devices, prints nothing, and holds no text longer than it needs.

mod batch;
mod bpe_dropout;
mod dataset;
mod entries;
mod error;
pub mod files;
mod filter;
mod flaws;
mod guide;
mod inspect;
mod language;
mod lines;
mod mapped;
mod mixture;
mod pairs;
mod plan;
mod random;
mod repair;
mod statistics;
mod tokenizer;

pub use batch::{Batch, Padded};
pub use bpe_dropout::BpeDropout;
pub use dataset::{Dataset, Example, encode_training};
pub use entries::{Entries, Entry, FileEnd, Item};
pub use error::{CorpusError, EncodingGuess};
pub use filter::{Dropped, Filter, FilterReport, Reason, Side, TextFilter, TrainingPairs};
pub use guide::{TokenLink, WordLinks};
pub use inspect::{Finding, Inspector, Kind, Level};
pub use language::Language;
pub use lines::Lines;
pub use mapped::{DatasetWriter, Unmappable};
pub use mixture::Mixture;
pub use pairs::{Pair, Pairs, Place};
pub use plan::BatchPlan;
pub use repair::{Repair, line_of, repair};
pub use statistics::{Counts, SideStatistics, Statistics};
pub use tokenizer::{BOS, Decoded, EOS, Encoded, PAD, SPECIAL_TOKENS, Tokenizer, UNK, Vocabularies};
