//! Defaults, file and `--set` over each other, and where paths start.

use std::path::{Path, PathBuf};

use rnnsearch_config::{Config, CorpusConfig, TokenizerKind};

fn load(text: &str, overrides: &[&str]) -> Config {
    let overrides: Vec<String> = overrides.iter().map(|argument| argument.to_string()).collect();
    Config::from_toml(text, &overrides).unwrap_or_else(|error| panic!("{error}"))
}

fn tsv(path: &str) -> CorpusConfig {
    CorpusConfig { tsv: Some(path.into()), ..CorpusConfig::default() }
}

#[test]
fn nothing_is_the_default() {
    assert_eq!(load("", &[]), Config::default());
}

#[test]
fn the_file_wins_over_the_default_and_an_override_over_the_file() {
    let config = load("[model]\nembedding = 10\nreadout = 20\n", &["model.readout=30", "training.seed=7"]);
    assert_eq!((config.model.embedding, config.model.readout, config.training.seed), (10, 30, 7));
    assert_eq!(config.model.encoder_hidden, Config::default().model.encoder_hidden);
}

#[test]
fn the_last_override_wins() {
    assert_eq!(load("", &["training.seed=1", "training.seed=2"]).training.seed, 2);
}

#[test]
fn an_override_is_toml_or_else_a_string() {
    let config = load("", &["tokenizer.kind=char", "data.source_language = \"de\"", "training.clip_norm=5"]);
    assert_eq!(config.tokenizer.kind, TokenizerKind::Char);
    assert_eq!(config.data.source_language, "de");
    assert_eq!(config.training.clip_norm, 5.0);
    assert_eq!(load("", &["data.validation.tsv=../a=b.tsv"]).data.validation, Some(tsv("../a=b.tsv")));
}

#[test]
fn an_override_replaces_lists_and_tables_as_a_whole() {
    let file =
        "[[data.train]]\ntsv = \"a\"\n[[data.train]]\ntsv = \"b\"\n[model.dropout]\nembedding = 0.1\nreadout = 0.1\n";
    let config = load(file, &["data.train=[{tsv=\"c\"}]", "model.dropout={readout=0.2}"]);
    assert_eq!(config.data.train, [tsv("c")]);
    assert_eq!((config.model.dropout.readout, config.model.dropout.embedding), (0.2, 0.3));
    let pairs = load(file, &["data.train=[{source=\"a\",target=\"b\"}]"]);
    assert_eq!(pairs.data.train[0].source, Some(PathBuf::from("a")));
}

#[test]
fn an_override_settles_a_contradiction_of_the_file() {
    let config = load("tokenizer.joint = false\nmodel.share_embeddings = true\n", &["tokenizer.joint=true"]);
    assert!(config.tokenizer.joint && config.model.share_embeddings);
}

#[test]
fn paths_start_at_the_folder_of_the_file_and_become_absolute() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("configs")).unwrap();
    let file = root.join("configs/a.toml");
    std::fs::write(&file, "[[data.train]]\nsource = \"../data/a.de\"\ntarget = \"/far/a.en\"\n").unwrap();
    let config = Config::load(&file, &["data.validation.jsonl=./val.jsonl".into(), "data.cache=ids".into()]).unwrap();
    assert_eq!(config.data.cache, Some(root.join("configs/ids")));
    assert_eq!(config.data.train[0].source, Some(root.join("data/a.de")));
    assert_eq!(config.data.train[0].target, Some(PathBuf::from("/far/a.en")));
    assert_eq!(config.data.validation.as_ref().unwrap().jsonl, Some(root.join("configs/val.jsonl")));

    let resolved = root.join("config.toml");
    std::fs::write(&resolved, config.to_toml().unwrap()).unwrap();
    assert_eq!(Config::load(&resolved, &[]).unwrap(), config);
}

#[test]
fn a_file_named_without_folder_starts_at_the_working_folder() {
    let here = std::env::current_dir().unwrap();
    let config = Config::load(Path::new("tests/fixtures/relative.toml"), &[]).unwrap();
    assert_eq!(config.data.train[0].tsv, Some(here.join("tests/fixtures/pairs.tsv")));
}

#[cfg(unix)]
#[test]
fn a_linked_folder_is_not_left_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("real/inner")).unwrap();
    std::os::unix::fs::symlink(root.join("real/inner"), root.join("link")).unwrap();
    let file = root.join("real/inner/a.toml");
    std::fs::write(&file, "[[data.train]]\ntsv = \"../a.tsv\"\n").unwrap();
    std::fs::write(root.join("real/a.tsv"), "a\tb\n").unwrap();
    let config = Config::load(&root.join("link/a.toml"), &[]).unwrap();
    let found = config.data.train[0].tsv.as_ref().unwrap();
    assert_eq!(std::fs::read_to_string(found).unwrap(), "a\tb\n");
}
