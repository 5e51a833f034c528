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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out_on_any_number_of_threads() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for len in [0, 1, SHARE, 2 * SHARE, 3 * SHARE + 7] {
                let mut elements = pool.install(|| zeros(len));
                assert_eq!(elements, vec![0.0; len]);
                elements.iter_mut().zip(0u32..).for_each(|(element, i)| *element = i as f32);
                pool.install(|| scale(&mut elements, 0.5));
                assert!(elements.iter().zip(0u32..).all(|(element, i)| *element == i as f32 / 2.0));
            }
        }
    }
}
