//! The recurrent operations of RNNsearch.
//!
//! Each operation has a plain definition in tensor operations ([`plain`]), which every backend runs. This is the only
//! crate that names a backend: [`device`] finds the one to run on.
//!
//! Sequences are time-major, `[len, batch, features]`; gates stand in the order reset, update, candidate.

pub mod adam;
pub mod device;
mod dropout;
mod fused;
mod padding;
pub mod plain;
pub mod profile;

use burn::prelude::*;

pub use dropout::Dropout;
pub use fused::{Kernel, kernel_of, precision_on};
pub use padding::Padding;
pub use rnnsearch_config::{Precision, Reset};
pub use rnnsearch_numeric::norm::EPSILON;
pub use rnnsearch_numeric::product::with_precision;
pub use rnnsearch_numeric::{Rate, highest, keep_freed_buffers, rates};

/// The recurrent half of a gated recurrent unit.
#[derive(Clone, Debug)]
pub struct Recurrent {
    /// [U_r | U_z | U], `[n, 3n]`.
    pub weight: Tensor<2>,
    /// b_u, added to the candidate's recurrent product, `[n]`; only with [`Reset::After`].
    pub bias: Option<Tensor<1>>,
    /// The gain of layer normalisation, `[3n]`: see [`normalize`]; none where products are taken as they are.
    pub gain: Option<Tensor<1>>,
    /// Where the reset gate acts.
    pub reset: Reset,
}

/// The direction in which a sequence is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first position to the last.
    Forward,
    /// From the last position to the first.
    Backward,
}

impl Direction {
    /// The position read at `step`.
    fn position(self, step: usize, len: usize) -> usize {
        match self {
            Direction::Forward => step,
            Direction::Backward => len - 1 - step,
        }
    }
}

/// What the decoder attends to: all that is fixed for a batch of sources.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Annotations h_j, `[batch, src_len, 2n]`.
    pub annotations: Tensor<3>,
    /// Their projections U_a h_j, `[batch, src_len, n']`.
    pub keys: Tensor<3>,
    /// 0 at real positions, -1e9 at padding, `[batch, src_len]`.
    pub bias: Tensor<2>,
}

/// The weights of additive attention and of the way its context takes into the decoder.
#[derive(Clone, Debug)]
pub struct AttentionWeights {
    /// W_a, `[n, n']`.
    pub query: Tensor<2>,
    /// v_a, `[n']`.
    pub energy: Tensor<1>,
    /// [C_r | C_z | C], `[2n, 3n]`.
    pub context: Tensor<2>,
    /// The gain of layer normalisation of the product with it, `[3n]`; there is one where there is one of the recurrent products.
    pub context_gain: Option<Tensor<1>>,
}

/// The second unit of a conditional decoder, which takes the context where a plain decoder's one unit does.
#[derive(Clone, Debug)]
pub struct SecondUnit {
    /// What is added to the context's part of the three gates, `[3n]`.
    pub input_bias: Tensor<1>,
    /// Its recurrent half; the reset gate acts where the first unit's does.
    pub recurrent: Recurrent,
}

/// The known side of a decoder that is told the previous target words.
#[derive(Clone, Debug)]
pub struct Teacher {
    /// W E y_{i-1} + b for the three gates, `[tgt_len, batch, 3n]`.
    pub projected: Tensor<3>,
    /// s_0, `[batch, n]`.
    pub initial: Tensor<2>,
    /// Dropout of the previous state in the recurrent product, `[tgt_len or 1, batch, n]`.
    pub dropout: Option<Tensor<3>>,
    /// How many words each target has.
    pub padding: Padding,
    /// Whether the alignments are wanted too.
    pub alignments: bool,
}

/// The weights of the readout's hidden layer.
#[derive(Clone, Debug)]
pub struct ReadoutWeights {
    /// U_o, `[n, 2l]`.
    pub state: Tensor<2>,
    /// C_o, `[2n, 2l]`.
    pub context: Tensor<2>,
    /// V_o, `[m, 2l]`.
    pub embedding: Tensor<2>,
    /// `[2l]`.
    pub bias: Tensor<1>,
}

/// x W + b of every row of x: `[rows, input]` to `[rows, output]`.
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    match kernel_of(&x.device()) {
        Kernel::Fused => fused::linear(x, weight, bias),
        Kernel::Plain => plain::linear(x, weight, bias),
    }
}

