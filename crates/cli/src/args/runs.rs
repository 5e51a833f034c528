//! The arguments of `runs`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::messages::Messages;

/// Compare the trainings below a folder
///
/// A line for each run folder: whether it is running, finished or interrupted, how far it came, its best validation scores, each with
/// its update, and its size. Below them are the settings in which the runs differ.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch runs
  rnnsearch runs experiments --sort bleu
  rnnsearch runs --json | jq -r 'select(.state == \"interrupted\").run'")]
pub struct Runs {
    /// Folder that has run folders in it or in its folders
    #[arg(value_name = "DIR", default_value = "runs", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Order of the runs, the best or largest first
    #[arg(long, value_name = "ORDER", default_value = "name")]
    pub sort: Order,
    /// Print a JSON object for each run, with all settings that differ
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub messages: Messages,
}

/// By what runs are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    Name,
    Bleu,
    Chrf,
    Loss,
    Updates,
    Hours,
}
