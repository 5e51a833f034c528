//! Every kind in a case worked by hand. Most look at h_1 = [1, 0] and h_2 = [0, 2] with energies ln 3 and 0, so that α = [¾, ¼] and
//! c = ¾ [1, 0] + ¼ [0, 2] = [¾, ½]; a third position is padding, and as loud as can be.

use burn::module::Param;

use super::*;

const THREE_TO_ONE: [f32; 3] = [0.75, 0.25, 0.0];
const CONTEXT: [f32; 2] = [0.75, 0.5];
const LN_3: f32 = 1.098_612_3;

/// tanh(1).
const TANH_1: f32 = 0.761_594_2;

fn matrix<const R: usize, const C: usize>(rows: [[f32; C]; R]) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_floats(rows, &Device::flex()))
}

fn vector<const N: usize>(values: [f32; N]) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::from_floats(values, &Device::flex()))
}

fn memory_of(kind: &dyn Kind, annotations: Vec<[f32; 2]>, real: usize) -> Memory {
    let src_len = annotations.len();
    let annotations = TensorData::new(annotations.concat(), [1, src_len, 2]);
    let annotations = Tensor::from_data(annotations, &Device::flex());
    let fertilities = kind.fertilities(annotations.clone());
    let (keys, values) = kind.prepare(annotations);
    let padding = Padding::new(&[real], src_len, &Device::flex());
    Memory { keys, values, fertilities, bias: padding.energy_bias(), real: padding.real().swap_dims(0, 1) }
}

fn memory(kind: &dyn Kind) -> Memory {
    memory_of(kind, vec![[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]], 2)
}

fn query(state: [f32; 2]) -> Tensor<2> {
    Tensor::from_floats([state], &Device::flex())
}

fn assert_close<const D: usize>(given: Tensor<D>, expected: &[f32]) {
    let given = given.try_into_vec_as::<f32>().unwrap();
    assert_eq!(given.len(), expected.len());
    let close = given.iter().zip(expected).all(|(given, expected)| (given - expected).abs() < 1e-6);
    assert!(close, "{given:?} instead of {expected:?}");
}

/// That a kind gives these weights and this context.
fn assert_looks(kind: &dyn Kind, state: [f32; 2], alignment: &[f32], context: &[f32]) {
    let attended = kind.attend(query(state), &memory(kind), &Past::default(), None);
    assert_close(attended.alignment, alignment);
    assert_close(attended.context, context);
}

/// tanh(½ + ½) = tanh 1 at h_1 and tanh(½ - ½) = 0 at h_2, times v = ln 3 / tanh 1.
fn additive() -> Additive {
    Additive {
        query_weight: matrix([[1.0], [0.0]]),
        key_weight: matrix([[0.5], [-0.25]]),
        energy_weight: vector([LN_3 / TANH_1]),
    }
}

/// With W s + b = ¼ + ¼, and v/‖v‖ = [0.6, 0.8], of which the second unit, at 0, has no part.
fn normed() -> Normed {
    Normed {
        query_weight: matrix([[0.5, 0.0], [0.0, 0.0]]),
        key_weight: matrix([[0.5, 0.0], [-0.25, 0.0]]),
        bias: vector([0.25, 0.0]),
        direction: matrix([[3.0], [4.0]]),
        scale: vector([LN_3 / (0.6 * TANH_1)]),
    }
}

/// s W = [s_2, 0], so that h_1 has the energy s_2, and h_2 has 0.
fn general() -> General {
    General { query_weight: matrix([[0.0, 0.0], [1.0, 0.0]]) }
}

