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
    /// Pairs with more words on a side have no links; more than [`StatisticalOptions::MOST_WORDS`] cannot be allowed.
    pub max_words: usize,
}

impl Default for StatisticalOptions {
    fn default() -> Self {
        Self { seed: 1, sweeps: None, lowercase: true, prefix: None, max_words: 1000 }
    }
}

impl StatisticalOptions {
    /// Words of the longest sentences that can have links.
    pub const MOST_WORDS: usize = u16::MAX as usize - 2;

    /// Sweeps with the whole model. A small text needs more of them, since every word is rarer, and has the time.
    pub fn sweeps_for(&self, pairs: usize) -> usize {
        let usual = (5000.0 / (pairs.max(1) as f64).sqrt()).round().clamp(8.0, 32.0);
        self.sweeps.map_or(usual as usize, NonZeroUsize::get)
    }
}

/// Reads a text, pair by pair, and then learns its links.
#[derive(Debug)]
pub struct StatisticalLearner {
    options: StatisticalOptions,
    numbering: Numbering,
}

/// A text and the links that were learnt from it, of which posteriors are made when they are asked for.
///
/// Memory: of each pair 16 bytes, and 10 bytes a word, both sides counted; besides 48 to 128 bytes a word pair that is linked, and while the table
/// grows half as much again.
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

impl StatisticalLearner {
    /// Has read nothing.
    pub fn new(options: StatisticalOptions) -> Self {
        Self { options, numbering: Numbering::default() }
    }

    /// Reads a pair, given as its words. One with a side without words, or with too many, will have no links.
    pub fn add<W: AsRef<str>>(&mut self, source: &[W], target: &[W]) {
        let most = self.options.max_words.min(StatisticalOptions::MOST_WORDS);
        let fits = [source, target].iter().all(|side| (1..=most).contains(&side.len()));
        let kinds = |side: &[W]| -> Vec<String> {
            let kept = if fits { side } else { &[] };
            kept.iter().map(|word| self.options.kind_of(word.as_ref())).collect()
        };
        self.numbering.add([kinds(source), kinds(target)]);
    }

    /// Number of pairs that were read.
    pub fn len(&self) -> usize {
        self.numbering.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Learns the links of all pairs. `progress` is told how many were sampled since it was last told, and how many will be in
    /// all, each counted as often as there are sweeps.
    pub fn learn(self, mut progress: impl FnMut(usize, usize)) -> Statistical {
        let stages = stages(self.options.sweeps_for(self.len()));
        let total = stages.len() * self.len();
        let mut learnt = Statistical::begin(self);
        for (number, stage) in stages.into_iter().enumerate() {
            if stage != Stage::Words {
                learnt.estimate();
            }
            learnt.sweep(number, stage, |sampled| progress(sampled, total));
        }
        learnt.estimate();
        learnt
    }
}

impl Statistical {
    /// Learns the links of sentence pairs, each given as the words of both sides. See [`StatisticalLearner`].
    pub fn learn<W: AsRef<str>>(
        pairs: impl IntoIterator<Item = [Vec<W>; 2]>,
        options: StatisticalOptions,
        progress: impl FnMut(usize, usize),
    ) -> Self {
        let mut learner = StatisticalLearner::new(options);
        pairs.into_iter().for_each(|[source, target]| learner.add(&source, &target));
        learner.learn(progress)
    }

