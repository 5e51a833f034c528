//! Checkpoints: all that another process needs to go on as if nothing had happened.
//!
//! A checkpoint is a folder `checkpoints/NNNNNNNN`, named by its update. It is written beside its place and renamed when
//! it is whole and on disk, so that a numbered folder is never half-written. Its manifest holds a hash of every file.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rnnsearch_decoder::{RnnSearch, Values, load_parameters, parameters};
use rnnsearch_inference::files::{sync_folder, write_atomic};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::TrainingError;
use crate::optimizer::OptimizerState;
use crate::schedule::Schedule;

const FORMAT: u32 = 1;
const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const MANIFEST: &str = "manifest.json";

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
    /// The best validation score, as a number of which more is better.
    pub best: Option<f64>,
    /// Validations since it.
    pub validations_since_best: u64,
    /// The update of the last validation.
    pub validated_at: Option<u64>,
    /// The length of `metrics.jsonl`, in bytes.
    pub metrics_len: u64,
}

/// Everything.
pub(crate) struct Checkpoint {
    pub position: Position,
    pub parameters: BTreeMap<String, Values>,
    pub optimizer: OptimizerState,
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
    Newer(u32),
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

    /// Writes the checkpoint into the folder of checkpoints, and deletes all but the newest `keep`.
    pub fn save(&self, checkpoints: &Path, keep: usize) -> Result<(), TrainingError> {
        let write = TrainingError::file("write checkpoint", checkpoints);
        self.write(checkpoints).and_then(|()| prune(checkpoints, keep)).map_err(write)
    }

    fn write(&self, checkpoints: &Path) -> io::Result<()> {
        fs::create_dir_all(checkpoints)?;
        let place = checkpoints.join(format!("{:08}", self.position.update));
        let beside = tempfile::Builder::new().prefix("unfinished-").tempdir_in(checkpoints)?;
        let mut manifest = Manifest { format: FORMAT, blake3: BTreeMap::new() };
        let moments = self.optimizer.averages.iter().flat_map(|(name, averages)| {
            averages
                .iter()
                .enumerate()
                .map(move |(i, values)| (format!("{name}/{i}"), (vec![values.len()], values.clone())))
        });
        let files = [
            (STATE, serde_json::to_vec_pretty(&self.position)?),
            (PARAMETERS, to_safetensors(&self.parameters)?),
            (OPTIMIZER, to_safetensors(&moments.collect())?),
        ];
        for (name, bytes) in files {
            manifest.blake3.insert(name.into(), blake3::hash(&bytes).to_hex().to_string());
            write_atomic(&beside.path().join(name), &bytes)?;
        }
        write_atomic(&beside.path().join(MANIFEST), &serde_json::to_vec_pretty(&manifest)?)?;
        make_readable(beside.path())?;
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(beside.keep(), &place)?;
        sync_folder(checkpoints)
    }

