//! The command line: every command, argument and option, with its help.
//!
//! Help, shell completions and manual pages are all made from these definitions.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "these comments are help texts for a terminal"
)]

mod align;
mod corpus;
mod plot;
mod runs;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use regex::Regex;
use rnnsearch_config::{LengthForm, Preset, StopRule};
use rnnsearch_kernels::device::DeviceName;

pub use self::align::{Align, Combine, Format, GoldFile, GoldFormat, Linking, Read, Rule, Symmetrize, Words};
pub use self::corpus::{CorpusAction, CorpusCheck, CorpusClean, CorpusCommand, CorpusStats, CorpusText, Fix};
pub use self::plot::{Curve, LengthMetricName, Plot, XAxis};
pub use self::runs::{Order, Runs};
use crate::messages::Messages;

/// Trains translators on parallel text, translates with them, and shows which source words each word was made from
///
/// The model is RNNsearch: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate"
/// (ICLR 2015).
#[derive(Debug, Parser)]
#[command(name = "rnnsearch", version, max_term_width = 100, after_help = EXIT_CODES, after_long_help = OVERVIEW)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.";

const OVERVIEW: &str = "\
Results go to standard output; messages and progress go to standard error.

Exit codes:
  0    done; also when the reader of the output has closed it, as `head` does
  1    failed: a file, the text in it, or the device
  2    wrong usage or configuration
  130  interrupted (Ctrl-C)

Examples:
  rnnsearch train configs/quickstart.toml
  rnnsearch translate runs/quickstart
  rnnsearch heatmap runs/quickstart --source \"I do not see her.\" --output heatmap.svg";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Train(Train),
    Translate(Translate),
    Align(Align),
    Heatmap(Heatmap),
    Evaluate(Evaluate),
    Plot(Plot),
    Runs(Runs),
    Score(Score),
    Rerank(Rerank),
    Export(Export),
    Info(Info),
    Corpus(CorpusCommand),
    Config(ConfigCommand),
    Bench(Bench),
    Completions(Completions),
    Man(Man),
}

/// Train a model from a configuration file
///
/// Everything goes into a run folder: the resolved configuration, the tokenizers, the best model so far, checkpoints, and a
/// log. The first Ctrl-C stops after the current update and a checkpoint, with exit code 130; the second stops at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch train configs/quickstart.toml
  rnnsearch train my.toml --set training.max_epochs=30 --set model.embedding=512
  rnnsearch train my.toml --resume")]