/// Layer normalisation of products with the matrices of three gates (Ba, Kiros & Hinton 2016): g ∘ (a - mean a) / √(variance a + ε) + b for
/// every row a of `products`, `[rows, 3n]`, where the `[2n]` of the reset and the update gate are one vector and the `[n]` of the
/// candidate another. `gain` is g and `bias` b, `[3n]`; ε is [`EPSILON`].
pub fn normalize(products: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>) -> Tensor<2> {
    match kernel_of(&products.device()) {
        Kernel::Fused => fused::normalize(products, gain, bias),
        Kernel::Plain => plain::normalize(products, gain) + bias.unsqueeze(),
    }
}

/// Runs a gated recurrent unit over a padded batch, appendix A.1.1.
///
/// `projected` is W x + b for the three gates, `[len, batch, 3n]`; `initial` is the state before the first position read,
/// `[batch, n]`; `dropout` multiplies the previous state in the recurrent products, `[len or 1, batch, n]` in reading
/// order. Where a position is padding the state is carried through unchanged, so the backward direction
/// reaches a sentence's last word with the initial state.
///
/// Returns the states, `[len, batch, n]`, at their positions in the sequence.
pub fn gru_sequence(
    projected: Tensor<3>,
    padding: Option<&Padding>,
    initial: Tensor<2>,
    recurrent: &Recurrent,
    dropout: Option<Tensor<3>>,
    direction: Direction,
) -> Tensor<3> {
    match kernel_of(&projected.device()) {
        Kernel::Fused => fused::gru_sequence(projected, padding, initial, recurrent, dropout, direction),
        Kernel::Plain => plain::gru_sequence(projected, padding, initial, recurrent, dropout, direction),
    }
}

/// Runs the attending decoder layer over known target words, sections 3.1 and A.2.2.
///
/// At step i, c_i is read from `memory` with the query s_{i-1}, and s_i = GRU(s_{i-1}; [E y_{i-1} ; c_i]). With a `second` unit the
/// decoder is conditional: s'_i = GRU_1(s_{i-1}; E y_{i-1}), c_i is read with s'_i, and s_i = GRU_2(s'_i; c_i).
///
/// Returns [s_i ; c_i], `[tgt_len, batch, n + 2n]`, or, where the alignments are wanted, [s_i ; c_i ; α_i], `[tgt_len, batch,
/// n + 2n + src_len]`; it is 0 where the target is padding.
pub fn decoder_sequence(
    teacher: Teacher,
    memory: &Memory,
    attention: &AttentionWeights,
    recurrent: &Recurrent,
    second: Option<&SecondUnit>,
) -> Tensor<3> {
    match kernel_of(&teacher.projected.device()) {
        Kernel::Fused => fused::decoder_sequence(teacher, memory, attention, recurrent, second),
        Kernel::Plain => plain::decoder_sequence(teacher, memory, attention, recurrent, second),
    }
}

/// The readout's hidden layer of maxout units t_i, section A.2.2: `[rows, l]`.
///
/// `seen` is [s_i ; c_i], `[rows, n + 2n]`; `embedded` is E y_{i-1} of the same rows, `[rows, m]`.
pub fn readout(seen: Tensor<2>, embedded: Tensor<2>, weights: &ReadoutWeights) -> Tensor<2> {
    match kernel_of(&seen.device()) {
        Kernel::Fused => fused::readout(seen, embedded, weights),
        Kernel::Plain => plain::readout(seen, embedded, weights),
    }
}

/// What the output layer is to say of the real target tokens, and how far from it counts.
#[derive(Clone, Debug)]
pub struct Criterion {
    /// The word of every token, `[tokens]`.
    pub targets: Tensor<1, Int>,
    /// ε of label smoothing: the target distribution is 1 - ε at the target word, and ε shared by all words equally.
    pub smoothing: f64,
    /// What the cross-entropy of each token is multiplied by, `[tokens]`; none for 1. They have no gradient.
    pub weights: Option<Tensor<1>>,
    /// Where this is not 0, tokens are twins by twos: predictions p and q of the same word, with dropout of their own. So many times
    /// ½ KL(p ‖ q) + ½ KL(q ‖ p) is added for each two (R-Drop, Liang et al. 2021). There are no weights then.
    pub consistency: f64,
}

/// The loss of the output layer, in nats, summed over tokens: `[1]`. It is the cross-entropy, and what keeps twins together.
///
/// `readout` is t_i of every real target token, `[tokens, l]`; `weight` is W_o, `[l, vocabulary]`.
pub fn output_loss(readout: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, criterion: Criterion) -> Tensor<1> {
    match kernel_of(&readout.device()) {
        Kernel::Fused => fused::output_loss(readout, weight, bias, criterion),
        Kernel::Plain => plain::output_loss(readout, weight, bias, criterion),
    }
}
