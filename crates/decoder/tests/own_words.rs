//! Sentences that count for more or less, and previous words that are the model's own.

use std::collections::BTreeMap;

use burn::tensor::Device;
use rnnsearch_config::{DropoutConfig, ModelConfig};
use rnnsearch_decoder::{Batch, ModelSettings, Objective, RnnSearch, Source, Values, load_parameters, parameters};
use rnnsearch_kernels::Dropout;

const WORDS: usize = 11;
const BOS: i32 = 2;

fn config() -> ModelConfig {
    ModelConfig {
        embedding: 4,
        encoder_hidden: 3,
        decoder_hidden: 5,
        attention_hidden: 4,
        readout: 3,
        dropout: DropoutConfig { source_words: 0.3, target_words: 0.3, ..DropoutConfig::default() },
        ..ModelConfig::default()
    }
}

fn settings() -> ModelSettings {
    ModelSettings { config: config(), source_words: WORDS, target_words: WORDS }
}

fn weights() -> BTreeMap<String, Values> {
    let mut all = parameters(&RnnSearch::new(&settings(), 3, &Device::flex()));
    all.values_mut().flat_map(|(_, values)| values).for_each(|value| *value *= 2.0);
    all
}

fn model(weights: BTreeMap<String, Values>, device: &Device) -> RnnSearch {
    load_parameters(RnnSearch::blank(&settings(), device), weights).unwrap()
}

/// Three pairs of lengths 3, 3 and 1; `previous` are the words of the decoder beside `<s>`.
fn batch(previous: [i32; 4], device: &Device) -> Batch {
    let source = Source::new(&[4, 5, 6, 7, 0, 8], &[2, 1, 2], device);
    let [a, b, c, d] = previous;
    Batch::new(source, &[BOS, BOS, BOS, a, b, 0, c, d, 0], &[5, 6, 3, 7, 8, 0, 3, 3, 0], &[3, 3, 1], device)
}

fn usual(device: &Device) -> Batch {
    batch([5, 6, 7, 8], device)
}

fn nats(model: &RnnSearch, batch: &Batch, dropout: Option<&mut Dropout>) -> f64 {
    f64::from(model.loss(batch, &config(), &Objective::default(), dropout).nats.into_scalar::<f32>())
}

fn devices() -> [Device; 2] {
    [Device::flex(), Device::flex().autodiff()]
}

#[test]
fn sentences_have_the_probability_that_the_loss_says() {
    for device in devices() {
        let model = model(weights(), &device);
        let batch = usual(&device);
        for seed in [None, Some(1), Some(2)] {
            let dropout = || seed.map(|seed| Dropout::new(seed, 1));
            let log_probs = model.sentence_log_probs(&batch, &config(), dropout().as_mut());
            let whole = nats(&model, &batch, dropout().as_mut());
            assert!((whole + log_probs.iter().sum::<f64>()).abs() < 1e-4, "{whole} {log_probs:?}");
            let counts = [2.0, -0.5, 3.0];
            let weighed = nats(&model, &batch.clone().weighted(&counts), dropout().as_mut());
            let expected: f64 =
                counts.iter().zip(&log_probs).map(|(count, log_prob)| f64::from(*count) * log_prob).sum();
            assert!((weighed + expected).abs() < 1e-4, "{weighed} {expected}");
        }
    }
}

#[test]
fn own_words_take_the_place_of_the_right_ones() {
    let device = Device::flex();
    // Word 9 is certain, whatever comes before.
    let mut sure = weights();
    sure.get_mut("output.bias").unwrap().1[9] = 100.0;
    let sure = model(sure, &device);
    let told = sure.tell_own_words(usual(&device), &config(), 1.0, &mut Dropout::new(1, 1));
    // A model that does care.
    let model = model(weights(), &device);
    let [own, nines, right] = [&told, &batch([9; 4], &device), &usual(&device)].map(|batch| nats(&model, batch, None));
    assert!(own == nines && own != right, "{own} {nines} {right}");
    let unchanged = sure.tell_own_words(usual(&device), &config(), 0.0, &mut Dropout::new(1, 1));
    assert_eq!(nats(&model, &unchanged, None), right);
}

/// Each word stands where it is told as often as the model says.
#[test]
fn own_words_are_drawn_by_their_probability() {
    let device = Device::flex();
    let mut even = weights();
    even.get_mut("output.weight").unwrap().1.fill(0.0);
    let bias = &mut even.get_mut("output.bias").unwrap().1;
    bias.fill(-100.0);
    (bias[4], bias[9]) = (0.25_f32.ln(), 0.75_f32.ln());
    let even = model(even, &device);
    let model = model(weights(), &device);
    // The last word told, of the first sentence: three batches that differ in it alone.
    let [four, nine, right] = [4, 9, 7].map(|word| nats(&model, &batch([5, 6, word, 8], &device), None));
    let mut counts = [0.0_f64; 4];
    for update in 0..1000 {
        let told = even.tell_own_words(usual(&device), &config(), 0.5, &mut Dropout::new(7, update));
        let found = nats(&model, &told, None);
        let kind = [four, nine, right].iter().position(|value| *value == found).unwrap_or(3);
        counts[kind] += 1.0 / 1000.0;
    }
    // Half of each of the four places stays as it is.
    let [four, nine, right, others] = counts;
    assert!((right - 0.0625).abs() < 0.03 && (four - 0.0625 / 4.0).abs() < 0.015, "{counts:?}");
    assert!((nine - 0.0625 * 0.75).abs() < 0.025 && others > 0.8, "{counts:?}");
}
