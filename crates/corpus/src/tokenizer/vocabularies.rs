//! The tokenizers of both sides: learned together or apart, saved and loaded together.

use std::path::Path;
use std::sync::Arc;

use rnnsearch_config::TokenizerConfig;

use super::Tokenizer;
use super::train::{Size, WordCounts};
use crate::error::CorpusError;
use crate::filter::Filter;
use crate::pairs::Pair;

/// The tokenizer of each side; with a joint vocabulary both are the same one.
#[derive(Clone, Debug)]
pub struct Vocabularies {
    /// The tokenizer of source text.
    pub source: Arc<Tokenizer>,
    /// The tokenizer of target text.
    pub target: Arc<Tokenizer>,
}

impl Vocabularies {
    /// One tokenizer for both sides.
    pub fn joint(tokenizer: Tokenizer) -> Self {
        let source = Arc::new(tokenizer);
        Self { target: Arc::clone(&source), source }
    }

    /// One tokenizer for each side.
    pub fn separate(source: Tokenizer, target: Tokenizer) -> Self {
        Self { source: Arc::new(source), target: Arc::new(target) }
    }

    /// Whether both sides have one vocabulary.
    pub fn is_joint(&self) -> bool {
        Arc::ptr_eq(&self.source, &self.target)
    }

    /// Learns the vocabularies that the configuration asks for, in one pass over the pairs. That of the source has the tags, too.
    ///
    /// The same text gives the same vocabularies, byte for byte.
    ///
    /// # Errors
    ///
    /// The first error of `pairs`; [`CorpusError::NoText`] if each has a blank side; [`CorpusError::VocabularyTooLarge`] and
    /// [`CorpusError::VocabularyTooSmall`] if a size does not fit the text.
    pub fn train(
        pairs: impl IntoIterator<Item = Result<Pair, CorpusError>>,
        config: &TokenizerConfig,
        tags: &[String],
    ) -> Result<Self, CorpusError> {
        Counts::of(pairs, config)?.learn(config, tags)
    }

    /// These vocabularies with at most `most` tokens each that the pairs have beside them, and with these tags. Ids stay what they are.
    /// Those of the kinds `bpe`, `wordlevel` and `char` can grow, others get no new tokens, and no tags.
    ///
    /// # Errors
    ///
    /// The first error of `pairs`; [`CorpusError::NoText`] if each has a blank side.
    pub fn grown(
        &self,
        pairs: impl IntoIterator<Item = Result<Pair, CorpusError>>,
        config: &TokenizerConfig,
        most: usize,
        tags: &[String],
    ) -> Result<Self, CorpusError> {
        let Counts { source, target } = Counts::of(pairs, config)?;
        let source = self.source.grown(source, config, most, tags);
        Ok(match target {
            None => Self::joint(source),
            Some(target) => Self::separate(source, self.target.grown(target, config, most, &[])),
        })
    }

    /// Learns the vocabularies from sentence pairs in memory. See [`Vocabularies::train`].
    pub fn train_on(pairs: &[(&str, &str)], config: &TokenizerConfig) -> Result<Self, CorpusError> {
        let mut counts = Counts::new(config);
        let (sources, targets): (Vec<&str>, Vec<&str>) = pairs.iter().copied().unzip();
        counts.add(&sources, &targets);
        counts.learn(config, &[])
    }

    /// The files that they are saved in, by name: `tokenizer.json`, or `tokenizer.source.json` and `tokenizer.target.json`.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        if self.is_joint() {
            vec![(JOINT, self.source.to_json())]
        } else {
            vec![(SOURCE, self.source.to_json()), (TARGET, self.target.to_json())]
        }
    }

    /// Loads the [`files`](Self::files) of a folder.
    ///
    /// # Errors
    ///
    /// [`CorpusError::Read`] if a file is missing, [`CorpusError::Tokenizer`] if one is not as it was written.
    pub fn load(folder: &Path) -> Result<Self, CorpusError> {
        let joint = folder.join(JOINT);
        if joint.exists() || !folder.join(SOURCE).exists() {
            return load(&joint).map(Self::joint);
        }
        Ok(Self::separate(load(&folder.join(SOURCE))?, load(&folder.join(TARGET))?))
    }
}

/// Pairs that are counted at a time.
const CHUNK: usize = 1 << 15;

const JOINT: &str = "tokenizer.json";
const SOURCE: &str = "tokenizer.source.json";
const TARGET: &str = "tokenizer.target.json";

/// The words of the source side, or of both, and those of the target side where they are counted apart.
struct Counts {
    source: WordCounts,
    target: Option<WordCounts>,
}

impl Counts {
    fn new(config: &TokenizerConfig) -> Self {
        Self { source: WordCounts::new(config), target: (!config.joint).then(|| WordCounts::new(config)) }
    }

    /// Those of pairs.
    fn of(
        pairs: impl IntoIterator<Item = Result<Pair, CorpusError>>,
        config: &TokenizerConfig,
    ) -> Result<Self, CorpusError> {
        let mut counts = Self::new(config);
        let mut pairs = pairs.into_iter();
        let mut blank = true;
        loop {
            let chunk: Vec<Pair> = pairs.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
            if chunk.is_empty() {
                return if blank { Err(CorpusError::NoText) } else { Ok(counts) };
            }
            blank &= chunk.iter().all(|pair| Filter::check_blank(pair).is_some());
            let (sources, targets): (Vec<&str>, Vec<&str>) =
                chunk.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).unzip();
            counts.add(&sources, &targets);
        }
    }

    fn add(&mut self, sources: &[&str], targets: &[&str]) {
        self.source.add(sources);
        self.target.as_mut().unwrap_or(&mut self.source).add(targets);
    }

    fn learn(self, config: &TokenizerConfig, tags: &[String]) -> Result<Vocabularies, CorpusError> {
        let both = Size { key: "tokenizer.vocabulary", entries: config.vocabulary };
        let or_both = |key, entries: Option<usize>| entries.map_or(both, |entries| Size { key, entries });
        let Some(target) = self.target else {
            return self.source.learn(config, both, tags).map(Vocabularies::joint);
        };
        Ok(Vocabularies::separate(
            self.source.learn(config, or_both("tokenizer.source_vocabulary", config.source_vocabulary), tags)?,
            target.learn(config, or_both("tokenizer.target_vocabulary", config.target_vocabulary), &[])?,
        ))
    }
}

fn load(path: &Path) -> Result<Tokenizer, CorpusError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|reason| CorpusError::Read { file: file.clone(), reason })?;
    let json = String::from_utf8(bytes)
        .map_err(|error| CorpusError::Tokenizer { file: file.clone(), reason: error.to_string() })?;
    Tokenizer::from_json(&json, &file)
}
