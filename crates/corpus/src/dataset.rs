//! Sentence pairs as token ids, in memory or in a mapped file.
//!
//! In memory, two bytes stay of each token (four if a vocabulary has more than 65,536 entries), and eight a sentence. Links between
//! tokens, where there are any, take eight bytes each, and eight a pair. What is mapped takes next to none.

use std::path::Path;

use rayon::prelude::*;
use rnnsearch_config::{CorpusConfig, DataConfig};
use serde_json::Value;

use crate::error::CorpusError;
use crate::filter::{Filter, FilterReport};
use crate::guide::{TokenLink, token_links};
use crate::mapped::{Mapped, Unmappable};
use crate::mixture::Mixture;
use crate::pairs::Pair;
use crate::tokenizer::{EOS, Vocabularies};

/// The token ids of a sentence pair; both sides end with `</s>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The source sentence.
    pub source: Vec<u32>,
    /// The target sentence.
    pub target: Vec<u32>,
    /// The links between their tokens, in order; none where no links are known.
    pub links: Vec<TokenLink>,
}

/// Examples, numbered from 0 in the order of the corpora.
#[derive(Clone, Debug)]
pub struct Dataset {
    examples: Examples,
    /// What an epoch has, where that is not every example once.
    mixture: Option<Mixture>,
}

#[derive(Clone, Debug)]
enum Examples {
    Own(Own),
    Mapped(Mapped),
}

/// Examples in memory.
#[derive(Clone, Debug)]
struct Own {
    source: Sequences,
    target: Sequences,
    links: Links,
}

/// Encodes the training pairs that keep the limits of the settings, on all threads, hands on each to `keep` with the pair it is of, and
/// reports what was left out. Memory is bounded by some thousands of pairs.
///
/// # Errors
///
/// The first error of `pairs` or `keep`; [`CorpusError::NothingLeft`] if no pair keeps the limits, as in a corpus of blank lines;
/// [`CorpusError::TooManyPairs`].
pub fn encode_training<E: From<CorpusError>>(
    pairs: impl IntoIterator<Item = Result<Pair, CorpusError>>,
    vocabularies: &Vocabularies,
    data: &DataConfig,
    mut keep: impl FnMut(&Pair, &Example) -> Result<(), E>,
) -> Result<FilterReport, E> {
    let filter = Filter::new(data);
    let tags: Vec<Option<u32>> = data.train.iter().map(|corpus| tag_of(corpus, vocabularies)).collect();
    let mut report = FilterReport::new(filter.clone());
    let mut pairs = pairs.into_iter();
    loop {
        let chunk: Vec<Pair> = pairs.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        for (pair, example) in chunk.iter().zip(encode(&chunk, vocabularies, &tags)) {
            // Neither a tag nor the end counts.
            let apart = 1 + usize::from(vocabularies.source.is_tag(example.source[0]));
            let (source, target) = (example.source.len() - apart, example.target.len() - 1);
            let reason = Filter::check_blank(pair).or_else(|| filter.check(source, target));
            report.count(reason, &pair.place);
            if reason.is_none() {
                keep(pair, &example)?;
            }
        }
        if report.kept > Dataset::MAX_LEN as u64 {
            return Err(CorpusError::TooManyPairs { limit: Dataset::MAX_LEN as u64 }.into());
        }
    }
    if report.kept == 0 { Err(CorpusError::NothingLeft(Box::new(report)).into()) } else { Ok(report) }
}

impl Dataset {
    /// The most examples of a data set: they are numbered in 32 bits.
    pub const MAX_LEN: usize = u32::MAX as usize;

    /// Without examples, for ids below the sizes of the vocabularies.
    pub fn new(vocabularies: &Vocabularies) -> Self {
        let examples = Examples::Own(Own {
            source: Sequences::new(vocabularies.source.vocab_size()),
            target: Sequences::new(vocabularies.target.vocab_size()),
            links: Links::default(),
        });
        Self { examples, mixture: None }
    }

