//! The plain definitions: recurrent operations as tensor operations, for every backend.
//!
//! They are what the fused kernels are tested against, and what serves wherever no fused kernel does. Sequences are
//! time-major, `[len, batch, features]`; gates stand in the order reset, update, candidate.

use burn::prelude::*;
use burn::tensor::activation::{log_softmax, sigmoid, softmax};

use crate::{
    AttentionWeights, Criterion, Direction, EPSILON, Memory, Padding, ReadoutWeights, Recurrent, Reset, SecondUnit,
    Teacher,
};

/// One step of a gated recurrent unit, appendix A.1.1.
///
/// `projected` is W x + b for the three gates, `[batch, 3n]`; `state` is h, `[batch, n]`; `dropout` multiplies the state
/// where it enters the recurrent products, `[batch, n]`. Returns h', `[batch, n]`.
pub fn gru_step(
    projected: Tensor<2>,
    state: Tensor<2>,
    recurrent: &Recurrent,
    dropout: Option<Tensor<2>>,
) -> Tensor<2> {
    let [batch, n] = state.dims();
    let dropped = match dropout {
        Some(mask) => state.clone() * mask,
        None => state.clone(),
    };
    let gates = 2 * n;
    let weight = |from: usize, to: usize| recurrent.weight.clone().slice([0..n, from..to]);
    let normalized = |product: Tensor<2>, from: usize, to: usize| match &recurrent.gain {
        Some(gain) => normalize_part(product, gain.clone().narrow(0, from, to - from)),
        None => product,
    };
    let input = |from: usize, to: usize| projected.clone().slice([0..batch, from..to]);
    let (reset_update, candidate) = match recurrent.reset {
        Reset::Before => {
            let product = dropped.clone().matmul(weight(0, gates));
            let gate = sigmoid(input(0, gates) + normalized(product, 0, gates));
            let reset = gate.clone().slice([0..batch, 0..n]);
            (gate, normalized((reset * dropped).matmul(weight(gates, 3 * n)), gates, 3 * n))
        }
        Reset::After => {
            let product = dropped.matmul(recurrent.weight.clone());
            let gate = sigmoid(input(0, gates) + normalized(product.clone().slice([0..batch, 0..gates]), 0, gates));
            let reset = gate.clone().slice([0..batch, 0..n]);
            let product = normalized(product.slice([0..batch, gates..3 * n]), gates, 3 * n);
            let product = match &recurrent.bias {
                Some(bias) => product + bias.clone().unsqueeze(),
                None => product,
            };
            (gate, reset * product)
        }
    };
    let update = reset_update.slice([0..batch, n..gates]);
    let candidate = (input(gates, 3 * n) + candidate).tanh();
    state.clone() + update * (candidate - state)
}

/// Layer normalisation, as [`crate::normalize`] but without a bias.
pub fn normalize(products: Tensor<2>, gain: Tensor<1>) -> Tensor<2> {
    let [rows, width] = products.dims();
    let gates = width / 3 * 2;
    let part = |from: usize, to: usize| {
        normalize_part(products.clone().slice([0..rows, from..to]), gain.clone().narrow(0, from, to - from))
    };
    Tensor::cat(vec![part(0, gates), part(gates, width)], 1)
}

/// g ∘ (a - mean a) / √(variance a + ε) for every row a of `[rows, size]`; g is `[size]`.
fn normalize_part(rows: Tensor<2>, gain: Tensor<1>) -> Tensor<2> {
    let centred = rows.clone() - rows.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    centred / (variance + EPSILON).sqrt() * gain.unsqueeze()
}

/// See [`crate::gru_sequence`].
pub fn gru_sequence(
    projected: Tensor<3>,
    padding: Option<&Padding>,
    initial: Tensor<2>,
    recurrent: &Recurrent,
    dropout: Option<Tensor<3>>,
    direction: Direction,
) -> Tensor<3> {
    let [len, _, _] = projected.dims();
    let real = padding.filter(|p| !p.is_full()).map(Padding::real);
    let mut state = initial;
    let mut states = Vec::with_capacity(len);
    for step in 0..len {
        let position = direction.position(step, len);
        let next = gru_step(at(&projected, position), state.clone(), recurrent, mask_at(dropout.as_ref(), step));
        state = match &real {
            Some(real) => {
                let real = real.clone().narrow(0, position, 1).swap_dims(0, 1);
                state.clone() + real * (next - state)
            }
            None => next,
        };
        states.push(state.clone());
    }
    if direction == Direction::Backward {
        states.reverse();
    }
    Tensor::stack(states, 0)
}

