//! The whole network, as translating runs it: step by step, with packed weights, and nothing kept for a backward pass.
//!
//! Floats multiply in pairs of bfloat16 where the processor has tiles for them, in 32 bits elsewhere, see
//! [`Packed::paired`](crate::product::Packed::paired).
//!
//! Sentences have their own rows throughout, without padding, and every product treats each row by itself: what a sentence gets does
//! not depend on its company. A [`Network`] is shared by threads; each reads sources of its own and lengthens the
//! hypotheses of their translations, all in one product a step.

mod output;
mod scores;
mod screen;
mod weights;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::output::{Output, Shortlist};
pub use self::scores::{Need, Scores};
use self::weights::{Affine, Table};
pub use self::weights::{Lasting, Line, Parameter, Parameters, Values};
pub(crate) use self::weights::{Operand, Weight};
use crate::cell::{Cell, Step};
use crate::norm::Part;
use crate::product::Write;
use crate::{Reset, norm, vector};

/// A trained network, its weights packed.
#[derive(Debug)]
pub struct Network {
    source_embedding: Table,
    /// None where the source's are shared.
    target_embedding: Option<Table>,
    /// Both directions of each layer.
    encoder: Vec<[Unit; 2]>,
    /// What each decoder layer starts from.
    bridge: Vec<Affine>,
    attention: Option<Attention>,
    taking: Taking,
    decoder: Vec<Unit>,
    readout: Readout,
    output: Output,
    /// See [`Network::operations`].
    operations: AtomicU64,
}

/// A gated recurrent unit.
#[derive(Debug)]
struct Unit {
    input: Product,
    bias: Vec<f32>,
    cell: Cell,
}

/// A weight of the three gates, `[k, 3n]`.
#[derive(Debug)]
struct Product {
    weight: Weight,
    /// Of layer normalisation of products with it; none where they are taken as they are.
    gain: Option<Vec<f32>>,
}

/// How the first decoder layer takes in the context.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a network")]
enum Taking {
    /// Beside the last word: [C_r | C_z | C].
    Beside(Product),
    /// By a second unit, whose predecessor's state asks for it: a conditional decoder.
    After(Unit),
}

#[derive(Debug)]
struct Attention {
    /// W_a.
    query: Weight,
    /// U_a.
    key: Weight,
    /// v_a.
    energy: Vec<f32>,
}

#[derive(Debug)]
struct Readout {
    state: Weight,
    context: Weight,
    embedding: Affine,
}

/// Some source sentences, read.
#[derive(Debug)]
pub struct Sources {
    /// Where each sentence's tokens are among all.
    tokens: Vec<Range<usize>>,
    /// What every annotation h_j has to give to the unit that takes in the context, and to the readout: its products with their weights of
    /// the context, `[tokens, 3n + 2l]`. The context is a sum of annotations, so its products are the same sum of theirs. Without
    /// attention there is one annotation a sentence.
    values: Vec<f32>,
    /// U_a h_j of every token, `[tokens, n']`; none without attention.
    keys: Vec<f32>,
    /// The states before the first target word, by layer: `[sentences, n]` each.
    initial: Vec<Vec<f32>>,
}

/// Unfinished translations, a row each: they are lengthened together.
#[derive(Debug)]
pub struct Hypotheses<'n> {
    network: &'n Network,
    sources: Sources,
    /// The sentence of each row.
    sentences: Vec<usize>,
    /// The shortlist of each sentence; none where all words are scored.
    shortlists: Vec<Shortlist>,
    /// The state of each layer, `[rows, n]`.
    states: Vec<Vec<f32>>,
    /// Whether threads share a step.
    shared: bool,
    /// What is added to the energies of each row in the next step; empty where nothing is.
    biases: Vec<Vec<f32>>,
    scores: Scores,
}

impl Network {
    /// Packs the parameters of a model. `looks_up` says that it will translate with shortlists.
    ///
    /// # Panics
    ///
    /// If a parameter is missing, or does not fit the others.
    pub fn new(parameters: &Parameters, reset: Reset, looks_up: bool) -> Self {
        Self::with_tables(parameters, &|name| Table::of_rows(&parameters[name]), reset, looks_up)
    }

