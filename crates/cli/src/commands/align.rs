//! `rnnsearch align`

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rnnsearch_alignment::html::{self, Matrix, Page};
use rnnsearch_alignment::{Alignment, LinkFormat, NpzWriter, Sentence, Token};
use rnnsearch_config::{CorpusConfig, DataConfig};
use rnnsearch_corpus::{Pair, Pairs};
use rnnsearch_inference::Translator;
use rnnsearch_kernels::device::DeviceName;
use rnnsearch_metrics::AlignmentScore;
use serde::Serialize;
use serde_json::json;

use crate::aligner::{Aligned, Aligner};
use crate::args::{Align, Combine, Format, Symmetrize};
use crate::compute::require_attention;
use crate::failure::Misuse;
use crate::gold::{LinkScore, Scored, Scoring};
use crate::output::{Output, OutputFile, are_different, print};
use crate::progress::Counter;
use crate::statistics::Learnt;
use crate::window::next_window;

/// Links the words of a corpus.
pub fn run(args: &Align) -> Result<()> {
    are_different(&[args.output.as_deref(), args.matrices.as_deref(), args.html.as_deref()])?;
    if args.combine == Combine::No && args.linking.symmetrize == Symmetrize::Forward {
        return Err(Misuse(
            "with --combine no and --symmetrize forward no link would depend on --reverse: leave it out, or take another --symmetrize".into(),
        )
        .into());
    }
    let pairs = Pairs::open(&[corpus(args)])?;
    let mut results = Results::open(args)?;
    let shown = !args.messages.quiet && (args.output.is_some() || !io::stdout().is_terminal());
    match &args.model {
        Some(model) => by_model(args, model, pairs, &mut results, shown)?,
        None => by_statistics(args, pairs, &mut results, shown)?,
    }
    results.finish()
}

/// Links words by a model, or by two.
fn by_model(args: &Align, model: &Path, mut pairs: Pairs, results: &mut Results, shown: bool) -> Result<()> {
    let forward = load(args, model)?.tagged(args.tag.as_deref())?;
    let reverse = args.reverse.as_deref().map(|model| load(args, model)).transpose()?;
    let mut aligner = Aligner::new(&forward, args.linking, args.batch.get(), args.max_length.get());
    if let Some(reverse) = &reverse {
        warn_of_directions(args, &forward, reverse);
        aligner = aligner.with_reverse(reverse, args.combine);
    }
    let counter = Counter::new(None, shown);
    loop {
        let (window, failed) = next_window(&mut pairs, args.batch.get());
        results.add(&window, aligner.align(&window)?)?;
        failed?;
        counter.add(window.len());
        if window.is_empty() {
            return Ok(());
        }
    }
}

/// Links words by what the text itself says.
fn by_statistics(args: &Align, pairs: Pairs, results: &mut Results, shown: bool) -> Result<()> {
    if args.compute.device != DeviceName::default() {
        return Err(Misuse("--statistical computes on the CPU: leave --device out".into()).into());
    }
    args.compute.start_threads()?;
    Learnt::learn(args, pairs, shown)?.for_each(|window, aligned| results.add(window, aligned))
}

/// All that is written.
struct Results<'a> {
    args: &'a Align,
    scoring: Option<Scoring>,
    output: Output,
    matrices: Option<Matrices>,
    page: Option<PageFile>,
    too_long: TooLong,
    /// Pairs so far.
    count: usize,
}

impl<'a> Results<'a> {
    fn open(args: &'a Align) -> Result<Self> {
        Ok(Self {
            args,
            scoring: Scoring::open(&args.gold)?,
            output: Output::open(args.output.as_deref(), &inputs(args))?,
            matrices: args.matrices.as_deref().map(|path| Matrices::create(path, args)).transpose()?,
            page: args.html.as_deref().map(|path| PageFile::create(path, args)).transpose()?,
            too_long: TooLong::default(),
            count: 0,
        })
    }

    /// Writes pairs with their links, and hands them on.
    fn add(&mut self, pairs: &[Pair], aligned: Vec<Aligned>) -> Result<()> {
        for (pair, aligned) in pairs.iter().zip(aligned) {
            if let Some(matrices) = &mut self.matrices {
                matrices.add(self.count, &aligned)?;
            }
            self.count += 1;
            self.too_long.see(pair, &aligned);
            let words = (aligned.source_words.len(), aligned.target_words.len());
            let scored =
                self.scoring.as_mut().map(|scoring| scoring.add(&aligned.links, words.0, words.1)).transpose()?;
            self.output.write(&written(self.args, self.count, pair, &aligned, scored.as_ref())?)?;
            if let Some(page) = &mut self.page {
                page.add(self.count, pair, &aligned, scored.as_ref())?;
            }
        }
        self.output.flush()
    }

