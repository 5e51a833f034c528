//! Products of few rows with a weight that is packed once.

use std::ops::Range;

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::bfloat;
use super::tile::{SQUARE, lanes, portable_term, sum_tile, transpose};
use super::{Matrix, Write};
use crate::{Instructions, Precision, vector};

#[cfg(target_arch = "x86_64")]
const ROUNDED: &str = "a rounded weight does not have the columns it was made of";

/// The widest panel of any instruction set.
const WIDEST: usize = 48;

/// Elements from the start of a cache line on, so that no vector lies in two.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    buffer: Vec<T>,
    from: usize,
    len: usize,
}

impl<T: Copy> Aligned<T> {
    /// Bytes of a cache line.
    const LINE: usize = 64;

    pub(super) fn new(len: usize, value: T) -> Self {
        let slack = Self::LINE / size_of::<T>();
        let buffer = vec![value; len + slack];
        let from = buffer.as_ptr().align_offset(Self::LINE).min(slack);
        Self { buffer, from, len }
    }

    pub(super) fn as_ref(&self) -> &[T] {
        &self.buffer[self.from..][..self.len]
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.from..][..self.len]
    }
}

/// A weight `[k, n]` in the order in which the inner loop reads it: panels of some columns, row after row.
///
/// Each element of a product is summed over k in order, whatever the number of rows: a row's result does not depend on
/// its neighbours.
#[derive(Debug)]
pub struct Packed {
    form: Form,
    k: usize,
    n: usize,
}

#[derive(Debug)]
enum Form {
    Float {
        elements: Aligned<f32>,
        instructions: Instructions,
    },
    #[cfg(target_arch = "x86_64")]
    Bfloat(bfloat::Right),
    #[cfg(target_arch = "x86_64")]
    Pair(bfloat::Pair),
}

impl Packed {
    /// Packs a weight for this processor.
    pub fn new(weight: Matrix) -> Self {
        Self::with(Instructions::available(), weight)
    }

    /// Packs a weight for products in a precision: rounds it, on all threads, where there are kernels for rows in that precision.
    ///
    /// # Panics
    ///
    /// If this process lacks the instructions, see [`is_available`](super::is_available).
    pub fn rounded(precision: Precision, weight: Matrix) -> Self {
        assert!(super::is_available(precision) && weight.is_within());
        match precision {
            #[cfg(target_arch = "x86_64")]
            Precision::Bfloat16 => {
                Self { form: Form::Bfloat(bfloat::Right::shared(weight)), k: weight.rows, n: weight.columns }
            }
            _ => Self::new(weight),
        }
    }

    /// Packs a weight in pairs of bfloat16, of 16 significant bits together, where products in bfloat16 are fast enough for that (see
    /// [`is_available`](super::is_available)); else as it is.
    pub fn paired(weight: Matrix) -> Self {
        #[cfg(target_arch = "x86_64")]
        if super::is_available(Precision::Bfloat16) {
            return Self { form: Form::Pair(bfloat::Pair::new(weight)), k: weight.rows, n: weight.columns };
        }
        Self::new(weight)
    }

    /// Packs a weight for these instructions.
    ///
    /// # Panics
    ///
    /// If the processor lacks them.
    pub fn with(instructions: Instructions, weight: Matrix) -> Self {
        assert!(instructions <= Instructions::available() && weight.is_within());
        let (k, n, lanes) = (weight.rows, weight.columns, lanes(instructions));
        let mut elements = Aligned::new(k * n.next_multiple_of(lanes), 0.0);
        let mut rest = elements.as_mut();
        for columns in panels(n, lanes) {
            let width = columns.len().next_multiple_of(lanes);
            let panel;
            (panel, rest) = rest.split_at_mut(k * width);
            pack_panel(instructions, weight.columns(columns), panel, width);
        }
        Self { form: Form::Float { elements, instructions }, k, n }
    }

    /// The rows and columns of the weight.
    pub fn shape(&self) -> [usize; 2] {
        [self.k, self.n]
    }

