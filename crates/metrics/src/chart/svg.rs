//! A figure as an SVG document.

use std::fmt::Write;

use super::axis::Axis;
use super::lettering::{Anchor, AsText, Label, Lettering, escape, tame, wrapped};
use super::looks::{Looks, PAGE, Theme};
use super::{Category, Figure, Line, LineKind, Panel, Point};

const MARGIN: f64 = 24.0;
/// Room left of a plot, for the numbers of its axis.
const GUTTER: f64 = 58.0;
/// Room between two panels of a row.
const BETWEEN: f64 = 26.0;
/// Room above a plot, for its title.
const PANEL_HEAD: f64 = 34.0;
/// Room below a plot, for numbers or names, and for the label of the axis.
const PANEL_FOOT: f64 = 62.0;
const TITLE_SIZE: f64 = 18.0;
const TEXT_SIZE: f64 = 13.0;
const SMALL_SIZE: f64 = 11.0;
const LEGEND_ROW: f64 = 22.0;
/// The line in the legend, and the blank behind it.
const LEGEND_KEY: f64 = 36.0;
/// Up to so many points have markers.
const MARKED_POINTS: usize = 40;

impl Figure {
    /// The figure as an SVG document whose text is text.
    pub fn svg(&self, theme: Theme) -> String {
        self.svg_with(theme, &mut AsText)
    }

    /// The figure as an SVG document.
    pub fn svg_with(&self, theme: Theme, lettering: &mut dyn Lettering) -> String {
        Drawing::new(self, theme.looks(), lettering, false).document()
    }

    /// The figure as an element of a page, which defines its colours. Its plots and lines tell their values.
    pub(super) fn svg_of_page(&self) -> String {
        Drawing::new(self, &PAGE, &mut AsText, true).document()
    }
}

/// Where the plot of a panel is.
#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    fn right(&self) -> f64 {
        self.left + self.width
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

struct Drawing<'a> {
    figure: &'a Figure,
    looks: &'static Looks,
    lettering: &'a mut dyn Lettering,
    /// Whether values are told to the script of a page.
    telling: bool,
    /// What is drawn so far.
    svg: String,
    /// How far down it reaches.
    y: f64,
}

impl<'a> Drawing<'a> {
    fn new(figure: &'a Figure, looks: &'static Looks, lettering: &'a mut dyn Lettering, telling: bool) -> Self {
        Self { figure, looks, lettering, telling, svg: String::new(), y: MARGIN }
    }

    fn document(mut self) -> String {
        let figure = self.figure;
        self.heading(&figure.title, TITLE_SIZE, 26.0, true);
        self.heading(&figure.subtitle, SMALL_SIZE, 16.0, false);
        self.legend();
        self.y += 6.0;
        let columns = if figure.panels.len() > 1 { 2 } else { 1 };
        for row in figure.panels.chunks(columns) {
            self.row(row);
        }
        let (width, height) = (self.width(), self.y + MARGIN - 10.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" font-family=\"'Noto Sans', 'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif\">\n\
             <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n{}</svg>\n",
            escape(&tame(&figure.title)),
            self.looks.paper,
            self.svg
        )
    }

    fn is_single(&self) -> bool {
        self.figure.panels.len() < 2
    }

    fn width(&self) -> f64 {
        if self.is_single() { 760.0 } else { 1120.0 }
    }

    fn room(&self) -> f64 {
        self.width() - 2.0 * MARGIN
    }

    fn text(&mut self, text: &str, (x, y): (f64, f64), anchor: Anchor, size: f64, bold: bool, colour: &str) {
        if !text.is_empty() {
            self.svg += &self.lettering.element(&Label { text: &tame(text), x, y, anchor, size, bold, colour });
        }
    }

    /// Lines of text over the whole width.
    fn heading(&mut self, text: &str, size: f64, height: f64, bold: bool) {
        let colour = if bold { self.looks.ink } else { self.looks.faint };
        for line in wrapped(&tame(text), size, self.room(), self.lettering) {
            self.text(&line, (MARGIN, self.y + size), Anchor::Left, size, bold, colour);
            self.y += height;
        }
    }

