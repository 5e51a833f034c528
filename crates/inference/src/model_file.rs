//! Model files: weights, configuration and tokenizers in one safetensors file.
//!
//! The tensors are the parameters by name, see [`Form`], and perhaps a [`Shortlist`]. The header's metadata holds one entry, `rnnsearch`: a JSON object with the format
//! number, the configuration, the tokenizers, and a hash over all of it and the tensors, checked on reading.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use memmap2::Mmap;
use rnnsearch_config::{AlignmentConfig, Attention, Config, DataConfig, TrainingConfig};
use rnnsearch_corpus::{Tokenizer, Vocabularies};
use rnnsearch_decoder::{ModelSettings, RnnSearch, check_shapes, load_parameters, parameters};
use rnnsearch_numeric::network::{Lasting, Parameter, Parameters};
use safetensors::tensor::{TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::files::write_atomic;
use crate::tensors::{Form, Stored, Tensor, find_parameters, form_of, is_scale, tensors_of};
use crate::{InferenceError, Shortlist};

/// The format this program reads and writes.
pub const FORMAT: u32 = 2;

/// The format of files that hold floats of 32 bits alone, which earlier versions can read too.
const FIRST_FORMAT: u32 = 1;

const KEY: &str = "rnnsearch";

/// A model with all that is needed to use it.
#[derive(Debug)]
pub struct Model {
    weights: Weights,
    /// What translations are made of, where not of all words.
    pub shortlist: Option<Shortlist>,
    /// The settings it was trained with, without where its data was.
    pub config: Config,
    /// How text becomes ids and back.
    pub vocabularies: Vocabularies,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    blake3: String,
    config: String,
    source_tokenizer: String,
    /// None where source and target share one.
    target_tokenizer: Option<String>,
}

/// Only the format number, which every version of the header has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The parameters of a model.
#[derive(Debug)]
enum Weights {
    /// In memory.
    Own(BTreeMap<String, Arc<Owned>>),
    /// In a file: pages are read when they are looked at, and shared by all processes that use it.
    Mapped { file: Arc<Mmap>, parameters: BTreeMap<String, Arc<Stored>> },
}

#[derive(Debug)]
struct Owned {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Lasting for Owned {
    fn view(&self) -> Parameter<'_> {
        Parameter::from((&self.shape[..], &self.values[..]))
    }
}

/// A parameter of a mapped file.
#[derive(Debug)]
struct InFile {
    file: Arc<Mmap>,
    stored: Arc<Stored>,
}

impl Lasting for InFile {
    fn view(&self) -> Parameter<'_> {
        self.stored.view(&self.file)
    }
}

impl Weights {
    fn views(&self) -> Parameters<'_> {
        match self {
            Self::Own(parameters) => parameters.iter().map(|(name, owned)| (name.as_str(), owned.view())).collect(),
            Self::Mapped { file, parameters } => {
                parameters.iter().map(|(name, stored)| (name.as_str(), stored.view(file))).collect()
            }
        }
    }
}

impl Model {
    /// A model of a network that was trained with this configuration.
    pub fn new(network: &RnnSearch, config: &Config, vocabularies: &Vocabularies) -> Self {
        let own = |(name, (shape, values))| (name, Arc::new(Owned { shape, values }));
        let weights = Weights::Own(parameters(network).into_iter().map(own).collect());
        Self { weights, shortlist: None, config: config.clone(), vocabularies: vocabularies.clone() }
    }

