//! The arguments of `align`, and those about links that `evaluate` shares.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Compute, batch, number};
use crate::messages::Messages;

/// Link the words of sentence pairs that belong together
///
/// The model reads the given translations word by word, and its attention tells what each word was made from. Or, with --statistical,
/// there is no model: links are learnt from the text itself. Words are counted as
/// they stand in the text, whatever sub-words the model makes of them. Pairs come in order: each gives a line, blank where a
/// sentence is blank, in the naacl format a line for each link, with json an object. With --gold the score is the last line.
#[derive(Args, Debug)]
#[command(after_help = "\
Formats:
  pharaoh  0-0 1-2         source-target, counted from 0, as Moses and fast_align have it
  talp     1-1 2-3         the same, counted from 1
  naacl    1 2 3 S         a line a link: pair, source, target, counted from 1
  json     an object a pair: source_tokens, target_tokens, links, alignment, log_prob

Examples:
  rnnsearch align runs/quickstart --source test.en --target test.fr
  rnnsearch align runs/en-fr --source a.en --target a.fr --reverse runs/fr-en --output a.links
  rnnsearch align runs/quickstart --source test.en --target test.fr --gold test.talp --json | tail -n 1
  rnnsearch align runs/quickstart --source test.en --target test.fr --gold test.talp --html a.html > a.links
  rnnsearch align --statistical --source corpus.en --target corpus.fr > corpus.links
  rnnsearch align --statistical --source test.en --target test.fr --learn-from corpus.en corpus.fr > test.links")]
pub struct Align {
    /// Model file or run folder
    #[arg(value_name = "MODEL", required_unless_present = "statistical", conflicts_with = "statistical", value_hint = ValueHint::AnyPath)]
    pub model: Option<PathBuf>,
    /// File of source sentences, one a line
    #[arg(long, value_name = "FILE", requires = "target", required_unless_present = "input", value_hint = ValueHint::FilePath)]
    pub source: Option<PathBuf>,
    /// File of target sentences, one a line
    #[arg(long, value_name = "FILE", requires = "source", value_hint = ValueHint::FilePath)]
    pub target: Option<PathBuf>,
    /// One file of both: source, tab, target; or JSON lines with the fields `source` and `target`, if its name has .jsonl
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "target"], value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Write links here instead of standard output; the file appears when it is complete
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// How links are written
    #[arg(long, value_name = "FORMAT", default_value = "pharaoh")]
    pub format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write the weights of each pair too, as arrays of NumPy: `0` is that of the first pair, [target words, source words]
    ///
    /// They are those that the links were found by; with --combine no, those of MODEL; with --statistical, the probabilities of links, the mean
    /// of both directions. With --no-balance, unless those of two models were combined, there is one more
    /// column, for the end of the source. A pair without words has a matrix of 0 x 0.
    #[arg(long, value_name = "FILE.npz", value_hint = ValueHint::FilePath)]
    pub matrices: Option<PathBuf>,
    /// Write a page to look through the pairs with too: a file that any browser shows, without a network
    ///
    /// It shows the weights that the links were found by, the links, beside those of --gold, and the attention between sub-words.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Pairs of the page: the first N
    #[arg(long, value_name = "N", default_value = "1000", requires = "html")]
    pub html_pairs: NonZeroUsize,
    /// A model of the opposite direction, which makes the links much better
    #[arg(long, value_name = "MODEL", conflicts_with = "statistical", value_hint = ValueHint::AnyPath, help_heading = "Links")]
    pub reverse: Option<PathBuf>,
    /// How the weights of both models become one; with `no`, those that are written are those of MODEL
    #[arg(long, value_name = "HOW", default_value = "product", requires = "reverse", help_heading = "Links")]
    pub combine: Combine,
    /// Put this tag of the model before each source; the model of --reverse gets none: the kind of text that training corpora of the same `tag` have (`info` lists them)
    #[arg(long, value_name = "NAME", conflicts_with = "statistical")]
    pub tag: Option<String>,
    #[command(flatten)]
    pub linking: Linking,
    #[command(flatten)]
    pub statistics: Statistics,
    #[command(flatten)]
    pub gold: GoldFile,
    /// Pairs read together; the links do not depend on it
    #[arg(long, value_name = "N", default_value = "64", value_parser = batch, help_heading = None)]
    pub batch: NonZeroUsize,
    /// Pairs with more than N tokens (with --statistical: words) on a side get no links
    #[arg(long, value_name = "N", default_value = "1000", help_heading = None)]
    pub max_length: NonZeroUsize,
    #[command(flatten)]
    pub compute: Compute,
    #[command(flatten)]
    pub messages: Messages,
}

