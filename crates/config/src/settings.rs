//! Every setting, with its default and the reason for it.
//!
//! The doc comment of a field, and of a variant, is what a user reads: `rnnsearch config default` and `rnnsearch config
//! schema` print it. The `range` and `length` attributes are what a file is checked against: nothing else repeats them.
//! What two settings ask of each other is in `rules.rs`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All that a training depends on: one TOML file, resolved and saved in the run folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Settings that go together, in the place of the defaults; `rnnsearch config preset NAME` prints those of one.
    #[serde(skip_serializing)]
    #[schemars(example = &"tiny")]
    pub preset: Option<Preset>,
    /// Where the parallel text is and what of it is used. Relative paths start at the folder of this file.
    pub data: DataConfig,
    /// How text becomes tokens.
    pub tokenizer: TokenizerConfig,
    /// The shape of the network. The letters in parentheses are the paper's.
    pub model: ModelConfig,
    /// How the network is trained.
    pub training: TrainingConfig,
    /// How translations are validated while training.
    pub validation: ValidationConfig,
    /// How the trained model translates unless the command line says otherwise.
    pub translation: TranslationConfig,
}

/// Settings that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// For trying things out, and for a few thousand simple sentences.
    Tiny,
    /// For tens of thousands of sentence pairs.
    Small,
    /// For hundreds of thousands of sentence pairs and more.
    Base,
    /// RNNsearch-50 as in the paper.
    Paper,
}

/// Where the parallel text is and what of it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Name of the source language, for reports ("de").
    #[schemars(length(min = 1))]
    pub source_language: String,
    /// Name of the target language, for reports ("en").
    #[schemars(length(min = 1))]
    pub target_language: String,
    /// The training corpora; all are used, one after the other. Each is either two files, `source` and `target`, or one
    /// file of pairs, `tsv` or `jsonl`. Any of them may be compressed with gzip, zstd or xz.
    pub train: Vec<CorpusConfig>,
    /// The validation corpus, which picks the best model. Never the test set. Its form is that of a training corpus.
    pub validation: Option<CorpusConfig>,
    /// Training pairs with more tokens than this on a side are left out (and counted).
    #[schemars(range(min = 1, max = 100000))]
    pub max_length: usize,
    /// Training pairs with fewer tokens than this on a side are left out (and counted).
    #[schemars(range(min = 1, max = 100000))]
    pub min_length: usize,
    /// Training pairs where one side has more than this many times the tokens of the other are left out (and counted);
    /// 0 keeps all.
    #[schemars(range(min = 0.0))]
    pub max_ratio: f64,
    /// How evenly several corpora share an epoch: their shares are as weight · pairs^(1/temperature). 1 leaves them as they are, 5 gives
    /// small ones much more; the size of an epoch stays the same.
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0.0))]
    pub temperature: f64,
    /// Where the training text is kept as token ids, so that memory does not grow with it: a folder, which several trainings may
    /// share. Without it, it is the run folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"cache")]
    pub cache: Option<PathBuf>,
    /// Training pairs whose text looks wrong are left out (and counted). All of this is off unless it is set; `rnnsearch corpus check`
    /// tells what is in a corpus, docs/cleaning.md how it is found.
    pub filter: FilterConfig,
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
            temperature: 1.0,
            cache: None,
            filter: FilterConfig::default(),
        }
    }
}