    /// The parameters by name.
    pub fn parameters(&self) -> Parameters<'_> {
        self.weights.views()
    }

    /// A parameter that outlives the model, where it lies.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub(crate) fn lasting(&self, name: &str) -> Arc<dyn Lasting> {
        match &self.weights {
            Weights::Own(parameters) => Arc::clone(&parameters[name]) as Arc<dyn Lasting>,
            Weights::Mapped { file, parameters } => {
                Arc::new(InFile { file: Arc::clone(file), stored: Arc::clone(&parameters[name]) })
            }
        }
    }

    /// Lets go of the memory of what was read of its file, see [`Model::lasting`].
    pub(crate) fn give_back(&self) {
        if let Weights::Mapped { file, .. } = &self.weights {
            give_back(file);
        }
    }

    /// The format of its file.
    pub fn format(&self) -> u32 {
        if self.form() == Form::Float32 && self.shortlist.is_none() { FIRST_FORMAT } else { FORMAT }
    }

    /// The form of its matrices.
    pub fn form(&self) -> Form {
        self.parameters().get("source_embedding").map_or(Form::Float32, form_of)
    }

    /// Whether the packed network for the CPU can compute it, which alone makes use of shortlists and of integers; tensor
    /// operations compute any model.
    pub fn can_be_packed(&self) -> bool {
        let model = &self.config.model;
        matches!(model.attention, Attention::Additive | Attention::None) && !model.input_feeding
    }

    /// Whether another model has the same vocabularies, so that both can translate together.
    pub fn has_vocabularies_of(&self, other: &Self) -> bool {
        let texts = |model: &Self| {
            [&model.vocabularies.source, &model.vocabularies.target].map(|tokenizer| tokenizer.to_json())
        };
        texts(self) == texts(other)
    }

    /// The network on a device.
    pub fn network(&self, device: &Device) -> RnnSearch {
        let network = RnnSearch::blank(&Self::settings(&self.config, &self.vocabularies), device);
        let own = |(name, parameter): (&str, Parameter)| {
            (name.into(), (parameter.shape.to_vec(), parameter.floats().into_owned()))
        };
        load_parameters(network, self.parameters().into_iter().map(own).collect()).expect("a model's parameters fit it")
    }

    /// The sizes that the network was made with.
    pub fn settings(config: &Config, vocabularies: &Vocabularies) -> ModelSettings {
        ModelSettings {
            config: config.model.clone(),
            source_words: vocabularies.source.vocab_size(),
            target_words: vocabularies.target.vocab_size(),
        }
    }

    /// The bytes of the model file. They depend on the model alone: where its data was is left out.
    ///
    /// # Errors
    ///
    /// If the configuration or a tokenizer cannot be written as text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InferenceError> {
        self.to_bytes_as(None)
    }

    /// As [`to_bytes`](Self::to_bytes), with the matrices in a form; without one they stay as they are.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes).
    pub fn to_bytes_as(&self, form: Option<Form>) -> Result<Vec<u8>, InferenceError> {
        let mut tensors = tensors_of(&self.parameters(), form);
        tensors.extend(self.shortlist.iter().flat_map(Shortlist::tensors));
        let first = tensors.values().all(|tensor| tensor.dtype == Dtype::F32);
        let mut header = Header {
            format: if first { FIRST_FORMAT } else { FORMAT },
            blake3: String::new(),
            config: portable(&self.config).to_toml().map_err(InferenceError::Config)?,
            source_tokenizer: self.vocabularies.source.to_json(),
            target_tokenizer: (!self.vocabularies.is_joint()).then(|| self.vocabularies.target.to_json()),
        };
        let content = tensors.iter().map(|(name, tensor)| (name.as_str(), &tensor.shape[..], &tensor.bytes[..]));
        header.blake3 = hash(&header, content);
        let views = tensors.iter().map(|(name, Tensor { dtype, shape, bytes })| {
            Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes)?))
        });
        let views: Vec<(String, TensorView)> =
            views.collect::<Result<_, SafeTensorError>>().map_err(InferenceError::Serialize)?;
        // One entry alone: the order of several would differ from run to run.
        let metadata =
            HashMap::from([(KEY.to_string(), serde_json::to_string(&header).map_err(InferenceError::Header)?)]);
        safetensors::serialize(views, Some(metadata)).map_err(InferenceError::Serialize)
    }

    /// Writes the model file; at every instant it is either the old one or the new one.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes) and of the file system.
    pub fn save(&self, path: &Path) -> Result<(), InferenceError> {
        write_atomic(path, &self.to_bytes()?).map_err(|error| InferenceError::Write { path: path.into(), error })
    }

    /// Reads a model file, or the one of a run folder.
    ///
    /// # Errors
    ///
    /// If there is none, or it is damaged, of a newer format, or not a model file.
    pub fn load(path: &Path) -> Result<Self, InferenceError> {
        let path = model_path(path)?;
        Self::from_file(mapped(&path)?, &path)
    }

    /// The number of parameters of a model file, or of that of a run folder. Only its header is read, and nothing is checked.
    ///
    /// # Errors
    ///
    /// If there is none, or its header is damaged.
    pub fn count_parameters(path: &Path) -> Result<usize, InferenceError> {
        let path = model_path(path)?;
        let (_, metadata) = SafeTensors::read_metadata(&mapped(&path)?)
            .map_err(|error| InferenceError::Damaged { path: path.clone(), reason: error.to_string() })?;
        let tensors = metadata.tensors();
        let parameters = tensors.iter().filter(|(name, _)| !is_scale(name) && !Shortlist::has_tensor(name));
        Ok(parameters.map(|(_, tensor)| tensor.shape.iter().product::<usize>()).sum())
    }

    fn from_file(bytes: Mmap, path: &Path) -> Result<Self, InferenceError> {
        let damaged = |reason: String| InferenceError::Damaged { path: path.into(), reason };
        let (size, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY));
        let header = read_header(header.ok_or_else(|| InferenceError::NotAModel { path: path.into() })?, path)?;
        let data = &bytes[size_of::<u64>() + size..];
        let view = |(name, info): (String, &TensorInfo)| {
            let (start, end) = info.data_offsets;
            Ok((name, TensorView::new(info.dtype, info.shape.clone(), &data[start..end])?))
        };
        let tensors: Result<_, SafeTensorError> = metadata.tensors().into_iter().map(view).collect();
        let mut tensors: BTreeMap<String, TensorView> = tensors.map_err(|error| damaged(error.to_string()))?;
        let content = tensors.iter().map(|(name, view)| (name.as_str(), view.shape(), view.data()));
        // Both take long. The tokenizers are read here: memory that other threads are given in small pieces costs more.
        let (vocabularies, computed) = rayon::join(|| read_vocabularies(&header, path), || hash(&header, content));
        give_back(&bytes);
        if computed != header.blake3 {
            return Err(damaged("its content does not match its checksum".into()));
        }
        let config = Config::from_toml(&header.config, &[]).map_err(|error| damaged(error.to_string()))?;
        let vocabularies = vocabularies?;
        let shortlist = Shortlist::take(&mut tensors, &vocabularies).map_err(damaged)?;
        let parameters = find_parameters(&bytes, &tensors).map_err(damaged)?;
        let shapes = parameters.iter().map(|(name, stored)| (name.clone(), stored.shape().to_vec())).collect();
        check_shapes(&Self::settings(&config, &vocabularies), shapes).map_err(|error| damaged(error.to_string()))?;
        drop(tensors);
        let parameters = parameters.into_iter().map(|(name, stored)| (name, Arc::new(stored))).collect();
        let weights = Weights::Mapped { file: Arc::new(bytes), parameters };
        Ok(Self { weights, shortlist, config, vocabularies })
    }
}

