//! A model of the other direction, whose alignments a training is to agree with.
//!
//! Cheng et al. (2016) train both directions at once, with a term that makes their alignments agree. Here one of them stays as it is, so that
//! a training needs no more memory than the other's weights, and whoever trains them in turn makes the same objective small, one direction
//! at a time.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::{Attention, Config, ModelConfig, Reading};
use rnnsearch_corpus::{Batch as PaddedBatch, Vocabularies};
use rnnsearch_decoder::RnnSearch;
use rnnsearch_inference::Model;

use crate::TrainingError;
use crate::validation::to_device;

/// A model that writes the source, given the target.
pub(crate) struct Opposite {
    path: PathBuf,
    network: RnnSearch,
    config: ModelConfig,
    vocabularies: Vocabularies,
    device: Device,
    /// How many steps later than it is written a token's alignment is told: here, and there.
    later: [usize; 2],
    hash: String,
}

impl Opposite {
    /// The model to agree with, if the settings name one; its tokens are yet to be [checked](Self::check_tokens).
    ///
    /// # Errors
    ///
    /// If it cannot be read, is of the same direction, or has no attention.
    pub fn load(config: &Config, device: &Device) -> Result<Option<Self>, TrainingError> {
        let Some(path) = &config.training.alignment.agree_with else { return Ok(None) };
        let model = Model::load(path)?;
        let languages =
            |config: &Config| [&config.data.source_language, &config.data.target_language].map(Clone::clone);
        let found = languages(&model.config);
        // Who has named no languages is believed.
        if found == languages(config) && found != languages(&Config::default()) {
            return Err(TrainingError::NotOpposite { model: path.clone(), languages: found });
        }
        if model.config.model.attention == Attention::None {
            return Err(TrainingError::NothingToAgreeWith(path.clone()));
        }
        Ok(Some(Self {
            path: path.clone(),
            network: model.network(device),
            config: model.config.model.clone(),
            vocabularies: model.vocabularies.clone(),
            device: device.clone(),
            later: [config, &model.config].map(|config| usize::from(config.training.alignment.read == Reading::Next)),
            hash: hash(&model),
        }))
    }

    /// Fails if the tokens of the model are not those of the training.
    pub fn check_tokens(&self, vocabularies: &Vocabularies) -> Result<(), TrainingError> {
        let (here, there) = (vocabularies, &self.vocabularies);
        let sides =
            [(["reads", "writes"], &there.source, &here.target), (["writes", "reads"], &there.target, &here.source)];
        match sides.into_iter().find(|(_, there, here)| there.to_json() != here.to_json()) {
            Some((verbs, _, _)) => Err(TrainingError::OtherTokens { model: self.path.clone(), verbs }),
            None => Ok(()),
        }
    }

    /// The model's place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A hash of all that its alignments depend on, but for the tokens, which are those of the training.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many weights it has.
    pub fn parameters(&self) -> usize {
        self.network.num_params()
    }

    /// What it says of the alignments of a batch: for each step of the target and each source token a weight, or none where there is
    /// nothing to compare: at padding, at tags, and where one of both tells of a token only after the last step. `[tgt_len, batch,
    /// src_len]`, row by row.
    pub fn alignments(&self, padded: &PaddedBatch) -> Vec<Option<f32>> {
        let reversed = padded.reversed(|id| self.vocabularies.target.is_tag(id));
        let weights = self.network.alignments(&to_device(&reversed, &self.device), &self.config);
        let weights = weights.expect("models without attention are refused").into_data();
        let weights = weights.try_into_vec::<f32>().expect("32-bit floats");
        let (columns, src_len, tgt_len) = (padded.source.sequences(), padded.source.longest, padded.target_out.longest);
        let [here, there] = self.later;
        let mut told = vec![None; tgt_len * columns * src_len];
        for column in 0..columns {
            let (source, target) = (reversed.target_out.lengths[column], padded.target_out.lengths[column]);
            let tags = padded.source.lengths[column] - source;
            for j in 0..source.saturating_sub(there) {
                let row = &weights[((j + there) * columns + column) * tgt_len..][..target.saturating_sub(here)];
                for (i, &weight) in row.iter().enumerate() {
                    told[((i + here) * columns + column) * src_len + tags + j] = Some(weight);
                }
            }
        }
        told
    }
}

/// A hash of a model's weights, of how it computes, and of how its alignments are read.
fn hash(model: &Model) -> String {
    let mut hasher = blake3::Hasher::new();
    let settings = serde_json::json!([model.config.model, model.config.training.alignment.read]);
    hasher.update(settings.to_string().as_bytes());
    for (name, parameter) in model.parameters() {
        hasher.update(name.as_bytes());
        hasher.update_rayon(bytemuck::cast_slice(&parameter.floats()));
    }
    hasher.finalize().to_hex().to_string()
}