pub struct Train {
    /// Configuration file (TOML); `rnnsearch config default` prints one with every setting
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
    /// Run folder [default: runs/NAME for NAME.toml]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub run: Option<PathBuf>,
    /// Change a setting of the configuration; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Go on with the training in the run folder, from its newest checkpoint
    #[arg(long, conflicts_with = "overwrite")]
    pub resume: bool,
    /// Delete the training in the run folder and begin anew
    #[arg(long)]
    pub overwrite: bool,
    /// Begin with the weights and tokenizers of a model: short for --set training.from=MODEL
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub from: Option<PathBuf>,
    /// Seed of weights, dropout and the order of sentences: short for --set training.seed=N
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Translate at a prompt, from a pipe, or from a file
///
/// At a terminal without INPUT this is a prompt with history; `:help` lists its commands. Otherwise each input line gives one
/// output line, blank lines included, in order and as soon as it is there. Input may be compressed with gzip, zstd or xz,
/// if it is a file. A source longer than the model's translation.max_source_length is cut at sentence ends, or else at
/// commas or blanks, and its pieces are translated one by one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch translate runs/quickstart
  echo 'The small dog sleeps.' | rnnsearch translate runs/quickstart
  rnnsearch translate model.safetensors news.en.gz --output news.fr
  rnnsearch translate runs/quickstart news.en --json | jq -r .score")]
pub struct Translate {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// File with one sentence a line; `-` or none for standard input
    #[arg(value_name = "INPUT", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Write here instead of standard output; the file appears when it is complete
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Print the N best translations of each line, as `line ||| translation ||| score`, lines counted from 0
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub n_best: Option<u16>,
    /// Print a JSON object a line: source, translation, score, log_prob, source_tokens, target_tokens, alignment
    #[arg(long)]
    pub json: bool,
    /// Read a JSON object a line, and print one as --json does
    ///
    /// `text` is the source. `prefix`, a text, is how its translation begins; `forbid`, a list of phrases, is what must not
    /// come in it; `require`, a list of phrases, is what must, and a list in place of a phrase is of alternatives. `pin` and
    /// `avoid` are links between words, source first, such as "0-0 2-1", that its alignment must have and must not. All
    /// other fields are passed through.
    #[arg(long)]
    pub jsonl: bool,
    /// Print what agrees most with all that was found, instead of what ranks highest: minimum Bayes risk by chrF or BLEU
    #[arg(long, value_name = "METRIC")]
    pub mbr: Option<Agreement>,
    /// Which source words each target word looked at
    ///
    /// pharaoh: hard links between blank-separated words, source first, such as `0-0 1-2`. They follow a tab; with --n-best
    /// they are a fourth field, with --json they stand in place of the matrix. soft: the matrix of weights, a row for each
    /// target token; only with --json, where it is the default.
    #[arg(long, value_name = "FORM")]
    pub alignments: Option<AlignmentForm>,
    /// Tokens are those of the model, not words
    #[arg(long)]
    pub subwords: bool,
    /// Put this tag of the model before each source: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub stream: Stream,
    #[command(flatten)]
    pub control: Control,
    #[command(flatten)]
    pub search: Search,
    #[command(flatten)]
    pub sampling: Sampling,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// How lines come and go.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Lines")]
pub struct Stream {
    /// The lines are running text: translate their sentences one by one
    ///
    /// Line breaks, blank lines and the blanks around sentences stay. Sentences end where Unicode says so, but not after
    /// abbreviations, initials and, in a source language that writes them with a full stop, ordinals.
    #[arg(long, conflicts_with_all = ["n_best", "json", "jsonl", "alignments", "subwords", "markup"])]
    pub document: bool,
    /// When translations are handed on
    ///
    /// batch: the lines that have come, up to 8 times --batch, are translated together and handed on together; who writes one
    /// line and waits has its translation at once. line: each line is translated by itself and handed on before the next
    /// one, however many have come; the first translations come soonest, the last later.
    #[arg(long, value_name = "WHEN", default_value = "batch", hide_possible_values = true)]
    pub flush: Flush,
    /// What becomes of a line that cannot be read or asks for what cannot be done
    ///
    /// It cannot be read if it is not UTF-8, over 64 MiB long or, with --jsonl, no right object. What cannot be done are phrases
    /// that the model cannot spell, links beyond the text, and what contradicts itself.
    ///
    /// fail: the program ends there with exit code 1; the lines before it are translated. empty: what a blank line gives stands
    /// in its place, with --json and --jsonl an object with nothing but `error`. skip: nothing does. With empty and skip a
    /// warning names each such line, another counts them, and the exit code is 0. A damaged file always fails.
    #[arg(long, value_name = "RULE", default_value = "fail", hide_possible_values = true)]
    pub on_error: OnError,
    /// Translate part I of N: lines I, I+N, I+2N and so on, counted from 1
    ///
    /// N programs with the same input translate it all; if one fails, so does the whole. `paste -d '\n' OUT.1 ... OUT.N` puts the
    /// parts together, where N does not divide the number of lines followed by `head -n LINES`, LINES as `grep -c ''` counts
    /// them; `sort -msn OUT.*` does so for --n-best, whose numbers are those of the whole input.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
}

/// One of several parts of the lines, dealt out in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub part: usize,
    /// Of how many.
    pub parts: usize,
}

impl Shard {
    /// Whether a line, counted from 1, is in it.
    pub fn has(self, line: usize) -> bool {
        line % self.parts == self.part % self.parts
    }
}

/// When translations are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flush {
    /// Each by itself
    Line,
    /// With those that were translated together with it
    Batch,
}

