//! What search and forced decoding ask of a network: to read sources, and to score the next word of hypotheses step by step.

use burn::prelude::*;
use rayon::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_corpus::Padded;
use rnnsearch_decoder::{DecoderState, RnnSearch, Source};
use rnnsearch_kernels::{Kernel, kernel_of};
use rnnsearch_numeric::network::{Hypotheses, Network, Scores};

use crate::Model;

/// A network, ready to decode.
#[derive(Debug)]
pub(crate) enum Engine {
    /// On the CPU: weights packed once, sentences shared out among threads.
    Packed(Box<Network>),
    /// Tensor operations, on any device.
    Plain { network: RnnSearch, config: ModelConfig, device: Device },
}

/// Some hypotheses, each a row: they are lengthened together.
pub(crate) trait Decoding {
    /// Takes in the last word of every row, and scores the next.
    fn step(&mut self, previous: &[u32]) -> &Scores;

    /// Row `rows[i]` becomes row `i`. `same_sources` says that every row then has the source it had before.
    fn keep(&mut self, rows: &[usize], same_sources: bool);
}

/// Something to do with the hypotheses of a batch of sources, given one row a source.
pub(crate) trait Task: Sync {
    /// What comes out for a source.
    type Result: Send;

    /// Runs for the sources of these numbers.
    fn run(&self, decoding: impl Decoding, sources: &[usize]) -> Vec<Self::Result>;
}

impl Engine {
    /// The engine for a device.
    pub(crate) fn new(model: &Model, device: &Device) -> Self {
        let config = &model.config.model;
        match kernel_of(device) {
            Kernel::Fused => Self::Packed(Box::new(Network::new(&model.parameters(), config.reset))),
            Kernel::Plain => {
                Self::Plain { network: model.network(device), config: config.clone(), device: device.clone() }
            }
        }
    }

    /// Reads sources, each a non-empty list of ids, and runs a task on them. The results are in their order.
    pub(crate) fn run<T: Task>(&self, sources: &[&[u32]], task: &T) -> Vec<T::Result> {
        if sources.is_empty() {
            return Vec::new();
        }
        let numbers: Vec<usize> = (0..sources.len()).collect();
        match self {
            Self::Packed(network) => {
                // Dealt like cards, so that sentences sorted by length give every thread as much work. No step waits for
                // another thread, except where there is but one sentence.
                let hands = rayon::current_num_threads().min(sources.len());
                let of_hand = |hand: usize| {
                    let numbers: Vec<usize> = (hand..sources.len()).step_by(hands).collect();
                    let own: Vec<&[u32]> = numbers.iter().map(|&number| sources[number]).collect();
                    task.run(Hypotheses::new(network, network.read(&own), hands == 1), &numbers)
                };
                let mut results: Vec<_> =
                    (0..hands).into_par_iter().with_max_len(1).map(|hand| of_hand(hand).into_iter()).collect();
                numbers.iter().map(|number| results[number % hands].next().expect("a result a source")).collect()
            }
            Self::Plain { network, config, device } => {
                let padded = Padded::new(sources);
                let source = Source::new(&padded.ids, &padded.lengths, device);
                let state = network.start(&source, config);
                task.run(Plain { network, config, state, scores: Scores::default() }, &numbers)
            }
        }
    }
}

impl Decoding for Hypotheses<'_> {
    fn step(&mut self, previous: &[u32]) -> &Scores {
        Hypotheses::step(self, previous)
    }

    fn keep(&mut self, rows: &[usize], _same_sources: bool) {
        Hypotheses::keep(self, rows);
    }
}

/// Hypotheses as tensors.
struct Plain<'n> {
    network: &'n RnnSearch,
    config: &'n ModelConfig,
    state: DecoderState,
    scores: Scores,
}

impl Decoding for Plain<'_> {
    fn step(&mut self, previous: &[u32]) -> &Scores {
        let step = self.network.step(&self.state, previous, self.config);
        let values = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().expect("a float tensor can be read");
        let [rows, words] = step.log_probs.dims();
        let src_len = step.alignment.as_ref().map_or(0, |alignment| alignment.dims()[1]);
        let alignments = step.alignment.map(values).unwrap_or_default();
        self.scores =
            Scores { words, logits: values(step.log_probs), normalizers: vec![0.0; rows], src_len, alignments };
        self.state = step.state;
        &self.scores
    }

    fn keep(&mut self, rows: &[usize], same_sources: bool) {
        self.state = match same_sources {
            false => self.state.select(rows),
            true if rows.iter().enumerate().all(|(i, &row)| i == row) => return,
            true => self.state.select_states(rows),
        };
    }
}

