//! `rnnsearch corpus check`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use indicatif::HumanCount;
use rnnsearch_config::{CorpusConfig, FilterConfig};
use rnnsearch_corpus::{Finding, Inspector, Kind, Level, Lines, Pairs, Place, Side};
use serde_json::{Value, json};

use super::{Part, read};
use crate::args::CorpusCheck;
use crate::messages::harmless;
use crate::output::Output;

/// Finds what looks wrong.
pub fn run(args: &CorpusCheck) -> Result<ExitCode> {
    let data = args.text.data(&FilterConfig::recommended(), args.messages)?;
    let mut inspector = Inspector::new(&data)?;
    hold_out(args, data.validation.as_ref(), &mut inspector)?;
    let mut report = Report::new(args);
    let done = read(&data.train, args.messages, |part| match part {
        Part::Lines(entries) => {
            report.lines += entries.len() as u64;
            report.add(inspector.inspect(entries))
        }
        Part::End(ends) => report.add(inspector.inspect_ends(ends)),
    });
    // What was found before a file could not be read on is told too.
    let failed = report.finish()?;
    done.map(|()| ExitCode::from(u8::from(failed)))
}

/// Reads the sentences that the text should not have.
fn hold_out(args: &CorpusCheck, validation: Option<&CorpusConfig>, inspector: &mut Inspector) -> Result<()> {
    for file in &args.against {
        let mut lines = Lines::open(file)?;
        while let Some(line) = lines.next().transpose()? {
            inspector.hold_out(&line, &Place { file: lines.name().clone(), line: lines.line() });
        }
    }
    for pair in validation.map(|corpus| Pairs::open(std::slice::from_ref(corpus))).transpose()?.into_iter().flatten() {
        let pair = pair?;
        inspector.hold_out(&pair.source, &pair.place);
        inspector.hold_out(&pair.target, &pair.place);
    }
    Ok(())
}

/// What was found: the first of each kind, and how many.
struct Report<'a> {
    args: &'a CorpusCheck,
    kinds: BTreeSet<Kind>,
    groups: BTreeMap<Kind, Group>,
    lines: u64,
    output: Output,
}

#[derive(Default)]
struct Group {
    count: u64,
    shown: Vec<Finding>,
}

impl<'a> Report<'a> {
    fn new(args: &'a CorpusCheck) -> Self {
        let wanted =
            |kind: &Kind| if args.only.is_empty() { !args.ignore.contains(kind) } else { args.only.contains(kind) };
        let kinds = Kind::all().filter(wanted).collect();
        Self { args, kinds, groups: BTreeMap::new(), lines: 0, output: Output::standard() }
    }

    fn add(&mut self, findings: Vec<Finding>) -> Result<()> {
        for finding in findings.into_iter().filter(|finding| self.kinds.contains(&finding.kind)) {
            let group = self.groups.entry(finding.kind).or_default();
            group.count += 1;
            if self.args.max != 0 && group.count > self.args.max as u64 {
                continue;
            }
            match self.args.json {
                true => self.output.write(&(object(&finding).to_string() + "\n"))?,
                false => group.shown.push(finding),
            }
        }
        Ok(())
    }

    fn count(&self, level: Level) -> u64 {
        self.groups.iter().filter(|(kind, _)| kind.level() == level).map(|(_, group)| group.count).sum()
    }

    /// Writes the rest; returns whether there are errors or warnings.
    fn finish(mut self) -> Result<bool> {
        let levels = [Level::Error, Level::Warning, Level::Note].map(|level| self.count(level));
        let text = if self.args.json { self.totals(levels).to_string() } else { self.text(levels) };
        self.output.write(&(text + "\n"))?;
        self.output.finish()?;
        Ok(levels[0] + levels[1] > 0)
    }

    fn totals(&self, [errors, warnings, notes]: [u64; 3]) -> Value {
        let kinds: Value =
            self.groups.iter().map(|(kind, group)| (kind.name().to_owned(), json!(group.count))).collect();
        json!({"lines": self.lines, "errors": errors, "warnings": warnings, "notes": notes, "kinds": kinds})
    }

    fn text(&self, levels: [u64; 3]) -> String {
        let groups: String = self.groups.iter().map(|(kind, group)| described(*kind, group)).collect();
        let counted =
            |(count, name): (u64, &str)| format!("{} {name}{}", HumanCount(count), if count == 1 { "" } else { "s" });
        let counts: Vec<String> = levels.into_iter().zip(["error", "warning", "note"]).map(counted).collect();
        format!("{groups}{}: {}", counted((self.lines, "line")), counts.join(", "))
    }
}

/// A kind and what of it is shown, a line each.
fn described(kind: Kind, Group { count, shown }: &Group) -> String {
    let level = kind.level().name();
    let mut text = format!("{level}: {}: {} ({})\n", kind.name(), kind.describe(), HumanCount(*count));
    for Finding { place, side, excerpt, detail, .. } in shown {
        let place = if place.line == 0 { place.file.to_string() } else { place.to_string() };
        let side = side.map(|side| format!(" {}", side.name())).unwrap_or_default();
        let parts: Vec<&str> =
            [detail, excerpt].into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        let colon = if parts.is_empty() { "" } else { ": " };
        writeln!(text, "  {}{side}{colon}{}", harmless(&place), harmless(&parts.join(": ")))
            .expect("a string takes all");
    }
    if (shown.len() as u64) < *count {
        writeln!(text, "  and {} more", HumanCount(count - shown.len() as u64)).expect("a string takes all");
    }
    text + "\n"
}

fn object(finding: &Finding) -> Value {
    let Finding { kind, place, side, excerpt, detail } = finding;
    json!({
        "kind": kind.name(),
        "level": kind.level().name(),
        "file": &*place.file,
        "line": (place.line > 0).then_some(place.line),
        "side": side.map(Side::name),
        "detail": detail,
        "excerpt": excerpt,
    })
}