/// What a training pair must not be; words are what white space separates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// Leave out pairs whose sides are the same, white space aside: they were not translated.
    pub identical: bool,
    /// Leave out pairs with control characters, or with U+FFFD, which stands for what a program could not read.
    pub broken_characters: bool,
    /// Leave out pairs with UTF-8 that a program took for Latin-1 or Windows-1252 ("fÃ¼r").
    pub mojibake: bool,
    /// Leave out pairs with tags or entities of HTML.
    pub markup: bool,
    /// Leave out pairs with more characters than this on a side; 0 keeps all.
    #[schemars(range(max = 100_000_000))]
    pub max_characters: usize,
    /// Leave out pairs with more words than this on a side; 0 keeps all.
    #[schemars(range(max = 100_000_000))]
    pub max_words: usize,
    /// Leave out pairs with a word of more characters than this, URLs too, but not those of scripts that separate no words; 0 keeps all.
    #[schemars(range(max = 100_000_000))]
    pub max_word_length: usize,
    /// Leave out pairs where one side has more than this many times the characters of the other, both counted with ten more, so that
    /// short sentences may differ, Han characters three times, kana and Hangul twice; 0 keeps all.
    #[schemars(range(min = 0.0))]
    pub max_character_ratio: f64,
    /// Leave out pairs where less than this share of a side's characters, white space aside, are letters; 0 keeps all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_letters: f64,
    /// Leave out pairs where each side has a number of three digits or more that is not, nor begins like, a number of the other.
    pub numbers: bool,
    /// Leave out pairs with more URLs and mail addresses on one side than on the other.
    pub urls: bool,
    /// Leave out pairs with a side that is surely in another language than `data.source_language` and `data.target_language`, which must
    /// be codes (`de`, `deu`) or English names of languages.
    pub languages: bool,
    /// Leave out pairs that came before, in any of the corpora, white space aside; takes 10 to 31 bytes of memory a pair.
    pub duplicates: bool,
}

/// One parallel corpus: either two files (`source`, `target`), or one file of pairs (`tsv` or `jsonl`).
///
/// Any of them may be compressed with gzip, zstd or xz.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorpusConfig {
    /// File of source sentences, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"corpus.de")]
    pub source: Option<PathBuf>,
    /// File of target sentences, one a line, parallel to `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"corpus.en")]
    pub target: Option<PathBuf>,
    /// File of pairs: source, a tab, target.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"corpus.tsv")]
    pub tsv: Option<PathBuf>,
    /// File of JSON objects, one a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"corpus.jsonl")]
    pub jsonl: Option<PathBuf>,
    /// Field of the JSON object that holds the source sentence (default "source").
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"de")]
    pub source_field: Option<String>,
    /// Field of the JSON object that holds the target sentence (default "target").
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"en")]
    pub target_field: Option<String>,
    /// File of word alignments for guided alignment, a line a pair, in Pharaoh format: `0-0 1-2`, source word and target word,
    /// counted from 0, as white space separates them (no-break spaces too). A blank line guides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"corpus.links")]
    pub links: Option<PathBuf>,
    /// How many times an epoch goes over the corpus (default 1): 2 is twice, and at 0.5 each epoch has another half of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0.0), example = 2.0)]
    pub weight: Option<f64>,
    /// A name for this kind of source text: before each source comes a token of its own, which `translate --tag` puts there too. For text
    /// that was translated back ("bt"; Caswell et al. 2019), or the target language of a model of several ("2de"; Johnson et al. 2017).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"bt")]
    pub tag: Option<String>,
}

/// How text becomes tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerConfig {
    /// The kind of units.
    pub kind: TokenizerKind,
    /// One vocabulary for both languages (true), or one a language (false).
    pub joint: bool,
    /// Size of the vocabulary, special tokens included; with `joint = false`, of each.
    #[schemars(range(min = 8, max = 1000000))]
    pub vocabulary: usize,
    /// Size of the source vocabulary where it differs; only with `joint = false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 1_000_000), example = 8000)]
    pub source_vocabulary: Option<usize>,
    /// Size of the target vocabulary where it differs; only with `joint = false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 1_000_000), example = 8000)]
    pub target_vocabulary: Option<usize>,
    /// Units seen fewer times than this in the training text are not in the vocabulary.
    #[schemars(range(min = 1))]
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

