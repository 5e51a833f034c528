//! Models with other kinds of attention and other decoders: all that is done with the usual ones.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{FIXTURE, assert_fails, contents, corpus, rnnsearch, stdout};

/// Trains a model with these settings, for so many updates.
fn train(config: &Path, run: &Path, settings: &[&str], updates: usize) -> assert_cmd::Command {
    let updates = format!("training.max_updates={updates}");
    let mut train = rnnsearch(["train", "-q", "--threads", "1", "--set", &updates, "--run"]);
    train.arg(run).arg(config).args(settings.iter().flat_map(|setting| ["--set", setting]));
    train
}

fn monotonic() -> (tempfile::TempDir, PathBuf) {
    let (folder, config) = corpus();
    let run = folder.path().join("monotonic");
    let settings = ["model.attention=monotonic", "model.decoder=conditional", "model.input_feeding=true"];
    train(&config, &run, &settings, 20).assert().success();
    (folder, run)
}

#[test]
fn such_a_model_is_used_like_any_other() {
    let (folder, run) = monotonic();
    let info = stdout(rnnsearch(["info"]).arg(&run));
    assert!(info.contains("monotonic, 16 units") && info.contains("conditional, fed with the readout"), "{info}");
    let text = "the cat sees a red book.\nthe dog likes a blue hat.\n";
    let json = stdout(rnnsearch(["translate", "--json"]).arg(&run).write_stdin(text));
    for line in json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let rows = line["alignment"].as_array().unwrap();
        assert_eq!(rows.len(), line["target_tokens"].as_array().unwrap().len());
        // It is hard once it is trained.
        let weights = rows.iter().flat_map(|row| row.as_array().unwrap()).map(|weight| weight.as_f64().unwrap());
        assert!(weights.into_iter().all(|weight| weight == 0.0 || weight == 1.0), "{line}");
    }
    let [source, target] = ["valid.en", "valid.fr"].map(|name| folder.path().join(name));
    let pair = |command: &str| {
        let mut command = rnnsearch([command]);
        command.arg(&run).arg("--source").arg(&source).arg("--target").arg(&target);
        command
    };
    for options in [&[][..], &["--no-balance", "--symmetrize", "forward"]] {
        let links = stdout(pair("align").args(options));
        assert_eq!(links.lines().count(), fs::read_to_string(&source).unwrap().lines().count());
    }
    assert_eq!(stdout(&mut pair("score")).lines().count(), 20);
    let picture = folder.path().join("picture.svg");
    let sentence = ["--source", "the cat sees a red book.", "--output"];
    rnnsearch(["heatmap"]).arg(&run).args(sentence).arg(&picture).assert().success();
    assert!(fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    let together = stdout(rnnsearch(["translate", "--ensemble"]).arg(&run).arg(&FIXTURE.run).write_stdin(text));
    assert_eq!(together.lines().count(), 2);
    let file = folder.path().join("small.safetensors");
    let exported = rnnsearch(["export", "--quantize", "int8"]).arg(&run).arg(&file).assert().success();
    let told = String::from_utf8(exported.get_output().stderr.clone()).unwrap();
    assert!(told.contains("products stay those of floats"), "{told}");
    assert_eq!(stdout(rnnsearch(["translate"]).arg(&file).write_stdin(text)).lines().count(), 2);
    let mut listed = rnnsearch(["export", "--shortlist", "-q"]);
    assert_fails(listed.arg(&run).arg(folder.path().join("listed")), 1, &["never be used", "leave out --shortlist"]);
    let pinned = r#"{"text": "the cat sees a red book.", "pin": "0-0"}"#;
    let mut steered = rnnsearch(["translate", "--jsonl"]);
    assert_fails(steered.arg(&run).write_stdin(pinned), 1, &["\"monotonic\"", "cannot be steered"]);
}

