//! `plot`, `runs`, and what trainings write for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::common::{FIXTURE, assert_fails, corpus, rnnsearch, stdout};

fn plot(run: &Path, args: &[&str]) -> Command {
    let mut command = rnnsearch(["plot"]);
    command.arg(run).args(args);
    command
}

/// A run folder of made-up numbers.
fn made_up(folder: &Path, name: &str, updates: std::ops::Range<u64>) -> PathBuf {
    let run = folder.join(name);
    fs::create_dir_all(&run).unwrap();
    let lines = updates.map(|update| {
        let loss = 5.0 / (update as f64).sqrt();
        format!(
            "{}\n",
            json!({ "kind": "training", "update": update, "epoch": 1, "batch": update, "batches": 1000, "loss": loss,
                    "learning_rate": 0.001, "elapsed": 60 * update })
        )
    });
    fs::write(run.join("metrics.jsonl"), lines.collect::<String>()).unwrap();
    run
}

#[test]
fn curves_are_drawn_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, args: &[&str]| {
        let file = folder.path().join(name);
        let told = format!("wrote `{}`\n", file.display());
        plot(&FIXTURE.run, args).arg("--output").arg(&file).assert().success().stdout("").stderr(told);
        fs::read(file).unwrap()
    };
    let svg = String::from_utf8(draw("a.svg", &[])).unwrap();
    for text in [
        ">run<",
        ">Loss, nats per token<",
        ">BLEU of validation<",
        ">Learning rate<",
        ">updates<",
        "best validation: BLEU ",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let fewer = String::from_utf8(draw(
        "b.svg",
        &["--curves", "loss,chrf", "--x", "epochs", "--title", "a <b>", "--theme", "dark"],
    ))
    .unwrap();
    assert!(fewer.contains(">a &lt;b&gt;<") && fewer.contains(">epochs<") && !fewer.contains("BLEU of"), "{fewer}");
    let page = String::from_utf8(draw("a.html", &["--x", "hours"])).unwrap();
    assert!(page.contains("data-x-label=\"hours\"") && page.contains("data-kind=\"training\""));
    let width = |png: &[u8]| u32::from_be_bytes(png[16..20].try_into().unwrap());
    let (small, large) = (draw("a.png", &["--scale", "1"]), draw("b.png", &["--theme", "dark"]));
    assert!(small.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!((width(&small), width(&large)), (1120, 2240));
}

#[test]
fn several_runs_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (made_up(folder.path(), "a/run", 1..50), made_up(folder.path(), "b/run", 1..80));
    let text = stdout(plot(&a, &["--width", "70"]).arg(&b));
    assert!(
        text.contains(&format!("a {}\nb {}\n", a.display(), b.display())),
        "folders of one name are told by their paths: {text}"
    );
    assert!(text.lines().skip(3).all(|line| line.chars().count() <= 70) && !text.contains('\x1b'), "{text}");
    let text = stdout(plot(&a, &["--label", "small", "--label", "große", "--color", "always"]).arg(&b));
    assert!(text.contains(" große\n") && text.contains("\x1b[38;5;214m"), "{text}");
    assert_fails(plot(&a, &["--label", "small"]).arg(&b), 2, &["1 --label for 2"]);
}

#[test]
fn what_cannot_be_plotted_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = made_up(folder.path(), "run", 1..5);
    let none = folder.path().join("none");
    assert_fails(&mut plot(&none, &[]), 1, &["none/metrics.jsonl", "is `", "a run folder?"]);
    assert_fails(&mut plot(&run, &["--curves", "bleu"]), 1, &["none of these curves", "validation corpus"]);
    assert_fails(&mut plot(&run, &["--curves", "blue"]), 2, &["blue", "bleu"]);
    assert_fails(&mut plot(&run, &["--metric", "chrf"]), 2, &["--by-length"]);
    assert_fails(&mut plot(&run, &["--output", "a.pdf"]), 2, &["a.pdf", ".svg, .png or .html"]);
    assert_fails(&mut plot(&run, &["--output", "a.svg", "--scale", "2"]), 2, &["--scale is for PNG"]);
    let metrics = run.join("metrics.jsonl");
    assert_fails(plot(&run, &["--output"]).arg(&metrics), 2, &[".svg, .png or .html"]);
    fs::write(&metrics, "{\"kind\":\"training\",\"update\":1,\"epoch\":1,\"batch\":1,\"batches\":9,\"loss\":2}\n")
        .unwrap();
    assert_fails(&mut plot(&run, &["--x", "hours"]), 2, &["no `elapsed`", "--x updates"]);
    fs::write(&metrics, "{\"kind\":\"training\",\"update\":").unwrap();
    assert_fails(&mut plot(&run, &[]), 1, &["has nothing yet"]);
    fs::write(&metrics, b"\xff\n").unwrap();
    assert_fails(&mut plot(&run, &[]), 1, &["metrics.jsonl:1: not a line of a training's metrics"]);
}

