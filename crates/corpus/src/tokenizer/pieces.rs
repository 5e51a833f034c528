//! A unigram language model of sub-words learned from word counts (Kudo 2018), as `SentencePiece` does it.
//!
//! It starts from all frequent substrings and shrinks: expectation maximisation fits the probabilities of the pieces, then
//! the pieces whose loss the text would feel least are dropped, until the wanted number is left.
//!
//! The trainer of the `tokenizers` crate sums in an order that depends on hash maps and on the number of threads, so that
//! the same text gives other files on another machine; and without C++ its suffix array takes minutes. Here the order is
//! fixed, and the words of a text, each counted once, are so few that their substrings are simply counted.

use std::cmp::Ordering;
use std::collections::HashMap;

use rayon::prelude::*;

use super::alphabet::Alphabet;

/// Learns at most `room` pieces with their log probabilities, the most probable first; the whole alphabet is among them.
///
/// Substrings seen fewer than `min_frequency` times (and fewer than twice) are no pieces.
pub(crate) fn learn(
    words: &[(String, u64)],
    alphabet: &Alphabet,
    room: usize,
    min_frequency: u64,
) -> Vec<(String, f64)> {
    let words: Words = words
        .iter()
        .flat_map(|(word, count)| alphabet.spell(word).into_iter().map(|units| (units, *count as f64)))
        .collect();
    let mut model = Model::new(seed_pieces(&words, min_frequency.max(2) as f64));
    let nearly_there = room + room / 10;
    loop {
        for _ in 0..EM_STEPS {
            let expected = model.expected_counts(&words);
            model = model.maximise(&expected);
        }
        if model.pieces.len() <= nearly_there {
            return model.finish(room, alphabet);
        }
        let target = nearly_there.max((model.pieces.len() as f64 * SHRINK) as usize);
        model = model.prune(&words, target);
    }
}

const EM_STEPS: usize = 2;
/// The share of the pieces that a round keeps.
const SHRINK: f64 = 0.75;
/// The longest piece, in characters.
const LONGEST: usize = 16;
/// The most pieces to start from.
const SEEDS: usize = 1_000_000;
/// Pieces expected less often than this are dropped.
const RARE: f64 = 0.5;
/// Into how many parts the words are divided: a fixed number, so that sums do not depend on the number of threads.
const PARTS: usize = 16;

/// Words as units of the alphabet, with their counts.
type Words = Vec<(Vec<u32>, f64)>;

#[derive(Clone, Debug)]
struct Piece {
    units: Vec<u32>,
    score: f64,
}

impl Piece {
    fn is_single(&self) -> bool {
        self.units.len() == 1
    }
}

/// All substrings seen often enough, scored by the characters they cover.
///
/// A substring is only counted where both its parts, one unit shorter, were seen often enough.
fn seed_pieces(words: &Words, min_count: f64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut starts: Vec<Vec<bool>> = words.iter().map(|(units, _)| vec![true; units.len()]).collect();
    for length in 1..=LONGEST {
        let mut counts: HashMap<&[u32], f64> = HashMap::new();
        for ((units, count), starts) in words.iter().zip(&starts) {
            for start in candidates(starts, length) {
                *counts.entry(&units[start..start + length]).or_default() += count;
            }
        }
        counts.retain(|units, count| units.len() == 1 || *count >= min_count);
        for ((units, _), starts) in words.iter().zip(&mut starts) {
            let frequent: Vec<bool> = units.windows(length).map(|window| counts.contains_key(window)).collect();
            *starts = frequent;
        }
        pieces
            .extend(counts.iter().map(|(units, count)| Piece { units: units.to_vec(), score: count * length as f64 }));
    }
    pieces.sort_unstable_by(|left, right| best_first(left, right).then_with(|| left.units.cmp(&right.units)));
    let mut rank = 0;
    pieces.retain(|piece| {
        rank += 1;
        rank <= SEEDS || piece.is_single()
    });
    let total: f64 = pieces.iter().map(|piece| piece.score).sum();
    pieces.iter_mut().for_each(|piece| piece.score = (piece.score / total).ln());
    pieces
}

