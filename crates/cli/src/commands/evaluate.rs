//! `rnnsearch evaluate`

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use rnnsearch_alignment::{Segmentation, Sentence};
use rnnsearch_config::CorpusConfig;
use rnnsearch_corpus::{Pair, Pairs};
use rnnsearch_inference::Translator;
use rnnsearch_metrics::{
    AlignmentScore, BleuOptions, Bootstrap, ChrfOptions, CorpusMetric, Interval, LENGTH_LIMITS, LengthMetric,
    LengthReport, LengthRow, Perplexity, TerOptions, Theme, bleu, by_length, chrf, length_figure, ter,
};
use serde::Serialize;

use crate::aligner::Aligner;
use crate::args::{Evaluate, Linking};
use crate::commands::translate::Overlong;
use crate::compute::require_attention;
use crate::gold::{LinkScore, Scoring};
use crate::output::{OutputFile, are_different, print};
use crate::progress::Counter;
use crate::record::one_line;
use crate::window::windows;

/// Translates a test set and scores the translations.
pub fn run(args: &Evaluate) -> Result<()> {
    let corpus = CorpusConfig {
        source: Some(args.source.clone()),
        target: Some(args.reference.clone()),
        ..CorpusConfig::default()
    };
    let pairs: Vec<Pair> = Pairs::open(&[corpus])?.collect::<Result<_, _>>()?;
    let scoring = Scoring::open(&args.gold)?;
    let files = Files::open(args)?;
    let translator =
        args.compute.load(&args.model, &args.search.ensemble, args.messages)?.tagged(args.tag.as_deref())?;
    let links = scoring.map(|scoring| score_links(args, &translator, &pairs, scoring)).transpose()?;
    let begin = Instant::now();
    let hypotheses = translate(args, &translator, &pairs);
    let seconds = begin.elapsed().as_secs_f64();
    let perplexity = perplexity(args, &translator, &pairs)?;
    let test = Test { args, pairs: &pairs, hypotheses: &hypotheses };
    let report = test.report(perplexity, links, seconds)?;
    let lengths = files.want_lengths(args).then(|| test.by_length()).transpose()?;
    files.write(args, &hypotheses, lengths.as_ref())?;
    let lengths = lengths.as_ref().filter(|_| args.by_length);
    print(&if args.json { report.json(lengths)? } else { report.text(lengths) })
}

fn translate(args: &Evaluate, translator: &Translator, pairs: &[Pair]) -> Vec<String> {
    let mut options = args.search.options(&translator.config().translation);
    options.search.scores = false;
    let counter = Counter::new(Some(pairs.len()), !args.messages.quiet);
    let mut hypotheses = Vec::with_capacity(pairs.len());
    let mut overlong = Overlong::default();
    for window in pairs.chunks(args.search.window()) {
        let sources: Vec<&str> = window.iter().map(|pair| pair.source.as_str()).collect();
        let translations = translator.translate(&sources, &options);
        for translation in &translations {
            hypotheses.push(one_line(&translation.candidates[0].text));
            overlong.see(hypotheses.len(), translation);
        }
        counter.add(window.len());
    }
    overlong.tell(args.messages, options.max_source_length);
    hypotheses
}

/// What the model thinks of the references.
fn perplexity(args: &Evaluate, translator: &Translator, pairs: &[Pair]) -> Result<Perplexity> {
    let (mut nats, mut tokens) = (0.0, 0);
    for window in windows(pairs, args.search.batch.get()) {
        let texts: Vec<(&str, &str)> = window.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).collect();
        for (forced, _) in translator.force(&texts, args.search.batch.get()) {
            nats -= forced.log_prob();
            tokens += forced.token_log_probs.len() as u64;
        }
    }
    Ok(Perplexity::new(nats, tokens)?)
}

/// How the links that the model finds between sources and references compare with gold links.
fn score_links(
    args: &Evaluate,
    translator: &Translator,
    pairs: &[Pair],
    mut scoring: Scoring,
) -> Result<AlignmentScore> {
    require_attention(translator)?;
    let aligner = Aligner::new(translator, Linking::usual(args.words), args.search.batch.get(), usize::MAX);
    for window in windows(pairs, args.search.batch.get()) {
        for aligned in aligner.align(window)? {
            scoring.add(&aligned.links, aligned.source_words.len(), aligned.target_words.len())?;
        }
    }
    scoring.finish()
}

/// The files asked for, opened before the work begins.
struct Files {
    hypotheses: Option<OutputFile>,
    csv: Option<OutputFile>,
    svg: Option<OutputFile>,
}

impl Files {
    fn open(args: &Evaluate) -> Result<Self> {
        are_different(&[args.output.as_deref(), args.csv.as_deref(), args.svg.as_deref()])?;
        let gold = args.gold.gold.as_deref();
        let inputs: Vec<&Path> =
            [&args.source, &args.reference, &args.model].map(|path| path.as_path()).into_iter().chain(gold).collect();
        let open = |path: &Option<std::path::PathBuf>| {
            path.as_deref().map(|path| OutputFile::create(path, &inputs)).transpose()
        };
        Ok(Self { hypotheses: open(&args.output)?, csv: open(&args.csv)?, svg: open(&args.svg)? })
    }

    fn want_lengths(&self, args: &Evaluate) -> bool {
        args.by_length || self.csv.is_some() || self.svg.is_some()
    }

