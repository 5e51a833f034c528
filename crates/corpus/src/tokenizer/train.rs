//! Vocabularies learned from text: counting words, then what each kind of tokenizer makes of the counts.

use std::collections::HashMap;

use rayon::prelude::*;
use rnnsearch_config::{TokenizerConfig, TokenizerKind};
use tokenizers::ModelWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;

use super::alphabet::{Alphabet, most_frequent};
use super::pipeline::{CONTINUATION, Pipeline, spells_bytes};
use super::{SPECIAL_TOKENS, Tokenizer, UNK, merges, pieces};
use crate::error::CorpusError;

/// The words of a text, counted, as the tokenizer to be will see them.
///
/// However long the text is, a bounded number of them is remembered: where there are more, the rarest are forgotten.
pub(crate) struct WordCounts {
    pipeline: Pipeline,
    counts: HashMap<String, u64>,
    /// The most different words.
    most: usize,
}

impl WordCounts {
    pub(crate) fn new(config: &TokenizerConfig) -> Self {
        let pipeline =
            Pipeline::new(config.kind, config.lowercase).expect("the patterns of the pipeline are constants");
        Self { pipeline, counts: HashMap::new(), most: MOST_WORDS }
    }

    /// Counts the words of some lines, on all threads.
    pub(crate) fn add(&mut self, lines: &[impl AsRef<str> + Sync]) {
        let pipeline = &self.pipeline;
        let parts: Vec<HashMap<String, u64>> = lines
            .par_chunks(PART)
            .map(|lines| {
                let mut counts = HashMap::new();
                for line in lines.iter().filter(|line| !line.as_ref().trim().is_empty()) {
                    for word in pipeline.words(line.as_ref()).expect("the pipeline takes any text") {
                        *counts.entry(word).or_default() += 1;
                    }
                }
                counts
            })
            .collect();
        for (word, count) in parts.into_iter().flatten() {
            *self.counts.entry(word).or_default() += count;
        }
        if self.counts.len() > self.most {
            self.forget_rare();
        }
    }

    /// Forgets the words seen once, then those seen at most twice, four times and so on, until half of what may be remembered is left.
    fn forget_rare(&mut self) {
        let most_seen = self.counts.values().copied().max().unwrap_or(0);
        let mut rare = 1;
        while self.counts.len() > self.most / 2 && rare < most_seen {
            self.counts.retain(|_, count| *count > rare);
            rare *= 2;
        }
        if self.counts.len() > self.most / 2 {
            // They are about as rare, all of them: any half will do that is always the same.
            let words = sorted(std::mem::take(&mut self.counts));
            self.counts = words.into_iter().take(self.most / 2).collect();
        }
    }

    /// The words in an order that depends on the text alone, with their counts.
    pub(crate) fn sorted(self) -> Vec<(String, u64)> {
        sorted(self.counts)
    }

    /// Learns the vocabulary. The result depends on the counts alone, not on the threads; nor on the order of the lines, as long as nothing
    /// was forgotten.
    ///
    /// # Errors
    ///
    /// [`CorpusError::NoText`] if nothing was counted, [`CorpusError::VocabularyTooLarge`] if the text does not have so
    /// many units, [`CorpusError::VocabularyTooSmall`] if the units that every vocabulary has leave no room.
    pub(crate) fn learn(self, config: &TokenizerConfig, size: Size, tags: &[String]) -> Result<Tokenizer, CorpusError> {
        if self.counts.is_empty() {
            return Err(CorpusError::NoText);
        }
        let room = size.room(config.kind, tags.len())?;
        let learned = match config.kind {
            TokenizerKind::Wordlevel => learn_words(self.counts, room, config),
            kind => learn_units(kind, &self.sorted(), room, config),
        };
        if learned.units() < room {
            return Err(CorpusError::VocabularyTooLarge {
                key: size.key,
                asked: size.entries,
                largest: size.entries - room + learned.units(),
                min_frequency: config.min_frequency,
            });
        }
        let model = learned
            .into_model(config.kind, reserved_tokens(config.kind, tags))
            .expect("a learned vocabulary makes a model");
        Ok(Tokenizer::assemble(config.kind, config.lowercase, model).expect("a learned model makes a tokenizer"))
    }
}

/// The wanted size of a vocabulary and the setting it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) key: &'static str,
    pub(crate) entries: usize,
}

impl Size {
    /// What is left for learned units.
    fn room(self, kind: TokenizerKind, tags: usize) -> Result<usize, CorpusError> {
        let (units, taken_by) = match (spells_bytes(kind), tags) {
            (true, 0) => (256, "the special tokens and the 256 bytes"),
            (true, _) => (256, "the special tokens, the tags and the 256 bytes"),
            (false, 0) => (0, "the special tokens"),
            (false, _) => (0, "the special tokens and the tags"),
        };
        let reserved = SPECIAL_TOKENS.len() + tags + units;
        match self.entries.checked_sub(reserved) {
            None | Some(0) => {
                Err(CorpusError::VocabularyTooSmall { key: self.key, asked: self.entries, reserved, taken_by })
            }
            Some(room) => Ok(room),
        }
    }
}

