//! How much memory a training will need, as far as can be told before it begins.

use std::fmt;
use std::fs;

use rnnsearch_config::{Attention, Config, Decoder, OptimizerKind};
use rnnsearch_corpus::{BatchPlan, BpeDropout, Dataset};

/// Bytes of a weight, and of most other numbers.
const FLOAT: u64 = 4;
/// The program itself, tokenizers, buffers of the matrix products.
const PROGRAM: u64 = 40 << 20;
/// Logits that the output layer has at a time.
const LOGITS: u64 = 32 << 20;

/// Memory in bytes, by what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Weights, and their average if there is one.
    weights: u64,
    /// The optimiser's averages.
    optimizer: u64,
    /// Gradients and what the largest batch, or part of one, leaves for the backward pass.
    update: u64,
    /// Copies while a checkpoint is written. An update's memory is free then.
    checkpoint: u64,
    /// The order of the training text; the text itself is mapped.
    data: u64,
}

/// The size of a batch, padding included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchSize {
    pub sentences: usize,
    pub source_length: usize,
    pub target_length: usize,
}

impl BatchSize {
    /// That of some examples of a data set.
    pub fn of(dataset: &Dataset, indices: &[u32]) -> Self {
        let longest = |len: &dyn Fn(u32) -> usize| indices.iter().map(|&index| len(index)).max().unwrap_or(0);
        Self {
            sentences: indices.len(),
            source_length: longest(&|index| dataset.source_len(index)),
            target_length: longest(&|index| dataset.target_len(index)),
        }
    }

    /// That with translations that are drawn: those of a source are there together, and may be as long as translations can get.
    fn drawn(self, config: &Config, samples: usize) -> Self {
        let limit = config.translation.max_ratio * self.source_length as f64 + config.translation.max_extra as f64;
        let target_length = self.target_length.max(limit as usize + 1);
        Self { sentences: self.sentences.max(samples + 1), target_length, ..self }
    }

    /// What the forward pass keeps for the backward pass, and the gradients of that which are there at a time.
    fn activations(self, config: &Config) -> u64 {
        let model = &config.model;
        let [m, h, n, l] =
            [model.embedding, model.encoder_hidden, model.decoder_hidden, model.readout].map(|s| s as u64);
        let context = if model.attention == Attention::None { h } else { 2 * h };
        let a = if model.attention.has_hidden() { model.attention_hidden as u64 } else { 0 };
        let [sentences, sources, targets] =
            [self.sentences, self.source_length, self.target_length].map(|size| size as u64);
        // Fused kernels keep a weight for each pair of words; tensor operations keep what the energies are made of, too.
        let pair = match model.attention {
            Attention::None => 0,
            Attention::Additive if !model.input_feeding => 1,
            Attention::Hops => model.attention_options.hops as u64 * (8 + 2 * a),
            // Of each source position the probability to come to it from each.
            Attention::Monotonic => 8 + 2 * a + 2 * sources,
            _ => 8 + 2 * a,
        };
        // Projections, gates, candidates and states of both directions; their outputs side by side, and dropped.
        // Of each unit, what layer normalisation keeps of two products, and the gradient of one of them.
        let normalized = if model.layer_norm { 9 } else { 0 };
        let source_token = 2 * m + model.encoder_layers as u64 * (20 + 2 * normalized) * h + a;
        // A conditional layer has two units.
        let units = model.decoder_layers as u64 + u64::from(model.decoder == Decoder::Conditional);
        let target_token = 2 * m + (units * (10 + normalized) + normalized) * n + a + 2 * (n + context) + 5 * l;
        FLOAT * sentences * (sources * source_token + targets * target_token + targets * sources * pair)
    }
}

impl Memory {
    /// What a model of so many parameters needs with batches of at most this size and so much data.
    pub fn new(config: &Config, parameters: usize, batch: BatchSize, data: u64) -> Self {
        let weights = FLOAT * parameters as u64;
        let moments = if config.training.optimizer.kind == OptimizerKind::Sgd { 1 } else { 2 };
        let averaged = u64::from(config.training.average > 0.0);
        let drawn = config.training.minimum_risk.samples > 0;
        let accumulated = u64::from(config.training.accumulate > 1 || config.training.max_batch_tokens > 0 || drawn);
        // To draw with, weights are copied, and packed.
        let copies = if drawn { 2 * weights } else { 0 };
        Self {
            weights: (1 + averaged) * weights,
            optimizer: moments * weights,
            update: copies + (1 + accumulated) * weights + batch.activations(config) + LOGITS,
            checkpoint: (1 + averaged + 2 * moments) * weights,
            data,
        }
    }