    /// No links.
    fn begin(StatisticalLearner { options, numbering }: StatisticalLearner) -> Self {
        let (text, kinds) = numbering.finish();
        let chains = [0, 1].map(|direction| [(); SAMPLERS].map(|()| Chain::new(kinds.generating(direction))));
        let links = vec![0; SAMPLERS * text.words()];
        Self { text, kinds, links, counts: Counts::new(), chains, seed: options.seed }
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
        pairs
            .into_par_iter()
            .map_init(Desk::default, |desk, index| self.posteriors_of(index, desk).links(how))
            .collect()
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
        // A small text in small batches, so that pairs see what others have become; this counts for much.
        let batch = (self.len() / 512).clamp(1, BATCH);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learnt(pairs: &[(&str, &str)], options: StatisticalOptions) -> Statistical {
        let words = |text: &'_ str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        Statistical::learn(pairs.iter().map(|(source, target)| [words(source), words(target)]), options, |_, _| ())
    }

    fn links(pairs: &[(&str, &str)], how: Symmetrization) -> Vec<String> {
        let learnt = learnt(pairs, StatisticalOptions::default());
        learnt.links(0..pairs.len(), how).iter().map(Links::to_string).collect()
    }

    /// The example of Brown et al. and of every textbook: `the` is `das` because it stands with both, and what is left belongs together.
    #[test]
    fn what_comes_together_belongs_together() {
        let pairs =
            [("das Haus", "the house"), ("das Buch", "the book"), ("ein Buch", "a book"), ("ein Haus", "a house")];
        let pairs = pairs.repeat(3);
        assert_eq!(links(&pairs, Symmetrization::Intersection), ["0-0 1-1"; 12]);
        assert_eq!(links(&pairs, Symmetrization::Union), ["0-0 1-1"; 12]);
    }

    /// Adjectives follow their nouns here.
    #[test]
    fn words_change_places() {
        let nouns = [("dog", "chien"), ("cat", "chat"), ("hat", "chapeau"), ("boat", "bateau")];
        let adjectives = [("red", "rouge"), ("black", "noir"), ("blue", "bleu"), ("yellow", "jaune")];
        let verbs = [("see", "vois"), ("like", "aime"), ("find", "trouve"), ("draw", "dessine")];
        let mut text = Vec::new();
        let subjects = [("you", "vous"), ("I", "je"), ("he", "il")];
        for (n, subject) in (0..64).zip(subjects.into_iter().cycle()) {
            let (verb, noun, adjective) = (verbs[n / 16], nouns[n / 4 % 4], adjectives[n % 4]);
            text.push((
                format!("{} {} {} {}", subject.0, verb.0, adjective.0, noun.0),
                format!("{} {} {} {}", subject.1, verb.1, noun.1, adjective.1),
            ));
        }
        let pairs: Vec<(&str, &str)> = text.iter().map(|(source, target)| (source.as_str(), target.as_str())).collect();
        for (pair, found) in pairs.iter().zip(links(&pairs, Symmetrization::GrowDiag)) {
            assert_eq!(found, "0-0 1-1 2-3 3-2", "{pair:?}");
        }
    }

    #[test]
    fn blank_and_overlong_pairs_have_no_links() {
        let options = StatisticalOptions { max_words: 3, ..StatisticalOptions::default() };
        let pairs = [("", "the house"), ("das Haus", "the house"), ("das Haus", " "), ("a b c d", "a"), ("", "")];
        let learnt = learnt(&pairs, options);
        let found: Vec<String> = learnt.links(0..5, Symmetrization::Union).iter().map(Links::to_string).collect();
        assert!(!found[1].is_empty(), "{found:?}");
        assert_eq!(found.iter().filter(|links| links.is_empty()).count(), 4, "{found:?}");
        assert_eq!(learnt.posteriors(3..4), [Posteriors::default()]);
        let none = StatisticalLearner::new(StatisticalOptions::default());
        assert!(none.is_empty() && none.learn(|_, _| ()).is_empty());
    }

    #[test]
    fn case_and_endings_can_be_passed_over() {
        let options = StatisticalOptions::default();
        assert_eq!(options.kind_of("Äpfel"), "äpfel");
        assert_eq!(StatisticalOptions { prefix: NonZeroUsize::new(2), ..options.clone() }.kind_of("Äpfel"), "äp");
        assert_eq!(StatisticalOptions { lowercase: false, ..options }.kind_of("Äpfel"), "Äpfel");
    }

    #[test]
    fn a_small_text_is_read_more_often() {
        let options = StatisticalOptions::default();
        assert_eq!([0, 100, 100_000, 10_000_000].map(|pairs| options.sweeps_for(pairs)), [32, 32, 16, 8]);
        let options = StatisticalOptions { sweeps: NonZeroUsize::new(5), ..options };
        assert_eq!(options.sweeps_for(7), 5);
        use Stage::*;
        assert_eq!(stages(5), [Words, Words, Jumps, Jumps, Fertility, Fertility, Fertility, Fertility, Fertility]);
    }

    #[test]
    fn progress_adds_up() {
        let (mut done, mut all) = (0, 0);
        let options = StatisticalOptions { sweeps: NonZeroUsize::new(4), ..StatisticalOptions::default() };
        let pairs = (0..300).map(|i| [vec![i.to_string()], vec![i.to_string()]]);
        Statistical::learn(pairs, options, |sampled, total| {
            done += sampled;
            all = total;
        });
        assert_eq!((done, all), (1800, 1800));
    }

    /// The texts of the quickstart, with links made by its grammar.
    #[test]
    fn quickstart() {
        let read = |name: &str| std::fs::read_to_string(format!("../../data/quickstart/{name}")).unwrap();
        let texts = ["dev.tok.en", "dev.tok.fr", "test.tok.en", "test.tok.fr", "dev.talp", "test.talp"].map(read);
        let [dev_en, dev_fr, test_en, test_fr, dev_gold, test_gold] = texts.each_ref().map(|text| text.lines());
        let pairs: Vec<(&str, &str)> = dev_en.chain(test_en).zip(dev_fr.chain(test_fr)).collect();
        let learnt = learnt(&pairs, StatisticalOptions::default());
        let (mut links, mut sure, mut sure_matches, mut matches) = (0, 0, 0, 0);
        let found = learnt.links(0..pairs.len(), Symmetrization::GrowDiag);
        for (found, gold) in found.iter().zip(dev_gold.chain(test_gold)) {
            let gold = crate::LinkFormat::Talp.parse(gold).unwrap();
            links += found.sure().len();
            sure += gold.sure().len();
            sure_matches += found.sure().filter(|link| gold.sure().any(|sure| sure == *link)).count();
            matches += found.sure().filter(|link| gold.all().any(|any| any == *link)).count();
        }
        let aer = 1.0 - (sure_matches + matches) as f64 / (links + sure) as f64;
        assert!(aer < 0.11, "{aer}");
    }

    fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
        let side = || prop::collection::vec("[abcd]", 0..6).prop_map(|words| words.join(" "));
        prop::collection::vec((side(), side()), 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn links_are_within_and_the_same_on_any_threads(text in texts(), seed: u64) {
            let pairs: Vec<(&str, &str)> = text.iter().map(|(source, target)| (source.as_str(), target.as_str())).collect();
            let options = StatisticalOptions { seed, sweeps: NonZeroUsize::new(4), ..StatisticalOptions::default() };
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| learnt(&pairs, options.clone()).posteriors(0..pairs.len()))
            };
            let found = run(1);
            prop_assert_eq!(&found, &run(3));
            for ((source, target), posteriors) in pairs.iter().zip(found) {
                let (source, target) = (Sentence::from_words(source.split_whitespace()), Sentence::from_words(target.split_whitespace()));
                let links = posteriors.links(Symmetrization::Union);
                prop_assert!(links.sure().all(|link| link.source < source.len() && link.target < target.len()));
                if source.is_empty() || target.is_empty() {
                    prop_assert!(links.sure().len() == 0);
                    continue;
                }
                let forward_links = posteriors.links(Symmetrization::Forward);
                let [forward, reverse] = posteriors.alignments(&source, &target).unwrap();
                for row in forward.rows().chain(reverse.rows()) {
                    prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{:?}", row);
                }
                prop_assert_eq!(forward.best_links(), forward_links);
            }
        }
    }
}