    fn write(self, args: &Evaluate, hypotheses: &[String], lengths: Option<&LengthReport>) -> Result<()> {
        let text = || hypotheses.iter().map(|line| format!("{line}\n")).collect::<String>();
        write(self.hypotheses, text)?;
        let Some(lengths) = lengths else { return Ok(()) };
        write(self.csv, || lengths.to_csv())?;
        let model = args.model.display().to_string();
        let figure = || length_figure("BLEU by source length", &[(&model, lengths)], LengthMetric::Bleu);
        write(self.svg, || figure().svg(Theme::Light))
    }
}

fn write(file: Option<OutputFile>, text: impl FnOnce() -> String) -> Result<()> {
    let Some(mut file) = file else { return Ok(()) };
    file.write(text().as_bytes())?;
    file.finish()
}

/// A test set with its translations.
struct Test<'a> {
    args: &'a Evaluate,
    pairs: &'a [Pair],
    hypotheses: &'a [String],
}

impl Test<'_> {
    fn report(&self, perplexity: Perplexity, links: Option<AlignmentScore>, seconds: f64) -> Result<Report> {
        let (hypotheses, references) = (self.hypotheses, self.references());
        let (bleu_options, chrf_options) = self.options();
        let ter_options = TerOptions::default();
        let bleu = bleu(hypotheses, &references, &bleu_options).context("cannot score the translations")?;
        let chrf = chrf(hypotheses, &references, &chrf_options)?;
        let ter = ter(hypotheses, &references, &ter_options)?;
        Ok(Report {
            bleu: bleu.score,
            bleu_signature: bleu.signature,
            chrf: chrf.score,
            chrf_signature: chrf.signature,
            ter: ter.score,
            ter_signature: ter.signature,
            perplexity: perplexity.value(),
            sentences: self.pairs.len(),
            seconds,
            bleu_interval: self.interval(&bleu_options)?,
            chrf_interval: self.interval(&chrf_options)?,
            ter_interval: self.interval(&ter_options)?,
            links: links.as_ref().map(LinkScore::from),
        })
    }

    fn by_length(&self) -> Result<LengthReport> {
        let words = |text: &str| Sentence::from_words([text]).words(Segmentation::Words).len();
        let lengths: Vec<usize> = self.pairs.iter().map(|pair| words(&pair.source)).collect();
        let (bleu, chrf) = self.options();
        let bootstrap = self.args.confidence.then(Bootstrap::default);
        let references = self.references();
        Ok(by_length(&lengths, self.hypotheses, &references, &LENGTH_LIMITS, &bleu, &chrf, bootstrap.as_ref())?)
    }

    fn interval<M: CorpusMetric>(&self, metric: &M) -> Result<Option<[f64; 2]>> {
        if !self.args.confidence {
            return Ok(None);
        }
        let Interval { lower, upper, .. } =
            Bootstrap::default().interval(metric, self.hypotheses, &self.references())?;
        Ok(Some([lower, upper]))
    }

    fn references(&self) -> Vec<&str> {
        self.pairs.iter().map(|pair| pair.target.as_str()).collect()
    }

    fn options(&self) -> (BleuOptions, ChrfOptions) {
        let lowercase = self.args.lowercase;
        let bleu = BleuOptions { lowercase, ..BleuOptions::default() };
        (bleu, ChrfOptions { lowercase, ..ChrfOptions::plus_plus() })
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    bleu: f64,
    bleu_signature: String,
    chrf: f64,
    chrf_signature: String,
    ter: f64,
    ter_signature: String,
    perplexity: f64,
    sentences: usize,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bleu_interval: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chrf_interval: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ter_interval: Option<[f64; 2]>,
    #[serde(flatten)]
    links: Option<LinkScore>,
}

impl Report {
    fn json(&self, lengths: Option<&LengthReport>) -> Result<String> {
        let mut object = serde_json::to_value(self)?;
        if let Some(lengths) = lengths {
            object["by_length"] = lengths.rows.iter().map(length_json).collect();
        }
        Ok(object.to_string() + "\n")
    }

    fn text(&self, lengths: Option<&LengthReport>) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| writeln!(text, "{name:<11}{value}").expect("a string takes all");
        line("BLEU", score(self.bleu, self.bleu_interval, &self.bleu_signature));
        line("chrF2++", score(self.chrf, self.chrf_interval, &self.chrf_signature));
        line("TER", score(self.ter, self.ter_interval, &self.ter_signature));
        line("perplexity", format!("{:.2}", self.perplexity));
        if let Some(LinkScore { aer, precision, recall, .. }) = self.links {
            line("AER", format!("{aer:.4}  precision {precision:.4}, recall {recall:.4}"));
        }
        line("sentences", self.sentences.to_string());
        line("seconds", format!("{:.1}", self.seconds));
        match lengths {
            Some(lengths) => format!("{text}\n{lengths}"),
            None => text,
        }
    }
}

fn score(score: f64, interval: Option<[f64; 2]>, signature: &str) -> String {
    let interval = interval.map(|[lower, upper]| format!(" (95 %: {lower:.2} to {upper:.2})")).unwrap_or_default();
    format!("{score:.2}{interval}  {signature}")
}

fn length_json(row: &LengthRow) -> serde_json::Value {
    let LengthRow { bin, sentences, bleu, chrf, bleu_interval, chrf_interval } = row;
    let mut object = serde_json::json!({
        "first": bin.first, "last": bin.last, "sentences": sentences, "bleu": bleu, "chrf": chrf
    });
    for (name, interval) in [("bleu_interval", bleu_interval), ("chrf_interval", chrf_interval)] {
        if let Some(interval) = interval {
            object[name] = serde_json::json!(interval);
        }
    }
    object
}
