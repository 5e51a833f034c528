//! Whole trainings, tiny ones: stopped, resumed, and on disks that fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::prelude::*;
use rnnsearch_config::{Config, CorpusConfig, Reading};
use rnnsearch_corpus::{Batch as PaddedBatch, Dataset, Pairs, UNK};
use rnnsearch_decoder::{Values, parameters};
use rnnsearch_inference::{Model, Translator};
use serde_json::Value;
use tempfile::TempDir;

use crate::average_checkpoints;
use crate::cache;
use crate::disk::faults::{self, Fault};
use crate::opposite::Opposite;
use crate::{Ending, Observer, Outcome, Prepared, Progress, RunFolder, Start, TrainingError, ValidationReport, train};

/// Twelve updates, four an epoch. Validations, checkpoints and lines of the log fall on different updates.
const SETTINGS: &str = r#"
[tokenizer]
kind = "char"
vocabulary = 8

[model]
embedding = 4
encoder_hidden = 4
decoder_hidden = 4
attention_hidden = 4
readout = 4

[training]
max_epochs = 3
batch_size = 3
validate_every = 3
checkpoint_every = 4
log_every = 5
tensorboard = false
patience = 0
schedule.patience = 0
optimizer.learning_rate = 0.02

[validation]
max_sentences = 2
samples = 0
"#;

/// A corpus and a run folder.
struct Place {
    folder: TempDir,
    config: Config,
    /// What was warned of.
    warnings: Vec<String>,
}

/// Listens to a training, and may stop it.
struct Listener<'a> {
    warnings: &'a mut Vec<String>,
    stop_at: Option<u64>,
    stop: Arc<AtomicBool>,
}

impl Observer for Listener<'_> {
    fn message(&mut self, _: &str) {}

    fn detail(&mut self, _: &str) {}

    fn warning(&mut self, text: &str) {
        self.warnings.push(text.into());
    }

    fn prepared(&mut self, _: &Prepared) {}

    fn went_back(&mut self, _: u64) {}

    fn progress(&mut self, progress: &Progress) {
        if self.stop_at == Some(progress.update) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn validated(&mut self, _: &ValidationReport) {}
}

/// What a training came to, but for what clocks have to do with.
#[derive(PartialEq)]
struct Results {
    model: Vec<u8>,
    metrics: Vec<Value>,
    checkpoints: BTreeMap<PathBuf, Vec<u8>>,
}

impl Place {
    fn new(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = [["a", "ab", "ba", "bab"], ["c", "cd", "dc", "dcd"]];
        for (side, words) in ["source", "target"].iter().zip(words) {
            let text: String = (0..12).map(|i| format!("{}{}\n", words[i % 4], words[i / 3])).collect();
            fs::write(folder.path().join(side), text).unwrap();
            let other: String = words.iter().map(|word| format!("{word}{word}{word}\n")).collect();
            fs::write(folder.path().join(format!("other-{side}")), other).unwrap();
        }
        let corpus = |name: &str| -> String {
            let file = |side: &str| folder.path().join(format!("{name}{side}")).to_str().unwrap().to_owned();
            format!("source = {:?}\ntarget = {:?}\n", file("source"), file("target"))
        };
        let text = format!("[[data.train]]\n{}[data.validation]\n{}{SETTINGS}", corpus(""), corpus("other-"));
        Self { folder, config: with(&text, settings), warnings: Vec::new() }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// What one process does, which may be told to stop after an update.
    fn train(&mut self, start: Start, stop_at: Option<u64>) -> Result<Outcome, TrainingError> {
        let mut run = RunFolder::open(&self.run(), start, &self.config)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut listener = Listener { warnings: &mut self.warnings, stop_at, stop: Arc::clone(&stop) };
        train(&self.config, &mut run, &Device::flex(), &mut listener, &stop)
    }

    /// Begins, or goes on where something is.
    fn go_on(&mut self, stop_at: Option<u64>) -> Result<Outcome, TrainingError> {
        let start = if self.run().join("config.toml").exists() { Start::Resume } else { Start::New };
        self.train(start, stop_at)
    }

    /// What the training has come to; nothing else may be in its folder.
    fn results(&self) -> Results {
        let mut names: Vec<String> = names(&self.run());
        names.sort();
        let data = names.iter().position(|name| cache::is_data(Path::new(name))).expect("the text as ids is there");
        names.remove(data);
        assert_eq!(
            names,
            ["checkpoints", "config.toml", "lock", "log.txt", "metrics.jsonl", "model.safetensors", "tokenizer.json"]
        );
        let metrics = fs::read_to_string(self.run().join("metrics.jsonl")).unwrap();
        let mut checkpoints = BTreeMap::new();
        for folder in names_with_paths(&self.run().join("checkpoints")) {
            for file in names_with_paths(&folder) {
                let bytes = fs::read(&file).unwrap();
                checkpoints.insert(file.strip_prefix(self.run()).unwrap().to_owned(), without_clocks(&file, bytes));
            }
        }
        Results {
            model: fs::read(self.run().join("model.safetensors")).unwrap(),
            metrics: metrics.lines().map(|line| untimed(serde_json::from_str(line).unwrap())).collect(),
            checkpoints,
        }
    }
}

fn with(text: &str, settings: &[&str]) -> Config {
    let settings: Vec<String> = settings.iter().map(|setting| setting.to_string()).collect();
    Config::from_toml(text, &settings).unwrap()
}

fn names_with_paths(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    names_with_paths(folder).into_iter().map(name).collect()
}

/// The length of the metrics depends on how many digits a time has, and the manifest on that.
fn without_clocks(file: &Path, bytes: Vec<u8>) -> Vec<u8> {
    match file.file_name().unwrap().to_str().unwrap() {
        "manifest.json" => Vec::new(),
        "state.json" => {
            let mut state: Value = serde_json::from_slice(&bytes).unwrap();
            state["metrics_len"] = Value::Null;
            state.to_string().into_bytes()
        }
        _ => bytes,
    }
}

fn untimed(mut record: Value) -> Value {
    ["tokens_per_second", "seconds", "elapsed"]
        .iter()
        .for_each(|clock| drop(record.as_object_mut().unwrap().remove(*clock)));
    record
}

/// What a training without any incident comes to.
fn undisturbed(settings: &[&str]) -> Results {
    let mut place = Place::new(settings);
    assert_eq!(place.train(Start::New, None).unwrap().ending, Ending::Finished);
    place.results()
}

fn assert_same(found: &Results, expected: &Results, after: &str) {
    assert!(found.model == expected.model, "another model after {after}");
    assert_eq!(found.metrics, expected.metrics, "other metrics after {after}");
    let names = |result: &Results| result.checkpoints.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "other checkpoints after {after}");
    assert!(found.checkpoints == expected.checkpoints, "checkpoints hold something else after {after}");
}

