//! Heatmaps, as they are seen: in the terminal, as SVG, as PNG.

mod examples;
mod pictures;
mod terminal;
