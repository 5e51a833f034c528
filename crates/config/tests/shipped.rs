//! The configurations of `configs/`: they load, each line of them changes something, and the paper's is the paper's.

use std::path::PathBuf;

use rnnsearch_config::*;
use toml::{Table, Value};

fn folder() -> PathBuf {
    PathBuf::from("../../configs")
}

fn load(name: &str) -> Config {
    Config::load_for_training(&folder().join(name), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// All files of `configs/`.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "only {files:?} were found");
    files
}

#[test]
fn every_file_can_be_trained() {
    for file in files() {
        if let Err(error) = Config::load_for_training(&file, &[]) {
            panic!("{error}");
        }
    }
}

#[test]
fn every_line_differs_from_the_default() {
    let default: Table = Config::default().to_toml().unwrap().parse().unwrap();
    for file in files() {
        let given: Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        let repeated = repeated(&given, &default);
        assert!(repeated.is_empty(), "{} repeats the default of {repeated:?}", file.display());
    }
}

#[test]
fn every_line_of_a_preset_differs_from_the_default() {
    let default: Table = Config::default().to_toml().unwrap().parse().unwrap();
    for preset in Preset::ALL {
        let given: Table = preset.toml().parse().unwrap();
        let repeated = repeated(&given, &default);
        assert!(repeated.is_empty(), "{preset:?} repeats the default of {repeated:?}");
    }
}

#[test]
fn a_preset_is_what_its_lines_say() {
    for preset in Preset::ALL {
        let name = format!("preset = {:?}\n", preset.name());
        let lines = Config::from_toml(preset.toml(), &[]).unwrap();
        assert_eq!(Config::from_toml(&name, &[]).unwrap(), lines);
        assert_eq!(Config::from_toml("", &[format!("preset={}", preset.name())]).unwrap(), lines);
        // What is set beside it goes before it, and leaves what else it says.
        let file = format!("{name}[model]\nattention_hidden = 44\n");
        let config = Config::from_toml(&file, &["training.seed=9".into()]).unwrap();
        assert_eq!((config.model.attention_hidden, config.training.seed), (44, 9));
        let rest = |mut config: Config| {
            (config.model.attention_hidden, config.training.seed) = (1, 1);
            config
        };
        assert_eq!(rest(config), rest(lines));
    }
    let last = Config::from_toml("preset = \"tiny\"\n", &["preset=paper".into()]).unwrap();
    assert_eq!(last, Config::from_toml(Preset::Paper.toml(), &[]).unwrap());
}

/// The keys of `given` with their default value.
fn repeated(given: &Table, default: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in given {
        match (value, default.get(key)) {
            (Value::Table(given), Some(Value::Table(default))) => keys.extend(repeated(given, default)),
            (given, Some(default)) if given == default => keys.push(key.clone()),
            _ => {}
        }
    }
    keys
}

#[test]
fn the_quickstart_needs_no_other_data() {
    let config = load("quickstart.toml");
    let data = folder().canonicalize().unwrap().join("../data/quickstart").canonicalize().unwrap();
    assert_eq!(config.data.train[0].source.as_ref().unwrap().canonicalize().unwrap(), data.join("train.en"));
    for corpus in config.data.train.iter().chain(&config.data.validation) {
        for path in [&corpus.source, &corpus.target] {
            assert!(path.as_ref().unwrap().is_file(), "{path:?} is missing");
        }
    }
}

#[test]
fn both_directions_of_multi30k_differ_in_nothing_but_direction() {
    let (forth, mut back) = (load("multi30k-de-en.toml"), load("multi30k-en-de.toml"));
    std::mem::swap(&mut back.data.source_language, &mut back.data.target_language);
    for corpus in back.data.train.iter_mut().chain(&mut back.data.validation) {
        std::mem::swap(&mut corpus.source, &mut corpus.target);
    }
    assert_eq!(forth, back);
}

/// The sizes and the budget of the comparison with other toolkits.
#[test]
fn multi30k_is_what_others_are_compared_with() {
    let config = load("multi30k-de-en.toml");
    let model = &config.model;
    let sizes = [model.embedding, model.encoder_hidden, model.decoder_hidden, model.attention_hidden, model.readout];
    assert_eq!(sizes, [256; 5]);
    assert_eq!((config.tokenizer.kind, config.tokenizer.joint), (TokenizerKind::Bpe, true));
    assert_eq!((config.tokenizer.vocabulary, config.training.max_epochs), (8000, 15));
}

/// Sections 4 and B of the paper; where a default happens to be the paper's, it has to stay that.
#[test]
fn the_papers_recipe_is_the_papers() {
    let config = load("rnnsearch-50.toml");
    let (tokenizer, model, training) = (&config.tokenizer, &config.model, &config.training);
    assert_eq!((tokenizer.kind, tokenizer.joint), (TokenizerKind::Wordlevel, false));
    assert_eq!((tokenizer.vocabulary, tokenizer.lowercase), (30_000 + 4, false));
    assert_eq!((model.embedding, model.encoder_hidden, model.decoder_hidden), (620, 1000, 1000));
    assert_eq!((model.attention_hidden, model.readout), (1000, 500));
    assert_eq!((model.encoder_layers, model.decoder_layers), (1, 1));
    assert_eq!((model.attention, model.reset), (Attention::Additive, Reset::Before));
    assert_eq!((model.initialization, model.share_embeddings, model.tie_output), (Initialization::Paper, false, false));
    let dropout = &model.dropout;
    assert_eq!([dropout.embedding, dropout.recurrent, dropout.hidden, dropout.readout], [0.0; 4]);
    let optimizer = &training.optimizer;
    assert_eq!((optimizer.kind, optimizer.rho, optimizer.epsilon), (OptimizerKind::Adadelta, 0.95, 1e-6));
    assert_eq!((optimizer.learning_rate, optimizer.weight_decay), (1.0, 0.0));
    assert_eq!((training.schedule.kind, training.schedule.warmup), (ScheduleKind::Constant, 0));
    assert_eq!((training.clip_norm, training.label_smoothing), (1.0, 0.0));
    assert_eq!((training.batch_by, training.batch_size, training.sort_batches), (BatchBy::Sentences, 80, 20));
    assert_eq!((config.data.max_length, training.max_updates), (50, 288_000));
    assert!(config.translation.beam_size > 1);
}

#[test]
fn the_papers_models_differ_in_attention_and_time_alone() {
    let (search, mut fixed) = (load("rnnsearch-50.toml"), load("rnnencdec-50.toml"));
    assert_eq!((fixed.model.attention, fixed.training.max_updates), (Attention::None, 600_000));
    fixed.model.attention = search.model.attention;
    fixed.model.attention_hidden = search.model.attention_hidden;
    fixed.training.max_updates = search.training.max_updates;
    assert_eq!(search, fixed);
}
