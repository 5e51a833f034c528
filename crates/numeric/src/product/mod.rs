//! Matrix products.
//!
//! [`product`] serves large ones, through the `gemm` crate and all threads. [`Packed`] serves the small ones of a recurrence: at each step few rows meet
//! the same weight, which is brought into the order of the inner loop once a sequence.

mod packed;
mod tile;

use std::ops::Range;

use rayon::prelude::*;

pub use packed::Packed;

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
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner sizes");
    assert!(n <= stride && a.is_within() && b.is_within());
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * stride + n <= c.len());
    let c = Target(c.as_mut_ptr(), stride);
    let parts = cut(m, n, rayon::current_num_threads().min(1 + m * n * k / WORTH_A_THREAD));
    parts.into_par_iter().with_max_len(1).for_each(|(rows, columns)| {
        // SAFETY: all elements of A, B and C lie within their slices (asserted above), C's rows do not overlap (n <= stride), and
        // neither do the parts. C is borrowed mutably, so it overlaps neither A nor B.
        unsafe { c.part(a.rows(rows.clone()), b.columns(columns.clone()), rows.start, columns.start, write) }
    });
}

/// The multiplications that are worth waking a thread for.
const WORTH_A_THREAD: usize = 1 << 18;

/// Cuts C into as many parts as there are threads, along its longer side: then what every thread has to read whole is the smaller
/// of A and B. The `gemm` crate can share one product among threads too, but that left a third of them idle.
fn cut(m: usize, n: usize, threads: usize) -> Vec<(Range<usize>, Range<usize>)> {
    /// What `gemm` computes at once: so many rows, or so many columns.
    const TILE: [usize; 2] = [6, 64];
    let ranges = |size: usize, tile: usize| {
        let tiles = size.div_ceil(tile);
        let border = move |part: usize| (tiles * part / threads * tile).min(size);
        (0..threads).map(move |part| border(part)..border(part + 1)).filter(|range| !range.is_empty())
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
                self.0.add(row * self.1 + column),
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
