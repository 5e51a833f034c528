//! Colours: what a weight looks like.
//!
//! Cells go from the colour of the paper to that of strong ink in even steps of perceived lightness (OKLab), so that a
//! weight twice as large looks twice as far from nothing.

use std::fmt;

/// Colours of the paper and the ink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on black.
    Dark,
}

/// The single hue that cells are drawn in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// Blue.
    #[default]
    Blue,
    /// No hue, as in the paper; survives every printer.
    Grey,
}

/// A colour of the screen, written as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color(pub [u8; 3]);

impl Theme {
    pub(super) fn paper(self) -> Color {
        match self {
            Theme::Light => Color([255, 255, 255]),
            Theme::Dark => Color([20, 22, 26]),
        }
    }

    pub(super) fn ink(self) -> Color {
        match self {
            Theme::Light => Color([32, 36, 42]),
            Theme::Dark => Color([228, 230, 234]),
        }
    }

    /// For what explains the picture: legend and caption.
    pub(super) fn faint_ink(self) -> Color {
        match self {
            Theme::Light => Color([98, 104, 114]),
            Theme::Dark => Color([156, 162, 172]),
        }
    }

    pub(super) fn grid(self) -> Color {
        match self {
            Theme::Light => Color([222, 225, 230]),
            Theme::Dark => Color([52, 56, 64]),
        }
    }
}

impl Palette {
    /// The colour of a weight; those outside 0..1 look like the nearest.
    pub(super) fn color(self, theme: Theme, weight: f32) -> Color {
        let weight = weight.clamp(0.0, 1.0);
        let (from, to) = match theme {
            Theme::Light => (0.985, 0.29),
            Theme::Dark => (0.22, 0.96),
        };
        let lightness = from + (to - from) * weight;
        // All of it can be shown by a screen, which shows little colour in what is very light or very dark.
        let full = 0.54 * lightness * (1.0 - lightness);
        let chroma = match (self, theme) {
            (Palette::Grey, _) => 0.0,
            (Palette::Blue, Theme::Light) => full,
            // The darkest blue has more colour than the lightest: without this a dark page would be a blue one.
            (Palette::Blue, Theme::Dark) => full * (1.0 - 0.85 * (1.0 - weight).powi(6)),
        };
        // The direction of hue 260° in the plane of a and b.
        oklab(lightness, chroma * -0.174, chroma * -0.985)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The screen colour of an OKLab colour, clipped to what a screen can show.
///
/// Björn Ottosson, "A perceptual color space for image processing" (2020).
fn oklab(lightness: f32, a: f32, b: f32) -> Color {
    let cube = |x: f32| x * x * x;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    Color([
        screen(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
        screen(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s),
        screen(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
    ])
}

/// The sRGB byte of a linear intensity.
fn screen(linear: f32) -> u8 {
    let encoded = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (encoded.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_agrees_with_known_colours() {
        // sRGB red is OKLab (0.628, 0.2249, 0.1258).
        assert_eq!(oklab(0.627_955, 0.224_863, 0.125_846), Color([255, 0, 0]));
        assert_eq!(oklab(1.0, 0.0, 0.0), Color([255, 255, 255]));
        assert_eq!(oklab(0.0, 0.0, 0.0).to_string(), "#000000");
    }

    #[test]
    fn more_weight_is_more_ink() {
        let luminance = |color: Color| {
            let [r, g, b] = color.0.map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        for palette in [Palette::Blue, Palette::Grey] {
            for step in 0..100 {
                let (less, more) = (step as f32 / 100.0, (step + 1) as f32 / 100.0);
                let light = |weight| luminance(palette.color(Theme::Light, weight));
                let dark = |weight| luminance(palette.color(Theme::Dark, weight));
                assert!(light(less) > light(more) && dark(less) < dark(more), "{palette:?} at {less}");
            }
        }
    }

    #[test]
    fn grey_is_grey() {
        let [red, green, blue] = Palette::Grey.color(Theme::Light, 0.4).0;
        assert!(red == green && green == blue);
    }
}
