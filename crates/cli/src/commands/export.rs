//! `rnnsearch export`

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Result;
use indicatif::HumanBytes;
use rnnsearch_config::{Config, CorpusConfig, DataConfig};
use rnnsearch_corpus::{CorpusError, Filter, Pair, TrainingPairs};
use rnnsearch_inference::{Form, Model, Shortlist, ShortlistCounts};
use rnnsearch_training::average_checkpoints;

use crate::args::{Export, Quantize};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::output::OutputFile;
use crate::progress::Counter;

/// Pairs that are aligned at a time.
const WINDOW: usize = 512;

/// Writes a model as one file.
pub fn run(args: &Export) -> Result<()> {
    let shown = args.file.display();
    if args.file.exists() && !args.overwrite {
        return Err(Misuse(format!("`{shown}` exists: use --overwrite to replace it, or another name")).into());
    }
    args.compute.start_threads()?;
    let inputs = [Some(&args.run), args.shortlist.source.as_ref(), args.shortlist.target.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    let mut file = OutputFile::create(&args.file, &inputs)?;
    // Reading checks it: what is exported is whole.
    let mut model = match args.average {
        Some(_) if !args.run.is_dir() => {
            return Err(Misuse(format!(
                "--average: `{}` is no run folder, and has no checkpoints",
                args.run.display()
            ))
            .into());
        }
        Some(count) => average_checkpoints(&args.run, count.get())?,
        None => Model::load(&args.run)?,
    };
    if let Some(proposals) = args.shortlist.shortlist {
        anyhow::ensure!(
            model.can_be_packed(),
            "a shortlist would never be used by `{}`: it serves models with model.attention = \"additive\" and \
             model.input_feeding = false; leave out --shortlist",
            args.run.display()
        );
        model.shortlist = Some(learn_shortlist(args, proposals.into())?);
    }
    let form = args.quantize.map(|form| match form {
        Quantize::Float16 => Form::Float16,
        Quantize::Int8 => Form::Int8,
    });
    if form == Some(Form::Int8) && !model.can_be_packed() {
        args.messages.note(
            "the file is smaller, but its products stay those of floats: only models with model.attention = \"additive\" or \"none\" and \
             model.input_feeding = false multiply integers",
        );
    }
    let bytes = model.to_bytes_as(form)?;
    file.write(&bytes)?;
    file.finish()?;
    args.messages.note(format_args!("wrote `{shown}`, {}", HumanBytes(bytes.len() as u64)));
    Ok(())
}

/// Aligns pairs of the corpus and counts what source words become.
fn learn_shortlist(args: &Export, proposals: usize) -> Result<Shortlist> {
    let pairs = TrainingPairs::open(&text(args)?)?;
    let translator = args.compute.load(&args.run, &[], args.messages)?;
    require_attention(&translator)?;
    let sample = sample(pairs, args.shortlist.pairs.get())?;
    let mut counts = ShortlistCounts::new(&translator);
    let counter = Counter::new(Some(sample.len()), !args.messages.quiet && io::stderr().is_terminal());
    for window in sample.chunks(WINDOW) {
        counts.see(window);
        counter.add(window.len());
    }
    counter.finish();
    args.messages.note(format_args!("learnt a shortlist from {} pairs", sample.len()));
    Ok(counts.shortlist(args.shortlist.frequent as usize, proposals))
}

/// The corpus that was named, or the text that the run was trained on.
fn text(args: &Export) -> Result<DataConfig> {
    let source = args.shortlist.source.clone();
    if source.is_some() {
        let corpus = CorpusConfig { source, target: args.shortlist.target.clone(), ..CorpusConfig::default() };
        return Ok(DataConfig { train: vec![corpus], ..DataConfig::default() });
    }
    if !args.run.is_dir() {
        return Err(Misuse(format!(
            "`{}` is no run folder, and does not say what corpus to learn a shortlist from: name one with --source and --target",
            args.run.display()
        ))
        .into());
    }
    Ok(Config::load(&args.run.join("config.toml"), &[])?.data)
}

/// At most `most` pairs at even distances, without blank ones.
fn sample(
    pairs: impl Iterator<Item = Result<Pair, CorpusError>>,
    most: usize,
) -> Result<Vec<(String, String)>, CorpusError> {
    let mut taken = Vec::new();
    let mut distance = 1;
    let not_blank = |pair: &Result<Pair, CorpusError>| pair.as_ref().map_or(true, |p| Filter::check_blank(p).is_none());
    for (number, pair) in pairs.filter(not_blank).enumerate() {
        let pair = pair?;
        if number % distance == 0 {
            taken.push((pair.source, pair.target));
        }
        if taken.len() > most {
            let mut number = 0;
            taken.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            distance *= 2;
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rnnsearch_corpus::Place;

    use super::*;

    #[test]
    fn samples_are_spread_evenly() {
        let pairs = |count: usize| {
            (0..count).map(|i| {
                let place = Place { file: Arc::from("f"), line: i as u64 };
                Ok(Pair {
                    source: if i % 10 == 9 { String::new() } else { i.to_string() },
                    target: "t".into(),
                    links: None,
                    corpus: 0,
                    place,
                })
            })
        };
        for (count, most) in [(0, 5), (5, 5), (9, 5), (100, 7), (1000, 999)] {
            let sample = sample(pairs(count), most).unwrap();
            let numbers: Vec<usize> = sample.iter().map(|(source, _)| source.parse().unwrap()).collect();
            let expected = count - count / 10;
            assert!(numbers.len() <= most && numbers.len() * 2 + 1 >= expected.min(most), "{numbers:?}");
            assert!(numbers.first().is_none_or(|first| *first == 0));
            let gaps: Vec<usize> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let spread = gaps.iter().max().zip(gaps.iter().min()).map_or(0, |(max, min)| max - min);
            assert!(spread <= 1 + numbers.last().unwrap_or(&0) / numbers.len().max(1), "{gaps:?}");
        }
    }
}
