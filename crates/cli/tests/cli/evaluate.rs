//! `evaluate` and `score`.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{FIXTURE, assert_failed, assert_fails, contents, pairs, stdout, with_model};

/// A test set of the sentences that the model was not trained on.
fn test_set() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [source, target] = ["test.en", "test.fr"].map(|name| folder.path().join(name));
    let pairs = pairs().split_off(330);
    fs::write(&source, pairs.iter().map(|(english, _)| format!("{english}\n")).collect::<String>()).unwrap();
    fs::write(&target, pairs.iter().map(|(_, french)| format!("{french}\n")).collect::<String>()).unwrap();
    (folder, source, target)
}

fn evaluate(source: &PathBuf, reference: &PathBuf) -> Command {
    let mut command = with_model("evaluate", ["--source"]);
    command.arg(source).arg("--reference").arg(reference);
    command
}

#[test]
fn json_is_one_object() {
    let (folder, source, reference) = test_set();
    let output = folder.path().join("out.fr");
    let json = stdout(evaluate(&source, &reference).arg("--json").arg("--output").arg(&output));
    assert_eq!(json.lines().count(), 1);
    let report: Value = serde_json::from_str(&json).unwrap();
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "bleu",
        "bleu_signature",
        "chrf",
        "chrf_signature",
        "ter",
        "ter_signature",
        "perplexity",
        "sentences",
        "seconds",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(report["sentences"], 70);
    assert!(report["bleu_signature"].as_str().unwrap().contains("tok:13a"));
    assert!(report["chrf_signature"].as_str().unwrap().contains("nw:2"));
    let number = |key: &str| report[key].as_f64().unwrap();
    assert!(number("bleu") > 5.0 && number("chrf") > 20.0 && number("ter") < 100.0, "{report}");
    assert!(number("perplexity") > 1.0 && number("perplexity") < 310.0 && number("seconds") > 0.0, "{report}");
    let expected = stdout(with_model("translate", []).arg(&source));
    assert_eq!(fs::read_to_string(&output).unwrap(), expected);
}

#[test]
fn text_has_intervals_and_lengths_where_asked() {
    let (folder, source, reference) = test_set();
    let [csv, svg] = ["a.csv", "a.svg"].map(|name| folder.path().join(name));
    let text = stdout(
        evaluate(&source, &reference).args(["--by-length", "--confidence", "--csv"]).arg(&csv).arg("--svg").arg(&svg),
    );
    assert!(text.starts_with("BLEU ") && text.contains("(95 %: ") && text.contains("\nchrF2++ "), "{text}");
    // Five to eight words and a full stop.
    assert!(text.contains("source words") && text.contains(" ≤10         70 "), "{text}");
    assert!(fs::read_to_string(&csv).unwrap().starts_with("first,last,sentences,bleu,chrf\n0,10,70,"));
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    let json: Value =
        serde_json::from_str(&stdout(evaluate(&source, &reference).args(["--json", "--by-length", "--confidence"])))
            .unwrap();
    assert_eq!(json["by_length"][0]["sentences"], 70);
    let (interval, bleu) = (&json["bleu_interval"], json["bleu"].as_f64().unwrap());
    assert!(interval[0].as_f64().unwrap() <= bleu && bleu <= interval[1].as_f64().unwrap(), "{json}");
}

#[test]
fn lower_case_is_told_by_the_signature() {
    let (_folder, source, reference) = test_set();
    let text = fs::read_to_string(&reference).unwrap().to_uppercase();
    fs::write(&reference, text).unwrap();
    let bleu = |args: &[&str]| {
        let json: Value =
            serde_json::from_str(&stdout(evaluate(&source, &reference).arg("--json").args(args))).unwrap();
        (json["bleu"].as_f64().unwrap(), json["bleu_signature"].as_str().unwrap().contains("case:lc"))
    };
    let (cased, lowered) = (bleu(&[]), bleu(&["--lowercase"]));
    assert!(lowered.0 > cased.0 + 5.0 && lowered.1 && !cased.1, "{cased:?} {lowered:?}");
}