/// Where a substring of `length` may start, given where frequent ones of `length - 1` do.
fn candidates(starts: &[bool], length: usize) -> impl Iterator<Item = usize> {
    let ends = if length == 1 { starts } else { starts.get(1..).unwrap_or(&[]) };
    starts.iter().zip(ends).enumerate().filter(|(_, (start, end))| **start && **end).map(|(index, _)| index)
}

fn best_first(left: &Piece, right: &Piece) -> Ordering {
    right.score.total_cmp(&left.score)
}

struct Model {
    pieces: Vec<Piece>,
    trie: Trie,
}

impl Model {
    fn new(pieces: Vec<Piece>) -> Self {
        let mut trie = Trie::default();
        for (id, piece) in pieces.iter().enumerate() {
            trie.insert(&piece.units, id);
        }
        Self { pieces, trie }
    }

    /// How often each piece is expected over all segmentations of all words (the E step).
    fn expected_counts(&self, words: &Words) -> Vec<f64> {
        self.sum_over_parts(words, |units, count, expected| {
            let lattice = Lattice::new(self, units);
            let (forward, backward) = (lattice.forward(), lattice.backward());
            let all = forward[units.len()];
            for edge in &lattice.edges {
                expected[edge.piece] += count * (forward[edge.start] + edge.score + backward[edge.end] - all).exp();
            }
        })
    }

    /// How often each piece occurs in the best segmentation of every word.
    fn best_counts(&self, words: &Words) -> Vec<f64> {
        self.sum_over_parts(words, |units, count, counts| {
            for piece in Lattice::new(self, units).best_path().0 {
                counts[piece] += count;
            }
        })
    }

    fn sum_over_parts(&self, words: &Words, add: impl Fn(&[u32], f64, &mut [f64]) + Sync) -> Vec<f64> {
        let sums: Vec<Vec<f64>> = words
            .par_chunks(words.len().div_ceil(PARTS).max(1))
            .map(|part| {
                let mut sums = vec![0.0; self.pieces.len()];
                part.iter().for_each(|(units, count)| add(units, *count, &mut sums));
                sums
            })
            .collect();
        let mut total = vec![0.0; self.pieces.len()];
        for sums in sums {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
        total
    }

    /// New probabilities from expected counts (the M step), with the sparse prior of Liang and Klein's tutorial (ACL 2007).
    fn maximise(self, expected: &[f64]) -> Self {
        let kept: Vec<(Piece, f64)> = self
            .pieces
            .into_iter()
            .zip(expected)
            .filter(|(piece, count)| piece.is_single() || **count >= RARE)
            .map(|(piece, count)| (piece, count.max(RARE)))
            .collect();
        let total = digamma(kept.iter().map(|(_, count)| count).sum());
        Self::new(kept.into_iter().map(|(piece, count)| Piece { score: digamma(count) - total, ..piece }).collect())
    }

    /// Keeps the `target` pieces that the text would miss most.
    ///
    /// A dropped piece is taken to be spelled by its own best segmentation into others.
    fn prune(self, words: &Words, target: usize) -> Self {
        let counts = self.best_counts(words);
        let sum: f64 = counts.iter().sum();
        let losses: Vec<f64> = self
            .pieces
            .par_iter()
            .enumerate()
            .map(|(id, piece)| if piece.is_single() { f64::INFINITY } else { self.loss(id, &counts, sum) })
            .collect();
        let mut order: Vec<usize> = (0..self.pieces.len()).filter(|&id| losses[id] > f64::NEG_INFINITY).collect();
        order.sort_by(|&left, &right| losses[right].total_cmp(&losses[left]).then(left.cmp(&right)));
        let singles = losses.iter().filter(|loss| loss.is_infinite() && **loss > 0.0).count();
        order.truncate(target.max(singles));
        order.sort_unstable();
        Self::new(order.into_iter().map(|id| self.pieces[id].clone()).collect())
    }

    /// The share of log likelihood that goes with a piece; -∞ for one that nothing needs.
    fn loss(&self, id: usize, counts: &[f64], sum: f64) -> f64 {
        let piece = &self.pieces[id];
        let (parts, score) = Lattice::without(self, &piece.units, id).best_path();
        if counts[id] == 0.0 || score > piece.score {
            return f64::NEG_INFINITY;
        }
        let log_sum_without = (sum + counts[id] * (parts.len() as f64 - 1.0)).ln();
        let with = counts[id].ln() - sum.ln();
        let without: f64 = parts.iter().map(|&part| (counts[part] + counts[id]).ln() - log_sum_without).sum();
        counts[id] / sum * (with - without)
    }

    fn finish(self, room: usize, alphabet: &Alphabet) -> Vec<(String, f64)> {
        let (mut kept, mut others): (Vec<Piece>, Vec<Piece>) = self.pieces.into_iter().partition(Piece::is_single);
        others.sort_by(best_first);
        others.truncate(room.saturating_sub(kept.len()));
        kept.append(&mut others);
        kept.sort_by(best_first);
        let text = |piece: &Piece| piece.units.iter().map(|&unit| alphabet.units()[unit as usize].as_str()).collect();
        kept.iter().map(|piece| (text(piece), piece.score)).collect()
    }
}

/// All pieces of a word, as edges between the places before, between and after its units.
struct Lattice {
    places: usize,
    /// Ordered by start.
    edges: Vec<Edge>,
}

struct Edge {
    start: usize,
    end: usize,
    piece: usize,
    score: f64,
}

impl Lattice {
    fn new(model: &Model, units: &[u32]) -> Self {
        Self::without(model, units, usize::MAX)
    }