/// The shape of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Size of a word embedding (m).
    #[schemars(range(min = 1, max = 65536))]
    pub embedding: usize,
    /// Units of the encoder, a direction (n).
    #[schemars(range(min = 1, max = 65536))]
    pub encoder_hidden: usize,
    /// Units of the decoder (n).
    #[schemars(range(min = 1, max = 65536))]
    pub decoder_hidden: usize,
    /// Units of the alignment model (n'), where the kind of attention has them; with `multi-head` those of all heads.
    #[schemars(range(min = 1, max = 65536))]
    pub attention_hidden: usize,
    /// Maxout units of the readout (l).
    #[schemars(range(min = 1, max = 65536))]
    pub readout: usize,
    /// Bidirectional layers of the encoder.
    #[schemars(range(min = 1, max = 64))]
    pub encoder_layers: usize,
    /// Recurrent layers of the decoder; the first one attends.
    #[schemars(range(min = 1, max = 64))]
    pub decoder_layers: usize,
    /// What the decoder sees of the source; docs/attention.md has the formulas.
    pub attention: Attention,
    /// How the layer that attends takes in what it saw.
    pub decoder: Decoder,
    /// The readout of a step enters the next one beside the last word (Luong et al. 2015).
    pub input_feeding: bool,
    /// Where the reset gate r acts.
    pub reset: Reset,
    /// Layer normalisation of what goes into the gates of recurrent units (Ba et al. 2016), each product by itself; docs/recurrence.md has the
    /// formulas.
    pub layer_norm: bool,
    /// One embedding table for source and target; needs a joint vocabulary.
    pub share_embeddings: bool,
    /// The output layer uses the target embedding table; needs `readout` equal to `embedding`.
    pub tie_output: bool,
    /// How initial weights are drawn; recurrent matrices are orthogonal in any case.
    pub initialization: Initialization,
    /// What single kinds of attention need to know.
    pub attention_options: AttentionOptions,
    /// How often units are dropped while training, and where; 0 is never.
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
            decoder: Decoder::Gru,
            input_feeding: false,
            reset: Reset::After,
            layer_norm: false,
            share_embeddings: false,
            tie_output: false,
            initialization: Initialization::Xavier,
            attention_options: AttentionOptions::default(),
            dropout: DropoutConfig::default(),
        }
    }
}

/// What the decoder sees of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// RNNsearch: a context of its own for every target word (section 3.1), by energies v · tanh(W s + U h).
    Additive,
    /// Additive with v of a length that is learned apart from its direction, and a bias (Raffel et al. 2017, eq. 16).
    NormedAdditive,
    /// Energies s · h (Luong et al. 2015); needs `decoder_hidden` = 2 × `encoder_hidden`.
    Dot,
    /// Energies s · h / √size (Vaswani et al. 2017); needs `decoder_hidden` = 2 × `encoder_hidden`.
    ScaledDot,
    /// Energies s · W h (Luong et al. 2015).
    General,
    /// Energies v · tanh(W [s ; h]) (Luong et al. 2015): additive, with one matrix.
    Concat,
    /// Energies β cos(W s, h) with β from the state (Graves et al. 2014).
    Cosine,
    /// Energies W s, a row a position, whatever stands there (Luong et al. 2015).
    Location,
    /// General within a window around the position of the target word (Luong et al. 2015).
    LocalM,
    /// General within a window around a predicted position, weighted by a Gaussian (Luong et al. 2015).
    LocalP,
    /// One position, drawn while training and the most probable one after (Xu et al. 2015); energies are additive.
    Hard,
    /// Positions from left to right, expected while training and hard after (Raffel et al. 2017).
    Monotonic,
    /// Scaled dot products of several projections side by side (Vaswani et al. 2017).
    MultiHead,
    /// Several additive looks, each asking with what the last one found (Sukhbaatar et al. 2015).
    Hops,
    /// Additive, with weights that can be 0 (Martins & Astudillo 2016).
    Sparsemax,
    /// Additive, knowing how much of each word the steps before have translated (Tu et al. 2016, linguistic coverage).
    Coverage,
    /// RNNencdec: one fixed vector for all of them, the last forward annotation.
    None,
}

/// How the layer that attends takes in what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decoder {
    /// One unit takes the last word and the context; attention is queried with the state before: the paper's.
    Gru,
    /// One unit takes the last word, attention is queried with its state, a second unit takes the context: Nematus'.
    Conditional,
}

/// What single kinds of attention need to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AttentionOptions {
    /// Heads of `multi-head`; they share `attention_hidden` equally.
    #[schemars(range(min = 1, max = 1024))]
    pub heads: usize,
    /// Looks of `hops`, a step.
    #[schemars(range(min = 1, max = 64))]
    pub hops: usize,
    /// Positions to each side that `local-m` and `local-p` look at (D).
    #[schemars(range(min = 1, max = 100000))]
    pub window: usize,
    /// Rows of the table of `location`; positions after the last share its energy.
    #[schemars(range(min = 1, max = 100000))]
    pub positions: usize,
    /// Words that a source word is translated by, with `coverage`, at most (N).
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0))]
    pub max_fertility: f64,
    /// How much `hard` learns from whether a drawn position did better than usual, against its cross-entropy.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub reinforce_weight: f64,
    /// What `hard` is rewarded for a nat of entropy, so that it goes on trying.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub entropy_weight: f64,
}

