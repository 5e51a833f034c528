//! Products in pairs of bfloat16: a number is the sum of two, which have 16 significant bits together.
//!
//! With a ≈ a₁ + a₂ and b ≈ b₁ + b₂, a b ≈ a₁ b₁ + a₁ b₂ + a₂ b₁: the fourth product is as small as what the pairs leave out. So a
//! product takes three in bfloat16, which together take a third of the time that one in 32-bit floats takes.

use std::ops::Range;

use super::pack::{Layout, Piece, pack_rows};
use super::tile::{Configured, SIDE, Sums, TILE_DEPTH};
use super::{Line, Matrix, PANEL, Panels, STEP, STEPS, Write, put};

/// How far a product of pairs may be off as a part of |a| |b|, besides what its sums round: twice 2⁻¹⁶ for what the pairs leave out,
/// 2⁻¹⁶ for the fourth product, and some for the squares of these.
pub(crate) const ERROR: f32 = 1.0 / (1 << 14) as f32;

/// A matrix B in pairs.
#[derive(Debug)]
pub(crate) struct Pair {
    high: Panels,
    low: Panels,
}

/// Rows of A in pairs, in panels.
pub(crate) struct PairRows {
    panels: Vec<PairPanel>,
}

struct PairPanel {
    high: Vec<Line>,
    low: Vec<Line>,
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
            let (mut high, mut low) = (Vec::new(), Vec::new());
            // SAFETY: a processor with AMX has these instructions.
            unsafe {
                pack_rows(rows, steps, Piece::High, &mut high);
                pack_rows(rows, steps, Piece::Low, &mut low);
            }
            PairPanel { high, low, rows: rows.len() }
        };
        Self { panels: rows.chunks(PANEL).map(panel).collect() }
    }
}

impl Pair {
    /// Rounds B, on this thread.
    ///
    /// # Panics
    ///
    /// If this process has no AMX, see [`is_available`](crate::product::is_available).
    pub(crate) fn new(b: Matrix) -> Self {
        let [high, low] = [Piece::High, Piece::Low].map(|piece| Panels::new(b.transposed(), (Layout::Pairs, piece)));
        Self { high, low }
    }

    /// The columns of each panel.
    pub(crate) fn panels(&self) -> impl Iterator<Item = Range<usize>> {
        let n = self.high.lines;
        (0..n).step_by(PANEL).map(move |from| from..n.min(from + PANEL))
    }

    /// Writes a panel's columns of C ← A B, or adds them, on this thread: as `columns` of rows `c`.
    pub(crate) fn multiply(
        &self,
        panel: usize,
        a: &PairRows,
        columns: &Range<usize>,
        c: &mut [&mut [f32]],
        write: Write,
    ) {
        let (configured, mut sums) = (Configured::new(), Sums::default());
        for (a, c) in a.panels.iter().zip(c.chunks_mut(PANEL)) {
            self.sum(&configured, panel, a, &mut sums);
            for (c, sums) in c.iter_mut().zip(sums.rows()) {
                put(&mut c[columns.clone()], sums, write);
            }
        }
    }

    /// The product of a row, the only one of `a`, with the columns of a panel: the same bits as that of more rows.
    pub(crate) fn multiply_row(&self, panel: usize, a: &PairRows) -> [f32; PANEL] {
        let mut sums = Sums::default();
        self.sum(&Configured::new(), panel, &a.panels[0], &mut sums);
        sums.rows()[0]
    }

    fn sum(&self, configured: &Configured, panel: usize, a: &PairPanel, sums: &mut Sums) {
        for depth in 0..self.high.depths().max(1) {
            let (high, low) = (self.high.panel(depth, panel), self.low.panel(depth, panel));
            let from = a.high.len().min(depth * STEPS * STEP);
            let of_a = |lines| &<[Line]>::as_ref(lines)[from..from + high.len()];
            let terms = [(of_a(&a.low), high), (of_a(&a.high), low), (of_a(&a.high), high)];
            sums.multiply(configured, terms, a.rows, if depth == 0 { Write::Set } else { Write::Add });
        }
    }

    /// Writes what the pairs of a column stand for.
    pub(crate) fn column(&self, column: usize, elements: &mut [f32]) {
        let (panel, half, line) = (column / PANEL, column % PANEL / SIDE, column % SIDE);
        for (step, elements) in elements.chunks_mut(TILE_DEPTH).enumerate() {
            let tile = self.high.place(panel, step) + half * SIDE;
            for (k, element) in elements.iter_mut().enumerate() {
                let piece = |panels: &Panels| panels.elements[tile + k / 2].number(2 * line + k % 2);
                *element = piece(&self.high) + piece(&self.low);
            }
        }
    }
}
