//! Translating with a trained model: model files, search, forced decoding, text in and translations out.
//!
//! [`Model`] is a network with its configuration and tokenizers, in one file. [`Translator`] turns text into
//! translations with it, by beam search, and says how it sees given translations, by forced decoding.

mod consensus;
mod decoding;
mod error;
mod forced;
mod join;
mod model_file;
mod ranking;
mod sampling;
mod search;
mod sentences;
mod shortlist;
mod split;
mod tensors;
mod translator;

pub use consensus::Utility;
pub use error::InferenceError;
pub use forced::Forced;
pub use model_file::{FORMAT, Model};
pub use ranking::{Ranking, coverage_of};
pub use rnnsearch_corpus::files;
pub use sampling::Sampling;
pub use search::{Constraints, Hypothesis, SearchOptions};
pub use sentences::sentences;
pub use shortlist::{Shortlist, ShortlistCounts};
pub use tensors::Form;
pub use translator::{Candidate, Request, TranslateOptions, Translation, Translator};
