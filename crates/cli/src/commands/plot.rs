//! `rnnsearch plot`

mod curves;
mod lengths;
mod outlines;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rnnsearch_metrics::{Figure, Theme};

use self::outlines::png;
use super::heatmap::{Kind, has_color, terminal_width};
use crate::args::{self, Plot};
use crate::failure::Misuse;
use crate::output::{OutputFile, print};
use crate::run_log;

/// Draws training curves, or scores by source length.
pub fn run(args: &Plot) -> Result<()> {
    let names = names(args)?;
    let picture = args.output.as_deref().map(|path| Picture::open(path, args)).transpose()?;
    let mut figure = if args.by_length { lengths::figure(args, &names)? } else { curves::figure(args, &names)? };
    if let Some(title) = &args.title {
        figure.title.clone_from(title);
    }
    match picture {
        Some(picture) => picture.draw(&figure, args),
        None => {
            let width = args.width.map_or_else(terminal_width, usize::from);
            print(&figure.terminal(width, has_color(args.color)))
        }
    }
}

/// The names in the legend: those given, or those of the files, as far as they tell these apart.
fn names(args: &Plot) -> Result<Vec<String>> {
    match args.labels.len() {
        0 => {}
        count if count == args.inputs.len() => return Ok(args.labels.clone()),
        count => {
            let inputs = args.inputs.len();
            return Err(Misuse(format!("{count} --label for {inputs} to be drawn: give one for each, or none")).into());
        }
    }
    let short = |path: &PathBuf| {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = if args.by_length { real.file_stem() } else { real.file_name() };
        name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    };
    let names: Vec<String> = args.inputs.iter().map(short).collect();
    let different: HashSet<&String> = names.iter().collect();
    if different.len() == names.len() {
        return Ok(names);
    }
    Ok(args.inputs.iter().map(|path| path.display().to_string()).collect())
}

/// A picture to be drawn, whose file is known to be good.
struct Picture<'a> {
    path: &'a Path,
    kind: Kind,
    file: OutputFile,
}

impl<'a> Picture<'a> {
    fn open(path: &'a Path, args: &Plot) -> Result<Self> {
        let kind = Kind::of(path)?;
        if kind != Kind::Png && args.scale.is_some() {
            return Err(Misuse("--scale is for PNG: nothing else has pixels".into()).into());
        }
        let read = |input: &PathBuf| if args.by_length { input.clone() } else { run_log::path_of(input) };
        let inputs: Vec<PathBuf> = args.inputs.iter().map(read).collect();
        let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        Ok(Self { path, kind, file: OutputFile::create(path, &inputs)? })
    }

    fn draw(mut self, figure: &Figure, args: &Plot) -> Result<()> {
        let theme = args.theme.map(Theme::from);
        let bytes = match self.kind {
            Kind::Svg => figure.svg(theme.unwrap_or_default()).into_bytes(),
            Kind::Html => figure.html(theme).into_bytes(),
            Kind::Png => png(figure, theme.unwrap_or_default(), args.scale.unwrap_or(2.0), args.messages)?,
        };
        self.file.write(&bytes)?;
        self.file.finish()?;
        args.messages.note(format_args!("wrote `{}`", self.path.display()));
        Ok(())
    }
}

impl From<args::Theme> for Theme {
    fn from(theme: args::Theme) -> Self {
        match theme {
            args::Theme::Light => Self::Light,
            args::Theme::Dark => Self::Dark,
        }
    }
}
