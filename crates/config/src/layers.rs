//! File and `--set` arguments over the defaults, and which of them a value comes from.

use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::check::{Finding, check_file, check_override};
use crate::error::{ConfigError, Fault, Mistake, Place};
use crate::key::{KeyPath, Segment};
use crate::rules::Rules;
use crate::settings::{Config, Preset};

/// The text of a configuration file, without a byte order mark.
pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    let bytes = fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let (line, column) = crate::snippet::position(&valid, valid.len());
        ConfigError::NotUtf8 { path: path.to_owned(), line, column }
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// What is put over the defaults, each part valid by itself: a preset, over it the file, over that the overrides.
pub(crate) struct Layers<'t> {
    name: &'t str,
    text: &'t str,
    preset: Option<(Preset, DeTable<'static>)>,
    file: DeTable<'t>,
    overrides: Vec<Override<'t>>,
}

/// One `--set key=value`.
struct Override<'t> {
    argument: &'t str,
    path: KeyPath,
    value: DeValue<'t>,
}

impl<'t> Layers<'t> {
    /// Reads the file `name` with the content `text`, and the overrides, each checked alone.
    pub(crate) fn parse(name: &'t str, text: &'t str, overrides: &'t [String]) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        let file = parse_file(name, text).unwrap_or_else(|found| {
            mistakes.extend(found);
            DeTable::new()
        });
        let mut parsed = Vec::new();
        for argument in overrides {
            match parse_override(argument) {
                Ok(value) => parsed.push(value),
                Err(found) => mistakes.extend(found),
            }
        }
        match mistakes.is_empty() {
            true => {
                let preset = preset_of(&file, &parsed).map(|preset| (preset, table_of(preset)));
                Ok(Self { name, text, preset, file, overrides: parsed })
            }
            false => Err(ConfigError::Invalid { mistakes }),
        }
    }

    /// The settings that result, if they obey `rules`.
    pub(crate) fn resolve(&self, rules: Rules) -> Result<Config, ConfigError> {
        let mut table: DeTable<'_> = self.preset.as_ref().map_or_else(DeTable::new, |(_, preset)| preset.clone());
        put_over(&mut table, self.file.clone());
        for Override { path, value, .. } in &self.overrides {
            replace(&mut table, path.segments(), value.clone());
        }
        let deserializer = toml::de::Deserializer::from(Spanned::new(0..self.text.len(), table));
        let config = Config::deserialize(deserializer).map_err(|error| ConfigError::Invalid {
            mistakes: vec![self.syntax(error.message(), error.span().unwrap_or(0..0))],
        })?;
        // All that it says is there.
        let config = Config { preset: None, ..config };
        let mistakes = rules.broken(&config, self)?;
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { mistakes }) }
    }

    /// Where the value of `path` comes from.
    pub(crate) fn place(&self, path: &KeyPath) -> Place {
        if let Some(set) = self.overrides.iter().rev().find(|set| set.path.overlaps(path)) {
            return Place::Override { argument: set.argument.to_owned() };
        }
        if let Some(span) = span_of(&self.file, path.segments()) {
            return Place::in_file(self.name, self.text, span);
        }
        match &self.preset {
            Some((preset, table)) if span_of(table, path.segments()).is_some() => Place::Preset { name: preset.name() },
            _ => Place::Default { name: self.name.to_owned() },
        }
    }

    fn syntax(&self, message: &str, span: Range<usize>) -> Mistake {
        let fault = Fault::Syntax { message: message.to_owned() };
        Mistake { place: Place::in_file(self.name, self.text, span), fault, help: None }
    }
}

/// The preset that is asked for; the last one counts.
fn preset_of(file: &DeTable<'_>, overrides: &[Override<'_>]) -> Option<Preset> {
    let of_override = |set: &Override<'_>| set.path.to_string() == "preset";
    let value = match overrides.iter().rev().find(|set| of_override(set)) {
        Some(set) => &set.value,
        None => file.get("preset")?.get_ref(),
    };
    Preset::ALL.into_iter().find(|preset| value.as_str() == Some(preset.name()))
}

