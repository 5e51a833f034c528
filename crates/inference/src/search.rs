//! Search for the best translations, a batch of sentences at a time.
//!
//! At every step each sentence keeps its `beam_size` best unfinished hypotheses. One that takes `</s>` is finished and leaves;
//! a sentence leaves the batch when it has `beam_size` finished ones, or its length is used up. A beam of 1 is greedy search.

use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_corpus::{BOS, EOS, PAD, Padded};
use rnnsearch_decoder::{DecoderState, RnnSearch, Source};

/// How to search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOptions {
    /// Hypotheses kept at a step.
    pub beam_size: usize,
    /// A hypothesis is scored by log_prob / length^length_penalty.
    pub length_penalty: f64,
    /// A translation has at most `max_ratio` × source tokens + `max_extra` tokens.
    pub max_ratio: f64,
    /// See `max_ratio`.
    pub max_extra: usize,
}

/// A translation as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The words, without `</s>`.
    pub ids: Vec<u32>,
    /// log p of every word, and of `</s>` where it was reached.
    pub token_log_probs: Vec<f32>,
    /// The alignment α_i of every word, and of `</s>` where it was reached: rows of one weight a source token. Empty without attention.
    pub alignment: Vec<Vec<f32>>,
    /// The sum of `token_log_probs`.
    pub log_prob: f64,
    /// log_prob / length^length_penalty; `</s>` counts as a word.
    pub score: f64,
    /// Whether `</s>` was reached before the length was used up.
    pub finished: bool,
}

/// Translates a batch of sources, each a non-empty list of ids that ends with `</s>`.
///
/// Returns, for each source, up to `beam_size` hypotheses: finished ones first, then by falling score.
pub fn search(
    model: &RnnSearch,
    config: &ModelConfig,
    sources: &[&[u32]],
    options: &SearchOptions,
    device: &Device,
) -> Vec<Vec<Hypothesis>> {
    if sources.is_empty() {
        return Vec::new();
    }
    let mut state = model.start(&pad(sources, device), config);
    let mut beams: Vec<Beam> =
        sources.iter().enumerate().map(|(i, source)| Beam::new(i, source.len(), options)).collect();
    let mut done: Vec<Vec<Hypothesis>> = vec![Vec::new(); sources.len()];
    let mut live: Vec<usize> = (0..beams.len()).collect();
    while !live.is_empty() {
        let previous: Vec<u32> = live.iter().flat_map(|&b| beams[b].previous()).collect();
        let step = model.step(&state, &previous, config);
        let scores = Scores::read(step.log_probs, step.alignment);
        let (mut rows, mut row) = (Vec::new(), 0);
        let mut moved = false;
        let mut still_live = Vec::with_capacity(live.len());
        for &b in &live {
            let beam = &mut beams[b];
            let count = beam.live.len();
            let parents = beam.advance(row, &scores, options);
            row += count;
            if beam.is_done(options) {
                done[beam.sentence] = beam.finish(options);
                moved = true;
            } else {
                moved |= parents.len() != count;
                rows.extend(parents);
                still_live.push(b);
            }
        }
        live = still_live;
        if !live.is_empty() {
            state = reorder(step.state, &rows, moved);
        }
    }
    done
}

fn reorder(state: DecoderState, rows: &[usize], moved: bool) -> DecoderState {
    match moved {
        true => state.select(rows),
        false if rows.iter().enumerate().all(|(i, &row)| i == row) => state,
        false => state.select_states(rows),
    }
}

/// Puts sources of different lengths into one padded batch on the device.
pub(crate) fn pad(sources: &[&[u32]], device: &Device) -> Source {
    let padded = Padded::new(sources);
    Source::new(&padded.ids, &padded.lengths, device)
}

/// What a step said of all rows, on the host.
pub(crate) struct Scores {
    log_probs: Vec<f32>,
    words: usize,
    alignment: Vec<f32>,
    src_len: usize,
}

impl Scores {
    pub(crate) fn read(log_probs: Tensor<2>, alignment: Option<Tensor<2>>) -> Self {
        let [_, words] = log_probs.dims();
        let src_len = alignment.as_ref().map_or(0, |alignment| alignment.dims()[1]);
        let values = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().expect("a float tensor can be read");
        Self { log_probs: values(log_probs), words, alignment: alignment.map(values).unwrap_or_default(), src_len }
    }