#[test]
fn additive_scores() {
    assert_looks(&additive(), [0.5, 7.0], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn normed_scores() {
    assert_looks(&normed(), [0.5, 7.0], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn products() {
    assert_looks(&Product { scaled: false }, [LN_3, 0.0], &THREE_TO_ONE, &CONTEXT);
    // √2 ln 3 · 1 / √2.
    assert_looks(&Product { scaled: true }, [2f32.sqrt() * LN_3, 0.0], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn general_scores() {
    assert_looks(&general(), [7.0, LN_3], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn concatenated_scores() {
    // As additive, with the rows of W_a above those of U_a.
    let weight = matrix([[1.0], [0.0], [0.5], [-0.25]]);
    assert_looks(&Concat { weight, energy_weight: vector([LN_3 / TANH_1]) }, [0.5, 7.0], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn cosines() {
    // W s = [3, 0] has the cosines 1 and 0 with h_1 and h_2; and β = ln(1 + e^{ln 2}) = ln 3, from 3 · (ln 2 - 1) / 3 + 1 = ln 2.
    let cosine = Cosine {
        query_weight: matrix([[1.0, 0.0], [0.0, 1.0]]),
        sharpness_weight: matrix([[(2f32.ln() - 1.0) / 3.0], [0.0]]),
        sharpness_bias: vector([1.0]),
    };
    assert_looks(&cosine, [3.0, 0.0], &THREE_TO_ONE, &CONTEXT);
}

#[test]
fn locations() {
    assert_looks(&Location { weight: matrix([[LN_3, 0.0, 5.0], [0.0; 3]]) }, [1.0, 0.0], &THREE_TO_ONE, &CONTEXT);
    // A table of one row: all positions have its energy.
    assert_looks(&Location { weight: matrix([[LN_3], [0.0]]) }, [1.0, 0.0], &[0.5, 0.5, 0.0], &[0.5, 1.0]);
}

#[test]
fn windows_that_go_along() {
    let local = LocalM { general: General { query_weight: matrix([[0.0; 2]; 2]) }, window: 1 };
    let memory = memory_of(&local, vec![[1.0, 1.0]; 6], 5);
    let third = 1.0 / 3.0;
    for (steps, expected) in [
        (0, [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]),
        (2, [0.0, third, third, third, 0.0, 0.0]),
        // Beyond the end it stays at the last token.
        (9, [0.0, 0.0, 0.0, 0.5, 0.5, 0.0]),
    ] {
        let past = Past { steps, ..Past::default() };
        assert_close(local.attend(query([1.0, 1.0]), &memory, &past, None).alignment, &expected);
    }
}

#[test]
fn windows_that_are_predicted() {
    // p = 4 · sigmoid(0) = 2 and σ = 2 / 2 = 1: a quarter each, times exp(-(j - 2)² / 2).
    let local = LocalP {
        general: General { query_weight: matrix([[0.0; 2]; 2]) },
        position_weight: matrix([[0.0], [0.0]]),
        position_energy: matrix([[1.0]]),
        window: 2,
    };
    let memory = memory_of(&local, vec![[1.0, 1.0]; 6], 4);
    let attended = local.attend(query([1.0, 1.0]), &memory, &Past::default(), None);
    let expected = [-2.0f32, -0.5, 0.0, -0.5].map(|exponent| 0.25 * exponent.exp());
    assert_close(attended.alignment, &[&expected[..], &[0.0, 0.0]].concat());
    // With D = 1, σ = ½: positions 1 to 3 are left, and neighbours have exp(-2) of their third.
    let near = LocalP { window: 1, ..local };
    let third = 1.0 / 3.0;
    let side = (-2f32).exp() * third;
    let attended = near.attend(query([1.0, 1.0]), &memory, &Past::default(), None);
    assert_close(attended.alignment, &[0.0, side, third, side, 0.0, 0.0]);
}

#[test]
fn single_positions() {
    let hard = Hard { additive: additive(), baseline: vector([0.0]) };
    // The most probable; the alignment that is told is the distribution.
    assert_looks(&hard, [0.5, 7.0], &THREE_TO_ONE, &[1.0, 0.0]);
    for (number, picked, context) in [
        (Some(0.7), [1.0, 0.0, 0.0], [1.0, 0.0]),
        (Some(0.8), [0.0, 1.0, 0.0], [0.0, 2.0]),
        (None, [0.0, 0.0, 0.0], CONTEXT),
    ] {
        let draw = Draw::Pick(vec![number]);
        let attended = hard.attend(query([0.5, 7.0]), &memory(&hard), &Past::default(), Some(&draw));
        assert_close(attended.alignment, &THREE_TO_ONE);
        assert_close(attended.picked.unwrap(), &picked);
        assert_close(attended.context, &context);
    }
}

#[test]
fn positions_from_left_to_right() {
    let monotonic = |offset: f32| Monotonic { normed: normed(), offset: vector([offset]) };
    let look = |offset: f32, before: Option<[f32; 3]>, noise: Option<[f32; 3]>| {
        let kind = monotonic(offset);
        let row = |values: [f32; 3]| Tensor::<2>::from_floats([values], &Device::flex());
        let past = Past { alignment: before.map(row), ..Past::default() };
        let draw = noise.map(|noise| Draw::Noise(row(noise)));
        kind.attend(query([0.5, 7.0]), &memory(&kind), &past, draw.as_ref())
    };
    // Energies 0 and -ln 3, p = [½, ¼]: the second position is taken if the first is not, ½ · ¼.
    let first = look(-LN_3, None, Some([0.0; 3]));
    assert_close(first.alignment, &[0.5, 0.125, 0.0]);
    assert_close(first.context, &[0.5, 0.25]);
    // With noise, p = [½, ¾].
    assert_close(look(-LN_3, None, Some([0.0, 2.0 * LN_3, 9.0])).alignment, &[0.5, 0.375, 0.0]);
    // From there with p = [½, ¼] again: ½ · ½, and ¼ (⅜ + ½ · ½).
    assert_close(look(-LN_3, Some([0.5, 0.375, 0.0]), Some([0.0; 3])).alignment, &[0.25, 0.156_25, 0.0]);
    // Hard: energies ½ + ln 3 and ½, then -½ at the second.
    assert_close(look(0.5, None, None).alignment, &[1.0, 0.0, 0.0]);
    assert_close(look(0.5, Some([0.0, 1.0, 0.0]), None).alignment, &[0.0, 1.0, 0.0]);
    let none = look(-0.5, Some([0.0, 1.0, 0.0]), None);
    assert_close(none.alignment, &[0.0; 3]);
    assert_close(none.context, &[0.0; 2]);
    // Once nothing was taken, nothing is.
    assert_close(look(0.5, Some([0.0; 3]), None).alignment, &[0.0; 3]);
}

#[test]
fn several_heads() {
    // Keys [1, 0] and [0, 1], one number a head: the first head prefers h_1 three to one, the second one h_2. They read ¾ · 1 of the
    // first feature and ¾ · 2 of the second, which W_o swaps.
    let heads = Heads {
        query_weight: matrix([[1.0, 0.0], [0.0, 1.0]]),
        key_weight: matrix([[1.0, 0.0], [0.0, 0.5]]),
        value_weight: matrix([[1.0, 0.0], [0.0, 1.0]]),
        output_weight: matrix([[0.0, 1.0], [1.0, 0.0]]),
        heads: 2,
    };
    assert_looks(&heads, [LN_3, LN_3], &[0.5, 0.5, 0.0], &[1.5, 0.75]);
}

#[test]
fn several_hops() {
    let hops = |hops: usize| Hops { additive: additive(), context_weight: Some(matrix([[0.0], [-1.0]])), hops };
    assert_looks(&hops(1), [0.5, 7.0], &THREE_TO_ONE, &CONTEXT);
    // The second asks with ½ + ¾ · 0 - ½ · 1 = 0: energies ± ln 3 tanh ½ / tanh 1.
    let odds = 3f32.powf(2.0 * 0.5f32.tanh() / TANH_1);
    let (first, second) = (odds / (1.0 + odds), 1.0 / (1.0 + odds));
    assert_looks(&hops(2), [0.5, 7.0], &[first, second, 0.0], &[first, 2.0 * second]);
}

#[test]
fn covered_words() {
    // Φ_1 = 2 σ(ln 3) = 1½ and Φ_2 = 2 σ(0) = 1.
    let kind = Coverage {
        additive: additive(),
        coverage_weight: matrix([[-2.0]]),
        fertility_weight: matrix([[LN_3], [0.0]]),
        max_fertility: 2.0,
    };
    let memory = memory(&kind);
    assert_close(memory.fertilities.clone().unwrap().slice([0..1, 0..2]), &[1.5, 1.0]);
    let look = |past: &Past| {
        let attended = kind.attend(query([0.5, 7.0]), &memory, past, None);
        let past = past.after(Some(attended.alignment.clone()));
        (attended, past)
    };
    let (first, past) = look(&Past::default());
    assert_close(first.alignment, &THREE_TO_ONE);
    // C = [¾ / 1½, ¼ / 1] = [½, ¼]: v tanh(1 - 2 · ½) = 0 and v tanh(0 - 2 · ¼).
    let odds = 3f32.powf(0.5f32.tanh() / TANH_1);
    let weights = [odds / (1.0 + odds), 1.0 / (1.0 + odds), 0.0];
    let (second, past) = look(&past);
    assert_close(second.alignment, &weights);
    assert_close(second.context, &[weights[0], 2.0 * weights[1]]);
    let looked = [0.75 + weights[0], 0.25 + weights[1]];
    let [one, two] = [1.0 - 2.0 * looked[0] / 1.5, -2.0 * looked[1]].map(|x| (LN_3 / TANH_1 * x.tanh()).exp());
    let (third, _) = look(&past);
    assert_close(third.alignment, &[one / (one + two), two / (one + two), 0.0]);
}

#[test]
fn sparse_weights() {
    // Of 1, ½, -1 two are in the support: 1 + 2 · ½ > 1½, but 1 - 3 < ½. So τ = (1½ - 1) / 2.
    let energies = Tensor::<2>::from_floats([[0.5, -1.0, 1.0], [3.0, 0.0, 1.9]], &Device::flex());
    assert_close(sparsemax::sparsemax(energies), &[0.25, 0.0, 0.75, 1.0, 0.0, 0.0]);
    // Energies ln 3 and 0: 1 + 0 < ln 3, and the first has all.
    assert_looks(&Sparsemax { additive: additive() }, [0.5, 7.0], &[1.0, 0.0, 0.0], &[1.0, 0.0]);
    let half = Additive { energy_weight: vector([0.5 * LN_3 / TANH_1]), ..additive() };
    let second = (1.0 - 0.5 * LN_3) / 2.0;
    assert_looks(
        &Sparsemax { additive: half },
        [0.5, 7.0],
        &[1.0 - second, second, 0.0],
        &[1.0 - second, 2.0 * second],
    );
}