    /// Maps a file that a [`DatasetWriter`](crate::DatasetWriter) wrote with these vocabularies, once all of it is checked, and gives the
    /// notes of its writer.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not as it was written.
    pub fn map(path: &Path, vocabularies: &Vocabularies) -> Result<(Self, Value), Unmappable> {
        Mapped::open(path, vocabularies)
            .map(|(mapped, notes)| (Self { examples: Examples::Mapped(mapped), mixture: None }, notes))
    }

    /// The same examples, of which epochs have as many as a mixture says.
    pub fn mixed(self, mixture: Mixture) -> Self {
        Self { mixture: Some(mixture), ..self }
    }

    /// The examples of an epoch, before they are shuffled.
    pub(crate) fn epoch(&self, seed: u64, epoch: u64) -> Vec<u32> {
        match &self.mixture {
            Some(mixture) => mixture.epoch(seed, epoch),
            None => (0..self.len() as u32).collect(),
        }
    }

    /// Encodes pairs of a corpus as they are, blank ones too: for validation, where every line counts.
    ///
    /// # Errors
    ///
    /// [`CorpusError::TooManyPairs`].
    pub fn for_validation(
        pairs: &[Pair],
        vocabularies: &Vocabularies,
        corpus: &CorpusConfig,
    ) -> Result<Self, CorpusError> {
        let mut dataset = Self::new(vocabularies);
        for example in encode(pairs, vocabularies, &[tag_of(corpus, vocabularies)]) {
            dataset.push(&example)?;
        }
        Ok(dataset)
    }

    /// Adds an example.
    ///
    /// # Errors
    ///
    /// [`CorpusError::TooManyPairs`] if there are [`Dataset::MAX_LEN`] already.
    ///
    /// # Panics
    ///
    /// If an id is not in the vocabulary, or the data set is a mapped one.
    pub fn push(&mut self, example: &Example) -> Result<(), CorpusError> {
        let Examples::Own(own) = &mut self.examples else { panic!("nothing is added to a file") };
        if own.source.ends.len() == Self::MAX_LEN {
            return Err(CorpusError::TooManyPairs { limit: Self::MAX_LEN as u64 });
        }
        own.source.push(&example.source);
        own.target.push(&example.target);
        own.links.push(own.source.ends.len(), &example.links);
        Ok(())
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        match &self.examples {
            Examples::Own(own) => own.source.ends.len(),
            Examples::Mapped(mapped) => mapped.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An example by its number.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`Dataset::len`].
    pub fn example(&self, index: u32) -> Example {
        match &self.examples {
            Examples::Own(Own { source, target, links }) => {
                Example { source: source.get(index), target: target.get(index), links: links.get(index).to_vec() }
            }
            Examples::Mapped(mapped) => mapped.example(index),
        }
    }

    /// Whether any example has links.
    pub fn has_links(&self) -> bool {
        match &self.examples {
            Examples::Own(own) => !own.links.links.is_empty(),
            Examples::Mapped(mapped) => mapped.has_links(),
        }
    }

    /// The bytes of memory that it takes. Pages of a mapped file do not count: the system takes them back where it needs room.
    pub fn bytes(&self) -> usize {
        match &self.examples {
            Examples::Own(own) => own.source.bytes() + own.target.bytes() + own.links.bytes(),
            Examples::Mapped(mapped) => mapped.bytes(),
        }
    }

    /// The source tokens of an example, `</s>` included.
    pub fn source_len(&self, index: u32) -> usize {
        match &self.examples {
            Examples::Own(own) => own.source.range(index).len(),
            Examples::Mapped(mapped) => mapped.lengths(index)[0],
        }
    }

    /// The target tokens of an example, `</s>` included.
    pub fn target_len(&self, index: u32) -> usize {
        match &self.examples {
            Examples::Own(own) => own.target.range(index).len(),
            Examples::Mapped(mapped) => mapped.lengths(index)[1],
        }
    }

    /// All source tokens, `</s>` included.
    pub fn source_tokens(&self) -> usize {
        match &self.examples {
            Examples::Own(own) => own.source.ids.len(),
            Examples::Mapped(mapped) => mapped.tokens()[0],
        }
    }

    /// All target tokens, `</s>` included.
    pub fn target_tokens(&self) -> usize {
        match &self.examples {
            Examples::Own(own) => own.target.ids.len(),
            Examples::Mapped(mapped) => mapped.tokens()[1],
        }
    }
}

/// Pairs that are encoded at a time.
const CHUNK: usize = 1 << 14;

/// The tag before the sources of a corpus, if the vocabulary has it.
fn tag_of(corpus: &CorpusConfig, vocabularies: &Vocabularies) -> Option<u32> {
    corpus.tag.as_ref().and_then(|tag| vocabularies.source.tag(tag))
}

/// Encodes pairs, those of a corpus with a tag with the tag before the source.
fn encode(pairs: &[Pair], vocabularies: &Vocabularies, tags: &[Option<u32>]) -> Vec<Example> {
    let encode = |pair: &Pair| {
        let (mut source, mut target, links) = match &pair.links {
            None => {
                (vocabularies.source.encode_ids(&pair.source), vocabularies.target.encode_ids(&pair.target), Vec::new())
            }
            Some(links) => {
                let (source, target) =
                    (vocabularies.source.encode(&pair.source), vocabularies.target.encode(&pair.target));
                let links = token_links(links, [&source, &target]);
                (source.ids, target.ids, links)
            }
        };
        source.push(EOS);
        target.push(EOS);
        match tags.get(pair.corpus).copied().flatten() {
            Some(tag) => tagged(Example { source, target, links }, tag),
            None => Example { source, target, links },
        }
    };
    pairs.par_iter().map(encode).collect()
}

/// An example with a tag before its source, which is linked to nothing.
fn tagged(example: Example, tag: u32) -> Example {
    let source = [&[tag], &example.source[..]].concat();
    let links = example.links.into_iter().map(|(source, target)| (source + 1, target)).collect();
    Example { source, links, ..example }
}

/// The links of examples, one after the other. Nothing is kept of the examples before the first that has any.
#[derive(Clone, Debug, Default)]
struct Links {
    links: Vec<TokenLink>,
    ends: Vec<usize>,
}

impl Links {
    /// Adds those of an example, which makes so many examples.
    fn push(&mut self, examples: usize, links: &[TokenLink]) {
        if !self.ends.is_empty() || !links.is_empty() {
            self.ends.resize(examples, self.links.len());
            self.links.extend(links);
            self.ends[examples - 1] = self.links.len();
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.links[..]) + size_of_val(&self.ends[..])
    }

