//! Corpora that nothing can be learned from: each has its message, and nothing is written.

use std::fs;
use std::path::Path;

use crate::common::{assert_fails, contents, corpus, rnnsearch};

/// Trains after `spoil` has had its way with the corpora; checks the message, and that nothing is written.
fn refused(code: i32, says: &[&str], settings: &[&str], spoil: impl FnOnce(&Path)) {
    let (folder, config) = corpus();
    spoil(folder.path());
    let before = contents(folder.path());
    let mut train = rnnsearch(["train", "-q"]);
    train.arg(&config).current_dir(folder.path()).args(settings.iter().flat_map(|setting| ["--set", setting]));
    assert_fails(&mut train, code, says);
    assert_eq!(contents(folder.path()), before, "something was written");
}

fn rewrite(folder: &Path, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let file = folder.join(name);
    let bytes = change(fs::read(&file).unwrap());
    fs::write(file, bytes).unwrap();
}

#[test]
fn missing_files() {
    for name in ["train.en", "train.fr", "valid.en", "valid.fr"] {
        refused(1, &[name, "No such file"], &[], |folder| fs::remove_file(folder.join(name)).unwrap());
    }
    refused(1, &["train.en", "is a folder"], &[], |folder| {
        fs::remove_file(folder.join("train.en")).unwrap();
        fs::create_dir(folder.join("train.en")).unwrap();
    });
}

#[test]
fn empty_files() {
    for name in ["train.en", "valid.fr"] {
        refused(1, &[name, "is empty"], &[], |folder| rewrite(folder, name, |_| Vec::new()));
    }
}

#[test]
fn unequal_line_counts() {
    let says = ["train.en has 300 lines", "train.fr has 301", "pair line by line"];
    refused(1, &says, &[], |folder| rewrite(folder, "train.fr", |bytes| [bytes, b"un de plus\n".to_vec()].concat()));
    let says = ["valid.en has 19 lines", "valid.fr has 20"];
    refused(1, &says, &[], |folder| {
        rewrite(folder, "valid.en", |bytes| bytes.splitn(2, |&byte| byte == b'\n').last().unwrap().to_vec());
    });
}

#[test]
fn text_that_is_not_utf_8() {
    refused(1, &["train.fr:301: not UTF-8", "iconv"], &[], |folder| {
        rewrite(folder, "train.fr", |bytes| [bytes, b"caf\xe9\n".to_vec()].concat());
        rewrite(folder, "train.en", |bytes| [bytes, b"coffee\n".to_vec()].concat());
    });
    refused(1, &["train.en:1: not UTF-8", "binary file"], &[], |folder| {
        rewrite(folder, "train.en", |_| [0u8, 159, 146, 150, 0, 255, 1].repeat(100));
    });
}

#[test]
fn blank_corpora() {
    refused(1, &["nothing but blank lines"], &[], |folder| {
        rewrite(folder, "train.en", |_| "  \n".repeat(300).into_bytes());
    });
    refused(1, &["nothing but blank lines"], &[], |folder| {
        for name in ["train.en", "train.fr"] {
            rewrite(folder, name, |_| "\n".repeat(5).into_bytes());
        }
    });
}

#[test]
fn settings_that_do_not_fit_the_text() {
    let says = ["tokenizer.vocabulary = 20000", "the training text fills no more than", "or lower"];
    refused(2, &says, &["tokenizer.vocabulary=20000"], |_| {});
    refused(2, &["tokenizer.vocabulary = 100", "take more than 260"], &["tokenizer.vocabulary=100"], |_| {});
    refused(1, &["no sentence pair is left", "over 2 tokens"], &["data.max_length=2"], |_| {});
}

#[test]
fn the_message_is_the_same_in_an_empty_run_folder_which_stays_empty() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    let mut train = rnnsearch(["train", "-q", "--set", "tokenizer.vocabulary=20000", "--run"]);
    assert_fails(train.arg(&run).arg(&config), 2, &["tokenizer.vocabulary = 20000"]);
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
}