    /// As [`new`](Self::new), with embeddings that are not copied: those of a name are looked up where `lasting` says.
    ///
    /// # Panics
    ///
    /// If a parameter is missing, or does not fit the others.
    pub fn with_embeddings(
        parameters: &Parameters,
        lasting: &(dyn Fn(&str) -> Arc<dyn Lasting> + Sync),
        reset: Reset,
        looks_up: bool,
    ) -> Self {
        Self::with_tables(parameters, &|name| Table::from(lasting(name)), reset, looks_up)
    }

    fn with_tables(
        parameters: &Parameters,
        table: &(dyn Fn(&str) -> Table + Sync),
        reset: Reset,
        looks_up: bool,
    ) -> Self {
        let from = Named { parameters, reset };
        let layers = |name: &str| {
            (0..).take_while(|i| parameters.contains_key(name.replace('#', &i.to_string()).as_str())).count()
        };
        let has = |name: &str| parameters.contains_key(name);
        let source_embedding = table("source_embedding");
        let target_embedding = has("target_embedding").then(|| table("target_embedding"));
        let target = target_embedding.as_ref().unwrap_or(&source_embedding);
        let encoder = || {
            let unit = |i: usize, direction: &str| from.unit(&format!("encoder.{i}.{direction}"));
            let layers = 0..layers("encoder.#.forward.input_weight");
            layers.map(|i| ["forward", "backward"].map(|direction| unit(i, direction))).collect()
        };
        // The large ones, on two threads: a process that starts has nothing else to do.
        let (encoder, output) = rayon::join(encoder, || from.output(target, looks_up));
        Self {
            source_embedding,
            target_embedding,
            output,
            operations: AtomicU64::new(0),
            encoder,
            bridge: (0..layers("bridge.#.weight"))
                .map(|i| from.affine(&format!("bridge.{i}.weight"), &format!("bridge.{i}.bias")))
                .collect(),
            attention: has("attention.query_weight").then(|| Attention {
                query: from.weight("attention.query_weight"),
                key: from.weight("attention.key_weight"),
                energy: from.vector("attention.energy_weight"),
            }),
            taking: match has("decoder.0.second.input_weight") {
                true => Taking::After(from.unit("decoder.0.second")),
                false => Taking::Beside(from.product("decoder.0.context")),
            },
            decoder: (0..layers("decoder.#.input_weight")).map(|i| from.unit(&format!("decoder.{i}"))).collect(),
            readout: Readout {
                state: from.weight("readout.state_weight"),
                context: from.weight("readout.context_weight"),
                embedding: from.affine("readout.embedding_weight", "readout.bias"),
            },
        }
    }

    /// Reads sources, each a non-empty list of words.
    ///
    /// # Panics
    ///
    /// If a source is empty or a word not in the vocabulary.
    pub fn read(&self, sources: &[&[u32]]) -> Sources {
        let mut end = 0;
        let tokens: Vec<Range<usize>> = sources
            .iter()
            .map(|source| {
                assert!(!source.is_empty(), "a source has a word");
                end += source.len();
                end - source.len()..end
            })
            .collect();
        let embedded = self.source_embedding.rows(sources.concat().into_iter());
        let mut annotations = Vec::new();
        for (layer, units) in self.encoder.iter().enumerate() {
            let n = units[0].cell.n();
            let below = annotations;
            let input = || match layer {
                0 => Operand::of(&embedded, self.source_embedding.width()),
                _ => Operand::of(&below, 2 * n),
            };
            annotations = vec![0.0; end * 2 * n];
            let [forward, backward] = units;
            let (forward, backward) =
                rayon::join(|| forward.read(input(), &tokens, false), || backward.read(input(), &tokens, true));
            for (direction, states) in [forward, backward].into_iter().enumerate() {
                for (annotation, state) in annotations.chunks_exact_mut(2 * n).zip(states.chunks_exact(n)) {
                    annotation[direction * n..][..n].copy_from_slice(state);
                }
            }
        }
        let n = self.encoder[0][0].cell.n();
        let first_backward: Vec<&[f32]> =
            tokens.iter().map(|range| &annotations[range.start * 2 * n + n..][..n]).collect();
        let first_backward = Operand::from(&first_backward[..]);
        let initial = self.bridge.iter().map(|bridge| {
            let mut states = bridge.apply(&first_backward);
            vector::tanh(&mut states);
            states
        });
        let initial = initial.collect();
        let mut keys = Vec::new();
        let attended: Vec<&[f32]> = match &self.attention {
            Some(attention) => {
                keys = vec![0.0; end * attention.energy.len()];
                let mut keys = rows_mut(&mut keys, attention.energy.len());
                attention.key.multiply(&Operand::of(&annotations, 2 * n), &mut keys, Write::Set);
                annotations.chunks_exact(2 * n).collect()
            }
            // The last state of the forward direction.
            None => tokens.iter().map(|range| &annotations[(range.end - 1) * 2 * n..][..n]).collect(),
        };
        let values = self.values(&attended);
        let units = self.encoder.iter().flatten().flat_map(Unit::weights);
        self.count(end, units.chain(self.attention.iter().map(|attention| &attention.key)));
        self.count(sources.len(), self.bridge.iter().map(|bridge| &bridge.weight));
        self.count(attended.len(), self.context_weights());
        Sources { tokens, values, keys, initial }
    }

