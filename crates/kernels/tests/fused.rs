//! The fused kernels mean what the plain definitions mean: values and all gradients, on both CPU backends.

use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use rnnsearch_kernels::{
    AttentionWeights, Criterion, Direction, Kernel, Memory, Padding, ReadoutWeights, Recurrent, Reset, SecondUnit,
    Teacher, decoder_sequence, gru_sequence, kernel_of, linear, normalize, output_loss, plain, readout,
};

/// A stream of numbers without a pattern.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn within(&mut self, from: usize, to: usize) -> usize {
        from + ((self.next() + 1.0) / 2.0 * (to - from) as f32) as usize
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.within(0, choices.len())]
    }

    /// Elements within -scale..scale, whose gradient is wanted.
    fn tensor<const D: usize>(&mut self, shape: [usize; D], scale: f32, device: &Device) -> Tensor<D> {
        let elements: Vec<f32> = (0..shape.iter().product()).map(|_| scale * self.next()).collect();
        let tensor = Tensor::from_data(TensorData::new(elements, shape), device);
        if device.is_autodiff() { tensor.require_grad() } else { tensor }
    }

    /// A mask that drops a third.
    fn mask<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let kept = (0..shape.iter().product()).map(|_| if self.next() > -0.33 { 1.5f32 } else { 0.0 });
        Tensor::from_data(TensorData::new(kept.collect(), shape), device)
    }
}

#[allow(deprecated, reason = "ndarray stays selectable")]
fn devices() -> [(&'static str, Device); 2] {
    [("flex", Device::flex().autodiff()), ("ndarray", Device::ndarray().autodiff())]
}

fn elements<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Compares with an error relative to the largest element.
#[track_caller]
fn same(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance * largest + 1e-7, "{what}, element {i}: {found} is not {expected} (of {largest})");
    }
}

/// A tensor of any rank whose gradient is compared.
trait Leaf {
    fn gradient(&self, gradients: &Gradients) -> Option<Vec<f32>>;
}

impl<const D: usize> Leaf for Tensor<D> {
    fn gradient(&self, gradients: &Gradients) -> Option<Vec<f32>> {
        self.grad(gradients).map(elements)
    }
}

/// Compares two results and the gradients that reach `leaves` from a weighted sum of them.
#[track_caller]
fn compare<const D: usize>(case: &str, fused: Tensor<D>, plain: Tensor<D>, leaves: &[(&str, &dyn Leaf)]) {
    same(&format!("{case}: values"), &elements(fused.clone()), &elements(plain.clone()), 1e-5);
    let weights = Numbers(77).tensor(plain.dims(), 1.0, &plain.device()).detach();
    let [fused, plain] = [fused, plain].map(|result| (result * weights.clone()).sum().backward());
    for (name, leaf) in leaves {
        let [found, expected] = [&fused, &plain].map(|gradients| leaf.gradient(gradients));
        let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
        assert!(!expected.is_empty(), "{case}: no gradient for {name}");
        same(&format!("{case}: gradient of {name}"), &found, &expected, 1e-4);
    }
}

/// Weights of a recurrence; those for `n` units are scaled to keep states away from saturation.
fn recurrent(numbers: &mut Numbers, n: usize, reset: Reset, bias: bool, device: &Device) -> Recurrent {
    let weight = numbers.tensor([n, 3 * n], 1.5 / (n as f32).sqrt(), device);
    let bias = (reset == Reset::After && bias).then(|| numbers.tensor([n], 0.5, device));
    Recurrent { weight, bias, gain: None, reset }
}

/// The gain of layer normalisation in some rounds. That of a single number is always 0, so that there is nothing to compare.
fn gain(numbers: &mut Numbers, round: usize, n: usize, device: &Device) -> Option<Tensor<1>> {
    (round % 5 >= 3 && n > 1).then(|| numbers.tensor([3 * n], 1.0, device))
}

#[test]
fn fused_kernels_serve_the_cpu() {
    for (name, device) in devices() {
        assert_eq!(kernel_of(&device), Kernel::Fused, "{name}");
        assert_eq!(kernel_of(&device.without_autodiff()), Kernel::Fused, "{name}");
    }
    assert!(Kernel::Fused.to_string().starts_with("fused"));
}

