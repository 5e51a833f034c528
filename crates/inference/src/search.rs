//! Search for the best translations, a batch of sentences at a time.
//!
//! At every step each sentence keeps its `beam_size` best unfinished hypotheses. One that takes `</s>` is finished and leaves;
//! a sentence leaves the batch when it has found enough, see [`StopRule`], or its length is used up. A beam of 1 is greedy
//! search. With [`Sampling`] every hypothesis goes on with a word that is drawn instead.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rnnsearch_config::StopRule;
use rnnsearch_corpus::{BOS, EOS, PAD};
use rnnsearch_numeric::network::{Need, Scores};

use crate::decoding::{Decoding, Engine, Task};
use crate::forbidden::Forbidden;
use crate::forced::without_tag;
use crate::ranking::{Ranking, coverage_of};
use crate::required::{Progress, Required};
use crate::sampling::Sampling;
use crate::steering::{Place, Steering, Way};

/// How to search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOptions {
    /// Hypotheses kept at a step, or drawn.
    pub beam_size: usize,
    /// Translations of each source that are wanted; the beam is at least as wide.
    pub n_best: usize,
    /// By what translations are ranked.
    pub ranking: Ranking,
    /// When enough is found.
    pub stop: StopRule,
    /// A translation has at most `max_ratio` × source tokens + `max_extra` tokens, beside a given prefix.
    pub max_ratio: f64,
    /// See `max_ratio`.
    pub max_extra: usize,
    /// No sequence of so many words comes twice in a translation; 0 allows all.
    pub no_repeat_ngram: usize,
    /// Draw words instead of keeping the best hypotheses.
    pub sampling: Option<Sampling>,
    /// Choose words from the model's shortlist, if it has one; log p is then that among its words.
    pub shortlist: bool,
    /// Keep hypotheses that differ.
    pub diversity: Option<Diversity>,
    /// Say how probable translations are. If not, numbers that would say so are NaN, and greedy search saves their time: of the words that
    /// cannot come next nothing need be known.
    pub scores: bool,
}

/// Diverse beam search (Vijayakumar et al. 2018): the beam is shared by groups, and at every step a group is kept from the words that
/// the groups before it have just taken (Hamming diversity).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// Groups, at most as many as the beam is wide; one is plain beam search.
    pub groups: usize,
    /// What a word is ranked lower, in log p, for every hypothesis of the groups before that takes it in the same place.
    pub strength: f64,
}

/// What the translation of a source must be like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints {
    /// How it begins.
    pub prefix: Vec<u32>,
    /// What must not come; not where it is part of the prefix.
    pub forbidden: Forbidden,
    /// Words that are for sources alone: tags.
    pub unwritten: Vec<u32>,
    /// What must come. Where both cannot be, this goes before what must not.
    pub required: Required,
    /// Where its words must look, and must not.
    pub steering: Steering,
    /// Whether the source begins with a tag, which is no part of the text: what looks at it counts as looking at the end.
    pub tagged: bool,
}

/// A translation as the model knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The words, without `</s>`.
    pub ids: Vec<u32>,
    /// log p of every word, and of `</s>` where it was reached; NaN where [`SearchOptions::scores`] are not wanted, as what follows from it.
    pub token_log_probs: Vec<f32>,
    /// The alignment α_i of every word, and of `</s>` where it was reached: rows of one weight a source token. Empty without attention.
    pub alignment: Vec<Vec<f32>>,
    /// The sum of `token_log_probs`.
    pub log_prob: f64,
    /// How much of the source was looked at, see [`coverage_of`].
    pub coverage: f64,
    /// See [`Ranking`].
    pub score: f64,
    /// Whether `</s>` was reached before the length was used up.
    pub finished: bool,
}

impl Hypothesis {
    fn forget_scores(&mut self) {
        self.token_log_probs.fill(f32::NAN);
        (self.log_prob, self.score) = (f64::NAN, f64::NAN);
    }
}

/// Translates a batch of sources, each a non-empty list of ids that ends with `</s>`, with constraints for each.
///
/// Returns, for each source, up to `beam_size` hypotheses: finished ones first, then by falling score.
pub(crate) fn search(
    engine: &Engine,
    sources: &[&[u32]],
    constraints: &[&Constraints],
    options: &SearchOptions,
) -> Vec<Vec<Hypothesis>> {
    assert_eq!(sources.len(), constraints.len(), "constraints for each source");
    engine.run(sources, &Search { sources, constraints, options, watch: None })
}

/// Is given words after every step of a search.
pub(crate) type Watch<'w> = dyn Fn(&[u32]) + Sync + 'w;

/// Translates one source as [`search`] does; `watch` is given the best unfinished hypothesis after every step.
pub(crate) fn search_watched(
    engine: &Engine,
    source: &[u32],
    constraints: &Constraints,
    options: &SearchOptions,
    watch: &Watch,
) -> Vec<Hypothesis> {
    let search = Search { sources: &[source], constraints: &[constraints], options, watch: Some(watch) };
    engine.run(search.sources, &search).remove(0)
}

