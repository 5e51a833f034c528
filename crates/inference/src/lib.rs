//! Translating with a trained model: model files, search, forced decoding, text in and translations out.
//!
//! [`Model`] is a network with its configuration and tokenizers, in one file. [`Translator`] turns text into
//! translations with it, by beam search, and says how it sees given translations, by forced decoding.

mod decoding;
mod error;
mod forced;
mod join;
mod model_file;
mod search;
mod split;
mod translator;

pub use error::InferenceError;
pub use forced::Forced;
pub use model_file::{FORMAT, Model};
pub use rnnsearch_corpus::files;
pub use search::{Hypothesis, SearchOptions};
pub use translator::{Candidate, TranslateOptions, Translation, Translator};
