//! Every setting of rnnsearch: typed, validated as a whole, TOML in and resolved TOML out.
//!
//! A configuration is the defaults, changed by a file, changed by `--set key=value` arguments. All of it is checked
//! before anything else happens, and every mistake is reported with its place and what is expected there:
//!
//! - `settings` holds the types, their defaults, their documentation and the range of each value;
//! - `schema` turns them into the JSON schema, which is what `check` compares a file with, value by value;
//! - `rules` holds what settings ask of each other;
//! - `layers` puts file and arguments over each other and remembers which of them a value comes from;
//! - `write` prints a configuration as TOML, bare or with all its documentation.
//!
//! ```
//! use rnnsearch_config::{Config, Reset};
//!
//! let config = Config::from_toml("[model]\nreset = \"before\"\n", &["training.seed=7".into()])?;
//! assert_eq!((config.model.reset, config.training.seed), (Reset::Before, 7));
//!
//! let error = Config::from_toml("[model]\nembeding = 620\n", &[]).unwrap_err();
//! assert!(error.to_string().contains("did you mean `model.embedding`?"));
//! # Ok::<(), rnnsearch_config::ConfigError>(())
//! ```
//!
//! The crate opens no corpus and knows no device: that a file exists is for those to find out who read it.

mod attention;
mod check;
mod error;
mod filter;
mod key;
mod layers;
mod paths;
mod precision;
mod preset;
mod rules;
mod schema;
mod settings;
mod snippet;
mod twins;
mod write;

use std::path::Path;

pub use error::{ConfigError, Fault, Mistake, Place, Setting};
use layers::Layers;
use rules::Rules;
pub use schema::json_schema;
pub use settings::*;
pub use write::default_toml;

impl Config {
    /// Reads a configuration file, applies `overrides` (each `key=value`) and makes all paths absolute.
    ///
    /// The value of an override is TOML; what is not valid TOML is taken as a string, so `validation.metric=chrf` needs
    /// no quotes. It replaces the whole value of its key, tables and lists included. Relative paths, those of overrides
    /// too, start at the folder of the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or with every mistake in it and in the overrides: see [`ConfigError`].
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        load(path, overrides, Rules::ALWAYS)
    }

    /// As [`Config::load`], and demands what a training needs: a training corpus, and a validation corpus where a
    /// setting depends on one.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_for_training(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        load(path, overrides, Rules::FOR_TRAINING)
    }

    /// Reads a configuration from memory and applies `overrides`, as [`Config::load`] does; paths are left as they are.
    ///
    /// # Errors
    ///
    /// With every mistake in the text and in the overrides.
    pub fn from_toml(text: &str, overrides: &[String]) -> Result<Self, ConfigError> {
        Layers::parse("configuration", text, overrides)?.resolve(Rules::ALWAYS)
    }

    /// Checks values and what they ask of each other, for a configuration that was put together in memory.
    ///
    /// # Errors
    ///
    /// With every mistake; lines are those of [`Config::to_toml`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        validate(self, Rules::ALWAYS)
    }

    /// As [`Config::validate`], and demands what a training needs.
    ///
    /// # Errors
    ///
    /// As [`Config::validate`].
    pub fn validate_for_training(&self) -> Result<(), ConfigError> {
        validate(self, Rules::FOR_TRAINING)
    }

    /// The resolved configuration: every setting with its value, in the order of the types. It loads back equal.
    ///
    /// # Errors
    ///
    /// If a value has no TOML form: a path that is not UTF-8, or an integer above 2^63 - 1.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        write::resolved(self)
    }
}

fn load(path: &Path, overrides: &[String], rules: Rules) -> Result<Config, ConfigError> {
    let text = layers::read(path)?;
    let mut config = Layers::parse(&path.display().to_string(), &text, overrides)?.resolve(rules)?;
    paths::make_absolute(&mut config, path)?;
    Ok(config)
}

fn validate(config: &Config, rules: Rules) -> Result<(), ConfigError> {
    Layers::parse("configuration", &config.to_toml()?, &[])?.resolve(rules).map(drop)
}
