//! Sentence pairs in, links between their words out.

use std::ops::Range;

use anyhow::Result;
use rnnsearch_alignment::{Alignment, LinkRule, Links, Merge, Segmentation, Sentence, Symmetrization};
use rnnsearch_config::Reading;
use rnnsearch_corpus::{Pair, Tokenizer};
use rnnsearch_inference::{Forced, Translator};

use crate::args::{Combine, Linking, Read, Rule, Symmetrize, Words};

/// One or two models, and how their weights become links.
pub struct Aligner<'t> {
    forward: &'t Translator,
    /// A model of the opposite direction, and how both become one.
    reverse: Option<(&'t Translator, Combine)>,
    linking: Linking,
    /// Pairs read together.
    batch: usize,
    /// Pairs with more tokens on a side are not aligned.
    max_length: usize,
}

/// A sentence pair with its links.
#[derive(Debug, Default)]
pub struct Aligned {
    /// The words that links number.
    pub source_words: Vec<String>,
    pub target_words: Vec<String>,
    pub links: Links,
    /// The weights that the links were made of: a row a target word. None if a side has no words, or too many.
    pub weights: Option<Alignment>,
    /// What the model itself looked at, between its tokens, ends included, by the step that was asked for. None where there are no weights, or no model.
    pub attention: Option<Alignment>,
    /// log p of the target, and of the source by the opposite direction; none if the pair is too long.
    pub log_prob: Option<f64>,
    pub reverse_log_prob: Option<f64>,
    /// Whether the pair is too long.
    pub too_long: bool,
}

impl<'t> Aligner<'t> {
    /// Links words as `linking` says.
    pub fn new(forward: &'t Translator, linking: Linking, batch: usize, max_length: usize) -> Self {
        Self { forward, reverse: None, linking, batch, max_length }
    }

    /// Links words by a model of the opposite direction too.
    pub fn with_reverse(self, reverse: &'t Translator, how: Combine) -> Self {
        Self { reverse: Some((reverse, how)), ..self }
    }

    /// The links of pairs.
    pub fn align(&self, pairs: &[Pair]) -> Result<Vec<Aligned>> {
        let fitting: Vec<bool> = pairs.iter().map(|pair| self.fits(pair)).collect();
        let chosen: Vec<&Pair> = pairs.iter().zip(&fitting).filter(|(_, fits)| **fits).map(|(pair, _)| pair).collect();
        let forward: Vec<(&str, &str)> =
            chosen.iter().map(|pair| (pair.source.as_str(), pair.target.as_str())).collect();
        let mut forward = self.forced(self.forward, &forward).into_iter();
        let mut reverse = self.reverse.as_ref().map(|(translator, _)| {
            let pairs: Vec<(&str, &str)> =
                chosen.iter().map(|pair| (pair.target.as_str(), pair.source.as_str())).collect();
            self.forced(translator, &pairs).into_iter()
        });
        let align = |(pair, fits): (&Pair, bool)| {
            if !fits {
                return Ok(self.unaligned(pair));
            }
            let (forced, alignment) = forward.next().expect("every pair that fits was read");
            let reverse = reverse.as_mut().map(|reverse| reverse.next().expect("every pair that fits was read"));
            let log_prob = Some(forced.log_prob());
            let reverse_log_prob = reverse.as_ref().map(|(forced, _)| forced.log_prob());
            let aligned = self.linked(pair, alignment, reverse.and_then(|(_, alignment)| alignment))?;
            Ok(Aligned { log_prob, reverse_log_prob, ..aligned })
        };
        pairs.iter().zip(fitting).map(align).collect()
    }

    /// What a model thinks of pairs. Alignments are told by the step that is asked for, or by that which the model was taught.
    fn forced(&self, translator: &Translator, pairs: &[(&str, &str)]) -> Vec<(Forced, Option<Alignment>)> {
        match self.linking.read {
            Some(read) => translator.force_reading(pairs, self.batch, read.into()),
            None => translator.force(pairs, self.batch),
        }
    }

