//! A figure as text: dots of Braille, eight in a cell, and a circle for each marked point.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::axis::Axis;
use super::lettering::tame;
use super::{Figure, LineKind, Panel};

/// Rows of a plot.
const ROWS: usize = 11;
/// The narrowest plot.
const LEAST_COLUMNS: usize = 16;
/// The narrowest text.
const LEAST_WIDTH: usize = 30;
/// Colours of the 256 that terminals have, near to those of the pictures on dark ground.
const COLOURS: [u8; 7] = [75, 214, 43, 175, 227, 208, 252];
/// The bits of a Braille cell's dots: `[row][column]`.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Figure {
    /// The figure as text of at most `width` columns (of some thirty, if that is less).
    ///
    /// Without colours several lines are drawn as letters, with capitals at marked points. An interval is a stroke from its least to its
    /// most.
    pub fn terminal(&self, width: usize, colours: bool) -> String {
        let looks = if colours {
            Pens::Colours
        } else if self.names.len() > 1 {
            Pens::Letters
        } else {
            Pens::Plain
        };
        let width = width.max(LEAST_WIDTH);
        let mut text = [&self.title, &self.subtitle].map(|text| lines_of(&tame(text), width)).concat().join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        for (name, shown) in self.names.iter().enumerate().filter(|(_, shown)| !shown.is_empty()) {
            let key = looks.key(name);
            let margin = format!("\n{}", " ".repeat(key.width() + 1));
            let shown = lines_of(&tame(shown), width - key.width() - 1).join(&margin);
            text += &format!("{} {shown}\n", looks.painted(name, &key));
        }
        for panel in &self.panels {
            let title = lines_of(&tame(&panel.title), width).join("\n");
            text += &format!("\n{title}\n{}", Canvas::of(panel, self.last_x(), width).text(panel, looks));
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
            let drawn = line.drawn(panel.categories.len());
            for (x, interval) in drawn.filter_map(|point| Some((point.x, point.interval?))) {
                let [least, most] = interval.map(|y| canvas.place(x, y));
                canvas.stroke(least, most, line.name);
                canvas.dot(most, line.name, false);
            }
        }
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
        let axis = format!("{blanks} └{}\n", "─".repeat(self.columns));
        let notes = (0..).zip(&panel.categories).map(|(place, category)| (f64::from(place), tame(&category.note)));
        let notes = self.below_axis(notes.filter(|(_, note)| !note.is_empty()).collect());
        let notes = (!notes.is_empty()).then_some(notes);
        let centred = |line: String| " ".repeat(self.columns.saturating_sub(line.width()) / 2) + &line;
        let label = lines_of(&tame(&panel.x_label), self.columns).into_iter().map(centred);
        let below = [self.x_labels(panel)].into_iter().chain(notes).chain(label);
        let below: String = below.map(|line| format!("{blanks}  {line}\n")).collect();
        rows.collect::<String>() + &axis + &below
    }

    fn painted(&self, cell: Cell, pens: Pens) -> String {
        match cell.dots {
            0 => " ".to_owned(),
            dots => pens.painted(cell.name, &pens.mark(cell.name, cell.marked, dots).to_string()),
        }
    }

    /// The numbers or names below the axis.
    fn x_labels(&self, panel: &Panel) -> String {
        let ticks: Vec<(f64, String)> = match &panel.categories[..] {
            [] => self.x_axis.ticks().map(|tick| (tick, self.x_axis.label(tick))).collect(),
            categories => {
                categories.iter().enumerate().map(|(i, category)| (i as f64, tame(&category.label))).collect()
            }
        };
        self.below_axis(ticks)
    }

    /// Labels below their places on the axis, as far as they fit beside each other.
    fn below_axis(&self, labels: Vec<(f64, String)>) -> String {
        let mut line = String::new();
        for (tick, label) in labels {
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

/// Text in lines of at most `width` columns, broken at blanks or, in a word that is longer, anywhere. No lines for blank text.
fn lines_of(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => line.push(' '),
            _ => lines.push(String::new()),
        }
        for c in word.chars() {
            if lines.last().is_some_and(|line| line.width() + c.width().unwrap_or(0) > width) {
                lines.push(String::new());
            }
            lines.last_mut().expect("a word begins with a line").push(c);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::lines_of;
    use crate::chart::tests::figure;
    use crate::{Category, Figure, Line, LineKind, Panel, Point};

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
    fn notes_and_intervals_are_drawn() {
        let mut figure = figure(&[&[Some(1.0), Some(2.0), Some(3.0), Some(4.0)]]);
        let without = figure.terminal(60, false);
        let panel = &mut figure.panels[0];
        panel.lines[0].points.iter_mut().for_each(|point| point.interval = Some([point.y / 2.0, 4.0]));
        for (number, category) in panel.categories.iter_mut().enumerate() {
            *category = Category { note: format!("n = {number}"), ..category.clone() };
        }
        let with = figure.terminal(60, false);
        assert!((0..4).all(|number| with.contains(&format!("n = {number}"))), "{with}");
        let dots = |text: &str| text.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!(dots(&with) > dots(&without), "{with}");
    }

    #[test]
    fn lines_break_at_blanks_and_in_long_words() {
        assert_eq!(lines_of("one two three", 7), ["one two", "three"]);
        assert_eq!(lines_of("a 12345678 b", 5), ["a", "12345", "678 b"]);
        assert!(lines_of(" ", 5).is_empty());
    }

    #[test]
    fn every_width_is_kept() {
        let wordy = "how far it came, with 95 % confidence, by the length of its sources ".repeat(3);
        for width in 30..120 {
            let mut figure = learning(&["small"]);
            (figure.title, figure.subtitle, figure.names[0]) = (wordy.clone(), "a|b:c|".repeat(30), wordy.clone());
            (figure.panels[0].title, figure.panels[0].x_label) = (wordy.clone(), wordy.clone());
            let text = figure.terminal(width, false);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
        }
        let empty = figure(&[&[None, Some(f64::INFINITY)]]).terminal(10, false);
        assert!(!empty.lines().skip(2).any(|line| line.contains('●')), "{empty}");
    }
}
