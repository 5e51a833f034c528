//! Drawing the links of one sentence pair, given those of all others.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::chain::{Chain, Stage, VocabularySizes};
use super::counts::{Counts, Look};
use super::{AGREEMENT, ALPHA, NULL, SAMPLERS};

/// All that a pair is sampled by. It does not change meanwhile, so that many pairs can be sampled at once.
#[derive(Clone, Copy)]
pub struct Sampler<'m> {
    pub stage: Stage,
    pub counts: &'m Counts,
    /// By direction, then sampler.
    pub chains: &'m [[Chain; SAMPLERS]; 2],
    pub kinds: VocabularySizes,
}

/// Room for the numbers of one pair, used again for the next.
#[derive(Debug, Default)]
pub struct Desk {
    /// How often each generated word is linked with no word, and with each generating word, in the whole text; by direction and
    /// sampler, `[generated, 1 + generating]`.
    counts: [[Vec<f32>; SAMPLERS]; 2],
    /// Where the counts of a row are.
    looks: Vec<Look>,
    /// The links that are in these counts.
    before: Vec<u16>,
    room: Room,
}

/// Room for drawing the links of one direction. Where there is one number more than generating words, the first is that of no
/// word.
#[derive(Debug, Default)]
struct Room {
    weights: Vec<f32>,
    /// 1 / (links of a generating word + smoothing)
    shares: Vec<f32>,
    /// By how much one more link makes the fertility of a generating word more probable.
    ratios: Vec<f32>,
    fertilities: Vec<u16>,
    /// The same where the counts were made.
    counted: Vec<u16>,
    /// For each generated word the link of the next that has one.
    next: Vec<u16>,
}

/// Sums of the distributions that links were drawn from: by direction, `[generated, 1 + generating]`, no word first.
pub type Sums = [Vec<f32>; 2];

impl Sampler<'_> {
    /// Draws all links of a pair anew, `sweeps` times. `links` are, of each sampler, those of the target words, then those of
    /// the source words: numbers of words from 1, or 0 for none. The counts include them as they are given.
    pub fn sample(
        &self,
        words: [&[u32]; 2],
        links: &mut [u16],
        sweeps: usize,
        random: &mut ChaCha8Rng,
        desk: &mut Desk,
        mut sums: Option<&mut Sums>,
    ) {
        if links.is_empty() {
            return;
        }
        self.read(words, desk);
        let Desk { counts, before, room, .. } = desk;
        before.clear();
        before.extend_from_slice(links);
        let [source, target] = words;
        let width = source.len() + target.len();
        for _ in 0..sweeps {
            for (sampler, (links, before)) in links.chunks_mut(width).zip(before.chunks(width)).enumerate() {
                let (forward, reverse) = links.split_at_mut(target.len());
                let (forward_before, reverse_before) = before.split_at(target.len());
                let mut draw = |direction: usize, links: &mut [u16], opposite: &[u16], before: &[u16]| {
                    let drawing = Drawing {
                        stage: self.stage,
                        chain: &self.chains[direction][sampler],
                        smoothing: ALPHA * self.kinds.generated(direction) as f32,
                        generating: words[direction],
                        counts: &counts[direction][sampler],
                        links,
                        opposite,
                        before,
                        room,
                    };
                    drawing.draw(random, sums.as_deref_mut().map(|sums| sums[direction].as_mut_slice()));
                };
                draw(0, forward, reverse, forward_before);
                draw(1, reverse, forward, reverse_before);
            }
        }
    }

    /// Reads the counts of all word pairs.
    fn read(&self, [source, target]: [&[u32]; 2], desk: &mut Desk) {
        let columns = [1 + source.len(), 1 + target.len()];
        for sampler in 0..SAMPLERS {
            desk.counts[0][sampler].resize(target.len() * columns[0], 0.0);
            desk.counts[1][sampler].resize(source.len() * columns[1], 0.0);
        }
        let Desk { counts: [forward, reverse], looks, .. } = desk;
        for (j, &target) in [NULL].iter().chain(target).enumerate() {
            looks.clear();
            looks.extend([NULL].iter().chain(source).map(|&source| self.counts.look([source, target])));
            for (i, &look) in looks.iter().enumerate() {
                let counts = self.counts.get(look);
                for sampler in 0..SAMPLERS {
                    if j > 0 {
                        forward[sampler][(j - 1) * columns[0] + i] = counts[0][sampler] as f32;
                    }
                    if i > 0 {
                        reverse[sampler][(i - 1) * columns[1] + j] = counts[1][sampler] as f32;
                    }
                }
            }
        }
    }
}

/// One direction of a pair, for one sampler.
struct Drawing<'d> {
    stage: Stage,
    chain: &'d Chain,
    /// α times the words that can be generated.
    smoothing: f32,
    generating: &'d [u32],
    counts: &'d [f32],
    links: &'d mut [u16],
    /// The links of the other direction.
    opposite: &'d [u16],
    before: &'d [u16],
    room: &'d mut Room,
}

