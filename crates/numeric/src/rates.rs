//! How fast this processor multiplies matrices: what every other time is measured against.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::product::{Int8, IntegerRows, Matrix, Packed, Write, product};

/// Each product is timed so often, and the shortest time counts.
const ROUNDS: usize = 7;
/// The least time that is measured at once.
const LEAST: Duration = Duration::from_millis(20);

/// Kinds of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    /// Of a recurrent step, by a weight that is packed once.
    Packed,
    /// The same in 8-bit integers.
    Int8,
    /// Of all steps of an update together.
    Large,
}

impl std::fmt::Display for RateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Packed => "packed",
            Self::Int8 => "int8",
            Self::Large => "large",
        })
    }
}

/// The rate of one kind of product.
#[derive(Clone, Debug)]
pub struct Rate {
    /// What multiplies.
    pub kind: RateKind,
    /// Rows of A, columns of A, columns of B.
    pub shape: [usize; 3],
    /// Additions and multiplications a second, on each of the threads that work at the same time.
    pub per_thread: f64,
}

/// Times the products that a training step is made of, at usual sizes, on all threads.
pub fn rates() -> Vec<Rate> {
    let steps = [[80, 256, 768], [80, 512, 1536], [80, 1024, 3072]];
    let all = [[1200, 256, 8000], [1200, 512, 16000], [1024, 1200, 1024], [2048, 2048, 2048]];
    let packed = steps.map(|shape| time(RateKind::Packed, shape, packed));
    let int8 = steps.map(|shape| time(RateKind::Int8, shape, int8_product));
    packed.into_iter().chain(int8).chain(all.map(|shape| time(RateKind::Large, shape, large_product))).collect()
}

/// The highest rate a thread of products of floats, or of integers.
pub fn highest(rates: &[Rate], of_integers: bool) -> f64 {
    let alike = rates.iter().filter(|rate| (rate.kind == RateKind::Int8) == of_integers);
    alike.map(|rate| rate.per_thread).fold(0.0, f64::max)
}

fn time(kind: RateKind, shape: [usize; 3], run: fn([usize; 3], &[f32], &[f32], Duration) -> f64) -> Rate {
    let numbers = |size: usize| -> Vec<f32> { (0..size).map(|i| (i % 2001) as f32 / 10_000.0 - 0.1).collect() };
    let [m, k, n] = shape;
    let per_thread = run(shape, &numbers(m * k), &numbers(k * n), LEAST);
    Rate { kind, shape, per_thread }
}

fn packed([m, k, n]: [usize; 3], a: &[f32], b: &[f32], least: Duration) -> f64 {
    let packed = Packed::new(Matrix::new(b, k, n));
    let rows: Vec<&[f32]> = a.chunks_exact(k).collect();
    on_every_thread([m, k, n], least, |c| packed.multiply(&rows, c, Write::Set))
}

/// Rows that are integers already.
fn int8_product([m, k, n]: [usize; 3], a: &[f32], b: &[f32], least: Duration) -> f64 {
    let weight: Vec<i8> = b.iter().map(|x| (x * 1000.0) as i8).collect();
    let int8 = Int8::new(k, weight.chunks_exact(k).map(|column| (column, 0.001)));
    let rows = IntegerRows::new(&a.chunks_exact(k).collect::<Vec<_>>());
    on_every_thread([m, k, n], least, |c| int8.multiply_shared(false, &rows, c, Write::Set))
}

/// Every thread multiplies on its own.
fn on_every_thread([m, k, n]: [usize; 3], least: Duration, multiply: impl Fn(&mut [&mut [f32]]) + Sync) -> f64 {
    let threads = rayon::current_num_threads();
    let mut results = vec![vec![0.0; m * n]; threads];
    fastest([m, k, n], threads, threads, least, || {
        results.par_iter_mut().with_max_len(1).for_each(|c| multiply(&mut c.chunks_exact_mut(n).collect::<Vec<_>>()));
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
