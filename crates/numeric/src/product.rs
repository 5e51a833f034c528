//! Matrix products.
//!
//! [`product`] serves large ones, through the `gemm` crate and all threads. [`Packed`] serves the small ones of a recurrence:
//! at each step few rows meet the same weight, which is brought into the order of the inner loop once a sequence.

use std::ops::Range;

use crate::Instructions;

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

/// The widest panel of any instruction set.
const WIDEST: usize = 48;

/// A weight `[k, n]` in the order in which the inner loop reads it: panels of some columns, row after row.
///
/// Each element of a product is summed over k in order, whatever the number of rows: a row's result does not depend on
/// its neighbours.
#[derive(Debug)]
pub struct Packed {
    panels: Vec<f32>,
    k: usize,
    n: usize,
    instructions: Instructions,
}

impl Packed {
    /// Packs a weight for this processor.
    pub fn new(weight: Matrix) -> Self {
        Self::with(Instructions::available(), weight)
    }

    /// Packs a weight for these instructions.
    ///
    /// # Panics
    ///
    /// If the processor lacks them.
    pub fn with(instructions: Instructions, weight: Matrix) -> Self {
        assert!(instructions <= Instructions::available() && weight.is_within());
        let mut packed = Self { panels: Vec::new(), k: weight.rows, n: weight.columns, instructions };
        let mut panels = Vec::with_capacity(packed.k * packed.n.next_multiple_of(packed.lanes()));
        for columns in packed.panels() {
            packed.pack_panel(weight, columns, &mut panels);
        }
        packed.panels = panels;
        packed
    }

    /// Appends these columns of the weight, with zeros up to a whole number of vectors.
    fn pack_panel(&self, weight: Matrix, columns: Range<usize>, panels: &mut Vec<f32>) {
        let width = columns.len().next_multiple_of(self.lanes());
        if weight.column_stride == 1 {
            for row in 0..self.k {
                let from = row * weight.row_stride;
                let elements = &weight.data[from + columns.start..from + columns.end];
                if let Ok(elements) = <&[f32; WIDEST]>::try_from(elements) {
                    // A copy of a length known to the compiler is worth a branch: it is no call.
                    panels.extend_from_slice(elements);
                    continue;
                }
                panels.extend_from_slice(elements);
                panels.extend(std::iter::repeat_n(0.0, width - columns.len()));
            }
            return;
        }
        /// Rows of the panel that are filled together, so that they stay in the first cache.
        const ROWS: usize = 32;
        let start = panels.len();
        panels.resize(start + self.k * width, 0.0);
        for (block, target) in panels[start..].chunks_mut(ROWS * width).enumerate() {
            for (to, column) in columns.clone().enumerate() {
                let from = block * ROWS * weight.row_stride + column * weight.column_stride;
                let elements = weight.data[from..].iter().step_by(weight.row_stride);
                for (row, element) in target.chunks_exact_mut(width).zip(elements) {
                    row[to] = *element;
                }
            }
        }
    }

    /// The number of elements in a vector.
    fn lanes(&self) -> usize {
        match self.instructions {
            Instructions::Portable => 4,
            Instructions::Avx2 => 8,
            Instructions::Avx512 => 16,
        }
    }

    /// The columns of each panel: three vectors, the last perhaps fewer.
    fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (n, step) = (self.n, 3 * self.lanes());
        (0..n).step_by(step).map(move |from| from..n.min(from + step))
    }

    /// C ← A W or C + A W for rows `a` of k elements and rows `c` of n.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply(&self, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        assert_eq!(a.len(), c.len(), "rows");
        assert!(a.iter().all(|row| row.len() == self.k) && c.iter().all(|row| row.len() == self.n));
        let mut rest = &self.panels[..];
        for columns in self.panels() {
            let width = columns.len().next_multiple_of(self.lanes());
            let (panel, after) = rest.split_at(self.k * width);
            rest = after;
            let (mut a, mut c) = (a, &mut *c);
            while !a.is_empty() {
                let taken;
                (taken, a) = a.split_at(Self::tile_height(self.instructions, a.len()));
                let (written, remaining) = c.split_at_mut(taken.len());
                c = remaining;
                self.tile(taken, panel, width / self.lanes(), written, columns.clone(), write);
            }
        }
    }

    /// How many of `rows` rows the next tile takes.
    fn tile_height(instructions: Instructions, rows: usize) -> usize {
        let heights: &[usize] = if instructions == Instructions::Avx512 { &[8, 4, 2, 1] } else { &[4, 2, 1] };
        *heights.iter().find(|height| **height <= rows).expect("rows is not 0")
    }

    /// Writes one tile of C.
    fn tile(
        &self,
        a: &[&[f32]],
        panel: &[f32],
        vectors: usize,
        c: &mut [&mut [f32]],
        columns: Range<usize>,
        write: Write,
    ) {
        match a.len() {
            8 => self.tile_of::<8>(a, panel, vectors, c, columns, write),
            4 => self.tile_of::<4>(a, panel, vectors, c, columns, write),
            2 => self.tile_of::<2>(a, panel, vectors, c, columns, write),
            _ => self.tile_of::<1>(a, panel, vectors, c, columns, write),
        }
    }

    fn tile_of<const M: usize>(
        &self,
        a: &[&[f32]],
        panel: &[f32],
        vectors: usize,
        c: &mut [&mut [f32]],
        columns: Range<usize>,
        write: Write,
    ) {
        let a: &[&[f32]; M] = a.try_into().expect("as many rows as the tile has");
        if columns.len() == vectors * self.lanes() {
            let mut c = c.iter_mut().map(|row| &mut row[columns.clone()]);
            let mut c: [&mut [f32]; M] = std::array::from_fn(|_| c.next().expect("as many rows as the tile has"));
            return self.sum(a, panel, vectors, &mut c, write);
        }
        let mut sums = [[0f32; WIDEST]; M];
        self.sum(a, panel, vectors, &mut sums.each_mut().map(|row| &mut row[..]), Write::Set);
        for (c, sums) in c.iter_mut().zip(&sums) {
            let (c, sums) = (&mut c[columns.clone()], &sums[..columns.len()]);
            match write {
                Write::Set => c.copy_from_slice(sums),
                Write::Add => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
            }
        }
    }

    /// The products of M rows with a panel of some vectors' width, for which `c` has room.
    fn sum<const M: usize>(
        &self,
        a: &[&[f32]; M],
        panel: &[f32],
        vectors: usize,
        c: &mut [&mut [f32]; M],
        write: Write,
    ) {
        match vectors {
            1 => sum_tile::<M, 1>(self.instructions, a, panel, c, write),
            2 => sum_tile::<M, 2>(self.instructions, a, panel, c, write),
            _ => sum_tile::<M, 3>(self.instructions, a, panel, c, write),
        }
    }
}