impl Drawing<'_> {
    /// Draws the links of all generated words, the first word first.
    fn draw(mut self, random: &mut ChaCha8Rng, mut sums: Option<&mut [f32]>) {
        self.prepare();
        let columns = 1 + self.generating.len();
        let mut previous = 0;
        for word in 0..self.links.len() {
            self.change_fertility(self.links[word], -1);
            self.weigh(word, previous);
            let sums = sums.as_deref_mut().map(|sums| &mut sums[word * columns..][..columns]);
            let link = choose(&self.room.weights, random, sums);
            self.links[word] = link;
            self.change_fertility(link, 1);
            if link > 0 {
                previous = link;
            }
        }
    }

    fn prepare(&mut self) {
        let Room { weights, shares, ratios, fertilities, counted, next } = &mut *self.room;
        let share = |word: &u32| 1.0 / (self.chain.totals[*word as usize] as f32 + self.smoothing);
        shares.clear();
        shares.extend([NULL].iter().chain(self.generating).map(share));
        weights.resize(shares.len(), 0.0);
        ratios.clear();
        ratios.resize(self.generating.len(), 1.0);
        if self.stage == Stage::Fertility {
            count_fertilities(self.before, self.generating.len(), counted);
            count_fertilities(self.links, self.generating.len(), fertilities);
            for (ratio, ((&word, &counted), &now)) in
                ratios.iter_mut().zip(self.generating.iter().zip(&*counted).zip(&*fertilities))
            {
                *ratio = self.chain.fertility_ratio(word, counted, now);
            }
        }
        next.resize(self.links.len(), 0);
        let mut after = shares.len() as u16;
        for (next, &link) in next.iter_mut().zip(&*self.links).rev() {
            *next = after;
            if link > 0 {
                after = link;
            }
        }
    }

    /// Counts a link of a generating word, or takes it away.
    fn change_fertility(&mut self, link: u16, by: i16) {
        if link > 0 && self.stage == Stage::Fertility {
            let at = usize::from(link) - 1;
            let Room { ratios, fertilities, counted, .. } = &mut *self.room;
            fertilities[at] = fertilities[at].wrapping_add_signed(by);
            ratios[at] = self.chain.fertility_ratio(self.generating[at], counted[at], fertilities[at]);
        }
    }

    /// Finds the weights of all links that a generated word can have, given the link of the word before.
    fn weigh(&mut self, word: usize, previous: u16) {
        let columns = 1 + self.generating.len();
        let counts = &self.counts[word * columns..][..columns];
        self.weigh_words(word, counts);
        let Room { weights, next, .. } = &mut *self.room;
        let (none, linked) = weights.split_first_mut().expect("no word has a weight");
        *none *= Chain::NULL_PROBABILITY;
        if self.stage == Stage::Words {
            let each = (1.0 - Chain::NULL_PROBABILITY) / linked.len() as f32;
            linked.iter_mut().for_each(|weight| *weight *= each);
        } else {
            let (there, onward) = self.chain.jumps.around(previous, next[word], linked.len());
            *none *= (1.0 - Chain::NULL_PROBABILITY).recip() * self.chain.jumps.between(previous, next[word]);
            for (weight, (there, onward)) in linked.iter_mut().zip(there.iter().zip(onward)) {
                *weight *= there * onward;
            }
        }
        let number = word as u16 + 1;
        for (weight, &opposite) in linked.iter_mut().zip(self.opposite) {
            *weight *= if opposite == number { AGREEMENT } else { 1.0 };
        }
    }

    /// How probable the word is as a translation of each, and what its link does to fertilities.
    fn weigh_words(&mut self, word: usize, counts: &[f32]) {
        let Room { weights, shares, ratios, .. } = &mut *self.room;
        for (weight, (count, share)) in weights.iter_mut().zip(counts.iter().zip(&*shares)) {
            *weight = (count + ALPHA) * share;
        }
        // The link itself does not count.
        let own = match self.before[word] {
            0 => NULL,
            link => self.generating[usize::from(link) - 1],
        };
        let share = 1.0 / (self.chain.totals[own as usize].saturating_sub(1) as f32 + self.smoothing);
        let generating = [NULL].iter().chain(self.generating);
        for (weight, (count, _)) in
            weights.iter_mut().zip(counts.iter().zip(generating)).filter(|(_, (_, word))| **word == own)
        {
            *weight = ((count - 1.0).max(0.0) + ALPHA) * share;
        }
        for (weight, ratio) in weights[1..].iter_mut().zip(&*ratios) {
            *weight *= ratio;
        }
    }
}

/// How many words each generating word is linked with.
fn count_fertilities(links: &[u16], generating: usize, fertilities: &mut Vec<u16>) {
    fertilities.clear();
    fertilities.resize(generating, 0);
    for &link in links.iter().filter(|link| **link > 0) {
        fertilities[usize::from(link) - 1] += 1;
    }
}

/// Draws an index by weight, and adds the distribution to `sums`.
fn choose(weights: &[f32], random: &mut ChaCha8Rng, sums: Option<&mut [f32]>) -> u16 {
    let total: f32 = weights.iter().sum();
    if let Some(sums) = sums {
        let share = 1.0 / total;
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight * share;
        }
    }
    let mut left = (random.next_u32() >> 8) as f32 / (1 << 24) as f32 * total;
    let passed = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    // Rounding can leave a little beyond the last.
    passed.unwrap_or(weights.len() - 1) as u16
}
