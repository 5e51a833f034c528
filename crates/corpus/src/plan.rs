//! Which examples go into which batch, and in which order.
//!
//! The order of an epoch depends on the seed and the epoch alone, so that a resumed training goes on with the very batch it would
//! have come to, on any machine.

use rnnsearch_config::{BatchBy, CurriculumConfig, TrainingConfig};

use crate::dataset::Dataset;
use crate::random::{shuffle, stream};

/// The batches of one pass over a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    order: Vec<u32>,
    /// Where in `order` each batch ends.
    ends: Vec<usize>,
}

impl BatchPlan {
    /// The batches of a training epoch (the first is 0): every example once, or as often as the data set's [`Mixture`](crate::Mixture)
    /// says.
    ///
    /// With a curriculum, first epochs have the shortest examples alone.
    ///
    /// As in the paper, the examples are shuffled, `sort_batches` batches of them at a time are sorted by length and cut into
    /// batches, and the batches are shuffled.
    ///
    /// By sentences, each batch has `batch_size` examples, except for the last one cut. By tokens, neither side of a batch has
    /// more than `batch_size` tokens, padding included, except for a single example that is longer by itself.
    pub fn epoch(dataset: &Dataset, training: &TrainingConfig, epoch: u64) -> Self {
        let mut rng = stream(training.seed, epoch, b"order of batches");
        let mut order = dataset.epoch(training.seed, epoch);
        shorten(&mut order, dataset, share(&training.curriculum, epoch));
        shuffle(&mut order, &mut rng);
        let cutter = Cutter { dataset, by: training.batch_by, size: training.batch_size };
        let mut batches = Vec::new();
        if training.sort_batches > 1 {
            for range in cutter.windows(&order, training.sort_batches) {
                order[range.clone()]
                    .sort_by_cached_key(|&index| (dataset.target_len(index), dataset.source_len(index)));
                let cut = cutter.cut(&order[range.clone()]);
                batches.extend(cut.into_iter().map(|batch| range.start + batch.start..range.start + batch.end));
            }
        } else {
            batches = cutter.cut(&order);
        }
        shuffle(&mut batches, &mut rng);
        Self::collect(order.len(), batches.into_iter().map(|range| &order[range]))
    }

    /// Batches in the order of the examples.
    pub fn in_order(dataset: &Dataset, by: BatchBy, size: usize) -> Self {
        let order: Vec<u32> = (0..dataset.len() as u32).collect();
        Self::collect(order.len(), Cutter { dataset, by, size }.cut(&order).into_iter().map(|range| &order[range]))
    }

    /// Batches in the order of source length, which need the least padding: for validation and translation.
    pub fn by_length(dataset: &Dataset, by: BatchBy, size: usize) -> Self {
        let mut order: Vec<u32> = (0..dataset.len() as u32).collect();
        order.sort_by_key(|&index| (dataset.source_len(index), dataset.target_len(index)));
        Self::collect(order.len(), Cutter { dataset, by, size }.cut(&order).into_iter().map(|range| &order[range]))
    }

    /// The examples of a batch, in their order, in parts neither side of which has more tokens than this, padding included, except
    /// for a single example that is longer by itself; all in one part if the limit is 0.
    pub fn parts<'a>(dataset: &Dataset, batch: &'a [u32], tokens: usize) -> Vec<&'a [u32]> {
        if tokens == 0 {
            return vec![batch];
        }
        let cutter = Cutter { dataset, by: BatchBy::Tokens, size: tokens };
        cutter.cut(batch).into_iter().map(|range| &batch[range]).collect()
    }

    fn collect<'a>(examples: usize, batches: impl Iterator<Item = &'a [u32]>) -> Self {
        let mut plan = Self { order: Vec::with_capacity(examples), ends: Vec::new() };
        for batch in batches {
            plan.order.extend(batch);
            plan.ends.push(plan.order.len());
        }
        plan
    }

    /// The number of batches.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of examples, those that come twice counted twice.
    pub fn examples(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The numbers of the examples of a batch.
    ///
    /// # Panics
    ///
    /// If `batch` is not below [`BatchPlan::len`].
    pub fn batch(&self, batch: usize) -> &[u32] {
        let start = if batch == 0 { 0 } else { self.ends[batch - 1] };
        &self.order[start..self.ends[batch]]
    }

    /// The batches from one on, which may be [`BatchPlan::len`]: a training that is resumed starts at the one it was to do next.
    pub fn iter_from(&self, first: usize) -> impl ExactSizeIterator<Item = &[u32]> {
        (first..self.len()).map(|batch| self.batch(batch))
    }
}

type Range = std::ops::Range<usize>;

struct Cutter<'a> {
    dataset: &'a Dataset,
    by: BatchBy,
    size: usize,
}

impl Cutter<'_> {
    /// Parts of the order that are worth so many batches.
    fn windows(&self, order: &[u32], batches: usize) -> Vec<Range> {
        let limit = self.size.max(1).saturating_mul(batches);
        let worth = |index: u32| match self.by {
            BatchBy::Sentences => 1,
            BatchBy::Tokens => self.longer_side(index),
        };
        split(order, |_, total: &mut usize, index| {
            *total += worth(index);
            *total <= limit
        })
    }

    /// Batches of examples in the order given, each as large as the limit allows.
    fn cut(&self, order: &[u32]) -> Vec<Range> {
        split(order, |examples, longest: &mut usize, index| match self.by {
            BatchBy::Sentences => examples <= self.size,
            BatchBy::Tokens => {
                *longest = (*longest).max(self.longer_side(index));
                examples * *longest <= self.size
            }
        })
    }

    fn longer_side(&self, index: u32) -> usize {
        self.dataset.source_len(index).max(self.dataset.target_len(index))
    }
}

/// Cuts `order` where the next example would not fit: `fits` is asked with the number of examples including that one and a
/// tally that starts at its default in every part. A part has at least one example.
fn split<T: Default>(order: &[u32], mut fits: impl FnMut(usize, &mut T, u32) -> bool) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut start, mut tally) = (0, T::default());
    for (position, &index) in order.iter().enumerate() {
        if !fits(position + 1 - start, &mut tally, index) && position > start {
            ranges.push(start..position);
            (start, tally) = (position, T::default());
            fits(1, &mut tally, index);
        }
    }
    if start < order.len() {
        ranges.push(start..order.len());
    }
    ranges
}

/// The share of pairs that an epoch has.
fn share(curriculum: &CurriculumConfig, epoch: u64) -> f64 {
    if epoch >= curriculum.epochs {
        return 1.0;
    }
    let start = curriculum.start.powi(2);
    (start + (1.0 - start) * epoch as f64 / curriculum.epochs as f64).sqrt()
}

/// Keeps a share of examples, at least one: the shortest.
fn shorten(order: &mut Vec<u32>, dataset: &Dataset, share: f64) {
    if share < 1.0 {
        order.sort_by_cached_key(|&index| (dataset.source_len(index) + dataset.target_len(index), index));
        order.truncate(((order.len() as f64 * share).ceil() as usize).max(1));
    }
}
