//! Every class of mistake, as a user reads it.

use insta::assert_snapshot;
use rnnsearch_config::{Config, ConfigError, Fault, Place};

fn overrides(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| argument.to_string()).collect()
}

/// The message for a file and `--set` arguments.
fn message(text: &str, arguments: &[&str]) -> String {
    Config::from_toml(text, &overrides(arguments)).expect_err("the configuration is wrong").to_string()
}

/// The message for a training.
fn training_message(text: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.toml");
    std::fs::write(&path, text).unwrap();
    let error = Config::load_for_training(&path, &overrides(arguments)).expect_err("the configuration is wrong");
    error.to_string().replace(&folder.path().display().to_string(), "FOLDER")
}

/// A file of 20 lines that is right but for `line`, which stands in its middle.
fn twenty_lines(line: &str) -> String {
    format!(
        "# A small translator.\n\
         [data]\n\
         source_language = \"de\"\n\
         target_language = \"en\"\n\
         max_length = 50\n\
         \n\
         [model]\n\
         embedding = 64\n\
         encoder_hidden = 32\n\
         {line}\n\
         attention_hidden = 32\n\
         readout = 16\n\
         \n\
         [training]\n\
         batch_size = 20\n\
         seed = 3\n\
         \n\
         [training.optimizer]\n\
         kind = \"adam\"\n\
         learning_rate = 2e-3\n"
    )
}

#[test]
fn the_twenty_lines_are_right_by_themselves() {
    assert!(Config::from_toml(&twenty_lines("decoder_hidden = 32"), &[]).is_ok());
}

#[test]
fn unknown_keys() {
    assert_snapshot!("unknown_key_slip", message(&twenty_lines("decoder_hiden = 32"), &[]));
    assert_snapshot!("unknown_key_beginning", message("[model]\nembed = 32\n", &[]));
    assert_snapshot!("unknown_key_elsewhere", message("[model]\nbatch_size = 32\n", &[]));
    assert_snapshot!("unknown_key_strange", message("[validation]\nfrequency = 1\n", &[]));
    assert_snapshot!("unknown_table", message("[modell]\nembedding = 1\n", &[]));
    assert_snapshot!("unknown_key_at_root", message("verbose = true\n", &[]));
    assert_snapshot!("unknown_key_dotted", message("model.dropout.recurent = 0.1\n", &[]));
    assert_snapshot!("unknown_key_in_list", message("[[data.train]]\ntsv = \"a\"\n[[data.train]]\ncsv = \"b\"\n", &[]));
    assert_snapshot!("unknown_key_inline", message("data.train = [{ source = \"a\", traget = \"b\" }]\n", &[]));
}

#[test]
fn wrong_types() {
    assert_snapshot!("type_string_for_integer", message(&twenty_lines("decoder_hidden = \"32\""), &[]));
    assert_snapshot!("type_float_for_integer", message("[model]\nreadout = 3.0\n", &[]));
    assert_snapshot!("type_integer_for_switch", message("[tokenizer]\njoint = 1\n", &[]));
    assert_snapshot!("type_string_for_number", message("[training]\nclip_norm = \"none\"\n", &[]));
    assert_snapshot!("type_date_for_string", message("[data]\nsource_language = 2015-05-07\n", &[]));
    assert_snapshot!("type_value_for_table", message("model = 3\n", &[]));
    assert_snapshot!("type_table_for_list", message("[data.train]\ntsv = \"a.tsv\"\n", &[]));
    assert_snapshot!("type_list_for_table", message("[[data.validation]]\ntsv = \"a.tsv\"\n", &[]));
    assert_snapshot!("type_string_for_list", message("[data]\ntrain = [\"a.tsv\"]\n", &[]));
    assert_snapshot!("type_table_for_value", message("[training.seed]\nvalue = 1\n", &[]));
}

#[test]
fn presets_and_lists() {
    assert_snapshot!("preset_slip", message("preset = \"smal\"\n", &[]));
    assert_snapshot!("preset_contradicted", message("preset = \"paper\"\n[model]\nattention = \"none\"\n", &[]));
    assert_snapshot!("list_item_slip", message("[training]\nfreeze = [\"encoder\", \"decodr\"]\n", &[]));
    assert_snapshot!("list_missing", message("[training]\nfreeze = \"encoder\"\n", &[]));
}

