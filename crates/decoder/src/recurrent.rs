//! The recurrent layers of the decoder.

use burn::module::{Module, Param};
use burn::prelude::*;
use rnnsearch_config::{ModelConfig, Reset};
use rnnsearch_encoder::init::Init;
use rnnsearch_encoder::{Gru, Recurrence};
use rnnsearch_kernels::{Direction, Memory, Padding, Recurrent, Teacher, decoder_sequence, gru_sequence, plain};

use crate::Attention;

/// The layer that sees the source: s_i = GRU(s_{i-1}; [E y_{i-1} ; c_i]).
///
/// The matrix of the joined input is kept in its two halves: the one of E y_{i-1} is [`Gru::input_weight`].
#[derive(Module, Debug)]
pub struct AttendingLayer {
    /// The unit, with the input matrices of E y_{i-1}.
    pub gru: Gru,
    /// [C_r | C_z | C], `[2n, 3n]`.
    pub context_weight: Param<Tensor<2>>,
}

/// What the decoder sees of a batch of sources.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a batch")]
pub enum Seen {
    /// RNNsearch: annotations to attend to.
    Memory(Memory),
    /// RNNencdec: one vector a source, `[batch, n]`.
    Fixed(Tensor<2>),
}

impl Seen {
    /// Source `index[i]` becomes source `i`.
    pub fn select(&self, index: &Tensor<1, Int>) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(Memory {
                annotations: memory.annotations.clone().select(0, index.clone()),
                keys: memory.keys.clone().select(0, index.clone()),
                bias: memory.bias.clone().select(0, index.clone()),
            }),
            Self::Fixed(context) => Self::Fixed(context.clone().select(0, index.clone())),
        }
    }

    /// With `bias`, `[batch, src_len]`, added to the energies; nothing changes without attention.
    pub fn biased(&self, bias: Tensor<2>) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(Memory { bias: memory.bias.clone() + bias, ..memory.clone() }),
            Self::Fixed(context) => Self::Fixed(context.clone()),
        }
    }

    /// The number of source positions that are attended to.
    pub fn src_len(&self) -> usize {
        match self {
            Self::Memory(memory) => memory.bias.dims()[1],
            Self::Fixed(_) => 0,
        }
    }
}

impl AttendingLayer {
    /// A layer that takes contexts of size `context`, with weights drawn by `init`.
    pub fn new(config: &ModelConfig, context: usize, init: &mut Init) -> Self {
        let n = config.decoder_hidden;
        Self { gru: Gru::new(config.embedding, n, config.reset, init), context_weight: init.gates(context, n) }
    }

    /// Runs over known previous words: `embedded` is E y_{i-1}, `[tgt_len, batch, m]`, and `initial` is s_0.
    ///
    /// Returns [s_i ; c_i], `[tgt_len, batch, n + 2n]`, and, where `alignments` are wanted and there is attention, α_i, `[tgt_len,
    /// batch, src_len]`; what they are at padding means nothing.
    #[allow(clippy::too_many_arguments, reason = "they are what a decoder reads")]
    pub fn forward(
        &self,
        embedded: Tensor<3>,
        initial: Tensor<2>,
        dropout: Option<Tensor<3>>,
        padding: &Padding,
        (seen, attention): (&Seen, Option<&Attention>),
        reset: Reset,
        alignments: bool,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let [tgt_len, batch, _] = embedded.dims();
        let recurrent = self.gru.recurrent(reset);
        let projected = self.gru.project(embedded);
        match (seen, attention) {
            (Seen::Memory(memory), Some(attention)) => {
                let teacher = Teacher { projected, initial, dropout, padding: padding.clone(), alignments };
                let outputs =
                    decoder_sequence(teacher, memory, &attention.weights(&self.context_weight), &recurrent, None);
                if !alignments {
                    return (outputs, None);
                }
                let [_, _, width] = outputs.dims();
                let joined = width - seen.src_len();
                let columns = |from: usize, to: usize| outputs.clone().slice([0..tgt_len, 0..batch, from..to]);
                (columns(0, joined), Some(columns(joined, width)))
            }
            (Seen::Fixed(context), _) => {
                let taken = context.clone().matmul(self.context_weight.val()).unsqueeze_dim::<3>(0);
                let (projected, padding) = (projected + taken, Some(padding));
                let states = gru_sequence(projected, padding, initial, &recurrent, dropout, Direction::Forward);
                let [_, size] = context.dims();
                let contexts = context.clone().unsqueeze_dim::<3>(0).expand([tgt_len, batch, size]);
                (Tensor::cat(vec![states, contexts], 2), None)
            }
            (Seen::Memory(_), None) => unreachable!("a model without attention prepares no memory"),
        }
    }

    /// One step from s_{i-1}, `[rows, n]`, with E y_{i-1}, `[rows, m]`: s_i, c_i and, where there is attention, α_i.
    pub fn step(
        &self,
        embedded: Tensor<2>,
        state: Tensor<2>,
        seen: &Seen,
        attention: Option<&Attention>,
        reset: Reset,
    ) -> (Tensor<2>, Tensor<2>, Option<Tensor<2>>) {
        let (context, alignment) = match (seen, attention) {
            (Seen::Memory(memory), Some(attention)) => {
                let (context, alignment) =
                    plain::attend(state.clone(), memory, &attention.weights(&self.context_weight));
                (context, Some(alignment))
            }
            (Seen::Fixed(context), _) => (context.clone(), None),
            (Seen::Memory(_), None) => unreachable!("a model without attention prepares no memory"),
        };
        let taken = context.clone().matmul(self.context_weight.val());
        (gru_step(&self.gru, embedded, Some(taken), state, &self.gru.recurrent(reset)), context, alignment)
    }
}

/// A layer above the first: it reads the states of the layer below.
pub fn upper_sequence(
    gru: &Gru,
    below: Tensor<3>,
    initial: Tensor<2>,
    dropout: Option<Tensor<3>>,
    padding: &Padding,
    reset: Reset,
) -> Tensor<3> {
    let recurrence = Recurrence { padding: Some(padding), reset, direction: Direction::Forward };
    gru.forward(below, initial, dropout, &recurrence)
}

/// One step of a layer above the first.
pub fn upper_step(gru: &Gru, below: Tensor<2>, state: Tensor<2>, reset: Reset) -> Tensor<2> {
    gru_step(gru, below, None, state, &gru.recurrent(reset))
}

fn gru_step(
    gru: &Gru,
    input: Tensor<2>,
    taken: Option<Tensor<2>>,
    state: Tensor<2>,
    recurrent: &Recurrent,
) -> Tensor<2> {
    let projected = input.matmul(gru.input_weight.val()) + gru.input_bias.val().unsqueeze();
    let projected = match taken {
        Some(taken) => projected + taken,
        None => projected,
    };
    plain::gru_step(projected, state, recurrent, None)
}
