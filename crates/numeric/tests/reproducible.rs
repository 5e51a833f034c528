//! Results are the same bits on any number of threads, and a sentence's do not depend on its batch.

use rnnsearch_numeric::decoder::{Decoder, SecondUnit};
use rnnsearch_numeric::gru::Gru;
use rnnsearch_numeric::norm::Normalization;
use rnnsearch_numeric::output::Output;
use rnnsearch_numeric::product::{Matrix, Write, is_available, product, product_of, with_precision};
use rnnsearch_numeric::{Memory, Precision, Reset};

/// Numbers without a pattern, within -scale..scale.
fn numbers(n: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale
    };
    (0..n).map(|_| next()).collect()
}

/// What `compute` gives on 1, 2, 3 and 7 threads must be equal.
#[track_caller]
fn same_on_all_threads<T: PartialEq + std::fmt::Debug + Send>(compute: impl Fn() -> T + Sync) {
    for precision in precisions() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| with_precision(precision, &compute))
        };
        let one = on(1);
        for threads in [2, 3, 7] {
            assert!(on(threads) == one, "{threads} threads differ from one, {precision:?}");
        }
    }
}

/// What `compute` gives in floats of 16 bits must be what it gives in 32, but for rounding.
#[track_caller]
fn near_in_short_floats(compute: impl Fn() -> Vec<Vec<f32>>) {
    let exact = compute();
    for precision in precisions().filter(|kind| *kind != Precision::Float32) {
        let rounded = with_precision(precision, &compute);
        assert_eq!(rounded.len(), exact.len());
        for (number, (rounded, exact)) in rounded.iter().zip(&exact).enumerate() {
            let error = distance(rounded, exact);
            assert!(error < 0.03, "number {number} is wrong by {error} in {precision:?}");
        }
    }
}

/// The length of the difference, beside that of what is right.
fn distance(found: &[f32], right: &[f32]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    assert_eq!(found.len(), right.len());
    norm(&mut found.iter().zip(right).map(|(a, b)| a - b)) / norm(&mut right.iter().copied())
}

/// Those that this processor multiplies in.
fn precisions() -> impl Iterator<Item = Precision> {
    [Precision::Float32, Precision::Float16, Precision::Bfloat16].into_iter().filter(|kind| is_available(*kind))
}

#[test]
fn gru_on_threads_and_alone() {
    let (n, batch, len) = (100, 9, 12);
    let lengths: Vec<usize> = (0..batch).map(|b| 1 + (b * 5) % len).collect();
    let (projected, initial) = (numbers(len * batch * 3 * n, 1, 1.0), numbers(batch * n, 2, 1.0));
    let (weight, bias, d_states) = (numbers(n * 3 * n, 3, 0.2), numbers(n, 4, 1.0), numbers(len * batch * n, 5, 1.0));
    let gain = numbers(3 * n, 6, 1.0);
    let kinds = [(Reset::Before, false), (Reset::After, true)];
    for ((reset, reversed), gain) in kinds.into_iter().flat_map(|kind| [(kind, None), (kind, Some(&gain[..]))]) {
        let gru = Gru {
            n,
            batch,
            len,
            initial: &initial,
            weight: &weight,
            bias: Some(&bias),
            gain,
            reset,
            lengths: Some(&lengths),
            dropout: None,
            reversed,
        };
        let passes = || {
            let (states, tape) = gru.forward(projected.clone());
            let d = gru.backward(&states, &tape, &d_states);
            let always = [states, d.projected, d.initial, d.weight].into_iter();
            always.chain(d.bias).chain(d.gain).collect()
        };
        same_on_all_threads(passes);
        near_in_short_floats(passes);
        let (states, _) = gru.forward(projected.clone());
        for b in 0..batch {
            let take = |x: &[f32], width: usize| -> Vec<f32> {
                (0..lengths[b]).flat_map(|i| x[(i * batch + b) * width..][..width].to_vec()).collect()
            };
            let alone = Gru { batch: 1, len: lengths[b], initial: &initial[b * n..][..n], lengths: None, ..gru };
            assert!(alone.forward(take(&projected, 3 * n)).0 == take(&states, n), "sentence {b}");
        }
    }
}

