//! A training that is killed again and again ends as one that is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::common::{PROGRAM, corpus};

/// Validations, checkpoints and lines of the log fall on different updates.
const SETTINGS: [&str; 9] = [
    "training.max_epochs=5",
    "training.validate_every=7",
    "training.checkpoint_every=5",
    "training.log_every=3",
    "training.keep_checkpoints=2",
    "training.patience=0",
    "training.schedule.patience=0",
    "validation.max_sentences=2",
    "validation.samples=0",
];

/// Starts a training, or goes on with it.
fn start(config: &Path, run: &Path) -> Child {
    let mut train = Command::new(PROGRAM);
    train.args(["train", "-q", "--threads", "1"]).arg(config).arg("--run").arg(run);
    train.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
    if run.join("config.toml").exists() {
        train.arg("--resume");
    }
    train.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a training came to.
struct Results {
    model: Vec<u8>,
    /// Without what clocks say.
    metrics: Vec<Value>,
    /// The weights and averages of every checkpoint.
    checkpoints: Vec<(PathBuf, Vec<u8>)>,
}

fn results(run: &Path) -> Results {
    let untimed = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        let fields = record.as_object_mut().unwrap();
        fields.retain(|name, _| !["tokens_per_second", "seconds", "elapsed"].contains(&name.as_str()));
        record
    };
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let folders = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let tensors = |folder: PathBuf| {
        ["parameters.safetensors", "optimizer.safetensors"].map(|name| {
            let file = folder.join(name);
            (file.strip_prefix(run).unwrap().to_owned(), fs::read(&file).unwrap())
        })
    };
    let mut checkpoints: Vec<(PathBuf, Vec<u8>)> = folders.flat_map(tensors).collect();
    checkpoints.sort();
    let model = fs::read(run.join("model.safetensors")).unwrap();
    Results { model, metrics: metrics.lines().map(untimed).collect(), checkpoints }
}

/// Fails if a process ended in any other way than by being killed or being done.
fn check_end(child: Child, case: &str) -> bool {
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() || output.status.code().is_none(), "{case}: {told}");
    assert_eq!(told, "", "{case}");
    output.status.success()
}

/// `RNNSEARCH_KILLS` says how often; `scripts/faults` does it more often than this.
#[cfg(unix)]
#[test]
fn a_training_may_be_killed_at_any_instant() {
    let kills: u64 = std::env::var("RNNSEARCH_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let (folder, config) = corpus();
    let reference = folder.path().join("reference");
    let begin = Instant::now();
    assert!(check_end(start(&config, &reference), "the reference"));
    let longest = begin.elapsed().mul_f64(0.7);
    let expected = results(&reference);

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut random = seed;
    let (mut killed, mut trainings) = (0, 0);
    while killed < kills {
        let run = folder.path().join(format!("run-{trainings}"));
        trainings += 1;
        loop {
            let case = format!("seed {seed}, training {trainings}, kill {killed}");
            let mut child = start(&config, &run);
            if killed < kills {
                // The high bits of Knuth's generator are random enough.
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                std::thread::sleep(longest.mul_f64((random >> 40) as f64 / (1u64 << 24) as f64));
                child.kill().unwrap();
            }
            if check_end(child, &case) {
                break;
            }
            killed += 1;
        }
        let found = results(&run);
        assert!(found.model == expected.model, "another model: seed {seed}, {killed} kills");
        assert_eq!(found.metrics, expected.metrics, "other metrics: seed {seed}, {killed} kills");
        assert!(found.checkpoints == expected.checkpoints, "other checkpoints: seed {seed}, {killed} kills");
    }
    eprintln!("{killed} kills in {trainings} trainings, each at a random instant of its first {longest:?}");
}
