//! The model against numbers made by an independent PyTorch program, `scripts/reference/rnnsearch.py`, and against
//! finite differences of its own loss.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use rnnsearch_config::ModelConfig;
use rnnsearch_decoder::{
    AlignmentTerms, Batch, Gradient, ModelSettings, Objective, RnnSearch, Source, Values, load_parameters, parameters,
};
use rnnsearch_kernels::Dropout;
use rnnsearch_kernels::device::DeviceName;
use safetensors::SafeTensors;
use serde::Deserialize;

const BOS: i32 = 2;

/// What a fixture says of its case.
#[derive(Deserialize)]
struct Description {
    name: String,
    model: ModelConfig,
    source_vocabulary: usize,
    target_vocabulary: usize,
    label_smoothing: f64,
    #[serde(default)]
    consistency: f64,
}

/// A fixture: inputs, parameters and expected values.
struct Case {
    settings: ModelSettings,
    name: String,
    /// What the reference program makes small.
    objective: Objective,
    floats: BTreeMap<String, Values>,
    integers: BTreeMap<String, Vec<i32>>,
}

impl Case {
    fn read(path: &PathBuf) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let description: Description = serde_json::from_str(&header.metadata().as_ref().unwrap()["case"]).unwrap();
        let (mut floats, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            if view.dtype() == safetensors::Dtype::I64 {
                let value = |eight: &[u8]| i64::from_le_bytes(eight.try_into().unwrap()) as i32;
                integers.insert(name, view.data().chunks_exact(8).map(value).collect());
            } else {
                let value = |four: &[u8]| f32::from_le_bytes(four.try_into().unwrap());
                floats.insert(name, (view.shape().to_vec(), view.data().chunks_exact(4).map(value).collect()));
            }
        }
        let Description { name, model, source_vocabulary, target_vocabulary, label_smoothing, consistency } =
            description;
        let objective = Objective { smoothing: label_smoothing, consistency, ..Objective::default() };
        let settings =
            ModelSettings { config: model, source_words: source_vocabulary, target_words: target_vocabulary };
        Self { settings, name, objective, floats, integers }
    }

    fn named(&self, prefix: &str) -> BTreeMap<String, Values> {
        let named = |(name, values): (&String, &Values)| Some((name.strip_prefix(prefix)?.to_string(), values.clone()));
        self.floats.iter().filter_map(named).collect()
    }

    fn model(&self, device: &Device) -> RnnSearch {
        load_parameters(RnnSearch::blank(&self.settings, device), self.named("param.")).unwrap()
    }

    fn lengths(&self, side: &str) -> Vec<usize> {
        self.integers[&format!("{side}_lengths")].iter().map(|&length| length as usize).collect()
    }

    fn source(&self, device: &Device) -> Source {
        Source::new(&self.integers["source"], &self.lengths("source"), device)
    }

    fn previous(&self) -> Vec<i32> {
        let (target, batch) = (&self.integers["target"], self.lengths("target").len());
        [vec![BOS; batch], target[..target.len() - batch].to_vec()].concat()
    }

    fn batch(&self, device: &Device) -> Batch {
        Batch::new(self.source(device), &self.previous(), &self.integers["target"], &self.lengths("target"), device)
    }

    /// That and every term that asks something of the alignments, with a guide in [`guided`](Self::guided).
    fn taught(&self) -> Objective {
        let alignment =
            AlignmentTerms { guided: 0.7, coverage: 0.4, doubly_stochastic: 0.3, entropy: 0.2, ..Default::default() };
        Objective { alignment, ..self.objective }
    }

    /// The batch where word i of each target is linked to word i of the source, if it has so many.
    fn guided(&self, device: &Device) -> Batch {
        let (sources, targets) = (self.lengths("source"), self.lengths("target"));
        let (batch, src_len) = (sources.len(), *sources.iter().max().unwrap());
        let mut guide = vec![0.0; self.integers["target"].len() * src_len];
        for (b, length) in sources.iter().zip(&targets).map(|(source, target)| *source.min(target)).enumerate() {
            (0..length).for_each(|i| guide[(i * batch + b) * src_len + i] = 1.0);
        }
        self.batch(device).guided(guide, device)
    }

    fn expected(&self, name: &str) -> &[f32] {
        &self.floats[name].1
    }
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from("tests/fixtures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    assert_eq!(paths.len(), 19, "fixtures");
    paths.iter().map(Case::read).collect()
}

