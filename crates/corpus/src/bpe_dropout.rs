//! BPE dropout (Provilkov et al. 2020): sentences cut into other sub-words each time they are trained on.
//!
//! Of a word's characters, the neighbours that a merge could join are joined in the order of the merges, as ever, but each possible
//! join is left out of each round with some probability. So a model sees rare words in several spellings, and learns what its
//! sub-words are made of. No text is needed: the tokens of a sentence say what its characters are.

use std::collections::HashMap;
use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rnnsearch_config::TokenizerKind;

use crate::dataset::{Dataset, Example};
use crate::guide::TokenLink;
use crate::random::stream;
use crate::tokenizer::{Tokenizer, Vocabularies};

/// Draws the sub-words of sentence pairs anew.
#[derive(Clone, Debug)]
pub struct BpeDropout {
    source: Segmenter,
    target: Segmenter,
    vocabularies: Vocabularies,
}

impl BpeDropout {
    /// Leaves out possible joins with probability `rate`; none where `rate` is 0, which changes nothing.
    ///
    /// # Panics
    ///
    /// If a vocabulary is none of byte-pair encoding.
    pub fn new(vocabularies: &Vocabularies, rate: f64) -> Option<Self> {
        let segmenter = |tokenizer| Segmenter::new(tokenizer, rate);
        (rate > 0.0).then(|| Self {
            source: segmenter(&vocabularies.source),
            target: segmenter(&vocabularies.target),
            vocabularies: vocabularies.clone(),
        })
    }

    /// Some examples of a data set, numbered from 0 in the order given, with the sub-words of a batch of an update, by their numbers, of a
    /// training with this `seed`.
    ///
    /// # Panics
    ///
    /// If there is no example of a number.
    pub fn draw(&self, dataset: &Dataset, indices: &[u32], seed: u64, (update, batch): (u64, u32)) -> Dataset {
        let mut random = random_of(seed, update);
        random.set_stream(batch.into());
        let mut drawn = Dataset::new(&self.vocabularies);
        for &index in indices {
            let example = self.redraw(&dataset.example(index), &mut random);
            drawn.push(&example).expect("a batch is no larger than its data set");
        }
        drawn
    }

    fn redraw(&self, example: &Example, random: &mut impl Rng) -> Example {
        let source = self.source.draw(&example.source, random);
        let target = self.target.draw(&example.target, random);
        let links = match example.links.is_empty() {
            true => Vec::new(),
            false => {
                let sources = self.source.shared(&example.source, &source);
                let targets = self.target.shared(&example.target, &target);
                relinked(&example.links, &sources, &targets)
            }
        };
        Example { source, target, links }
    }
}

/// Tokens are linked as those were that they share characters with.
fn relinked(links: &[TokenLink], sources: &[Range<u32>], targets: &[Range<u32>]) -> Vec<TokenLink> {
    let between = |&(source, target): &TokenLink| {
        let (sources, targets) = (sources[source as usize].clone(), targets[target as usize].clone());
        sources.flat_map(move |source| targets.clone().map(move |target| (source, target)))
    };
    let mut links: Vec<TokenLink> = links.iter().flat_map(between).collect();
    links.sort_unstable();
    links.dedup();
    links
}

/// The random numbers of an update.
fn random_of(seed: u64, update: u64) -> ChaCha8Rng {
    stream(seed, update, b"bpe dropout")
}

/// The merges of one vocabulary.
#[derive(Clone, Debug)]
struct Segmenter {
    /// Of each token, the tokens of its characters; of a byte or a special token, itself.
    spellings: Vec<Vec<u32>>,
    /// Whether a token begins a word, so that nothing joins it to what is before it.
    begins_word: Vec<bool>,
    /// What two neighbours can be joined to.
    joins: HashMap<(u32, u32), Join>,
    /// A join is left out where 32 random bits are below this.
    threshold: u64,
}

/// A merge; those of low ranks come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Join {
    rank: u32,
    token: u32,
}

