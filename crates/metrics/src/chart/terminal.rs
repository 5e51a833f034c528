//! A figure as text: dots of Braille, eight in a cell, and a circle for each marked point.

use unicode_width::UnicodeWidthStr;

use super::axis::Axis;
use super::lettering::tame;
use super::{Figure, LineKind, Panel};

/// Rows of a plot.
const ROWS: usize = 11;
/// The narrowest plot.
const LEAST_COLUMNS: usize = 16;
/// Colours of the 256 that terminals have, near to those of the pictures on dark ground.
const COLOURS: [u8; 7] = [75, 214, 43, 175, 227, 208, 252];
/// The bits of a Braille cell's dots: `[row][column]`.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Figure {
    /// The figure as text of at most `width` columns (of some thirty, if that is less).
    ///
    /// Without colours several lines are drawn as letters, with capitals at marked points.
    pub fn terminal(&self, width: usize, colours: bool) -> String {
        let looks = if colours {
            Pens::Colours
        } else if self.names.len() > 1 {
            Pens::Letters
        } else {
            Pens::Plain
        };
        let heading = [&self.title, &self.subtitle].map(|text| tame(text));
        let mut text: String = heading.iter().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
        for (name, shown) in self.names.iter().enumerate().filter(|(_, shown)| !shown.is_empty()) {
            text += &format!("{} {}\n", looks.painted(name, &looks.key(name)), tame(shown));
        }
        for panel in &self.panels {
            text +=
                &format!("\n{}\n{}", tame(&panel.title), Canvas::of(panel, self.last_x(), width).text(panel, looks));
        }
        text
    }
}

/// How lines are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pens {
    Colours,
    Letters,
    Plain,
}

impl Pens {
    fn key(self, name: usize) -> String {
        match self {
            Self::Letters => self.mark(name, false, 0).to_string(),
            _ => "━●━".to_owned(),
        }
    }

    /// The character of a cell with some dots of a line.
    fn mark(self, name: usize, marked: bool, dots: u8) -> char {
        let letter = char::from(b'a' + (name % 26) as u8);
        match self {
            Self::Letters if marked => letter.to_ascii_uppercase(),
            Self::Letters => letter,
            _ if marked => '●',
            _ => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        }
    }