#[test]
fn gru_equals_plain() {
    let mut numbers = Numbers(1);
    for round in 0..32 {
        let (n, batch, len) = (
            numbers.one_of(&[1, 7, 17, 64]),
            numbers.within(1, 10),
            numbers.within(1, if round % 4 == 0 { 101 } else { 41 }),
        );
        let reset = numbers.one_of(&[Reset::Before, Reset::After]);
        let direction = numbers.one_of(&[Direction::Forward, Direction::Backward]);
        let masks = numbers.one_of(&[0, 0, 1, len]);
        let mut lengths: Vec<usize> = (0..batch).map(|_| numbers.within(1, len + 1)).collect();
        lengths[round % batch] = len;
        for (name, device) in devices() {
            let case = format!("{name} n {n} lengths {lengths:?} {reset:?} {direction:?} masks {masks}");
            let recurrent = recurrent(&mut numbers, n, reset, round % 3 > 0, &device);
            let recurrent = Recurrent { gain: gain(&mut numbers, round, n, &device), ..recurrent };
            let padding = Padding::new(&lengths, len, &device);
            let padding = (round % 4 > 0).then_some(&padding);
            let projected = numbers.tensor([len, batch, 3 * n], 2.0, &device);
            let initial = numbers.tensor([batch, n], 1.0, &device);
            let dropout = (masks > 0).then(|| numbers.mask([masks, batch, n], &device));
            let [fused, plain] = [gru_sequence, plain::gru_sequence]
                .map(|run| run(projected.clone(), padding, initial.clone(), &recurrent, dropout.clone(), direction));
            let mut leaves: Vec<(&str, &dyn Leaf)> =
                vec![("projected", &projected), ("initial", &initial), ("weight", &recurrent.weight)];
            if let Some(bias) = &recurrent.bias {
                leaves.push(("bias", bias));
            }
            if let Some(gain) = &recurrent.gain {
                leaves.push(("gain", gain));
            }
            compare(&case, fused, plain, &leaves);
        }
    }
}

#[test]
fn normalization_equals_plain() {
    let mut numbers = Numbers(9);
    for (rows, n) in [(1, 2), (5, 7), (65, 33), (200, 64)] {
        for (name, device) in devices() {
            let products = numbers.tensor([rows, 3 * n], 2.0, &device);
            let [gain, bias] = [(); 2].map(|()| numbers.tensor([3 * n], 1.0, &device));
            let fused = normalize(products.clone(), gain.clone(), bias.clone());
            let plain = plain::normalize(products.clone(), gain.clone()) + bias.clone().unsqueeze();
            let leaves: [(&str, &dyn Leaf); 3] = [("products", &products), ("gain", &gain), ("bias", &bias)];
            compare(&format!("{name} {rows} {n}"), fused, plain, &leaves);
        }
    }
}

