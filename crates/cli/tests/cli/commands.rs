//! `config`, `export` and `info`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{FIXTURE, assert_fails, contents, corpus, rnnsearch, stdout, test_sources, with_model};

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
fn exported_models_can_be_smaller_and_quicker() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.safetensors");
    let export = |from: &Path, args: &[&str]| {
        let mut export = rnnsearch(["export"]);
        export.arg(from).arg(&file).args(args);
        export
    };
    let info = || -> Value { serde_json::from_str(&stdout(rnnsearch(["info", "--json"]).arg(&file))).unwrap() };
    let translate = |model: &Path, args: &[&str]| {
        stdout(rnnsearch(["translate"]).arg(model).args(args).write_stdin(test_sources().join("\n")))
    };
    let full = translate(&FIXTURE.run, &[]);
    export(&FIXTURE.run, &["--quantize", "float16"]).assert().success();
    assert_eq!((&info()["weights"], &info()["shortlist"]), (&"16-bit floats".into(), &Value::Null));
    assert_eq!(translate(&file, &[]), full);

    let int8 = ["--quantize", "int8", "--shortlist", "30", "--frequent", "40", "--threads", "1", "--overwrite"];
    let learnt = predicates::str::contains("learnt a shortlist from 300 pairs");
    export(&FIXTURE.run, &int8).assert().success().stdout("").stderr(learnt);
    assert_eq!((&info()["weights"], &info()["shortlist"]), (&"8-bit integers".into(), &serde_json::json!([44, 30])));
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.len() < FIXTURE.model().len());
    let same = |found: &str| found.lines().zip(full.lines()).filter(|(a, b)| a == b).count();
    let count = test_sources().len();
    for args in [&[][..], &["--beam", "1"], &["--no-shortlist"]] {
        let found = same(&translate(&file, args));
        // So small a network is rounded coarsely.
        assert!(found * 10 >= count * 7, "{args:?}: {found} of {count} translations are the same");
    }
    // An exported model does not know its corpus.
    let exported = folder.path().join("exported.safetensors");
    fs::copy(FIXTURE.run.join("model.safetensors"), &exported).unwrap();
    assert_fails(&mut export(&exported, &int8), 2, &["no run folder", "--source and --target"]);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let [source, target] = ["train.en", "train.fr"].map(|name| FIXTURE.folder.join(name));
    let corpus = ["--source", source.to_str().unwrap(), "--target", target.to_str().unwrap()];
    export(&exported, &[&int8[..], &corpus].concat()).assert().success();
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert_fails(&mut export(&exported, &corpus), 2, &["--shortlist"]);
    assert_fails(&mut export(&exported, &["--quantize", "int4"]), 2, &["int4", "float16, int8"]);
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