    /// C ← A W or C + A W for rows `a` of k elements and rows `c` of n.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply(&self, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        self.multiply_shared(false, a, c, write);
    }

    /// As [`multiply`](Self::multiply); if `shared` is set each thread has some columns: for few rows, of which there are not enough
    /// for all threads. The bits are the same. A rounded weight is not shared.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply_shared(&self, shared: bool, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        self.check(a, c);
        let size = self.k * self.n;
        match &self.form {
            Form::Float { elements, instructions } => {
                let panels: Vec<Panel> = self.panels(elements, *instructions).collect();
                let columns: Vec<Range<usize>> = panels.iter().map(|panel| panel.columns.clone()).collect();
                share_columns(shared, size, &columns, c, |taken, c| {
                    let from = panels[taken.start].columns.start;
                    for panel in &panels[taken] {
                        let columns = panel.columns.start - from..panel.columns.end - from;
                        Panel { columns, ..*panel }.multiply(a, c, write);
                    }
                });
            }
            #[cfg(target_arch = "x86_64")]
            Form::Bfloat(weight) => weight.multiply_rows(a, c, write),
            #[cfg(target_arch = "x86_64")]
            Form::Pair(weight) => {
                let (a, columns) = (bfloat::PairRows::new(a), weight.panels().collect::<Vec<_>>());
                share_columns(shared, size, &columns, c, |panels, c| weight.multiply(panels, &a, c, write));
            }
        }
    }

    /// Gives `take` the product of a row `a` with each of some columns, which rise: the same bits as that with all.
    ///
    /// # Panics
    ///
    /// If the row does not fit, there is no such column, or the weight is rounded.
    pub fn multiply_columns(&self, a: &[f32], columns: &[usize], mut take: impl FnMut(usize, f32)) {
        assert_eq!(a.len(), self.k, "rows have k elements");
        #[cfg(target_arch = "x86_64")]
        if let Form::Pair(weight) = &self.form {
            let a = bfloat::PairRows::new(&[a]);
            let panel_of = |column: &usize| column / bfloat::PANEL;
            let mut of_panels = columns.chunk_by(|one, other| panel_of(one) == panel_of(other));
            let panels = of_panels.clone().map(|columns| panel_of(&columns[0]));
            return weight.multiply_row(panels, &a, |_, products| {
                let columns = of_panels.next().expect("as many as panels");
                columns.iter().for_each(|&column| take(column, products[column % bfloat::PANEL]));
            });
        }
        let (mut rest, mut panels) = (columns, self.float_panels());
        while let [column, others @ ..] = rest {
            let panel = panels.find(|panel| panel.columns.end > *column).expect("there is such a column");
            let own = 1 + others.iter().take_while(|other| **other < panel.columns.end).count();
            rest[..own].iter().for_each(|&column| take(column, panel.product(a, column)));
            rest = &rest[own..];
        }
    }

    /// How far a product may be off, at most, as a part of the lengths of its row and its column.
    ///
    /// # Panics
    ///
    /// If the weight is rounded.
    pub fn error(&self) -> f32 {
        // A sum of 32-bit floats is off by half a unit in the last place a term; that twice, to be sure.
        let sums = (self.k + 8) as f32 * f32::EPSILON;
        match &self.form {
            Form::Float { .. } => sums,
            #[cfg(target_arch = "x86_64")]
            Form::Bfloat(_) => panic!("{ROUNDED}"),
            #[cfg(target_arch = "x86_64")]
            Form::Pair(_) => 3.0 * sums + bfloat::PAIR_ERROR,
        }
    }

    /// Gives `take` every column.
    ///
    /// # Panics
    ///
    /// If the weight is rounded.
    pub fn for_each_column(&self, mut take: impl FnMut(usize, &[f32])) {
        let mut column = vec![0.0; self.k];
        #[cfg(target_arch = "x86_64")]
        if let Form::Pair(weight) = &self.form {
            return (0..self.n).for_each(|j| {
                weight.column(j, &mut column);
                take(j, &column);
            });
        }
        for panel in self.float_panels() {
            for j in panel.columns.clone() {
                column.iter_mut().zip(panel.column(j)).for_each(|(copy, element)| *copy = *element);
                take(j, &column);
            }
        }
    }

    fn check(&self, a: &[&[f32]], c: &[&mut [f32]]) {
        assert_eq!(a.len(), c.len(), "rows");
        assert!(a.iter().all(|row| row.len() == self.k) && c.iter().all(|row| row.len() == self.n));
    }

    fn float_panels(&self) -> impl Iterator<Item = Panel<'_>> {
        match &self.form {
            Form::Float { elements, instructions } => self.panels(elements, *instructions),
            #[cfg(target_arch = "x86_64")]
            Form::Bfloat(_) | Form::Pair(_) => panic!("{ROUNDED}"),
        }
    }

    fn panels<'p>(&self, elements: &'p Aligned<f32>, instructions: Instructions) -> impl Iterator<Item = Panel<'p>> {
        let (mut rest, lanes, k) = (elements.as_ref(), lanes(instructions), self.k);
        panels(self.n, lanes).map(move |columns| {
            let vectors = columns.len().div_ceil(lanes);
            let elements;
            (elements, rest) = rest.split_at(k * vectors * lanes);
            Panel { instructions, elements, vectors, columns }
        })
    }
}