impl Default for AttentionOptions {
    fn default() -> Self {
        Self {
            heads: 4,
            hops: 2,
            window: 10,
            positions: 100,
            max_fertility: 2.0,
            reinforce_weight: 1.0,
            entropy_weight: 0.002,
        }
    }
}

/// Where the reset gate acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// Before the recurrent product, U (r ∘ h): the paper's, appendix A.1.1.
    Before,
    /// After it, r ∘ (U h + b_u): cuDNN's and PyTorch's.
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

/// How often units are dropped while training, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DropoutConfig {
    /// Of the embedded words, source and target.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub embedding: f64,
    /// Of the previous state where it enters a recurrent product.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub recurrent: f64,
    /// Of the annotations, and between the layers of a stack.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub hidden: f64,
    /// Of the readout, before the output layer.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub readout: f64,
    /// Of source words, whole ones: their embeddings are zeros (Sennrich et al. 2016).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub source_words: f64,
    /// Of target words that the decoder is told, whole ones.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub target_words: f64,
    /// Drop the same units at every position of a sequence (Gal & Ghahramani 2016) instead of drawing anew.
    pub variational: bool,
}

impl Default for DropoutConfig {
    fn default() -> Self {
        Self {
            embedding: 0.3,
            recurrent: 0.0,
            hidden: 0.3,
            readout: 0.3,
            source_words: 0.0,
            target_words: 0.0,
            variational: false,
        }
    }
}

/// How the network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// All random choices follow from this: weights, order, dropout.
    pub seed: u64,
    /// Begin with the weights and tokenizers of this model file or run folder; `model` and `tokenizer` must be as there, but for
    /// `dropout` and `initialization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"general.safetensors")]
    pub from: Option<PathBuf>,
    /// With `from`: add at most so many tokens to each vocabulary of the model, the most frequent ones that the training text has beside
    /// them (`bpe`, `wordlevel` and `char`), and the tags of its corpora. They begin as the mean of what stood in their place.
    pub grow_vocabulary: usize,
    /// Parts of the model that do not change. A table that two parts share does not if either is named.
    pub freeze: Vec<Part>,
    /// Stop after this many passes over the training text; 0 for no limit, then `max_updates` sets it.
    pub max_epochs: u64,
    /// Stop after this many updates; 0 for no limit, then `max_epochs` sets it.
    pub max_updates: u64,
    /// What `batch_size` counts.
    pub batch_by: BatchBy,
    /// How much goes into the batch of one update.
    #[schemars(range(min = 1, max = 1000000))]
    pub batch_size: usize,
    /// Batches sorted by length together, so that little padding is needed (the paper sorts 20); 1 sorts none.
    #[schemars(range(min = 1, max = 10000))]
    pub sort_batches: usize,
    /// Cut words into other sub-words at every update: how often a possible merge is left out (`bpe` vocabularies; Provilkov et al. 2020).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub bpe_dropout: f64,
    /// Share of the probability that the target of the loss gives to all other words.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
    /// Each pair is in its batch twice, with dropout of its own, and what the two predictions of a word diverge from each other counts so
    /// much (Liang et al. 2021: R-Drop, 5); 0 for once.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub r_drop: f64,
    /// Batches that one update learns from: their gradients are added up.
    #[schemars(range(min = 1, max = 10000))]
    pub accumulate: usize,
    /// A batch with more tokens than this on a side, padding included, is worked through in parts: the same update with less memory.
    /// 0 for no limit.
    pub max_batch_tokens: usize,
    /// The weights that are validated and saved are an average over updates, in which older ones count less by this factor an update
    /// (0.999: the last thousand or so); 0 for the last weights themselves.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub average: f64,
    /// The gradient is scaled down to this norm when it is longer; 0 never scales.
    #[schemars(range(min = 0.0))]
    pub clip_norm: f64,
    /// Validate every so many updates; 0 for once an epoch.
    pub validate_every: u64,
    /// Write a checkpoint every so many updates; 0 for at every validation. The best validation always has one.
    pub checkpoint_every: u64,
    /// In which numbers the matrix products of an update multiply.
    pub precision: Precision,
    /// Keep this many checkpoints; older ones are deleted.
    #[schemars(range(min = 1, max = 10000))]
    pub keep_checkpoints: usize,
    /// Report the loss every so many updates where there is no terminal to draw a bar on.
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// Write event files for TensorBoard into the run folder: curves, sample translations and their alignments.
    pub tensorboard: bool,
    /// Stop after this many validations without a better score; 0 never stops early.
    pub patience: u64,
    /// The rule that changes weights.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: ScheduleConfig,
    /// What is done when losses or gradients are not finite any more; such updates are left out.
    pub recovery: RecoveryConfig,
    /// Short sentences first: epoch t, counted from 0, has only the shortest pairs, a share of √(start² + (1 - start²) t / epochs)
    /// (Platanios et al. 2019).
    pub curriculum: CurriculumConfig,
    /// What the alignments are taught, beside what helps to translate.
    pub alignment: AlignmentConfig,
    /// How often the decoder is told its own words instead of the right ones (Bengio et al. 2015).
    pub scheduled_sampling: ScheduledSamplingConfig,
    /// Learning from the model's own translations, for fine-tuning (Shen et al. 2016).
    pub minimum_risk: MinimumRiskConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            from: None,
            grow_vocabulary: 0,
            freeze: Vec::new(),
            max_epochs: 20,
            max_updates: 0,
            batch_by: BatchBy::Sentences,
            batch_size: 80,
            sort_batches: 20,
            bpe_dropout: 0.0,
            label_smoothing: 0.1,
            r_drop: 0.0,
            accumulate: 1,
            max_batch_tokens: 0,
            average: 0.0,
            clip_norm: 1.0,
            validate_every: 0,
            checkpoint_every: 0,
            precision: Precision::Auto,
            keep_checkpoints: 2,
            log_every: 100,
            tensorboard: true,
            patience: 5,
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            recovery: RecoveryConfig::default(),
            curriculum: CurriculumConfig::default(),
            alignment: AlignmentConfig::default(),
            scheduled_sampling: ScheduledSamplingConfig::default(),
            minimum_risk: MinimumRiskConfig::default(),
        }
    }
}

