//! RNNsearch: encoder, attention, decoder and readout together.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::log_softmax;
use rnnsearch_config::{Attention as AttentionKind, ModelConfig};
use rnnsearch_encoder::init::Init;
use rnnsearch_encoder::{Annotations, Encoder, Gru};
use rnnsearch_kernels::{Dropout, Padding, output_loss};

use crate::Attention;
use crate::Objective;
use crate::embedding::{Ids, Lookups, Loss, rows_of};
use crate::readout::Readout;
use crate::recurrent::{AttendingLayer, Seen, upper_sequence, upper_step};

/// The names of the embedding tables among the parameters.
const SOURCE_EMBEDDING: &str = "source_embedding";
const TARGET_EMBEDDING: &str = "target_embedding";

/// The shape of a model: its settings and the sizes of its vocabularies.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// The shape of the network.
    pub config: ModelConfig,
    /// Words of the source vocabulary.
    pub source_words: usize,
    /// Words of the target vocabulary.
    pub target_words: usize,
}

/// The whole model. It holds weights alone; settings come with every call, in [`ModelSettings`].
#[derive(Module, Debug)]
pub struct RnnSearch {
    /// Embeddings of the source words, `[source_words, m]`.
    source_embedding: Param<Tensor<2>>,
    /// Embeddings of the target words, `[target_words, m]`; none where the source's are shared.
    target_embedding: Option<Param<Tensor<2>>>,
    encoder: Encoder,
    /// What the decoder layers start from.
    bridge: Vec<Bridge>,
    attention: Option<Attention>,
    decoder: AttendingLayer,
    /// Decoder layers above the first.
    upper: Vec<Gru>,
    readout: Readout,
    /// W_o, `[l, target_words]`; none where it is tied to the target embeddings.
    output_weight: Option<Param<Tensor<2>>>,
    /// b_o, `[target_words]`.
    output_bias: Param<Tensor<1>>,
}

/// s_0 = tanh(W_s h←_1 + b_s) of one decoder layer.
#[derive(Module, Debug)]
struct Bridge {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// A padded batch of source sentences on a device.
#[derive(Clone, Debug)]
pub struct Source {
    ids: Ids,
    padding: Padding,
}

/// A padded batch of sentence pairs on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The source sentences.
    pub source: Source,
    previous: Ids,
    padding: Padding,
    /// Of the flattened `[tgt_len, batch]` target positions, those that are real.
    real: Tensor<1, Int>,
    /// The words at those positions.
    targets: Tensor<1, Int>,
    /// The number of real target tokens.
    pub target_tokens: usize,
    /// What guided alignment teaches, `[tgt_len, batch, src_len]`.
    guide: Option<Tensor<3>>,
}

/// The state of the decoder between two steps: one tensor `[rows, n]` a layer.
#[derive(Clone, Debug)]
pub struct DecoderState {
    layers: Vec<Tensor<2>>,
    seen: Seen,
}

/// What a decoder step gives.
#[derive(Debug)]
pub struct Step {
    /// The state after the step.
    pub state: DecoderState,
    /// log p(y_i) of every target word, `[rows, target_words]`.
    pub log_probs: Tensor<2>,
    /// α_i, `[rows, src_len]`; none in a model without attention.
    pub alignment: Option<Tensor<2>>,
}

impl Source {
    /// Puts padded ids `[src_len, batch]`, row by row, on a device.
    pub fn new(ids: &[i32], lengths: &[usize], device: &Device) -> Self {
        let src_len = ids.len() / lengths.len();
        Self { ids: Ids::new(ids, lengths.len(), device), padding: Padding::new(lengths, src_len, device) }
    }
}

