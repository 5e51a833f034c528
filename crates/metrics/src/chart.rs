//! A line chart as a self-contained SVG: no scripts, no fonts to load, no other program.

use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

const WIDTH: f64 = 760.0;
const PLOT_LEFT: f64 = 68.0;
const PLOT_RIGHT: f64 = WIDTH - 28.0;
const PLOT_HEIGHT: f64 = 300.0;
/// Room below the plot for tick labels, notes and the axis label.
const FOOT: f64 = 74.0;
const TITLE_SIZE: f64 = 18.0;
const SMALL_SIZE: f64 = 11.0;
const TEXT_SIZE: f64 = 13.0;

/// Okabe & Ito's colours, which colour-blind readers can tell apart, without the yellow that white swallows.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];
/// Once all colours are used, the next round is dashed.
const DASHES: [&str; 3] = ["", "7 4", "2 4"];

/// A line chart over categories, with one or more series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// Printed on top.
    pub title: String,
    /// Printed below the title in small letters; may be empty.
    pub subtitle: String,
    /// Printed below the horizontal axis.
    pub x_label: String,
    /// Printed along the vertical axis.
    pub y_label: String,
    /// The places on the horizontal axis.
    pub categories: Vec<Category>,
    /// The lines.
    pub series: Vec<Series>,
}

/// A place on the horizontal axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Category {
    /// Its name.
    pub label: String,
    /// Printed below the name in small letters; may be empty.
    pub note: String,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// A value for each category. Where there is none, or one that is not finite, the line has a gap.
    pub values: Vec<Option<f64>>,
}

impl Chart {
    /// Draws the chart as an SVG document.
    ///
    /// Text may hold any characters; what is too long to fit is cut, and shown in full when pointed at.
    pub fn to_svg(&self) -> String {
        let legend = self.legend();
        let plot = Plot::new(self, HEAD + legend.height);
        let height = plot.bottom + FOOT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" font-family=\"'Noto Sans', 'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif\" \
             font-size=\"{TEXT_SIZE}\" fill=\"#222222\">\n<title>{}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            escape(&self.title)
        );
        let (title, subtitle) = (Text::new(&self.title), Text::new(&self.subtitle));
        svg += &title.size(TITLE_SIZE).bold().left(PLOT_LEFT, 32.0, PLOT_RIGHT - PLOT_LEFT);
        svg += &subtitle.size(SMALL_SIZE).grey().left(PLOT_LEFT, 51.0, PLOT_RIGHT - PLOT_LEFT);
        svg += &legend.svg;
        svg += &plot.axes(self);
        for (number, series) in self.series.iter().enumerate() {
            svg += &plot.line(&Style::of(number), series);
        }
        if let [only] = &self.series[..] {
            svg += &plot.value_labels(only);
        }
        svg + "</svg>\n"
    }

    /// The legend: an entry for each series with a name, in as many rows as it takes.
    fn legend(&self) -> Legend {
        let (mut x, mut y) = (PLOT_LEFT, HEAD + 8.0);
        let mut svg = String::new();
        for (number, series) in self.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()) {
            let text = Text::new(&series.name);
            let width = 36.0 + text.width().min(LEGEND_TEXT);
            if x > PLOT_LEFT && x + width > PLOT_RIGHT {
                (x, y) = (PLOT_LEFT, y + LEGEND_ROW);
            }
            let style = Style::of(number);
            let _ = writeln!(svg, "<path d=\"M{x} {y}h28\" {}/>", style.stroke());
            svg += &style.marker(x + 14.0, y);
            svg += &text.left(x + 36.0, y + 4.5, LEGEND_TEXT);
            x += width + 24.0;
        }
        let height = if svg.is_empty() { 0.0 } else { y + LEGEND_ROW - HEAD };
        Legend { svg, height }
    }
}

/// Room above the legend for title and subtitle.
const HEAD: f64 = 66.0;
const LEGEND_ROW: f64 = 22.0;
/// The widest a name in the legend is printed.
const LEGEND_TEXT: f64 = 300.0;

struct Legend {
    svg: String,
    height: f64,
}

/// The area of the lines: where a category and a value are.
struct Plot {
    top: f64,
    bottom: f64,
    slot: f64,
    axis: Axis,
}

impl Plot {
    fn new(chart: &Chart, top: f64) -> Self {
        let values = chart.series.iter().flat_map(|series| &series.values).filter_map(finite);
        let slot = (PLOT_RIGHT - PLOT_LEFT) / chart.categories.len().max(1) as f64;
        Self { top, bottom: top + PLOT_HEIGHT, slot, axis: Axis::around(values) }
    }

    fn x(&self, category: usize) -> f64 {
        PLOT_LEFT + self.slot * (category as f64 + 0.5)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (value - self.axis.low) / (self.axis.high - self.axis.low) * PLOT_HEIGHT
    }

