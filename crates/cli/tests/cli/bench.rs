//! `bench`: what it prints, not how fast it is.

use std::fs;

use serde_json::Value;

use crate::common::{FIXTURE, assert_fails, rnnsearch, stdout, test_sources};

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&mut rnnsearch(arguments.iter().copied()))).unwrap()
}

const TINY: [&str; 16] = [
    "bench",
    "train",
    "--vocabulary",
    "50",
    "--sentences",
    "4",
    "--source-length",
    "3",
    "--target-length",
    "5",
    "--updates",
    "2",
    "--set",
    "model.embedding=8",
    "--set",
    "model.readout=8",
];

#[test]
fn updates_are_measured() {
    let report = json(&[&TINY[..], &["--json"]].concat());
    for key in ["target_tokens_per_second", "seconds_per_update", "gigaflop_per_update", "share_of_floor"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}: {report}");
    }
    let seconds = report["seconds_per_update"].as_f64().unwrap();
    assert!(
        (report["target_tokens_per_second"].as_f64().unwrap() * seconds - 20.0).abs() < 1e-6,
        "20 tokens: {report}"
    );
    assert_eq!(report["updates"], 2);
    let operations = report["seconds_by_operation"].as_array().unwrap();
    assert!(operations.iter().all(|operation| operation[1].as_f64().unwrap() > 0.0), "{report}");
    let text = stdout(&mut rnnsearch(TINY));
    for part in ["target tokens/s", "an update", "share of that floor", "decoder, backward"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn wrong_settings_are_refused() {
    let mut bench = rnnsearch(["bench", "train", "--set", "model.embeding=8"]);
    assert_fails(&mut bench, 2, &["model.embeding", "model.embedding"]);
    assert_fails(&mut rnnsearch(["bench", "train", "--updates", "0"]), 2, &["--updates"]);
}

#[test]
fn translating_a_file_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.en");
    fs::write(&input, test_sources()[..5].join("\n")).unwrap();
    let (model, input) = (FIXTURE.run.to_str().unwrap(), input.to_str().unwrap());
    let report = json(&["bench", "translate", model, input, "--rounds", "1", "--beam", "2", "--json"]);
    assert_eq!((&report["sentences"], &report["beam"]), (&5.into(), &2.into()));
    for positive in ["sentences_per_second", "gigaflop", "floor_cpu_seconds", "share_of_floor"] {
        assert!(report[positive].as_f64().unwrap() > 0.0, "{positive}: {report}");
    }
    assert_fails(&mut rnnsearch(["bench", "translate", model, "missing.en"]), 1, &["missing.en"]);
}

#[test]
fn products_are_measured() {
    let report = json(&["bench", "products", "--threads", "1", "--json"]);
    assert_eq!(report["threads"], 1);
    let rates = report["rates"].as_array().unwrap();
    assert!(rates.len() >= 5 && rates.iter().all(|rate| rate["gigaflops_per_thread"].as_f64().unwrap() > 0.0));
}
