//! What a training tells of itself.

use std::fmt;
use std::time::Duration;

use rnnsearch_alignment::Alignment;
use rnnsearch_config::Metric;
use serde::{Deserialize, Serialize};

use crate::exact;

/// Is told what happens in a training.
pub trait Observer {
    /// Something worth a line: what was read, what was dropped, where it goes on.
    fn message(&mut self, text: &str);
    /// Something for those who want to know more.
    fn detail(&mut self, text: &str);
    /// Something that should not be, but that the training survives.
    fn warning(&mut self, text: &str);
    /// The data is read and the model made; updates begin.
    fn prepared(&mut self, prepared: &Prepared);
    /// The training has gone back to where it was after an update.
    fn went_back(&mut self, update: u64);
    /// An update is done.
    fn progress(&mut self, progress: &Progress);
    /// A validation is done.
    fn validated(&mut self, report: &ValidationReport);
}

/// What a training starts with.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Updates done already, in a training that is gone on with.
    pub update: u64,
    /// Training pairs.
    pub pairs: usize,
    /// Target tokens of the training pairs.
    pub target_tokens: usize,
    /// Parameters of the model.
    pub parameters: usize,
    /// Words of the source and target vocabularies.
    pub vocabularies: (usize, usize),
}

/// Where a training is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Updates done.
    pub update: u64,
    /// The pass over the data, from 1.
    pub epoch: u64,
    /// Batches done in this epoch.
    pub batch: usize,
    /// Batches of this epoch.
    pub batches: usize,
    /// Loss in nats per target token, over the updates since the last one told in the log.
    pub loss: f64,
    /// What is added to it for the sake of the alignments, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment_loss: Option<f64>,
    /// The mean risk of translations, from 0 to 1, where it is what is learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<f64>,
    /// Length of the gradient of the last update, before it was clipped.
    pub gradient_norm: f64,
    /// The learning rate of the last update.
    pub learning_rate: f64,
    /// Target tokens a second, padding not counted, over the updates since the last one told in the log.
    pub tokens_per_second: f64,
    /// Time left until the last update that the settings allow, as far as can be told.
    #[serde(skip)]
    pub remaining: Option<Duration>,
    /// Whether this update is told in the log.
    #[serde(skip)]
    pub logged: bool,
}

/// What a validation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidationReport {
    /// Updates done.
    pub update: u64,
    /// The pass over the data, from 1.
    pub epoch: u64,
    /// Cross-entropy of the references in nats per target token.
    pub loss: f64,
    /// e to the loss.
    pub perplexity: f64,
    /// sacreBLEU of the translations.
    pub bleu: f64,
    /// How BLEU was computed.
    pub bleu_signature: String,
    /// chrF2 of the translations.
    pub chrf: f64,
    /// How chrF2 was computed.
    pub chrf_signature: String,
    /// Whether it is the best so far by the configured metric.
    pub best: bool,
    /// How long it took.
    pub seconds: f64,
    /// The first sentences with their translations.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// The scores of the best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Updates done.
    pub update: u64,
    /// Cross-entropy of the references in nats per target token.
    #[serde(with = "exact")]
    pub loss: f64,
    /// sacreBLEU of the translations.
    #[serde(with = "exact")]
    pub bleu: f64,
    /// chrF2 of the translations.
    #[serde(with = "exact")]
    pub chrf: f64,
}

impl Best {
    /// A score of which more is better; what is no number is worse than all that are.
    pub(crate) fn merit(&self, metric: Metric) -> f64 {
        let merit = match metric {
            Metric::Bleu => self.bleu,
            Metric::Chrf => self.chrf,
            Metric::Loss => -self.loss,
        };
        merit.max(f64::NEG_INFINITY)
    }
}

impl From<&ValidationReport> for Best {
    fn from(report: &ValidationReport) -> Self {
        let ValidationReport { update, loss, bleu, chrf, .. } = *report;
        Self { update, loss, bleu, chrf }
    }
}

/// A validation sentence with its translation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The source.
    pub source: String,
    /// The reference.
    pub reference: String,
    /// What the model makes of the source.
    pub translation: String,
    /// Which of the model's tokens of the source each one of the translation looked at, if the model has attention.
    pub alignment: Option<Alignment>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { update, epoch, loss, gradient_norm, learning_rate, tokens_per_second, .. } = self;
        write!(f, "epoch {epoch}, update {update}: loss {loss:.4} nats/token, ")?;
        if let Some(loss) = self.alignment_loss {
            write!(f, "alignments {loss:.4}, ")?;
        }
        if let Some(risk) = self.risk {
            write!(f, "risk {risk:.4}, ")?;
        }
        write!(f, "{tokens_per_second:.0} tokens/s, ")?;
        write!(f, "rate {learning_rate:.3e}, gradient {gradient_norm:.2}")
    }
}

impl fmt::Display for ValidationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { update, epoch, loss, perplexity, bleu, chrf, seconds, .. } = self;
        let best = if self.best { ", the best so far" } else { "" };
        write!(
            f,
            "validation after epoch {epoch}, update {update}: loss {loss:.4} nats/token (perplexity {perplexity:.2}), "
        )?;
        write!(f, "BLEU {bleu:.2}, chrF2 {chrf:.2}, {seconds:.1} s{best}")
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  source      {}\n  reference   {}\n  translation {}", self.source, self.reference, self.translation)
    }
}

#[cfg(test)]
pub(crate) mod told {
    use super::{Observer, Prepared, Progress, ValidationReport};

    /// Keeps what it is told.
    #[derive(Default)]
    pub struct Told(pub Vec<String>);

    impl Observer for Told {
        fn message(&mut self, text: &str) {
            self.0.push(format!("message {text}"));
        }

        fn detail(&mut self, text: &str) {
            self.0.push(format!("detail {text}"));
        }

        fn warning(&mut self, text: &str) {
            self.0.push(format!("warning {text}"));
        }

        fn prepared(&mut self, prepared: &Prepared) {
            self.0.push(format!("prepared {}", prepared.update));
        }

        fn went_back(&mut self, update: u64) {
            self.0.push(format!("back {update}"));
        }

        fn progress(&mut self, _: &Progress) {}

        fn validated(&mut self, _: &ValidationReport) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_no_number_is_the_worst() {
        let merit = |loss| Best { update: 1, loss, bleu: 0.0, chrf: 0.0 }.merit(Metric::Loss);
        assert!(merit(1.0) > merit(2.0) && merit(1e300) > merit(f64::NAN));
        assert_eq!(merit(f64::NAN), merit(f64::INFINITY));
    }
}
