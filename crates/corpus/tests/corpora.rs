//! Every line of real corpora survives encoding and decoding, byte for byte.
//!
//! Runs where the environment variable `RNNSEARCH_TEST_DATA` names a folder of UTF-8 text files; all of them are read, at any
//! depth, compressed ones too. The vocabularies are learned from `multi30k/raw/train.de` and `train.en` in it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rnnsearch_config::{CorpusConfig, TokenizerConfig, TokenizerKind};
use rnnsearch_corpus::{Lines, Pairs, Tokenizer, Vocabularies};
use unicode_normalization::UnicodeNormalization;

#[test]
fn every_line_survives() {
    let Some(folder) = std::env::var_os("RNNSEARCH_TEST_DATA") else {
        eprintln!("RNNSEARCH_TEST_DATA is not set: no corpora are read");
        return;
    };
    let mut files = Vec::new();
    find_files(Path::new(&folder), &mut files);
    files.sort();
    let raw = Path::new(&folder).join("multi30k/raw");
    let corpus =
        CorpusConfig { source: Some(raw.join("train.de")), target: Some(raw.join("train.en")), ..Default::default() };
    // Unigram, which is not the default and slower, on a part of the lines.
    for (kind, step) in [(TokenizerKind::Bpe, 1), (TokenizerKind::Unigram, 16)] {
        let config = TokenizerConfig { kind, ..Default::default() };
        let pairs = Pairs::open(std::slice::from_ref(&corpus)).expect("files");
        let vocabularies = Vocabularies::train(pairs, &config, &[]).expect("a vocabulary");
        let lines: usize = files.iter().map(|file| check(file, &vocabularies.source, step)).sum();
        eprintln!("{kind:?}: {lines} lines of {} files survive", files.len());
    }
}

fn check(file: &Path, tokenizer: &Tokenizer, step: usize) -> usize {
    let lines: Vec<String> = Lines::open(file).expect("a file").step_by(step).collect::<Result<_, _>>().expect("text");
    lines.par_iter().enumerate().for_each(|(index, line)| {
        let encoded = tokenizer.encode(line);
        let place = || format!("{}:{}", file.display(), index * step + 1);
        assert!(line.nfc().eq(tokenizer.decode(&encoded.ids).chars()), "{}", place());
        assert_eq!(encoded.spans.last().map_or(0, |span| span.end), line.len(), "{}", place());
    });
    lines.len()
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { find_files(&path, files) } else { files.push(path) }
    }
}
