//! The folder of a training: what is in it, and who may write there.

use std::cell::{Cell, RefCell};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rnnsearch_config::{Config, DataConfig};
use rnnsearch_corpus::Vocabularies;

use crate::{TrainingError, cache, disk, tensorboard};

const CONFIG: &str = "config.toml";
const MODEL: &str = "model.safetensors";
const METRICS: &str = "metrics.jsonl";
const LOG: &str = "log.txt";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
pub(crate) const LOCK: &str = "lock";
const TENSORBOARD: &str = "tensorboard";
/// The field of `metrics.jsonl` that tells the time.
const ELAPSED: &str = "elapsed";
const TOKENIZERS: [&str; 3] = ["tokenizer.json", "tokenizer.source.json", "tokenizer.target.json"];

/// What to do with a run folder that may hold a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Begin; a training that is there already is an error.
    New,
    /// Go on with the training that is there.
    Resume,
    /// Begin; delete a training that is there already.
    Overwrite,
}

/// A run folder, locked for as long as this lives.
///
/// From [`open`](Self::open) until the training begins nothing of a training is in it yet, or what was there is still there;
/// if it never begins, the folder is as it was.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    start: Start,
    begun: bool,
    /// The folders that had to be made, the run folder first.
    made: Vec<PathBuf>,
    /// Whether it held a training.
    held_run: bool,
    /// When this process began to train, and the seconds that those before it trained.
    clock: Cell<(Instant, f64)>,
    /// The file of examples in it that is trained on, and whether this process made it.
    data: RefCell<Option<(PathBuf, bool)>>,
    /// Released when it is closed, by the system too if the process dies.
    _lock: File,
}

impl RunFolder {
    /// Opens and locks a run folder, making it where need be.
    ///
    /// # Errors
    ///
    /// If another process trains in it, if it holds a training and `start` is [`Start::New`], if it holds none and `start` is
    /// [`Start::Resume`], if it holds something else, or if the configuration to resume with describes another model.
    pub fn open(path: &Path, start: Start, config: &Config) -> Result<Self, TrainingError> {
        let held_run = path.join(CONFIG).is_file();
        let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        if !held_run {
            if start == Start::Resume {
                return Err(TrainingError::NothingToResume(path.into()));
            }
            if !is_free(path)? {
                return Err(TrainingError::NotARun(path.into()));
            }
            disk::create_folder(path).inspect_err(|_| remove_folders(&made))?;
        }
        // Before anything is said of what is there: it may be in use.
        let lock = lock(path).inspect_err(|_| remove_folders(&made))?;
        match start {
            Start::Overwrite => check_apart(path, config),
            Start::New if held_run => Err(TrainingError::RunExists(path.into())),
            Start::Resume => check_same(path, config),
            _ => Ok(()),
        }?;
        Ok(Self {
            path: path.into(),
            start,
            begun: false,
            made,
            held_run,
            clock: Cell::new((Instant::now(), 0.0)),
            data: RefCell::default(),
            _lock: lock,
        })
    }

