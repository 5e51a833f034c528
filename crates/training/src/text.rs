//! All text of a training, as it is before the first update.

use std::collections::BTreeSet;

use rnnsearch_config::{Config, CorpusConfig};
use rnnsearch_corpus::{Dataset, Example, Mixture, Pair, Pairs, TrainingPairs, Vocabularies, encode_training};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cache::{Cache, Writer};
use crate::doubts::{Overlap, unseen_words};
use crate::notes::Notes;
use crate::origin::origin;
use crate::teacher::Teacher;
use crate::validation::Validation;
use crate::{RunFolder, TrainingError};

/// What is trained and validated on.
pub(crate) struct Text {
    pub vocabularies: Vocabularies,
    pub dataset: Dataset,
    pub validation: Option<Validation>,
    /// Of what is trained on: the position in it means nothing where it differs.
    pub hash: String,
}

/// What is known of the examples without looking at them.
#[derive(Serialize, Deserialize)]
struct Notice {
    /// What was kept and left out.
    report: String,
    /// The pairs kept of each corpus.
    kept: Vec<u32>,
    hash: String,
}

impl Text {
    /// Reads the text, and learns or loads the tokenizers. Where the text is encoded already, it is not encoded again.
    pub fn read(config: &Config, run: &RunFolder, notes: &mut Notes) -> Result<Self, TrainingError> {
        let vocabularies = vocabularies(config, run, notes)?;
        check_tags(config, &vocabularies)?;
        let validation =
            config.data.validation.as_ref().map(|corpus| Validation::read(corpus, &vocabularies)).transpose()?;
        let mut overlap = Overlap::new(validation.as_ref().map_or(&[], Validation::pairs));
        // What cannot be opened is told before anything is made.
        let pairs = TrainingPairs::open(&config.data)?;
        let cache = Cache::new(config, &vocabularies, run)?;
        let resumed = run.is_resumed();
        let mut read = resumed || validation.is_none();
        let (dataset, notice) = match cache.find(&vocabularies, notes)? {
            Some(found) => found,
            None => {
                let write = |notes: &mut Notes, writer: &mut Writer| {
                    read = true;
                    encode(config, &vocabularies, |pair| overlap.see(pair), notes, writer)
                };
                cache.make(&vocabularies, config.data.max_length, notes, write)?
            }
        };
        if !read {
            pairs.into_iter().try_for_each(|pair| pair.map(|pair| overlap.see(&pair)))?;
        }
        let Notice { report, kept, hash } =
            serde_json::from_value(notice).map_err(|error| TrainingError::file("use", cache.path())(error.into()))?;
        notes.add(report);
        let mixture = mixture(config, &kept, notes)?;
        if let Some(validation) = &validation {
            notes.add(format!("validation: {} pairs", validation.pairs().len()));
        }
        if !resumed {
            notes.warn(overlap.warning());
            // Words that are cut anew for every update are made of all the sub-words there are, and a model to begin with knows its own.
            if config.training.bpe_dropout == 0.0 && config.training.from.is_none() {
                notes.warn(unseen_words(&dataset, &vocabularies));
            }
        }
        Ok(Self { vocabularies, dataset: dataset.mixed(mixture), validation, hash })
    }
}

/// Encodes the training text, and learns links for it where they are to be learnt.
fn encode(
    config: &Config,
    vocabularies: &Vocabularies,
    mut see: impl FnMut(&Pair),
    notes: &mut Notes,
    writer: &mut Writer,
) -> Result<Value, TrainingError> {
    let mut hasher = hash_of_links(config)?;
    hash_tokenizers(&mut hasher, vocabularies);
    let mut read = TrainingPairs::open(&config.data)?;
    let pairs = read.by_ref().inspect(|pair| pair.iter().for_each(&mut see));
    let mut kept = vec![0; config.data.train.len()];
    let keep = |pair: &Pair, example: &Example| {
        kept[pair.corpus] += 1;
        hash_example(&mut hasher, example);
        writer.push(example)
    };
    let made = match Teacher::learn(config, notes)? {
        Some(teacher) => encode_training(teacher.link(pairs), vocabularies, &config.data, keep),
        None => encode_training(pairs, vocabularies, &config.data, keep),
    };
    let mut report = made.map_err(|error| match error {
        TrainingError::Corpus(error) => read.explain(error).into(),
        error => error,
    })?;
    report.add_left_out(read.report());
    Ok(json!(Notice { report: report.to_string(), kept, hash: hasher.finalize().to_hex().to_string() }))
}