    fn get(&self, index: u32) -> &[TokenLink] {
        let end = |index: usize| self.ends.get(index).copied().unwrap_or(0);
        let index = index as usize;
        &self.links[index.checked_sub(1).map_or(0, end)..end(index)]
    }
}

/// Sequences of ids, one after the other.
#[derive(Clone, Debug)]
struct Sequences {
    ids: Ids,
    ends: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Ids {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Sequences {
    fn new(vocab_size: usize) -> Self {
        let narrow = vocab_size <= 1 << u16::BITS;
        Self { ids: if narrow { Ids::Narrow(Vec::new()) } else { Ids::Wide(Vec::new()) }, ends: Vec::new() }
    }

    fn push(&mut self, ids: &[u32]) {
        match &mut self.ids {
            Ids::Narrow(all) => all.extend(ids.iter().map(|&id| u16::try_from(id).expect("an id of the vocabulary"))),
            Ids::Wide(all) => all.extend(ids),
        }
        self.ends.push(self.ids.len());
    }

    fn bytes(&self) -> usize {
        let ids = match &self.ids {
            Ids::Narrow(all) => size_of_val(&all[..]),
            Ids::Wide(all) => size_of_val(&all[..]),
        };
        ids + size_of_val(&self.ends[..])
    }

    fn range(&self, index: u32) -> std::ops::Range<usize> {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    fn get(&self, index: u32) -> Vec<u32> {
        let range = self.range(index);
        match &self.ids {
            Ids::Narrow(all) => all[range].iter().map(|&id| id.into()).collect(),
            Ids::Wide(all) => all[range].to_vec(),
        }
    }
}

impl Ids {
    fn len(&self) -> usize {
        match self {
            Self::Narrow(ids) => ids.len(),
            Self::Wide(ids) => ids.len(),
        }
    }
}