/// The settings of a preset.
fn table_of(preset: Preset) -> DeTable<'static> {
    DeTable::parse(preset.toml()).expect("a preset is TOML").into_inner()
}

/// Puts the values of one table over those of another, table by table.
fn put_over<'t>(below: &mut DeTable<'t>, above: DeTable<'t>) {
    for (key, value) in above {
        match (below.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value) {
            (Some(DeValue::Table(below)), value) if value.get_ref().is_table() => {
                let DeValue::Table(above) = value.into_inner() else { unreachable!("it is a table") };
                put_over(below, above);
            }
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

fn parse_file<'t>(name: &str, text: &'t str) -> Result<DeTable<'t>, Vec<Mistake>> {
    let mistake = |Finding { span, fault, help }| Mistake { place: Place::in_file(name, text, span), fault, help };
    let table = DeTable::parse(text).map_err(|error| {
        let fault = Fault::Syntax { message: format!("this is not TOML: {}", error.message()) };
        vec![mistake(Finding { span: error.span().unwrap_or(0..0), fault, help: None })]
    })?;
    let findings = check_file(text, table.get_ref());
    match findings.is_empty() {
        true => Ok(table.into_inner()),
        false => Err(findings.into_iter().map(mistake).collect()),
    }
}

fn parse_override(argument: &str) -> Result<Override<'_>, Vec<Mistake>> {
    let mistake = |fault, help| Mistake { place: Place::Override { argument: argument.to_owned() }, fault, help };
    let Some((key, text)) = argument.split_once('=') else {
        let message = "this is not `key=value`".to_owned();
        return Err(vec![mistake(Fault::Syntax { message }, None)]);
    };
    let path = KeyPath::from_dotted(key);
    let (value, bare) = parse_value(text.trim());
    let findings = check_override(&path, text.trim(), &value);
    if findings.is_empty() {
        return Ok(Override { argument, path, value: value.into_inner() });
    }
    Err(findings.into_iter().map(|Finding { fault, help, .. }| mistake(fault, help.or(bare.clone()))).collect())
}

/// The value that `text` is in TOML. What is not TOML is a string; where it looks as if it was meant to be TOML, the
/// second part says why it is not.
fn parse_value(text: &str) -> (Spanned<DeValue<'_>>, Option<String>) {
    match DeValue::parse(text) {
        Ok(value) => (value, None),
        Err(error) => (
            Spanned::new(0..text.len(), DeValue::String(Cow::Borrowed(text))),
            text.starts_with(['[', '{', '"', '\'']).then(|| format!("it is not TOML: {}", error.message())),
        ),
    }
}

/// Puts `value` at `path`, making tables on the way.
fn replace<'t>(table: &mut DeTable<'t>, path: &[Segment], value: DeValue<'t>) {
    let [Segment::Key(key), below @ ..] = path else { return };
    if below.is_empty() {
        table.insert(Spanned::new(0..0, Cow::Owned(key.clone())), Spanned::new(0..0, value));
        return;
    }
    let inner = table
        .entry(Spanned::new(0..0, Cow::Owned(key.clone())))
        .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
    if let DeValue::Table(inner) = inner.get_mut() {
        replace(inner, below, value);
    }
}

/// Where the file has `path`: the key of a setting, the header of a table in a list.
fn span_of(table: &DeTable<'_>, path: &[Segment]) -> Option<Range<usize>> {
    let [Segment::Key(key), below @ ..] = path else { return None };
    let (written, value) = table.get_key_value(key.as_str())?;
    match (value.get_ref(), below) {
        (_, []) => Some(written.span()),
        (DeValue::Array(items), [Segment::Index(index), below @ ..]) => {
            let item = items.get(*index)?;
            match (item.get_ref(), below) {
                (_, []) => Some(item.span()),
                (DeValue::Table(table), below) => span_of(table, below),
                _ => None,
            }
        }
        (DeValue::Table(table), below) => span_of(table, below),
        _ => None,
    }
}
