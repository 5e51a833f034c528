//! A model that learns: its gradients, and the steps it takes.

use std::ops::Add;

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::{AlignmentConfig, Config, Part, ScheduledSamplingConfig, TrainingConfig};
use rnnsearch_decoder::{AlignmentTerms, Batch, Objective, RnnSearch};
use rnnsearch_kernels::{Dropout, with_precision};

use crate::average::Average;
use crate::gradients::Gradients;
use crate::optimizer::{Optimizer, OptimizerState, Update};
use crate::risk::{Costs, Weighed};

/// A model and the optimiser that changes it.
pub(crate) struct Learner {
    /// Away only while it is changed, so that this can be done in place.
    model: Option<RnnSearch>,
    optimizer: Optimizer,
    average: Option<Average>,
}

impl Learner {
    /// A model on a device with gradients, which has an average of its weights or not.
    pub fn new(model: RnnSearch, optimizer: Optimizer, average: Option<Average>) -> Self {
        Self { model: Some(model), optimizer, average }
    }

    pub fn model(&self) -> &RnnSearch {
        self.model.as_ref().expect("the model is only away while it is changed")
    }

    /// The model with averaged weights, if there are any; the model must be [settled](Self::settle).
    pub fn averaged(&self) -> Option<RnnSearch> {
        let average = self.average.as_ref().filter(|average| average.count() > 0)?;
        Some(average.apply(self.model().clone()))
    }

    /// The model to validate and to save, without gradients; it must be [settled](Self::settle).
    pub fn network(&self) -> RnnSearch {
        self.averaged().unwrap_or_else(|| self.model().clone()).valid()
    }

    /// How often weights were averaged.
    pub fn averagings(&self) -> u64 {
        self.average.as_ref().map_or(0, Average::count)
    }

    /// Adds the weights after an update to their average, where there is one and it is time.
    pub fn add_to_average(&mut self, update: u64) {
        if self.average.is_none() || !Average::is_due(update) {
            return;
        }
        self.settle();
        if let (Some(average), Some(model)) = (&mut self.average, &self.model) {
            average.add(model);
        }
    }

    /// The state of the optimiser; the model must be [settled](Self::settle).
    pub fn optimizer_state(&self) -> OptimizerState {
        self.optimizer.state()
    }

    /// Makes the updates that words have missed because no batch had them. Until then only the rows of the last batch's words are
    /// what they should be.
    pub fn settle(&mut self) {
        self.model = self.model.take().map(|model| self.optimizer.settle(model));
    }

    /// The losses of some lessons, summed over all of their `tokens` in the target, and the gradients of their mean. One lesson is in
    /// memory at a time. `update` numbers the update whose dropout is drawn. The device must be able to multiply in the configuration's
    /// precision.
    ///
    /// # Panics
    ///
    /// If there is no lesson.
    pub fn gradients(
        &mut self,
        lessons: impl IntoIterator<Item = Lesson>,
        tokens: usize,
        config: &Config,
        objective: &Objective,
        update: u64,
    ) -> (Losses, Gradients) {
        let mut dropout = Dropout::new(config.training.seed, update);
        let own_words = own_words(&config.training.scheduled_sampling, update);
        let each = lessons.into_iter().map(|Lesson { batch, costs }| {
            let batch = self.tell_own_words(batch, config, own_words, &mut dropout);
            self.gradients_of((batch, costs), tokens, config, objective, &mut dropout)
        });
        let sum = |(losses, mut gradients): (Losses, Gradients), (more_losses, more): (Losses, Gradients)| {
            gradients.add(more);
            (losses + more_losses, gradients)
        };
        each.reduce(sum).expect("an update has a batch")
    }

    /// Makes the updates that words of a batch have missed.
    fn catch_up(&mut self, batch: &Batch) {
        let rows = self.model().rows_used(batch);
        self.model = self.model.take().map(|model| self.optimizer.catch_up(model, &rows));
    }

    /// Puts a share of the model's own words into a batch, where any are wanted.
    fn tell_own_words(&mut self, batch: Batch, config: &Config, share: f64, random: &mut Dropout) -> Batch {
        if share > 0.0 {
            self.catch_up(&batch);
        }
        with_precision(config.training.precision, || self.model().tell_own_words(batch, &config.model, share, random))
    }