/// Short sentences first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CurriculumConfig {
    /// Epochs before the first that has all pairs; 0 for none.
    pub epochs: u64,
    /// The share of pairs that the first epoch has.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub start: f64,
}

impl Default for CurriculumConfig {
    fn default() -> Self {
        Self { epochs: 0, start: 0.3 }
    }
}

/// How often the decoder is told its own words instead of the right ones (Bengio et al. 2015), so that it learns to go on from mistakes.
/// They are drawn from what it says after the right words before them, in a pass of its own (Duckworth et al. 2019).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduledSamplingConfig {
    /// The share of previous words that are its own, in the end.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: f64,
    /// Updates over which the share rises linearly from 0; 0 for none.
    pub warmup: u64,
}

/// Learning from the model's own translations (Shen et al. 2016): drawn ones y, and the reference, have the risk Σ_y Q(y) (1 - utility),
/// where Q(y) ∝ p(y)^sharpness among them. It takes the place of the cross-entropy, for fine-tuning with `from`; smoothing has no part
/// in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MinimumRiskConfig {
    /// Translations drawn of a source; 0 for training without risk.
    #[schemars(range(min = 0, max = 1000))]
    pub samples: usize,
    /// How much more the probable ones count.
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0.0))]
    pub sharpness: f64,
    /// What a translation is good for, from 0 to 1.
    pub utility: Utility,
    /// Weight of the reference's cross-entropy beside the risk.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub likelihood: f64,
}

impl Default for MinimumRiskConfig {
    fn default() -> Self {
        Self { samples: 0, sharpness: 0.005, utility: Utility::Bleu, likelihood: 0.0 }
    }
}

/// How much one translation agrees with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Utility {
    /// chrF2 of sentences.
    Chrf,
    /// BLEU of sentences, smoothed.
    Bleu,
}

