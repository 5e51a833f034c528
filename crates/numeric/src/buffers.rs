//! Passes over large buffers that do no more than write them, on all threads: on one they would be most of what the others wait for.

use rayon::prelude::*;

/// The elements that are worth a thread.
const SHARE: usize = 1 << 18;

/// Zeros.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    if len < 2 * SHARE || rayon::current_num_threads() == 1 {
        return vec![0.0; len];
    }
    rayon::iter::repeat_n(0.0, len).with_min_len(SHARE).collect()
}

/// Multiplies all elements.
pub fn scale(elements: &mut [f32], factor: f32) {
    elements.par_chunks_mut(SHARE).for_each(|part| part.iter_mut().for_each(|element| *element *= factor));
}
