//! Corpora whose sources begin with a tag: what a model of them makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{assert_fails, lasting_folder, rnnsearch, stdout, with_model, write_corpus};

/// A model that translates to French, and with the tag `2up` writes the English words in capitals.
struct Tagged {
    folder: TempDir,
    told: String,
}

const CORPORA: &str =
    r#"data.train=[{source="train.en",target="train.fr"},{source="train.en",target="train.up",tag="2up",weight=1.5}]"#;

static TAGGED: LazyLock<Tagged> = LazyLock::new(|| {
    let folder = lasting_folder();
    let config = write_corpus(folder.path());
    for name in ["train", "valid"] {
        let text = fs::read_to_string(folder.path().join(format!("{name}.en"))).unwrap();
        fs::write(folder.path().join(format!("{name}.up")), text.to_uppercase()).unwrap();
    }
    let mut train = rnnsearch(["train", "-v", "--set", CORPORA, "--set", "tokenizer.vocabulary=330", "--run"]);
    train.arg(folder.path().join("run")).arg(config);
    let told = train.assert().success().get_output().stderr.clone();
    Tagged { folder, told: String::from_utf8(told).unwrap() }
});

impl Tagged {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on the model.
    fn run(&self, command: &str, args: &[&str]) -> assert_cmd::Command {
        let mut run = rnnsearch([command]);
        run.arg(self.file("run")).args(args);
        run
    }

    fn on_files(&self, command: &str, args: &[&str], target: &str) -> assert_cmd::Command {
        let mut run = self.run(command, args);
        run.arg("--source").arg(self.file("valid.en")).arg("--target").arg(self.file(target));
        run
    }
}

/// How many of the letters are capital ones.
fn capitals(text: &str) -> f64 {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    text.chars().filter(|c| c.is_uppercase()).count() as f64 / letters as f64
}

#[test]
fn a_tag_says_what_kind_of_text_follows() {
    let sources = fs::read_to_string(TAGGED.file("valid.en")).unwrap();
    let translate = |args: &[&str]| stdout(TAGGED.run("translate", args).write_stdin(sources.clone()));
    let (plain, tagged) = (translate(&[]), translate(&["--tag", "2up"]));
    assert!(capitals(&plain) < 0.1 && capitals(&tagged) > 0.9, "{plain}{tagged}");
    assert!(TAGGED.told.contains("train.en: 300 pairs, once an epoch"), "{}", TAGGED.told);
    assert!(TAGGED.told.contains("train.en: 300 pairs, 1.500 times an epoch"), "{}", TAGGED.told);
    assert!(stdout(&mut TAGGED.run("info", &[])).contains("tags        2up\n"));
    let info: Value = serde_json::from_str(&stdout(&mut TAGGED.run("info", &["--json"]))).unwrap();
    assert_eq!(info["tags"], serde_json::json!(["2up"]));
    // The text of a tag is text.
    let written = stdout(TAGGED.run("translate", &[]).write_stdin("<tag:2up> the cat sees a red book."));
    assert!(capitals(&written) < 0.1, "{written}");
}