/// Stops after each update and the one after it, and compares with a training that does not. Returns what that came to.
fn stop_after_any_update(settings: &[&str], updates: u64) -> Results {
    let expected = undisturbed(settings);
    for update in 1..updates {
        let mut place = Place::new(settings);
        place.train(Start::New, Some(update)).unwrap();
        let second = place.train(Start::Resume, Some(update + 1)).unwrap();
        let last = place.train(Start::Resume, None).unwrap();
        assert_eq!((last.ending, last.update, last.best.is_some()), (Ending::Finished, updates, true));
        assert_same(&place.results(), &expected, &format!("stops at {update} and {}", second.update));
    }
    expected
}

#[test]
fn a_training_may_stop_after_any_update() {
    assert_eq!(stop_after_any_update(&[], 12).metrics.len(), 2 + 4);
}

#[test]
fn averages_and_parts_of_batches_may_stop_too() {
    let settings =
        ["training.average=0.9", "training.accumulate=2", "training.max_batch_tokens=10", "training.max_epochs=12"];
    let expected = stop_after_any_update(&settings, 24);
    let averages = expected.checkpoints.keys().filter(|file| file.ends_with("average.safetensors"));
    assert_eq!(averages.count(), 2);
}

#[test]
fn a_training_that_teaches_alignments_may_stop_too() {
    let terms = ["guided_decay=0.5", "guide_unlinked=true", "coverage=0.3", "doubly_stochastic=0.2", "entropy=0.1"];
    let terms = terms.map(|term| format!("training.alignment.{term}"));
    let settings: Vec<&str> = terms.iter().map(String::as_str).chain(["training.alignment.learn_links=true"]).collect();
    let expected = stop_after_any_update(&settings, 12);
    let told = expected.metrics.iter().filter(|line| line["alignment_loss"].as_f64().is_some_and(|loss| loss > 0.0));
    assert_eq!(told.count(), 2);
}

/// A model that writes the source of the usual corpus, trained with these settings.
fn opposite(settings: &[&str]) -> Place {
    let mut place = Place::new(settings);
    for corpus in place.config.data.train.iter_mut().chain(&mut place.config.data.validation) {
        std::mem::swap(&mut corpus.source, &mut corpus.target);
    }
    place.train(Start::New, None).unwrap();
    place
}

fn agreeing_with(model: &Path) -> String {
    format!("training.alignment.agree_with={model:?}")
}

#[test]
fn a_training_that_agrees_may_stop_too() {
    let opposite = opposite(&[]);
    let agree = agreeing_with(&opposite.run());
    let settings = [
        &agree,
        "training.alignment.agreement=0.5",
        "training.alignment.read=next",
        "training.accumulate=2",
        "training.max_batch_tokens=10",
        "training.max_epochs=6",
    ];
    let expected = stop_after_any_update(&settings, 12);
    let told = expected.metrics.iter().filter(|line| line["alignment_loss"].is_f64());
    assert_eq!(told.count(), 2);
    let other = undisturbed(&[&settings[..], &["training.alignment.agreement_form=difference"]].concat());
    assert!(other.model != expected.model);
}

/// Whatever step tells of a token in either model; padding and a tag are told nothing of.
#[test]
fn the_other_model_tells_of_a_batch_what_it_tells_when_forced() {
    let mut place = Place::new(&[]);
    let corpus = &mut place.config.data.train[0];
    corpus.tag = Some("new".into());
    std::mem::swap(&mut corpus.source, &mut corpus.target);
    place.train(Start::New, None).unwrap();
    let mut model = Model::load(&place.run()).unwrap();
    let texts = [("ab", "dcdc"), ("babab", "c"), ("ba", "dd")];
    let file = place.folder.path().join("texts.tsv");
    fs::write(&file, texts.map(|(source, target)| format!("{source}\t{target}\n")).concat()).unwrap();
    let vocabularies = model.vocabularies.clone();
    let dataset = |tag: Option<&str>| {
        let corpus = CorpusConfig { tsv: Some(file.clone()), tag: tag.map(str::to_owned), ..CorpusConfig::default() };
        let pairs: Vec<_> = Pairs::open(std::slice::from_ref(&corpus)).unwrap().map(Result::unwrap).collect();
        Dataset::for_validation(&pairs, &vocabularies, &corpus).unwrap()
    };
    for (here, there) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let reading = [Reading::Previous, Reading::Next];
        model.config.training.alignment.read = reading[there];
        let file = place.folder.path().join("other.safetensors");
        model.save(&file).unwrap();
        place.config.training.alignment.agree_with = Some(file);
        place.config.training.alignment.read = reading[here];
        let opposite = Opposite::load(&place.config, &Device::flex()).unwrap().unwrap();
        opposite.check_tokens(&vocabularies).unwrap();
        let translator = Translator::new(Model::load(opposite.path()).unwrap(), &Device::flex());
        for (tags, dataset) in [(0, dataset(None)), (1, dataset(Some("new")))] {
            let batch = PaddedBatch::new(&dataset, &[0, 1, 2]);
            let told = opposite.alignments(&batch);
            let (columns, src_len) = (batch.source.sequences(), batch.source.longest);
            assert_eq!(told.len(), batch.target_out.longest * columns * src_len);
            let mut seen = 0;
            for (column, &index) in batch.indices.iter().enumerate() {
                let (source, target) = texts[index as usize];
                let forced = translator.force(&[(target, source)], 1).remove(0).1.unwrap();
                for (j, row) in forced.rows().enumerate().take(forced.rows().count() - there) {
                    for (i, expected) in row.iter().enumerate().take(row.len() - here) {
                        let found = told[((i + here) * columns + column) * src_len + tags + j].unwrap();
                        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                        seen += 1;
                    }
                }
            }
            assert_eq!(told.iter().flatten().count(), seen, "something is told of what is not there");
        }
    }
}

