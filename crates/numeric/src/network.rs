//! The whole network, as translating runs it: step by step, with packed weights, and nothing kept for a backward pass.
//!
//! Sentences have their own rows throughout, without padding, and every product treats each row by itself: what a sentence gets does
//! not depend on its company. A [`Network`] is shared by threads; each reads sources of its own and lengthens the
//! hypotheses of their translations, all in one product a step.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::cell::{Cell, Step};
use crate::product::{Matrix, Packed, Write};
use crate::{Reset, vector};

/// Words whose largest logit is kept, to pass over them at once.
const PART: usize = 64;

/// Parameters by the names that model files give them, each with its shape.
pub type Parameters<'p> = BTreeMap<&'p str, (&'p [usize], &'p [f32])>;

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
    /// How the first decoder layer takes in the context.
    context: Packed,
    decoder: Vec<Unit>,
    readout: Readout,
    output: Affine,
}

/// Rows by number.
#[derive(Debug)]
struct Table {
    width: usize,
    elements: Vec<f32>,
}

/// x W + b.
#[derive(Debug)]
struct Affine {
    weight: Packed,
    bias: Vec<f32>,
}

/// A gated recurrent unit.
#[derive(Debug)]
struct Unit {
    input: Affine,
    cell: Cell,
}

#[derive(Debug)]
struct Attention {
    /// W_a.
    query: Packed,
    /// U_a.
    key: Packed,
    /// v_a.
    energy: Vec<f32>,
}

#[derive(Debug)]
struct Readout {
    state: Packed,
    context: Packed,
    embedding: Affine,
}

/// Some source sentences, read.
#[derive(Debug)]
pub struct Sources {
    /// Where each sentence's tokens are among all.
    tokens: Vec<Range<usize>>,
    /// h_j of every token, `[tokens, 2n]`.
    annotations: Vec<f32>,
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
    /// The state of each layer, `[rows, n]`.
    states: Vec<Vec<f32>>,
    /// Whether threads share a step.
    shared: bool,
    /// What is added to the energies of each row in the next step; empty where nothing is.
    biases: Vec<Vec<f32>>,
    scores: Scores,
}

/// What a step says of every row's next word.
#[derive(Debug, Default)]
pub struct Scores {
    /// Words of the target vocabulary.
    pub words: usize,
    /// log p(y_i) up to the row's normalizer, `[rows, words]`.
    pub logits: Vec<f32>,
    /// The largest of each 64 logits of a row, so that not all need be looked at, `[rows, words / 64]`; may be empty.
    pub maxima: Vec<f32>,
    /// What is to be taken from each row's logits to give log p(y_i), `[rows]`.
    pub normalizers: Vec<f32>,
    /// The number of columns of the alignments.
    pub src_len: usize,
    /// α_i, `[rows, src_len]`, 0 beyond the sentence's end; empty without attention.
    pub alignments: Vec<f32>,
}

