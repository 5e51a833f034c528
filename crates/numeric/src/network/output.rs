//! The output layer, over all words or those of a shortlist.

use std::sync::{Arc, OnceLock};

use super::rows_mut;
use super::scores::{Need, PART, Scores};
use super::screen::Screen;
use super::weights::{Affine, Operand, Parameter, Table, Weight};
use crate::product::{Packed, Write};
use crate::vector;

/// W_o and b_o.
#[derive(Debug)]
pub(super) struct Output {
    bias: Vec<f32>,
    /// The weights of each word, where words are looked up; else all are packed.
    words: Option<Table>,
    all: OnceLock<Weight>,
    /// Made when first it is needed.
    screen: OnceLock<Screen>,
}

/// The words that a sentence's translation is made of, and their part of the output layer.
#[derive(Debug)]
pub(super) struct Shortlist {
    /// In rising order.
    words: Arc<[u32]>,
    layer: Affine,
}

/// Which columns of the logits some rows have, and what makes them.
struct Columns<'o> {
    weight: &'o Weight,
    bias: &'o [f32],
}

impl Output {
    /// From the weight `[l, words]`. `looks_up` says that there will be shortlists.
    pub(super) fn new(matrix: &Parameter, bias: Vec<f32>, looks_up: bool) -> Self {
        match looks_up {
            true => Self::with(Some(Table::of_columns(matrix)), OnceLock::new(), bias),
            false => Self::with(None, OnceLock::from(Weight::new(matrix, 0..bias.len())), bias),
        }
    }

    /// From embeddings `[words, l]`.
    pub(super) fn tied(embeddings: &Table, bias: Vec<f32>, looks_up: bool) -> Self {
        match looks_up {
            true => Self::with(Some(embeddings.clone()), OnceLock::new(), bias),
            false => Self::with(None, OnceLock::from(all_of(embeddings)), bias),
        }
    }

    fn with(words: Option<Table>, all: OnceLock<Weight>, bias: Vec<f32>) -> Self {
        Self { bias, words, all, screen: OnceLock::new() }
    }

    /// All words; packed when they are first asked for, if there is a table.
    fn all(&self) -> Columns<'_> {
        let weight = self.all.get_or_init(|| all_of(self.words.as_ref().expect("what is not packed is in a table")));
        Columns { weight, bias: &self.bias }
    }

    /// What a row is multiplied by to score all words, or those of a shortlist.
    pub(super) fn weight<'o>(&'o self, shortlist: Option<&'o Shortlist>) -> &'o Weight {
        shortlist.map_or_else(|| self.all().weight, |shortlist| &shortlist.layer.weight)
    }

    /// These words, in rising order.
    ///
    /// # Panics
    ///
    /// If there is no such word, or the layer was not made for shortlists.
    pub(super) fn shortlist(&self, words: Vec<u32>) -> Shortlist {
        debug_assert!(words.is_sorted());
        let table = self.words.as_ref().expect("a layer made for shortlists");
        let bias = words.iter().map(|&word| self.bias[word as usize]).collect();
        let weight = table.weight(words.iter().copied());
        Shortlist { words: words.into(), layer: Affine { weight, bias } }
    }

    /// The coarse copy of all words' weights, where it saves something: for `count` best words.
    fn screen(&self, count: usize) -> Option<(&Screen, &Packed)> {
        match self.all().weight {
            Weight::Float(weight) if self.bias.len() >= count * PART => {
                Some((self.screen.get_or_init(|| Screen::new(weight, &self.bias)), weight))
            }
            _ => None,
        }
    }

    /// Scores the words from the readouts `units`, `[rows, l]`: all, or those on the list of each row's sentence.
    pub(super) fn score(
        &self,
        (shared, need): (bool, Need),
        units: &[f32],
        sentences: &[usize],
        shortlists: &[Shortlist],
        scores: &mut Scores,
    ) {
        let of_sentence = |sentence: usize| match shortlists.get(sentence) {
            Some(Shortlist { layer, .. }) => Columns { weight: &layer.weight, bias: &layer.bias },
            None => self.all(),
        };
        scores.words = sentences.iter().map(|&sentence| of_sentence(sentence).bias.len()).max().unwrap_or(0);
        scores.shortlists.clear();
        if !shortlists.is_empty() {
            scores.shortlists.extend(sentences.iter().map(|&sentence| shortlists[sentence].words.clone()));
        }
        let (width, parts) = (scores.words, scores.words.div_ceil(PART));
        scores.logits.resize(sentences.len() * width, 0.0);
        scores.maxima.resize(sentences.len() * parts, 0.0);
        scores.normalizers.clear();
        let size = units.len() / sentences.len().max(1);
        // Rows with the same columns stand together.
        let same = |a: &usize, b: &usize| shortlists.is_empty() || a == b;
        let mut row = 0;
        for run in sentences.chunk_by(same) {
            let Columns { weight, bias } = of_sentence(run[0]);
            let taken = row..row + run.len();
            row = taken.end;
            let units = Operand::of(&units[taken.start * size..taken.end * size], size).shared(shared);
            let logits = &mut scores.logits[taken.start * width..taken.end * width];
            let mut logits: Vec<&mut [f32]> =
                rows_mut(logits, width).into_iter().map(|row| &mut row[..bias.len()]).collect();
            let maxima = &mut scores.maxima[taken.start * parts..taken.end * parts];
            if let (Need::Best(count), true) = (need, shortlists.is_empty())
                && let Some((screen, weight)) = self.screen(count)
            {
                let rows = (units.rows(), units.integers());
                screen.score(shared, rows, (weight, bias), count, &mut logits, maxima);
                scores.normalizers.resize(taken.end, 0.0);
                continue;
            }
            weight.multiply(&units, &mut logits, Write::Set);
            let maxima = maxima.chunks_exact_mut(parts).map(|maxima| &mut maxima[..bias.len().div_ceil(PART)]);
            let normalizer = |(logits, maxima): (&mut [f32], &mut [f32])| match need {
                Need::All => vector::add_and_normalize(logits, bias, PART, maxima),
                Need::Best(_) => {
                    vector::add_and_compare(logits, bias, PART, maxima);
                    0.0
                }
            };
            scores.normalizers.extend(logits.into_iter().zip(maxima).map(normalizer));
        }
    }
}

fn all_of(table: &Table) -> Weight {
    table.weight(0..table.len() as u32)
}