#[test]
fn a_model_that_cannot_be_agreed_with_is_named() {
    let back = opposite(&[]);
    let agree = agreeing_with(&back.run());
    let error = |settings: &[&str], start: Start| {
        let mut place = Place::new(&[&[agree.as_str()], settings].concat());
        place.train(start, None).unwrap_err().to_string()
    };
    let says = error(&["tokenizer.lowercase=true"], Start::New);
    assert!(says.contains(" reads other tokens than this training writes. Train it on the same corpora"), "{says}");
    let separate = ["tokenizer.joint=false", "tokenizer.kind=bpe", "tokenizer.vocabulary=262"];
    let says = error(&separate, Start::New);
    assert!(says.contains("other tokens"), "{says}");
    // With vocabularies apart, the other direction has them exchanged.
    let apart = opposite(&separate);
    let mut place = Place::new(&[&separate[..], &[&agreeing_with(&apart.run())]].concat());
    place.train(Start::New, None).unwrap();
    let fixed = opposite(&["model.attention=none", "model.attention_hidden=256"]);
    let mut place = Place::new(&[&agreeing_with(&fixed.run())]);
    let says = place.train(Start::New, None).unwrap_err().to_string();
    assert!(says.contains("has no attention"), "{says}");
    let named = ["data.source_language=en", "data.target_language=fr"];
    let mut same = Place::new(&named);
    same.train(Start::New, None).unwrap();
    let mut place = Place::new(&[&named[..], &[&agreeing_with(&same.run())]].concat());
    let says = place.train(Start::New, None).unwrap_err().to_string();
    assert!(says.contains("from `en` to `fr`, as this training does"), "{says}");
    let missing = agreeing_with(&place.folder.path().join("none"));
    Place::new(&[&missing]).train(Start::New, None).unwrap_err();

    let mut place = Place::new(&[&agree]);
    place.train(Start::New, Some(2)).unwrap();
    let mut inside = Place::new(&[]);
    inside.train(Start::New, None).unwrap();
    inside.config.training.alignment.agree_with = Some(inside.run());
    let says = inside.train(Start::Overwrite, None).unwrap_err().to_string();
    assert!(says.contains("which training.alignment.agree_with names, is in the run folder"), "{says}");
    // Another model in its place.
    let other = opposite(&["training.seed=2"]);
    fs::copy(other.run().join("model.safetensors"), back.run().join("model.safetensors")).unwrap();
    let says = place.train(Start::Resume, None).unwrap_err().to_string();
    assert!(says.contains("is another model than when checkpoint `"), "{says}");
    // Wherever the same one is, and whoever has left it or takes it up.
    place.config.training.alignment.agree_with = None;
    place.train(Start::Resume, Some(4)).unwrap();
    place.config.training.alignment.agree_with = Some(other.run());
    place.train(Start::Resume, Some(6)).unwrap();
    place.config.training.alignment.agree_with = Some(back.run());
    place.train(Start::Resume, None).unwrap();
    assert!(Model::load(&place.run()).unwrap().config.training.alignment.agree_with.is_none());
}

#[test]
fn words_that_are_cut_dropped_and_told_anew_may_stop_too() {
    let settings = [
        "tokenizer.kind=bpe",
        "tokenizer.vocabulary=272",
        "training.bpe_dropout=0.4",
        "training.scheduled_sampling.rate=0.5",
        "training.scheduled_sampling.warmup=8",
        "model.dropout.source_words=0.1",
        "model.dropout.target_words=0.2",
        "training.r_drop=3",
    ];
    let all = stop_after_any_update(&settings, 12);
    for (number, setting) in settings.iter().enumerate().skip(2) {
        let without: Vec<&str> = settings.iter().filter(|other| *other != setting).copied().collect();
        // A warm-up of nothing is a mistake.
        let without = if number == 3 { &without[..3] } else { &without[..] };
        assert!(undisturbed(without).model != all.model, "{setting} does nothing");
    }
}

#[test]
fn a_training_that_learns_from_risk_may_stop_too() {
    let settings = ["training.minimum_risk.samples=4", "training.minimum_risk.likelihood=0.1", "training.max_epochs=4"];
    let expected = stop_after_any_update(&settings, 16);
    let risks: Vec<f64> = expected.metrics.iter().filter_map(|line| line["risk"].as_f64()).collect();
    assert!(risks.len() == 3 && risks.iter().all(|risk| (0.0..1.0).contains(risk)), "{risks:?}");
}

/// Of a model that knows something.
#[test]
fn risk_falls() {
    let steady = ["model.dropout.embedding=0", "model.dropout.hidden=0", "model.dropout.readout=0"];
    let mut knowing = Place::new(&[&steady[..], &["training.max_epochs=60"]].concat());
    knowing.train(Start::New, None).unwrap();
    let from = format!("training.from={:?}", knowing.run());
    let risky = ["training.minimum_risk.samples=12", "training.minimum_risk.utility=chrf", "training.max_epochs=30"];
    let mut place = Place::new(&[&steady[..], &risky, &[&from]].concat());
    place.train(Start::New, None).unwrap();
    let risks: Vec<f64> = place.results().metrics.iter().filter_map(|line| line["risk"].as_f64()).collect();
    // Candidates count alike, and each once: some are always bad.
    let last = risks[risks.len() - 8..].iter().sum::<f64>() / 8.0;
    assert!(last < 0.8 * risks[0], "{risks:?}");
}

