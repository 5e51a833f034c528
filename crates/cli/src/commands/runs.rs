//! `rnnsearch runs`

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rnnsearch_config::Config;
use rnnsearch_inference::Model;
use rnnsearch_training::State;
use serde::Serialize;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::args::{Order, Runs};
use crate::messages::{Messages, harmless};
use crate::output::print;
use crate::run_log::{self, Entry};

/// Compares trainings.
pub fn run(args: &Runs) -> Result<()> {
    let mut folders = Vec::new();
    find(&args.folder, &mut folders, args.messages)
        .with_context(|| format!("cannot read folder `{}`", args.folder.display()))?;
    let mut runs: Vec<Run> = Vec::new();
    for folder in folders {
        match Run::read(&folder, &args.folder) {
            Ok(run) => runs.push(run),
            Err(error) => args.messages.warning(format_args!("{} is left out: {error:#}", folder.display())),
        }
    }
    if runs.is_empty() {
        args.messages.note(format_args!("there are no run folders in `{}`", args.folder.display()));
    }
    runs.sort_by(|a, b| order(args.sort, a, b).then_with(|| a.run.cmp(&b.run)));
    keep_differing(&mut runs);
    print(&if args.json { json(&runs)? } else { table(&runs) })
}

/// Finds run folders, in the order of their names. Links to folders are not followed: they may lead back. Folders below this one that
/// cannot be read are named and left out.
fn find(folder: &Path, found: &mut Vec<PathBuf>, messages: Messages) -> std::io::Result<()> {
    if folder.join("config.toml").is_file() && folder.join("lock").is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    for folder in folders {
        if let Err(error) = find(&folder, found, messages) {
            messages.warning(format_args!("folder `{}` is left out, it cannot be read: {error}", folder.display()));
        }
    }
    Ok(())
}

/// A training.
#[derive(Debug, Serialize)]
struct Run {
    run: String,
    state: &'static str,
    updates: u64,
    epochs: f64,
    /// The best of all validations.
    bleu: Option<Best>,
    chrf: Option<Best>,
    loss: Option<Best>,
    parameters: Option<usize>,
    hours: Option<f64>,
    settings: Map<String, Value>,
}

#[derive(Debug, Serialize)]
struct Best {
    value: f64,
    update: u64,
}

impl Run {
    fn read(folder: &Path, below: &Path) -> Result<Self> {
        let config = Config::load(&folder.join("config.toml"), &[])?;
        let entries = if run_log::path_of(folder).exists() { run_log::read(folder)? } else { Vec::new() };
        let name = folder.strip_prefix(below).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(folder);
        let state = match State::of(folder, &config)? {
            State::Running => "running",
            State::Finished => "finished",
            State::Interrupted => "interrupted",
        };
        let mut settings = Map::new();
        flatten(&serde_json::to_value(&config)?, "", &mut settings);
        Ok(Self {
            run: name.display().to_string(),
            state,
            updates: entries.last().map_or(0, |entry| entry.update),
            epochs: entries.last().map_or(0.0, |entry| entry.epochs),
            bleu: best(&entries, "bleu", 1.0),
            chrf: best(&entries, "chrf", 1.0),
            loss: best(&entries, "loss", -1.0),
            parameters: parameters(folder)?,
            hours: entries.last().and_then(|entry| Some(entry.number("elapsed")? / 3600.0)),
            settings,
        })
    }
}

/// The parameters of the best model, if there is one yet.
fn parameters(folder: &Path) -> Result<Option<usize>> {
    if !folder.join("model.safetensors").exists() {
        return Ok(None);
    }
    Ok(Some(Model::count_parameters(folder)?))
}

/// The best score of validations, the first of equals; with a `sign` of -1 less is better.
fn best(entries: &[Entry], name: &str, sign: f64) -> Option<Best> {
    let validations = entries.iter().filter(|entry| entry.is_validation);
    let scores = validations.filter_map(|entry| Some(Best { value: entry.number(name)?, update: entry.update }));
    scores.reduce(|best, next| if sign * next.value > sign * best.value { next } else { best })
}

/// The values of a tree by their paths, such as `model.dropout.embedding`.
fn flatten(value: &Value, path: &str, into: &mut Map<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(value, &path, into);
            }
        }
        value => {
            into.insert(path.to_owned(), value.clone());
        }
    }
}

