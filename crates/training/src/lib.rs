//! Training: from parallel text to a model file, dependably.
//!
//! [`train`] is the loop. Its parts: `learner` finds gradients, `optimizer` and `schedule` change weights, `validation` judges them, `checkpoint` keeps
//! all that a later process needs to go on, and [`RunFolder`] is where everything goes, through `disk`. Nothing is printed: what happens is told to an
//! [`Observer`]; `tensorboard` is one in between, which writes it down.

mod average;
mod cache;
mod checkpoint;
mod disk;
mod doubts;
mod error;
mod exact;
mod gradients;
mod learner;
mod memory;
mod notes;
mod observer;
mod opposite;
mod optimizer;
mod origin;
mod rehearsal;
mod risk;
mod run_folder;
mod schedule;
mod state;
mod teacher;
mod tensorboard;
#[cfg(test)]
mod tests;
mod text;
mod trainer;
mod validation;

pub use checkpoint::average_checkpoints;
pub use error::TrainingError;
pub use observer::{Best, Observer, Prepared, Progress, Sample, ValidationReport};
pub use rehearsal::{Rehearsal, Workload};
pub use run_folder::{RunFolder, Start};
pub use state::State;
pub use trainer::{Ending, Outcome, train};
