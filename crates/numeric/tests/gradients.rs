//! The backward passes against finite differences of a definition in 64-bit floats, written for this test alone.

use rnnsearch_numeric::decoder::{Decoder, SecondUnit};
use rnnsearch_numeric::gru::Gru;
use rnnsearch_numeric::linear::Readout;
use rnnsearch_numeric::norm::Normalization;
use rnnsearch_numeric::output::Output;
use rnnsearch_numeric::{Memory, Reset};

/// Numbers without a pattern, within -1..1, each representable in 32 bits.
fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|x| *x as f32).collect()
}

/// x W for a row x and W `[x.len(), columns]`, of which the columns from `from` to `to`.
fn times(x: &[f64], weight: &[f64], columns: usize, from: usize, to: usize) -> Vec<f64> {
    (from..to).map(|j| x.iter().enumerate().map(|(i, x)| x * weight[i * columns + j]).sum()).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A product with the matrices of three gates, or of some of them from column `from` on, normalised where there is a gain.
fn normalized(product: Vec<f64>, gain: Option<&[f64]>, from: usize) -> Vec<f64> {
    let Some(gain) = gain else { return product };
    let n = gain.len() / 3;
    let part = |part: &[f64], gain: &[f64]| -> Vec<f64> {
        let size = part.len() as f64;
        let mean = part.iter().sum::<f64>() / size;
        let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / size;
        part.iter().zip(gain).map(|(x, g)| g * (x - mean) / (variance + 1e-5).sqrt()).collect()
    };
    let (gates, candidate) = product.split_at(2 * n - from);
    [part(gates, &gain[from..2 * n]), part(candidate, &gain[2 * n..])].concat()
}

/// What a unit does beside taking its input: weight, bias and gain.
#[derive(Clone, Copy)]
struct Unit<'a> {
    weight: &'a [f64],
    bias: &'a [f64],
    gain: Option<&'a [f64]>,
    reset: Reset,
}

/// One step: appendix A.1.1 for a sentence.
fn step(projected: &[f64], state: &[f64], mask: &[f64], unit: Unit) -> Vec<f64> {
    let (n, Unit { weight, bias, gain, reset }) = (state.len(), unit);
    let input: Vec<f64> = state.iter().zip(mask).map(|(h, m)| h * m).collect();
    let product = normalized(times(&input, weight, 3 * n, 0, 3 * n), gain, 0);
    let gate = |i: usize| sigmoid(projected[i] + product[i]);
    let met: Vec<f64> = (0..n).map(|i| gate(i) * input[i]).collect();
    let before = normalized(times(&met, weight, 3 * n, 2 * n, 3 * n), gain, 2 * n);
    (0..n)
        .map(|i| {
            let candidate = match reset {
                Reset::Before => before[i],
                Reset::After => gate(i) * (product[2 * n + i] + bias[i]),
            };
            let (z, c) = (gate(n + i), (projected[2 * n + i] + candidate).tanh());
            (1.0 - z) * state[i] + z * c
        })
        .collect()
}

/// Compares gradients with central differences of `loss`, which sees all inputs.
#[track_caller]
fn check(loss: impl Fn(&[Vec<f64>]) -> f64, inputs: &[Vec<f64>], gradients: &[Option<Vec<f32>>]) {
    const STEP: f64 = 1e-5;
    for (which, gradient) in gradients.iter().enumerate() {
        let Some(gradient) = gradient else { continue };
        assert_eq!(gradient.len(), inputs[which].len(), "input {which}");
        for i in 0..gradient.len() {
            let at = |delta: f64| {
                let mut moved = inputs.to_vec();
                moved[which][i] += delta;
                loss(&moved)
            };
            let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let error = (f64::from(gradient[i]) - expected).abs();
            assert!(
                error <= 2e-5 * (1.0 + expected.abs()),
                "input {which}, element {i}: {} is not {expected}",
                gradient[i]
            );
        }
    }
}

fn weigh(outputs: &[f64], weights: &[f64]) -> f64 {
    outputs.iter().zip(weights).map(|(a, b)| a * b).sum()
}