#[test]
fn decoder_on_threads_and_alone() {
    let (n, attention, annotation, batch, len, src_len) = (65, 33, 130, 7, 5, 8);
    let (projected, initial) = (numbers(len * batch * 3 * n, 1, 1.0), numbers(batch * n, 2, 1.0));
    let (annotations, keys) =
        (numbers(batch * src_len * annotation, 3, 1.0), numbers(batch * src_len * attention, 4, 1.0));
    let lengths: Vec<usize> = (0..batch).map(|b| 1 + b).collect();
    let padding: Vec<f32> =
        (0..batch * src_len).map(|i| if i % src_len < lengths[i / src_len] { 0.0 } else { -1e9 }).collect();
    let (query, energy) = (numbers(n * attention, 5, 0.3), numbers(attention, 6, 1.0));
    let (context, weight) = (numbers(annotation * 3 * n, 7, 0.2), numbers(n * 3 * n, 8, 0.2));
    let targets: Vec<usize> = (0..batch).map(|b| 1 + (b * 3) % len).collect();
    let d_outputs = numbers(len * batch * (n + annotation), 9, 1.0);
    let memory = Memory { src_len, annotation, attention, annotations: &annotations, keys: &keys, bias: &padding };
    let decoder = Decoder {
        n,
        batch,
        initial: &initial,
        dropout: None,
        lengths: Some(&targets),
        memory,
        query: &query,
        energy: &energy,
        context: &context,
        weight: &weight,
        bias: None,
        reset: Reset::Before,
        second: None,
        gains: None,
    };
    let (input_bias, second_weight) = (numbers(3 * n, 10, 1.0), numbers(n * 3 * n, 11, 0.2));
    let second = SecondUnit { input_bias: &input_bias, weight: &second_weight, bias: None };
    let conditional = Decoder { second: Some(second), ..decoder };
    let gains = numbers(9 * n, 12, 1.0);
    let [normalized, normalized_conditional] =
        [(decoder, 6), (conditional, 9)].map(|(decoder, rows)| Decoder { gains: Some(&gains[..rows * n]), ..decoder });
    let decoders = [decoder, conditional, normalized, normalized_conditional];
    for decoder in decoders {
        let passes = || {
            let (outputs, tape) = decoder.forward(projected.clone());
            let d = decoder.backward(&outputs, &tape, &d_outputs, None);
            let inputs = [outputs, d.projected, d.initial, d.annotations, d.keys].into_iter();
            let weights = [d.query, d.energy, d.context, d.weight].into_iter().chain(d.gains);
            inputs.chain(weights).chain(d.second.map(|d| [d.input_bias, d.weight].concat())).collect()
        };
        same_on_all_threads(passes);
        near_in_short_floats(passes);
    }
    for decoder in decoders {
        let (outputs, _) = decoder.forward(projected.clone());
        let alone = |b: usize| {
            let real = lengths[b];
            let memory = Memory {
                src_len: real,
                annotations: &annotations[b * src_len * annotation..][..real * annotation],
                keys: &keys[b * src_len * attention..][..real * attention],
                bias: &padding[b * src_len..][..real],
                ..memory
            };
            let decoder = Decoder { batch: 1, initial: &initial[b * n..][..n], memory, lengths: None, ..decoder };
            decoder
                .forward((0..targets[b]).flat_map(|i| projected[(i * batch + b) * 3 * n..][..3 * n].to_vec()).collect())
                .0
        };
        for b in 0..batch {
            let width = n + annotation;
            let among = |i: usize| &outputs[(i * batch + b) * width..][..width];
            assert!(alone(b) == (0..targets[b]).flat_map(among).copied().collect::<Vec<_>>(), "sentence {b}");
            assert!((targets[b]..len).flat_map(among).all(|output| *output == 0.0), "padding of sentence {b}");
        }
    }
}

#[test]
fn loss_on_threads_and_in_slices() {
    // Two slices: 8 Mi logits are 279 of them.
    let (size, vocabulary, tokens) = (20, 30_011, 300);
    let (readout, weight) = (numbers(tokens * size, 1, 1.0), numbers(size * vocabulary, 2, 1.0));
    let bias = numbers(vocabulary, 3, 1.0);
    let targets: Vec<usize> = (0..tokens).map(|i| i * 7919 % vocabulary).collect();
    let output = Output {
        size,
        readout: &readout,
        weight: &weight,
        bias: &bias,
        targets: &targets,
        smoothing: 0.1,
        weights: None,
        consistency: 0.0,
    };
    let twins: Vec<usize> = (0..tokens).map(|i| i / 2 * 7919 % vocabulary).collect();
    for output in [output, Output { targets: &twins, consistency: 5.0, ..output }] {
        same_on_all_threads(|| {
            let (loss, d) = output.loss_and_gradients();
            (loss, d.readout, d.weight, d.bias)
        });
    }
    let (whole, _) = output.loss_and_gradients();
    let single: f64 = (0..tokens)
        .map(|i| Output { readout: &readout[i * size..][..size], targets: &targets[i..=i], ..output }.loss())
        .sum();
    assert!((whole - single).abs() < 1e-6 * whole, "{whole} is not {single}");
}

