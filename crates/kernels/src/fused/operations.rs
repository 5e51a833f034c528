//! The fused operations as an extension of Burn's backends.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, NdArray, backend_extension};
use rnnsearch_numeric::decoder::{Decoder, DecoderTape, SecondUnit};
use rnnsearch_numeric::gru::{Gru, GruTape};
use rnnsearch_numeric::linear::{Linear, Readout, ReadoutTape};
use rnnsearch_numeric::norm::{Normalization, NormalizationTape};
use rnnsearch_numeric::output::Output;
use rnnsearch_numeric::{Memory, Reset};

use super::backward::{
    DecoderBackward, DecoderKept, GruBackward, GruKept, LinearBackward, LossBackward, NormalizationBackward,
    NormalizationKept, ReadoutBackward, ReadoutKept,
};
use super::host::{Host, size};
use crate::profile::{Operation, timed};

/// What a recurrence over a sequence takes beside tensors.
#[derive(Clone, Debug)]
pub(crate) struct GruForm {
    /// The words of each sentence, where some have padding.
    pub lengths: Option<Vec<usize>>,
    /// What multiplies the states in the recurrent products, `[len or 1, batch, n]`.
    pub dropout: Option<Vec<f32>>,
    pub reset: Reset,
    pub reversed: bool,
    /// Whether there is a gain, and products are normalised.
    pub normalizes: bool,
}

/// What a decoder takes beside tensors.
#[derive(Clone, Debug)]
pub(crate) struct DecoderForm {
    /// The words of each target, where some have padding.
    pub lengths: Option<Vec<usize>>,
    /// What multiplies the states in the recurrent products, `[tgt_len or 1, batch, n]`.
    pub dropout: Option<Vec<f32>>,
    pub reset: Reset,
    /// Whether there is a second unit, which takes the context.
    pub conditional: bool,
    /// Whether there are gains, and products are normalised.
    pub normalizes: bool,
    /// Whether the alignments stand beside states and contexts in the output.
    pub alignments: bool,
}

/// What the output layer's loss takes beside tensors.
#[derive(Clone, Debug)]
pub(crate) struct LossForm {
    pub targets: Vec<usize>,
    pub smoothing: f32,
    pub weights: Option<Vec<f32>>,
    pub consistency: f32,
}

/// The operations, on primitives of a backend; shapes are those of the crate's functions of the same names.
#[backend_extension(Flex, NdArray, Autodiff)]
pub(crate) trait FusedOperations: Backend {
    /// See [`crate::gru_sequence`]; `bias` is zeros where there is none, and `gain` is not looked at.
    fn fused_gru(
        projected: FloatTensor<Self>,
        initial: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        form: GruForm,
    ) -> FloatTensor<Self>;

    /// See [`crate::normalize`].
    fn fused_normalization(
        products: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`crate::decoder_sequence`]; `bias` and `second_bias` are zeros where there is none; `gains` are those of the first unit, of the
    /// context's product and of the second unit, one after another.
    #[allow(clippy::too_many_arguments, reason = "the extension's macro takes tensors one by one")]
    fn fused_decoder(
        projected: FloatTensor<Self>,
        initial: FloatTensor<Self>,
        annotations: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        energy_bias: FloatTensor<Self>,
        query: FloatTensor<Self>,
        energy: FloatTensor<Self>,
        context: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        second_input_bias: FloatTensor<Self>,
        second_weight: FloatTensor<Self>,
        second_bias: FloatTensor<Self>,
        gains: FloatTensor<Self>,
        form: DecoderForm,
    ) -> FloatTensor<Self>;

    /// See [`crate::linear`]; `bias` is zeros where there is none.
    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        has_bias: bool,
    ) -> FloatTensor<Self>;

    /// See [`crate::readout`].
    fn fused_readout(
        seen: FloatTensor<Self>,
        embedded: FloatTensor<Self>,
        state_weight: FloatTensor<Self>,
        context_weight: FloatTensor<Self>,
        embedding_weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`crate::output_loss`].
    fn fused_loss(
        readout: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        form: LossForm,
    ) -> FloatTensor<Self>;
}

