//! `rnnsearch corpus clean`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use rnnsearch_config::{CorpusConfig, DataConfig, FilterConfig};
use rnnsearch_corpus::files::Compressor;
use rnnsearch_corpus::{
    CorpusError, Entry, FileEnd, Filter, FilterReport, Place, Reason, Repair, Side, TextFilter, line_of, repair,
};
use serde_json::json;

use super::{Part, files_of, read};
use crate::args::{CorpusClean, Fix};
use crate::failure::Misuse;
use crate::output::{Output, OutputFile, are_different};

/// Writes what filters keep.
pub fn run(args: &CorpusClean) -> Result<()> {
    let outputs = [&args.output_source, &args.output_target, &args.output, &args.rejected];
    are_different(&outputs.map(Option::as_deref))?;
    let data = args.text.data(&FilterConfig::default(), args.messages)?;
    if data.train.iter().any(|corpus| corpus.links.is_some()) {
        args.messages.warning("links are not cleaned: `links` of the configuration belong to the text as it was");
    }
    require_one_kind(&data.train)?;
    let mut cleaner = Cleaner::new(args, &data)?;
    read(&data.train, args.messages, |part| match part {
        Part::Lines(entries) => cleaner.clean(entries),
        Part::End(ends) => Ok(check_ends(ends)?),
    })?;
    cleaner.finish(args)
}

