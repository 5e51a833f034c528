//! The elementwise functions and products against plain loops in 64-bit floats, at sizes with and without a rest.

use proptest::prelude::*;
use rnnsearch_numeric::product::{Matrix, Packed, Write, is_available, product, product_of, with_precision};
use rnnsearch_numeric::vector;
use rnnsearch_numeric::{Instructions, Precision};

/// Sizes around the widths of vectors, tiles and blocks.
const SIZES: [usize; 9] = [1, 2, 7, 17, 32, 48, 65, 100, 129];

fn size() -> impl Strategy<Value = usize> {
    prop::sample::select(SIZES.to_vec())
}

/// Numbers without a pattern, within -1..1.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

#[track_caller]
fn close(found: f32, expected: f64, relative: f64, absolute: f64) {
    let error = (f64::from(found) - expected).abs();
    assert!(error <= relative * expected.abs() + absolute, "{found} is not {expected}");
}

#[test]
fn functions_of_one_number() {
    let mut x: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 100.0).collect();
    x.extend([1e-30, -1e-12, 1e-6, -3e-4, 60.0, -60.0, 86.9, -86.9]);
    let check = |apply: fn(&mut [f32]), expected: fn(f64) -> f64, relative: f64| {
        let mut found = x.clone();
        apply(&mut found);
        for (&x, found) in x.iter().zip(found) {
            close(found, expected(f64::from(x)), relative, 1e-37);
        }
    };
    check(vector::exp, f64::exp, 4e-7);
    check(vector::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 5e-7);
    check(vector::tanh, f64::tanh, 6e-7);
}

#[test]
fn extremes_saturate() {
    let mut x = [f32::NEG_INFINITY, -1e9, -200.0, f32::INFINITY];
    vector::sigmoid(&mut x);
    assert!(x[..3].iter().all(|x| *x < 1e-37) && x[3] == 1.0, "{x:?}");
    let mut x = [f32::NEG_INFINITY, -1e9, 1e9, f32::INFINITY];
    vector::tanh(&mut x);
    for (found, expected) in x.into_iter().zip([-1.0, -1.0, 1.0, 1.0]) {
        close(found, expected, 1e-6, 0.0);
    }
}

#[test]
fn normalized_rows() {
    for n in SIZES {
        for (scale, shift) in [(1.0, 0.0), (30.0, 100.0), (1e-4, 0.0)] {
            let x: Vec<f32> = numbers(n, 3).iter().map(|x| scale * x + shift).collect();
            let mut found = x.clone();
            let factor = vector::normalize(&mut found);
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n as f64;
            let expected = 1.0 / (variance + 1e-5).sqrt();
            close(factor, expected, 1e-5, 0.0);
            for (&x, found) in x.iter().zip(found) {
                close(found, (f64::from(x) - mean) * expected, 1e-5, 2e-5);
            }
        }
    }
}

#[test]
fn the_largest_number() {
    for (n, stride) in SIZES.into_iter().flat_map(|n| [(n, n), (n, n + 3)]) {
        let x = numbers(2 * stride + n, 5);
        let lines = x.iter().enumerate().filter(|(i, _)| i % stride < n);
        assert_eq!(vector::largest(&x, n, stride), lines.fold(0.0, |largest: f32, (_, x)| largest.max(x.abs())));
        for wild in [f32::NAN, f32::NEG_INFINITY] {
            let mut x = x.clone();
            x[stride + n / 2] = wild;
            assert!(!vector::largest(&x, n, stride).is_finite());
        }
    }
    assert_eq!(vector::largest(&[], 1, 1), 0.0);
}

#[test]
fn threads_share_the_columns_of_few_rows() {
    for (m, k, n) in [(1, 300, 1000), (3, 129, 1101), (2, 1024, 130), (1, 7, 9)] {
        let (a, b, c) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
        let packed = Packed::new(Matrix::new(&b, k, n));
        let rows: Vec<&[f32]> = a.chunks_exact(k).collect();
        for write in [Write::Set, Write::Add] {
            let mut alone = c.clone();
            packed.multiply(&rows, &mut alone.chunks_exact_mut(n).collect::<Vec<_>>(), write);
            for threads in [1, 2, 3, 7] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut shared = c.clone();
                let mut target: Vec<&mut [f32]> = shared.chunks_exact_mut(n).collect();
                pool.install(|| packed.multiply_shared(true, &rows, &mut target, write));
                assert!(shared == alone, "{threads} threads, {m} {k} {n}");
            }
        }
    }
}

