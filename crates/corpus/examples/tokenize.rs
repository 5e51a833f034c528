//! Learns a tokenizer from files, or encodes a file with one.
//!
//! ```text
//! cargo run --release -p rnnsearch-corpus --example tokenize -- learn bpe 8000 train.de train.en > tokenizer.json
//! cargo run --release -p rnnsearch-corpus --example tokenize -- encode tokenizer.json test.de > ids
//! cargo run --release -p rnnsearch-corpus --example tokenize -- decode tokenizer.json ids > text
//! ```
//!
//! `scripts/reference/tokenizers_agree.py` compares the ids and the text with those of PyPI `tokenizers`.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use rnnsearch_config::{TokenizerConfig, TokenizerKind};
use rnnsearch_corpus::{CorpusError, Lines, Pair, Place, Tokenizer, Vocabularies};

const USAGE: &str =
    "learn bpe|unigram|wordpiece|wordlevel|char SIZE FILE... | encode TOKENIZER FILE | decode TOKENIZER FILE";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["learn", kind, size, ref files @ ..] if !files.is_empty() => learn(kind, size, files),
        ["encode", tokenizer, file] => encode(&load(tokenizer)?, file),
        ["decode", tokenizer, file] => decode(&load(tokenizer)?, file),
        _ => Err(USAGE.into()),
    }
}

fn learn(kind: &str, size: &str, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let kind = match kind {
        "bpe" => TokenizerKind::Bpe,
        "unigram" => TokenizerKind::Unigram,
        "wordpiece" => TokenizerKind::Wordpiece,
        "wordlevel" => TokenizerKind::Wordlevel,
        "char" => TokenizerKind::Char,
        _ => return Err(USAGE.into()),
    };
    let lines = files.iter().map(|file| Lines::open(Path::new(file))).collect::<Result<Vec<_>, CorpusError>>()?;
    let pairs = lines.into_iter().flatten().map(|line| {
        let place = Place { file: "".into(), line: 0 };
        line.map(|source| Pair { source, target: String::new(), links: None, corpus: 0, place })
    });
    let config = TokenizerConfig { kind, vocabulary: size.parse()?, ..Default::default() };
    let vocabularies = Vocabularies::train(pairs, &config, &[])?;
    writeln!(stdout(), "{}", vocabularies.source.to_json())?;
    Ok(())
}

fn encode(tokenizer: &Tokenizer, file: &str) -> Result<(), Box<dyn Error>> {
    let lines = Lines::open(Path::new(file))?.collect::<Result<Vec<_>, _>>()?;
    let mut out = stdout().lock();
    for ids in tokenizer.encode_batch(&lines) {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        writeln!(out, "{}", ids.join(" "))?;
    }
    Ok(())
}

fn decode(tokenizer: &Tokenizer, file: &str) -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    for line in Lines::open(Path::new(file))? {
        let ids = line?.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
        writeln!(out, "{}", tokenizer.decode(&ids))?;
    }
    Ok(())
}

fn load(tokenizer: &str) -> Result<Tokenizer, Box<dyn Error>> {
    Ok(Tokenizer::from_json(&std::fs::read_to_string(tokenizer)?, tokenizer)?)
}
