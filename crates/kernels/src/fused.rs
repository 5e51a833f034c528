//! The fused kernels: the operations on `flex` and `ndarray`, with backward passes written by hand.
//!
//! The numbers come from the `numeric` crate; here they are made operations of Burn, with gradients. They mean what the
//! [`plain`](crate::plain) definitions mean.

#![allow(deprecated, reason = "ndarray stays selectable beside flex, which Burn prefers")]

mod backward;
pub(crate) mod host;
mod operations;

use std::fmt;

use burn::backend::{Dispatch, DispatchDevice};
use burn::prelude::*;
use burn::tensor::FloatDType;

use crate::{
    AttentionWeights, Criterion, Direction, Memory, Padding, Precision, ReadoutWeights, Recurrent, Reset, SecondUnit,
    Teacher,
};
use operations::{DecoderForm, FusedOperations, GruForm, LossForm};

/// What computes the recurrent operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Tensor operations, one after another.
    Plain,
    /// One pass forward and one backward, written by hand.
    Fused,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("plain tensor operations"),
            Self::Fused => {
                let has_tiles = rnnsearch_numeric::product::is_available(Precision::Bfloat16);
                let tiles = if has_tiles { ", AMX" } else { "" };
                write!(f, "fused kernels ({}{tiles})", rnnsearch_numeric::Instructions::available())
            }
        }
    }
}

/// Which kernel serves on a device: the fused one on the CPU backends in 32-bit floats, the plain definition elsewhere.
pub fn kernel_of(device: &Device) -> Kernel {
    let bare = device.clone().without_autodiff();
    let on_cpu = matches!(bare.as_dispatch(), DispatchDevice::Flex(_) | DispatchDevice::NdArray(_));
    if on_cpu && bare.settings().float_dtype == FloatDType::F32 { Kernel::Fused } else { Kernel::Plain }
}

/// What the products on a device are made in [`with_precision`](crate::with_precision): what is asked for, or what
/// [`Precision::Auto`] comes to; none if the device has no such products.
pub fn precision_on(device: &Device, precision: Precision) -> Option<Precision> {
    use rnnsearch_numeric::product::{is_available, resolved};
    match kernel_of(device) {
        Kernel::Fused => is_available(precision).then(|| resolved(precision)),
        Kernel::Plain => matches!(precision, Precision::Auto | Precision::Float32).then_some(Precision::Float32),
    }
}

/// See [`crate::gru_sequence`].
pub(crate) fn gru_sequence(
    projected: Tensor<3>,
    padding: Option<&Padding>,
    initial: Tensor<2>,
    recurrent: &Recurrent,
    dropout: Option<Tensor<3>>,
    direction: Direction,
) -> Tensor<3> {
    let lengths = padding.and_then(lengths_of);
    let reversed = direction == Direction::Backward;
    let normalizes = recurrent.gain.is_some();
    let form = GruForm { lengths, dropout: dropout.map(on_host), reset: recurrent.reset, reversed, normalizes };
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_gru(
        projected.into_dispatch(),
        initial.into_dispatch(),
        recurrent.weight.clone().into_dispatch(),
        bias_of(recurrent).into_dispatch(),
        gains_of(&[&recurrent.gain], &recurrent.weight.device()).into_dispatch(),
        form,
    ))
}

