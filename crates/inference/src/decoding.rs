//! What search and forced decoding ask of a network: to read sources, and to score the next word of hypotheses step by step.

use burn::prelude::*;
use rayon::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_corpus::Padded;
use rnnsearch_decoder::{DecoderState, RnnSearch, Source};
use rnnsearch_kernels::{Kernel, kernel_of};
use rnnsearch_numeric::network::{Hypotheses, Need, Network, Scores};

use crate::{Model, Shortlist};

/// Networks, ready to decode together.
#[derive(Debug)]
pub(crate) enum Engine {
    /// On the CPU: weights packed once, sentences shared out among threads.
    Packed {
        /// Each is asked for the next word.
        networks: Vec<Network>,
        /// What words it is to be among; where there are several networks, all.
        shortlist: Option<Shortlist>,
    },
    /// Tensor operations, on any device and for all kinds of networks; each with its settings.
    Plain { networks: Vec<(RnnSearch, ModelConfig)>, device: Device },
}

/// Some hypotheses, each a row: they are lengthened together.
pub(crate) trait Decoding {
    /// Takes in the last word of every row, and scores the next: as far as needed at least.
    fn step(&mut self, previous: &[u32], need: Need) -> &Scores;

    /// Adds something to the energies of the next step: for each row nothing, or a number a source token.
    fn steer(&mut self, biases: Vec<Vec<f32>>);

    /// Row `rows[i]` becomes row `i`. `same_sources` says that every row then has the source it had before.
    fn keep(&mut self, rows: &[usize], same_sources: bool);
}

/// Something to do with the hypotheses of a batch of sources, given one row a source.
pub(crate) trait Task: Sync {
    /// What comes out for a source.
    type Result: Send;

    /// Words that must be scored for the source of this number even where there is a shortlist; none if all must be.
    fn words(&self, source: usize) -> Option<Vec<u32>>;

    /// Runs for the sources of these numbers.
    fn run(&self, decoding: impl Decoding, sources: &[usize]) -> Vec<Self::Result>;
}

impl Engine {
    /// The engine for a device: the packed one on the CPU, if it knows all of the models.
    pub(crate) fn new(models: &[Model], device: &Device) -> Self {
        let known = models.iter().all(Model::can_be_packed);
        match kernel_of(device) {
            Kernel::Fused if known => {
                let shortlist = models[0].shortlist.clone().filter(|_| models.len() == 1);
                let network = |model: &Model| {
                    let (parameters, lasting) = (model.parameters(), |name: &str| model.lasting(name));
                    Network::with_embeddings(&parameters, &lasting, model.config.model.reset, shortlist.is_some())
                };
                Self::Packed { networks: models.iter().map(network).collect(), shortlist }
            }
            _ => {
                let network = |model: &Model| (model.network(device), model.config.model.clone());
                Self::Plain { networks: models.iter().map(network).collect(), device: device.clone() }
            }
        }
    }

    /// See [`crate::Translator::operations`].
    pub(crate) fn operations(&self) -> Option<u64> {
        match self {
            Self::Packed { networks, .. } => Some(networks.iter().map(Network::operations).sum()),
            Self::Plain { .. } => None,
        }
    }

