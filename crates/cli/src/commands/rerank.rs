//! `rnnsearch rerank`

mod list;

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::Result;
use rnnsearch_corpus::Lines;
use rnnsearch_inference::{Forced, Ranking, Translator, coverage_of};
use serde::Serialize;

use self::list::{Group, Groups};
use crate::args::Rerank;
use crate::failure::Misuse;
use crate::output::Output;
use crate::progress::Counter;
use crate::record::one_line;
use crate::window::Room;

/// A candidate with its scores.
#[derive(Serialize)]
struct Scored<'g> {
    translation: &'g str,
    /// The weighted sum.
    score: f64,
    /// What each model gives it, in their order.
    scores: Vec<f64>,
    /// The score in the list.
    list_score: f64,
    #[serde(skip)]
    rest: &'g str,
}

/// The candidates of a source, best first: a line of `rerank --json`.
#[derive(Serialize)]
struct Record<'g> {
    source: &'g str,
    #[serde(flatten)]
    best: &'g Scored<'g>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_best: Option<&'g [Scored<'g>]>,
}

/// Orders lists of candidates anew.
pub fn run(args: &Rerank) -> Result<()> {
    let models = 1 + args.with.len() + args.reverse.len();
    if !args.weights.is_empty() && args.weights.len() != models {
        let given = args.weights.len();
        return Err(
            Misuse(format!("--weight is given {given} times for {models} models: give it once for each")).into()
        );
    }
    let list = args.list.as_deref().filter(|path| *path != Path::new("-"));
    let lines = match list {
        Some(path) => Lines::open(path)?,
        None => Lines::from_reader("standard input", io::stdin()),
    };
    let mut groups = Groups::new(lines, Lines::open(&args.source)?);
    let models = args.with.iter().chain(&args.reverse).chain([&args.model]).map(|path| path.as_path());
    let inputs: Vec<&Path> = list.into_iter().chain([args.source.as_path()]).chain(models).collect();
    let mut output = Output::open(args.output.as_deref(), &inputs)?;
    let judges = Judges::load(args)?;
    let counter = Counter::new(None, !args.messages.quiet && (args.output.is_some() || !io::stdout().is_terminal()));
    loop {
        let (window, failed) = groups.take(Room::for_batches_of(args.batch.get()));
        for scored in judges.score(&window).into_iter().zip(&window) {
            output.write(&print(args, scored)?)?;
        }
        output.flush()?;
        failed?;
        if window.is_empty() {
            return output.finish();
        }
        counter.add(window.len());
    }
}

/// Models that say what they think of candidates.
struct Judges<'a> {
    args: &'a Rerank,
    /// Each with whether it translates from target to source.
    models: Vec<(Translator, bool)>,
    ranking: Ranking,
}

impl<'a> Judges<'a> {
    fn load(args: &'a Rerank) -> Result<Self> {
        let first = args.compute.load(&args.model, &[], args.messages)?.tagged(args.tag.as_deref())?;
        let mut ranking = Ranking::from(&first.config().translation);
        ranking.length_penalty = args.length_penalty.unwrap_or(ranking.length_penalty);
        ranking.length_form = args.length_form.unwrap_or(ranking.length_form);
        let (source, target) = languages(&first);
        let mut models = vec![(first, false)];
        let others = args.with.iter().map(|path| (path, false)).chain(args.reverse.iter().map(|path| (path, true)));
        for (path, reverse) in others {
            let tag = args.tag.as_deref().filter(|_| !reverse);
            let model = args.compute.load(path, &[], args.messages)?.tagged(tag)?;
            let (from, to) = languages(&model);
            let expected = if reverse { (&target, &source) } else { (&source, &target) };
            if (&from, &to) != expected {
                let (path, (source, target)) = (path.display(), expected);
                args.messages.warning(format_args!("`{path}` translates {from} to {to}, not {source} to {target}"));
            }
            models.push((model, reverse));
        }
        Ok(Self { args, models, ranking })
    }

    /// The candidates of every group, best first.
    fn score<'g>(&self, groups: &'g [Group]) -> Vec<Vec<Scored<'g>>> {
        // What is blank has nothing to be judged by.
        let is_blank = |group: &Group| group.source.trim().is_empty();
        let of_group = |group: &'g Group| group.candidates.iter().map(|one| (group.source.as_str(), one.text.as_str()));
        let pairs: Vec<(&str, &str)> = groups.iter().filter(|group| !is_blank(group)).flat_map(of_group).collect();
        let scores: Vec<Vec<f64>> =
            self.models.iter().map(|(model, reverse)| self.ask(model, *reverse, &pairs)).collect();
        let mut of_pairs = (0..pairs.len()).map(|pair| scores.iter().map(|scores| scores[pair]).collect());
        let ordered = |group: &'g Group| {
            let mut scores = || match is_blank(group) {
                true => vec![0.0; self.models.len()],
                false => of_pairs.next().expect("a pair for each candidate"),
            };
            let mut candidates: Vec<Scored> = group.candidates.iter().map(|one| self.weighed(one, scores())).collect();
            // Among equals the order of the list stays.
            candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
            candidates
        };
        groups.iter().map(ordered).collect()
    }

    /// The score that a model gives each pair (source, candidate).
    fn ask(&self, model: &Translator, reverse: bool, pairs: &[(&str, &str)]) -> Vec<f64> {
        let pair = |&(source, target): &(_, _)| if reverse { (target, source) } else { (source, target) };
        let pairs: Vec<(&str, &str)> = pairs.iter().map(pair).collect();
        let forced = model.force(&pairs, self.args.batch.get()).into_iter();
        let score = |forced: Forced| {
            let coverage = coverage_of(&forced.alignment);
            self.ranking.score(forced.log_prob(), forced.token_log_probs.len(), coverage)
        };
        forced.map(|(forced, _)| score(forced)).collect()
    }

    fn weighed<'g>(&self, candidate: &'g list::Candidate, scores: Vec<f64>) -> Scored<'g> {
        let weight = |model: usize| self.args.weights.get(model).copied().unwrap_or(1.0);
        let sum: f64 = scores.iter().enumerate().map(|(model, score)| weight(model) * score).sum();
        let score = sum + self.args.list_weight * candidate.score;
        Scored { translation: &candidate.text, score, scores, list_score: candidate.score, rest: &candidate.rest }
    }
}

fn languages(model: &Translator) -> (String, String) {
    let data = &model.config().data;
    (data.source_language.clone(), data.target_language.clone())
}

fn print(args: &Rerank, (scored, group): (Vec<Scored>, &Group)) -> Result<String> {
    let kept = &scored[..scored.len().min(args.n_best.map_or(1, usize::from))];
    if args.json {
        let record = Record { source: &group.source, best: &scored[0], n_best: args.n_best.map(|_| kept) };
        return Ok(serde_json::to_string(&record)? + "\n");
    }
    if args.n_best.is_none() {
        return Ok(one_line(scored[0].translation) + "\n");
    }
    let line = |candidate: &Scored| {
        let (text, score, rest) = (one_line(candidate.translation), candidate.score, candidate.rest);
        format!("{} ||| {text} ||| {score:.6}{rest}\n", group.number)
    };
    Ok(kept.iter().map(line).collect())
}
