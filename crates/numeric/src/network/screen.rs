//! Which words may have the largest logits: found with a coarse copy of the output layer, a quarter of its size, that need not be
//! trusted.
//!
//! With the integers ŵ_j of a column w_j and t̂ of a readout t,
//!
//! ```text
//! |w_j · t - ŵ_j · t̂| ≤ |w_j - ŵ_j| |t| + |ŵ_j| |t - t̂|
//! ```
//!
//! (Cauchy and Schwarz), so that a word whose coarse logit is too far below those of others is none of the best. The few that are left
//! get the logits that the whole layer would have given them, to the last bit.

use super::scores::PART;
use crate::product::{Int8, IntegerRows, Packed, Write};
use crate::vector;

/// A coarse copy of an output layer.
#[derive(Debug)]
pub(super) struct Screen {
    weight: Int8,
    /// How far the logits of words may be off, by parts.
    errors: Vec<ErrorBound>,
}

/// By how much a logit may be off, at most: `readout` |t| + `rounding` |t - t̂| + `bias`.
#[derive(Clone, Copy, Debug, Default)]
struct ErrorBound {
    readout: f32,
    rounding: f32,
    bias: f32,
}

impl Screen {
    /// From all columns of an output layer.
    pub(super) fn new(weight: &Packed, bias: &[f32]) -> Self {
        let [k, n] = weight.shape();
        let (mut integers, mut scales) = (vec![0; k * n], Vec::with_capacity(n));
        let mut errors = vec![ErrorBound::default(); n.div_ceil(PART)];
        weight.for_each_column(|j, column| {
            let place = &mut integers[j * k..(j + 1) * k];
            scales.push(vector::to_integers(column, place));
            let part = &mut errors[j / PART];
            *part = part.or(ErrorBound::of(weight.error(), column, place, scales[j], bias[j]));
        });
        Self { weight: Int8::new(k, integers.chunks_exact(k).zip(scales)), errors }
    }

    /// Writes logits of the readouts `units`, whose integers are given, with the largest of each part to `maxima`. Only the `count`
    /// best of a row and what equals the last of them are sure to be right; parts without any of these have the maximum -∞.
    ///
    /// # Panics
    ///
    /// If there are fewer parts than `count`, or shapes do not fit.
    pub(super) fn score(
        &self,
        shared: bool,
        (units, integers): (&[&[f32]], &IntegerRows),
        (weight, bias): (&Packed, &[f32]),
        count: usize,
        logits: &mut [&mut [f32]],
        maxima: &mut [f32],
    ) {
        self.weight.multiply_shared(shared, integers, logits, Write::Set);
        let parts = self.errors.len();
        let rows = units.iter().zip(logits).zip(maxima.chunks_exact_mut(parts)).enumerate();
        for (row, ((units, logits), maxima)) in rows {
            vector::add_and_compare(logits, bias, PART, maxima);
            let size = length(vector::dot(units, units), units.len());
            let rounding = length(integers.square_distance(row, units), units.len());
            let errors: Vec<f32> = self.errors.iter().map(|error| error.at(size, rounding)).collect();
            let enough = least_of_best(maxima, &errors, count);
            let mut candidates = Vec::new();
            for (part, (max, error)) in maxima.iter_mut().zip(&errors).enumerate() {
                // What is no number may be anything.
                let is_less = |logit: f32| logit + error < enough;
                if !is_less(*max) {
                    let words = part * PART..logits.len().min((part + 1) * PART);
                    let (less, others): (Vec<usize>, Vec<usize>) = words.partition(|&word| is_less(logits[word]));
                    less.into_iter().for_each(|word| logits[word] = f32::NEG_INFINITY);
                    candidates.extend(others);
                }
                *max = f32::NEG_INFINITY;
            }
            weight.multiply_columns(units, &candidates, |word, product| {
                logits[word] = product + bias[word];
                let max = &mut maxima[word / PART];
                *max = max.max(logits[word]);
            });
        }
    }
}

/// What the `count`th largest logit is at least, from the largest coarse ones of parts.
fn least_of_best(maxima: &[f32], errors: &[f32], count: usize) -> f32 {
    let mut lowest: Vec<f32> = maxima
        .iter()
        .zip(errors)
        .map(|(max, error)| max - error)
        .map(|least| if least.is_nan() { f32::NEG_INFINITY } else { least })
        .collect();
    let (_, least, _) = lowest.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    *least
}

/// The length of a vector of k elements from the sum of their squares, at least: such as are too small for a square are counted.
fn length(squares: f32, k: usize) -> f32 {
    (squares + k as f32 * f32::MIN_POSITIVE).sqrt()
}

impl ErrorBound {
    /// Of a column whose products are off by a part `error`, its integers with their scale, and its bias.
    fn of(error: f32, column: &[f32], integers: &[i8], scale: f32, bias: f32) -> Self {
        let k = column.len();
        let exact = length(vector::dot(column, column), k);
        let off = length(vector::square_distance(column, integers, scale), k);
        let coarse = exact + off;
        // Numbers that are too small for what multiplies may count for nothing.
        let lost = 4.0 * k as f32 * f32::MIN_POSITIVE;
        Self { readout: off + error * (exact + coarse), rounding: coarse, bias: 4.0 * f32::EPSILON * bias.abs() + lost }
    }

