//! Links that guide a training, learnt from its own text.

use std::collections::VecDeque;
use std::ops::Range;

use rnnsearch_alignment::{
    Links, Segmentation, Sentence, Statistical, StatisticalLearner, StatisticalOptions, Symmetrization,
};
use rnnsearch_config::Config;
use rnnsearch_corpus::{CorpusError, Pair, Pairs, WordLinks};

use crate::TrainingError;
use crate::notes::Notes;

/// Pairs whose links are made together, on all threads.
const TOGETHER: usize = 4096;

/// Knows the links of every pair of the training text.
pub(crate) struct Teacher {
    statistical: Statistical,
}

impl Teacher {
    /// Learns them, if the settings ask for links and a corpus has none.
    pub fn learn(config: &Config, notes: &mut Notes) -> Result<Option<Self>, TrainingError> {
        let alignment = &config.training.alignment;
        let lacking = config.data.train.iter().any(|corpus| corpus.links.is_none());
        if !(alignment.learn_links && alignment.guided > 0.0 && lacking) {
            return Ok(None);
        }
        let options = StatisticalOptions { seed: config.training.seed, ..StatisticalOptions::default() };
        let mut learner = StatisticalLearner::new(options);
        for pair in Pairs::open(&config.data.train)? {
            let pair = pair?;
            let [source, target] = words(&pair);
            learner.add(&of(&pair.source, &source), &of(&pair.target, &target));
        }
        notes.add(format!("learning the links of {} pairs", learner.len()));
        Ok(Some(Self { statistical: learner.learn(|_, _| {}) }))
    }

    /// The pairs of the training text, in order, those without links with the links learnt.
    pub fn link(
        self,
        mut pairs: impl Iterator<Item = Result<Pair, CorpusError>>,
    ) -> impl Iterator<Item = Result<Pair, CorpusError>> {
        let (mut ready, mut start) = (VecDeque::new(), 0);
        std::iter::from_fn(move || {
            if ready.is_empty() {
                let some: Vec<_> = pairs.by_ref().take(TOGETHER).collect();
                let links = self.statistical.links(start..start + some.len(), Symmetrization::GrowDiag);
                start += some.len();
                ready.extend(some.into_iter().zip(links).map(|(pair, links)| pair.map(|pair| linked(pair, &links))));
            }
            ready.pop_front()
        })
    }
}

fn linked(pair: Pair, links: &Links) -> Pair {
    if pair.links.is_some() {
        return pair;
    }
    let words = words(&pair);
    let links = links.all().map(|link| (link.source as u32, link.target as u32)).collect();
    Pair { links: Some(WordLinks { words, links }), ..pair }
}

/// The words of both sides as a reader sees them: punctuation is apart.
fn words(pair: &Pair) -> [Vec<Range<usize>>; 2] {
    [&pair.source, &pair.target].map(|text| Sentence::from_words([text]).words(Segmentation::Words))
}

fn of<'t>(text: &'t str, words: &[Range<usize>]) -> Vec<&'t str> {
    words.iter().map(|word| &text[word.clone()]).collect()
}
