//! `rerank`: the order that models give to lists of candidates.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{FIXTURE, assert_fails, rnnsearch, stdout, test_sources, with_model};

/// Sources, of which one is blank, and lists of their translations.
struct Lists {
    folder: TempDir,
    sources: Vec<String>,
}

impl Lists {
    fn new() -> Self {
        let mut sources = test_sources()[..8].to_vec();
        sources[3].clear();
        let lists = Self { folder: tempfile::tempdir().unwrap(), sources };
        lists.write("in", &lists.sources);
        let list = lists.translated(&["--n-best", "5"]);
        fs::write(lists.path("list"), list).unwrap();
        lists
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, lines: &[String]) -> PathBuf {
        fs::write(self.path(name), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        self.path(name)
    }

    fn translated(&self, options: &[&str]) -> String {
        stdout(with_model("translate", options.iter().copied()).arg(self.path("in")))
    }

    fn reranked(&self, model: &Path, options: &[&str]) -> String {
        let mut rerank = rnnsearch(["rerank"]);
        rerank.arg(model).arg(self.path("list")).arg("--source").arg(self.path("in"));
        stdout(rerank.args(["--length-penalty", "1"]).args(options))
    }

    /// The candidates, each with the number of its source.
    fn candidates(&self) -> Vec<(usize, String)> {
        let list = fs::read_to_string(self.path("list")).unwrap();
        list.lines().map(parsed).map(|(number, text, _)| (number, text)).collect()
    }

    /// What `score` says of every candidate, per token.
    fn scored(&self, model: &Path, reverse: bool) -> Vec<f64> {
        let candidates = self.candidates();
        let sources: Vec<String> = candidates.iter().map(|(number, _)| self.sources[*number].clone()).collect();
        let texts: Vec<String> = candidates.into_iter().map(|(_, text)| text).collect();
        let (source, target) = if reverse { (&texts, &sources) } else { (&sources, &texts) };
        let (source, target) = (self.write("source", source), self.write("target", target));
        let mut score = rnnsearch(["score"]);
        let scores = stdout(score.arg(model).arg("--source").arg(source).arg("--target").arg(target));
        scores.lines().map(|line| line.split('\t').nth(1).unwrap().parse().unwrap()).collect()
    }

    /// The lists by falling score, as `rerank --n-best` should print them.
    fn ordered(&self, scores: &[f64]) -> Vec<(usize, String, f64)> {
        let mut all: Vec<(usize, String, f64)> =
            self.candidates().into_iter().zip(scores).map(|((number, text), score)| (number, text, *score)).collect();
        all.iter_mut().filter(|(number, ..)| self.sources[*number].is_empty()).for_each(|blank| blank.2 = 0.0);
        all.sort_by(|a, b| a.0.cmp(&b.0).then(b.2.total_cmp(&a.2)));
        all
    }
}

fn parsed(line: &str) -> (usize, String, f64) {
    let fields: Vec<&str> = line.split(" ||| ").collect();
    (fields[0].parse().unwrap(), fields[1].to_owned(), fields[2].parse().unwrap())
}

fn assert_ordered(reranked: &str, expected: &[(usize, String, f64)]) {
    let found: Vec<_> = reranked.lines().map(parsed).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.0 == expected.0 && found.1 == expected.1, "{found:?} {expected:?}");
        assert!((found.2 - expected.2).abs() < 1e-4, "{found:?} {expected:?}");
    }
}

/// Trains a model for a few epochs; with `reverse` from French to English.
fn trained(folder: &Path, name: &str, reverse: bool) -> PathBuf {
    let mut text = fs::read_to_string(&FIXTURE.config).unwrap();
    if reverse {
        let swapped = text.replace("source", "\0").replace("target", "source").replace('\0', "target");
        text = swapped;
    }
    let config = FIXTURE.folder.join(format!("{name}-{}.toml", std::process::id()));
    fs::write(&config, text).unwrap();
    let run = folder.join(name);
    let settings = ["--set", "training.max_epochs=4", "--set", "training.seed=5"];
    rnnsearch(["train", "-q"]).arg(&config).args(settings).arg("--run").arg(&run).assert().success();
    fs::remove_file(config).unwrap();
    run
}