#[test]
fn a_tag_is_scored_with_and_never_shown() {
    let scores = |args: &[&str]| -> f64 {
        let lines = stdout(&mut TAGGED.on_files("score", args, "valid.up"));
        lines.lines().map(|line| line.split('\t').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert!(scores(&["--tag", "2up"]) > scores(&[]) + 100.0);
    let source = "the cat sees a red book.";
    let record = |args: &[&str]| -> Value {
        let args = [&["--json", "--subwords"], args].concat();
        serde_json::from_str(&stdout(TAGGED.run("translate", &args).write_stdin(source))).unwrap()
    };
    let (plain, tagged) = (record(&[]), record(&["--tag", "2up"]));
    assert_eq!(plain["source_tokens"], tagged["source_tokens"]);
    for row in tagged["alignment"].as_array().unwrap() {
        let weights: Vec<f64> = row.as_array().unwrap().iter().map(|weight| weight.as_f64().unwrap()).collect();
        assert_eq!(weights.len(), tagged["source_tokens"].as_array().unwrap().len());
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{weights:?}");
    }
    let heatmap = stdout(&mut TAGGED.run("heatmap", &["--tag", "2up", "--source", source, "--color", "never"]));
    assert!(heatmap.contains("book") && heatmap.contains("BOOK") && !heatmap.contains("tag"), "{heatmap}");
    // Translation and forced decoding see the same, be it one sentence or many together.
    let text = tagged["translation"].as_str().unwrap();
    fs::write(TAGGED.file("one.en"), source).unwrap();
    fs::write(TAGGED.file("one.up"), text).unwrap();
    let mut score = TAGGED.run("score", &["--tag", "2up"]);
    let forced = stdout(score.arg("--source").arg(TAGGED.file("one.en")).arg("--target").arg(TAGGED.file("one.up")));
    let forced: f64 = forced.split('\t').next().unwrap().parse().unwrap();
    assert!((forced - tagged["log_prob"].as_f64().unwrap()).abs() < 1e-3, "{forced} {tagged}");
}

/// Links are between the words that they belong to: capitals stand where their words do.
#[test]
fn links_are_not_shifted_by_a_tag() {
    let links = stdout(&mut TAGGED.on_files("align", &["--tag", "2up", "--symmetrize", "forward"], "valid.up"));
    let (mut right, mut all) = (0, 0);
    for link in links.split_whitespace() {
        let (source, target) = link.split_once('-').unwrap();
        all += 1;
        right += usize::from(source == target);
    }
    assert!(all >= 100 && right * 10 > all * 7, "{right} of {all}: {links}");
    // A link that is pinned holds.
    let request = r#"{"text": "the cat sees a red book.", "pin": "4-0"}"#;
    let args = ["--tag", "2up", "--jsonl", "--alignments", "pharaoh"];
    let pinned = stdout(TAGGED.run("translate", &args).write_stdin(request));
    let pinned: Value = serde_json::from_str(&pinned).unwrap();
    let links = pinned["links"].as_str().unwrap();
    assert!(links.split(' ').any(|link| link == "4-0"), "{pinned}");
    assert!(!links.split(' ').any(|link| link.ends_with("-0") && link != "4-0"), "{pinned}");
}

#[test]
fn tags_that_a_model_lacks_are_named() {
    for command in ["translate", "score", "align"] {
        let mut run = if command == "translate" {
            TAGGED.run(command, &["--tag", "bt"])
        } else {
            TAGGED.on_files(command, &["--tag", "bt"], "valid.up")
        };
        assert_fails(run.write_stdin("x"), 1, &["the model has no tag `bt`: it was trained with 2up"]);
    }
    let mut none = with_model("translate", ["--tag", "bt"]);
    assert_fails(none.write_stdin("x"), 1, &["the model has no tag `bt`: it was trained with none"]);
    let fails = |settings: &[&str], says: &[&str]| {
        let mut train = rnnsearch(["train", "--run"]);
        train.arg(TAGGED.file("other")).args(settings.iter().flat_map(|setting| ["--set", setting]));
        assert_fails(train.arg(TAGGED.file("tiny.toml")), 1, says);
        assert!(!TAGGED.file("other").exists());
    };
    let validation = r#"data.validation={source="valid.en",target="valid.up",tag="2up"}"#;
    fails(
        &[validation],
        &["a corpus has the tag `2up`, but the vocabulary has no tags", "give it to a training corpus"],
    );
    let from = format!("training.from={:?}", TAGGED.file("run"));
    let other = CORPORA.replace("2up", "bt");
    fails(&[&from, &other, "tokenizer.vocabulary=330"], &["has the tag `bt`, but the vocabulary has only 2up"]);
}

#[test]
fn validation_may_have_a_tag() {
    let bleu = |tag: &str| -> f64 {
        let run = TAGGED.file(&format!("validated{tag}"));
        let validation = format!(r#"data.validation={{source="valid.en",target="valid.up"{tag}}}"#);
        let from = format!("training.from={:?}", TAGGED.file("run"));
        let settings = [CORPORA, &validation, &from, "tokenizer.vocabulary=330", "training.max_updates=1"];
        let mut train = rnnsearch(["train", "-q", "--overwrite", "--run"]);
        train.arg(&run).args(settings.iter().flat_map(|setting| ["--set", setting]));
        train.arg(TAGGED.file("tiny.toml")).assert().success();
        best(&run)
    };
    let (with, without) = (bleu(r#",tag="2up""#), bleu(""));
    assert!(with > without + 10.0, "{with} {without}");
}

/// The BLEU of the last validation.
fn best(run: &Path) -> f64 {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line["bleu"].as_f64()).next_back().unwrap()
}

/// A part of a training with tags and weights, gone on with, is the whole.
#[test]
fn a_training_with_tags_goes_on() {
    let settings = ["--set", CORPORA, "--set", "tokenizer.vocabulary=330", "--set", "training.max_epochs=2"];
    let train = |run: &str, more: &[&str]| {
        let mut train = rnnsearch(["train", "-q", "--run"]);
        train.arg(TAGGED.file(run)).args(settings).args(more).arg(TAGGED.file("tiny.toml")).assert().success();
    };
    train("whole", &[]);
    train("parts", &["--set", "training.max_updates=40"]);
    train("parts", &["--resume"]);
    let model = |run: &str| fs::read(TAGGED.file(run).join("checkpoints/00000150/parameters.safetensors")).unwrap();
    assert!(model("whole") == model("parts"));
}
