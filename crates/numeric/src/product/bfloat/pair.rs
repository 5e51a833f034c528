//! Products in pairs of bfloat16: a number is the sum of two, which have 16 significant bits together.
//!
//! With a ≈ a₁ + a₂ and b ≈ b₁ + b₂, a b ≈ a₁ b₁ + a₁ b₂ + a₂ b₁: the fourth product is as small as what the pairs leave out. So a
//! product takes three in bfloat16, which together take a third of the time that one in 32-bit floats takes.

use std::ops::Range;

use super::pack::{Layout, PIECES, pack_rows};
use super::tile::{Configured, SIDE, Sums, TILE_DEPTH};
use super::{Line, Matrix, PANEL, Panels, STEPS, Write, put};

/// How far a product of pairs may be off as a part of |a| |b|, besides what its sums round: twice 2⁻¹⁶ for what the pairs leave out,
/// 2⁻¹⁶ for the fourth product, and some for the squares of these.
pub(crate) const ERROR: f32 = 1.0 / (1 << 14) as f32;

/// A matrix B in pairs.
#[derive(Debug)]
pub(crate) struct Pair(Panels);

/// Rows of A in pairs, in panels.
pub(crate) struct PairRows {
    panels: Vec<PairPanel>,
}

struct PairPanel {
    lines: Vec<Line>,
    rows: usize,
}

impl PairRows {
    /// Rounds rows, on this thread.
    ///
    /// # Panics
    ///
    /// If this process has no AMX, or the rows are not as long as one another.
    pub(crate) fn new(rows: &[&[f32]]) -> Self {
        assert!(super::tile::is_available());
        let steps = rows.first().map_or(0, |row| row.len().div_ceil(TILE_DEPTH));
        let panel = |rows: &[&[f32]]| {
            let mut lines = Vec::new();
            // SAFETY: a processor with AMX has these instructions.
            unsafe { pack_rows(rows, steps, PIECES.len(), &mut lines) };
            PairPanel { lines, rows: rows.len() }
        };
        Self { panels: rows.chunks(PANEL).map(panel).collect() }
    }

    /// Registers for as many rows as there are, or if these are several panels for whole ones.
    fn configured(&self) -> Configured {
        Configured::of(if let [panel] = &self.panels[..] { panel.rows } else { PANEL })
    }
}

impl Pair {
    /// Rounds B, on this thread.
    ///
    /// # Panics
    ///
    /// If this process has no AMX, see [`is_available`](crate::product::is_available).
    pub(crate) fn new(b: Matrix) -> Self {
        Self(Panels::new(b.transposed(), Layout::Pairs, PIECES.len()))
    }

    /// The columns of each panel.
    pub(crate) fn panels(&self) -> impl Iterator<Item = Range<usize>> {
        let n = self.0.lines;
        (0..n).step_by(PANEL).map(move |from| from..n.min(from + PANEL))
    }

    /// Writes C ← A B for some panels of B, or adds it, on this thread.
    pub(crate) fn multiply(&self, panels: Range<usize>, a: &PairRows, c: &mut [&mut [f32]], write: Write) {
        let (configured, mut sums) = (a.configured(), Sums::default());
        let (from, n) = (panels.start * PANEL, self.0.lines);
        for panel in panels {
            let columns = panel * PANEL - from..n.min((panel + 1) * PANEL) - from;
            for (a, c) in a.panels.iter().zip(c.chunks_mut(PANEL)) {
                self.sum(&configured, panel, a, &mut sums);
                for (c, sums) in c.iter_mut().zip(sums.rows()) {
                    put(&mut c[columns.clone()], sums, write);
                }
            }
        }
    }

    /// Gives `take` the products of a row, the only one of `a`, with the columns of each of some panels: the same bits as those of more
    /// rows.
    pub(crate) fn multiply_row(
        &self,
        panels: impl Iterator<Item = usize>,
        a: &PairRows,
        mut take: impl FnMut(usize, &[f32; PANEL]),
    ) {
        let (configured, mut sums) = (a.configured(), Sums::default());
        for panel in panels {
            self.sum(&configured, panel, &a.panels[0], &mut sums);
            take(panel, &sums.rows()[0]);
        }
    }

    fn sum(&self, configured: &Configured, panel: usize, a: &PairPanel, sums: &mut Sums) {
        let Self(b) = self;
        for depth in 0..b.depths().max(1) {
            let from = a.lines.len().min(depth * STEPS * b.step());
            let b = b.panel(depth, panel);
            let write = if depth == 0 { Write::Set } else { Write::Add };
            sums.multiply(configured, (&a.lines[from..from + b.len()], b), a.rows, PIECES.len(), write);
        }
    }

    /// Writes what the pairs of a column stand for.
    pub(crate) fn column(&self, column: usize, elements: &mut [f32]) {
        let Self(b) = self;
        let (panel, half, line) = (column / PANEL, column % PANEL / SIDE, column % SIDE);
        for (step, elements) in elements.chunks_mut(TILE_DEPTH).enumerate() {
            let first = b.place(panel, step) + half * SIDE;
            for (k, element) in elements.iter_mut().enumerate() {
                let piece = |tile: usize| b.elements[tile + k / 2].number(2 * line + k % 2);
                *element = piece(first) + piece(first + PANEL);
            }
        }
    }
}
