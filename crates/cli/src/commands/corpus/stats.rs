//! `rnnsearch corpus stats`

use std::fmt::Write;

use anyhow::Result;
use indicatif::HumanCount;
use rnnsearch_config::{DataConfig, FilterConfig};
use rnnsearch_corpus::{
    Counts, Dropped, Entry, Filter, FilterReport, Side, SideStatistics, Statistics, TextFilter, Vocabularies,
};
use rnnsearch_inference::Model;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Part, percent, read};
use crate::args::CorpusStats;
use crate::messages::harmless;
use crate::output::print;

/// Counts what is in corpora.
pub fn run(args: &CorpusStats) -> Result<()> {
    let data = args.text.data(&FilterConfig::default(), args.messages)?;
    let model = args.model.as_deref().map(Model::load).transpose()?;
    let mut counted = Counted::new(&data, model.map(|model| model.vocabularies))?;
    let mut unpaired = Vec::new();
    read(&data.train, args.messages, |part| {
        match part {
            Part::Lines(entries) => counted.add(entries),
            Part::End([source, target]) if source.lines != target.lines => unpaired
                .push(format!("{} has {} lines, {} has {}", source.file, source.lines, target.file, target.lines)),
            Part::End(_) => {}
        }
        Ok(())
    })?;
    for files in unpaired {
        args.messages.warning(format_args!("{files}: what has no other side is not counted"));
    }
    if counted.unreadable > 0 {
        args.messages.warning(format_args!(
            "{} lines cannot be read and are not counted: `rnnsearch corpus check` tells which",
            counted.unreadable
        ));
    }
    print(&if args.json { counted.json().to_string() + "\n" } else { counted.text() })
}

/// All that is counted.
struct Counted {
    statistics: Statistics,
    vocabularies: Option<Vocabularies>,
    filter: TextFilter,
    limits: Filter,
    report: FilterReport,
    unreadable: u64,
}

impl Counted {
    fn new(data: &DataConfig, vocabularies: Option<Vocabularies>) -> Result<Self> {
        let limits = Filter::new(data);
        Ok(Self {
            statistics: Statistics::default(),
            vocabularies,
            filter: TextFilter::new(data)?,
            report: FilterReport::new(limits.clone()),
            limits,
            unreadable: 0,
        })
    }

    fn add(&mut self, entries: &[Entry]) {
        self.unreadable += entries.iter().filter(|entry| !entry.errors.is_empty()).count() as u64;
        let paired: Vec<(&Entry, [&str; 2])> =
            entries.iter().filter_map(|entry| Some((entry, entry.pair()?))).collect();
        let pairs: Vec<[&str; 2]> = paired.iter().map(|(_, pair)| *pair).collect();
        let tokens = self.statistics.add(&pairs, self.vocabularies.as_ref());
        for ((entry, [source, target]), tokens) in paired.into_iter().zip(tokens) {
            let mut reason = self.filter.check(source, target);
            reason = reason.or_else(|| self.filter.check_again(source, target));
            reason = reason.or_else(|| tokens.and_then(|[source, target]| self.limits.check(source, target)));
            self.report.count(reason, &entry.place(Side::Source));
        }
    }

    fn json(&self) -> Value {
        let statistics = &self.statistics;
        let left_out: Value =
            self.report.left_out().map(|(reason, dropped)| (reason.name().to_owned(), json!(dropped.count))).collect();
        json!({
            "pairs": statistics.pairs(),
            "unreadable": self.unreadable,
            "blank": statistics.blank,
            "duplicates": statistics.duplicates,
            "identical": statistics.identical,
            "source": side_json(&statistics.sides[0]),
            "target": side_json(&statistics.sides[1]),
            "ratio": ratio_json(&statistics.ratios),
            "kept": self.report.kept,
            "left_out": left_out,
        })
    }

    fn text(&self) -> String {
        let statistics = &self.statistics;
        let pairs = statistics.pairs();
        let mut text = String::new();
        let mut line = |name: &str, value: String| writeln!(text, "{name:<20}{value}").expect("a string takes all");
        let share = |count: u64| format!("{} ({:.2} %)", HumanCount(count), percent(count, pairs));
        line("pairs", HumanCount(pairs).to_string());
        line("with a blank side", share(statistics.blank));
        line("identical sides", share(statistics.identical));
        line("that came before", share(statistics.duplicates));
        line("kept", share(self.report.kept));
        for (reason, Dropped { count, examples }) in self.report.left_out() {
            let first = examples.first().map(|place| format!(", first at {}", harmless(&place.to_string())));
            line(
                "  left out",
                format!("{} {}{}", share(*count), self.report.describe(reason), first.unwrap_or_default()),
            );
        }
        text.push('\n');
        text.push_str(&table(&self.rows()));
        let sides = &statistics.sides;
        text.push_str(&lengths("words", [&sides[0].words, &sides[1].words]));
        if let [Some(source), Some(target)] = [&sides[0].tokens, &sides[1].tokens] {
            text.push_str(&lengths("tokens", [source, target]));
        }
        text
    }