    /// Reads sources, each a non-empty list of ids, and runs a task on them. The results are in their order.
    pub(crate) fn run<T: Task>(&self, sources: &[&[u32]], task: &T) -> Vec<T::Result> {
        if sources.is_empty() {
            return Vec::new();
        }
        let numbers: Vec<usize> = (0..sources.len()).collect();
        match self {
            Self::Packed { networks, shortlist } => {
                // Dealt like cards, so that sentences sorted by length give every thread as much work. No step waits for
                // another thread, except where there is but one sentence.
                let hands = rayon::current_num_threads().min(sources.len());
                let of_hand = |hand: usize| {
                    let numbers: Vec<usize> = (hand..sources.len()).step_by(hands).collect();
                    let own: Vec<&[u32]> = numbers.iter().map(|&number| sources[number]).collect();
                    let begin = |network| {
                        let hypotheses = Hypotheses::new(network, network.read(&own), hands == 1);
                        let listed = shortlist.as_ref().and_then(|shortlist| {
                            let words = |&number: &usize| Some(shortlist.words(sources[number], &task.words(number)?));
                            numbers.iter().map(words).collect::<Option<Vec<_>>>()
                        });
                        match listed {
                            Some(words) => hypotheses.with_shortlists(words),
                            None => hypotheses,
                        }
                    };
                    run_together(task, networks.iter().map(begin).collect(), &numbers)
                };
                let mut results: Vec<_> =
                    (0..hands).into_par_iter().with_max_len(1).map(|hand| of_hand(hand).into_iter()).collect();
                numbers.iter().map(|number| results[number % hands].next().expect("a result a source")).collect()
            }
            Self::Plain { networks, device } => {
                let padded = Padded::new(sources);
                let source = Source::new(&padded.ids, &padded.lengths, device);
                let begin = |number: usize| {
                    let (network, config) = &networks[number];
                    let state = network.start(&source, config);
                    Plain { network, config, state, biases: Vec::new(), scores: Scores::default() }
                };
                run_together(task, (0..networks.len()).map(begin).collect(), &numbers)
            }
        }
    }
}

/// Runs a task with one network, or the mean of several.
fn run_together<T: Task, D: Decoding>(task: &T, mut members: Vec<D>, sources: &[usize]) -> Vec<T::Result> {
    match members.len() {
        1 => task.run(members.remove(0), sources),
        _ => task.run(Together { members, scores: Scores::default() }, sources),
    }
}

/// The same hypotheses in several networks.
struct Together<D> {
    members: Vec<D>,
    scores: Scores,
}

impl<D: Decoding> Decoding for Together<D> {
    fn step(&mut self, previous: &[u32], _need: Need) -> &Scores {
        let share = 1.0 / self.members.len() as f32;
        let mut attending = 0;
        for (number, member) in self.members.iter_mut().enumerate() {
            let scores = member.step(previous, Need::All);
            if number == 0 {
                let (words, src_len) = (scores.words, 0);
                self.scores = Scores { words, src_len, normalizers: vec![0.0; previous.len()], ..Scores::default() };
                self.scores.logits.resize(scores.logits.len(), 0.0);
            }
            let rows = self.scores.logits.chunks_exact_mut(scores.words).zip(scores.logits.chunks_exact(scores.words));
            for ((sum, logits), normalizer) in rows.zip(&scores.normalizers) {
                sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += share * (logit - normalizer));
            }
            if !scores.alignments.is_empty() {
                attending += 1;
                self.scores.src_len = scores.src_len;
                self.scores.alignments.resize(scores.alignments.len(), 0.0);
                self.scores.alignments.iter_mut().zip(&scores.alignments).for_each(|(sum, weight)| *sum += weight);
            }
        }
        self.scores.alignments.iter_mut().for_each(|sum| *sum /= attending as f32);
        &self.scores
    }

    fn steer(&mut self, biases: Vec<Vec<f32>>) {
        self.members.iter_mut().for_each(|member| member.steer(biases.clone()));
    }

    fn keep(&mut self, rows: &[usize], same_sources: bool) {
        self.members.iter_mut().for_each(|member| member.keep(rows, same_sources));
    }
}

impl Decoding for Hypotheses<'_> {
    fn step(&mut self, previous: &[u32], need: Need) -> &Scores {
        Hypotheses::step(self, previous, need)
    }

    fn steer(&mut self, biases: Vec<Vec<f32>>) {
        Hypotheses::steer(self, biases);
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
    /// For the next step.
    biases: Vec<Vec<f32>>,
    scores: Scores,
}