#[test]
fn values_out_of_range() {
    assert_snapshot!("range_integer", message(&twenty_lines("decoder_hidden = 0"), &[]));
    assert_snapshot!("range_negative", message("[training]\nseed = -1\n", &[]));
    assert_snapshot!("range_too_large_for_an_integer", message("[training]\nseed = 18446744073709551615\n", &[]));
    assert_snapshot!("range_hexadecimal", message("[model]\nencoder_layers = 0x41\n", &[]));
    assert_snapshot!("range_below_one", message("[model]\ndropout = { embedding = 1.0 }\n", &[]));
    assert_snapshot!("range_above_zero", message("[training]\noptimizer.learning_rate = 0\n", &[]));
    assert_snapshot!("range_open", message("[training.optimizer]\nrho = 1.0\n", &[]));
    assert_snapshot!("range_from", message("[training]\nclip_norm = -0.5\n", &[]));
    assert_snapshot!("range_nan", message("[training]\nlabel_smoothing = nan\n", &[]));
    assert_snapshot!("range_infinite", message("[training]\nclip_norm = inf\n", &[]));
    assert_snapshot!("range_empty_string", message("[data]\nvalidation.tsv = ''\n", &[]));
    assert_snapshot!("range_ratio", message("[data]\nmax_ratio = 0.5\n", &[]));
    assert_snapshot!("range_weight", message("[[data.train]]\ntsv = 'a'\nweight = 0\n", &[]));
    assert_snapshot!("tag_with_a_blank", message("[[data.train]]\ntsv = 'a'\ntag = 'b t'\n", &[]));
    assert_snapshot!("weight_of_validation", message("[data.validation]\ntsv = 'a'\nweight = 2\n", &[]));
    assert_snapshot!("temperature_of_one", message("[data]\ntemperature = 2\ntrain = [{ tsv = 'a' }]\n", &[]));
    assert_snapshot!("choice_slip", message("[tokenizer]\nkind = \"word_level\"\n", &[]));
    assert_snapshot!("choice_strange", message("[validation]\nmetric = \"meteor\"\n", &[]));
}

