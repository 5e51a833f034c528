//! The heatmap as a PNG: the SVG, rasterised, with its text as outlines.

use std::collections::BTreeSet;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::Style;
use super::layout::Layout;
use super::svg::{Anchor, Lettering, Text, document, turned};
use crate::{Alignment, AlignmentError, Fonts};

/// Pixels of the largest picture that is drawn, 256 MiB in memory: some 250 words each way at a scale of 2.
const MOST_PIXELS: u64 = 1 << 26;

/// A picture and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The PNG file.
    pub bytes: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Characters of labels, title or caption that no font has, in order of code point: boxes stand for them.
    pub missing: Vec<char>,
}

/// Draws an alignment as a PNG, `scale` pixels for each pixel of the SVG.
///
/// Characters that `fonts` lack are drawn as boxes and returned in [`Rendered::missing`], for a warning.
///
/// # Errors
///
/// A scale that is not a positive number, or a picture that is too large.
pub fn png(alignment: &Alignment, style: &Style, fonts: &Fonts, scale: f32) -> Result<Rendered, AlignmentError> {
    let fonts = fonts.covering(&shown_text(alignment, style));
    let layout = Layout::new(alignment, style, &fonts);
    // Before anything is drawn.
    pixels((layout.width, layout.height), scale)?;
    let mut lettering = AsOutlines { fonts: &fonts, missing: BTreeSet::new() };
    let svg = document(alignment, style, &layout, &mut lettering);
    let (bytes, (width, height)) = rasterized(&svg, style.theme.paper().0, scale)?;
    Ok(Rendered { bytes, width, height, missing: lettering.missing.into_iter().collect() })
}

/// An SVG document without text as a PNG on `paper`, `scale` pixels for each of its own; and its width and height in pixels.
///
/// # Errors
///
/// A scale that is not a positive number, a picture that is too large, or what is no SVG.
pub fn rasterized(svg: &str, paper: [u8; 3], scale: f32) -> Result<(Vec<u8>, (u32, u32)), AlignmentError> {
    let tree = Tree::from_str(svg, &Options::default()).map_err(|error| AlignmentError::Raster(error.to_string()))?;
    let (width, height) = pixels((tree.size().width(), tree.size().height()), scale)?;
    let too_large = || AlignmentError::TooLarge { width: width.into(), height: height.into(), limit: MOST_PIXELS };
    let mut pixmap = Pixmap::new(width, height).ok_or_else(too_large)?;
    // A last pixel that the picture covers only in part would else shine through.
    let [red, green, blue] = paper;
    pixmap.fill(resvg::tiny_skia::Color::from_rgba8(red, green, blue, 255));
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    let bytes = pixmap.encode_png().map_err(|error| AlignmentError::Raster(error.to_string()))?;
    Ok((bytes, (width, height)))
}

/// All text from outside that may be drawn, as it is shown.
fn shown_text(alignment: &Alignment, style: &Style) -> String {
    let tokens = alignment.source().tokens().iter().chain(alignment.target().tokens());
    let lines = style.title.iter().chain(&style.caption).map(String::as_str);
    tokens.map(|token| token.label()).chain(lines).map(super::label::visible).collect()
}

/// The size in pixels of a picture of some width and height.
fn pixels(size: (f32, f32), scale: f32) -> Result<(u32, u32), AlignmentError> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(AlignmentError::Scale(scale));
    }
    let scaled = |length: f32| (f64::from(length) * f64::from(scale)).ceil().max(1.0) as u64;
    let (width, height) = (scaled(size.0), scaled(size.1));
    if width.saturating_mul(height) > MOST_PIXELS {
        return Err(AlignmentError::TooLarge { width, height, limit: MOST_PIXELS });
    }
    Ok((width as u32, height as u32))
}

/// Text turned into paths, so that it looks the same everywhere and what lacks a glyph is known.
struct AsOutlines<'a> {
    fonts: &'a Fonts,
    missing: BTreeSet<char>,
}

impl Lettering for AsOutlines<'_> {
    fn family(&self) -> String {
        String::new()
    }

    fn element(&mut self, text: &Text) -> String {
        let shaped = self.fonts.shape(text.text, text.size);
        self.missing.extend(&shaped.missing);
        let left = match text.anchor {
            Anchor::Left => text.x,
            Anchor::Middle => text.x - shaped.width / 2.0,
            Anchor::Right => text.x - shaped.width,
        };
        let (turned, y, color, outlines) = (turned(text), text.y, text.color, shaped.outlines);
        format!(r#"<g{turned}><path transform="translate({left:.2} {y:.2})" fill="{color}" d="{outlines}"/></g>"#)
    }
}