/// The tensors of a recurrence that both passes read, contiguous.
#[derive(Clone, Debug)]
pub(crate) struct GruTensors<B: Host> {
    pub len: usize,
    pub initial: FloatTensor<B>,
    pub weight: FloatTensor<B>,
    pub bias: FloatTensor<B>,
    pub gain: FloatTensor<B>,
    pub form: GruForm,
}

impl<B: Host> GruTensors<B> {
    /// The recurrence on slices.
    pub(crate) fn numeric(&self) -> Gru<'_> {
        Gru {
            n: size(&self.initial, 1),
            batch: size(&self.initial, 0),
            len: self.len,
            initial: B::slice(&self.initial),
            weight: B::slice(&self.weight),
            bias: (self.form.reset == Reset::After).then(|| B::slice(&self.bias)),
            gain: self.form.normalizes.then(|| B::slice(&self.gain)),
            reset: self.form.reset,
            lengths: self.form.lengths.as_deref(),
            dropout: self.form.dropout.as_deref(),
            reversed: self.form.reversed,
        }
    }

    fn forward(&self, projected: FloatTensor<B>) -> (FloatTensor<B>, GruTape) {
        let gru = self.numeric();
        let (states, tape) = timed(Operation::GruForward, || gru.forward(B::into_vec(projected)));
        (B::tensor(states, &[gru.len, gru.batch, gru.n]), tape)
    }
}

/// The tensors of a decoder that both passes read, contiguous.
#[derive(Clone, Debug)]
pub(crate) struct DecoderTensors<B: Host> {
    pub initial: FloatTensor<B>,
    pub annotations: FloatTensor<B>,
    pub keys: FloatTensor<B>,
    pub energy_bias: FloatTensor<B>,
    pub query: FloatTensor<B>,
    pub energy: FloatTensor<B>,
    pub context: FloatTensor<B>,
    pub weight: FloatTensor<B>,
    pub bias: FloatTensor<B>,
    pub second_input_bias: FloatTensor<B>,
    pub second_weight: FloatTensor<B>,
    pub second_bias: FloatTensor<B>,
    pub gains: FloatTensor<B>,
    pub form: DecoderForm,
}

impl<B: Host> DecoderTensors<B> {
    /// The decoder on slices.
    pub(crate) fn numeric(&self) -> Decoder<'_> {
        Decoder {
            n: size(&self.initial, 1),
            batch: size(&self.initial, 0),
            initial: B::slice(&self.initial),
            dropout: self.form.dropout.as_deref(),
            lengths: self.form.lengths.as_deref(),
            memory: Memory {
                src_len: size(&self.keys, 1),
                annotation: size(&self.annotations, 2),
                attention: size(&self.keys, 2),
                annotations: B::slice(&self.annotations),
                keys: B::slice(&self.keys),
                bias: B::slice(&self.energy_bias),
            },
            query: B::slice(&self.query),
            energy: B::slice(&self.energy),
            context: B::slice(&self.context),
            weight: B::slice(&self.weight),
            bias: (self.form.reset == Reset::After).then(|| B::slice(&self.bias)),
            reset: self.form.reset,
            second: self.form.conditional.then(|| SecondUnit {
                input_bias: B::slice(&self.second_input_bias),
                weight: B::slice(&self.second_weight),
                bias: (self.form.reset == Reset::After).then(|| B::slice(&self.second_bias)),
            }),
            gains: self.form.normalizes.then(|| B::slice(&self.gains)),
        }
    }

    /// What the operation gives, and what its backward pass needs: the states and contexts, and the tape.
    fn forward(&self, projected: FloatTensor<B>) -> (FloatTensor<B>, FloatTensor<B>, DecoderTape) {
        let decoder = self.numeric();
        let (len, width) = (size(&projected, 0), decoder.n + decoder.memory.annotation);
        let (outputs, tape) = timed(Operation::DecoderForward, || decoder.forward(B::into_vec(projected)));
        let both = self.form.alignments.then(|| {
            let src_len = decoder.memory.src_len;
            let both = beside(&outputs, width, &tape.alignments, src_len);
            B::tensor(both, &[len, decoder.batch, width + src_len])
        });
        let outputs = B::tensor(outputs, &[len, decoder.batch, width]);
        (both.unwrap_or_else(|| outputs.clone()), outputs, tape)
    }
}

