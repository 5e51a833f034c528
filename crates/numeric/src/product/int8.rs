//! Products with a weight of 8-bit integers: a quarter of the memory, and three times the speed where the processor multiplies
//! integers by fours.
//!
//! A column of the weight is its scale times integers of -127 to 127; a row that meets it becomes the like. Sums of integers
//! are exact: every set of instructions gives the same bits, whatever the number of rows.

mod tile;

use std::ops::Range;

use self::tile::{Dots, GROUP, HIGHEST, Scales, WIDEST, multiply_tile};
use super::Write;
use super::packed::{Aligned, panels, share_columns};
use crate::vector;

/// The longest sum: its largest value still fits 32 bits.
const LONGEST: usize = 1 << 16;

/// A weight `[k, n]` of integers in the order in which the inner loop reads them: panels of some columns, groups of 4 rows after
/// groups of 4 rows.
#[derive(Debug)]
pub struct Int8 {
    bytes: Aligned<u8>,
    /// Of each column, with zeros up to a whole number of vectors.
    scales: Vec<f32>,
    k: usize,
    n: usize,
    dots: Dots,
}

/// Rows `[m, k]` as integers, each with a scale of its own.
#[derive(Debug)]
pub struct IntegerRows {
    k: usize,
    /// With zeros up to a whole number of groups.
    integers: Vec<i8>,
    scales: Vec<f32>,
}

impl IntegerRows {
    /// Rounds rows of k elements.
    pub fn new(rows: &[&[f32]]) -> Self {
        let k = rows.first().map_or(0, |row| row.len());
        let width = k.next_multiple_of(GROUP);
        let mut integers = vec![0; rows.len() * width];
        let places = integers.chunks_exact_mut(width.max(1));
        let scales = rows.iter().zip(places).map(|(row, place)| vector::to_integers(row, &mut place[..k])).collect();
        Self { k, integers, scales }
    }

    /// |x - x̂|² of a row x, given as it was, and what it became.
    pub(crate) fn square_distance(&self, number: usize, row: &[f32]) -> f32 {
        vector::square_distance(row, &self.row(number)[..self.k], self.scales[number])
    }

    fn row(&self, number: usize) -> &[i8] {
        let width = self.k.next_multiple_of(GROUP);
        &self.integers[number * width..][..width]
    }
}

