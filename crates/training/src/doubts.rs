//! What looks wrong in a training, and what can be done about it. Each is told once.

use std::collections::HashMap;

use rnnsearch_config::{Config, TokenizerKind};
use rnnsearch_corpus::{Dataset, Filter, Pair, Place, Tokenizer, Vocabularies};
use serde::{Deserialize, Serialize};

use crate::exact;

/// Validations in a row whose loss is higher than the one before.
const RISING: u64 = 4;
/// The share of an epoch's updates whose gradient was cut.
const CLIPPED: f64 = 0.95;
/// The fewest updates of an epoch that say something.
const UPDATES: u64 = 20;
/// The share of a vocabulary that is in no training pair, and the fewest entries.
const UNSEEN: (f64, usize) = (0.2, 100);

/// What is watched from update to update. It is saved with a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doubts {
    /// The loss of the last validation.
    #[serde(with = "exact")]
    loss: f64,
    /// Validations in a row whose loss was higher than the one before.
    rising: u64,
    /// Updates of this epoch whose gradient was cut, and all of them.
    clipped: u64,
    updates: u64,
    told_rising: bool,
    told_clipped: bool,
}

impl Default for Doubts {
    fn default() -> Self {
        Self { loss: f64::INFINITY, rising: 0, clipped: 0, updates: 0, told_rising: false, told_clipped: false }
    }
}

impl Doubts {
    /// Takes note of a validation's loss.
    pub fn validated(&mut self, loss: f64) -> Option<String> {
        self.rising = if loss > self.loss { self.rising + 1 } else { 0 };
        self.loss = loss;
        let tell = self.rising >= RISING && !self.told_rising;
        self.told_rising |= tell;
        tell.then(|| {
            format!(
                "validation loss has risen {RISING} times in a row: the model learns its training text by heart. The best model is kept; \
                 more of model.dropout, more text or a smaller model may help, and a lower training.patience stops sooner"
            )
        })
    }

    /// Takes note of an update.
    pub fn updated(&mut self, clipped: bool) {
        self.updates += 1;
        self.clipped += u64::from(clipped);
    }

    /// Takes note of the end of an epoch, counted from 1. The first does not count: there gradients are long.
    pub fn epoch_done(&mut self, epoch: u64, config: &Config) -> Option<String> {
        let (clipped, updates) = (std::mem::take(&mut self.clipped), std::mem::take(&mut self.updates));
        let share = clipped as f64 / updates.max(1) as f64;
        let tell = epoch > 1 && updates >= UPDATES && share >= CLIPPED && !self.told_clipped;
        self.told_clipped |= tell;
        tell.then(|| {
            format!(
                "in epoch {epoch} the gradient was cut in {:.0} % of updates: it is hardly ever as short as training.clip_norm = {}. Raise \
                 that, or lower training.optimizer.learning_rate if the loss jumps",
                100.0 * share,
                config.training.clip_norm
            )
        })
    }
}

/// Which validation pairs are in the training text.
pub(crate) struct Overlap<'a> {
    /// By source and target.
    validation: HashMap<&'a str, HashMap<&'a str, Wanted<'a>>>,
    /// The lines of the validation text.
    lines: usize,
    /// Where a pair was met first, in the validation and in the training text.
    example: Option<(Place, Place)>,
}

/// A validation pair.
struct Wanted<'a> {
    first: &'a Place,
    lines: usize,
    met: bool,
}

impl<'a> Overlap<'a> {
    /// None met yet. Blank lines do not count.
    pub fn new(pairs: &'a [Pair]) -> Self {
        let mut validation: HashMap<&str, HashMap<&str, Wanted>> = HashMap::new();
        for pair in pairs.iter().filter(|pair| Filter::check_blank(pair).is_none()) {
            let wanted = Wanted { first: &pair.place, lines: 0, met: false };
            validation.entry(&pair.source).or_default().entry(&pair.target).or_insert(wanted).lines += 1;
        }
        Self { validation, lines: pairs.len(), example: None }
    }

    /// Takes note of a training pair.
    pub fn see(&mut self, pair: &Pair) {
        let with_source = self.validation.get_mut(pair.source.as_str());
        if let Some(wanted) = with_source.and_then(|pairs| pairs.get_mut(pair.target.as_str())) {
            wanted.met = true;
            self.example.get_or_insert_with(|| (wanted.first.clone(), pair.place.clone()));
        }
    }

    /// What to say if any were met.
    pub fn warning(&self) -> Option<String> {
        let (validation, training) = self.example.as_ref()?;
        let wanted = self.validation.values().flat_map(HashMap::values);
        let met: usize = wanted.filter(|wanted| wanted.met).map(|wanted| wanted.lines).sum();
        Some(format!(
            "{met} of {} validation pairs are in the training text too, for example {validation} at {training}: validation scores look \
             better than they are. Take these pairs out of one of the two",
            self.lines
        ))
    }
}

