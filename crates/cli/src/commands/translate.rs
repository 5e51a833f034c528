//! `rnnsearch translate`

mod bad_lines;
mod control;
mod document;
mod input;
mod overlong;
mod printer;
mod read_ahead;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use rnnsearch_corpus::Lines;
use rnnsearch_inference::{Diversity, Request, Sampling, TranslateOptions, Translation, Translator, Utility};

use self::bad_lines::BadLines;
use self::control::Control;
pub use self::overlong::Overlong;
use self::printer::Printer;
use self::read_ahead::ReadAhead;
use crate::args::{self, Agreement, AlignmentForm, Flush, OnError, Translate};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::output::Output;
use crate::progress::Counter;
use crate::prompt;

/// Translates at a prompt or as a stream.
pub fn run(args: &Translate) -> Result<()> {
    let as_json = args.json || args.jsonl;
    if args.alignments == Some(AlignmentForm::Soft) && !as_json {
        return Err(Misuse("--alignments soft needs --json: a line of text has no room for a matrix".into()).into());
    }
    if args.subwords && !as_json && args.alignments.is_none() {
        return Err(Misuse("--subwords needs --json or --alignments pharaoh, which tell of tokens".into()).into());
    }
    if args.stream.shard.is_some() && args.stream.on_error == OnError::Skip {
        return Err(Misuse(
            "--shard with --on-error skip leaves parts that cannot be put together: use --on-error empty".into(),
        )
        .into());
    }
    if is_prompt(args) {
        let translator =
            args.compute.load(&args.model, &args.search.ensemble, args.messages)?.tagged(args.tag.as_deref())?;
        let options = options(args, &translator);
        return prompt::run(translator, options, args.messages);
    }
    let input = args.input.as_deref().filter(|path| *path != Path::new("-"));
    let lines = match input {
        Some(path) => Lines::open(path)?,
        None => Lines::from_reader("standard input", io::stdin()),
    };
    let others = [&args.model].into_iter().chain(&args.search.ensemble).chain(&args.control.glossary);
    let inputs: Vec<&Path> = input.into_iter().chain(others.map(|path| path.as_path())).collect();
    let output = Output::open(args.output.as_deref(), &inputs)?;
    let translator =
        args.compute.load(&args.model, &args.search.ensemble, args.messages)?.tagged(args.tag.as_deref())?;
    if args.alignments.is_some() {
        require_attention(&translator)?;
    }
    stream(args, &translator, lines, output)
}

/// A prompt needs both ends at a terminal, and nothing asked for that is meant for files and programs.
fn is_prompt(args: &Translate) -> bool {
    let args::Control { glossary, protect, patterns, markup, .. } = &args.control;
    let for_programs = args.json
        || args.jsonl
        || args.alignments.is_some()
        || args.n_best.is_some()
        || args.output.is_some()
        || args.stream.shard.is_some()
        || args.stream.document
        || glossary.is_some()
        || *protect
        || !patterns.is_empty()
        || markup.is_some();
    args.input.is_none() && !for_programs && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn options(args: &Translate, translator: &Translator) -> TranslateOptions {
    let mut options = args.search.options(&translator.config().translation);
    options.search.n_best = args.n_best.unwrap_or(1).into();
    if let Some(count) = args.sampling.sample {
        let args::Sampling { temperature, top_k, top_p, seed, .. } = args.sampling;
        options.search.beam_size = count.into();
        options.search.sampling = Some(Sampling { temperature, top_k, top_p, seed });
    }
    if let Some(groups) = args.control.diverse_groups {
        options.search.diversity = Some(Diversity { groups: groups.into(), strength: args.control.diversity });
    }
    options.consensus = args.mbr.map(|metric| match metric {
        Agreement::Chrf => Utility::Chrf,
        Agreement::Bleu => Utility::Bleu,
    });
    options
}

fn stream(args: &Translate, translator: &Translator, lines: Lines, mut output: Output) -> Result<()> {
    let mut options = options(args, translator);
    options.search.scores = args.json || args.jsonl || args.n_best.is_some() || args.mbr.is_some();
    let control = Control::new(&args.control, translator, &options)?;
    let printer = Printer::new(args, translator);
    let window = match args.stream.flush {
        Flush::Line => 1,
        Flush::Batch => args.search.window(),
    };
    let mut ahead = ReadAhead::new(lines, window, args.stream.shard);
    let begin = Instant::now();
    let (mut count, shown) = (0, !args.messages.quiet && (args.output.is_some() || !io::stdout().is_terminal()));
    let counter = Counter::new(None, shown);
    let (mut overlong, mut bad_lines) = (Overlong::default(), BadLines::new(args.stream.on_error, args.messages));
    while let Some(lines) = ahead.next()? {
        let (inputs, failed) = printer.read(lines, &control);
        let asked = inputs.iter().filter_map(|(_, asked)| asked.as_ref().ok());
        let requests: Vec<Request> = asked.flat_map(|asked| &asked.inputs).map(|input| input.request.clone()).collect();
        let mut translations = translator.translate_as(&requests, &options).into_iter();
        count += inputs.len();
        counter.add(inputs.len());
        for (number, asked) in inputs {
            match asked {
                Ok(asked) => {
                    let mut own: Vec<Translation> = translations.by_ref().take(asked.inputs.len()).collect();
                    own.iter().for_each(|translation| overlong.see(number, translation));
                    for (translation, input) in own.iter_mut().zip(&asked.inputs) {
                        input.kept.restore(translation);
                    }
                    output.write(&printer.print_asked(number, &own, asked)?)?;
                }
                Err(error) => {
                    counter.above(|| bad_lines.see(&error));
                    output.write(&printer.print_error(number, &error)?)?;
                }
            }
        }
        output.flush()?;
        failed?;
    }
    counter.finish();
    bad_lines.tell();
    overlong.tell(args.messages, options.max_source_length);
    let seconds = begin.elapsed().as_secs_f64();
    args.messages.detail(format_args!("{count} lines in {seconds:.1} s"));
    output.finish()
}