    pub(crate) fn log_prob(&self, row: usize, word: u32) -> f32 {
        self.log_probs[row * self.words + word as usize]
    }

    /// α_i of a row over the real tokens of its source; empty without attention.
    pub(crate) fn alignment(&self, row: usize, source_tokens: usize) -> Vec<f32> {
        let start = row * self.src_len;
        self.alignment.get(start..start + source_tokens.min(self.src_len)).unwrap_or_default().to_vec()
    }

    /// The `count` best words of a row, best first; of equals, the lower id first.
    fn best(&self, row: usize, count: usize) -> Vec<(f32, u32)> {
        let mut best: Vec<(f32, u32)> = Vec::with_capacity(count + 1);
        let mut worst = f32::NEG_INFINITY;
        for (word, &log_prob) in self.log_probs[row * self.words..(row + 1) * self.words].iter().enumerate() {
            let word = word as u32;
            if (best.len() == count && log_prob <= worst) || word == PAD || word == BOS || log_prob.is_nan() {
                continue;
            }
            let place = best.partition_point(|&(better, _)| better >= log_prob);
            best.insert(place, (log_prob, word));
            best.truncate(count);
            worst = best[best.len() - 1].0;
        }
        best
    }
}

/// A word of a hypothesis, and the one before it.
struct Node {
    parent: Option<usize>,
    word: u32,
    token_log_prob: f32,
    alignment: Vec<f32>,
}

/// An unfinished hypothesis: its last word, none at the start.
#[derive(Clone, Copy)]
struct Live {
    node: Option<usize>,
    log_prob: f64,
}

/// A hypothesis one word longer.
struct Candidate {
    log_prob: f64,
    parent: usize,
    word: u32,
    token_log_prob: f32,
}

/// The search for one sentence.
struct Beam {
    sentence: usize,
    source_tokens: usize,
    max_len: usize,
    len: usize,
    nodes: Vec<Node>,
    live: Vec<Live>,
    finished: Vec<Hypothesis>,
}

impl Beam {
    fn new(sentence: usize, source_tokens: usize, options: &SearchOptions) -> Self {
        let max_len = (options.max_ratio * source_tokens as f64).ceil() as usize + options.max_extra;
        Self {
            sentence,
            source_tokens,
            max_len: max_len.max(1),
            len: 0,
            nodes: Vec::new(),
            live: vec![Live { node: None, log_prob: 0.0 }],
            finished: Vec::new(),
        }
    }

    /// The last word of every unfinished hypothesis.
    fn previous(&self) -> Vec<u32> {
        self.live.iter().map(|live| live.node.map_or(BOS, |node| self.nodes[node].word)).collect()
    }

