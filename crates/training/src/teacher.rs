//! Links that guide a training, learnt from its own text.

use std::collections::VecDeque;
use std::ops::Range;

use rnnsearch_alignment::{
    Links, Segmentation, Sentence, Statistical, StatisticalLearner, StatisticalOptions, Symmetrization,
};
use rnnsearch_config::Config;
use rnnsearch_corpus::{CorpusError, Pair, TrainingPairs, WordLinks};

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
        if !is_needed(config) {
            return Ok(None);
        }
        let options = StatisticalOptions { seed: config.training.seed, ..StatisticalOptions::default() };
        let mut learner = StatisticalLearner::new(options);
        for pair in TrainingPairs::open(&config.data)? {
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

/// Whether the settings ask for links that a corpus does not have.
pub(crate) fn is_needed(config: &Config) -> bool {
    let alignment = &config.training.alignment;
    let lacking = config.data.train.iter().any(|corpus| corpus.links.is_none());
    alignment.learn_links && alignment.guided > 0.0 && lacking
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::observer::told::Told;

    /// More pairs than are linked together, half of them with links in a file, which nobody would learn.
    #[test]
    fn pairs_without_links_get_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        // Two to four different words; the target has them in reverse.
        let words = |pair: usize| (0..2 + pair % 3).map(move |word| (7 * pair + 5 * word) % 40);
        let line = |prefix: char, words: &mut dyn Iterator<Item = usize>| {
            words.map(|word| format!("{prefix}{word}")).collect::<Vec<_>>().join(" ") + "\n"
        };
        let source: String = (0..TOGETHER).map(|pair| line('s', &mut words(pair))).collect();
        let target: String = (0..TOGETHER).map(|pair| line('t', &mut words(pair).rev())).collect();
        fs::write(file("source"), source).unwrap();
        fs::write(file("target"), target).unwrap();
        fs::write(file("links"), "1-1\n".repeat(TOGETHER - 1) + "\n").unwrap();
        let corpus = format!("source = {:?}, target = {:?}", file("source"), file("target"));
        let text = format!("data.train = [{{ {corpus}, links = {:?} }}, {{ {corpus} }}]", file("links"));
        let config = Config::from_toml(&text, &["training.alignment.learn_links=true".into()]).unwrap();

        let mut told = Told::default();
        let mut notes = Notes { observer: &mut told, lines: Vec::new() };
        let teacher = Teacher::learn(&config, &mut notes).unwrap().unwrap();
        assert_eq!(notes.lines, [format!("learning the links of {} pairs", 2 * TOGETHER)]);
        let linked = teacher.link(TrainingPairs::open(&config.data).unwrap());
        let mut links: Vec<Vec<(u32, u32)>> = linked.map(|pair| pair.unwrap().links.unwrap().links).collect();
        let learnt = links.split_off(TOGETHER);
        assert_eq!(links.pop(), Some(vec![]), "a blank line is no line without links");
        assert!(links.iter().all(|links| *links == [(1, 1)]));
        let reversed = |pair: usize| -> Vec<(u32, u32)> {
            let last = words(pair).count() as u32 - 1;
            (0..=last).map(|word| (word, last - word)).collect()
        };
        let right = learnt.iter().enumerate().filter(|(pair, links)| **links == reversed(*pair)).count();
        assert!(learnt.len() == TOGETHER && right > TOGETHER * 9 / 10, "{right} of {}", learnt.len());
        let nothing = Config::from_toml(&text, &[]).unwrap();
        assert!(Teacher::learn(&nothing, &mut notes).unwrap().is_none());
    }
}
