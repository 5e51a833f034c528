//! `train`: run folders, stopping and going on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{FIXTURE, PROGRAM, assert_fails, contents, corpus, rnnsearch};

#[test]
fn a_training_tells_what_it_does_and_where_the_model_is() {
    let (folder, config) = corpus();
    let mut train = rnnsearch(["train", "-v", "--set", "training.max_epochs=1"]);
    let output = train.arg(&config).current_dir(folder.path()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{told}");
    let lines = [
        "device cpu",
        "run folder runs/tiny",
        "300 of 300 pairs kept",
        "training on 300 pairs",
        "epoch 1, update 10: loss ",
        "validation after epoch 1, update 30: loss ",
        "  translation ",
        "finished after update 30",
        "best validation: BLEU ",
        "model: runs/tiny/model.safetensors",
        "try it: rnnsearch translate runs/tiny",
    ];
    let mut rest = told.as_str();
    for line in lines {
        let at = rest.find(line).unwrap_or_else(|| panic!("expected `{line}` in order in:\n{told}"));
        rest = &rest[at..];
    }
    let run = folder.path().join("runs/tiny");
    for file in ["config.toml", "tokenizer.json", "model.safetensors", "metrics.jsonl", "log.txt", "checkpoints"] {
        assert!(run.join(file).exists(), "{file}");
    }
}

#[test]
fn the_saved_configuration_trains_the_same_model() {
    let (folder, _) = corpus();
    let again = folder.path().join("again");
    rnnsearch(["train", "-q", "--run"]).arg(&again).arg(FIXTURE.run.join("config.toml")).assert().success();
    assert!(fs::read(again.join("model.safetensors")).unwrap() == FIXTURE.model());
}

#[test]
fn a_training_is_not_overwritten_by_accident() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let train = |args: &[&str]| {
        let mut train = rnnsearch(["train", "-q", "--set", "training.max_epochs=1", "--run"]);
        train.arg(&run).arg(&config).args(args);
        train
    };
    assert_fails(&mut train(&["--resume"]), 1, &["holds no training to resume", "leave out --resume"]);
    assert!(!run.exists());
    train(&[]).assert().success().stderr("");
    let before = contents(&run);
    assert_fails(&mut train(&[]), 1, &["holds a training already", "--resume", "--overwrite"]);
    let other_model = ["--resume", "--set", "model.embedding=17"];
    assert_fails(&mut train(&other_model), 2, &["cannot resume", "[model] differs"]);
    // What is wrong with the new text must not cost the old model.
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("train.fr", "valid.fr")).unwrap();
    assert_fails(&mut train(&["--overwrite"]), 1, &["train.en has 300 lines"]);
    fs::write(&config, text).unwrap();
    let too_large = ["--overwrite", "--set", "tokenizer.vocabulary=20000"];
    assert_fails(&mut train(&too_large), 2, &["tokenizer.vocabulary = 20000"]);
    let too_strict = ["--overwrite", "--set", "data.max_length=2"];
    assert_fails(&mut train(&too_strict), 1, &["no sentence pair is left"]);
    assert_eq!(contents(&run), before);
    train(&["--overwrite", "--seed", "5"]).assert().success();
    assert_ne!(contents(&run), before);

    let strange = folder.path().join("strange");
    fs::create_dir(&strange).unwrap();
    fs::write(strange.join("thesis.tex"), "x").unwrap();
    let mut train = rnnsearch(["train", "--overwrite", "--run"]);
    assert_fails(train.arg(&strange).arg(&config), 1, &["is not empty and no run folder"]);
    assert_eq!(fs::read_dir(&strange).unwrap().count(), 1);
}

/// Starts a training and waits until it makes updates.
fn begin(config: &Path, run: &Path, settings: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut train = Command::new(PROGRAM);
    train.arg("train").arg(config).arg("--run").arg(run);
    train.args(settings.iter().flat_map(|setting| ["--set", setting]));
    let mut child = train.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(", update ") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "the training ended before it began");
    }
    (child, told)
}

fn interrupt(child: &Child) {
    // As Ctrl-C does; but SIGINT may be ignored, if the tests were started in the background.
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_goes_on_as_if_nothing_had_been() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let (mut child, mut told) = begin(&config, &run, &[]);
    interrupt(&child);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut told, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("press Ctrl-C again") && rest.contains("--resume"), "{rest}");
    assert!(rest.contains("stopped after update "), "{rest}");
    let (config_of_run, run_of) = (run.join("config.toml"), run.display());
    let command = format!("rnnsearch train {} --run {run_of} --resume", config_of_run.display());
    assert!(rest.contains(&command), "{rest}");
    let resumed = rnnsearch(["train", "--resume", "--run"]).arg(&run).arg(&config).output().unwrap();
    let told = String::from_utf8(resumed.stderr).unwrap();
    assert!(resumed.status.success() && told.contains("going on from update "), "{told}");
    assert!(fs::read(run.join("model.safetensors")).unwrap() == FIXTURE.model(), "the model is another one");
    let updates = |run: &Path| -> Vec<String> {
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        metrics.lines().map(record).map(|line| format!("{} {}", line["kind"], line["update"])).collect()
    };
    assert_eq!(updates(&run), updates(&FIXTURE.run));
}

#[cfg(unix)]
#[test]
fn two_trainings_do_not_share_a_run_folder() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let (mut child, _told) = begin(&config, &run, &["training.max_epochs=100000", "training.patience=0"]);
    for option in [&[][..], &["--resume"], &["--overwrite"]] {
        let mut second = rnnsearch(["train", "--run"]);
        second.arg(&run).arg(&config).args(["--set", "training.max_epochs=100000", "--set", "training.patience=0"]);
        assert_fails(second.arg("-q").args(option), 1, &["is being trained in by another process"]);
    }
    assert!(child.try_wait().unwrap().is_none(), "the first training still runs");
    child.kill().unwrap();
    child.wait().unwrap();
    // A killed training leaves no lock behind.
    let mut next = rnnsearch(["train", "-q", "--resume", "--set", "training.max_updates=1", "--run"]);
    next.arg(&run).arg(&config).assert().success();
}

#[cfg(unix)]
#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let (folder, config) = corpus();
    let run = folder.path().join("run");
    let script = "trap '' HUP; exec \"$PROGRAM\" train \"$CONFIG\" --run \"$RUN\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env("PROGRAM", PROGRAM).env("CONFIG", &config).env("RUN", &run);
    let mut child = shell.stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(", update ") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0);
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut told, &mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_missing_graphics_adapter_is_explained() {
    if Path::new("/dev/dri").exists() {
        eprintln!("skipped: this machine has a graphics card");
        return;
    }
    let (folder, config) = corpus();
    let before = contents(folder.path());
    let mut train = rnnsearch(["train", "--device", "wgpu"]);
    train.arg(&config).current_dir(folder.path()).env("VK_ICD_FILENAMES", "/nonexistent");
    // Nor is there one through OpenGL.
    train.env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent").env_remove("DISPLAY");
    assert_fails(&mut train, 1, &["no usable graphics adapter", "mesa-vulkan-drivers", "--device cpu"]);
    #[cfg(not(feature = "cuda"))]
    {
        let mut train = rnnsearch(["train", "--device", "cuda"]);
        let says = ["built without CUDA", "--features cuda"];
        assert_fails(train.arg(&config).current_dir(folder.path()), 1, &says);
    }
    assert_eq!(contents(folder.path()), before);
}
