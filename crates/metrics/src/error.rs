//! What can be wrong with a request for a score.

use crate::Tokenizer;

/// Why there is no score.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// There is nothing to score.
    #[error("there is nothing to score: no hypotheses and no references")]
    Empty,
    /// Two lists that pair one to one have different lengths.
    #[error("{first_count} {first} but {second_count} {second}: they must pair one to one")]
    Unpaired {
        /// What the first list holds, in the plural.
        first: &'static str,
        /// How many it holds.
        first_count: usize,
        /// What the second list holds, in the plural.
        second: &'static str,
        /// How many it holds.
        second_count: usize,
    },
    /// A tokenizer name that is none of [`Tokenizer::ALL`].
    #[error("unknown tokenizer `{name}`; expected one of {}", names(&Tokenizer::ALL))]
    UnknownTokenizer {
        /// The name as given.
        name: String,
    },
    /// The limits of length bins are missing or out of order.
    #[error("length limits must ascend, as in [10, 20, 30]; got {limits:?}")]
    LengthLimits {
        /// The limits as given.
        limits: Vec<usize>,
    },
    /// A bootstrap of no resamples.
    #[error("the number of bootstrap resamples must be at least 1")]
    NoResamples,
    /// A perplexity over no tokens.
    #[error("perplexity needs at least one token")]
    NoTokens,
}

impl MetricError {
    /// Checks that two lists pair one to one.
    pub(crate) fn check_pairs(first: (&'static str, usize), second: (&'static str, usize)) -> Result<(), Self> {
        if first.1 == second.1 {
            return Ok(());
        }
        Err(Self::Unpaired { first: first.0, first_count: first.1, second: second.0, second_count: second.1 })
    }
}

fn names(tokenizers: &[Tokenizer]) -> String {
    tokenizers.iter().map(|tokenizer| tokenizer.name()).collect::<Vec<_>>().join(", ")
}
