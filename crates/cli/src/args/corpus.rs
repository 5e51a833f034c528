//! The arguments of `corpus`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};
use rnnsearch_corpus::{Kind, Repair};

use crate::messages::Messages;

/// Tell what is in parallel text, find what looks wrong, leave it out
#[derive(Args, Debug)]
pub struct CorpusCommand {
    #[command(subcommand)]
    pub what: CorpusAction,
}

/// What to do with a corpus.
#[derive(Debug, Subcommand)]
pub enum CorpusAction {
    Stats(CorpusStats),
    Check(CorpusCheck),
    Clean(CorpusClean),
}

/// Count pairs, words, lengths, languages, duplicates
///
/// Words are what white space separates. A language is counted where it is sure. Memory grows with the different pairs and words: some
/// 30 bytes for each pair, 80 for each word.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch corpus stats corpus.de corpus.en
  rnnsearch corpus stats --config my.toml --model runs/my
  rnnsearch corpus stats --tsv corpus.tsv.gz --filter recommended --json | jq .kept")]
pub struct CorpusStats {
    #[command(flatten)]
    pub text: CorpusText,
    /// Count tokens too, as the tokenizers of this model (or run folder) make them
    #[arg(long, value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub model: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub messages: Messages,
}

/// Find what looks wrong, with file and line
///
/// Errors are what a training stops at, warnings what does harm or is a sign of it; notes are as well to know. docs/cleaning.md tells how
/// each is found. Reading goes on after errors. Memory: some 200 bytes a pair.
///
/// Exit code: 0 if there are neither errors nor warnings, 1 if there are any.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  rnnsearch corpus check corpus.de corpus.en --source-language de --target-language en
  rnnsearch corpus check --config my.toml --against test.de --against test.en
  rnnsearch corpus check --tsv corpus.tsv --ignore numbers,urls --filter max_words=100 --max 3
  rnnsearch corpus check a.de a.en --json --max 0 | jq -r 'select(.kind == \"mojibake\").line'")]
pub struct CorpusCheck {
    #[command(flatten)]
    pub text: CorpusText,
    /// Sentences of a validation or test set, which training text should not have on either side; may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub against: Vec<PathBuf>,
    /// Look for these alone
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = kind(), conflicts_with = "ignore")]
    pub only: Vec<Kind>,
    /// Do not look for these
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = kind(), hide_possible_values = true)]
    pub ignore: Vec<Kind>,
    /// Show the first N of each kind; 0 for all
    #[arg(long, value_name = "N", default_value = "5")]
    pub max: usize,
    /// Print a JSON object a line for each that is shown; the last one counts all
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub messages: Messages,
}

/// Write the pairs that filters keep, repaired if asked for
///
/// Pairs that cannot be read, or have a blank side, are always left out; so are byte order marks and carriage returns at line ends. What
/// was left out and repaired is told at the end, with the first places. Any size streams; only the filter of duplicates remembers
/// pairs, in 10 to 31 bytes each. Lines of two files must be equally many.
#[derive(Args, Debug)]
#[command(after_help = "\
Output is compressed if its name ends in .gz, .zst or .xz. Output in JSON lines keeps the other fields of its input.

Examples:
  rnnsearch corpus clean a.de a.en --source-language de --target-language en --filter recommended \\
    --fix all --output-source clean.de --output-target clean.en --rejected rejected.jsonl
  rnnsearch corpus clean --tsv a.tsv.gz --filter duplicates,max_words=100 --output clean.tsv.gz
  rnnsearch corpus clean --config my.toml | shuf > shuffled.tsv")]
pub struct CorpusClean {
    #[command(flatten)]
    pub text: CorpusText,
    /// Repair first; the text is filtered as it is then
    ///
    /// mojibake: UTF-8 that was taken for Latin-1 or Windows-1252, and that for Latin-1. entities: those of HTML become characters. control: control characters
    /// go. invisible: soft hyphens, spaces of no width and the like go. nfc: Unicode is composed. spaces: none at the ends, single ones
    /// elsewhere, no tabs. all: all of these.
    #[arg(long, value_name = "REPAIRS", value_delimiter = ',', value_parser = repairs(), hide_possible_values = true)]
    pub fix: Vec<Fix>,
    /// Write source sentences here, one a line
    #[arg(long, value_name = "FILE", requires = "output_target", conflicts_with = "output", value_hint = ValueHint::FilePath)]
    pub output_source: Option<PathBuf>,
    /// Write target sentences here, one a line
    #[arg(long, value_name = "FILE", requires = "output_source", value_hint = ValueHint::FilePath)]
    pub output_target: Option<PathBuf>,
    /// Write pairs here instead of standard output: JSON lines if its name has .jsonl or the input is of them, else source, tab, target
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Write what was left out here, as JSON lines: reason, file, line, source, target
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rejected: Option<PathBuf>,
    #[command(flatten)]
    pub messages: Messages,
}

/// Which text, in which languages, filtered how.
#[derive(Args, Clone, Debug)]
pub struct CorpusText {
    /// Files of source and of target sentences, one a line
    #[arg(value_names = ["SOURCE", "TARGET"], num_args = 2, required_unless_present_any = ["tsv", "jsonl", "config"], conflicts_with_all = ["tsv", "jsonl", "config"], value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// One file of both: source, tab, target
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jsonl", "config"], value_hint = ValueHint::FilePath)]
    pub tsv: Option<PathBuf>,
    /// One file of both: JSON lines
    #[arg(long, value_name = "FILE", conflicts_with = "config", value_hint = ValueHint::FilePath)]
    pub jsonl: Option<PathBuf>,
    /// Field of the JSON lines that holds the source sentence [default: source]
    #[arg(long, value_name = "NAME", requires = "jsonl")]
    pub source_field: Option<String>,
    /// Field of the JSON lines that holds the target sentence [default: target]
    #[arg(long, value_name = "NAME", requires = "jsonl")]
    pub target_field: Option<String>,
    /// The training corpora of a configuration, with its languages and filters
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Language of the source, as a code or an English name
    #[arg(long, value_name = "LANGUAGE")]
    pub source_language: Option<String>,
    /// Language of the target, as a code or an English name
    #[arg(long, value_name = "LANGUAGE")]
    pub target_language: Option<String>,
    /// Settings of [data.filter], such as duplicates,max_words=100,urls=false; `recommended` is all that hardly ever catch a good pair
    ///
    /// `rnnsearch config default` lists them. `check` goes by the recommended ones.
    #[arg(long, value_name = "FILTERS", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// Threads on the CPU [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// A repair, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fix {
    One(Repair),
    All,
}

fn kind() -> impl TypedValueParser<Value = Kind> {
    let of_name = |name: String| Kind::all().find(|kind| kind.name() == name).expect("a possible value");
    PossibleValuesParser::new(Kind::all().map(Kind::name)).map(of_name)
}

fn repairs() -> impl TypedValueParser<Value = Fix> {
    let of_name =
        |name: String| Repair::ALL.into_iter().find(|repair| repair.name() == name).map_or(Fix::All, Fix::One);
    PossibleValuesParser::new(Repair::ALL.map(Repair::name).into_iter().chain(["all"])).map(of_name)
}
