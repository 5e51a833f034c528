//! The output layer, over all words or those of a shortlist.

use std::sync::{Arc, OnceLock};

use super::rows_mut;
use super::scores::{PART, Scores};
use super::weights::{Affine, Operand, Parameter, Table, Weight};
use crate::product::Write;
use crate::vector;

/// W_o and b_o.
#[derive(Debug)]
pub(super) struct Output {
    bias: Vec<f32>,
    /// The weights of each word, where words are looked up; else all are packed.
    words: Option<Table>,
    all: OnceLock<Weight>,
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
    /// From the weight `[l, words]`, or embeddings `[words, l]`. `looks_up` says that there will be shortlists.
    pub(super) fn new(matrix: &Parameter, tied: bool, bias: Vec<f32>, looks_up: bool) -> Self {
        let table = || if tied { Table::of_rows(matrix) } else { Table::of_columns(matrix) };
        let (words, all) = match (looks_up, tied) {
            (true, _) => (Some(table()), OnceLock::new()),
            (false, true) => (None, OnceLock::from(all_of(&table()))),
            (false, false) => (None, OnceLock::from(Weight::new(matrix, 0..bias.len()))),
        };
        Self { bias, words, all }
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

    /// Scores the words from the readouts `units`, `[rows, l]`: all, or those on the list of each row's sentence.
    pub(super) fn score(
        &self,
        shared: bool,
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
            let units = Operand::of(&units[taken.start * size..taken.end * size], size);
            let logits = &mut scores.logits[taken.start * width..taken.end * width];
            let mut logits: Vec<&mut [f32]> =
                rows_mut(logits, width).into_iter().map(|row| &mut row[..bias.len()]).collect();
            weight.multiply_shared(shared, &units, &mut logits, Write::Set);
            let maxima = scores.maxima[taken.start * parts..taken.end * parts].chunks_exact_mut(parts);
            let normalizer = |(logits, maxima): (&mut [f32], &mut [f32])| {
                vector::add_and_normalize(logits, bias, PART, &mut maxima[..bias.len().div_ceil(PART)])
            };
            scores.normalizers.extend(logits.into_iter().zip(maxima).map(normalizer));
        }
    }
}

fn all_of(table: &Table) -> Weight {
    table.weight(0..table.len() as u32)
}