    /// See [`Sources::values`].
    fn values(&self, annotations: &[&[f32]]) -> Vec<f32> {
        let [taken, read] = self.context_weights();
        let mut values = vec![0.0; annotations.len() * self.value_size()];
        let annotations = Operand::from(annotations);
        taken.multiply(&annotations, &mut self.taken_part(&mut values), Write::Set);
        read.multiply(&annotations, &mut self.read_part(&mut values), Write::Set);
        values
    }

    /// Of rows of values what the unit that takes in the context is given.
    fn taken_part<'v>(&self, values: &'v mut [f32]) -> Vec<&'v mut [f32]> {
        let [taken, _] = self.context_weights().map(|weight| weight.shape()[1]);
        values.chunks_exact_mut(self.value_size()).map(|value| &mut value[..taken]).collect()
    }

    /// Of rows of values what the readout is given.
    fn read_part<'v>(&self, values: &'v mut [f32]) -> Vec<&'v mut [f32]> {
        let [taken, _] = self.context_weights().map(|weight| weight.shape()[1]);
        values.chunks_exact_mut(self.value_size()).map(|value| &mut value[taken..]).collect()
    }

    /// What a context is multiplied by: in the unit that takes it in, and in the readout.
    fn context_weights(&self) -> [&Weight; 2] {
        match &self.taking {
            Taking::Beside(product) | Taking::After(Unit { input: product, .. }) => {
                [&product.weight, &self.readout.context]
            }
        }
    }

    /// The size of what an annotation has to give.
    fn value_size(&self) -> usize {
        self.context_weights().iter().map(|weight| weight.shape()[1]).sum()
    }

    /// Additions and multiplications of all matrix products so far.
    pub fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Counts the products of a row with some weights, for so many rows.
    fn count<'w>(&self, rows: usize, weights: impl IntoIterator<Item = &'w Weight>) {
        let elements: usize = weights.into_iter().map(|weight| weight.shape().iter().product::<usize>()).sum();
        self.operations.fetch_add(2 * (rows * elements) as u64, Ordering::Relaxed);
    }

    /// What every step of a hypothesis multiplies, but for the output layer.
    fn step_weights(&self) -> impl Iterator<Item = &Weight> {
        let Readout { state, embedding, .. } = &self.readout;
        let units = self.decoder.iter().flat_map(Unit::weights);
        let query = self.attention.iter().map(|attention| &attention.query);
        let second = match &self.taking {
            Taking::Beside(_) => None,
            Taking::After(unit) => Some(unit.cell.weights()),
        };
        units.chain(query).chain(second.into_iter().flatten()).chain([state, &embedding.weight])
    }

    fn target_embedding(&self) -> &Table {
        self.target_embedding.as_ref().unwrap_or(&self.source_embedding)
    }
}

impl<'n> Hypotheses<'n> {
    /// An empty translation of each source. If `shared` is set the steps use all threads: for when there is nothing else to do.
    pub fn new(network: &'n Network, sources: Sources, shared: bool) -> Self {
        let sentences = (0..sources.tokens.len()).collect();
        let states = sources.initial.clone();
        Self {
            network,
            sources,
            sentences,
            shortlists: Vec::new(),
            states,
            shared,
            biases: Vec::new(),
            scores: Scores::default(),
        }
    }

