//! Large products in bfloat16, whose tiles of 16 by 16 some processors multiply in one instruction (AMX).
//!
//! Both matrices are rounded to 8 significant bits, products and sums are 32-bit floats. The exponent has the range of 32-bit floats, so
//! nothing needs scaling.

mod pack;
pub(super) mod tile;

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::{Matrix, Target, Write};
use pack::{Layout, pack_rows, pack_tile};
use tile::{Configured, SIDE, Sums, TILE_DEPTH, Tile};

/// The lines (rows of A, columns of B) of a panel: two tiles.
pub(super) const PANEL: usize = 2 * SIDE;

/// The elements of a sum for which a panel of A stays in the first cache.
const DEPTH: usize = 512;

/// The lines of either side whose products a thread computes before it turns to others: both stay in the second cache.
const TOGETHER: usize = 256;

/// The matrix B, rounded; several matrices A can meet it.
#[derive(Debug)]
pub(super) struct Right(Panels);

impl Right {
    /// Rounds B.
    ///
    /// # Safety
    ///
    /// The processor must have AVX512-BF16.
    pub(super) unsafe fn new(b: Matrix) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { Panels::new(b.transposed(), Layout::Pairs) })
    }

    /// Writes A B to a target, or adds it there.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](super::multiply); and this process must have AMX, see [`tile::is_available`].
    pub(super) unsafe fn multiply(&self, a: Matrix, c: Target, write: Write) {
        // SAFETY: as the caller promises.
        let (a, b) = (unsafe { Panels::new(a, Layout::Lines) }, &self.0);
        // SAFETY: as the caller promises.
        unsafe { multiply(&a, b, c, write) }
    }

    /// Writes C ← A B, or adds it, for rows `a` of k elements and rows `c` of n, on this thread.
    ///
    /// # Safety
    ///
    /// This process must have AMX, see [`tile::is_available`].
    pub(super) unsafe fn multiply_rows(&self, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        let Self(b) = self;
        // SAFETY: as the caller promises.
        let configured = unsafe { Configured::new() };
        let (mut packed, mut sums) = (Vec::new(), Sums::default());
        for (a, c) in a.chunks(PANEL).zip(c.chunks_mut(PANEL)) {
            // SAFETY: as the caller promises.
            unsafe { pack_rows(a, b.steps, &mut packed) };
            for (j, column) in (0..b.lines).step_by(PANEL).enumerate() {
                for depth in 0..b.depths().max(1) {
                    let b = b.panel(depth, j);
                    let from = packed.len().min(depth * (DEPTH / TILE_DEPTH) * STEP);
                    let write = if depth == 0 { Write::Set } else { Write::Add };
                    sums.multiply(&configured, &packed[from..from + b.len()], b, a.len(), write);
                }
                let columns = column..b.lines.min(column + PANEL);
                for (c, sums) in c.iter_mut().zip(sums.rows()) {
                    put(&mut c[columns.clone()], sums, write);
                }
            }
        }
    }
}

/// Writes sums, or adds them.
fn put(c: &mut [f32], sums: &[f32; PANEL], write: Write) {
    match (write, c.as_chunks_mut::<PANEL>().0) {
        (Write::Set, [c]) => *c = *sums,
        (Write::Add, [c]) => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
        (Write::Set, _) => c.copy_from_slice(&sums[..c.len()]),
        (Write::Add, _) => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
    }
}

/// # Safety
///
/// As for [`Right::multiply`].
unsafe fn multiply(a: &Panels, b: &Panels, c: Target, write: Write) {
    /// The parts that each thread has on average: when one is held up, others take its parts over.
    const PARTS: usize = 4;
    let longer = a.lines.max(b.lines).div_ceil(PANEL);
    let together = TOGETHER / PANEL;
    let group = longer.div_ceil(PARTS * rayon::current_num_threads()).clamp(1, together);
    let groups =
        |panels: usize, group: usize| (0..panels.div_ceil(group)).map(move |i| i * group..panels.min((i + 1) * group));
    let (rows, columns) = (a.lines.div_ceil(PANEL), b.lines.div_ceil(PANEL));
    if a.lines > b.lines {
        groups(rows, group).collect::<Vec<_>>().into_par_iter().for_each(|rows| {
            // SAFETY: as the caller promises; threads have different rows.
            groups(columns, together)
                .for_each(|columns| unsafe { multiply_group(a, b, rows.clone(), columns, c, write) });
        });
    } else {
        groups(columns, group).collect::<Vec<_>>().into_par_iter().for_each(|columns| {
            // SAFETY: as the caller promises; threads have different columns.
            groups(rows, together).for_each(|rows| unsafe { multiply_group(a, b, rows, columns.clone(), c, write) });
        });
    }
}

