//! Initial weights, drawn on the host so that every device starts from the same ones.
//!
//! Appendix B.1: recurrent matrices are random orthogonal; W_a and U_a ~ N(0, 0.001²); v_a and all biases are 0; the rest
//! ~ N(0, 0.01²). `xavier` draws matrices from Glorot's uniform distribution and embeddings from N(0, 0.1²) instead, which
//! lets small models start learning at once.

use burn::module::{Param, ParamId};
use burn::prelude::*;
use burn::tensor::TensorData;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rnnsearch_config::{Initialization, ModelConfig};

/// Draws initial weights, one after the other, from one seed.
#[derive(Debug)]
pub struct Init {
    /// None where weights are to be read later, and need not be drawn.
    random: Option<ChaCha8Rng>,
    method: Initialization,
    device: Device,
}

impl Init {
    /// Starts from `seed`.
    pub fn new(seed: u64, method: Initialization, device: &Device) -> Self {
        Self { random: Some(ChaCha8Rng::seed_from_u64(seed)), method, device: device.clone() }
    }

    /// Makes all weights 0, for a model whose weights are read from a file.
    pub fn blank(device: &Device) -> Self {
        Self { random: None, method: Initialization::Paper, device: device.clone() }
    }

    /// A vector of zeros.
    pub fn zeros(&mut self, size: usize) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::zeros([size], &self.device))
    }

    /// A vector whose elements begin as `value`.
    pub fn filled(&mut self, size: usize, value: f64) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::full([size], value, &self.device))
    }

    /// The gain of layer normalisation of what makes three gates, `[3n]`, if the model has it.
    pub fn gain(&mut self, n: usize, config: &ModelConfig) -> Option<Param<Tensor<1>>> {
        config.layer_norm.then(|| self.filled(3 * n, 1.0))
    }

    /// A table of `words` embeddings of size `m`.
    pub fn embedding(&mut self, words: usize, m: usize) -> Param<Tensor<2>> {
        let deviation = match self.method {
            Initialization::Paper => 0.01,
            Initialization::Xavier => 0.1,
        };
        self.matrix([words, m], |init| init.normals(words * m, deviation))
    }

    /// A matrix `[input, output]`.
    pub fn dense(&mut self, input: usize, output: usize) -> Param<Tensor<2>> {
        self.matrix([input, output], |init| init.dense_values(input, output))
    }

    /// The input matrices of three gates side by side, `[input, 3n]`.
    pub fn gates(&mut self, input: usize, n: usize) -> Param<Tensor<2>> {
        self.matrix([input, 3 * n], |init| side_by_side(&[(); 3].map(|()| init.dense_values(input, n)), n))
    }

    /// Three random orthogonal matrices side by side, `[n, 3n]`.
    pub fn orthogonal_gates(&mut self, n: usize) -> Param<Tensor<2>> {
        self.matrix([n, 3 * n], |init| side_by_side(&[(); 3].map(|()| init.orthogonal_values(n)), n))
    }

    /// A matrix of the alignment model, W_a or U_a, `[input, output]`.
    pub fn alignment(&mut self, input: usize, output: usize) -> Param<Tensor<2>> {
        match self.method {
            Initialization::Paper => self.matrix([input, output], |init| init.normals(input * output, 0.001)),
            Initialization::Xavier => self.dense(input, output),
        }
    }

    /// The vector v_a, `[size]`: 0 in the paper.
    pub fn energy(&mut self, size: usize) -> Param<Tensor<1>> {
        match self.method {
            Initialization::Paper => self.zeros(size),
            Initialization::Xavier => {
                let values = self.dense_values(size, 1);
                Param::from_tensor(Tensor::from_data(TensorData::new(values, [size]), &self.device))
            }
        }
    }

    fn matrix(&mut self, shape: [usize; 2], draw: impl FnOnce(&mut Self) -> Vec<f32>) -> Param<Tensor<2>> {
        if self.random.is_some() {
            return Param::from_tensor(Tensor::from_data(TensorData::new(draw(self), shape), &self.device));
        }
        // Made when first its elements are looked at: who asks for the shape alone needs no memory for them.
        let zeros = move |device: &Device, is_learned| Tensor::zeros(shape, device).set_require_grad(is_learned);
        Param::uninitialized(ParamId::new(), zeros, self.device.clone(), true, shape.into())
    }

    fn dense_values(&mut self, input: usize, output: usize) -> Vec<f32> {
        match self.method {
            Initialization::Paper => self.normals(input * output, 0.01),
            Initialization::Xavier => {
                let bound = (6.0 / (input + output) as f64).sqrt();
                (0..input * output).map(|_| (bound * (2.0 * self.uniform() - 1.0)) as f32).collect()
            }
        }
    }

    /// A uniformly distributed rotation: the orthogonal factor of a normal matrix, by Gram and Schmidt.
    fn orthogonal_values(&mut self, n: usize) -> Vec<f32> {
        let mut rows: Vec<Vec<f64>> = (0..n).map(|_| (0..n).map(|_| self.normal()).collect()).collect();
        for i in 0..n {
            let (done, rest) = rows.split_at_mut(i);
            let row = &mut rest[0];
            // Twice is enough to be orthogonal to the last digit.
            for _ in 0..2 {
                for other in done.iter() {
                    let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                    row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
                }
            }
            let norm = row.iter().map(|a| a * a).sum::<f64>().sqrt();
            row.iter_mut().for_each(|a| *a /= norm);
        }
        rows.into_iter().flatten().map(|a| a as f32).collect()
    }

    fn normals(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        (0..count).map(|_| (deviation * self.normal()) as f32).collect()
    }

    /// N(0, 1), by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform over [0, 1).
    fn uniform(&mut self) -> f64 {
        let random = self.random.as_mut().expect("a blank draws nothing");
        (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Matrices of equally many rows, and so many columns each, as one.
fn side_by_side(blocks: &[Vec<f32>], columns: usize) -> Vec<f32> {
    let rows = blocks[0].len() / columns;
    let row = |r: usize| blocks.iter().flat_map(move |block| &block[r * columns..(r + 1) * columns]).copied();
    (0..rows).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init() -> Init {
        Init::new(7, Initialization::Paper, &Device::flex())
    }

    #[test]
    fn recurrent_matrices_are_orthogonal() {
        let n = 33;
        let values = init().orthogonal_values(n);
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let product: f32 = (0..n).map(|k| values[i * n + k] * values[j * n + k]).sum();
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((product - expected).abs() < 1e-5, "rows {i} and {j}: {product}");
        }
    }

    #[test]
    fn normal_values_have_their_deviation() {
        let values = init().normals(20_000, 0.01);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 3e-4, "mean {mean}");
        assert!((variance.sqrt() - 0.01).abs() < 3e-4, "deviation {}", variance.sqrt());
    }

    #[test]
    fn gates_stand_side_by_side() {
        let blocks = [vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0, 7.0, 8.0]];
        assert_eq!(side_by_side(&blocks, 2), [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0]);
        for mut init in [init(), Init::blank(&Device::flex())] {
            assert_eq!((init.gates(3, 2).dims(), init.orthogonal_gates(2).dims()), ([3, 6], [2, 6]));
        }
    }
}
