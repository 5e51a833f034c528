//! What settings ask of each other, once each of them is in its range.

use crate::error::{ConfigError, Fault, Mistake, Place, Setting};
use crate::key::{KeyPath, Segment};
use crate::layers::Layers;
use crate::schema;
use crate::settings::{
    AgreementForm, AlignmentConfig, Attention, AttentionOptions, BatchBy, Config, CorpusConfig, CurriculumConfig,
    MinimumRiskConfig, ModelConfig, OptimizerConfig, OptimizerKind, Part, ScheduleConfig, ScheduleKind, TokenizerKind,
    TrainingConfig,
};

/// Vocabulary entries a byte-fallback tokenizer needs before its first sub-word: all bytes and the special tokens.
const BYTE_FALLBACK: usize = 256 + 4;

/// All parts of a model.
const PARTS: [Part; 7] = [
    Part::SourceEmbedding,
    Part::TargetEmbedding,
    Part::Encoder,
    Part::Attention,
    Part::Decoder,
    Part::Readout,
    Part::Output,
];

/// Which rules a configuration has to obey.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    training: bool,
}

impl Rules {
    /// Those that hold for any configuration, also one that names no corpus.
    pub(crate) const ALWAYS: Self = Self { training: false };
    /// Those and what a training needs.
    pub(crate) const FOR_TRAINING: Self = Self { training: true };

    /// The mistakes in `config`, which comes from `layers`.
    pub(crate) fn broken(self, config: &Config, layers: &Layers<'_>) -> Result<Vec<Mistake>, ConfigError> {
        let mut court = Court { values: crate::write::table(config)?, layers, mistakes: Vec::new() };
        data(&mut court, config);
        tokenizer(&mut court, config);
        model(&mut court, config);
        links(&mut court, config);
        agreement(&mut court, config);
        training(&mut court, config);
        optimizer(&mut court, &config.training.optimizer);
        schedule(&mut court, &config.training);
        translation(&mut court, config);
        if self.training {
            needs_of_training(&mut court, config);
        }
        Ok(court.mistakes)
    }
}

fn data(court: &mut Court<'_>, config: &Config) {
    let data = &config.data;
    for (index, corpus) in data.train.iter().enumerate() {
        corpus_form(court, &KeyPath::from_dotted("data.train").index(index), corpus);
    }
    if let Some(corpus) = &data.validation {
        let path = KeyPath::from_dotted("data.validation");
        corpus_form(court, &path, corpus);
        if corpus.links.is_some() {
            let message = format!("`{}` would guide training, which validation is not", path.key("links"));
            court.corpus(&path.key("links"), message, "remove it; `evaluate --gold` measures alignments");
        }
        if corpus.weight.is_some() {
            let message =
                format!("`{}` is for a training corpus, and validation goes over all once", path.key("weight"));
            court.corpus(&path.key("weight"), message, "remove it");
        }
    }
    if data.temperature != 1.0 && data.train.len() == 1 {
        court.bad_value("data.temperature", "1", "one corpus has nothing to share with another: remove it");
    }
    if data.min_length > data.max_length {
        court.contradiction(
            &["data.min_length", "data.max_length"],
            "no sentence is within both: lower `min_length` or raise `max_length`",
        );
    }
    let ratios =
        [("data.max_ratio", data.max_ratio), ("data.filter.max_character_ratio", data.filter.max_character_ratio)];
    for (key, _) in ratios.iter().filter(|(_, ratio)| *ratio > 0.0 && *ratio < 1.0) {
        let help = "of every pair one side is the longer one, by a ratio of at least 1";
        court.bad_value(key, "0 or a number from 1 up", help);
    }
}

