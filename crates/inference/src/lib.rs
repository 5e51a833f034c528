//! Translating with a trained model: model files, search, forced decoding, text in and translations out.
//!
//! [`Model`] is a network with its configuration and tokenizers, in one file. [`Translator`] turns text into
//! translations with it, by beam search, and says how it sees given translations, by forced decoding.

mod consensus;
mod decoding;
mod error;
mod forbidden;
mod forced;
mod glossary;
mod join;
mod looks;
mod markup;
mod model_file;
mod protect;
mod ranking;
mod required;
mod sampling;
mod search;
mod sentences;
mod shortlist;
mod split;
mod steering;
mod tensors;
mod translator;
mod units;

pub use consensus::agreement;
pub use error::{InferenceError, RequestError};
pub use forbidden::Forbidden;
pub use forced::Forced;
pub use glossary::{Glossary, GlossaryError};
pub use markup::Markup;
pub use model_file::{FORMAT, Model};
pub use protect::Protect;
pub use ranking::{Ranking, coverage_of};
pub use required::{Phrase, Required, Spelling};
pub use rnnsearch_config::Utility;
pub use rnnsearch_corpus::files;
pub use sampling::Sampling;
pub use search::{Constraints, Diversity, Hypothesis, SearchOptions};
pub use sentences::sentences;
pub use shortlist::{Shortlist, ShortlistCounts};
pub use steering::Steering;
pub use tensors::Form;
pub use translator::{Candidate, Demand, Request, TranslateOptions, Translation, Translator};
pub use units::Units;
