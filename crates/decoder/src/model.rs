//! RNNsearch: encoder, attention, decoder and readout together.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use burn::tensor::{IndexingUpdateOp, TensorData};
use rnnsearch_config::{Attention as AttentionKind, DropoutConfig, ModelConfig};
use rnnsearch_encoder::init::Init;
use rnnsearch_encoder::{Annotations, Encoder, Gru};
use rnnsearch_kernels::{Criterion, Dropout, Padding, output_loss, plain};

use crate::attention::{Attention, Draw, Past};
use crate::embedding::{Ids, Lookups, Loss, integers, rows_of};
use crate::objective::{Examples, Objective, Other};
use crate::readout::Readout;
use crate::recurrent::{AttendingLayer, Decoded, Seen, StepInput, View, project_step, upper_sequence, upper_step};
use crate::reinforce::Tries;

/// The names of the embedding tables among the parameters.
const SOURCE_EMBEDDING: &str = "source_embedding";
const TARGET_EMBEDDING: &str = "target_embedding";
/// Target tokens whose words are scored at a time where hard attention is rewarded.
const SCORED_ROWS: usize = 256;

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
    /// How another model, which writes the source, aligns the pairs.
    other: Option<Other>,
    /// What the cross-entropy of each real target token is multiplied by.
    weights: Option<Tensor<1>>,
}

/// The state of the decoder between two steps.
#[derive(Clone, Debug)]
pub struct DecoderState {
    /// One tensor `[rows, n]` a layer.
    layers: Vec<Tensor<2>>,
    seen: Seen,
    past: Past,
    /// t_{i-1}, `[rows, l]`; only with input feeding.
    fed: Option<Tensor<2>>,
}

/// All that is known before the decoder runs over known targets.
struct Lesson<'a> {
    /// E y_{i-1}, `[tgt_len, batch, m]`.
    embedded: Tensor<3>,
    start: DecoderState,
    padding: &'a Padding,
    draws: &'a [Draw],
    /// Whether the alignments are wanted.
    alignments: bool,
}

/// What came of known targets.
pub(crate) struct Taught {
    /// t_i, `[tgt_len, batch, l]`.
    pub(crate) readout: Tensor<3>,
    /// α_i, `[tgt_len, batch, src_len]`, 0 where the target is padding; none where they were neither wanted nor come by themselves.
    pub(crate) alignments: Option<Tensor<3>>,
    /// The positions that were picked: see [`Decoded`].
    pub(crate) picked: Option<Tensor<3>>,
}

/// The dropout of a layer: of its states in the recurrent products, and of what comes from the layer below.
#[derive(Clone, Debug)]
struct Masks<const D: usize> {
    recurrent: Option<Tensor<D>>,
    below: Option<Tensor<D>>,
}

/// What comes out of a step of all layers and the readout.
struct Advanced {
    state: DecoderState,
    /// t_i, `[rows, l]`.
    readout: Tensor<2>,
    decoded: Decoded<2>,
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
            targets: integers(&words, device),
            real: integers(&real, device),
            guide: None,
            other: None,
            weights: None,
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

    /// With the alignments of another model, which writes the source: for each target position and each source position its weight, or
    /// none where it tells nothing, `[tgt_len, batch, src_len]`, row by row.
    pub fn agreeing(self, weights: &[Option<f32>], device: &Device) -> Self {
        let [tgt_len, batch] = [self.previous.len(), self.padding.lengths().len()];
        let other = Other::new(weights, [tgt_len, batch, weights.len() / (tgt_len * batch)], device);
        Self { other: Some(other), ..self }
    }

    /// What its alignments are compared with.
    fn examples(&self) -> Examples<'_> {
        Examples { guide: self.guide.as_ref(), other: self.other.as_ref() }
    }

    /// With the cross-entropy of each sentence multiplied by a weight.
    pub fn weighted(self, weights: &[f32]) -> Self {
        let lengths = self.padding.lengths();
        let is_real = |&(step, sentence): &(usize, usize)| step < lengths[sentence];
        let places = (0..self.previous.len()).flat_map(|step| (0..weights.len()).map(move |sentence| (step, sentence)));
        let of_tokens: Vec<f32> = places.filter(is_real).map(|(_, sentence)| weights[sentence]).collect();
        let of_tokens = Tensor::from_data(TensorData::new(of_tokens, [self.target_tokens]), &self.targets.device());
        Self { weights: Some(of_tokens), ..self }
    }
}

