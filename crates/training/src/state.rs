//! How a training stands, told from its run folder while nobody, or another process, trains in it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use rnnsearch_config::{Config, TrainingConfig};
use serde::Deserialize;

use crate::checkpoint::numbered;
use crate::run_folder::{CHECKPOINTS, LOCK};
use crate::{Ending, TrainingError};

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
        let ended = reached.is_some_and(|reached| reached.ending(&config.training).is_some());
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

/// How far a training came, which its checkpoints tell among other things.
#[derive(Deserialize)]
pub(crate) struct Reached {
    /// Updates done.
    pub update: u64,
    /// Passes over the data that are done.
    pub epoch: u64,
    /// Validations since the best one.
    pub validations_since_best: u64,
}

impl Reached {
    /// That of the newest checkpoint; none where there is none, or it cannot be read.
    fn newest(checkpoints: &Path) -> Option<Self> {
        let newest = numbered(checkpoints).ok()?.pop()?.path;
        serde_json::from_slice(&fs::read(newest.join("state.json")).ok()?).ok()
    }

    /// How the training has ended, if it has.
    pub fn ending(&self, training: &TrainingConfig) -> Option<Ending> {
        let finished = (training.max_epochs > 0 && self.epoch >= training.max_epochs)
            || (training.max_updates > 0 && self.update >= training.max_updates);
        let hopeless = training.patience > 0 && self.validations_since_best >= training.patience;
        finished.then_some(Ending::Finished).or(hopeless.then_some(Ending::EarlyStop))
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
        // A process died as it replaced its checkpoint.
        fs::rename(folder.path().join("checkpoints/00000100"), folder.path().join("checkpoints/replaced-00000100"))
            .unwrap();
        assert_eq!(state(), State::Finished);
    }
}
