//! Where everything of a picture stands, in pixels.
//!
//! ```text
//!                     / / / /        source labels, slanted
//!   target labels  [][][][]
//!                  [][][][]          cells
//!                  0 ==== 1          legend
//! ```

use super::Style;
use super::label::{shortened, visible, wrapped};
use crate::{Alignment, Fonts, Sentence};

/// Cells shrink from the largest to the smallest size as sentences grow, to keep a picture near this size.
const GOAL: f32 = 1000.0;
const CELL: (f32, f32) = (16.0, 30.0);
/// Labels longer than this many times the font size are shortened.
const LONGEST_LABEL: f32 = 14.0;
/// Free space around everything.
pub(super) const MARGIN: f32 = 16.0;
/// A picture is at least this wide, for the title.
const NARROWEST: f32 = 260.0;
/// Text is given this much more room than it measures: the viewer of an SVG may set it in a wider font.
const SLACK: f32 = 1.1;

pub(super) const LEGEND: (f32, f32) = (120.0, 8.0);

/// Places and sizes of a picture. All lengths are pixels, from the top left.
pub(super) struct Layout {
    pub width: f32,
    pub height: f32,
    /// Edge of a cell, a whole number of pixels so that the grid is sharp.
    pub cell: f32,
    pub font_size: f32,
    /// Degrees that source labels rise.
    pub slant: f32,
    /// Left and top of the cells.
    pub grid: (f32, f32),
    pub source: Vec<Label>,
    pub target: Vec<Label>,
    pub title: Block,
    /// Top of the legend.
    pub legend: f32,
    pub caption: Block,
}

/// A label as shown.
pub(super) struct Label {
    pub shown: String,
    /// The whole label, if it had to be shortened.
    pub whole: Option<String>,
    width: f32,
}

/// Lines of text, one under the other.
pub(super) struct Block {
    pub lines: Vec<String>,
    pub font_size: f32,
    /// Top of the first line.
    pub top: f32,
}

impl Layout {
    pub fn new(alignment: &Alignment, style: &Style, fonts: &Fonts) -> Self {
        let (columns, rows) = (alignment.source().len() as f32, alignment.target().len() as f32);
        let cell = (GOAL / columns.max(rows)).clamp(CELL.0, CELL.1).floor();
        // 16 pixels leave room for letters of 11; beyond, letters grow more slowly than cells.
        let font_size = (11.0 + (cell - CELL.0) * 0.25).round();
        let slant: f32 = if cell >= 24.0 { 45.0 } else { 60.0 };
        let (sin, cos) = slant.to_radians().sin_cos();
        let source = labels(alignment.source(), fonts, font_size);
        let target = labels(alignment.target(), fonts, font_size);

        let left = MARGIN + longest(&target) + 0.6 * font_size;
        let overhang = |(column, label): (usize, &Label)| {
            let right = (column as f32 + 0.5) * cell + label.width * cos + 0.6 * font_size;
            right - columns * cell
        };
        let right = source.iter().enumerate().map(overhang).fold(0.0, f32::max) + MARGIN;
        let width = (left + columns * cell + right).max(left + LEGEND.0 + 2.0 * MARGIN).max(NARROWEST).ceil();

        let text = |text: &Option<String>, font_size: f32, top: f32| {
            let fits = |line: &str| fonts.shape(line, font_size).width * SLACK <= width - 2.0 * MARGIN;
            Block { lines: text.as_deref().map(|text| wrapped(text, fits)).unwrap_or_default(), font_size, top }
        };
        let title = text(&style.title, 16.0, MARGIN);
        // Labels start half a letter above the cells; their upper corner leans out by another half.
        let top = (title.bottom() + longest(&source) * sin + 1.2 * font_size).ceil();
        let legend = top + rows * cell + 16.0;
        let caption = text(&style.caption, 12.0, legend + LEGEND.1 + 28.0);
        let height = (caption.bottom() + if caption.lines.is_empty() { 0.0 } else { MARGIN }).ceil();
        Self { width, height, cell, font_size, slant, grid: (left.ceil(), top), source, target, title, legend, caption }
    }
}

impl Block {
    pub fn line_height(&self) -> f32 {
        self.font_size * 1.4
    }

    fn bottom(&self) -> f32 {
        self.top + self.lines.len() as f32 * self.line_height()
    }
}

fn labels(sentence: &Sentence, fonts: &Fonts, font_size: f32) -> Vec<Label> {
    let label = |token: &crate::Token| {
        let whole = visible(token.label());
        let shown = shortened(&whole, |text| fonts.shape(text, font_size).width <= LONGEST_LABEL * font_size);
        let width = fonts.shape(&shown, font_size).width * SLACK;
        Label { whole: (shown != whole).then_some(whole), shown, width }
    };
    sentence.tokens().iter().map(label).collect()
}

fn longest(labels: &[Label]) -> f32 {
    labels.iter().map(|label| label.width).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(words: usize) -> Layout {
        let sentence = || Sentence::from_words(vec!["word"; words]);
        let alignment = Alignment::new(sentence(), sentence(), vec![0.0; words * words]).unwrap();
        Layout::new(&alignment, &Style::default(), &Fonts::shipped())
    }

    #[test]
    fn labels_have_room_between_their_neighbours() {
        for words in 1..120 {
            let layout = layout(words);
            let between = layout.cell * layout.slant.to_radians().sin();
            assert!(between >= 1.2 * layout.font_size, "{words} words: {between} for {}", layout.font_size);
            assert!(layout.cell >= 1.2 * layout.font_size && layout.font_size >= 11.0);
        }
    }

    #[test]
    fn long_sentences_stay_on_the_screen() {
        let layout = layout(80);
        assert!(layout.width < 1500.0 && layout.height < 1500.0, "{} x {}", layout.width, layout.height);
    }
}
