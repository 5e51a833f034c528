//! Adam in one pass over memory, in place.
//!
//! Written in tensor operations, Adam reads and writes every parameter a dozen times.

use rayon::prelude::*;

use crate::vector;

/// Elements of which one thread takes care at a time: sums over them are in an order that no number of threads changes.
const CHUNK: usize = 1 << 14;

/// An update of Adam (Kingma & Ba 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Keeps denominators from zero.
    pub epsilon: f32,
    /// What gradients are multiplied by first.
    pub scale: f32,
    /// Learning rate / (1 - beta1^t).
    pub rate: f32,
    /// 1 / √(1 - beta2^t).
    pub correction: f32,
}

impl Adam {
    /// Changes parameters and the moments of their gradients; all slices have equal lengths.
    pub fn update(&self, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        let chunks = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK));
        let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
        chunks.zip(moments).for_each(|((parameters, gradients), (first, second))| {
            vector::adam(self, parameters, gradients, first, second);
        });
    }

    /// As [`update`](Self::update), of some rows of a table: row `rows[i]` has the gradients `gradients[i * width..]`.
    ///
    /// # Panics
    ///
    /// If the rows are not in ascending order.
    pub fn update_rows(&self, rows: &[usize], gradients: &[f32], table: Table) {
        let width = table.width;
        let rows = rows.iter().copied().zip(gradients.chunks_exact(width)).collect();
        table.each_row(rows, |gradients, [parameters, first, second]| {
            vector::adam(self, parameters, gradients, first, second);
        });
    }
}

/// A table of parameters with the moments of their gradients, row after row.
#[derive(Debug)]
#[allow(missing_docs, reason = "named as in `Adam::update`")]
pub struct Table<'a> {
    pub width: usize,
    pub parameters: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

impl Table<'_> {
    /// Makes the updates that rows have missed because they had no gradient: row r those of `updates[from..]`, for each (r, from).
    /// The results are, to the last bit, those of having made each in its time.
    ///
    /// # Panics
    ///
    /// If the rows are not in ascending order.
    pub fn catch_up(self, missed: &[(usize, usize)], updates: &[Adam]) {
        self.each_row(missed.to_vec(), |from, [parameters, first, second]| {
            vector::adam_without_gradient(&updates[from..], parameters, first, second);
        });
    }

    /// Runs on each of these rows of parameters and moments, on all threads.
    fn each_row<T: Send>(self, rows: Vec<(usize, T)>, run: impl Fn(T, [&mut [f32]; 3]) + Sync) {
        let width = self.width;
        let mut rest = [self.parameters, self.first, self.second];
        let mut next = 0;
        let mut tasks = Vec::with_capacity(rows.len());
        for (row, task) in rows {
            assert!(row >= next, "rows are in ascending order");
            let slices = rest.map(|rest| rest[(row - next) * width..].split_at_mut(width));
            let [(parameters, a), (first, b), (second, c)] = slices;
            (rest, next) = ([a, b, c], row + 1);
            tasks.push((task, [parameters, first, second]));
        }
        tasks.into_par_iter().with_min_len(8).for_each(|(task, slices)| run(task, slices));
    }
}

/// Moves averages towards values: by a share of the way, 1 being all of it.
pub fn average(averages: &mut [f32], values: &[f32], share: f32) {
    averages.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(averages, values)| {
        averages.iter_mut().zip(values).for_each(|(average, value)| *average += (value - *average) * share);
    });
}

/// The sum of squares.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    let of_chunk = |chunk: &[f32]| f64::from(vector::dot(chunk, chunk));
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(of_chunk).collect();
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_update_is_the_sign_of_the_gradient() {
        let (mut parameters, mut first, mut second) = (vec![1.0; 40_000], vec![0.0; 40_000], vec![0.0; 40_000]);
        let gradients: Vec<f32> = (0..40_000).map(|i| if i % 2 == 0 { 3.0 } else { -0.5 }).collect();
        let (beta1, beta2) = (0.9f32, 0.999f32);
        let rate = 0.1 / (1.0 - beta1);
        let correction = 1.0 / (1.0 - beta2).sqrt();
        let adam = Adam { beta1, beta2, epsilon: 1e-8, scale: 2.0, rate, correction };
        adam.update(&mut parameters, &gradients, &mut first, &mut second);
        for (i, parameter) in parameters.iter().enumerate() {
            let expected = if i % 2 == 0 { 0.9 } else { 1.1 };
            assert!((parameter - expected).abs() < 1e-5, "{i}: {parameter}");
        }
        assert!((first[0] - 0.6).abs() < 1e-6 && (second[1] - 0.001).abs() < 1e-6);
    }

    /// Rows that miss updates and catch up end where the whole table does that makes each in its time.
    #[test]
    fn rows_that_catch_up_are_as_if_they_had_missed_nothing() {
        const WIDTH: usize = 37;
        let adam =
            |rate: f32| Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, scale: 0.5, rate, correction: 2.0 - rate };
        let start = || [1.0f32, 0.25, 0.5].map(|value| vec![value; 5 * WIDTH]);
        let ([mut p, mut m, mut v], [mut dense_p, mut dense_m, mut dense_v]) = (start(), start());
        let (mut history, mut seen) = (Vec::new(), [0; 5]);
        for (step, rows) in [vec![1, 4], vec![0], vec![1, 2], vec![4], vec![0, 1, 2]].into_iter().enumerate() {
            let missed: Vec<(usize, usize)> = rows.iter().map(|&row| (row, seen[row])).collect();
            Table { width: WIDTH, parameters: &mut p, first: &mut m, second: &mut v }.catch_up(&missed, &history);
            let gradients: Vec<f32> = (0..rows.len() * WIDTH).map(|i| (i * (step + 3) % 11) as f32 - 5.0).collect();
            let update = adam(0.1 + step as f32 / 50.0);
            let table = Table { width: WIDTH, parameters: &mut p, first: &mut m, second: &mut v };
            update.update_rows(&rows, &gradients, table);
            history.push(update);
            let mut spread = vec![0.0; 5 * WIDTH];
            for (row, gradients) in rows.iter().zip(gradients.chunks_exact(WIDTH)) {
                seen[*row] = history.len();
                spread[row * WIDTH..][..WIDTH].copy_from_slice(gradients);
            }
            update.update(&mut dense_p, &spread, &mut dense_m, &mut dense_v);
        }
        let missed: Vec<(usize, usize)> = seen.into_iter().enumerate().collect();
        Table { width: WIDTH, parameters: &mut p, first: &mut m, second: &mut v }.catch_up(&missed, &history);
        assert!((p, m, v) == (dense_p, dense_m, dense_v));
    }

    #[test]
    fn squares_are_summed_over_all_chunks() {
        assert_eq!(sum_of_squares(&vec![2.0; 40_001]), 160_004.0);
        assert_eq!(sum_of_squares(&[]), 0.0);
    }
}
