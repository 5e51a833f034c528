//! The arguments of `plot`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{ColorChoice, Theme, scale};
use crate::messages::Messages;

/// Draw how trainings went, or how scores depend on the length of sentences
///
/// Training curves are those of `metrics.jsonl` in run folders, also of trainings that go on. Without --output they are drawn in the
/// terminal. With --by-length the files are what `evaluate --by-length --json` printed, and the picture is figure 2 of the paper; with
/// `evaluate --confidence` it has bands of 95 % confidence.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch plot runs/quickstart
  rnnsearch plot runs/small runs/large --x hours --output curves.html
  rnnsearch plot runs/small runs/large --curves loss,bleu --label '256 units' --label '512 units' --output curves.png
  rnnsearch evaluate runs/small --source a.de --reference a.en --by-length --json > small.json
  rnnsearch evaluate runs/large --source a.de --reference a.en --by-length --json > large.json
  rnnsearch plot --by-length small.json large.json --output figure2.svg")]
pub struct Plot {
    /// Run folders, or with --by-length files of JSON
    #[arg(value_name = "RUN", required = true, value_hint = ValueHint::AnyPath)]
    pub inputs: Vec<PathBuf>,
    /// Picture to write, .svg or .png; or a page for the browser, .html, which tells values where one points
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// The horizontal axis; hours are those of training, validation included, without the time between an end and a --resume
    #[arg(long, value_name = "UNIT", default_value = "updates", conflicts_with = "by_length")]
    pub x: XAxis,
    /// What is drawn, each in a panel [default: all that the runs have]
    #[arg(long, value_name = "CURVES", value_delimiter = ',', conflicts_with = "by_length")]
    pub curves: Vec<Curve>,
    /// Draw scores by source length, figure 2 of the paper
    #[arg(long)]
    pub by_length: bool,
    /// The score that is drawn by length
    #[arg(long, value_name = "METRIC", default_value = "bleu", requires = "by_length")]
    pub metric: LengthMetricName,
    /// Name in the legend; may be given once for each RUN, in order [default: the name of the folder or file]
    #[arg(long = "label", value_name = "NAME")]
    pub labels: Vec<String>,
    /// Ground of the picture [default: light; on a page, what the system asks for]
    #[arg(long, value_name = "THEME", requires = "output", help_heading = "Looks")]
    pub theme: Option<Theme>,
    /// Line above the picture
    #[arg(long, value_name = "TEXT", help_heading = "Looks")]
    pub title: Option<String>,
    /// Pixels of a PNG for each pixel of the SVG [default: 2]
    #[arg(long, value_name = "F", requires = "output", value_parser = scale, help_heading = "Looks")]
    pub scale: Option<f32>,
    /// Columns of the drawing in the terminal [default: those of the terminal, or 80]
    #[arg(long, value_name = "N", conflicts_with = "output", help_heading = "Looks")]
    pub width: Option<NonZeroUsize>,
    /// Whether the drawing in the terminal has colours; auto also minds the variable NO_COLOR
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with = "output", help_heading = "Looks")]
    pub color: ColorChoice,
    #[command(flatten)]
    pub messages: Messages,
}

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum XAxis {
    Updates,
    Epochs,
    Hours,
}

/// What a panel of training curves shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Curve {
    /// Of training, with label smoothing and dropout, and of validation, without
    Loss,
    /// Of the validation set
    Bleu,
    /// Of the validation set
    Chrf,
    /// The learning rate
    Rate,
    /// Target tokens a second
    Speed,
    /// The length of the gradient, before it is clipped
    Gradient,
}

/// A score by length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LengthMetricName {
    Bleu,
    Chrf,
}