impl Int8 {
    /// Packs the columns of a weight for this processor, each given as k integers with its scale.
    ///
    /// # Panics
    ///
    /// If a column has not k integers, or k is beyond 65,536.
    pub fn new<'c>(k: usize, columns: impl ExactSizeIterator<Item = (&'c [i8], f32)>) -> Self {
        Self::with(Dots::available(), k, columns)
    }

    fn with<'c>(dots: Dots, k: usize, mut columns: impl ExactSizeIterator<Item = (&'c [i8], f32)>) -> Self {
        assert!(k <= LONGEST, "a sum of {k} products might not fit");
        let (n, lanes) = (columns.len(), dots.lanes());
        let groups = k.div_ceil(GROUP);
        let mut bytes = Aligned::new(groups * GROUP * n.next_multiple_of(lanes), 0);
        let mut scales = Vec::with_capacity(n.next_multiple_of(lanes));
        let mut rest = bytes.as_mut();
        for range in panels(n, lanes) {
            let width = range.len().next_multiple_of(lanes) * GROUP;
            let panel;
            (panel, rest) = rest.split_at_mut(groups * width);
            for (at, (column, scale)) in (0..).step_by(GROUP).zip(columns.by_ref().take(range.len())) {
                assert_eq!(column.len(), k, "a column has k integers");
                scales.push(scale);
                for (group, integers) in panel.chunks_exact_mut(width).zip(column.chunks(GROUP)) {
                    let place = &mut group[at..at + GROUP];
                    place.iter_mut().zip(integers).for_each(|(byte, &integer)| *byte = tile::stored(integer));
                }
            }
        }
        scales.resize(n.next_multiple_of(lanes), 0.0);
        Self { bytes, scales, k, n, dots }
    }

    /// The rows and columns of the weight.
    pub fn shape(&self) -> [usize; 2] {
        [self.k, self.n]
    }

    /// C ← A W or C + A W for rows `a` of k elements and rows `c` of n. If `shared` is set each thread has some columns.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply_shared(&self, shared: bool, a: &IntegerRows, c: &mut [&mut [f32]], write: Write) {
        assert!(a.scales.len() == c.len() && (c.is_empty() || a.k == self.k), "rows");
        assert!(c.iter().all(|row| row.len() == self.n), "columns");
        let panels: Vec<Range<usize>> = panels(self.n, self.dots.lanes()).collect();
        // A product of integers takes a third of the time.
        share_columns(shared, self.k * self.n / 3, &panels, c, |taken, c| {
            let from = panels[taken.start].start;
            for panel in &panels[taken] {
                self.multiply_panel(panel, panel.start - from..panel.end - from, a, c, write);
            }
        });
    }

    /// Multiplies by the columns `panel`, which are the columns `at` of the rows of `c`.
    fn multiply_panel(
        &self,
        panel: &Range<usize>,
        at: Range<usize>,
        a: &IntegerRows,
        c: &mut [&mut [f32]],
        write: Write,
    ) {
        let height = self.k.next_multiple_of(GROUP);
        let width = panel.len().next_multiple_of(self.dots.lanes());
        let bytes = &self.bytes.as_ref()[panel.start * height..][..width * height];
        let columns = &self.scales[panel.start..][..width];
        let highest = self.dots.rows();
        for (first, c) in (0..).step_by(highest).zip(c.chunks_mut(highest)) {
            let count = c.len();
            let rows: [&[i8]; HIGHEST] = std::array::from_fn(|i| a.row(first + i.min(count - 1)));
            let scales = Scales { rows: &a.scales[first..][..count], columns };
            let mut targets = c.iter_mut().map(|row| &mut row[at.clone()]);
            let mut scratch = [[0f32; WIDEST]; HIGHEST];
            if width == panel.len() {
                let mut c: [&mut [f32]; HIGHEST] = std::array::from_fn(|_| targets.next().unwrap_or_default());
                multiply_tile(self.dots, &rows[..count], bytes, scales, &mut c[..count], write);
                continue;
            }
            let mut sums: [&mut [f32]; HIGHEST] = scratch.each_mut().map(|row| &mut row[..]);
            multiply_tile(self.dots, &rows[..count], bytes, scales, &mut sums[..count], Write::Set);
            for (c, sums) in targets.zip(&sums) {
                match write {
                    Write::Set => c.copy_from_slice(&sums[..panel.len()]),
                    Write::Add => c.iter_mut().zip(&**sums).for_each(|(c, sum)| *c += sum),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Integers of all sizes, the largest often.
    fn integers(count: usize, salt: usize) -> Vec<i8> {
        (0..count).map(|i| (i * 89 + salt * 31) % 331).map(|x| (x as i32 - 165).clamp(-127, 127) as i8).collect()
    }

    #[test]
    fn all_instructions_give_the_sums_of_the_definition() {
        for (k, n) in [(1, 1), (3, 8), (4, 7), (7, 65), (64, 16), (65, 48), (130, 49), (257, 33), (5000, 9)] {
            let weight = integers(k * n, k);
            let scales: Vec<f32> = (0..n).map(|j| 0.5 + j as f32).collect();
            for m in [1, 2, 3, 5, 8, 9, 17] {
                let rows = integers(m * k, n + m);
                // Rows whose integers are those: the largest is there, and the scale a power of two.
                let mut rows: Vec<f32> = rows.iter().map(|&x| f32::from(x) * 0.25).collect();
                rows.chunks_exact_mut(k).for_each(|row| row[k / 2] = -127.0 * 0.25);
                let a: Vec<&[f32]> = rows.chunks_exact(k).collect();
                let expected = |i: usize, j: usize| {
                    let terms = a[i].iter().zip(&weight[j * k..]).map(|(a, &w)| (a * 4.0) as i64 * i64::from(w));
                    terms.sum::<i64>() as f32 * (0.25 * scales[j])
                };
                for dots in Dots::all() {
                    let columns = weight.chunks_exact(k).zip(scales.iter().copied());
                    let int8 = Int8::with(dots, k, columns);
                    assert_eq!(int8.shape(), [k, n]);
                    for (write, before) in [(Write::Set, 0.0), (Write::Add, 3.0)] {
                        let mut c = vec![3.0; m * n];
                        let mut target: Vec<&mut [f32]> = c.chunks_exact_mut(n).collect();
                        int8.multiply_shared(false, &IntegerRows::new(&a), &mut target, write);
                        for (place, found) in c.iter().enumerate() {
                            let expected = before + expected(place / n, place % n);
                            assert_eq!(*found, expected, "{dots:?}, {m} rows, {k} by {n}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn threads_share_columns() {
        let (k, n) = (300, 5000);
        let weight = integers(k * n, 1);
        let int8 = Int8::new(k, weight.chunks_exact(k).map(|column| (column, 0.5)));
        let rows: Vec<f32> = (0..3 * k).map(|i| (i as f32 * 0.7).sin()).collect();
        let a = IntegerRows::new(&rows.chunks_exact(k).collect::<Vec<_>>());
        let run = |threads: usize, shared| {
            let mut c = vec![0.0; 3 * n];
            let mut target: Vec<&mut [f32]> = c.chunks_exact_mut(n).collect();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| int8.multiply_shared(shared, &a, &mut target, Write::Set));
            c
        };
        let alone = run(1, false);
        for threads in [1, 2, 3, 7] {
            assert_eq!(run(threads, true), alone);
        }
    }

    #[test]
    fn a_row_is_its_integers_times_its_scale() {
        let row: Vec<f32> = (0..103).map(|i| (i as f32 * 1.3).cos() * 5.0).collect();
        let made = IntegerRows::new(&[&row]);
        assert_eq!(made.integers.len(), 104);
        let largest = row.iter().fold(0f32, |max, x| max.max(x.abs()));
        assert_eq!(made.scales, [largest / 127.0]);
        for (x, &integer) in row.iter().zip(made.row(0)) {
            let scale = made.scales[0];
            assert!((x - f32::from(integer) * scale).abs() <= scale * 0.5001, "{x} {integer}");
        }
        for small in [0.0, 1e-45, 1e-38] {
            let made = IntegerRows::new(&[&[small; 5]]);
            assert!(made.scales[0].is_finite() && made.integers.iter().all(|x| [0, 127].contains(x)), "{small}");
        }
        assert!(IntegerRows::new(&[&[1.0, f32::NAN]]).scales[0].is_nan());
    }
}