impl Masks<3> {
    /// Those of a step.
    fn at(&self, step: usize) -> Masks<2> {
        let at = |mask: &Option<Tensor<3>>| plain::mask_at(mask.as_ref(), step);
        Masks { recurrent: at(&self.recurrent), below: at(&self.below) }
    }
}

impl DecoderState {
    /// Row `rows[i]` of this state becomes row `i`: reorders, repeats and drops hypotheses together with their sources.
    pub fn select(&self, rows: &[usize]) -> Self {
        let index = self.index(rows);
        Self { seen: self.seen.select(&index), ..self.selected(&index) }
    }

    /// Like [`select`](Self::select), where every row keeps the source it had: only the states move.
    pub fn select_states(&self, rows: &[usize]) -> Self {
        self.selected(&self.index(rows))
    }

    fn index(&self, rows: &[usize]) -> Tensor<1, Int> {
        let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        integers(&rows, &self.layers[0].device())
    }

    fn selected(&self, index: &Tensor<1, Int>) -> Self {
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, index.clone());
        Self {
            layers: self.layers.iter().map(select).collect(),
            seen: self.seen.clone(),
            past: self.past.select(index),
            fed: self.fed.as_ref().map(select),
        }
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
            attention: Attention::new(config, init),
            decoder: AttendingLayer::new(config, context, init),
            upper: (1..config.decoder_layers).map(|_| Gru::new(n, n, config, init)).collect(),
            readout: Readout::new(config, context, init),
            output_weight: (!config.tie_output).then(|| init.dense(config.readout, settings.target_words)),
            output_bias: init.zeros(settings.target_words),
        }
    }

    /// The loss of a batch. `dropout` is given while training; attention that leaves something to chance draws from it too.
    pub fn loss(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        objective: &Objective,
        mut dropout: Option<&mut Dropout>,
    ) -> Loss {
        let draws = self.draws(batch, dropout.as_deref_mut());
        self.loss_of_draws(batch, config, objective, dropout, &draws)
    }

    /// What attention leaves to chance while training.
    fn draws(&self, batch: &Batch, dropout: Option<&mut Dropout>) -> Vec<Draw> {
        match (&self.attention, dropout) {
            (Some(attention), Some(random)) => {
                let size = [batch.previous.len(), batch.padding.lengths().len(), batch.source.ids.len()];
                attention.draws(size, random, &self.output_bias.val().device())
            }
            _ => Vec::new(),
        }
    }

    /// The loss of a batch with given random choices of attention.
    pub(crate) fn loss_of_draws(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        objective: &Objective,
        mut dropout: Option<&mut Dropout>,
        draws: &[Draw],
    ) -> Loss {
        let mut lookups = Lookups::default();
        let terms = &objective.alignment;
        let wanted = terms.any(batch.examples());
        let taught = self.teach(batch, config, wanted, &mut lookups, dropout.as_deref_mut(), draws);
        let [tgt_len, sentences, _] = taught.readout.dims();
        let readout = real_readout(taught.readout, batch, config, dropout);
        let tries = match (&taught.alignments, taught.picked) {
            (Some(alignments), Some(picked)) => {
                let rewards = self.token_log_probs(readout.clone(), batch).reshape([tgt_len, sentences]);
                Some(Tries { alignments: alignments.clone(), picked, rewards, real: batch.padding.real() })
            }
            _ => None,
        };
        let (weight, bias) = (self.output_weight(), self.output_bias.val());
        let criterion = Criterion {
            targets: batch.targets.clone(),
            smoothing: objective.smoothing,
            weights: batch.weights.clone(),
            consistency: objective.consistency,
        };
        let nats = output_loss(readout, weight, bias, criterion);
        let alignment = taught
            .alignments
            .filter(|_| wanted)
            .map(|alignments| terms.loss(&alignments, batch.examples(), &batch.source.padding.real().swap_dims(0, 1)));
        let loss = Loss { nats, alignment, penalty: None, lookups, reward: None };
        match (tries, self.attention.as_ref().and_then(Attention::hard)) {
            (Some(tries), Some(hard)) => tries.teach(loss, hard, &config.attention_options),
            _ => loss,
        }
    }

    /// log p of every target sentence, without gradients. `dropout` is given while training.
    pub fn sentence_log_probs(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        mut dropout: Option<&mut Dropout>,
    ) -> Vec<f64> {
        let draws = self.draws(batch, dropout.as_deref_mut());
        let taught = self.teach(batch, config, false, &mut Lookups::default(), dropout.as_deref_mut(), &draws);
        let [_, sentences, _] = taught.readout.dims();
        let readout = real_readout(taught.readout, batch, config, dropout);
        let of_tokens = self.token_log_probs(readout, batch).into_data().try_into_vec::<f32>().expect("32-bit floats");
        let mut sums = vec![0.0; sentences];
        of_tokens.iter().enumerate().for_each(|(place, log_prob)| sums[place % sentences] += f64::from(*log_prob));
        sums
    }

    /// α of known targets, `[tgt_len, batch, src_len]`, 0 where the target is padding; none without attention.
    pub fn alignments(&self, batch: &Batch, config: &ModelConfig) -> Option<Tensor<3>> {
        self.teach(batch, config, true, &mut Lookups::default(), None, &[]).alignments
    }

    /// A batch where a share of the previous words are the model's own: see [`ScheduledSamplingConfig`].
    ///
    /// [`ScheduledSamplingConfig`]: rnnsearch_config::ScheduledSamplingConfig
    pub fn tell_own_words(&self, batch: Batch, config: &ModelConfig, share: f64, random: &mut Dropout) -> Batch {
        if share == 0.0 {
            return batch;
        }
        let sentences = batch.padding.lengths().len();
        // Of the flattened `[tgt_len, batch]` previous words those that are told anew; the first of a sentence is `<s>`.
        let real = (sentences..batch.previous.ids().len())
            .filter(|place| place / sentences < batch.padding.lengths()[place % sentences]);
        let chosen = random.uniform(batch.previous.ids().len());
        let places: Vec<usize> = real.filter(|&place| f64::from(chosen[place]) < share).collect();
        let taught = self.teach(&batch, config, false, &mut Lookups::default(), None, &[]);
        let [tgt_len, _, units] = taught.readout.dims();
        let readout = taught.readout.detach().reshape([tgt_len * sentences, units]);
        let mut ids = batch.previous.ids().to_vec();
        for places in places.chunks(SCORED_ROWS) {
            let before: Vec<i32> = places.iter().map(|place| (place - sentences) as i32).collect();
            let probs = self.log_probs(readout.clone().select(0, integers(&before, &readout.device()))).exp();
            let probs = probs.into_data().try_into_vec::<f32>().expect("32-bit floats");
            let rows = probs.chunks_exact(probs.len() / places.len()).zip(random.uniform(places.len()));
            places.iter().zip(rows).for_each(|(&place, (probs, point))| ids[place] = drawn(probs, point) as i32);
        }
        Batch { previous: Ids::new(&ids, sentences, &readout.device()), ..batch }
    }

    /// log p of every target token, without a gradient, 0 at padding: `[tgt_len * batch]`. `readout` is t_i of the real tokens.
    fn token_log_probs(&self, readout: Tensor<2>, batch: &Batch) -> Tensor<1> {
        let positions = batch.previous.len() * batch.padding.lengths().len();
        let (weight, bias) = (self.output_weight().detach(), self.output_bias.val().detach());
        let readout = readout.detach();
        // A few rows at a time: there are as many logits of a row as the vocabulary has words.
        let of_rows = |first: usize| {
            let count = SCORED_ROWS.min(batch.target_tokens - first);
            let logits = readout.clone().narrow(0, first, count).matmul(weight.clone()) + bias.clone().unsqueeze();
            let words = batch.targets.clone().narrow(0, first, count).reshape([count, 1]);
            log_softmax(logits, 1).gather(1, words).reshape([count])
        };
        let of_targets = Tensor::cat((0..batch.target_tokens).step_by(SCORED_ROWS).map(of_rows).collect(), 0);
        let zeros = Tensor::zeros([positions], &of_targets.device());
        zeros.select_assign(0, batch.real.clone(), of_targets, IndexingUpdateOp::Add)
    }

    /// The model after the positions that its attention tried while computing `loss` were rewarded: see
    /// `Loss::reward`. Other models stay as they are.
    pub fn rewarded(mut self, loss: &Loss) -> Self {
        if let (Some(Attention::Hard(hard)), Some(reward)) = (&self.attention, loss.reward) {
            self.attention = Some(Attention::Hard(hard.clone().rewarded(reward)));
        }
        self
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
            Some(d) => drop_words(d, embedded, config.dropout.source_words, &config.dropout),
            None => embedded,
        };
        self.encoder.forward(embedded, &source.padding, config, dropout)
    }

    /// The state before the first target word, a row a source.
    pub fn start(&self, source: &Source, config: &ModelConfig) -> DecoderState {
        self.start_from(self.annotate(source, config), &source.padding, config)
    }

    fn start_from(&self, annotations: Annotations, padding: &Padding, config: &ModelConfig) -> DecoderState {
        let layers = self.initial_states(&annotations);
        let ([rows, _], device) = (layers[0].dims(), layers[0].device());
        let fed = config.input_feeding.then(|| Tensor::zeros([rows, config.readout], &device));
        DecoderState { layers, seen: self.see(annotations, padding), past: Past::default(), fed }
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
        let ids = integers(&ids, &state.layers[0].device());
        let embedded = self.target_embedding().select(0, ids);
        let Advanced { state, readout, decoded } = self.advance(state, seen, embedded, &[], None, config);
        Step { state, log_probs: self.log_probs(readout), alignment: decoded.alignment }
    }

    /// One step of all layers and the readout. `embedded` is E y_{i-1}, `[rows, m]`; `masks` has an entry a layer, or none.
    fn advance(
        &self,
        state: &DecoderState,
        seen: &Seen,
        embedded: Tensor<2>,
        masks: &[Masks<2>],
        draw: Option<&Draw>,
        config: &ModelConfig,
    ) -> Advanced {
        let recurrent = |layer: usize| masks.get(layer).and_then(|masks| masks.recurrent.clone());
        let input = StepInput {
            projected: project_step(&self.decoder.gru, embedded.clone()),
            fed: state.fed.clone(),
            state: state.layers[0].clone(),
            dropout: recurrent(0),
            past: &state.past,
            draw,
        };
        let decoded = self.decoder.step(input, self.view(seen, config));
        let ([rows, width], [_, n]) = (decoded.joined.dims(), state.layers[0].dims());
        let mut top = decoded.joined.clone().slice([0..rows, 0..n]);
        let mut layers = vec![top.clone()];
        for (layer, (gru, before)) in (1..).zip(self.upper.iter().zip(&state.layers[1..])) {
            let below = match masks.get(layer).and_then(|masks| masks.below.clone()) {
                Some(mask) => top * mask,
                None => top,
            };
            top = upper_step(gru, below, before.clone(), recurrent(layer), config.reset);
            layers.push(top.clone());
        }
        let context = decoded.joined.clone().slice([0..rows, n..width]);
        let readout = self.readout.forward(Tensor::cat(vec![top, context], 1), embedded);
        let fed = state.fed.as_ref().map(|_| readout.clone());
        let past = state.past.after(decoded.alignment.clone());
        Advanced { state: DecoderState { layers, seen: state.seen.clone(), past, fed }, readout, decoded }
    }

    /// Runs over known targets.
    pub(crate) fn teach(
        &self,
        batch: &Batch,
        config: &ModelConfig,
        alignments: bool,
        lookups: &mut Lookups,
        mut dropout: Option<&mut Dropout>,
        draws: &[Draw],
    ) -> Taught {
        let annotations = self.read(&batch.source, config, lookups, dropout.as_deref_mut());
        let start = self.start_from(annotations, &batch.source.padding, config);
        let embedded = lookups.embed(self.target_table(), self.target_embedding(), &batch.previous);
        let embedded = match dropout.as_deref_mut() {
            Some(d) => drop_words(d, embedded, config.dropout.target_words, &config.dropout),
            None => embedded,
        };
        let lesson = Lesson { embedded, start, padding: &batch.padding, draws, alignments };
        let taught = match config.input_feeding {
            true => self.teach_step_by_step(lesson, config, dropout),
            false => self.teach_layer_by_layer(lesson, config, dropout),
        };
        let real = batch.padding.real().unsqueeze_dim::<3>(2);
        Taught { alignments: taught.alignments.map(|alignments| alignments * real), ..taught }
    }

    /// Each layer runs over all targets before the next does, and then the readout.
    fn teach_layer_by_layer(&self, lesson: Lesson, config: &ModelConfig, dropout: Option<&mut Dropout>) -> Taught {
        let Lesson { embedded, start, padding, draws, alignments } = lesson;
        let ([tgt_len, sentences, m], [_, n]) = (embedded.dims(), start.layers[0].dims());
        let masks = self.masks(tgt_len, &start, config, dropout);
        let (mask, initial) = (masks[0].recurrent.clone(), start.layers[0].clone());
        let view = self.view(&start.seen, config);
        let decoded = self.decoder.forward(embedded.clone(), initial, mask, (padding, alignments), view, draws);
        let mut joined = decoded.joined;
        let [_, _, width] = joined.dims();
        for ((gru, initial), masks) in self.upper.iter().zip(&start.layers[1..]).zip(&masks[1..]) {
            let states = joined.clone().slice([0..tgt_len, 0..sentences, 0..n]);
            let below = match &masks.below {
                Some(mask) => states * mask.clone(),
                None => states,
            };
            let states = upper_sequence(gru, below, initial.clone(), masks.recurrent.clone(), padding, config.reset);
            joined = Tensor::cat(vec![states, joined.slice([0..tgt_len, 0..sentences, n..width])], 2);
        }
        let rows = tgt_len * sentences;
        let readout = self.readout.forward(joined.reshape([rows, width]), embedded.reshape([rows, m]));
        let readout = readout.reshape([tgt_len, sentences, config.readout]);
        Taught { readout, alignments: decoded.alignment, picked: decoded.picked }
    }

    /// All layers and the readout run over a target before the next comes: with input feeding they need each other.
    fn teach_step_by_step(&self, lesson: Lesson, config: &ModelConfig, dropout: Option<&mut Dropout>) -> Taught {
        let Lesson { embedded, start, draws, .. } = lesson;
        let [tgt_len, _, _] = embedded.dims();
        let masks = self.masks(tgt_len, &start, config, dropout);
        let (mut state, mut readouts, mut steps) = (start, Vec::new(), Vec::new());
        for step in 0..tgt_len {
            let masks: Vec<Masks<2>> = masks.iter().map(|masks| masks.at(step)).collect();
            let (embedded, seen) = (plain::at(&embedded, step), state.seen.clone());
            let advanced = self.advance(&state, &seen, embedded, &masks, draws.get(step), config);
            state = advanced.state;
            readouts.push(advanced.readout);
            steps.push(advanced.decoded);
        }
        let Decoded { alignment, picked, .. } = Decoded::stack(steps);
        Taught { readout: Tensor::stack(readouts, 0), alignments: alignment, picked }
    }

    /// The dropout of every layer over known targets.
    fn masks(
        &self,
        tgt_len: usize,
        start: &DecoderState,
        config: &ModelConfig,
        mut dropout: Option<&mut Dropout>,
    ) -> Vec<Masks<3>> {
        let rates = &config.dropout;
        let mut draw = |rate: f64, state: &Tensor<2>| {
            dropout.as_deref_mut().and_then(|d| d.recurrent(tgt_len, state, rate, rates.variational))
        };
        let of_layer = |(layer, state): (usize, &Tensor<2>)| {
            let recurrent = draw(rates.recurrent, state);
            let below = if layer == 0 { None } else { draw(rates.hidden, state) };
            Masks { recurrent, below }
        };
        start.layers.iter().enumerate().map(of_layer).collect()
    }

    fn view<'a>(&'a self, seen: &'a Seen, config: &ModelConfig) -> View<'a> {
        View { seen, attention: self.attention.as_ref(), reset: config.reset }
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

/// t_i of the real target tokens, `[tokens, l]`.
fn real_readout(readout: Tensor<3>, batch: &Batch, config: &ModelConfig, dropout: Option<&mut Dropout>) -> Tensor<2> {
    let [tgt_len, sentences, units] = readout.dims();
    let readout = match dropout {
        Some(d) => d.sequence(readout, config.dropout.readout, config.dropout.variational),
        None => readout,
    };
    let readout = readout.reshape([tgt_len * sentences, units]);
    if batch.padding.is_full() { readout } else { readout.select(0, batch.real.clone()) }
}

/// The word at a point of [0, 1) where each has a stretch as long as it is probable.
fn drawn(probs: &[f32], point: f32) -> usize {
    let mut sum = 0.0;
    let beyond = |prob: &f32| {
        sum += f64::from(*prob);
        sum > f64::from(point)
    };
    // The sum may stay below 1 by rounding.
    probs.iter().position(beyond).unwrap_or_else(|| probs.iter().rposition(|prob| *prob > 0.0).unwrap_or(0))
}

/// Drops units of embedded words, and whole words.
fn drop_words(dropout: &mut Dropout, embedded: Tensor<3>, words: f64, rates: &DropoutConfig) -> Tensor<3> {
    let embedded = dropout.sequence(embedded, rates.embedding, rates.variational);
    dropout.positions(embedded, words)
}

/// The size of what the decoder sees at a step: both directions with attention, the forward one without.
fn context_size(config: &ModelConfig) -> usize {
    match config.attention {
        AttentionKind::None => config.encoder_hidden,
        _ => 2 * config.encoder_hidden,
    }
}
