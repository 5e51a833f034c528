//! Checkpoints: all that another process needs to go on as if nothing had happened.
//!
//! A checkpoint is a folder `checkpoints/NNNNNNNN`, named by its update; `NNNNNNNN-stopped` is one that a training wrote only because
//! it was asked to stop, and which the next one replaces. It is written beside its place and renamed when it is whole and on
//! disk, so that a numbered folder is never half-written. Its manifest holds a hash of every file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::{Config, TrainingConfig};
use rnnsearch_corpus::Vocabularies;
use rnnsearch_decoder::{RnnSearch, Values, load_parameters, parameters};
use rnnsearch_inference::Model;
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::doubts::Doubts;
use crate::exact::Exact;
use crate::learner::{Learner, Losses};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::schedule::Schedule;
use crate::{Best, TrainingError, disk, exact};

const FORMAT: u32 = 2;
const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const AVERAGE: &str = "average.safetensors";
const MANIFEST: &str = "manifest.json";

/// What ends the name of a checkpoint that is there only because the training was asked to stop.
const STOPPED: &str = "-stopped";
/// What begins the name of a checkpoint that another of the same update takes the place of.
const REPLACED: &str = "replaced-";

/// Where a training is, without weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Updates done; those that were skipped count too.
    pub update: u64,
    /// Updates that changed weights.
    pub optimizer_updates: u64,
    /// Passes over the data that are done.
    pub epoch: u64,
    /// Batches of the current epoch that are done.
    pub batch: usize,
    /// The learning rate's own state.
    pub schedule: Schedule,
    /// The best validation.
    pub best: Option<Best>,
    /// Whether it is that of these very weights, so that they are the model to keep.
    pub is_best: bool,
    /// Validations since it.
    pub validations_since_best: u64,
    /// The update of the last validation.
    pub validated_at: Option<u64>,
    /// Updates in a row, up to this one, that were skipped.
    pub skipped: u64,
    /// How often the training went back to a checkpoint because too many were.
    pub recoveries: u64,
    /// What the learning rate is multiplied by since.
    #[serde(with = "exact")]
    pub slower: f64,
    /// How often weights were averaged.
    pub averagings: u64,
    /// What may be wrong.
    pub doubts: Doubts,
    /// What the next line of the log sums up.
    pub window: Window,
    /// The length of `metrics.jsonl`, in bytes.
    pub metrics_len: u64,
    /// A hash of what is trained on: the examples, and the tokenizers that they were made with.
    pub text: String,
    /// A hash of the model whose alignments are agreed with, if there is one.
    #[serde(default)]
    pub opposite: Option<String>,
}

impl Position {
    /// Before the first update, on what has these hashes.
    pub fn start(text: String, opposite: Option<String>) -> Self {
        Self {
            update: 0,
            optimizer_updates: 0,
            epoch: 0,
            batch: 0,
            schedule: Schedule::default(),
            best: None,
            is_best: false,
            validations_since_best: 0,
            validated_at: None,
            skipped: 0,
            recoveries: 0,
            slower: 1.0,
            averagings: 0,
            doubts: Doubts::default(),
            window: Window::default(),
            metrics_len: 0,
            text,
            opposite,
        }
    }
}

/// Sums over the updates since the last one told in the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    #[serde(with = "exact")]
    pub nats: f64,
    /// What is added for the sake of the alignments.
    pub alignment: Option<Exact>,
    /// The risk of translations.
    #[serde(default)]
    pub risk: Option<Exact>,
    pub tokens: usize,
}

impl Window {
    /// Adds the losses of an update over so many target tokens.
    pub fn add(&mut self, losses: Losses, tokens: usize) {
        self.nats += losses.nats;
        let sum = |so_far: Option<Exact>, loss: Option<f64>| {
            loss.map(|loss| Exact(so_far.map_or(0.0, |Exact(sum)| sum) + loss)).or(so_far)
        };
        self.alignment = sum(self.alignment, losses.alignment);
        self.risk = sum(self.risk, losses.risk);
        self.tokens += tokens;
    }
}

