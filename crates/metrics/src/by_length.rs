//! Scores by source length: figure 2 of Bahdanau et al. (2015).
//!
//! A model that must squeeze a sentence into one vector loses long sentences; one with attention should not. The table shows
//! it, and [`length_figure`] draws several models into one picture.

use crate::corpus::{sentence_statistics, sum};
use crate::{
    BleuOptions, Bootstrap, Category, ChrfOptions, CorpusMetric, Figure, Interval, Line, LineKind, MetricError, Panel,
    Point,
};
use std::collections::BTreeSet;
use std::fmt;
use unicode_width::UnicodeWidthStr;

/// The usual limits: bins of ten words, as in the paper's figure.
pub const LENGTH_LIMITS: [usize; 6] = [10, 20, 30, 40, 50, 60];

/// Scores the sentences of each range of source lengths on their own.
///
/// `source_lengths[i]` is the length, usually in words, of the sentence that `hypotheses[i]` translates. `limits` are the
/// longest lengths of all bins but the last, which holds all longer sentences.
///
/// With `bootstrap` every score has its confidence interval.
///
/// # Errors
///
/// If the lists are empty or of unequal length, the limits do not ascend, or no resamples are asked for.
pub fn by_length<H: AsRef<str>, R: AsRef<str>>(
    source_lengths: &[usize],
    hypotheses: &[H],
    references: &[R],
    limits: &[usize],
    bleu: &BleuOptions,
    chrf: &ChrfOptions,
    bootstrap: Option<&Bootstrap>,
) -> Result<LengthReport, MetricError> {
    MetricError::check_pairs(("source lengths", source_lengths.len()), ("hypotheses", hypotheses.len()))?;
    let bleu_statistics = sentence_statistics(bleu, hypotheses, references)?;
    let chrf_statistics = sentence_statistics(chrf, hypotheses, references)?;
    let row = |bin: LengthBin| {
        let chosen: Vec<usize> = (0..source_lengths.len()).filter(|&i| bin.contains(source_lengths[i])).collect();
        let (bleu, bleu_interval) = scored(bleu, &bleu_statistics, &chosen, bootstrap)?;
        let (chrf, chrf_interval) = scored(chrf, &chrf_statistics, &chosen, bootstrap)?;
        Ok(LengthRow { bin, sentences: chosen.len(), bleu, chrf, bleu_interval, chrf_interval })
    };
    Ok(LengthReport {
        rows: bins(limits)?.into_iter().map(row).collect::<Result<_, _>>()?,
        all: row(LengthBin { first: 0, last: None })?,
        bleu_signature: bleu.signature(),
        chrf_name: chrf.name(),
        chrf_signature: chrf.signature(),
    })
}

/// The score of the chosen sentences and its interval, if there are sentences and an interval is asked for.
fn scored<M: CorpusMetric>(
    metric: &M,
    statistics: &[M::Statistics],
    chosen: &[usize],
    bootstrap: Option<&Bootstrap>,
) -> Result<(Option<f64>, Option<[f64; 2]>), MetricError> {
    if chosen.is_empty() {
        return Ok((None, None));
    }
    let sentences: Vec<M::Statistics> = chosen.iter().map(|&i| statistics[i].clone()).collect();
    let interval = bootstrap.map(|bootstrap| bootstrap.interval_of(metric, &sentences)).transpose()?;
    Ok((Some(metric.score(&sum(&sentences))), interval.map(|Interval { lower, upper, .. }| [lower, upper])))
}

/// The bins between limits, which must ascend.
fn bins(limits: &[usize]) -> Result<Vec<LengthBin>, MetricError> {
    let Some(&longest) = limits.last() else { return Err(MetricError::LengthLimits { limits: Vec::new() }) };
    if !limits.is_sorted_by(|a, b| a < b) {
        return Err(MetricError::LengthLimits { limits: limits.to_vec() });
    }
    let firsts = std::iter::once(0).chain(limits.iter().map(|limit| limit.saturating_add(1)));
    let bounded = firsts.zip(limits).map(|(first, &last)| LengthBin { first, last: Some(last) });
    Ok(bounded.chain([LengthBin { first: longest.saturating_add(1), last: None }]).collect())
}