#[test]
fn scores_by_length_of_several_models_are_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (source, reference) =
        (write("a.en", "the dog likes a red hat.\n"), write("a.fr", "le chien aime un chapeau rouge.\n"));
    let mut evaluate = rnnsearch(["evaluate", "--by-length", "--confidence", "--json", "--source"]);
    let json = stdout(evaluate.arg(&source).arg("--reference").arg(&reference).arg(&FIXTURE.run));
    let evaluated: Value = serde_json::from_str(&json).unwrap();
    let bin = &evaluated["by_length"][0];
    assert!(bin["bleu_interval"].is_array() && evaluated["by_length"][1]["bleu_interval"].is_null(), "{evaluated}");
    let (one, two) = (write("one.json", &json), write("two.json", &json));
    let svg = folder.path().join("a.svg");
    plot(&one, &["--by-length", "--output"]).arg(&svg).arg(&two).assert().success();
    let svg = fs::read_to_string(svg).unwrap();
    for text in [">BLEU by source length<", ">one<", ">two<", ">≤10<", ">n = 1<", "; 95 %", ">confidence intervals<"]
    {
        assert!(svg.contains(text), "{text}\n{svg}");
    }
    let text = stdout(&mut plot(&one, &["--by-length", "--metric", "chrf"]));
    assert!(text.contains("chrF2++") && text.contains('●'), "{text}");

    let cased = write("cased.json", &json.replace("case:mixed", "case:lc"));
    assert_fails(plot(&one, &["--by-length"]).arg(&cased), 1, &["were not scored alike"]);
    let plain = write("plain.json", "{\"bleu\": 3}");
    assert_fails(&mut plot(&plain, &["--by-length"]), 1, &["plain.json", "`rnnsearch evaluate --by-length --json`"]);
    assert_fails(&mut plot(&one, &["--by-length", "--x", "epochs"]), 2, &["cannot be used with"]);
}

/// The fields of each kind and their types, as docs/metrics.md has them.
fn documented() -> BTreeMap<String, BTreeMap<String, String>> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let docs = fs::read_to_string(docs).unwrap();
    let kinds = docs.split("\n## kind: ").skip(1).map(|section| {
        let (kind, section) = section.split_once('\n').unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let fields = rows.map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let name = cells.next().unwrap().trim_end_matches('`').to_owned();
            (name, cells.next().unwrap().to_owned())
        });
        (kind.to_owned(), fields.collect())
    });
    kinds.collect()
}

#[test]
fn metrics_are_as_they_are_documented() {
    let documented = documented();
    assert_eq!(documented.keys().collect::<Vec<_>>(), ["training", "validation"]);
    let metrics = fs::read_to_string(FIXTURE.run.join("metrics.jsonl")).unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut elapsed = 0.0;
    for line in metrics.lines() {
        let object: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let kind = object["kind"].as_str().unwrap();
        let types: BTreeMap<String, String> =
            object.iter().map(|(name, value)| (name.clone(), type_of(value).into())).collect();
        // A number may be whole by chance.
        let wanted = &documented[kind];
        assert_eq!(types.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{line}");
        for (name, found) in &types {
            assert!(&wanted[name] == found || (wanted[name] == "number" && found == "integer"), "{name}: {line}");
        }
        *seen.entry(kind.to_owned()).or_default() += 1;
        let now = object["elapsed"].as_f64().unwrap();
        assert!(now > elapsed, "{line}");
        elapsed = now;
    }
    assert_eq!(seen, BTreeMap::from([("training".to_owned(), 36), ("validation".to_owned(), 12)]));
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        _ => "something else",
    }
}