    /// They will be made of these words, listed for each source in rising order.
    ///
    /// # Panics
    ///
    /// If there is not a list for each source, or the network was not made for shortlists.
    #[must_use]
    pub fn with_shortlists(mut self, words: Vec<Vec<u32>>) -> Self {
        assert_eq!(words.len(), self.sources.tokens.len(), "a list a source");
        self.shortlists = words.into_iter().map(|words| self.network.output.shortlist(words)).collect();
        self
    }

    /// Takes in the last word of every row, and scores the next as far as needed.
    ///
    /// # Panics
    ///
    /// If there is not a word for each row, or one is not in the vocabulary.
    pub fn step(&mut self, previous: &[u32], need: Need) -> &Scores {
        assert_eq!(previous.len(), self.sentences.len(), "a word a row");
        let network = self.network;
        let embedded = network.target_embedding().rows(previous.iter().copied());
        let embedded = self.operand(&embedded, network.target_embedding().width());
        let states = std::mem::take(&mut self.states);
        let before: Vec<Operand> =
            states.iter().zip(&network.decoder).map(|(states, unit)| self.operand(states, unit.cell.n())).collect();
        let (first, mut looked_at) = self.first_layer(&embedded, &before[0]);
        self.states.push(first);
        for (unit, before) in network.decoder.iter().zip(&before).skip(1) {
            let below = self.states.last().expect("there is a layer below");
            let mut gates = unit.take(&self.operand(below, unit.cell.n()));
            self.states.push(unit.step(before, &mut rows_mut(&mut gates, 3 * unit.cell.n())));
        }
        let top = self.states.last().expect("a decoder has a layer");
        let top = self.operand(top, network.decoder[0].cell.n());
        let units = network.readout.apply(&top, &network.read_part(&mut looked_at), &embedded);
        let Self { shared, sentences, shortlists, scores, .. } = self;
        network.output.score((*shared, need), &units, sentences, shortlists, scores);
        network.count(sentences.len(), network.step_weights());
        sentences.iter().for_each(|&sentence| network.count(1, [network.output.weight(shortlists.get(sentence))]));
        scores
    }

    /// The rows of a buffer, as this step multiplies them.
    fn operand<'r>(&self, buffer: &'r [f32], width: usize) -> Operand<'r> {
        Operand::of(buffer, width).shared(self.shared)
    }

    /// The states of the layer that attends, `[rows, n]`, and what it looked at, see [`Sources::values`].
    fn first_layer(&mut self, embedded: &Operand, before: &Operand) -> (Vec<f32>, Vec<f32>) {
        let network = self.network;
        let unit = &network.decoder[0];
        let n = unit.cell.n();
        let mut gates = unit.take(embedded);
        let mut gates = rows_mut(&mut gates, 3 * n);
        match &network.taking {
            Taking::Beside(product) => {
                let mut looked_at = self.attend(before);
                product.add_products(&mut network.taken_part(&mut looked_at), &mut gates);
                (unit.step(before, &mut gates), looked_at)
            }
            Taking::After(second) => {
                let between = unit.step(before, &mut gates);
                let between = self.operand(&between, n);
                let mut looked_at = self.attend(&between);
                let mut gates = second.bias.repeat(self.sentences.len());
                let mut gates = rows_mut(&mut gates, 3 * n);
                second.input.add_products(&mut network.taken_part(&mut looked_at), &mut gates);
                (second.step(&between, &mut gates), looked_at)
            }
        }
    }

    /// Adds something to the energies of the next step: for each row nothing, or a number a source token.
    pub fn steer(&mut self, biases: Vec<Vec<f32>>) {
        self.biases = biases;
    }

    /// What every row looks at, from the states that ask, see [`Sources::values`]; its alignment goes to the scores.
    fn attend(&mut self, states: &Operand) -> Vec<f32> {
        let (width, sources) = (self.network.value_size(), &self.sources);
        let mut looked_at = vec![0.0; self.sentences.len() * width];
        let Some(attention) = &self.network.attention else {
            for (value, &sentence) in looked_at.chunks_exact_mut(width).zip(&self.sentences) {
                value.copy_from_slice(&sources.values[sentence * width..][..width]);
            }
            return looked_at;
        };
        let size = attention.energy.len();
        let mut queries = vec![0.0; self.sentences.len() * size];
        attention.query.multiply(states, &mut rows_mut(&mut queries, size), Write::Set);
        let scores = &mut self.scores;
        scores.src_len = self.sentences.iter().map(|&sentence| sources.tokens[sentence].len()).max().unwrap_or(0);
        scores.alignments.clear();
        scores.alignments.resize(self.sentences.len() * scores.src_len, 0.0);
        let biases = std::mem::take(&mut self.biases);
        let written = looked_at.chunks_exact_mut(width).zip(scores.alignments.chunks_exact_mut(scores.src_len));
        let rows = queries.chunks_exact(size).zip(&self.sentences).zip(written).enumerate();
        for (row, ((query, &sentence), (value, alignment))) in rows {
            let tokens = sources.tokens[sentence].clone();
            let alignment = &mut alignment[..tokens.len()];
            let keys = &sources.keys[tokens.start * size..tokens.end * size];
            for (energy, key) in alignment.iter_mut().zip(keys.chunks_exact(size)) {
                *energy = vector::energy(key, query, &attention.energy);
            }
            if let Some(bias) = biases.get(row) {
                alignment.iter_mut().zip(bias).for_each(|(energy, bias)| *energy += bias);
            }
            vector::softmax(alignment);
            vector::weighted_sum(value, alignment, &sources.values[tokens.start * width..tokens.end * width], width);
        }
        looked_at
    }

    /// Row `rows[i]` becomes row `i`: reorders, repeats and drops hypotheses.
    pub fn keep(&mut self, rows: &[usize]) {
        self.sentences = rows.iter().map(|&row| self.sentences[row]).collect();
        for (states, unit) in self.states.iter_mut().zip(&self.network.decoder) {
            let n = unit.cell.n();
            *states = rows.iter().flat_map(|&row| &states[row * n..(row + 1) * n]).copied().collect();
        }
    }
}