#[test]
fn one_model_orders_by_its_own_scores() {
    let lists = Lists::new();
    let other = trained(lists.folder.path(), "other", false);
    let expected = lists.ordered(&lists.scored(&other, false));
    let reranked = lists.reranked(&other, &["--n-best", "5", "--weight", "1"]);
    assert_ordered(&reranked, &expected);
    assert_ne!(reranked, lists.reranked(&FIXTURE.run, &["--n-best", "5"]));
    let best: Vec<String> =
        (0..8).map(|number| expected.iter().find(|one| one.0 == number).unwrap().1.clone()).collect();
    assert_eq!(lists.reranked(&other, &[]).lines().collect::<Vec<_>>(), best);
    // The model that made the list leaves it as it is, and so does the list's own score.
    for options in [&["--n-best", "5"][..], &["--n-best", "5", "--weight", "0", "--list-weight", "1"]] {
        let same = lists.reranked(&FIXTURE.run, options);
        assert_ordered(&same, &fs::read_to_string(lists.path("list")).unwrap().lines().map(parsed).collect::<Vec<_>>());
    }
}

#[test]
fn a_reverse_model_has_its_say() {
    let lists = Lists::new();
    let reverse = trained(lists.folder.path(), "reverse", true);
    let (forward, backward) = (lists.scored(&FIXTURE.run, false), lists.scored(&reverse, true));
    let sum = |weight: f64| forward.iter().zip(&backward).map(|(f, b)| 0.5 * f + weight * b).collect::<Vec<_>>();
    let options = ["--reverse", reverse.to_str().unwrap(), "--n-best", "5", "--weight", "0.5", "--weight"];
    let reranked = |weight: &str| lists.reranked(&FIXTURE.run, &[&options[..], &[weight]].concat());
    assert_ordered(&reranked("2"), &lists.ordered(&sum(2.0)));
    assert_ordered(&reranked("-2"), &lists.ordered(&sum(-2.0)));
    let texts = |list: &str| list.lines().map(|line| parsed(line).1).collect::<Vec<_>>();
    assert_ne!(texts(&reranked("2")), texts(&reranked("0")));

    // As JSON, from JSON, whatever the batch.
    let json = [&options[..], &["2", "--json"]].concat();
    let from_text = lists.reranked(&FIXTURE.run, &json);
    let objects: Vec<Value> = from_text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = &objects[0]["n_best"][0];
    assert_eq!((objects.len(), &objects[0]["translation"]), (8, &first["translation"]));
    let scores: Vec<f64> = first["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert!((0.5 * scores[0] + 2.0 * scores[1] - first["score"].as_f64().unwrap()).abs() < 1e-9, "{first}");
    fs::write(lists.path("list"), lists.translated(&["--n-best", "5", "--json"])).unwrap();
    let from_json = lists.reranked(&FIXTURE.run, &[&json[..], &["--batch", "3"]].concat());
    for (a, b) in from_json.lines().zip(&objects) {
        let a: Value = serde_json::from_str(a).unwrap();
        assert_eq!((&a["source"], &a["translation"]), (&b["source"], &b["translation"]));
    }
    assert_eq!(from_json.lines().count(), 8);
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let lists = Lists::new();
    let refuse = |list: &str, options: &[&str], code: i32, says: &[&str]| {
        fs::write(lists.path("list"), list).unwrap();
        let mut rerank = with_model("rerank", []);
        rerank.arg(lists.path("list")).arg("--source").arg(lists.path("in")).args(options);
        assert_fails(&mut rerank, code, says);
    };
    refuse("0 ||| a ||| -1\n0 ||| b\n", &[], 1, &["list:2: not a candidate", "translate --n-best"]);
    refuse("1 ||| a ||| -1\n", &[], 1, &["list:1: candidates of sentence 1 where those of sentence 0 should come"]);
    refuse("", &["--weight", "1", "--weight", "2"], 2, &["--weight is given 2 times for 1 models"]);
    refuse("", &["--with", "none"], 1, &["none"]);
    refuse("", &["--output", lists.path("in").to_str().unwrap()], 2, &["is read and written"]);
}