#[test]
fn frozen_parts_stay_as_they_were() {
    let mut place = Place::new(&[]);
    place.train(Start::New, None).unwrap();
    let before = parameters_of(&place);
    let from = format!("training.from={:?}", place.run());
    for (parts, expected) in [
        ("[\"source-embedding\", \"encoder\"]", &["source_embedding", "encoder"][..]),
        ("[\"decoder\", \"target-embedding\"]", &["bridge", "decoder", "target_embedding"]),
        ("[\"attention\", \"readout\", \"output\"]", &["attention", "readout", "output"]),
    ] {
        let mut place = Place::new(&[&from, &format!("training.freeze={parts}"), "training.max_epochs=1"]);
        place.train(Start::New, None).unwrap();
        for (name, values) in parameters_of(&place) {
            let frozen = expected.contains(&name.split('.').next().unwrap());
            assert_eq!(values == before[&name], frozen, "{name} with {parts} frozen");
        }
    }
}

/// A text with letters of its own, and a tag.
#[test]
fn a_vocabulary_grows_with_another_text() {
    let mut first = Place::new(&[]);
    first.train(Start::New, None).unwrap();
    let known = Model::load(&first.run()).unwrap();
    let from = format!("training.from={:?}", first.run());
    let settings = [from.as_str(), "training.grow_vocabulary=3"];
    let other = |settings: &[&str]| {
        let mut place = Place::new(settings);
        for (side, word) in [("source", "bef"), ("target", "gcf")] {
            fs::write(place.folder.path().join(side), format!("{word}\n").repeat(12)).unwrap();
        }
        place.config.data.train[0].tag = Some("new".into());
        place
    };
    let refused = other(&settings[..1]).train(Start::New, None).unwrap_err().to_string();
    assert!(refused.contains("set training.grow_vocabulary"), "{refused}");
    let mut place = other(&settings);
    place.train(Start::New, None).unwrap();
    let grown = Model::load(&place.run()).unwrap();
    let [before, after] = [&known, &grown].map(|model| model.vocabularies.source.vocab_size());
    assert_eq!((before, after), (8, 8 + 1 + 3));
    assert!(grown.vocabularies.source.encode_ids("befgcab").iter().all(|&id| id != UNK));
    assert_eq!(grown.vocabularies.source.encode_ids("abcd"), known.vocabularies.source.encode_ids("abcd"));
    // It begins where the other ended: with steps of nothing the known rows are the same.
    let mut still = other(
        &[&settings[..], &["training.optimizer.learning_rate=1e-30", "training.schedule.min_learning_rate=0"]].concat(),
    );
    still.train(Start::New, None).unwrap();
    let (before, after) = (parameters_of(&first), parameters_of(&still));
    assert_eq!(after["source_embedding"].1[..8 * 4], before["source_embedding"].1[..]);
    let unknown = &before["source_embedding"].1[UNK as usize * 4..][..4];
    // After the tag, which nothing stood for.
    assert!(after["source_embedding"].1[9 * 4..].chunks(4).all(|row| row == unknown));
    // Resumed, even before there is a checkpoint, it is the same.
    let mut resumed = other(&settings);
    resumed.train(Start::New, Some(5)).unwrap();
    fs::remove_dir_all(resumed.run().join("checkpoints")).unwrap();
    fs::remove_file(resumed.run().join("model.safetensors")).unwrap();
    resumed.train(Start::Resume, None).unwrap();
    assert!(parameters_of(&resumed) == parameters_of(&place));
}

fn parameters_of(place: &Place) -> BTreeMap<String, Values> {
    parameters(&Model::load(&place.run()).unwrap().network(&Device::flex()))
}

const UNFINISHED_DATA: &str = "unfinished-data-0123456789abcdef0123456789abcdef.bin";

/// Neither links that are learnt nor the seed that they follow from are text.
#[test]
fn links_may_be_learnt_from_some_update_on() {
    let mut place = Place::new(&[]);
    place.train(Start::New, Some(5)).unwrap();
    place.config.training.alignment.learn_links = true;
    place.train(Start::Resume, Some(7)).unwrap();
    place.config.training.seed += 1;
    assert_eq!(place.train(Start::Resume, None).unwrap().ending, Ending::Finished);
}

/// Weight decay of so much at such a rate multiplies the weights by -999 an update.
const EXPLODING: [&str; 9] = [
    "training.optimizer.kind=adamw",
    "training.optimizer.learning_rate=1000",
    "training.optimizer.weight_decay=1",
    "training.schedule.kind=constant",
    "training.checkpoint_every=2",
    "training.keep_checkpoints=50",
    "training.recovery.after=2",
    "training.recovery.attempts=9",
    "training.recovery.factor=0.0001",
];

#[test]
fn a_training_that_explodes_goes_back_and_may_stop_too() {
    // `schedule.patience` is for the schedule of the other trainings.
    let settings = [&EXPLODING[..], &["training.schedule.patience=1", "training.max_epochs=5"]].concat();
    let expected = stop_after_any_update(&settings, 20);
    let recoveries: Vec<&Value> = expected.metrics.iter().filter(|line| line["kind"] == "recovery").collect();
    assert!(!recoveries.is_empty() && recoveries.len() < 9, "{recoveries:?}");
    let mut place = Place::new(&settings);
    place.train(Start::New, None).unwrap();
    let told = |what: &str| place.warnings.iter().filter(|warning| warning.contains(what)).count();
    assert_eq!((told("going back to update "), told("is left out")), (recoveries.len(), 2 * recoveries.len()));
}

#[test]
fn events_tell_where_a_training_goes_back() {
    let mut place =
        Place::new(&[&EXPLODING[..], &["training.schedule.patience=1", "training.tensorboard=true"]].concat());
    place.train(Start::New, None).unwrap();
    let [file] = &names_with_paths(&place.run().join("tensorboard"))[..] else { panic!("one process, one file") };
    // SessionLog { status: START }, which comes at the beginning too.
    let starts = fs::read(file).unwrap().windows(4).filter(|bytes| *bytes == [0x3a, 0x02, 0x08, 0x01]).count();
    let went_back = place.warnings.iter().filter(|warning| warning.contains("going back to update ")).count();
    assert!(went_back > 0);
    assert_eq!(starts, 1 + went_back);
}