/// A range of source lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LengthBin {
    /// The shortest length.
    pub first: usize,
    /// The longest length; none is no limit.
    pub last: Option<usize>,
}

impl LengthBin {
    /// Whether a sentence of `length` words belongs here.
    pub fn contains(&self, length: usize) -> bool {
        self.first <= length && self.last.is_none_or(|last| length <= last)
    }
}

impl fmt::Display for LengthBin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { first: 0, last: None } => f.pad("all"),
            Self { first, last: None } => f.pad(&format!(">{}", first - 1)),
            Self { first: 0, last: Some(last) } => f.pad(&format!("≤{last}")),
            Self { first, last: Some(last) } if first == last => f.pad(&first.to_string()),
            Self { first, last: Some(last) } => f.pad(&format!("{first}–{last}")),
        }
    }
}

/// The scores of the sentences of one range of lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthRow {
    /// The source lengths.
    pub bin: LengthBin,
    /// How many sentences have such a length.
    pub sentences: usize,
    /// Their corpus BLEU; none if there are no sentences.
    pub bleu: Option<f64>,
    /// Their corpus chrF; none if there are no sentences.
    pub chrf: Option<f64>,
    /// Where BLEU is with 95 % confidence, if that was asked for.
    pub bleu_interval: Option<[f64; 2]>,
    /// Where chrF is with 95 % confidence, if that was asked for.
    pub chrf_interval: Option<[f64; 2]>,
}

/// Scores by source length. `Display` prints an aligned table.
#[derive(Clone, Debug, PartialEq)]
pub struct LengthReport {
    /// A row for each bin, shortest first.
    pub rows: Vec<LengthRow>,
    /// All sentences together.
    pub all: LengthRow,
    /// How BLEU was computed.
    pub bleu_signature: String,
    /// The name of the chrF variant, such as `chrF2++`.
    pub chrf_name: String,
    /// How chrF was computed.
    pub chrf_signature: String,
}

impl LengthReport {
    /// Comma-separated values with a header: `first,last,sentences,bleu,chrf`, a line for each bin.
    ///
    /// `last` is empty for the bin without limit, the scores of a bin without sentences are empty.
    pub fn to_csv(&self) -> String {
        let number = |value: Option<f64>| value.map(|value| format!("{value:.4}")).unwrap_or_default();
        let line = |row: &LengthRow| {
            let last = row.bin.last.map(|last| last.to_string()).unwrap_or_default();
            format!("{},{last},{},{},{}\n", row.bin.first, row.sentences, number(row.bleu), number(row.chrf))
        };
        let lines = self.rows.iter().map(line);
        std::iter::once("first,last,sentences,bleu,chrf\n".to_owned()).chain(lines).collect()
    }
}

impl fmt::Display for LengthReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<&LengthRow> = self.rows.iter().chain([&self.all]).collect();
        let bleu: Vec<String> = rows.iter().map(|row| shown(row.bleu, row.bleu_interval)).collect();
        let chrf: Vec<String> = rows.iter().map(|row| shown(row.chrf, row.chrf_interval)).collect();
        let wide = |texts: &[String], least: usize| texts.iter().map(String::len).fold(least, usize::max);
        let (first, second) = (wide(&bleu, 6), wide(&chrf, self.chrf_name.width().max(6)));
        writeln!(f, "{:>12}  {:>9}  {:>first$}  {:>second$}", "source words", "sentences", "BLEU", self.chrf_name)?;
        for ((row, bleu), chrf) in rows.iter().zip(bleu).zip(chrf) {
            writeln!(f, "{:>12}  {:>9}  {bleu:>first$}  {chrf:>second$}", row.bin, row.sentences)?;
        }
        Ok(())
    }
}

/// A score with its interval.
fn shown(score: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match (score, interval) {
        (None, _) => "-".to_owned(),
        (Some(score), None) => format!("{score:.2}"),
        (Some(score), Some([lower, upper])) => format!("{score:.2} ({lower:.2} to {upper:.2})"),
    }
}

/// The score that a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LengthMetric {
    /// BLEU, as in the paper.
    Bleu,
    /// chrF.
    Chrf,
}