/// What becomes of a line that cannot be translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// The end of it all
    Fail,
    /// A blank line, or an object with the error
    Empty,
    /// Nothing
    Skip,
}

/// What translations must be like.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Control")]
pub struct Control {
    /// Translate phrases as this file has them: a line each, the phrase of the source, a tab, its translation
    ///
    /// Where the source holds a phrase as whole words, its translation comes in the output as often. The longest phrase at a word
    /// goes first, then the one in the text's own upper and lower case. A phrase with several entries is translated as any
    /// of them. Blank lines and lines that begin with # are passed over.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "sample")]
    pub glossary: Option<PathBuf>,
    /// Keep URLs, e-mail addresses and placeholders such as {name}, ${x}, %s, <0> as they are
    ///
    /// A piece that the model does not copy is put where the words are that looked at it.
    #[arg(long)]
    pub protect: bool,
    /// Keep all that this regular expression finds, too; may be given several times
    #[arg(long = "protect-pattern", value_name = "REGEX", value_parser = pattern)]
    pub patterns: Vec<Regex>,
    /// Take tags off the text and put them back around the words that translate theirs
    #[arg(long, value_name = "KIND")]
    pub markup: Option<MarkupKind>,
    /// Share the beam among G groups that keep from each other's words: diverse beam search; for --n-best and --mbr
    #[arg(long, value_name = "G", conflicts_with = "sample", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub diverse_groups: Option<u16>,
    /// Rank a word lower by F, in log-probability, for every time the groups before have just taken it
    #[arg(long, value_name = "F", default_value = "0.5", requires = "diverse_groups", value_parser = diversity)]
    pub diversity: f64,
}

/// Kinds of markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MarkupKind {
    /// Tags and entities of HTML and XML
    Html,
}

/// By what translations agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Agreement {
    Chrf,
    Bleu,
}

/// Drawing translations instead of searching for the best.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sampling")]
pub struct Sampling {
    /// Draw N translations word by word, as probable as they are to the model, instead of searching for the best
    #[arg(long, value_name = "N", conflicts_with = "beam", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub sample: Option<u16>,
    /// Below 1 the probable is drawn more often, above 1 less
    #[arg(long, value_name = "F", default_value = "1", requires = "sample", value_parser = temperature)]
    pub temperature: f64,
    /// Draw only from the N most probable words of each step; 0 for all
    #[arg(long, value_name = "N", default_value = "0", requires = "sample")]
    pub top_k: usize,
    /// Draw only from the fewest words that have together the probability F
    #[arg(long, value_name = "F", default_value = "1", requires = "sample", value_parser = top_p)]
    pub top_p: f64,
    /// The same seed draws the same translations
    #[arg(long, value_name = "N", default_value = "1", requires = "sample")]
    pub seed: u64,
}

/// How alignments are printed beside translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlignmentForm {
    /// Links between words
    Pharaoh,
    /// The matrix of weights
    Soft,
}

/// Draw which source words each target word looked at
///
/// Of the model's own translation, or of a given one with --target. Without --output it is drawn in the terminal.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch heatmap runs/quickstart --source 'I do not see her.'
  rnnsearch heatmap runs/quickstart --source 'I do not see her.' --output heatmap.svg
  rnnsearch heatmap runs/quickstart --source 'I do not see her.' --output heatmap.html
  rnnsearch heatmap runs/quickstart --input test.en --output test.html
  rnnsearch heatmap runs/quickstart --input a.en --targets a.fr --output pictures/ --format png
  rnnsearch heatmap runs/quickstart --source 'a red car' --target 'une voiture rouge' --output a.png")]
