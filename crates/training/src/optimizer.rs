//! The rules that change weights: Adam, AdamW, Adadelta and plain gradient descent.
//!
//! Burn has optimisers too, but lacks Adadelta, and restores their state on whatever device it finds first, leaving out in
//! silence what does not fit. Here the state is a plain map from parameter names to averages, saved and restored exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use burn::tensor::{IndexingUpdateOp, TensorData};
use rnnsearch_config::{OptimizerConfig, OptimizerKind};
use rnnsearch_decoder::{Gradient, RnnSearch, parameter_name};
use rnnsearch_kernels::adam::{Adam, AdamTensors, adam, adam_rows, catch_up};
use rnnsearch_kernels::{Kernel, kernel_of};

use crate::gradients::{Gradients, flatten};

/// Changes weights by their gradients.
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    updates: u64,
    averages: BTreeMap<String, Averages>,
    /// Tables some of whose rows may have missed updates.
    delayed: BTreeMap<String, Delayed>,
    /// The updates that they may have missed.
    history: Arc<Vec<Adam>>,
}

/// Which updates the rows of a table have made.
struct Delayed {
    /// The elements of a row.
    width: usize,
    /// For each row how many of the history.
    made: Vec<usize>,
}

/// The running averages of a parameter, flattened. What they are depends on the rule: of the gradient and its square (Adam),
/// of the squared gradient and change (Adadelta), or the momentum alone.
#[derive(Clone)]
struct Averages {
    first: Tensor<1>,
    second: Option<Tensor<1>>,
}