/// The products of some panels with some.
///
/// # Safety
///
/// As for [`Right::multiply`], and nobody else may write this part of C.
unsafe fn multiply_group(a: &Panels, b: &Panels, rows: Range<usize>, columns: Range<usize>, c: Target, write: Write) {
    // SAFETY: the caller promises AMX.
    let configured = unsafe { Configured::new() };
    let mut sums = Sums::default();
    for depth in 0..a.depths().max(1) {
        let write = if depth == 0 { write } else { Write::Add };
        for i in rows.clone() {
            for j in columns.clone() {
                let (row, column) = (i * PANEL, j * PANEL);
                let tile = Tile {
                    a: a.panel(depth, i),
                    b: b.panel(depth, j),
                    rows: PANEL.min(a.lines - row),
                    columns: PANEL.min(b.lines - column),
                };
                // SAFETY: the tile lies within C, as the caller promises.
                unsafe { tile.write(&configured, c.at(row, column), c.1, write, &mut sums) };
            }
        }
    }
}

/// 32 numbers, or 16 pairs: a row of a tile.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line(#[allow(dead_code, reason = "read by the tile instructions")] [u16; 32]);

impl Line {
    const ZERO: Self = Self([0; 32]);
}

/// Some tiles of a panel in the order in which they are read: by depth, then by line.
const STEP: usize = PANEL;

/// A matrix rounded, its rows ("lines") in panels, cut into depths: by depth, then by panel, then as tiles.
#[derive(Debug)]
pub(super) struct Panels {
    elements: Vec<Line>,
    lines: usize,
    /// The steps of a tile's depth that make up a line.
    steps: usize,
}

impl Panels {
    /// Rounds a matrix; lines are filled up with zeros to whole panels, and sums to whole tiles.
    ///
    /// # Safety
    ///
    /// The processor must have AVX512-BF16.
    unsafe fn new(matrix: Matrix, layout: Layout) -> Self {
        /// The panels that are rounded together: rows of what is stored across them are read in longer runs.
        const GROUP: usize = 8;
        let (lines, steps) = (matrix.rows, matrix.columns.div_ceil(TILE_DEPTH));
        let panels = lines.div_ceil(PANEL);
        let size = panels * steps * STEP;
        let mut elements: Vec<Line> = Vec::with_capacity(size);
        let mut rest = &mut elements.spare_capacity_mut()[..size];
        let mut parts = Vec::new();
        for depth in (0..steps).step_by(DEPTH / TILE_DEPTH) {
            let of_depth = depth..steps.min(depth + DEPTH / TILE_DEPTH);
            for first in (0..panels).step_by(GROUP) {
                let group = first..panels.min(first + GROUP);
                let part;
                (part, rest) = rest.split_at_mut(group.len() * of_depth.len() * STEP);
                parts.push((of_depth.clone(), group, part));
            }
        }
        parts.into_par_iter().for_each(|(steps, panels, part)| {
            // SAFETY: as the caller promises.
            unsafe { pack_group(matrix, layout, steps, panels, part) };
        });
        // SAFETY: the parts are the whole, and each was written.
        unsafe { elements.set_len(size) };
        Self { elements, lines, steps }
    }

    fn depths(&self) -> usize {
        self.steps.div_ceil(DEPTH / TILE_DEPTH)
    }

    fn panel(&self, depth: usize, panel: usize) -> &[Line] {
        let from = depth * (DEPTH / TILE_DEPTH);
        let steps = (self.steps - from.min(self.steps)).min(DEPTH / TILE_DEPTH);
        let panels = self.lines.div_ceil(PANEL);
        &self.elements[(from * panels + panel * steps) * STEP..][..steps * STEP]
    }
}

/// Rounds some panels' lines at some steps.
///
/// # Safety
///
/// The processor must have AVX512-BF16.
unsafe fn pack_group(
    matrix: Matrix,
    layout: Layout,
    steps: Range<usize>,
    panels: Range<usize>,
    target: &mut [MaybeUninit<Line>],
) {
    for step in steps.clone() {
        for panel in panels.clone() {
            let at = ((panel - panels.start) * steps.len() + step - steps.start) * STEP;
            for (half, target) in target[at..at + STEP].as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                // SAFETY: as the caller promises.
                unsafe { pack_tile(matrix, panel * PANEL + half * SIDE, step * TILE_DEPTH, layout, target) };
            }
        }
    }
}