#[test]
fn contradictions() {
    let separate = "[tokenizer]\njoint = false\n\n[model]\nshare_embeddings = true\n";
    assert_snapshot!("share_without_joint", message(separate, &[]));
    assert_snapshot!("tie_without_equal_sizes", message("[model]\nreadout = 100\ntie_output = true\n", &[]));
    assert_snapshot!("sizes_of_a_joint_vocabulary", message("[tokenizer]\nsource_vocabulary = 500\n", &[]));
    assert_snapshot!("vocabulary_without_bytes", message("[tokenizer]\nvocabulary = 200\n", &[]));
    assert_snapshot!("lengths", message("[data]\nmin_length = 60\nmax_length = 50\n", &[]));
    assert_snapshot!("no_end", message("training.max_epochs = 0\n", &[]));
    assert_snapshot!("small_token_batch", message("[training]\nbatch_by = \"tokens\"\n", &[]));
    assert_snapshot!("dropout_of_no_merges", message("[tokenizer]\nkind = \"char\"\n", &["training.bpe_dropout=0.1"]));
    assert_snapshot!("r_drop_and_risk", message("[training]\nr_drop = 5\nminimum_risk.samples = 9\n", &[]));
    let without = "[training]\nr_drop = 5\n[model]\ndropout = { embedding = 0, hidden = 0, readout = 0 }\n";
    assert_snapshot!("r_drop_without_dropout", message(without, &[]));
    let all = ["source-embedding", "target-embedding", "encoder", "attention", "decoder", "readout", "output"];
    assert_snapshot!("all_frozen", message(&format!("[training]\nfreeze = {all:?}\n"), &[]));
    assert_snapshot!("frozen_nothing", message("model.attention = \"none\"\ntraining.freeze = [\"attention\"]\n", &[]));
    assert_snapshot!("warmup_of_nothing", message("[training.scheduled_sampling]\nwarmup = 100\n", &[]));
    assert_snapshot!("risk_of_nothing", message("[training.minimum_risk]\nsharpness = 0.1\n", &[]));
    assert_snapshot!("growth_of_nothing", message("[training]\ngrow_vocabulary = 10\n", &[]));
    let unigram = "[training]\ngrow_vocabulary = 10\nfrom = \"a\"\n[tokenizer]\nkind = \"unigram\"\n";
    assert_snapshot!("growth_of_unigrams", message(unigram, &[]));
    assert_snapshot!("no_curriculum", message("training.curriculum.start = 0.5\n", &[]));
    let risky = "[training]\nminimum_risk.samples = 9\nalignment.coverage = 1\n";
    assert_snapshot!("risk_and_coverage", message(risky, &[]));
    let risky = "[training]\nminimum_risk.samples = 9\n[[data.train]]\ntsv = \"a\"\nlinks = \"b\"\n";
    assert_snapshot!("risk_and_links", message(risky, &["model.attention=hard"]));
    assert_snapshot!("endless_curriculum", message("[training]\nmax_epochs = 3\ncurriculum.epochs = 3\n", &[]));
    let all = "training.freeze=[\"target-embedding\", \"encoder\", \"decoder\", \"readout\", \"output\"]";
    let shared = "[model]\nattention = \"none\"\nshare_embeddings = true\n";
    assert_snapshot!("all_frozen_that_there_is", message(shared, &[all]));
    let tied = "[model]\nattention = \"none\"\ntie_output = true\n";
    let all = "training.freeze=[\"source-embedding\", \"encoder\", \"decoder\", \"readout\", \"output\"]";
    assert_snapshot!("all_frozen_with_the_output", message(tied, &[all]));
    // The output layer has a bias of its own.
    let table = "training.freeze=[\"target-embedding\", \"source-embedding\", \"encoder\", \"decoder\", \"readout\"]";
    assert!(Config::from_toml(tied, &overrides(&[table])).is_ok());
    let both = "[training]\nminimum_risk.samples = 9\nscheduled_sampling.rate = 0.5\n";
    assert_snapshot!("risk_and_sampling", message(both, &[]));
    let momentum = "[training.optimizer]\nkind = \"adam\"\nmomentum = 0.9\n";
    assert_snapshot!("momentum_of_adam", message(momentum, &[]));
    assert_snapshot!("rho_of_adam", message("[training.optimizer]\nrho = 0.9\n", &[]));
    assert_snapshot!("betas_of_sgd", message("[training.optimizer]\nkind = \"sgd\"\nbeta1 = 0.5\nbeta2 = 0.5\n", &[]));
    let constant = "[training.schedule]\nkind = \"constant\"\nfactor = 0.1\npatience = 7\nmin_learning_rate = 0.1\n";
    assert_snapshot!("plateau_of_constant", message(constant, &[]));
    assert_snapshot!("rising_schedule", message("[training.schedule]\nmin_learning_rate = 0.1\n", &[]));
    assert_snapshot!(
        "hidden_without_attention",
        message("model = { attention = \"none\", attention_hidden = 9 }\n", &[])
    );
    assert_snapshot!(
        "hidden_of_dot_products",
        message("model = { attention = \"general\", attention_hidden = 9 }\n", &[])
    );
    assert_snapshot!("dot_of_unequal_sizes", message("[model]\nattention = \"dot\"\ndecoder_hidden = 300\n", &[]));
    let heads = "[model]\nattention = \"multi-head\"\n[model.attention_options]\nheads = 3\n";
    assert_snapshot!("heads_that_do_not_divide", message(heads, &[]));
    assert_snapshot!("window_of_additive", message("[model.attention_options]\nwindow = 5\n", &[]));
    assert_snapshot!("fertility_of_additive", message("[model.attention_options]\nmax_fertility = 3\n", &[]));
    let unknown = "[tokenizer]\nkind = \"wordlevel\"\n[model]\nattention = \"none\"\n";
    assert_snapshot!("replacement_without_attention", message(unknown, &[]));
    assert_snapshot!("no_translation", message("[translation]\nmax_ratio = 0\nmax_extra = 0\n", &[]));
}

