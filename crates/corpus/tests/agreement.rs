//! Other programs that read `tokenizer.json` get the same ids and the same text.
//!
//! The expected ids and texts were made by PyPI `tokenizers`, see `agree/make`.

use std::path::{Path, PathBuf};

use rnnsearch_config::{TokenizerConfig, TokenizerKind};
use rnnsearch_corpus::{Lines, Tokenizer, Vocabularies};

const KINDS: [(&str, TokenizerKind); 5] = [
    ("bpe", TokenizerKind::Bpe),
    ("unigram", TokenizerKind::Unigram),
    ("wordpiece", TokenizerKind::Wordpiece),
    ("wordlevel", TokenizerKind::Wordlevel),
    ("char", TokenizerKind::Char),
];

fn path(name: &str) -> PathBuf {
    Path::new("tests/agree").join(name)
}

fn lines(name: &str) -> Vec<String> {
    Lines::open(&path(name)).expect("a file").collect::<Result<_, _>>().expect("text")
}

fn json(name: &str) -> String {
    std::fs::read_to_string(path(&format!("{name}.json"))).expect("a file")
}

#[test]
fn ids_and_text_are_those_of_the_python_package() {
    for (name, kind) in KINDS {
        let tokenizer = Tokenizer::from_json(&json(name), name).expect("a tokenizer");
        assert_eq!(tokenizer.kind(), kind);
        for text in ["text", "hostile"] {
            let texts = lines(&format!("{text}.txt"));
            let encoded = tokenizer.encode_batch(&texts);
            let ids: Vec<String> =
                encoded.iter().map(|ids| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")).collect();
            assert_eq!(ids, lines(&format!("{name}.{text}.ids")), "{name}");
            let decoded: Vec<String> = encoded.iter().map(|ids| tokenizer.decode(ids)).collect();
            assert_eq!(decoded, lines(&format!("{name}.{text}.decoded")), "{name}");
        }
    }
}

/// The scores of `unigram` come from logarithms, whose last bit may differ with the mathematical library: all else is exact.
#[test]
fn the_same_text_gives_the_same_file_everywhere() {
    let text = lines("text.txt");
    let pairs: Vec<(&str, &str)> = text.iter().map(|line| (line.as_str(), "")).collect();
    for (name, kind) in KINDS.into_iter().filter(|(_, kind)| *kind != TokenizerKind::Unigram) {
        let expected = json(name);
        let vocabulary = Tokenizer::from_json(&expected, name).expect("a tokenizer").vocab_size();
        let config = TokenizerConfig { kind, vocabulary, ..Default::default() };
        let learned = Vocabularies::train_on(&pairs, &config).expect("a vocabulary");
        assert_eq!(learned.source.to_json(), expected.trim_end(), "{name}");
    }
}