fn devices() -> [Device; 2] {
    [DeviceName::Flex, DeviceName::NdArray].map(|name| name.open().unwrap())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// Asserts that two lists differ by at most `tolerance` of the largest expected entry (or of `floor`, if that is larger).
fn assert_close(what: &str, given: &[f32], expected: &[f32], tolerance: f32, floor: f32) {
    assert_eq!(given.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(floor, |scale, value| scale.max(value.abs()));
    for (i, (given, expected)) in given.iter().zip(expected).enumerate() {
        assert!((given - expected).abs() <= tolerance * scale, "{what}[{i}]: {given} instead of {expected}");
    }
}

#[test]
fn annotations_are_those_of_the_reference() {
    for (case, device) in cases().iter().flat_map(|case| devices().map(|device| (case, device))) {
        let annotations = case.model(&device).annotate(&case.source(&device), &case.settings.config);
        let (given, expected) = (values(annotations.all), case.expected("annotations"));
        assert_close(&format!("{} annotations", case.name), &given, expected, 1e-5, 1.0);
    }
}

#[test]
fn loss_and_all_gradients_are_those_of_the_reference() {
    for (case, device) in cases().iter().flat_map(|case| devices().map(|device| (case, device))) {
        let device = device.autodiff();
        let model = case.model(&device);
        let batch = case.batch(&device);
        let loss = model.loss(&batch, &case.settings.config, &case.objective, None);
        let mean = values(loss.nats.clone())[0] / batch.target_tokens as f32;
        assert_close(&format!("{} loss", case.name), &[mean], case.expected("loss"), 1e-5, 1.0);
        let gradients = loss.gradients(&model, batch.target_tokens);
        for (name, (shape, expected)) in case.named("grad.") {
            let given = dense(&gradients[&name], &shape);
            assert_close(&format!("{} gradient of {name}", case.name), &given, &expected, 1e-4, 1e-6);
        }
        assert_eq!(gradients.len(), case.named("param.").len());
    }
}

/// All elements of a gradient.
fn dense(gradient: &Gradient, shape: &[usize]) -> Vec<f32> {
    match gradient {
        Gradient::Dense(all) => values(all.clone()),
        Gradient::Rows { rows, values: given } => {
            let (mut all, width) = (vec![0.0; shape.iter().product()], shape[1]);
            for (row, given) in rows.iter().zip(values(given.clone()).chunks_exact(width)) {
                all[row * width..][..width].copy_from_slice(given);
            }
            all
        }
    }
}

/// The way of translating: step by step, each with the word before it.
#[test]
fn steps_give_the_alignments_and_probabilities_of_the_reference() {
    for (case, device) in cases().iter().flat_map(|case| devices().map(|device| (case, device))) {
        let (model, config) = (case.model(&device), &case.settings.config);
        let (lengths, words) = (case.lengths("target"), case.settings.target_words);
        let (batch, previous) = (lengths.len(), case.previous());
        let src_len = case.integers["source"].len() / batch;
        let mut state = model.start(&case.source(&device), config);
        let mut nll = vec![0f32; batch];
        for position in 0..previous.len() / batch {
            let words_before: Vec<u32> = previous[position * batch..][..batch].iter().map(|&id| id as u32).collect();
            let step = model.step(&state, &words_before, config);
            state = step.state;
            let log_probs = values(step.log_probs);
            let alignment = step.alignment.map(values);
            for sentence in (0..batch).filter(|&sentence| position < lengths[sentence]) {
                let row = position * batch + sentence;
                let expected = log_softmax(&case.expected("logits")[row * words..][..words]);
                let given = &log_probs[sentence * words..][..words];
                assert_close(&format!("{} log_probs at {position}", case.name), given, &expected, 1e-5, 1.0);
                nll[sentence] -= given[case.integers["target"][row] as usize];
                if let Some(alignment) = &alignment {
                    let expected = &case.expected("alignment")[row * src_len..][..src_len];
                    let given = &alignment[sentence * src_len..][..src_len];
                    assert_close(&format!("{} alignment at {position}", case.name), given, expected, 1e-5, 1.0);
                }
            }
        }
        assert_close(&format!("{} nll", case.name), &nll, case.expected("nll"), 1e-5, 1.0);
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    logits.iter().map(|&logit| logit - largest - sum.ln() as f32).collect()
}

/// Sentences that stand in a batch twice count twice; their predictions differ by dropout alone.
#[test]
fn twins_differ_by_dropout_alone() {
    let case = cases().into_iter().find(|case| case.name == "label-smoothing").unwrap();
    let device = Device::flex();
    let (model, config) = (case.model(&device), &case.settings.config);
    let twice = |ids: &[i32]| ids.iter().flat_map(|&id| [id, id]).collect::<Vec<_>>();
    let lengths = |side: &str| case.lengths(side).into_iter().flat_map(|length| [length, length]).collect::<Vec<_>>();
    let source = Source::new(&twice(&case.integers["source"]), &lengths("source"), &device);
    let target = twice(&case.integers["target"]);
    let twins = Batch::new(source, &twice(&case.previous()), &target, &lengths("target"), &device);
    let loss = |batch: &Batch, rate: f64, consistency: f64| {
        let mut config = config.clone();
        config.dropout.hidden = rate;
        let objective = Objective { consistency, ..case.objective };
        values(model.loss(batch, &config, &objective, Some(&mut Dropout::new(1, 1))).nats)[0]
    };
    let once = loss(&case.batch(&device), 0.0, 0.0);
    for consistency in [0.0, 1.0] {
        assert_close("loss of twins", &[loss(&twins, 0.0, consistency)], &[2.0 * once], 1e-5, 1.0);
    }
    let [none, one, two] = [0.0, 1.0, 2.0].map(|consistency| loss(&twins, 0.4, consistency));
    assert!(one > none + 0.1, "{one} {none}");
    assert_close("divergence", &[two - one], &[one - none], 1e-4, 1.0);
}

/// Along a random direction of all parameters, with every kind of dropout on.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex().autodiff();
    for case in cases() {
        for (variational, rate) in [(false, 0.0), (false, 0.2), (true, 0.2)] {
            let mut config = case.settings.config.clone();
            config.dropout.variational = variational;
            (config.dropout.embedding, config.dropout.recurrent) = (rate, rate);
            (config.dropout.hidden, config.dropout.readout) = (rate, rate);
            let (batch, objective) = (case.guided(&device), case.taught());
            let loss = |model: &RnnSearch| model.loss(&batch, &config, &objective, Some(&mut Dropout::new(3, 5)));
            let model = case.model(&device);
            let slopes = loss(&model).gradients(&model, 1);
            let all = parameters(&model);
            let direction = |name: &str, i: usize| ((i * 7919 + name.len() * 104_729) % 13) as f32 / 6.0 - 1.0;
            let slope: f64 = slopes
                .iter()
                .flat_map(|(name, slope)| {
                    let slope = dense(slope, &all[name].0).into_iter().enumerate();
                    slope.map(move |(i, g)| f64::from(g * direction(name, i)))
                })
                .sum();
            let moved = |by: f32| {
                let mut moved = parameters(&model);
                for (name, (_, values)) in &mut moved {
                    values.iter_mut().enumerate().for_each(|(i, value)| *value += by * direction(name, i));
                }
                let model = load_parameters(RnnSearch::blank(&case.settings, &device), moved).unwrap();
                let loss = loss(&model);
                f64::from(values(loss.nats)[0] + loss.alignment.map_or(0.0, |nats| values(nats)[0]))
            };
            let epsilon = 3e-4;
            let difference = (moved(epsilon) - moved(-epsilon)) / (2.0 * f64::from(epsilon));
            let scale = slope.abs().max(1.0);
            assert!(
                (difference - slope).abs() < 0.02 * scale,
                "{} {variational} {rate}: {slope} but {difference}",
                case.name
            );
        }
    }
}

#[test]
fn a_parameter_that_does_not_fit_is_named() {
    let case = &cases()[0];
    let device = Device::flex();
    let blank = || RnnSearch::blank(&case.settings, &device);
    let mut missing = case.named("param.");
    missing.remove("output.bias");
    assert_eq!(load_parameters(blank(), missing).unwrap_err().name, "output.bias");
    let mut reshaped = case.named("param.");
    reshaped.get_mut("readout.bias").unwrap().0 = vec![2, 4];
    let error = load_parameters(blank(), reshaped).unwrap_err().to_string();
    assert_eq!(error, "parameter `readout.bias` has shape [2, 4], the configuration says [8]");
    let mut foreign = case.named("param.");
    foreign.insert("extra".into(), (vec![1], vec![0.0]));
    assert_eq!(load_parameters(blank(), foreign).unwrap_err().name, "extra");
}
