//! Updates on made-up sentences, to measure what one costs.

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::{Attention, Config, Decoder, ModelConfig};
use rnnsearch_decoder::{Batch, ModelSettings, RnnSearch, Source};
use rnnsearch_kernels::keep_freed_buffers;

use crate::error::TrainingError;
use crate::learner::{Learner, clip, objective};
use crate::optimizer::{Optimizer, Update};
use crate::trainer::require_precision;

/// Batches of made-up sentences, all of the same lengths.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Sentence pairs of a batch.
    pub sentences: usize,
    /// Tokens of each source, `</s>` included.
    pub source_length: usize,
    /// Tokens of each target, `</s>` included.
    pub target_length: usize,
    /// Words of each vocabulary.
    pub vocabulary: usize,
}

/// Batches with words of their own: a training's batches do not share all of theirs.
const BATCHES: usize = 8;

/// A training that sees a few made-up batches in turn.
pub struct Rehearsal<'a> {
    config: &'a Config,
    workload: Workload,
    learner: Learner,
    batches: [Batch; BATCHES],
    updates: u64,
}

impl<'a> Rehearsal<'a> {
    /// Makes the model that `config` describes and a batch for it.
    ///
    /// # Errors
    ///
    /// If the device cannot multiply in the configuration's precision.
    ///
    /// # Panics
    ///
    /// If a size of the workload is 0.
    pub fn new(config: &'a Config, workload: Workload, device: &Device) -> Result<Self, TrainingError> {
        require_precision(config, device)?;
        keep_freed_buffers();
        let device = device.clone().autodiff();
        let settings = ModelSettings {
            config: config.model.clone(),
            source_words: workload.vocabulary,
            target_words: workload.vocabulary,
        };
        let model = RnnSearch::new(&settings, config.training.seed, &device);
        let learner = Learner::new(model, Optimizer::new(&config.training.optimizer), None);
        let batches = std::array::from_fn(|number| workload.batch(number, config.training.copies(), &device));
        Ok(Self { config, learner, batches, workload, updates: 0 })
    }

    /// One update, as in a training: loss, gradients, clipping, new weights. Returns the loss in nats a target token.
    pub fn update(&mut self) -> f64 {
        self.updates += 1;
        let training = &self.config.training;
        let batch = &self.batches[self.updates as usize % BATCHES];
        let objective = objective(training, 0);
        let (losses, gradients) =
            self.learner.gradients([batch.clone().into()], batch.target_tokens, self.config, &objective, self.updates);
        let scale = clip(gradients.norm(), training.clip_norm);
        self.learner.step(gradients, &Update { scale, learning_rate: training.optimizer.learning_rate });
        losses.nats / batch.target_tokens as f64
    }

    /// The parameters of the model.
    pub fn parameters(&self) -> usize {
        self.learner.model().num_params()
    }

    /// The additions and multiplications of an update's matrix products: those of the forward pass, and twice as many for the
    /// gradients.
    pub fn operations(&self) -> f64 {
        3.0 * self.config.training.copies() as f64 * self.workload.operations(self.config)
    }
}

impl Workload {
    /// Target tokens of the batch.
    pub fn target_tokens(&self) -> usize {
        self.sentences * self.target_length
    }

    /// Words spread over the vocabulary, in every batch others; the first few are special tokens. Each sentence is there so often.
    pub(crate) fn batch(&self, number: usize, copies: usize, device: &Device) -> Batch {
        let first = 8.min(self.vocabulary - 1);
        let words = |count: usize, salt: usize| -> Vec<i32> {
            let word = |i: usize| (first + (i * 7919 + salt + number * 1009) % (self.vocabulary - first)) as i32;
            (0..count).flat_map(|i| std::iter::repeat_n(word(i), copies)).collect()
        };
        let (sources, targets) = (self.sentences * self.source_length, self.target_tokens());
        let source = Source::new(&words(sources, 0), &vec![self.source_length; copies * self.sentences], device);
        let lengths = vec![self.target_length; copies * self.sentences];
        Batch::new(source, &words(targets, 1), &words(targets, 2), &lengths, device)
    }