    fn finish(self) -> Result<()> {
        self.too_long.tell(self.args);
        self.output.finish()?;
        if let Some(matrices) = self.matrices {
            matrices.finish()?;
        }
        if let Some(page) = self.page {
            page.finish(self.args)?;
        }
        match self.scoring {
            Some(scoring) => print(&summary(self.args, &scoring.finish()?, self.count)),
            None => Ok(()),
        }
    }
}

fn corpus(args: &Align) -> CorpusConfig {
    let is_jsonl = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl"));
    let (jsonl, tsv) = args.input.clone().map_or((None, None), |path| match is_jsonl(&path) {
        true => (Some(path), None),
        false => (None, Some(path)),
    });
    CorpusConfig { source: args.source.clone(), target: args.target.clone(), tsv, jsonl, ..CorpusConfig::default() }
}

/// The files that are read.
fn inputs(args: &Align) -> Vec<&Path> {
    let files = [&args.source, &args.target, &args.input, &args.model, &args.reverse, &args.gold.gold];
    files.into_iter().flatten().chain(&args.statistics.learn_from).map(PathBuf::as_path).collect()
}

fn load(args: &Align, model: &Path) -> Result<Translator> {
    let translator = args.compute.load(model, &[], args.messages)?;
    require_attention(&translator)?;
    Ok(translator)
}

fn warn_of_directions(args: &Align, forward: &Translator, reverse: &Translator) {
    let languages = |translator: &Translator| {
        let data = &translator.config().data;
        (data.source_language.clone(), data.target_language.clone())
    };
    let ((source, target), (back, forth)) = (languages(forward), languages(reverse));
    let usual = DataConfig::default();
    let unnamed = (&back, &forth) == (&usual.source_language, &usual.target_language);
    if !unnamed && (&source, &target) != (&forth, &back) {
        args.messages.warning(format_args!(
            "the model translates {source} to {target}, that of --reverse {back} to {forth}: it should be of the opposite direction"
        ));
    }
}

/// The file of --matrices.
struct Matrices {
    path: PathBuf,
    npz: NpzWriter<OutputFile>,
}

impl Matrices {
    fn create(path: &Path, args: &Align) -> Result<Self> {
        let others: Vec<&Path> = inputs(args).into_iter().chain(args.output.as_deref()).collect();
        Ok(Self { path: path.to_owned(), npz: NpzWriter::new(OutputFile::create(path, &others)?) })
    }

    fn add(&mut self, index: usize, aligned: &Aligned) -> Result<()> {
        let written = self.npz.add(&index.to_string(), aligned.weights.as_ref());
        written.with_context(|| format!("cannot write `{}`", self.path.display()))
    }

    fn finish(self) -> Result<()> {
        let file = self.npz.finish().with_context(|| format!("cannot write `{}`", self.path.display()))?;
        file.finish()
    }
}

/// The file of --html.
struct PageFile {
    file: OutputFile,
    page: Page,
    /// Most pairs in it.
    most: usize,
}

impl PageFile {
    fn create(path: &Path, args: &Align) -> Result<Self> {
        let file = OutputFile::create(path, &inputs(args))?;
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let texts: Vec<String> =
            [&args.source, &args.target, &args.input].into_iter().flatten().map(|path| name(path)).collect();
        let by = args.model.as_deref().map_or_else(|| "statistics".to_owned(), name);
        let title = format!("{}, aligned by {by}", texts.join(" and "));
        Ok(Self { file, page: Page { title, ..Page::default() }, most: args.html_pairs.get() })
    }

    fn add(&mut self, number: usize, pair: &Pair, aligned: &Aligned, scored: Option<&Scored>) -> Result<()> {
        self.page.total = number;
        if self.page.pairs.len() < self.most {
            self.page.pairs.push(shown(number, pair, aligned, scored)?);
        }
        Ok(())
    }

    fn finish(mut self, args: &Align) -> Result<()> {
        let (shown, total) = (self.page.pairs.len(), self.page.total);
        let mut html = Vec::new();
        self.page.write(&mut html)?;
        self.file.write(&html)?;
        self.file.finish()?;
        if shown < total {
            args.messages
                .note(format_args!("the page of --html has the first {shown} of {total} pairs (--html-pairs)"));
        }
        Ok(())
    }
}

