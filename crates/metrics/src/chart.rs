//! Line charts: one or more panels with one legend, as SVG, as a page for the browser, or in the terminal.
//!
//! ```
//! use rnnsearch_metrics::{Figure, Line, LineKind, Panel, Point, Theme};
//!
//! let points = [(1.0, 10.6), (2.0, 24.2), (3.0, 29.0)].map(|(x, y)| Point { x, y, interval: None }).to_vec();
//! let line = Line { name: 0, kind: LineKind::Marked, points };
//! let panel = Panel { title: "BLEU".into(), x_label: "epochs".into(), lines: vec![line], ..Panel::default() };
//! let figure = Figure { title: "How it learned".into(), names: vec!["small".into()], panels: vec![panel], ..Figure::default() };
//! assert!(figure.svg(Theme::Light).starts_with("<svg"));
//! ```
//!
//! An SVG is complete by itself: no scripts, no fonts to load. Its text is text, set by whoever shows it; [`Figure::svg_with`] takes
//! another [`Lettering`], such as one that knows a font and writes outlines.

mod axis;
mod lettering;
mod looks;
mod page;
mod svg;
mod terminal;

pub use lettering::{Anchor, AsText, Label, Lettering};
pub use looks::Theme;

/// A picture: panels that share names, colours and, where it is of numbers, the horizontal axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// Printed on top.
    pub title: String,
    /// Printed below the title in small letters; may be empty.
    pub subtitle: String,
    /// What the lines are of, for the legend. Nothing stands there for an empty name.
    pub names: Vec<String>,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
}

/// Lines over one pair of axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What is shown, and its unit: printed above the vertical axis.
    pub title: String,
    /// Printed below the horizontal axis.
    pub x_label: String,
    /// The places on the horizontal axis, at 0, 1, 2 and so on; without any, it is an axis of numbers.
    pub categories: Vec<Category>,
    /// Whether the vertical axis begins at zero; otherwise it has the values alone.
    pub from_zero: bool,
    /// The lines; later ones are drawn over earlier ones.
    pub lines: Vec<Line>,
}

/// A place on a horizontal axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Category {
    /// Its name.
    pub label: String,
    /// Printed below the name in small letters; may be empty.
    pub note: String,
}

/// A line. Points that are not finite, or beyond the horizontal axis, are left out; over categories a line has a gap where one has no point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its place in [`Figure::names`], which also gives its colour.
    pub name: usize,
    /// How it is drawn.
    pub kind: LineKind,
    /// Its points, from left to right.
    pub points: Vec<Point>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineKind {
    /// Strong, with a marker at each point as long as these are few.
    #[default]
    Marked,
    /// Thin, for many points. Where a panel has both kinds, it says that the thin ones are of training, the others of validation.
    Thin,
}

/// A value at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Where on the horizontal axis.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// The least and the most that the value may be in truth: drawn as a band around the line.
    pub interval: Option<[f64; 2]>,
}

impl Point {
    /// Whether it can be drawn.
    fn is_finite(&self) -> bool {
        let fits = |value: f64| value.is_finite() && value.abs() < 1e15;
        fits(self.x) && fits(self.y) && self.interval.is_none_or(|interval| interval.into_iter().all(fits))
    }
}

impl Line {
    /// The points that can be drawn, of an axis of numbers or of so many categories.
    fn drawn(&self, categories: usize) -> impl Iterator<Item = Point> {
        let last = if categories == 0 { f64::INFINITY } else { categories as f64 - 1.0 };
        self.points.iter().copied().filter(move |point| point.is_finite() && (0.0..=last).contains(&point.x))
    }

    /// They in pieces without gaps.
    fn pieces(&self, categories: usize) -> Vec<Vec<Point>> {
        let points: Vec<Point> = self.drawn(categories).collect();
        points.chunk_by(|a, b| categories == 0 || b.x - a.x <= 1.0).map(<[Point]>::to_vec).collect()
    }
}

impl Panel {
    /// Whether it has lines of both kinds, which must be told apart.
    fn has_both_kinds(&self) -> bool {
        let has = |kind| self.lines.iter().any(|line| line.kind == kind);
        has(LineKind::Marked) && has(LineKind::Thin)
    }

    /// All values that the vertical axis must have.
    fn values(&self) -> impl Iterator<Item = f64> {
        let zero = self.from_zero.then_some(0.0);
        let points = self.lines.iter().flat_map(|line| &line.points).filter(|point| point.is_finite());
        points.flat_map(|point| [point.y].into_iter().chain(point.interval.into_iter().flatten())).chain(zero)
    }
}

impl Figure {
    /// The last place on the horizontal axes of numbers, which all begin at 0.
    fn last_x(&self) -> f64 {
        let points = self.panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let last = points.filter(|point| point.is_finite()).map(|point| point.x).fold(0.0, f64::max);
        if last > axis::LEAST { last } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A figure of one panel over four categories.
    pub(super) fn figure(lines: &[&[Option<f64>]]) -> Figure {
        let category = |i: usize| Category { label: format!("c{i}"), note: String::new() };
        let point = |(x, y): (usize, &Option<f64>)| Some(Point { x: x as f64, y: (*y)?, interval: None });
        let line = |(name, values): (usize, &&[Option<f64>])| Line {
            name,
            kind: LineKind::Marked,
            points: values.iter().enumerate().filter_map(point).collect(),
        };
        let panel = Panel {
            categories: (0..4).map(category).collect(),
            lines: lines.iter().enumerate().map(line).collect(),
            from_zero: true,
            ..Panel::default()
        };
        Figure {
            title: "a <b> & \"c\" \u{0}".to_owned(),
            names: (0..lines.len()).map(|i| format!("s{i}")).collect(),
            panels: vec![panel],
            ..Figure::default()
        }
    }

    #[test]
    fn a_missing_value_leaves_a_gap() {
        let figure = figure(&[&[Some(1.0), Some(2.0), None, Some(f64::NAN)], &[Some(1.0), None, Some(2.0), Some(3.0)]]);
        let pieces = |line: usize| figure.panels[0].lines[line].pieces(4).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((pieces(0), pieces(1)), (vec![2], vec![1, 2]));
        assert_eq!(figure.panels[0].lines[1].pieces(0).len(), 1, "numbers need not be neighbours");
    }

    #[test]
    fn what_is_beyond_the_axis_is_left_out() {
        let mut line = figure(&[&[Some(1.0), Some(2.0)]]).panels.remove(0).lines.remove(0);
        line.points[0].x = -1.0;
        line.points.push(Point { x: 1e9, ..line.points[1] });
        assert_eq!((line.drawn(4).count(), line.drawn(0).count()), (1, 2));
    }

    #[test]
    fn intervals_are_within_the_axis() {
        let mut panel = figure(&[&[Some(3.0)]]).panels.remove(0);
        panel.lines[0].points[0].interval = Some([2.0, 9.0]);
        assert_eq!(panel.values().collect::<Vec<_>>(), [3.0, 2.0, 9.0, 0.0]);
    }
}
