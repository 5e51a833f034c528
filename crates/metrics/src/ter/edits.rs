//! The edits between two sentences of numbered words.

use std::cmp::Reverse;

/// The longest block that is moved.
const MAX_BLOCK: usize = 10;
/// The farthest that a block may lie from its place in the reference.
const MAX_DISTANCE: usize = 50;
/// The search for moves ends after this many candidates.
const MAX_CANDIDATES: usize = 1000;
/// How far from the diagonal of the table alignments are looked for.
const BEAM: usize = 25;
/// The cost of cells that no alignment within the beam reaches. One more must not overflow.
const UNREACHED: u32 = u32::MAX / 2;

/// The fewest insertions, deletions, replacements and moves that turn `hypothesis` into `reference`, found greedily.
pub(super) fn translation_edits(mut hypothesis: Vec<u32>, reference: &[u32]) -> u64 {
    if reference.is_empty() {
        return hypothesis.len() as u64;
    }
    let mut table = Table::new(hypothesis.len(), reference);
    let (mut moves, mut candidates) = (0, 0);
    while let Some(best) = best_move(&hypothesis, reference, &mut table, &mut candidates) {
        best.apply(&mut hypothesis);
        moves += 1;
    }
    moves + u64::from(table.distance(&hypothesis))
}

/// A block of words and the position before which it is put.
#[derive(Clone, Copy)]
struct Move {
    start: usize,
    length: usize,
    target: usize,
}

impl Move {
    /// Moves the block: everything between its old and its new place is rotated.
    fn apply(self, words: &mut [u32]) {
        let Self { start, length, target } = self;
        if target < start {
            words[target..start + length].rotate_right(length);
        } else {
            let end = if target > start + length { target } else { (target + length).min(words.len()) };
            words[start..end].rotate_left(length);
        }
    }
}

/// The move that saves most edits, if any does and the limit of candidates is not reached.
///
/// Among equals the longest block wins, then the first, then the first target.
fn best_move(hypothesis: &[u32], reference: &[u32], table: &mut Table, candidates: &mut usize) -> Option<Move> {
    let before = i64::from(table.distance(hypothesis));
    let alignment = table.alignment();
    let mut best = None;
    for (block, target_range) in movable_blocks(hypothesis, reference, &alignment) {
        let mut targets = alignment.consumed[target_range].to_vec();
        targets.dedup();
        for target in targets {
            let candidate = Move { target, ..block };
            let mut moved = hypothesis.to_vec();
            candidate.apply(&mut moved);
            let saved = before - i64::from(table.distance(&moved));
            let rank = (saved, block.length, Reverse(block.start), Reverse(target));
            *candidates += 1;
            if best.as_ref().is_none_or(|&(best_rank, _)| rank > best_rank) {
                best = Some((rank, candidate));
            }
        }
        if *candidates >= MAX_CANDIDATES {
            return None;
        }
    }
    best.filter(|(rank, _)| rank.0 > 0).map(|(_, best)| best)
}

/// Blocks that occur in the reference and are misplaced, each with the range of [`Alignment::consumed`] that holds its
/// targets: before, within and after its place in the reference.
fn movable_blocks<'a>(
    hypothesis: &'a [u32],
    reference: &'a [u32],
    alignment: &'a Alignment,
) -> impl Iterator<Item = (Move, std::ops::RangeInclusive<usize>)> + 'a {
    let movable = move |start: usize, place: usize, length: usize| {
        let aligned = alignment.consumed[place + 1];
        alignment.hypothesis_errors[start..start + length].contains(&true)
            && alignment.reference_errors[place..place + length].contains(&true)
            && !(start < aligned && aligned <= start + length)
    };
    let places = move |start: usize| start.saturating_sub(MAX_DISTANCE)..reference.len().min(start + MAX_DISTANCE + 1);
    (0..hypothesis.len()).flat_map(move |start| {
        places(start).flat_map(move |place| {
            (1..=common_prefix(&hypothesis[start..], &reference[place..]).min(MAX_BLOCK))
                .filter(move |&length| movable(start, place, length))
                .map(move |length| (Move { start, length, target: start }, place..=place + length))
        })
    })
}

/// The length of the longest common prefix.
fn common_prefix(left: &[u32], right: &[u32]) -> usize {
    left.iter().zip(right).take_while(|(l, r)| l == r).count()
}

/// Where the words of the reference lie in the hypothesis.
struct Alignment {
    /// For each number of words of the reference: how many words of the hypothesis are aligned up to there.
    consumed: Vec<usize>,
    /// The words of the hypothesis that are not matched.
    hypothesis_errors: Vec<bool>,
    /// The words of the reference that are not matched.
    reference_errors: Vec<bool>,
}

/// The edits between the first words of the hypothesis and the first words of the reference.
#[derive(Clone, Copy)]
struct Cell {
    cost: u32,
    edit: Edit,
}

/// The last edit of a cell.
#[derive(Clone, Copy)]
enum Edit {
    Keep,
    Replace,
    Delete,
    Insert,
}

/// The dynamic-programming table of the edit distance between rearrangements of one hypothesis and a reference.
///
/// Row i covers the first i words of the hypothesis, and only the columns near the diagonal, so that memory stays linear in
/// the length of the sentence. Rows are kept between calls: only those from the first changed word on are computed again.
struct Table<'a> {
    reference: &'a [u32],
    hypothesis: Vec<u32>,
    rows: Vec<Row>,
    computed: usize,
}

/// The cells of a row from column `first` on.
struct Row {
    first: usize,
    cells: Vec<Cell>,
}