struct Search<'s> {
    sources: &'s [&'s [u32]],
    constraints: &'s [&'s Constraints],
    options: &'s SearchOptions,
    watch: Option<&'s Watch<'s>>,
}

impl Task for Search<'_> {
    type Result = Vec<Hypothesis>;

    fn words(&self, source: usize) -> Option<Vec<u32>> {
        let Constraints { prefix, required, .. } = self.constraints[source];
        self.options.shortlist.then(|| prefix.iter().copied().chain(required.words()).collect())
    }

    fn run(&self, mut decoding: impl Decoding, sources: &[usize]) -> Vec<Vec<Hypothesis>> {
        let beam = |&source: &usize| Beam::new(self.sources[source], self.constraints[source], self.options);
        let mut beams: Vec<Beam> = sources.iter().map(beam).collect();
        let mut live: Vec<usize> = (0..beams.len()).collect();
        while !live.is_empty() {
            let previous: Vec<u32> = live.iter().flat_map(|&beam| beams[beam].previous()).collect();
            if live.iter().any(|&beam| !self.constraints[sources[beam]].steering.is_empty()) {
                decoding.steer(live.iter().flat_map(|&beam| beams[beam].biases()).collect());
            }
            let looked_at = || live.iter().map(|&beam| beams[beam].most_looked_at()).max().expect("a beam is live");
            let need =
                if live.iter().all(|&beam| beams[beam].only_picks()) { Need::Best(looked_at()) } else { Need::All };
            let scores = decoding.step(&previous, need);
            let (mut rows, mut row) = (Vec::new(), 0);
            let mut same_sources = true;
            live.retain(|&beam| {
                let beam = &mut beams[beam];
                let count = beam.live.len();
                let parents = beam.advance(row, scores);
                row += count;
                let goes_on = !beam.is_done();
                same_sources &= goes_on && parents.len() == count;
                if goes_on {
                    rows.extend(parents);
                }
                goes_on
            });
            if let Some(watch) = self.watch {
                live.iter().for_each(|&beam| watch(&beams[beam].words_of(0)));
            }
            if !live.is_empty() {
                decoding.keep(&rows, same_sources);
            }
        }
        beams.iter_mut().map(Beam::finish).collect()
    }
}

/// A word of a hypothesis, and the one before it.
struct Node {
    parent: Option<usize>,
    word: u32,
    token_log_prob: f32,
    alignment: Vec<f32>,
    progress: Progress,
    /// How far the words of the text have come.
    place: Place,
}

/// An unfinished hypothesis: its last word, none at the start.
#[derive(Clone, Copy)]
struct Live {
    node: Option<usize>,
    log_prob: f64,
    /// The group that goes on with it; none before there are groups.
    group: Option<usize>,
    /// Which words may come next.
    way: Way,
    /// Whether it is what greedy search would have, which is followed in any case, see [`Beam::best_of`].
    greedy: bool,
}

/// A hypothesis one word longer.
struct Candidate {
    log_prob: f64,
    parent: usize,
    word: u32,
    token_log_prob: f32,
    /// How many words it then takes to have all that is required.
    needed: usize,
    /// By what it is chosen: log p, less what diversity takes.
    rank: f64,
    group: Option<usize>,
    greedy: bool,
    /// Whether there is no room for it in the beam, where it is followed as the greedy one alone.
    beside: bool,
}

/// The search for one sentence.
struct Beam<'s> {
    options: &'s SearchOptions,
    source: &'s [u32],
    constraints: &'s Constraints,
    max_len: usize,
    len: usize,
    /// How far a hypothesis without words is with what is required.
    start: Progress,
    nodes: Vec<Node>,
    live: Vec<Live>,
    /// What draws the words of each live hypothesis; none before words are drawn.
    streams: Vec<ChaCha8Rng>,
    finished: Vec<Hypothesis>,
    /// The group of each finished hypothesis.
    ended: Vec<usize>,
}