#[test]
fn gru() {
    let (n, len, lengths) = (5, 4, [4, 1, 3]);
    let batch = lengths.len();
    for (reset, reversed, masked, normalizes) in [
        (Reset::Before, false, false, false),
        (Reset::Before, true, true, false),
        (Reset::After, true, false, false),
        (Reset::After, false, true, false),
        (Reset::Before, true, true, true),
        (Reset::After, false, true, true),
        (Reset::After, true, false, true),
    ] {
        let mask = if masked { numbers(len * batch * n, 9) } else { vec![1.0; len * batch * n] };
        let define = |x: &[Vec<f64>]| {
            let unit = Unit { weight: &x[2], bias: &x[3], gain: normalizes.then_some(&x[4]), reset };
            let mut states = vec![0.0; len * batch * n];
            for (b, length) in lengths.iter().enumerate() {
                let mut state = x[1][b * n..(b + 1) * n].to_vec();
                for i in 0..len {
                    let position = if reversed { len - 1 - i } else { i };
                    let row = position * batch + b;
                    if position < *length {
                        let m = &mask[(i * batch + b) * n..][..n];
                        state = step(&x[0][row * 3 * n..][..3 * n], &state, m, unit);
                    }
                    states[row * n..(row + 1) * n].copy_from_slice(&state);
                }
            }
            states
        };
        let sizes = [len * batch * 3 * n, batch * n, n * 3 * n, n, 3 * n];
        let inputs = [0, 1, 2, 3, 4].map(|i| numbers(sizes[i], 1 + i as u64));
        let weights = numbers(len * batch * n, 5);
        let narrowed = inputs.each_ref().map(|x| narrow(x));
        let mask32 = narrow(&mask);
        let gru = Gru {
            n,
            batch,
            len,
            initial: &narrowed[1],
            weight: &narrowed[2],
            bias: (reset == Reset::After).then_some(&narrowed[3]),
            gain: normalizes.then_some(&narrowed[4]),
            reset,
            lengths: Some(&lengths),
            dropout: masked.then_some(&mask32),
            reversed,
        };
        let (states, tape) = gru.forward(narrowed[0].clone());
        for (found, expected) in states.iter().zip(define(&inputs)) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let d = gru.backward(&states, &tape, &narrow(&weights));
        assert_eq!(d.bias.is_some(), reset == Reset::After);
        assert_eq!(d.gain.is_some(), normalizes);
        let gradients = [Some(d.projected), Some(d.initial), Some(d.weight), d.bias, d.gain];
        check(|x| weigh(&define(x), &weights), &inputs, &gradients);
    }
}

