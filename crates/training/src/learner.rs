//! A model that learns: its gradients, and the steps it takes.

use std::borrow::Borrow;

use burn::module::Module;
use rnnsearch_config::Config;
use rnnsearch_decoder::{Batch, RnnSearch};
use rnnsearch_kernels::{Dropout, with_precision};

use crate::average::Average;
use crate::gradients::Gradients;
use crate::optimizer::{Optimizer, OptimizerState, Update};

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

    /// The loss of some batches in nats, summed over all of their `tokens` in the target, and the gradients of its mean. One batch is in
    /// memory at a time. `update` numbers the update whose dropout is drawn. The device must be able to multiply in the configuration's
    /// precision.
    ///
    /// # Panics
    ///
    /// If there is no batch.
    pub fn gradients<B: Borrow<Batch>>(
        &mut self,
        batches: impl IntoIterator<Item = B>,
        tokens: usize,
        config: &Config,
        update: u64,
    ) -> (f64, Gradients) {
        let mut dropout = Dropout::new(config.training.seed, update);
        let each = batches.into_iter().map(|batch| self.gradients_of(batch.borrow(), tokens, config, &mut dropout));
        let sum = |(nats, mut gradients): (f64, Gradients), (more_nats, more): (f64, Gradients)| {
            gradients.add(more);
            (nats + more_nats, gradients)
        };
        each.reduce(sum).expect("an update has a batch")
    }

    /// The loss of one batch in nats, and the gradients of this divided by `tokens`.
    fn gradients_of(
        &mut self,
        batch: &Batch,
        tokens: usize,
        config: &Config,
        dropout: &mut Dropout,
    ) -> (f64, Gradients) {
        let rows = self.model().rows_used(batch);
        self.model = self.model.take().map(|model| self.optimizer.catch_up(model, &rows));
        with_precision(config.training.precision, || {
            let loss = self.model().loss(batch, &config.model, config.training.label_smoothing, Some(dropout));
            let gradients = Gradients::of(&loss, tokens, self.model());
            (f64::from(loss.nats.into_scalar::<f32>()), gradients)
        })
    }

    /// Changes the weights.
    pub fn step(&mut self, gradients: Gradients, update: &Update) {
        self.model = self.model.take().map(|model| self.optimizer.step(model, gradients, update));
    }
}

/// What gradients of length `norm` are multiplied by, so that they are no longer than `limit`; 0 is no limit.
pub(crate) fn clip(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 && norm > limit { limit / norm } else { 1.0 }
}
