//! Times each operation's passes at a size: `operations [HIDDEN VOCABULARY] [ROUNDS]`, on RAYON_NUM_THREADS threads.

use std::time::Instant;

use rnnsearch_numeric::decoder::Decoder;
use rnnsearch_numeric::gru::Gru;
use rnnsearch_numeric::output::Output;
use rnnsearch_numeric::product::{Matrix, Packed, Write, product};
use rnnsearch_numeric::{Instructions, Memory, Reset};

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 2001) as f32 / 10_000.0 - 0.1).collect()
}

/// The time that all threads of this process have spent on a processor, in nanoseconds.
fn cpu_time() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let spent = |task: std::fs::DirEntry| -> Option<u64> {
        std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    tasks.flatten().filter_map(spent).sum()
}

/// Processor time of a run, the mean of `rounds`, with the rate of its products.
fn time(name: &str, operations: usize, rounds: usize, mut run: impl FnMut()) {
    run();
    let (start, wall) = (cpu_time(), Instant::now());
    (0..rounds).for_each(|_| run());
    let seconds = (cpu_time() - start) as f64 / 1e9 / rounds as f64;
    let wall = wall.elapsed().as_secs_f64() / rounds as f64;
    println!(
        "{name:<18} {:8.2} CPU-ms {:6.1} GFLOP/s {:8.2} ms",
        seconds * 1e3,
        operations as f64 / seconds / 1e9,
        wall * 1e3
    );
}

fn main() {
    rnnsearch_numeric::keep_freed_buffers();
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (n, vocabulary) = if let [n, v, ..] = arguments[..] { (n, v) } else { (256, 8000) };
    let rounds = arguments.get(2).copied().unwrap_or(10);
    let (batch, len, src_len) = (80, 15, 15);
    let tokens = batch * len;
    println!("{} on {} threads", Instructions::available(), rayon::current_num_threads());

    let (weight, a) = (numbers(n * 3 * n), numbers(batch * n));
    let packed = Packed::new(Matrix::new(&weight, n, 3 * n));
    let mut c = vec![0.0; batch * 3 * n];
    let rows: Vec<&[f32]> = a.chunks_exact(n).collect();
    time("packed, 1 thread", 2 * batch * n * 3 * n, rounds * 5, || {
        packed.multiply(&rows, &mut c.chunks_exact_mut(3 * n).collect::<Vec<_>>(), Write::Set);
    });
    let (x, y) = (numbers(tokens * n), numbers(tokens * 3 * n));
    let mut d = vec![0.0; n * 3 * n];
    time("large product", 2 * tokens * n * 3 * n, rounds * 5, || {
        product(Matrix::new(&x, tokens, n).transposed(), Matrix::new(&y, tokens, 3 * n), &mut d, 3 * n, Write::Set);
    });

    let (projected, initial) = (numbers(tokens * 3 * n), numbers(batch * n));
    let gru = Gru {
        n,
        batch,
        len,
        initial: &initial,
        weight: &weight,
        bias: None,
        reset: Reset::Before,
        lengths: None,
        dropout: None,
        reversed: false,
    };
    let (states, tape) = gru.forward(projected.clone());
    let operations = 2 * tokens * n * 3 * n;
    time("gru forward", operations, rounds, || drop(gru.forward(projected.clone())));
    time("gru backward", 2 * operations, rounds, || drop(gru.backward(&states, &tape, &states)));

    let (annotations, keys, bias) =
        (numbers(batch * src_len * 2 * n), numbers(batch * src_len * n), vec![0.0; batch * src_len]);
    let (query, energy, context) = (numbers(n * n), numbers(n), numbers(2 * n * 3 * n));
    let memory =
        Memory { src_len, annotation: 2 * n, attention: n, annotations: &annotations, keys: &keys, bias: &bias };
    let decoder = Decoder {
        n,
        batch,
        initial: &initial,
        dropout: None,
        lengths: None,
        memory,
        query: &query,
        energy: &energy,
        context: &context,
        weight: &weight,
        bias: None,
        reset: Reset::Before,
    };
    let (outputs, tape) = decoder.forward(projected.clone());
    let operations = 2 * tokens * n * (n + 9 * n);
    time("decoder forward", operations, rounds, || drop(decoder.forward(projected.clone())));
    time("decoder backward", 2 * operations, rounds, || drop(decoder.backward(&outputs, &tape, &outputs)));

    let (readout, weight, bias) = (numbers(tokens * n), numbers(n * vocabulary), numbers(vocabulary));
    let targets: Vec<usize> = (0..tokens).map(|i| i * 7919 % vocabulary).collect();
    let output = Output { size: n, readout: &readout, weight: &weight, bias: &bias, targets: &targets, smoothing: 0.1 };
    let operations = 2 * tokens * n * vocabulary;
    time("output forward", operations, rounds, || assert!(output.loss() > 0.0));
    time("output both", 3 * operations, rounds, || drop(output.loss_and_gradients()));
}
