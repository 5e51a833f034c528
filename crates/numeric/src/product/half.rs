//! Large products in 16-bit floats, of which some processors multiply twice as many at a time (AVX512-FP16).
//!
//! Both matrices are rounded to 11 significant bits, block by block. Each block is scaled by a power of two, such that no sum of
//! [`GROUP`] products can overflow, while a number 2^18 times smaller than its block's largest still keeps all its bits. Only such
//! short sums are made in 16 bits; they are added up in 32.

mod tile;

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::packed::{pack_panel, panels};
use super::{Matrix, Target, Write, depths};
use crate::{Instructions, vector};
use tile::{GROUP, Lanes, Tile, Twice};

/// What the largest numbers of A and B are scaled to at most: this product, summed [`GROUP`] times, is the largest sum.
const LARGEST: [f32; 2] = [16.0, 32.0];
const _: () = assert!(LARGEST[0] * LARGEST[1] * (GROUP as f32) < 65_504.0);

/// The matrix B, rounded; several matrices A can meet it.
#[derive(Debug)]
pub(super) struct Right(Blocks<Lanes>);

impl Right {
    /// Rounds B.
    ///
    /// # Safety
    ///
    /// The processor must have AVX512-FP16.
    pub(super) unsafe fn new(b: Matrix) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { Blocks::new(b, panels(b.columns, Lanes::LANES), LARGEST[1]) })
    }

    /// Writes A B to a target, or adds it there.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](super::multiply).
    pub(super) unsafe fn multiply(&self, a: Matrix, c: Target, write: Write) {
        let of_a = (0..a.rows).step_by(Twice::LANES).map(|row| row..a.rows.min(row + Twice::LANES));
        // SAFETY: `new`'s caller promised the instructions.
        let (a, b) = (unsafe { Blocks::<Twice>::new(a.transposed(), of_a, LARGEST[0]) }, &self.0);
        let write_tile = |depth: usize, i: usize, j: usize| {
            let (a, b) = (a.block(depth, i), b.block(depth, j));
            let (rows, columns) = (a.columns.len(), b.columns.len());
            let tile = Tile { a: a.elements, b: b.elements, scale: a.scale * b.scale, rows, columns };
            let write = if depth == 0 { write } else { Write::Add };
            // SAFETY: the tile lies within C, as the caller promises, and nobody else writes it: a thread has all the
            // depths of its panels. The processor has the instructions.
            unsafe { tile.write(c.at(a.columns.start, b.columns.start), c.1, write) };
        };
        /// The panels of A that meet a panel of B while it is in the second cache, where threads share the rows of C.
        const TOGETHER: usize = 8;
        let (rows, columns, depths) = (a.columns.len(), b.columns.len(), b.depths.len());
        if rows * Twice::LANES > columns * Lanes::LANES {
            (0..rows.div_ceil(TOGETHER)).into_par_iter().for_each(|group| {
                let group = group * TOGETHER..rows.min((group + 1) * TOGETHER);
                for depth in 0..depths {
                    (0..columns).for_each(|j| group.clone().for_each(|i| write_tile(depth, i, j)));
                }
            });
        } else {
            (0..columns).into_par_iter().for_each(|j| {
                for depth in 0..depths {
                    (0..rows).for_each(|i| write_tile(depth, i, j));
                }
            });
        }
    }
}

/// Rounded numbers as a tile reads them: some neighbouring columns of a row.
trait Rounded: Copy + Send + Sync {
    /// The columns.
    const LANES: usize;

    /// Rounds numbers times a scale.
    ///
    /// # Safety
    ///
    /// The processor must have AVX-512. There must be a place for every [`Self::LANES`] numbers; all are written.
    unsafe fn round(numbers: &[f32], scale: f32, target: &mut [MaybeUninit<Self>]);
}

/// A matrix in panels of some columns, and each panel in blocks of some rows.
#[derive(Debug)]
struct Blocks<T> {
    elements: Vec<T>,
    /// What undoes the scaling of each block, by panel, then by depth.
    scales: Vec<f32>,
    columns: Vec<Range<usize>>,
    depths: Vec<Range<usize>>,
}

/// Some columns and rows of a matrix.
struct Block<'b, T> {
    elements: &'b [T],
    scale: f32,
    columns: &'b Range<usize>,
}

