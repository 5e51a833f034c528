//! Links learnt from a parallel text alone, without any model.
//!
//! Each target word f_j is said to come from one source word e_i, or from none: a_j = i, or 0. How probable are all links
//! together is told by a hidden Markov model (Vogel et al., 1996) with fertilities (Brown et al., 1993):
//!
//! ```text
//! p(f, a | e) ∝ Π_j t(f_j | e_aj)  ·  Π_j d(a_j - a_j')  ·  Π_i n(φ_i | e_i)
//!
//! t   translations of a word; Dirichlet prior with a small α, so that a word has few
//! d   jumps from the link of the last word before j that has one
//! n   fertilities: how many words e_i is linked with; the prior is that of all words
//! 0   a word without a link has t(f_j | none) and a fixed probability instead of a jump
//! ```
//!
//! Links are drawn by Gibbs sampling, one at a time given all others, with t, d and n summed out as counts (Mermer & Saraçlar,
//! 2011; Östling & Tiedemann, 2016, "Efficient Word Alignment with Markov Chain Monte Carlo", whose eflomal this follows):
//!
//! ```text
//! p(a_j = i | rest) ∝ (c(e_i, f_j) + α) / (c(e_i) + α V)  ·  d(i - before) d(after - i)  ·  n(φ_i + 1 | e_i) / n(φ_i | e_i)
//! ```
//!
//! It begins with t alone (IBM model 1), goes on with t and d, and then with all three. Both directions are sampled beside each
//! other, three times over. What a link is worth in one direction is multiplied by a constant where the same sampler has it in the
//! other: so both come to agree (Liang, Taskar & Klein, 2006, have another way to the same end). In the end, what the
//! links are drawn from is averaged over samplers and a few sweeps: these are the posteriors p(a_j = i).
//!
//! The pairs of a batch are sampled at once, on all threads, by the counts before it: so the links are the same on any number of
//! threads. They follow from the text and the seed.

mod chain;
mod counts;
mod sampler;
mod text;

use std::num::NonZeroUsize;
use std::ops::Range;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use chain::{Chain, Stage, VocabularySizes};
use counts::Counts;
use sampler::{Desk, Sampler, Sums};
use text::{Numbering, Text};

use crate::{Alignment, AlignmentError, Link, Links, Sentence, Symmetrization};

/// What a word without a link comes from.
const NULL: u32 = 0;
/// Samplers of each direction.
const SAMPLERS: usize = 3;
/// The prior of translations.
const ALPHA: f32 = 0.001;
/// How much more a link is worth that the other direction has.
const AGREEMENT: f32 = 4.0;
/// Sweeps that posteriors are averaged over.
const AVERAGED: usize = 8;
/// Most pairs that are sampled by the same counts.
const BATCH: usize = 1024;

/// How to learn links.
#[derive(Clone, Debug)]
pub struct StatisticalOptions {
    /// Which random numbers.
    pub seed: u64,
    /// Sweeps with the whole model; a quarter as many come before with each of the simpler ones. Without a number it
    /// follows from that of the pairs, see [`StatisticalOptions::sweeps_for`].
    pub sweeps: Option<NonZeroUsize>,
    /// Whether words that differ in case alone are the same.
    pub lowercase: bool,
    /// Words with the same first letters, so many, are the same: a simple kind of stems.
    pub prefix: Option<NonZeroUsize>,
    /// Pairs with more words on a side have no links; at most 65,533 count.
    pub max_words: usize,
}

impl Default for StatisticalOptions {
    fn default() -> Self {
        Self { seed: 1, sweeps: None, lowercase: true, prefix: None, max_words: 1000 }
    }
}

impl StatisticalOptions {
    /// Sweeps with the whole model. A small text needs more of them, since every word is rarer, and has the time.
    pub fn sweeps_for(&self, pairs: usize) -> usize {
        let usual = (5000.0 / (pairs.max(1) as f64).sqrt()).round().clamp(8.0, 32.0);
        self.sweeps.map_or(usual as usize, NonZeroUsize::get)
    }
}

/// A text and the links that were learnt from it, of which posteriors are made when they are asked for.
///
/// Memory: of each pair 16 bytes, and 10 bytes a word, both sides counted; besides 32 to 96 bytes a word pair that is linked.
#[derive(Debug)]
pub struct Statistical {
    text: Text,
    kinds: VocabularySizes,
    /// Of each pair, of each sampler, the links of the target words, then those of the source words.
    links: Vec<u16>,
    counts: Counts,
    /// By direction, then sampler.
    chains: [[Chain; SAMPLERS]; 2],
    seed: u64,
}

/// How probable the links of a pair are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Posteriors {
    source_words: usize,
    target_words: usize,
    /// Of each target word the probabilities of the source words, then of none: `[target, source + 1]`.
    forward: Vec<f32>,
    /// `[source, target + 1]`
    reverse: Vec<f32>,
}