/// A corpus has one form, all of it, and nothing of another.
fn corpus_form(court: &mut Court<'_>, path: &KeyPath, corpus: &CorpusConfig) {
    let given: Vec<&str> = [
        ("source", corpus.source.is_some()),
        ("target", corpus.target.is_some()),
        ("tsv", corpus.tsv.is_some()),
        ("jsonl", corpus.jsonl.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, given)| given.then_some(key))
    .collect();
    let form = "a corpus is either two files, `source` and `target`, or one file, `tsv` or `jsonl`";
    match given.as_slice() {
        ["source", "target"] | ["tsv"] | ["jsonl"] => {}
        [] => court.corpus(path, format!("`{path}` names no file"), form),
        ["source"] => court.corpus(path, format!("`{path}` has a `source` and no `target`"), form),
        ["target"] => court.corpus(path, format!("`{path}` has a `target` and no `source`"), form),
        several => {
            let message = format!("`{path}` has {}", schema::list(several.iter().copied()));
            court.corpus(path, message, form);
        }
    }
    if let Some(tag) = corpus.tag.as_ref().filter(|tag| !tag.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)))
    {
        let message = format!("`{}` is `{tag}`, and a tag is of letters, digits, `-`, `_` and `.`", path.key("tag"));
        court.corpus(&path.key("tag"), message, "take another name");
    }
    for (key, field) in [("source_field", &corpus.source_field), ("target_field", &corpus.target_field)] {
        if field.is_some() && corpus.jsonl.is_none() {
            let message = format!("`{}` is for a `jsonl` corpus, and `{path}` is none", path.key(key));
            court.corpus(&path.key(key), message, "the other forms have no fields: remove it");
        }
    }
}

fn tokenizer(court: &mut Court<'_>, config: &Config) {
    let tokenizer = &config.tokenizer;
    let sizes = [
        ("tokenizer.vocabulary", Some(tokenizer.vocabulary)),
        ("tokenizer.source_vocabulary", tokenizer.source_vocabulary),
        ("tokenizer.target_vocabulary", tokenizer.target_vocabulary),
    ];
    for (key, size) in &sizes[1..] {
        if tokenizer.joint && size.is_some() {
            court.contradiction(&[key, "tokenizer.joint"], "a joint vocabulary has one size, `tokenizer.vocabulary`");
        }
    }
    if matches!(tokenizer.kind, TokenizerKind::Bpe | TokenizerKind::Unigram) {
        for (key, _) in sizes.iter().filter(|(_, size)| size.is_some_and(|size| size <= BYTE_FALLBACK)) {
            let help =
                format!("to spell any text, it holds all bytes and the special tokens: take more than {BYTE_FALLBACK}");
            court.contradiction(&[key, "tokenizer.kind"], &help);
        }
    }
}

fn model(court: &mut Court<'_>, config: &Config) {
    let (model, default) = (&config.model, Config::default().model);
    if model.share_embeddings && !config.tokenizer.joint {
        let help = "one table needs one vocabulary: set `tokenizer.joint = true` or `model.share_embeddings = false`";
        court.contradiction(&["model.share_embeddings", "tokenizer.joint"], help);
    }
    if model.tie_output && model.readout != model.embedding {
        let help =
            "a readout of another size does not fit the embedding table: make both equal, or set `tie_output = false`";
        court.contradiction(&["model.tie_output", "model.readout", "model.embedding"], help);
    }
    let fixed = model.attention == Attention::None;
    if !model.attention.has_hidden() && model.attention_hidden != default.attention_hidden {
        let help = match fixed {
            true => "without attention there is no alignment model: leave `attention_hidden` at its default",
            false => "this kind has no hidden units: leave `attention_hidden` at its default",
        };
        court.contradiction(&["model.attention_hidden", "model.attention"], help);
    }
    if fixed && config.translation.replace_unknown && config.tokenizer.kind == TokenizerKind::Wordlevel {
        let help = "without attention no source word is known for an UNK: set `translation.replace_unknown = false`";
        court.contradiction(&["model.attention", "translation.replace_unknown"], help);
    }
    if fixed {
        let terms = &config.training.alignment;
        let weights =
            [("coverage", terms.coverage), ("doubly_stochastic", terms.doubly_stochastic), ("entropy", terms.entropy)];
        for (name, _) in guidance(terms).iter().filter(|(_, changed)| *changed) {
            let key = format!("training.alignment.{name}");
            let help = format!("without attention there is nothing to guide: remove `{name}`");
            court.contradiction(&[&key, "model.attention"], &help);
        }
        for (name, _) in weights.iter().filter(|(_, weight)| *weight > 0.0) {
            let key = format!("training.alignment.{name}");
            court.contradiction(
                &[&key, "model.attention"],
                &format!("without attention there are no alignments: remove `{name}`"),
            );
        }
        for (index, _) in config.data.train.iter().enumerate().filter(|(_, corpus)| corpus.links.is_some()) {
            let path = KeyPath::from_dotted("data.train").index(index).key("links");
            let message = format!("`{path}` guides alignments, and with `model.attention = \"none\"` there are none");
            court.corpus(&path, message, "remove it");
        }
    }
    attention(court, model);
}

