//! From text to outlines: which glyphs stand for a text, and where.
//!
//! Letters of Arabic join, those of Devanagari stack and change places, and both may meet Latin in one label. So a text is
//! first cut where its direction or its face changes; every piece is shaped on its own, and the pieces are set side by
//! side in the order they are seen.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

use harfrust::{Direction, FontRef, ShapeOptions, ShaperData, UnicodeBuffer};
use skrifa::instance::Size;
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{GlyphId, MetadataProvider};
use unicode_bidi::BidiInfo;

use crate::Fonts;
use crate::fonts::is_invisible;

/// A text as it is drawn at some size, in pixels, with its left end on the origin and its foot on the x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shaped {
    /// Outlines as the data of an SVG path.
    pub outlines: String,
    /// How far the text reaches to the right.
    pub width: f32,
    /// Characters that a box, or nothing, is drawn for.
    pub missing: BTreeSet<char>,
}

/// Whether text is read from right to left: its first letter that has a direction says so.
pub(crate) fn is_right_to_left(text: &str) -> bool {
    BidiInfo::new(text, None).paragraphs.first().is_some_and(|paragraph| paragraph.level.is_rtl())
}

impl Fonts {
    /// Sets a text that is one line.
    pub fn shape(&self, text: &str, size: f32) -> Shaped {
        let mut shaped = Shaped::default();
        for piece in self.pieces(text) {
            let set = self.with_face(piece.face, |font| piece.shape(text, font, size, &mut shaped));
            if set.is_none() {
                shaped.missing.extend(text[piece.range].chars().filter(|&c| is_seen(c)));
            }
        }
        shaped
    }

    /// The text cut into pieces of one direction and one face each, as seen from left to right.
    fn pieces(&self, text: &str) -> Vec<Piece> {
        let bidi = BidiInfo::new(text, None);
        let faces = self.runs(text);
        let mut pieces = Vec::new();
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs.into_iter().filter(|run| !run.is_empty()) {
                let right_to_left = levels[run.start].is_rtl();
                let overlaps =
                    faces.iter().map(|(face, range)| (face, range.start.max(run.start)..range.end.min(run.end)));
                let mut cut: Vec<Piece> = overlaps
                    .filter(|(_, range)| !range.is_empty())
                    .map(|(&face, range)| Piece { range, face, right_to_left })
                    .collect();
                if right_to_left {
                    cut.reverse();
                }
                pieces.append(&mut cut);
            }
        }
        pieces
    }
}

/// Text of one direction in one face.
struct Piece {
    range: Range<usize>,
    face: usize,
    right_to_left: bool,
}

impl Piece {
    /// Adds the piece to the right end of `line`.
    fn shape(&self, text: &str, font: &FontRef, size: f32, line: &mut Shaped) {
        let text = &text[self.range.clone()];
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if self.right_to_left { Direction::RightToLeft } else { Direction::LeftToRight });
        buffer.guess_segment_properties();
        let glyphs = ShaperData::new(font).shaper(font).build().shape(buffer, ShapeOptions::new());

        let units = font.metrics(Size::unscaled(), skrifa::instance::LocationRef::default()).units_per_em;
        let scale = size / f32::from(units.max(1));
        let mut clusters: Vec<(usize, bool)> = Vec::new();
        for (info, position) in glyphs.glyph_infos().iter().zip(glyphs.glyph_positions()) {
            let at = (line.width + position.x_offset as f32 * scale, -(position.y_offset as f32) * scale);
            let drawn = outline(font, info.glyph_id.into(), size, at, &mut line.outlines);
            line.width += position.x_advance as f32 * scale;
            clusters.push((info.cluster as usize, drawn && info.glyph_id != 0));
        }
        line.missing.extend(undrawn(text, clusters));
    }
}

/// Characters that are meant to be seen, of clusters that begin at the given bytes and have no glyph with an outline.
fn undrawn(text: &str, mut clusters: Vec<(usize, bool)>) -> impl Iterator<Item = char> {
    // Drawn glyphs come first in their cluster and stand for it.
    clusters.sort_by_key(|&(start, drawn)| (start, !drawn));
    clusters.dedup_by_key(|cluster| cluster.0);
    let ends = clusters.iter().skip(1).map(|cluster| cluster.0).chain([text.len()]).collect::<Vec<_>>();
    let undrawn = clusters.into_iter().zip(ends).filter(|((_, drawn), _)| !drawn);
    undrawn.flat_map(|((start, _), end)| text[start..end].chars()).filter(|&c| is_seen(c))
}

fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !is_invisible(c)
}

/// Adds the outline of a glyph at a place; `false` if it has none.
fn outline(font: &FontRef, glyph: GlyphId, size: f32, (x, y): (f32, f32), path: &mut String) -> bool {
    let Some(outline) = font.outline_glyphs().get(glyph) else { return false };
    let before = path.len();
    let settings = DrawSettings::unhinted(Size::new(size), skrifa::instance::LocationRef::default());
    // A glyph that a damaged font cannot draw is one that it does not have.
    let drawn = outline.draw(settings, &mut Pen { path, x, y }).is_ok();
    drawn && path.len() > before
}

/// Writes outlines as SVG path data; in fonts the y axis points up.
struct Pen<'a> {
    path: &'a mut String,
    x: f32,
    y: f32,
}

impl Pen<'_> {
    fn add(&mut self, command: char, points: &[(f32, f32)]) {
        self.path.push(command);
        for (index, (x, y)) in points.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(self.path, "{blank}{:.2} {:.2}", self.x + x, self.y - y).expect("writing to a string cannot fail");
        }
    }
}

impl OutlinePen for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.add('M', &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.add('L', &[(x, y)]);
    }

    fn quad_to(&mut self, cx0: f32, cy0: f32, x: f32, y: f32) {
        self.add('Q', &[(cx0, cy0), (x, y)]);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.add('C', &[(cx0, cy0), (cx1, cy1), (x, y)]);
    }

    fn close(&mut self) {
        self.path.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(text: &str) -> Vec<String> {
        Fonts::shipped().pieces(text).iter().map(|piece| text[piece.range.clone()].to_owned()).collect()
    }

    #[test]
    fn pieces_stand_in_the_order_they_are_seen() {
        assert_eq!(seen("GPTमें"), ["GPT", "में"]);
        // Arabic sets the direction; its own pieces run leftwards and the full stop, in a Latin face, stays between.
        assert_eq!(seen("كتاب.قلم"), ["قلم", ".", "كتاب"]);
        assert_eq!(seen("ab كتاب"), ["ab ", "كتاب"]);
        assert_eq!(seen("كتاب ab"), ["ab", " ", "كتاب"]);
        assert!(is_right_to_left("«כן»") && !is_right_to_left("3 a"));
    }

    #[test]
    fn letters_are_joined_and_stacked() {
        let fonts = Fonts::shipped();
        let width = |text: &str| fonts.shape(text, 100.0).width;
        let apart: f32 = "كتاب".chars().map(|c| width(&c.to_string())).sum();
        assert!(width("كتاب") < 0.9 * apart, "{} of {apart}", width("كتاب"));
        // क्ष is one conjunct, narrower than its letters.
        assert!(width("क्ष") < width("क") + width("ष"));
        // Accents take no room, and AV is kerned.
        assert_eq!(width("e\u{301}"), width("é"));
        assert!(width("AV") < width("A") + width("V"));
    }

    #[test]
    fn what_is_not_drawn_is_missing() {
        let fonts = Fonts::shipped();
        let missing = |text: &str| fonts.shape(text, 10.0).missing.into_iter().collect::<String>();
        assert_eq!(missing("a 𒀀b𓀀"), "𒀀𓀀");
        assert_eq!(missing("می‌خواهم fi\u{200d} ❤\u{fe0f}"), "❤");
        assert_eq!(missing(""), "");
    }

    #[test]
    fn outlines_are_path_data() {
        let shaped = Fonts::shipped().shape("l", 100.0);
        // The letter is a bar: four corners.
        assert!(shaped.outlines.starts_with('M') && shaped.outlines.ends_with('Z'), "{}", shaped.outlines);
        assert_eq!(shaped.outlines.matches('L').count(), 3, "{}", shaped.outlines);
    }

    proptest! {
        #[test]
        fn any_text_is_set(text in prop_oneof![".{0,20}", "[aअिब्كتا汉\u{200d}\u{301}\u{202e}. ]{0,12}"]) {
            let shaped = Fonts::shipped().shape(&text, 10.0);
            prop_assert!(shaped.width.is_finite() && shaped.width >= 0.0);
            prop_assert!(shaped.missing.iter().all(|&c| text.contains(c)));
        }
    }
}