#[test]
fn links_that_are_not_there() {
    let corpus = "[[data.train]]\ntsv = \"a\"\n";
    let alignment = |settings: &str| format!("{corpus}[training.alignment]\n{settings}");
    assert_snapshot!("learnt_for_nothing", message(&alignment("learn_links = true\nguided = 0.0\n"), &[]));
    assert_snapshot!("guided_by_nothing", message(&alignment("guide_unlinked = true\nguided_decay = 0.5\n"), &[]));
    let linked = "[[data.train]]\ntsv = \"a\"\nlinks = \"b\"\n";
    let learnt = "training.alignment.learn_links=true";
    assert_snapshot!("learnt_although_given", message(linked, &[learnt]));
    let unattended = "guide_unlinked = true\nguided_decay = 0.5\nread = \"next\"\n[model]\nattention = \"none\"\n";
    assert_snapshot!("guided_without_attention", message(&alignment(unattended), &[]));
    for right in [format!("{linked}{corpus}"), corpus.to_owned()] {
        let decay = "training.alignment.guided_decay=0.5";
        assert!(Config::from_toml(&right, &overrides(&[learnt, decay])).is_ok());
    }
}

#[test]
fn nothing_to_agree_about() {
    let alignment = |settings: &str| message(&format!("[training.alignment]\n{settings}"), &[]);
    assert_snapshot!("agreement_with_nobody", alignment("agreement = 2.0\nagreement_form = \"difference\"\n"));
    assert_snapshot!("agreement_of_no_weight", alignment("agree_with = \"a\"\nagreement = 0.0\n"));
    assert_snapshot!("agreement_without_attention", alignment("agree_with = \"a\"\n[model]\nattention = \"none\"\n"));
    assert_snapshot!("agreement_and_risk", alignment("agree_with = \"a\"\n[training.minimum_risk]\nsamples = 9\n"));
}

#[test]
fn forms_of_a_corpus() {
    assert_snapshot!("corpus_one_side", message("[[data.train]]\nsource = \"a.de\"\n", &[]));
    assert_snapshot!("corpus_other_side", message("[data.validation]\ntarget = \"a.en\"\n", &[]));
    assert_snapshot!("corpus_without_file", message("[[data.train]]\ntsv = \"a\"\n[[data.train]]\n", &[]));
    let two = "[[data.train]]\nsource = \"a\"\ntarget = \"b\"\ntsv = \"c\"\n";
    assert_snapshot!("corpus_of_two_forms", message(two, &[]));
    assert_snapshot!("corpus_fields", message("[[data.train]]\ntsv = \"a\"\nsource_field = \"de\"\n", &[]));
}

#[test]
fn needs_of_a_training() {
    assert_snapshot!("training_without_anything", training_message("", &[]));
    let unvalidated = "[training]\npatience = 3\nvalidate_every = 10\n[[data.train]]\ntsv = \"a\"\n";
    assert_snapshot!("training_without_validation", training_message(unvalidated, &["training.patience=4"]));
    let quiet = "[training]\npatience = 0\nschedule.kind = \"constant\"\n[[data.train]]\ntsv = \"a\"\n";
    let config = Config::from_toml(quiet, &[]).unwrap();
    assert!(config.validate_for_training().is_ok());
}

#[test]
fn texts_that_are_not_toml() {
    assert_snapshot!("syntax_unquoted", message("[data]\nvalidation.source = val.de\n", &[]));
    assert_snapshot!("syntax_twice", message("[model]\nreadout = 1\n\nreadout = 2\n", &[]));
    assert_snapshot!("syntax_open_table", message("[model\nreadout = 1\n", &[]));
    assert_snapshot!("syntax_end_of_file", message("[model]\nreadout =", &[]));
    assert_snapshot!("syntax_yaml", message("model:\n  readout: 1\n", &[]));
}

#[test]
fn overrides_name_their_argument() {
    assert_snapshot!("set_unknown_key", message("", &["modle.readout=3"]));
    assert_snapshot!("set_unknown_inner_key", message("", &["training.optimizer.lerning_rate=3"]));
    assert_snapshot!("set_below_a_value", message("", &["training.seed.value=3"]));
    assert_snapshot!("set_part_of_a_list", message("", &["data.train.0.tsv=a"]));
    assert_snapshot!("set_without_equals_sign", message("", &["training.seed"]));
    assert_snapshot!("set_without_key", message("", &["=3"]));
    assert_snapshot!("set_wrong_type", message("", &["training.seed=three"]));
    assert_snapshot!("set_broken_list", message("", &["data.train=[{tsv=a}]"]));
    assert_snapshot!("set_empty", message("", &["training.seed="]));
    assert_snapshot!("set_out_of_range", message("", &["model.dropout={embedding=2}"]));
    assert_snapshot!("set_contradiction", message("model.share_embeddings = true\n", &["tokenizer.joint=false"]));
    assert_snapshot!("set_both", message("", &["model.share_embeddings=true", "tokenizer.joint=false"]));
    assert_snapshot!("set_over_file", message("model.share_embeddings = true\n", &["tokenizer={joint=false}"]));
}

