//! The heatmap as an SVG document.

use std::fmt::{self, Write};

use super::Style;
use super::color::Color;
use super::label::visible;
use super::layout::{Block, LEGEND, Label, Layout, MARGIN};
use crate::shaping::is_right_to_left;
use crate::{Alignment, Fonts, Sentence};

/// Families that labels are set in by whoever shows the document.
const FAMILIES: &str = "'Noto Sans','Segoe UI','Helvetica Neue',Arial,sans-serif";

/// Draws an alignment as an SVG document.
///
/// Words stay text that can be searched and copied, and resting the pointer on a cell shows its words and its weight.
/// `fonts` are those that text is measured with; those given by the user are also named in the document. The same arguments
/// give the same bytes.
pub fn svg(alignment: &Alignment, style: &Style, fonts: &Fonts) -> String {
    let layout = Layout::new(alignment, style, fonts);
    document(alignment, style, &layout, &mut AsText { families: families(fonts) })
}

/// The document, with its text written by `lettering`.
pub(super) fn document(alignment: &Alignment, style: &Style, layout: &Layout, lettering: &mut dyn Lettering) -> String {
    let mut drawing = Drawing { alignment, style, layout, lettering, out: String::new() };
    drawing.draw().expect("writing to a string cannot fail");
    drawing.out
}

/// How text gets into the document.
pub(super) trait Lettering {
    /// The family that the whole document is set in, as an attribute with a blank before it; or nothing.
    fn family(&self) -> String;

    /// One element that draws the text.
    fn element(&mut self, text: &Text) -> String;
}

/// A line of text to be drawn.
pub(super) struct Text<'a> {
    pub text: &'a str,
    /// The whole text, if it had to be shortened.
    pub whole: Option<&'a str>,
    /// Where the text stands on its foot: at its left end, middle or right end.
    pub x: f32,
    pub y: f32,
    pub anchor: Anchor,
    pub size: f32,
    pub color: Color,
    /// Degrees that the text rises, and the point it is turned around.
    pub turned: Option<(f32, f32, f32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// Text that remains text, set by whoever shows the document.
struct AsText {
    families: String,
}

impl Lettering for AsText {
    fn family(&self) -> String {
        format!(" font-family=\"{}\"", self.families)
    }

    fn element(&mut self, text: &Text) -> String {
        let right_to_left = is_right_to_left(text.text);
        // The start of a text is its right end where it is read from right to left.
        let anchor = match (text.anchor, right_to_left) {
            (Anchor::Left, false) | (Anchor::Right, true) => "",
            (Anchor::Left, true) | (Anchor::Right, false) => " text-anchor=\"end\"",
            (Anchor::Middle, _) => " text-anchor=\"middle\"",
        };
        let direction = if right_to_left { " direction=\"rtl\"" } else { "" };
        let Text { x, y, size, color, .. } = text;
        let (turned, content) = (turned(text), escaped(text.text));
        let whole = text.whole.map(|whole| format!("<title>{}</title>", escaped(whole))).unwrap_or_default();
        format!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{color}"{anchor}{direction}{turned}>{whole}{content}</text>"#
        )
    }
}

