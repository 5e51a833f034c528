use std::io;
use std::path::PathBuf;

use crate::model_file::FORMAT;

/// What can go wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The file cannot be read.
    #[error("cannot read model `{}`: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`: {error}; what was there before is unharmed", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A folder without a model.
    #[error("`{}` holds no model.safetensors: it is no run folder, or its training has not validated yet", run.display())]
    NoModelYet {
        /// The folder.
        run: PathBuf,
    },
    /// A file that is not one of ours.
    #[error("`{}` is no rnnsearch model: it has no rnnsearch header; models are made by `rnnsearch train` or `rnnsearch export`", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// A model of a later version of the program.
    #[error("model `{}` has format {found}; this build reads up to {FORMAT}: use a newer rnnsearch", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A model whose content is not what was written.
    #[error("model `{}` is damaged: {reason}; copy it again from where it came, or train it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A configuration that cannot be put into text.
    #[error(transparent)]
    Config(rnnsearch_config::ConfigError),
    /// A model that cannot be put into bytes.
    #[error("cannot serialize the model: {0}")]
    Serialize(safetensors::SafeTensorError),
    /// A header that cannot be put into bytes.
    #[error("cannot serialize the model's header: {0}")]
    Header(serde_json::Error),
    /// A tag that the model does not have.
    #[error("the model has no tag `{tag}`: it was trained with {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
    UnknownTag {
        /// The tag.
        tag: String,
        /// Those that it has.
        known: Vec<String>,
    },
}

/// What is asked of a translation and cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A phrase that the model has no words for.
    #[error(
        "the model cannot write \"{phrase}\", which is required: its vocabulary cannot spell it; require other words, or train with tokenizer.kind = \"bpe\""
    )]
    Unspellable {
        /// The phrase.
        phrase: String,
    },
    /// Required phrases where there is nothing to translate.
    #[error("the text is blank, and so is its translation: nothing can be required of it")]
    Blank,
    /// Required phrases or links where words are drawn.
    #[error("phrases and links can be asked of a search only, not of samples: leave out one of both")]
    Sampled,
    /// A link with a word that the source does not have.
    #[error("a link has source word {word}, but the source has {words}, counted from 0 as blanks separate them")]
    NoSuchWord {
        /// The number in the link.
        word: usize,
        /// The number of words.
        words: usize,
    },
    /// A link that must be there and must not.
    #[error("the link {source_word}-{target_word} is pinned and avoided: leave out one of both")]
    PinnedAndAvoided {
        /// The source word.
        source_word: usize,
        /// The target word.
        target_word: usize,
    },
    /// Links for a model that does not align.
    #[error("the model has no attention to steer: use one trained with model.attention = \"additive\"")]
    NoAttention,
    /// Links for a model whose attention does not follow energies alone.
    #[error(
        "attention of the kind {kind} goes its own way and cannot be steered: use a model trained with model.attention = \"additive\""
    )]
    NotSteerable {
        /// The kind, as the configuration names it.
        kind: String,
    },
    /// Links for a model whose alignments are read where the word is already written.
    #[error(
        "links cannot be asked of a model that was taught with training.alignment.read = \"next\": where it looks tells of the word it has \
         just written, not of the next; use a model trained with \"previous\""
    )]
    ReadLater,
    /// Links for a text that is too long to be translated at once.
    #[error(
        "links need a text that is translated at once: this one has {tokens} tokens, more than translation.max_source_length = {limit}; give its sentences one by one"
    )]
    LinksInPieces {
        /// Its tokens.
        tokens: usize,
        /// The most.
        limit: usize,
    },
    /// A phrase that is forbidden and part of what is required.
    #[error("\"{phrase}\" is forbidden, but something that is required holds it: leave out one of both")]
    Contradiction {
        /// The forbidden phrase.
        phrase: String,
    },
}