#[test]
fn all_mistakes_at_once() {
    let text = "[model]\nreadout = 0\nreset = \"befor\"\n\n[training]\nbatch_size = \"80\"\nepochs = 3\n";
    assert_snapshot!("all_at_once", message(text, &["model.readout=1.5", "model.reset=\"after\""]));
}

#[test]
fn unicode_before_the_mistake() {
    assert_snapshot!(
        "unicode_lines",
        message("# Übersetzer für 中文 🙂\n[data]\nsource_language = \"中文\"\nmax_lenght = 3\n", &[])
    );
    let inline = "data = { source_language = \"Ελληνικά 中文 é\", max_length = 0 }\n";
    assert_snapshot!("unicode_in_the_line", message(inline, &[]));
}

#[test]
fn carriage_returns_are_not_counted() {
    let text = twenty_lines("decoder_hidden = 0").replace('\n', "\r\n");
    assert_snapshot!("crlf", message(&text, &[]));
    assert_eq!(message(&text, &[]), message(&twenty_lines("decoder_hidden = 0"), &[]));
}

#[test]
fn long_lines_and_control_characters() {
    let languages = "x".repeat(300);
    let long =
        format!("data = {{ source_language = \"{languages}\", max_lenght = 3, target_language = \"{languages}\" }}\n");
    assert_snapshot!("long_line", message(&long, &[]));
    assert_snapshot!("long_value", message(&format!("[training]\nseed = \"{languages}\"\n"), &[]));
    assert_snapshot!("tabs", message("[training]\n\tseed\t=\t-1\n", &[]));
    assert_snapshot!("escape", message("[training]\n\"\\u001b[31m\" = 1\n", &[]));
    assert_snapshot!("many_lines", message("[training]\nseed = [\n  1,\n  2,\n]\n", &[]));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let error = Config::load(&missing, &[]).unwrap_err();
    assert!(error.to_string().contains("none.toml`: No such file"), "{error}");

    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"# \xc3\xbc\n# caf\xe9\n").unwrap();
    let error = Config::load(&latin, &[]).unwrap_err();
    assert!(matches!(error, ConfigError::NotUtf8 { line: 2, column: 6, .. }), "{error:?}");
    assert!(error.to_string().ends_with("latin.toml:2:6: the configuration is not UTF-8 text"), "{error}");
}

#[test]
fn a_byte_order_mark_shifts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bom.toml");
    std::fs::write(&path, "\u{feff}training.seed = -1\n").unwrap();
    let ConfigError::Invalid { mistakes } = Config::load(&path, &[]).unwrap_err() else { panic!("it can be read") };
    assert!(matches!(mistakes[0].place, Place::File { line: 1, column: 17, .. }), "{:?}", mistakes[0]);
    std::fs::write(&path, "\u{feff}training.seed = 4\n").unwrap();
    assert_eq!(Config::load(&path, &[]).unwrap().training.seed, 4);
}

#[test]
fn the_facts_are_in_the_error() {
    let ConfigError::Invalid { mistakes } = Config::from_toml("[model]\nreadout = 0\n", &[]).unwrap_err() else {
        panic!("it can be read")
    };
    let [mistake] = mistakes.as_slice() else { panic!("there is one mistake") };
    let Fault::BadValue { key, given, expected } = &mistake.fault else { panic!("the value is bad") };
    assert_eq!((key.as_str(), given.as_str()), ("model.readout", "`0`"));
    assert_eq!(expected, "an integer from 1 to 65536");
}

#[test]
fn a_configuration_in_memory_is_checked_too() {
    let mut config = Config::default();
    assert!(config.validate().is_ok());
    config.model.embedding = 0;
    config.model.tie_output = true;
    assert!(
        config.validate().unwrap_err().to_string().contains("`model.embedding` must be an integer from 1 to 65536")
    );
    config.model.embedding = 3;
    assert!(config.validate().unwrap_err().to_string().contains("`model.tie_output = true` contradicts"));
    config.training.seed = u64::MAX;
    assert!(matches!(config.validate(), Err(ConfigError::NotToml { .. })));
}
