//! The words that a translation of a source may need: frequent ones, and those that its words were seen to become.

use std::collections::{BTreeMap, HashMap};

use rnnsearch_alignment::Alignment;
use rnnsearch_corpus::{EOS, Filter, SPECIAL_TOKENS, Vocabularies};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::Translator;
use crate::tensors::{Tensor, numbers};

/// What stands in the place of a proposal where there is none.
const NONE: u32 = u32::MAX;

/// The names of its tensors in a model file.
const NAMES: [&str; 2] = ["shortlist.frequent", "shortlist.proposed"];

/// What target words each source word proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortlist {
    /// Words for every source.
    frequent: Vec<u32>,
    /// The proposals of each source word, best first, `[source words, proposals]`.
    proposed: Vec<u32>,
    /// The most proposals of a word.
    proposals: usize,
}

impl Shortlist {
    /// How many words are on every list, and how many more each source word proposes at most.
    pub fn sizes(&self) -> [usize; 2] {
        [self.frequent.len(), self.proposals]
    }

    /// The words for a source, and some that must be among them, in rising order.
    pub(crate) fn words(&self, source: &[u32], also: &[u32]) -> Vec<u32> {
        let proposed =
            source.iter().flat_map(|&word| &self.proposed[word as usize * self.proposals..][..self.proposals]);
        let proposed = proposed.copied().filter(|word| *word != NONE);
        let mut words: Vec<u32> = self.frequent.iter().chain(also).copied().chain(proposed).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Whether a tensor of a model file is one of its.
    pub(crate) fn has_tensor(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// Its tensors in a model file.
    pub(crate) fn tensors(&self) -> [(String, Tensor); 2] {
        let rows = self.proposed.len() / self.proposals.max(1);
        let tensors = [
            Tensor::of_words(&self.frequent, vec![self.frequent.len()]),
            Tensor::of_words(&self.proposed, vec![rows, self.proposals]),
        ];
        let mut names = NAMES.into_iter();
        tensors.map(|tensor| (names.next().expect("two names").into(), tensor))
    }

    /// Takes its tensors from those of a model file; none if there are none. Says what is wrong with them.
    pub(crate) fn take(
        tensors: &mut BTreeMap<String, TensorView>,
        vocabularies: &Vocabularies,
    ) -> Result<Option<Self>, String> {
        let [frequent, proposed] = NAMES.map(|name| tensors.remove(name));
        if frequent.is_none() && proposed.is_none() {
            return Ok(None);
        }
        const UNFIT: &str = "its shortlist does not fit its vocabularies";
        let (frequent, proposed) = frequent.zip(proposed).ok_or(UNFIT)?;
        let (source_words, target_words) = (vocabularies.source.vocab_size(), vocabularies.target.vocab_size());
        let words = |view: &TensorView| match view.dtype() {
            Dtype::U32 => numbers::<u32>(view.data()).map(<[u32]>::to_vec),
            _ => None,
        };
        match (words(&frequent), words(&proposed), proposed.shape()) {
            (Some(frequent), Some(proposed), &[rows, proposals])
                if rows == source_words
                    // Without </s> nothing would end.
                    && (0..SPECIAL_TOKENS.len() as u32).all(|special| frequent.contains(&special))
                    && frequent.iter().all(|&word| (word as usize) < target_words)
                    && proposed.iter().all(|&word| word == NONE || (word as usize) < target_words) =>
            {
                Ok(Some(Self { frequent, proposed, proposals }))
            }
            _ => Err(UNFIT.into()),
        }
    }
}

/// Counts what source words become, over pairs of a corpus.
pub struct ShortlistCounts<'t> {
    translator: &'t Translator,
    /// For each source word, how much each target word looked at it.
    looks: Vec<HashMap<u32, f64>>,
    /// How often each target word came.
    came: Vec<u64>,
}

impl<'t> ShortlistCounts<'t> {
    /// Nothing is counted yet. Pairs are aligned by the translator's model, which must have attention.
    pub fn new(translator: &'t Translator) -> Self {
        let Vocabularies { source, target } = translator.vocabularies();
        Self { translator, looks: vec![HashMap::new(); source.vocab_size()], came: vec![0; target.vocab_size()] }
    }

