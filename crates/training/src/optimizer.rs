//! The rules that change weights: Adam, AdamW, Adadelta and plain gradient descent.
//!
//! Burn has optimisers too, but lacks Adadelta, and restores their state on whatever device it finds first, leaving out in
//! silence what does not fit. Here the state is a plain map from parameter names to averages, saved and restored exactly.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use rnnsearch_config::{OptimizerConfig, OptimizerKind};
use rnnsearch_decoder::{RnnSearch, parameter_name};

use crate::gradients::Gradients;

/// Changes weights by their gradients.
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    updates: u64,
    averages: BTreeMap<String, Averages>,
}

/// The running averages of a parameter, flattened. What they are depends on the rule: of the gradient and its square (Adam),
/// of the squared gradient and change (Adadelta), or the momentum alone.
#[derive(Clone)]
struct Averages {
    first: Tensor<1>,
    second: Option<Tensor<1>>,
}

/// The state of an [`Optimizer`], on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OptimizerState {
    /// Updates done.
    pub updates: u64,
    /// The running averages by parameter name.
    pub averages: BTreeMap<String, Vec<Vec<f32>>>,
}

impl Optimizer {
    pub fn new(config: &OptimizerConfig) -> Self {
        Self { config: config.clone(), updates: 0, averages: BTreeMap::new() }
    }

    /// An optimiser that goes on from a saved state.
    pub fn restore(config: &OptimizerConfig, state: OptimizerState, device: &Device) -> Self {
        let tensor = |values: Vec<f32>| {
            let size = values.len();
            Tensor::from_data(TensorData::new(values, [size]), device)
        };
        let averages = state.averages.into_iter().filter_map(|(name, values)| {
            let mut values = values.into_iter().map(tensor);
            Some((name, Averages { first: values.next()?, second: values.next() }))
        });
        Self { config: config.clone(), updates: state.updates, averages: averages.collect() }
    }

    /// The state, for a later [`restore`](Self::restore).
    pub fn state(&self) -> OptimizerState {
        let values = |tensor: &Tensor<1>| tensor.try_to_vec_as::<f32>().expect("a float tensor can be read");
        let of = |averages: &Averages| std::iter::once(&averages.first).chain(&averages.second).map(values).collect();
        let averages = self.averages.iter().map(|(name, averages)| (name.clone(), of(averages))).collect();
        OptimizerState { updates: self.updates, averages }
    }

    /// Makes one update. The gradients are multiplied by `scale` first.
    pub fn step(&mut self, model: RnnSearch, gradients: Gradients, scale: f64, learning_rate: f64) -> RnnSearch {
        self.updates += 1;
        model.map(&mut Step { optimizer: self, gradients, scale, learning_rate, path: Vec::new() })
    }

    /// The new value of a parameter, all flattened.
    fn change(&mut self, name: &str, parameter: Tensor<1>, gradient: Tensor<1>, learning_rate: f64) -> Tensor<1> {
        let config = &self.config;
        let decay = config.weight_decay;
        let (parameter, gradient) = match config.kind {
            _ if decay == 0.0 => (parameter, gradient),
            OptimizerKind::Adamw => (parameter.mul_scalar(1.0 - learning_rate * decay), gradient),
            _ => (parameter.clone(), gradient + parameter.mul_scalar(decay)),
        };
        let averages = self.averages.remove(name).unwrap_or_else(|| Averages {
            first: gradient.zeros_like(),
            second: (config.kind != OptimizerKind::Sgd).then(|| gradient.zeros_like()),
        });
        let (change, averages) = match (config.kind, averages) {
            (OptimizerKind::Adam | OptimizerKind::Adamw, Averages { first, second: Some(second) }) => {
                adam(config, self.updates, gradient, first, second)
            }
            (OptimizerKind::Adadelta, Averages { first, second: Some(second) }) => {
                adadelta(config, gradient, first, second)
            }
            (_, Averages { first, .. }) => {
                let velocity = first.mul_scalar(config.momentum) + gradient;
                (velocity.clone(), Averages { first: velocity, second: None })
            }
        };
        self.averages.insert(name.into(), averages);
        parameter - change.mul_scalar(learning_rate)
    }
}