pub struct Heatmap {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// Source sentence
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, required_unless_present = "input")]
    pub source: Option<String>,
    /// Target sentence, instead of the model's own translation
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, requires = "source")]
    pub target: Option<String>,
    /// File of source sentences, one a line, for a page of all of them or a folder of their pictures
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "json"], requires = "output", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// File of their target sentences, one a line, instead of the model's own translations
    #[arg(long, value_name = "FILE", requires = "input", value_hint = ValueHint::FilePath)]
    pub targets: Option<PathBuf>,
    /// Sentences of that page: the first N [default: 1000]
    #[arg(long, value_name = "N", requires = "input")]
    pub html_pairs: Option<NonZeroUsize>,
    /// Picture to write, .svg or .png; or a page for the browser, .html; or, with --input, a folder
    ///
    /// The page needs no network. Of the model's own translations it shows all that the search with a beam found. A folder, whose name
    /// ends in a slash or has no dot, gets a picture for each line, 000001.svg and so on, and index.html, which shows them all.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// The pictures in a folder [default: svg]
    #[arg(long, value_name = "FORMAT", requires = "input")]
    pub format: Option<PictureFormat>,
    /// Write into a folder that has files already; those of the same names are replaced
    #[arg(long, requires = "input")]
    pub overwrite: bool,
    /// Rows and columns are the model's tokens, not words
    #[arg(long)]
    pub subwords: bool,
    /// Print the matrix as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Ground of the picture [default: light in files, dark in the terminal]
    #[arg(long, value_name = "THEME", help_heading = "Looks")]
    pub theme: Option<Theme>,
    /// Colours of the cells
    #[arg(long, value_name = "PALETTE", default_value = "blue", help_heading = "Looks")]
    pub palette: Palette,
    /// Line above the picture
    #[arg(long, value_name = "TEXT", requires = "output", help_heading = "Looks")]
    pub title: Option<String>,
    /// Font to prefer to those shipped and installed; may be given several times
    #[arg(long = "font", value_name = "FILE", requires = "output", value_hint = ValueHint::FilePath, help_heading = "Looks")]
    pub fonts: Vec<PathBuf>,
    /// Pixels of a PNG for each pixel of the SVG [default: 2]
    #[arg(long, value_name = "F", requires = "output", value_parser = scale, help_heading = "Looks")]
    pub scale: Option<f32>,
    /// Columns of the drawing in the terminal [default: those of the terminal, or 80]
    #[arg(long, value_name = "N", conflicts_with_all = ["output", "json"], help_heading = "Looks")]
    pub width: Option<NonZeroUsize>,
    /// Whether the drawing in the terminal has colours; auto also minds the variable NO_COLOR
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with_all = ["output", "json"], help_heading = "Looks")]
    pub color: ColorChoice,
    /// Put this tag of the model before each source: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// The format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PictureFormat {
    Svg,
    Png,
}

/// The ground of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// Dark ink on white
    Light,
    /// Light ink on black
    Dark,
}

/// The hue of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Palette {
    /// Blue
    Blue,
    /// No hue, as in the paper
    Grey,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// If standard output is a terminal
    Auto,
    /// In any case
    Always,
    /// Not at all
    Never,
}

/// Translate a test set and score the translations
///
/// BLEU, chrF2++ and TER are those of sacreBLEU. The perplexity is that of the references, given the sources. The seconds are
/// those of translating, from text to text. Gold links are those between sources and references; they are compared with what
/// `align` finds.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch evaluate runs/quickstart --source test.en --reference test.fr
  rnnsearch evaluate runs/quickstart --source test.en --reference test.fr --by-length
  rnnsearch evaluate runs/quickstart --source test.en --reference test.fr --svg figure2.svg
  rnnsearch evaluate runs/quickstart --source test.en --reference test.fr --json | jq .bleu")]