impl Batch {
    /// Puts a batch on a device. All ids are padded, time-major `[len, batch]`, row by row: `previous` is y_{i-1}, starting
    /// with `<s>`, and `targets` is y_i, ending with `</s>`; `target_lengths` counts the real entries of each sentence.
    pub fn new(source: Source, previous: &[i32], targets: &[i32], target_lengths: &[usize], device: &Device) -> Self {
        let batch = target_lengths.len();
        let tgt_len = targets.len() / batch;
        let is_real = |flat: &usize| flat / batch < target_lengths[flat % batch];
        let real: Vec<i32> = (0..targets.len()).filter(is_real).map(|flat| flat as i32).collect();
        let words: Vec<i32> = real.iter().map(|&flat| targets[flat as usize]).collect();
        Self {
            source,
            previous: Ids::new(previous, batch, device),
            padding: Padding::new(target_lengths, tgt_len, device),
            target_tokens: real.len(),
            targets: integers(&words, [words.len()], device),
            real: integers(&real, [real.len()], device),
            guide: None,
        }
    }

    /// With what guided alignment teaches: for each target position a distribution over the source positions, or zeros,
    /// `[tgt_len, batch, src_len]`, row by row.
    pub fn guided(self, guide: Vec<f32>, device: &Device) -> Self {
        let [tgt_len, batch] = [self.previous.len(), self.padding.lengths().len()];
        let src_len = guide.len() / (tgt_len * batch);
        let guide = Tensor::from_data(TensorData::new(guide, [tgt_len, batch, src_len]), device);
        Self { guide: Some(guide), ..self }
    }
}

impl DecoderState {
    /// Row `rows[i]` of this state becomes row `i`: reorders, repeats and drops hypotheses together with their sources.
    pub fn select(&self, rows: &[usize]) -> Self {
        let index = self.index(rows);
        Self { layers: self.selected(&index), seen: self.seen.select(&index) }
    }

    /// Like [`select`](Self::select), where every row keeps the source it had: only the states move.
    pub fn select_states(&self, rows: &[usize]) -> Self {
        Self { layers: self.selected(&self.index(rows)), seen: self.seen.clone() }
    }

    fn index(&self, rows: &[usize]) -> Tensor<1, Int> {
        let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        integers(&rows, [rows.len()], &self.layers[0].device())
    }

    fn selected(&self, index: &Tensor<1, Int>) -> Vec<Tensor<2>> {
        self.layers.iter().map(|state| state.clone().select(0, index.clone())).collect()
    }
}

impl RnnSearch {
    /// A model with weights drawn from `seed`.
    pub fn new(settings: &ModelSettings, seed: u64, device: &Device) -> Self {
        Self::with_init(settings, &mut Init::new(seed, settings.config.initialization, device))
    }

    /// A model whose weights are all 0, to be filled by [`load_parameters`](crate::load_parameters).
    pub fn blank(settings: &ModelSettings, device: &Device) -> Self {
        Self::with_init(settings, &mut Init::blank(device))
    }

    fn with_init(settings: &ModelSettings, init: &mut Init) -> Self {
        let config = &settings.config;
        let n = config.decoder_hidden;
        let context = context_size(config);
        Self {
            source_embedding: init.embedding(settings.source_words, config.embedding),
            target_embedding: (!config.share_embeddings)
                .then(|| init.embedding(settings.target_words, config.embedding)),
            encoder: Encoder::new(config, init),
            bridge: (0..config.decoder_layers)
                .map(|_| Bridge { weight: init.dense(config.encoder_hidden, n), bias: init.zeros(n) })
                .collect(),
            attention: (config.attention == AttentionKind::Additive).then(|| Attention::new(config, init)),
            decoder: AttendingLayer::new(config, context, init),
            upper: (1..config.decoder_layers).map(|_| Gru::new(n, n, config.reset, init)).collect(),
            readout: Readout::new(config, context, init),
            output_weight: (!config.tie_output).then(|| init.dense(config.readout, settings.target_words)),
            output_bias: init.zeros(settings.target_words),
        }
    }