/// The 16-bit floats that this processor multiplies, with the significant bits that they keep.
fn short_floats() -> impl Iterator<Item = (Precision, u32)> {
    [(Precision::Float16, 11), (Precision::Bfloat16, 8)].into_iter().filter(|(precision, _)| is_available(*precision))
}

#[test]
fn short_floats_hide_nothing() {
    short_floats().for_each(|(precision, bits)| hide_nothing(precision, bits));
}

fn hide_nothing(precision: Precision, bits: u32) {
    let multiply =
        |a: &[f32], b: &[f32]| with_precision(precision, || product_of(Matrix::new(a, 2, 2), Matrix::new(b, 2, 2)));
    assert_eq!(multiply(&[0.0; 4], &[1.0; 4]), [0.0; 4]);
    let expected = [3e38f32, 1.5e38].map(|x| rounded(x, bits));
    assert_eq!(multiply(&[3e38, 0.0, 1e-3, 0.0], &[1.0, 0.5, 0.0, 0.0])[..2], expected);
    let nothing = with_precision(precision, || product_of(Matrix::new(&[], 3, 0), Matrix::new(&[], 0, 2)));
    assert_eq!(nothing, [0.0; 6]);
    assert_eq!(multiply(&[1e-40, 0.0, 0.0, 0.0], &[1e-40; 4]), [0.0; 4]);
    assert!(multiply(&[f32::NAN, 0.0, 0.0, 1.0], &[1.0; 4])[0].is_nan());
    assert!(!multiply(&[f32::INFINITY, 0.0, 0.0, 1.0], &[1.0; 4])[0].is_finite());
    // Elsewhere and afterwards products are as they were.
    let third = product_of(Matrix::new(&[1.0 / 3.0], 1, 1), Matrix::new(&[1.0], 1, 1));
    assert_eq!(third, [1.0 / 3.0]);
}

/// To so many significant bits.
fn rounded(x: f32, bits: u32) -> f32 {
    let last = 1 << (24 - bits);
    f32::from_bits((x.to_bits() + last / 2) & !(last - 1))
}

#[test]
fn not_a_number_stays_one() {
    for apply in [vector::exp, vector::sigmoid, vector::tanh] {
        let mut x = [f32::NAN; 3];
        apply(&mut x);
        assert!(x.iter().all(|x| x.is_nan()), "an overflow in training must not be hidden");
    }
}

/// What the roundings of two factors come to at most, beside the size of their product; with 16-bit sums those at every step, mostly
/// to either side, too.
fn rounding(precision: Precision) -> f64 {
    if precision == Precision::Float16 { 0.003 } else { 0.008 }
}

/// A product C ← A W or C + A W to try a packed weight on.
struct Product {
    sizes: [usize; 3],
    transposed: bool,
    write: Write,
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

impl Product {
    fn new([m, k, n]: [usize; 3], transposed: bool, add: bool) -> Self {
        let write = if add { Write::Add } else { Write::Set };
        let (a, b, c) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
        Self { sizes: [m, k, n], transposed, write, a, b, c }
    }

    fn weight(&self) -> Matrix<'_> {
        let [_, k, n] = self.sizes;
        if self.transposed { Matrix::new(&self.b, n, k).transposed() } else { Matrix::new(&self.b, k, n) }
    }

    fn weight_at(&self, row: usize, column: usize) -> f64 {
        let [_, k, n] = self.sizes;
        f64::from(self.b[if self.transposed { column * k + row } else { row * n + column }])
    }

    fn rows(&self) -> Vec<&[f32]> {
        self.a.chunks_exact(self.sizes[1]).collect()
    }

    /// C, as a packed weight makes it.
    fn with(&self, packed: &Packed) -> Vec<f32> {
        let mut c = self.c.clone();
        packed.multiply(&self.rows(), &mut c.chunks_exact_mut(self.sizes[2]).collect::<Vec<_>>(), self.write);
        c
    }

