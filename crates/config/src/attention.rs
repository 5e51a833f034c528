//! What kinds of attention have in common.

use crate::Attention;

impl Attention {
    /// Whether it has `attention_hidden` units.
    pub fn has_hidden(self) -> bool {
        use Attention::{Cosine, Dot, General, LocalM, Location, None, ScaledDot};
        !matches!(self, Cosine | Dot | General | LocalM | Location | None | ScaledDot)
    }

    /// Whether a number added to its energies moves all of its weight, so that links can be pinned and avoided.
    pub fn can_be_steered(self) -> bool {
        !matches!(self, Self::LocalP | Self::Monotonic | Self::None)
    }
}
