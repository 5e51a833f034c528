//! The running average of weights, which is validated and saved in their place (Polyak & Juditsky 1992).
//!
//! An average a ← a + (1 - d)(w - a) of every update's weights would cost a pass over all of them each time, and rows of embedding
//! tables wait with their updates until they are used. So it is made every ten updates, with d¹⁰: weights that are ten updates apart
//! differ by little. It begins with the first weights themselves: the share of the k-th is (1 - D) / (1 - Dᵏ), with D = d¹⁰, which is
//! what Kingma & Ba (2015) call bias correction.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use rnnsearch_config::TrainingConfig;
use rnnsearch_decoder::{RnnSearch, Values, parameter_name};
use rnnsearch_kernels::adam::average;

use crate::gradients::flatten;
use crate::optimizer::change_parameters;

/// Updates from one to the next.
const EVERY: u64 = 10;

/// The average of weights.
pub(crate) struct Average {
    /// Decay an update.
    decay: f64,
    /// How often weights were added.
    count: u64,
    /// By parameter, flattened.
    values: BTreeMap<String, Tensor<1>>,
}

impl Average {
    /// Nothing yet; none where the settings want no average.
    pub fn of(training: &TrainingConfig) -> Option<Self> {
        let decay = training.average;
        (decay > 0.0).then(|| Self { decay, count: 0, values: BTreeMap::new() })
    }

    /// An average that was saved.
    pub fn restore(decay: f64, count: u64, values: BTreeMap<String, Values>, device: &Device) -> Self {
        let tensor = |(name, (_, values)): (String, Values)| {
            let size = values.len();
            (name, Tensor::from_data(TensorData::new(values, [size]), device))
        };
        Self { decay, count, values: values.into_iter().map(tensor).collect() }
    }

    /// How often weights were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether those of an update are to be added.
    pub fn is_due(update: u64) -> bool {
        update.is_multiple_of(EVERY)
    }

    /// Adds the weights of a model all of whose rows are settled.
    pub fn add(&mut self, model: &RnnSearch) {
        self.count += 1;
        let decay = self.decay.powi(EVERY as i32);
        let share = (1.0 - decay) / (1.0 - decay.powf(self.count as f64));
        model.visit(&mut Adder { values: &mut self.values, share: share as f32, path: Vec::new() });
    }

    /// The model with averaged weights; as it is, as long as there are none.
    pub fn apply(&self, model: RnnSearch) -> RnnSearch {
        change_parameters(model, self.values.keys().cloned().collect(), |name, _| self.values[name].clone())
    }
}

struct Adder<'a> {
    values: &'a mut BTreeMap<String, Tensor<1>>,
    share: f32,
    path: Vec<String>,
}

impl ModuleVisitor for Adder<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = parameter_name(&self.path);
        let values = flatten(param.val().inner());
        let so_far = self.values.remove(&name).unwrap_or_else(|| values.zeros_like());
        self.values.insert(name, average(so_far, values, self.share));
    }
}

#[cfg(test)]
mod tests {
    use rnnsearch_config::Config;
    use rnnsearch_decoder::{ModelSettings, parameters};

    use super::*;
    use crate::Workload;
    use crate::learner::{Learner, objective};
    use crate::optimizer::{Optimizer, Update};

    const DECAY: f64 = 0.97;
    const UPDATES: u64 = 34;

    /// Trains for a while, and is told the weights after each update if it asks for all rows of them.
    fn train(average: f64, settled: bool, mut see: impl FnMut(u64, &BTreeMap<String, Values>)) -> Learner {
        let mut config = Config::default();
        let model = &mut config.model;
        (model.embedding, model.encoder_hidden, model.decoder_hidden) = (3, 3, 3);
        (model.attention_hidden, model.readout) = (3, 3);
        config.training.average = average;
        let workload = Workload { sentences: 2, source_length: 3, target_length: 2, vocabulary: 50 };
        let settings = ModelSettings { config: config.model.clone(), source_words: 50, target_words: 50 };
        let device = Device::flex().autodiff();
        let optimizer = Optimizer::new(&config.training.optimizer);
        let mut learner = Learner::new(RnnSearch::new(&settings, 1, &device), optimizer, Average::of(&config.training));
        for update in 1..=UPDATES {
            let batch = workload.batch(update as usize, 1, &device);
            let (_, gradients) = learner.gradients(
                [batch.clone().into()],
                batch.target_tokens,
                &config,
                &objective(&config.training, 0),
                update,
            );
            learner.step(gradients, &Update { scale: 1.0, learning_rate: 0.01 });
            learner.add_to_average(update);
            if settled {
                learner.settle();
                see(update, &parameters(learner.model()));
            }
        }
        learner.settle();
        learner
    }

    /// Rows that wait with their updates are in the average what they would be if they did not, to the last bit; and averaging
    /// changes nothing of the training.
    #[test]
    fn the_average_is_that_of_all_weights() {
        let decay = DECAY.powi(10);
        let (mut count, mut exact): (u64, BTreeMap<String, Vec<f32>>) = (0, BTreeMap::new());
        let mut seen: Vec<BTreeMap<String, Values>> = Vec::new();
        let plain = train(0.0, true, |update, parameters| {
            if update % 10 != 0 {
                return;
            }
            count += 1;
            let share = ((1.0 - decay) / (1.0 - decay.powf(count as f64))) as f32;
            for (name, (_, values)) in parameters {
                let average = exact.entry(name.clone()).or_insert_with(|| vec![0.0; values.len()]);
                average.iter_mut().zip(values).for_each(|(a, value)| *a += (value - *a) * share);
            }
            seen.push(parameters.clone());
        });
        let averaged = train(DECAY, false, |_, _| ());
        assert!(parameters(plain.model()) == parameters(averaged.model()), "another training");
        assert_eq!((averaged.averagings(), plain.averagings(), seen.len()), (3, 0, 3));
        let found = parameters(&averaged.network());
        // What the average means, in plain words.
        let shares = [decay * decay, decay, 1.0].map(|weight| weight / (1.0 + decay + decay * decay));
        for (name, (_, values)) in &found {
            assert!(values == &exact[name], "{name}");
            for (i, value) in values.iter().enumerate() {
                let mean: f64 = shares.iter().zip(&seen).map(|(share, seen)| share * f64::from(seen[name].1[i])).sum();
                assert!((mean - f64::from(*value)).abs() < 1e-5, "{name} {i}: {value} instead of {mean}");
            }
        }
        assert!(found != parameters(averaged.model()) && parameters(&plain.network()) == parameters(plain.model()));
    }
}