impl LengthMetric {
    fn of(self, row: &LengthRow) -> Option<(f64, Option<[f64; 2]>)> {
        match self {
            Self::Bleu => Some((row.bleu?, row.bleu_interval)),
            Self::Chrf => Some((row.chrf?, row.chrf_interval)),
        }
    }

    fn name_and_signature(self, report: &LengthReport) -> (&str, &str) {
        match self {
            Self::Bleu => ("BLEU", &report.bleu_signature),
            Self::Chrf => (&report.chrf_name, &report.chrf_signature),
        }
    }
}

/// A figure of one or more reports, each with the name of its model.
///
/// Bins at the far end that hold no sentence of any report are left out. Where a report has confidence intervals they are drawn too.
pub fn length_figure(title: &str, reports: &[(&str, &LengthReport)], metric: LengthMetric) -> Figure {
    let rows = || reports.iter().flat_map(|(_, report)| &report.rows);
    let mut bins: Vec<LengthBin> = rows().map(|row| row.bin).collect::<BTreeSet<_>>().into_iter().collect();
    let filled = |bin: &LengthBin| rows().any(|row| row.bin == *bin && row.sentences > 0);
    bins.truncate(bins.iter().rposition(filled).map_or(0, |last| last + 1));
    let (name, signature) = reports.first().map_or(("", ""), |(_, report)| metric.name_and_signature(report));
    let category = |&bin: &LengthBin| Category { label: bin.to_string(), note: counts(reports, bin) };
    let line = |(name, (_, report)): (usize, &(&str, &LengthReport))| {
        let point = |(place, bin): (usize, &LengthBin)| {
            let (y, interval) = metric.of(report.rows.iter().find(|row| row.bin == *bin)?)?;
            Some(Point { x: place as f64, y, interval })
        };
        Line { name, kind: LineKind::Marked, points: bins.iter().enumerate().filter_map(point).collect() }
    };
    let categories: Vec<Category> = bins.iter().map(category).collect();
    let counted =
        if categories.iter().any(|category| !category.note.is_empty()) { ", and number of sentences" } else { "" };
    let panel = Panel {
        title: name.to_owned(),
        x_label: format!("source length in words{counted}"),
        categories,
        from_zero: true,
        lines: reports.iter().enumerate().map(line).collect(),
    };
    let intervals = rows().any(|row| row.bleu_interval.is_some() || row.chrf_interval.is_some());
    let bands = if intervals { "; 95 % confidence intervals" } else { "" };
    Figure {
        title: title.to_owned(),
        subtitle: format!("{signature}{bands}"),
        names: reports.iter().map(|(name, _)| (*name).to_owned()).collect(),
        panels: vec![panel],
    }
}