/// What to say if much of a vocabulary is in no training pair.
pub(crate) fn unseen_words(dataset: &Dataset, vocabularies: &Vocabularies) -> Option<String> {
    let mut source = vec![false; vocabularies.source.vocab_size()];
    let mut target = vec![false; vocabularies.target.vocab_size()];
    for index in 0..dataset.len() as u32 {
        let example = dataset.example(index);
        example.source.iter().for_each(|&id| source[id as usize] = true);
        example.target.iter().for_each(|&id| target[id as usize] = true);
    }
    if vocabularies.is_joint() {
        source.iter_mut().zip(&target).for_each(|(source, target)| *source |= target);
        return unseen("the vocabulary", &vocabularies.source, &source);
    }
    unseen("the source vocabulary", &vocabularies.source, &source)
        .or_else(|| unseen("the target vocabulary", &vocabularies.target, &target))
}

fn unseen(which: &str, tokenizer: &Tokenizer, seen: &[bool]) -> Option<String> {
    // Special tokens, bytes and tags are for text that training does not have.
    let spells = matches!(tokenizer.kind(), TokenizerKind::Bpe | TokenizerKind::Unigram);
    let own = if spells { 4 + 256 } else { 4 };
    let words = || (0..).zip(seen).skip(own).filter(|(id, _)| !tokenizer.is_tag(*id));
    let (words, unseen) = (words().count(), words().filter(|(_, seen)| !**seen).count());
    let (share, least) = UNSEEN;
    (unseen >= least && unseen as f64 >= share * words as f64).then(|| {
        format!(
            "{unseen} of {words} words of {which} are in no training pair, and will not be learnt: lower tokenizer.vocabulary, or loosen \
             the limits of [data]"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_loss_that_keeps_rising_is_told_once() {
        let mut doubts = Doubts::default();
        let losses = [3.0, 2.0, 2.1, 2.2, 2.3, 2.25, 2.3, 2.4, 2.5, 2.6, 2.7, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let told: Vec<usize> = (0..losses.len()).filter(|&i| doubts.validated(losses[i]).is_some()).collect();
        assert_eq!(told, [9]);
        assert_eq!(doubts.validated(f64::NAN), None);
    }

    #[test]
    fn gradients_that_are_always_cut_are_told_once() {
        let mut doubts = Doubts::default();
        let mut epoch = |number: u64, clipped: u64| {
            (0..100).for_each(|update| doubts.updated(update < clipped));
            doubts.epoch_done(number, &Config::default())
        };
        assert_eq!(epoch(1, 100), None);
        assert_eq!(epoch(2, 94), None);
        assert!(epoch(3, 96).unwrap().contains("in epoch 3 the gradient was cut in 96 % of updates"));
        assert_eq!(epoch(4, 100), None);
    }

    #[test]
    fn validation_pairs_in_the_training_text_are_counted() {
        let pair = |file: &str, line: u64, source: &str, target: &str| Pair {
            source: source.into(),
            target: target.into(),
            links: None,
            corpus: 0,
            place: Place { file: Arc::from(file), line },
        };
        let validation = [("a", "b"), ("c", "d"), ("a", "b"), ("e", "f"), ("", "")];
        let validation: Vec<Pair> =
            (1..).zip(validation).map(|(line, (source, target))| pair("v", line, source, target)).collect();
        let mut overlap = Overlap::new(&validation);
        for (line, (source, target)) in (1..).zip([("a", "d"), ("", ""), ("c", "d"), ("a", "b"), ("c", "d")]) {
            assert!(line > 3 || overlap.warning().is_none());
            overlap.see(&pair("t", line, source, target));
        }
        let warning = overlap.warning().unwrap();
        assert!(
            warning.starts_with("3 of 5 validation pairs are in the training text too, for example v:2 at t:3:"),
            "{warning}"
        );
    }

    #[test]
    fn words_that_no_pair_has_are_counted() {
        let config = rnnsearch_config::TokenizerConfig {
            kind: TokenizerKind::Wordlevel,
            vocabulary: 300,
            ..rnnsearch_config::TokenizerConfig::default()
        };
        let text_of = |words: usize| (0..words).map(|i| format!("w{}", i % 296)).collect::<Vec<_>>().join(" ");
        let text = text_of(400);
        let vocabularies = Vocabularies::train_on(&[(text.as_str(), "w1")], &config).unwrap();
        let told = |words: usize| {
            let mut dataset = Dataset::new(&vocabularies);
            let source = vocabularies.source.encode_ids(&text_of(words));
            dataset.push(&rnnsearch_corpus::Example { source, ..Default::default() }).unwrap();
            unseen_words(&dataset, &vocabularies)
        };
        assert!(
            told(150).unwrap().starts_with("146 of 296 words of the vocabulary are in no training pair"),
            "{:?}",
            told(150)
        );
        assert_eq!(told(250), None);
    }
}