/// The header, if it is of a format that is known.
fn read_header(text: &str, path: &Path) -> Result<Header, InferenceError> {
    let read: Result<Header, serde_json::Error> = serde_json::from_str(text);
    let damaged = |error: serde_json::Error| InferenceError::Damaged { path: path.into(), reason: error.to_string() };
    match read {
        Ok(header) if header.format <= FORMAT => Ok(header),
        read => match serde_json::from_str(text).map_err(damaged)? {
            Format { format } if format > FORMAT => {
                Err(InferenceError::NewerFormat { path: path.into(), found: format })
            }
            Format { .. } => read.map_err(damaged),
        },
    }
}

/// Lets go of the pages of a file: those that are looked at again come again, and the process does not seem to hold all others.
pub(crate) fn give_back(file: &Mmap) {
    #[cfg(unix)]
    // SAFETY: nobody can write to the file through this map, so its pages are those of the file as long as it is mapped.
    // Where the system refuses, they stay.
    unsafe {
        let _ = file.unchecked_advise(memmap2::UncheckedAdvice::DontNeed);
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// The bytes of a model file.
fn mapped(path: &Path) -> Result<Mmap, InferenceError> {
    let mapped = || {
        let file = File::open(path)?;
        // SAFETY: model files are replaced, never written to; who cuts one short while it is used ends that use, as with
        // a program's own file.
        unsafe { Mmap::map(&file) }
    };
    mapped().map_err(|error| InferenceError::Read { path: path.into(), error })
}

fn read_vocabularies(header: &Header, path: &Path) -> Result<Vocabularies, InferenceError> {
    let file = path.display().to_string();
    let read = |json: &str| {
        Tokenizer::from_json(json, &file)
            .map_err(|error| InferenceError::Damaged { path: path.into(), reason: error.to_string() })
    };
    let source = read(&header.source_tokenizer)?;
    match &header.target_tokenizer {
        Some(target) => Ok(Vocabularies::separate(source, read(target)?)),
        None => Ok(Vocabularies::joint(source)),
    }
}

/// The model file that a path means: itself, or `model.safetensors` in a run folder.
fn model_path(path: &Path) -> Result<PathBuf, InferenceError> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let file = path.join("model.safetensors");
    if file.is_file() { Ok(file) } else { Err(InferenceError::NoModelYet { run: path.into() }) }
}

/// A configuration without the paths of the machine it was trained on.
fn portable(config: &Config) -> Config {
    let data = DataConfig { train: Vec::new(), validation: None, cache: None, ..config.data.clone() };
    // What was agreed with is in the weights; how alignments are read is not.
    let AlignmentConfig { agreement, agreement_form, .. } = AlignmentConfig::default();
    let alignment =
        AlignmentConfig { agree_with: None, agreement, agreement_form, ..config.training.alignment.clone() };
    let training = TrainingConfig { from: None, grow_vocabulary: 0, alignment, ..config.training.clone() };
    Config { data, training, ..config.clone() }
}

fn hash<'a>(header: &Header, tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update_rayon(bytes);
    };
    add(&header.format.to_le_bytes());
    add(header.config.as_bytes());
    add(header.source_tokenizer.as_bytes());
    add(header.target_tokenizer.as_deref().unwrap_or_default().as_bytes());
    for (name, shape, bytes) in tensors {
        add(name.as_bytes());
        shape.iter().for_each(|&size| add(&(size as u64).to_le_bytes()));
        add(bytes);
    }
    hasher.finalize().to_hex().to_string()
}