impl Network {
    /// Packs the parameters of a model.
    ///
    /// # Panics
    ///
    /// If a parameter is missing, or does not fit the others.
    pub fn new(parameters: &Parameters, reset: Reset) -> Self {
        let from = Named { parameters, reset };
        let layers = |name: &str| {
            (0..).take_while(|i| parameters.contains_key(name.replace('#', &i.to_string()).as_str())).count()
        };
        let has = |name: &str| parameters.contains_key(name);
        let table = |name| Table { width: from.matrix(name).0[1], elements: from.matrix(name).1.to_vec() };
        Self {
            source_embedding: table("source_embedding"),
            target_embedding: has("target_embedding").then(|| table("target_embedding")),
            encoder: (0..layers("encoder.#.forward.input_weight"))
                .map(|i| ["forward", "backward"].map(|direction| from.unit(&format!("encoder.{i}.{direction}"))))
                .collect(),
            bridge: (0..layers("bridge.#.weight"))
                .map(|i| from.affine(&format!("bridge.{i}.weight"), &format!("bridge.{i}.bias")))
                .collect(),
            attention: has("attention.query_weight").then(|| Attention {
                query: from.packed("attention.query_weight"),
                key: from.packed("attention.key_weight"),
                energy: from.vector("attention.energy_weight"),
            }),
            context: from.packed("decoder.0.context_weight"),
            decoder: (0..layers("decoder.#.input_weight")).map(|i| from.unit(&format!("decoder.{i}"))).collect(),
            readout: Readout {
                state: from.packed("readout.state_weight"),
                context: from.packed("readout.context_weight"),
                embedding: from.affine("readout.embedding_weight", "readout.bias"),
            },
            output: from.output(),
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
        let embedded: Vec<&[f32]> =
            sources.iter().flat_map(|source| source.iter().map(|&word| self.source_embedding.row(word))).collect();
        let mut annotations = Vec::new();
        for (layer, units) in self.encoder.iter().enumerate() {
            let n = units[0].cell.n();
            let below = annotations;
            let input = if layer == 0 { embedded.clone() } else { rows(&below, 2 * n) };
            annotations = vec![0.0; end * 2 * n];
            for (direction, unit) in units.iter().enumerate() {
                let states = unit.read(&input, &tokens, direction == 1);
                for (annotation, state) in annotations.chunks_exact_mut(2 * n).zip(states.chunks_exact(n)) {
                    annotation[direction * n..][..n].copy_from_slice(state);
                }
            }
        }
        let n = self.encoder[0][0].cell.n();
        let first_backward: Vec<&[f32]> =
            tokens.iter().map(|range| &annotations[range.start * 2 * n + n..][..n]).collect();
        let initial = self.bridge.iter().map(|bridge| {
            let mut states = bridge.apply(&first_backward);
            vector::tanh(&mut states);
            states
        });
        let initial = initial.collect();
        let mut keys = Vec::new();
        if let Some(attention) = &self.attention {
            keys = vec![0.0; end * attention.energy.len()];
            attention.key.multiply(
                &rows(&annotations, 2 * n),
                &mut rows_mut(&mut keys, attention.energy.len()),
                Write::Set,
            );
        }
        Sources { tokens, annotations, keys, initial }
    }

    fn target_embedding(&self) -> &Table {
        self.target_embedding.as_ref().unwrap_or(&self.source_embedding)
    }

    /// The size of a context: both directions with attention, the forward one without.
    fn context_size(&self) -> usize {
        self.context.shape()[0]
    }
}

impl Scores {
    /// log p of a row's next word.
    pub fn log_prob(&self, row: usize, word: u32) -> f32 {
        self.logits[row * self.words + word as usize] - self.normalizers[row]
    }

    /// α_i of a row over the tokens of its source; empty without attention.
    pub fn alignment(&self, row: usize, source_tokens: usize) -> &[f32] {
        let start = row * self.src_len;
        self.alignments.get(start..start + source_tokens.min(self.src_len)).unwrap_or_default()
    }

    /// All words of a row in their order, with log p. Those of `but` are left out, and what is not a number.
    pub fn all(&self, row: usize, but: &[u32]) -> Vec<(f32, u32)> {
        let logits = &self.logits[row * self.words..(row + 1) * self.words];
        let words = logits.iter().map(|logit| logit - self.normalizers[row]).zip(0..);
        words.filter(|(log_prob, word)| !log_prob.is_nan() && !but.contains(word)).collect()
    }

    /// The `count` most probable words of a row, best first, with log p; of equals, the lower first. Those of `but` are left out,
    /// and what is not a number.
    pub fn best(&self, row: usize, count: usize, but: &[u32]) -> Vec<(f32, u32)> {
        let logits = &self.logits[row * self.words..(row + 1) * self.words];
        let parts = self.words.div_ceil(PART);
        let maxima = match self.maxima.get(row * parts..(row + 1) * parts) {
            Some(maxima) => maxima.to_vec(),
            None => logits.chunks(PART).map(|part| part.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect(),
        };
        // So many parts hold as many words that are at least as good: in parts that have no such word is none of the best.
        let enough = (count + but.len()).clamp(1, parts);
        let (_, &mut worst, _) = maxima.clone().select_nth_unstable_by(enough - 1, |a, b| b.total_cmp(a));
        let mut best: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
        for part in (0..parts).filter(|part| maxima[*part] >= worst) {
            for (word, &logit) in (part * PART..).zip(logits[part * PART..].iter().take(PART)) {
                let is_full = best.len() == count;
                if (is_full && logit <= best[count - 1].0) || logit.is_nan() || but.contains(&(word as u32)) {
                    continue;
                }
                let place = best.partition_point(|&(better, _)| better >= logit);
                best.insert(place, (logit, word as u32));
                best.truncate(count);
            }
        }
        best.iter().map(|&(logit, word)| (logit - self.normalizers[row], word)).collect()
    }
}

impl<'n> Hypotheses<'n> {
    /// An empty translation of each source. If `shared` is set the steps use all threads: for when there is nothing else to do.
    pub fn new(network: &'n Network, sources: Sources, shared: bool) -> Self {
        let sentences = (0..sources.tokens.len()).collect();
        let states = sources.initial.clone();
        Self { network, sources, sentences, states, shared, biases: Vec::new(), scores: Scores::default() }
    }

