//! `rnnsearch completions`

use anyhow::Result;
use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::output::print;

/// Prints a completion script.
pub fn run(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rnnsearch", &mut script);
    print(&String::from_utf8(script)?)
}
