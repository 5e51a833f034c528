//! How much is read at a time: enough to sort into batches of like length, and no more than fits into memory.

use rnnsearch_corpus::Pair;

/// Room for what is aligned together. A matrix grows with the product of the lengths.
pub struct Room {
    items: usize,
    bytes_by_bytes: usize,
}

impl Room {
    /// Room for so many pairs, if they are short.
    pub fn new(items: usize) -> Self {
        Self { items, bytes_by_bytes: 1 << 26 }
    }

    /// Room for some batches.
    pub fn for_batches_of(batch: usize) -> Self {
        Self::new(8 * batch)
    }

    /// Whether there is room for more.
    pub fn is_left(&self) -> bool {
        self.items > 0 && self.bytes_by_bytes > 0
    }

    /// Takes what a pair needs.
    pub fn take(&mut self, source: &str, target: &str) {
        self.items = self.items.saturating_sub(1);
        self.bytes_by_bytes = self.bytes_by_bytes.saturating_sub(source.len().saturating_mul(target.len()));
    }
}

/// The next pairs that there is room for; none at the end. What is wrong after them is told beside them.
pub fn next_window<E>(pairs: &mut impl Iterator<Item = Result<Pair, E>>, batch: usize) -> (Vec<Pair>, Result<(), E>) {
    let (mut window, mut room) = (Vec::new(), Room::for_batches_of(batch));
    while room.is_left() {
        match pairs.next() {
            None => break,
            Some(Err(error)) => return (window, Err(error)),
            Some(Ok(pair)) => {
                room.take(&pair.source, &pair.target);
                window.push(pair);
            }
        }
    }
    (window, Ok(()))
}

/// Pairs in parts that there is room for.
pub fn windows(mut pairs: &[Pair], batch: usize) -> impl Iterator<Item = &[Pair]> {
    std::iter::from_fn(move || {
        let mut room = Room::for_batches_of(batch);
        let fits = |pair: &&Pair| {
            let is_left = room.is_left();
            room.take(&pair.source, &pair.target);
            is_left
        };
        let (window, rest) = pairs.split_at(pairs.iter().take_while(fits).count());
        pairs = rest;
        (!window.is_empty()).then_some(window)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rnnsearch_corpus::{CorpusError, Place};

    use super::*;

    #[test]
    fn windows_end_by_number_and_by_length() {
        let pair = |length: usize| {
            let place = Place { file: Arc::from("f"), line: 1 };
            Pair { source: "x".repeat(length), target: "y".repeat(length), links: None, corpus: 0, place }
        };
        let pairs: Vec<Pair> = (0..20).map(|i| pair(if i == 3 { 9000 } else { 5 })).collect();
        let sizes: Vec<usize> = windows(&pairs, 1).map(<[Pair]>::len).collect();
        assert_eq!(sizes, [4, 8, 8]);
        let mut read = pairs.into_iter().map(Ok::<_, CorpusError>);
        let next: Vec<usize> = (0..4).map(|_| next_window(&mut read, 1).0.len()).collect();
        assert_eq!(next, [4, 8, 8, 0]);
    }
}