/// Everything.
pub(crate) struct Checkpoint {
    pub position: Position,
    pub parameters: BTreeMap<String, Values>,
    pub optimizer: OptimizerState,
    /// Averaged parameters, if there are any.
    pub average: Option<BTreeMap<String, Values>>,
}

/// Why a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The settings want one here.
    Due,
    /// The training was asked to stop.
    Stopped,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Hash of every file.
    blake3: BTreeMap<String, String>,
}

/// Why a checkpoint cannot be read.
enum Unreadable {
    Damaged(String),
    OtherFormat(u64),
}

impl Unreadable {
    fn error(self, path: &Path) -> TrainingError {
        let path = path.into();
        match self {
            Self::Damaged(reason) => TrainingError::Checkpoint { path, reason },
            Self::OtherFormat(found) => TrainingError::OtherFormat { path, found, known: FORMAT },
        }
    }
}

impl From<String> for Unreadable {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

impl Checkpoint {
    /// That of a learner all of whose rows are settled.
    pub fn new(position: Position, learner: &Learner) -> Self {
        let optimizer = learner.optimizer_state();
        let (optimizer_updates, averagings) = (optimizer.updates, learner.averagings());
        let average = learner.averaged().map(|model| parameters(&model));
        let position = Position { optimizer_updates, averagings, ..position };
        Self { position, parameters: parameters(learner.model()), optimizer, average }
    }

    /// The learner and its position, the model being one of the same shape with gradients.
    pub fn into_learner(
        self,
        model: RnnSearch,
        training: &TrainingConfig,
        folder: &Path,
    ) -> Result<(Learner, Position), TrainingError> {
        let device = model.devices()[0].clone().inner();
        let model = load_parameters(model, self.parameters)
            .map_err(|mismatch| TrainingError::Mismatch { path: folder.into(), mismatch })?;
        let optimizer = Optimizer::restore(&training.optimizer, self.optimizer, &device);
        let average = Average::of(training).map(|fresh| match self.average {
            Some(values) => Average::restore(training.average, self.position.averagings, values, &device),
            None => fresh,
        });
        Ok((Learner::new(model, optimizer, average), self.position))
    }

    /// Writes the checkpoint into the folder of checkpoints, and deletes those that it makes superfluous.
    pub fn save(&self, checkpoints: &Path, keep: usize, occasion: Occasion) -> Result<(), TrainingError> {
        disk::create_folder(checkpoints)?;
        let stopped = if occasion == Occasion::Stopped { STOPPED } else { "" };
        let name = format!("{:08}{stopped}", self.position.update);
        let beside = checkpoints.join(format!("{}{name}", disk::UNFINISHED));
        let written = self.write(&beside);
        if written.is_err() {
            // On a full disk its room is needed; the error that matters is the first.
            let _ = disk::remove(&beside);
        }
        written?;
        let place = checkpoints.join(&name);
        if place.exists() {
            // No folder can be renamed onto one that has files. Until the new one is in its place the old one serves.
            disk::rename(&place, &checkpoints.join(format!("{REPLACED}{name}")))?;
        }
        disk::rename(&beside, &place)?;
        disk::sync_folder(checkpoints)?;
        prune(checkpoints, keep, &place, self.position.update)
    }

    fn write(&self, folder: &Path) -> Result<(), TrainingError> {
        disk::remove(folder)?;
        disk::create_folder(folder)?;
        let mut manifest = Manifest { format: FORMAT, blake3: BTreeMap::new() };
        let mut write = |name: &str, bytes: Vec<u8>| {
            manifest.blake3.insert(name.into(), blake3::hash(&bytes).to_hex().to_string());
            disk::write(&folder.join(name), &bytes)
        };
        write(STATE, to_json(&self.position))?;
        write(PARAMETERS, to_safetensors(floats(&self.parameters)))?;
        let moments = self.optimizer.averages.iter().flat_map(|(name, averages)| {
            let numbered = averages.iter().enumerate();
            numbered.map(move |(i, values)| (format!("{name}/{i}"), Floats { shape: vec![values.len()], values }))
        });
        write(OPTIMIZER, to_safetensors(moments))?;
        if let Some(average) = &self.average {
            write(AVERAGE, to_safetensors(floats(average)))?;
        }
        disk::write(&folder.join(MANIFEST), &to_json(&manifest))?;
        disk::sync_folder(folder)
    }

