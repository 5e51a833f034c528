//! Minimum-risk training: the model learns from its own translations what they cost (Shen et al. 2016).
//!
//! Of each source, translations are drawn; with the reference, and each once, they are its candidates. The risk of a source is
//!
//! ```text
//! R = Σ_y Q(y) Δ(y)        Q(y) = p(y)^α / Σ_y' p(y')^α        Δ(y) = 1 - utility of y
//! ```
//!
//! with sums over candidates, and ∂R / ∂ log p(y) = α Q(y) (Δ(y) - R). What is learnt is R |reference| / α: counted in tokens, as the
//! cross-entropy is, and with steps that do not depend on α.

use std::collections::BTreeSet;

use burn::prelude::*;
use rayon::prelude::*;
use rnnsearch_config::{Config, MinimumRiskConfig};
use rnnsearch_corpus::{Batch as PaddedBatch, Dataset, Example, Vocabularies};
use rnnsearch_decoder::RnnSearch;
use rnnsearch_inference::{Model, Sampling, SearchOptions, TranslateOptions, Translator, agreement};

/// A candidate, which is a column of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    /// Of which source, by a number of its own.
    source: u32,
    /// Δ, from 0 to 1.
    cost: f64,
    /// The tokens of the reference.
    length: usize,
    is_reference: bool,
}

/// What the sentences of a batch cost, in the order of its columns; those of a source are all in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Costs {
    candidates: Vec<Candidate>,
    sharpness: f64,
    likelihood: f64,
}

/// How much is to be learnt of each sentence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weighed {
    /// What the cross-entropy of each column is multiplied by.
    pub weights: Vec<f32>,
    /// The cross-entropy of the references.
    pub nats: f64,
    /// The risk, counted for every token of the references.
    pub risk: f64,
}

impl Costs {
    /// What log p of each column makes of them.
    pub fn weigh(&self, log_probs: &[f64]) -> Weighed {
        let mut weighed = Weighed { weights: vec![0.0; log_probs.len()], nats: 0.0, risk: 0.0 };
        for source in self.candidates.iter().map(|candidate| candidate.source).collect::<BTreeSet<u32>>() {
            let columns: Vec<usize> =
                (0..log_probs.len()).filter(|&column| self.candidates[column].source == source).collect();
            let most = columns.iter().map(|&column| log_probs[column]).fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> =
                columns.iter().map(|&column| (self.sharpness * (log_probs[column] - most)).exp()).collect();
            let total: f64 = shares.iter().sum();
            let cost = |column: usize| self.candidates[column].cost;
            let risk = shares.iter().zip(&columns).map(|(share, &column)| share / total * cost(column)).sum::<f64>();
            for (share, &column) in shares.iter().zip(&columns) {
                let Candidate { length, is_reference, .. } = self.candidates[column];
                let mut weight = share / total * (risk - cost(column)) * length as f64;
                if is_reference {
                    weight += self.likelihood;
                    weighed.nats -= log_probs[column];
                    weighed.risk += risk * length as f64;
                }
                weighed.weights[column] = weight as f32;
            }
        }
        weighed
    }
}

/// Draws translations of some examples with a network as it is, and puts them into batches with what they cost: all of a source, and
/// as many together as there are examples, or as `max_batch_tokens` lets.
pub(crate) fn batches(
    network: RnnSearch,
    (dataset, indices): (&Dataset, &[u32]),
    config: &Config,
    vocabularies: &Vocabularies,
    device: &Device,
    update: u64,
) -> Vec<(PaddedBatch, Costs)> {
    let translator = Translator::new(Model::new(&network, config, vocabularies), device);
    let examples: Vec<Example> = indices.iter().map(|&index| dataset.example(index)).collect();
    let sources: Vec<&[u32]> = examples.iter().map(|example| &example.source[..]).collect();
    let drawn = translator.search_ids(&sources, &options(config, update));
    let risk = &config.training.minimum_risk;
    let groups: Vec<Vec<(Example, Candidate)>> = (examples.par_iter().zip(drawn).zip(0..examples.len() as u32))
        .map(|((example, drawn), number)| candidates(example, drawn, number, risk, vocabularies))
        .collect();
    let longest = |group: &[(Example, Candidate)]| {
        group.iter().map(|(example, _)| example.source.len().max(example.target.len())).max().unwrap_or(0)
    };
    let tokens = config.training.max_batch_tokens;
    let fits = |group: &[(Example, Candidate)]| {
        group.len() <= examples.len() && (tokens == 0 || group.len() * longest(group) <= tokens)
    };
    together(groups, fits)
        .into_iter()
        .map(|group| {
            let mut all = Dataset::new(vocabularies);
            group.iter().for_each(|(example, _)| all.push(example).expect("there are few"));
            let padded = PaddedBatch::new(&all, &Vec::from_iter(0..group.len() as u32));
            let candidates = padded.indices.iter().map(|&index| group[index as usize].1).collect();
            (padded, Costs { candidates, sharpness: risk.sharpness, likelihood: risk.likelihood })
        })
        .collect()
}