/// The columns of each panel: up to three vectors, shared out evenly, for a narrow panel keeps fewer sums going at a time.
pub(super) fn panels(n: usize, lanes: usize) -> impl Iterator<Item = Range<usize>> {
    let vectors = n.div_ceil(lanes);
    let count = vectors.div_ceil(3);
    let border = move |panel: usize| (vectors * panel).div_ceil(count.max(1)) * lanes;
    (0..count).map(move |panel| border(panel)..n.min(border(panel + 1)))
}

/// Runs `multiply` for all panels of a weight of `size` elements, with their numbers, and the rows of C from their first column on: for
/// all at once, or if `shared` is set and the weight is large enough, for those of each thread. Where there are none, there is nothing to do.
pub(super) fn share_columns(
    shared: bool,
    size: usize,
    panels: &[Range<usize>],
    c: &mut [&mut [f32]],
    multiply: impl Fn(Range<usize>, &mut [&mut [f32]]) + Sync,
) {
    /// The elements of a weight that are worth waking a thread for: so many take a twentieth of a millisecond to read.
    const WORTH_A_THREAD: usize = 1 << 18;
    let threads = rayon::current_num_threads().min(size / WORTH_A_THREAD);
    if panels.is_empty() {
        return;
    }
    if !shared || threads < 2 {
        return multiply(0..panels.len(), c);
    }
    let of_thread = panels.len().div_ceil(threads);
    let mut rest: Vec<&mut [f32]> = c.iter_mut().map(|row| &mut **row).collect();
    let part = |first: usize| {
        let taken = first..panels.len().min(first + of_thread);
        let width = panels[taken.end - 1].end - panels[first].start;
        let (part, others) = std::mem::take(&mut rest).into_iter().map(|row| row.split_at_mut(width)).unzip();
        rest = others;
        (taken, part)
    };
    let parts: Vec<(Range<usize>, Vec<&mut [f32]>)> = (0..panels.len()).step_by(of_thread).map(part).collect();
    parts.into_par_iter().with_max_len(1).for_each(|(taken, mut c)| multiply(taken, &mut c));
}

/// Some columns of a matrix `[k, n]`, packed.
struct Panel<'p> {
    instructions: Instructions,
    elements: &'p [f32],
    /// How many vectors wide it is.
    vectors: usize,
    columns: Range<usize>,
}

