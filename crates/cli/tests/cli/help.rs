//! What the program says of itself.

use crate::common::{assert_fails, rnnsearch, stdout};

#[test]
fn help_is_what_it_was() {
    let commands = [
        "",
        "train",
        "translate",
        "align",
        "heatmap",
        "evaluate",
        "plot",
        "runs",
        "score",
        "rerank",
        "export",
        "info",
        "corpus",
        "corpus stats",
        "corpus check",
        "corpus clean",
        "config",
        "completions",
        "man",
    ];
    for command in commands {
        let help = stdout(&mut rnnsearch(command.split_terminator(' ').chain(["--help"])));
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}");
        insta::assert_snapshot!(format!("help {command}").trim().replace(' ', "_"), help);
    }
}

#[test]
fn short_help_and_version() {
    let help = stdout(&mut rnnsearch(["train", "-h"]));
    assert!(help.lines().count() < stdout(&mut rnnsearch(["train", "--help"])).lines().count());
    assert_eq!(stdout(&mut rnnsearch(["--version"])), format!("rnnsearch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_is_code_two() {
    assert_fails(&mut rnnsearch(["trane"]), 2, &["unrecognized subcommand 'trane'", "train"]);
    assert_fails(&mut rnnsearch(["train"]), 2, &["<CONFIG>"]);
    assert_fails(&mut rnnsearch(["train", "x.toml", "--resume", "--overwrite"]), 2, &["cannot be used with"]);
    assert_fails(&mut rnnsearch(["translate", "m", "--beam", "0"]), 2, &["0 is not in 1..=1000"]);
    assert_fails(&mut rnnsearch(["translate", "m", "--device", "gpu"]), 2, &["unknown device `gpu`", "wgpu"]);
    assert_fails(&mut rnnsearch(["translate", "m", "--threads", "0"]), 2, &["--threads"]);
    assert_fails(&mut rnnsearch(["score", "m", "--source", "a", "--target", "b", "-q", "-v"]), 2, &["--verbose"]);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&mut rnnsearch(["completions", shell]));
        for word in ["heatmap", "evaluate", "n-best", "overwrite"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_fails(&mut rnnsearch(["completions", "dos"]), 2, &["bash"]);
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let page = stdout(&mut rnnsearch(["man"]));
    assert!(page.contains(".TH") && page.contains("rnnsearch\\-train") && page.contains("Exit codes"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let man1 = folder.path().join("share/man1");
    rnnsearch(["man", "--output"]).arg(&man1).assert().success();
    let mut names: Vec<String> =
        std::fs::read_dir(&man1).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    insta::assert_snapshot!(names.join("\n"));
    let train = std::fs::read_to_string(man1.join("rnnsearch-train.1")).unwrap();
    assert!(train.contains("\\-\\-resume") && train.contains("Examples"));
}
