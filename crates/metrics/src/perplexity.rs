//! Perplexity: how many words a model is as unsure between, on average, at every token of the references.

use crate::MetricError;
use std::fmt;

/// The perplexity of a model on some text: exp(nats / tokens).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perplexity {
    nats: f64,
    tokens: u64,
}

impl Perplexity {
    /// From the summed cross-entropy in nats, that is -Σ ln p, of `tokens` tokens.
    ///
    /// # Errors
    ///
    /// If there are no tokens.
    pub fn new(nats: f64, tokens: u64) -> Result<Self, MetricError> {
        if tokens == 0 {
            return Err(MetricError::NoTokens);
        }
        Ok(Self { nats, tokens })
    }

    /// The perplexity: 1 for a model that is sure and right, the size of the vocabulary for one that guesses.
    pub fn value(&self) -> f64 {
        self.nats_per_token().exp()
    }

    /// The cross-entropy, in nats for each token.
    pub fn nats_per_token(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// How many tokens were predicted.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }
}

impl fmt::Display for Perplexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.4} nats per token, {} tokens)", self.value(), self.nats_per_token(), self.tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_among_eight_words_has_perplexity_eight() {
        let perplexity = Perplexity::new(5.0 * 8f64.ln(), 5).unwrap();
        assert!((perplexity.value() - 8.0).abs() < 1e-12);
        assert_eq!(perplexity.to_string(), "8.00 (2.0794 nats per token, 5 tokens)");
        assert_eq!(Perplexity::new(0.0, 0), Err(MetricError::NoTokens));
    }
}
