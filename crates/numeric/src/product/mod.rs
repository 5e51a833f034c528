//! Matrix products.
//!
//! [`product`] and [`product_of`] serve large ones, on all threads: through the `gemm` crate or, where [`with_precision`] asks for it, in
//! 16-bit floats. [`Packed`] serves the small ones of a recurrence: at each step few rows meet the same weight, which is
//! brought into the order of the inner loop once a sequence. Translating has them in pairs of bfloat16, where that is faster.

#[cfg(target_arch = "x86_64")]
pub(crate) mod bfloat;
#[cfg(target_arch = "x86_64")]
mod half;
mod int8;
mod packed;
mod precision;
mod tile;

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use crate::Precision;
use rayon::prelude::*;

pub use int8::{Int8, IntegerRows};
pub use packed::Packed;
pub(crate) use precision::current as current_precision;
pub use precision::{is_available, resolved, with_precision};

/// A matrix that lies in a slice, perhaps transposed, perhaps some columns of a wider one.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix stored row after row.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns);
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// These columns of it.
    pub fn columns(self, columns: Range<usize>) -> Self {
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        let from = if self.rows == 0 { 0 } else { columns.start * self.column_stride };
        Self { data: &self.data[from.min(self.data.len())..], columns: columns.len(), ..self }
    }

    /// It with rows and columns exchanged; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// These rows of it.
    fn rows(self, rows: Range<usize>) -> Self {
        self.transposed().columns(rows).transposed()
    }

    /// Whether every element lies within the slice.
    fn is_within(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.data.len()
    }
}

/// Whether a product replaces what its target holds, or is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// C ← A B.
    Set,
    /// C ← C + A B.
    Add,
}

/// C ← A B or C + A B on all threads, where row i of C begins at `c[i * stride]`.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn product(a: Matrix, b: Matrix, c: &mut [f32], stride: usize, write: Write) {
    let (m, n) = (a.rows, b.columns);
    assert!(n <= stride && (m == 0 || n == 0 || (m - 1) * stride + n <= c.len()), "C has room");
    // SAFETY: C is borrowed mutably and has room for m rows of n elements, which do not overlap.
    unsafe { multiply(a, &Factor::new(b), Target(c.as_mut_ptr(), stride), write) }
}

/// A B as a new matrix, row after row, on all threads.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn product_of(a: Matrix, b: Matrix) -> Vec<f32> {
    Factor::new(b).product_of(a)
}

/// A matrix B that several matrices A meet: what there is to prepare is done once.
#[derive(Debug)]
pub struct Factor<'b> {
    b: Matrix<'b>,
    #[cfg(target_arch = "x86_64")]
    rounded: Option<Rounded>,
}

/// The matrix B in numbers of 16 bits.
#[cfg(target_arch = "x86_64")]
#[derive(Debug)]
enum Rounded {
    Half(half::Right),
    Bfloat(bfloat::Right),
}

impl<'b> Factor<'b> {
    /// Prepares B for products in the precision that this thread asks for, see [`with_precision`].
    pub fn new(b: Matrix<'b>) -> Self {
        assert!(b.is_within());
        Self {
            b,
            #[cfg(target_arch = "x86_64")]
            rounded: match precision::current() {
                Precision::Auto | Precision::Float32 => None,
                // SAFETY: `with_precision` saw that the processor has the instructions.
                Precision::Float16 => Some(Rounded::Half(unsafe { half::Right::new(b) })),
                Precision::Bfloat16 => Some(Rounded::Bfloat(bfloat::Right::shared(b))),
            },
        }
    }

    /// A B as a new matrix, row after row, on all threads.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn product_of(&self, a: Matrix) -> Vec<f32> {
        let (m, n) = (a.rows, self.b.columns);
        let mut c = Vec::with_capacity(m * n);
        // SAFETY: there is room for m rows of n elements; `Write::Set` reads none of them and writes all.
        unsafe {
            multiply(a, self, Target(c.as_mut_ptr(), n), Write::Set);
            c.set_len(m * n);
        }
        c
    }
}

/// The elements of a sum that are added up at a time. Longer sums are cut here, because `gemm` cuts them in places that depend on
/// the other sizes, and a row's result must not depend on how many rows there are.
const DEPTH: usize = 512;

/// The parts in which a sum of k elements is added up.
fn depths(k: usize) -> impl Iterator<Item = Range<usize>> {
    let count = k.div_ceil(DEPTH).max(1);
    (0..count).map(move |part| k * part / count..k * (part + 1) / count)
}

