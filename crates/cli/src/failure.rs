//! From an error to what the user sees: a message on standard error and an exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use rnnsearch_config::ConfigError;
use rnnsearch_corpus::CorpusError;
use rnnsearch_training::TrainingError;

const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// What shells report for a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// A wrong use of the program that only shows once its arguments are looked at together.
#[derive(Debug)]
pub struct Misuse(pub String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Misuse {}

/// Tells what went wrong and says with which code to exit.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(is_closed_pipe) {
        // Who read the output has seen enough of it.
        return ExitCode::SUCCESS;
    }
    // With standard error closed too there is nobody left to tell.
    let _ = writeln!(io::stderr(), "error: {}", message(error));
    ExitCode::from(if error.chain().any(is_misuse) { MISUSED } else { FAILED })
}

/// The error and its causes, but for those that are part of it already.
pub fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.contains(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

fn is_closed_pipe(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn is_misuse(cause: &(dyn Error + 'static)) -> bool {
    match cause.downcast_ref::<TrainingError>() {
        Some(
            TrainingError::Config(_)
            | TrainingError::OtherConfig { .. }
            | TrainingError::OtherModel { .. }
            | TrainingError::FromItself { .. }
            | TrainingError::NotOpposite { .. }
            | TrainingError::NothingToAgreeWith(_)
            | TrainingError::OtherTokens { .. }
            | TrainingError::TooFewCheckpoints { .. }
            | TrainingError::Precision { .. },
        ) => true,
        Some(TrainingError::Corpus(error)) => is_wrong_setting(error),
        _ => {
            cause.is::<Misuse>()
                || cause.is::<ConfigError>()
                || cause.downcast_ref::<CorpusError>().is_some_and(is_wrong_setting)
        }
    }
}

/// Settings that are wrong for the text they are used on.
fn is_wrong_setting(error: &CorpusError) -> bool {
    matches!(
        error,
        CorpusError::CorpusSetting { .. }
            | CorpusError::UnknownLanguage { .. }
            | CorpusError::VocabularyTooLarge { .. }
            | CorpusError::VocabularyTooSmall { .. }
    )
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = || Err::<(), _>(io::Error::other("the disk is full"));
        let error = cause().context("cannot write `a`").unwrap_err();
        assert_eq!(message(&error), "cannot write `a`: the disk is full");
        let error = cause().context("cannot write: the disk is full").unwrap_err();
        assert_eq!(message(&error), "cannot write: the disk is full");
    }

    #[test]
    fn wrong_settings_are_found_below_other_errors() {
        let error = CorpusError::CorpusSetting { found: String::new() };
        let error = anyhow::Error::new(TrainingError::Corpus(error)).context("in training");
        assert!(error.chain().any(is_misuse));
        assert!(!anyhow::Error::new(TrainingError::Corpus(CorpusError::NoText)).chain().any(is_misuse));
    }
}
