//! Sentence pairs in, links between their words out, without a model.

use anyhow::Result;
use rnnsearch_alignment::{Merge, Posteriors, Sentence, Statistical, StatisticalLearner, StatisticalOptions};
use rnnsearch_config::CorpusConfig;
use rnnsearch_corpus::{Pair, Pairs};

use crate::aligner::{Aligned, words_of};
use crate::args::Align;
use crate::progress::Counter;

/// Pairs, and the links that were learnt from them.
pub struct Learnt<'a> {
    args: &'a Align,
    pairs: Vec<Pair>,
    statistical: Statistical,
}

impl<'a> Learnt<'a> {
    /// Reads all pairs, and those that are only learnt from, and learns.
    pub fn learn(args: &'a Align, pairs: Pairs, shown: bool) -> Result<Self> {
        let others = Pairs::open(&corpora(args))?;
        let pairs: Vec<Pair> = pairs.collect::<Result<_, _>>()?;
        let mut learner = StatisticalLearner::new(options(args));
        let mut read = |pair: &Pair| {
            let [source, target] = words_of(pair, args.linking.words);
            learner.add(&source, &target);
        };
        pairs.iter().for_each(&mut read);
        for pair in others {
            read(&pair?);
        }
        args.messages.detail(format_args!("learning from {} pairs", learner.len()));
        let mut counter = None;
        let statistical = learner.learn(|sampled, total| {
            counter.get_or_insert_with(|| Counter::new(Some(total), shown)).add(sampled);
        });
        Ok(Self { args, pairs, statistical })
    }

    /// Calls `take` with all pairs and their links.
    pub fn for_each(self, mut take: impl FnMut(&[Pair], Vec<Aligned>) -> Result<()>) -> Result<()> {
        let mut start = 0;
        for window in self.pairs.chunks(self.args.batch.get()) {
            let posteriors = self.statistical.posteriors(start..start + window.len());
            start += window.len();
            let aligned = window.iter().zip(posteriors).map(|(pair, posteriors)| self.aligned(pair, posteriors));
            take(window, aligned.collect::<Result<_>>()?)?;
        }
        Ok(())
    }

    fn aligned(&self, pair: &Pair, posteriors: Posteriors) -> Result<Aligned> {
        let [source_words, target_words] = words_of(pair, self.args.linking.words);
        let most = self.args.max_length.get().min(StatisticalOptions::MOST_WORDS);
        let too_long = source_words.len().max(target_words.len()) > most;
        let aligned = Aligned { source_words, target_words, too_long, ..Aligned::default() };
        if aligned.too_long || aligned.source_words.is_empty() || aligned.target_words.is_empty() {
            return Ok(aligned);
        }
        let [source, target] = [&aligned.source_words, &aligned.target_words].map(Sentence::from_words);
        let [forward, reverse] = posteriors.alignments(&source, &target)?;
        let links = self.args.linking.merged(&forward, &reverse);
        Ok(Aligned { links, weights: Some(forward.merged(&reverse, Merge::Mean)?), ..aligned })
    }
}

fn options(args: &Align) -> StatisticalOptions {
    let statistics = &args.statistics;
    StatisticalOptions {
        seed: statistics.seed,
        sweeps: statistics.sweeps,
        lowercase: !statistics.keep_case,
        prefix: statistics.prefix,
        max_words: args.max_length.get(),
    }
}

/// What is only learnt from.
fn corpora(args: &Align) -> Vec<CorpusConfig> {
    let corpus = |files: &[std::path::PathBuf]| CorpusConfig {
        source: files.first().cloned(),
        target: files.get(1).cloned(),
        ..CorpusConfig::default()
    };
    args.statistics.learn_from.chunks(2).map(corpus).collect()
}