    /// Compares with sums in 64 bits, to a tolerance that follows from the sum of what each sums up without its signs.
    fn check(&self, found: &[f32], relative: f64, tolerance: impl Fn(f64) -> f64) {
        let [_, k, n] = self.sizes;
        for (place, (&found, &before)) in found.iter().zip(&self.c).enumerate() {
            let (row, column) = (&self.a[place / n * k..][..k], place % n);
            let terms = row.iter().enumerate().map(|(l, &a)| f64::from(a) * self.weight_at(l, column));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            let before = if self.write == Write::Add { f64::from(before) } else { 0.0 };
            close(found, sum + before, relative, tolerance(size));
        }
    }
}

#[test]
fn a_weight_may_have_no_columns_or_no_rows() {
    let ways = [Packed::new, Packed::paired].map(|pack| move |k, n| pack(Matrix::new(&[], k, n)));
    for pack in ways {
        for shared in [false, true] {
            pack(2, 0).multiply_shared(shared, &[&[1.0, 2.0]], &mut [&mut []], Write::Set);
            let mut c = [1.0; 3];
            pack(0, 3).multiply_shared(shared, &[&[]], &mut [&mut c], Write::Set);
            assert_eq!(c, [0.0; 3]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn packed_products(m in prop::sample::select(vec![1usize, 2, 3, 5, 8, 13, 17]), k in size(), n in size(), transposed: bool, add: bool) {
        let product = Product::new([m, k, n], transposed, add);
        for instructions in Instructions::all() {
            let packed = Packed::with(instructions, product.weight());
            let found = product.with(&packed);
            product.check(&found, 1e-5, |_| 1e-5);
            // A row alone has the same bits.
            let mut alone = product.c[..n].to_vec();
            packed.multiply(&product.rows()[..1], &mut [&mut alone[..]], product.write);
            prop_assert_eq!(&alone[..], &found[..n]);
        }
    }

    #[test]
    fn rounded_packed_products(m in prop::sample::select(vec![1usize, 2, 15, 16, 17, 33, 65]), k in prop::sample::select(vec![1usize, 7, 64, 65, 513, 1100]), n in size(), transposed: bool, add: bool) {
        if !is_available(Precision::Bfloat16) {
            return Ok(());
        }
        let product = Product::new([m, k, n], transposed, add);
        let packed = Packed::rounded(Precision::Bfloat16, product.weight());
        let (found, expected) = (product.with(&packed), product.with(&Packed::new(product.weight())));
        let rows = product.rows();
        for (row, (found, expected)) in rows.iter().zip(found.chunks_exact(n).zip(expected.chunks_exact(n))) {
            let size: f64 = row.iter().map(|x| f64::from(x.abs())).sum();
            for (found, expected) in found.iter().zip(expected) {
                close(*found, f64::from(*expected), 1e-6, rounding(Precision::Bfloat16) * size);
            }
        }
        let mut alone = product.c[(m - 1) * n..].to_vec();
        packed.multiply_shared(true, &rows[m - 1..], &mut [&mut alone[..]], product.write);
        prop_assert_eq!(&alone[..], &found[(m - 1) * n..], "a row alone has the same bits");
    }

    #[test]
    fn paired_packed_products(m in prop::sample::select(vec![1usize, 2, 15, 16, 17, 33, 65]), k in prop::sample::select(vec![1usize, 7, 64, 65, 513, 1100]), n in size(), transposed: bool, add: bool) {
        let product = Product::new([m, k, n], transposed, add);
        let packed = Packed::paired(product.weight());
        let found = product.with(&packed);
        product.check(&found, 1e-6, |size| f64::from(packed.error()) * size);
        // A row alone has the same bits, and so have some of its columns; those of the weight are near the ones it is made of.
        let (rows, mut alone) = (product.rows(), product.c[(m - 1) * n..].to_vec());
        let last = &rows[m - 1..];
        packed.multiply_shared(true, last, &mut [&mut alone[..]], product.write);
        prop_assert_eq!(&alone[..], &found[(m - 1) * n..]);
        packed.multiply(last, &mut [&mut alone[..]], Write::Set);
        let columns: Vec<usize> = (0..n).filter(|j| j % 5 != 1).collect();
        let mut taken = Vec::new();
        packed.multiply_columns(last[0], &columns, |j, product| taken.push((j, product)));
        prop_assert_eq!(taken, columns.iter().map(|&j| (j, alone[j])).collect::<Vec<_>>());
        packed.for_each_column(|j, column| {
            let found = column.iter().enumerate();
            found.for_each(|(l, &found)| close(found, product.weight_at(l, j), 2f64.powi(-16), 0.0));
        });
    }

    #[test]
    fn large_products_of_blocks(m in size(), k in size(), n in size(), from in 0usize..3, add: bool) {
        let (a, b, c) = (numbers(k * (m + 3), 1), numbers(k * n, 2), numbers(m * (n + 2), 3));
        let mut found = c.clone();
        let write = if add { Write::Add } else { Write::Set };
        let block = Matrix::new(&a, k, m + 3).columns(from..from + m).transposed();
        product(block, Matrix::new(&b, k, n), &mut found, n + 2, write);
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|l| f64::from(a[l * (m + 3) + from + i]) * f64::from(b[l * n + j])).sum();
                let before = if add { f64::from(c[i * (n + 2) + j]) } else { 0.0 };
                close(found[i * (n + 2) + j], sum + before, 1e-5, 1e-5);
            }
            prop_assert_eq!(&found[i * (n + 2) + n..(i + 1) * (n + 2)], &c[i * (n + 2) + n..(i + 1) * (n + 2)], "beside the block");
        }
    }

    #[test]
    fn products_of_short_floats(m in size(), k in prop::sample::select(vec![1usize, 7, 64, 65, 513, 1100]), n in size(), transposed: [bool; 2], add: bool, power in -60i32..60) {
        // Numbers of any size, and rows much smaller than others.
        let scaled = |x: Vec<f32>| -> Vec<f32> { x.into_iter().map(|x| x * 2f32.powi(power)).collect() };
        let (a, b, c) = (scaled(numbers(m * k, 1)), scaled(numbers(k * n, 2)), numbers(m * (n + 2), 3));
        let at = |data: &[f32], [rows, columns]: [usize; 2], i: usize, j: usize, transposed: bool| {
            f64::from(if transposed { data[j * rows + i] } else { data[i * columns + j] })
        };
        let matrix = |data, rows, columns, transposed| match transposed {
            true => Matrix::new(data, columns, rows).transposed(),
            false => Matrix::new(data, rows, columns),
        };
        for (precision, _) in short_floats() {
            let mut found = c.clone();
            let write = if add { Write::Add } else { Write::Set };
            let (am, bm) = (matrix(&a, m, k, transposed[0]), matrix(&b, k, n, transposed[1]));
            with_precision(precision, || product(am, bm, &mut found, n + 2, write));
            for i in 0..m {
                for j in 0..n {
                    let terms: Vec<f64> = (0..k)
                        .map(|l| at(&a, [m, k], i, l, transposed[0]) * at(&b, [k, n], l, j, transposed[1]))
                        .collect();
                    let before = if add { f64::from(c[i * (n + 2) + j]) } else { 0.0 };
                    let size: f64 = terms.iter().map(|term| term.abs()).sum();
                    // A product below the smallest normal number may be none.
                    let tolerance = rounding(precision) * size + terms.len() as f64 * f64::from(f32::MIN_POSITIVE);
                    close(found[i * (n + 2) + j], terms.iter().sum::<f64>() + before, 1e-6, tolerance);
                }
                prop_assert_eq!(&found[i * (n + 2) + n..(i + 1) * (n + 2)], &c[i * (n + 2) + n..(i + 1) * (n + 2)], "beside the block");
            }
            // A row alone has the same bits.
            let mut alone = c[..n].to_vec();
            let first = if transposed[0] { (0..k).map(|l| a[l * m]).collect() } else { a[..k].to_vec() };
            with_precision(precision, || product(Matrix::new(&first, 1, k), bm, &mut alone, n, write));
            if precision == Precision::Bfloat16 {
                prop_assert_eq!(&alone[..], &found[..n]);
            }
        }
    }

    #[test]
    fn reductions(n in size(), seed in 0u64..100) {
        let (a, b, v) = (numbers(n, seed), numbers(n, seed + 1), numbers(n, seed + 2));
        let wide = |x: f32| f64::from(x);
        let dot: f64 = a.iter().zip(&b).map(|(a, b)| wide(*a) * wide(*b)).sum();
        close(vector::dot(&a, &b), dot, 1e-5, 1e-6);
        let energy: f64 = (0..n).map(|i| (wide(a[i]) + wide(b[i])).tanh() * wide(v[i])).sum();
        close(vector::energy(&a, &b, &v), energy, 1e-5, 3e-6);
        let mut alignment = a.clone();
        alignment[n / 2] = f32::NEG_INFINITY;
        if n > 1 {
            let sum: f64 = alignment.iter().map(|x| wide(*x).exp()).sum();
            let expected: Vec<f64> = alignment.iter().map(|x| wide(*x).exp() / sum).collect();
            vector::softmax(&mut alignment);
            alignment.iter().zip(expected).for_each(|(found, expected)| close(*found, expected, 1e-6, 0.0));
            prop_assert_eq!(alignment[n / 2], 0.0);
        }
    }

    #[test]
    fn weighted_sums(n in size(), rows in 1usize..9, gap in 0usize..3) {
        let (weights, x) = (numbers(rows, 5), numbers(rows * (n + gap), 6));
        let mut found = vec![f32::NAN; n];
        vector::weighted_sum(&mut found, &weights, &x, n + gap);
        for (i, found) in found.iter().enumerate() {
            let sum: f64 = (0..rows).map(|j| f64::from(weights[j]) * f64::from(x[j * (n + gap) + i])).sum();
            close(*found, sum, 1e-5, 1e-6);
        }
    }

    #[test]
    fn cross_entropies(n in size(), target in 0usize..1000, smoothing in prop::sample::select(vec![0f32, 0.1])) {
        let (logits, bias, target) = (numbers(n, 7), numbers(n, 8), target % n);
        let wide: Vec<f64> = logits.iter().zip(&bias).map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
        let sum: f64 = wide.iter().map(|x| x.exp()).sum();
        let q = |v: usize| f64::from(smoothing) / n as f64 + if v == target { 1.0 - f64::from(smoothing) } else { 0.0 };
        let expected: f64 = (0..n).map(|v| -q(v) * (wide[v] - sum.ln())).sum();
        let mut gradient = logits.clone();
        close(vector::cross_entropy(&mut gradient, &bias, target, smoothing), expected, 1e-5, 1e-5);
        for (v, found) in gradient.into_iter().enumerate() {
            close(found, wide[v].exp() / sum - q(v), 1e-5, 1e-6);
        }
    }

    #[test]
    fn twins(n in size(), share in prop::sample::select(vec![0f32, 0.01])) {
        let [p, q, apart] = [numbers(n, 9), numbers(n, 10), numbers(n, 11)];
        let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|x| f64::from(*x)).collect() };
        let [wide_p, wide_q, wide_apart, share_of] = [wide(&p), wide(&q), wide(&apart), vec![f64::from(share); n]];
        let sum: f64 = (0..n).map(|i| (wide_p[i] + share_of[i]) * wide_apart[i]).sum();
        close(vector::mean(&p, share, &apart), sum, 1e-5, 1e-5);
        let (mut d_p, mut d_q) = (p, q);
        vector::pull_together(&mut d_p, &mut d_q, &apart, [0.25, -0.5], share, 3.0);
        for i in 0..n {
            let (p, q) = (wide_p[i] + share_of[i], wide_q[i] + share_of[i]);
            close(d_p[i], wide_p[i] + 1.5 * (p * (wide_apart[i] - 0.25) + p - q), 1e-5, 1e-6);
            close(d_q[i], wide_q[i] - 1.5 * (q * (wide_apart[i] + 0.5) + p - q), 1e-5, 1e-6);
        }
    }
}
