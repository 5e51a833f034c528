//! Times each operation's passes: `cargo bench -p rnnsearch-numeric`, on RAYON_NUM_THREADS threads.
//!
//! 80 sentences, 15 source and 15 target words; the argument is the number of units, with 8,000 words of vocabulary for 256 units
//! and 16,000 for 512. Rates are of multiplications and additions.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use rnnsearch_numeric::decoder::{Decoder, DecoderTape};
use rnnsearch_numeric::gru::{Gru, GruTape};
use rnnsearch_numeric::output::Output;
use rnnsearch_numeric::product::{Int8, IntegerRows, Matrix, Packed, Write, is_available, product_of, with_precision};
use rnnsearch_numeric::{Memory, Precision, Reset};

const UNITS: [usize; 2] = [256, 512];
const BATCH: usize = 80;
const LEN: usize = 15;
const TOKENS: usize = BATCH * LEN;

fn main() {
    rnnsearch_numeric::keep_freed_buffers();
    divan::main();
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 2001) as f32 / 10_000.0 - 0.1).collect()
}

/// Products of `[m, k]` and `[k, n]`, counted in operations.
fn operations(m: usize, k: usize, n: usize) -> ItemsCount {
    ItemsCount::new(2 * m * k * n)
}

/// A recurrent step of all sentences, on one thread.
#[divan::bench(args = UNITS)]
fn packed_product(bencher: Bencher, n: usize) {
    multiply_packed(bencher, n, Packed::new);
}

/// The same as translating multiplies floats; rows are cut in two in the time.
#[divan::bench(args = UNITS)]
fn paired_product(bencher: Bencher, n: usize) {
    multiply_packed(bencher, n, Packed::paired);
}

fn multiply_packed(bencher: Bencher, n: usize, pack: fn(Matrix) -> Packed) {
    let (weight, a) = (numbers(n * 3 * n), numbers(BATCH * n));
    let packed = pack(Matrix::new(&weight, n, 3 * n));
    let rows: Vec<&[f32]> = a.chunks_exact(n).collect();
    let mut c = vec![0.0; BATCH * 3 * n];
    bencher.counter(operations(BATCH, n, 3 * n)).bench_local(|| {
        packed.multiply(black_box(&rows), &mut c.chunks_exact_mut(3 * n).collect::<Vec<_>>(), Write::Set);
    });
}

/// The same with a weight of 8-bit integers; rows become integers in the time.
#[divan::bench(args = UNITS)]
fn int8_product(bencher: Bencher, n: usize) {
    let (weight, a) = (vec![3; n * 3 * n], numbers(BATCH * n));
    let int8 = Int8::new(n, weight.chunks_exact(n).map(|column| (column, 0.01)));
    let rows: Vec<&[f32]> = a.chunks_exact(n).collect();
    let mut c = vec![0.0; BATCH * 3 * n];
    bencher.counter(operations(BATCH, n, 3 * n)).bench_local(|| {
        let mut c: Vec<&mut [f32]> = c.chunks_exact_mut(3 * n).collect();
        int8.multiply_shared(false, &IntegerRows::new(black_box(&rows)), &mut c, Write::Set);
    });
}

/// The precisions that this processor multiplies in.
fn precisions() -> impl Iterator<Item = Precision> {
    [Precision::Float32, Precision::Float16, Precision::Bfloat16].into_iter().filter(|kind| is_available(*kind))
}

/// Each precision at each number of units.
fn units() -> impl Iterator<Item = (Precision, usize)> {
    precisions().flat_map(|precision| UNITS.map(|n| (precision, n)))
}

/// The gradient of a weight, over all steps.
#[divan::bench(args = units())]
fn large_product(bencher: Bencher, (precision, n): (Precision, usize)) {
    let (x, d) = (numbers(TOKENS * n), numbers(TOKENS * 3 * n));
    let (x, d) = (Matrix::new(&x, TOKENS, n).transposed(), Matrix::new(&d, TOKENS, 3 * n));
    bencher
        .counter(operations(n, TOKENS, 3 * n))
        .bench_local(|| with_precision(precision, || product_of(black_box(x), d)));
}

/// What a recurrence takes.
struct GruInputs {
    n: usize,
    projected: Vec<f32>,
    initial: Vec<f32>,
    weight: Vec<f32>,
}

