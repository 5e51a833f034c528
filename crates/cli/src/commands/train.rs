//! `rnnsearch train`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use rnnsearch_config::Config;
use rnnsearch_corpus::{CorpusError, Dataset, Pairs, Vocabularies};
use rnnsearch_kernels::kernel_of;
use rnnsearch_training::{Ending, Outcome, RunFolder, Start, TrainingError, train};

use crate::args::Train;
use crate::failure::INTERRUPTED;
use crate::interrupt::on_interrupt;
use crate::messages::Messages;
use crate::progress::TrainingProgress;

/// Trains.
pub fn run(args: &Train) -> Result<ExitCode> {
    let config = Config::load_for_training(&args.config, &overrides(args))?;
    let folder = args.run.clone().unwrap_or_else(|| default_run(&args.config));
    args.compute.limit_threads()?;
    let device = args.compute.device.open()?;
    args.messages.detail(args.compute.describe(kernel_of(&device)));
    args.messages.detail(format_args!("run folder {}", folder.display()));
    if !args.resume {
        check_text(&config)?;
    }
    if args.overwrite && folder.exists() {
        check_settings(&config)?;
    }

    let stop = stop_on_interrupt(args.messages)?;
    let traces = Traces::of(&folder);
    let run = RunFolder::open(&folder, start(args), &config).inspect_err(|error| traces.remove_if_unused(error))?;
    let mut progress = TrainingProgress::new(args.messages);
    let outcome = train(&config, &run, &device, &mut progress, &stop);
    progress.finish();
    if outcome.is_err() && !progress.has_begun() {
        traces.remove();
    }
    let outcome = outcome?;
    tell(args, &run, &outcome);
    Ok(ExitCode::from(if outcome.ending == Ending::Interrupted { INTERRUPTED } else { 0 }))
}

fn overrides(args: &Train) -> Vec<String> {
    let seed = args.seed.map(|seed| format!("training.seed={seed}"));
    args.overrides.iter().cloned().chain(seed).collect()
}

/// `runs/NAME` for `NAME.toml`.
fn default_run(config: &Path) -> PathBuf {
    Path::new("runs").join(config.file_stem().unwrap_or("run".as_ref()))
}

fn start(args: &Train) -> Start {
    match (args.resume, args.overwrite) {
        (true, _) => Start::Resume,
        (_, true) => Start::Overwrite,
        _ => Start::New,
    }
}

/// Reads all text once, so that what is wrong with it is known before a run folder is made or overwritten.
fn check_text(config: &Config) -> Result<()> {
    let mut blank = true;
    for pair in Pairs::open(&config.data.train)? {
        let pair = pair?;
        blank &= pair.source.trim().is_empty() || pair.target.trim().is_empty();
    }
    if blank {
        return Err(CorpusError::NoText.into());
    }
    for pair in Pairs::open(config.data.validation.as_slice())? {
        pair?;
    }
    Ok(())
}

/// Learns vocabularies and filters pairs once more than need be, so that settings which the text cannot meet do not cost the
/// training that is overwritten.
fn check_settings(config: &Config) -> Result<()> {
    let vocabularies = Vocabularies::train(Pairs::open(&config.data.train)?, &config.tokenizer)?;
    Dataset::for_training(Pairs::open(&config.data.train)?, &vocabularies, &config.data)?;
    Ok(())
}

/// A flag that Ctrl-C sets; a second one ends the program.
fn stop_on_interrupt(messages: Messages) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        messages.note("stopping after this update, with a checkpoint; press Ctrl-C again to stop at once");
    };
    on_interrupt(handler).context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

/// What a training that could not begin has written, to be taken back.
///
/// Errors in doing so are left alone: the one that is told is that of the training.
struct Traces {
    run: PathBuf,
    /// Folders that were not there before, the run folder first.
    made: Vec<PathBuf>,
    /// There was a training already.
    held_run: bool,
}

impl Traces {
    fn of(run: &Path) -> Self {
        let missing = run.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = missing.map(Path::to_owned).collect();
        Self { run: run.to_owned(), made, held_run: run.join("config.toml").is_file() }
    }

    /// For a run folder that could not be opened: removes folders that hold nothing but a lock.
    fn remove_if_unused(&self, error: &TrainingError) {
        if matches!(error, TrainingError::File { .. }) && !self.made.is_empty() {
            let _ = fs::remove_file(self.run.join("lock"));
            let _ = self.made.iter().try_for_each(fs::remove_dir);
        }
    }

    /// For a run folder that was opened, and so is ours and was empty, unless it held a training.
    fn remove(&self) {
        if let Some(outermost) = self.made.last() {
            let _ = fs::remove_dir_all(outermost);
        } else if !self.held_run {
            let _ = fs::remove_dir_all(&self.run).and_then(|()| fs::create_dir(&self.run));
        }
    }
}

/// Tells how the training ended and what can be done next.
fn tell(args: &Train, run: &RunFolder, outcome: &Outcome) {
    let messages = args.messages;
    let update = outcome.update;
    let folder = run.path().display();
    match outcome.ending {
        Ending::Finished => messages.note(format_args!("finished after update {update}")),
        Ending::EarlyStop => messages.note(format_args!("stopped after update {update}: validation gets no better")),
        Ending::Interrupted => messages.note(format_args!(
            "stopped after update {update}; to go on: rnnsearch train {} --run {folder} --resume",
            args.config.display()
        )),
    }
    if !run.model().is_file() {
        messages.note("there is no model yet: the first validation makes one");
        return;
    }
    if let Some(best) = &outcome.best {
        let (bleu, chrf, loss) = (best.bleu, best.chrf, best.loss);
        messages.note(format_args!(
            "best validation: BLEU {bleu:.2}, chrF2 {chrf:.2}, loss {loss:.4}, after update {}",
            best.update
        ));
    }
    messages.note(format_args!("model: {}", run.model().display()));
    messages.note(format_args!("try it: rnnsearch translate {folder}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_folder_is_named_after_the_configuration() {
        assert_eq!(default_run(Path::new("configs/multi30k-de-en.toml")), Path::new("runs/multi30k-de-en"));
    }

    #[test]
    fn only_folders_that_were_made_are_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("runs/a");
        let of_nothing = Traces::of(&run);
        fs::create_dir_all(&run).unwrap();
        let of_empty = Traces::of(&run);
        fs::write(run.join("config.toml"), "").unwrap();
        Traces::of(&run).remove();
        assert!(run.join("config.toml").exists());
        of_empty.remove();
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
        of_nothing.remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_could_not_be_opened_goes_only_if_it_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("runs/a");
        let traces = Traces::of(&run);
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("lock"), "").unwrap();
        traces.remove_if_unused(&TrainingError::Locked(run.clone()));
        assert!(run.join("lock").exists());
        let failed = TrainingError::File { action: "write", path: run.clone(), error: std::io::Error::other("full") };
        fs::write(run.join("other"), "").unwrap();
        traces.remove_if_unused(&failed);
        assert!(run.join("other").exists());
        fs::remove_file(run.join("other")).unwrap();
        traces.remove_if_unused(&failed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