    /// The loss of a batch. `dropout` is given while training.
    pub fn loss(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        objective: &Objective,
        mut dropout: Option<&mut Dropout>,
    ) -> Loss {
        let mut lookups = Lookups::default();
        let terms = &objective.alignment;
        let wanted = terms.any(batch.guide.is_some());
        let (readout, alignments) = self.teach(batch, config, wanted, &mut lookups, dropout.as_deref_mut());
        let [tgt_len, sentences, units] = readout.dims();
        let readout = match dropout {
            Some(d) => d.sequence(readout, config.dropout.readout, config.dropout.variational),
            None => readout,
        };
        let readout = readout.reshape([tgt_len * sentences, units]);
        let readout = if batch.padding.is_full() { readout } else { readout.select(0, batch.real.clone()) };
        let (weight, bias) = (self.output_weight(), self.output_bias.val());
        let nats = output_loss(readout, weight, bias, batch.targets.clone(), objective.smoothing);
        let alignment = alignments.map(|alignments| {
            let guide = batch.guide.as_ref().filter(|_| terms.guided > 0.0);
            terms.loss(&alignments, guide, &batch.source.padding.real().swap_dims(0, 1))
        });
        Loss { nats, alignment, lookups }
    }

    /// The annotations of a batch of sources.
    pub fn annotate(&self, source: &Source, config: &ModelConfig) -> Annotations {
        self.read(source, config, &mut Lookups::default(), None)
    }

    fn read(
        &self,
        source: &Source,
        config: &ModelConfig,
        lookups: &mut Lookups,
        mut dropout: Option<&mut Dropout>,
    ) -> Annotations {
        let embedded = lookups.embed(SOURCE_EMBEDDING, self.source_embedding.val(), &source.ids);
        let embedded = match dropout.as_deref_mut() {
            Some(d) => d.sequence(embedded, config.dropout.embedding, config.dropout.variational),
            None => embedded,
        };
        self.encoder.forward(embedded, &source.padding, config, dropout)
    }

    /// The state before the first target word, a row a source.
    pub fn start(&self, source: &Source, config: &ModelConfig) -> DecoderState {
        let annotations = self.annotate(source, config);
        let layers = self.initial_states(&annotations);
        DecoderState { layers, seen: self.see(annotations, &source.padding) }
    }

    /// One decoder step: takes in the last word of every row, `[rows]`, and scores the next.
    pub fn step(&self, state: &DecoderState, previous: &[u32], config: &ModelConfig) -> Step {
        self.step_seeing(&state.seen, state, previous, config)
    }

    /// A step with something added to its energies: for each row nothing, or a number a source token.
    pub fn steered_step(
        &self,
        state: &DecoderState,
        previous: &[u32],
        biases: &[Vec<f32>],
        config: &ModelConfig,
    ) -> Step {
        let src_len = state.seen.src_len();
        let padded = biases.iter().flat_map(|bias| bias.iter().copied().chain(std::iter::repeat(0.0)).take(src_len));
        let bias = TensorData::new(padded.collect::<Vec<f32>>(), [biases.len(), src_len]);
        let bias = Tensor::from_data(bias, &state.layers[0].device());
        self.step_seeing(&state.seen.biased(bias), state, previous, config)
    }

    fn step_seeing(&self, seen: &Seen, state: &DecoderState, previous: &[u32], config: &ModelConfig) -> Step {
        let ids: Vec<i32> = previous.iter().map(|&id| id as i32).collect();
        let ids = integers(&ids, [ids.len()], &state.layers[0].device());
        let embedded = self.target_embedding().select(0, ids);
        let (first, context, alignment) =
            self.decoder.step(embedded.clone(), state.layers[0].clone(), seen, self.attention.as_ref(), config.reset);
        let mut layers = vec![first];
        for (gru, before) in self.upper.iter().zip(&state.layers[1..]) {
            layers.push(upper_step(gru, layers[layers.len() - 1].clone(), before.clone(), config.reset));
        }
        let top = layers[layers.len() - 1].clone();
        let seen = Tensor::cat(vec![top, context], 1);
        let log_probs = self.log_probs(self.readout.forward(seen, embedded));
        Step { state: DecoderState { layers, seen: state.seen.clone() }, log_probs, alignment }
    }