    /// Takes in the last word of every row, and scores the next.
    ///
    /// # Panics
    ///
    /// If there is not a word for each row, or one is not in the vocabulary.
    pub fn step(&mut self, previous: &[u32]) -> &Scores {
        assert_eq!(previous.len(), self.sentences.len(), "a word a row");
        let network = self.network;
        let embedded: Vec<&[f32]> = previous.iter().map(|&word| network.target_embedding().row(word)).collect();
        let contexts = self.attend();
        let contexts = rows(&contexts, network.context_size());
        for (layer, unit) in network.decoder.iter().enumerate() {
            let (below, above) = self.states.split_at_mut(layer);
            let below = below.last().map(|below| rows(below, unit.cell.n()));
            let mut gates = unit.input.apply(below.as_ref().unwrap_or(&embedded));
            let mut gates = rows_mut(&mut gates, 3 * unit.cell.n());
            if layer == 0 {
                network.context.multiply(&contexts, &mut gates, Write::Add);
            }
            above[0] = unit.step(&above[0], &mut gates);
        }
        let top = self.states.last().expect("a decoder has a layer");
        let units = network.readout.apply(&rows(top, network.decoder[0].cell.n()), &contexts, &embedded);
        self.score(&units);
        &self.scores
    }

    /// Adds something to the energies of the next step: for each row nothing, or a number a source token.
    pub fn steer(&mut self, biases: Vec<Vec<f32>>) {
        self.biases = biases;
    }

    /// The context of every row, `[rows, 2n]`; its alignment goes to the scores.
    fn attend(&mut self) -> Vec<f32> {
        let (width, sources) = (self.network.context_size(), &self.sources);
        let mut contexts = vec![0.0; self.sentences.len() * width];
        let Some(attention) = &self.network.attention else {
            for (context, &sentence) in contexts.chunks_exact_mut(width).zip(&self.sentences) {
                let last = sources.tokens[sentence].end - 1;
                context.copy_from_slice(&sources.annotations[last * 2 * width..][..width]);
            }
            return contexts;
        };
        let size = attention.energy.len();
        let mut queries = vec![0.0; self.sentences.len() * size];
        let states = rows(&self.states[0], self.network.decoder[0].cell.n());
        attention.query.multiply(&states, &mut rows_mut(&mut queries, size), Write::Set);
        let scores = &mut self.scores;
        scores.src_len = self.sentences.iter().map(|&sentence| sources.tokens[sentence].len()).max().unwrap_or(0);
        scores.alignments.clear();
        scores.alignments.resize(self.sentences.len() * scores.src_len, 0.0);
        let biases = std::mem::take(&mut self.biases);
        let written = contexts.chunks_exact_mut(width).zip(scores.alignments.chunks_exact_mut(scores.src_len));
        let rows = queries.chunks_exact(size).zip(&self.sentences).zip(written).enumerate();
        for (row, ((query, &sentence), (context, alignment))) in rows {
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
            vector::weighted_sum(
                context,
                alignment,
                &sources.annotations[tokens.start * width..tokens.end * width],
                width,
            );
        }
        contexts
    }

