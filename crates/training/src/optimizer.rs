//! The rules that change weights: Adam, AdamW, Adadelta and plain gradient descent.
//!
//! Burn has optimisers too, but lacks Adadelta, and restores their state on whatever device it finds first, leaving out in
//! silence what does not fit. Here the state is a plain map from parameter names to averages, saved and restored exactly.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::{IndexingUpdateOp, TensorData};
use rnnsearch_config::{OptimizerConfig, OptimizerKind};
use rnnsearch_decoder::{Gradient, RnnSearch, parameter_name};
use rnnsearch_kernels::adam::{Adam, AdamTensors, adam, adam_rows};
use rnnsearch_kernels::{Kernel, kernel_of};

use crate::gradients::{Gradients, flatten};

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
        let averages = self.averages_of(name, &parameter);
        let (parameter, averages) = self.rule(parameter, averages, gradient, update);
        self.averages.insert(name.into(), averages);
        parameter
    }

    /// The new value of an embedding table, flattened, of which these rows were used. All others are left alone, and so are their
    /// averages: what it costs depends on the batch, not on the vocabulary.
    fn change_rows(
        &mut self,
        name: &str,
        table: Tensor<1>,
        rows: Vec<usize>,
        gradient: Tensor<2>,
        update: &Update,
    ) -> Tensor<1> {
        let averages = self.averages_of(name, &table);
        let (device, [_, width]) = (table.device(), gradient.dims());
        let (table, averages) = match (self.config.kind, averages) {
            (OptimizerKind::Adam | OptimizerKind::Adamw, Averages { first, second: Some(second) })
                if self.config.weight_decay == 0.0 && kernel_of(&device) == Kernel::Fused =>
            {
                let adam = self.adam(update.scale, update.learning_rate);
                let tensors = AdamTensors { parameter: table, first, second };
                let tensors = adam_rows(tensors, gradient, rows, adam);
                (tensors.parameter, Averages { first: tensors.first, second: Some(tensors.second) })
            }
            (_, averages) => {
                let rows = Rows::new(rows, width, &device);
                let used = Averages {
                    first: rows.of(&averages.first),
                    second: averages.second.as_ref().map(|second| rows.of(second)),
                };
                let (parameter, used) = self.rule(rows.of(&table), used, flatten(gradient), update);
                let second = averages.second.zip(used.second).map(|(second, used)| rows.replaced(second, used));
                (rows.replaced(table, parameter), Averages { first: rows.replaced(averages.first, used.first), second })
            }
        };
        self.averages.insert(name.into(), averages);
        table
    }

    /// The averages of a parameter so far.
    fn averages_of(&mut self, name: &str, parameter: &Tensor<1>) -> Averages {
        self.averages.remove(name).unwrap_or_else(|| Averages {
            first: parameter.zeros_like(),
            second: (self.config.kind != OptimizerKind::Sgd).then(|| parameter.zeros_like()),
        })
    }

    /// The rule itself: new values and averages of some elements.
    fn rule(
        &self,
        parameter: Tensor<1>,
        averages: Averages,
        gradient: Tensor<1>,
        update: &Update,
    ) -> (Tensor<1>, Averages) {
        let config = &self.config;
        let (decay, rate) = (config.weight_decay, update.learning_rate);
        let (parameter, gradient, scale) = match config.kind {
            _ if decay == 0.0 => (parameter, gradient, update.scale),
            OptimizerKind::Adamw => (parameter.mul_scalar(1.0 - rate * decay), gradient, update.scale),
            _ => (parameter.clone(), gradient.mul_scalar(update.scale) + parameter.mul_scalar(decay), 1.0),
        };
        match (config.kind, averages) {
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
        }
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

/// Some rows of a flattened table.
struct Rows {
    index: Tensor<1, Int>,
    width: usize,
}

impl Rows {
    fn new(rows: Vec<usize>, width: usize, device: &Device) -> Self {
        let rows: Vec<i32> = rows.into_iter().map(|row| row as i32).collect();
        let count = rows.len();
        Self { index: Tensor::from_data(TensorData::new(rows, [count]), device), width }
    }

    /// The rows, flattened.
    fn of(&self, table: &Tensor<1>) -> Tensor<1> {
        flatten(self.table(table.clone()).select(0, self.index.clone()))
    }

    /// The table with these rows instead of its own.
    fn replaced(&self, table: Tensor<1>, rows: Tensor<1>) -> Tensor<1> {
        let change = self.table(rows - self.of(&table));
        flatten(self.table(table).select_assign(0, self.index.clone(), change, IndexingUpdateOp::Add))
    }

    fn table(&self, flat: Tensor<1>) -> Tensor<2> {
        let [size] = flat.dims();
        flat.reshape([size / self.width, self.width])
    }
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
            let value = value.inner().reshape([size]);
            let changed = match gradient {
                Gradient::Dense(gradient) => self.optimizer.change(&name, value, gradient, self.update),
                Gradient::Rows { rows, values } => self.optimizer.change_rows(&name, value, rows, values, self.update),
            };
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

    /// Rows that were used change as if they were the whole table, and the others do not change.
    #[test]
    fn rows_change_alone() {
        let reference: Reference = serde_json::from_str(include_str!("../tests/fixtures/optimizers.json")).unwrap();
        for (case, device) in reference.cases.iter().flat_map(|case| [Device::flex(), other()].map(|d| (case, d))) {
            let (mut whole, mut sparse) = (Optimizer::new(&case.options), Optimizer::new(&case.options));
            let used = tensor(&reference.parameter).to_device(&device);
            let width = reference.parameter[0].len();
            let height = reference.parameter.len();
            let unused = Tensor::<1>::ones([width], &device);
            // Row 0 and all that follow the used ones stay.
            let mut table = Tensor::cat(vec![unused.clone(), used.clone(), unused.clone()], 0);
            let mut parameter = used;
            for gradient in &reference.gradients {
                let gradient = tensor(gradient).to_device(&device);
                let update = Update { scale: 0.5, learning_rate: case.options.learning_rate };
                (whole.updates, sparse.updates) = (whole.updates + 1, sparse.updates + 1);
                parameter = whole.change("p", parameter, gradient.clone(), &update);
                let gradient = gradient.reshape([height, width]);
                table = sparse.change_rows("p", table, (1..=height).collect(), gradient, &update);
            }
            let expected = Tensor::cat(vec![unused.clone(), parameter, unused], 0).try_into_vec_as::<f32>().unwrap();
            for (found, expected) in table.try_into_vec_as::<f32>().unwrap().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{}: {found} instead of {expected}", case.name);
            }
        }
    }

    #[allow(deprecated, reason = "ndarray stays selectable")]
    fn other() -> Device {
        Device::ndarray()
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
