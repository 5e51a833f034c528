//! The heatmap as text for a terminal.
//!
//! ```text
//!          ┌ zone
//!          │ ┌ économique
//! economic · █     (a cell is two columns wide)
//!     area █ ·
//! ```
//!
//! Source words stand on steps, each above its column, and so stay readable in every script. A sentence too wide for
//! the terminal is cut into panels, one under the other.

use std::fmt::Write;
use std::ops::Range;

use super::color::{Color, Palette, Theme};
use super::label::{columns, shortened, visible};
use crate::{Alignment, Sentence};

/// The narrowest terminal that is drawn for; narrower ones wrap lines.
const NARROWEST: usize = 20;
/// Columns of a cell.
const CELL: usize = 2;

/// Weights from which on a cell shows a shade, where there is no colour.
const SHADES: [(f32, char); 4] = [(0.05, '░'), (0.25, '▒'), (0.5, '▓'), (0.75, '█')];
/// The cell of a smaller weight.
const BLANK: &str = "· ";

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalOptions {
    /// Columns of the terminal. Fewer than 20 count as 20.
    pub width: usize,
    /// Whether cells are blocks of 24-bit colour; otherwise they are shades made of characters.
    pub color: bool,
    /// Whether colours go towards light or dark ink.
    pub theme: Theme,
    /// The hue of the colours.
    pub palette: Palette,
}

impl Default for TerminalOptions {
    /// 80 columns, no colour; colours for a dark terminal.
    fn default() -> Self {
        Self { width: 80, color: false, theme: Theme::Dark, palette: Palette::Blue }
    }
}

/// Draws an alignment as lines of text, none wider than the terminal, ending in a legend and a line feed.
///
/// No label can steer the terminal: control characters are shown as pictures.
pub fn terminal(alignment: &Alignment, options: &TerminalOptions) -> String {
    let mut screen = Screen::new(alignment, options);
    let panels = screen.panels();
    for panel in &panels {
        if panels.len() > 1 {
            screen.line(&format!("source {}–{} of {}", panel.start + 1, panel.end, screen.source.len()));
        }
        screen.steps(panel.clone());
        screen.rows(panel.clone());
        screen.out.push('\n');
    }
    screen.legend();
    screen.out
}

struct Screen<'a> {
    alignment: &'a Alignment,
    options: TerminalOptions,
    source: Vec<String>,
    target: Vec<String>,
    /// Columns left of the cells: the target labels and a blank.
    margin: usize,
    out: String,
}

impl<'a> Screen<'a> {
    fn new(alignment: &'a Alignment, options: &TerminalOptions) -> Self {
        let options = TerminalOptions { width: options.width.max(NARROWEST), ..*options };
        let source = labels(alignment.source(), options.width);
        let target = labels(alignment.target(), options.width * 2 / 5);
        let margin = target.iter().map(|label| columns(label)).max().unwrap_or(0) + 1;
        Self { alignment, options, source, target, margin, out: String::new() }
    }

    /// Columns of the matrix that fit side by side, each with room for most of its label.
    fn panels(&self) -> Vec<Range<usize>> {
        let enough = (self.options.width / 5).max(5);
        let mut panels: Vec<Range<usize>> = Vec::new();
        for (column, label) in self.source.iter().enumerate() {
            let fits = |panel: &Range<usize>| self.room(column - panel.start) >= columns(label).min(enough);
            match panels.last_mut() {
                Some(panel) if fits(panel) => panel.end = column + 1,
                _ => panels.push(column..column + 1),
            }
        }
        panels
    }

    /// Columns for the label that stands on the given step.
    fn room(&self, step: usize) -> usize {
        self.options.width.saturating_sub(self.margin + CELL * (step + 1))
    }

    fn steps(&mut self, panel: Range<usize>) {
        for (step, column) in panel.enumerate() {
            let room = self.room(step);
            let label = shortened(&self.source[column], |text| columns(text) <= room);
            let line = format!("{:margin$}{}┌ {label}", "", "│ ".repeat(step), margin = self.margin);
            self.line(&line);
        }
    }

    fn rows(&mut self, panel: Range<usize>) {
        for (label, weights) in self.target.iter().zip(self.alignment.rows()) {
            let blanks = self.margin - 1 - columns(label);
            self.out.extend(std::iter::repeat_n(' ', blanks));
            self.out.push_str(label);
            self.out.push(' ');
            let cells: String = weights[panel.clone()].iter().map(|&weight| self.cell(weight)).collect();
            self.out.push_str(if self.options.color { &cells } else { cells.trim_end() });
            self.out.push_str(if self.options.color { "\x1b[0m\n" } else { "\n" });
        }
    }

    fn cell(&self, weight: f32) -> String {
        if self.options.color {
            let Color([red, green, blue]) = self.options.palette.color(self.options.theme, weight);
            return format!("\x1b[48;2;{red};{green};{blue}m  ");
        }
        match SHADES.iter().rev().find(|&&(from, _)| weight >= from) {
            Some((_, shade)) => format!("{shade}{shade}"),
            None => BLANK.to_owned(),
        }
    }

    fn legend(&mut self) {
        if self.options.color {
            let cells: String = (0..8u8).map(|step| self.cell(f32::from(step) / 7.0)).collect();
            self.out.push_str(&format!("0 {cells}\x1b[0m 1\n"));
            return;
        }
        let mut line = "weight".to_owned();
        for (from, shade) in SHADES {
            let entry = format!("{shade}{shade} ≥ {from}");
            if columns(&line) + 2 + columns(&entry) > self.options.width {
                self.line(&line);
                line.clear();
            } else {
                line.push_str("  ");
            }
            line.push_str(&entry);
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        let width = self.options.width;
        let line = shortened(line.trim_end(), |text| columns(text) <= width);
        writeln!(self.out, "{line}").expect("writing to a string cannot fail");
    }
}

fn labels(sentence: &Sentence, limit: usize) -> Vec<String> {
    let label = |token: &crate::Token| shortened(&visible(token.label()), |text| columns(text) <= limit);
    sentence.tokens().iter().map(label).collect()
}
