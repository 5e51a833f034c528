//! The gradients of a model, by the name of the parameter.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::Gradients as Tape;
use rnnsearch_decoder::{RnnSearch, parameter_name};

/// Gradients by parameter, each flattened.
pub(crate) struct Gradients {
    by_name: BTreeMap<String, Tensor<1>>,
}

impl Gradients {
    /// Computes the gradient of `loss` for every parameter.
    pub fn of(loss: &Tensor<1>, model: &RnnSearch) -> Self {
        let mut collector = Collector { path: Vec::new(), tape: loss.backward(), by_name: BTreeMap::new() };
        model.visit(&mut collector);
        Self { by_name: collector.by_name }
    }

    /// The length of all gradients as one vector.
    pub fn norm(&self) -> f64 {
        let squares: Vec<Tensor<1>> = self.by_name.values().map(|gradient| gradient.clone().square().sum()).collect();
        let squares = Tensor::cat(squares, 0).try_into_vec_as::<f32>().expect("a float tensor can be read");
        squares.iter().map(|&square| f64::from(square)).sum::<f64>().sqrt()
    }

    /// Takes the gradient of a parameter; none where the loss does not depend on it.
    pub fn take(&mut self, name: &str) -> Option<Tensor<1>> {
        self.by_name.remove(name)
    }
}

struct Collector {
    path: Vec<String>,
    tape: Tape,
    by_name: BTreeMap<String, Tensor<1>>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(&mut self.tape) {
            let size = gradient.shape().num_elements();
            self.by_name.insert(parameter_name(&self.path), gradient.reshape([size]));
        }
    }
}
