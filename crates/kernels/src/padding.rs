//! Which positions of a padded batch are real.

use burn::prelude::*;
use burn::tensor::TensorData;

/// The lengths of a padded, time-major batch, on the host and on the device.
///
/// Sequences are left-aligned: sentence `b` occupies positions `0..lengths[b]`.
#[derive(Clone, Debug)]
pub struct Padding {
    lengths: Vec<usize>,
    len: usize,
    real: Tensor<2>,
}

impl Padding {
    /// Describes a batch of sequences with these `lengths`, padded to `len` positions.
    ///
    /// # Panics
    ///
    /// If the batch is empty, or a length is 0 or above `len`: such a sentence has nothing to attend to, and callers
    /// turn it away before it gets here.
    pub fn new(lengths: &[usize], len: usize, device: &Device) -> Self {
        assert!(!lengths.is_empty(), "a batch has at least one sentence");
        assert!(lengths.iter().all(|&l| 0 < l && l <= len), "lengths {lengths:?} must be within 1..={len}");
        let batch = lengths.len();
        let mut real = vec![0f32; len * batch];
        for (b, &length) in lengths.iter().enumerate() {
            for position in 0..length {
                real[position * batch + b] = 1.0;
            }
        }
        let real = Tensor::from_data(TensorData::new(real, [len, batch]), device);
        Self { lengths: lengths.to_vec(), len, real }
    }

    /// The number of real positions of each sentence.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Whether no position is padding.
    pub fn is_full(&self) -> bool {
        self.lengths.iter().all(|&l| l == self.len)
    }

    /// 1 at real positions and 0 at padding, `[len, batch]`.
    pub fn real(&self) -> Tensor<2> {
        self.real.clone()
    }

    /// What is added to energies so that padding gets no weight: 0 at real positions, -1e9 at padding, `[batch, len]`.
    pub fn energy_bias(&self) -> Tensor<2> {
        (self.real.clone().swap_dims(0, 1) - 1.0) * 1e9
    }
}