/// Weighs the annotations for one decoder step, sections 3.1 and A.1.2.
///
/// `state` is s_{i-1}, `[batch, n]`. Returns the context c_i, `[batch, 2n]`, and the alignment α_i, `[batch, src_len]`,
/// whose rows sum to 1 and are 0 at padding.
pub fn attend(state: Tensor<2>, memory: &Memory, weights: &AttentionWeights) -> (Tensor<2>, Tensor<2>) {
    let energies = additive_energies(state.matmul(weights.query.clone()), memory.keys.clone(), weights.energy.clone());
    let alignment = softmax(energies + memory.bias.clone(), 1);
    let context = weighted_sum(alignment.clone(), memory.annotations.clone());
    (context, alignment)
}

/// v · tanh(query + key) for the keys `[batch, src_len, n']` of each query `[batch, n']`: `[batch, src_len]`.
pub fn additive_energies(query: Tensor<2>, keys: Tensor<3>, energy: Tensor<1>) -> Tensor<2> {
    let [batch, src_len, _] = keys.dims();
    let energies = (keys + query.unsqueeze_dim::<3>(1)).tanh() * energy.unsqueeze::<3>();
    energies.sum_dim(2).reshape([batch, src_len])
}

/// Values `[batch, src_len, features]`, weighted by `[batch, src_len]` and summed: `[batch, features]`.
pub fn weighted_sum(weights: Tensor<2>, values: Tensor<3>) -> Tensor<2> {
    let [batch, _, features] = values.dims();
    weights.unsqueeze_dim::<3>(1).matmul(values).reshape([batch, features])
}

/// See [`crate::decoder_sequence`].
pub fn decoder_sequence(
    teacher: Teacher,
    memory: &Memory,
    attention: &AttentionWeights,
    recurrent: &Recurrent,
    second: Option<&SecondUnit>,
) -> Tensor<3> {
    let [tgt_len, _, _] = teacher.projected.dims();
    let mut state = teacher.initial;
    let mut steps = Vec::with_capacity(tgt_len);
    for step in 0..tgt_len {
        let (given, mask) = (at(&teacher.projected, step), mask_at(teacher.dropout.as_ref(), step));
        let (unit, beside) = match second {
            None => (recurrent, given),
            Some(second) => {
                state = gru_step(given, state, recurrent, mask.clone());
                (&second.recurrent, second.input_bias.clone().unsqueeze())
            }
        };
        let (context, alignment) = attend(state.clone(), memory, attention);
        let taken = context.clone().matmul(attention.context.clone());
        let taken = match &attention.context_gain {
            Some(gain) => normalize(taken, gain.clone()),
            None => taken,
        };
        state = gru_step(taken + beside, state, unit, mask);
        let mut output = vec![state.clone(), context];
        output.extend(teacher.alignments.then_some(alignment));
        steps.push(Tensor::cat(output, 1));
    }
    let outputs = Tensor::stack(steps, 0);
    match teacher.padding.is_full() {
        true => outputs,
        false => outputs * teacher.padding.real().unsqueeze_dim::<3>(2),
    }
}