    fn without(model: &Model, units: &[u32], excluded: usize) -> Self {
        let mut edges = Vec::new();
        for start in 0..units.len() {
            let found = model.trie.prefixes(&units[start..]).filter(|(_, piece)| *piece != excluded);
            edges.extend(found.map(|(length, piece)| Edge {
                start,
                end: start + length,
                piece,
                score: model.pieces[piece].score,
            }));
        }
        Self { places: units.len() + 1, edges }
    }

    /// Log probability of everything up to each place.
    fn forward(&self) -> Vec<f64> {
        let mut sums = vec![f64::NEG_INFINITY; self.places];
        sums[0] = 0.0;
        for edge in &self.edges {
            sums[edge.end] = log_add(sums[edge.end], sums[edge.start] + edge.score);
        }
        sums
    }

    /// Log probability of everything from each place on.
    fn backward(&self) -> Vec<f64> {
        let mut sums = vec![f64::NEG_INFINITY; self.places];
        sums[self.places - 1] = 0.0;
        for edge in self.edges.iter().rev() {
            sums[edge.start] = log_add(sums[edge.start], sums[edge.end] + edge.score);
        }
        sums
    }

    /// The most probable segmentation and its log probability; of equals, the first found.
    fn best_path(&self) -> (Vec<usize>, f64) {
        let mut best: Vec<(f64, Option<&Edge>)> = vec![(f64::NEG_INFINITY, None); self.places];
        best[0].0 = 0.0;
        for edge in &self.edges {
            let score = best[edge.start].0 + edge.score;
            if score > best[edge.end].0 {
                best[edge.end] = (score, Some(edge));
            }
        }
        let mut path = Vec::new();
        let mut place = self.places - 1;
        while let Some(edge) = best[place].1 {
            path.push(edge.piece);
            place = edge.start;
        }
        path.reverse();
        (path, best[self.places - 1].0)
    }
}

/// Finds all pieces that a word begins with.
#[derive(Default)]
struct Trie {
    children: HashMap<(u32, u32), u32>,
    /// The piece that ends at a node; node 0 is the root.
    ends: Vec<Option<usize>>,
}

impl Trie {
    fn insert(&mut self, units: &[u32], piece: usize) {
        if self.ends.is_empty() {
            self.ends.push(None);
        }
        let mut node = 0;
        for &unit in units {
            node = *self.children.entry((node, unit)).or_insert_with(|| {
                self.ends.push(None);
                self.ends.len() as u32 - 1
            });
        }
        self.ends[node as usize] = Some(piece);
    }

