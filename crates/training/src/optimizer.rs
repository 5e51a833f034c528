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
use rnnsearch_kernels::adam::{Adam, AdamTensors, adam};

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

/// How far an update goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// What the gradients are multiplied by first.
    pub scale: f64,
    pub learning_rate: f64,
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

    /// Makes one update. Where nobody else holds the model's tensors, they are changed in place.
    pub fn step(&mut self, model: RnnSearch, gradients: Gradients, update: &Update) -> RnnSearch {
        self.updates += 1;
        model.map(&mut Step { optimizer: self, gradients, update, path: Vec::new() })
    }

    /// The new value of a parameter, all flattened.
    fn change(&mut self, name: &str, parameter: Tensor<1>, gradient: Tensor<1>, update: &Update) -> Tensor<1> {
        let config = &self.config;
        let (decay, rate) = (config.weight_decay, update.learning_rate);
        let averages = self.averages.remove(name).unwrap_or_else(|| Averages {
            first: gradient.zeros_like(),
            second: (config.kind != OptimizerKind::Sgd).then(|| gradient.zeros_like()),
        });
        let (parameter, gradient, scale) = match config.kind {
            _ if decay == 0.0 => (parameter, gradient, update.scale),
            OptimizerKind::Adamw => (parameter.mul_scalar(1.0 - rate * decay), gradient, update.scale),
            _ => (parameter.clone(), gradient.mul_scalar(update.scale) + parameter.mul_scalar(decay), 1.0),
        };
        let (parameter, averages) = match (config.kind, averages) {
            (OptimizerKind::Adam | OptimizerKind::Adamw, Averages { first, second: Some(second) }) => {
                let tensors = adam(AdamTensors { parameter, first, second }, gradient, self.adam(scale, rate));
                (tensors.parameter, Averages { first: tensors.first, second: Some(tensors.second) })
            }
            (OptimizerKind::Adadelta, Averages { first, second: Some(second) }) => {
                let (change, averages) = adadelta(config, gradient.mul_scalar(scale), first, second);
                (parameter - change.mul_scalar(rate), averages)
            }
            (_, Averages { first, .. }) => {
                let velocity = first.mul_scalar(config.momentum) + gradient.mul_scalar(scale);
                (parameter - velocity.clone().mul_scalar(rate), Averages { first: velocity, second: None })
            }
        };
        self.averages.insert(name.into(), averages);
        parameter
    }

    /// The numbers of Adam's current update.
    fn adam(&self, scale: f64, learning_rate: f64) -> Adam {
        let OptimizerConfig { beta1, beta2, epsilon, .. } = self.config;
        Adam {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: epsilon as f32,
            scale: scale as f32,
            rate: (learning_rate / (1.0 - beta1.powf(self.updates as f64))) as f32,
            correction: (1.0 / (1.0 - beta2.powf(self.updates as f64)).sqrt()) as f32,
        }
    }
}

/// Zeiler 2012: `√(E[Δ²] + ε) / √(E[g²] + ε) g`.
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
    update: &'a Update,
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
        param.map(|value| {
            let shape = value.dims();
            let size = shape.iter().product::<usize>();
            let changed = self.optimizer.change(&name, value.inner().reshape([size]), gradient, self.update);
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
                let update = Update { scale: 1.0, learning_rate: case.options.learning_rate };
                parameter = optimizer.change("p", parameter, tensor(gradient), &update);
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