#[test]
fn runs_are_compared() {
    let (folder, config) = corpus();
    let train = |run: &str, settings: &[&str]| {
        let mut train = rnnsearch(["train", "-q", "--run"]);
        train.arg(folder.path().join("runs").join(run)).arg(&config);
        train.args(settings.iter().flat_map(|setting| ["--set", setting])).assert().success();
    };
    train("one", &["training.max_epochs=2"]);
    train("deep/er/two", &["training.max_epochs=1", "training.tensorboard=false"]);
    fs::create_dir(folder.path().join("runs/other")).unwrap();
    let command = |args: &[&str]| {
        let mut command = rnnsearch(args.iter().copied());
        command.current_dir(folder.path());
        command
    };
    let runs = |args: &[&str]| command(&[&["runs"], args].concat());
    let lines: Vec<Value> =
        stdout(&mut runs(&["--json"])).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["deep/er/two", "one"]);
    let one = &lines[1];
    assert_eq!((&one["state"], &one["updates"], &one["epochs"]), (&json!("finished"), &json!(60), &json!(2.0)));
    assert!(
        one["bleu"]["value"].is_number() && one["loss"]["update"] == 60 && one["hours"].as_f64().unwrap() > 0.0,
        "{one}"
    );
    let info: Value = serde_json::from_str(&stdout(&mut command(&["info", "--json", "runs/one"]))).unwrap();
    assert_eq!(one["parameters"], info["parameters"]);
    assert_eq!(one["settings"], json!({ "training.max_epochs": 2, "training.tensorboard": true }));
    let sorted = stdout(&mut runs(&["runs", "--sort", "updates"]));
    let lines: Vec<&str> = sorted.lines().collect();
    assert!(
        lines[0].starts_with("run ") && lines[1].starts_with("one ") && lines[2].starts_with("deep/er/two "),
        "{sorted}"
    );
    assert!(sorted.contains("settings that differ\n") && sorted.contains("training.max_epochs=2"), "{sorted}");

    // Without its last checkpoint a training is not known to have ended.
    fs::remove_dir_all(folder.path().join("runs/one/checkpoints")).unwrap();
    assert!(stdout(&mut runs(&[])).contains("interrupted"));
    fs::write(folder.path().join("runs/one/config.toml"), "x = 1").unwrap();
    let left = runs(&[]).output().unwrap();
    let told = String::from_utf8(left.stderr).unwrap();
    assert!(left.status.success() && told.starts_with("warning: ") && told.contains("one is left out: "), "{told}");
    assert_fails(&mut runs(&["none"]), 1, &["cannot read folder `none`"]);
    let empty = runs(&["runs/other"]).assert().success().stdout("");
    empty.stderr("there are no run folders in `runs/other`\n");
}

/// The event files of a run, oldest first.
fn events(run: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(run.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_training_that_goes_on_begins_a_new_event_file() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let train = |args: &[&str]| {
        let mut train = rnnsearch(["train", "-q", "--run"]);
        train.arg(&run).arg(&config).args(args).assert().success();
    };
    train(&["--set", "training.max_epochs=1"]);
    let first = fs::read(&events(&run)[0]).unwrap();
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for part in ["brain.Event:2", "training/loss", "validation/bleu", "translation/3", "alignment/3"] {
        assert!(holds(&first, part.as_bytes()), "{part}");
    }
    train(&["--resume", "--set", "training.max_epochs=2"]);
    let files = events(&run);
    assert_eq!((files.len(), fs::read(&files[0]).unwrap() == first), (2, true), "the first one is left alone");
    // Step 31 and SessionLog { status: START }.
    assert!(holds(&fs::read(&files[1]).unwrap(), &[0x10, 31, 0x3a, 0x02, 0x08, 0x01]));
    train(&["--overwrite", "--set", "training.max_epochs=1", "--set", "training.tensorboard=false"]);
    assert!(!run.join("tensorboard").exists());
}

#[cfg(unix)]
#[test]
fn a_training_goes_on_where_events_cannot_be_written() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let mut train = rnnsearch(["train", "-q", "--set", "training.max_epochs=1", "--run"]);
    train.arg(&run).arg(&config).assert().success();
    fs::remove_dir_all(run.join("tensorboard")).unwrap();
    fs::write(run.join("tensorboard"), "").unwrap();
    let mut resume = rnnsearch(["train", "-q", "--resume", "--set", "training.max_epochs=2", "--run"]);
    let output = resume.arg(&run).arg(&config).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && told.starts_with("warning: cannot write events into `") && told.lines().count() == 1,
        "{told}"
    );
}
