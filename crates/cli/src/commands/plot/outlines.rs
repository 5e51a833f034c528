//! A figure as a PNG: its text drawn as outlines, so that it looks the same everywhere.

use std::collections::BTreeSet;

use anyhow::Result;
use rnnsearch_alignment::Fonts;
use rnnsearch_alignment::heatmap::rasterized;
use rnnsearch_metrics::{Anchor, Figure, Label, Lettering, Theme};

use crate::commands::heatmap::warn_of_missing;
use crate::messages::Messages;

/// Draws a figure, `scale` pixels for each of its SVG.
pub fn png(figure: &Figure, theme: Theme, scale: f32, messages: Messages) -> Result<Vec<u8>> {
    let fonts = Fonts::shipped().with_system();
    let text = [&figure.title, &figure.subtitle].into_iter().chain(&figure.names).map(String::as_str);
    let fonts = fonts.covering(&text.collect::<String>());
    let mut outlines = Outlines { fonts: &fonts, missing: BTreeSet::new() };
    let svg = figure.svg_with(theme, &mut outlines);
    let missing: Vec<char> = outlines.missing.into_iter().collect();
    warn_of_missing(&missing, messages);
    Ok(rasterized(&svg, theme.paper(), scale)?.0)
}

struct Outlines<'a> {
    fonts: &'a Fonts,
    missing: BTreeSet<char>,
}

impl Lettering for Outlines<'_> {
    fn width(&self, text: &str, size: f64) -> f64 {
        self.fonts.shape(text, size as f32).width.into()
    }

    fn element(&mut self, label: &Label) -> String {
        let shaped = self.fonts.shape(label.text, label.size as f32);
        self.missing.extend(&shaped.missing);
        let width = f64::from(shaped.width);
        let left = match label.anchor {
            Anchor::Left => label.x,
            Anchor::Middle => label.x - width / 2.0,
            Anchor::Right => label.x - width,
        };
        let Label { y, size, colour, .. } = label;
        // There are no bold faces here: outlines with an edge are as good.
        let edge = if label.bold { 0.04 * size } else { 0.0 };
        let outlines = shaped.outlines;
        format!(
            "<path transform=\"translate({left:.2} {y:.2})\" fill=\"{colour}\" stroke=\"{colour}\" stroke-width=\"{edge}\" d=\"{outlines}\"/>\n"
        )
    }
}