#[test]
fn a_model_with_coverage_is_used_like_any_other() {
    let (folder, config) = corpus();
    let run = folder.path().join("coverage");
    let settings = ["model.attention=coverage", "model.attention_options.max_fertility=3", "model.decoder=conditional"];
    train(&config, &run, &settings, 20).assert().success();
    let info = stdout(rnnsearch(["info"]).arg(&run));
    assert!(info.contains("coverage, 16 units"), "{info}");
    let text = "the cat sees a red book.\nthe dog likes a blue hat.\na bird wants a black boat.\n";
    let translated = |options: &[&str]| stdout(rnnsearch(["translate"]).args(options).arg(&run).write_stdin(text));
    let together = translated(&["--beam", "4", "--json"]);
    assert_eq!(translated(&["--beam", "4", "--json", "--batch", "1"]), together);
    let pinned = r#"{"text": "the cat sees a red book.", "pin": "0-0"}"#;
    rnnsearch(["translate", "--jsonl"]).arg(&run).write_stdin(pinned).assert().success();
    for form in ["float16", "int8"] {
        let file = folder.path().join(form);
        rnnsearch(["export", "-q", "--quantize", form]).arg(&run).arg(&file).assert().success();
        assert_eq!(stdout(rnnsearch(["translate"]).arg(&file).write_stdin(text)).lines().count(), 3);
    }
    let mut other = train(&config, &folder.path().join("other"), &["model.attention_options.max_fertility=3"], 1);
    assert_fails(&mut other, 2, &["only `coverage` has `max_fertility`"]);
}

/// It is trained by the fused kernels and translates by the packed network, in floats and in integers.
#[test]
fn a_layer_normalised_model_is_used_like_any_other() {
    let (folder, config) = corpus();
    let text = "the cat sees a red book.\nthe dog likes a blue hat.\n";
    for decoder in ["gru", "conditional"] {
        let run = folder.path().join(decoder);
        let decoder = format!("model.decoder={decoder}");
        train(&config, &run, &["model.layer_norm=true", &decoder], 20).assert().success();
        let info = stdout(rnnsearch(["info"]).arg(&run));
        assert_eq!(info.matches(", layer-normalised").count(), 2, "{info}");
        let translated = stdout(rnnsearch(["translate", "--threads", "1"]).arg(&run).write_stdin(text));
        assert_eq!(translated.lines().count(), 2);
        assert_eq!(stdout(rnnsearch(["translate", "--threads", "2"]).arg(&run).write_stdin(text)), translated);
        let file = folder.path().join("small.safetensors");
        let exported =
            rnnsearch(["export", "--overwrite", "--quantize", "int8"]).arg(&run).arg(&file).assert().success();
        let told = String::from_utf8(exported.get_output().stderr.clone()).unwrap();
        assert!(!told.contains("products stay those of floats"), "{told}");
        assert_eq!(stdout(rnnsearch(["translate"]).arg(&file).write_stdin(text)).lines().count(), 2);
    }
    // Gains are weights: those of a model without them do not fit.
    let run = folder.path().join("from");
    let mut other = train(&config, &run, &["model.layer_norm=true"], 1);
    assert_fails(other.arg("--from").arg(&FIXTURE.run), 2, &["`model.layer_norm` is true", "make it false"]);
}

/// What attention draws belongs to the update, and the baseline of hard attention to the checkpoint.
#[test]
fn chance_is_the_same_when_a_training_goes_on() {
    let (folder, config) = corpus();
    for (kind, others) in [("hard", "model.decoder=conditional"), ("monotonic", "model.input_feeding=true")] {
        let [whole, halves] = ["whole", "halves"].map(|name| folder.path().join(format!("{kind}-{name}")));
        let kind = format!("model.attention={kind}");
        let settings =
            [&kind, others, "training.checkpoint_every=3", "training.validate_every=6", "validation.max_sentences=2"];
        train(&config, &whole, &settings, 6).assert().success();
        train(&config, &halves, &settings, 3).assert().success();
        train(&config, &halves, &settings, 6).arg("--resume").assert().success();
        let parameters = |run: &Path| {
            let files = contents(&run.join("checkpoints")).into_iter();
            let mut files: Vec<_> =
                files.filter(|(path, _)| path.components().any(|c| c.as_os_str() == "00000006")).collect();
            files.retain(|(path, bytes)| !bytes.is_empty() && path.extension().is_some_and(|e| e == "safetensors"));
            assert!(!files.is_empty());
            files.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
        };
        assert!(parameters(&whole) == parameters(&halves), "{kind}");
    }
}