/// It goes back to where its epoch had more batches than it has now.
#[test]
fn a_training_goes_back_to_smaller_batches() {
    let mut recovered = 0;
    for stop in 3..12 {
        let settings = ["training.schedule.patience=1", "training.batch_size=1", "training.recovery.factor=1e-5"];
        let mut place = Place::new(&[&EXPLODING[..6], &settings].concat());
        place.config.training.recovery.after = 1;
        place.train(Start::New, Some(stop)).unwrap();
        place.warnings.clear();
        place.config.training.batch_size = 100;
        place.train(Start::Resume, None).unwrap();
        let first = format!("update {} is left out", stop + 1);
        recovered += place.warnings.iter().filter(|warning| warning.contains(&first)).count();
    }
    assert!(recovered > 0);
}

#[test]
fn a_training_gives_up_in_the_end() {
    let hopeless = ["training.schedule.patience=1", "training.recovery.attempts=2", "training.recovery.factor=1"];
    let settings = [&EXPLODING[..7], &hopeless].concat();
    let mut place = Place::new(&settings);
    let error = place.train(Start::New, None).unwrap_err().to_string();
    assert!(error.contains("not finite in 2 updates in a row") && error.contains("learning rate 2 times"), "{error}");
    // It says so again, unless told to do something else.
    assert_eq!(place.train(Start::Resume, None).unwrap_err().to_string(), error);
    place.config.training.optimizer.learning_rate = 0.001;
    place.train(Start::Resume, None).unwrap();
    let mut at_once = Place::new(&[&settings[..], &["training.recovery.attempts=0"]].concat());
    let error = at_once.train(Start::New, None).unwrap_err().to_string();
    assert!(error.contains("not finite in 2 updates in a row") && !error.contains("times"), "{error}");
}

/// A batch of an epoch, the same in parts, and the same in several batches: the same sum.
#[test]
fn parts_of_a_batch_add_up_to_it() {
    let train = |settings: &[&str]| {
        let always = [
            "training.optimizer.kind=sgd",
            "training.optimizer.learning_rate=0.5",
            "training.log_every=1",
            "training.validate_every=0",
            "model.dropout={ embedding = 0.0, hidden = 0.0, readout = 0.0 }",
            "model.tie_output=true",
            "training.max_epochs=6",
        ];
        let results = undisturbed(&[&always[..], settings].concat());
        let losses = results.metrics.iter().map(|line| line["loss"].as_f64().unwrap()).collect::<Vec<f64>>();
        assert_eq!(losses.len(), 6 + 6);
        (losses, results.model)
    };
    let (whole, model) = train(&["training.batch_size=12"]);
    assert!(whole[10] < whole[0]);
    let ways =
        [["training.batch_size=12", "training.max_batch_tokens=9"], ["training.batch_size=3", "training.accumulate=4"]];
    for way in ways {
        let (parts, other) = train(&way);
        assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-5), "{way:?}: {whole:?} {parts:?}");
        // They are rounded in another order, so something was done in another way.
        assert!(other != model, "{way:?}");
    }
}

#[test]
fn what_looks_wrong_is_told_once_and_kept() {
    let mut place = Place::new(&[]);
    place.config.data.validation = Some(place.config.data.train[0].clone());
    place.train(Start::New, Some(2)).unwrap();
    place.train(Start::Resume, Some(4)).unwrap();
    let [warning] = &place.warnings[..] else { panic!("{:?}", place.warnings) };
    assert!(warning.starts_with("12 of 12 validation pairs are in the training text too"), "{warning}");
    assert!(warning.contains("source:1 at ") && warning.contains("source:1: "), "{warning}");
    let warning = warning.clone();
    place.warnings.clear();
    assert!(!place.writes_data(Start::Overwrite, Some(2)), "the text is there");
    assert_eq!(place.warnings, [warning.as_str()]);
    place.train(Start::Resume, Some(4)).unwrap();
    let log = fs::read_to_string(place.run().join("log.txt")).unwrap();
    assert_eq!((log.matches(&warning).count(), log.matches("memory needed: about ").count()), (1, 2), "{log}");
}

#[test]
fn a_training_may_begin_with_a_model() {
    let mut first = Place::new(&[]);
    first.train(Start::New, None).unwrap();
    let from = format!("training.from={:?}", first.run().to_str().unwrap());
    let weights = |place: &Place| -> Vec<f32> {
        let model = Model::load(&place.run()).unwrap();
        model.parameters().values().flat_map(|parameter| parameter.floats().into_owned()).collect()
    };
    let still = [
        "training.optimizer.kind=sgd",
        "training.optimizer.learning_rate=1e-30",
        "training.schedule.min_learning_rate=0",
    ];
    let mut second = Place::new(&[&[from.as_str(), "training.max_updates=3"][..], &still].concat());
    second.config.data = first.config.data.clone();
    second.train(Start::New, None).unwrap();
    assert!(weights(&second) == weights(&first));
    let text = fs::read_to_string(second.run().join("model.safetensors").with_file_name("config.toml")).unwrap();
    assert!(text.contains("from = "), "{text}");
    // Whenever it stops, and be it before the first checkpoint.
    stop_after_any_update(&[&from, "training.checkpoint_every=5"], 12);
    let error = |settings: &[&str], start: Start| {
        let mut place = Place::new(settings);
        place.train(start, None).unwrap_err().to_string()
    };
    let says = error(&[&from, "model.embedding=5"], Start::New);
    assert!(says.contains("`model.embedding` is 5 in the configuration, and 4 in `"), "{says}");
    let says = error(&[&from, "tokenizer.lowercase=true"], Start::New);
    assert!(says.contains("`tokenizer.lowercase` is true in the configuration, and false in `"), "{says}");
    error(&["training.from=/no/such/model"], Start::New);
    let resumed = first.train(Start::Resume, None).map(|outcome| outcome.update);
    assert_eq!(resumed.unwrap(), 12);
    first.config.training.from = Some(first.run().join("model.safetensors"));
    let says = first.train(Start::Resume, None).unwrap_err().to_string();
    assert!(says.contains("[training.from] differs"), "{says}");
    let says = first.train(Start::Overwrite, None).unwrap_err().to_string();
    assert!(says.contains("is in the run folder that --overwrite deletes"), "{says}");
}

