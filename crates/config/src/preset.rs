//! Settings that go together, as a configuration file would have them.

use crate::settings::Preset;

impl Preset {
    /// All presets.
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Base, Self::Paper];

    /// As a configuration file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Base => "base",
            Self::Paper => "paper",
        }
    }

    /// What it sets, with reasons, as TOML.
    pub fn toml(self) -> &'static str {
        match self {
            Self::Tiny => include_str!("presets/tiny.toml"),
            Self::Small => include_str!("presets/small.toml"),
            Self::Base => include_str!("presets/base.toml"),
            Self::Paper => include_str!("presets/paper.toml"),
        }
    }
}
