//! The gradients of a model, by the name of the parameter.

use std::collections::{BTreeMap, BTreeSet};

use burn::prelude::*;
use rnnsearch_config::{ModelConfig, Part};
use rnnsearch_decoder::{Gradient, Loss, RnnSearch, belongs};
use rnnsearch_kernels::adam::norm;

/// Gradients by parameter.
pub(crate) struct Gradients {
    by_name: BTreeMap<String, Gradient>,
}

impl Gradients {
    /// Computes the gradient of `loss / tokens` for every parameter.
    pub fn of(loss: &Loss, tokens: usize, model: &RnnSearch) -> Self {
        Self { by_name: loss.gradients(model, tokens) }
    }

    /// Adds the gradients of another loss.
    pub fn add(&mut self, other: Self) {
        for (name, gradient) in other.by_name {
            let sum = match self.by_name.remove(&name) {
                Some(own) => own.plus(gradient),
                None => gradient,
            };
            self.by_name.insert(name, sum);
        }
    }

    /// Without those of the parts of the model that are not to change.
    pub fn without(mut self, frozen: &[Part], config: &ModelConfig) -> Self {
        self.by_name.retain(|name, _| !frozen.iter().any(|&part| belongs(name, part, config)));
        self
    }

    /// The length of all gradients as one vector.
    pub fn norm(&self) -> f64 {
        let flat = |gradient: &Gradient| match gradient {
            Gradient::Dense(all) => all.clone(),
            Gradient::Rows { values, .. } => flatten(values.clone()),
        };
        let gradients: Vec<Tensor<1>> = self.by_name.values().map(flat).collect();
        norm(&gradients)
    }

    /// The parameters that the loss depends on.
    pub fn names(&self) -> BTreeSet<String> {
        self.by_name.keys().cloned().collect()
    }

    /// Takes the gradient of a parameter; none where the loss does not depend on it.
    pub fn take(&mut self, name: &str) -> Option<Gradient> {
        self.by_name.remove(name)
    }
}

/// The elements of a tensor, row after row.
pub(crate) fn flatten<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let size = tensor.shape().num_elements();
    tensor.reshape([size])
}
