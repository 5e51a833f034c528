//! The backward passes, as Burn's autodiff calls them.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use rnnsearch_numeric::decoder::DecoderTape;
use rnnsearch_numeric::gru::GruTape;
use rnnsearch_numeric::linear::{ReadoutTape, sum_of_rows};
use rnnsearch_numeric::norm::{Normalization, NormalizationTape};

use super::host::{Host, size};
use super::operations::{DecoderTensors, GruTensors, LinearTensors, ReadoutTensors, apart};
use crate::profile::{Operation, timed};

/// The backward pass of a recurrence: gradients of the projections, initial state, weight, bias and gain.
#[derive(Debug)]
pub(crate) struct GruBackward;

/// What a recurrence keeps for its backward pass.
#[derive(Clone, Debug)]
pub(crate) struct GruKept<B: Host> {
    pub tensors: GruTensors<B>,
    pub states: FloatTensor<B>,
    pub tape: Arc<GruTape>,
}

impl<B: Host> Backward<B, 5> for GruBackward {
    type State = GruKept<B>;

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let d_states = B::contiguous(grads.consume::<B>(&ops.node));
        let gru = ops.state.tensors.numeric();
        let d = timed(Operation::GruBackward, || {
            gru.backward(B::slice(&ops.state.states), &ops.state.tape, B::slice(&d_states))
        });
        let (n, batch) = (gru.n, gru.batch);
        let gradients = [
            (Some(d.projected), vec![gru.len, batch, 3 * n]),
            (Some(d.initial), vec![batch, n]),
            (Some(d.weight), vec![n, 3 * n]),
            (d.bias, vec![n]),
            (d.gain, vec![3 * n]),
        ];
        register::<B, 5>(&ops, gradients, grads);
    }
}

/// The backward pass of layer normalisation: gradients of the products, the gain and the bias.
#[derive(Debug)]
pub(crate) struct NormalizationBackward;

/// What layer normalisation keeps for its backward pass.
#[derive(Clone, Debug)]
pub(crate) struct NormalizationKept<B: Host> {
    pub gain: FloatTensor<B>,
    pub tape: Arc<NormalizationTape>,
}

impl<B: Host> Backward<B, 3> for NormalizationBackward {
    type State = NormalizationKept<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let d_sums = B::contiguous(grads.consume::<B>(&ops.node));
        let normalization = Normalization { gain: B::slice(&ops.state.gain) };
        let d = timed(Operation::Linear, || normalization.backward(&ops.state.tape, B::slice(&d_sums)));
        let width = normalization.gain.len();
        let gradients = [
            (Some(d.products), vec![size(&d_sums, 0), width]),
            (Some(d.gain), vec![width]),
            (Some(d.bias), vec![width]),
        ];
        register::<B, 3>(&ops, gradients, grads);
    }
}

/// The backward pass of a decoder: gradients of the projections, initial state, annotations, keys, W_a, v_a, the context's
/// weight, the recurrent weight and bias, the second unit's input bias, recurrent weight and bias, and the gains.
#[derive(Debug)]
pub(crate) struct DecoderBackward;

/// What a decoder keeps for its backward pass.
#[derive(Clone, Debug)]
pub(crate) struct DecoderKept<B: Host> {
    pub tensors: DecoderTensors<B>,
    pub outputs: FloatTensor<B>,
    pub tape: Arc<DecoderTape>,
}

impl<B: Host> Backward<B, 13> for DecoderBackward {
    type State = DecoderKept<B>;

    fn backward(self, ops: Ops<Self::State, 13>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let d_outputs = B::contiguous(grads.consume::<B>(&ops.node));
        let decoder = ops.state.tensors.numeric();
        let (width, src_len) = (decoder.n + decoder.memory.annotation, decoder.memory.src_len);
        let d = timed(Operation::DecoderBackward, || {
            let (outputs, tape, d_outputs) = (B::slice(&ops.state.outputs), &ops.state.tape, B::slice(&d_outputs));
            if ops.state.tensors.form.alignments {
                let (d_outputs, d_alignments) = apart(d_outputs, width, src_len);
                decoder.backward(outputs, tape, &d_outputs, Some(&d_alignments))
            } else {
                decoder.backward(outputs, tape, d_outputs, None)
            }
        });
        let (n, batch, memory) = (decoder.n, decoder.batch, decoder.memory);
        let len = d.projected.len() / (batch * 3 * n);
        let gains = d.gains.as_ref().map_or(0, Vec::len);
        let (input_bias, weight, bias) =
            d.second.map_or((None, None, None), |d| (Some(d.input_bias), Some(d.weight), d.bias));
        let gradients = [
            (Some(d.projected), vec![len, batch, 3 * n]),
            (Some(d.initial), vec![batch, n]),
            (Some(d.annotations), vec![batch, memory.src_len, memory.annotation]),
            (Some(d.keys), vec![batch, memory.src_len, memory.attention]),
            (Some(d.query), vec![n, memory.attention]),
            (Some(d.energy), vec![memory.attention]),
            (Some(d.context), vec![memory.annotation, 3 * n]),
            (Some(d.weight), vec![n, 3 * n]),
            (d.bias, vec![n]),
            (input_bias, vec![3 * n]),
            (weight, vec![n, 3 * n]),
            (bias, vec![n]),
            (d.gains, vec![gains]),
        ];
        register::<B, 13>(&ops, gradients, grads);
    }
}