    fn axes(&self, chart: &Chart) -> String {
        let mut svg = String::new();
        for tick in self.axis.ticks() {
            let y = self.y(tick);
            let colour = if tick == 0.0 { "#666666" } else { "#e4e4e4" };
            let _ = writeln!(svg, "<path d=\"M{PLOT_LEFT} {y:.2}H{PLOT_RIGHT}\" stroke=\"{colour}\"/>");
            svg += &Text::new(&self.axis.label(tick)).right(PLOT_LEFT - 10.0, y + 4.5, PLOT_LEFT - 30.0);
        }
        let middle = (PLOT_LEFT + PLOT_RIGHT) / 2.0;
        svg += &self.category_labels(&chart.categories);
        svg += &Text::new(&chart.x_label).centred(middle, self.bottom + 60.0, PLOT_RIGHT - PLOT_LEFT);
        let y_label = Text::new(&chart.y_label).bold().centred(0.0, 0.0, PLOT_HEIGHT);
        let _ = writeln!(svg, "<g transform=\"translate(22 {}) rotate(-90)\">", (self.top + self.bottom) / 2.0);
        svg + &y_label + "</g>\n"
    }

    /// The names of the categories; of too many, every second, third ... is printed.
    fn category_labels(&self, categories: &[Category]) -> String {
        let widest = categories.iter().map(|category| Text::new(&category.label).width()).fold(16.0, f64::max);
        let every = ((widest.min(MAX_LABEL) + 8.0) / self.slot).ceil().max(1.0) as usize;
        let room = self.slot * every as f64 - 4.0;
        let mut svg = String::new();
        for (number, category) in categories.iter().enumerate() {
            let x = self.x(number);
            let _ = writeln!(svg, "<path d=\"M{x:.2} {}v5\" stroke=\"#666666\"/>", self.bottom);
            if number % every == 0 {
                svg += &Text::new(&category.label).centred(x, self.bottom + 21.0, room);
                svg += &Text::new(&category.note).size(SMALL_SIZE).grey().centred(x, self.bottom + 37.0, room);
            }
        }
        svg
    }

    /// A series: a line with gaps where values are missing, and a marker for each value.
    fn line(&self, style: &Style, series: &Series) -> String {
        let mut path = String::new();
        let mut markers = String::new();
        let mut pen = 'M';
        for (category, value) in series.values.iter().enumerate() {
            let Some(value) = finite(value) else {
                pen = 'M';
                continue;
            };
            let (x, y) = (self.x(category), self.y(value));
            let _ = write!(path, "{pen}{x:.2} {y:.2}");
            markers += &style.marker(x, y);
            pen = 'L';
        }
        if path.is_empty() {
            return String::new();
        }
        format!("<path d=\"{path}\" {}/>\n{markers}", style.stroke())
    }

    /// The values themselves, above the markers: legible as long as there is one line.
    fn value_labels(&self, series: &Series) -> String {
        let label = |(category, value): (usize, &Option<f64>)| {
            let value = finite(value)?;
            let (x, y, number) = (self.x(category), self.y(value), format!("{value:.1}"));
            Some(Text::new(&number).size(SMALL_SIZE).centred(x, y - 10.0, self.slot.max(40.0)))
        };
        series.values.iter().enumerate().filter_map(label).collect()
    }
}

/// The widest a name below the axis may be before it is cut.
const MAX_LABEL: f64 = 120.0;

fn finite(value: &Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && value.abs() < 1e15)
}

/// The vertical axis, which includes zero, and its round numbers: the multiples of `step`.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
        let high = if high > low { high } else { 1.0 };
        // Some room beyond the values, for markers and labels.
        let (low, high) = (low * 1.08, high * 1.08);
        let rough = (high - low) / 7.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0].into_iter().map(|unit| unit * magnitude).find(|&step| step >= rough);
        Self { low, high, step: step.unwrap_or(10.0 * magnitude) }
    }

    /// The values with a grid line.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = ((self.low / self.step).ceil() as i64, (self.high / self.step).floor() as i64);
        (first..=last).map(|tick| tick as f64 * self.step)
    }

    /// A tick's number, with as many decimals as the step has.
    fn label(&self, tick: f64) -> String {
        let whole = |decimals: &i32| (self.step * 10f64.powi(*decimals)).fract().abs() < 1e-6;
        let decimals = (0..6).find(whole).unwrap_or(6);
        format!("{tick:.*}", decimals as usize)
    }
}

/// How a series looks: each has its own colour and marker, so that it is told apart in grey, too.
struct Style {
    colour: &'static str,
    dash: &'static str,
    shape: usize,
}

impl Style {
    fn of(number: usize) -> Self {
        let dash = DASHES[number / COLOURS.len() % DASHES.len()];
        Self { colour: COLOURS[number % COLOURS.len()], dash, shape: number % 4 }
    }