    /// The newest checkpoint that is whole, with its folder; none where there is none at all. Damaged ones that were passed
    /// over are told to `warn`.
    pub fn newest(checkpoints: &Path, warn: impl FnMut(&str)) -> Result<Option<(PathBuf, Self)>, TrainingError> {
        Self::newest_of(numbered(checkpoints)?, warn)
    }

    /// The newest before an update to go back to. It is the same whether and when the training was stopped meanwhile.
    pub fn newest_before(
        checkpoints: &Path,
        update: u64,
        warn: impl FnMut(&str),
    ) -> Result<Option<(PathBuf, Self)>, TrainingError> {
        let due = numbered(checkpoints)?.into_iter().filter(|found| !found.stopped);
        Self::newest_of(due.filter(|found| found.update < update).collect(), warn)
    }

    fn newest_of(
        numbered: Vec<Numbered>,
        mut warn: impl FnMut(&str),
    ) -> Result<Option<(PathBuf, Self)>, TrainingError> {
        let mut damaged = None;
        for Numbered { path, .. } in numbered.into_iter().rev() {
            match Self::read(&path) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(Unreadable::Damaged(reason)) => {
                    warn(&format!("checkpoint `{}` is damaged ({reason}); going on from an older one", path.display()));
                    damaged.get_or_insert(path);
                }
                Err(other) => return Err(other.error(&path)),
            }
        }
        damaged.map_or(Ok(None), |path| Err(TrainingError::AllDamaged(path)))
    }

    fn read(folder: &Path) -> Result<Self, Unreadable> {
        let read = |name: &str| disk::read(&folder.join(name)).map_err(|error| error.to_string());
        let manifest: serde_json::Value = parse(MANIFEST, &read(MANIFEST)?)?;
        match manifest["format"].as_u64() {
            Some(format) if format != u64::from(FORMAT) => return Err(Unreadable::OtherFormat(format)),
            _ => {}
        }
        let manifest: Manifest = serde_json::from_value(manifest).map_err(|error| format!("{MANIFEST}: {error}"))?;
        let checked = |name: &str| -> Result<Vec<u8>, String> {
            let bytes = read(name)?;
            let hash = blake3::hash(&bytes).to_hex().to_string();
            let same = manifest.blake3.get(name) == Some(&hash);
            if same { Ok(bytes) } else { Err(format!("{name} does not match its checksum in {MANIFEST}")) }
        };
        let position: Position = parse(STATE, &checked(STATE)?)?;
        let parameters = from_safetensors(PARAMETERS, &checked(PARAMETERS)?)?;
        let mut averages: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
        // In the order of names, `p/0` comes before `p/1`.
        for (name, (_, values)) in from_safetensors(OPTIMIZER, &checked(OPTIMIZER)?)? {
            let parameter = name.rsplit_once('/').map_or(name.as_str(), |(parameter, _)| parameter);
            averages.entry(parameter.into()).or_default().push(values);
        }
        let optimizer = OptimizerState { updates: position.optimizer_updates, averages };
        let average = (position.averagings > 0).then(|| from_safetensors(AVERAGE, &checked(AVERAGE)?)).transpose()?;
        Ok(Self { position, parameters, optimizer, average })
    }
}

