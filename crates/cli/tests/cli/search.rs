//! `translate`: how translations are searched for, drawn, and held to what was asked.

use std::fs;

use serde_json::{Value, json};

use crate::common::{FIXTURE, assert_fails, rnnsearch, stdout, test_sources, with_model};

fn text() -> String {
    test_sources()[..20].join("\n") + "\n"
}

fn translated(options: &[&str], input: &str) -> Vec<String> {
    let mut translate = with_model("translate", options.iter().copied());
    stdout(translate.write_stdin(input)).lines().map(str::to_owned).collect()
}

fn objects(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Input for --jsonl: the sources, each with these fields.
fn requests(fields: impl Fn(usize) -> Value) -> String {
    let object = |(number, source): (usize, &String)| {
        let mut object = fields(number);
        object["text"] = source.as_str().into();
        object.to_string() + "\n"
    };
    test_sources()[..20].iter().enumerate().map(object).collect()
}

#[test]
fn json_goes_in_and_out() {
    let plain = translated(&[], &text());
    let records = objects(&translated(&["--jsonl"], &requests(|number| json!({ "id": number, "score": "mine" }))));
    assert_eq!(records.len(), plain.len());
    for (number, (record, translation)) in records.iter().zip(&plain).enumerate() {
        assert_eq!((&record["translation"], &record["id"]), (&json!(translation), &json!(number)));
        assert!(record["score"].is_number() && record.get("text").is_none(), "ours comes first: {record}");
    }
    for (line, complaint) in [
        ("the cat", "not JSON"),
        ("[1]", "not a JSON object"),
        ("{\"test\": \"x\"}", "there is no `text`"),
        ("{\"text\": 3}", "`text` is 3, not a text"),
        ("{\"text\": \"a\", \"forbid\": [1]}", "`forbid` is [1], not a list of texts"),
    ] {
        let input = requests(|_| json!({})) + line + "\n";
        let output = with_model("translate", ["--jsonl"]).write_stdin(input).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("standard input:21: ") && told.contains(complaint), "{told}");
        assert_eq!(
            (output.status.code(), output.stdout.lines().count()),
            (Some(1), 20),
            "what was right is translated"
        );
    }
}

trait LineCount {
    fn lines(&self) -> std::vec::IntoIter<&[u8]>;
}

impl LineCount for Vec<u8> {
    fn lines(&self) -> std::vec::IntoIter<&[u8]> {
        self.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().into_iter()
    }
}

#[test]
fn a_prefix_is_continued() {
    let records = objects(&translated(&["--jsonl"], &requests(|_| json!({ "prefix": "un oiseau veut" }))));
    for record in &records {
        let translation = record["translation"].as_str().unwrap();
        assert!(translation.starts_with("un oiseau veut ") && translation.ends_with('.'), "{record}");
    }
}

#[test]
fn what_is_forbidden_does_not_come() {
    let plain = translated(&[], &text());
    assert!(plain.iter().any(|line| line.contains(" rouge")));
    let records = objects(&translated(&["--jsonl"], &requests(|_| json!({ "forbid": ["rouge", "un livre"] }))));
    for record in &records {
        let translation = record["translation"].as_str().unwrap();
        let words: Vec<&str> = translation.split([' ', '.']).collect();
        assert!(!words.contains(&"rouge") && !translation.contains("un livre"), "{record}");
    }
    let twice = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (1..words.len()).any(|i| words[..i].contains(&words[i]))
    };
    let begun = requests(|_| json!({ "prefix": "un oiseau veut" }));
    let texts = |options: &[&str]| -> Vec<String> {
        let records = objects(&translated(&[options, &["--jsonl"]].concat(), &begun));
        records.iter().map(|record| record["translation"].as_str().unwrap().to_owned()).collect()
    };
    assert!(texts(&[]).iter().any(|line| twice(line)));
    assert!(!texts(&["--no-repeat-ngram", "1"]).iter().any(|line| twice(line)));
}

