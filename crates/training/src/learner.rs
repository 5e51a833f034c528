//! A model that learns: its gradients, and the steps it takes.

use rnnsearch_config::Config;
use rnnsearch_decoder::{Batch, RnnSearch};
use rnnsearch_kernels::{Dropout, with_precision};

use crate::gradients::Gradients;
use crate::optimizer::{Optimizer, OptimizerState, Update};

/// A model and the optimiser that changes it.
pub(crate) struct Learner {
    /// Away only while it is changed, so that this can be done in place.
    model: Option<RnnSearch>,
    optimizer: Optimizer,
}

impl Learner {
    /// A model on a device with gradients.
    pub fn new(model: RnnSearch, optimizer: Optimizer) -> Self {
        Self { model: Some(model), optimizer }
    }

    pub fn model(&self) -> &RnnSearch {
        self.model.as_ref().expect("the model is only away while it is changed")
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

    /// The loss of a batch in nats, summed over its target tokens, and the gradients of its mean. `update` numbers the update
    /// whose dropout is drawn. The device must be able to multiply in the configuration's precision.
    pub fn gradients(&mut self, batch: &Batch, config: &Config, update: u64) -> (f64, Gradients) {
        let rows = self.model().rows_used(batch);
        self.model = self.model.take().map(|model| self.optimizer.catch_up(model, &rows));
        let mut dropout = Dropout::new(config.training.seed, update);
        with_precision(config.training.precision, || {
            let loss = self.model().loss(batch, &config.model, config.training.label_smoothing, Some(&mut dropout));
            let gradients = Gradients::of(&loss, batch.target_tokens, self.model());
            self.model = self.model.take().map(|model| model.rewarded(&loss));
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
