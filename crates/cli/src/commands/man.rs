//! `rnnsearch man`

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::args::{Cli, Man};
use crate::output::{OutputFile, print};

/// Prints the manual page of the program, or writes those of all commands.
pub fn run(args: &Man) -> Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &args.output {
        None => print(&render(&Page::new(command))?),
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
            write_pages(&command, folder)
        }
    }
}

/// Writes the page of a command and those of its sub-commands.
fn write_pages(command: &clap::Command, folder: &Path) -> Result<()> {
    for inner in command.get_subcommands() {
        write_pages(inner, folder)?;
    }
    let page = Page::new(command.clone());
    let mut file = OutputFile::create(&folder.join(page.get_filename()), &[])?;
    file.write(render(&page)?.as_bytes())?;
    file.finish()
}

fn render(page: &Page) -> Result<String> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(String::from_utf8(text)?)
}