    /// Names and values of both sides.
    fn rows(&self) -> Vec<[String; 3]> {
        let sides = &self.statistics.sides;
        let mut rows = vec![["".to_owned(), "source".to_owned(), "target".to_owned()]];
        let mut row = |name: &str, value: &dyn Fn(&SideStatistics) -> String| {
            rows.push([name.to_owned(), value(&sides[0]), value(&sides[1])]);
        };
        let count = |count: u64| HumanCount(count).to_string();
        row("characters", &|side| count(side.characters.sum()));
        row("  a line", &|side| distribution(&side.characters));
        row("words", &|side| count(side.words.sum()));
        row("  a line", &|side| distribution(&side.words));
        if sides[0].tokens.is_some() {
            row("tokens", &|side| count(side.tokens.as_ref().map_or(0, Counts::sum)));
            row("  a line", &|side| side.tokens.as_ref().map(distribution).unwrap_or_default());
        }
        row("different words", &|side| count(side.types()));
        row("  of all words", &|side| format!("{:.2} %", percent(side.types(), side.words.sum())));
        row("  that come once", &|side| format!("{:.1} %", percent(side.singletons(), side.types())));
        row("languages", &|side| languages(side));
        row("letters", &|side| scripts(side));
        let ratio = |share: f64| self.statistics.ratios.quantile(share) as f64 / 100.0;
        let ratios = format!("{:.2}, {:.2}, {:.2}, {:.2}", ratio(0.5), ratio(0.95), ratio(0.99), ratio(1.0));
        rows.push(["longer / shorter".to_owned(), ratios, String::new()]);
        rows
    }
}

/// Median, 95 %, 99 % and most.
const SHARES: [(f64, &str); 4] = [(0.5, "median"), (0.95, "p95"), (0.99, "p99"), (1.0, "most")];

fn distribution(counts: &Counts) -> String {
    let quantiles: Vec<String> = SHARES.iter().map(|(share, _)| counts.quantile(*share).to_string()).collect();
    format!("{:.1}; {}", counts.mean(), quantiles.join(", "))
}

fn languages(side: &SideStatistics) -> String {
    let lines = side.words.count();
    let mut languages: Vec<(&str, u64)> = side.languages.iter().map(|(code, count)| (*code, *count)).collect();
    languages.sort_by_key(|&(code, count)| (std::cmp::Reverse(count), code));
    let sure: u64 = languages.iter().map(|(_, count)| count).sum();
    let shown = languages.iter().take(5).map(|(code, count)| format!("{code} {:.1} %", percent(*count, lines)));
    shown.chain([format!("unsure {:.1} %", percent(lines - sure, lines))]).collect::<Vec<_>>().join(", ")
}

/// The scripts, and of all but the first some letters.
fn scripts(side: &SideStatistics) -> String {
    let scripts = side.scripts(5);
    let all: u64 = scripts.iter().map(|(_, count, _)| count).sum();
    let shown = scripts.iter().take(4).enumerate().map(|(index, (name, count, letters))| match index {
        0 => format!("{name} {:.1} %", percent(*count, all)),
        _ => format!("{name} {} ({letters})", HumanCount(*count)),
    });
    harmless(&shown.collect::<Vec<_>>().join(", "))
}

/// Rows in three columns.
fn table(rows: &[[String; 3]]) -> String {
    let widths = [0, 1].map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0));
    let padded = |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(text.width())));
    let line = |[name, source, target]: &[String; 3]| {
        format!("{}  {}  {target}", padded(name, widths[0].max(18)), padded(source, widths[1])).trim_end().to_owned()
            + "\n"
    };
    let legend = "\na line: mean; median, 95 %, 99 %, most. longer / shorter: characters of a pair's sides, median, 95 %, 99 %, most\n";
    rows.iter().map(line).chain([legend.to_owned()]).collect()
}

/// Upper ends of ranges of lengths.
const ENDS: [u64; 8] = [0, 5, 10, 20, 40, 80, 160, u64::MAX - 1];

/// Ranges of lengths with their counts.
fn ranges(counts: &Counts) -> Vec<(String, u64)> {
    let starts = [0].into_iter().chain(ENDS.iter().map(|end| end.saturating_add(1)));
    let name = |(start, end): (u64, u64)| match (start, end) {
        (0, 0) => "0".to_owned(),
        (start, end) if end > u64::MAX / 2 => format!("{start}-"),
        (start, end) => format!("{start}-{end}"),
    };
    starts.zip(ENDS).map(|(start, end)| (name((start, end)), counts.between(start, end + 1))).collect()
}

/// A histogram of the lengths of both sides.
fn lengths(unit: &str, sides: [&Counts; 2]) -> String {
    const BAR: usize = 24;
    let mut text = format!("\n{unit:<12}{:<38}target\n", "source");
    let [source, target] = sides.map(ranges);
    for ((name, source), (_, target)) in source.iter().zip(&target) {
        let [source, target] = [(source, sides[0]), (target, sides[1])].map(|(count, all)| {
            let share = percent(*count, all.count());
            let bar = "█".repeat((share / 100.0 * BAR as f64).round() as usize);
            format!("{:>11} {bar}", HumanCount(*count).to_string())
        });
        let blanks = " ".repeat(38_usize.saturating_sub(source.width()));
        writeln!(text, "{name:<12}{source}{blanks}{}", target.trim_end()).expect("a string takes all");
    }
    text
}

fn counts_json(counts: &Counts) -> Value {
    let mut object = json!({"total": counts.sum(), "mean": counts.mean()});
    for (share, name) in SHARES {
        object[name] = counts.quantile(share).into();
    }
    object["histogram"] = ranges(counts).into_iter().map(|(name, count)| (name, json!(count))).collect();
    object
}

fn ratio_json(ratios: &Counts) -> Value {
    let shares = SHARES.iter().map(|(share, name)| ((*name).to_owned(), json!(ratios.quantile(*share) as f64 / 100.0)));
    shares.collect()
}

fn side_json(side: &SideStatistics) -> Value {
    let scripts: Value = side.scripts(0).into_iter().map(|(name, count, _)| (name, json!(count))).collect();
    json!({
        "characters": counts_json(&side.characters),
        "words": counts_json(&side.words),
        "tokens": side.tokens.as_ref().map(counts_json),
        "different_words": side.types(),
        "singletons": side.singletons(),
        "languages": side.languages,
        "scripts": scripts,
    })
}
