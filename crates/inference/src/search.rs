//! Search for the best translations, a batch of sentences at a time.
//!
//! At every step each sentence keeps its `beam_size` best unfinished hypotheses. One that takes `</s>` is finished and leaves;
//! a sentence leaves the batch when it has `beam_size` finished ones, or its length is used up. A beam of 1 is greedy search.

use rnnsearch_corpus::{BOS, EOS, PAD};
use rnnsearch_numeric::network::Scores;

use crate::decoding::{Decoding, Engine, Task};

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
pub(crate) fn search(engine: &Engine, sources: &[&[u32]], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
    let lengths = sources.iter().map(|source| source.len()).collect();
    engine.run(sources, &Search { lengths, options })
}

struct Search<'o> {
    /// Of the sources.
    lengths: Vec<usize>,
    options: &'o SearchOptions,
}

impl Task for Search<'_> {
    type Result = Vec<Hypothesis>;

    fn run(&self, mut decoding: impl Decoding, sources: &[usize]) -> Vec<Vec<Hypothesis>> {
        let mut beams: Vec<Beam> = sources.iter().map(|&source| Beam::new(self.lengths[source], self.options)).collect();
        let mut live: Vec<usize> = (0..beams.len()).collect();
        while !live.is_empty() {
            let previous: Vec<u32> = live.iter().flat_map(|&beam| beams[beam].previous()).collect();
            let scores = decoding.step(&previous);
            let (mut rows, mut row) = (Vec::new(), 0);
            let mut same_sources = true;
            live.retain(|&beam| {
                let beam = &mut beams[beam];
                let count = beam.live.len();
                let parents = beam.advance(row, scores, self.options);
                row += count;
                let goes_on = !beam.is_done(self.options);
                same_sources &= goes_on && parents.len() == count;
                if goes_on {
                    rows.extend(parents);
                }
                goes_on
            });
            if !live.is_empty() {
                decoding.keep(&rows, same_sources);
            }
        }
        beams.iter_mut().map(|beam| beam.finish(self.options)).collect()
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
    source_tokens: usize,
    max_len: usize,
    len: usize,
    nodes: Vec<Node>,
    live: Vec<Live>,
    finished: Vec<Hypothesis>,
}

impl Beam {
    fn new(source_tokens: usize, options: &SearchOptions) -> Self {
        let max_len = (options.max_ratio * source_tokens as f64).ceil() as usize + options.max_extra;
        Self {
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
            candidates.extend(scores.best(first + parent, width, &[PAD, BOS]).into_iter().map(|(token_log_prob, word)| Candidate {
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
            let live = self.lengthen(&candidate, scores.alignment(row, self.source_tokens).to_vec());
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
        let normalizers = vec![0.0; rows.len()];
        Scores { logits: rows.concat(), normalizers, words: rows[0].len(), ..Scores::default() }
    }

    fn options(beam_size: usize) -> SearchOptions {
        SearchOptions { beam_size, length_penalty: 1.0, max_ratio: 1.0, max_extra: 0 }
    }

    #[test]
    fn a_hypothesis_that_ends_leaves_and_scores_by_its_length() {
        let options = options(2);
        let mut beam = Beam::new(3, &options);
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
        let mut beam = Beam::new(1, &options);
        beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]), &options);
        assert!(beam.is_done(&options));
        let all = beam.finish(&options);
        assert_eq!((all.len(), all[0].finished, all[0].ids.clone()), (1, false, vec![4]));
    }
}