impl Unit {
    fn weights(&self) -> impl Iterator<Item = &Weight> {
        [&self.input.weight].into_iter().chain(self.cell.weights())
    }

    /// What enters the gates, W x + b for rows `x`, one after another: `[rows, 3n]`.
    fn take(&self, x: &Operand) -> Vec<f32> {
        let mut gates = self.bias.repeat(x.rows().len());
        self.input.add(x, &mut rows_mut(&mut gates, self.bias.len()));
        gates
    }

    /// The states `[tokens, n]` over sentences, whose tokens' inputs are the rows of `input`.
    fn read(&self, input: Operand, sentences: &[Range<usize>], reversed: bool) -> Vec<f32> {
        let n = self.cell.n();
        let mut gates = self.take(&input);
        let mut gates: Vec<Option<&mut [f32]>> = gates.chunks_exact_mut(3 * n).map(Some).collect();
        let mut states = vec![0.0; input.rows().len() * n];
        let mut current = vec![0.0; sentences.len() * n];
        for step in 0.. {
            let active: Vec<usize> =
                (0..sentences.len()).filter(|&sentence| step < sentences[sentence].len()).collect();
            if active.is_empty() {
                break;
            }
            let token = |sentence: &usize| {
                let tokens = &sentences[*sentence];
                if reversed { tokens.end - 1 - step } else { tokens.start + step }
            };
            let mut taken: Vec<&mut [f32]> =
                active.iter().map(|sentence| gates[token(sentence)].take().expect("each token is read once")).collect();
            let previous: Vec<f32> =
                active.iter().flat_map(|sentence| &current[sentence * n..(sentence + 1) * n]).copied().collect();
            let next = self.step(&Operand::of(&previous, n), &mut taken);
            for (state, sentence) in next.chunks_exact(n).zip(&active) {
                current[sentence * n..(sentence + 1) * n].copy_from_slice(state);
                states[token(sentence) * n..][..n].copy_from_slice(state);
            }
        }
        states
    }

    /// The states after those of some rows, `[rows, n]`, from the gates' inputs.
    fn step(&self, previous: &Operand, gates: &mut [&mut [f32]]) -> Vec<f32> {
        let n = self.cell.n();
        let size = previous.rows().len() * n;
        let (mut next, mut inner) = (vec![0.0; size], vec![0.0; size]);
        let rows = if self.cell.normalizes() { previous.rows().len() } else { 0 };
        let mut normalized = vec![0.0; rows * norm::width(n)];
        let step = Step {
            previous: previous.rows(),
            input: previous,
            gates,
            inner: &mut rows_mut(&mut inner, n),
            normalized: &mut rows_mut(&mut normalized, norm::width(n)),
        };
        self.cell.forward(step, &mut rows_mut(&mut next, n));
        next
    }
}

