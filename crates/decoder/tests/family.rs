//! Every kind of attention in every decoder: what has to hold whatever the formula.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use rnnsearch_config::{AgreementForm, Attention, AttentionOptions, Decoder, Initialization, ModelConfig};
use rnnsearch_decoder::{
    AlignmentTerms, Batch, Gradient, ModelSettings, Objective, RnnSearch, Source, Values, load_parameters, parameters,
};
use rnnsearch_kernels::Dropout;
use rnnsearch_kernels::device::DeviceName;

const WORDS: usize = 12;
const BOS: i32 = 2;
const PAD: i32 = 0;

const KINDS: [Attention; 17] = [
    Attention::Additive,
    Attention::NormedAdditive,
    Attention::Dot,
    Attention::ScaledDot,
    Attention::General,
    Attention::Concat,
    Attention::Cosine,
    Attention::Location,
    Attention::LocalM,
    Attention::LocalP,
    Attention::Hard,
    Attention::Monotonic,
    Attention::MultiHead,
    Attention::Hops,
    Attention::Sparsemax,
    Attention::Coverage,
    Attention::None,
];

/// A small model of a kind; sizes are such that all kinds are possible.
fn config(attention: Attention) -> ModelConfig {
    ModelConfig {
        attention,
        embedding: 4,
        encoder_hidden: 3,
        decoder_hidden: 6,
        attention_hidden: 4,
        readout: 5,
        initialization: Initialization::Xavier,
        // So small that some sources reach beyond.
        attention_options: AttentionOptions {
            heads: 2,
            hops: 3,
            window: 1,
            positions: 4,
            ..AttentionOptions::default()
        },
        ..ModelConfig::default()
    }
}

/// Each kind, in each decoder, with and without input feeding and layer normalisation, with one layer and two.
fn configs() -> impl Iterator<Item = ModelConfig> {
    let decoders =
        [(Decoder::Gru, false), (Decoder::Conditional, false), (Decoder::Gru, true), (Decoder::Conditional, true)];
    let decoders = decoders.map(|(decoder, feeding)| [(decoder, feeding, false), (decoder, feeding, true)]);
    let of_kind = move |kind: Attention| {
        (1..).zip(decoders.into_iter().flatten()).map(move |(number, (decoder, input_feeding, layer_norm))| {
            // Three numbers that are normalised have little left to say, and bend much.
            let [encoder_hidden, decoder_hidden] = if layer_norm { [8, 16] } else { [3, 6] };
            let decoder_layers = 1 + number / 2 % 2;
            let base = config(kind);
            ModelConfig { decoder, input_feeding, layer_norm, encoder_hidden, decoder_hidden, decoder_layers, ..base }
        })
    };
    KINDS.into_iter().flat_map(of_kind)
}

fn settings(config: &ModelConfig) -> ModelSettings {
    ModelSettings { config: config.clone(), source_words: WORDS, target_words: WORDS }
}

/// Weights large enough that alignments are not flat.
fn loud(config: &ModelConfig) -> BTreeMap<String, Values> {
    let mut all = parameters(&RnnSearch::new(&settings(config), 7, &Device::flex()));
    all.values_mut().flat_map(|(_, values)| values).for_each(|value| *value *= 2.0);
    all
}

fn model(config: &ModelConfig, device: &Device) -> RnnSearch {
    load_parameters(RnnSearch::blank(&settings(config), device), loud(config)).unwrap()
}

/// Pairs of very different lengths.
fn pairs() -> Vec<(Vec<i32>, Vec<i32>)> {
    let words = |count: i32, salt: i32| (0..count).map(|i| 4 + (i * 5 + salt) % (WORDS as i32 - 4)).collect();
    [(6, 3), (1, 5), (4, 1)]
        .into_iter()
        .map(|(source, target)| (words(source, target), words(target, source)))
        .collect()
}

/// Padded and time-major.
fn padded(sentences: &[Vec<i32>]) -> (Vec<i32>, Vec<usize>) {
    let lengths: Vec<usize> = sentences.iter().map(Vec::len).collect();
    let longest = *lengths.iter().max().unwrap();
    let at = |position: usize| sentences.iter().map(move |words| words.get(position).copied().unwrap_or(PAD));
    ((0..longest).flat_map(at).collect(), lengths)
}