    /// Counts pairs (source, target), but for those that the model's settings would not train on.
    pub fn see<S: AsRef<str>, T: AsRef<str>>(&mut self, pairs: &[(S, T)]) {
        /// Below it a look is no sign of a translation.
        const LEAST: f32 = 0.05;
        let vocabularies = self.translator.vocabularies();
        let filter = Filter::new(&self.translator.config().data);
        let encoded = pairs.iter().filter_map(|(source, target)| {
            let ids =
                (vocabularies.source.encode_ids(source.as_ref()), vocabularies.target.encode_ids(target.as_ref()));
            filter.check(ids.0.len(), ids.1.len()).is_none().then_some(((source, target), ids))
        });
        let (texts, ids): (Vec<_>, Vec<_>) = encoded.unzip();
        for ((source, target), (_, alignment)) in ids.iter().zip(self.translator.force(&texts, 64)) {
            for (word, weights) in target.iter().chain([&EOS]).zip(alignment.iter().flat_map(Alignment::rows)) {
                self.came[*word as usize] += 1;
                for (from, weight) in source.iter().chain([&EOS]).zip(weights).filter(|(_, weight)| **weight >= LEAST) {
                    *self.looks[*from as usize].entry(*word).or_default() += f64::from(*weight);
                }
            }
        }
    }

    /// The most frequent words, with the special ones, and the words that looked at each source word most. A source word that is
    /// also a target word proposes that too.
    pub fn shortlist(&self, frequent: usize, proposals: usize) -> Shortlist {
        let Vocabularies { source, target } = self.translator.vocabularies();
        let mut by_count: Vec<u32> = (SPECIAL_TOKENS.len() as u32..self.came.len() as u32).collect();
        by_count.sort_by_key(|&word| (std::cmp::Reverse(self.came[word as usize]), word));
        let special = 0..SPECIAL_TOKENS.len() as u32;
        let frequent = special.chain(by_count.into_iter().take(frequent)).collect();
        let mut proposed = Vec::with_capacity(self.looks.len() * proposals);
        for (word, looks) in (0..).zip(&self.looks) {
            let mut looks: Vec<(u32, f64)> = looks.iter().map(|(&word, &weight)| (word, weight)).collect();
            looks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let same = target.same_token(source, word);
            let words =
                same.into_iter().chain(looks.into_iter().map(|(word, _)| word).filter(|word| Some(*word) != same));
            proposed.extend(words.chain(std::iter::repeat(NONE)).take(proposals));
        }
        Shortlist { frequent, proposed, proposals }
    }
}

#[cfg(test)]
mod tests {
    use rnnsearch_config::{TokenizerConfig, TokenizerKind};

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let config = TokenizerConfig { kind: TokenizerKind::Char, vocabulary: 10, ..TokenizerConfig::default() };
        let vocabularies = Vocabularies::train_on(&[("abcdef", "abcdef")], &config).unwrap();
        let words = vocabularies.source.vocab_size();
        let shortlist = |frequent: &[u32], rows: usize| Shortlist {
            frequent: frequent.to_vec(),
            proposed: [5, NONE].repeat(rows),
            proposals: 2,
        };
        let take = |shortlist: &Shortlist, change: &dyn Fn(&mut Tensor), only: Option<&str>| {
            let mut tensors = shortlist.tensors();
            tensors.iter_mut().for_each(|(_, tensor)| change(tensor));
            let views =
                tensors.iter().filter(|(name, _)| only.is_none_or(|only| name == only)).map(|(name, tensor)| {
                    (name.clone(), TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).unwrap())
                });
            Shortlist::take(&mut views.collect(), &vocabularies)
        };
        let good = shortlist(&[0, 1, 2, 3, 6], words);
        let unchanged = |_: &mut Tensor| {};
        assert_eq!(take(&good, &unchanged, None), Ok(Some(good.clone())));
        assert_eq!(take(&good, &unchanged, Some("")), Ok(None));
        assert_eq!(good.words(&[4, 5, 5], &[7]), [0, 1, 2, 3, 5, 6, 7]);
        let bytes = |tensor: &mut Tensor| {
            (tensor.dtype, tensor.bytes) = (Dtype::U8, vec![0; tensor.shape.iter().product()]);
        };
        for wrong in [
            take(&good, &unchanged, Some(NAMES[0])),
            take(&good, &bytes, None),
            take(&shortlist(&[0, 1, 2, 6], words), &unchanged, None),
            take(&shortlist(&[0, 1, 2, 3, words as u32], words), &unchanged, None),
            take(&shortlist(&[0, 1, 2, 3], words - 1), &unchanged, None),
        ] {
            assert!(wrong.unwrap_err().contains("does not fit"));
        }
    }
}
