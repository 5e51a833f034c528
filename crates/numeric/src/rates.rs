//! How fast this processor multiplies matrices: what every other time is measured against.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::product::{Matrix, Packed, Write, product};

/// Each product is timed so often, and the shortest time counts.
const ROUNDS: usize = 7;
/// The least time that is measured at once.
const LEAST: Duration = Duration::from_millis(20);

/// The rate of one kind of product.
#[derive(Clone, Debug)]
pub struct Rate {
    /// What multiplies: `packed` is the product of a recurrent step, `large` that of all steps together.
    pub kind: &'static str,
    /// Rows of A, columns of A, columns of B.
    pub shape: [usize; 3],
    /// Additions and multiplications a second, on each of the threads that work at the same time.
    pub per_thread: f64,
}

/// Times the products that a training step is made of, at usual sizes, on all threads.
pub fn rates() -> Vec<Rate> {
    let packed = [[80, 256, 768], [80, 512, 1536], [80, 1024, 3072]].map(|shape| time("packed", shape, packed));
    let large = [[1200, 256, 8000], [1200, 512, 16000], [1024, 1200, 1024], [2048, 2048, 2048]];
    packed.into_iter().chain(large.map(|shape| time("large", shape, large_product))).collect()
}

fn time(kind: &'static str, shape: [usize; 3], run: fn([usize; 3], &[f32], &[f32], Duration) -> f64) -> Rate {
    let numbers = |size: usize| -> Vec<f32> { (0..size).map(|i| (i % 2001) as f32 / 10_000.0 - 0.1).collect() };
    let [m, k, n] = shape;
    let per_thread = run(shape, &numbers(m * k), &numbers(k * n), LEAST);
    Rate { kind, shape, per_thread }
}

/// Every thread multiplies on its own.
fn packed([m, k, n]: [usize; 3], a: &[f32], b: &[f32], least: Duration) -> f64 {
    let threads = rayon::current_num_threads();
    let packed = Packed::new(Matrix::new(b, k, n));
    let mut results = vec![vec![0.0; m * n]; threads];
    let rows: Vec<&[f32]> = a.chunks_exact(k).collect();
    fastest([m, k, n], threads, threads, least, || {
        results.par_iter_mut().with_max_len(1).for_each(|c| {
            packed.multiply(&rows, &mut c.chunks_exact_mut(n).collect::<Vec<_>>(), Write::Set);
        });
    })
}

/// All threads share one product.
fn large_product([m, k, n]: [usize; 3], a: &[f32], b: &[f32], least: Duration) -> f64 {
    let mut c = vec![0.0; m * n];
    fastest([m, k, n], 1, rayon::current_num_threads(), least, || {
        product(Matrix::new(a, m, k), Matrix::new(b, k, n), &mut c, n, Write::Set);
    })
}

/// The rate a thread of `products` products by `threads` threads, in the fastest round.
fn fastest([m, k, n]: [usize; 3], products: usize, threads: usize, least: Duration, mut run: impl FnMut()) -> f64 {
    let operations = 2.0 * (m * k * n * products) as f64 / threads as f64;
    let round = |_| {
        let (begin, mut times) = (Instant::now(), 0);
        while begin.elapsed() < least {
            run();
            times += 1;
        }
        operations * f64::from(times) / begin.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(0.0, f64::max)
}