/// Options of guided alignment, and whether they were changed.
fn guidance(terms: &AlignmentConfig) -> [(&'static str, bool); 4] {
    let default = AlignmentConfig::default();
    [
        ("learn_links", terms.learn_links),
        ("guide_unlinked", terms.guide_unlinked),
        ("guided_decay", terms.guided_decay != default.guided_decay),
        ("read", terms.read != default.read),
    ]
}

/// Links are learnt only for pairs without, and what is said of links needs some.
fn links(court: &mut Court<'_>, config: &Config) {
    let (terms, corpora) = (&config.training.alignment, &config.data.train);
    if config.model.attention == Attention::None || corpora.is_empty() {
        return;
    }
    let learn_links = "training.alignment.learn_links";
    if terms.learn_links && terms.guided == 0.0 {
        let help = "links of weight 0 guide nothing: raise `guided`, or remove `learn_links`";
        court.contradiction(&[learn_links, "training.alignment.guided"], help);
    }
    if terms.learn_links && corpora.iter().all(|corpus| corpus.links.is_some()) {
        let message = format!("`{learn_links} = true`, and every corpus of `data.train` has `links`");
        court.corpus(&KeyPath::from_dotted(learn_links), message, "no pair is without links: remove one of them");
    }
    let linked = terms.learn_links || corpora.iter().any(|corpus| corpus.links.is_some());
    for (name, _) in guidance(terms).iter().filter(|(name, changed)| *changed && !linked && *name != "read") {
        let key = format!("training.alignment.{name}");
        let help = format!(
            "there are no links to guide by: set `learn_links = true`, give a corpus `links`, or remove `{name}`"
        );
        court.contradiction(&[&key, learn_links], &help);
    }
}

/// What is said of agreement needs somebody to agree with, and alignments to agree about.
fn agreement(court: &mut Court<'_>, config: &Config) {
    let (terms, default) = (&config.training.alignment, AlignmentConfig::default());
    let agree_with = "training.alignment.agree_with";
    let said = [
        ("agreement", terms.agreement != default.agreement),
        ("agreement_form", terms.agreement_form != AgreementForm::default()),
    ];
    if terms.agree_with.is_none() {
        for (name, _) in said.iter().filter(|(_, changed)| *changed) {
            let help = format!("there is no model to agree with: set `agree_with`, or remove `{name}`");
            court.contradiction(&[&format!("training.alignment.{name}"), agree_with], &help);
        }
        return;
    }
    if terms.agreement == 0.0 {
        let help = "agreement of weight 0 changes nothing: raise `agreement`, or remove `agree_with`";
        court.contradiction(&[agree_with, "training.alignment.agreement"], help);
    }
    if config.model.attention == Attention::None {
        let help = "without attention there are no alignments: remove `agree_with`";
        court.contradiction(&[agree_with, "model.attention"], help);
    }
}

/// What single kinds of attention ask for; an option of another kind was meant for that one.
fn attention(court: &mut Court<'_>, model: &ModelConfig) {
    use Attention::{Coverage, Dot, Hard, Hops, LocalM, LocalP, Location, MultiHead, ScaledDot};
    let (options, default) = (&model.attention_options, AttentionOptions::default());
    if matches!(model.attention, Dot | ScaledDot) && model.decoder_hidden != 2 * model.encoder_hidden {
        let help = "a state and an annotation, which has two directions, are multiplied: make `decoder_hidden` twice \
                    `encoder_hidden`, or take `attention = \"general\"`";
        court.contradiction(&["model.attention", "model.decoder_hidden", "model.encoder_hidden"], help);
    }
    if model.attention == MultiHead && !model.attention_hidden.is_multiple_of(options.heads) {
        let help = "heads are equally large: make `attention_hidden` a multiple of `heads`";
        court.contradiction(&["model.attention_options.heads", "model.attention_hidden"], help);
    }
    let unused: [(&str, bool, &[Attention], &str); 7] = [
        ("heads", options.heads != default.heads, &[MultiHead], "`multi-head` has"),
        ("hops", options.hops != default.hops, &[Hops], "`hops` has"),
        ("window", options.window != default.window, &[LocalM, LocalP], "`local-m` and `local-p` have"),
        ("positions", options.positions != default.positions, &[Location], "`location` has"),
        ("max_fertility", options.max_fertility != default.max_fertility, &[Coverage], "`coverage` has"),
        ("reinforce_weight", options.reinforce_weight != default.reinforce_weight, &[Hard], "`hard` has"),
        ("entropy_weight", options.entropy_weight != default.entropy_weight, &[Hard], "`hard` has"),
    ];
    for (name, changed, kinds, who) in unused {
        if changed && !kinds.contains(&model.attention) {
            let key = format!("model.attention_options.{name}");
            court.contradiction(&[&key, "model.attention"], &format!("only {who} `{name}`: remove it"));
        }
    }
}

fn training(court: &mut Court<'_>, config: &Config) {
    let training = &config.training;
    if training.max_epochs == 0 && training.max_updates == 0 {
        let help = "training would never end: set one of them";
        court.contradiction(&["training.max_epochs", "training.max_updates"], help);
    }
    if training.batch_by == BatchBy::Tokens && training.batch_size < config.data.max_length {
        let help = "a batch must hold the longest sentence: raise `batch_size`, or lower `max_length`";
        court.contradiction(&["training.batch_size", "training.batch_by", "data.max_length"], help);
    }
    if training.bpe_dropout > 0.0 && config.tokenizer.kind != TokenizerKind::Bpe {
        let help = "only `bpe` has merges to leave out: remove `bpe_dropout`, or set `tokenizer.kind = \"bpe\"`";
        court.contradiction(&["training.bpe_dropout", "tokenizer.kind"], help);
    }
    if training.r_drop > 0.0 {
        twins(court, config);
    }
    let grows = training.grow_vocabulary > 0;
    if grows && training.from.is_none() {
        let help = "a vocabulary that is learnt has the size it is given: remove `grow_vocabulary`, or set `from`";
        court.contradiction(&["training.grow_vocabulary", "training.from"], help);
    }
    if grows && matches!(config.tokenizer.kind, TokenizerKind::Unigram | TokenizerKind::Wordpiece) {
        let help = "vocabularies of this kind cannot grow: remove `grow_vocabulary`";
        court.contradiction(&["training.grow_vocabulary", "tokenizer.kind"], help);
    }
    if training.curriculum.epochs == 0 && training.curriculum.start != CurriculumConfig::default().start {
        let help = "without epochs there is no curriculum: set `epochs`, or remove `start`";
        court.contradiction(&["training.curriculum.start", "training.curriculum.epochs"], help);
    }
    let (sampling, risk) = (&training.scheduled_sampling, &training.minimum_risk);
    if sampling.warmup > 0 && sampling.rate == 0.0 {
        let help = "a share of 0 cannot rise: set `rate`, or remove `warmup`";
        court.contradiction(&["training.scheduled_sampling.warmup", "training.scheduled_sampling.rate"], help);
    }
    let default = MinimumRiskConfig::default();
    let unused = [
        ("sharpness", risk.sharpness != default.sharpness),
        ("utility", risk.utility != default.utility),
        ("likelihood", risk.likelihood != default.likelihood),
    ];
    for (name, _) in unused.iter().filter(|(_, changed)| *changed && risk.samples == 0) {
        let help = format!("without samples there is no risk: set `samples`, or remove `{name}`");
        court.contradiction(&[&format!("training.minimum_risk.{name}"), "training.minimum_risk.samples"], &help);
    }
    if risk.samples > 0 && sampling.rate > 0.0 {
        let help = "translations are scored as they are: remove one of them";
        court.contradiction(&["training.minimum_risk.samples", "training.scheduled_sampling.rate"], help);
    }
    if risk.samples > 0 {
        risk_alone(court, config);
    }
    let (epochs, most) = (training.curriculum.epochs, training.max_epochs);
    if epochs > 0 && most > 0 && epochs >= most {
        let help = "no epoch would have all pairs: lower `epochs`, or raise `max_epochs`";
        court.contradiction(&["training.curriculum.epochs", "training.max_epochs"], help);
    }
    if PARTS.iter().all(|part| is_frozen(*part, config)) {
        court.bad_value("training.freeze", "some parts of the model", "nothing is left that could learn: remove one");
    }
    if training.freeze.contains(&Part::Attention) && config.model.attention == Attention::None {
        let help = "without attention there is no alignment model: remove it from `freeze`";
        court.contradiction(&["training.freeze", "model.attention"], help);
    }
}

/// What has no meaning for pairs that are in their batch twice.
fn twins(court: &mut Court<'_>, config: &Config) {
    if !config.model.dropout.any() {
        let help = "without dropout both predictions are the same: remove `r_drop`, or set one of `model.dropout`";
        court.contradiction(&["training.r_drop", "model.dropout.hidden"], help);
    }
    if config.training.minimum_risk.samples > 0 {
        let help = "translations that are drawn are learnt from as they are: remove one of them";
        court.contradiction(&["training.r_drop", "training.minimum_risk.samples"], help);
    }
}

/// What has no meaning for translations that are drawn: they have no links, and bad ones among them are not to be looked at well.
fn risk_alone(court: &mut Court<'_>, config: &Config) {
    let samples = "training.minimum_risk.samples";
    let terms = &config.training.alignment;
    let others = [
        ("learn_links", terms.learn_links),
        ("coverage", terms.coverage > 0.0),
        ("doubly_stochastic", terms.doubly_stochastic > 0.0),
        ("entropy", terms.entropy > 0.0),
        ("agree_with", terms.agree_with.is_some()),
    ];
    for (name, _) in others.iter().filter(|(_, set)| *set) {
        let help =
            format!("alignments of translations that are drawn are not taught: remove one, `samples` or `{name}`");
        court.contradiction(&[samples, &format!("training.alignment.{name}")], &help);
    }
    let linked = config.data.train.iter().any(|corpus| corpus.links.is_some());
    if linked && terms.guided > 0.0 {
        let help = "translations that are drawn have no links: set `guided = 0`, or remove `samples`";
        court.contradiction(&[samples, "training.alignment.guided"], help);
    }
    if config.model.attention == Attention::Hard {
        let help = "positions are rewarded for the references of a corpus alone: remove `samples`";
        court.contradiction(&[samples, "model.attention"], help);
    }
}

/// Whether a part of the model cannot change, be it because there is no such part or because it shares its table with one that does not.
fn is_frozen(part: Part, config: &Config) -> bool {
    let frozen = |part| config.training.freeze.contains(&part);
    let source = frozen(Part::SourceEmbedding);
    let target = frozen(Part::TargetEmbedding) || config.model.tie_output && frozen(Part::Output);
    match part {
        Part::SourceEmbedding | Part::TargetEmbedding if config.model.share_embeddings => source || target,
        Part::TargetEmbedding => target,
        Part::Attention => frozen(part) || config.model.attention == Attention::None,
        part => frozen(part),
    }
}

/// A value that the optimiser chosen never looks at was meant for another one.
fn optimizer(court: &mut Court<'_>, optimizer: &OptimizerConfig) {
    use OptimizerKind::{Adadelta, Adam, Adamw, Sgd};
    let default = OptimizerConfig::default();
    let unused: [(&str, bool, &[OptimizerKind], &str); 4] = [
        ("beta1", optimizer.beta1 != default.beta1, &[Adam, Adamw], "`adam` and `adamw` have"),
        ("beta2", optimizer.beta2 != default.beta2, &[Adam, Adamw], "`adam` and `adamw` have"),
        ("rho", optimizer.rho != default.rho, &[Adadelta], "`adadelta` has"),
        ("momentum", optimizer.momentum != default.momentum, &[Sgd], "`sgd` has"),
    ];
    for (name, changed, kinds, who) in unused {
        if changed && !kinds.contains(&optimizer.kind) {
            let key = format!("training.optimizer.{name}");
            court.contradiction(&[&key, "training.optimizer.kind"], &format!("only {who} `{name}`: remove it"));
        }
    }
}

/// A value that the schedule chosen never looks at was meant for another one.
fn schedule(court: &mut Court<'_>, training: &TrainingConfig) {
    let (schedule, default) = (&training.schedule, ScheduleConfig::default());
    let kind = "training.schedule.kind";
    let plateau = schedule.kind == ScheduleKind::Plateau;
    if !plateau && schedule.factor != default.factor {
        court.contradiction(&["training.schedule.factor", kind], "only `plateau` has a `factor`: remove it");
    }
    if !plateau && schedule.patience != default.patience {
        court.contradiction(&["training.schedule.patience", kind], "only `plateau` has `patience`: remove it");
    }
    let falls = schedule.kind != ScheduleKind::Constant;
    if !falls && schedule.min_learning_rate != default.min_learning_rate {
        court.contradiction(&["training.schedule.min_learning_rate", kind], "a constant rate never falls: remove it");
    }
    if falls && schedule.min_learning_rate > training.optimizer.learning_rate {
        let keys = ["training.schedule.min_learning_rate", "training.optimizer.learning_rate"];
        court.contradiction(&keys, "the rate cannot fall to more than it begins with: lower `min_learning_rate`");
    }
}

fn translation(court: &mut Court<'_>, config: &Config) {
    if config.translation.max_ratio == 0.0 && config.translation.max_extra == 0 {
        let help = "no translation would have a token: set one of them";
        court.contradiction(&["translation.max_ratio", "translation.max_extra"], help);
    }
}

fn needs_of_training(court: &mut Court<'_>, config: &Config) {
    if config.data.train.is_empty() {
        let help = "add `[[data.train]]` with `source = \"FILE\"` and `target = \"FILE\"`, or `tsv` or `jsonl`";
        court.corpus(&KeyPath::from_dotted("data.train"), "there is no training corpus".into(), help);
    }
    if config.data.validation.is_some() {
        return;
    }
    let training = &config.training;
    let needs: [(&str, bool, &str); 3] = [
        (
            "training.schedule.kind",
            training.schedule.kind == ScheduleKind::Plateau,
            "`training.schedule.kind = \"constant\"`",
        ),
        ("training.patience", training.patience > 0, "`training.patience = 0`"),
        ("training.validate_every", training.validate_every > 0, "`training.validate_every = 0`"),
    ];
    for (key, needed, instead) in needs {
        if needed {
            court.needs_validation(key, instead);
        }
    }
}

/// Collects mistakes and finds out where the settings in question come from.
struct Court<'l> {
    values: toml::Table,
    layers: &'l Layers<'l>,
    mistakes: Vec<Mistake>,
}

