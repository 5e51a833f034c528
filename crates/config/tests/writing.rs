//! The resolved file, the default file and the schema.

use proptest::prelude::*;
use rnnsearch_config::*;

#[test]
fn the_default_file_is_the_default() {
    assert_eq!(Config::from_toml(&default_toml(), &[]).unwrap(), Config::default());
}

#[test]
fn the_default_file_reads_well() {
    insta::assert_snapshot!("default_toml", default_toml());
    assert!(default_toml().lines().all(|line| line.chars().count() <= 100));
}

/// The documentation of the source, taken from its text, must be in the file whatever becomes of the types.
#[test]
fn the_default_file_holds_every_doc_comment() {
    let words = |text: &str| text.split_whitespace().filter(|word| *word != "#").collect::<Vec<_>>().join(" ");
    let file = words(&default_toml());
    let comments = doc_comments(include_str!("../src/settings.rs"));
    assert!(comments.len() > 80, "only {} doc comments were found", comments.len());
    for comment in comments {
        assert!(file.contains(&words(&comment)), "missing: {comment}");
    }
}

/// The doc comments of fields and variants: those that are indented.
fn doc_comments(source: &str) -> Vec<String> {
    let mut comments = Vec::new();
    let mut comment = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("    /// ") {
            comment.push_str(text);
            comment.push(' ');
        } else if !comment.is_empty() {
            comments.push(std::mem::take(&mut comment));
        }
    }
    comments
}

/// Each example that is commented out is a setting with a value it can have.
#[test]
fn the_examples_of_the_default_file_are_right() {
    let file = default_toml();
    let mut seen = 0;
    let mut header = String::new();
    for line in file.lines() {
        if line.starts_with('[') || line.starts_with("# [") {
            header = line.trim_start_matches("# ").to_owned();
        } else if let Some((key, value)) = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")) {
            let Ok(value) = value.parse::<toml::Value>() else { continue };
            let text = format!("{header}\n{key} = {value}\n");
            if let Err(error) = Config::from_toml(&text, &["tokenizer.joint=false".into()]) {
                let error = error.to_string();
                assert!(
                    ["has a `", "names no file", "is for a", "would guide"].iter().any(|known| error.contains(known)),
                    "{error}"
                );
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 1 + 2 + 9 + 9 + 1 + 1 + 1);
}

#[test]
fn the_resolved_file_has_every_setting() {
    let mut config = Config::default();
    config.data.train = vec![CorpusConfig { tsv: Some("/a.tsv".into()), ..CorpusConfig::default() }];
    config.data.validation = Some(CorpusConfig {
        jsonl: Some("/v.jsonl".into()),
        source_field: Some("de".into()),
        target_field: Some("en".into()),
        ..CorpusConfig::default()
    });
    config.tokenizer.joint = false;
    config.tokenizer.source_vocabulary = Some(4000);
    let text = config.to_toml().unwrap();
    insta::assert_snapshot!("resolved_toml", text);
    assert_eq!(Config::from_toml(&text, &[]).unwrap(), config);
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    let schema = json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut keys = Vec::new();
    collect_keys("", &schema, &mut keys);
    insta::assert_snapshot!("schema_keys", keys.join("\n"));

    let full = Config::from_toml(
        "[[data.train]]\ntsv = \"a\"\n[data.validation]\ntsv = \"a\"\n[tokenizer]\njoint = false\n\
         source_vocabulary = 300\ntarget_vocabulary = 300\n",
        &[],
    );
    let written: toml::Table = full.unwrap().to_toml().unwrap().parse().unwrap();
    for key in keys_of(&written) {
        assert!(keys.iter().any(|line| line.split(' ').next() == Some(&key)), "the schema lacks {key}");
    }
}

/// One line a setting: its path, and all the schema says of its value.
fn collect_keys(path: &str, schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{path} takes unknown keys");
        for (key, schema) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            assert!(schema["description"].is_string(), "{path} is not documented");
            collect_keys(&path, schema, keys);
        }
    } else if schema["items"].is_object() {
        collect_keys(path, &schema["items"], keys);
    } else {
        let facts = schema.as_object().unwrap().iter().filter(|(name, _)| *name != "description");
        let facts: Vec<_> = facts
            .map(|(name, value)| match value.as_array() {
                Some(choices) if name == "oneOf" => {
                    choices.iter().map(|choice| choice["const"].as_str().unwrap()).collect::<Vec<_>>().join("|")
                }
                _ => format!("{name}={value}"),
            })
            .collect();
        keys.push(format!("{path} {}", facts.join(" ")));
    }
}

