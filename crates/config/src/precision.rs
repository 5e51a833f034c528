//! What the numbers that products multiply ask of a processor.

use crate::Precision;

impl Precision {
    /// As it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        }
    }

    /// The instructions that a processor must have for it, beyond those of all.
    pub fn needs(self) -> Option<&'static str> {
        match self {
            Self::Auto | Self::Float32 => None,
            Self::Float16 => Some("AVX512-FP16"),
            Self::Bfloat16 => Some("AMX-BF16"),
        }
    }
}