impl Panel<'_> {
    /// Writes the panel's columns of C ← A B or C + A B, for rows `c` of n elements and rows `a` of k.
    fn multiply(&self, mut a: &[&[f32]], mut c: &mut [&mut [f32]], write: Write) {
        while !a.is_empty() {
            let (taken, remaining) = a.split_at(a.len().min(self.highest()));
            let (written, rest) = c.split_at_mut(taken.len());
            (a, c) = (remaining, rest);
            match taken.len() {
                8 => self.tile::<8>(taken, written, write),
                7 => self.tile::<7>(taken, written, write),
                6 => self.tile::<6>(taken, written, write),
                5 => self.tile::<5>(taken, written, write),
                4 => self.tile::<4>(taken, written, write),
                3 => self.tile::<3>(taken, written, write),
                2 => self.tile::<2>(taken, written, write),
                _ => self.tile::<1>(taken, written, write),
            }
        }
    }

    fn width(&self) -> usize {
        self.vectors * lanes(self.instructions)
    }

    /// The elements of a column.
    fn column(&self, column: usize) -> impl Iterator<Item = &f32> {
        self.elements[column - self.columns.start..].iter().step_by(self.width())
    }

    /// The product of a row with a column, summed as a tile sums it.
    fn product(&self, a: &[f32], column: usize) -> f32 {
        match self.instructions {
            Instructions::Portable => {
                a.iter().zip(self.column(column)).fold(0.0, |sum, (a, b)| portable_term(*a, *b, sum))
            }
            _ => vector::dot_in_order(a, &self.elements[column - self.columns.start..], self.width()),
        }
    }

    /// The most rows of a tile: their sums stay in registers.
    fn highest(&self) -> usize {
        if self.instructions == Instructions::Avx512 { 8 } else { 4 }
    }

    fn tile<const M: usize>(&self, a: &[&[f32]], c: &mut [&mut [f32]], write: Write) {
        let a: &[&[f32]; M] = a.try_into().expect("as many rows as the tile has");
        if self.columns.len() == self.vectors * lanes(self.instructions) {
            let mut c = c.iter_mut().map(|row| &mut row[self.columns.clone()]);
            let mut c: [&mut [f32]; M] = std::array::from_fn(|_| c.next().expect("as many rows as the tile has"));
            return self.sum::<M>(a, &mut c, write);
        }
        let mut sums = [[0f32; WIDEST]; M];
        self.sum::<M>(a, &mut sums.each_mut().map(|row| &mut row[..]), Write::Set);
        for (c, sums) in c.iter_mut().zip(&sums) {
            let (c, sums) = (&mut c[self.columns.clone()], &sums[..self.columns.len()]);
            match write {
                Write::Set => c.copy_from_slice(sums),
                Write::Add => c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum),
            }
        }
    }

    /// The products of M rows with the panel's whole vectors, for which `c` has room.
    fn sum<const M: usize>(&self, a: &[&[f32]; M], c: &mut [&mut [f32]; M], write: Write) {
        match self.vectors {
            1 => sum_tile::<M, 1>(self.instructions, a, self.elements, c, write),
            2 => sum_tile::<M, 2>(self.instructions, a, self.elements, c, write),
            _ => sum_tile::<M, 3>(self.instructions, a, self.elements, c, write),
        }
    }
}

/// Copies the columns of a panel, with zeros up to a whole number of vectors.
pub(super) fn pack_panel(instructions: Instructions, matrix: Matrix, panel: &mut [f32], width: usize) {
    if matrix.column_stride == 1 {
        // A copy of a length known to the compiler is worth a branch: it is no call.
        match if matrix.columns == width { width } else { 0 } {
            48 => pack_rows::<48>(matrix, panel),
            32 => pack_rows::<32>(matrix, panel),
            16 => pack_rows::<16>(matrix, panel),
            8 => pack_rows::<8>(matrix, panel),
            _ => {
                for (i, target) in panel.chunks_exact_mut(width).enumerate() {
                    let (target, rest) = target.split_at_mut(matrix.columns);
                    target.copy_from_slice(&matrix.data[i * matrix.row_stride..][..matrix.columns]);
                    rest.fill(0.0);
                }
            }
        }
        return;
    }
    for column in (0..width).step_by(SQUARE) {
        let columns = column..matrix.columns.min(column + SQUARE);
        let mut from = 0;
        if matrix.row_stride == 1 && columns.len() == SQUARE {
            let rows: [&[f32]; SQUARE] =
                std::array::from_fn(|i| &matrix.data[(column + i) * matrix.column_stride..][..matrix.rows]);
            from = transpose(instructions, rows, &mut panel[column..], width);
        }
        for (row, target) in panel.chunks_exact_mut(width).enumerate().skip(from) {
            let target = &mut target[column..];
            let target = &mut target[..SQUARE.min(width - column)];
            for (i, target) in target.iter_mut().enumerate() {
                let at = row * matrix.row_stride + (column + i) * matrix.column_stride;
                *target = if i < columns.len() { matrix.data[at] } else { 0.0 };
            }
        }
    }
}

fn pack_rows<const N: usize>(matrix: Matrix, panel: &mut [f32]) {
    for (i, target) in panel.chunks_exact_mut(N).enumerate() {
        let elements = &matrix.data[i * matrix.row_stride..][..N];
        target.copy_from_slice(elements);
    }
}