impl Averages {
    /// Those of Adam, with the parameter.
    fn with(self, parameter: Tensor<1>) -> AdamTensors {
        AdamTensors { parameter, first: self.first, second: self.second.expect("Adam has two averages") }
    }
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
        Self {
            config: config.clone(),
            updates: 0,
            averages: BTreeMap::new(),
            delayed: BTreeMap::new(),
            history: Arc::default(),
        }
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
        Self { updates: state.updates, averages: averages.collect(), ..Self::new(config) }
    }

    /// The state, for a later [`restore`](Self::restore). All rows must be [settled](Self::settle).
    pub fn state(&self) -> OptimizerState {
        let values = |tensor: &Tensor<1>| tensor.try_to_vec_as::<f32>().expect("a float tensor can be read");
        let of = |averages: &Averages| std::iter::once(&averages.first).chain(&averages.second).map(values).collect();
        let averages = self.averages.iter().map(|(name, averages)| (name.clone(), of(averages))).collect();
        OptimizerState { updates: self.updates, averages }
    }

    /// Makes one update. The rows that have a gradient must have [caught up](Self::catch_up).
    ///
    /// Where nobody else holds the model's tensors, they are changed in place.
    pub fn step(&mut self, model: RnnSearch, mut gradients: Gradients, update: &Update) -> RnnSearch {
        self.updates += 1;
        let model = change_parameters(model, gradients.names(), |name, parameter| match gradients.take(name) {
            Some(Gradient::Dense(gradient)) => self.change(name, parameter, gradient, update),
            Some(Gradient::Rows { rows, values }) => self.change_rows(name, parameter, rows, values, update),
            None => parameter,
        });
        if !self.delayed.is_empty() {
            let adam = self.adam(update.scale, update.learning_rate);
            Arc::make_mut(&mut self.history).push(adam);
        }
        model
    }

    /// The new value of a parameter, all flattened.
    fn change(&mut self, name: &str, parameter: Tensor<1>, gradient: Tensor<1>, update: &Update) -> Tensor<1> {
        let averages = self.averages_of(name, &parameter);
        let (parameter, averages) = self.rule(parameter, averages, gradient, update);
        self.averages.insert(name.into(), averages);
        parameter
    }

    /// The new value of an embedding table, flattened, of which these rows have a gradient.
    ///
    /// With Adam on the CPU the others are left as they are: they [catch up](Self::catch_up) when they are used again.
    fn change_rows(
        &mut self,
        name: &str,
        table: Tensor<1>,
        rows: Vec<usize>,
        gradient: Tensor<2>,
        update: &Update,
    ) -> Tensor<1> {
        if !self.may_delay(&table.device()) {
            return self.change(name, table.clone(), spread(&rows, gradient, table), update);
        }
        let (size, [_, width]) = (table.dims()[0], gradient.dims());
        let averages = self.averages_of(name, &table);
        let adam = self.adam(update.scale, update.learning_rate);
        let tensors = adam_rows(averages.with(table), gradient, rows.clone(), adam);
        let delayed = self.delayed.entry(name.into()).or_insert_with(|| Delayed { width, made: vec![0; size / width] });
        rows.into_iter().for_each(|row| delayed.made[row] = self.history.len() + 1);
        self.keep(name, tensors)
    }

    /// Whether rows without a gradient may wait with their updates.
    fn may_delay(&self, device: &Device) -> bool {
        let adam = matches!(self.config.kind, OptimizerKind::Adam | OptimizerKind::Adamw);
        adam && self.config.weight_decay == 0.0 && kernel_of(device) == Kernel::Fused
    }

    /// Makes the updates that rows of embedding tables have missed, before these rows are used. The weights are then, to the
    /// last bit, what they would be had every row been updated every time; but what that costs depends on the batch, not on the
    /// vocabulary.
    pub fn catch_up(&mut self, model: RnnSearch, rows: &BTreeMap<&'static str, Vec<usize>>) -> RnnSearch {
        let names = self.delayed.keys().filter(|name| rows.contains_key(name.as_str())).cloned().collect();
        change_parameters(model, names, |name, table| self.catch_up_table(name, table, rows.get(name)))
    }

    /// Makes all updates that rows of embedding tables have missed.
    pub fn settle(&mut self, model: RnnSearch) -> RnnSearch {
        let names = self.delayed.keys().cloned().collect();
        let model = change_parameters(model, names, |name, table| self.catch_up_table(name, table, None));
        self.delayed.clear();
        self.history = Arc::default();
        model
    }

    /// As [`catch_up`](Self::catch_up), of one table, flattened; none for all its rows.
    fn catch_up_table(&mut self, name: &str, table: Tensor<1>, rows: Option<&Vec<usize>>) -> Tensor<1> {
        let Some(delayed) = self.delayed.get_mut(name) else { return table };
        let now = self.history.len();
        let all = || (0..delayed.made.len()).collect();
        let rows: Vec<usize> = rows.cloned().unwrap_or_else(all);
        let missed: Vec<(usize, usize)> =
            rows.into_iter().map(|row| (row, delayed.made[row])).filter(|(_, made)| *made < now).collect();
        missed.iter().for_each(|(row, _)| delayed.made[*row] = now);
        let width = delayed.width;
        let averages = self.averages_of(name, &table);
        let tensors = catch_up(averages.with(table), width, missed, Arc::clone(&self.history));
        self.keep(name, tensors)
    }

    /// Keeps the averages and returns the parameter.
    fn keep(&mut self, name: &str, tensors: AdamTensors) -> Tensor<1> {
        let AdamTensors { parameter, first, second } = tensors;
        self.averages.insert(name.into(), Averages { first, second: Some(second) });
        parameter
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
            (OptimizerKind::Adam | OptimizerKind::Adamw, averages) => {
                let tensors = adam(averages.with(parameter), gradient, self.adam(scale, rate));
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

/// The gradient of a whole table, flattened as it is, from that of some rows.
fn spread(rows: &[usize], values: Tensor<2>, table: Tensor<1>) -> Tensor<1> {
    let ([size], [count, width]) = (table.dims(), values.dims());
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let index = Tensor::from_data(TensorData::new(rows, [count]), &values.device());
    let zeros = Tensor::zeros([size / width, width], &values.device());
    flatten(zeros.select_assign(0, index, values, IndexingUpdateOp::Add))
}

/// The model with those of its parameters changed that have these names; parameters come and go flattened.
pub(crate) fn change_parameters(
    model: RnnSearch,
    names: BTreeSet<String>,
    change: impl FnMut(&str, Tensor<1>) -> Tensor<1>,
) -> RnnSearch {
    model.map(&mut Changer { names, change, path: Vec::new() })
}

struct Changer<F> {
    names: BTreeSet<String>,
    change: F,
    path: Vec<String>,
}

impl<F: FnMut(&str, Tensor<1>) -> Tensor<1>> ModuleMapper for Changer<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = parameter_name(&self.path);
        if !self.names.contains(&name) {
            return param;
        }
        param.map(|value| {
            let shape = value.dims();
            let changed = (self.change)(&name, flatten(value.inner()));
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

    /// A table whose rows have gradients now and then is what it would be with gradients of 0 in between.
    #[test]
    fn delayed_rows_end_where_the_others_do() {
        let reference: Reference = serde_json::from_str(include_str!("../tests/fixtures/optimizers.json")).unwrap();
        const WIDTH: usize = 6;
        for (case, device) in reference.cases.iter().flat_map(|case| [Device::flex(), other()].map(|d| (case, d))) {
            let (mut whole, mut delayed) = (Optimizer::new(&case.options), Optimizer::new(&case.options));
            let mut table = Tensor::<1>::ones([5 * WIDTH], &device);
            let mut expected = table.clone();
            for (step, rows) in [vec![1, 4], vec![0], vec![1, 2], vec![4], vec![0, 1, 2]].into_iter().enumerate() {
                let count = rows.len();
                let gradient: Vec<f32> = (0..count * WIDTH).map(|i| (i * (step + 3) % 11) as f32 - 5.0).collect();
                let gradient = Tensor::<2>::from_data(TensorData::new(gradient, [count, WIDTH]), &device);
                let update = Update { scale: 0.5, learning_rate: case.options.learning_rate / (1.0 + step as f64) };
                table = delayed.catch_up_table("p", table, Some(&rows));
                (whole.updates, delayed.updates) = (whole.updates + 1, delayed.updates + 1);
                expected = whole.change("p", expected.clone(), spread(&rows, gradient.clone(), expected), &update);
                table = delayed.change_rows("p", table, rows, gradient, &update);
                let adam = delayed.adam(update.scale, update.learning_rate);
                Arc::make_mut(&mut delayed.history).push(adam);
            }
            table = delayed.catch_up_table("p", table, None);
            let values = |tensor: Tensor<1>| tensor.try_into_vec_as::<f32>().unwrap();
            assert!(values(table) == values(expected), "{}", case.name);
            assert!(delayed.state() == whole.state(), "{}", case.name);
            assert_eq!(delayed.delayed.is_empty(), !delayed.may_delay(&device));
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