#[test]
fn decoder_equals_plain() {
    let mut numbers = Numbers(2);
    for round in 0..24 {
        let n = numbers.one_of(&[1, 7, 17, 64]);
        let (attention, annotation) = (numbers.one_of(&[1, 9, 33, 64]), numbers.one_of(&[2, 13, 65, 128]));
        let (batch, len, src_len) = (
            numbers.within(1, 10),
            numbers.within(1, if round % 4 == 0 { 101 } else { 20 }),
            numbers.within(1, if round % 4 == 1 { 101 } else { 41 }),
        );
        let reset = numbers.one_of(&[Reset::Before, Reset::After]);
        let masks = numbers.one_of(&[0, 0, 1, len]);
        let lengths: Vec<usize> = (0..batch).map(|_| numbers.within(1, src_len + 1)).collect();
        let targets: Vec<usize> =
            (0..batch).map(|_| if round % 2 == 0 { len } else { numbers.within(1, len + 1) }).collect();
        for (name, device) in devices() {
            let case = format!(
                "{name} n {n} n' {attention} h {annotation} {lengths:?} {targets:?} {reset:?} masks {masks} round {round}"
            );
            let recurrent = recurrent(&mut numbers, n, reset, round % 3 > 0, &device);
            let recurrent = Recurrent { gain: gain(&mut numbers, round, n, &device), ..recurrent };
            let memory = Memory {
                annotations: numbers.tensor([batch, src_len, annotation], 1.0, &device),
                keys: numbers.tensor([batch, src_len, attention], 1.0, &device),
                bias: Padding::new(&lengths, src_len, &device).energy_bias(),
            };
            let weights = AttentionWeights {
                query: numbers.tensor([n, attention], 1.0, &device),
                energy: numbers.tensor([attention], 1.0, &device),
                context: numbers.tensor([annotation, 3 * n], 1.0 / (annotation as f32).sqrt(), &device),
                context_gain: gain(&mut numbers, round, n, &device),
            };
            let teacher = Teacher {
                projected: numbers.tensor([len, batch, 3 * n], 1.0, &device),
                initial: numbers.tensor([batch, n], 1.0, &device),
                dropout: (masks > 0).then(|| numbers.mask([masks, batch, n], &device)),
                padding: Padding::new(&targets, len, &device),
                alignments: round % 3 == 1,
            };
            let second = (round % 2 == 1).then(|| SecondUnit {
                input_bias: numbers.tensor([3 * n], 1.0, &device),
                recurrent: Recurrent {
                    gain: gain(&mut numbers, round, n, &device),
                    ..self::recurrent(&mut numbers, n, reset, round % 3 > 0, &device)
                },
            });
            let [fused, plain] = [decoder_sequence, plain::decoder_sequence]
                .map(|run| run(teacher.clone(), &memory, &weights, &recurrent, second.as_ref()));
            let mut leaves: Vec<(&str, &dyn Leaf)> = vec![
                ("projected", &teacher.projected),
                ("initial", &teacher.initial),
                ("annotations", &memory.annotations),
                ("keys", &memory.keys),
                ("query", &weights.query),
                ("energy", &weights.energy),
                ("context", &weights.context),
                ("weight", &recurrent.weight),
            ];
            if let Some(bias) = &recurrent.bias {
                leaves.push(("bias", bias));
            }
            for (name, gain) in [("gain", &recurrent.gain), ("context gain", &weights.context_gain)] {
                leaves.extend(gain.as_ref().map(|gain| (name, gain as &dyn Leaf)));
            }
            if let Some(SecondUnit { input_bias, recurrent }) = &second {
                leaves.push(("second input bias", input_bias));
                leaves.push(("second weight", &recurrent.weight));
                leaves.extend(recurrent.bias.as_ref().map(|bias| ("second bias", bias as &dyn Leaf)));
                leaves.extend(recurrent.gain.as_ref().map(|gain| ("second gain", gain as &dyn Leaf)));
            }
            compare(&case, fused, plain, &leaves);
        }
    }
}

#[test]
fn linear_and_readout_equal_plain() {
    let mut numbers = Numbers(8);
    for (rows, n, context, m, pieces) in [(1, 1, 2, 1, 2), (5, 7, 14, 3, 10), (65, 33, 66, 17, 64)] {
        for (name, device) in devices() {
            let case = format!("{name} {rows} {n} {context} {m} {pieces}");
            let (seen, embedded) =
                (numbers.tensor([rows, n + context], 1.0, &device), numbers.tensor([rows, m], 1.0, &device));
            let weights = ReadoutWeights {
                state: numbers.tensor([n, pieces], 1.0, &device),
                context: numbers.tensor([context, pieces], 1.0, &device),
                embedding: numbers.tensor([m, pieces], 1.0, &device),
                bias: numbers.tensor([pieces], 1.0, &device),
            };
            let [fused, plain] = [readout, plain::readout].map(|run| run(seen.clone(), embedded.clone(), &weights));
            let leaves: [(&str, &dyn Leaf); 6] = [
                ("seen", &seen),
                ("embedded", &embedded),
                ("state weight", &weights.state),
                ("context weight", &weights.context),
                ("embedding weight", &weights.embedding),
                ("bias", &weights.bias),
            ];
            compare(&case, fused, plain, &leaves);
            let (x, weight) = (&embedded, &weights.embedding);
            for bias in [None, Some(weights.bias.clone())] {
                let [fused, plain] = [linear, plain::linear].map(|run| run(x.clone(), weight.clone(), bias.clone()));
                let mut leaves: Vec<(&str, &dyn Leaf)> = vec![("x", x), ("weight", weight)];
                if let Some(bias) = &bias {
                    leaves.push(("bias", bias));
                }
                compare(&case, fused, plain, &leaves);
            }
        }
    }
}