impl Segmenter {
    fn new(tokenizer: &Tokenizer, rate: f64) -> Self {
        assert_eq!(tokenizer.kind(), TokenizerKind::Bpe, "only byte-pair encoding has merges");
        let joins = tokenizer
            .merges()
            .into_iter()
            .zip(0..)
            .map(|([left, right, token], rank)| ((left, right), Join { rank, token }));
        let ids = 0..tokenizer.vocab_size() as u32;
        Self {
            begins_word: ids
                .clone()
                .map(|id| tokenizer.text_of(id).is_some_and(|text| text.starts_with(' ')))
                .collect(),
            spellings: ids.map(|id| tokenizer.spelling(id)).collect(),
            joins: joins.collect(),
            threshold: (rate * (1_u64 << 32) as f64) as u64,
        }
    }

    /// Tokens that spell what `ids` do.
    fn draw(&self, ids: &[u32], random: &mut impl Rng) -> Vec<u32> {
        let mut drawn = Vec::with_capacity(ids.len() * 3 / 2);
        for word in ids.chunk_by(|_, &next| !self.begins_word[next as usize]) {
            let characters = word.iter().flat_map(|&id| &self.spellings[id as usize]).copied().collect();
            drawn.extend(self.join(characters, random));
        }
        drawn
    }

    /// Joins neighbours, the merge of the lowest rank first, until none is left or all that are left are left out.
    fn join(&self, mut tokens: Vec<u32>, random: &mut impl Rng) -> Vec<u32> {
        let of = |pair: &[u32]| self.joins.get(&(pair[0], pair[1])).copied();
        let mut possible: Vec<Option<Join>> = tokens.windows(2).map(of).collect();
        loop {
            let kept =
                possible.iter().enumerate().filter_map(|(at, join)| join.map(|join| (join.rank, at, join.token)));
            let Some((_, at, token)) = kept.filter(|_| u64::from(random.next_u32()) >= self.threshold).min() else {
                return tokens;
            };
            tokens[at] = token;
            tokens.remove(at + 1);
            possible.remove(at);
            for changed in at.saturating_sub(1)..(at + 1).min(possible.len()) {
                possible[changed] = of(&tokens[changed..changed + 2]);
            }
        }
    }

