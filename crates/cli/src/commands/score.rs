//! `rnnsearch score`

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::Result;
use rnnsearch_alignment::END;
use rnnsearch_config::CorpusConfig;
use rnnsearch_corpus::{Pair, Pairs};
use rnnsearch_inference::{Forced, Translator};
use serde::Serialize;

use crate::args::Score;
use crate::output::Output;
use crate::progress::Counter;
use crate::window::next_window;

/// A pair with its probability: a line of `score --json`.
#[derive(Serialize)]
struct Record<'a> {
    source: &'a str,
    target: &'a str,
    log_prob: f64,
    mean_log_prob: f64,
    target_tokens: Vec<String>,
    token_log_probs: &'a [f32],
}

/// Scores given translations.
pub fn run(args: &Score) -> Result<()> {
    let corpus = CorpusConfig {
        source: Some(args.source.clone()),
        target: Some(args.target.clone()),
        ..CorpusConfig::default()
    };
    let mut pairs = Pairs::open(&[corpus])?;
    let inputs: [&Path; 3] = [&args.source, &args.target, &args.model];
    let mut output = Output::open(args.output.as_deref(), &inputs)?;
    let translator = args.compute.load(&args.model, &[], args.messages)?.tagged(args.tag.as_deref())?;
    let counter = Counter::new(None, !args.messages.quiet && (args.output.is_some() || !io::stdout().is_terminal()));
    loop {
        let (window, failed) = next_window(&mut pairs, args.batch.get());
        let texts: Vec<(&str, &str)> = window.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).collect();
        for (pair, (forced, _)) in window.iter().zip(translator.force(&texts, args.batch.get())) {
            output.write(&line(args, &translator, pair, &forced)?)?;
        }
        output.flush()?;
        failed?;
        if window.is_empty() {
            return output.finish();
        }
        counter.add(window.len());
    }
}

fn line(args: &Score, translator: &Translator, pair: &Pair, forced: &Forced) -> Result<String> {
    let log_prob = forced.log_prob();
    // There is always the end of the sentence.
    let mean_log_prob = log_prob / forced.token_log_probs.len() as f64;
    if !args.json {
        return Ok(format!("{log_prob:.6}\t{mean_log_prob:.6}\n"));
    }
    let tokens = translator.vocabularies().target.encode(&pair.target).tokens;
    let record = Record {
        source: &pair.source,
        target: &pair.target,
        log_prob,
        mean_log_prob,
        target_tokens: tokens.into_iter().chain([END.to_owned()]).collect(),
        token_log_probs: &forced.token_log_probs,
    };
    Ok(serde_json::to_string(&record)? + "\n")
}