/// What the alignments are taught, beside what helps to translate. Each term is multiplied by its weight and added to the loss of a
/// batch, in nats; α_ij is the weight of source token j for target token i.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlignmentConfig {
    /// Pairs of corpora without `links` get those that `align --statistical --words punctuation` finds with the training's seed, learnt
    /// from all training text before the first update.
    pub learn_links: bool,
    /// Weight of guided alignment (Chen et al. 2016): -Σ_i Σ_j a_ij ln α_ij, where a_i is uniform over the source tokens that target
    /// token i is linked to by the `links` of a corpus, or by those learnt. Pairs without links add nothing, nor do words without, unless
    /// `guide_unlinked` says so.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub guided: f64,
    /// Whether a word without links, in a pair that has some, is taught to look at the end of the source, which `align` takes for
    /// no link.
    pub guide_unlinked: bool,
    /// What `guided` is multiplied by after every epoch.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub guided_decay: f64,
    /// At which step the links of a word are taught, and `align` reads them.
    pub read: Reading,
    /// Weight of the coverage loss (See et al. 2017): Σ_i Σ_j min(α_ij, Σ_{k<i} α_kj), so that no word is looked at again and again.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub coverage: f64,
    /// Weight of the doubly stochastic regulariser (Xu et al. 2015): Σ_j (1 - Σ_i α_ij)², so that every source word is looked at.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub doubly_stochastic: f64,
    /// Weight of the entropy of the alignments: -Σ_i Σ_j α_ij ln α_ij, so that each looks at few words.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub entropy: f64,
    /// A model of the other direction, a file or a run folder, that stays as it is and whose alignments these are to agree with (Cheng et
    /// al. 2016). Its source tokenizer must be the target's here, and its target tokenizer the source's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"back.safetensors")]
    pub agree_with: Option<PathBuf>,
    /// Weight of the agreement with it.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub agreement: f64,
    /// What is made small for agreement; β_ji is the weight that the other model gives target token i when it writes source token j.
    pub agreement_form: AgreementForm,
}

impl Default for AlignmentConfig {
    fn default() -> Self {
        Self {
            learn_links: false,
            guided: 1.0,
            guide_unlinked: false,
            guided_decay: 1.0,
            read: Reading::Previous,
            coverage: 0.0,
            doubly_stochastic: 0.0,
            entropy: 0.0,
            agree_with: None,
            agreement: 1.0,
            agreement_form: AgreementForm::Product,
        }
    }
}

/// What is made small so that two directions agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgreementForm {
    /// -ln Σ_i Σ_j α_ij β_ji of each pair: where both look counts, and weights grow.
    #[default]
    Product,
    /// Σ_i Σ_j (α_ij - β_ji)²: weights become those of the other model.
    Difference,
}

/// Which step of the decoder tells where target word i looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// The one that predicts it, α_i: where the model looks to translate.
    #[default]
    Previous,
    /// The one after it, α_{i+1}: the word itself may be known there, which is better for alignments and worse for translations.
    Next,
}

/// A part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The vectors of the source words.
    SourceEmbedding,
    /// The vectors of the target words.
    TargetEmbedding,
    /// The bidirectional layers.
    Encoder,
    /// The alignment model.
    Attention,
    /// The decoder's layers, and what they start from.
    Decoder,
    /// The maxout layer.
    Readout,
    /// The output layer.
    Output,
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

/// In which numbers matrix products multiply while training. Weights, sums and all the rest are 32-bit floats always, and so is
/// translating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `bfloat16` where the processor has AMX, else `float32`: the fastest that costs no quality.
    #[default]
    Auto,
    /// 32-bit floats.
    Float32,
    /// 16-bit floats in the large products: faster, on processors with AVX512-FP16 only.
    Float16,
    /// 16-bit floats of fewer digits and the range of 32-bit ones: fastest, on processors with AMX only.
    Bfloat16,
}