/// Rows of two buffers side by side.
fn beside(left: &[f32], left_width: usize, right: &[f32], right_width: usize) -> Vec<f32> {
    let mut both = Vec::with_capacity(left.len() + right.len());
    for (left, right) in left.chunks_exact(left_width).zip(right.chunks_exact(right_width)) {
        both.extend_from_slice(left);
        both.extend_from_slice(right);
    }
    both
}

/// The two buffers whose rows stand side by side.
pub(crate) fn apart(both: &[f32], left_width: usize, right_width: usize) -> (Vec<f32>, Vec<f32>) {
    let rows = both.len() / (left_width + right_width);
    let (mut left, mut right) = (Vec::with_capacity(rows * left_width), Vec::with_capacity(rows * right_width));
    for row in both.chunks_exact(left_width + right_width) {
        left.extend_from_slice(&row[..left_width]);
        right.extend_from_slice(&row[left_width..]);
    }
    (left, right)
}

/// Rows that are normalised, and how the gates' sums begin; returns the sums.
fn normalize<B: Host>(
    products: FloatTensor<B>,
    gain: &FloatTensor<B>,
    bias: &FloatTensor<B>,
) -> (FloatTensor<B>, NormalizationTape) {
    let shape = [size(&products, 0), size(&products, 1)];
    let normalization = Normalization { gain: B::slice(gain) };
    let (sums, tape) = timed(Operation::Linear, || normalization.forward(B::into_vec(products), B::slice(bias)));
    (B::tensor(sums, &shape), tape)
}

/// The tensors of a linear layer that both passes read, contiguous.
#[derive(Clone, Debug)]
pub(crate) struct LinearTensors<B: Host> {
    pub x: FloatTensor<B>,
    pub weight: FloatTensor<B>,
    pub has_bias: bool,
}

impl<B: Host> LinearTensors<B> {
    /// The layer on slices.
    pub(crate) fn numeric(&self) -> Linear<'_> {
        let (x, weight) = (B::slice(&self.x), B::slice(&self.weight));
        Linear { input: size(&self.weight, 0), output: size(&self.weight, 1), x, weight }
    }

    fn forward(&self, bias: &FloatTensor<B>) -> FloatTensor<B> {
        let linear = self.numeric();
        let y = timed(Operation::Linear, || linear.forward(self.has_bias.then(|| B::slice(bias))));
        B::tensor(y, &[size(&self.x, 0), linear.output])
    }
}

/// The tensors of a readout that both passes read, contiguous.
#[derive(Clone, Debug)]
pub(crate) struct ReadoutTensors<B: Host> {
    pub seen: FloatTensor<B>,
    pub embedded: FloatTensor<B>,
    pub state_weight: FloatTensor<B>,
    pub context_weight: FloatTensor<B>,
    pub embedding_weight: FloatTensor<B>,
}

impl<B: Host> ReadoutTensors<B> {
    /// The readout on slices.
    pub(crate) fn numeric(&self) -> Readout<'_> {
        Readout {
            n: size(&self.state_weight, 0),
            m: size(&self.embedding_weight, 0),
            pieces: size(&self.state_weight, 1),
            seen: B::slice(&self.seen),
            embedded: B::slice(&self.embedded),
            state_weight: B::slice(&self.state_weight),
            context_weight: B::slice(&self.context_weight),
            embedding_weight: B::slice(&self.embedding_weight),
        }
    }

    fn forward(&self, bias: &FloatTensor<B>) -> (FloatTensor<B>, ReadoutTape) {
        let readout = self.numeric();
        let (units, tape) = timed(Operation::Linear, || readout.forward(B::slice(bias)));
        (B::tensor(units, &[size(&self.seen, 0), readout.pieces / 2]), tape)
    }
}

/// The output layer on slices of contiguous tensors.
fn output<'a, B: Host>(
    readout: &'a FloatTensor<B>,
    weight: &'a FloatTensor<B>,
    bias: &'a FloatTensor<B>,
    form: &'a LossForm,
) -> Output<'a> {
    Output {
        size: size(readout, 1),
        readout: B::slice(readout),
        weight: B::slice(weight),
        bias: B::slice(bias),
        targets: &form.targets,
        smoothing: form.smoothing,
        weights: form.weights.as_deref(),
        consistency: form.consistency,
    }
}