/// How many sentences a bin holds, if all reports agree.
fn counts(reports: &[(&str, &LengthReport)], bin: LengthBin) -> String {
    let mut counts: Vec<usize> = reports
        .iter()
        .flat_map(|(_, report)| report.rows.iter().filter(|row| row.bin == bin))
        .map(|row| row.sentences)
        .collect();
    counts.dedup();
    if let [count] = counts[..] { format!("n = {count}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bleu, chrf};

    const HYPOTHESES: [&str; 4] = ["the red house", "a dog runs over the green field", "we saw rain today", "nothing"];
    const REFERENCES: [&str; 4] =
        ["the red house", "a dog ran over the green field", "we saw the rain today", "something else"];

    fn report(limits: &[usize]) -> Result<LengthReport, MetricError> {
        let (bleu, chrf) = (BleuOptions::default(), ChrfOptions::plus_plus());
        by_length(&[3, 8, 4, 0], &HYPOTHESES, &REFERENCES, limits, &bleu, &chrf, None)
    }

    #[test]
    fn a_bin_scores_like_its_sentences() {
        let report = report(&[3, 6, 8]).unwrap();
        let sentences: Vec<_> = report.rows.iter().map(|row| row.sentences).collect();
        assert_eq!(sentences, [2, 1, 1, 0]);
        let first = bleu(&[HYPOTHESES[0], HYPOTHESES[3]], &[REFERENCES[0], REFERENCES[3]], &BleuOptions::default());
        assert_eq!(report.rows[0].bleu, Some(first.unwrap().score));
        let third = chrf(&HYPOTHESES[1..2], &REFERENCES[1..2], &ChrfOptions::plus_plus());
        assert_eq!(report.rows[2].chrf, Some(third.unwrap().score));
        assert_eq!(report.rows[3].bleu, None);
        assert_eq!(report.all.sentences, 4);
    }

    #[test]
    fn table_and_csv() {
        let report = report(&[3, 4, 8]).unwrap();
        insta::assert_snapshot!(report, @r"
        source words  sentences    BLEU  chrF2++
                  ≤3          2    0.00    62.58
                   4          1   35.19    63.99
                 5–8          1   48.89    77.75
                  >8          0       -        -
                 all          4   40.81    69.07
        ");
        insta::assert_snapshot!(report.to_csv(), @r"
        first,last,sentences,bleu,chrf
        0,3,2,0.0000,62.5797
        4,4,1,35.1863,63.9929
        5,8,1,48.8923,77.7535
        9,,0,,
        ");
    }

    #[test]
    fn intervals_are_those_of_the_sentences_of_a_bin() {
        let (bleu, chrf) = (BleuOptions::default(), ChrfOptions::plus_plus());
        let bootstrap = Bootstrap::default();
        let report =
            by_length(&[3, 8, 4, 0], &HYPOTHESES, &REFERENCES, &[3, 6], &bleu, &chrf, Some(&bootstrap)).unwrap();
        let only = [HYPOTHESES[2]];
        let interval = bootstrap.interval(&chrf, &only, &[REFERENCES[2]]).unwrap();
        assert_eq!(report.rows[1].chrf_interval, Some([interval.lower, interval.upper]));
        let [low, high] = report.rows[0].chrf_interval.unwrap();
        assert!(low < report.rows[0].chrf.unwrap() && report.rows[0].chrf.unwrap() < high);
        let shown = format!("{:.2} ({low:.2} to {high:.2})", report.rows[0].chrf.unwrap());
        assert!(report.to_string().lines().nth(1).unwrap().ends_with(&shown), "{report}");
        let figure = length_figure("t", &[("a", &report)], LengthMetric::Chrf);
        assert_eq!(figure.panels[0].lines[0].points[1].interval, report.rows[1].chrf_interval);
        assert!(figure.subtitle.ends_with("; 95 % confidence intervals"));
    }

    #[test]
    fn limits_must_ascend() {
        let error = report(&[10, 10]).unwrap_err();
        assert_eq!(error.to_string(), "length limits must ascend, as in [10, 20, 30]; got [10, 10]");
        assert!(report(&[]).is_err());
        assert!(report(&[usize::MAX]).is_ok());
    }

    #[test]
    fn lengths_must_pair_with_sentences() {
        let (bleu, chrf) = (BleuOptions::default(), ChrfOptions::default());
        let error = by_length(&[1], &HYPOTHESES, &REFERENCES, &LENGTH_LIMITS, &bleu, &chrf, None).unwrap_err();
        assert_eq!(error.to_string(), "1 source lengths but 4 hypotheses: they must pair one to one");
    }

    #[test]
    fn a_chart_joins_reports_and_drops_empty_bins_at_the_end() {
        let (fine, coarse) = (report(&[3, 6, 8, 10]).unwrap(), report(&[8]).unwrap());
        let figure = length_figure("t", &[("fine", &fine), ("coarse", &coarse)], LengthMetric::Bleu);
        let panel = &figure.panels[0];
        let labels: Vec<_> = panel.categories.iter().map(|category| category.label.as_str()).collect();
        assert_eq!(labels, ["≤3", "≤8", "4–6", "7–8"]);
        let values: Vec<_> = panel.lines[1].points.iter().map(|point| (point.x, Some(point.y))).collect();
        assert_eq!(values, [(1.0, coarse.rows[0].bleu)]);
        assert_eq!(panel.categories[0].note, "n = 2");
        assert!(length_figure("t", &[], LengthMetric::Chrf).panels[0].categories.is_empty());
    }
}
