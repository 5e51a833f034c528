//! A model that learns: its gradients, and the steps it takes.

use burn::prelude::*;
use rnnsearch_config::{AlignmentConfig, Config, TrainingConfig};
use rnnsearch_decoder::{AlignmentTerms, Batch, Objective, RnnSearch};
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

    /// The losses of a batch, and the gradients of their mean. `update` numbers the update whose dropout is drawn. The device must be
    /// able to multiply in the configuration's precision.
    pub fn gradients(
        &mut self,
        batch: &Batch,
        config: &Config,
        objective: &Objective,
        update: u64,
    ) -> (Losses, Gradients) {
        let rows = self.model().rows_used(batch);
        self.model = self.model.take().map(|model| self.optimizer.catch_up(model, &rows));
        let mut dropout = Dropout::new(config.training.seed, update);
        with_precision(config.training.precision, || {
            let loss = self.model().loss(batch, &config.model, objective, Some(&mut dropout));
            let gradients = Gradients::of(&loss, batch.target_tokens, self.model());
            self.model = self.model.take().map(|model| model.rewarded(&loss));
            let value = |nats: Tensor<1>| f64::from(nats.into_scalar::<f32>());
            (Losses { nats: value(loss.nats), alignment: loss.alignment.map(value) }, gradients)
        })
    }

    /// Changes the weights.
    pub fn step(&mut self, gradients: Gradients, update: &Update) {
        self.model = self.model.take().map(|model| self.optimizer.step(model, gradients, update));
    }
}

/// The losses of a batch in nats, summed over its target tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Losses {
    /// The cross-entropy.
    pub nats: f64,
    /// What is added for the sake of the alignments.
    pub alignment: Option<f64>,
}

impl Losses {
    /// Of the whole.
    pub fn is_finite(self) -> bool {
        self.nats.is_finite() && self.alignment.is_none_or(f64::is_finite)
    }
}

/// The objective of the settings in an epoch, counted from 0.
pub(crate) fn objective(training: &TrainingConfig, epoch: u64) -> Objective {
    let AlignmentConfig { guided, guided_decay, coverage, doubly_stochastic, entropy, .. } = training.alignment;
    let decayed = guided * guided_decay.powi(i32::try_from(epoch).unwrap_or(i32::MAX));
    Objective {
        smoothing: training.label_smoothing,
        alignment: AlignmentTerms { guided: decayed, coverage, doubly_stochastic, entropy },
    }
}

/// What gradients of length `norm` are multiplied by, so that they are no longer than `limit`; 0 is no limit.
pub(crate) fn clip(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 && norm > limit { limit / norm } else { 1.0 }
}
