//! The same input gives the same output: whatever the batch, the order, the process, the device.

use std::fs;
use std::path::Path;

use rnnsearch_config::Precision;
use serde_json::Value;

use crate::common::{FIXTURE, corpus, rnnsearch, stdout, test_sources, with_model};

#[test]
fn batches_and_order_do_not_matter() {
    let mut lines: Vec<String> = test_sources().into_iter().take(60).collect();
    // Lengths of all kinds, and characters that the model has not seen.
    lines[3] = "hat".into();
    lines[17] = format!("{} and {} and {}", lines[1], lines[2], lines[4]);
    lines[40] = "der Öltanker, 3.14 € & <b>\u{4f60}\u{597d}</b>".into();
    lines[50] = String::new();
    let translate = |lines: &[String], batch: &str| -> Vec<String> {
        let mut command = with_model("translate", ["--json", "--n-best", "2", "--batch", batch]);
        stdout(command.write_stdin(lines.join("\n") + "\n")).lines().map(str::to_owned).collect()
    };
    let alone: Vec<String> = translate(&lines, "1");
    assert_eq!(alone.len(), 60);
    for batch in ["7", "64"] {
        assert_eq!(translate(&lines, batch), alone, "batches of {batch}");
    }
    lines.reverse();
    let mut reversed = translate(&lines, "64");
    reversed.reverse();
    assert_eq!(reversed, alone);
    let mut single = with_model("translate", ["--json", "--n-best", "2"]);
    let own: Vec<String> = stdout(single.write_stdin(lines[0].clone())).lines().map(str::to_owned).collect();
    assert_eq!(own[0], alone[59]);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (folder, config) = corpus();
    let again = folder.path().join("again");
    rnnsearch(["train", "-q", "--threads", "1", "--run"]).arg(&again).arg(&config).assert().success();
    let same = fs::read(again.join("model.safetensors")).unwrap() == FIXTURE.model();
    assert!(same, "two trainings with one seed differ");
    let other = folder.path().join("other");
    rnnsearch(["train", "-q", "--seed", "2", "--run"]).arg(&other).arg(&config).assert().success();
    assert!(fs::read(other.join("model.safetensors")).unwrap() != FIXTURE.model());
}

/// A short training on a device.
fn short_training(config: &Path, run: &Path, device: &str) -> assert_cmd::Command {
    let settings = ["training.max_updates=4", "training.log_every=1", "validation.max_sentences=2"];
    let mut train = rnnsearch(["train", "-q", "--device", device, "--run"]);
    train.arg(run).arg(config).args(settings.iter().flat_map(|setting| ["--set", setting]));
    train
}

/// The losses that a training reported.
fn reported(run: &Path) -> Vec<f64> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
}

/// Losses of a short training on a device; none if the machine has no such device.
fn losses(config: &Path, run: &Path, device: &str) -> Option<Vec<f64>> {
    let mut train = short_training(config, run, device);
    train.args(["--set", "training.precision=float32"]);
    if device == "wgpu" {
        software_vulkan(&mut train, run);
    }
    let output = train.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    if device == "wgpu" && message.contains("no usable graphics adapter") {
        assert_eq!(output.status.code(), Some(1));
        assert!(message.contains("mesa-vulkan-drivers"), "{message}");
        return None;
    }
    assert!(output.status.success(), "{device}: {message}");
    Some(reported(run))
}

/// Where there is no graphics card, Mesa's software adapter serves, if it is installed.
fn software_vulkan(command: &mut assert_cmd::Command, run: &Path) {
    let driver = Path::new("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json");
    if driver.exists() {
        command.env("VK_ICD_FILENAMES", driver);
    }
    command.env("XDG_RUNTIME_DIR", run.parent().unwrap());
}

#[test]
fn devices_agree() {
    let (folder, config) = corpus();
    let flex = losses(&config, &folder.path().join("flex"), "flex").unwrap();
    // Four updates and a validation.
    assert_eq!(flex.len(), 5);
    assert!(flex[3] < flex[0]);
    for device in ["ndarray", "wgpu"] {
        let Some(other) = losses(&config, &folder.path().join(device), device) else {
            eprintln!("skipped: this machine has no graphics adapter for `{device}`");
            continue;
        };
        assert_eq!(other.len(), flex.len());
        for (a, b) in flex.iter().zip(&other) {
            assert!((a - b).abs() < 1e-3 * a, "flex {flex:?}\n{device} {other:?}");
        }
    }
}

#[test]
fn precisions_agree() {
    let (folder, config) = corpus();
    let run = |name: &str| folder.path().join(name);
    short_training(&config, &run("32"), "cpu").args(["--set", "training.precision=float32"]).assert().success();
    for (precision, flag) in [(Precision::Float16, "avx512_fp16"), (Precision::Bfloat16, "amx_bf16")] {
        let setting = format!("training.precision={}", precision.name());
        let in_16_bits = |name: &str, threads: &str| {
            let mut train = short_training(&config, &run(name), "cpu");
            train.args(["--set", &setting, "--threads", threads]).output().unwrap()
        };
        let (alone, threads) = (precision.name(), format!("{}-threads", precision.name()));
        let output = in_16_bits(alone, "1");
        if output.status.code() == Some(2) {
            let has_instructions = fs::read_to_string("/proc/cpuinfo").is_ok_and(|cpu| cpu.contains(flag));
            assert!(!has_instructions || precision == Precision::Bfloat16, "a system may keep its tiles to itself");
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.contains(precision.needs().unwrap()) && told.contains("\"float32\""), "{told}");
            assert!(!run(alone).exists(), "a training that cannot begin leaves nothing");
            continue;
        }
        assert!(output.status.success() && in_16_bits(&threads, "3").status.success());
        let model = |name: &str| fs::read(run(name).join("model.safetensors")).unwrap();
        assert!(model(alone) == model(&threads), "threads make a difference");
        let (exact, rounded) = (reported(&run("32")), reported(&run(alone)));
        assert!(exact != rounded && exact.len() == rounded.len());
        assert!(exact.iter().zip(&rounded).all(|(a, b)| (a - b).abs() < 4e-3 * a), "{exact:?}\n{rounded:?}");
    }
    // A graphics card has no such products; or there is none.
    let mut train = short_training(&config, &run("wgpu"), "wgpu");
    software_vulkan(&mut train, &run("wgpu"));
    let output = train.args(["--set", "training.precision=float16"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("training.precision") || told.contains("no usable graphics adapter"), "{told}");
    assert!(!output.status.success() && !run("wgpu").exists(), "{told}");
}
