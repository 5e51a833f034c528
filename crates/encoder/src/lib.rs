//! The encoder: embedded source words to annotations.
//!
//! Bahdanau et al. (2015), sections 3.2 and A.2.1: a gated recurrent unit reads the sentence forward, another one backward,
//! and the annotation of a word joins their states there, h_j = [h→_j ; h←_j], so that it speaks of the word and of all
//! that surrounds it.

mod gru;
pub mod init;

use burn::module::Module;
use burn::prelude::*;
use rnnsearch_config::ModelConfig;
use rnnsearch_kernels::{Direction, Dropout, Padding};

pub use gru::{Gru, Recurrence};
use init::Init;

/// A stack of bidirectional layers; each reads the annotations of the one below.
#[derive(Module, Debug)]
pub struct Encoder {
    layers: Vec<BiGru>,
}

/// Two gated recurrent units that read in opposite directions.
#[derive(Module, Debug)]
struct BiGru {
    forward: Gru,
    backward: Gru,
}

/// What the encoder says of a batch of sources.
#[derive(Clone, Debug)]
pub struct Annotations {
    /// h_j = [h→_j ; h←_j], `[src_len, batch, 2n]`. At padding they hold states that were carried through.
    pub all: Tensor<3>,
    /// h←_1, which the decoder starts from: `[batch, n]`.
    pub first_backward: Tensor<2>,
    /// h→_T of each sentence's last word, all that RNNencdec has of the source: `[batch, n]`.
    pub last_forward: Tensor<2>,
}

impl Encoder {
    /// An encoder with weights drawn by `init`.
    pub fn new(config: &ModelConfig, init: &mut Init) -> Self {
        let n = config.encoder_hidden;
        let layers = (0..config.encoder_layers)
            .map(|layer| {
                let input = if layer == 0 { config.embedding } else { 2 * n };
                BiGru { forward: Gru::new(input, n, config, init), backward: Gru::new(input, n, config, init) }
            })
            .collect();
        Self { layers }
    }

    /// Reads a batch of embedded sources, `[src_len, batch, m]`.
    ///
    /// `dropout` is given while training; its rates are those of `config`.
    pub fn forward(
        &self,
        embedded: Tensor<3>,
        padding: &Padding,
        config: &ModelConfig,
        mut dropout: Option<&mut Dropout>,
    ) -> Annotations {
        let rates = &config.dropout;
        let [src_len, batch, _] = embedded.dims();
        let n = config.encoder_hidden;
        let mut below = embedded;
        for layer in &self.layers {
            let states = [(&layer.forward, Direction::Forward), (&layer.backward, Direction::Backward)]
                .map(|(gru, direction)| {
                    let initial = Tensor::zeros([batch, n], &below.device());
                    let recurrence = Recurrence { padding: Some(padding), reset: config.reset, direction };
                    let mask = dropout
                        .as_deref_mut()
                        .and_then(|d| d.recurrent(src_len, &initial, rates.recurrent, rates.variational));
                    gru.forward(below.clone(), initial, mask, &recurrence)
                })
                .into();
            let annotations = Tensor::cat(states, 2);
            below = match dropout.as_deref_mut() {
                Some(d) => d.sequence(annotations, rates.hidden, rates.variational),
                None => annotations,
            };
        }
        Annotations {
            first_backward: below.clone().slice([0..1, 0..batch, n..2 * n]).reshape([batch, n]),
            last_forward: below.clone().slice([src_len - 1..src_len, 0..batch, 0..n]).reshape([batch, n]),
            all: below,
        }
    }
}