#[test]
fn checkpoints_are_averaged() {
    let mut place = Place::new(&["training.keep_checkpoints=3"]);
    place.train(Start::New, None).unwrap();
    let average = |count: usize| average_checkpoints(&place.run(), count);
    let weights = |model: &Model| -> Vec<f32> {
        model.parameters().values().flat_map(|parameter| parameter.floats().into_owned()).collect()
    };
    let mut expected = vec![0.0; weights(&average(1).unwrap()).len()];
    for folder in names_with_paths(&place.run().join("checkpoints")) {
        let bytes = fs::read(folder.join("parameters.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = file.tensors();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let values = tensors.iter().flat_map(|(_, view)| view.data().chunks_exact(4));
        let values = values.map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        expected.iter_mut().zip(values).for_each(|(sum, value)| *sum += value / 3.0);
    }
    let found = weights(&average(3).unwrap());
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    let error = average(4).unwrap_err().to_string();
    assert!(error.contains("has 3 checkpoints, not 4") && error.contains("keep_checkpoints = 4"), "{error}");
    fs::write(place.run().join("checkpoints/00000012/parameters.safetensors"), "x").unwrap();
    let error = average(2).unwrap_err().to_string();
    assert!(error.contains("00000012` is damaged: parameters.safetensors"), "{error}");
}

#[test]
fn what_is_over_stays_over() {
    let mut place = Place::new(&[]);
    place.train(Start::New, None).unwrap();
    let before = place.results();
    assert_eq!(place.train(Start::Resume, None).unwrap().ending, Ending::Finished);
    assert_same(&place.results(), &before, "the end");

    // No validation is better than the first with a rate of next to nothing.
    let mut place = Place::new(&[
        "training.patience=2",
        "training.optimizer.learning_rate=1e-30",
        "training.schedule.min_learning_rate=0",
    ]);
    for start in [Start::New, Start::Resume] {
        let outcome = place.train(start, None).unwrap();
        assert_eq!((outcome.ending, outcome.update), (Ending::EarlyStop, 9));
        assert_eq!(outcome.best.unwrap().update, 3);
    }
    // More patience lets it go on.
    place.config.training.patience = 3;
    let outcome = place.train(Start::Resume, None).unwrap();
    assert_eq!((outcome.ending, outcome.update), (Ending::Finished, 12));
}

#[test]
fn settings_of_a_training_may_change() {
    let mut place = Place::new(&[]);
    place.train(Start::New, Some(7)).unwrap();
    // The epoch has one batch now, where it stopped in the third.
    place.config.training.batch_size = 100;
    place.config.training.max_epochs = 4;
    let outcome = place.train(Start::Resume, None).unwrap();
    assert_eq!((outcome.ending, outcome.update), (Ending::Finished, 7 + 3));
    // It is over where it stopped: that still makes a model, and does so once.
    let mut place = Place::new(&["training.validate_every=100"]);
    place.train(Start::New, Some(6)).unwrap();
    assert!(!place.run().join("model.safetensors").exists());
    place.config.training.max_updates = 5;
    for _ in 0..2 {
        let outcome = place.train(Start::Resume, None).unwrap();
        assert_eq!((outcome.ending, outcome.update), (Ending::Finished, 6));
        assert_eq!(place.results().metrics.len(), 2);
    }
}

/// Every operation on files fails, alone or with all after it: the error names it, and then all goes on as if nothing had been.
/// Each in both ways with `RNNSEARCH_FAULTS=all` (`scripts/faults`), which takes twice as long.
#[test]
fn any_operation_on_files_may_fail() {
    let all = std::env::var("RNNSEARCH_FAULTS").is_ok_and(|faults| faults == "all");
    let expected = undisturbed(&[]);
    faults::plan(None);
    let mut place = Place::new(&[]);
    place.train(Start::New, None).unwrap();
    let (operations, _) = faults::done();
    assert!(operations.len() > 100, "{}", operations.len());
    for number in 0..operations.len() {
        let faults = [Fault::Once, Fault::ForGood];
        for fault in if all { &faults[..] } else { &faults[number % 2..][..1] } {
            fail_and_go_on(number, *fault, &expected);
        }
    }
}

fn fail_and_go_on(number: usize, fault: Fault, expected: &Results) {
    let mut place = Place::new(&[]);
    faults::plan(Some((number, fault)));
    let error = place.train(Start::New, None).expect_err("it has failed").to_string();
    let (_, struck) = faults::done();
    let (action, path) = struck.unwrap();
    let case = format!("operation {number}, {fault:?}: {action} {}", path.display());
    assert!(error.contains(&format!("cannot {action} `{}`: ", path.display())), "{case}: {error}");
    let full = action.starts_with("write");
    assert_eq!(error.contains("Make room there, and go on with --resume"), full, "{case}: {error}");
    faults::plan(None);
    place.go_on(None).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_same(&place.results(), expected, &case);
    assert_eq!(place.warnings, [""; 0], "{case}");
}

/// Process after process dies, each after more operations on files than the one before.
#[test]
fn processes_may_die_one_after_another() {
    let exploding = [&EXPLODING[..], &["training.schedule.patience=1", "training.max_epochs=5"]].concat();
    for (settings, first, step) in [(&[][..], 1, 1), (&[], 30, 7), (&[], 50, 0), (&exploding, 53, 1)] {
        let expected = undisturbed(settings);
        let mut place = Place::new(settings);
        let mut deaths = 0;
        loop {
            let fault = if deaths % 2 == 0 { Fault::ForGood } else { Fault::Once };
            faults::plan(Some((first + step * deaths, fault)));
            if place.go_on(None).is_ok() {
                break;
            }
            deaths += 1;
            assert!(deaths < 300, "it gets nowhere");
        }
        faults::plan(None);
        assert!(deaths > 2, "{deaths}");
        place.go_on(None).unwrap();
        assert_same(&place.results(), &expected, &format!("{deaths} deaths"));
    }
}

/// Whatever is wrong with the newest checkpoint, the one before leads to the same end.
#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let expected = undisturbed(&[]);
    let stopped = || {
        let mut place = Place::new(&[]);
        place.train(Start::New, Some(8)).unwrap();
        place
    };
    let newest = |place: &Place| place.run().join("checkpoints/00000008");
    for name in names(&newest(&stopped())) {
        let len = fs::read(newest(&stopped()).join(&name)).unwrap().len();
        for at in [0, 8, len / 3, len / 2, len - 1] {
            for cut in [false, true] {
                let mut place = stopped();
                let file = newest(&place).join(&name);
                let mut bytes = fs::read(&file).unwrap();
                bytes[at] ^= 1;
                bytes.truncate(if cut { at } else { len });
                fs::write(&file, bytes).unwrap();
                place.train(Start::Resume, None).unwrap();
                let case = format!("{name}, {} at {at}", if cut { "cut" } else { "a flipped bit" });
                assert_same(&place.results(), &expected, &case);
                let [warning] = &place.warnings[..] else { panic!("{case}: {:?}", place.warnings) };
                assert!(warning.contains("00000008` is damaged (") && warning.contains(&name), "{case}: {warning}");
                assert!(fs::read_to_string(place.run().join("log.txt")).unwrap().contains(warning), "{case}");
            }
        }
    }
}

#[test]
fn nothing_is_trained_from_what_does_not_belong_together() {
    let mut place = Place::new(&[]);
    place.train(Start::New, Some(8)).unwrap();
    let target = place.folder.path().join("target");
    let text = fs::read_to_string(&target).unwrap();
    fs::write(&target, text.replacen('c', "d", 1)).unwrap();
    let error = place.train(Start::Resume, None).unwrap_err();
    assert!(matches!(error, TrainingError::OtherText(_)), "{error}");
    fs::write(&target, text).unwrap();
    fs::rename(place.run().join("checkpoints"), place.run().join("elsewhere")).unwrap();
    let error = place.train(Start::Resume, None).unwrap_err();
    assert!(matches!(error, TrainingError::NoCheckpoint(_)), "{error}");
    fs::rename(place.run().join("elsewhere"), place.run().join("checkpoints")).unwrap();
    fs::remove_file(place.run().join("model.safetensors")).unwrap();
    fs::write(place.run().join("metrics.jsonl"), "").unwrap();
    place.train(Start::Resume, None).unwrap();
    let [metrics, model] = &place.warnings[..] else { panic!("{:?}", place.warnings) };
    assert!(metrics.contains("lines are missing") && model.contains("the model file is gone"), "{metrics} {model}");
    assert!(place.run().join("model.safetensors").exists());
}

/// A folder is overwritten or it is not, whatever happens meanwhile.
#[test]
fn overwriting_may_fail_anywhere() {
    let other = ["training.seed=2"];
    let expected = undisturbed(&other);
    for number in 0.. {
        let mut place = Place::new(&[]);
        place.train(Start::New, Some(8)).unwrap();
        let first = place.config.clone();
        place.config = Place::new(&other).config;
        place.config.data = first.data;
        faults::plan(Some((number, Fault::ForGood)));
        let done = place.train(Start::Overwrite, Some(1)).is_ok();
        faults::plan(None);
        if done {
            assert!(number > 20);
            return;
        }
        // Going on is either refused or goes on with one of them, all of it.
        if let Ok(outcome) = place.go_on(None) {
            assert_eq!(outcome.ending, Ending::Finished);
        }
        place.train(Start::Overwrite, None).unwrap();
        assert_same(&place.results(), &expected, &format!("operation {number}"));
    }
}

impl Place {
    /// The files of examples in a folder, with what is in them.
    fn data(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let data = names(folder).into_iter().filter(|name| cache::is_data(Path::new(name)));
        data.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
    }

    /// What the disk was asked to write.
    fn writes_data(&mut self, start: Start, stop_at: Option<u64>) -> bool {
        faults::plan(None);
        self.train(start, stop_at).unwrap();
        let (done, _) = faults::done();
        done.iter().any(|(action, path)| *action == "write" && cache::is_data(path))
    }
}

#[test]
fn text_is_encoded_once() {
    let mut place = Place::new(&[]);
    assert!(place.writes_data(Start::New, Some(3)));
    let run = place.run();
    let data = Place::data(&run);
    assert_eq!(data.len(), 1);
    assert!(!place.writes_data(Start::Resume, Some(5)));
    // A file that is damaged is made anew, and one that is gone too.
    let name = data.keys().next().unwrap();
    let mut flipped = data[name].clone();
    flipped[20] ^= 1;
    fs::write(run.join(name), flipped).unwrap();
    assert!(place.writes_data(Start::Resume, Some(7)));
    let [warning] = &place.warnings[..] else { panic!("{:?}", place.warnings) };
    assert!(warning.contains(name) && warning.ends_with("is damaged (its checksum is wrong): it is made anew"));
    fs::remove_file(run.join(name)).unwrap();
    assert!(place.writes_data(Start::Resume, Some(9)));
    assert!(Place::data(&run) == data);
    // Another seed changes nothing of the text; other limits do, and other text.
    place.config.training.seed = 9;
    assert!(!place.writes_data(Start::Overwrite, Some(1)));
    place.config.data.max_length = 5;
    assert!(place.writes_data(Start::Overwrite, Some(1)));
    let shorter = Place::data(&run);
    assert!(shorter.len() == 1 && !shorter.contains_key(name));
    let source = place.folder.path().join("source");
    fs::write(&source, fs::read_to_string(&source).unwrap().replacen("ab", "ba", 1)).unwrap();
    assert!(place.writes_data(Start::Overwrite, Some(1)));
    let other = Place::data(&run);
    assert!(other.len() == 1 && other.keys().ne(shorter.keys()));
}

#[test]
fn trainings_may_share_what_they_encode() {
    let mut place = Place::new(&["training.max_updates=1"]);
    let cache = place.folder.path().join("some/cache");
    place.config.data.cache = Some(cache.clone());
    assert!(place.writes_data(Start::New, None));
    assert_eq!((Place::data(&cache).len(), Place::data(&place.run()).len()), (1, 0));
    fs::rename(place.run(), place.folder.path().join("elsewhere")).unwrap();
    assert!(!place.writes_data(Start::New, None), "another training");
    let model = fs::read(place.run().join("model.safetensors")).unwrap();
    // Where the text is kept may change, and does not change the model.
    place.config.data.cache = None;
    assert!(place.writes_data(Start::Resume, None));
    assert!(fs::read(place.run().join("model.safetensors")).unwrap() == model);
    // What a crash left goes, and other files stay.
    for name in [UNFINISHED_DATA, "unfinished-thesis", "thesis.tex"] {
        fs::write(cache.join(name), "x").unwrap();
    }
    place.config.data.cache = Some(cache.clone());
    place.config.data.max_length = 5;
    assert!(place.writes_data(Start::Overwrite, None));
    let is_there = |name: &str| cache.join(name).exists();
    assert!(is_there("thesis.tex") && is_there("unfinished-thesis") && !is_there(UNFINISHED_DATA));
    assert_eq!((Place::data(&cache).len(), Place::data(&place.run()).len()), (2, 0));
}

/// A folder in which a process died while it encoded, or after, is as good as a new one.
#[test]
fn a_training_that_did_not_begin_leaves_no_text() {
    let mut place = Place::new(&[]);
    place.config.training.from = Some(place.folder.path().join("none"));
    place.train(Start::New, None).unwrap_err();
    assert!(!place.run().exists());
    place.config.training.from = None;
    let mut first = Place::new(&[]);
    first.train(Start::New, Some(1)).unwrap();
    fs::create_dir(place.run()).unwrap();
    for (name, bytes) in Place::data(&first.run()) {
        fs::write(place.run().join(format!("unfinished-{name}")), "half").unwrap();
        fs::write(place.run().join(name), bytes).unwrap();
    }
    assert!(!place.writes_data(Start::New, None));
    assert_same(&place.results(), &undisturbed(&[]), "a crash");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let mut place = Place::new(&[]);
    let cache = place.folder.path().join("source");
    place.config.data.cache = Some(cache.clone());
    let error = place.train(Start::New, None).unwrap_err().to_string();
    assert!(error.contains(&format!("cannot write `{}/data-", cache.display())), "{error}");
    let full = TrainingError::file("write", "x/unfinished-data-0123456789abcdef0123456789abcdef.bin");
    let error = full(std::io::Error::from_raw_os_error(28)).to_string();
    assert!(error.ends_with("Make room there, and go on with --resume, or set data.cache to a folder on another disk"));
    let denied = TrainingError::file("create", "x/unfinished-data-0123456789abcdef0123456789abcdef.bin");
    let error = denied(std::io::Error::from_raw_os_error(13)).to_string();
    assert!(error.contains("Set data.cache to a folder that can be written"), "{error}");
}

/// Two corpora of twelve and four pairs.
fn mixed(weights: [f64; 2]) -> Place {
    let mut place = Place::new(&["training.max_epochs=4"]);
    place.config.data.train.push(place.config.data.validation.clone().unwrap());
    (0..2).for_each(|corpus| place.config.data.train[corpus].weight = Some(weights[corpus]));
    place
}

#[test]
fn corpora_with_weights_may_stop_anywhere() {
    let weighted = || {
        let mut place = mixed([0.5, 1.7]);
        place.config.data.temperature = 2.0;
        place
    };
    let mut whole = weighted();
    // 0.5 · 12 + 1.7 · 4 = 12.8 pairs an epoch; in four epochs 12, 13, 13, 13, in batches of three.
    let updates = whole.train(Start::New, None).unwrap().update;
    let log = fs::read_to_string(whole.run().join("log.txt")).unwrap();
    // √12 : √4 by 0.5 : 1.7 is 1.732 : 3.4.
    let lines =
        [("source", 12, 12.8 * 1.7320508 / 5.1320508 / 12.0), ("other-source", 4, 12.8 * 3.4 / 5.1320508 / 4.0)];
    for (file, pairs, times) in lines {
        let line = format!("/{file}: {pairs} pairs, {times:.3} times an epoch");
        assert!(log.contains(&line), "no {line} in {log}");
    }
    for update in 1..updates {
        let mut place = weighted();
        place.train(Start::New, Some(update)).unwrap();
        place.train(Start::Resume, None).unwrap();
        assert_same(&place.results(), &whole.results(), &format!("a stop at {update}"));
    }
    let mut place = weighted();
    place.train(Start::New, Some(2)).unwrap();
    place.config.data.train[0].weight = Some(1.0);
    let error = place.train(Start::Resume, None).unwrap_err().to_string();
    assert!(error.contains("[data] differs"), "{error}");
}

#[test]
fn weights_of_one_change_nothing() {
    let mut plain = mixed([1.0, 1.0]);
    plain.config.data.train.iter_mut().for_each(|corpus| corpus.weight = None);
    let mut weighted = mixed([1.0, 1.0]);
    for place in [&mut plain, &mut weighted] {
        place.train(Start::New, None).unwrap();
    }
    assert_same(&weighted.results(), &plain.results(), "weights of one");
    let mut other = mixed([1.0, 2.0]);
    other.train(Start::New, None).unwrap();
    assert!(other.results().model != plain.results().model);
    let error = mixed([0.01, 0.01]).train(Start::New, None).unwrap_err().to_string();
    assert!(error.contains("less than one pair") && error.contains("`weight`"), "{error}");
}