    /// Whether the models can read a pair. A token has at least one byte.
    fn fits(&self, pair: &Pair) -> bool {
        let short = |tokenizer: &Tokenizer, text: &str| {
            text.len() <= self.max_length || tokenizer.encode(text).ids.len() <= self.max_length
        };
        let translators = [Some(self.forward), self.reverse.as_ref().map(|(translator, _)| *translator)];
        translators.into_iter().flatten().zip([[&pair.source, &pair.target], [&pair.target, &pair.source]]).all(
            |(translator, [source, target])| {
                let vocabularies = translator.vocabularies();
                short(&vocabularies.source, source) && short(&vocabularies.target, target)
            },
        )
    }

    /// A pair that is too long.
    fn unaligned(&self, pair: &Pair) -> Aligned {
        let [source_words, target_words] = words_of(pair, self.linking.words);
        Aligned { source_words, target_words, too_long: true, ..Aligned::default() }
    }

    /// What the matrices over sub-words say of the words.
    fn linked(&self, pair: &Pair, attention: Option<Alignment>, reverse: Option<Alignment>) -> Result<Aligned> {
        let Some(attention) = attention else { return Ok(Aligned::default()) };
        let segmentation = self.linking.words.into();
        let (source, target) = (attention.source().words(segmentation), attention.target().words(segmentation));
        let aligned = Aligned {
            source_words: labels(&pair.source, &source),
            target_words: labels(&pair.target, &target),
            ..Aligned::default()
        };
        if source.is_empty() || target.is_empty() {
            return Ok(aligned);
        }
        let forward = attention.without_target_end()?.words_at(&source, &target)?;
        let reverse = reverse.map(|reverse| reverse.without_target_end()?.words_at(&target, &source)).transpose()?;
        let (forward, reverse) = match (reverse, self.reverse.as_ref().map(|(_, how)| *how)) {
            (Some(reverse), Some(Combine::Product)) => (forward.merged(&reverse, Merge::Product)?, None),
            (Some(reverse), Some(Combine::Mean)) => (forward.merged(&reverse, Merge::Mean)?, None),
            (reverse, _) => (forward, reverse),
        };
        let balance = |alignment: Alignment| if self.linking.no_balance { Ok(alignment) } else { alignment.balanced() };
        let forward = balance(forward)?;
        let reverse = reverse.map_or_else(|| Ok(forward.transposed()), balance)?;
        let links = self.linking.merged(&forward, &reverse);
        Ok(Aligned { links, weights: Some(forward), attention: Some(attention), ..aligned })
    }
}

impl Linking {
    /// The links that the weights of both directions tell of.
    pub fn merged(&self, forward: &Alignment, reverse: &Alignment) -> Links {
        let usual = if self.links == Rule::Threshold { 0.2 } else { 0.0 };
        let links = |weights: &Alignment| weights.links(self.links.into(), self.threshold.unwrap_or(usual));
        Symmetrization::from(self.symmetrize).merge(&links(forward), &links(reverse).transposed())
    }
}

/// The words of both sides.
pub fn words_of(pair: &Pair, words: Words) -> [Vec<String>; 2] {
    [&pair.source, &pair.target].map(|text| labels(text, &Sentence::from_words([text]).words(words.into())))
}

fn labels(text: &str, spans: &[Range<usize>]) -> Vec<String> {
    spans.iter().map(|span| text[span.clone()].to_owned()).collect()
}

impl From<Symmetrize> for Symmetrization {
    fn from(how: Symmetrize) -> Self {
        match how {
            Symmetrize::Forward => Self::Forward,
            Symmetrize::Intersection => Self::Intersection,
            Symmetrize::Union => Self::Union,
            Symmetrize::GrowDiag => Self::GrowDiag,
            Symmetrize::GrowDiagFinal => Self::GrowDiagFinal,
            Symmetrize::GrowDiagFinalAnd => Self::GrowDiagFinalAnd,
        }
    }
}

impl From<Rule> for LinkRule {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Argmax => Self::Argmax,
            Rule::Threshold => Self::Threshold,
        }
    }
}

impl From<Read> for Reading {
    fn from(read: Read) -> Self {
        match read {
            Read::Previous => Self::Previous,
            Read::Next => Self::Next,
        }
    }
}

impl From<Words> for Segmentation {
    fn from(words: Words) -> Self {
        match words {
            Words::Blanks => Self::Whitespace,
            Words::Punctuation => Self::Words,
        }
    }
}