    /// The newest checkpoint that is whole, with its folder; none where there is none at all. Damaged ones that were passed
    /// over are told to `warn`.
    pub fn newest(checkpoints: &Path, mut warn: impl FnMut(&str)) -> Result<Option<(PathBuf, Self)>, TrainingError> {
        let mut damaged = None;
        for path in numbered(checkpoints).map_err(TrainingError::file("read", checkpoints))?.into_iter().rev() {
            match Self::read(&path) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(Unreadable::Newer(found)) => {
                    return Err(TrainingError::NewerCheckpoint { path, found, known: FORMAT });
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
        let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
        let manifest: serde_json::Value = parse(MANIFEST, &read(MANIFEST)?)?;
        match manifest["format"].as_u64() {
            Some(format) if format > u64::from(FORMAT) => return Err(Unreadable::Newer(format as u32)),
            _ => {}
        }
        let manifest: Manifest = serde_json::from_value(manifest).map_err(|error| format!("{MANIFEST}: {error}"))?;
        let checked = |name: &str| -> Result<Vec<u8>, String> {
            let bytes = read(name)?;
            let hash = blake3::hash(&bytes).to_hex().to_string();
            if manifest.blake3.get(name) == Some(&hash) { Ok(bytes) } else { Err(format!("{name}: checksum differs")) }
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

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{name}: {error}"))
}

/// The checkpoint folders, oldest first.
fn numbered(checkpoints: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(checkpoints) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(update) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((update, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Deletes all but the newest checkpoints, and what interrupted writes left.
fn prune(checkpoints: &Path, keep: usize) -> io::Result<()> {
    let numbered = numbered(checkpoints)?;
    for old in &numbered[..numbered.len().saturating_sub(keep.max(1))] {
        fs::remove_dir_all(old)?;
    }
    for entry in fs::read_dir(checkpoints)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("unfinished-") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Temporary folders are born for their owner's eyes only.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(|_| ())
}

fn to_safetensors(tensors: &BTreeMap<String, Values>) -> io::Result<Vec<u8>> {
    let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            (name.as_str(), (shape.as_slice(), values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        })
        .collect();
    let views =
        bytes.iter().map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)));
    let views: Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
    views.and_then(|views| safetensors::serialize(views, None::<HashMap<String, String>>)).map_err(io::Error::other)
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
    use super::*;

    fn checkpoint(update: u64) -> Checkpoint {
        let parameters = BTreeMap::from([("a".to_string(), (vec![2, 1], vec![1.5, -2.0]))]);
        let averages = BTreeMap::from([("a".to_string(), vec![vec![1.0, 2.0], vec![3.0, 4.0]])]);
        let position = Position { update, optimizer_updates: update, best: Some(0.1 + 0.2), ..Position::default() };
        Checkpoint { position, parameters, optimizer: OptimizerState { updates: update, averages } }
    }

    fn newest(folder: &Path) -> (Option<u64>, usize) {
        let mut warnings = 0;
        let found = Checkpoint::newest(folder, |_| warnings += 1).unwrap();
        (found.map(|(_, checkpoint)| checkpoint.position.update), warnings)
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(&folder.path().join("none")), (None, 0));
        checkpoint(7).save(folder.path(), 2).unwrap();
        let (path, read) = Checkpoint::newest(folder.path(), |_| {}).unwrap().unwrap();
        assert_eq!(path.file_name().unwrap(), "00000007");
        let written = checkpoint(7);
        assert_eq!(
            (read.position, read.parameters, read.optimizer),
            (written.position, written.parameters, written.optimizer)
        );
    }

    #[test]
    fn only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("unfinished-x")).unwrap();
        for update in [3, 99_999_999, 100_000_000] {
            checkpoint(update).save(folder.path(), 2).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["100000000", "99999999"]);
        assert_eq!(newest(folder.path()), (Some(100_000_000), 0));
    }

    #[test]
    fn damage_anywhere_is_noticed_and_an_older_one_taken() {
        let folder = tempfile::tempdir().unwrap();
        checkpoint(1).save(folder.path(), 9).unwrap();
        for name in [STATE, PARAMETERS, OPTIMIZER, MANIFEST] {
            checkpoint(2).save(folder.path(), 9).unwrap();
            let file = folder.path().join("00000002").join(name);
            let mut bytes = fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(&file, &bytes).unwrap();
            assert_eq!(newest(folder.path()), (Some(1), 1), "{name} flipped");
            fs::write(&file, &bytes[..middle]).unwrap();
            assert_eq!(newest(folder.path()), (Some(1), 1), "{name} cut");
            fs::remove_file(&file).unwrap();
            assert_eq!(newest(folder.path()), (Some(1), 1), "{name} gone");
        }
        fs::remove_file(folder.path().join("00000001").join(STATE)).unwrap();
        assert!(matches!(Checkpoint::newest(folder.path(), |_| {}), Err(TrainingError::Checkpoint { .. })));
    }
}
