//! Every setting, with its default and the reason for it.
//!
//! The doc comment of a field is what a user reads: `rnnsearch config default` and `rnnsearch config schema` print it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All that a training depends on: one TOML file, resolved and saved in the run folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the parallel text is and what of it is used.
    pub data: DataConfig,
    /// How text becomes tokens.
    pub tokenizer: TokenizerConfig,
    /// The shape of the network.
    pub model: ModelConfig,
    /// How the network is trained.
    pub training: TrainingConfig,
    /// How translations are validated while training.
    pub validation: ValidationConfig,
    /// How the trained model translates unless the command line says otherwise.
    pub translation: TranslationConfig,
}

/// Where the parallel text is and what of it is used. Paths are relative to the configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Name of the source language, for reports ("de").
    pub source_language: String,
    /// Name of the target language, for reports ("en").
    pub target_language: String,
    /// The training corpora; all are used, one after the other.
    pub train: Vec<CorpusConfig>,
    /// The validation corpus, which picks the best model. Never the test set.
    pub validation: Option<CorpusConfig>,
    /// Training pairs with more tokens than this on a side are left out (and counted).
    pub max_length: usize,
    /// Training pairs with fewer tokens than this on a side are left out (and counted).
    pub min_length: usize,
    /// Training pairs where one side has more than this many times the tokens of the other are left out; 0 keeps all.
    pub max_ratio: f64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            source_language: "source".into(),
            target_language: "target".into(),
            train: Vec::new(),
            validation: None,
            max_length: 100,
            min_length: 1,
            max_ratio: 0.0,
        }
    }
}

/// One parallel corpus: either two files (`source`, `target`), or one file of pairs (`tsv` or `jsonl`).
///
/// Any of them may be compressed with gzip, zstd or xz.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorpusConfig {
    /// File of source sentences, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// File of target sentences, one a line, parallel to `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<PathBuf>,
    /// File of pairs: source, a tab, target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tsv: Option<PathBuf>,
    /// File of JSON objects, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jsonl: Option<PathBuf>,
    /// Field of the JSON object that holds the source sentence (default "source").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_field: Option<String>,
    /// Field of the JSON object that holds the target sentence (default "target").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_field: Option<String>,
}

/// How text becomes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerConfig {
    /// The kind of units: `bpe` and `unigram` (sub-words that can spell any text), `wordpiece`, `wordlevel` (the paper's: the most frequent words and UNK), `char`.
    pub kind: TokenizerKind,
    /// One vocabulary for both languages (true), or one a language (false).
    pub joint: bool,
    /// Size of the vocabulary, special tokens included; with `joint = false`, of each.
    pub vocabulary: usize,
    /// Size of the source vocabulary where it differs; only with `joint = false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_vocabulary: Option<usize>,
    /// Size of the target vocabulary where it differs; only with `joint = false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_vocabulary: Option<usize>,
    /// Units seen fewer times than this in the training text are not in the vocabulary.
    pub min_frequency: u64,
    /// Lower-case all text before anything else.
    pub lowercase: bool,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self {
            kind: TokenizerKind::Bpe,
            joint: true,
            vocabulary: 8000,
            source_vocabulary: None,
            target_vocabulary: None,
            min_frequency: 1,
            lowercase: false,
        }
    }
}

/// The kind of units a vocabulary is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// Byte-pair encoding with byte fallback: any text survives.
    Bpe,
    /// Unigram language model with byte fallback; slower to train than `bpe`.
    Unigram,
    /// WordPiece: words in pieces, UNK for what cannot be spelled.
    Wordpiece,
    /// The most frequent words and UNK, as in the paper.
    Wordlevel,
    /// Single characters.
    Char,
}