fn keys_of(table: &toml::Table) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in table {
        let inner = match value {
            toml::Value::Table(table) => table,
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => items[0].as_table().unwrap(),
            _ => {
                keys.push(key.clone());
                continue;
            }
        };
        keys.extend(keys_of(inner).iter().map(|below| format!("{key}.{below}")));
    }
    keys
}

fn corpus() -> impl Strategy<Value = CorpusConfig> {
    let path = || "[^\u{0}]{1,12}".prop_map(std::path::PathBuf::from);
    let field = || proptest::option::of("\\PC{1,6}");
    let form = prop_oneof![
        (path(), path()).prop_map(|(source, target)| CorpusConfig {
            source: Some(source),
            target: Some(target),
            ..CorpusConfig::default()
        }),
        path().prop_map(|tsv| CorpusConfig { tsv: Some(tsv), ..CorpusConfig::default() }),
        (path(), field(), field()).prop_map(|(jsonl, source_field, target_field)| CorpusConfig {
            jsonl: Some(jsonl),
            source_field,
            target_field,
            ..CorpusConfig::default()
        }),
    ];
    let (weight, tag) = (proptest::option::of(0.001..1e6), proptest::option::of("[a-zß0-9_.-]{1,5}"));
    (form, weight, tag).prop_map(|(form, weight, tag)| CorpusConfig { weight, tag, ..form })
}

fn data() -> impl Strategy<Value = DataConfig> {
    let unweighted = corpus().prop_map(|corpus| CorpusConfig { weight: None, ..corpus });
    let corpora = (proptest::collection::vec(corpus(), 0..4), proptest::option::of(unweighted));
    let ratio = prop_oneof![Just(0.0), 1.0..1e6];
    let cache = proptest::option::of("/[a-z]{1,5}".prop_map(std::path::PathBuf::from));
    ("\\PC{1,8}", ".{1,8}", corpora, 1..50_usize, 50..100_000_usize, ratio, 0.1..9.0, cache).prop_map(
        |(
            source_language,
            target_language,
            (train, validation),
            min_length,
            max_length,
            max_ratio,
            temperature,
            cache,
        )| DataConfig {
            temperature: if train.len() == 1 { 1.0 } else { temperature },
            cache,
            source_language,
            target_language,
            train,
            validation,
            max_length,
            min_length,
            max_ratio,
            filter: FilterConfig::recommended(),
        },
    )
}

fn tokenizer() -> impl Strategy<Value = TokenizerConfig> {
    use TokenizerKind::*;
    let kind = proptest::sample::select(vec![Bpe, Unigram, Wordpiece, Wordlevel, Char]);
    let side = || proptest::option::of(300..1_000_000_usize);
    (kind, any::<bool>(), 300..1_000_000_usize, side(), side(), 1..=i64::MAX as u64, any::<bool>()).prop_map(
        |(kind, joint, vocabulary, source, target, min_frequency, lowercase)| TokenizerConfig {
            kind,
            joint,
            vocabulary,
            source_vocabulary: source.filter(|_| !joint),
            target_vocabulary: target.filter(|_| !joint),
            min_frequency,
            lowercase,
        },
    )
}