    /// Those of the forward pass. What attention does for each pair of words is no matrix product, and is not counted.
    fn operations(&self, config: &Config) -> f64 {
        let model = &config.model;
        let [m, h, n, l] =
            [model.embedding, model.encoder_hidden, model.decoder_hidden, model.readout].map(|size| size as f64);
        let attends = model.attention != Attention::None;
        let context = if attends { 2.0 * h } else { h };
        let upper_encoder = (model.encoder_layers - 1) as f64 * 2.0 * (2.0 * h * 3.0 * h + h * 3.0 * h);
        let [keys, query] = attention(model);
        let source_token = 2.0 * (m * 3.0 * h + h * 3.0 * h) + upper_encoder + keys;
        let conditional = model.decoder == Decoder::Conditional;
        // A fixed context is multiplied once a sentence, where this can be done beforehand.
        let taken = context * 3.0 * n;
        let (each_context, fixed_context) = if attends || conditional { (taken, 0.0) } else { (0.0, taken) };
        let second = if conditional { n * 3.0 * n } else { 0.0 };
        let fed = if model.input_feeding { l * 3.0 * n } else { 0.0 };
        let upper_decoder = (model.decoder_layers - 1) as f64 * (n * 3.0 * n + n * 3.0 * n);
        let readout = (n + m + context) * 2.0 * l;
        let output = l * self.vocabulary as f64;
        let layer = m * 3.0 * n + n * 3.0 * n + query + each_context + second + fed;
        let target_token = layer + upper_decoder + readout + output;
        let sentence = model.decoder_layers as f64 * h * n + fixed_context;
        let [sentences, sources, targets] =
            [self.sentences, self.sentences * self.source_length, self.target_tokens()].map(|count| count as f64);
        2.0 * (sources * source_token + targets * target_token + sentences * sentence)
    }
}

/// The multiplications of attention for a source token, and for a target token.
fn attention(model: &ModelConfig) -> [f64; 2] {
    let [h, n, a] = [model.encoder_hidden, model.decoder_hidden, model.attention_hidden].map(|size| size as f64);
    let (key, query, options) = (2.0 * h * a, n * a, &model.attention_options);
    match model.attention {
        Attention::None | Attention::Dot | Attention::ScaledDot => [0.0, 0.0],
        Attention::General | Attention::LocalM => [0.0, n * 2.0 * h],
        Attention::Cosine => [0.0, n * 2.0 * h + n],
        Attention::Location => [0.0, n * options.positions as f64],
        Attention::LocalP => [0.0, n * 2.0 * h + query + a],
        Attention::MultiHead => [2.0 * key, query + key],
        Attention::Hops => [key, query + (options.hops - 1) as f64 * key],
        Attention::Coverage => [key + 2.0 * h, query],
        Attention::Additive
        | Attention::NormedAdditive
        | Attention::Concat
        | Attention::Hard
        | Attention::Monotonic
        | Attention::Sparsemax => [key, query],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(vocabulary: usize) -> Workload {
        Workload { sentences: 80, source_length: 15, target_length: 15, vocabulary }
    }

    #[test]
    fn operations_are_those_counted_by_hand() {
        let mut config = Config::default();
        let small = 3.0 * workload(8000).operations(&config) / 1e9;
        assert!((small - 31.3).abs() < 0.1, "{small}");
        let model = &mut config.model;
        for size in [
            &mut model.embedding,
            &mut model.encoder_hidden,
            &mut model.decoder_hidden,
            &mut model.attention_hidden,
            &mut model.readout,
        ] {
            *size = 512;
        }
        let large = 3.0 * workload(16000).operations(&config) / 1e9;
        assert!((large - 125.1).abs() < 0.2, "{large}");
    }

    #[test]
    fn updates_learn_the_batches() {
        let mut config = Config::default();
        config.model = rnnsearch_config::ModelConfig {
            embedding: 8,
            encoder_hidden: 8,
            decoder_hidden: 8,
            attention_hidden: 8,
            readout: 8,
            ..config.model
        };
        let workload = Workload { sentences: 3, source_length: 4, target_length: 5, vocabulary: 30 };
        let mut rehearsal = Rehearsal::new(&config, workload, &Device::flex()).unwrap();
        let first = rehearsal.update();
        let last = (0..80).map(|_| rehearsal.update()).last().unwrap();
        assert!(last < first, "{first} to {last}");
    }
}
