//! What a training wrote of itself: `metrics.jsonl` of a run folder, which docs/metrics.md describes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// A line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whether it is of a validation, not of training.
    pub is_validation: bool,
    /// Updates done.
    pub update: u64,
    /// Passes over the data that were done, with the part of the current one.
    pub epochs: f64,
    fields: Map<String, Value>,
}

impl Entry {
    /// The number of that name, if it has one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.fields.get(name)?.as_f64()
    }

    /// Whether a validation was the best until then.
    pub fn is_best(&self) -> bool {
        self.fields.get("best") == Some(&Value::Bool(true))
    }
}

/// The file of a run folder.
pub fn path_of(run: &Path) -> PathBuf {
    run.join("metrics.jsonl")
}

/// The lines of a run folder. A last line that is being written is left out.
pub fn read(run: &Path) -> Result<Vec<Entry>> {
    let path = path_of(run);
    let name = path.display();
    let file =
        File::open(&path).with_context(|| format!("cannot read `{name}`: is `{}` a run folder?", run.display()))?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read `{name}`"))?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let at = || format!("{name}:{number}: not a line of a training's metrics");
        let fields: Map<String, Value> = serde_json::from_slice(&line).with_context(at)?;
        if let Some(entry) = entry(fields).with_context(at)? {
            forget(&mut entries, &entry);
            entries.push(entry);
        }
    }
    place_validations(&mut entries);
    Ok(entries)
}

/// A validation tells the pass it was in; the part of it that was done follows from the lines of training around it or, after the
/// last, from those before it. Without any it counts as the whole.
fn place_validations(entries: &mut [Entry]) {
    let training = entries.iter().filter(|entry| !entry.is_validation);
    let known: Vec<(f64, f64)> =
        [(0.0, 0.0)].into_iter().chain(training.map(|entry| (entry.update as f64, entry.epochs))).collect();
    if known.len() == 1 {
        return;
    }
    for entry in entries.iter_mut().filter(|entry| entry.is_validation) {
        let update = entry.update as f64;
        let right = known.partition_point(|(at, _)| *at < update).clamp(1, known.len() - 1);
        let ((from, begun), (to, done)) = (known[right - 1], known[right]);
        let epochs = begun + (update - from) / (to - from).max(1.0) * (done - begun);
        entry.epochs = epochs.clamp(entry.epochs - 1.0, entry.epochs);
    }
}

/// Forgets the lines of a training that went back, from where it tells of updates once more.
fn forget(entries: &mut Vec<Entry>, next: &Entry) {
    let again = |entry: &Entry| entry.update == next.update && entry.is_validation == next.is_validation;
    let went_back = entries.last().is_some_and(|last| last.update > next.update);
    if went_back || entries.iter().rev().take(2).any(again) {
        entries.retain(|entry| entry.update < next.update);
    }
}

/// A line of a kind that is known here.
fn entry(fields: Map<String, Value>) -> Result<Option<Entry>> {
    let whole = |name: &str| fields.get(name).and_then(Value::as_u64).with_context(|| format!("`{name}` is no number"));
    let is_validation = match fields.get("kind").and_then(Value::as_str) {
        Some("training") => false,
        Some("validation") => true,
        Some(_) => return Ok(None),
        None => bail!("it has no `kind`"),
    };
    let (update, epoch) = (whole("update")?, whole("epoch")? as f64);
    let epochs =
        if is_validation { epoch } else { epoch - 1.0 + whole("batch")? as f64 / whole("batches")?.max(1) as f64 };
    Ok(Some(Entry { is_validation, update, epochs, fields }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Entry>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path_of(folder.path()), text).unwrap();
        read(folder.path())
    }

    #[test]
    fn epochs_are_told_in_parts() {
        let entries = read_text(
            r#"{"kind":"training","update":10,"epoch":1,"batch":10,"batches":40,"loss":null}
{"kind":"validation","update":20,"epoch":1,"bleu":3.5,"best":true}
{"kind":"something new"}
{"kind":"training","update":50,"epoch":2,"batch":10,"batches":40,"loss":2.5}
{"kind":"validation","update":82,"epoch":2,"best":false}
{"kind":"training","update":90,"epo"#,
        )
        .unwrap();
        let epochs: Vec<f64> = entries.iter().map(|entry| entry.epochs).collect();
        assert_eq!(epochs, [0.25, 0.5, 1.25, 2.0]);
        assert_eq!((entries[0].number("loss"), entries[2].number("loss")), (None, Some(2.5)));
        assert!(entries[1].is_best() && !entries[3].is_best());
    }

    #[test]
    fn validations_are_placed_by_the_training_around_them() {
        let training = |update: u64, epoch: u64, batch: u64| {
            format!(
                "{{\"kind\":\"training\",\"update\":{update},\"epoch\":{epoch},\"batch\":{batch},\"batches\":40}}\n"
            )
        };
        let validation =
            |update: u64, epoch: u64| format!("{{\"kind\":\"validation\",\"update\":{update},\"epoch\":{epoch}}}\n");
        let epochs = |lines: &[String]| -> Vec<f64> {
            let entries = read_text(&lines.concat()).unwrap();
            entries.iter().filter(|entry| entry.is_validation).map(|entry| entry.epochs).collect()
        };
        // Four batches an update: before the first line of training, between two, and after the last.
        let accumulated =
            [validation(1, 1), training(2, 1, 8), validation(5, 1), training(12, 2, 8), validation(14, 2)];
        assert_eq!(epochs(&accumulated), [0.1, 0.5, 1.4]);
        let recovered = [
            training(10, 1, 10),
            training(60, 2, 20),
            "{\"kind\":\"recovery\",\"update\":10}\n".into(),
            validation(20, 1),
            training(30, 1, 30),
        ];
        assert_eq!(epochs(&recovered), [0.5]);
        assert_eq!(epochs(&[validation(5, 2)]), [2.0]);
    }

    #[test]
    fn what_is_told_again_counts() {
        let line = |update: u64, loss: f64| {
            format!(
                "{{\"kind\":\"training\",\"update\":{update},\"epoch\":1,\"batch\":1,\"batches\":9,\"loss\":{loss}}}\n"
            )
        };
        let losses = |lines: &[(u64, f64)]| {
            let text: String = lines.iter().map(|&(update, loss)| line(update, loss)).collect();
            read_text(&text).unwrap().iter().filter_map(|entry| entry.number("loss")).collect::<Vec<f64>>()
        };
        assert_eq!(losses(&[(10, 1.0), (20, 2.0), (30, 3.0), (20, 4.0), (30, 5.0)]), [1.0, 4.0, 5.0]);
        assert_eq!(losses(&[(10, 1.0), (20, 2.0), (20, 4.0)]), [1.0, 4.0]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error =
            read_text("{\"kind\":\"training\",\"update\":1,\"epoch\":1,\"batch\":1,\"batches\":1}\nx\n").unwrap_err();
        assert!(format!("{error:#}").contains("metrics.jsonl:2: not a line of a training's metrics"), "{error:#}");
        let error = read_text("{\"kind\":\"training\",\"update\":-1}\n").unwrap_err();
        assert!(
            format!("{error:#}").contains("metrics.jsonl:1: not a line of a training's metrics: `update`"),
            "{error:#}"
        );
        assert!(read_text("").unwrap().is_empty());
    }
}