/// The products of M rows with a panel of V vectors' width.
#[inline(always)]
fn sum_tile<const M: usize, const V: usize>(
    instructions: Instructions,
    a: &[&[f32]; M],
    panel: &[f32],
    c: &mut [&mut [f32]; M],
    write: Write,
) {
    match instructions {
        // SAFETY: `Packed::with` saw that the processor has these instructions; `Packed::multiply` that every row of `a` has k
        // elements, and `panel` is k times V vectors.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => unsafe { x86::avx512::<M, V>(a, panel, c, write) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { x86::avx2::<M, V>(a, panel, c, write) },
        _ => portable::<M, V>(a, panel, c, write),
    }
}

/// The tile without vector instructions by name: 4 columns a vector.
fn portable<const M: usize, const V: usize>(a: &[&[f32]; M], panel: &[f32], c: &mut [&mut [f32]; M], write: Write) {
    let mut tile = [[[0f32; 4]; V]; M];
    for (i, row) in panel.chunks_exact(4 * V).enumerate() {
        for (a, tile) in a.iter().zip(&mut tile) {
            for (b, sums) in row.chunks_exact(4).zip(tile) {
                for (b, sum) in b.iter().zip(sums) {
                    *sum = if cfg!(target_arch = "aarch64") { a[i].mul_add(*b, *sum) } else { a[i] * b + *sum };
                }
            }
        }
    }
    for (c, tile) in c.iter_mut().zip(&tile) {
        for (c, sum) in c.iter_mut().zip(tile.as_flattened()) {
            *c = if write == Write::Add { *c + sum } else { *sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The tiles in AVX2 and AVX-512. Sums stay in registers: 8 by 3 of 32, or 4 by 3 of 16.

    use std::arch::x86_64::*;

    use super::Write;

    /// How many rows of the panel ahead the first cache is filled: a panel is larger than it, and the processor's own guess
    /// comes late.
    const AHEAD: usize = 8;

    macro_rules! tile {
        ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $splat:ident, $fused:ident, $add:ident, $store:ident) => {
            /// Writes the products of M rows with a panel of V vectors' width.
            ///
            /// # Safety
            ///
            /// The processor must have the instructions, and each row of `a` at least as many elements as `panel` has
            /// rows of V vectors.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name<const M: usize, const V: usize>(
                a: &[&[f32]; M],
                panel: &[f32],
                c: &mut [&mut [f32]; M],
                write: Write,
            ) {
                debug_assert!(a.iter().all(|row| row.len() >= panel.len() / ($lanes * V)));
                let a = a.map(<[f32]>::as_ptr);
                let mut tile = [[$zero(); V]; M];
                for (i, row) in panel.chunks_exact($lanes * V).enumerate() {
                    let mut b = [$zero(); V];
                    for (v, b) in b.iter_mut().enumerate() {
                        let vector = row[$lanes * v..].as_ptr();
                        // SAFETY: `row` has V vectors; a prefetch reads nothing, it may point anywhere.
                        unsafe {
                            *b = $load(vector);
                            _mm_prefetch::<_MM_HINT_T0>(vector.wrapping_add(AHEAD * $lanes * V).cast());
                        }
                    }
                    for (a, tile) in a.iter().zip(&mut tile) {
                        // SAFETY: the caller promises that the row has an element i.
                        let x = $splat(unsafe { *a.add(i) });
                        for (b, sum) in b.iter().zip(tile) {
                            *sum = $fused(x, *b, *sum);
                        }
                    }
                }
                for r in 0..M {
                    assert!(c[r].len() >= $lanes * V);
                    let c = c[r].as_mut_ptr();
                    for v in 0..V {
                        // SAFETY: the row has room for V vectors.
                        unsafe {
                            let sum = tile[r][v];
                            let sum = if write == Write::Add { $add($load(c.add($lanes * v)), sum) } else { sum };
                            $store(c.add($lanes * v), sum);
                        }
                    }
                }
            }
        };
    }

    tile!(
        avx512,
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_storeu_ps
    );
    tile!(
        avx2,
        "avx2,fma",
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_storeu_ps
    );
}