/// The rule that changes weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The rule itself.
    pub kind: OptimizerKind,
    /// The learning rate; 1 for the paper's `adadelta`.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Decay of the first moment (`adam`, `adamw`).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay of the second moment (`adam`, `adamw`).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Keeps denominators from zero; 1e-6 in the paper's `adadelta`.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub epsilon: f64,
    /// Decay of the running averages (`adadelta`).
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub rho: f64,
    /// Momentum (`sgd`); 0 for none.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Weight decay: decoupled in `adamw`, added to the gradient otherwise.
    #[schemars(range(min = 0.0, max = 1.0))]
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
    /// The course it takes.
    pub kind: ScheduleKind,
    /// Updates over which the rate rises linearly from 0; 0 for none.
    pub warmup: u64,
    /// What the rate is multiplied by (`plateau`).
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub factor: f64,
    /// Validations without a better score before that happens (`plateau`).
    pub patience: u64,
    /// The rate falls no lower than this (`plateau`, `inverse-square-root`).
    #[schemars(range(min = 0.0))]
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
    /// It does not change once `warmup` is over.
    Constant,
    /// It falls with 1/√update once `warmup` is over.
    InverseSquareRoot,
    /// It is multiplied by `factor` after `patience` validations without a better score.
    Plateau,
}

/// What is done when losses or gradients are not finite any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// After so many such updates in a row, go back to the last checkpoint before them, with a lower learning rate.
    #[schemars(range(min = 1))]
    pub after: u64,
    /// Do so at most this many times in a training, then stop; 0 stops at once.
    pub attempts: u64,
    /// What the learning rate is multiplied by each time.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub factor: f64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { after: 20, attempts: 3, factor: 0.5 }
    }
}

/// How translations are validated while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// The score that picks the best model.
    pub metric: Metric,
    /// Hypotheses kept at a step; 1 is greedy.
    #[schemars(range(min = 1, max = 1000))]
    pub beam_size: usize,
    /// Translate only this many of the first validation sentences; 0 for all. The loss is always over all.
    pub max_sentences: usize,
    /// Show this many sentences with their translations at every validation.
    #[schemars(range(min = 0, max = 1000))]
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
    #[schemars(range(min = 1, max = 1000))]
    pub beam_size: usize,
    /// A translation is scored by (log_prob + word_reward × length) / norm(length)^length_penalty + coverage_penalty × coverage.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub length_penalty: f64,
    /// What norm(length) is.
    pub length_form: LengthForm,
    /// What every token adds to log_prob; with `length_penalty = 1` it adds as much to every score.
    #[schemars(range(min = -100.0, max = 100.0))]
    pub word_reward: f64,
    /// Weight of the coverage, the sum over source tokens of ln min(attention it got in all, 1), as in GNMT (needs attention).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub coverage_penalty: f64,
    /// When a search has found enough.
    pub stop: StopRule,
    /// No sequence of so many tokens comes twice in a translation; 0 allows all.
    #[schemars(range(max = 100))]
    pub no_repeat_ngram: usize,
    /// A translation has at most `max_ratio` × source tokens + `max_extra` tokens.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_ratio: f64,
    /// The tokens a translation may have beyond `max_ratio` × source tokens.
    #[schemars(range(min = 0, max = 100000))]
    pub max_extra: usize,
    /// Sources with more tokens than this are split between sentences or words and translated in pieces.
    #[schemars(range(min = 1, max = 100000))]
    pub max_source_length: usize,
    /// Replace UNK by the source word it looked at most (`wordlevel` vocabularies; needs attention).
    pub replace_unknown: bool,
}

impl Default for TranslationConfig {
    fn default() -> Self {
        Self {
            beam_size: 5,
            length_penalty: 1.0,
            length_form: LengthForm::Power,
            word_reward: 0.0,
            coverage_penalty: 0.0,
            stop: StopRule::Beam,
            no_repeat_ngram: 0,
            max_ratio: 2.0,
            max_extra: 20,
            max_source_length: 250,
            replace_unknown: true,
        }
    }
}

/// What the length of a translation counts for where its score is normalised; `</s>` counts as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LengthForm {
    /// The length.
    Power,
    /// (5 + length) / 6, as in GNMT (Wu et al. 2016).
    Gnmt,
}

/// When a search has found enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StopRule {
    /// As many finished translations as the beam is wide, and among them what greedy search finds, if it may be the best.
    Beam,
    /// As many as are wanted: usually one.
    First,
    /// As many as are wanted, and nothing unfinished can get a better score.
    Best,
}