/// A pair as the page shows it.
fn shown(number: usize, pair: &Pair, aligned: &Aligned, scored: Option<&Scored>) -> Result<html::Pair> {
    let attention = aligned.attention.as_ref();
    let words = |weights: &Alignment| -> Result<Matrix> {
        let Some(attention) = attention else { return Ok(Matrix::new(weights, weights)) };
        let spans = |sentence: &Sentence| sentence.tokens().iter().filter_map(Token::span).collect::<Vec<_>>();
        Ok(Matrix::new(weights, &attention.words_at(&spans(weights.source()), &spans(weights.target()))?))
    };
    let candidate = html::Candidate {
        text: pair.target.clone(),
        log_prob: aligned.log_prob,
        length: attention.map_or(0, |attention| attention.target().len()),
        words: aligned.weights.as_ref().map(words).transpose()?,
        subwords: attention.map(|attention| Matrix::new(attention, attention)),
        links: Some(aligned.links.clone()),
        ..html::Candidate::default()
    };
    let gold = scored.map(|scored| html::Gold { links: scored.gold.clone(), aer: scored.score.aer() });
    Ok(html::Pair { number, source: pair.source.clone(), candidates: vec![candidate], gold })
}

/// A pair with its links: a line of `align --json`.
#[derive(Serialize)]
struct Record<'a> {
    source: &'a str,
    target: &'a str,
    source_tokens: Vec<&'a str>,
    target_tokens: &'a [String],
    links: String,
    /// Rows are target words, columns are source words.
    alignment: Vec<Vec<f64>>,
    log_prob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse_log_prob: Option<f64>,
    #[serde(flatten)]
    score: Option<LinkScore>,
}

/// What is written for pair number `number`, counted from 1.
fn written(args: &Align, number: usize, pair: &Pair, aligned: &Aligned, scored: Option<&Scored>) -> Result<String> {
    let format = match args.format {
        _ if args.json => None,
        Format::Json => None,
        Format::Pharaoh => Some(LinkFormat::Pharaoh),
        Format::Talp => Some(LinkFormat::Talp),
        Format::Naacl => Some(LinkFormat::Naacl),
    };
    match format {
        Some(format) => Ok(format.format(&aligned.links, number)),
        None => Ok(serde_json::to_string(&record(pair, aligned, scored))? + "\n"),
    }
}

fn record<'a>(pair: &'a Pair, aligned: &'a Aligned, scored: Option<&Scored>) -> Record<'a> {
    let rounded = |&weight: &f32| (f64::from(weight) * 1e6).round() / 1e6;
    let weights = aligned.weights.as_ref();
    let labels = |weights: &'a Alignment| weights.source().tokens().iter().map(|token| token.label()).collect();
    Record {
        source: &pair.source,
        target: &pair.target,
        source_tokens: weights.map_or_else(|| aligned.source_words.iter().map(String::as_str).collect(), labels),
        target_tokens: &aligned.target_words,
        links: aligned.links.to_string(),
        alignment: weights
            .map_or_else(Vec::new, |weights| weights.rows().map(|row| row.iter().map(rounded).collect()).collect()),
        log_prob: aligned.log_prob,
        reverse_log_prob: aligned.reverse_log_prob,
        score: scored.map(|scored| LinkScore::from(&scored.score)),
    }
}

/// The last line.
fn summary(args: &Align, score: &AlignmentScore, pairs: usize) -> String {
    if !args.json && args.format != Format::Json {
        return format!("{score}\n");
    }
    let AlignmentScore { links, sure, sure_matches, possible_matches } = *score;
    let LinkScore { aer, precision, recall, f1 } = score.into();
    let object = json!({
        "aer": aer, "precision": precision, "recall": recall, "f1": f1, "pairs": pairs,
        "links": links, "sure": sure, "sure_matches": sure_matches, "possible_matches": possible_matches,
    });
    format!("{object}\n")
}

/// Counts the pairs that were too long.
#[derive(Default)]
struct TooLong {
    count: usize,
    first: String,
}

impl TooLong {
    fn see(&mut self, pair: &Pair, aligned: &Aligned) {
        if aligned.too_long {
            self.count += 1;
            if self.count == 1 {
                self.first = pair.place.to_string();
            }
        }
    }

    fn tell(&self, args: &Align) {
        let Self { count, first } = self;
        let what = match count {
            0 => return,
            1 => format!("{first} has"),
            _ => format!("{count} pairs, {first} the first, have"),
        };
        let (limit, units) = (args.max_length, if args.statistics.statistical { "words" } else { "tokens" });
        args.messages.warning(format_args!("{what} more than {limit} {units} on a side, and no links (--max-length)"));
    }
}