macro_rules! on_host {
    ($($backend:ty),*) => {$(
        impl FusedOperations for $backend {
            fn fused_gru(
                projected: FloatTensor<Self>,
                initial: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                gain: FloatTensor<Self>,
                form: GruForm,
            ) -> FloatTensor<Self> {
                let len = size(&projected, 0);
                let [initial, weight, bias, gain] = [initial, weight, bias, gain].map(Self::contiguous);
                GruTensors::<Self> { len, initial, weight, bias, gain, form }.forward(projected).0
            }

            fn fused_normalization(
                products: FloatTensor<Self>,
                gain: FloatTensor<Self>,
                bias: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                let [gain, bias] = [gain, bias].map(Self::contiguous);
                normalize::<Self>(products, &gain, &bias).0
            }

            fn fused_decoder(
                projected: FloatTensor<Self>,
                initial: FloatTensor<Self>,
                annotations: FloatTensor<Self>,
                keys: FloatTensor<Self>,
                energy_bias: FloatTensor<Self>,
                query: FloatTensor<Self>,
                energy: FloatTensor<Self>,
                context: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                second_input_bias: FloatTensor<Self>,
                second_weight: FloatTensor<Self>,
                second_bias: FloatTensor<Self>,
                gains: FloatTensor<Self>,
                form: DecoderForm,
            ) -> FloatTensor<Self> {
                let [initial, annotations, keys, energy_bias, query, energy, context, weight, bias, second_input_bias, second_weight, second_bias, gains] =
                    [initial, annotations, keys, energy_bias, query, energy, context, weight, bias, second_input_bias, second_weight, second_bias, gains].map(Self::contiguous);
                DecoderTensors::<Self> {
                    initial, annotations, keys, energy_bias, query, energy, context, weight, bias, second_input_bias, second_weight, second_bias, gains, form,
                }
                .forward(projected)
                .0
            }

            fn fused_linear(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                has_bias: bool,
            ) -> FloatTensor<Self> {
                let [x, weight, bias] = [x, weight, bias].map(Self::contiguous);
                LinearTensors::<Self> { x, weight, has_bias }.forward(&bias)
            }

            fn fused_readout(
                seen: FloatTensor<Self>,
                embedded: FloatTensor<Self>,
                state_weight: FloatTensor<Self>,
                context_weight: FloatTensor<Self>,
                embedding_weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                let [seen, embedded, state_weight, context_weight, embedding_weight, bias] =
                    [seen, embedded, state_weight, context_weight, embedding_weight, bias].map(Self::contiguous);
                ReadoutTensors::<Self> { seen, embedded, state_weight, context_weight, embedding_weight }.forward(&bias).0
            }

            fn fused_loss(
                readout: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                form: LossForm,
            ) -> FloatTensor<Self> {
                let [readout, weight, bias] = [readout, weight, bias].map(Self::contiguous);
                let output = output::<Self>(&readout, &weight, &bias, &form);
                let loss = timed(Operation::Output, || output.loss());
                Self::tensor(vec![loss as f32], &[1])
            }
        }
    )*};
}

on_host!(Flex, NdArray);