    /// An entry for each name, in as many rows as it takes.
    fn legend(&mut self) {
        let figure = self.figure;
        let right = MARGIN + self.room();
        let (mut x, mut y) = (MARGIN, self.y + 16.0);
        let mut last = None;
        for (name, text) in figure.names.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            let lines = wrapped(&tame(text), TEXT_SIZE, self.room() - LEGEND_KEY, self.lettering);
            let widths = lines.iter().map(|line| self.lettering.width(line, TEXT_SIZE));
            let width = LEGEND_KEY + widths.fold(0.0, f64::max);
            if x > MARGIN && x + width > right {
                (x, y) = (MARGIN, last.unwrap_or(y) + LEGEND_ROW);
            }
            let _ = writeln!(self.svg, "<path d=\"M{x:.2} {y}h28\" {}/>", self.looks.stroke(name, 2.5));
            self.svg += &self.looks.marker(name, x + 14.0, y);
            let mut foot = y;
            for line in lines {
                self.text(&line, (x + LEGEND_KEY, foot + 4.5), Anchor::Left, TEXT_SIZE, false, self.looks.ink);
                last = Some(foot);
                foot += LEGEND_ROW - 4.0;
            }
            x += width + 24.0;
        }
        self.y = last.map_or(self.y, |last| last + LEGEND_ROW);
    }

    /// Panels side by side.
    fn row(&mut self, panels: &[Panel]) {
        let height = if self.is_single() { 300.0 } else { 220.0 };
        let share = if self.is_single() { self.room() } else { (self.room() - BETWEEN) / 2.0 };
        for (place, panel) in panels.iter().enumerate() {
            let left = MARGIN + place as f64 * (share + BETWEEN) + GUTTER;
            let top = self.y + PANEL_HEAD;
            self.panel(panel, Frame { left, top, width: share - GUTTER - 8.0, height });
        }
        self.y += PANEL_HEAD + height + PANEL_FOOT;
    }

    fn panel(&mut self, panel: &Panel, frame: Frame) {
        let y_axis = Axis::around(panel.values(), frame.height / 36.0);
        let x_axis = match panel.categories.len() {
            0 => Axis::exactly(0.0, 1.02 * self.figure.last_x(), frame.width / 75.0),
            count => Axis::exactly(-0.5, count as f64 - 0.5, count as f64),
        };
        let plot = Plot { panel, frame, x_axis, y_axis };
        if self.telling {
            let (title, x_label) = (escape(&tame(&panel.title)), escape(&tame(&panel.x_label)));
            let Frame { left, top, width, height } = frame;
            let categories: Vec<String> =
                panel.categories.iter().map(|category| escape(&tame(&category.label))).collect();
            let categories = categories.join("|");
            let _ = writeln!(
                self.svg,
                "<g class=\"panel\" data-title=\"{title}\" data-x-label=\"{x_label}\" data-categories=\"{categories}\" data-frame=\"{left} {top} {width} {height}\">\n\
                 <rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" pointer-events=\"all\"/>"
            );
        }
        self.axes(&plot);
        for line in &panel.lines {
            self.line(&plot, line);
        }
        if let [only] = &panel.lines[..]
            && !panel.categories.is_empty()
        {
            self.values(&plot, only);
        }
        if self.telling {
            self.svg += "</g>\n";
        }
    }

    fn axes(&mut self, plot: &Plot) {
        let Plot { panel, frame, y_axis, .. } = *plot;
        let Looks { ink, faint, grid, zero, .. } = *self.looks;
        let title = (frame.left - GUTTER, frame.top - 14.0);
        self.text(&panel.title, title, Anchor::Left, TEXT_SIZE, true, ink);
        if panel.has_both_kinds() {
            let text = "thin: training, bold: validation";
            self.text(text, (frame.right(), frame.top - 14.0), Anchor::Right, SMALL_SIZE, false, faint);
        }
        for tick in y_axis.ticks() {
            let y = plot.y(tick);
            let colour = if tick == 0.0 { zero } else { grid };
            let (left, right) = (frame.left, frame.right());
            let _ = writeln!(self.svg, "<path d=\"M{left} {y:.2}H{right}\" stroke=\"{colour}\"/>");
            self.text(&y_axis.label(tick), (left - 8.0, y + 4.5), Anchor::Right, TEXT_SIZE, false, ink);
        }
        match &panel.categories[..] {
            [] => self.numbers(plot),
            categories => self.category_labels(plot, categories),
        }
        let middle = frame.left + frame.width / 2.0;
        let foot = frame.bottom() + if panel.categories.iter().any(|c| !c.note.is_empty()) { 56.0 } else { 42.0 };
        self.text(&panel.x_label, (middle, foot), Anchor::Middle, TEXT_SIZE, false, faint);
    }

    fn tick(&mut self, x: f64, bottom: f64) {
        let _ = writeln!(self.svg, "<path d=\"M{x:.2} {bottom}v5\" stroke=\"{}\"/>", self.looks.zero);
    }

    fn numbers(&mut self, plot: &Plot) {
        let bottom = plot.frame.bottom();
        let (left, right) = (plot.frame.left, plot.frame.right());
        let _ = writeln!(self.svg, "<path d=\"M{left} {bottom}H{right}\" stroke=\"{}\"/>", self.looks.zero);
        for tick in plot.x_axis.ticks() {
            let x = plot.x(tick);
            self.tick(x, bottom);
            let text = plot.x_axis.label(tick);
            self.text(&text, (x, bottom + 21.0), Anchor::Middle, TEXT_SIZE, false, self.looks.ink);
        }
    }

    /// The names of categories; of too many, every second, third ... is printed.
    fn category_labels(&mut self, plot: &Plot, categories: &[Category]) {
        let width = |category: &Category| {
            let label = self.lettering.width(&tame(&category.label), TEXT_SIZE);
            label.max(self.lettering.width(&tame(&category.note), SMALL_SIZE))
        };
        let widest = categories.iter().map(width).fold(16.0, f64::max);
        let every = ((widest + 8.0) / (plot.frame.width / categories.len() as f64)).ceil() as usize;
        let bottom = plot.frame.bottom();
        for (number, category) in categories.iter().enumerate() {
            let x = plot.x(number as f64);
            self.tick(x, bottom);
            if number.is_multiple_of(every) {
                self.text(&category.label, (x, bottom + 21.0), Anchor::Middle, TEXT_SIZE, false, self.looks.ink);
                self.text(&category.note, (x, bottom + 37.0), Anchor::Middle, SMALL_SIZE, false, self.looks.faint);
            }
        }
    }

    fn line(&mut self, plot: &Plot, line: &Line) {
        let looks = self.looks;
        let pieces = line.pieces(plot.panel.categories.len());
        let pieces: Vec<Vec<Point>> = pieces.iter().map(|points| plot.thinned(points)).collect();
        let mut path = String::new();
        for points in &pieces {
            self.band(plot, line, points);
            for (number, point) in points.iter().enumerate() {
                let _ = write!(
                    path,
                    "{}{:.2} {:.2}",
                    if number == 0 { 'M' } else { 'L' },
                    plot.x(point.x),
                    plot.y(point.y)
                );
            }
        }
        if path.is_empty() {
            return;
        }
        let stroke = match line.kind {
            LineKind::Marked => looks.stroke(line.name, 2.5),
            LineKind::Thin if plot.panel.has_both_kinds() => looks.stroke(line.name, 1.3) + " stroke-opacity=\"0.75\"",
            LineKind::Thin => looks.stroke(line.name, 1.8),
        };
        let values = if self.telling { self.told(line, &pieces) } else { String::new() };
        let _ = writeln!(self.svg, "<path d=\"{path}\" {stroke}{values}/>");
        let points = pieces.iter().flatten();
        if line.kind == LineKind::Marked && points.clone().count() <= MARKED_POINTS {
            for point in points {
                self.svg += &looks.marker(line.name, plot.x(point.x), plot.y(point.y));
            }
        }
    }

    /// The band of the intervals around a line.
    fn band(&mut self, plot: &Plot, line: &Line, points: &[Point]) {
        let edge = |end: usize| points.iter().filter_map(move |point| Some((point.x, point.interval?[end])));
        let around: Vec<(f64, f64)> = edge(0).chain(edge(1).collect::<Vec<_>>().into_iter().rev()).collect();
        let colour = self.looks.colour(line.name);
        if let [(x, low), (_, high)] = around[..] {
            // A single interval has no breadth: it is drawn as a bar.
            let (x, low, high) = (plot.x(x), plot.y(low), plot.y(high));
            let bar = format!("M{x:.2} {low:.2}V{high:.2}");
            let _ =
                writeln!(self.svg, "<path d=\"{bar}\" stroke=\"{colour}\" stroke-opacity=\"0.3\" stroke-width=\"8\"/>");
        } else if !around.is_empty() {
            let corners = around.into_iter().map(|(x, y)| format!("{:.2} {:.2}", plot.x(x), plot.y(y)));
            let path = corners.collect::<Vec<_>>().join("L");
            let _ = writeln!(self.svg, "<path d=\"M{path}Z\" fill=\"{colour}\" fill-opacity=\"0.15\"/>");
        }
    }

    /// What the script of a page needs to know of a line.
    fn told(&self, line: &Line, pieces: &[Vec<Point>]) -> String {
        let name = self.figure.names.get(line.name).map_or("", String::as_str);
        let kind = if line.kind == LineKind::Thin { "training" } else { "" };
        let values: Vec<String> = pieces.iter().flatten().map(|point| format!("{} {}", point.x, point.y)).collect();
        format!(
            " class=\"line\" data-name=\"{}\" data-kind=\"{kind}\" data-values=\"{}\"",
            escape(&tame(name)),
            values.join(",")
        )
    }

    /// The values themselves, above the markers: legible as long as there is one line.
    fn values(&mut self, plot: &Plot, line: &Line) {
        for point in line.drawn(plot.panel.categories.len()) {
            let place = (plot.x(point.x), plot.y(point.y) - 10.0);
            self.text(&format!("{:.1}", point.y), place, Anchor::Middle, SMALL_SIZE, false, self.looks.ink);
        }
    }
}

