//! `rnnsearch corpus`

mod check;
mod clean;
mod stats;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use rnnsearch_config::{Config, CorpusConfig, DataConfig, FilterConfig};
use rnnsearch_corpus::{Entries, Entry, FileEnd, Item, Language};
use serde_json::{Value, json};

use crate::args::{CorpusAction, CorpusText};
use crate::compute::start_threads;
use crate::failure::Misuse;
use crate::messages::Messages;
use crate::progress::Counter;

/// Looks at corpora, or cleans them.
pub fn run(what: &CorpusAction) -> Result<ExitCode> {
    match what {
        CorpusAction::Stats(args) => stats::run(args).map(|()| ExitCode::SUCCESS),
        CorpusAction::Check(args) => check::run(args),
        CorpusAction::Clean(args) => clean::run(args).map(|()| ExitCode::SUCCESS),
    }
}

impl CorpusText {
    /// The settings that it comes to. Filters are those of the configuration, or of `by_default` if that has any, and of the options.
    fn data(&self, by_default: &FilterConfig, messages: Messages) -> Result<DataConfig> {
        start_threads(self.threads)?;
        let overrides = self.overrides(by_default);
        let mut data = match &self.config {
            Some(config) => Config::load(config, &overrides)?.data,
            None => DataConfig { train: vec![self.corpus()], ..Config::from_toml("", &overrides)?.data },
        };
        if data.train.is_empty() {
            let message = "the configuration has no training corpus: `[[data.train]]` names its files";
            return Err(Misuse(message.into()).into());
        }
        let default = DataConfig::default();
        let unnamed = [
            ("source", data.source_language == default.source_language),
            ("target", data.target_language == default.target_language),
        ];
        let named = self.source_language.is_some() || self.target_language.is_some();
        if let (true, true, Some((side, _))) =
            (named, data.filter.languages, unnamed.iter().find(|(_, unnamed)| *unnamed))
        {
            let message =
                format!("languages are checked on both sides: name that of the {side} too, with --{side}-language");
            return Err(Misuse(message).into());
        }
        if named && !data.filter.languages {
            messages
                .note("languages are named, but nothing is left out for its language: `--filter languages` does that");
        }
        let unknown = [&data.source_language, &data.target_language].map(|name| Language::from_name(name).is_none());
        if data.filter.languages && unknown.contains(&true) && !self.asks_for_languages(by_default) {
            data.filter.languages = false;
            messages.note("languages are not checked: name them with --source-language and --target-language");
        }
        Ok(data)
    }

    fn overrides(&self, by_default: &FilterConfig) -> Vec<String> {
        let mut overrides = if *by_default == FilterConfig::default() { Vec::new() } else { settings_of(by_default) };
        for (side, language) in [("source", &self.source_language), ("target", &self.target_language)] {
            overrides
                .extend(language.iter().map(|name| format!("data.{side}_language={}", Value::from(name.as_str()))));
        }
        // What is set by itself goes before what is recommended, wherever it stands.
        let (recommended, others): (Vec<_>, Vec<_>) = self.filter.iter().partition(|filter| *filter == "recommended");
        for filter in recommended.into_iter().chain(others) {
            match filter.split_once('=') {
                None if filter == "recommended" => overrides.extend(settings_of(&FilterConfig::recommended())),
                None => overrides.push(format!("data.filter.{}=true", filter.replace('-', "_"))),
                Some((key, value)) => overrides.push(format!("data.filter.{}={value}", key.replace('-', "_"))),
            }
        }
        overrides
    }

    /// Whether languages count by more than that all recommended filters do.
    fn asks_for_languages(&self, by_default: &FilterConfig) -> bool {
        let has = |filter: &str| self.filter.iter().any(|given| given == filter);
        let named = self.source_language.is_some() || self.target_language.is_some();
        named || has("languages") || has("languages=true") || !by_default.languages && !has("recommended")
    }

    fn corpus(&self) -> CorpusConfig {
        CorpusConfig {
            source: self.files.first().cloned(),
            target: self.files.get(1).cloned(),
            tsv: self.tsv.clone(),
            jsonl: self.jsonl.clone(),
            source_field: self.source_field.clone(),
            target_field: self.target_field.clone(),
            ..CorpusConfig::default()
        }
    }
}

/// Settings of filters, as `--set` takes them.
fn settings_of(filter: &FilterConfig) -> Vec<String> {
    let settings = json!(filter);
    let settings = settings.as_object().into_iter().flatten();
    settings.map(|(key, value)| format!("data.filter.{key}={value}")).collect()
}

/// The files of corpora.
fn files_of(corpora: &[CorpusConfig]) -> Vec<&Path> {
    let files = corpora.iter().flat_map(|corpus| [&corpus.source, &corpus.target, &corpus.tsv, &corpus.jsonl]);
    files.flatten().map(PathBuf::as_path).collect()
}

/// What is read of corpora.
enum Part<'a> {
    /// Some lines.
    Lines(&'a [Entry]),
    /// The end of the files of a corpus.
    End(&'a [FileEnd]),
}

/// Reads corpora to their end, or until no more can be read, some lines at a time.
fn read(corpora: &[CorpusConfig], messages: Messages, mut see: impl FnMut(Part) -> Result<()>) -> Result<()> {
    /// Lines that are looked at together.
    const TOGETHER: usize = 4096;
    /// The bytes of text after which there are enough of them.
    const BYTES: usize = 1 << 25;
    let counter = Counter::new(None, !messages.quiet && io::stderr().is_terminal());
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for item in Entries::open(corpora)? {
        let is_whole = !matches!(item, Ok(Item::Entry(_)));
        let end = match item {
            Ok(Item::Entry(entry)) => {
                bytes += entry.text.iter().flatten().map(String::len).sum::<usize>();
                lines.push(*entry);
                Ok(None)
            }
            Ok(Item::End(end)) => Ok(Some(end)),
            Err(error) => Err(error),
        };
        if is_whole || lines.len() == TOGETHER || bytes >= BYTES {
            see(Part::Lines(&lines))?;
            counter.add(lines.len());
            lines.clear();
            bytes = 0;
        }
        if let Some(end) = end? {
            see(Part::End(&end))?;
        }
    }
    Ok(())
}

/// A share in per cent.
fn percent(count: u64, total: u64) -> f64 {
    100.0 * count as f64 / total.max(1) as f64
}
