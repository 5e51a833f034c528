//! Matrix products.
//!
//! [`product`] serves large ones, through the `gemm` crate and all threads. [`Packed`] serves the small ones of a recurrence: at each step few rows meet
//! the same weight, which is brought into the order of the inner loop once a sequence.

mod packed;
mod tile;

use std::ops::Range;

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
    let add = write == Write::Add;
    let threads = rayon::current_num_threads();
    let parallelism = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    // SAFETY: all elements of A, B and C lie within their slices (asserted above), C's rows do not overlap (n <= stride), and
    // C is borrowed mutably, so it overlaps neither A nor B.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
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
            parallelism,
        );
    }
}
