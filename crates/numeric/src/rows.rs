//! Dealing the sentences of a batch out to threads.

use rayon::prelude::*;

/// The rows of a buffer that one thread owns, by position, then by sentence.
pub(crate) type Rows<'a> = Vec<Vec<&'a mut [f32]>>;

/// The sentences of a batch, dealt like cards: sentence b goes to hand b mod hands, so that a batch sorted by length gives every
/// thread as much work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deal {
    batch: usize,
    hands: usize,
}

impl Deal {
    /// A hand for each thread.
    pub(crate) fn new(batch: usize) -> Self {
        Self { batch, hands: rayon::current_num_threads().min(batch).max(1) }
    }

    /// The sentences of a hand.
    pub(crate) fn sentences(self, hand: usize) -> impl Iterator<Item = usize> + Clone {
        (hand..self.batch).step_by(self.hands)
    }

    /// Deals the rows of a buffer `[positions, batch, width]`: for each hand, its rows.
    pub(crate) fn rows(self, buffer: &mut [f32], width: usize) -> std::vec::IntoIter<Rows<'_>> {
        let positions = buffer.len().checked_div(self.batch * width).unwrap_or(0);
        debug_assert_eq!(buffer.len(), positions * self.batch * width);
        let empty = |_| (0..positions).map(|_| Vec::with_capacity(self.batch.div_ceil(self.hands))).collect();
        let mut hands: Vec<Rows> = (0..self.hands).map(empty).collect();
        for (i, row) in buffer.chunks_exact_mut(width.max(1)).enumerate() {
            hands[i % self.batch % self.hands][i / self.batch].push(row);
        }
        hands.into_iter()
    }

    /// Deals a buffer `[batch, width]`: for each hand, the rows of its sentences.
    pub(crate) fn sentence_rows(self, buffer: &mut [f32], width: usize) -> std::vec::IntoIter<Vec<&mut [f32]>> {
        let mut hands: Vec<Vec<&mut [f32]>> = (0..self.hands).map(|_| Vec::new()).collect();
        for (b, row) in buffer.chunks_exact_mut(width).enumerate() {
            hands[b % self.hands].push(row);
        }
        hands.into_iter()
    }
}

/// Runs a task for each hand, with its number, each on a thread.
pub(crate) fn play<T: Send>(tasks: impl Iterator<Item = T>, run: impl Fn(usize, T) + Sync) {
    let tasks: Vec<(usize, T)> = tasks.enumerate().collect();
    tasks.into_par_iter().with_max_len(1).for_each(|(hand, task)| run(hand, task));
}

/// Row `i` of a buffer of rows of this width.
pub(crate) fn row(buffer: &[f32], i: usize, width: usize) -> &[f32] {
    &buffer[i * width..(i + 1) * width]
}

/// These columns of each row.
pub(crate) fn columns<'a>(rows: &'a mut [&mut [f32]], from: usize, to: usize) -> Vec<&'a mut [f32]> {
    rows.iter_mut().map(|row| &mut row[from..to]).collect()
}

/// These columns of each row, to read.
pub(crate) fn read<'a>(rows: &'a [&mut [f32]], from: usize, to: usize) -> Vec<&'a [f32]> {
    rows.iter().map(|row| &row[from..to]).collect()
}

/// The rows that are active.
pub(crate) fn only<'s>(rows: &'s mut [&mut [f32]], active: &[bool]) -> Vec<&'s mut [f32]> {
    rows.iter_mut().zip(active).filter(|(_, active)| **active).map(|(row, _)| &mut **row).collect()
}

/// The rows of a step that are active; none of an empty buffer.
pub(crate) fn only_at<'s>(rows: &'s mut Rows, step: usize, active: &[bool]) -> Vec<&'s mut [f32]> {
    rows.get_mut(step).map_or_else(Vec::new, |rows| only(rows, active))
}
