//! Checkpoints: all that another process needs to go on as if nothing had happened.
//!
//! A checkpoint is a folder `checkpoints/NNNNNNNN`, named by its update; `NNNNNNNN-stopped` is one that a training wrote only because
//! it was asked to stop, and which the next one replaces. It is written beside its place and renamed when it is whole and on
//! disk, so that a numbered folder is never half-written. Its manifest holds a hash of every file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rnnsearch_decoder::{RnnSearch, Values, load_parameters, parameters};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::optimizer::OptimizerState;
use crate::schedule::Schedule;
use crate::{Best, TrainingError, disk, exact};

const FORMAT: u32 = 2;
const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const MANIFEST: &str = "manifest.json";

/// What ends the name of a checkpoint that is there only because the training was asked to stop.
const STOPPED: &str = "-stopped";
/// What begins the name of a checkpoint that another of the same update takes the place of.
const REPLACED: &str = "replaced-";

/// Where a training is, without weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// What the next line of the log sums up.
    pub window: Window,
    /// The length of `metrics.jsonl`, in bytes.
    pub metrics_len: u64,
    /// A hash of what is trained on: the examples, and the tokenizers that they were made with.
    pub text: String,
}

/// Sums over the updates since the last one told in the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window {
    #[serde(with = "exact")]
    pub nats: f64,
    pub tokens: usize,
}

/// Everything.
pub(crate) struct Checkpoint {
    pub position: Position,
    pub parameters: BTreeMap<String, Values>,
    pub optimizer: OptimizerState,
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

impl From<String> for Unreadable {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

impl Checkpoint {
    pub fn new(position: Position, model: &RnnSearch, optimizer: OptimizerState) -> Self {
        let position = Position { optimizer_updates: optimizer.updates, ..position };
        Self { position, parameters: parameters(model), optimizer }
    }

    /// Puts the weights into a model of the same shape.
    pub fn load_into(
        self,
        model: RnnSearch,
        folder: &Path,
    ) -> Result<(RnnSearch, OptimizerState, Position), TrainingError> {
        let model = load_parameters(model, self.parameters)
            .map_err(|mismatch| TrainingError::Mismatch { path: folder.into(), mismatch })?;
        Ok((model, self.optimizer, self.position))
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
        let moments = self.optimizer.averages.iter().flat_map(|(name, averages)| {
            averages
                .iter()
                .enumerate()
                .map(move |(i, values)| (format!("{name}/{i}"), (vec![values.len()], values.clone())))
        });
        let files = [
            (STATE, to_json(&self.position)),
            (PARAMETERS, to_safetensors(&self.parameters)),
            (OPTIMIZER, to_safetensors(&moments.collect())),
        ];
        let mut manifest = Manifest { format: FORMAT, blake3: BTreeMap::new() };
        for (name, bytes) in files {
            manifest.blake3.insert(name.into(), blake3::hash(&bytes).to_hex().to_string());
            disk::write(&folder.join(name), &bytes)?;
        }
        disk::write(&folder.join(MANIFEST), &to_json(&manifest))?;
        disk::sync_folder(folder)
    }

    /// The newest checkpoint that is whole, with its folder; none where there is none at all. Damaged ones that were passed
    /// over are told to `warn`.
    pub fn newest(checkpoints: &Path, mut warn: impl FnMut(&str)) -> Result<Option<(PathBuf, Self)>, TrainingError> {
        let mut damaged = None;
        for Numbered { path, .. } in numbered(checkpoints)?.into_iter().rev() {
            match Self::read(&path) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(Unreadable::OtherFormat(found)) => {
                    return Err(TrainingError::OtherFormat { path, found, known: FORMAT });
                }
                Err(Unreadable::Damaged(reason)) => {
                    warn(&format!("checkpoint `{}` is damaged ({reason}); going on from an older one", path.display()));
                    damaged.get_or_insert(TrainingError::Checkpoint { path, reason });
                }
            }
        }
        damaged.map_or(Ok(None), Err)
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
        Ok(Self { position, parameters, optimizer })
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

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("names and numbers can be written as JSON")
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{name}: {error}"))
}

/// A checkpoint folder, by what its name says.
struct Numbered {
    update: u64,
    /// Whether it is the one that its process was replacing.
    replaced: bool,
    stopped: bool,
    path: PathBuf,
}

/// The checkpoint folders, the best to go on from last.
fn numbered(checkpoints: &Path) -> Result<Vec<Numbered>, TrainingError> {
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

fn to_safetensors(tensors: &BTreeMap<String, Values>) -> Vec<u8> {
    let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (name.as_str(), (shape.as_slice(), values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        })
        .collect();
    let views =
        bytes.iter().map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)));
    let views: Result<Vec<_>, SafeTensorError> = views.collect();
    views
        .and_then(|views| safetensors::serialize(views, None::<HashMap<String, String>>))
        .expect("tensors of their shapes can be written")
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
        let window = Window { nats: 1e300 / 3.0, tokens: 7 };
        let position = Position { update, optimizer_updates: update, best: Some(best), window, ..Position::default() };
        Checkpoint { position, parameters, optimizer: OptimizerState { updates: update, averages } }
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
        for name in [STATE, PARAMETERS, OPTIMIZER, MANIFEST] {
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
        assert!(matches!(Checkpoint::newest(folder.path(), |_| {}), Err(TrainingError::Checkpoint { .. })));
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
        for name in [STATE, PARAMETERS, OPTIMIZER, MANIFEST] {
            assert!(at("write", &beside.join(name)) < at("sync", &beside.join(name)));
            assert!(at("sync", &beside.join(name)) < renamed);
        }
        assert!(at("write", &beside.join(MANIFEST)) < at("sync", &beside) && at("sync", &beside) < renamed);
        assert!(at("sync", folder.path()) < renamed && renamed < at("sync", &checkpoints));
    }
}