#[test]
fn decoder() {
    let (n, attention, annotation, len, src, tgt) = (4, 3, 5, 3, [3, 1, 2], [2, 3, 1]);
    let (batch, src_len) = (src.len(), 3);
    let padding: Vec<f64> =
        (0..batch * src_len).map(|i| if i % src_len < src[i / src_len] { 0.0 } else { -1e9 }).collect();
    for (reset, masked, conditional, normalizes) in [
        (Reset::Before, false, false, false),
        (Reset::After, true, false, false),
        (Reset::After, false, false, false),
        (Reset::Before, true, false, false),
        (Reset::Before, true, true, false),
        (Reset::After, false, true, false),
        (Reset::After, true, true, false),
        (Reset::Before, true, false, true),
        (Reset::After, false, false, true),
        (Reset::Before, false, true, true),
        (Reset::After, true, true, true),
    ] {
        let mask = if masked { numbers(batch * n, 9) } else { vec![1.0; batch * n] };
        let define = |x: &[Vec<f64>]| {
            let gain = |number: usize| normalizes.then(|| &x[12][number * 3 * n..][..3 * n]);
            let first = Unit { weight: &x[7], bias: &x[8], gain: gain(0), reset };
            let taking = match conditional {
                true => Unit { weight: &x[10], bias: &x[11], gain: gain(2), reset },
                false => first,
            };
            let mut outputs = vec![0.0; len * batch * (n + annotation)];
            let mut alignments = vec![0.0; len * batch * src_len];
            for b in 0..batch {
                let mut state = x[1][b * n..(b + 1) * n].to_vec();
                for i in 0..tgt[b] {
                    let row = i * batch + b;
                    let (given, m) = (&x[0][row * 3 * n..][..3 * n], &mask[b * n..][..n]);
                    if conditional {
                        state = step(given, &state, m, first);
                    }
                    let query = times(&state, &x[4], attention, 0, attention);
                    let energy = |j: usize| -> f64 {
                        let key = &x[3][(b * src_len + j) * attention..][..attention];
                        (0..attention).map(|k| x[5][k] * (key[k] + query[k]).tanh()).sum()
                    };
                    let weights: Vec<f64> = (0..src[b]).map(|j| energy(j).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    let annotations = |j: usize| &x[2][(b * src_len + j) * annotation..][..annotation];
                    let context: Vec<f64> = (0..annotation)
                        .map(|k| (0..src[b]).map(|j| weights[j] / sum * annotations(j)[k]).sum())
                        .collect();
                    let taken = normalized(times(&context, &x[6], 3 * n, 0, 3 * n), gain(1), 0);
                    let beside = if conditional { &x[9] } else { given };
                    let projected: Vec<f64> = beside.iter().zip(taken).map(|(a, b)| a + b).collect();
                    state = step(&projected, &state, m, taking);
                    let output = &mut outputs[row * (n + annotation)..][..n + annotation];
                    output[..n].copy_from_slice(&state);
                    output[n..].copy_from_slice(&context);
                    for (j, weight) in weights.iter().enumerate() {
                        alignments[row * src_len + j] = weight / sum;
                    }
                }
            }
            outputs.extend(alignments);
            outputs
        };
        let sizes = [
            len * batch * 3 * n,
            batch * n,
            batch * src_len * annotation,
            batch * src_len * attention,
            n * attention,
            attention,
            annotation * 3 * n,
            n * 3 * n,
            n,
            3 * n,
            n * 3 * n,
            n,
            if conditional { 9 * n } else { 6 * n },
        ];
        let inputs: Vec<Vec<f64>> = sizes.iter().enumerate().map(|(i, size)| numbers(*size, 20 + i as u64)).collect();
        let x: Vec<Vec<f32>> = inputs.iter().map(|x| narrow(x)).collect();
        let (bias, mask32) = (narrow(&padding), narrow(&mask));
        let memory = Memory { src_len, annotation, attention, annotations: &x[2], keys: &x[3], bias: &bias };
        let decoder = Decoder {
            n,
            batch,
            initial: &x[1],
            dropout: masked.then_some(&mask32),
            lengths: Some(&tgt),
            memory,
            query: &x[4],
            energy: &x[5],
            context: &x[6],
            weight: &x[7],
            bias: (reset == Reset::After).then_some(&x[8]),
            reset,
            second: conditional.then_some(SecondUnit {
                input_bias: &x[9],
                weight: &x[10],
                bias: (reset == Reset::After).then_some(&x[11]),
            }),
            gains: normalizes.then_some(&x[12]),
        };
        let (outputs, tape) = decoder.forward(x[0].clone());
        for (found, expected) in outputs.iter().chain(&tape.alignments).zip(define(&inputs)) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        let weights = numbers(outputs.len() + tape.alignments.len(), 40);
        let narrowed = narrow(&weights);
        let (d_outputs, d_alignments) = narrowed.split_at(outputs.len());
        let d = decoder.backward(&outputs, &tape, d_outputs, Some(d_alignments));
        assert_eq!((d.second.is_some(), d.gains.is_some()), (conditional, normalizes));
        let (input_bias, weight, bias) =
            d.second.map_or((None, None, None), |d| (Some(d.input_bias), Some(d.weight), d.bias));
        let gradients = [
            Some(d.projected),
            Some(d.initial),
            Some(d.annotations),
            Some(d.keys),
            Some(d.query),
            Some(d.energy),
            Some(d.context),
            Some(d.weight),
            d.bias,
            input_bias,
            weight,
            bias,
            d.gains,
        ];
        check(|x| weigh(&define(x), &weights), &inputs, &gradients);
    }
}

#[test]
fn normalization() {
    let (n, rows) = (5, 4);
    let define = |x: &[Vec<f64>]| -> Vec<f64> {
        let of_row = |row: &[f64]| normalized(row.to_vec(), Some(&x[1]), 0);
        let with_bias = |row: &[f64]| of_row(row).iter().zip(&x[2]).map(|(a, b)| a + b).collect::<Vec<_>>();
        x[0].chunks_exact(3 * n).flat_map(with_bias).collect()
    };
    let inputs = [numbers(rows * 3 * n, 80), numbers(3 * n, 81), numbers(3 * n, 82)];
    let x = inputs.each_ref().map(|x| narrow(x));
    let normalization = Normalization { gain: &x[1] };
    let (sums, tape) = normalization.forward(x[0].clone(), &x[2]);
    for (found, expected) in sums.iter().zip(define(&inputs)) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    let weights = numbers(sums.len(), 83);
    let d = normalization.backward(&tape, &narrow(&weights));
    let gradients = [d.products, d.gain, d.bias].map(Some);
    check(|x| weigh(&define(x), &weights), &inputs, &gradients);
}

#[test]
fn readout() {
    let (n, context, m, pieces, rows) = (3, 4, 2, 6, 5);
    let define = |x: &[Vec<f64>]| -> Vec<f64> {
        let row = |i: usize| {
            let (state, context) = x[0][i * (n + context)..][..n + context].split_at(n);
            let parts = [(state, &x[2]), (context, &x[3]), (&x[1][i * m..][..m], &x[4])];
            let parts = parts.map(|(input, weight)| times(input, weight, pieces, 0, pieces));
            let sum = |j: usize| x[5][j] + parts.iter().map(|part| part[j]).sum::<f64>();
            (0..pieces / 2).map(|unit| sum(2 * unit).max(sum(2 * unit + 1))).collect::<Vec<_>>()
        };
        (0..rows).flat_map(row).collect()
    };
    let sizes = [rows * (n + context), rows * m, n * pieces, context * pieces, m * pieces, pieces];
    let inputs: Vec<Vec<f64>> = sizes.iter().enumerate().map(|(i, size)| numbers(*size, 60 + i as u64)).collect();
    let x: Vec<Vec<f32>> = inputs.iter().map(|x| narrow(x)).collect();
    let readout = Readout {
        n,
        m,
        pieces,
        seen: &x[0],
        embedded: &x[1],
        state_weight: &x[2],
        context_weight: &x[3],
        embedding_weight: &x[4],
    };
    let (units, tape) = readout.forward(&x[5]);
    for (found, expected) in units.iter().zip(define(&inputs)) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    let weights = numbers(units.len(), 70);
    let d = readout.backward(&tape, &narrow(&weights));
    let gradients = [d.seen, d.embedded, d.state_weight, d.context_weight, d.embedding_weight, d.bias].map(Some);
    check(|x| weigh(&define(x), &weights), &inputs, &gradients);
}

#[test]
fn output() {
    let (size, vocabulary, targets) = (3, 11, [10usize, 10, 4, 4]);
    let weights = [0.5_f32, -2.0, 0.0, 1.5];
    let cases =
        [(0.0, None, 0.0), (0.1, None, 0.0), (0.1, Some(&weights[..]), 0.0), (0.0, None, 3.0), (0.1, None, 0.5)];
    for (smoothing, weights, consistency) in cases {
        let define = |x: &[Vec<f64>]| -> f64 {
            let log_probs = |t: usize| -> Vec<f64> {
                let products = times(&x[0][t * size..][..size], &x[1], vocabulary, 0, vocabulary);
                let logits: Vec<f64> = products.iter().zip(&x[2]).map(|(a, b)| a + b).collect();
                let log_sum = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
                logits.iter().map(|l| l - log_sum).collect()
            };
            let token = |(t, target): (usize, &usize)| {
                let log_probs = log_probs(t);
                let mean = log_probs.iter().sum::<f64>() / vocabulary as f64;
                let weight = weights.map_or(1.0, |weights| f64::from(weights[t]));
                -weight * ((1.0 - smoothing) * log_probs[*target] + smoothing * mean)
            };
            let divergence =
                |from: &[f64], to: &[f64]| -> f64 { from.iter().zip(to).map(|(p, q)| p.exp() * (p - q)).sum() };
            let twins = |t: usize| {
                let (p, q) = (log_probs(t), log_probs(t + 1));
                consistency * 0.5 * (divergence(&p, &q) + divergence(&q, &p))
            };
            targets.iter().enumerate().map(token).sum::<f64>() + twins(0) + twins(2)
        };
        let inputs = [numbers(targets.len() * size, 1), numbers(size * vocabulary, 2), numbers(vocabulary, 3)];
        let x = inputs.each_ref().map(|x| narrow(x));
        let (readout, weight, bias) = (&x[0], &x[1], &x[2]);
        let [smoothing, consistency] = [smoothing, consistency].map(|number: f64| number as f32);
        let output = Output { size, readout, weight, bias, targets: &targets, smoothing, weights, consistency };
        let (loss, d) = output.loss_and_gradients();
        assert!((loss - define(&inputs)).abs() < 1e-5);
        assert_eq!(loss, output.loss());
        check(define, &inputs, &[Some(d.readout), Some(d.weight), Some(d.bias)]);
    }
}