    /// The readout t_i of known targets, `[tgt_len, batch, l]`, and α_i, where they are wanted and there is attention.
    fn teach(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        alignments: bool,
        lookups: &mut Lookups,
        mut dropout: Option<&mut Dropout>,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let rates = &config.dropout;
        let annotations = self.read(&batch.source, config, lookups, dropout.as_deref_mut());
        let initial = self.initial_states(&annotations);
        let seen = self.see(annotations, &batch.source.padding);
        let embedded = lookups.embed(self.target_table(), self.target_embedding(), &batch.previous);
        let embedded = match dropout.as_deref_mut() {
            Some(d) => d.sequence(embedded, rates.embedding, rates.variational),
            None => embedded,
        };
        let [tgt_len, sentences, m] = embedded.dims();
        let mask =
            dropout.as_deref_mut().and_then(|d| d.recurrent(tgt_len, &initial[0], rates.recurrent, rates.variational));
        let (mut joined, alignments) = self.decoder.forward(
            embedded.clone(),
            initial[0].clone(),
            mask,
            &batch.padding,
            (&seen, self.attention.as_ref()),
            config.reset,
            alignments,
        );
        let [_, n] = initial[0].dims();
        let [_, _, width] = joined.dims();
        for (gru, initial) in self.upper.iter().zip(&initial[1..]) {
            let mask =
                dropout.as_deref_mut().and_then(|d| d.recurrent(tgt_len, initial, rates.recurrent, rates.variational));
            let states = joined.clone().slice([0..tgt_len, 0..sentences, 0..n]);
            let below = match dropout.as_deref_mut() {
                Some(d) => d.sequence(states, rates.hidden, rates.variational),
                None => states,
            };
            let states = upper_sequence(gru, below, initial.clone(), mask, &batch.padding, config.reset);
            joined = Tensor::cat(vec![states, joined.slice([0..tgt_len, 0..sentences, n..width])], 2);
        }
        let rows = tgt_len * sentences;
        let readout = self.readout.forward(joined.reshape([rows, width]), embedded.reshape([rows, m]));
        let [_, units] = readout.dims();
        (readout.reshape([tgt_len, sentences, units]), alignments)
    }

    fn initial_states(&self, annotations: &Annotations) -> Vec<Tensor<2>> {
        let initial = |bridge: &Bridge| {
            let product = annotations.first_backward.clone().matmul(bridge.weight.val());
            (product + bridge.bias.val().unsqueeze()).tanh()
        };
        self.bridge.iter().map(initial).collect()
    }

    fn see(&self, annotations: Annotations, padding: &Padding) -> Seen {
        match &self.attention {
            Some(attention) => Seen::Memory(attention.prepare(annotations.all, padding)),
            None => Seen::Fixed(annotations.last_forward),
        }
    }

    fn log_probs(&self, readout: Tensor<2>) -> Tensor<2> {
        log_softmax(readout.matmul(self.output_weight()) + self.output_bias.val().unsqueeze(), 1)
    }

    /// The rows of embedding tables that the loss of a batch depends on, in ascending order, by the names of the tables.
    pub fn rows_used(&self, batch: &Batch) -> BTreeMap<&'static str, Vec<usize>> {
        rows_of([(SOURCE_EMBEDDING, &batch.source.ids), (self.target_table(), &batch.previous)])
    }

    /// The name of the table of target embeddings.
    fn target_table(&self) -> &'static str {
        if self.target_embedding.is_some() { TARGET_EMBEDDING } else { SOURCE_EMBEDDING }
    }

    fn target_embedding(&self) -> Tensor<2> {
        self.target_embedding.as_ref().unwrap_or(&self.source_embedding).val()
    }

    fn output_weight(&self) -> Tensor<2> {
        match &self.output_weight {
            Some(weight) => weight.val(),
            None => self.target_embedding().transpose(),
        }
    }
}

/// The size of what the decoder sees at a step: both directions with attention, the forward one without.
fn context_size(config: &ModelConfig) -> usize {
    match config.attention {
        AttentionKind::Additive => 2 * config.encoder_hidden,
        AttentionKind::None => config.encoder_hidden,
    }
}

fn integers<const D: usize>(values: &[i32], shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
