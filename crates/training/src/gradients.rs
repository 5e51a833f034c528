//! The gradients of a model, by the name of the parameter.

use std::collections::BTreeMap;

use burn::prelude::*;
use rnnsearch_decoder::{RnnSearch, gradients};
use rnnsearch_kernels::adam::norm;

/// Gradients by parameter, each flattened.
pub(crate) struct Gradients {
    by_name: BTreeMap<String, Tensor<1>>,
}

impl Gradients {
    /// Computes the gradient of `loss` for every parameter.
    pub fn of(loss: &Tensor<1>, model: &RnnSearch) -> Self {
        Self { by_name: gradients(loss, model) }
    }

    /// The length of all gradients as one vector.
    pub fn norm(&self) -> f64 {
        let gradients: Vec<Tensor<1>> = self.by_name.values().cloned().collect();
        norm(&gradients)
    }

    /// Takes the gradient of a parameter; none where the loss does not depend on it.
    pub fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.by_name.remove(name)
    }
}
