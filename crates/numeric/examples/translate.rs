//! What a sentence costs in the packed network, one at a time: random weights of the default sizes, no search.
//!
//! ```sh
//! cargo run --release -p rnnsearch-numeric --example translate -- 2 14      # threads, words
//! ```

use std::collections::BTreeMap;
use std::time::Instant;

use rnnsearch_numeric::Reset;
use rnnsearch_numeric::network::{Hypotheses, Need, Network, Parameter};

const SIZE: usize = 256;
const WORDS: usize = 8000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let (threads, length): (usize, usize) = (numbers.next().unwrap_or(2), numbers.next().unwrap_or(14));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the first pool");
    let shapes = shapes();
    let values: Vec<Vec<f32>> = (1..).zip(&shapes).map(|(salt, (_, shape))| numbers_of(shape, salt)).collect();
    let parameters: BTreeMap<&str, Parameter> = shapes
        .iter()
        .zip(&values)
        .map(|((name, shape), values)| (*name, Parameter::from((&shape[..], &values[..]))))
        .collect();
    let begin = Instant::now();
    let network = Network::new(&parameters, Reset::After, false);
    println!("packing {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    let source: Vec<u32> = (0..length as u32).map(|i| 100 + i * 37).collect();
    for need in [Need::All, Need::Best(4)] {
        let one = |_| rayon::scope(|_| translate(&network, &source, need));
        let mut times: Vec<[f64; 2]> = (0..200).map(one).collect();
        times.sort_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
        for (name, [read, steps]) in [("least", times[0]), ("median", times[times.len() / 2])] {
            println!("{need:?}, {name}: {:.2} ms: reading {read:.2} ms, {length} steps {steps:.2} ms", read + steps);
        }
    }
}

/// The milliseconds of reading, and of as many steps as there are words.
fn translate(network: &Network, source: &[u32], need: Need) -> [f64; 2] {
    let begin = Instant::now();
    let mut hypotheses = Hypotheses::new(network, network.read(&[source]), true);
    let read = begin.elapsed().as_secs_f64() * 1e3;
    let mut word = 2;
    for _ in 0..source.len() {
        word = hypotheses.step(&[word], need).best(0, 2, &[0, 1], f32::NEG_INFINITY)[0].1;
        hypotheses.keep(&[0]);
    }
    [read, begin.elapsed().as_secs_f64() * 1e3 - read]
}

fn shapes() -> Vec<(&'static str, Vec<usize>)> {
    let mut shapes = vec![
        ("source_embedding", vec![WORDS, SIZE]),
        ("target_embedding", vec![WORDS, SIZE]),
        ("bridge.0.weight", vec![SIZE, SIZE]),
        ("bridge.0.bias", vec![SIZE]),
        ("attention.query_weight", vec![SIZE, SIZE]),
        ("attention.key_weight", vec![2 * SIZE, SIZE]),
        ("attention.energy_weight", vec![SIZE]),
        ("decoder.0.context_weight", vec![2 * SIZE, 3 * SIZE]),
        ("readout.state_weight", vec![SIZE, 2 * SIZE]),
        ("readout.context_weight", vec![2 * SIZE, 2 * SIZE]),
        ("readout.embedding_weight", vec![SIZE, 2 * SIZE]),
        ("readout.bias", vec![2 * SIZE]),
        ("output.weight", vec![SIZE, WORDS]),
        ("output.bias", vec![WORDS]),
    ];
    for unit in [
        [
            "encoder.0.forward.input_weight",
            "encoder.0.forward.recurrent_weight",
            "encoder.0.forward.input_bias",
            "encoder.0.forward.recurrent_bias",
        ],
        [
            "encoder.0.backward.input_weight",
            "encoder.0.backward.recurrent_weight",
            "encoder.0.backward.input_bias",
            "encoder.0.backward.recurrent_bias",
        ],
        ["decoder.0.input_weight", "decoder.0.recurrent_weight", "decoder.0.input_bias", "decoder.0.recurrent_bias"],
    ] {
        let sizes = [vec![SIZE, 3 * SIZE], vec![SIZE, 3 * SIZE], vec![3 * SIZE], vec![SIZE]];
        shapes.extend(unit.into_iter().zip(sizes));
    }
    shapes
}

/// Numbers of about the size that training gives.
fn numbers_of(shape: &[usize], salt: u64) -> Vec<f32> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let scale = if shape.len() == 2 { (6.0 / (shape[0] + shape[1]) as f32).sqrt() * 2.0 } else { 0.1 };
    let mut number = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    (0..shape.iter().product()).map(|_| number()).collect()
}