impl<B: Host + FusedOperations, C: CheckpointStrategy> FusedOperations for Autodiff<B, C> {
    fn fused_gru(
        projected: FloatTensor<Self>,
        initial: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        form: GruForm,
    ) -> FloatTensor<Self> {
        let nodes = [projected.node(), initial.node(), weight.node(), bias.node(), gain.node()];
        let projected = projected.into_primitive();
        let [initial, weight, bias, gain] =
            [initial, weight, bias, gain].map(|tensor| B::contiguous(tensor.into_primitive()));
        let tensors = GruTensors::<B> { len: size(&projected, 0), initial, weight, bias, gain, form };
        let (states, tape) = tensors.forward(projected);
        match GruBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish(GruKept { tensors, states: states.clone(), tape: Arc::new(tape) }, states)
            }
            OpsKind::UnTracked(prep) => prep.finish(states),
        }
    }

    fn fused_normalization(
        products: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [products.node(), gain.node(), bias.node()];
        let [gain, bias] = [gain, bias].map(|tensor| B::contiguous(tensor.into_primitive()));
        let (sums, tape) = normalize::<B>(products.into_primitive(), &gain, &bias);
        match NormalizationBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(NormalizationKept { gain, tape: Arc::new(tape) }, sums),
            OpsKind::UnTracked(prep) => prep.finish(sums),
        }
    }

    fn fused_decoder(
        projected: FloatTensor<Self>,
        initial: FloatTensor<Self>,
        annotations: FloatTensor<Self>,
        keys: FloatTensor<Self>,
        energy_bias: FloatTensor<Self>,
        query: FloatTensor<Self>,
        energy: FloatTensor<Self>,
        context: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        second_input_bias: FloatTensor<Self>,
        second_weight: FloatTensor<Self>,
        second_bias: FloatTensor<Self>,
        gains: FloatTensor<Self>,
        form: DecoderForm,
    ) -> FloatTensor<Self> {
        let tracked = [
            &projected,
            &initial,
            &annotations,
            &keys,
            &query,
            &energy,
            &context,
            &weight,
            &bias,
            &second_input_bias,
            &second_weight,
            &second_bias,
            &gains,
        ];
        let nodes = tracked.map(|tensor| tensor.node());
        let projected = projected.into_primitive();
        let [
            initial,
            annotations,
            keys,
            energy_bias,
            query,
            energy,
            context,
            weight,
            bias,
            second_input_bias,
            second_weight,
            second_bias,
            gains,
        ] = [
            initial,
            annotations,
            keys,
            energy_bias,
            query,
            energy,
            context,
            weight,
            bias,
            second_input_bias,
            second_weight,
            second_bias,
            gains,
        ]
        .map(|tensor| B::contiguous(tensor.into_primitive()));
        let tensors = DecoderTensors::<B> {
            initial,
            annotations,
            keys,
            energy_bias,
            query,
            energy,
            context,
            weight,
            bias,
            second_input_bias,
            second_weight,
            second_bias,
            gains,
            form,
        };
        let (given, outputs, tape) = tensors.forward(projected);
        match DecoderBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(DecoderKept { tensors, outputs, tape: Arc::new(tape) }, given),
            OpsKind::UnTracked(prep) => prep.finish(given),
        }
    }

    fn fused_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        has_bias: bool,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| B::contiguous(tensor.into_primitive()));
        let tensors = LinearTensors::<B> { x, weight, has_bias };
        let y = tensors.forward(&bias);
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(tensors, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn fused_readout(
        seen: FloatTensor<Self>,
        embedded: FloatTensor<Self>,
        state_weight: FloatTensor<Self>,
        context_weight: FloatTensor<Self>,
        embedding_weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let tracked = [&seen, &embedded, &state_weight, &context_weight, &embedding_weight, &bias];
        let nodes = tracked.map(|tensor| tensor.node());
        let [seen, embedded, state_weight, context_weight, embedding_weight, bias] =
            [seen, embedded, state_weight, context_weight, embedding_weight, bias]
                .map(|tensor| B::contiguous(tensor.into_primitive()));
        let tensors = ReadoutTensors::<B> { seen, embedded, state_weight, context_weight, embedding_weight };
        let (units, tape) = tensors.forward(&bias);
        match ReadoutBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(ReadoutKept { tensors, tape: Arc::new(tape) }, units),
            OpsKind::UnTracked(prep) => prep.finish(units),
        }
    }

    fn fused_loss(
        readout: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        form: LossForm,
    ) -> FloatTensor<Self> {
        let nodes = [readout.node(), weight.node(), bias.node()];
        let [readout, weight, bias] = [readout, weight, bias].map(|tensor| B::contiguous(tensor.into_primitive()));
        let output = output::<B>(&readout, &weight, &bias, &form);
        match LossBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (loss, gradients) = timed(Operation::Output, || output.loss_and_gradients());
                let vocabulary = size(&bias, 0);
                let kept = [
                    B::tensor(gradients.readout, &[size(&readout, 0), size(&readout, 1)]),
                    B::tensor(gradients.weight, &[size(&weight, 0), vocabulary]),
                    B::tensor(gradients.bias, &[vocabulary]),
                ];
                prep.finish(kept, B::tensor(vec![loss as f32], &[1]))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::tensor(vec![output.loss() as f32], &[1])),
        }
    }
}
