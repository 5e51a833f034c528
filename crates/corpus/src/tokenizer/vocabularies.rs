//! The tokenizers of both sides: learned together or apart, saved and loaded together.

use std::path::Path;
use std::sync::Arc;

use rnnsearch_config::TokenizerConfig;

use super::Tokenizer;
use super::train::{Size, WordCounts};
use crate::error::CorpusError;
use crate::files::write_atomically;
use crate::pairs::Pair;

/// A side of a parallel corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The language translated from.
    Source,
    /// The language translated into.
    Target,
}

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

    /// The tokenizer of a side.
    pub fn of(&self, side: Side) -> &Tokenizer {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// Learns the vocabularies that the configuration asks for, in one pass over the pairs.
    ///
    /// The same text gives the same vocabularies, byte for byte.
    ///
    /// # Errors
    ///
    /// The first error of `pairs`; [`CorpusError::NoText`] if all of it is blank; [`CorpusError::VocabularyTooLarge`] and
    /// [`CorpusError::VocabularyTooSmall`] if a size does not fit the text.
    pub fn train(
        pairs: impl IntoIterator<Item = Result<Pair, CorpusError>>,
        config: &TokenizerConfig,
    ) -> Result<Self, CorpusError> {
        let mut counts = Counts::new(config);
        let mut pairs = pairs.into_iter();
        loop {
            let chunk: Vec<Pair> = pairs.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
            if chunk.is_empty() {
                return counts.learn(config);
            }
            let (sources, targets): (Vec<&str>, Vec<&str>) =
                chunk.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).unzip();
            counts.add(&sources, &targets);
        }
    }

    /// Learns the vocabularies from sentence pairs in memory. See [`Vocabularies::train`].
    pub fn train_on(pairs: &[(&str, &str)], config: &TokenizerConfig) -> Result<Self, CorpusError> {
        let mut counts = Counts::new(config);
        let (sources, targets): (Vec<&str>, Vec<&str>) = pairs.iter().copied().unzip();
        counts.add(&sources, &targets);
        counts.learn(config)
    }

    /// Saves the tokenizers into a folder, as `tokenizer.json`, or `tokenizer.source.json` and `tokenizer.target.json`.
    ///
    /// # Errors
    ///
    /// [`CorpusError::Write`]; a file that was there before is then unchanged.
    pub fn save(&self, folder: &Path) -> Result<(), CorpusError> {
        if self.is_joint() {
            return write_atomically(&folder.join(JOINT), self.source.to_json().as_bytes());
        }
        write_atomically(&folder.join(SOURCE), self.source.to_json().as_bytes())?;
        write_atomically(&folder.join(TARGET), self.target.to_json().as_bytes())
    }

    /// Loads what [`Vocabularies::save`] wrote.
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

/// The words of both sides, together or apart.
enum Counts {
    Joint(WordCounts),
    Separate(WordCounts, WordCounts),
}

impl Counts {
    fn new(config: &TokenizerConfig) -> Self {
        if config.joint {
            Self::Joint(WordCounts::new(config))
        } else {
            Self::Separate(WordCounts::new(config), WordCounts::new(config))
        }
    }

    fn add(&mut self, sources: &[&str], targets: &[&str]) {
        match self {
            Self::Joint(counts) => {
                counts.add(sources);
                counts.add(targets);
            }
            Self::Separate(source, target) => {
                source.add(sources);
                target.add(targets);
            }
        }
    }

    fn learn(self, config: &TokenizerConfig) -> Result<Vocabularies, CorpusError> {
        let both = Size { key: "tokenizer.vocabulary", entries: config.vocabulary };
        let or_both = |key, entries: Option<usize>| entries.map_or(both, |entries| Size { key, entries });
        match self {
            Self::Joint(counts) => counts.learn(config, both).map(Vocabularies::joint),
            Self::Separate(source, target) => Ok(Vocabularies::separate(
                source.learn(config, or_both("tokenizer.source_vocabulary", config.source_vocabulary))?,
                target.learn(config, or_both("tokenizer.target_vocabulary", config.target_vocabulary))?,
            )),
        }
    }
}

fn load(path: &Path) -> Result<Tokenizer, CorpusError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|reason| CorpusError::Read { file: file.clone(), reason })?;
    let json = String::from_utf8(bytes)
        .map_err(|error| CorpusError::Tokenizer { file: file.clone(), reason: error.to_string() })?;
    Tokenizer::from_json(&json, &file)
}