    /// The larger of two.
    fn or(self, other: Self) -> Self {
        // `max` would pass over what is no number.
        let larger = |a: f32, b: f32| if a >= b || a.is_nan() { a } else { b };
        Self {
            readout: larger(self.readout, other.readout),
            rounding: larger(self.rounding, other.rounding),
            bias: larger(self.bias, other.bias),
        }
    }

    /// For a readout of this length that rounding to integers moves so far.
    fn at(&self, size: f32, rounding: f32) -> f32 {
        /// For what this bound is itself rounded by.
        const SLACK: f32 = 1.001;
        SLACK * (self.readout * size + self.rounding * rounding + self.bias) + f32::MIN_POSITIVE
    }
}

#[cfg(test)]
mod tests {
    use super::super::scores::Scores;
    use super::*;
    use crate::Instructions;
    use crate::product::Matrix;

    /// Numbers between -1 and 1.
    fn numbers(count: usize, salt: u64) -> Vec<f32> {
        let mut state = salt + 0x9E37_79B9_7F4A_7C15;
        let mut number = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| number()).collect()
    }

    /// The best words of rows from all exact logits, and from screened ones.
    fn both(weight: &Packed, bias: &[f32], units: &[f32], count: usize) -> [Vec<Vec<(f32, u32)>>; 2] {
        let [k, n] = weight.shape();
        let rows: Vec<&[f32]> = units.chunks_exact(k).collect();
        let mut logits = vec![0.0; rows.len() * n];
        weight.multiply(&rows, &mut logits.chunks_exact_mut(n).collect::<Vec<_>>(), Write::Set);
        logits.chunks_exact_mut(n).for_each(|row| vector::add(row, bias));
        let scores = |logits| Scores { words: n, logits, normalizers: vec![0.0; rows.len()], ..Scores::default() };
        let (exact, mut screened) = (scores(logits), scores(vec![0.0; rows.len() * n]));
        screened.maxima = vec![0.0; rows.len() * n.div_ceil(PART)];
        Screen::new(weight, bias).score(
            false,
            (&rows, &IntegerRows::new(&rows)),
            (weight, bias),
            count,
            &mut screened.logits.chunks_exact_mut(n).collect::<Vec<_>>(),
            &mut screened.maxima,
        );
        [exact, screened]
            .map(|scores| (0..rows.len()).map(|row| scores.best(row, count, &[], f32::NEG_INFINITY)).collect())
    }

    #[test]
    fn the_best_are_those_of_all_logits_to_the_last_bit() {
        for way in [None].into_iter().chain(Instructions::all().map(Some)) {
            let pack = |matrix: Matrix| way.map_or_else(|| Packed::paired(matrix), |way| Packed::with(way, matrix));
            for (k, n, count) in [(1, 200, 2), (7, 131, 2), (64, 1000, 4), (100, 999, 15), (33, 64, 1)] {
                let weight = numbers(k * n, k as u64);
                let weight = pack(Matrix::new(&weight, k, n));
                for scale in [0.0, 1e-36, 1e-30, 1e-3, 1.0, 1e20] {
                    let units: Vec<f32> = numbers(9 * k, n as u64).iter().map(|x| x * scale).collect();
                    let bias: Vec<f32> = numbers(n, 3).iter().map(|x| x * scale * 0.1).collect();
                    let [exact, screened] = both(&weight, &bias, &units, count);
                    assert!(exact == screened, "{way:?}, {k} by {n}, {scale}");
                }
            }
        }
    }

    #[test]
    fn few_words_are_left() {
        let (k, n) = (256, 8000);
        let (weight, units) = (numbers(k * n, 1), numbers(k, 2));
        let weight = Packed::paired(Matrix::new(&weight, k, n));
        let screen = Screen::new(&weight, &vec![0.0; n]);
        let (mut logits, mut maxima) = (vec![0.0; n], vec![0.0; n / PART]);
        let rows = [&units[..]];
        screen.score(
            false,
            (&rows, &IntegerRows::new(&rows)),
            (&weight, &vec![0.0; n]),
            2,
            &mut [&mut logits[..]],
            &mut maxima,
        );
        let left = maxima.iter().filter(|max| max.is_finite()).count();
        assert!((2..20).contains(&left), "{left} parts");
    }

    #[test]
    fn equals_and_what_is_no_number() {
        let (k, n) = (8, 320);
        let mut weight = numbers(k * n, 1);
        // Equal columns in several parts, a column with what is no number, and one with what is infinite.
        for i in 0..k {
            for same in [5, 100, 101, 300] {
                weight[i * n + same] = if i % 2 == 0 { 1.0 } else { -1.0 };
            }
        }
        weight[7] = f32::NAN;
        weight[150] = f32::INFINITY;
        let ways = [Packed::new, Packed::paired].map(|pack| pack(Matrix::new(&weight, k, n)));
        let mut units: Vec<f32> = (0..3 * k).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        units[k] = f32::NAN;
        units[2 * k] = -1.0;
        for (weight, count) in ways.iter().flat_map(|weight| (1..=5).map(move |count| (weight, count))) {
            let [exact, screened] = both(weight, &vec![0.5; n], &units, count);
            assert_eq!(exact, screened, "{count}");
            assert!(exact[1].is_empty() && exact[2].len() == count);
        }
    }
}