/// See [`crate::normalize`].
pub(crate) fn normalize(products: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_normalization(
        products.into_dispatch(),
        gain.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// See [`crate::decoder_sequence`].
pub(crate) fn decoder_sequence(
    teacher: Teacher,
    memory: &Memory,
    attention: &AttentionWeights,
    recurrent: &Recurrent,
    second: Option<&SecondUnit>,
) -> Tensor<3> {
    // The operation takes the same number of tensors for both: where there is no second unit, nothing looks at its own.
    let device = recurrent.weight.device();
    let unit = second.map_or_else(|| SecondUnit::blank(&device), SecondUnit::clone);
    let gains = gains_of(&[&recurrent.gain, &attention.context_gain, &unit.recurrent.gain], &device);
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_decoder(
        teacher.projected.into_dispatch(),
        teacher.initial.into_dispatch(),
        memory.annotations.clone().into_dispatch(),
        memory.keys.clone().into_dispatch(),
        memory.bias.clone().into_dispatch(),
        attention.query.clone().into_dispatch(),
        attention.energy.clone().into_dispatch(),
        attention.context.clone().into_dispatch(),
        recurrent.weight.clone().into_dispatch(),
        bias_of(recurrent).into_dispatch(),
        unit.input_bias.into_dispatch(),
        unit.recurrent.weight.clone().into_dispatch(),
        bias_of(&unit.recurrent).into_dispatch(),
        gains.into_dispatch(),
        DecoderForm {
            conditional: second.is_some(),
            normalizes: recurrent.gain.is_some(),
            lengths: lengths_of(&teacher.padding),
            dropout: teacher.dropout.map(on_host),
            reset: recurrent.reset,
            alignments: teacher.alignments,
        },
    ))
}

/// See [`crate::linear`].
pub(crate) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let [_, output] = weight.dims();
    let has_bias = bias.is_some();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([output], &weight.device()));
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_linear(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        has_bias,
    ))
}

/// See [`crate::readout`].
pub(crate) fn readout(seen: Tensor<2>, embedded: Tensor<2>, weights: &ReadoutWeights) -> Tensor<2> {
    let weights = weights.clone();
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_readout(
        seen.into_dispatch(),
        embedded.into_dispatch(),
        weights.state.into_dispatch(),
        weights.context.into_dispatch(),
        weights.embedding.into_dispatch(),
        weights.bias.into_dispatch(),
    ))
}

/// See [`crate::output_loss`].
pub(crate) fn output_loss(readout: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, criterion: Criterion) -> Tensor<1> {
    let Criterion { targets, smoothing, weights, consistency } = criterion;
    let form = LossForm {
        targets: targets.into_data().iter::<i64>().map(|word| word as usize).collect(),
        smoothing: smoothing as f32,
        weights: weights.map(on_host),
        consistency: consistency as f32,
    };
    let (readout, weight, bias) = (readout.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as FusedOperations>::fused_loss(readout, weight, bias, form))
}

impl SecondUnit {
    /// Stands for none.
    fn blank(device: &Device) -> Self {
        let weight = Tensor::zeros([1, 3], device);
        Self {
            input_bias: Tensor::zeros([3], device),
            recurrent: Recurrent { weight, bias: None, gain: None, reset: Reset::Before },
        }
    }
}

/// The lengths of a batch, where some sentence has padding.
fn lengths_of(padding: &Padding) -> Option<Vec<usize>> {
    (!padding.is_full()).then(|| padding.lengths().to_vec())
}

/// The elements of a mask or of weights: they have no gradient.
fn on_host<const D: usize>(constant: Tensor<D>) -> Vec<f32> {
    constant.into_data().try_into_vec().expect("a tensor of 32-bit floats")
}

/// b_u, or a tensor that stands for none: the operations take the same number of tensors for both.
fn bias_of(recurrent: &Recurrent) -> Tensor<1> {
    let n = recurrent.weight.dims()[0];
    match (&recurrent.bias, recurrent.reset) {
        (Some(bias), Reset::After) => bias.clone(),
        _ => Tensor::zeros([n], &recurrent.weight.device()),
    }
}

/// The gains that there are, one after another, or a tensor that stands for none.
fn gains_of(gains: &[&Option<Tensor<1>>], device: &Device) -> Tensor<1> {
    let gains: Vec<Tensor<1>> = gains.iter().filter_map(|gain| (*gain).clone()).collect();
    if gains.is_empty() { Tensor::zeros([1], device) } else { Tensor::cat(gains, 0) }
}
