//! Products in bfloat16, whose tiles of 16 by 16 some processors multiply in one instruction (AMX).
//!
//! Both matrices are rounded to 8 significant bits, products and sums are 32-bit floats. The exponent has the range of 32-bit floats, so
//! nothing needs scaling.

mod pack;
mod pair;
pub(super) mod tile;

use std::ops::Range;

use rayon::prelude::*;

use super::{Matrix, Target, Write};
use pack::{Layout, PIECES, pack_rows, pack_tile};
pub(crate) use pair::{ERROR as PAIR_ERROR, Pair, PairRows};
use tile::{Configured, SIDE, Sums, TILE_DEPTH, Tile};

/// The lines (rows of A, columns of B) of a panel: two tiles.
pub(crate) const PANEL: usize = 2 * SIDE;

/// The elements of a sum for which a panel of A stays in the first cache.
const DEPTH: usize = 512;

/// The lines of either side whose products a thread computes before it turns to others: both stay in the second cache.
const TOGETHER: usize = 256;

/// A matrix A, rounded.
#[derive(Debug)]
pub(crate) struct Left(Panels);

impl Left {
    /// Rounds A, on this thread.
    ///
    /// # Panics
    ///
    /// If this process has no AMX, see [`is_available`](super::is_available).
    pub(crate) fn new(a: Matrix) -> Self {
        Self(Panels::new(a, Layout::Lines, 1))
    }

    /// Writes C ← A B for some panels of B, or adds it, on this thread; rows of C lie `stride` apart.
    ///
    /// # Safety
    ///
    /// C must have as many rows as A and as many columns as the panels, which nobody else reads or writes; and have been written, if it
    /// is added to.
    pub(crate) unsafe fn multiply(
        &self,
        Right(b): &Right,
        panels: Range<usize>,
        c: *mut f32,
        stride: usize,
        write: Write,
    ) {
        let columns = panels.start.min(b.count())..panels.end.min(b.count());
        // SAFETY: as the caller promises.
        unsafe { multiply_group(&self.0, b, 0..self.0.count(), columns, Target(c, stride), write) }
    }
}

/// A matrix B, rounded; several matrices A can meet it.
#[derive(Debug)]
pub(crate) struct Right(Panels);

impl Right {
    /// Rounds B, on all threads.
    ///
    /// # Panics
    ///
    /// If this process has no AMX, see [`is_available`](super::is_available).
    pub(crate) fn shared(b: Matrix) -> Self {
        Self(Panels::shared(b.transposed(), Layout::Pairs, 1))
    }

    /// Rounds B, on this thread.
    ///
    /// # Panics
    ///
    /// As for [`Self::shared`].
    pub(crate) fn new(b: Matrix) -> Self {
        Self(Panels::new(b.transposed(), Layout::Pairs, 1))
    }

    /// Writes A B to a target, or adds it there, on all threads.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](super::multiply).
    pub(super) unsafe fn multiply(&self, a: Matrix, c: Target, write: Write) {
        // SAFETY: as the caller promises.
        unsafe { multiply(&Panels::shared(a, Layout::Lines, 1), &self.0, c, write) }
    }