impl Product {
    /// Adds the products of rows to gates.
    fn add(&self, x: &Operand, gates: &mut [&mut [f32]]) {
        if self.gain.is_none() {
            return self.weight.multiply(x, gates, Write::Add);
        }
        let width = self.weight.shape()[1];
        let mut products = vec![0.0; gates.len() * width];
        let mut products = rows_mut(&mut products, width);
        self.weight.multiply(x, &mut products, Write::Set);
        self.add_products(&mut products, gates);
    }

    /// Adds products with the weight to gates; they are changed.
    fn add_products(&self, products: &mut [&mut [f32]], gates: &mut [&mut [f32]]) {
        let rows = gates.iter_mut().zip(products.iter_mut());
        let Some(gain) = &self.gain else { return rows.for_each(|(gates, products)| vector::add(gates, products)) };
        for (gates, products) in rows {
            for columns in Part::ALL.map(|part| part.columns(gain.len() / 3)) {
                let products = &mut products[columns.clone()];
                vector::normalize(products);
                vector::add_product(&mut gates[columns.clone()], &gain[columns], products);
            }
        }
    }
}

impl Readout {
    /// t_i, the larger of each pair: `[rows, l]`. `contexts` are the contexts' products with their weight, `[rows, 2l]`.
    fn apply(&self, states: &Operand, contexts: &[&mut [f32]], embedded: &Operand) -> Vec<f32> {
        let mut sums = self.embedding.apply(embedded);
        let mut pieces = rows_mut(&mut sums, self.embedding.bias.len());
        self.state.multiply(states, &mut pieces, Write::Add);
        pieces.iter_mut().zip(contexts).for_each(|(piece, context)| vector::add(piece, context));
        sums.chunks_exact(2).map(|pair| pair[0].max(pair[1])).collect()
    }
}

/// Finds parameters by name.
struct Named<'p> {
    parameters: &'p Parameters<'p>,
    reset: Reset,
}

impl<'p> Named<'p> {
    fn parameter(&self, name: &str) -> &'p Parameter<'p> {
        self.parameters.get(name).unwrap_or_else(|| panic!("parameter `{name}` is there"))
    }

    fn vector(&self, name: &str) -> Vec<f32> {
        self.parameter(name).floats().into_owned()
    }

    fn weight(&self, name: &str) -> Weight {
        let parameter = self.parameter(name);
        Weight::new(parameter, 0..parameter.shape[1])
    }

    fn affine(&self, weight: &str, bias: &str) -> Affine {
        Affine { weight: self.weight(weight), bias: self.vector(bias) }
    }

    /// A gain of layer normalisation, if the network has it.
    fn gain(&self, name: &str) -> Option<Vec<f32>> {
        self.parameters.contains_key(name).then(|| self.vector(name))
    }

    fn product(&self, name: &str) -> Product {
        Product { weight: self.weight(&format!("{name}_weight")), gain: self.gain(&format!("{name}_gain")) }
    }

    fn unit(&self, name: &str) -> Unit {
        let recurrent = self.parameter(&format!("{name}.recurrent_weight"));
        let bias = (self.reset == Reset::After).then(|| self.vector(&format!("{name}.recurrent_bias")));
        Unit {
            input: self.product(&format!("{name}.input")),
            bias: self.vector(&format!("{name}.input_bias")),
            cell: Cell::of_parameters(recurrent, bias, self.gain(&format!("{name}.recurrent_gain")), self.reset),
        }
    }

    /// The output layer; without a weight of its own it is tied to the target embeddings.
    fn output(&self, target_embedding: &Table, looks_up: bool) -> Output {
        let bias = self.vector("output.bias");
        match self.parameters.get("output.weight") {
            Some(weight) => Output::new(weight, bias, looks_up),
            None => Output::tied(target_embedding, bias, looks_up),
        }
    }
}

fn rows_mut(buffer: &mut [f32], width: usize) -> Vec<&mut [f32]> {
    buffer.chunks_exact_mut(width).collect()
}