impl Statistical {
    /// Learns the links of sentence pairs, given as the words of both sides. `progress` is told how many pairs were sampled
    /// since it was last told, and how many will be in all, each counted as often as there are sweeps.
    ///
    /// A pair with a side without words, or with too many words, has no links.
    pub fn learn<'w>(
        pairs: impl IntoIterator<Item = [Vec<&'w str>; 2]>,
        options: &StatisticalOptions,
        mut progress: impl FnMut(usize, usize),
    ) -> Self {
        let (text, kinds) = numbered(pairs, options);
        let chains = [0, 1].map(|direction| [(); SAMPLERS].map(|()| Chain::new(kinds.generating(direction))));
        let links = vec![0; SAMPLERS * text.words()];
        let mut learner = Self { text, kinds, links, counts: Counts::new(), chains, seed: options.seed };
        let stages = stages(options.sweeps_for(learner.len()));
        let total = stages.len() * learner.len();
        for (number, stage) in stages.into_iter().enumerate() {
            if stage != Stage::Words {
                learner.estimate();
            }
            learner.sweep(number, stage, |sampled| progress(sampled, total));
        }
        learner.estimate();
        learner
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The links of pairs, by their numbers.
    pub fn links(&self, pairs: Range<usize>, how: Symmetrization) -> Vec<Links> {
        self.posteriors(pairs).par_iter().map(|posteriors| posteriors.links(how)).collect()
    }

    /// The posteriors of pairs, by their numbers. Those of a pair without links are empty.
    pub fn posteriors(&self, pairs: Range<usize>) -> Vec<Posteriors> {
        pairs.into_par_iter().map_init(Desk::default, |desk, index| self.posteriors_of(index, desk)).collect()
    }

    fn posteriors_of(&self, index: usize, desk: &mut Desk) -> Posteriors {
        let words = self.text.pair(index);
        let [source_words, target_words] = words.map(<[u32]>::len);
        let mut links = self.links[self.place_of_links(index)].to_vec();
        let mut sums = [vec![0.0; target_words * (source_words + 1)], vec![0.0; source_words * (target_words + 1)]];
        let mut random = self.random(u32::MAX as usize, index);
        self.sampler(Stage::Fertility).sample(words, &mut links, AVERAGED, &mut random, desk, Some(&mut sums));
        let [forward, reverse] = averaged(sums, [source_words, target_words]);
        Posteriors { source_words, target_words, forward, reverse }
    }

    /// Draws the links of all pairs anew.
    fn sweep(&mut self, number: usize, stage: Stage, mut progress: impl FnMut(usize)) {
        // A small text in small batches, so that pairs see what others have become.
        let batch = (self.len() / 128).clamp(1, BATCH);
        for start in (0..self.len()).step_by(batch) {
            let pairs = start..self.len().min(start + batch);
            let place = self.place_of_links(pairs.start).start..self.place_of_links(pairs.end - 1).end;
            let mut drawn = self.links[place.clone()].to_vec();
            let sampler = self.sampler(stage);
            self.parts(pairs.clone(), &mut drawn).into_par_iter().for_each_init(
                Desk::default,
                |desk, (index, links)| {
                    sampler.sample(self.text.pair(index), links, 1, &mut self.random(number, index), desk, None);
                },
            );
            self.take(pairs.clone(), &drawn, number == 0);
            self.links[place].copy_from_slice(&drawn);
            progress(pairs.len());
        }
    }

    /// The links of each pair, of those of several.
    fn parts<'l>(&self, pairs: Range<usize>, links: &'l mut [u16]) -> Vec<(usize, &'l mut [u16])> {
        let mut rest = links;
        let part = |index| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(self.place_of_links(index).len());
            rest = after;
            (index, part)
        };
        pairs.map(part).collect()
    }

    /// Counts links that were drawn anew instead of those before. At first there were none.
    fn take(&mut self, pairs: Range<usize>, drawn: &[u16], first: bool) {
        let mut drawn = drawn.iter();
        for index in pairs {
            let mut before = self.links[self.place_of_links(index)].iter();
            let words = self.text.pair(index);
            for sampler in 0..SAMPLERS {
                for (direction, chains) in self.chains.iter_mut().enumerate() {
                    let (generating, generated) = (words[direction], words[1 - direction]);
                    let mut count = |link: u16, word: u32, by: i32| {
                        let from = if link == 0 { NULL } else { generating[usize::from(link) - 1] };
                        let pair = if direction == 0 { [from, word] } else { [word, from] };
                        self.counts.change(pair, direction, sampler, by);
                        let total = &mut chains[sampler].totals[from as usize];
                        *total = total.wrapping_add_signed(by);
                    };
                    for (&word, (&before, &now)) in generated.iter().zip(before.by_ref().zip(drawn.by_ref())) {
                        if first {
                            count(now, word, 1);
                        } else if before != now {
                            count(before, word, -1);
                            count(now, word, 1);
                        }
                    }
                }
            }
        }
    }

    /// Estimates what is not counted word by word.
    fn estimate(&mut self) {
        let (text, links) = (&self.text, &self.links);
        let of = |direction: usize, sampler: usize, index: usize| {
            let place = text.place(index);
            let links = &links[SAMPLERS * place.start + sampler * place.len()..][..place.len()];
            let (forward, reverse) = links.split_at(text.pair(index)[1].len());
            [forward, reverse][direction]
        };
        self.chains.par_iter_mut().enumerate().for_each(|(direction, chains)| {
            chains.par_iter_mut().enumerate().for_each(|(sampler, chain)| {
                chain.estimate(text, direction, |index| of(direction, sampler, index));
            });
        });
    }

    fn sampler(&self, stage: Stage) -> Sampler<'_> {
        Sampler { stage, counts: &self.counts, chains: &self.chains, kinds: self.kinds }
    }

    fn place_of_links(&self, index: usize) -> Range<usize> {
        let place = self.text.place(index);
        SAMPLERS * place.start..SAMPLERS * place.end
    }

    /// The random numbers of a pair in a sweep.
    fn random(&self, sweep: usize, index: usize) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream((sweep as u64) << 32 ^ index as u64);
        random
    }
}

