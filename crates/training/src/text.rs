//! All text of a training, as it is before the first update.

use rnnsearch_config::Config;
use rnnsearch_corpus::{Dataset, TrainingPairs, Vocabularies, WordLinks};

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

impl Text {
    /// Reads the text, and learns or loads the tokenizers.
    pub fn read(config: &Config, run: &RunFolder, notes: &mut Notes) -> Result<Self, TrainingError> {
        let vocabularies = vocabularies(config, run, notes)?;
        let validation =
            config.data.validation.as_ref().map(|corpus| Validation::read(corpus, &vocabularies)).transpose()?;
        let mut overlap = Overlap::new(validation.as_ref().map_or(&[], Validation::pairs));
        // Links that are learnt count no more than the settings they follow from: a training may go on with others.
        let mut hasher = blake3::Hasher::new();
        let mut read = TrainingPairs::open(&config.data)?;
        let pairs = read.by_ref().inspect(|pair| {
            pair.iter().for_each(|pair| overlap.see(pair));
            pair.iter().filter_map(|pair| pair.links.as_ref()).for_each(|given| hash_links(&mut hasher, given));
        });
        let made = match Teacher::learn(config, notes)? {
            Some(teacher) => Dataset::for_training(teacher.link(pairs), &vocabularies, &config.data),
            None => Dataset::for_training(pairs, &vocabularies, &config.data),
        };
        let (dataset, mut report) = made.map_err(|error| read.explain(error))?;
        report.add_left_out(read.report());
        notes.add(report.to_string());
        if let Some(validation) = &validation {
            notes.add(format!("validation: {} pairs", validation.pairs().len()));
        }
        if !run.is_resumed() {
            notes.warn(overlap.warning());
            notes.warn(unseen_words(&dataset, &vocabularies));
        }
        let hash = hash_of(hasher, &dataset, &vocabularies);
        Ok(Self { vocabularies, dataset, validation, hash })
    }
}

fn vocabularies(config: &Config, run: &RunFolder, notes: &mut Notes) -> Result<Vocabularies, TrainingError> {
    if run.is_resumed() && run.holds_tokenizers() {
        return Ok(Vocabularies::load(run.path())?);
    }
    if let Some(model) = origin(config)? {
        notes.add("beginning with the weights and tokenizers of a model".into());
        return Ok(model.vocabularies);
    }
    notes.add(format!("learning {}", if config.tokenizer.joint { "a joint vocabulary" } else { "two vocabularies" }));
    let mut pairs = TrainingPairs::open(&config.data)?;
    Ok(Vocabularies::train(pairs.by_ref(), &config.tokenizer).map_err(|error| pairs.explain(error))?)
}

fn hash_links(hasher: &mut blake3::Hasher, WordLinks { links, .. }: &WordLinks) {
    let numbers = links.iter().flat_map(|&(source, target)| [source, target]);
    let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    hasher.update(&links.len().to_le_bytes()).update(&bytes);
}

/// The hash of what the hasher was given and of examples without their links.
fn hash_of(mut hasher: blake3::Hasher, dataset: &Dataset, vocabularies: &Vocabularies) -> String {
    for (name, json) in vocabularies.files() {
        hasher.update(name.as_bytes()).update(blake3::hash(json.as_bytes()).as_bytes());
    }
    for index in 0..dataset.len() as u32 {
        let example = dataset.example(index);
        for numbers in [example.source, example.target] {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            hasher.update(&numbers.len().to_le_bytes()).update(&bytes);
        }
    }
    hasher.finalize().to_hex().to_string()
}
