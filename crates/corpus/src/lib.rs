//! Parallel text to padded batches of token ids.
//!
//! ```text
//! files ── Pairs ──┬── Vocabularies::train
//!                  └── Dataset::for_training ── BatchPlan::epoch ── Batch
//! ```
//!
//! - [`Lines`] and [`Pairs`] read text strictly and stream it: two files, TSV or JSONL, plain or compressed.
//! - [`Tokenizer`] and [`Vocabularies`] turn text into ids and ids into text, without changing it.
//! - [`Dataset`] holds the ids of the pairs that the [`Filter`] keeps.
//! - [`BpeDropout`] cuts the words of examples anew for every update, where that is wanted.
//! - [`BatchPlan`] puts examples into batches, in an order that depends on the seed and the epoch alone; [`Batch`] lays them out.
//!
//! The crate knows nothing of models and devices, prints nothing, and holds no text longer than it needs.

mod batch;
mod bpe_dropout;
mod dataset;
mod error;
pub mod files;
mod filter;
mod guide;
mod lines;
mod pairs;
mod plan;
mod tokenizer;

pub use batch::{Batch, Padded};
pub use bpe_dropout::BpeDropout;
pub use dataset::{Dataset, Example};
pub use error::{CorpusError, EncodingGuess};
pub use filter::{Dropped, Filter, FilterReport, Reason};
pub use guide::{TokenLink, WordLinks};
pub use lines::Lines;
pub use pairs::{Pair, Pairs, Place};
pub use plan::BatchPlan;
pub use tokenizer::{BOS, Decoded, EOS, Encoded, PAD, SPECIAL_TOKENS, Tokenizer, UNK, Vocabularies};