#[test]
fn loss_equals_plain() {
    let mut numbers = Numbers(3);
    for (size, vocabulary, tokens) in [(1, 2, 1), (7, 17, 5), (33, 1000, 65), (64, 65, 200)] {
        let each: Vec<i32> = (0..tokens).map(|_| numbers.within(0, vocabulary) as i32).collect();
        let cases = [(0.0, false, 0.0), (0.1, false, 0.0), (0.0, true, 0.0), (0.1, true, 0.0), (0.1, false, 5.0)];
        for (smoothing, weighted, consistency) in cases {
            let twins = each.iter().flat_map(|&target| [target, target]);
            let targets: Vec<i32> = if consistency == 0.0 { each.clone() } else { twins.collect() };
            let tokens = targets.len();
            for (name, device) in devices() {
                let weights = weighted.then(|| numbers.tensor([tokens], 1.0, &device).detach());
                let readout = numbers.tensor([tokens, size], 1.0, &device);
                let weight = numbers.tensor([size, vocabulary], 1.0, &device);
                let bias = numbers.tensor([vocabulary], 1.0, &device);
                let targets: Tensor<1, Int> = Tensor::from_data(targets.as_slice(), &device);
                let criterion = Criterion { targets, smoothing, weights, consistency };
                let [fused, plain] = [output_loss, plain::output_loss]
                    .map(|run| run(readout.clone(), weight.clone(), bias.clone(), criterion.clone()));
                let case = format!(
                    "{name} {size} {vocabulary} {tokens} smoothing {smoothing} weighted {weighted} consistency {consistency}"
                );
                compare(&case, fused, plain, &[("readout", &readout), ("weight", &weight), ("bias", &bias)]);
            }
        }
    }
}

/// Tensors that are views of others, in another order than their elements lie.
#[test]
fn strided_inputs() {
    for (name, device) in devices() {
        let mut numbers = Numbers(4);
        let (n, batch, len) = (7, 3, 5);
        let recurrent = recurrent(&mut numbers, n, Reset::Before, false, &device);
        let batch_major: Tensor<3> = numbers.tensor([batch, len, 3 * n], 1.0, &device);
        let initial: Tensor<2> = numbers.tensor([n, batch], 1.0, &device);
        let [fused, plain] = [gru_sequence, plain::gru_sequence].map(|run| {
            let (projected, initial) = (batch_major.clone().swap_dims(0, 1), initial.clone().swap_dims(0, 1));
            run(projected, None, initial, &recurrent, None, Direction::Forward).swap_dims(0, 1)
        });
        compare(name, fused, plain, &[("projected", &batch_major), ("initial", &initial)]);
    }
}

/// A loss that is divided by a number: its gradients are scaled when they are asked for.
#[test]
fn loss_in_a_larger_expression() {
    for (name, device) in devices() {
        let mut numbers = Numbers(5);
        let (readout, weight) = (numbers.tensor([4, 6], 1.0, &device), numbers.tensor([6, 9], 1.0, &device));
        let bias: Tensor<1> = numbers.tensor([9], 1.0, &device);
        let targets: Tensor<1, Int> = Tensor::from_data([3, 0, 8, 8], &device);
        let criterion = Criterion { targets, smoothing: 0.1, weights: None, consistency: 0.0 };
        let [fused, plain] = [output_loss, plain::output_loss].map(|run| {
            let loss = run(readout.clone(), weight.clone(), bias.clone(), criterion.clone()) / 4.0;
            loss.clone() * loss + weight.clone().sum()
        });
        compare(name, fused, plain, &[("readout", &readout), ("weight", &weight)]);
    }
}

/// Without autodiff, as in translating, and with weights that are constants.
#[test]
fn untracked_inputs() {
    for (name, device) in devices() {
        let bare = device.clone().without_autodiff();
        let mut numbers = Numbers(6);
        let weights = recurrent(&mut numbers, 7, Reset::After, true, &bare);
        let (projected, initial) = (numbers.tensor([5, 2, 21], 1.0, &bare), numbers.tensor([2, 7], 1.0, &bare));
        let [fused, plain] = [gru_sequence, plain::gru_sequence]
            .map(|run| elements(run(projected.clone(), None, initial.clone(), &weights, None, Direction::Forward)));
        same(name, &fused, &plain, 1e-5);
        let constant = |tensor: Tensor<2>| Tensor::<2>::from_data(tensor.into_data(), &device);
        let weights = Recurrent { weight: constant(weights.weight), bias: None, gain: None, reset: Reset::Before };
        let projected: Tensor<3> = numbers.tensor([5, 2, 21], 1.0, &device);
        let [fused, plain] = [gru_sequence, plain::gru_sequence]
            .map(|run| run(projected.clone(), None, constant(initial.clone()), &weights, None, Direction::Backward));
        compare(name, fused, plain, &[("projected", &projected)]);
    }
}