/// Writes A B to a target, or adds it there.
///
/// # Safety
///
/// The target must have room for the product, rows that do not overlap, and nobody else who reads or writes it meanwhile; to be
/// added to, it must have been written before.
unsafe fn multiply(a: Matrix, factor: &Factor, c: Target, write: Write) {
    let b = factor.b;
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner sizes");
    assert!(a.is_within());
    #[cfg(target_arch = "x86_64")]
    match &factor.rounded {
        // SAFETY: as the caller promises; `with_precision` saw that the processor has the instructions.
        Some(Rounded::Half(b)) => return unsafe { b.multiply(a, c, write) },
        // SAFETY: as the caller promises.
        Some(Rounded::Bfloat(b)) => return unsafe { b.multiply(a, c, write) },
        None => {}
    }
    if m == 1 {
        // SAFETY: as the caller promises.
        return unsafe { multiply_row(a, b, c, write) };
    }
    let parts = cut(m, n, k);
    parts.into_par_iter().with_max_len(1).for_each(|(rows, columns)| {
        let (a, b) = (a.rows(rows.clone()), b.columns(columns.clone()));
        for depth in depths(k) {
            let write = if depth.start == 0 { write } else { Write::Add };
            // SAFETY: the parts lie within C, as the caller promises, and do not overlap; A and B lie within their slices (asserted).
            unsafe { c.part(a.columns(depth.clone()), b.rows(depth), rows.start, columns.start, write) }
        }
    });
}

/// As [`multiply`], for one row: `gemm` has a way of its own for that, whose last bits are others. With a second row it has not.
///
/// # Safety
///
/// As for [`multiply`].
unsafe fn multiply_row(a: Matrix, b: Matrix, c: Target, write: Write) {
    let row: Vec<f32> = (0..a.columns).map(|k| a.data[k * a.column_stride]).collect();
    let (n, twice) = (b.columns, [&row[..], &row].concat());
    let mut both = match write {
        Write::Set => vec![0.0; 2 * n],
        Write::Add => {
            // SAFETY: what is added to has been written, as the caller promises.
            let c = unsafe { std::slice::from_raw_parts(c.0, n) };
            [c, c].concat()
        }
    };
    product(Matrix::new(&twice, 2, row.len()), b, &mut both, n, write);
    // SAFETY: the target has room for a row, as the caller promises, and is none of `both`.
    unsafe { std::ptr::copy_nonoverlapping(both.as_ptr(), c.0, n) };
}

/// Cuts C for the threads, along its longer side: then what every thread has to read whole is the smaller of A and B. The `gemm`
/// crate can share one product among threads too, but that left a third of them idle.
fn cut(m: usize, n: usize, k: usize) -> Vec<(Range<usize>, Range<usize>)> {
    /// The multiplications that are worth waking a thread for.
    const WORTH_A_THREAD: usize = 1 << 18;
    /// The shortest side of a part.
    const SHORTEST: usize = 128;
    /// The rows and the columns that `gemm` computes at once.
    const TILE: [usize; 2] = [6, 64];
    let threads = rayon::current_num_threads().min(m * n * k / WORTH_A_THREAD).min(m.max(n) / SHORTEST).max(1);
    let ranges = |size: usize, tile: usize| {
        let tiles = size.div_ceil(tile);
        let border = move |part: usize| (tiles * part / threads * tile).min(size);
        (0..threads).map(move |part| border(part)..border(part + 1))
    };
    match n >= m {
        true => ranges(n, TILE[1]).map(|columns| (0..m, columns)).collect(),
        false => ranges(m, TILE[0]).map(|rows| (rows, 0..n)).collect(),
    }
}

/// Where C is written: its first element, and the elements from row to row.
#[derive(Clone, Copy)]
struct Target(*mut f32, usize);

// SAFETY: it is shared among threads that write different parts, as `part` demands.
unsafe impl Sync for Target {}

impl Target {
    /// The place of an element.
    ///
    /// # Safety
    ///
    /// It must lie within C.
    unsafe fn at(self, row: usize, column: usize) -> *mut f32 {
        // SAFETY: as the caller promises.
        unsafe { self.0.add(row * self.1 + column) }
    }

    /// Writes A B into the part of C that begins at a row and column, or adds it there.
    ///
    /// # Safety
    ///
    /// The part must lie within C, and nobody else may read or write it meanwhile.
    unsafe fn part(self, a: Matrix, b: Matrix, row: usize, column: usize, write: Write) {
        let add = write == Write::Add;
        // SAFETY: the caller promises that the part lies within C; matrices lie within their slices.
        unsafe {
            gemm::gemm(
                a.rows,
                b.columns,
                a.columns,
                self.at(row, column),
                1,
                self.1 as isize,
                add,
                a.data.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                if add { 1.0 } else { 0.0 },
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