/// Kingma & Ba 2015: m̂ / (√v̂ + ε).
fn adam(
    config: &OptimizerConfig,
    update: u64,
    gradient: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
) -> (Tensor<1>, Averages) {
    let (beta1, beta2) = (config.beta1, config.beta2);
    let first = first.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
    let second = second.mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
    let corrected1 = 1.0 - beta1.powf(update as f64);
    let corrected2 = (1.0 - beta2.powf(update as f64)).sqrt();
    let denominator = second.clone().sqrt().div_scalar(corrected2).add_scalar(config.epsilon);
    let change = first.clone().div_scalar(corrected1) / denominator;
    (change, Averages { first, second: Some(second) })
}

/// Zeiler 2012: √(E[Δ²] + ε) / √(E[g²] + ε) g.
fn adadelta(
    config: &OptimizerConfig,
    gradient: Tensor<1>,
    squares: Tensor<1>,
    changes: Tensor<1>,
) -> (Tensor<1>, Averages) {
    let average =
        |old: Tensor<1>, new: Tensor<1>| old.mul_scalar(config.rho) + new.square().mul_scalar(1.0 - config.rho);
    let root = |average: Tensor<1>| average.add_scalar(config.epsilon).sqrt();
    let squares = average(squares, gradient.clone());
    let change = root(changes.clone()) / root(squares.clone()) * gradient;
    let changes = average(changes, change.clone());
    (change, Averages { first: squares, second: Some(changes) })
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: Gradients,
    scale: f64,
    learning_rate: f64,
    path: Vec<String>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = parameter_name(&self.path);
        let Some(gradient) = self.gradients.take(&name) else { return param };
        let gradient = if self.scale == 1.0 { gradient } else { gradient.mul_scalar(self.scale) };
        let (optimizer, learning_rate) = (&mut *self.optimizer, self.learning_rate);
        param.map(|value| {
            let shape = value.dims();
            let size = shape.iter().product::<usize>();
            let changed = optimizer.change(&name, value.inner().reshape([size]), gradient, learning_rate);
            Tensor::from_inner(changed.reshape(shape)).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What `scripts/reference/optimizers.py` computed with PyTorch's optimisers.
    #[derive(Deserialize)]
    struct Reference {
        parameter: Vec<Vec<f32>>,
        gradients: Vec<Vec<Vec<f32>>>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        options: OptimizerConfig,
        after: Vec<Vec<Vec<f32>>>,
    }

    fn tensor(rows: &[Vec<f32>]) -> Tensor<1> {
        Tensor::from_floats(rows.concat().as_slice(), &Device::flex())
    }

    #[test]
    fn every_rule_does_what_pytorch_does() {
        let reference: Reference = serde_json::from_str(include_str!("../tests/fixtures/optimizers.json")).unwrap();
        for case in &reference.cases {
            let mut optimizer = Optimizer::new(&case.options);
            let mut parameter = tensor(&reference.parameter);
            for (gradient, expected) in reference.gradients.iter().zip(&case.after) {
                optimizer.updates += 1;
                parameter = optimizer.change("p", parameter, tensor(gradient), case.options.learning_rate);
                // Saving and restoring changes nothing.
                optimizer = Optimizer::restore(&case.options, optimizer.state(), &Device::flex());
                let values = parameter.try_to_vec_as::<f32>().unwrap();
                for (value, expected) in values.iter().zip(expected.concat()) {
                    assert!((value - expected).abs() < 1e-6, "{}: {value} instead of {expected}", case.name);
                }
            }
        }
        assert_eq!(reference.cases.len(), 12);
    }
}