impl Court<'_> {
    /// Settings that cannot be together; the first that is not a default leads.
    fn contradiction(&mut self, keys: &[&str], help: &str) {
        let mut settings: Vec<Setting> = keys.iter().map(|key| self.setting(&KeyPath::from_dotted(key))).collect();
        settings.sort_by_key(|setting| match setting.place {
            Place::File { .. } | Place::Override { .. } => 0,
            Place::Preset { .. } => 1,
            Place::Default { .. } => 2,
        });
        let place = settings[0].place.clone();
        self.mistakes.push(Mistake { place, fault: Fault::Contradiction { settings }, help: Some(help.to_owned()) });
    }

    fn bad_value(&mut self, key: &str, expected: &str, help: &str) {
        let Setting { key, value, place } = self.setting(&KeyPath::from_dotted(key));
        let fault = Fault::BadValue { key, given: format!("`{value}`"), expected: expected.to_owned() };
        self.mistakes.push(Mistake { place, fault, help: Some(help.to_owned()) });
    }

    fn corpus(&mut self, path: &KeyPath, message: String, help: &str) {
        let place = self.layers.place(path);
        self.mistakes.push(Mistake { place, fault: Fault::Corpus { message }, help: Some(help.to_owned()) });
    }

    fn needs_validation(&mut self, key: &str, instead: &str) {
        let Setting { key, value, place } = self.setting(&KeyPath::from_dotted(key));
        let default = if matches!(place, Place::Default { .. }) { " (the default)" } else { "" };
        let message = format!("`{key} = {value}`{default} needs a validation corpus");
        let help = Some(format!("add `[data.validation]` with `source` and `target`, or set {instead}"));
        self.mistakes.push(Mistake { place, fault: Fault::Corpus { message }, help });
    }

    fn setting(&self, path: &KeyPath) -> Setting {
        let value = lookup(&self.values, path.segments()).map(crate::write::value).unwrap_or_default();
        Setting { key: path.to_string(), value, place: self.layers.place(path) }
    }
}

fn lookup<'v>(table: &'v toml::Table, path: &[Segment]) -> Option<&'v toml::Value> {
    let [Segment::Key(key), below @ ..] = path else { return None };
    let mut value = table.get(key)?;
    for segment in below {
        value = match segment {
            Segment::Key(key) => value.get(key)?,
            Segment::Index(index) => value.get(*index)?,
        };
    }
    Some(value)
}