#[cfg(test)]
mod tests {
    use rnnsearch_config::{Attention, Initialization, Reset};
    use rnnsearch_corpus::EOS;
    use rnnsearch_decoder::{ModelSettings, parameters};

    use super::*;
    use crate::SearchOptions;
    use crate::forced::force;
    use crate::search::search;

    const WORDS: usize = 61;

    /// Small networks of every kind.
    fn kinds() -> Vec<ModelConfig> {
        let base = ModelConfig {
            embedding: 9,
            encoder_hidden: 17,
            decoder_hidden: 20,
            attention_hidden: 7,
            readout: 9,
            initialization: Initialization::Xavier,
            ..ModelConfig::default()
        };
        vec![
            base.clone(),
            ModelConfig { reset: Reset::Before, encoder_layers: 2, decoder_layers: 3, ..base.clone() },
            ModelConfig { attention: Attention::None, decoder_layers: 2, ..base.clone() },
            ModelConfig { share_embeddings: true, ..base.clone() },
            ModelConfig { share_embeddings: true, tie_output: true, ..base.clone() },
            ModelConfig { tie_output: true, ..base },
        ]
    }

    /// Sentences of many lengths.
    fn sentences(count: usize, salt: usize) -> Vec<Vec<u32>> {
        let length = |i: usize| 1 + (i * 5 + salt) % 11;
        let word = |i: usize, j: usize| ((i * 31 + j * 17 + salt) % (WORDS - 8) + 8) as u32;
        (0..count).map(|i| (0..length(i)).map(|j| word(i, j)).chain([EOS]).collect()).collect()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 2e-5 * (1.0 + a.abs())
    }

    fn engines(config: &ModelConfig) -> [Engine; 2] {
        let device = Device::flex();
        let settings = ModelSettings { config: config.clone(), source_words: WORDS, target_words: WORDS };
        let network = RnnSearch::new(&settings, 5, &device);
        let parameters = parameters(&network);
        let views = parameters.iter().map(|(name, (shape, values))| (name.as_str(), (&shape[..], &values[..])));
        let packed = Engine::Packed(Box::new(Network::new(&views.collect(), config.reset)));
        [Engine::Plain { network, config: config.clone(), device }, packed]
    }

    #[test]
    fn engines_agree_on_given_translations() {
        let (sources, targets) = (sentences(13, 0), sentences(13, 3));
        let pairs: Vec<(&[u32], &[u32])> = sources.iter().zip(&targets).map(|(s, t)| (&s[..], &t[..])).collect();
        for config in kinds() {
            let [plain, packed] = engines(&config);
            for (plain, packed) in force(&plain, &pairs).iter().zip(force(&packed, &pairs)) {
                assert_eq!(plain.token_log_probs.len(), packed.token_log_probs.len());
                let log_probs = plain.token_log_probs.iter().zip(&packed.token_log_probs);
                let (a, b) = (plain.alignment.concat(), packed.alignment.concat());
                let weights = a.iter().zip(&b);
                assert_eq!(plain.alignment.is_empty(), config.attention == Attention::None);
                assert_eq!(a.len(), b.len());
                for (a, b) in log_probs.chain(weights) {
                    assert!(close(f64::from(*a), f64::from(*b)), "{config:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn engines_find_the_same_translations_whatever_the_company() {
        let sources = sentences(9, 1);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        for (config, beam_size) in kinds().into_iter().zip([1, 5, 3, 2, 4, 5]) {
            let options = SearchOptions { beam_size, length_penalty: 1.0, max_ratio: 1.5, max_extra: 3 };
            let [plain, packed] = engines(&config);
            let found = search(&packed, &sources, &options);
            for (plain, packed) in search(&plain, &sources, &options).iter().zip(&found) {
                assert_eq!(plain.len(), packed.len());
                for (a, b) in plain.iter().zip(packed) {
                    assert!(a.ids == b.ids && a.finished == b.finished && close(a.score, b.score), "{a:?} {b:?}");
                }
            }
            let on = |threads: usize, run: &(dyn Fn() -> Vec<Vec<crate::Hypothesis>> + Sync)| {
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
            };
            for threads in [1, 2, 7] {
                assert!(on(threads, &|| search(&packed, &sources, &options)) == found, "{threads} threads");
                let alone = || sources.iter().flat_map(|source| search(&packed, &[source], &options)).collect();
                assert!(on(threads, &alone) == found, "alone on {threads} threads");
            }
        }
    }
}