    /// Scores all words from the readouts t_i, `[rows, l]`.
    fn score(&mut self, units: &[f32]) {
        let (output, scores) = (&self.network.output, &mut self.scores);
        let [size, words] = output.weight.shape();
        scores.words = words;
        scores.logits.resize(self.sentences.len() * words, 0.0);
        scores.maxima.resize(self.sentences.len() * words.div_ceil(PART), 0.0);
        let mut logits = rows_mut(&mut scores.logits, words);
        output.weight.multiply_shared(self.shared, &rows(units, size), &mut logits, Write::Set);
        scores.normalizers.clear();
        let maxima = scores.maxima.chunks_exact_mut(words.div_ceil(PART));
        let normalizer = |(logits, maxima)| vector::add_and_normalize(logits, &output.bias, PART, maxima);
        scores.normalizers.extend(logits.into_iter().zip(maxima).map(normalizer));
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

impl Table {
    fn row(&self, number: u32) -> &[f32] {
        let from = number as usize * self.width;
        &self.elements[from..from + self.width]
    }
}

impl Affine {
    fn apply(&self, x: &[&[f32]]) -> Vec<f32> {
        let mut y = self.bias.repeat(x.len());
        self.weight.multiply(x, &mut rows_mut(&mut y, self.bias.len()), Write::Add);
        y
    }
}

impl Unit {
    /// The states `[tokens, n]` over sentences, whose tokens' inputs are the rows of `input`.
    fn read(&self, input: &[&[f32]], sentences: &[Range<usize>], reversed: bool) -> Vec<f32> {
        let n = self.cell.n();
        let mut gates = self.input.apply(input);
        let mut gates: Vec<Option<&mut [f32]>> = gates.chunks_exact_mut(3 * n).map(Some).collect();
        let mut states = vec![0.0; input.len() * n];
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
            let next = self.step(&previous, &mut taken);
            for (state, sentence) in next.chunks_exact(n).zip(&active) {
                current[sentence * n..(sentence + 1) * n].copy_from_slice(state);
                states[token(sentence) * n..][..n].copy_from_slice(state);
            }
        }
        states
    }

    /// The states after those of some rows, `[rows, n]`, from the gates' inputs.
    fn step(&self, previous: &[f32], gates: &mut [&mut [f32]]) -> Vec<f32> {
        let n = self.cell.n();
        let (mut next, mut inner) = (vec![0.0; previous.len()], vec![0.0; previous.len()]);
        let previous = rows(previous, n);
        let step = Step { previous: &previous, input: &previous, gates, inner: &mut rows_mut(&mut inner, n) };
        self.cell.forward(step, &mut rows_mut(&mut next, n));
        next
    }
}

impl Readout {
    /// t_i, the larger of each pair: `[rows, l]`.
    fn apply(&self, states: &[&[f32]], contexts: &[&[f32]], embedded: &[&[f32]]) -> Vec<f32> {
        let mut sums = self.embedding.apply(embedded);
        let mut pieces = rows_mut(&mut sums, self.embedding.bias.len());
        self.state.multiply(states, &mut pieces, Write::Add);
        self.context.multiply(contexts, &mut pieces, Write::Add);
        sums.chunks_exact(2).map(|pair| pair[0].max(pair[1])).collect()
    }
}

/// Finds parameters by name.
struct Named<'p> {
    parameters: &'p Parameters<'p>,
    reset: Reset,
}

impl Named<'_> {
    fn matrix(&self, name: &str) -> (&[usize], &[f32]) {
        *self.parameters.get(name).unwrap_or_else(|| panic!("parameter `{name}` is there"))
    }

    fn vector(&self, name: &str) -> Vec<f32> {
        self.matrix(name).1.to_vec()
    }

    fn packed(&self, name: &str) -> Packed {
        let (shape, values) = self.matrix(name);
        Packed::new(Matrix::new(values, shape[0], shape[1]))
    }

    fn affine(&self, weight: &str, bias: &str) -> Affine {
        Affine { weight: self.packed(weight), bias: self.vector(bias) }
    }

    fn unit(&self, name: &str) -> Unit {
        let (shape, weight) = self.matrix(&format!("{name}.recurrent_weight"));
        let bias = (self.reset == Reset::After).then(|| self.vector(&format!("{name}.recurrent_bias")));
        Unit {
            input: self.affine(&format!("{name}.input_weight"), &format!("{name}.input_bias")),
            cell: Cell::new(weight, bias.as_deref(), self.reset, shape[0]),
        }
    }

    /// The output layer; without a weight of its own it is tied to the target embeddings.
    fn output(&self) -> Affine {
        if self.parameters.contains_key("output.weight") {
            return self.affine("output.weight", "output.bias");
        }
        let own = self.parameters.contains_key("target_embedding");
        let (shape, values) = self.matrix(if own { "target_embedding" } else { "source_embedding" });
        let weight = Packed::new(Matrix::new(values, shape[0], shape[1]).transposed());
        Affine { weight, bias: self.vector("output.bias") }
    }
}

fn rows(buffer: &[f32], width: usize) -> Vec<&[f32]> {
    buffer.chunks_exact(width).collect()
}

fn rows_mut(buffer: &mut [f32], width: usize) -> Vec<&mut [f32]> {
    buffer.chunks_exact_mut(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_words_come_in_order_and_ties_by_id() {
        let logits = vec![9.0, -1.0, 9.0, -2.0, f32::NAN, -1.0, -3.0, f32::NEG_INFINITY];
        let scores = Scores { words: logits.len(), logits, normalizers: vec![1.0], ..Scores::default() };
        assert_eq!(scores.best(0, 3, &[0, 2]), [(-2.0, 1), (-2.0, 5), (-3.0, 3)]);
        assert_eq!(scores.best(0, 10, &[0, 2]).len(), 5);
        assert_eq!(scores.log_prob(0, 6), -4.0);
        let many: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1009) as f32).collect();
        let scores = Scores { words: 1000, logits: many.clone(), normalizers: vec![0.0], ..Scores::default() };
        let mut expected: Vec<(f32, u32)> = many.into_iter().zip(0..).collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(scores.best(0, 20, &[]), expected[..20]);
    }
}