/// Deletes what is superfluous once a training goes on from the checkpoint of this update in `place`: all but the newest, those of a future
/// that it gave up when it went back, and what interrupted writes left.
pub(crate) fn prune(checkpoints: &Path, keep: usize, place: &Path, update: u64) -> Result<(), TrainingError> {
    let mut due = Vec::new();
    for found in numbered(checkpoints)?.into_iter().filter(|found| found.path != place) {
        if found.replaced || found.stopped || found.update > update {
            disk::remove(&found.path)?;
        } else {
            due.push(found.path);
        }
    }
    let others = keep.max(1) - usize::from(!is_stopped(place));
    due[..due.len().saturating_sub(others)].iter().try_for_each(|path| disk::remove(path))?;
    disk::remove_unfinished(checkpoints)
}

/// A model with the mean of the weights of the newest checkpoints of a run folder: of those that are averages already, where its
/// training averages.
///
/// # Errors
///
/// If there are not so many, or one of them cannot be read.
pub fn average_checkpoints(run: &Path, count: usize) -> Result<Model, TrainingError> {
    let (config, vocabularies) = (Config::load(&run.join("config.toml"), &[])?, Vocabularies::load(run)?);
    let mut found = numbered(&run.join("checkpoints"))?;
    found.retain(|found| !found.stopped && !found.replaced);
    if found.len() < count {
        return Err(TrainingError::TooFewCheckpoints { run: run.into(), asked: count, found: found.len() });
    }
    let mut sums: BTreeMap<String, (Vec<usize>, Vec<f64>)> = BTreeMap::new();
    for Numbered { path, .. } in found.split_off(found.len() - count) {
        let checkpoint = Checkpoint::read(&path).map_err(|unreadable| unreadable.error(&path))?;
        for (name, (shape, values)) in checkpoint.average.unwrap_or(checkpoint.parameters) {
            let (_, sum) = sums.entry(name).or_insert_with(|| (shape, vec![0.0; values.len()]));
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
        }
    }
    let mean = |sums: Vec<f64>| sums.into_iter().map(|sum| (sum / count as f64) as f32).collect();
    let means = sums.into_iter().map(|(name, (shape, sums))| (name, (shape, mean(sums)))).collect();
    let network = RnnSearch::blank(&Model::settings(&config, &vocabularies), &Device::flex());
    let network = load_parameters(network, means)
        .map_err(|mismatch| TrainingError::Mismatch { path: run.join("checkpoints"), mismatch })?;
    Ok(Model::new(&network, &config, &vocabularies))
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("names and numbers can be written as JSON")
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{name}: {error}"))
}

/// A checkpoint folder, by what its name says.
pub(crate) struct Numbered {
    update: u64,
    /// Whether it is the one that its process was replacing.
    replaced: bool,
    stopped: bool,
    pub path: PathBuf,
}

/// The checkpoint folders, the best to go on from last.
pub(crate) fn numbered(checkpoints: &Path) -> Result<Vec<Numbered>, TrainingError> {
    let numbered = |(name, path): (String, PathBuf)| {
        let kept = name.strip_prefix(REPLACED).unwrap_or(&name);
        let update = kept.strip_suffix(STOPPED).unwrap_or(kept).parse().ok()?;
        Some(Numbered { update, replaced: kept.len() < name.len(), stopped: is_stopped(&path), path })
    };
    let mut found: Vec<Numbered> = disk::list(checkpoints)?.into_iter().filter_map(numbered).collect();
    found.sort_by_key(|found| (found.update, !found.replaced, !found.stopped));
    Ok(found)
}

fn is_stopped(path: &Path) -> bool {
    path.to_string_lossy().ends_with(STOPPED)
}

/// A tensor that is written from where it is.
struct Floats<'a> {
    shape: Vec<usize>,
    values: &'a [f32],
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        bytemuck::cast_slice(self.values).into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

fn floats(parameters: &BTreeMap<String, Values>) -> impl Iterator<Item = (String, Floats<'_>)> {
    parameters.iter().map(|(name, (shape, values))| (name.clone(), Floats { shape: shape.clone(), values }))
}

