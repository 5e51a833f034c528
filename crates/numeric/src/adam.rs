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

    /// As [`update`](Self::update), of some rows of a table: row `rows[i]` has the gradients `gradients[i * width..]`. The
    /// rows are in ascending order; all others are left alone.
    pub fn update_rows(
        &self,
        rows: &[usize],
        width: usize,
        parameters: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        assert!(rows.is_sorted_by(|a, b| a < b), "rows are in ascending order");
        for (&row, gradients) in rows.iter().zip(gradients.chunks_exact(width)) {
            let [parameters, first, second] =
                [&mut *parameters, &mut *first, &mut *second].map(|table| &mut table[row * width..][..width]);
            vector::adam(self, parameters, gradients, first, second);
        }
    }
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

    #[test]
    fn rows_change_as_they_would_alone_and_no_others() {
        let adam = Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, scale: 0.5, rate: 0.1, correction: 2.0 };
        let start = || [vec![1.0f32; 35], vec![0.25; 35], vec![0.5; 35]];
        let gradients: Vec<f32> = (0..14).map(|i| i as f32 - 6.0).collect();
        let [mut parameters, mut first, mut second] = start();
        adam.update_rows(&[1, 4], 7, &mut parameters, &gradients, &mut first, &mut second);
        let [mut dense, mut dense_first, mut dense_second] = start();
        let spread = [&[0.0; 7][..], &gradients[..7], &[0.0; 14], &gradients[7..]].concat();
        adam.update(&mut dense, &spread, &mut dense_first, &mut dense_second);
        let [untouched, ..] = start();
        for row in 0..5 {
            let range = row * 7..row * 7 + 7;
            let expected = if row == 1 || row == 4 { &dense } else { &untouched };
            assert_eq!(parameters[range.clone()], expected[range.clone()], "row {row}");
            assert_eq!(first[range.clone()] == start()[1][range], row != 1 && row != 4, "row {row}");
        }
    }

    #[test]
    fn squares_are_summed_over_all_chunks() {
        assert_eq!(sum_of_squares(&vec![2.0; 40_001]), 160_004.0);
        assert_eq!(sum_of_squares(&[]), 0.0);
    }
}
