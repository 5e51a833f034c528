//! The content-based read of Graves et al. (2014): e_ij = β_i cos(W s, h_j), with β_i = softplus(wᵀ s + b).

use burn::module::{Module, Param};
use burn::prelude::*;
use burn::tensor::activation::softplus;
use rnnsearch_config::ModelConfig;
use rnnsearch_encoder::init::Init;

use super::{Memory, Score, dot};

/// What b begins as: cosines are at most 1, and a softmax of such numbers could hardly prefer anything.
const FIRST_SHARPNESS: f64 = 5.0;

/// What is added to squared lengths, so that they have a root and a gradient.
const TINY: f64 = 1e-12;

/// Cosines, made as sharp as the state says.
#[derive(Module, Debug)]
pub struct Cosine {
    /// W, `[n, 2n]`.
    pub query_weight: Param<Tensor<2>>,
    /// w, `[n, 1]`.
    pub sharpness_weight: Param<Tensor<2>>,
    /// b, `[1]`.
    pub sharpness_bias: Param<Tensor<1>>,
}

impl Cosine {
    /// Scores with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        Self {
            query_weight: init.dense(config.decoder_hidden, 2 * config.encoder_hidden),
            sharpness_weight: init.dense(config.decoder_hidden, 1),
            sharpness_bias: init.filled(1, FIRST_SHARPNESS),
        }
    }
}

impl Score for Cosine {
    /// Of length 1, so that products with them are cosines.
    fn keys(&self, annotations: Tensor<3>) -> Tensor<3> {
        unit::<3>(annotations)
    }

    fn energies(&self, query: Tensor<2>, memory: &Memory) -> Tensor<2> {
        let sharpness = query.clone().matmul(self.sharpness_weight.val()) + self.sharpness_bias.val().unsqueeze();
        dot(unit::<2>(query.matmul(self.query_weight.val())), memory.keys.clone()) * softplus(sharpness, 1.0)
    }
}

/// Vectors along the last dimension with their length made 1.
fn unit<const D: usize>(vectors: Tensor<D>) -> Tensor<D> {
    let squares = vectors.clone().powi_scalar(2).sum_dim(D - 1);
    vectors / (squares + TINY).sqrt()
}