fn to_safetensors<'a>(tensors: impl Iterator<Item = (String, Floats<'a>)>) -> Vec<u8> {
    // Safetensors are little-endian, as all processors are that this program is built for.
    const { assert!(cfg!(target_endian = "little")) };
    safetensors::serialize(tensors, None::<HashMap<String, String>>).expect("tensors of their shapes can be written")
}

fn from_safetensors(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, Values>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("{name}: {error}"))?;
    let values = |data: &[u8]| {
        data.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
    };
    Ok(file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), values(view.data())))).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checkpoint(update: u64) -> Checkpoint {
        let parameters = BTreeMap::from([("a".to_string(), (vec![2, 1], vec![1.5, -2.0]))]);
        let averages = BTreeMap::from([("a".to_string(), vec![vec![1.0, 2.0], vec![3.0, 4.0]])]);
        let best = Best { update, loss: 0.1 + 0.2, bleu: f64::NAN, chrf: f64::INFINITY };
        let window = Window { nats: 1e300 / 3.0, alignment: Some(Exact(0.1 + 0.7)), risk: None, tokens: 7 };
        let position = Position {
            update,
            optimizer_updates: update,
            best: Some(best),
            window,
            averagings: 3,
            ..Position::start("text".into(), Some("model".into()))
        };
        let average = Some(BTreeMap::from([("a".to_string(), (vec![2, 1], vec![0.5, -1.0]))]));
        Checkpoint { position, parameters, optimizer: OptimizerState { updates: update, averages }, average }
    }

    #[test]
    fn an_update_without_links_takes_nothing_from_the_sum() {
        let mut window = Window::default();
        let mut add = |nats, alignment| {
            window.add(Losses { nats, alignment, risk: None }, 4);
            window.alignment.map(|Exact(nats)| nats)
        };
        assert_eq!(add(1.0, None), None);
        assert_eq!(add(2.0, Some(0.5)), Some(0.5));
        assert_eq!(add(3.0, None), Some(0.5));
        assert_eq!(add(4.0, Some(0.25)), Some(0.75));
        assert_eq!((window.nats, window.tokens), (10.0, 16));
    }

    fn save(folder: &Path, update: u64, keep: usize) {
        checkpoint(update).save(folder, keep, Occasion::Due).unwrap();
    }

    fn newest(folder: &Path) -> (Option<u64>, usize) {
        let mut warnings = 0;
        let found = Checkpoint::newest(folder, |_| warnings += 1).unwrap();
        (found.map(|(_, checkpoint)| checkpoint.position.update), warnings)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = disk::list(folder).unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(&folder.path().join("none")), (None, 0));
        save(folder.path(), 7, 2);
        let (path, read) = Checkpoint::newest(folder.path(), |_| {}).unwrap().unwrap();
        assert_eq!(path.file_name().unwrap(), "00000007");
        let written = checkpoint(7);
        // NaN is not equal to itself.
        assert_eq!(format!("{:?}", read.position), format!("{:?}", written.position));
        assert_eq!((read.parameters, read.optimizer), (written.parameters, written.optimizer));
        assert_eq!(read.average, written.average);
    }

    #[test]
    fn only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("unfinished-00000001")).unwrap();
        fs::create_dir(folder.path().join("replaced-00000002")).unwrap();
        for update in [3, 99_999_999, 100_000_000] {
            save(folder.path(), update, 2);
        }
        assert_eq!(names(folder.path()), ["100000000", "99999999"]);
        assert_eq!(newest(folder.path()), (Some(100_000_000), 0));
    }

    /// A stop leaves no trace in what is kept once the training goes on.
    #[test]
    fn a_stop_takes_no_other_checkpoint_away() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), 3, 1);
        for update in [4, 5] {
            checkpoint(update).save(folder.path(), 1, Occasion::Stopped).unwrap();
        }
        assert_eq!(names(folder.path()), ["00000003", "00000005-stopped"]);
        assert_eq!(newest(folder.path()), (Some(5), 0));
        save(folder.path(), 6, 2);
        assert_eq!(names(folder.path()), ["00000003", "00000006"]);
    }

    /// Those that are newer than the one a training goes on from are of a future that it gives up; they must not push out the good.
    #[test]
    fn what_is_newer_goes() {
        let folder = tempfile::tempdir().unwrap();
        for update in [4, 8, 9] {
            save(folder.path(), update, 9);
        }
        save(folder.path(), 6, 1);
        assert_eq!(names(folder.path()), ["00000006"]);
    }

    #[test]
    fn one_of_the_same_update_is_replaced_and_serves_until_then() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), 3, 1);
        save(folder.path(), 3, 1);
        assert_eq!(names(folder.path()), ["00000003"]);
        // As a process leaves it that is killed between two renames.
        fs::rename(folder.path().join("00000003"), folder.path().join("replaced-00000003")).unwrap();
        assert_eq!(newest(folder.path()), (Some(3), 0));
        save(folder.path(), 3, 1);
        assert_eq!(names(folder.path()), ["00000003"]);
    }

    #[test]
    fn damage_anywhere_is_noticed_and_an_older_one_taken() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), 1, 9);
        for name in [STATE, PARAMETERS, OPTIMIZER, AVERAGE, MANIFEST] {
            save(folder.path(), 2, 9);
            let file = folder.path().join("00000002").join(name);
            let whole = fs::read(&file).unwrap();
            let last = whole.len() - 1;
            for place in [0, 1, 7, 8, 9, last / 4, last / 2, last - 1, last] {
                let mut flipped = whole.clone();
                flipped[place] ^= 4;
                fs::write(&file, &flipped).unwrap();
                assert_eq!(newest(folder.path()), (Some(1), 1), "{name} flipped at {place}");
                fs::write(&file, &whole[..place]).unwrap();
                assert_eq!(newest(folder.path()), (Some(1), 1), "{name} cut at {place}");
            }
            fs::remove_file(&file).unwrap();
            assert_eq!(newest(folder.path()), (Some(1), 1), "{name} gone");
        }
        fs::remove_file(folder.path().join("00000001").join(STATE)).unwrap();
        assert!(matches!(Checkpoint::newest(folder.path(), |_| {}), Err(TrainingError::AllDamaged(_))));
    }

    #[test]
    fn other_formats_are_not_guessed_at() {
        let folder = tempfile::tempdir().unwrap();
        for (format, remedy) in [(1, "--overwrite"), (3, "use a newer rnnsearch")] {
            save(folder.path(), 1, 1);
            let file = folder.path().join("00000001").join(MANIFEST);
            let text = fs::read_to_string(&file).unwrap().replace("\"format\": 2", &format!("\"format\": {format}"));
            fs::write(&file, text).unwrap();
            let error = Checkpoint::newest(folder.path(), |_| {}).err().unwrap().to_string();
            assert!(error.contains(&format!("has format {format}; this build reads 2")), "{error}");
            assert!(error.contains(remedy), "{error}");
        }
    }

    /// What a power loss must not take is on the disk before it is relied on.
    #[test]
    fn all_is_synced_before_it_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = folder.path().join("checkpoints");
        disk::faults::plan(None);
        save(&checkpoints, 1, 1);
        let (done, _) = disk::faults::done();
        let beside = checkpoints.join("unfinished-00000001");
        let at = |action: &str, path: &Path| done.iter().rposition(|(a, p)| *a == action && p == path).unwrap();
        let renamed = at("rename", &beside);
        for name in [STATE, PARAMETERS, OPTIMIZER, AVERAGE, MANIFEST] {
            assert!(at("write", &beside.join(name)) < at("sync", &beside.join(name)));
            assert!(at("sync", &beside.join(name)) < renamed);
        }
        assert!(at("write", &beside.join(MANIFEST)) < at("sync", &beside) && at("sync", &beside) < renamed);
        assert!(at("sync", folder.path()) < renamed && renamed < at("sync", &checkpoints));
    }
}
