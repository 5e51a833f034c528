//! Where the time of the fused operations goes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A fused operation, or a pass of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the operations are")]
pub enum Operation {
    /// Linear layers and the readout, both passes.
    Linear,
    GruForward,
    GruBackward,
    DecoderForward,
    DecoderBackward,
    /// The output layer with its loss and, while training, its gradients.
    Output,
    /// The length of the gradient and the change of the weights.
    Optimizer,
}

impl Operation {
    /// All of them, in the order of an update.
    pub const ALL: [Self; 7] = [
        Self::Linear,
        Self::GruForward,
        Self::DecoderForward,
        Self::Output,
        Self::DecoderBackward,
        Self::GruBackward,
        Self::Optimizer,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linear => "linear and readout",
            Self::GruForward => "recurrence, forward",
            Self::GruBackward => "recurrence, backward",
            Self::DecoderForward => "decoder, forward",
            Self::DecoderBackward => "decoder, backward",
            Self::Output => "output layer, both",
            Self::Optimizer => "optimizer",
        })
    }
}

static NANOSECONDS: [AtomicU64; Operation::ALL.len()] = [const { AtomicU64::new(0) }; Operation::ALL.len()];

/// Runs a pass of an operation and adds the time it took to what [`spent`] tells.
pub(crate) fn timed<T>(operation: Operation, run: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = run();
    NANOSECONDS[operation as usize].fetch_add(begin.elapsed().as_nanos() as u64, Relaxed);
    result
}

/// The time that this process has spent in a fused operation so far, on a clock on the wall.
pub fn spent(operation: Operation) -> Duration {
    Duration::from_nanos(NANOSECONDS[operation as usize].load(Relaxed))
}