fn model() -> impl Strategy<Value = ModelConfig> {
    let size = || 1..=65_536_usize;
    let rate = || 0.0..1.0;
    let sizes = (size(), size(), size(), size(), size(), 1..=64_usize, 1..=64_usize);
    let dropout = (rate(), rate(), rate(), rate(), any::<bool>()).prop_map(
        |(embedding, recurrent, hidden, readout, variational)| DropoutConfig {
            embedding,
            recurrent,
            hidden,
            readout,
            source_words: readout,
            target_words: hidden,
            variational,
        },
    );
    let reset = proptest::sample::select(vec![Reset::Before, Reset::After]);
    let initialization = proptest::sample::select(vec![Initialization::Paper, Initialization::Xavier]);
    let decoder = proptest::sample::select(vec![Decoder::Gru, Decoder::Conditional]);
    (sizes, dropout, reset, initialization, any::<bool>(), decoder).prop_map(
        |(
            (m, n, states, attention, l, encoder_layers, decoder_layers),
            dropout,
            reset,
            initialization,
            tie_output,
            decoder,
        )| {
            ModelConfig {
                embedding: m,
                encoder_hidden: n,
                decoder_hidden: states,
                attention_hidden: attention,
                readout: if tie_output { m } else { l },
                encoder_layers,
                decoder_layers,
                attention: Attention::Hops,
                decoder,
                input_feeding: tie_output,
                attention_options: AttentionOptions { hops: encoder_layers, ..AttentionOptions::default() },
                reset,
                layer_norm: tie_output,
                share_embeddings: false,
                tie_output,
                initialization,
                dropout,
            }
        },
    )
}