/// Corpora that become one must not differ in what is said of them.
fn require_one_kind(corpora: &[CorpusConfig]) -> Result<()> {
    type Said<'c> = (&'static str, fn(&'c CorpusConfig) -> String);
    let said: [Said; 4] = [
        ("tag", |corpus| format!("{:?}", corpus.tag)),
        ("weight", |corpus| format!("{:?}", corpus.weight.unwrap_or(1.0))),
        ("source_field", |corpus| format!("{:?}", corpus.source_field)),
        ("target_field", |corpus| format!("{:?}", corpus.target_field)),
    ];
    match said.iter().find(|(_, of)| corpora.iter().any(|corpus| of(corpus) != of(&corpora[0]))) {
        Some((key, _)) => {
            let message = format!(
                "the corpora of the configuration differ in `{key}`, which one cleaned corpus could not keep: clean each by itself"
            );
            Err(Misuse(message).into())
        }
        None => Ok(()),
    }
}

/// Files must hold something, and pair.
fn check_ends(ends: &[FileEnd]) -> Result<(), CorpusError> {
    if let Some(empty) = ends.iter().find(|end| end.lines == 0) {
        return Err(CorpusError::EmptyFile { file: empty.file.to_string() });
    }
    match ends {
        [source, target] if source.lines != target.lines => Err(CorpusError::UnequalLines {
            source_file: source.file.to_string(),
            source_lines: source.lines,
            target_file: target.file.to_string(),
            target_lines: target.lines,
        }),
        _ => Ok(()),
    }
}

struct Cleaner {
    filter: TextFilter,
    repairs: Vec<Repair>,
    report: FilterReport,
    repaired: BTreeMap<Repair, (u64, Place)>,
    kept: Kept,
    rejected: Option<Written>,
}

/// A pair after its repairs.
struct Repaired {
    pair: [String; 2],
    made: Vec<Repair>,
    reason: Option<Reason>,
}

impl Cleaner {
    fn new(args: &CorpusClean, data: &DataConfig) -> Result<Self> {
        let inputs = files_of(&data.train);
        let wanted = |repair: &Repair| args.fix.iter().any(|fix| matches!(fix, Fix::All) || *fix == Fix::One(*repair));
        Ok(Self {
            filter: TextFilter::new(data)?,
            repairs: Repair::ALL.into_iter().filter(wanted).collect(),
            report: FilterReport::new(Filter::new(data)),
            repaired: BTreeMap::new(),
            kept: Kept::open(args, &data.train, &inputs)?,
            rejected: args.rejected.as_deref().map(|path| Written::open(Some(path), &inputs)).transpose()?,
        })
    }

    /// Writes what is kept of some lines; the texts are looked at on all threads.
    fn clean(&mut self, entries: &[Entry]) -> Result<()> {
        let repaired: Vec<Option<Repaired>> = entries.par_iter().map(|entry| self.repaired(entry)).collect();
        for (entry, repaired) in entries.iter().zip(repaired) {
            let place = entry.place(Side::Source);
            // Lines beyond the end of the other file are counted at the end of both.
            if entry.lacks_a_side() {
                continue;
            }
            let Some(Repaired { pair: [source, target], made, mut reason }) = repaired else {
                self.report.count(Some(Reason::Unreadable), &place);
                self.reject(Reason::Unreadable, entry, entry.text.each_ref().map(Option::as_deref))?;
                continue;
            };
            reason = reason.or_else(|| self.filter.check_again(&source, &target));
            self.report.count(reason, &place);
            match reason {
                Some(reason) => self.reject(reason, entry, [Some(&source), Some(&target)])?,
                None => {
                    for repair in made {
                        self.repaired.entry(repair).or_insert_with(|| (0, place.clone())).0 += 1;
                    }
                    self.kept.write(entry, [&source, &target])?;
                }
            }
        }
        Ok(())
    }

    fn repaired(&self, entry: &Entry) -> Option<Repaired> {
        let mut made = Vec::new();
        let [source, target] = entry.pair()?.map(|text| {
            let (text, by) = repair(line_of(text).to_owned(), &self.repairs);
            made.extend(by);
            line_of(&text).to_owned()
        });
        made.sort_unstable();
        made.dedup();
        let reason = self.filter.check(&source, &target);
        Some(Repaired { pair: [source, target], made, reason })
    }

    fn reject(&mut self, reason: Reason, entry: &Entry, [source, target]: [Option<&str>; 2]) -> Result<()> {
        let Some(rejected) = &mut self.rejected else { return Ok(()) };
        let place = entry.place(Side::Source);
        let mut object = json!({
            "reason": reason.name(), "file": &*place.file, "line": place.line, "source": source, "target": target,
        });
        if let Some((_, error)) = entry.errors.first() {
            object["error"] = error.to_string().into();
        }
        rejected.write(&(object.to_string() + "\n"))
    }

    fn finish(self, args: &CorpusClean) -> Result<()> {
        self.kept.finish()?;
        self.rejected.map(Written::finish).transpose()?;
        args.messages.note(&self.report);
        if !self.repaired.is_empty() {
            let mut text = String::from("pairs kept and repaired");
            let mut separator = ": ";
            for (repair, (count, first)) in &self.repaired {
                let more = if *count > 1 { ", ..." } else { "" };
                write!(text, "{separator}{} {count} ({first}{more})", repair.name())?;
                separator = "; ";
            }
            args.messages.note(text);
        }
        Ok(())
    }
}

/// Where pairs go that are kept.
enum Kept {
    Files([Written; 2]),
    Tsv(Written),
    Jsonl(Written),
}

impl Kept {
    fn open(args: &CorpusClean, corpora: &[CorpusConfig], inputs: &[&Path]) -> Result<Self> {
        if let (Some(source), Some(target)) = (&args.output_source, &args.output_target) {
            return Ok(Self::Files([Written::open(Some(source), inputs)?, Written::open(Some(target), inputs)?]));
        }
        let name = args.output.as_ref().and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
        let is_jsonl = name.contains(".jsonl") || !name.contains(".tsv") && corpora.iter().all(|c| c.jsonl.is_some());
        let file = Written::open(args.output.as_deref(), inputs)?;
        Ok(if is_jsonl { Self::Jsonl(file) } else { Self::Tsv(file) })
    }

    fn write(&mut self, entry: &Entry, [source, target]: [&str; 2]) -> Result<()> {
        match self {
            Self::Files([sources, targets]) => {
                sources.write(&format!("{source}\n"))?;
                targets.write(&format!("{target}\n"))
            }
            Self::Tsv(_) if source.contains('\t') || target.contains('\t') => bail!(
                "{}: a sentence has a tab, which separates sentences in the output: add `--fix spaces`, or write two files or JSON lines",
                entry.place(Side::Source)
            ),
            Self::Tsv(file) => file.write(&format!("{source}\t{target}\n")),
            Self::Jsonl(file) => file.write(&(entry.object_of([source, target]).to_string() + "\n")),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            // A full disk is noticed before the first of them appears: they belong together.
            Self::Files([sources, targets]) => {
                let files = [sources.close()?, targets.close()?];
                files.into_iter().try_for_each(Written::finish)
            }
            Self::Tsv(file) | Self::Jsonl(file) => file.finish(),
        }
    }
}

/// A file that may be compressed, or standard output.
enum Written {
    Standard(Output),
    File {
        name: String,
        compressor: Box<Compressor<OutputFile>>,
    },
    /// All is written, and the file is to appear.
    Closed(OutputFile),
}

impl Written {
    fn open(path: Option<&Path>, inputs: &[&Path]) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard(Output::standard())) };
        let compressor = Compressor::of_name(path, OutputFile::create(path, inputs)?)?;
        Ok(Self::File { name: path.display().to_string(), compressor: Box::new(compressor) })
    }

    fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Standard(output) => output.write(text),
            Self::File { name, compressor } => {
                compressor.write_all(text.as_bytes()).with_context(|| format!("cannot write `{name}`"))
            }
            Self::Closed(_) => unreachable!("a closed file is finished"),
        }
    }

    /// Writes what is left, but lets no file appear yet.
    fn close(self) -> Result<Self> {
        match self {
            Self::File { name, compressor } => {
                let close = || -> io::Result<OutputFile> {
                    let mut file = compressor.finish()?;
                    file.flush()?;
                    Ok(file)
                };
                Ok(Self::Closed(close().with_context(|| format!("cannot write `{name}`"))?))
            }
            other => Ok(other),
        }
    }

    fn finish(self) -> Result<()> {
        match self.close()? {
            Self::Standard(output) => output.finish(),
            Self::Closed(file) => file.finish(),
            Self::File { .. } => unreachable!("it is closed"),
        }
    }
}