/// A panel with its axes: where values are.
#[derive(Clone, Copy)]
struct Plot<'a> {
    panel: &'a Panel,
    frame: Frame,
    x_axis: Axis,
    y_axis: Axis,
}

impl Plot<'_> {
    fn x(&self, x: f64) -> f64 {
        self.frame.left + self.x_axis.share(x) * self.frame.width
    }

    fn y(&self, y: f64) -> f64 {
        self.frame.bottom() - self.y_axis.share(y) * self.frame.height
    }

    /// The points, or of many the ones that can be seen: the lowest and the highest of each column of pixels.
    fn thinned(&self, points: &[Point]) -> Vec<Point> {
        if points.len() <= 2 * self.frame.width as usize {
            return points.to_vec();
        }
        let column = |point: &Point| self.x(point.x).floor() as i64;
        let by_value = |a: &&Point, b: &&Point| a.y.total_cmp(&b.y);
        let ends = |points: &[Point]| {
            let (low, high) = (*points.iter().min_by(by_value)?, *points.iter().max_by(by_value)?);
            Some(if low.x <= high.x { [low, high] } else { [high, low] })
        };
        points.chunk_by(|a, b| column(a) == column(b)).filter_map(ends).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::tests::figure;

    #[test]
    fn text_is_escaped() {
        let svg = figure(&[]).svg(Theme::Light);
        assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}</title>"), "{svg}");
    }

    #[test]
    fn a_gap_begins_a_new_path() {
        let svg = figure(&[&[Some(1.0), None, Some(2.0), Some(3.0)]]).svg(Theme::Light);
        let line = svg.lines().rfind(|line| line.contains("stroke-width=\"2.5\"") && line.contains('L')).unwrap();
        assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, 1));
    }

    #[test]
    fn of_many_points_those_that_are_seen_are_drawn() {
        let mut figure = figure(&[&[]]);
        figure.panels[0].categories.clear();
        let value = |x: usize| if x == 70_000 { 99.0 } else { (x % 7) as f64 };
        let point = |x: usize| Point { x: x as f64, y: value(x), interval: None };
        figure.panels[0].lines[0].points = (0..100_000).map(point).collect();
        figure.panels[0].lines[0].kind = LineKind::Thin;
        let svg = figure.svg(Theme::Dark);
        assert!(svg.len() < 40_000, "{}", svg.len());
        let told = figure.svg_of_page();
        assert!(told.contains("70000 99"), "the peak is not lost");
    }

    #[test]
    fn long_names_take_several_lines_and_stay_whole() {
        let mut figure = figure(&[&[Some(1.0)], &[Some(2.0)]]);
        figure.names[0] = "name ".repeat(60);
        let svg = figure.svg(Theme::Light);
        assert_eq!(svg.matches("name").count(), 60);
        // The next one begins below.
        let y = |text: &str| {
            let line = svg.lines().rfind(|line| line.contains(text)).unwrap();
            line.split_once(" y=\"").unwrap().1.split_once('"').unwrap().0.parse::<f64>().unwrap()
        };
        assert!(y(">s1<") > y("name"), "{svg}");
    }
}