impl Posteriors {
    /// The most probable link of each word, none included, in both directions; made one set.
    pub fn links(&self, how: Symmetrization) -> Links {
        let forward = most_probable(&self.forward, self.source_words);
        let reverse = most_probable(&self.reverse, self.target_words);
        let forward = forward.map(|(target, source)| Link { source, target }).collect();
        let reverse = reverse.map(|(source, target)| Link { source, target }).collect();
        how.merge(&forward, &reverse)
    }

    /// As matrices, whose last column is that of no word: the end of the sentence. The second is that of the other direction.
    ///
    /// # Errors
    ///
    /// A side without words, or with other words than were learnt from.
    pub fn alignments(self, source: &Sentence, target: &Sentence) -> Result<[Alignment; 2], AlignmentError> {
        let forward = Alignment::new(source.clone().with_end(), target.clone(), self.forward)?;
        let reverse = Alignment::new(target.clone().with_end(), source.clone(), self.reverse)?;
        Ok([forward, reverse])
    }
}

/// The sweeps, the simplest model first.
fn stages(whole: usize) -> Vec<Stage> {
    let simple = whole.div_ceil(4);
    let times = |stage, count| std::iter::repeat_n(stage, count);
    times(Stage::Words, simple).chain(times(Stage::Jumps, simple)).chain(times(Stage::Fertility, whole)).collect()
}

/// Words as numbers. Pairs that cannot have links are left blank.
fn numbered<'w>(
    pairs: impl IntoIterator<Item = [Vec<&'w str>; 2]>,
    options: &StatisticalOptions,
) -> (Text, VocabularySizes) {
    let most = options.max_words.min(usize::from(u16::MAX) - 2);
    let mut numbering = Numbering::default();
    for mut sides in pairs {
        if sides.iter().any(|side| !(1..=most).contains(&side.len())) {
            sides = [Vec::new(), Vec::new()];
        }
        numbering.add(sides.map(|side| side.into_iter().map(|word| options.kind_of(word))));
    }
    numbering.finish()
}

impl StatisticalOptions {
    /// What a word is counted as.
    fn kind_of(&self, word: &str) -> String {
        let word = if self.lowercase { word.to_lowercase() } else { word.to_owned() };
        match self.prefix {
            Some(letters) => word.chars().take(letters.get()).collect(),
            None => word,
        }
    }
}

/// Sums as means, with the column of no word last.
fn averaged(sums: Sums, generating: [usize; 2]) -> Sums {
    let [mut forward, mut reverse] = sums;
    let share = 1.0 / (SAMPLERS * AVERAGED) as f32;
    for (sums, generating) in [(&mut forward, generating[0]), (&mut reverse, generating[1])] {
        sums.iter_mut().for_each(|sum| *sum *= share);
        sums.chunks_exact_mut(generating + 1).for_each(|row| row.rotate_left(1));
    }
    [forward, reverse]
}

/// Each generated word that has a link, with it.
fn most_probable(rows: &[f32], generating: usize) -> impl Iterator<Item = (usize, usize)> {
    let best = move |(word, row): (usize, &[f32])| {
        let best = (1..row.len()).fold(0, |best, place| if row[place] > row[best] { place } else { best });
        (best < generating).then_some((word, best))
    };
    rows.chunks_exact(generating + 1).enumerate().filter_map(best)
}
