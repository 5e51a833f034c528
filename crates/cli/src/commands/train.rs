//! `rnnsearch train`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use rnnsearch_config::Config;
use rnnsearch_kernels::{kernel_of, precision_on};
use rnnsearch_training::{Ending, Outcome, RunFolder, Start, train};

use crate::args::Train;
use crate::failure::INTERRUPTED;
use crate::interrupt::on_interrupt;
use crate::messages::Messages;
use crate::progress::TrainingProgress;

/// Trains.
pub fn run(args: &Train) -> Result<ExitCode> {
    let config = Config::load_for_training(&args.config, &overrides(args)?)?;
    let folder = args.run.clone().unwrap_or_else(|| default_run(&args.config));
    args.compute.start_threads()?;
    let device = args.compute.device.open()?;
    args.messages.detail(args.compute.describe(kernel_of(&device)));
    if let Some(precision) = precision_on(&device, config.training.precision) {
        let needs = precision.needs().map_or_else(String::new, |instructions| format!(" ({instructions})"));
        args.messages.detail(format_args!("matrix products of {}{needs}", precision.name()));
    }
    args.messages.detail(format_args!("run folder {}", folder.display()));

    let stop = stop_on_interrupt(args.messages)?;
    let mut run = RunFolder::open(&folder, start(args), &config)?;
    let mut progress = TrainingProgress::new(args.messages);
    let outcome = train(&config, &mut run, &device, &mut progress, &stop);
    progress.finish();
    let outcome = outcome?;
    tell(args, &run, &outcome);
    Ok(ExitCode::from(if outcome.ending == Ending::Interrupted { INTERRUPTED } else { 0 }))
}

fn overrides(args: &Train) -> Result<Vec<String>> {
    let seed = args.seed.map(|seed| format!("training.seed={seed}"));
    // A path here starts where the program was started, one in the configuration at its folder. What is a string in JSON is one in TOML.
    let from = args.from.as_ref().map(|from| -> Result<String> {
        Ok(format!("training.from={}", serde_json::to_string(&std::path::absolute(from)?)?))
    });
    let from = from.transpose().context("--from: the path cannot be written as text")?;
    Ok(args.overrides.iter().cloned().chain(seed).chain(from).collect())
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

/// Tells how the training ended and what can be done next.
fn tell(args: &Train, run: &RunFolder, outcome: &Outcome) {
    let messages = args.messages;
    let update = outcome.update;
    let folder = run.path().display();
    match outcome.ending {
        Ending::Finished => messages.note(format_args!("finished after update {update}")),
        Ending::EarlyStop => messages.note(format_args!("stopped after update {update}: validation gets no better")),
        Ending::Interrupted => messages.note(format_args!(
            // With all that was set here.
            "stopped after update {update}; to go on: rnnsearch train {} --run {folder} --resume",
            run.config().display()
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
}
