//! Dropout masks, drawn on the host so that every device drops the same units.

use burn::prelude::*;
use burn::tensor::TensorData;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of dropout masks that depends on its seed alone.
#[derive(Debug)]
pub struct Dropout {
    random: ChaCha8Rng,
}

impl Dropout {
    /// The stream of update number `update` of a training with this `seed`.
    pub fn new(seed: u64, update: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(update);
        Self { random }
    }

    /// A mask that is 0 with probability `rate` and 1/(1 - rate) otherwise, so that the mean is kept.
    pub fn mask<const D: usize>(&mut self, shape: [usize; D], rate: f64, device: &Device) -> Tensor<D> {
        let keep = (1.0 / (1.0 - rate)) as f32;
        // 16 random bits a unit: the rate is met to 1/65536.
        let threshold = (rate * 65536.0).round() as u32;
        let mut bytes = vec![0u8; 2 * shape.iter().product::<usize>()];
        self.random.fill_bytes(&mut bytes);
        let kept = |pair: &[u8]| u32::from(u16::from_le_bytes([pair[0], pair[1]])) >= threshold;
        let mask: Vec<f32> = bytes.chunks_exact(2).map(|pair| if kept(pair) { keep } else { 0.0 }).collect();
        Tensor::from_data(TensorData::new(mask, shape), device)
    }

    /// Drops units of a sequence `[len, batch, features]`; with `variational`, the same ones at every position.
    pub fn sequence(&mut self, sequence: Tensor<3>, rate: f64, variational: bool) -> Tensor<3> {
        if rate == 0.0 {
            return sequence;
        }
        let [len, batch, features] = sequence.dims();
        let mask = self.mask([if variational { 1 } else { len }, batch, features], rate, &sequence.device());
        sequence * mask
    }

    /// Masks for the previous state of a recurrence over `len` positions: `[len or 1, batch, n]`, none at rate 0.
    pub fn recurrent(&mut self, len: usize, initial: &Tensor<2>, rate: f64, variational: bool) -> Option<Tensor<3>> {
        let [batch, n] = initial.dims();
        (rate > 0.0).then(|| self.mask([if variational { 1 } else { len }, batch, n], rate, &initial.device()))
    }
}