    /// Lengths and pieces, the shortest first.
    fn prefixes(&self, units: &[u32]) -> impl Iterator<Item = (usize, usize)> {
        let nodes = units.iter().scan(0, |node, &unit| {
            *node = *self.children.get(&(*node, unit))?;
            Some(*node)
        });
        nodes.enumerate().filter_map(|(index, node)| self.ends[node as usize].map(|piece| (index + 1, piece)))
    }
}

fn log_add(left: f64, right: f64) -> f64 {
    let (low, high) = if left < right { (left, right) } else { (right, left) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// The derivative of ln Γ: recurrence up to 7, then the asymptotic series in 1/(x - 1/2).
fn digamma(mut x: f64) -> f64 {
    let mut result = 0.0;
    while x < 7.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    x -= 0.5;
    let square = 1.0 / (x * x);
    result + x.ln() + square / 24.0 - 7.0 / 960.0 * square.powi(2) + 31.0 / 8064.0 * square.powi(3)
        - 127.0 / 30720.0 * square.powi(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn_from(words: &[(&str, u64)], room: usize) -> Vec<(String, f64)> {
        let words: Vec<(String, u64)> = words.iter().map(|&(word, count)| (word.to_owned(), count)).collect();
        learn(&words, &Alphabet::new(&words, "", usize::MAX, 1), room, 1)
    }

    fn model(pieces: &[(&[u32], f64)]) -> Model {
        Model::new(pieces.iter().map(|&(units, p)| Piece { units: units.to_vec(), score: p.ln() }).collect())
    }

    #[test]
    fn expected_counts_by_hand() {
        // "ab" is either `ab` (0.2) or `a` `b` (0.5 · 0.4 = 0.2): each half of the time.
        let model = model(&[(&[0], 0.5), (&[1], 0.4), (&[0, 1], 0.2)]);
        let expected = model.expected_counts(&vec![(vec![0, 1], 6.0)]);
        for (count, wanted) in expected.iter().zip([3.0, 3.0, 3.0]) {
            assert!((count - wanted).abs() < 1e-12, "{expected:?}");
        }
    }

    #[test]
    fn the_best_path_is_the_most_probable() {
        let model = model(&[(&[0], 0.5), (&[1], 0.3), (&[0, 1], 0.2)]);
        let (path, score) = Lattice::new(&model, &[0, 1, 1]).best_path();
        assert_eq!(path, [2, 1]);
        assert!((score - (0.2_f64 * 0.3).ln()).abs() < 1e-12);
    }

    #[test]
    fn digamma_at_one_is_minus_eulers_constant() {
        assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-9);
        assert!((digamma(0.5) - digamma(1.5) + 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_alphabet_stays_and_frequent_words_are_pieces() {
        let pieces = learn_from(&[(" house", 40), (" houses", 30), (" mouse", 20), (" quick", 1)], 20);
        let texts: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
        for single in [" ", "h", "o", "u", "s", "e", "m", "q", "i", "c", "k"] {
            assert!(texts.contains(&single), "{single:?} is missing from {texts:?}");
        }
        assert!(texts.contains(&" house"), "{texts:?}");
        assert!(pieces.len() <= 20);
        assert!(pieces.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let words: Vec<String> = (0..2000_u32).map(|n| format!(" w{}x{}", n * n % 997, n % 61)).collect();
        let words: Vec<(&str, u64)> = words.iter().map(|word| (word.as_str(), 1 + word.len() as u64 % 5)).collect();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| learn_from(&words, 200))
        };
        assert_eq!(with_threads(1), with_threads(3));
    }
}
