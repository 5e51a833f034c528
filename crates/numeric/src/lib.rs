//! RNNsearch's recurrent operations on plain `f32` slices: forward passes, and backward passes written by hand.
//!
//! | module | what it computes |
//! |---|---|
//! | [`gru`] | a gated recurrent unit over a padded batch |
//! | [`decoder`] | the attending decoder over known target words |
//! | [`linear`] | linear layers over many rows, and the maxout readout |
//! | [`norm`] | layer normalisation of what makes gates |
//! | [`output`] | the output layer's cross-entropy, with its gradients |
//! | [`product`] | matrix products: large ones, and small ones by a weight that is packed once a sequence |
//! | [`network`] | the whole network for translating, step by step |
//! | [`adam`] | Adam in place, and the length of gradients |
//! | [`vector`] | elementwise functions and reductions over a row |
//!
//! A batch is split by sentences: each thread runs its own sentences through the whole sequence, so that no step waits for
//! another thread. Every number is a sum in an order fixed by the shapes alone: results are the same bits on any
//! number of threads, and a sentence's states do not depend on the other sentences of its batch.
//!
//! The crate knows nothing of tensors, gradients' bookkeeping or devices: that is the `kernels` crate's part. Instruction
//! sets are chosen at run time, see [`Instructions`].
//!
//! Sequences are time-major, `[len, batch, features]`; what is fixed for a source is batch-major. Gates stand in the order
//! reset, update, candidate.

pub mod adam;
mod attention;
mod buffers;
mod cell;
pub mod decoder;
pub mod gru;
mod instructions;
pub mod linear;
mod memory;
pub mod network;
pub mod norm;
pub mod output;
pub mod product;
mod rates;
mod rows;
pub mod vector;

pub use attention::Memory;
pub use buffers::scale;
pub use instructions::Instructions;
pub use memory::keep_freed_buffers;
pub use rates::{Rate, RateKind, highest, rates};
pub use rnnsearch_config::{Precision, Reset};