/// The attribute that turns a text, with a blank before it; or nothing.
pub(super) fn turned(text: &Text) -> String {
    text.turned.map(|(degrees, x, y)| format!(r#" transform="rotate(-{degrees} {x:.1} {y:.1})""#)).unwrap_or_default()
}

/// Text as the content of an element or attribute. It must hold no characters that XML forbids.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// The families to be asked for: those given by the user, then the usual ones.
fn families(fonts: &Fonts) -> String {
    let quotable = |c: &char| !c.is_control() && !matches!(c, '\'' | '\\' | '\u{fffe}' | '\u{ffff}');
    let given = fonts.given_families().into_iter().map(|name| name.chars().filter(quotable).collect::<String>());
    let given: String = given.map(|name| format!("'{}',", escaped(&name))).collect();
    given + FAMILIES
}

struct Drawing<'a> {
    alignment: &'a Alignment,
    style: &'a Style,
    layout: &'a Layout,
    lettering: &'a mut dyn Lettering,
    out: String,
}

impl Drawing<'_> {
    fn draw(&mut self) -> fmt::Result {
        let Layout { width, height, .. } = *self.layout;
        let theme = self.style.theme;
        let (paper, ink, family) = (theme.paper(), theme.ink(), self.lettering.family());
        writeln!(
            self.out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"{family}>"#
        )?;
        writeln!(self.out, "<style>.cells rect:hover{{stroke:{ink};stroke-width:2}}</style>")?;
        writeln!(self.out, r#"<rect width="{width}" height="{height}" fill="{paper}"/>"#)?;
        self.block(&self.layout.title, ink)?;
        self.source_labels()?;
        self.target_labels()?;
        self.cells()?;
        self.legend()?;
        self.block(&self.layout.caption, theme.faint_ink())?;
        writeln!(self.out, "</svg>")
    }

    fn text(&mut self, text: &Text) -> fmt::Result {
        let element = self.lettering.element(text);
        writeln!(self.out, "{element}")
    }

    fn block(&mut self, block: &Block, color: Color) -> fmt::Result {
        for (index, line) in block.lines.iter().enumerate() {
            let y = block.top + block.font_size + index as f32 * block.line_height();
            let (x, anchor, size) = (MARGIN, Anchor::Left, block.font_size);
            self.text(&Text { text: line, whole: None, x, y, anchor, size, color, turned: None })?;
        }
        Ok(())
    }

    fn source_labels(&mut self) -> fmt::Result {
        let Layout { grid: (left, top), cell, font_size: size, slant, .. } = *self.layout;
        let color = self.style.theme.ink();
        for (column, Label { shown, whole, .. }) in self.layout.source.iter().enumerate() {
            let (x, foot) = (left + (column as f32 + 0.5) * cell, top - 0.55 * size);
            // Lowered by a third of its height, the middle of the text, not its foot, points at the middle of the cell.
            let (y, turned) = (foot + 0.3 * size, Some((slant, x, foot)));
            let (whole, anchor) = (whole.as_deref(), Anchor::Left);
            self.text(&Text { text: shown, whole, x, y, anchor, size, color, turned })?;
        }
        Ok(())
    }

    fn target_labels(&mut self) -> fmt::Result {
        let Layout { grid: (left, top), cell, font_size: size, .. } = *self.layout;
        let color = self.style.theme.ink();
        for (row, Label { shown, whole, .. }) in self.layout.target.iter().enumerate() {
            let (x, y) = (left - 0.55 * size, top + (row as f32 + 0.5) * cell + 0.35 * size);
            let (whole, anchor) = (whole.as_deref(), Anchor::Right);
            self.text(&Text { text: shown, whole, x, y, anchor, size, color, turned: None })?;
        }
        Ok(())
    }

    /// The cells, on a ground that shows between them as a grid.
    fn cells(&mut self) -> fmt::Result {
        let Layout { grid: (left, top), cell, .. } = *self.layout;
        let Style { theme, palette, .. } = *self.style;
        let (sources, targets) = (tooltips(self.alignment.source()), tooltips(self.alignment.target()));
        let (width, height) = (sources.len() as f32 * cell + 1.0, targets.len() as f32 * cell + 1.0);
        let (x, y, grid) = (left - 1.0, top - 1.0, theme.grid());
        writeln!(self.out, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{grid}"/>"#)?;
        writeln!(self.out, r#"<g class="cells">"#)?;
        for (row, (weights, target)) in self.alignment.rows().zip(&targets).enumerate() {
            for (column, (&weight, source)) in weights.iter().zip(&sources).enumerate() {
                let (x, y, edge) = (left + column as f32 * cell, top + row as f32 * cell, cell - 1.0);
                let color = palette.color(theme, weight);
                writeln!(
                    self.out,
                    r#"<rect x="{x}" y="{y}" width="{edge}" height="{edge}" fill="{color}"><title>{source} → {target}: {weight:.3}</title></rect>"#
                )?;
            }
        }
        writeln!(self.out, "</g>")
    }

    /// The colours of weights from 0 to 1.
    fn legend(&mut self) -> fmt::Result {
        let Style { theme, palette, .. } = *self.style;
        let (left, top) = (self.layout.grid.0, self.layout.legend);
        let (width, height) = LEGEND;
        let stops = (0..=10u8).map(|step| {
            let weight = f32::from(step) / 10.0;
            format!(r#"<stop offset="{weight}" stop-color="{}"/>"#, palette.color(theme, weight))
        });
        let stops: String = stops.collect();
        writeln!(self.out, r#"<linearGradient id="weights">{stops}</linearGradient>"#)?;
        let grid = theme.grid();
        writeln!(
            self.out,
            r#"<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="url(#weights)" stroke="{grid}"/>"#
        )?;
        for (at, text) in [(0.0, "0"), (0.5, "weight"), (1.0, "1")] {
            let (x, y, color) = (left + at * width, top + height + 13.0, theme.faint_ink());
            self.text(&Text { text, whole: None, x, y, anchor: Anchor::Middle, size: 11.0, color, turned: None })?;
        }
        Ok(())
    }
}

/// The words of a sentence as they stand in tooltips. One written from right to left must not turn what is around it.
fn tooltips(sentence: &Sentence) -> Vec<String> {
    let tooltip = |word: String| if is_right_to_left(&word) { format!("\u{2068}{word}\u{2069}") } else { word };
    sentence.tokens().iter().map(|token| tooltip(escaped(&visible(token.label())))).collect()
}