#[test]
fn loss_in_16_bits() {
    for (precision, tolerance) in [(Precision::Float16, 3e-3), (Precision::Bfloat16, 1e-2)] {
        if is_available(precision) {
            loss_in(precision, tolerance);
        } else {
            eprintln!("skipped: this processor has no products in {precision:?}");
        }
    }
}

fn loss_in(precision: Precision, tolerance: f64) {
    let (size, vocabulary, tokens) = (70, 4_099, 300);
    let (readout, weight) = (numbers(tokens * size, 1, 1.0), numbers(size * vocabulary, 2, 0.5));
    let bias = numbers(vocabulary, 3, 1.0);
    let targets: Vec<usize> = (0..tokens).map(|i| i * 7919 % vocabulary).collect();
    let weights: Vec<f32> = (0..tokens).map(|i| (i % 3) as f32).collect();
    let twins: Vec<usize> = (0..tokens).map(|i| i / 2 * 7919 % vocabulary).collect();
    let weighted = Output {
        size,
        readout: &readout,
        weight: &weight,
        bias: &bias,
        targets: &targets,
        smoothing: 0.1,
        weights: Some(&weights),
        consistency: 0.0,
    };
    for output in [weighted, Output { targets: &twins, weights: None, consistency: 5.0, ..weighted }] {
        let (expected, wanted) = output.loss_and_gradients();
        let (loss, d) = with_precision(precision, || output.loss_and_gradients());
        assert!((loss - expected).abs() < 1e-4 * expected, "{loss} is not {expected}");
        let pairs = [(d.readout, wanted.readout), (d.weight, wanted.weight), (d.bias, wanted.bias)];
        for (number, (found, wanted)) in pairs.iter().enumerate() {
            let error = distance(found, wanted);
            assert!(error > 0.0 && error < tolerance, "gradient {number} is wrong by {error}");
        }
    }
}

#[test]
fn normalization_on_threads_and_alone() {
    let (n, rows) = (100, 9);
    let (products, d) = (numbers(rows * 3 * n, 1, 1.0), numbers(rows * 3 * n, 2, 1.0));
    let (gain, bias) = (numbers(3 * n, 3, 1.0), numbers(3 * n, 4, 1.0));
    let normalization = Normalization { gain: &gain };
    same_on_all_threads(|| {
        let (sums, tape) = normalization.forward(products.clone(), &bias);
        let d = normalization.backward(&tape, &d);
        (sums, d.products, d.gain, d.bias)
    });
    let (sums, _) = normalization.forward(products.clone(), &bias);
    for (product, sum) in products.chunks_exact(3 * n).zip(sums.chunks_exact(3 * n)) {
        assert!(normalization.forward(product.to_vec(), &bias).0 == sum);
    }
}

/// A row's product does not depend on how many rows there are, nor on the threads.
#[test]
fn products_by_rows() {
    // Rows of 16-bit floats share scales.
    precisions().filter(|kind| *kind != Precision::Float16).for_each(rows_alone_and_together);
}

fn rows_alone_and_together(precision: Precision) {
    let product_of = |a: Matrix, b: Matrix| with_precision(precision, || product_of(a, b));
    let add = |a: Matrix, b: Matrix, c: &mut [f32], n| with_precision(precision, || product(a, b, c, n, Write::Add));
    for (m, k, n) in [(300, 40, 500), (130, 1300, 70), (70, 700, 1), (65, 513, 64), (9, 2, 3), (140, 600, 7)] {
        let (a, b) = (numbers(m * k, 1, 1.0), numbers(k * n, 2, 1.0));
        let weight = Matrix::new(&b, k, n);
        let all = product_of(Matrix::new(&a, m, k), weight);
        for rows in [1, 2, 3, 7, 33, 64, 65] {
            let rows = rows.min(m);
            assert!(
                product_of(Matrix::new(&a[..rows * k], rows, k), weight) == all[..rows * n],
                "{rows} rows of {m} {k} {n}"
            );
            let mut added = vec![1.0; rows * n];
            add(Matrix::new(&a[..rows * k], rows, k), weight, &mut added, n);
            let mut expected = vec![1.0; m * n];
            add(Matrix::new(&a, m, k), weight, &mut expected, n);
            assert!(added == expected[..rows * n], "{rows} rows of {m} {k} {n}, added");
        }
    }
}