impl Row {
    fn cost(&self, column: usize) -> u32 {
        self.cell(column).map_or(UNREACHED, |cell| cell.cost)
    }

    fn cell(&self, column: usize) -> Option<&Cell> {
        self.cells.get(column.checked_sub(self.first)?)
    }
}

impl<'a> Table<'a> {
    fn new(hypothesis_length: usize, reference: &'a [u32]) -> Self {
        let insertions = (0..=reference.len()).map(|column| Cell { cost: column as u32, edit: Edit::Insert });
        let mut rows = vec![Row { first: 0, cells: insertions.collect() }];
        rows.extend((1..=hypothesis_length).map(|row| {
            let columns = columns(row, hypothesis_length, reference.len());
            Row { first: columns.start, cells: vec![Cell { cost: UNREACHED, edit: Edit::Insert }; columns.len()] }
        }));
        Self { reference, hypothesis: vec![0; hypothesis_length], rows, computed: 0 }
    }

    /// The edit distance between `hypothesis`, a rearrangement of the one the table was made for, and the reference.
    fn distance(&mut self, hypothesis: &[u32]) -> u32 {
        let unchanged = common_prefix(hypothesis, &self.hypothesis).min(self.computed);
        self.hypothesis.copy_from_slice(hypothesis);
        self.computed = hypothesis.len();
        for row in unchanged + 1..self.rows.len() {
            self.compute_row(row);
        }
        self.rows.last().map_or(0, |row| row.cost(self.reference.len()))
    }

    fn compute_row(&mut self, row: usize) {
        let (above, rest) = self.rows.split_at_mut(row);
        let (above, current) = (&above[row - 1], &mut rest[0]);
        let word = self.hypothesis[row - 1];
        let mut left = UNREACHED;
        for (column, cell) in (current.first..).zip(&mut current.cells) {
            *cell = Cell { cost: above.cost(column) + 1, edit: Edit::Delete };
            if let Some(before) = column.checked_sub(1) {
                let same = self.reference[before] == word;
                let diagonal = above.cost(before) + u32::from(!same);
                if diagonal <= cell.cost {
                    *cell = Cell { cost: diagonal, edit: if same { Edit::Keep } else { Edit::Replace } };
                }
                if left + 1 < cell.cost {
                    *cell = Cell { cost: left + 1, edit: Edit::Insert };
                }
            }
            cell.cost = cell.cost.min(UNREACHED);
            left = cell.cost;
        }
    }

    /// Follows the edits of the last distance back from the end.
    fn alignment(&self) -> Alignment {
        let (mut row, mut column) = (self.hypothesis.len(), self.reference.len());
        let mut consumed = vec![0; column + 1];
        let (mut hypothesis_errors, mut reference_errors) = (vec![false; row], vec![false; column]);
        while row > 0 || column > 0 {
            let edit = self.rows[row].cell(column).map_or(Edit::Delete, |cell| cell.edit);
            if !matches!(edit, Edit::Delete) {
                consumed[column] = row;
                column -= 1;
                reference_errors[column] = !matches!(edit, Edit::Keep);
            }
            if !matches!(edit, Edit::Insert) {
                row -= 1;
                hypothesis_errors[row] = !matches!(edit, Edit::Keep);
            }
        }
        Alignment { consumed, hypothesis_errors, reference_errors }
    }
}

/// The columns of a row: those within the beam around the diagonal, and in the last row all up to the end.
fn columns(row: usize, rows: usize, reference_length: usize) -> std::ops::Range<usize> {
    let slope = reference_length as f64 / rows as f64;
    let beam = if (BEAM as f64) < slope / 2.0 { (slope / 2.0 + BEAM as f64).ceil() as usize } else { BEAM };
    let diagonal = (row as f64 * slope).floor() as usize;
    let end = if row == rows { reference_length + 1 } else { (diagonal + beam).min(reference_length + 1) };
    diagonal.saturating_sub(beam)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(hypothesis: &[u32], reference: &[u32]) -> u64 {
        translation_edits(hypothesis.to_vec(), reference)
    }

    #[test]
    fn each_kind_of_edit_costs_one() {
        assert_eq!(edits(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(edits(&[1, 9, 3], &[1, 2, 3]), 1);
        assert_eq!(edits(&[1, 3], &[1, 2, 3]), 1);
        assert_eq!(edits(&[1, 2, 2, 3], &[1, 2, 3]), 1);
        assert_eq!(edits(&[4, 5, 6, 1, 2, 3], &[1, 2, 3, 4, 5, 6]), 1);
        assert_eq!(edits(&[], &[1, 2]), 2);
    }

    #[test]
    fn moves_rotate() {
        let moved = |start, length, target| {
            let mut words = [0, 1, 2, 3, 4, 5];
            Move { start, length, target }.apply(&mut words);
            words
        };
        assert_eq!(moved(3, 2, 1), [0, 3, 4, 1, 2, 5]);
        assert_eq!(moved(1, 2, 5), [0, 3, 4, 1, 2, 5]);
        assert_eq!(moved(1, 2, 2), [0, 3, 1, 2, 4, 5]);
        assert_eq!(moved(3, 3, 6), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn kept_rows_do_not_change_a_distance() {
        let reference = [1, 2, 3, 4, 5, 6, 7];
        let mut table = Table::new(5, &reference);
        for hypothesis in [[1, 2, 5, 4, 3], [1, 2, 4, 5, 3], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]] {
            assert_eq!(table.distance(&hypothesis), Table::new(5, &reference).distance(&hypothesis));
        }
    }
}
