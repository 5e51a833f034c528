//! `rnnsearch info`

use std::fmt::Write;

use anyhow::Result;
use indicatif::HumanCount;
use rnnsearch_config::{Config, Decoder, ModelConfig};
use rnnsearch_inference::{Form, Model, Shortlist};
use serde_json::{Value, json};

use crate::args::Info;
use crate::output::print;

/// Tells what a model is.
pub fn run(args: &Info) -> Result<()> {
    let model = Model::load(&args.model)?;
    let count: usize = model.parameters().values().map(|parameter| parameter.shape.iter().product::<usize>()).sum();
    print(&if args.json { json(&model, count).to_string() + "\n" } else { text(&model, count) })
}

fn text(model: &Model, parameters: usize) -> String {
    let config = &model.config;
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "{name:<12}{value}").expect("a string takes all");
    line("format", model.format().to_string());
    line("languages", format!("{} to {}", config.data.source_language, config.data.target_language));
    line("parameters", HumanCount(parameters as u64).to_string());
    line("weights", weights(model.form()).into());
    line("vocabulary", vocabulary(model));
    let tags = model.vocabularies.source.tags();
    if !tags.is_empty() {
        line("tags", tags.join(", "));
    }
    if let Some(shortlist) = &model.shortlist {
        let [frequent, proposals] = shortlist.sizes();
        line("shortlist", format!("{frequent} words for every source, up to {proposals} more for each source word"));
    }
    let sizes = &config.model;
    line("embedding", sizes.embedding.to_string());
    line("encoder", encoder(sizes));
    line("decoder", decoder(sizes));
    line("attention", attention(sizes));
    line("readout", format!("{} maxout units", sizes.readout));
    line("search", search(config));
    text
}

fn encoder(model: &ModelConfig) -> String {
    let mut text = format!("{} x 2 x {} units", model.encoder_layers, model.encoder_hidden);
    if model.layer_norm {
        text += ", layer-normalised";
    }
    text
}

fn decoder(model: &ModelConfig) -> String {
    let mut text = format!("{} x {} units", model.decoder_layers, model.decoder_hidden);
    if model.decoder == Decoder::Conditional {
        text += ", conditional";
    }
    if model.input_feeding {
        text += ", fed with the readout";
    }
    if model.layer_norm {
        text += ", layer-normalised";
    }
    text
}

fn attention(model: &ModelConfig) -> String {
    // A kind is named as the configuration names it.
    let kind = json!(model.attention);
    let kind = kind.as_str().unwrap_or_default();
    match model.attention.has_hidden() {
        true => format!("{kind}, {} units", model.attention_hidden),
        false => kind.into(),
    }
}

fn weights(form: Form) -> &'static str {
    match form {
        Form::Float32 => "32-bit floats",
        Form::Float16 => "16-bit floats",
        Form::Int8 => "8-bit integers",
    }
}

fn vocabulary(model: &Model) -> String {
    let (source, target) = (&model.vocabularies.source, &model.vocabularies.target);
    // A kind is named as the configuration names it.
    let kind = json!(source.kind());
    let kind = kind.as_str().unwrap_or_default();
    match model.vocabularies.is_joint() {
        true => format!("{kind}, {} for both languages", source.vocab_size()),
        false => format!("{kind}, {} source and {} target", source.vocab_size(), target.vocab_size()),
    }
}

fn search(config: &Config) -> String {
    let translation = &config.translation;
    format!("beam {}, length penalty {}", translation.beam_size, translation.length_penalty)
}

fn json(model: &Model, parameters: usize) -> Value {
    let config = &model.config;
    json!({
        "format": model.format(),
        "source_language": config.data.source_language,
        "target_language": config.data.target_language,
        "parameters": parameters,
        "weights": weights(model.form()),
        "shortlist": model.shortlist.as_ref().map(Shortlist::sizes),
        "source_vocabulary": model.vocabularies.source.vocab_size(),
        "target_vocabulary": model.vocabularies.target.vocab_size(),
        "tags": model.vocabularies.source.tags(),
        "tokenizer": config.tokenizer,
        "model": config.model,
        "training": config.training,
        "validation": config.validation,
        "translation": config.translation,
    })
}