    /// Makes it the folder of this training: deletes one that is overwritten and what crashes have left, and saves the resolved
    /// configuration and the tokenizers.
    ///
    /// # Errors
    ///
    /// If a file cannot be deleted or written.
    pub(crate) fn begin(&mut self, config: &Config, vocabularies: &Vocabularies) -> Result<(), TrainingError> {
        if self.start == Start::Overwrite {
            clear(&self.path)?;
        }
        disk::remove_unfinished(&self.path)?;
        disk::remove_unfinished(&self.checkpoints())?;
        cache::clear(&self.path, self.data.borrow().as_ref().map(|(path, _)| path.as_path()))?;
        disk::replace(&self.config(), config.to_toml()?.as_bytes())?;
        self.begun = true;
        vocabularies.files().iter().try_for_each(|(name, json)| disk::replace(&self.path.join(name), json.as_bytes()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// The file of the best model so far.
    pub fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    pub(crate) fn tensorboard(&self) -> PathBuf {
        self.path.join(TENSORBOARD)
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Notes the file of examples in it that is trained on, and whether this process made it.
    pub(crate) fn keep_data(&self, path: &Path, made: bool) {
        *self.data.borrow_mut() = Some((path.into(), made));
    }

    /// Whether a training that was there is gone on with.
    pub(crate) fn is_resumed(&self) -> bool {
        self.start == Start::Resume
    }

    pub(crate) fn holds_tokenizers(&self) -> bool {
        self.path.join(TOKENIZERS[0]).is_file() || TOKENIZERS[1..].iter().all(|file| self.path.join(file).is_file())
    }

    /// The length of `metrics.jsonl`.
    fn metrics_len(&self) -> u64 {
        fs::metadata(self.path.join(METRICS)).map_or(0, |metadata| metadata.len())
    }

    /// The length of `metrics.jsonl`, all of which a power loss cannot take any more.
    pub(crate) fn synced_metrics_len(&self) -> Result<u64, TrainingError> {
        let len = self.metrics_len();
        if len > 0 {
            disk::sync(&self.path.join(METRICS))?;
        }
        Ok(len)
    }

    /// Cuts `metrics.jsonl` back to what it was at a checkpoint, and goes on with its time. Returns whether it was that long.
    pub(crate) fn truncate_metrics(&self, len: u64) -> Result<bool, TrainingError> {
        let (path, now) = (self.path.join(METRICS), self.metrics_len());
        if now > len {
            disk::shorten(&path, len)?;
        }
        self.clock.set((Instant::now(), last_elapsed(&path)));
        Ok(now >= len)
    }

    /// Adds a line to `metrics.jsonl`, with the seconds of training so far.
    pub(crate) fn add_metrics(&self, line: &serde_json::Value) -> Result<(), TrainingError> {
        let (begin, before) = self.clock.get();
        let mut line = line.clone();
        line[ELAPSED] = (before + begin.elapsed().as_secs_f64()).into();
        disk::append(&self.path.join(METRICS), &line.to_string())
    }

    /// Adds a line to `log.txt`.
    pub(crate) fn log(&self, line: &str) -> Result<(), TrainingError> {
        disk::append(&self.path.join(LOG), line)
    }
}

impl Drop for RunFolder {
    /// Takes back what [`open`](RunFolder::open) made, if the training could not begin. Errors in doing so are left alone: the one
    /// that matters is why it could not.
    fn drop(&mut self) {
        if self.begun {
            return;
        }
        if let Some((data, true)) = &*self.data.borrow() {
            let _ = fs::remove_file(data);
        }
        if !self.held_run {
            let _ = fs::remove_file(self.path.join(LOCK));
            remove_folders(&self.made);
        }
    }
}

/// Removes folders, each in the next, as far as they are empty.
fn remove_folders(made: &[PathBuf]) {
    let _ = made.iter().try_for_each(fs::remove_dir);
}

fn lock(path: &Path) -> Result<File, TrainingError> {
    let file = path.join(LOCK);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
    let lock = lock.map_err(TrainingError::file("open", &file))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(TrainingError::Locked(path.into())),
        Err(TryLockError::Error(error)) => Err(TrainingError::file("lock", file)(error)),
    }
}

/// The seconds of training that the last line of a `metrics.jsonl` tells; 0 where none does.
fn last_elapsed(metrics: &Path) -> f64 {
    let text = fs::read_to_string(metrics).unwrap_or_default();
    let last = text.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    last.and_then(|line| line[ELAPSED].as_f64()).unwrap_or(0.0)
}

/// Whether a folder is missing, or empty but for what an interrupted start leaves.
fn is_free(path: &Path) -> Result<bool, TrainingError> {
    let left = |name: &str| name == LOCK || name.starts_with(disk::UNFINISHED) || cache::is_data(Path::new(name));
    Ok(disk::list(path)?.iter().all(|(name, _)| left(name)))
}

/// Fails if a model that a training needs is in the folder.
fn check_apart(path: &Path, config: &Config) -> Result<(), TrainingError> {
    let training = &config.training;
    let models = [("training.from", &training.from), ("training.alignment.agree_with", &training.alignment.agree_with)];
    let is_inside = |model: &Path| {
        model.canonicalize().ok().zip(path.canonicalize().ok()).is_some_and(|(model, path)| model.starts_with(path))
    };
    let named = models.into_iter().filter_map(|(key, model)| Some((key, model.as_ref()?)));
    match named.into_iter().find(|(_, model)| is_inside(model)) {
        Some((key, model)) => Err(TrainingError::FromItself { model: model.clone(), key }),
        None => Ok(()),
    }
}

/// What was learned so far is of use only to the same model on the same data.
fn check_same(path: &Path, config: &Config) -> Result<(), TrainingError> {
    let saved = Config::load(&path.join(CONFIG), &[])?;
    // Where the examples are kept does not matter.
    let data = DataConfig { cache: saved.data.cache.clone(), ..config.data.clone() };
    let sections = [
        ("data", saved.data != data),
        ("tokenizer", saved.tokenizer != config.tokenizer),
        ("model", saved.model != config.model),
        ("training.from", saved.training.from != config.training.from),
        ("training.grow_vocabulary", saved.training.grow_vocabulary != config.training.grow_vocabulary),
        ("training.optimizer", saved.training.optimizer.kind != config.training.optimizer.kind),
    ];
    match sections.into_iter().find(|(_, differs)| *differs) {
        Some((section, _)) => Err(TrainingError::OtherConfig { run: path.into(), section }),
        None => Ok(()),
    }
}

/// Deletes a training, and nothing else that a user may have put into its folder.
///
/// The configuration goes last: until then the folder is known as a run folder. The checkpoints go all at once, so that nobody who is
/// interrupted can go on from some of them.
fn clear(path: &Path) -> Result<(), TrainingError> {
    TOKENIZERS.iter().try_for_each(|name| disk::remove(&path.join(name)))?;
    let checkpoints = path.join(CHECKPOINTS);
    if checkpoints.exists() {
        let aside = path.join(format!("{}{CHECKPOINTS}", disk::UNFINISHED));
        disk::remove(&aside)?;
        disk::rename(&checkpoints, &aside)?;
        disk::sync_folder(path)?;
        disk::remove(&aside)?;
    }
    tensorboard::clear(&path.join(TENSORBOARD))?;
    [MODEL, METRICS, LOG, CONFIG].iter().try_for_each(|name| disk::remove(&path.join(name)))
}

#[cfg(test)]
mod tests {
    use rnnsearch_config::{TokenizerConfig, TokenizerKind};

    use super::*;

    fn open(path: &Path, start: Start) -> Result<RunFolder, TrainingError> {
        RunFolder::open(path, start, &Config::default())
    }

    /// Opens a folder and begins a training in it.
    fn begin(path: &Path, start: Start) -> RunFolder {
        let tokenizer = TokenizerConfig { kind: TokenizerKind::Char, vocabulary: 6, ..TokenizerConfig::default() };
        let vocabularies = Vocabularies::train_on(&[("ab", "ba")], &tokenizer).unwrap();
        let mut run = open(path, start).unwrap();
        run.begin(&Config::default(), &vocabularies).unwrap();
        run
    }

    #[test]
    fn a_training_is_not_overwritten_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs/a");
        drop(begin(&path, Start::New));
        fs::write(path.join(METRICS), "{}\n").unwrap();
        assert!(matches!(open(&path, Start::New), Err(TrainingError::RunExists(_))));
        assert!(begin(&path, Start::Resume).is_resumed());
        drop(open(&path, Start::Overwrite).unwrap());
        assert_eq!(fs::read_to_string(path.join(METRICS)).unwrap(), "{}\n");
        assert_eq!(begin(&path, Start::Overwrite).metrics_len(), 0);
    }

    #[test]
    fn two_trainings_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = begin(folder.path(), Start::New);
        for start in [Start::New, Start::Resume, Start::Overwrite] {
            assert!(matches!(open(folder.path(), start), Err(TrainingError::Locked(_))));
        }
        drop(first);
        open(folder.path(), Start::Resume).unwrap();
    }

    #[test]
    fn time_goes_on_where_metrics_were_cut() {
        let folder = tempfile::tempdir().unwrap();
        let elapsed = || {
            let metrics = fs::read_to_string(folder.path().join(METRICS)).unwrap();
            let line: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
            line[ELAPSED].as_f64().unwrap()
        };
        let add = |run: &RunFolder| run.add_metrics(&serde_json::json!({ "update": 1 })).unwrap();
        let first = "{\"elapsed\":1000.5}\n";
        let run = begin(folder.path(), Start::New);
        add(&run);
        assert!(elapsed() < 100.0);
        fs::write(folder.path().join(METRICS), format!("{first}{{\"elapsed\":3000}}\n")).unwrap();
        run.truncate_metrics(first.len() as u64).unwrap();
        add(&run);
        assert!((1000.5..1100.0).contains(&elapsed()), "{}", elapsed());
        run.truncate_metrics(0).unwrap();
        add(&run);
        assert!(elapsed() < 100.0);
    }

    #[test]
    fn a_training_that_does_not_begin_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder.path().join("runs/a"), Start::New).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let run = folder.path().join("b");
        fs::create_dir(&run).unwrap();
        drop(open(&run, Start::Overwrite).unwrap());
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(matches!(open(folder.path(), Start::Overwrite), Err(TrainingError::NotARun(_))));
        assert!(matches!(open(folder.path(), Start::Resume), Err(TrainingError::NothingToResume(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_model_does_not_resume() {
        let folder = tempfile::tempdir().unwrap();
        drop(begin(folder.path(), Start::New));
        let mut config = Config::default();
        config.model.embedding += 1;
        let error = RunFolder::open(folder.path(), Start::Resume, &config).unwrap_err();
        assert!(matches!(error, TrainingError::OtherConfig { section: "model", .. }));
        let mut config = Config::default();
        config.training.max_epochs += 1;
        RunFolder::open(folder.path(), Start::Resume, &config).unwrap();
    }
}