    fn stroke(&self) -> String {
        let Self { colour, dash, .. } = self;
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"{dash}")
    }

    fn marker(&self, x: f64, y: f64) -> String {
        let shape = match self.shape {
            0 => "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
            1 => "M-4.2 -4.2h8.4v8.4h-8.4z",
            2 => "M0 -5.4L5.2 4.2H-5.2z",
            _ => "M0 -6L6 0L0 6L-6 0z",
        };
        let colour = self.colour;
        format!(
            "<path d=\"{shape}\" transform=\"translate({x:.2} {y:.2})\" fill=\"{colour}\" stroke=\"#ffffff\" stroke-width=\"1.5\"/>\n"
        )
    }
}

/// A piece of text, with its looks.
struct Text<'a> {
    text: &'a str,
    size: f64,
    attributes: String,
}

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, size: TEXT_SIZE, attributes: String::new() }
    }

    fn size(mut self, size: f64) -> Self {
        self.size = size;
        let _ = write!(self.attributes, " font-size=\"{size}\"");
        self
    }

    fn bold(mut self) -> Self {
        self.attributes += " font-weight=\"600\"";
        self
    }

    fn grey(mut self) -> Self {
        self.attributes += " fill=\"#666666\"";
        self
    }

    fn left(self, x: f64, y: f64, room: f64) -> String {
        self.at("start", x, y, room)
    }

    fn centred(self, x: f64, y: f64, room: f64) -> String {
        self.at("middle", x, y, room)
    }

    fn right(self, x: f64, y: f64, room: f64) -> String {
        self.at("end", x, y, room)
    }

    fn at(&self, anchor: &str, x: f64, y: f64, room: f64) -> String {
        if self.text.is_empty() {
            return String::new();
        }
        let (attributes, text) = (&self.attributes, escape(self.text));
        let content = if self.width() <= room { text } else { format!("<title>{text}</title>{}", self.cut(room)) };
        format!("<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\"{attributes}>{content}</text>\n")
    }

    /// The text's beginning with an ellipsis, escaped.
    fn cut(&self, room: f64) -> String {
        let mut kept = String::new();
        for c in self.text.chars() {
            kept.push(c);
            if width(&kept, self.size) + self.size > room {
                kept.pop();
                break;
            }
        }
        escape(&kept) + "…"
    }

    fn width(&self) -> f64 {
        width(self.text, self.size)
    }
}

/// About how wide a text is: an average letter is 0.6 of the font's size wide, one of Chinese twice that.
fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * 0.6
}

/// Text for XML. Characters that XML forbids even when escaped become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(series: &[&[Option<f64>]]) -> Chart {
        let category = |i: usize| Category { label: format!("c{i}"), note: String::new() };
        let series = series.iter().enumerate();
        Chart {
            title: "a <b> & \"c\" \u{0}".to_owned(),
            categories: (0..4).map(category).collect(),
            series: series.map(|(i, v)| Series { name: format!("s{i}"), values: v.to_vec() }).collect(),
            ..Chart::default()
        }
    }

    #[test]
    fn text_is_escaped() {
        let svg = chart(&[]).to_svg();
        assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}</title>"));
    }

    #[test]
    fn a_missing_value_leaves_a_gap() {
        let svg =
            chart(&[&[Some(1.0), Some(2.0), None, Some(f64::NAN)], &[Some(1.0), None, Some(2.0), Some(3.0)]]).to_svg();
        let moves = |colour| {
            let line = svg.lines().rfind(|line| line.contains(&format!("stroke=\"{colour}\""))).unwrap();
            (line.matches('M').count(), line.matches('L').count())
        };
        assert_eq!(moves(COLOURS[0]), (1, 1));
        assert_eq!(moves(COLOURS[1]), (2, 1));
    }

    #[test]
    fn ticks_are_round_and_include_zero() {
        let labels = |values: &[f64]| {
            let axis = Axis::around(values.iter().copied());
            axis.ticks().map(|tick| axis.label(tick)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(&[41.3, 27.0]), "0 10 20 30 40");
        assert_eq!(labels(&[12.0]), "0 2 4 6 8 10 12");
        assert_eq!(labels(&[15.5]), "0.0 2.5 5.0 7.5 10.0 12.5 15.0");
        assert_eq!(labels(&[0.037]), "0.00 0.01 0.02 0.03");
        assert_eq!(labels(&[-3.0, 2.0]), "-3 -2 -1 0 1 2");
        assert_eq!(labels(&[]), "0.0 0.2 0.4 0.6 0.8 1.0");
    }

    #[test]
    fn long_text_is_cut_and_kept_as_a_tooltip() {
        let long = "word ".repeat(100);
        let svg = Text::new(&long).left(0.0, 0.0, 100.0);
        let shown = svg.split_once("</title>").unwrap().1.strip_suffix("</text>\n").unwrap();
        assert!(svg.contains(&format!("<title>{long}</title>")));
        assert!(shown.ends_with('…') && width(shown, TEXT_SIZE) <= 100.0);
    }
}