pub struct Evaluate {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// File of source sentences, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub source: PathBuf,
    /// File of reference translations, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub reference: PathBuf,
    /// Write the model's translations here, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Score ranges of source lengths on their own, as in figure 2 of the paper; lengths are in words and punctuation marks
    #[arg(long)]
    pub by_length: bool,
    /// Write the scores by source length as comma-separated values
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,
    /// Draw BLEU by source length
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub svg: Option<PathBuf>,
    /// Give 95 % confidence intervals, by bootstrap resampling of the test set
    #[arg(long)]
    pub confidence: bool,
    /// Score in lower case (TER always does)
    #[arg(long)]
    pub lowercase: bool,
    /// Put this tag of the model before each source: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub gold: GoldFile,
    /// What counts as a word in gold links
    #[arg(long, value_name = "WORDS", default_value = "blanks", requires = "gold", help_heading = "Gold links")]
    pub words: Words,
    #[command(flatten)]
    pub search: Search,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Say how probable given translations are
///
/// Prints a line a pair: the log-probability in nats, a tab, and its mean over the target's tokens.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch score runs/quickstart --source test.en --target test.fr
  rnnsearch score runs/quickstart --source test.en --target test.fr --json | jq -c .token_log_probs")]
pub struct Score {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// File of source sentences, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub source: PathBuf,
    /// File of target sentences, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub target: PathBuf,
    /// Write here instead of standard output; the file appears when it is complete
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Print a JSON object a line: source, target, log_prob, mean_log_prob, target_tokens, token_log_probs
    #[arg(long)]
    pub json: bool,
    /// Pairs scored together
    #[arg(long, value_name = "N", default_value = "64", value_parser = batch)]
    pub batch: NonZeroUsize,
    /// Put this tag of the model before each source: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Order lists of translations anew by what further models think of them
///
/// The lists are those of `translate --n-best`, as text or, with --json there, as objects. Each model gives each candidate the
/// score that it would have in `translate`: its log-probability, divided by a norm of its length. --reverse models translate from
/// target to source, and score the source given the candidate. The candidate with the highest weighted sum is printed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch translate runs/de-en news.de --n-best 10 |
    rnnsearch rerank runs/de-en --reverse runs/en-de --source news.de
  rnnsearch rerank runs/de-en list --with runs/other --weight 1 --weight 0.5 --source news.de --json")]
pub struct Rerank {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// File with the lists; `-` or none for standard input
    #[arg(value_name = "LIST", value_hint = ValueHint::FilePath)]
    pub list: Option<PathBuf>,
    /// File of source sentences, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub source: PathBuf,
    /// Another model of the same direction, of any vocabulary; may be given several times
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub with: Vec<PathBuf>,
    /// A model of the other direction; may be given several times
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub reverse: Vec<PathBuf>,
    /// Weight of a model: once for each, in the order MODEL, --with, --reverse [default: 1 for each]
    #[arg(long = "weight", value_name = "F", value_parser = weight, allow_negative_numbers = true)]
    pub weights: Vec<f64>,
    /// Weight of the score in the list
    #[arg(long, value_name = "F", default_value = "0", value_parser = weight, allow_negative_numbers = true)]
    pub list_weight: f64,
    /// Divide log-probabilities by length^F [default: the setting of MODEL]
    #[arg(long, value_name = "F", value_parser = length_penalty)]
    pub length_penalty: Option<f64>,
    /// What is raised to that power: power is the length, gnmt is (5 + length) / 6 [default: the setting of MODEL]
    #[arg(long, value_name = "FORM", value_parser = length_form(), hide_possible_values = true)]
    pub length_form: Option<LengthForm>,
    /// Print the N best of each list with their sums, as `line ||| translation ||| score`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub n_best: Option<u16>,
    /// Print a JSON object a line: source, translation, score, scores (of each model), list_score; with --n-best a list n_best
    #[arg(long)]
    pub json: bool,
    /// Write here instead of standard output; the file appears when it is complete
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Pairs scored together
    #[arg(long, value_name = "N", default_value = "64", value_parser = batch)]
    pub batch: NonZeroUsize,
    /// Put this tag of the model before each source: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Write the best model of a run as one file, with its configuration and tokenizers
///
/// The file can be made smaller, and quicker on the CPU, with --quantize and --shortlist; `evaluate` says what that costs.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch export runs/quickstart quickstart.safetensors
  rnnsearch export runs/quickstart quick.safetensors --quantize int8 --shortlist
  rnnsearch export runs/quickstart mean.safetensors --average 2")]
pub struct Export {
    /// Run folder (or model file)
    #[arg(value_name = "RUN", value_hint = ValueHint::AnyPath)]
    pub run: PathBuf,
    /// File to write (safetensors)
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub overwrite: bool,
    /// Export the mean of the weights of the run's newest N checkpoints, instead of its best model
    #[arg(long, value_name = "N")]
    pub average: Option<NonZeroUsize>,
    /// Store weights as 16-bit floats, for half the size, or as 8-bit integers, for a quarter and integer products
    #[arg(long, value_name = "FORM")]
    pub quantize: Option<Quantize>,
    #[command(flatten)]
    pub shortlist: ShortlistOptions,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Smaller forms of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quantize {
    Float16,
    Int8,
}

/// What translations of an exported model are made of.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Shortlist")]
pub struct ShortlistOptions {
    /// Translate with few words of the vocabulary: for each source word the N that looked at it most in the training corpus
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "40", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub shortlist: Option<u16>,
    /// Words that are on every shortlist: the N most frequent
    #[arg(long, value_name = "N", default_value = "200", requires = "shortlist")]
    pub frequent: u32,
    /// Pairs to learn it from, spread over the corpus
    #[arg(long, value_name = "N", default_value = "100000", requires = "shortlist")]
    pub pairs: NonZeroUsize,
    /// Source sentences to learn it from, instead of the training corpus of the run
    #[arg(long, value_name = "FILE", requires_all = ["shortlist", "target"], value_hint = ValueHint::FilePath)]
    pub source: Option<PathBuf>,
    /// Their translations
    #[arg(long, value_name = "FILE", requires_all = ["shortlist", "source"], value_hint = ValueHint::FilePath)]
    pub target: Option<PathBuf>,
}

/// Tell what a model is: languages, sizes, vocabulary, settings
#[derive(Args, Debug)]
pub struct Info {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// Print one JSON object, with all settings
    #[arg(long)]
    pub json: bool,
}

/// Print or check configurations
#[derive(Args, Debug)]
pub struct ConfigCommand {
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to do with configurations.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Print a configuration file with every setting, its default and its meaning
    Default,
    /// Print the JSON schema of configuration files, for editors
    Schema,
    /// Print what a preset sets: `preset = "NAME"` in a configuration file has the same effect
    Preset {
        /// Its name
        #[arg(value_name = "NAME", value_parser = Preset::ALL.map(Preset::name))]
        name: String,
    },
    /// Check a configuration file, and print it with every setting resolved
    Check {
        /// Configuration file (TOML)
        #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
        config: PathBuf,
        /// Change a setting of the configuration; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
}

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch completions bash > ~/.local/share/bash-completion/completions/rnnsearch
  rnnsearch completions fish > ~/.config/fish/completions/rnnsearch.fish
  rnnsearch completions zsh > ~/.zfunc/_rnnsearch")]
pub struct Completions {
    /// Shell to complete for
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Print the manual page, or write one for every command
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch man | man -l -
  rnnsearch man --output ~/.local/share/man/man1")]
pub struct Man {
    /// Write a page for every command into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// How to search for translations.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Search")]
pub struct Search {
    /// Hypotheses kept at a step; 1 is greedy [default: the model's setting]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub beam: Option<u16>,
    /// Sentences translated together; the translations do not depend on it
    #[arg(long, value_name = "N", default_value = "64", value_parser = batch)]
    pub batch: NonZeroUsize,
    /// Translate with this model too, and the mean of what they say; it must have the same vocabularies. May be given several times
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub ensemble: Vec<PathBuf>,
    /// Rank by log-probability / length^F; 0 for the log-probability alone [default: the model's setting]
    #[arg(long, value_name = "F", value_parser = length_penalty)]
    pub length_penalty: Option<f64>,
    /// What is raised to that power: power is the length, gnmt is (5 + length) / 6 [default: the model's setting]
    #[arg(long, value_name = "FORM", value_parser = length_form(), hide_possible_values = true)]
    pub length_form: Option<LengthForm>,
    /// Add F to the log-probability for every token [default: the model's setting]
    #[arg(long, value_name = "F", value_parser = word_reward, allow_negative_numbers = true)]
    pub word_reward: Option<f64>,
    /// Rank lower what passes over source tokens: add F x the sum of ln min(attention it got, 1) [default: the model's setting]
    #[arg(long, value_name = "F", value_parser = coverage_penalty)]
    pub coverage_penalty: Option<f64>,
    /// End a search when as many translations are finished as the beam is wide, and greedy search's among them if it may be the best
    /// (beam), when as many are as are wanted (first), or as are wanted and nothing unfinished can rank higher (best) [default: the
    /// model's setting]
    #[arg(long, value_name = "RULE", value_parser = stop_rule(), hide_possible_values = true)]
    pub stop: Option<StopRule>,
    /// No N tokens in a row come twice in a translation; 0 allows all [default: the model's setting]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    pub no_repeat_ngram: Option<u16>,
    /// Translations have at most F x source tokens + --max-extra tokens [default: the model's setting]
    #[arg(long, value_name = "F", value_parser = max_ratio)]
    pub max_ratio: Option<f64>,
    /// The tokens they may have beyond --max-ratio; with --max-ratio 0, the most tokens [default: the model's setting]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub max_extra: Option<u32>,
    /// Choose from all words of the vocabulary, though the model has a shortlist
    #[arg(long)]
    pub no_shortlist: bool,
    /// Keep <unk> instead of copying the source word it looked at most
    #[arg(long)]
    pub no_replace_unknown: bool,
}

/// Measure the speed of this computer at training and translating
///
/// Times are the median of several. CPU seconds are those of all threads together. The floor of an update is the time that its
/// matrix products alone would take at the highest rate of products measured in the same run.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch bench train
  rnnsearch bench train configs/multi30k-de-en.toml --vocabulary 8000 --set model.embedding=512
  rnnsearch bench translate runs/quickstart data/quickstart/test.en --beam 5
  rnnsearch bench products --json")]
pub struct Bench {
    #[command(subcommand)]
    pub what: BenchCommand,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    Train(BenchTrain),
    Translate(BenchTranslate),
    Products(BenchProducts),
}

/// Time updates of a model on made-up sentences
///
/// Batches with other words each come in turn. Dropout is that of the configuration.
#[derive(Args, Debug)]
pub struct BenchTrain {
    /// Configuration file; without one, the default settings
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Change a setting of the configuration; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Words of each vocabulary
    #[arg(long, value_name = "N", default_value = "8000")]
    pub vocabulary: NonZeroUsize,
    /// Sentences of the batch
    #[arg(long, value_name = "N", default_value = "80")]
    pub sentences: NonZeroUsize,
    /// Tokens of each source sentence
    #[arg(long, value_name = "N", default_value = "15")]
    pub source_length: NonZeroUsize,
    /// Tokens of each target sentence
    #[arg(long, value_name = "N", default_value = "15")]
    pub target_length: NonZeroUsize,
    /// Updates to time, after two that are not
    #[arg(long, value_name = "N", default_value = "20")]
    pub updates: NonZeroUsize,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub compute: Compute,
}

/// Time the translation of a file
#[derive(Args, Debug)]
pub struct BenchTranslate {
    /// Model file or run folder
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: PathBuf,
    /// File with one sentence a line
    #[arg(value_name = "INPUT", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// How often the file is translated, after once that is not timed
    #[arg(long, value_name = "N", default_value = "3")]
    pub rounds: NonZeroUsize,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub search: Search,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Time matrix products on the CPU
#[derive(Args, Debug)]
pub struct BenchProducts {
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// What to compute with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Computing")]
pub struct Compute {
    /// auto, cpu, flex, ndarray, wgpu[:N] or cuda[:N]
    ///
    /// cpu is the faster of the two CPU backends, flex and ndarray. wgpu is a GPU through Vulkan, Metal or DirectX, wgpu:N the
    /// discrete one number N; cuda:N is NVIDIA card number N, in programs built with it. auto takes the first that there is
    /// of cuda, wgpu:0 and cpu.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: DeviceName,
    /// Threads on the CPU [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

fn batch(text: &str) -> Result<NonZeroUsize, String> {
    const MOST: usize = 1 << 16;
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("expected a number from 1 to {MOST}"))
}

fn shard(text: &str) -> Result<Shard, String> {
    let parsed = text.split_once('/').and_then(|(part, parts)| Some((part.parse().ok()?, parts.parse().ok()?)));
    let (part, parts) =
        parsed.filter(|(part, parts)| (1..=*parts).contains(part)).ok_or("expected I/N with I from 1 to N")?;
    Ok(Shard { part, parts })
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

fn length_penalty(text: &str) -> Result<f64, String> {
    number(text, 0.0, 10.0)
}

fn weight(text: &str) -> Result<f64, String> {
    number(text, -1000.0, 1000.0)
}

fn word_reward(text: &str) -> Result<f64, String> {
    number(text, -100.0, 100.0)
}

fn coverage_penalty(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0)
}

fn diversity(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0)
}

fn temperature(text: &str) -> Result<f64, String> {
    number(text, 0.001, 1000.0)
}

fn top_p(text: &str) -> Result<f64, String> {
    number(text, 0.001, 1.0)
}

fn length_form() -> impl TypedValueParser<Value = LengthForm> {
    PossibleValuesParser::new(["power", "gnmt"]).map(|form| match form.as_str() {
        "gnmt" => LengthForm::Gnmt,
        _ => LengthForm::Power,
    })
}

fn stop_rule() -> impl TypedValueParser<Value = StopRule> {
    PossibleValuesParser::new(["beam", "first", "best"]).map(|rule| match rule.as_str() {
        "first" => StopRule::First,
        "best" => StopRule::Best,
        _ => StopRule::Beam,
    })
}

fn max_ratio(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1000.0)
}

fn scale(text: &str) -> Result<f32, String> {
    number(text, 0.1, 100.0).map(|number| number as f32)
}

fn number(text: &str, min: f64, max: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("expected a number from {min} to {max}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lines_are_dealt_out_in_turn() {
        let lines = |text: &str| {
            let shard = shard(text).unwrap();
            (1..=7).filter(|&line| shard.has(line)).collect::<Vec<usize>>()
        };
        assert_eq!([lines("1/3"), lines("2/3"), lines("3/3")], [vec![1, 4, 7], vec![2, 5], vec![3, 6]]);
        assert_eq!(lines("1/1"), [1, 2, 3, 4, 5, 6, 7]);
        for bad in ["0/3", "4/3", "1", "/", "1/0", "0/0", "-1/3", "1/3/5", "a/b", ""] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_have_limits() {
        assert_eq!(length_penalty("0.6"), Ok(0.6));
        for bad in ["-1", "11", "NaN", "inf", "x", ""] {
            assert_eq!(length_penalty(bad), Err("expected a number from 0 to 10".into()), "{bad}");
        }
    }
}
