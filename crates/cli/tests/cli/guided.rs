//! Training that teaches alignments.

use std::fs;
use std::path::Path;

use crate::common::{assert_fails, corpus, rnnsearch, stdout};

/// The links of every sentence of the corpus: noun and adjective change places.
const LINKS: &str = "0-0 1-1 2-2 3-3 4-5 5-4";

/// A training with the corpora's files and a file of links, `lines`.
fn train(folder: &Path, lines: &str, settings: &[&str]) -> assert_cmd::Command {
    fs::write(folder.join("train.links"), lines).unwrap();
    let corpus = r#"data.train=[{source="train.en",target="train.fr",links="train.links"}]"#;
    let mut train = rnnsearch(["train", "-v", "--overwrite", "--set", corpus, "--run"]);
    train.arg(folder.join("run")).arg(folder.join("tiny.toml"));
    train.args(settings.iter().flat_map(|setting| ["--set", setting]));
    train
}

/// How wrong the links of a model are, on the validation corpus.
fn error_rate(folder: &Path, options: &[&str]) -> f64 {
    let gold = folder.join("valid.talp");
    fs::write(&gold, "1-1 2-2 3-3 4-4 5-6 6-5\n".repeat(20)).unwrap();
    let mut align = rnnsearch(["align", "--json", "--output"]);
    align.arg(folder.join("links")).arg(folder.join("run")).args(options);
    for (option, file) in [("--source", "valid.en"), ("--target", "valid.fr"), ("--gold", "valid.talp")] {
        align.arg(option).arg(folder.join(file));
    }
    let scores = stdout(&mut align);
    serde_json::from_str::<serde_json::Value>(scores.lines().last().unwrap()).unwrap()["aer"].as_f64().unwrap()
}

#[test]
fn a_guided_model_looks_where_it_was_told() {
    let (folder, _) = corpus();
    let links = format!("{LINKS}\n").repeat(300);
    let settings = ["model.decoder=conditional", "training.alignment.read=next"];
    let told = train(folder.path(), &links, &settings).assert().success().get_output().stderr.clone();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains(" nats/token, alignments "), "{told}");
    let guided = error_rate(folder.path(), &[]);
    train(folder.path(), &links, &["training.alignment.guided=0", settings[0]]).assert().success();
    let unguided = error_rate(folder.path(), &[]);
    assert!(guided < 0.02 && guided < unguided, "{guided} {unguided}");
}

#[test]
fn other_terms_are_told_and_learnt() {
    let (folder, _) = corpus();
    let terms = ["coverage", "doubly_stochastic", "entropy"].map(|term| format!("training.alignment.{term}=0.5"));
    let settings: Vec<&str> = terms.iter().map(String::as_str).chain(["training.max_epochs=3"]).collect();
    let losses = || -> Vec<f64> {
        let metrics = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter_map(|line| line["alignment_loss"].as_f64()).collect()
    };
    // Without links for any pair nothing is guided.
    let none = "\n".repeat(300);
    train(folder.path(), &none, &settings).assert().success();
    let losses_of_terms = losses();
    assert!(losses_of_terms.len() == 9 && losses_of_terms[8] < losses_of_terms[0], "{losses_of_terms:?}");
    train(folder.path(), &none, &["training.max_epochs=1"]).assert().success();
    assert_eq!(losses(), [0.0; 0]);
}

/// Two directions look at the same, without links, and what was learnt so needs only itself.
#[test]
fn a_model_agrees_with_one_of_the_other_direction() {
    let (folder, _) = corpus();
    let place = |name: &str| folder.path().join(name);
    let train = |run: &str, config: &str, settings: &[&str]| {
        let mut train = rnnsearch(["train", "-q", "--overwrite", "--set", "training.log_every=30", "--run"]);
        train.arg(place(run)).arg(place(config)).args(settings.iter().flat_map(|setting| ["--set", setting]));
        train.assert().success();
    };
    let config = fs::read_to_string(place("tiny.toml")).unwrap();
    let swapped = config.replace("en\"", "X\"").replace("fr\"", "en\"").replace("X\"", "fr\"");
    fs::write(place("back.toml"), swapped).unwrap();
    train("back", "back.toml", &[]);
    let back = place("back");
    let together = ["--no-balance", "--reverse", back.to_str().unwrap()];
    train("run", "tiny.toml", &[]);
    let apart = error_rate(folder.path(), &together);
    // Paths of settings start at the configuration.
    let agree = ["training.alignment.agree_with=back", "training.alignment.agreement=2"];
    for form in ["difference", "product"] {
        let form = format!("training.alignment.agreement_form={form}");
        train("run", "tiny.toml", &[&agree[..], &[&form]].concat());
        let metrics = fs::read_to_string(place("run/metrics.jsonl")).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let losses: Vec<f64> = lines.filter_map(|line| line["alignment_loss"].as_f64()).collect();
        assert!(losses.len() == 12 && losses[0] - losses[11] > 0.1 * losses[0].abs(), "{losses:?}");
    }
    let agreed = error_rate(folder.path(), &together);
    assert!(agreed < 0.95 * apart, "{agreed} {apart}");
    fs::remove_dir_all(back).unwrap();
    let text = "the cat sees a red book.\n";
    assert_eq!(stdout(rnnsearch(["translate"]).arg(place("run")).write_stdin(text)).lines().count(), 1);
    rnnsearch(["export"]).arg(place("run")).arg(place("alone.safetensors")).assert().success();
    rnnsearch(["info"]).arg(place("alone.safetensors")).assert().success();
}

#[test]
fn links_that_do_not_fit_are_named() {
    let (folder, _) = corpus();
    let lines = |third: &str| format!("{LINKS}\n{LINKS}\n{third}\n{}", format!("{LINKS}\n").repeat(297));
    let fails = |links: &str, says: &[&str]| assert_fails(&mut train(folder.path(), links, &[]), 1, says);
    fails(&lines("0-0 1:1"), &["train.links:3: `1:1` is not SOURCE-TARGET", "as in 0-2"]);
    fails(
        &lines("0-0 1-6"),
        &["train.links:3: `1-6` is beyond the 6 and 6 words of", "train.en:3", "no-break spaces too"],
    );
    fails(&format!("{LINKS}\n").repeat(299), &["train.en has 300 lines", "train.links has 299"]);
    fails(&format!("{LINKS}\n").repeat(301), &["train.en has 300 lines", "train.links has 301"]);
    let none = ["model.attention=none", "training.alignment.coverage=1"];
    let mut none = train(folder.path(), &lines(LINKS), &none);
    assert_fails(&mut none, 2, &["guides alignments", "training.alignment.coverage"]);
    let validation = r#"data.validation={source="valid.en",target="valid.fr",links="train.links"}"#;
    assert_fails(&mut train(folder.path(), LINKS, &[validation]), 2, &["would guide training", "evaluate --gold"]);
}