    /// The losses of one batch, whose sentences cost something or not, and the gradients of these divided by `tokens`.
    fn gradients_of(
        &mut self,
        (batch, costs): (Batch, Option<Costs>),
        tokens: usize,
        config: &Config,
        objective: &Objective,
        dropout: &mut Dropout,
    ) -> (Losses, Gradients) {
        self.catch_up(&batch);
        with_precision(config.training.precision, || {
            let (batch, weighed) = self.weigh(batch, costs, config, dropout);
            let loss = self.model().loss(&batch, &config.model, objective, Some(dropout));
            let gradients = Gradients::of(&loss, tokens, self.model()).without(&config.training.freeze, &config.model);
            if !config.training.freeze.contains(&Part::Attention) {
                self.model = self.model.take().map(|model| model.rewarded(&loss));
            }
            let value = |nats: Tensor<1>| f64::from(nats.into_scalar::<f32>());
            let nats = weighed.as_ref().map_or_else(|| value(loss.nats), |weighed| weighed.nats);
            let (alignment, risk) = (loss.alignment.map(value), weighed.map(|weighed| weighed.risk));
            (Losses { nats, alignment, risk }, gradients)
        })
    }

    /// A batch whose sentences count as their costs say, where they have any.
    fn weigh(
        &self,
        batch: Batch,
        costs: Option<Costs>,
        config: &Config,
        dropout: &Dropout,
    ) -> (Batch, Option<Weighed>) {
        let Some(costs) = costs else { return (batch, None) };
        // With the very dropout that the loss will have.
        let log_probs = self.model().sentence_log_probs(&batch, &config.model, Some(&mut dropout.clone()));
        let weighed = costs.weigh(&log_probs);
        (batch.weighted(&weighed.weights), Some(weighed))
    }

    /// Changes the weights.
    pub fn step(&mut self, gradients: Gradients, update: &Update) {
        self.model = self.model.take().map(|model| self.optimizer.step(model, gradients, update));
    }
}

/// What is learnt from in one go.
pub(crate) struct Lesson {
    /// The sentence pairs.
    pub batch: Batch,
    /// What they cost, where the targets are the model's own translations.
    pub costs: Option<Costs>,
}

impl From<Batch> for Lesson {
    fn from(batch: Batch) -> Self {
        Self { batch, costs: None }
    }
}

/// The share of the decoder's own words among those it is told at an update, counted from 1.
fn own_words(config: &ScheduledSamplingConfig, update: u64) -> f64 {
    if update < config.warmup { config.rate * update as f64 / config.warmup as f64 } else { config.rate }
}

/// The losses of a batch in nats, summed over its target tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Losses {
    /// The cross-entropy.
    pub nats: f64,
    /// What is added for the sake of the alignments.
    pub alignment: Option<f64>,
    /// The risk of translations, which takes the place of the cross-entropy.
    pub risk: Option<f64>,
}

impl Losses {
    /// Of the whole.
    pub fn is_finite(self) -> bool {
        self.nats.is_finite() && [self.alignment, self.risk].into_iter().flatten().all(f64::is_finite)
    }
}

impl Add for Losses {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let sum = |own: Option<f64>, other: Option<f64>| own.map_or(other, |own| Some(own + other.unwrap_or(0.0)));
        let (alignment, risk) = (sum(self.alignment, other.alignment), sum(self.risk, other.risk));
        Self { nats: self.nats + other.nats, alignment, risk }
    }
}

/// The objective of the settings in an epoch, counted from 0.
pub(crate) fn objective(training: &TrainingConfig, epoch: u64) -> Objective {
    let AlignmentConfig {
        guided, guided_decay, coverage, doubly_stochastic, entropy, agreement, agreement_form, ..
    } = training.alignment;
    let decayed = guided * guided_decay.powi(i32::try_from(epoch).unwrap_or(i32::MAX));
    Objective {
        smoothing: if training.minimum_risk.samples > 0 { 0.0 } else { training.label_smoothing },
        consistency: training.r_drop,
        alignment: AlignmentTerms { guided: decayed, coverage, doubly_stochastic, entropy, agreement, agreement_form },
    }
}

/// What gradients of length `norm` are multiplied by, so that they are no longer than `limit`; 0 is no limit.
pub(crate) fn clip(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 && norm > limit { limit / norm } else { 1.0 }
}
