use std::io;
use std::path::{Path, PathBuf};

use rnnsearch_config::{ConfigError, Precision};
use rnnsearch_corpus::CorpusError;
use rnnsearch_decoder::ShapeMismatch;
use rnnsearch_inference::InferenceError;
use rnnsearch_metrics::MetricError;

use crate::cache;

/// Why a training cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The parallel text is wrong.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The model cannot be written or read.
    #[error(transparent)]
    Model(#[from] InferenceError),
    /// Translations cannot be scored.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The run folder holds a training already.
    #[error("run folder `{}` holds a training already: use --resume to go on with it, --overwrite to begin anew, or another --run folder", .0.display())]
    RunExists(PathBuf),
    /// The run folder holds something else.
    #[error("`{}` is not empty and no run folder: choose another --run folder", .0.display())]
    NotARun(PathBuf),
    /// There is nothing to resume.
    #[error("run folder `{}` holds no training to resume: leave out --resume to begin one", .0.display())]
    NothingToResume(PathBuf),
    /// Another process trains in the run folder.
    #[error("run folder `{}` is being trained in by another process: wait for it, stop it, or use another --run folder", .0.display())]
    Locked(PathBuf),
    /// The configuration describes another model than the run has.
    #[error(
        "cannot resume `{}`: its section [{section}] differs from the configuration given. Use the run's own configuration, \
         `{}`, or begin anew with --overwrite or another --run folder", run.display(), run.join("config.toml").display()
    )]
    OtherConfig {
        /// The run folder.
        run: PathBuf,
        /// The section that differs.
        section: &'static str,
    },
    /// A file of the run folder cannot be used.
    #[error("cannot {action} `{}`: {error}{}", path.display(), remedy(path, error))]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// No checkpoint can be read; this is the newest.
    #[error("checkpoint `{}` is damaged, and there is no other to go on from: begin anew with --overwrite", .0.display())]
    AllDamaged(PathBuf),
    /// A training cannot begin with a model of other settings.
    #[error("`{key}` is {given} in the configuration, and {found} in `{}`, which training.from begins with: make it {found}", model.display())]
    OtherModel {
        /// The model file or run folder.
        model: PathBuf,
        /// The first setting that differs.
        key: String,
        /// Its value in the configuration.
        given: String,
        /// Its value in the model.
        found: String,
    },
    /// A model that the training needs would be deleted.
    #[error("`{}`, which {key} names, is in the run folder that --overwrite deletes: use another --run folder", model.display())]
    FromItself {
        /// The model.
        model: PathBuf,
        /// The setting that names it.
        key: &'static str,
    },
    /// A model to agree with that translates the same way.
    #[error(
        "`{}` translates from `{}` to `{}`, as this training does: training.alignment.agree_with must name a model of the other direction",
        model.display(), languages[0], languages[1]
    )]
    NotOpposite {
        /// The model file or run folder.
        model: PathBuf,
        /// Its languages.
        languages: [String; 2],
    },
    /// A model to agree with that has no alignments.
    #[error("`{}` has no attention, so there are no alignments that training.alignment.agree_with could agree with: name another model", .0.display())]
    NothingToAgreeWith(PathBuf),
    /// A model to agree with whose tokens are others.
    #[error(
        "`{}`, which training.alignment.agree_with names, {} other tokens than this training {}. Train it on the same corpora, with the same          [tokenizer] and [data], only `source` and `target` exchanged in all settings; corpora with a `tag` need `tokenizer.joint = true`",
        model.display(), verbs[0], verbs[1]
    )]
    OtherTokens {
        /// The model file or run folder.
        model: PathBuf,
        /// What it does with these tokens, and what the training does with them.
        verbs: [&'static str; 2],
    },
    /// The model to agree with is not what it was.
    #[error(
        "`{}`, which training.alignment.agree_with names, is another model than when checkpoint `{}` was made: put the old one back, or          begin another run with --from and these weights", model.display(), checkpoint.display()
    )]
    OtherOpposite {
        /// The model file or run folder.
        model: PathBuf,
        /// The checkpoint folder.
        checkpoint: PathBuf,
    },
    /// There are not as many checkpoints as are to be averaged.
    #[error(
        "run folder `{}` has {found} checkpoints, not {asked}: average fewer, or train with training.keep_checkpoints = {asked}", run.display()
    )]
    TooFewCheckpoints {
        /// The run folder.
        run: PathBuf,
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        found: usize,
    },
    /// A checkpoint that is needed cannot be read.
    #[error("checkpoint `{}` is damaged: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoints of a training are gone, but not its model.
    #[error(
        "run folder `{}` holds a model but no checkpoint to go on from: put the folder `checkpoints` back, or begin anew with --overwrite", .0.display()
    )]
    NoCheckpoint(PathBuf),
    /// What is trained on is not what it was.
    #[error(
        "checkpoint `{}` was made with other training text or tokenizers than there are now: put them back as they were, or begin anew \
         with --overwrite or another --run folder", .0.display()
    )]
    OtherText(PathBuf),
    /// A checkpoint of another version of the program.
    #[error(
        "checkpoint `{}` has format {found}; this build reads {known}: {}", path.display(),
        if *found > u64::from(*known) { "use a newer rnnsearch" } else { "use the rnnsearch that made it, or begin anew with --overwrite" }
    )]
    OtherFormat {
        /// The checkpoint folder.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The format known.
        known: u32,
    },
    /// A checkpoint that does not fit the configuration.
    #[error("checkpoint `{}` does not fit the configuration: {mismatch}", path.display())]
    Mismatch {
        /// The checkpoint folder.
        path: PathBuf,
        /// What does not fit.
        mismatch: ShapeMismatch,
    },
    /// The processor or device cannot multiply in the configuration's precision.
    #[error(
        "training.precision = \"{}\": large products can be made of such floats only on a CPU with {instructions}, which \
         {device} has not; leave the setting out, or set it to \"float32\"", precision.name()
    )]
    Precision {
        /// The configuration's.
        precision: Precision,
        /// What it needs.
        instructions: &'static str,
        /// What lacks them.
        device: &'static str,
    },
    /// Epochs would have nothing to learn from.
    #[error("an epoch would go over less than one pair of each corpus of data.train: raise their `weight`")]
    EmptyEpoch,
    /// Epochs would be too long to plan.
    #[error(
        "an epoch would have {pairs:.0} pairs, and {limit} is the most: lower the `weight` of the corpora of data.train"
    )]
    EndlessEpoch {
        /// The pairs of an epoch.
        pairs: f64,
        /// The most.
        limit: u64,
    },
    /// The source of a corpus is to begin with a tag that is not in the vocabulary.
    #[error(
        "a corpus has the tag `{tag}`, but the vocabulary has {}: give it to a training corpus, or, where training.from names a model, begin \
         with one that was trained with it, or set training.grow_vocabulary", if known.is_empty() { "no tags".into() } else { format!("only {}", known.join(", ")) }
    )]
    NoTag {
        /// The tag.
        tag: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Nothing is learned any more.
    #[error(
        "loss or gradient was not finite in {updates} updates in a row, up to update {update}{}. The last checkpoint and the best model are \
         kept. Lower training.optimizer.learning_rate or training.clip_norm and go on with --resume",
        if *recoveries > 0 { format!(", though the training went back and lowered its learning rate {recoveries} times") } else { String::new() }
    )]
    Diverged {
        /// Updates in a row.
        updates: u64,
        /// The last of them.
        update: u64,
        /// How often the training went back to a checkpoint with a lower learning rate.
        recoveries: u64,
    },
}

/// What can be done about a file that cannot be used.
fn remedy(path: &Path, error: &io::Error) -> &'static str {
    let movable = cache::is_data(path);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded if movable => {
            ". Make room there, and go on with --resume, or set data.cache to a folder on another disk"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ". Make room there, and go on with --resume",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if movable => {
            ". Set data.cache to a folder that can be written, or change its permissions"
        }
        _ => "",
    }
}

impl TrainingError {
    /// The same of another file, which could not be used either.
    pub(crate) fn of(self, action: &'static str, path: &Path) -> Self {
        match self {
            Self::File { error, .. } => Self::File { action, path: path.into(), error },
            other => other,
        }
    }

    /// What the system said of a file.
    #[cfg(test)]
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::File { error, .. } => error,
            other => io::Error::other(other),
        }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { action, path, error }
    }
}