/// Forgets settings that are the same in all runs.
fn keep_differing(runs: &mut [Run]) {
    let keys: BTreeSet<String> = runs.iter().flat_map(|run| run.settings.keys().cloned()).collect();
    for key in keys {
        let mut values = runs.iter().map(|run| run.settings.get(&key));
        let first = values.next().flatten();
        if values.all(|value| value == first) {
            for run in runs.iter_mut() {
                run.settings.remove(&key);
            }
        }
    }
}

/// The order of two runs; those without a score come last.
fn order(by: Order, a: &Run, b: &Run) -> Ordering {
    let score = |best: &Option<Best>, sign: f64| best.as_ref().map_or(f64::NEG_INFINITY, |best| sign * best.value);
    let key = |run: &Run| match by {
        Order::Name => 0.0,
        Order::Bleu => score(&run.bleu, 1.0),
        Order::Chrf => score(&run.chrf, 1.0),
        Order::Loss => score(&run.loss, -1.0),
        Order::Updates => run.updates as f64,
        Order::Hours => run.hours.unwrap_or(f64::NEG_INFINITY),
    };
    key(b).total_cmp(&key(a))
}

fn json(runs: &[Run]) -> Result<String> {
    let lines = runs.iter().map(|run| Ok(serde_json::to_string(run)? + "\n"));
    lines.collect()
}

/// The runs in columns, and the settings in which they differ.
fn table(runs: &[Run]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    const HEAD: [&str; 9] = ["run", "state", "updates", "epochs", "BLEU", "chrF2", "loss", "parameters", "hours"];
    let rows: Vec<[String; 9]> = [HEAD.map(str::to_owned)].into_iter().chain(runs.iter().map(cells)).collect();
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0)).collect();
    let mut text: String = rows.iter().map(|row| line(row, &widths)).collect();
    if runs.iter().any(|run| !run.settings.is_empty()) {
        text += "\nsettings that differ\n";
        for run in runs {
            let settings: Vec<String> = run.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let name = harmless(&run.run);
            let blanks = " ".repeat(widths[0] - name.width());
            text += &format!("{name}{blanks}  {}\n", harmless(&settings.join("  ")));
        }
    }
    text
}

fn cells(run: &Run) -> [String; 9] {
    let score = |best: &Option<Best>, decimals: usize| match best {
        Some(Best { value, update }) => format!("{value:.decimals$} at {update}"),
        None => "-".to_owned(),
    };
    [
        harmless(&run.run),
        run.state.to_owned(),
        run.updates.to_string(),
        format!("{:.1}", run.epochs),
        score(&run.bleu, 2),
        score(&run.chrf, 2),
        score(&run.loss, 4),
        run.parameters.map_or("-".to_owned(), |count| count.to_string()),
        run.hours.map_or("-".to_owned(), |hours| format!("{hours:.2}")),
    ]
}

/// A line of the table: words to the left of their columns, numbers to the right.
fn line(row: &[String; 9], widths: &[usize]) -> String {
    let cell = |(column, text): (usize, &String)| {
        let blanks = " ".repeat(widths[column] - text.width());
        if column < 2 { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
    };
    let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
    cells.join("  ").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, bleu: Option<f64>, settings: &str) -> Run {
        Run {
            run: name.into(),
            state: "finished",
            updates: 120,
            epochs: 2.5,
            bleu: bleu.map(|value| Best { value, update: 90 }),
            chrf: None,
            loss: Some(Best { value: 1.5, update: 60 }),
            parameters: Some(8_600_000),
            hours: Some(0.25),
            settings: serde_json::from_str(settings).unwrap(),
        }
    }

    #[test]
    fn what_differs_is_told_and_what_has_no_score_is_last() {
        let mut runs = vec![
            run("a", None, r#"{"x": 1, "same": [1, 2]}"#),
            run("sub/b", Some(3.25), r#"{"x": 2, "same": [1, 2]}"#),
            run("c\u{1b}", Some(30.125), r#"{"same": [1, 2]}"#),
        ];
        runs.sort_by(|a, b| order(Order::Bleu, a, b));
        keep_differing(&mut runs);
        insta::assert_snapshot!(table(&runs));
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn settings_are_named_by_their_paths() {
        let mut flat = Map::new();
        flatten(&serde_json::json!({"a": {"b": 1, "c": [2]}, "d": null}), "", &mut flat);
        assert_eq!(Value::Object(flat).to_string(), r#"{"a.b":1,"a.c":[2],"d":null}"#);
    }
}