fn source(pairs: &[(Vec<i32>, Vec<i32>)], device: &Device) -> Source {
    let (ids, lengths) = padded(&pairs.iter().map(|(source, _)| source.clone()).collect::<Vec<_>>());
    Source::new(&ids, &lengths, device)
}

fn batch(pairs: &[(Vec<i32>, Vec<i32>)], device: &Device) -> Batch {
    let targets: Vec<Vec<i32>> = pairs.iter().map(|(_, target)| target.clone()).collect();
    let before = |words: &Vec<i32>| [vec![BOS], words[..words.len() - 1].to_vec()].concat();
    let previous = padded(&targets.iter().map(before).collect::<Vec<_>>()).0;
    let (ids, lengths) = padded(&targets);
    Batch::new(source(pairs, device), &previous, &ids, &lengths, device)
}

/// An objective with every term that asks something of the alignments.
fn taught(agreement_form: AgreementForm) -> Objective {
    let alignment = AlignmentTerms {
        guided: 0.7,
        coverage: 0.4,
        doubly_stochastic: 0.3,
        entropy: 0.2,
        agreement: 0.6,
        agreement_form,
    };
    Objective { smoothing: 0.1, consistency: 0.0, alignment }
}

/// A batch where word i of each target is linked to word i of the source, if it has so many, and another model tells most of its weights.
fn guided(pairs: &[(Vec<i32>, Vec<i32>)], device: &Device) -> Batch {
    let longest = |side: fn(&(Vec<i32>, Vec<i32>)) -> usize| pairs.iter().map(side).max().unwrap();
    let (src_len, tgt_len) = (longest(|pair| pair.0.len()), longest(|pair| pair.1.len()));
    let mut guide = vec![0.0; tgt_len * pairs.len() * src_len];
    for (row, (source, target)) in pairs.iter().enumerate() {
        (0..source.len().min(target.len())).for_each(|i| guide[(i * pairs.len() + row) * src_len + i] = 1.0);
    }
    let is_real = |i: usize, row: usize, j: usize| i < pairs[row].1.len() && j < pairs[row].0.len();
    let weight = |place: usize| {
        let (i, row, j) = (place / src_len / pairs.len(), place / src_len % pairs.len(), place % src_len);
        (is_real(i, row, j) && (i + 2 * j) % 5 != 1).then(|| ((3 * i + 5 * j + row) % 7) as f32 / 6.0)
    };
    let other: Vec<Option<f32>> = (0..guide.len()).map(weight).collect();
    batch(pairs, device).guided(guide, device).agreeing(&other, device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// log p of each target word and the alignment it was written with, step by step.
fn steps(model: &RnnSearch, config: &ModelConfig, pairs: &[(Vec<i32>, Vec<i32>)]) -> Vec<Vec<(f32, Vec<f32>)>> {
    let mut state = model.start(&source(pairs, &Device::flex()), config);
    let mut all = vec![Vec::new(); pairs.len()];
    for position in 0..pairs.iter().map(|(_, target)| target.len()).max().unwrap() {
        let before = |(_, target): &(Vec<i32>, Vec<i32>)| match position {
            0 => BOS as u32,
            _ => target.get(position - 1).copied().unwrap_or(PAD) as u32,
        };
        let step = model.step(&state, &pairs.iter().map(before).collect::<Vec<_>>(), config);
        state = step.state;
        let log_probs = values(step.log_probs);
        let alignment = step.alignment.map(values).unwrap_or_default();
        let src_len = alignment.len() / pairs.len();
        for (row, (source, target)) in pairs.iter().enumerate().filter(|(_, (_, target))| position < target.len()) {
            let weights = &alignment[row * src_len..][..src_len];
            assert!(weights.iter().skip(source.len()).all(|weight| *weight == 0.0), "{config:?}: weight at padding");
            let weights = weights.iter().take(source.len()).copied().collect();
            all[row].push((log_probs[row * WORDS + target[position] as usize], weights));
        }
    }
    all
}

fn assert_close(what: &str, given: f32, expected: f32) {
    assert!((given - expected).abs() <= 2e-5 * (1.0 + expected.abs()), "{what}: {given} instead of {expected}");
}

#[test]
fn a_sentence_gives_the_same_alone_as_in_any_batch() {
    for config in configs() {
        let (model, pairs) = (model(&config, &Device::flex()), pairs());
        for (pair, together) in pairs.iter().zip(steps(&model, &config, &pairs)) {
            let alone = steps(&model, &config, std::slice::from_ref(pair)).remove(0);
            for ((a, weights), (b, others)) in alone.iter().zip(&together) {
                assert_close(&format!("{config:?}"), *b, *a);
                assert_eq!(weights.len(), others.len());
                weights.iter().zip(others).for_each(|(a, b)| assert_close(&format!("{config:?}"), *b, *a));
            }
        }
    }
}

#[test]
fn known_targets_give_what_steps_give() {
    for config in configs() {
        let pairs = pairs();
        let of_steps = steps(&model(&config, &Device::flex()), &config, &pairs).into_iter().flatten();
        let expected = -of_steps.map(|(log_prob, _)| log_prob).sum::<f32>();
        for device in [DeviceName::Flex, DeviceName::NdArray].map(|name| name.open().unwrap()) {
            let loss = model(&config, &device).loss(&batch(&pairs, &device), &config, &Objective::default(), None);
            assert_close(&format!("{config:?}"), values(loss.nats)[0], expected);
        }
    }
}

#[test]
fn alignments_are_distributions_where_they_should_be() {
    for config in configs().filter(|config| config.attention != Attention::None) {
        let (model, pairs) = (model(&config, &Device::flex()), pairs());
        let may_be_less = matches!(config.attention, Attention::LocalP | Attention::Monotonic);
        for (_, weights) in steps(&model, &config, &pairs).into_iter().flatten() {
            let sum: f32 = weights.iter().sum();
            let right = if may_be_less { sum < 1.00001 } else { (sum - 1.0).abs() < 1e-5 };
            assert!(right && weights.iter().all(|weight| *weight >= 0.0), "{:?}: {weights:?}", config.attention);
        }
    }
}

/// The general loop is what the fused kernels compute: `concat` with W = [W_a ; U_a] is `additive`, in both decoders.
#[test]
fn the_general_loop_agrees_with_the_fused_kernels() {
    for (decoder, layer_norm) in
        [Decoder::Gru, Decoder::Conditional].into_iter().flat_map(|decoder| [(decoder, false), (decoder, true)])
    {
        let [additive, concat] =
            [Attention::Additive, Attention::Concat].map(|kind| ModelConfig { decoder, layer_norm, ..config(kind) });
        let device = Device::flex().autodiff();
        let mut joined = loud(&additive);
        let [(query, mut weight), (key, more)] =
            ["query", "key"].map(|name| joined.remove(&format!("attention.{name}_weight")).unwrap());
        weight.extend(more);
        joined.insert("attention.weight".into(), (vec![query[0] + key[0], query[1]], weight));
        let of_concat = load_parameters(RnnSearch::blank(&settings(&concat), &device), joined).unwrap();
        let of_additive = model(&additive, &device);
        let batch = guided(&pairs(), &device);
        let random = || Dropout::new(3, 5);
        let losses = [
            of_additive.loss(&batch, &additive, &taught(AgreementForm::Product), Some(&mut random())),
            of_concat.loss(&batch, &concat, &taught(AgreementForm::Product), Some(&mut random())),
        ];
        let nats = losses.each_ref().map(|loss| values(loss.nats.clone())[0]);
        assert_close("loss", nats[1], nats[0]);
        let [of_fused, of_plain] = losses.each_ref().map(|loss| values(loss.alignment.clone().unwrap())[0]);
        assert_close("alignment loss", of_plain, of_fused);
        let [fused, plain] = [losses[0].gradients(&of_additive, 1), losses[1].gradients(&of_concat, 1)];
        let dense = |gradient: &Gradient| match gradient {
            Gradient::Dense(all) => values(all.clone()),
            Gradient::Rows { values: rows, .. } => values(rows.clone()),
        };
        for (name, gradient) in fused.iter().filter(|(name, _)| !name.starts_with("attention.")) {
            for (a, b) in dense(gradient).into_iter().zip(dense(&plain[name])) {
                assert_close(name, b, a);
            }
        }
        let both = ["query", "key"].map(|name| dense(&fused[&format!("attention.{name}_weight")])).concat();
        let weight = dense(&plain["attention.weight"]);
        assert_eq!(both.len(), weight.len());
        both.into_iter().zip(weight).for_each(|(a, b)| assert_close("W", b, a));
    }
}

/// Along a random direction of all parameters, with dropout and noise. What `hard` learns from its draws is not the slope of what came
/// of them, so that it is taken as it is used.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex().autodiff();
    let batch = guided(&pairs(), &device);
    let forms = [AgreementForm::Product, AgreementForm::Difference].into_iter().cycle();
    for (mut config, form) in configs().zip(forms) {
        (config.dropout.recurrent, config.dropout.hidden) = (0.2, 0.2);
        let loss = |model: &RnnSearch| {
            let mut dropout = (config.attention != Attention::Hard).then(|| Dropout::new(3, 5));
            model.loss(&batch, &config, &taught(form), dropout.as_mut())
        };
        let begin = model(&config, &device);
        let all = loud(&config);
        let direction = |name: &str, i: usize| ((i * 7919 + name.len() * 104_729) % 13) as f32 / 6.0 - 1.0;
        let mut slope = 0.0;
        for (name, gradient) in loss(&begin).gradients(&begin, 1) {
            let width = all[&name].0.last().copied().unwrap();
            let (places, given): (Vec<usize>, Vec<f32>) = match gradient {
                Gradient::Dense(all) => (0..).zip(values(all)).unzip(),
                Gradient::Rows { rows, values: given } => {
                    let places = rows.into_iter().flat_map(|row| row * width..(row + 1) * width);
                    places.zip(values(given)).unzip()
                }
            };
            slope += places.iter().zip(given).map(|(&i, g)| f64::from(g * direction(&name, i))).sum::<f64>();
        }
        let moved = |by: f32| {
            let mut moved = all.clone();
            for (name, (_, values)) in &mut moved {
                values.iter_mut().enumerate().for_each(|(i, value)| *value += by * direction(name, i));
            }
            let model = load_parameters(RnnSearch::blank(&settings(&config), &device), moved).unwrap();
            let loss = loss(&model);
            f64::from(values(loss.nats)[0] + loss.alignment.map_or(0.0, |nats| values(nats)[0]))
        };
        // A step small enough for the curve, and for the next kink of a maxout; smaller ones lose more to rounding.
        let difference = |epsilon: f32| (moved(epsilon) - moved(-epsilon)) / (2.0 * f64::from(epsilon));
        let mut differences = [3e-4, 1e-4, 3e-5].into_iter().map(difference);
        let is_slope = |difference: f64| (difference - slope).abs() < 0.02 * slope.abs().max(1.0);
        assert!(differences.any(is_slope), "{config:?}: {slope} is not the slope");
    }
}

/// All weights of a kind have a part in what it does.
#[test]
fn every_weight_learns() {
    let device = Device::flex().autodiff();
    for config in configs() {
        let model = model(&config, &device);
        let loss = model.loss(&batch(&pairs(), &device), &config, &Objective::default(), Some(&mut Dropout::new(3, 4)));
        let mut learning = loss.gradients(&model, 1);
        for (name, _) in parameters(&model) {
            let gradient = learning.remove(&name);
            let moves = gradient.is_some_and(|gradient| match gradient {
                Gradient::Dense(all) => values(all).iter().any(|g| *g != 0.0),
                Gradient::Rows { values: rows, .. } => values(rows).iter().any(|g| *g != 0.0),
            });
            assert_eq!(moves, name != "attention.baseline", "{name} of {config:?}");
        }
    }
}

#[test]
fn the_baseline_is_the_moving_average_of_rewards() {
    let config = config(Attention::Hard);
    let device = Device::flex().autodiff();
    let mut model = model(&config, &device);
    let batch = batch(&pairs(), &device);
    let mut expected = 0.0;
    for update in 0..3 {
        let loss = model.loss(&batch, &config, &Objective::default(), Some(&mut Dropout::new(1, update)));
        // Unsmoothed, the loss is what the rewards sum up to.
        expected = 0.9 * expected - 0.1 * values(loss.nats.clone())[0] / batch.target_tokens as f32;
        model = model.rewarded(&loss);
        assert_close("baseline", parameters(&model)["attention.baseline"].1[0], expected);
    }
}