impl GruInputs {
    fn new(n: usize) -> Self {
        let (initial, weight) = (numbers(BATCH * n), numbers(n * 3 * n));
        Self { n, projected: numbers(TOKENS * 3 * n), initial, weight }
    }

    fn gru(&self) -> Gru<'_> {
        Gru {
            n: self.n,
            batch: BATCH,
            len: LEN,
            initial: &self.initial,
            weight: &self.weight,
            bias: None,
            gain: None,
            reset: Reset::Before,
            lengths: None,
            dropout: None,
            reversed: false,
        }
    }
}

#[divan::bench(args = units())]
fn gru_forward(bencher: Bencher, (precision, n): (Precision, usize)) {
    let inputs = GruInputs::new(n);
    let bencher = bencher.counter(operations(TOKENS, n, 3 * n));
    bencher
        .with_inputs(|| inputs.projected.clone())
        .bench_local_values(|projected| with_precision(precision, || inputs.gru().forward(projected)));
}

#[divan::bench(args = units())]
fn gru_backward(bencher: Bencher, (precision, n): (Precision, usize)) {
    let inputs = GruInputs::new(n);
    let (states, tape): (Vec<f32>, GruTape) = inputs.gru().forward(inputs.projected.clone());
    let bencher = bencher.counter(operations(TOKENS, n, 6 * n));
    bencher.bench_local(|| with_precision(precision, || inputs.gru().backward(black_box(&states), &tape, &states)));
}

/// What a decoder takes.
struct DecoderInputs {
    gru: GruInputs,
    annotations: Vec<f32>,
    keys: Vec<f32>,
    bias: Vec<f32>,
    query: Vec<f32>,
    energy: Vec<f32>,
    context: Vec<f32>,
}

impl DecoderInputs {
    fn new(n: usize) -> Self {
        Self {
            gru: GruInputs::new(n),
            annotations: numbers(TOKENS * 2 * n),
            keys: numbers(TOKENS * n),
            bias: vec![0.0; TOKENS],
            query: numbers(n * n),
            energy: numbers(n),
            context: numbers(2 * n * 3 * n),
        }
    }

    fn decoder(&self) -> Decoder<'_> {
        let n = self.gru.n;
        Decoder {
            n,
            batch: BATCH,
            initial: &self.gru.initial,
            dropout: None,
            lengths: None,
            memory: Memory {
                src_len: LEN,
                annotation: 2 * n,
                attention: n,
                annotations: &self.annotations,
                keys: &self.keys,
                bias: &self.bias,
            },
            query: &self.query,
            energy: &self.energy,
            context: &self.context,
            weight: &self.gru.weight,
            bias: None,
            reset: Reset::Before,
            second: None,
            gains: None,
        }
    }
}

#[divan::bench(args = units())]
fn decoder_forward(bencher: Bencher, (precision, n): (Precision, usize)) {
    let inputs = DecoderInputs::new(n);
    let bencher = bencher.counter(operations(TOKENS, n, 10 * n));
    let projected = || inputs.gru.projected.clone();
    bencher
        .with_inputs(projected)
        .bench_local_values(|projected| with_precision(precision, || inputs.decoder().forward(projected)));
}

#[divan::bench(args = units())]
fn decoder_backward(bencher: Bencher, (precision, n): (Precision, usize)) {
    let inputs = DecoderInputs::new(n);
    let (outputs, tape): (Vec<f32>, DecoderTape) = inputs.decoder().forward(inputs.gru.projected.clone());
    let bencher = bencher.counter(operations(TOKENS, n, 20 * n));
    let backward = || inputs.decoder().backward(black_box(&outputs), &tape, &outputs, None);
    bencher.bench_local(|| with_precision(precision, backward));
}

#[divan::bench(args = units())]
fn output_with_gradients(bencher: Bencher, (precision, n): (Precision, usize)) {
    let vocabulary = n * 8000 / 256;
    let (readout, weight, bias) = (numbers(TOKENS * n), numbers(n * vocabulary), numbers(vocabulary));
    let targets: Vec<usize> = (0..TOKENS).map(|i| i * 7919 % vocabulary).collect();
    let output = Output {
        size: n,
        readout: &readout,
        weight: &weight,
        bias: &bias,
        targets: &targets,
        smoothing: 0.1,
        weights: None,
        consistency: 0.0,
    };
    bencher
        .counter(operations(TOKENS, n, 3 * vocabulary))
        .bench_local(|| with_precision(precision, || black_box(&output).loss_and_gradients()));
}
