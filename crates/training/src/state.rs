//! How a training stands, told from its run folder while nobody, or another process, trains in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use rnnsearch_config::{Config, TrainingConfig};
use serde::Deserialize;

use crate::TrainingError;
use crate::run_folder::{CHECKPOINTS, LOCK};

/// How a training stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A process trains.
    Running,
    /// All epochs or updates are done, or validation stopped getting better.
    Finished,
    /// It can be resumed.
    Interrupted,
}

impl State {
    /// How the training in a run folder stands, whose configuration is given.
    ///
    /// # Errors
    ///
    /// If its lock cannot be tried.
    pub fn of(run: &Path, config: &Config) -> Result<Self, TrainingError> {
        if is_locked(&run.join(LOCK))? {
            return Ok(Self::Running);
        }
        let reached = Reached::newest(&run.join(CHECKPOINTS));
        let ended = reached.is_some_and(|reached| reached.is_end(&config.training));
        Ok(if ended { Self::Finished } else { Self::Interrupted })
    }
}

/// Whether a process trains. Who asks at the same time is not in the way.
fn is_locked(file: &Path) -> Result<bool, TrainingError> {
    let lock = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        lock => lock.map_err(TrainingError::file("open", file))?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(TrainingError::file("lock", file)(error)),
    }
}

/// What a checkpoint tells of how far a training came.
#[derive(Deserialize)]
struct Reached {
    update: u64,
    epoch: u64,
    validations_since_best: u64,
}

impl Reached {
    /// That of the newest checkpoint; none where there is none, or it cannot be read.
    fn newest(checkpoints: &Path) -> Option<Self> {
        let entries = fs::read_dir(checkpoints).ok()?.flatten();
        // A name begins with the update, perhaps with more behind it.
        let number = |name: &str| name.split('-').next()?.parse::<u64>().ok();
        let newest = entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path()))).max()?.1;
        serde_json::from_slice(&fs::read(newest.join("state.json")).ok()?).ok()
    }

    fn is_end(&self, training: &TrainingConfig) -> bool {
        (training.max_epochs > 0 && self.epoch >= training.max_epochs)
            || (training.max_updates > 0 && self.update >= training.max_updates)
            || (training.patience > 0 && self.validations_since_best >= training.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunFolder, Start};

    #[test]
    fn it_is_told_how_a_training_stands() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.training.max_updates = 100;
        let state = || State::of(folder.path(), &config).unwrap();
        assert_eq!(state(), State::Interrupted, "there is nothing");
        let run = RunFolder::open(folder.path(), Start::New, &config).unwrap();
        assert_eq!(state(), State::Running);
        drop(run);
        let save = |name: &str, update: u64, validations_since_best: u64| {
            let checkpoint = folder.path().join(CHECKPOINTS).join(name);
            fs::create_dir_all(&checkpoint).unwrap();
            let reached = serde_json::json!({
                "update": update, "epoch": 1, "validations_since_best": validations_since_best, "more": null
            });
            fs::write(checkpoint.join("state.json"), reached.to_string()).unwrap();
        };
        save("00000040", 40, 1);
        save("unfinished-x", 100, 0);
        assert_eq!(state(), State::Interrupted);
        save("00000060", 60, config.training.patience);
        assert_eq!(state(), State::Finished, "it stopped early");
        save("00000070-stopped", 70, 0);
        assert_eq!(state(), State::Interrupted);
        save("00000100", 100, 0);
        assert_eq!(state(), State::Finished);
    }
}