    /// That of a training whose batches are those of a plan, in parts.
    pub fn of(
        config: &Config,
        parameters: usize,
        dataset: &Dataset,
        plan: &BatchPlan,
        bpe_dropout: Option<&BpeDropout>,
    ) -> Self {
        let training = &config.training;
        let limit = training.max_batch_tokens.div_ceil(training.copies());
        let parts = plan.iter_from(0).flat_map(|batch| BatchPlan::parts(dataset, batch, limit));
        let needs = |part: &&[u32]| BatchSize::of(dataset, part).activations(config);
        let part = parts.max_by_key(needs).expect("a plan has a batch");
        let size = match bpe_dropout {
            None => BatchSize::of(dataset, part),
            Some(dropout) => {
                let all = Vec::from_iter(0..part.len() as u32);
                BatchSize::of(&dropout.draw(dataset, part, training.seed, (0, 0)), &all)
            }
        };
        let largest = match training.minimum_risk.samples {
            0 => BatchSize { sentences: training.copies() * size.sentences, ..size },
            samples => size.drawn(config, samples),
        };
        // An epoch's order numbers them; the next one is made of another. A curriculum sorts it by lengths.
        let sorted = if training.curriculum.epochs > 0 { size_of::<(usize, u32)>() } else { 0 };
        let order = (2 * size_of::<u32>() + sorted) * plan.examples();
        Self::new(config, parameters, largest, (dataset.bytes() + order) as u64)
    }

    /// That and another model, of so many parameters, which does not learn.
    pub fn beside(self, parameters: usize) -> Self {
        Self { weights: self.weights + FLOAT * parameters as u64, ..self }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        PROGRAM + self.weights + self.optimizer + self.update.max(self.checkpoint) + self.data
    }

    /// What to say if there is not so much.
    pub fn warning(&self, available: u64) -> Option<String> {
        let (needed, available) = (self.total(), available);
        (needed > available).then(|| {
            format!(
                "this training needs about {}, and {} of memory are free: set training.max_batch_tokens, which makes the same updates \
                 in less memory, or lower training.batch_size or the sizes of the model",
                megabytes(needed),
                megabytes(available)
            )
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { weights, optimizer, update, checkpoint, data } = *self;
        let [total, weights, optimizer, update, checkpoint, data] =
            [self.total(), weights, optimizer, update, checkpoint, data].map(megabytes);
        write!(f, "memory needed: about {total} (weights {weights}, optimiser {optimizer}, ")?;
        write!(f, "an update {update} or a checkpoint {checkpoint}, data {data})")
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// The memory that this process may still take, in bytes, where the system tells: what the machine has free, or what the group of
/// processes (a container) may use.
pub(crate) fn available() -> Option<u64> {
    let machine = available_of(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(available_to_group().map_or(machine, |left| left.min(machine)))
}

/// What a group of processes may still use, where it has a limit; pages of files that nobody uses do not count.
fn available_to_group() -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let idle =
        read("stat")?.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok())?;
    Some(number("max")?.saturating_sub(number("current")?.saturating_sub(idle)))
}

/// The free memory that `/proc/meminfo` tells of.
fn available_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `rnnsearch bench train` measured, in MB: the process without checkpoints.
    #[test]
    fn estimates_are_near_what_was_measured() {
        let batch = |length: usize| BatchSize { sentences: 80, source_length: length, target_length: length };
        let sized = |size: usize| {
            let mut config = Config::default();
            let model = &mut config.model;
            (model.embedding, model.encoder_hidden, model.decoder_hidden) = (size, size, size);
            (model.attention_hidden, model.readout) = (size, size);
            config
        };
        let mut paper = sized(1000);
        (paper.model.embedding, paper.model.readout) = (620, 500);
        let cases = [
            (sized(256), 8_530_000, batch(15), 231.0),
            (sized(512), 33_700_000, batch(15), 640.0),
            (paper, 81_000_000, batch(100), 2_500.0),
        ];
        for (config, parameters, batch, measured) in cases {
            let memory = Memory { checkpoint: 0, ..Memory::new(&config, parameters, batch, 0) };
            let estimate = memory.total() as f64 / 1e6;
            assert!((0.8..1.3).contains(&(estimate / measured)), "{estimate} instead of {measured}: {memory}");
        }
    }

    #[test]
    fn what_is_fused_needs_no_more_in_a_conditional_decoder_but_for_its_second_unit() {
        let batch = BatchSize { sentences: 80, source_length: 30, target_length: 30 };
        let activations = |attention, decoder| {
            let mut config = Config::default();
            (config.model.attention, config.model.decoder) = (attention, decoder);
            config.model.attention_options.hops = 3;
            batch.activations(&config)
        };
        let unit = FLOAT * 80 * 30 * 10 * Config::default().model.decoder_hidden as u64;
        let paper = activations(Attention::Additive, Decoder::Gru);
        assert_eq!(activations(Attention::Additive, Decoder::Conditional), paper + unit);
        let [concat, hops, monotonic] = [Attention::Concat, Attention::Hops, Attention::Monotonic]
            .map(|attention| activations(attention, Decoder::Gru));
        assert!(
            paper < concat && concat < monotonic && 2 * (concat - paper) < hops - paper,
            "{concat} {hops} {monotonic}"
        );
    }

    #[test]
    fn free_memory_is_read() {
        assert_eq!(available_of("MemTotal:  9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available_of("MemTotal:  9 kB\n"), None);
    }
}