/// Links without a model.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Links without a model")]
pub struct Statistics {
    /// Learn links from the text itself, by how often words come together
    ///
    /// The text is read as a whole and kept in memory, with some 500 bytes more a pair. The more text, the better the links: see --learn-from.
    #[arg(long)]
    pub statistical: bool,
    /// Learn from this text too, whose links are not written; may be given several times
    #[arg(long, value_names = ["SOURCE", "TARGET"], num_args = 2, conflicts_with = "model", requires = "statistical", value_hint = ValueHint::FilePath)]
    pub learn_from: Vec<PathBuf>,
    /// How often to draw all links anew with the whole model [default: 8 to 32, fewer for more pairs]
    #[arg(long, value_name = "N", conflicts_with = "model", requires = "statistical")]
    pub sweeps: Option<NonZeroUsize>,
    /// Take words that differ in case alone for different words
    #[arg(long, conflicts_with = "model", requires = "statistical")]
    pub keep_case: bool,
    /// Take words with the same first N letters for one, which helps with small texts and rich endings
    #[arg(long, value_name = "N", conflicts_with = "model", requires = "statistical")]
    pub prefix: Option<NonZeroUsize>,
    /// Which random numbers
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "model", requires = "statistical")]
    pub seed: u64,
}

/// How weights become links.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Links")]
pub struct Linking {
    /// Which weights are links
    #[arg(long, value_name = "RULE", default_value = "argmax")]
    pub links: Rule,
    /// The least weight of a link [default: 0; 0.2 with --links threshold]
    #[arg(long, value_name = "F", value_parser = threshold)]
    pub threshold: Option<f32>,
    /// Which state of the decoder tells of a word [default: what the model was taught, `training.alignment.read`]
    #[arg(long, value_name = "STATE", conflicts_with = "statistical")]
    pub read: Option<Read>,
    /// Take the weights as they are
    ///
    /// Without this they are scaled first, so that no source word is preferred by all target words: those of each target word to sum
    /// to 1, those of each source word, and those of each target word again.
    #[arg(long, conflicts_with = "statistical")]
    pub no_balance: bool,
    /// How the links of target words and those of source words, found by the same rule, become one set
    #[arg(long, value_name = "HOW", default_value = "grow-diag")]
    pub symmetrize: Symmetrize,
    /// What counts as a word
    #[arg(long, value_name = "WORDS", default_value = "blanks")]
    pub words: Words,
}

impl Linking {
    /// What is usual, for some kind of words.
    pub fn usual(words: Words) -> Self {
        let (links, symmetrize) = (Rule::Argmax, Symmetrize::GrowDiag);
        Self { links, threshold: None, read: None, no_balance: false, symmetrize, words }
    }
}

/// Links made by people.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Gold links")]
pub struct GoldFile {
    /// Score the model's links by these, made by people: alignment error rate (AER), precision and recall
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub gold: Option<PathBuf>,
    /// Their format [default: told by the content]
    #[arg(long, value_name = "FORMAT", requires = "gold")]
    pub gold_format: Option<GoldFormat>,
}

/// How links are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Pharaoh,
    Talp,
    Naacl,
    Json,
}

/// The formats of gold links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GoldFormat {
    Pharaoh,
    Talp,
    Naacl,
}

/// Which weights are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rule {
    /// The highest of each word
    Argmax,
    /// All of at least --threshold
    Threshold,
}

/// Which state tells of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Read {
    /// The one before it was read, by which it would be written
    Previous,
    /// The one after it was read
    Next,
}

/// What counts as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Words {
    /// What stands between blanks
    Blanks,
    /// That, with punctuation marks and elided words (l') apart, and every Han or kana character
    Punctuation,
}

/// How the weights of two directions become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Combine {
    /// Their product
    Product,
    /// Their mean
    Mean,
    /// Not at all: links of target words are those of the one model, links of source words those of the other
    No,
}

/// How links of both ways become one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Symmetrize {
    /// Links of target words alone
    Forward,
    /// Links of both
    Intersection,
    /// Links of either
    Union,
    /// Links of both, grown by neighbours that are links of either
    GrowDiag,
    /// That, and links of either with a word that has none
    GrowDiagFinal,
    /// That, and links of either between words that have none
    GrowDiagFinalAnd,
}

fn threshold(text: &str) -> Result<f32, String> {
    number(text, 0.0, 1.0).map(|number| number as f32)
}
