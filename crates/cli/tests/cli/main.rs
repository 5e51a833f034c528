//! Tests of the real program: what it prints, what it writes, how it ends.

mod align;
mod bad_input;
mod bench;
mod commands;
mod common;
mod control;
mod corpus;
mod determinism;
mod evaluate;
mod family;
mod faults;
mod guided;
mod heatmap;
mod help;
mod model_files;
mod plot;
mod rerank;
mod search;
mod streams;
mod tags;
mod train;
mod translate;
