//! Every setting of rnnsearch: typed, validated as a whole, TOML in and resolved TOML out.

mod settings;

pub use settings::*;