    /// For each token of `old`, those of `new` that share a character with it; both spell the same.
    fn shared(&self, old: &[u32], new: &[u32]) -> Vec<Range<u32>> {
        let ends = |ids: &[u32]| -> Vec<usize> {
            let lengths = ids.iter().map(|&id| self.spellings[id as usize].len());
            lengths
                .scan(0, |end, length| {
                    *end += length;
                    Some(*end)
                })
                .collect()
        };
        let (old, new) = (ends(old), ends(new));
        let starts = std::iter::once(0).chain(old.iter().copied());
        let holding = |character: usize| new.partition_point(|&end| end <= character) as u32;
        starts.zip(&old).map(|(start, &end)| holding(start)..holding(end - 1) + 1).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rnnsearch_config::TokenizerConfig;

    use super::*;
    use crate::tokenizer::EOS;

    fn vocabularies() -> Vocabularies {
        let config = TokenizerConfig { vocabulary: 330, ..TokenizerConfig::default() };
        let pairs = [
            ("Die Katze schläft im Garten.", "The cat sleeps in the garden."),
            ("Der Kater schläft (auch) im Haus.", "The tomcat sleeps in the house (too)."),
            ("Katzen schlafen gern, Hunde nicht.", "Cats like sleeping; dogs do not."),
        ];
        Vocabularies::train_on(&pairs, &config).unwrap()
    }

    fn segmenter(rate: f64) -> (Vocabularies, Segmenter) {
        let vocabularies = vocabularies();
        let segmenter = Segmenter::new(&vocabularies.source, rate);
        (vocabularies, segmenter)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn without_dropout_the_tokens_are_those_of_the_tokenizer(text in "(Katze|schl|Garten|[a-zA-Z(). ,;☃\u{a0}\t])*") {
            let (vocabularies, segmenter) = segmenter(0.0);
            let ids = vocabularies.source.encode_ids(&text);
            prop_assert_eq!(segmenter.draw(&ids, &mut random_of(1, 1)), ids);
        }

        #[test]
        fn any_draw_spells_the_same(text in "(Katze|schl|Garten|[a-zA-Z(). ,;☃\u{a0}\t])*", rate in 0.0..1.0, seed: u64) {
            let (vocabularies, segmenter) = segmenter(rate);
            let ids = vocabularies.source.encode_ids(&text);
            let drawn = segmenter.draw(&ids, &mut random_of(seed, 1));
            prop_assert_eq!(vocabularies.source.decode(&drawn), vocabularies.source.decode(&ids));
        }
    }

    #[test]
    fn more_dropout_gives_shorter_tokens() {
        let ids = vocabularies().source.encode_ids("Die Katze schläft im Garten.");
        let mean = |rate: f64| {
            let (_, segmenter) = segmenter(rate);
            (0..200).map(|update| segmenter.draw(&ids, &mut random_of(3, update)).len()).sum::<usize>() as f64 / 200.0
        };
        let characters = " Die Katze schläft im Garten.".chars().count() as f64;
        let means = [0.0, 0.1, 0.5, 0.9].map(mean);
        assert!(means.is_sorted() && means[0] == ids.len() as f64 && means[1] > means[0] + 0.2, "{means:?}");
        assert!(means[3] < characters && mean(1.0) == characters, "{means:?}");
    }

    #[test]
    fn tokens_are_linked_as_the_characters_they_hold() {
        let (vocabularies, segmenter) = segmenter(1.0);
        let ids = vocabularies.source.encode_ids("Katze im");
        let old: Vec<u32> = ids.into_iter().chain([EOS]).collect();
        let new = segmenter.draw(&old, &mut random_of(1, 1));
        assert_eq!(new.len(), " Katze im".len() + 1, "letters, and the end");
        let shared = segmenter.shared(&old, &new);
        assert_eq!(shared.iter().map(|range| range.len()).sum::<usize>(), new.len());
        assert_eq!(shared.last(), Some(&(9..10)));
        // Back to longer tokens: a letter is in one of them.
        let back = segmenter.shared(&new, &old);
        assert!(
            back.iter().all(|range| range.len() == 1) && back.last() == Some(&(old.len() as u32 - 1..old.len() as u32))
        );
        assert_eq!(relinked(&[(0, 1), (1, 0)], &[0..2, 2..3], &[0..1, 1..3]), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 0)]);
    }

    #[test]
    fn draws_follow_from_seed_and_update() {
        let vocabularies = vocabularies();
        let mut dataset = Dataset::new(&vocabularies);
        for text in ["Die Katze schläft.", "Der Kater auch im Garten."] {
            let mut ids = vocabularies.source.encode_ids(text);
            ids.push(EOS);
            let last = ids.len() as u32 - 1;
            dataset.push(&Example { source: ids.clone(), target: ids, links: vec![(0, 0), (last, last)] }).unwrap();
        }
        let dropout = BpeDropout::new(&vocabularies, 0.3).unwrap();
        let draw = |seed, update| {
            let drawn = dropout.draw(&dataset, &[1, 0], seed, (update, 0));
            [0, 1].map(|index| drawn.example(index))
        };
        let [first, second] = draw(1, 1);
        assert_eq!(vocabularies.source.decode(&first.source), "Der Kater auch im Garten.");
        assert_eq!(vocabularies.target.decode(&second.target), "Die Katze schläft.");
        assert_eq!((first.source.last(), first.target.last()), (Some(&EOS), Some(&EOS)));
        let end = (first.source.len() as u32 - 1, first.target.len() as u32 - 1);
        assert_eq!((first.links[0], first.links.last()), ((0, 0), Some(&end)));
        assert_eq!(draw(1, 1), [first, second]);
        assert!(draw(1, 1) != draw(1, 2) && draw(1, 1) != draw(2, 1));
        assert_ne!(dropout.draw(&dataset, &[1], 1, (1, 1)).example(0), draw(1, 1)[0]);
        assert!(BpeDropout::new(&vocabularies, 0.0).is_none());
    }
}