impl Decoding for Plain<'_> {
    fn step(&mut self, previous: &[u32], _need: Need) -> &Scores {
        let biases = std::mem::take(&mut self.biases);
        let step = match biases.is_empty() {
            true => self.network.step(&self.state, previous, self.config),
            false => self.network.steered_step(&self.state, previous, &biases, self.config),
        };
        let values = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().expect("a float tensor can be read");
        let [rows, words] = step.log_probs.dims();
        let src_len = step.alignment.as_ref().map_or(0, |alignment| alignment.dims()[1]);
        let alignments = step.alignment.map(values).unwrap_or_default();
        self.scores = Scores {
            words,
            logits: values(step.log_probs),
            normalizers: vec![0.0; rows],
            src_len,
            alignments,
            ..Scores::default()
        };
        self.state = step.state;
        &self.scores
    }

    fn steer(&mut self, biases: Vec<Vec<f32>>) {
        self.biases = biases;
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
    use std::sync::Arc;

    use rnnsearch_alignment::Link;
    use rnnsearch_config::{Attention, Decoder, Initialization, Reset, StopRule, TranslationConfig};
    use rnnsearch_corpus::{BOS, EOS, PAD};
    use rnnsearch_decoder::{ModelSettings, load_parameters, parameters};
    use rnnsearch_numeric::network::Parameter;

    use super::*;
    use crate::forbidden::Forbidden;
    use crate::forced::force;
    use crate::search::search;
    use crate::steering::Steering;
    use crate::units::Units;
    use crate::{Constraints, Hypothesis, SearchOptions, TranslateOptions};

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
            ModelConfig { tie_output: true, ..base.clone() },
            ModelConfig { decoder: Decoder::Conditional, decoder_layers: 2, ..base.clone() },
            ModelConfig { decoder: Decoder::Conditional, reset: Reset::Before, ..base.clone() },
            ModelConfig { decoder: Decoder::Conditional, attention: Attention::None, ..base.clone() },
            ModelConfig { layer_norm: true, encoder_layers: 2, decoder_layers: 2, ..base.clone() },
            ModelConfig { layer_norm: true, reset: Reset::Before, ..base.clone() },
            ModelConfig { layer_norm: true, decoder: Decoder::Conditional, ..base.clone() },
            ModelConfig { layer_norm: true, attention: Attention::None, ..base },
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

    fn packed(networks: Vec<Network>) -> Engine {
        Engine::Packed { networks, shortlist: None }
    }

    fn engines(config: &ModelConfig) -> [Engine; 2] {
        let device = Device::flex();
        let settings = ModelSettings { config: config.clone(), source_words: WORDS, target_words: WORDS };
        let mut parameters = parameters(&RnnSearch::new(&settings, 5, &device));
        // Biases that are not 0, and gains that are not 1, each in its own way.
        for (number, (name, (shape, values))) in parameters.iter_mut().enumerate() {
            if let [_] = shape.as_slice() {
                let middle = if name.ends_with("gain") { 1.0 } else { 0.0 };
                values
                    .iter_mut()
                    .enumerate()
                    .for_each(|(at, value)| *value = middle + 0.3 * ((7 * number + at) as f32).sin());
            }
        }
        let network = load_parameters(RnnSearch::blank(&settings, &device), parameters.clone()).expect("its own");
        let views = parameters
            .iter()
            .map(|(name, (shape, values))| (name.as_str(), Parameter::from((&shape[..], &values[..]))));
        let packed = packed(vec![Network::new(&views.collect(), config.reset, false)]);
        [Engine::Plain { networks: vec![(network, config.clone())], device }, packed]
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
    fn a_beam_finds_nothing_worse_than_greedy_search() {
        let sources = sentences(40, 2);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let constraints = vec![Constraints::default(); sources.len()];
        let constraints: Vec<&Constraints> = constraints.iter().collect();
        for config in &kinds()[..5] {
            let [_, packed] = engines(config);
            let found = |beam_size: usize, stop: StopRule| {
                let usual = TranslateOptions::from(&TranslationConfig::default()).search;
                search(&packed, &sources, &constraints, &SearchOptions { beam_size, stop, ..usual })
            };
            let greedy = found(1, StopRule::Beam);
            for (beam_size, stop) in
                [(2, StopRule::Beam), (3, StopRule::Beam), (5, StopRule::Beam), (3, StopRule::Best)]
            {
                for (greedy, beam) in greedy.iter().zip(found(beam_size, stop)) {
                    assert!(!greedy[0].finished || beam[0].finished && beam[0].score >= greedy[0].score, "{beam_size}");
                }
            }
        }
    }

    /// A model large enough to have its words screened.
    #[test]
    fn words_are_the_same_without_scores() {
        let config = ModelConfig { readout: 24, ..kinds()[0].clone() };
        let words = 1500;
        let settings = ModelSettings { config: config.clone(), source_words: WORDS, target_words: words };
        let mut parameters = parameters(&RnnSearch::new(&settings, 5, &Device::flex()));
        let (_, bias) = parameters.get_mut("output.bias").expect("a bias");
        bias.iter_mut().enumerate().for_each(|(word, bias)| *bias = (word as f32 * 0.7).sin());
        let views = parameters
            .iter()
            .map(|(name, (shape, values))| (name.as_str(), Parameter::from((&shape[..], &values[..]))));
        let engine = packed(vec![Network::new(&views.collect(), config.reset, false)]);
        let sources = sentences(11, 4);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let units = Units::writing((0..words).map(|word| format!(" {word}").into_bytes()).collect());
        let forbidden = Forbidden::new(["700", "701"], Arc::new(units));
        let forbidden = Constraints { forbidden, prefix: vec![9, 12], ..Constraints::default() };
        let constraints: Vec<Constraints> =
            (0..11).map(|i| if i % 3 == 0 { forbidden.clone() } else { Constraints::default() }).collect();
        let constraints: Vec<&Constraints> = constraints.iter().collect();
        let usual = TranslateOptions::from(&TranslationConfig::default()).search;
        let usual = SearchOptions { beam_size: 1, no_repeat_ngram: 2, ..usual };
        let found = |scores| search(&engine, &sources, &constraints, &SearchOptions { scores, ..usual.clone() });
        let (with, without) = (found(true), found(false));
        let alone = |i: usize| {
            search(&engine, &sources[i..=i], &constraints[i..=i], &SearchOptions { scores: false, ..usual.clone() })
                .remove(0)
        };
        for (i, (with, without)) in with.iter().zip(&without).enumerate() {
            for without in [without, &alone(i)] {
                assert_eq!(with[0].ids, without[0].ids);
                assert!(with[0].alignment == without[0].alignment);
                assert!(without[0].score.is_nan() && with[0].score.is_finite());
            }
        }
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let ids = |found: &[Vec<Hypothesis>]| found.iter().map(|found| found[0].ids.clone()).collect::<Vec<_>>();
            assert_eq!(ids(&pool.install(|| found(false))), ids(&with));
        }
    }

    #[test]
    fn engines_find_the_same_translations_whatever_the_company() {
        let sources = sentences(9, 1);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        for (config, beam_size) in kinds().into_iter().zip([1, 5, 3, 2, 4, 5, 3, 5, 2, 4, 1, 5, 3]) {
            let mut options = TranslateOptions::from(&TranslationConfig::default()).search;
            (options.beam_size, options.max_ratio, options.max_extra) = (beam_size, 1.5, 3);
            let free = Constraints::default();
            let search = |engine: &Engine, sources: &[&[u32]], options: &SearchOptions| {
                search(engine, sources, &vec![&free; sources.len()], options)
            };
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

    /// The engine for any kind.
    fn plain(config: &ModelConfig) -> Engine {
        let settings = ModelSettings { config: config.clone(), source_words: WORDS, target_words: WORDS };
        let device = Device::flex();
        Engine::Plain { networks: vec![(RnnSearch::new(&settings, 5, &device), config.clone())], device }
    }

    /// That the second word looks at the first alone, the third not at it, the fourth not at the second, if they are there.
    fn assert_steered(sources: &[&[u32]], found: &[Vec<crate::Hypothesis>], begins: impl Fn(u32) -> bool) {
        for (source, hypothesis) in sources.iter().zip(found).flat_map(|(s, all)| all.iter().map(move |h| (s, h))) {
            let mut words = 0;
            for (position, (&word, row)) in hypothesis.ids.iter().zip(&hypothesis.alignment).enumerate() {
                words += usize::from(position == 0 || begins(word));
                match words - 1 {
                    1 if source.len() > 1 => assert!(row[0] == 1.0 && row[1..].iter().all(|weight| *weight == 0.0)),
                    2 if source.len() > 1 => assert_eq!(row[0], 0.0),
                    3 if source.len() > 2 => assert_eq!(row[1], 0.0),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn engines_look_where_they_are_told() {
        let sources = sentences(9, 1);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let begins = |word: u32| !word.is_multiple_of(3);
        let units = Arc::new(Units::beginning((0..WORDS as u32).map(begins).collect()));
        // The second word looks at the first, the third not at it, the fourth not at the second; if they are there.
        let link = |source, target| Link { source, target };
        let (pinned, avoided) = ([link(0, 1)], [link(0, 2), link(1, 3)]);
        let steered = |source: &&[u32]| {
            let tokens: Vec<_> = (0..source.len() - 1).map(|token| token..token + 1).collect();
            let steering = Steering::new((&pinned, &avoided), &tokens, &tokens, Arc::clone(&units));
            Constraints { steering, ..Constraints::default() }
        };
        let constraints: Vec<Constraints> = sources.iter().map(steered).collect();
        let constraints: Vec<&Constraints> = constraints.iter().collect();
        let mut options = TranslateOptions::from(&TranslationConfig::default()).search;
        (options.beam_size, options.max_ratio, options.max_extra) = (4, 1.5, 3);
        for config in kinds().iter().filter(|config| config.attention != Attention::None) {
            let [plain, packed] = engines(config);
            let found = search(&packed, &sources, &constraints, &options);
            for (plain, packed) in search(&plain, &sources, &constraints, &options).iter().zip(&found) {
                assert_eq!(plain.len(), packed.len());
                for (a, b) in plain.iter().zip(packed) {
                    assert!(a.ids == b.ids && close(a.score, b.score), "{a:?} {b:?}");
                }
            }
            assert_steered(&sources, &found, begins);
            assert!(found.iter().flatten().all(|hypothesis| hypothesis.alignment[0][0] > 0.0));
        }
        for attention in [
            Attention::NormedAdditive,
            Attention::Dot,
            Attention::ScaledDot,
            Attention::General,
            Attention::Concat,
            Attention::Cosine,
            Attention::Location,
            Attention::LocalM,
            Attention::Hard,
            Attention::MultiHead,
            Attention::Hops,
            Attention::Sparsemax,
            Attention::Coverage,
        ] {
            assert!(attention.can_be_steered());
            let mut config = ModelConfig { attention, decoder_hidden: 34, attention_hidden: 8, ..kinds()[0].clone() };
            // Smaller than the way to a word that is pinned.
            config.attention_options.window = 1;
            let plain = plain(&config);
            assert_steered(&sources, &search(&plain, &sources, &constraints, &options), begins);
        }
    }

    /// What attention and input feeding know of the steps before goes with the hypotheses.
    #[test]
    fn what_was_found_is_what_is_forced() {
        let sources = sentences(9, 1);
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let mut options = TranslateOptions::from(&TranslationConfig::default()).search;
        (options.beam_size, options.max_ratio, options.max_extra) = (4, 1.5, 3);
        for (attention, decoder, input_feeding) in [
            (Attention::Coverage, Decoder::Gru, false),
            (Attention::Coverage, Decoder::Conditional, true),
            (Attention::Monotonic, Decoder::Gru, false),
            (Attention::LocalM, Decoder::Conditional, false),
        ] {
            let plain = plain(&ModelConfig { attention, decoder, input_feeding, ..kinds()[0].clone() });
            let found = search(&plain, &sources, &vec![&Constraints::default(); sources.len()], &options);
            for (&source, hypothesis) in sources.iter().zip(&found).flat_map(|(s, all)| all.iter().map(move |h| (s, h)))
            {
                let target: Vec<u32> = hypothesis.ids.iter().copied().chain([EOS]).collect();
                let forced = force(&plain, &[(source, &target)]).remove(0);
                let told = hypothesis.token_log_probs.iter().zip(&forced.token_log_probs);
                let looked = hypothesis.alignment.iter().flatten().zip(forced.alignment.iter().flatten());
                for (found, forced) in told.chain(looked) {
                    assert!(close(f64::from(*found), f64::from(*forced)), "{attention:?}: {found} {forced}");
                }
            }
        }
    }

    #[test]
    fn operations_are_those_counted_by_hand() {
        let config = kinds()[0].clone();
        let [plain, packed] = engines(&config);
        let (source, target) = ([9, 8, 10, EOS], [12, 11, EOS]);
        for engine in [&plain, &packed] {
            force(engine, &[(&source[..], &target[..])]);
        }
        let (m, h, n, a, l) = (9, 17, 20, 7, 9);
        let gru = |input: u64, n: u64| 3 * n * (input + n);
        let source = 4 * (2 * gru(m, h) + 2 * h * (a + 3 * n + 2 * l)) + h * n;
        let step = gru(m, n) + n * a + 2 * l * (n + m) + l * WORDS as u64;
        assert_eq!((plain.operations(), packed.operations()), (None, Some(2 * (source + 3 * step))));
    }

    #[test]
    fn networks_together_say_the_mean() {
        let network = |config: &ModelConfig, seed: u64| {
            let settings = ModelSettings { config: config.clone(), source_words: WORDS, target_words: WORDS };
            let parameters = parameters(&RnnSearch::new(&settings, seed, &Device::flex()));
            let views = parameters
                .iter()
                .map(|(name, (shape, values))| (name.as_str(), Parameter::from((&shape[..], &values[..]))));
            Network::new(&views.collect(), config.reset, false)
        };
        let kinds = kinds();
        let (sources, targets) = (sentences(5, 0), sentences(5, 3));
        let pairs: Vec<(&[u32], &[u32])> = sources.iter().zip(&targets).map(|(s, t)| (&s[..], &t[..])).collect();
        let alone = |config: &ModelConfig, seed| force(&packed(vec![network(config, seed)]), &pairs);
        let twice = packed(vec![network(&kinds[0], 1), network(&kinds[0], 1)]);
        assert!(force(&twice, &pairs) == alone(&kinds[0], 1), "twice the same is the same");
        // The last has no attention: alignments are those of the others.
        let three = packed(vec![network(&kinds[0], 1), network(&kinds[1], 2), network(&kinds[2], 3)]);
        let members = [alone(&kinds[0], 1), alone(&kinds[1], 2), alone(&kinds[2], 3)];
        for (pair, found) in force(&three, &pairs).iter().enumerate() {
            for (i, log_prob) in found.token_log_probs.iter().enumerate() {
                let mean: f32 = members.iter().map(|member| member[pair].token_log_probs[i] / 3.0).sum();
                assert!(close(f64::from(mean), f64::from(*log_prob)), "{mean} {log_prob}");
                for (j, weight) in found.alignment[i].iter().enumerate() {
                    let mean = (members[0][pair].alignment[i][j] + members[1][pair].alignment[i][j]) / 2.0;
                    assert!(close(f64::from(mean), f64::from(*weight)), "{mean} {weight}");
                }
            }
        }
    }

    /// A small network over few words, and what it thinks of a translation's words and its end.
    fn tiny(seed: u64) -> Engine {
        let settings = ModelSettings { config: kinds()[0].clone(), source_words: WORDS, target_words: FEW };
        let parameters = parameters(&RnnSearch::new(&settings, seed, &Device::flex()));
        // Louder, or all words would be as good.
        let louder: Vec<Vec<f32>> = parameters.values().map(|(_, v)| v.iter().map(|v| 3.0 * v).collect()).collect();
        let shapes = parameters.iter().zip(&louder);
        let views =
            shapes.map(|((name, (shape, _)), values)| (name.as_str(), Parameter::from((&shape[..], &values[..]))));
        packed(vec![Network::new(&views.collect(), Reset::After, false)])
    }

    /// Words of the target vocabulary: those from 4 on, and UNK, can stand in a translation.
    const FEW: usize = 9;

    fn writable() -> impl Iterator<Item = u32> + Clone {
        (0..FEW as u32).filter(|word| ![PAD, BOS, EOS].contains(word))
    }

    fn thinks(engine: &Engine, source: &[u32], words: &[u32]) -> f64 {
        force(engine, &[(source, words)])[0].log_prob()
    }

    #[test]
    fn a_wide_beam_finds_what_trying_everything_finds() {
        let source = &sentences(1, 4)[0][..];
        for (seed, length_penalty) in [(1, 0.0), (2, 1.0), (3, 0.5), (4, 2.0)] {
            let engine = tiny(seed);
            let mut options = TranslateOptions::from(&TranslationConfig::default()).search;
            (options.beam_size, options.max_ratio, options.max_extra) = (500, 0.0, 3);
            options.ranking.length_penalty = length_penalty;
            let mut all: Vec<Vec<u32>> = vec![Vec::new()];
            all.extend(writable().map(|word| vec![word]));
            all.extend(writable().flat_map(|first| writable().map(move |second| vec![first, second])));
            let score = |words: &Vec<u32>| {
                let ended: Vec<u32> = words.iter().copied().chain([EOS]).collect();
                options.ranking.score(thinks(&engine, source, &ended), ended.len(), 0.0)
            };
            let best = all.iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
            for stop in [StopRule::Beam, StopRule::Best] {
                options.stop = stop;
                let found = &search(&engine, &[source], &[&Constraints::default()], &options)[0];
                assert!(found[0].ids == *best && close(found[0].score, score(best)), "{found:?}");
            }
            options.stop = StopRule::Beam;
            let finished = search(&engine, &[source], &[&Constraints::default()], &options).remove(0);
            assert_eq!(finished.iter().filter(|hypothesis| hypothesis.finished).count(), all.len(), "all are found");
        }
    }

    #[test]
    fn a_beam_of_one_takes_the_best_word_each_time() {
        for (seed, source) in (1..).zip(sentences(6, 2)) {
            let engine = tiny(seed);
            let mut options = TranslateOptions::from(&TranslationConfig::default()).search;
            (options.beam_size, options.max_ratio, options.max_extra) = (1, 0.0, 6);
            let mut words: Vec<u32> = Vec::new();
            while words.len() < 6 && words.last() != Some(&EOS) {
                let with = |word: u32| words.iter().copied().chain([word]).collect::<Vec<u32>>();
                let log_prob = |word: &u32| thinks(&engine, &source, &with(*word));
                let next = writable().chain([EOS]).max_by(|a, b| log_prob(a).total_cmp(&log_prob(b))).unwrap();
                words = with(next);
            }
            words.retain(|word| *word != EOS);
            assert_eq!(search(&engine, &[&source], &[&Constraints::default()], &options)[0][0].ids, words);
        }
    }
}