/// The backward pass of a linear layer: gradients of its input, weight and bias, as far as they are wanted.
#[derive(Debug)]
pub(crate) struct LinearBackward;

impl<B: Host> Backward<B, 3> for LinearBackward {
    type State = LinearTensors<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let d_y = B::contiguous(grads.consume::<B>(&ops.node));
        let (linear, d_y) = (ops.state.numeric(), B::slice(&d_y));
        let [x, weight, bias] = ops.parents.each_ref().map(Option::is_some);
        let gradients = timed(Operation::Linear, || {
            [
                (x.then(|| linear.input_gradient(d_y)), vec![linear.x.len() / linear.input, linear.input]),
                (weight.then(|| linear.weight_gradient(d_y)), vec![linear.input, linear.output]),
                ((bias && ops.state.has_bias).then(|| sum_of_rows(d_y, linear.output)), vec![linear.output]),
            ]
        });
        register::<B, 3>(&ops, gradients, grads);
    }
}

/// The backward pass of the readout: gradients of what is seen, the embedded words, the three weights and the bias.
#[derive(Debug)]
pub(crate) struct ReadoutBackward;

/// What a readout keeps for its backward pass.
#[derive(Clone, Debug)]
pub(crate) struct ReadoutKept<B: Host> {
    pub tensors: ReadoutTensors<B>,
    pub tape: Arc<ReadoutTape>,
}

impl<B: Host> Backward<B, 6> for ReadoutBackward {
    type State = ReadoutKept<B>;

    fn backward(self, ops: Ops<Self::State, 6>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let d_units = B::contiguous(grads.consume::<B>(&ops.node));
        let readout = ops.state.tensors.numeric();
        let d = timed(Operation::Linear, || readout.backward(&ops.state.tape, B::slice(&d_units)));
        let rows = readout.embedded.len() / readout.m;
        let width = readout.seen.len() / rows;
        let gradients = [
            (Some(d.seen), vec![rows, width]),
            (Some(d.embedded), vec![rows, readout.m]),
            (Some(d.state_weight), vec![readout.n, readout.pieces]),
            (Some(d.context_weight), vec![width - readout.n, readout.pieces]),
            (Some(d.embedding_weight), vec![readout.m, readout.pieces]),
            (Some(d.bias), vec![readout.pieces]),
        ];
        register::<B, 6>(&ops, gradients, grads);
    }
}

/// The backward pass of the loss: the forward pass has the gradients of readout, weight and bias ready, here they are scaled.
#[derive(Debug)]
pub(crate) struct LossBackward;

impl<B: Host> Backward<B, 3> for LossBackward {
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let scale = B::slice(&B::contiguous(grads.consume::<B>(&ops.node)))[0];
        for (parent, gradient) in ops.parents.into_iter().zip(ops.state) {
            if let Some(parent) = parent {
                let shape = gradient.shape();
                let mut elements = B::into_vec(gradient);
                timed(Operation::Output, || rnnsearch_numeric::scale(&mut elements, scale));
                grads.register::<B>(parent.id, B::tensor(elements, &shape));
            }
        }
    }
}

/// Hands the gradients to those inputs that track them.
fn register<B: Host, const N: usize>(
    ops: &Ops<impl Clone + Send + std::fmt::Debug + 'static, N>,
    gradients: [(Option<Vec<f32>>, Vec<usize>); N],
    grads: &mut Gradients,
) {
    for (parent, (gradient, shape)) in ops.parents.iter().zip(gradients) {
        if let (Some(parent), Some(gradient)) = (parent, gradient) {
            grads.register::<B>(parent.id, B::tensor(gradient, &shape));
        }
    }
}