/// The shape of the network. The names in brackets are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Size of a word embedding [m].
    pub embedding: usize,
    /// Units of the encoder, a direction [n].
    pub encoder_hidden: usize,
    /// Units of the decoder [n].
    pub decoder_hidden: usize,
    /// Units of the alignment model [n'].
    pub attention_hidden: usize,
    /// Maxout units of the readout [l].
    pub readout: usize,
    /// Bidirectional layers of the encoder.
    pub encoder_layers: usize,
    /// Recurrent layers of the decoder; the first one attends.
    pub decoder_layers: usize,
    /// What the decoder sees of the source: `additive` attention (RNNsearch), or `none`: the last forward annotation at every step (RNNencdec).
    pub attention: Attention,
    /// Where the reset gate acts: `before` the recurrent product, U(r∘h), as in the paper, or `after` it, r∘(Uh+b), as in cuDNN and PyTorch.
    pub reset: Reset,
    /// One embedding table for source and target; needs a joint vocabulary.
    pub share_embeddings: bool,
    /// The output layer uses the target embedding table; needs `readout = embedding`.
    pub tie_output: bool,
    /// Initial weights: `paper` (appendix B.1), or `xavier` (Glorot uniform matrices, N(0, 0.1²) embeddings); recurrent matrices are orthogonal in both.
    pub initialization: Initialization,
    /// Where and how often units are dropped while training.
    pub dropout: DropoutConfig,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            embedding: 256,
            encoder_hidden: 256,
            decoder_hidden: 256,
            attention_hidden: 256,
            readout: 256,
            encoder_layers: 1,
            decoder_layers: 1,
            attention: Attention::Additive,
            reset: Reset::After,
            share_embeddings: false,
            tie_output: false,
            initialization: Initialization::Xavier,
            dropout: DropoutConfig::default(),
        }
    }
}

/// What the decoder sees of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// RNNsearch: a context of its own for every target word (section 3.1).
    Additive,
    /// RNNencdec: one fixed vector, the last forward annotation.
    None,
}

/// Where the reset gate acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// `U (r ∘ h)`: the paper's, appendix A.1.1.
    Before,
    /// `r ∘ (U h + b_u)`: cuDNN's and PyTorch's.
    After,
}

/// How initial weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Initialization {
    /// Appendix B.1: W_a, U_a ~ N(0, 0.001²), v_a and biases 0, the rest N(0, 0.01²).
    Paper,
    /// Glorot uniform matrices, N(0, 0.1²) embeddings.
    Xavier,
}

/// Where and how often units are dropped while training; rates from 0 (never) to below 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DropoutConfig {
    /// Of the embedded words, source and target.
    pub embedding: f64,
    /// Of the previous state where it enters a recurrent product.
    pub recurrent: f64,
    /// Of the annotations, and between the layers of a stack.
    pub hidden: f64,
    /// Of the readout, before the output layer.
    pub readout: f64,
    /// Drop the same units at every position of a sequence (Gal & Ghahramani 2016) instead of drawing anew.
    pub variational: bool,
}

impl Default for DropoutConfig {
    fn default() -> Self {
        Self { embedding: 0.3, recurrent: 0.0, hidden: 0.3, readout: 0.3, variational: false }
    }
}

/// How the network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// All random choices follow from this: weights, order, dropout.
    pub seed: u64,
    /// Stop after this many passes over the training text; 0 for no limit.
    pub max_epochs: u64,
    /// Stop after this many updates; 0 for no limit.
    pub max_updates: u64,
    /// How much goes into a batch: a number of `sentences` or a number of target `tokens` (padding included).
    pub batch_by: BatchBy,
    /// Sentences, or tokens, of one update.
    pub batch_size: usize,
    /// Batches sorted by length together, so that little padding is needed (the paper sorts 20); 1 sorts none.
    pub sort_batches: usize,
    /// Share of the probability that the target of the loss gives to all other words.
    pub label_smoothing: f64,
    /// The gradient is scaled down to this norm when it is longer; 0 never scales.
    pub clip_norm: f64,
    /// Validate every so many updates; 0 for once an epoch.
    pub validate_every: u64,
    /// Write a checkpoint every so many updates; 0 for at every validation.
    pub checkpoint_every: u64,
    /// Keep this many checkpoints; older ones are deleted.
    pub keep_checkpoints: usize,
    /// Report the loss every so many updates where there is no terminal to draw a bar on.
    pub log_every: u64,
    /// Stop after this many validations without a better score; 0 never stops early.
    pub patience: u64,
    /// The rule that changes weights.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: ScheduleConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            max_epochs: 20,
            max_updates: 0,
            batch_by: BatchBy::Sentences,
            batch_size: 80,
            sort_batches: 20,
            label_smoothing: 0.1,
            clip_norm: 1.0,
            validate_every: 0,
            checkpoint_every: 0,
            keep_checkpoints: 2,
            log_every: 100,
            patience: 5,
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
        }
    }
}