impl<'s> Beam<'s> {
    fn new(source: &'s [u32], constraints: &'s Constraints, options: &'s SearchOptions) -> Self {
        let read = source.len() - usize::from(constraints.tagged);
        let max_len = (options.max_ratio * read as f64).ceil() as usize + options.max_extra;
        let required = constraints.required.length();
        // With phrases that must come greedy search is not one hypothesis alone.
        let greedy = required == 0 && options.sampling.is_none() && options.stop != StopRule::First;
        Self {
            options,
            source,
            constraints,
            max_len: max_len.max(1) + constraints.prefix.len() + required,
            len: 0,
            start: constraints.required.start(),
            nodes: Vec::new(),
            live: vec![Live { node: None, log_prob: 0.0, group: None, way: Way::Any, greedy }],
            streams: Vec::new(),
            finished: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Whether it takes the best word at the next step, whatever its log p may be.
    fn only_picks(&self) -> bool {
        let SearchOptions { scores, beam_size, sampling, stop, .. } = self.options;
        let Constraints { prefix, required, steering, .. } = self.constraints;
        let is_greedy = *beam_size == 1 && sampling.is_none() && *stop != StopRule::Best;
        let is_free = required.is_empty() && steering.is_empty() && self.len >= prefix.len();
        !scores && is_greedy && is_free
    }

    /// How many of the best words are looked at to find those that follow a hypothesis.
    fn most_looked_at(&self) -> usize {
        let banned = (0..self.live.len()).map(|parent| self.banned(parent).len()).max().unwrap_or(0);
        self.words_wanted(0) + banned
    }

    /// The last word of every unfinished hypothesis.
    fn previous(&self) -> Vec<u32> {
        self.live.iter().map(|live| live.node.map_or(BOS, |node| self.nodes[node].word)).collect()
    }

    /// What is added to the energies of every unfinished hypothesis.
    fn biases(&self) -> Vec<Vec<f32>> {
        self.live.iter().map(|&live| self.constraints.steering.bias(self.place(live), live.way)).collect()
    }

    /// The ways in which a hypothesis goes on.
    fn ways(&self, live: Live) -> &'static [Way] {
        match self.options.sampling {
            Some(_) => &[Way::Any],
            None => self.constraints.steering.ways(self.place(live)),
        }
    }

    /// How far the words of a hypothesis's text have come.
    fn place(&self, live: Live) -> Place {
        live.node.map_or(Place::default(), |node| self.nodes[node].place)
    }

    /// Lengthens the hypotheses, whose scores begin at row `first`. Returns the rows that the new ones come from.
    fn advance(&mut self, first: usize, scores: &Scores) -> Vec<usize> {
        self.len += 1;
        let candidates = match (self.constraints.prefix.get(self.len - 1), self.options.sampling) {
            (Some(&word), _) => self.given(word, first, scores),
            (None, Some(sampling)) => self.drawn(&sampling, first, scores),
            (None, None) => self.best(first, scores),
        };
        let (mut rows, mut next) = (Vec::new(), Vec::new());
        let streams = std::mem::take(&mut self.streams);
        for (number, candidate) in candidates.into_iter().enumerate() {
            let row = first + candidate.parent;
            let live = self.lengthen(&candidate, scores.alignment(row, self.source.len()).to_vec());
            if candidate.word == EOS {
                self.finished.push(self.hypothesis(live, true));
                self.ended.extend(live.group.filter(|_| !candidate.beside));
            } else {
                for &way in self.ways(live) {
                    next.push(Live { way, ..live });
                    rows.push(row);
                }
                self.streams.extend(streams.get(number).cloned());
            }
        }
        if self.options.stop == StopRule::Beam {
            let goes_on = |live: &Live| live.greedy || live.group.is_none_or(|group| !self.has_enough(group));
            let going_on: Vec<bool> = next.iter().map(goes_on).collect();
            let mut is_kept = going_on.iter();
            next.retain(|_| *is_kept.next().expect("one a hypothesis"));
            let mut is_kept = going_on.iter();
            rows.retain(|_| *is_kept.next().expect("one a row"));
        }
        self.live = next;
        rows
    }

    /// Whether a group has finished as many hypotheses as its share of the beam.
    fn has_enough(&self, group: usize) -> bool {
        self.ended.iter().filter(|ended| **ended == group).count() >= self.share(group)
    }

    /// Every hypothesis with the next word of the prefix.
    fn given(&self, word: u32, first: usize, scores: &Scores) -> Vec<Candidate> {
        let score = |parent| (scores.log_prob(first + parent, word), word);
        let parents = (0..self.live.len()).filter(|&parent| self.allows(parent, word));
        let follow =
            |parent: usize| Candidate { greedy: self.live[parent].greedy, ..self.followed(parent, score(parent)) };
        parents.map(follow).collect()
    }

    /// Every hypothesis with a word that is drawn; the first time, the only one with as many as the beam is wide.
    fn drawn(&mut self, sampling: &Sampling, first: usize, scores: &Scores) -> Vec<Candidate> {
        let starts = self.streams.is_empty();
        let streams = match starts {
            true => (0..self.options.beam_size).map(|sample| sampling.stream(self.source, sample)).collect(),
            false => std::mem::take(&mut self.streams),
        };
        let mut drawn = Vec::new();
        for (sample, mut stream) in streams.into_iter().enumerate() {
            let parent = if starts { 0 } else { sample };
            if let Some(word) = sampling.draw(scores, first + parent, &self.banned(parent), &mut stream) {
                drawn.push(self.followed(parent, word));
                self.streams.push(stream);
            }
        }
        drawn
    }

    /// What every group takes, see [`Beam::best_of`].
    fn best(&self, first: usize, scores: &Scores) -> Vec<Candidate> {
        let (mut all, groups) = (Vec::new(), self.groups());
        for group in 0..groups {
            let mut taken = self.best_of(group, first, scores, &all);
            taken.iter_mut().for_each(|candidate| candidate.group = Some(group));
            all.extend(taken);
        }
        all
    }

    /// The best of all hypotheses of a group with all words: those that go on, as many as the group is wide, and those that end and
    /// are better than the last of these would be. What the groups before it take is `others`.
    ///
    /// The first group also has what greedy search would have, be it among the best or beside them: so what is found is never worse
    /// than that.
    fn best_of(&self, group: usize, first: usize, scores: &Scores, others: &[Candidate]) -> Vec<Candidate> {
        let width = self.width(group);
        let mut candidates: Vec<Candidate> = Vec::new();
        for (parent, _) in self.live.iter().enumerate().filter(|(_, live)| live.group.is_none_or(|own| own == group)) {
            let count = self.words_wanted(group) + others.len();
            let least = self.least(parent, count, &candidates);
            let words = self.words(parent, first + parent, count, least, scores);
            match self.constraints.required.is_empty() {
                true => candidates.extend(words.into_iter().map(|word| self.followed(parent, word))),
                false => candidates.extend(self.admissible(parent, first + parent, scores, words)),
            }
        }
        if let Some(Diversity { strength, .. }) = self.options.diversity {
            let times = |word| others.iter().filter(|other| other.word == word).count();
            candidates.iter_mut().for_each(|candidate| candidate.rank -= strength * times(candidate.word) as f64);
        }
        // Those of a hypothesis that seem equal stay in the order of their logits, which log p may have rounded.
        candidates.sort_by(|a, b| b.rank.total_cmp(&a.rank).then(a.parent.cmp(&b.parent)));
        if !self.constraints.required.is_empty() {
            take_turns(&mut candidates);
        }
        let follows_greedy = |candidate: &&mut Candidate| group == 0 && self.live[candidate.parent].greedy;
        if let Some(greedy) = candidates.iter_mut().find(follows_greedy) {
            greedy.greedy = true;
        }
        let (mut going_on, mut rank) = (0, 0);
        candidates.retain_mut(|candidate| {
            rank += 1;
            let ends = candidate.word == EOS;
            let taken = going_on < width && !(ends && rank > width);
            going_on += usize::from(taken && !ends);
            candidate.beside = !taken;
            taken || candidate.greedy
        });
        candidates
    }

    /// The best words of a hypothesis of a group that are looked at. Twice the width is enough: each hypothesis can finish but once, so as many
    /// go on.
    fn words_wanted(&self, group: usize) -> usize {
        2 * self.width(group)
    }

    /// What log p a word must have at least so that a hypothesis with it can be among the best `count`, of which there are some
    /// candidates. Where rank is more than log p, any may.
    fn least(&self, parent: usize, count: usize, candidates: &[Candidate]) -> f32 {
        /// What a 32-bit log p may be off from the sum that it makes, and much more.
        const SLACK: f64 = 1e-3;
        let by_rank_alone = self.constraints.required.is_empty() && self.options.diversity.is_none();
        if !by_rank_alone || self.live[parent].greedy || candidates.len() < count {
            return f32::NEG_INFINITY;
        }
        let mut ranks: Vec<f64> = candidates.iter().map(|candidate| candidate.rank).collect();
        let (_, worst, _) = ranks.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
        (*worst - self.live[parent].log_prob - SLACK) as f32
    }

    /// The best words that may follow a hypothesis, with log p of at least `least`.
    fn words(&self, parent: usize, row: usize, count: usize, least: f32, scores: &Scores) -> Vec<(f32, u32)> {
        let banned = self.banned(parent);
        if self.live[parent].way == Way::Any {
            return scores.best(row, count, &banned, least);
        }
        let mut words = scores.all(row, &banned);
        words.retain(|(_, word)| self.allows(parent, *word));
        words.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        words.truncate(count);
        words
    }

    /// Whether a word may follow a hypothesis the way it goes on.
    fn allows(&self, parent: usize, word: u32) -> bool {
        self.constraints.steering.allows(self.live[parent].way, word)
    }

    fn groups(&self) -> usize {
        self.options.diversity.map_or(1, |diversity| diversity.groups.clamp(1, self.options.beam_size))
    }

    /// The share of the beam that a group has.
    fn share(&self, group: usize) -> usize {
        let (beam_size, groups) = (self.options.beam_size, self.groups());
        beam_size / groups + usize::from(group < beam_size % groups)
    }

    /// Hypotheses of a group that are kept at a step: with a place at least for every number of words that may still be needed.
    fn width(&self, group: usize) -> usize {
        self.share(group) + self.constraints.required.length()
    }

    /// A hypothesis with some words, its best, and those of phrases that must come: those after which there is length left for the
    /// rest of the phrases.
    fn admissible(&self, parent: usize, row: usize, scores: &Scores, mut words: Vec<(f32, u32)>) -> Vec<Candidate> {
        let (required, banned) = (&self.constraints.required, self.banned(parent));
        let progress = self.progress(self.live[parent]);
        let mut next = required.next_words(progress);
        next.retain(|word| self.allows(parent, *word));
        let scored = |&word: &u32| self.followed(parent, (scores.log_prob(row, word), word));
        let fits = |candidate: &Candidate| match candidate.word {
            EOS => required.is_met(progress),
            _ => candidate.needed <= self.max_len - self.len,
        };
        words.retain(|(_, word)| !next.contains(word));
        let mut candidates: Vec<Candidate> = words.into_iter().map(|word| self.followed(parent, word)).collect();
        candidates.extend(next.iter().filter(|word| !banned.contains(word)).map(scored));
        candidates.retain(fits);
        if candidates.is_empty() {
            candidates = next.iter().map(scored).filter(fits).collect();
        }
        candidates
    }

    /// A hypothesis with one more word, given with its log p.
    fn followed(&self, parent: usize, (token_log_prob, word): (f32, u32)) -> Candidate {
        let (live, required) = (self.live[parent], &self.constraints.required);
        let needed = match required.is_empty() {
            true => 0,
            false => required.needed(&required.follow(self.progress(live), word)),
        };
        let log_prob = live.log_prob + f64::from(token_log_prob);
        let rank = log_prob;
        Candidate {
            log_prob,
            parent,
            word,
            token_log_prob,
            needed,
            rank,
            group: live.group,
            greedy: false,
            beside: false,
        }
    }

    /// How far a hypothesis is with what is required.
    fn progress(&self, live: Live) -> &Progress {
        live.node.map_or(&self.start, |node| &self.nodes[node].progress)
    }

    /// The words that must not follow a hypothesis.
    fn banned(&self, parent: usize) -> Vec<u32> {
        let mut banned = vec![PAD, BOS];
        banned.extend(&self.constraints.unwritten);
        let (forbidden, n) = (&self.constraints.forbidden, self.options.no_repeat_ngram);
        if forbidden.is_empty() && n == 0 {
            return banned;
        }
        let words = self.words_of(parent);
        banned.extend(forbidden.after(&words));
        if n > 0 && words.len() >= n {
            let before = &words[words.len() + 1 - n..];
            banned.extend(words.windows(n).filter(|ngram| ngram.starts_with(before)).map(|ngram| ngram[n - 1]));
        }
        banned
    }

    fn lengthen(&mut self, candidate: &Candidate, alignment: Vec<f32>) -> Live {
        let (live, &Candidate { word, token_log_prob, .. }) = (self.live[candidate.parent], candidate);
        let progress = self.constraints.required.follow(self.progress(live), word);
        let place = self.constraints.steering.follow(self.place(live), word);
        self.nodes.push(Node { parent: live.node, word, token_log_prob, alignment, progress, place });
        let Candidate { log_prob, group, greedy, .. } = *candidate;
        Live { node: Some(self.nodes.len() - 1), log_prob, group, way: Way::Any, greedy }
    }

    fn is_done(&self) -> bool {
        let SearchOptions { n_best, .. } = self.options;
        if self.live.is_empty() || self.len >= self.max_len {
            return true;
        }
        match self.options.stop {
            _ if self.options.sampling.is_some() => false,
            StopRule::Beam => {
                (0..self.groups()).all(|group| self.has_enough(group))
                    && self.live.iter().filter(|live| live.greedy).all(|live| self.comes_to_nothing(live, 1))
            }
            StopRule::First => self.finished.len() >= *n_best,
            StopRule::Best => self.live.iter().all(|live| self.comes_to_nothing(live, *n_best)),
        }
    }

    /// Whether a hypothesis cannot get better than the best `count` that are finished.
    fn comes_to_nothing(&self, live: &Live, count: usize) -> bool {
        let mut scores: Vec<f64> = self.finished.iter().map(|hypothesis| hypothesis.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let possible = self.options.ranking.best_possible(live.log_prob, self.len + 1..=self.max_len);
        scores.get(count - 1).is_some_and(|worst| possible <= *worst)
    }

    /// All hypotheses, finished ones first, then by falling score.
    fn finish(&mut self) -> Vec<Hypothesis> {
        let mut all = std::mem::take(&mut self.finished);
        if all.len() < self.options.beam_size {
            let is_met = |live: &&Live| self.constraints.required.is_met(self.progress(**live));
            // One of two that differ in the way they would go on.
            let is_itself = |live: &&Live| live.way != Way::GoOn;
            all.extend(self.live.iter().filter(is_itself).filter(is_met).map(|&live| self.hypothesis(live, false)));
        }
        all.sort_by(|a, b| b.finished.cmp(&a.finished).then(b.score.total_cmp(&a.score)));
        if self.groups() > 1 {
            let mut seen = BTreeSet::new();
            all.retain(|hypothesis| seen.insert(hypothesis.ids.clone()));
        }
        all.truncate(self.options.beam_size);
        if !self.options.scores {
            all.iter_mut().for_each(Hypothesis::forget_scores);
        }
        all
    }

    /// The words of an unfinished hypothesis; the first is the best.
    fn words_of(&self, live: usize) -> Vec<u32> {
        self.path(self.live[live]).iter().map(|node| node.word).collect()
    }

    /// The words of a hypothesis.
    fn path(&self, live: Live) -> Vec<&Node> {
        let back = std::iter::successors(live.node, |&node| self.nodes[node].parent);
        let mut path: Vec<&Node> = back.map(|node| &self.nodes[node]).collect();
        path.reverse();
        path
    }

    fn hypothesis(&self, live: Live, finished: bool) -> Hypothesis {
        let path = self.path(live);
        let words = path.len() - usize::from(finished);
        let rows = path.iter().filter(|node| !node.alignment.is_empty());
        let alignment: Vec<Vec<f32>> = rows.map(|node| node.alignment.clone()).collect();
        let alignment = if self.constraints.tagged { without_tag(alignment) } else { alignment };
        let coverage = coverage_of(&alignment);
        Hypothesis {
            ids: path[..words].iter().map(|node| node.word).collect(),
            token_log_probs: path.iter().map(|node| node.token_log_prob).collect(),
            alignment,
            log_prob: live.log_prob,
            coverage,
            score: self.options.ranking.score(live.log_prob, path.len(), coverage),
            finished,
        }
    }
}

/// Brings candidates, which come best first, into another order: the best of each number of words that are needed, the fewest
/// first, then the second best of each, and so on.
fn take_turns(candidates: &mut Vec<Candidate>) {
    let mut ranks: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Candidate)> = Vec::with_capacity(candidates.len());
    for candidate in candidates.drain(..) {
        let rank = ranks.entry(candidate.needed).or_default();
        *rank += 1;
        ranked.push((*rank, candidate));
    }
    ranked.sort_by_key(|(rank, candidate)| (*rank, candidate.needed));
    candidates.extend(ranked.into_iter().map(|(_, candidate)| candidate));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use rnnsearch_config::TranslationConfig;

    use super::*;
    use crate::units::Units;

    fn scores(rows: &[&[f32]]) -> Scores {
        let normalizers = vec![0.0; rows.len()];
        Scores { logits: rows.concat(), normalizers, words: rows[0].len(), ..Scores::default() }
    }

    fn options(beam_size: usize) -> SearchOptions {
        SearchOptions {
            beam_size,
            n_best: 1,
            ranking: Ranking::from(&TranslationConfig::default()),
            stop: StopRule::Beam,
            max_ratio: 1.0,
            max_extra: 0,
            no_repeat_ngram: 0,
            sampling: None,
            diversity: None,
            shortlist: true,
            scores: true,
        }
    }

    static FREE: LazyLock<Constraints> = LazyLock::new(Constraints::default);

    #[test]
    fn a_hypothesis_that_ends_leaves_and_scores_by_its_length() {
        let options = options(2);
        let mut beam = Beam::new(&[7, 8, 9], &FREE, &options);
        // Words 4 and 5 go on; </s> (3) is third best and may not finish.
        let rows = beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]));
        assert_eq!(rows, [0, 0]);
        assert_eq!(beam.previous(), [4, 5]);
        // The first hypothesis ends with log_prob -1.5; word 5 after word 4, and word 4 after word 5 go on.
        let step = scores(&[&[0.0, -9.0, 0.0, -0.5, -9.0, -1.0], &[0.0, -9.0, 0.0, -9.0, -0.5, -9.0]]);
        assert_eq!(beam.advance(0, &step), [0, 1]);
        assert_eq!(beam.previous(), [5, 4]);
        assert_eq!(beam.finished.len(), 1);
        assert_eq!(beam.finished[0].ids, [4]);
        assert_eq!(beam.finished[0].log_prob, -1.5);
        assert_eq!(beam.finished[0].score, -0.75);
        assert!(!beam.is_done());
        let first = SearchOptions { stop: StopRule::First, ..options.clone() };
        beam.options = &first;
        assert!(beam.is_done());
        // What goes on has -2.0 and may get a third word: -0.67 is better than -0.75.
        let best = SearchOptions { stop: StopRule::Best, ..options.clone() };
        beam.options = &best;
        assert!(!beam.is_done());
        let none = SearchOptions { ranking: Ranking { length_penalty: 0.0, ..best.ranking }, ..best.clone() };
        beam.options = &none;
        beam.finished[0].score = -1.5;
        assert!(beam.is_done());
    }

    #[test]
    fn the_greedy_hypothesis_is_followed_beside_the_beam() {
        let options = SearchOptions { max_ratio: 9.0, ..options(2) };
        let mut beam = Beam::new(&[7, 8], &FREE, &options);
        assert_eq!(beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -9.0, -0.5, -0.6, -9.0, -9.0]])), [0, 0]);
        // Two hypotheses that begin with 5 are better than the best that begins with 4, where greedy search goes on.
        let dear: &[f32] = &[0.0, -9.0, 0.0, -9.0, -4.0, -5.0, -3.0, -9.0];
        let cheap: &[f32] = &[0.0, -9.0, 0.0, -9.0, -9.0, -9.0, -0.1, -0.2];
        assert_eq!(beam.advance(0, &scores(&[dear, cheap])), [1, 1, 0]);
        assert_eq!(beam.previous(), [6, 7, 6]);
        assert_eq!(beam.live.iter().map(|live| live.greedy).collect::<Vec<_>>(), [false, false, true]);
        // All end: one of the beam's counts, and so does the second; the greedy one goes on, for it could still get better.
        let ends: &[f32] = &[0.0, -9.0, 0.0, -0.1, -9.0, -9.0, -9.0, -9.0];
        let goes_on: &[f32] = &[0.0, -9.0, 0.0, -9.0, -0.01, -9.0, -9.0, -9.0];
        assert_eq!(beam.advance(0, &scores(&[ends, ends, goes_on])), [2]);
        assert_eq!((beam.finished.len(), beam.ended.len(), beam.is_done()), (2, 2, false));
        // It ends in its turn.
        assert!(beam.advance(0, &scores(&[ends])).is_empty());
        assert_eq!((beam.finished.len(), beam.is_done()), (3, true));
        assert_eq!(beam.finished[2].ids, [4, 6, 4]);
        let found = beam.finish();
        assert!(found.len() == 2 && found[0].score >= found[1].score);
        // What ends beside the beam is no reason to stop; and what could not get better is not followed.
        let mut beam = Beam::new(&[7, 8], &FREE, &options);
        beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -9.0, -0.5, -0.6, -9.0, -9.0]]));
        beam.advance(0, &scores(&[dear, cheap]));
        beam.advance(0, &scores(&[cheap, cheap, ends]));
        assert_eq!((beam.finished.len(), beam.ended.len(), beam.is_done()), (1, 0, false));
        beam.finished[0].score = 0.0;
        beam.ended = vec![0, 0];
        assert!(beam.is_done());
    }

    #[test]
    fn scores_that_are_not_wanted_are_not_told() {
        let options = SearchOptions { scores: false, ..options(2) };
        let mut beam = Beam::new(&[7], &FREE, &options);
        beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -1.5, -1.0, -2.0]]));
        let found = beam.finish();
        assert_eq!((found[0].ids.len(), found[1].ids.clone()), (0, vec![4]), "they are in the order of scores");
        assert!(found.iter().all(|one| one.score.is_nan() && one.log_prob.is_nan() && one.token_log_probs[0].is_nan()));
    }

    #[test]
    fn length_runs_out() {
        let options = options(1);
        let mut beam = Beam::new(&[7], &FREE, &options);
        beam.advance(0, &scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]));
        assert!(beam.is_done());
        let all = beam.finish();
        assert_eq!((all.len(), all[0].finished, all[0].ids.clone()), (1, false, vec![4]));
    }

    #[test]
    fn a_prefix_is_followed_and_scored() {
        let (options, constraints) = (options(2), Constraints { prefix: vec![5, 4], ..FREE.clone() });
        let mut beam = Beam::new(&[7, 8], &constraints, &options);
        let step = scores(&[&[0.0, -9.0, 0.0, -3.0, -1.0, -2.0]]);
        assert_eq!(beam.advance(0, &step), [0]);
        assert_eq!((beam.previous(), beam.live[0].log_prob), (vec![5], -2.0));
        beam.advance(0, &step);
        assert_eq!((beam.previous(), beam.live[0].log_prob), (vec![4], -3.0));
        beam.advance(0, &step);
        assert_eq!(beam.previous(), [4, 5]);
        assert!(!beam.is_done(), "the prefix does not count");
    }

    #[test]
    fn what_is_forbidden_does_not_come() {
        let words = ["", "", "", "", " four", " five", " six", " seven"].map(|word| word.as_bytes().to_vec());
        let forbidden = Forbidden::new(["five", "four six"], Arc::new(Units::writing(words.to_vec())));
        let constraints = Constraints { forbidden, ..FREE.clone() };
        let options = SearchOptions { no_repeat_ngram: 2, max_ratio: 9.0, ..options(1) };
        let mut beam = Beam::new(&[7, 8], &constraints, &options);
        // In the order of their probability: 5, 6, 4, 7.
        let step = scores(&[&[0.0, -99.0, 0.0, -9.0, -3.0, -1.0, -2.0, -4.0]]);
        for _ in 0..7 {
            beam.advance(0, &step);
        }
        // 6 6 is not followed by 6, and 4 never by 6.
        assert_eq!(beam.path(beam.live[0]).iter().map(|node| node.word).collect::<Vec<_>>(), [6, 6, 4, 4, 7, 6, 7]);
    }

    #[test]
    fn groups_keep_from_what_others_take() {
        let diversity = |groups, strength| SearchOptions {
            diversity: Some(Diversity { groups, strength }),
            max_ratio: 2.0,
            ..options(4)
        };
        let step: &[f32] = &[0.0, -99.0, 0.0, -9.0, -1.0, -1.2, -1.4, -1.6, -3.5];
        let run = |options: &SearchOptions, steps: usize| {
            let mut beam = Beam::new(&[7, 8], &FREE, options);
            for _ in 0..steps {
                beam.advance(0, &scores(&vec![step; beam.live.len()]));
            }
            beam.live.iter().map(|&live| beam.path(live).iter().map(|node| node.word).collect::<Vec<u32>>()).collect()
        };
        let plain: Vec<Vec<u32>> = run(&SearchOptions { diversity: None, ..diversity(1, 1.0) }, 3);
        for alike in [diversity(1, 1.0), diversity(1, 0.0)] {
            assert_eq!(run(&alike, 3), plain);
        }
        assert_eq!(run(&diversity(2, 0.0), 1), [[4], [5], [4], [5]]);
        assert_eq!(run(&diversity(2, 0.3), 1), [[4], [5], [4], [6]]);
        assert_eq!(run(&diversity(2, 9.0), 1), [[4], [5], [6], [7]]);
        assert_eq!(run(&diversity(3, 9.0), 1), [[4], [5], [6], [7]], "the first group has what is left over");
        assert_eq!(run(&diversity(2, 9.0), 2)[2..], [[6, 6], [6, 7]]);
    }

    #[test]
    fn a_group_that_has_enough_waits_for_no_other() {
        let options =
            SearchOptions { diversity: Some(Diversity { groups: 2, strength: 5.0 }), max_ratio: 9.0, ..options(2) };
        let mut beam = Beam::new(&[7, 8], &FREE, &options);
        beam.advance(0, &scores(&[&[0.0, -99.0, 0.0, -9.0, -1.0, -1.2]]));
        assert_eq!(beam.previous(), [4, 5]);
        // The first group ends with its best word, and so does not go on; the second goes on with another.
        let ends: &[f32] = &[0.0, -99.0, 0.0, -0.5, -1.0, -1.2];
        assert_eq!(beam.advance(0, &scores(&[ends, ends])), [1]);
        assert_eq!((beam.previous(), beam.finished.len(), beam.is_done()), (vec![5], 1, false));
    }

    #[test]
    fn what_a_group_has_too_much_is_not_in_place_of_others() {
        let options =
            SearchOptions { diversity: Some(Diversity { groups: 2, strength: 5.0 }), max_ratio: 9.0, ..options(4) };
        let mut beam = Beam::new(&[7, 8], &FREE, &options);
        beam.advance(0, &scores(&[&[0.0, -99.0, 0.0, -9.0, -1.0, -1.2, -1.4, -1.6]]));
        for group in [0, 0, 0, 1] {
            beam.finished.push(beam.hypothesis(beam.live[0], true));
            beam.ended.push(group);
        }
        assert!(!beam.is_done());
        beam.ended.push(1);
        assert!(!beam.is_done(), "what greedy search has could still be the best");
        beam.finished[0].score = 0.0;
        assert!(beam.is_done());
    }

    #[test]
    fn samples_go_their_own_ways() {
        let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed: 3 };
        let options = SearchOptions { sampling: Some(sampling), max_ratio: 5.0, ..options(50) };
        let run = || {
            let mut beam = Beam::new(&[7, 8], &FREE, &options);
            while !beam.is_done() {
                let rows: Vec<&[f32]> = vec![&[0.0, -99.0, 0.0, -2.0, -1.0, -1.0]; beam.live.len()];
                let from = beam.advance(0, &scores(&rows));
                assert_eq!(from.len(), beam.live.len());
                assert_eq!(beam.streams.len(), beam.live.len());
            }
            beam.finish()
        };
        let samples = run();
        assert_eq!(samples.len(), 50);
        let mut different: Vec<Vec<u32>> = samples.iter().map(|sample| sample.ids.clone()).collect();
        different.sort();
        different.dedup();
        assert!(different.len() > 20, "{different:?}");
        assert!(samples == run());
    }
}
