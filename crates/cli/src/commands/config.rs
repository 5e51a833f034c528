//! `rnnsearch config`

use anyhow::Result;
use rnnsearch_config::{Config, Preset, default_toml, json_schema};

use crate::args::ConfigAction;
use crate::output::print;

/// Prints or checks a configuration.
pub fn run(action: &ConfigAction) -> Result<()> {
    match action {
        ConfigAction::Default => print(&default_toml()),
        ConfigAction::Schema => print(&(serde_json::to_string_pretty(&json_schema())? + "\n")),
        ConfigAction::Preset { name } => {
            let preset = Preset::ALL.into_iter().find(|preset| preset.name() == name).expect("names are checked");
            print(preset.toml())
        }
        ConfigAction::Check { config, overrides } => print(&Config::load_for_training(config, overrides)?.to_toml()?),
    }
}