/// The unit a batch is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchBy {
    /// A number of sentence pairs.
    Sentences,
    /// A number of target tokens, padding included.
    Tokens,
}

/// The rule that changes weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// `adam`, `adamw`, `adadelta` (the paper's) or `sgd`.
    pub kind: OptimizerKind,
    /// The learning rate; 1 for the paper's `adadelta`.
    pub learning_rate: f64,
    /// Decay of the first moment (`adam`, `adamw`).
    pub beta1: f64,
    /// Decay of the second moment (`adam`, `adamw`).
    pub beta2: f64,
    /// Keeps denominators from zero; 1e-6 in the paper's `adadelta`.
    pub epsilon: f64,
    /// Decay of the running averages (`adadelta`).
    pub rho: f64,
    /// Momentum (`sgd`); 0 for none.
    pub momentum: f64,
    /// Weight decay: decoupled in `adamw`, added to the gradient otherwise.
    pub weight_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adam,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            rho: 0.95,
            momentum: 0.0,
            weight_decay: 0.0,
        }
    }
}

/// The rule that changes weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Kingma & Ba 2015.
    Adam,
    /// Loshchilov & Hutter 2019.
    Adamw,
    /// Zeiler 2012, the paper's.
    Adadelta,
    /// Stochastic gradient descent.
    Sgd,
}

/// How the learning rate changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// `constant`; `inverse-square-root`: falls with 1/√update once `warmup` is over; `plateau`: multiplied by `factor` after `patience` validations without a better score.
    pub kind: ScheduleKind,
    /// Updates over which the rate rises linearly from 0; 0 for none.
    pub warmup: u64,
    /// What `plateau` multiplies the rate by.
    pub factor: f64,
    /// Validations without a better score that `plateau` bears.
    pub patience: u64,
    /// The rate falls no lower than this.
    pub min_learning_rate: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { kind: ScheduleKind::Plateau, warmup: 0, factor: 0.5, patience: 1, min_learning_rate: 5e-5 }
    }
}

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// It does not, but for the warm-up.
    Constant,
    /// It falls with the inverse square root of the update.
    InverseSquareRoot,
    /// It falls when validation stops getting better.
    Plateau,
}

/// How translations are validated while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// The score that picks the best model: `bleu`, `chrf` or `loss`.
    pub metric: Metric,
    /// Hypotheses kept at a step; 1 is greedy.
    pub beam_size: usize,
    /// Translate only this many of the first validation sentences; 0 for all. The loss is always over all.
    pub max_sentences: usize,
    /// Show this many sentences with their translations at every validation.
    pub samples: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self { metric: Metric::Bleu, beam_size: 1, max_sentences: 0, samples: 3 }
    }
}

/// The score that picks the best model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// sacreBLEU of the translations; more is better.
    Bleu,
    /// chrF2 of the translations; more is better.
    Chrf,
    /// Cross-entropy of the references; less is better.
    Loss,
}

/// How the trained model translates unless the command line says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TranslationConfig {
    /// Hypotheses kept at a step; 1 is greedy.
    pub beam_size: usize,
    /// A hypothesis is scored by log_prob / length^length_penalty; 0 scores by log_prob alone.
    pub length_penalty: f64,
    /// A translation has at most `max_ratio` × source tokens + `max_extra` tokens.
    pub max_ratio: f64,
    /// See `max_ratio`.
    pub max_extra: usize,
    /// Sources with more tokens than this are split between sentences or words and translated in pieces.
    pub max_source_length: usize,
    /// Replace UNK by the source word it looked at most (wordlevel vocabularies).
    pub replace_unknown: bool,
}

impl Default for TranslationConfig {
    fn default() -> Self {
        Self {
            beam_size: 5,
            length_penalty: 1.0,
            max_ratio: 2.0,
            max_extra: 20,
            max_source_length: 250,
            replace_unknown: true,
        }
    }
}