#[test]
fn scores_agree_with_the_perplexity_and_with_translate() {
    let (folder, source, target) = test_set();
    let score = |args: &[&str]| {
        let mut command = with_model("score", ["--source"]);
        command.arg(&source).arg("--target").arg(&target).args(args);
        stdout(&mut command)
    };
    let text = score(&[]);
    let rows: Vec<(f64, f64)> = text
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(sum, mean)| (sum.parse().unwrap(), mean.parse().unwrap()))
        .collect();
    assert_eq!(rows.len(), 70);
    assert_eq!(score(&["--batch", "1"]), text);
    let records: Vec<Value> = score(&["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut tokens = 0;
    for (record, (sum, mean)) in records.iter().zip(&rows) {
        let log_probs = record["token_log_probs"].as_array().unwrap();
        assert_eq!(log_probs.len(), record["target_tokens"].as_array().unwrap().len());
        let total: f64 = log_probs.iter().map(|log_prob| log_prob.as_f64().unwrap()).sum();
        assert!((total - sum).abs() < 1e-4 && (total / log_probs.len() as f64 - mean).abs() < 1e-4);
        tokens += log_probs.len();
    }
    let nats: f64 = rows.iter().map(|row| -row.0).sum();
    let report: Value = serde_json::from_str(&stdout(evaluate(&source, &target).arg("--json"))).unwrap();
    let perplexity = report["perplexity"].as_f64().unwrap();
    assert!(((nats / tokens as f64).exp() / perplexity - 1.0).abs() < 1e-4);

    // What translate says of a translation is what score says of it.
    let translated = stdout(with_model("translate", ["--json"]).arg(&source));
    let translated: Vec<Value> = translated.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let own: String =
        translated.iter().map(|record| format!("{}\n", record["translation"].as_str().unwrap())).collect();
    let target = folder.path().join("own.fr");
    fs::write(&target, own).unwrap();
    let mut command = with_model("score", ["--source"]);
    let scored = stdout(command.arg(&source).arg("--target").arg(&target));
    let agreeing = scored.lines().zip(&translated).filter(|(line, record)| {
        let scored: f64 = line.split_once('\t').unwrap().0.parse().unwrap();
        (scored - record["log_prob"].as_f64().unwrap()).abs() < 1e-3
    });
    // A text may be spelled with other sub-words than those the search chose.
    assert!(agreeing.count() > 35);
}

#[test]
fn test_sets_are_checked() {
    let (folder, source, reference) = test_set();
    let short = folder.path().join("short.fr");
    fs::write(&short, "une ligne.\n").unwrap();
    let empty = folder.path().join("empty.en");
    fs::write(&empty, "").unwrap();
    let before = contents(folder.path());
    let csv = folder.path().join("a.csv");
    assert_fails(evaluate(&source, &short).arg("--csv").arg(&csv), 1, &["has 70 lines", "has 1", "pair line by line"]);
    assert_fails(&mut evaluate(&empty, &empty), 1, &["empty.en", "is empty"]);
    assert_fails(&mut evaluate(&folder.path().join("none"), &reference), 1, &["none", "No such file"]);
    assert_fails(evaluate(&source, &reference).arg("--output").arg(&source), 2, &["is read and written"]);
    assert_fails(evaluate(&source, &reference).arg("--svg").arg(folder.path()), 1, &["cannot write"]);
    let mut score = with_model("score", ["--source"]);
    let scored = score.arg(&source).arg("--target").arg(&short).output().unwrap();
    assert_failed(&scored, 1, &["pair line by line"]);
    assert_eq!(scored.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "the pairs before it are scored");
    assert_eq!(contents(folder.path()), before);
    assert!(FIXTURE.run.exists());
}
