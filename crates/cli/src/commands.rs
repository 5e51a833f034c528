//! The commands, one a module.

mod align;
mod bench;
mod completions;
mod config;
mod corpus;
mod evaluate;
mod export;
pub mod heatmap;
mod info;
mod man;
mod plot;
mod rerank;
mod runs;
mod score;
mod train;
mod translate;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Command;

/// Runs a command to its end.
pub fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Train(args) => return train::run(&args),
        Command::Corpus(args) => return corpus::run(&args.what),
        Command::Translate(args) => translate::run(&args),
        Command::Align(args) => align::run(&args),
        Command::Heatmap(args) => heatmap::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Rerank(args) => rerank::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Bench(args) => bench::run(&args.what),
        Command::Config(args) => config::run(&args.action),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}