    fn painted(self, name: usize, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[38;5;{}m{text}\x1b[0m", COLOURS[name % COLOURS.len()]),
            _ => text.to_owned(),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    marked: bool,
    name: usize,
}

/// The cells of a plot, row by row, and its axes.
struct Canvas {
    cells: Vec<Cell>,
    columns: usize,
    x_axis: Axis,
    y_axis: Axis,
    /// Columns for the numbers of the vertical axis.
    gutter: usize,
}

impl Canvas {
    fn of(panel: &Panel, last_x: f64, width: usize) -> Self {
        let y_axis = Axis::around(panel.values(), 5.0);
        let gutter = y_axis.ticks().map(|tick| y_axis.label(tick).width()).max().unwrap_or(0);
        let columns = width.saturating_sub(gutter + 3).max(LEAST_COLUMNS);
        let x_axis = match panel.categories.len() {
            0 => Axis::exactly(0.0, last_x, columns as f64 / 12.0),
            count => Axis::exactly(-0.5, count as f64 - 0.5, count as f64),
        };
        let cells = vec![Cell::default(); columns * ROWS];
        let mut canvas = Self { cells, columns, x_axis, y_axis, gutter };
        for line in &panel.lines {
            for points in line.pieces(panel.categories.len()) {
                let places: Vec<(f64, f64)> = points.iter().map(|point| canvas.place(point.x, point.y)).collect();
                places.windows(2).for_each(|two| canvas.stroke(two[0], two[1], line.name));
                let marked = line.kind == LineKind::Marked;
                places.iter().for_each(|&place| canvas.dot(place, line.name, marked));
            }
        }
        canvas
    }

    /// Where a point is, in dots from the upper left.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let across = self.x_axis.share(x) * (2 * self.columns - 1) as f64;
        (across, (1.0 - self.y_axis.share(y)) * (4 * ROWS - 1) as f64)
    }

    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), name: usize) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0) as usize;
        for step in 0..steps {
            let share = step as f64 / steps as f64;
            self.dot((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)), name, false);
        }
    }

    fn dot(&mut self, (x, y): (f64, f64), name: usize, marked: bool) {
        let (x, y) = (x.round() as usize, y.round() as usize);
        if let Some(cell) = self.cells.get_mut(y / 4 * self.columns + x / 2) {
            // Dots of a line that is drawn over would be taken for its own.
            let dots = if cell.name == name { cell.dots } else { 0 };
            let still_marked = cell.marked && cell.name == name;
            *cell = Cell { dots: dots | DOTS[y % 4][x % 2], marked: marked || still_marked, name };
        }
    }

    fn text(&self, panel: &Panel, pens: Pens) -> String {
        let mut labels = vec![String::new(); ROWS];
        for tick in self.y_axis.ticks() {
            let row = self.place(0.0, tick).1.round() as usize / 4;
            labels[row.min(ROWS - 1)] = self.y_axis.label(tick);
        }
        let rows = labels.iter().zip(self.cells.chunks(self.columns)).map(|(label, cells)| {
            let blanks = " ".repeat(self.gutter - label.width());
            let edge = if label.is_empty() { '│' } else { '┤' };
            let row: String = cells.iter().map(|cell| self.painted(*cell, pens)).collect();
            format!("{blanks}{label} {edge}{}\n", row.trim_end())
        });
        let blanks = " ".repeat(self.gutter);
        let axis = format!("{blanks} └{}\n{blanks}  {}\n", "─".repeat(self.columns), self.x_labels(panel));
        let label = tame(&panel.x_label);
        let middle = " ".repeat(self.columns.saturating_sub(label.width()) / 2);
        rows.collect::<String>() + &axis + &format!("{blanks}  {middle}{label}\n")
    }

    fn painted(&self, cell: Cell, pens: Pens) -> String {
        match cell.dots {
            0 => " ".to_owned(),
            dots => pens.painted(cell.name, &pens.mark(cell.name, cell.marked, dots).to_string()),
        }
    }

    /// The numbers or names below the axis, as far as they fit beside each other.
    fn x_labels(&self, panel: &Panel) -> String {
        let ticks: Vec<(f64, String)> = match &panel.categories[..] {
            [] => self.x_axis.ticks().map(|tick| (tick, self.x_axis.label(tick))).collect(),
            categories => {
                categories.iter().enumerate().map(|(i, category)| (i as f64, tame(&category.label))).collect()
            }
        };
        let mut line = String::new();
        for (tick, label) in ticks {
            let middle = self.place(tick, 0.0).0.round() as usize / 2;
            let start = middle.saturating_sub(label.width() / 2);
            if (line.is_empty() || start > line.width()) && start + label.width() <= self.columns {
                line += &" ".repeat(start - line.width());
                line += &label;
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use crate::chart::tests::figure;
    use crate::{Figure, Line, LineKind, Panel, Point};

    fn learning(names: &[&str]) -> Figure {
        let point = |x: usize| Point { x: 100.0 * x as f64, y: 5.0 - (x as f64).sqrt(), interval: None };
        let line = |name| Line { name, kind: LineKind::Thin, points: (1..20).map(point).collect() };
        let marked = Line { name: 0, kind: LineKind::Marked, points: [5, 10, 15].map(point).to_vec() };
        let lines = (0..names.len()).map(line).chain([marked]).collect();
        let panel = Panel { title: "loss".into(), x_label: "updates".into(), lines, ..Panel::default() };
        let names = names.iter().map(ToString::to_string).collect();
        Figure { title: "How it learned".into(), names, panels: vec![panel], ..Figure::default() }
    }

    #[test]
    fn dots_and_circles() {
        insta::assert_snapshot!(learning(&["small"]).terminal(60, false));
    }

    #[test]
    fn without_colours_letters_tell_lines_apart() {
        let text = learning(&["small", "large"]).terminal(50, false);
        assert!(text.contains("\na small\nb large\n") && text.contains('A') && !text.contains('\x1b'), "{text}");
        assert!(learning(&["small", "large"]).terminal(50, true).contains("\x1b[38;5;214m"));
    }

    #[test]
    fn every_width_is_kept() {
        for width in 30..120 {
            let text = learning(&["small"]).terminal(width, false);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
        }
        let empty = figure(&[&[None, Some(f64::INFINITY)]]).terminal(10, false);
        assert!(!empty.lines().skip(2).any(|line| line.contains('●')), "{empty}");
    }
}
