//! Training curves: what `metrics.jsonl` of run folders tells, as panels.

use anyhow::{Context, Result};
use clap::ValueEnum;
use rnnsearch_metrics::{Figure, Line, LineKind, Panel, Point};

use crate::args::{Curve, Plot, XAxis};
use crate::failure::Misuse;
use crate::run_log::{Entry, path_of, read};

/// The curves of runs, each with its name.
pub fn figure(args: &Plot, names: &[String]) -> Result<Figure> {
    let mut runs = Vec::new();
    for run in &args.inputs {
        let entries = read(run)?;
        let path = path_of(run);
        let path = path.display();
        let nothing = || format!("`{path}` has nothing yet: it gets a line every training.log_every updates");
        entries.first().with_context(nothing)?;
        if args.x == XAxis::Hours && entries.iter().any(|entry| entry.number("elapsed").is_none()) {
            let text = format!("`{path}` has no `elapsed`, as an earlier version wrote it: use --x updates or epochs");
            return Err(Misuse(text).into());
        }
        runs.push(entries);
    }
    let chosen = if args.curves.is_empty() { Curve::value_variants() } else { &args.curves };
    let panels = chosen.iter().map(|&curve| panel(curve, args.x, &runs));
    let panels: Vec<Panel> = panels.filter(|panel| !panel.lines.is_empty()).collect();
    panels.first().context("the runs have none of these curves: those of BLEU and chrF need a validation corpus")?;
    Ok(match (names, &runs[..]) {
        ([name], [run]) => Figure { title: name.clone(), subtitle: best(run), names: vec![String::new()], panels },
        _ => Figure { title: "Training".into(), names: names.to_vec(), panels, ..Figure::default() },
    })
}

/// The best validation of a run.
fn best(run: &[Entry]) -> String {
    let Some(best) = run.iter().rfind(|entry| entry.is_validation && entry.is_best()) else { return String::new() };
    let scores = [("BLEU", "bleu", 2), ("chrF2", "chrf", 2), ("loss", "loss", 4)].map(|(shown, name, decimals)| {
        best.number(name).map(|score| format!("{shown} {score:.decimals$}, ")).unwrap_or_default()
    });
    format!("best validation: {}after update {}", scores.concat(), best.update)
}

fn panel(curve: Curve, x: XAxis, runs: &[Vec<Entry>]) -> Panel {
    let (title, field) = match curve {
        Curve::Loss => ("Loss, nats per token", "loss"),
        Curve::Bleu => ("BLEU of validation", "bleu"),
        Curve::Chrf => ("chrF2 of validation", "chrf"),
        Curve::Rate => ("Learning rate", "learning_rate"),
        Curve::Speed => ("Target tokens per second", "tokens_per_second"),
        Curve::Gradient => ("Length of the gradient", "gradient_norm"),
    };
    let x_label = match x {
        XAxis::Updates => "updates",
        XAxis::Epochs => "epochs",
        XAxis::Hours => "hours",
    };
    let line = |kind, name: usize| {
        let of_kind = runs[name].iter().filter(|entry| entry.is_validation == (kind == LineKind::Marked));
        let points =
            of_kind.filter_map(|entry| Some(Point { x: place(entry, x)?, y: entry.number(field)?, interval: None }));
        Line { name, kind, points: points.collect() }
    };
    // The lines of training lie below those of validation.
    let lines =
        [LineKind::Thin, LineKind::Marked].into_iter().flat_map(|kind| (0..runs.len()).map(move |name| (kind, name)));
    Panel {
        title: title.into(),
        x_label: x_label.into(),
        from_zero: curve != Curve::Loss,
        lines: lines.map(|(kind, name)| line(kind, name)).filter(|line| !line.points.is_empty()).collect(),
        ..Panel::default()
    }
}

fn place(entry: &Entry, x: XAxis) -> Option<f64> {
    match x {
        XAxis::Updates => Some(entry.update as f64),
        XAxis::Epochs => Some(entry.epochs),
        XAxis::Hours => Some(entry.number("elapsed")? / 3600.0),
    }
}