    /// Writes C ← A B, or adds it, for rows `a` of k elements and rows `c` of n, on this thread.
    pub(super) fn multiply_rows(&self, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        let Self(b) = self;
        let configured = Configured::new();
        let (mut packed, mut sums) = (Vec::new(), Sums::default());
        for (a, c) in a.chunks(PANEL).zip(c.chunks_mut(PANEL)) {
            // SAFETY: a processor with AMX has these instructions.
            unsafe { pack_rows(a, b.steps, 1, &mut packed) };
            for (j, column) in (0..b.lines).step_by(PANEL).enumerate() {
                for depth in 0..b.depths().max(1) {
                    let b = b.panel(depth, j);
                    let from = packed.len().min(depth * STEPS * PANEL);
                    let write = if depth == 0 { Write::Set } else { Write::Add };
                    sums.multiply(&configured, (&packed[from..from + b.len()], b), a.len(), 1, write);
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
    let (rows, columns, together) = (a.count(), b.count(), TOGETHER / PANEL);
    let group = rows.max(columns).div_ceil(PARTS * rayon::current_num_threads()).clamp(1, together);
    let groups =
        |panels: usize, group: usize| (0..panels.div_ceil(group)).map(move |i| i * group..panels.min((i + 1) * group));
    let multiply = |rows: Range<usize>, columns: Range<usize>| {
        // SAFETY: as the caller promises; every group is computed once.
        unsafe {
            let c = Target(c.at(rows.start * PANEL, columns.start * PANEL), c.1);
            multiply_group(a, b, rows, columns, c, write);
        }
    };
    if rows > columns {
        let parts: Vec<_> = groups(rows, group).collect();
        parts.into_par_iter().for_each(|rows| {
            groups(columns, together).for_each(|columns| multiply(rows.clone(), columns));
        });
    } else {
        let parts: Vec<_> = groups(columns, group).collect();
        parts.into_par_iter().for_each(|columns| {
            groups(rows, together).for_each(|rows| multiply(rows, columns.clone()));
        });
    }
}

/// The products of some panels with some, at C.
///
/// # Safety
///
/// As for [`Right::multiply`], and nobody else may write this part of C.
unsafe fn multiply_group(a: &Panels, b: &Panels, rows: Range<usize>, columns: Range<usize>, c: Target, write: Write) {
    let configured = Configured::new();
    let mut sums = Sums::default();
    assert_eq!(a.steps, b.steps, "inner sizes");
    for depth in 0..a.depths().max(1) {
        let write = if depth == 0 { write } else { Write::Add };
        for i in rows.clone() {
            for j in columns.clone() {
                let tile = Tile {
                    a: a.panel(depth, i),
                    b: b.panel(depth, j),
                    rows: PANEL.min(a.lines - i * PANEL),
                    columns: PANEL.min(b.lines - j * PANEL),
                };
                let (row, column) = ((i - rows.start) * PANEL, (j - columns.start) * PANEL);
                // SAFETY: the tile lies within C, as the caller promises.
                unsafe { tile.write(&configured, c.at(row, column), c.1, write, &mut sums) };
            }
        }
    }
}

/// 32 numbers, or 16 pairs: a row of a tile.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Line([u16; 32]);

impl Line {
    const ZERO: Self = Self([0; 32]);

    fn number(self, i: usize) -> f32 {
        f32::from_bits(u32::from(self.0[i]) << 16)
    }
}

/// The steps of a depth.
const STEPS: usize = DEPTH / TILE_DEPTH;

/// A matrix rounded, its rows ("lines") in panels, cut into depths: by depth, then by panel, then as tiles.
#[derive(Debug)]
pub(super) struct Panels {
    elements: Vec<Line>,
    lines: usize,
    /// The steps of a tile's depth that make up a line.
    steps: usize,
    /// The numbers whose sum each stands for: at each step the tiles of the first, then those of the second.
    pieces: usize,
}

impl Panels {
    /// Rounds a matrix, on this thread; lines are filled up with zeros to whole panels, and sums to whole tiles.
    fn new(matrix: Matrix, layout: Layout, pieces: usize) -> Self {
        Self::packed(matrix, layout, pieces, |parts, pack| (0..parts).for_each(pack))
    }

    /// The same on all threads.
    fn shared(matrix: Matrix, layout: Layout, pieces: usize) -> Self {
        Self::packed(matrix, layout, pieces, |parts, pack| (0..parts).into_par_iter().for_each(pack))
    }

    /// Rounds a matrix in parts, all of which `run` must pack.
    fn packed(matrix: Matrix, layout: Layout, pieces: usize, run: impl FnOnce(usize, &(dyn Fn(usize) + Sync))) -> Self {
        /// The panels that are rounded together: rows of what is stored across them are read in longer runs.
        const GROUP: usize = 8;
        assert!(tile::is_available() && matrix.is_within());
        let steps = matrix.columns.div_ceil(TILE_DEPTH);
        let mut rounded = Self { elements: Vec::new(), lines: matrix.rows, steps, pieces };
        let (panels, groups) = (rounded.count(), rounded.count().div_ceil(GROUP));
        let size = panels * steps * rounded.step();
        rounded.elements.reserve_exact(size);
        let places = Places(rounded.elements.as_mut_ptr());
        let place = |panel, step| rounded.place(panel, step);
        run(groups * rounded.depths(), &|part| {
            let (first_step, first) = (part / groups * STEPS, part % groups * GROUP);
            for step in first_step..steps.min(first_step + STEPS) {
                for panel in first..panels.min(first + GROUP) {
                    // SAFETY: there is room for all panels, and a part has its own at its steps to itself; the processor has the
                    // instructions (asserted).
                    unsafe { places.pack(place(panel, step), matrix, (layout, pieces), panel, step) };
                }
            }
        });
        // SAFETY: the parts are the whole, and each was written.
        unsafe { rounded.elements.set_len(size) };
        rounded
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.lines.div_ceil(PANEL)
    }

    /// The lines of a panel at one step of its depth.
    fn step(&self) -> usize {
        self.pieces * PANEL
    }

    fn depths(&self) -> usize {
        self.steps.div_ceil(STEPS)
    }

    /// Where a panel's lines at a step of its depth begin.
    fn place(&self, panel: usize, step: usize) -> usize {
        let from = step / STEPS * STEPS;
        (from * self.count() + panel * STEPS.min(self.steps - from) + step - from) * self.step()
    }

    fn panel(&self, depth: usize, panel: usize) -> &[Line] {
        let from = (depth * STEPS).min(self.steps);
        let steps = STEPS.min(self.steps - from);
        &self.elements[if steps == 0 { 0 } else { self.place(panel, from) }..][..steps * self.step()]
    }
}

/// Where the tiles of [`Panels`] are written.
#[derive(Clone, Copy)]
struct Places(*mut Line);

// SAFETY: it is shared among threads that write different places, as `pack` demands.
unsafe impl Sync for Places {}

impl Places {
    /// Rounds a panel's lines at a step of its depth.
    ///
    /// # Safety
    ///
    /// The processor must have AVX512-BF16; there must be room for a step at `place`, and nobody else may write there.
    unsafe fn pack(self, place: usize, matrix: Matrix, (layout, pieces): (Layout, usize), panel: usize, step: usize) {
        let tiles = PIECES[..pieces].iter().flat_map(|piece| [0, SIDE].map(|half| (half, *piece)));
        for (tile, (half, piece)) in tiles.enumerate() {
            // SAFETY: a tile of this step, as the caller promises.
            unsafe {
                let target = &mut *self.0.add(place + tile * SIDE).cast();
                pack_tile(matrix, panel * PANEL + half, step * TILE_DEPTH, (layout, piece), target);
            }
        }
    }
}