/// How translations are drawn.
fn options(config: &Config, update: u64) -> SearchOptions {
    let samples = config.training.minimum_risk.samples;
    let seed = config.training.seed.rotate_left(32) ^ update;
    let sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, seed };
    let usual = TranslateOptions::from(&config.translation).search;
    SearchOptions { beam_size: samples, n_best: samples, sampling: Some(sampling), ..usual }
}

/// The reference, and what was drawn beside it, each once.
fn candidates(
    example: &Example,
    drawn: Vec<Vec<u32>>,
    source: u32,
    risk: &MinimumRiskConfig,
    vocabularies: &Vocabularies,
) -> Vec<(Example, Candidate)> {
    let reference = vocabularies.target.decode(&example.target);
    let others: BTreeSet<Vec<u32>> = drawn.into_iter().filter(|target| *target != example.target).collect();
    let others = others.into_iter().map(|target| (target, false));
    let candidate = |(target, is_reference): (Vec<u32>, bool)| {
        let cost = 1.0 - agreement(risk.utility, &vocabularies.target.decode(&target), &reference) / 100.0;
        let candidate = Candidate { source, cost, length: example.target.len(), is_reference };
        (Example { source: example.source.clone(), target, links: Vec::new() }, candidate)
    };
    std::iter::once((example.target.clone(), true)).chain(others).map(candidate).collect()
}

/// Groups joined to as large ones as fit, one at least.
fn together<T>(groups: Vec<Vec<T>>, fits: impl Fn(&[T]) -> bool) -> Vec<Vec<T>> {
    let mut joined: Vec<Vec<T>> = Vec::new();
    for group in groups {
        let Some(last) = joined.last_mut() else {
            joined.push(group);
            continue;
        };
        let before = last.len();
        last.extend(group);
        if !fits(last) {
            let group = last.split_off(before);
            joined.push(group);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(sharpness: f64, likelihood: f64, costs: &[(u32, f64)]) -> Costs {
        let candidate = |&(source, cost): &(u32, f64)| Candidate {
            source,
            cost,
            length: 2 + source as usize,
            is_reference: cost == 0.0,
        };
        Costs { candidates: costs.iter().map(candidate).collect(), sharpness, likelihood }
    }

    #[test]
    fn risk_worked_by_hand() {
        // Source 0: p 1/2 and 1/4 with α = 1, so Q = 2/3 and 1/3. Source 1, between its columns: alone.
        let costs = costs(1.0, 0.0, &[(0, 0.0), (1, 0.0), (0, 0.6)]);
        let Weighed { weights, nats, risk } = costs.weigh(&[0.5_f64.ln(), -1.0, 0.25_f64.ln()]);
        // R = 1/3 · 0.6; two tokens.
        assert!((risk - 2.0 * 0.2).abs() < 1e-12, "{risk}");
        assert!((nats - (2.0_f64.ln() + 1.0)).abs() < 1e-12, "{nats}");
        let expected = [2.0 * 2.0 / 3.0 * 0.2, 0.0, 2.0 / 3.0 * (0.2 - 0.6)];
        assert!(weights.iter().zip(expected).all(|(weight, expected)| (weight - expected as f32).abs() < 1e-6));
    }

    #[test]
    fn weights_are_the_gradient_of_the_risk() {
        let table = [(0, 0.0), (0, 0.3), (0, 0.9), (1, 0.0), (1, 0.5)];
        let log_probs = [-3.0, -4.5, -2.0, -7.0, -6.5];
        for sharpness in [0.005, 0.7] {
            let costs = costs(sharpness, 0.0, &table);
            let weights = costs.weigh(&log_probs).weights;
            for column in 0..table.len() {
                let risk = |by: f64| {
                    let mut moved = log_probs;
                    moved[column] += by;
                    costs.weigh(&moved).risk
                };
                let slope = (risk(1e-4) - risk(-1e-4)) / 2e-4 / sharpness;
                // A weight multiplies -log p.
                assert!((slope + f64::from(weights[column])).abs() < 1e-5, "{slope} {}", weights[column]);
            }
        }
    }

    #[test]
    fn the_likelihood_of_the_reference_is_added() {
        let table = [(0, 0.0), (0, 0.4)];
        let [alone, beside] = [0.0, 0.5].map(|likelihood| costs(1.0, likelihood, &table).weigh(&[-1.0, -2.0]));
        assert_eq!(beside.weights[0], alone.weights[0] + 0.5);
        assert_eq!((beside.weights[1], beside.nats, beside.risk), (alone.weights[1], 1.0, alone.risk));
    }

    #[test]
    fn groups_stay_whole() {
        let groups = vec![vec![1, 2], vec![3], vec![4, 5, 6, 7], vec![8], vec![9]];
        assert_eq!(together(groups, |group| group.len() <= 3), [vec![1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    }
}
