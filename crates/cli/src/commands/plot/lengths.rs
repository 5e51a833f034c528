//! Scores by source length: what `evaluate --by-length --json` printed, as figure 2 of the paper.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rnnsearch_metrics::{
    ChrfOptions, CorpusMetric, Figure, LengthBin, LengthMetric, LengthReport, LengthRow, length_figure,
};
use serde::Deserialize;

use crate::args::{LengthMetricName, Plot};

/// The scores of systems, each with its name.
pub fn figure(args: &Plot, names: &[String]) -> Result<Figure> {
    let reports = args.inputs.iter().map(|path| read(path)).collect::<Result<Vec<LengthReport>>>()?;
    for (path, report) in args.inputs.iter().zip(&reports) {
        let how = |report: &LengthReport| [report.bleu_signature.clone(), report.chrf_signature.clone()];
        let (one, other) = (args.inputs[0].display(), path.display());
        ensure!(how(&reports[0]) == how(report), "`{one}` and `{other}` were not scored alike: see their signatures");
    }
    let named: Vec<(&str, &LengthReport)> = names.iter().map(String::as_str).zip(&reports).collect();
    let (title, metric) = match args.metric {
        LengthMetricName::Bleu => ("BLEU by source length", LengthMetric::Bleu),
        LengthMetricName::Chrf => ("chrF by source length", LengthMetric::Chrf),
    };
    Ok(length_figure(title, &named, metric))
}

/// What is needed of the object that `evaluate` prints.
#[derive(Deserialize)]
struct Evaluated {
    sentences: usize,
    bleu: f64,
    bleu_signature: String,
    bleu_interval: Option<[f64; 2]>,
    chrf: f64,
    chrf_signature: String,
    chrf_interval: Option<[f64; 2]>,
    by_length: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    first: usize,
    last: Option<usize>,
    sentences: usize,
    bleu: Option<f64>,
    chrf: Option<f64>,
    bleu_interval: Option<[f64; 2]>,
    chrf_interval: Option<[f64; 2]>,
}

fn read(path: &Path) -> Result<LengthReport> {
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read `{name}`"))?;
    let wrong = || format!("`{name}` is not what `rnnsearch evaluate --by-length --json` prints");
    let evaluated: Evaluated = serde_json::from_slice(&bytes).with_context(wrong)?;
    Ok(evaluated.into())
}

impl From<Evaluated> for LengthReport {
    fn from(evaluated: Evaluated) -> Self {
        let Evaluated { sentences, bleu, bleu_interval, chrf, chrf_interval, .. } = evaluated;
        let bin = LengthBin { first: 0, last: None };
        let (bleu, chrf) = (Some(bleu), Some(chrf));
        Self {
            rows: evaluated.by_length.into_iter().map(LengthRow::from).collect(),
            all: LengthRow { bin, sentences, bleu, chrf, bleu_interval, chrf_interval },
            bleu_signature: evaluated.bleu_signature,
            // The only variant that `evaluate` has.
            chrf_name: ChrfOptions::plus_plus().name(),
            chrf_signature: evaluated.chrf_signature,
        }
    }
}

impl From<Row> for LengthRow {
    fn from(row: Row) -> Self {
        let Row { first, last, sentences, bleu, chrf, bleu_interval, chrf_interval } = row;
        Self { bin: LengthBin { first, last }, sentences, bleu, chrf, bleu_interval, chrf_interval }
    }
}