/// How often an epoch goes over each corpus; told where it is not one corpus, once.
fn mixture(config: &Config, kept: &[u32], notes: &mut Notes) -> Result<Mixture, TrainingError> {
    let corpora = &config.data.train;
    let weights = corpora.iter().map(|corpus| corpus.weight.unwrap_or(1.0));
    let weighted: Vec<(u32, f64)> = kept.iter().copied().zip(weights).collect();
    let mixture = Mixture::new(&weighted, config.data.temperature);
    if !mixture.fills_epochs() {
        return Err(TrainingError::EmptyEpoch);
    }
    if mixture.longest_epoch() > Dataset::MAX_LEN as f64 {
        return Err(TrainingError::EndlessEpoch { pairs: mixture.longest_epoch(), limit: Dataset::MAX_LEN as u64 });
    }
    let times = mixture.times();
    if times != [1.0] {
        for ((corpus, kept), times) in corpora.iter().zip(kept).zip(times) {
            let files = [&corpus.source, &corpus.tsv, &corpus.jsonl];
            let file = files.into_iter().flatten().next().map_or_else(String::new, |file| file.display().to_string());
            let times = if times == 1.0 { "once".to_owned() } else { format!("{times:.3} times") };
            notes.add(format!("{file}: {kept} pairs, {times} an epoch"));
        }
    }
    Ok(mixture)
}

fn vocabularies(config: &Config, run: &RunFolder, notes: &mut Notes) -> Result<Vocabularies, TrainingError> {
    if run.is_resumed() && run.holds_tokenizers() {
        return Ok(Vocabularies::load(run.path())?);
    }
    if let Some(model) = origin(config)? {
        notes.add("beginning with the weights and tokenizers of a model".into());
        return match config.training.grow_vocabulary {
            0 => Ok(model.vocabularies),
            most => grown(&model.vocabularies, config, most, notes),
        };
    }
    notes.add(format!("learning {}", if config.tokenizer.joint { "a joint vocabulary" } else { "two vocabularies" }));
    let mut pairs = TrainingPairs::open(&config.data)?;
    Ok(Vocabularies::train(pairs.by_ref(), &config.tokenizer, &tags(config)).map_err(|error| pairs.explain(error))?)
}

/// The tags of the training corpora.
fn tags(config: &Config) -> Vec<String> {
    let tags: BTreeSet<&String> = config.data.train.iter().filter_map(|corpus| corpus.tag.as_ref()).collect();
    tags.into_iter().cloned().collect()
}

/// Vocabularies with what the training text has beside them.
fn grown(known: &Vocabularies, config: &Config, most: usize, notes: &mut Notes) -> Result<Vocabularies, TrainingError> {
    let mut pairs = TrainingPairs::open(&config.data)?;
    let grown = known.grown(pairs.by_ref(), &config.tokenizer, most, &tags(config));
    let grown = grown.map_err(|error| pairs.explain(error))?;
    let [source, target] = [(&grown.source, &known.source), (&grown.target, &known.target)]
        .map(|(grown, known)| grown.vocab_size() - known.vocab_size());
    notes.add(match grown.is_joint() {
        true => format!("the vocabulary grows by {source} tokens"),
        false => format!("the vocabularies grow by {source} and {target} tokens"),
    });
    Ok(grown)
}

/// Fails if a corpus has a tag that the vocabulary lacks: that of a model to begin with, or of training corpora alone.
fn check_tags(config: &Config, vocabularies: &Vocabularies) -> Result<(), TrainingError> {
    let tags = config.data.train.iter().chain(&config.data.validation).filter_map(|corpus| corpus.tag.as_ref());
    match tags.into_iter().find(|tag| vocabularies.source.tag(tag).is_none()) {
        Some(tag) => Err(TrainingError::NoTag { tag: tag.clone(), known: vocabularies.source.tags() }),
        None => Ok(()),
    }
}

/// Hashes the links that are given. Those that are learnt count no more than the settings they follow from: a training may go on with
/// others.
fn hash_of_links(config: &Config) -> Result<blake3::Hasher, TrainingError> {
    let mut hasher = blake3::Hasher::new();
    let given: Vec<CorpusConfig> = config.data.train.iter().filter(|corpus| corpus.links.is_some()).cloned().collect();
    for pair in Pairs::open(&given)? {
        let links = pair?.links.unwrap_or_default().links;
        let numbers = links.iter().flat_map(|&(source, target)| [source, target]);
        let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        hasher.update(&links.len().to_le_bytes()).update(&bytes);
    }
    Ok(hasher)
}

fn hash_tokenizers(hasher: &mut blake3::Hasher, vocabularies: &Vocabularies) {
    for (name, json) in vocabularies.files() {
        hasher.update(name.as_bytes()).update(blake3::hash(json.as_bytes()).as_bytes());
    }
}

/// Hashes an example without its links.
fn hash_example(hasher: &mut blake3::Hasher, example: &Example) {
    for numbers in [&example.source, &example.target] {
        hasher.update(&numbers.len().to_le_bytes()).update(bytemuck::cast_slice(numbers));
    }
}
