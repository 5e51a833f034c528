//! Dropout masks and other random numbers of an update, drawn on the host so that they are the same on every device.

use burn::prelude::*;
use burn::tensor::TensorData;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The units that a thread draws at a time.
const CHUNK: usize = 1 << 13;

/// A stream of dropout masks and other random numbers that depends on its seed alone.
#[derive(Clone, Debug)]
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
        let kept = |pair: &[u8]| u32::from(u16::from_le_bytes([pair[0], pair[1]])) >= threshold;
        let mut mask = vec![0.0; shape.iter().product()];
        let begin = self.random.get_word_pos();
        // The stream can be entered anywhere: each thread draws its own part, and the mask does not depend on how many there are.
        mask.par_chunks_mut(CHUNK).enumerate().for_each(|(part, mask)| {
            let (mut random, mut bytes) = (self.random.clone(), [0; 2 * CHUNK]);
            random.set_word_pos(begin + (part * CHUNK / 2) as u128);
            random.fill_bytes(&mut bytes[..2 * mask.len()]);
            for (unit, pair) in mask.iter_mut().zip(bytes.chunks_exact(2)) {
                *unit = if kept(pair) { keep } else { 0.0 };
            }
        });
        self.random.set_word_pos(begin + mask.len().div_ceil(2) as u128);
        Tensor::from_data(TensorData::new(mask, shape), device)
    }

    /// `count` numbers, uniform over [0, 1).
    pub fn uniform(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.random.next_u32() >> 8) as f32 / (1u32 << 24) as f32).collect()
    }

    /// Numbers of N(0, 1), by Box and Muller.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let count = shape.iter().product::<usize>();
        let uniform = self.uniform(2 * count);
        let one = |pair: &[f32]| (-2.0 * (1.0 - pair[0]).ln()).sqrt() * (std::f32::consts::TAU * pair[1]).cos();
        Tensor::from_data(TensorData::new(uniform.chunks_exact(2).map(one).collect::<Vec<f32>>(), shape), device)
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

    /// Drops whole positions of a sequence `[len, batch, features]`.
    pub fn positions(&mut self, sequence: Tensor<3>, rate: f64) -> Tensor<3> {
        if rate == 0.0 {
            return sequence;
        }
        let [len, batch, _] = sequence.dims();
        let mask = self.mask([len, batch, 1], rate, &sequence.device());
        sequence * mask
    }

    /// Masks for the previous state of a recurrence over `len` positions: `[len or 1, batch, n]`, none at rate 0.
    pub fn recurrent(&mut self, len: usize, initial: &Tensor<2>, rate: f64, variational: bool) -> Option<Tensor<3>> {
        let [batch, n] = initial.dims();
        (rate > 0.0).then(|| self.mask([if variational { 1 } else { len }, batch, n], rate, &initial.device()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(shape: [usize; 1], dropout: &mut Dropout) -> Vec<f32> {
        dropout.mask(shape, 0.3, &Device::flex()).try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn masks_are_one_stream_and_keep_the_mean() {
        let size = 3 * CHUNK + 5;
        let mut dropout = Dropout::new(1, 2);
        let (first, second) = (bits([size], &mut dropout), bits([7], &mut dropout));
        let whole = bits([size + 8], &mut Dropout::new(1, 2));
        assert!(first == whole[..size] && second == whole[size + 1..], "a mask begins with a whole word");
        let mean = first.iter().sum::<f32>() / size as f32;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert_ne!(bits([size], &mut Dropout::new(1, 3)), first);
    }

    #[test]
    fn positions_are_dropped_whole() {
        let ones = Tensor::<3>::ones([5, 40, 3], &Device::flex());
        let dropped = Dropout::new(1, 2).positions(ones.clone(), 0.5).try_into_vec_as::<f32>().unwrap();
        assert!(dropped.chunks(3).all(|word| word == [0.0; 3] || word == [2.0; 3]));
        let kept = dropped.iter().filter(|value| **value > 0.0).count() as f64 / dropped.len() as f64;
        assert!((kept - 0.5).abs() < 0.12, "{kept}");
        let same = Dropout::new(1, 2).positions(ones, 0.0).try_into_vec_as::<f32>().unwrap();
        assert!(same.iter().all(|&value| value == 1.0));
    }

    #[test]
    fn normal_numbers_have_their_mean_and_deviation() {
        let numbers = Dropout::new(1, 2).normal([20_000], &Device::flex()).try_into_vec_as::<f32>().unwrap();
        let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / numbers.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }
}