#[test]
fn ranking_changes_what_comes_first() {
    let lengths = |options: &[&str]| -> usize {
        let records = objects(&translated(&[options, &["--json", "--subwords"]].concat(), &text()));
        records.iter().map(|record| record["target_tokens"].as_array().unwrap().len()).sum()
    };
    let rewarded = |reward: &str| lengths(&["--length-penalty", "0", "--stop", "best", "--word-reward", reward]);
    assert!(rewarded("5") > rewarded("-5"), "{} {}", rewarded("5"), rewarded("-5"));
    let score = |options: &[&str]| {
        let record = &objects(&translated(&[options, &["--json", "--beam", "1"]].concat(), &text()))[0];
        (record["score"].as_f64().unwrap(), record["log_prob"].as_f64().unwrap())
    };
    let (score_gnmt, log_prob) = score(&["--length-form", "gnmt", "--length-penalty", "0"]);
    assert_eq!(score_gnmt, log_prob);
    assert!(score(&["--coverage-penalty", "1"]).0 < score(&[]).0);
    // The search that ends last finds the best score.
    let total = |rule: &str| -> f64 {
        let records = objects(&translated(&["--json", "--stop", rule], &text()));
        records.iter().map(|record| record["score"].as_f64().unwrap()).sum()
    };
    assert!(total("best") >= total("first"), "{} {}", total("best"), total("first"));
}

#[test]
fn samples_are_drawn_by_seed_alone() {
    let text = text();
    let draw = |options: &[&str]| translated(&[&["--sample", "4", "--n-best", "4"], options].concat(), &text);
    let drawn = draw(&[]);
    assert_eq!(drawn.len(), 80);
    assert_eq!(drawn, draw(&["--batch", "3", "--threads", "1"]));
    assert_ne!(drawn, draw(&["--seed", "2"]));
    // What is all but certain is what greedy search finds.
    let cold = translated(&["--sample", "1", "--temperature", "0.001"], &text);
    assert_eq!(cold, translated(&["--beam", "1"], &text));
    assert_eq!(translated(&["--sample", "3", "--top-k", "1"], &text), cold);
    assert_eq!(translated(&["--sample", "3", "--top-p", "0.001"], &text), cold);
    let mut wrong = with_model("translate", ["--sample", "2", "--beam", "2"]);
    assert_fails(wrong.write_stdin(""), 2, &["--beam"]);
    assert_fails(with_model("translate", ["--top-k", "2"]).write_stdin(""), 2, &["--sample"]);
}

#[test]
fn agreement_chooses_among_what_was_found() {
    let text = text();
    let list = |options: &[&str]| {
        let mut lines =
            translated(&[&["--sample", "8", "--n-best", "8", "--temperature", "2"], options].concat(), &text);
        lines.sort();
        lines
    };
    for metric in ["chrf", "bleu"] {
        assert_eq!(list(&["--mbr", metric]), list(&[]), "the same in another order");
        let one = translated(&["--sample", "8", "--temperature", "2", "--mbr", metric], &text);
        assert!(
            one.iter().enumerate().all(|(line, text)| list(&[])
                .iter()
                .any(|found| found.starts_with(&format!("{line} ||| {text} ||| "))))
        );
        assert_ne!(one, translated(&["--sample", "8", "--temperature", "2"], &text));
    }
}

#[test]
fn models_translate_together() {
    let text = text();
    let twice = FIXTURE.run.to_str().unwrap();
    assert_eq!(translated(&["--ensemble", twice, "--json"], &text), translated(&["--json"], &text));
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, setting: &str| {
        let run = folder.path().join(name);
        let mut train = rnnsearch(["train", "-q", "--set", "training.max_epochs=3", "--set", setting, "--run"]);
        train.arg(&run).arg(&FIXTURE.config).assert().success();
        run
    };
    let other = train("other", "training.seed=2");
    let together = translated(&["--ensemble", other.to_str().unwrap(), "--ensemble", twice], &text);
    assert_eq!(together.len(), 20);
    let stranger = train("stranger", "tokenizer.vocabulary=300");
    let mut translate = with_model("translate", ["--ensemble", stranger.to_str().unwrap()]);
    assert_fails(translate.write_stdin(&*text), 1, &["other vocabularies", "[tokenizer]"]);
    fs::remove_dir_all(folder.path()).unwrap();
}

#[test]
fn translations_are_as_short_as_they_must_be() {
    for most in [1, 3] {
        let extra = most.to_string();
        let cut = objects(&translated(&["--max-ratio", "0", "--max-extra", &extra, "--json", "--subwords"], &text()));
        let tokens = |record: &Value| record["target_tokens"].as_array().unwrap().len();
        assert!(cut.iter().all(|record| tokens(record) <= most), "{most}");
        assert!(cut.iter().any(|record| tokens(record) == most), "{most}");
    }
}
