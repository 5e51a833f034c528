//! `config`, `export` and `info`.

use std::fs;

use serde_json::Value;

use crate::common::{FIXTURE, assert_fails, contents, corpus, rnnsearch, stdout, with_model};

#[test]
fn the_default_configuration_is_valid_once_it_has_a_corpus() {
    let (folder, _) = corpus();
    let config = folder.path().join("default.toml");
    fs::write(&config, stdout(&mut rnnsearch(["config", "default"]))).unwrap();
    assert_fails(rnnsearch(["config", "check"]).arg(&config), 2, &["data.train"]);
    let resolved = stdout(rnnsearch(["config", "check"]).arg(&config).args([
        "--set",
        "data.train=[{ source = \"train.en\", target = \"train.fr\" }]",
        "--set",
        "data.validation={ source = \"valid.en\", target = \"valid.fr\" }",
        "--set",
        "training.seed=7",
    ]));
    assert!(resolved.contains("seed = 7") && resolved.contains(folder.path().to_str().unwrap()), "{resolved}");
}

#[test]
fn the_schema_is_json() {
    let schema: Value = serde_json::from_str(&stdout(&mut rnnsearch(["config", "schema"]))).unwrap();
    assert_eq!(schema["properties"]["training"]["properties"]["seed"]["type"], "integer");
}

#[test]
fn a_wrong_configuration_is_shown_with_its_place() {
    let (folder, config) = corpus();
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("embedding = 16\n", "embeding = 16\n")).unwrap();
    let before = contents(folder.path());
    for command in ["config check", "train"] {
        let mut command = rnnsearch(command.split(' '));
        let says = ["tiny.toml:", "there is no setting `model.embeding`", "did you mean `model.embedding`?"];
        assert_fails(command.arg(&config).current_dir(folder.path()), 2, &says);
    }
    assert_fails(
        rnnsearch(["config", "check"]).arg(folder.path().join("none.toml")),
        2,
        &["none.toml", "No such file"],
    );
    let set = ["--set", "training.batch_size=0"];
    assert_fails(rnnsearch(["train"]).arg(&config).args(set), 2, &["--set training.batch_size=0", "from 1 to"]);
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn an_exported_model_is_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let export = || {
        let mut export = rnnsearch(["export"]);
        export.arg(&FIXTURE.run).arg(&file);
        export
    };
    export().assert().success().stdout("").stderr(predicates::str::contains("model.safetensors"));
    assert_eq!(fs::read(&file).unwrap(), FIXTURE.model());
    let translate =
        |model: &std::path::Path| stdout(rnnsearch(["translate"]).arg(model).write_stdin("the dog likes a red hat.\n"));
    assert_eq!(translate(&file), translate(&FIXTURE.run));

    fs::write(&file, "mine").unwrap();
    assert_fails(&mut export(), 2, &["model.safetensors` exists", "--overwrite"]);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    export().args(["--overwrite", "--quiet"]).assert().success().stderr("");
    assert_eq!(fs::read(&file).unwrap(), FIXTURE.model());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn info_tells_what_a_model_is() {
    let text = stdout(&mut with_model("info", []));
    for line in ["languages   en to fr", "vocabulary  bpe, 310 for both languages", "encoder     1 x 2 x 16 units"] {
        assert!(text.contains(line), "{text}");
    }
    let info: Value = serde_json::from_str(&stdout(&mut with_model("info", ["--json"]))).unwrap();
    assert_eq!((&info["format"], &info["source_vocabulary"]), (&1.into(), &310.into()));
    assert_eq!(info["model"]["readout"], 16);
    // Counted by hand: 310 words on both sides, m = n = n' = l = 16, reset after.
    let (words, m, n) = (310, 16, 16);
    let gru = |inputs: u64| 3 * (inputs * n + n * n + n) + n;
    let encoder = 2 * gru(m);
    let decoder = gru(m) + 3 * 2 * n * n + n * n + n;
    let attention = n * n + 2 * n * n + n;
    let readout = 2 * n * (n + m + 2 * n);
    let least = 2 * words * m + encoder + decoder + attention + readout + n * words + words;
    let parameters = info["parameters"].as_u64().unwrap();
    assert!((least..least + 200).contains(&parameters), "{parameters} parameters, expected some {least}");
}