fn training() -> impl Strategy<Value = TrainingConfig> {
    let count = || 0..=i64::MAX as u64;
    let counts = (count(), count(), 1..=i64::MAX as u64, count(), count(), count(), 1..=i64::MAX as u64);
    let rates = (0.0..1.0, 0.0..1e300, 5e-5..1000.0, 1e-300..1.0, 0.0..1.0);
    (counts, rates, 1..=1_000_000_usize, 1..=10_000_usize, 0.001..0.999).prop_map(
        |(counts, rates, batch_size, sort_batches, factor)| TrainingConfig {
            seed: counts.0,
            from: (counts.1 > 7).then(|| "/models/a b.safetensors".into()),
            grow_vocabulary: 0,
            freeze: vec![Part::Encoder, Part::TargetEmbedding],
            max_epochs: counts.1,
            max_updates: counts.2,
            validate_every: counts.3,
            checkpoint_every: counts.4,
            patience: counts.5,
            log_every: counts.6,
            label_smoothing: rates.0,
            r_drop: if batch_size % 2 == 0 { 0.0 } else { factor },
            bpe_dropout: 0.0,
            accumulate: sort_batches,
            max_batch_tokens: batch_size,
            average: rates.0,
            clip_norm: rates.1,
            batch_by: BatchBy::Sentences,
            precision: Precision::Float16,
            tensorboard: batch_size % 2 == 0,
            batch_size,
            sort_batches,
            keep_checkpoints: sort_batches,
            optimizer: OptimizerConfig {
                kind: OptimizerKind::Adamw,
                learning_rate: rates.2,
                epsilon: rates.3,
                beta1: rates.4,
                beta2: factor,
                weight_decay: factor,
                ..OptimizerConfig::default()
            },
            schedule: ScheduleConfig {
                kind: ScheduleKind::Plateau,
                warmup: counts.0,
                factor,
                patience: counts.1,
                min_learning_rate: rates.2 * factor,
            },
            recovery: RecoveryConfig { after: counts.6, attempts: counts.0, factor },
            // Beside risk there is none.
            alignment: match batch_size % 2 {
                0 => AlignmentConfig::default(),
                _ => AlignmentConfig {
                    learn_links: true,
                    guided: factor,
                    guide_unlinked: true,
                    guided_decay: factor,
                    read: Reading::Next,
                    coverage: factor,
                    doubly_stochastic: rates.4,
                    entropy: factor,
                    agree_with: (counts.1 > 7).then(|| "/models/back.safetensors".into()),
                    agreement: if counts.1 > 7 { factor } else { 1.0 },
                    agreement_form: if counts.1 > 7 { AgreementForm::Difference } else { AgreementForm::Product },
                },
            },
            curriculum: CurriculumConfig { epochs: counts.1 / 2, start: if counts.1 > 1 { factor } else { 0.3 } },
            scheduled_sampling: ScheduledSamplingConfig {
                rate: if batch_size % 2 == 0 { 0.0 } else { factor },
                warmup: if batch_size % 2 == 0 { 0 } else { counts.1 },
            },
            minimum_risk: match batch_size % 2 {
                0 => MinimumRiskConfig { samples: 9, sharpness: factor, utility: Utility::Chrf, likelihood: factor },
                _ => MinimumRiskConfig::default(),
            },
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    let metric = proptest::sample::select(vec![Metric::Bleu, Metric::Chrf, Metric::Loss]);
    let small = || 1..=1000_usize;
    (data(), tokenizer(), model(), training(), metric, (small(), small(), small()), 0.0..10.0, any::<bool>()).prop_map(
        |(data, tokenizer, model, training, metric, sizes, length_penalty, replace_unknown)| Config {
            preset: None,
            data,
            tokenizer,
            model,
            training,
            validation: ValidationConfig { metric, beam_size: sizes.0, max_sentences: sizes.1, samples: sizes.2 },
            translation: TranslationConfig {
                beam_size: sizes.1,
                length_penalty,
                length_form: LengthForm::Gnmt,
                word_reward: -length_penalty,
                coverage_penalty: length_penalty,
                stop: StopRule::Best,
                no_repeat_ngram: 7,
                max_ratio: length_penalty,
                max_extra: sizes.0,
                max_source_length: sizes.2,
                replace_unknown,
            },
        },
    )
}

proptest! {
    #[test]
    fn a_resolved_configuration_loads_back_equal(config in config()) {
        let text = config.to_toml().unwrap();
        let loaded = Config::from_toml(&text, &[]);
        prop_assert!(loaded.is_ok(), "{}\n{text}", loaded.unwrap_err());
        prop_assert_eq!(&loaded.unwrap(), &config);
        prop_assert_eq!(Config::from_toml(&text, &[]).unwrap().to_toml().unwrap(), text);
    }

    /// What the schema accepts the types accept, and what it refuses is refused with a place, never with a panic.
    #[test]
    fn no_text_makes_it_panic(
        table in proptest::sample::select(vec!["", "[data]", "[model]", "[training.optimizer]", "[[data.train]]"]),
        key in proptest::sample::select(vec!["seed", "embedding", "kind", "train", "tsv", "rho", "\"\\u0000\"", "é"]),
        value in prop_oneof![
            "\\PC{0,20}",
            Just("1".to_owned()), Just("-0".to_owned()), Just("[[[]]]".to_owned()), Just("{ a.b = 1 }".to_owned()),
            Just("\"\"\"\n\n\"\"\"".to_owned()), Just("9e999".to_owned()), Just("99999999999999999999".to_owned()),
        ],
    ) {
        let text = format!("# 中\r\n{table}\r\n{key} = {value}\r\n");
        let Err(ConfigError::Invalid { mistakes }) = Config::from_toml(&text, &[format!("{key}={value}")]) else {
            return Ok(());
        };
        for mistake in mistakes {
            prop_assert!(!mistake.to_string().is_empty());
            let refused = matches!(&mistake.fault, Fault::Syntax { .. });
            prop_assert!(!refused || text.parse::<toml::Table>().is_err(), "the types refuse: {mistake}");
        }
    }
}
