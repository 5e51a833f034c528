use std::io;
use std::path::PathBuf;

use crate::model_file::FORMAT;

/// What can go wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The file cannot be read.
    #[error("cannot read model `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`: {error}; what was there before is unharmed", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A folder without a model.
    #[error("`{}` holds no model.safetensors: it is no run folder, or its training has not validated yet", run.display())]
    NoModelYet {
        /// The folder.
        run: PathBuf,
    },
    /// A file that is not one of ours.
    #[error("`{}` is no rnnsearch model: it has no rnnsearch header; models are made by `rnnsearch train` or `rnnsearch export`", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// A model of a later version of the program.
    #[error("model `{}` has format {found}; this build reads up to {FORMAT}: use a newer rnnsearch", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A model whose content is not what was written.
    #[error("model `{}` is damaged: {reason}; copy it again from where it came, or train it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A configuration that cannot be put into text.
    #[error(transparent)]
    Config(rnnsearch_config::ConfigError),
    /// A model that cannot be put into bytes.
    #[error("cannot serialize the model: {0}")]
    Serialize(safetensors::SafeTensorError),
    /// A header that cannot be put into bytes.
    #[error("cannot serialize the model's header: {0}")]
    Header(serde_json::Error),
}