    /// Lengthens the hypotheses, whose scores begin at row `first`. Returns the rows that the new ones come from.
    fn advance(&mut self, first: usize, scores: &Scores, options: &SearchOptions) -> Vec<usize> {
        self.len += 1;
        // Twice the beam is enough: each hypothesis can finish but once, so as many go on.
        let width = 2 * options.beam_size;
        let mut candidates: Vec<Candidate> = Vec::new();
        for (parent, live) in self.live.iter().enumerate() {
            candidates.extend(scores.best(first + parent, width).into_iter().map(|(token_log_prob, word)| Candidate {
                log_prob: live.log_prob + f64::from(token_log_prob),
                parent,
                word,
                token_log_prob,
            }));
        }
        candidates
            .sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob).then(a.parent.cmp(&b.parent)).then(a.word.cmp(&b.word)));
        let mut rows = Vec::new();
        let mut next = Vec::new();
        for (rank, candidate) in candidates.into_iter().enumerate() {
            if next.len() == options.beam_size {
                break;
            }
            if candidate.word == EOS && rank >= options.beam_size {
                continue;
            }
            let row = first + candidate.parent;
            let live = self.lengthen(&candidate, scores.alignment(row, self.source_tokens));
            if candidate.word == EOS {
                self.finished.push(self.hypothesis(live, true, options));
            } else {
                next.push(live);
                rows.push(row);
            }
        }
        self.live = next;
        rows
    }

    fn lengthen(&mut self, candidate: &Candidate, alignment: Vec<f32>) -> Live {
        let parent = self.live[candidate.parent].node;
        self.nodes.push(Node { parent, word: candidate.word, token_log_prob: candidate.token_log_prob, alignment });
        Live { node: Some(self.nodes.len() - 1), log_prob: candidate.log_prob }
    }

    fn is_done(&self, options: &SearchOptions) -> bool {
        self.finished.len() >= options.beam_size || self.len >= self.max_len || self.live.is_empty()
    }

    /// All hypotheses, finished ones first, then by falling score.
    fn finish(&mut self, options: &SearchOptions) -> Vec<Hypothesis> {
        let mut all = std::mem::take(&mut self.finished);
        if all.len() < options.beam_size {
            all.extend(self.live.iter().map(|&live| self.hypothesis(live, false, options)));
        }
        all.sort_by(|a, b| b.finished.cmp(&a.finished).then(b.score.total_cmp(&a.score)));
        all.truncate(options.beam_size);
        all
    }

    fn hypothesis(&self, live: Live, finished: bool, options: &SearchOptions) -> Hypothesis {
        let mut path: Vec<&Node> =
            std::iter::successors(live.node, |&node| self.nodes[node].parent).map(|node| &self.nodes[node]).collect();
        path.reverse();
        let words = path.len() - usize::from(finished);
        Hypothesis {
            ids: path[..words].iter().map(|node| node.word).collect(),
            token_log_probs: path.iter().map(|node| node.token_log_prob).collect(),
            alignment: path
                .iter()
                .filter(|node| !node.alignment.is_empty())
                .map(|node| node.alignment.clone())
                .collect(),
            log_prob: live.log_prob,
            score: live.log_prob / (path.len() as f64).powf(options.length_penalty),
            finished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(rows: &[&[f32]]) -> Scores {
        Scores { log_probs: rows.concat(), words: rows[0].len(), alignment: Vec::new(), src_len: 0 }
    }

    #[test]
    fn best_words_come_in_order_and_ties_by_id() {
        let scores = scores(&[&[9.0, -1.0, 9.0, -2.0, -1.0, -3.0]]);
        assert_eq!(scores.best(0, 3), [(-1.0, 1), (-1.0, 4), (-2.0, 3)]);
        assert_eq!(scores.best(0, 10).len(), 4);
    }

    fn options(beam_size: usize) -> SearchOptions {
        SearchOptions { beam_size, length_penalty: 1.0, max_ratio: 1.0, max_extra: 0 }
    }

    #[test]
    fn a_hypothesis_that_ends_leaves_and_scores_by_its_length() {
        let options = options(2);
        let mut beam = Beam::new(0, 3, &options);
        // Words 4 and 5 go on; </s> (3) is third best and may not finish.
        let rows = beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]), &options);
        assert_eq!(rows, [0, 0]);
        assert_eq!(beam.previous(), [4, 5]);
        // The first hypothesis ends with log_prob -1.5; word 5 after word 4, and word 4 after word 5 go on.
        let step = scores(&[&[0.0, -9.0, 0.0, -0.5, -9.0, -1.0], &[0.0, -9.0, 0.0, -9.0, -0.5, -9.0]]);
        assert_eq!(beam.advance(0, &step, &options), [0, 1]);
        assert_eq!(beam.previous(), [5, 4]);
        assert_eq!(beam.finished.len(), 1);
        assert_eq!(beam.finished[0].ids, [4]);
        assert_eq!(beam.finished[0].log_prob, -1.5);
        assert_eq!(beam.finished[0].score, -0.75);
        assert!(!beam.is_done(&options));
    }

    #[test]
    fn length_runs_out() {
        let options = options(1);
        let mut beam = Beam::new(0, 1, &options);
        beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]), &options);
        assert!(beam.is_done(&options));
        let all = beam.finish(&options);
        assert_eq!((all.len(), all[0].finished, all[0].ids.clone()), (1, false, vec![4]));
    }
}