/// The most different words that are remembered, which take some 100 bytes each. A million lines of a language have about as many.
const MOST_WORDS: usize = 2_000_000;

/// Lines that one thread counts at a time.
const PART: usize = 512;

/// Words longer than this, in characters, are unknown to `wordpiece`: the search for pieces takes the square of it.
const LONGEST_WORD: usize = 200;

/// What a vocabulary has beside reserved tokens.
pub(crate) enum Learned {
    Units(Vec<String>),
    Merges(merges::Subwords),
    Pieces(Vec<(String, f64)>),
}

fn learn_words(counts: HashMap<String, u64>, room: usize, config: &TokenizerConfig) -> Learned {
    Learned::Units(most_frequent(counts, room, config.min_frequency))
}

fn learn_units(kind: TokenizerKind, words: &[(String, u64)], room: usize, config: &TokenizerConfig) -> Learned {
    let min_frequency = config.min_frequency;
    if kind == TokenizerKind::Char {
        return Learned::Units(Alphabet::new(words, "", room, min_frequency).units().to_vec());
    }
    // Where a script has thousands of characters, half of the room is kept for longer units.
    let alphabet = |prefix| Alphabet::new(words, prefix, room.div_ceil(2), min_frequency);
    match kind {
        TokenizerKind::Unigram => Learned::Pieces(pieces::learn(words, &alphabet(""), room, min_frequency)),
        TokenizerKind::Wordpiece => {
            Learned::Units(merges::learn(words, &alphabet(CONTINUATION), room, min_frequency).units)
        }
        _ => Learned::Merges(merges::learn(words, &alphabet(""), room, min_frequency)),
    }
}

impl Learned {
    fn units(&self) -> usize {
        match self {
            Self::Units(units) => units.len(),
            Self::Merges(subwords) => subwords.units.len(),
            Self::Pieces(pieces) => pieces.len(),
        }
    }

    /// The model whose ids begin with those of the reserved tokens.
    pub(crate) fn into_model(self, kind: TokenizerKind, reserved: Vec<String>) -> tokenizers::Result<ModelWrapper> {
        let unknown = SPECIAL_TOKENS[UNK as usize].to_owned();
        Ok(match self {
            Self::Merges(merges::Subwords { units, merges }) => BPE::builder()
                .vocab_and_merges(vocabulary::<Vocab>(reserved, units), merges)
                .unk_token(unknown)
                .byte_fallback(true)
                .build()?
                .into(),
            Self::Units(units) if kind == TokenizerKind::Char => BPE::builder()
                .vocab_and_merges(vocabulary::<Vocab>(reserved, units), Vec::new())
                .unk_token(unknown)
                .build()?
                .into(),
            Self::Units(units) if kind == TokenizerKind::Wordpiece => WordPiece::builder()
                .vocab(vocabulary::<Vocab>(reserved, units))
                .unk_token(unknown)
                .continuing_subword_prefix(CONTINUATION.to_owned())
                .max_input_chars_per_word(LONGEST_WORD)
                .build()?
                .into(),
            Self::Units(units) => {
                WordLevel::builder().vocab(vocabulary(reserved, units)).unk_token(unknown).build()?.into()
            }
            Self::Pieces(pieces) => {
                let reserved = reserved.into_iter().map(|token| (token, 0.0));
                Unigram::from(reserved.chain(pieces).collect(), Some(UNK as usize), true)?.into()
            }
        })
    }
}

/// Tokens with their ids.
fn vocabulary<V: FromIterator<(String, u32)>>(reserved: Vec<String>, units: Vec<String>) -> V {
    reserved.into_iter().chain(units).zip(0..).collect()
}

/// What comes before learned units: special tokens, bytes where the kind has them, tags.
fn reserved_tokens(kind: TokenizerKind, tags: &[String]) -> Vec<String> {
    let bytes = (0..=u8::MAX).filter(|_| spells_bytes(kind));
    let special = SPECIAL_TOKENS.iter().map(|&token| token.to_owned());
    special.chain(bytes.map(super::byte_token)).chain(tags.iter().map(|tag| super::tag_token(tag))).collect()
}

fn sorted(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut words: Vec<(String, u64)> = counts.into_iter().collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_are_forgotten_where_there_are_too_many() {
        let counts = || WordCounts { most: 10, ..WordCounts::new(&TokenizerConfig::default()) };
        let mut alike = counts();
        alike.add(&["l k j i h g f e d c b a"]);
        assert_eq!(sorted(alike.counts), [" a", " b", " c", " d", " e"].map(|word| (word.into(), 1)));
        let mut counts = counts();
        // Eight words: all of them are remembered.
        counts.add(&["a a a a b b b c c d e f g h"]);
        assert_eq!(counts.counts.len(), 8);
        // Twelve: those seen once go, and as half of ten is what is left, no more.
        counts.add(&["c d d e e i j k l"]);
        assert_eq!(
            counts.sorted(),
            [(" a", 4), (" b", 3), (" c", 3), (" d", 3), (" e", 3)].map(|(w, c)| (w.into(), c))
        );
    }
}