impl<T: Rounded> Blocks<T> {
    /// Rounds the columns of each panel, filled up with zeros, and the rows of each depth.
    ///
    /// # Safety
    ///
    /// The processor must have AVX-512.
    unsafe fn new(matrix: Matrix, columns: impl Iterator<Item = Range<usize>>, largest: f32) -> Self {
        let (columns, depths): (Vec<_>, Vec<_>) = (columns.collect(), depths(matrix.rows).collect());
        let size = matrix.rows * matrix.columns.div_ceil(T::LANES);
        let mut elements = Vec::with_capacity(size);
        let mut scales = vec![1.0; columns.len() * depths.len()];
        let mut rest = &mut elements.spare_capacity_mut()[..size];
        let mut parts = Vec::with_capacity(columns.len());
        for (columns, scales) in columns.iter().zip(scales.chunks_exact_mut(depths.len())) {
            let part;
            (part, rest) = rest.split_at_mut(matrix.rows * columns.len().div_ceil(T::LANES));
            parts.push((matrix.columns(columns.clone()), part, scales));
        }
        parts.into_par_iter().for_each_init(Vec::new, |scratch, (panel, mut part, scales)| {
            for (depth, scale) in depths.iter().zip(scales) {
                let target;
                (target, part) = part.split_at_mut(depth.len() * panel.columns.div_ceil(T::LANES));
                let block = panel.rows(depth.clone());
                let up = up_to(largest, largest_of(block));
                // SAFETY: as the caller promises; each row of the block has its places.
                unsafe { round(block, up, target, scratch) };
                *scale = 1.0 / up;
            }
        });
        // SAFETY: the blocks of all panels and depths are the whole, and each was written.
        unsafe { elements.set_len(size) };
        Self { elements, scales, columns, depths }
    }

    fn block(&self, depth: usize, panel: usize) -> Block<'_, T> {
        let (columns, rows) = (&self.columns[panel], &self.depths[depth]);
        let all_rows = self.depths.last().map_or(0, |last| last.end);
        let vectors = columns.len().div_ceil(T::LANES);
        let from = columns.start / T::LANES * all_rows + rows.start * vectors;
        Block {
            elements: &self.elements[from..from + rows.len() * vectors],
            scale: self.scales[panel * self.depths.len() + depth],
            columns,
        }
    }
}

/// Rounds a block times a scale, its columns filled up with zeros.
///
/// # Safety
///
/// As for [`Rounded::round`].
unsafe fn round<T: Rounded>(block: Matrix, scale: f32, target: &mut [MaybeUninit<T>], scratch: &mut Vec<f32>) {
    /// The rows that are brought into order at a time: they stay in the first cache.
    const ROWS: usize = 64;
    let vectors = block.columns.div_ceil(T::LANES);
    if block.column_stride == 1 && block.columns.is_multiple_of(T::LANES) {
        for (row, target) in block.data.chunks(block.row_stride.max(block.columns)).zip(target.chunks_mut(vectors)) {
            // SAFETY: as the caller promises.
            unsafe { T::round(&row[..block.columns], scale, target) };
        }
        return;
    }
    for (part, target) in target.chunks_mut(ROWS * vectors).enumerate() {
        let rows = part * ROWS..part * ROWS + target.len() / vectors;
        scratch.resize(target.len() * T::LANES, 0.0);
        pack_panel(Instructions::Avx512, block.rows(rows), scratch, vectors * T::LANES);
        // SAFETY: as the caller promises.
        unsafe { T::round(scratch, scale, target) };
    }
}

/// The largest absolute value of a block, whose rows or columns are lines of the data.
fn largest_of(block: Matrix) -> f32 {
    let Matrix { data, rows, columns, row_stride, column_stride } = block;
    debug_assert!(row_stride == 1 || column_stride == 1);
    match column_stride {
        _ if rows == 0 || columns == 0 => 0.0,
        1 => vector::largest(&data[..(rows - 1) * row_stride + columns], columns, row_stride.max(columns)),
        _ => largest_of(block.transposed()),
    }
}

/// The power of two that brings a number just below `bound`, itself a power of two. Numbers that are not finite stay so.
fn up_to(bound: f32, largest: f32) -> f32 {
    /// Beyond this the scale, or what undoes it, would be no normal number.
    const MOST: i32 = 120;
    if !largest.is_finite() {
        return 1.0;
    }
    let exponent = |number: f32| (number.to_bits() >> 23) as i32 - 127;
    2f32.powi((exponent(bound) - exponent(largest) - 1).clamp(-MOST, MOST))
}
