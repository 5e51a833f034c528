//! `rnnsearch`: trains RNNsearch translators, translates with them, and draws their alignments.
//!
//! The work is done by the libraries; here are the arguments, the wiring, and all that is printed. It is the only crate that
//! prints or exits.
//!
//! - `args` defines the command line; `commands` has one module for each command;
//! - `messages` and `progress` write to standard error, `output` to standard output and files, `prompt` to a terminal;
//! - `run_log` reads what trainings wrote of themselves;
//! - `usage` asks the system what was used;
//! - `failure` turns an error into a message and an exit code.

mod aligner;
mod args;
mod commands;
mod compute;
mod failure;
mod gold;
mod interrupt;
mod messages;
mod output;
mod progress;
mod prompt;
mod record;
mod run_log;
mod statistics;
mod usage;
mod window;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    commands::run(args::Cli::parse().command).unwrap_or_else(|error| failure::report(&error))
}