/// See [`crate::linear`].
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let product = x.matmul(weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// See [`crate::readout`].
pub fn readout(seen: Tensor<2>, embedded: Tensor<2>, weights: &ReadoutWeights) -> Tensor<2> {
    let [rows, width] = seen.dims();
    let [n, pieces] = weights.state.dims();
    let (state, context) = (seen.clone().slice([0..rows, 0..n]), seen.slice([0..rows, n..width]));
    let sum = state.matmul(weights.state.clone())
        + context.matmul(weights.context.clone())
        + embedded.matmul(weights.embedding.clone())
        + weights.bias.clone().unsqueeze();
    sum.reshape([rows, pieces / 2, 2]).max_dim(2).reshape([rows, pieces / 2])
}

/// See [`crate::output_loss`].
pub fn output_loss(readout: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, criterion: Criterion) -> Tensor<1> {
    let Criterion { targets, smoothing, weights, consistency } = criterion;
    let [tokens, _] = readout.dims();
    let [_, vocabulary] = weight.dims();
    let log_probs = log_softmax(readout.matmul(weight) + bias.unsqueeze(), 1);
    let target = log_probs.clone().gather(1, targets.reshape([tokens, 1])).reshape([tokens]);
    let agreement = match smoothing == 0.0 {
        true => target,
        false => {
            let all = log_probs.clone().sum_dim(1).reshape([tokens]).mul_scalar(smoothing / vocabulary as f64);
            target.mul_scalar(1.0 - smoothing) + all
        }
    };
    let agreement = match weights {
        Some(weights) => agreement * weights,
        None => agreement,
    };
    let cross_entropy = agreement.sum().neg();
    match consistency == 0.0 {
        true => cross_entropy,
        false => cross_entropy + divergence(log_probs).mul_scalar(consistency),
    }
}

/// ½ Σ (p - q) (ln p - ln q) over twins, from ln p and ln q in turn, `[tokens, vocabulary]`.
fn divergence(log_probs: Tensor<2>) -> Tensor<1> {
    let [tokens, vocabulary] = log_probs.dims();
    let twins = log_probs.reshape([tokens / 2, 2, vocabulary]);
    let [p, q] = [0, 1].map(|twin| twins.clone().narrow(1, twin, 1));
    ((p.clone().exp() - q.clone().exp()) * (p - q)).sum().mul_scalar(0.5)
}

/// Position `i` of a sequence, `[batch, features]`.
pub fn at(sequence: &Tensor<3>, i: usize) -> Tensor<2> {
    let [_, batch, features] = sequence.dims();
    sequence.clone().narrow(0, i, 1).reshape([batch, features])
}

/// The dropout mask of a step: one for all steps, or one each.
pub fn mask_at(dropout: Option<&Tensor<3>>, step: usize) -> Option<Tensor<2>> {
    dropout.map(|mask| at(mask, if mask.dims()[0] == 1 { 0 } else { step }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(given: Tensor<2>, expected: &[f32]) {
        let given = given.try_into_vec_as::<f32>().unwrap();
        assert_eq!(given.len(), expected.len());
        assert!(given.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{given:?} is not {expected:?}");
    }

    /// Worked by hand. The gates' [1, 3, 5, 7] have the mean 4 and the variance 5, the candidate's [2, 6] the mean 4 and the variance 4; with ε,
    /// 1/√5.00001 is 0.4472131 and 1/√4.00001 0.4999994.
    #[test]
    fn products_are_normalized_in_two_parts() {
        let device = Device::flex();
        let product = Tensor::from_floats([[1.0, 3.0, 5.0, 7.0, 2.0, 6.0], [0.0; 6]], &device);
        let gain = Tensor::from_floats([1.0, 1.0, 2.0, 1.0, 1.0, -3.0], &device);
        let expected = [-1.3416394, -0.4472131, 0.8944263, 1.3416394, -0.9999987, -2.9999963];
        assert_close(normalize(product, gain), &[expected, [0.0; 6]].concat());
    }

    /// The same products, of h = [1, -1]; inputs are 0. Then r = σ([-1.3416394, -0.4472131]) = [0.2072406, 0.3900236] and
    /// z = [0.6099764, 0.7927594]. Reset after: h~ = tanh(r ∘ ([-1, 1] + ½)) = [-0.1032508, 0.5263152]. Reset before: U (r ∘ h) is r_1
    /// times as large, which normalising takes back but for ε: h~ = tanh([-0.9999709, 0.9999709]).
    #[test]
    fn a_step_with_layer_normalisation() {
        let device = Device::flex();
        let weight = Tensor::from_floats([[1.0, 3.0, 5.0, 7.0, 2.0, 6.0], [0.0; 6]], &device);
        for (reset, expected) in
            [(Reset::After, [0.327_043, 0.210_000_8]), (Reset::Before, [-0.074_523_5, 0.396_510_7])]
        {
            let bias = (reset == Reset::After).then(|| Tensor::full([2], 0.5, &device));
            let recurrent = Recurrent { weight: weight.clone(), bias, gain: Some(Tensor::ones([6], &device)), reset };
            let state = Tensor::from_floats([[1.0, -1.0]], &device);
            assert_close(gru_step(Tensor::zeros([1, 6], &device), state, &recurrent, None), &expected);
        }
    }
}
