//! How text gets into a picture.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Sets text.
pub trait Lettering {
    /// How wide a text is, in pixels, at a size in pixels.
    fn width(&self, text: &str, size: f64) -> f64;

    /// One SVG element that draws a text.
    fn element(&mut self, label: &Label) -> String;
}

/// A line of text to be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label<'a> {
    /// The text, without control characters.
    pub text: &'a str,
    /// Where its foot is: at its left end, middle or right end.
    pub x: f64,
    /// How far down its foot is.
    pub y: f64,
    /// Which part of the text is at `x`.
    pub anchor: Anchor,
    /// Its size in pixels.
    pub size: f64,
    /// Whether it is strong.
    pub bold: bool,
    /// Its colour, as SVG spells it.
    pub colour: &'a str,
}

/// Which part of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Left,
    /// The middle.
    Middle,
    /// The right end.
    Right,
}

/// Text that remains text, set by whoever shows the picture. Widths are guessed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsText;

impl Lettering for AsText {
    /// An average letter is 0.6 of the font's size wide, one of Chinese twice that.
    fn width(&self, text: &str, size: f64) -> f64 {
        text.width() as f64 * size * 0.6
    }

    fn element(&mut self, label: &Label) -> String {
        let Label { x, y, size, colour, .. } = label;
        let anchor = match label.anchor {
            Anchor::Left => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::Right => " text-anchor=\"end\"",
        };
        let bold = if label.bold { " font-weight=\"600\"" } else { "" };
        let text = escape(label.text);
        format!("<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" fill=\"{colour}\"{anchor}{bold}>{text}</text>\n")
    }
}

/// The text on as many lines as it takes: cut at blanks, and within what is too long without one.
pub(super) fn wrapped(text: &str, size: f64, room: f64, lettering: &dyn Lettering) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let fits = |line: &str, more: &str| lettering.width(&format!("{line}{more}"), size) <= room;
    for word in text.split_word_bounds() {
        match lines.last_mut() {
            Some(line) if fits(line, word) => line.push_str(word),
            _ if word.trim().is_empty() => {}
            _ => lines.extend(broken(word, |line, more| fits(line, more))),
        }
    }
    lines.into_iter().map(|line| line.trim().to_owned()).collect()
}

/// A word, on several lines if it does not fit one.
fn broken(word: &str, fits: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut lines = vec![String::new()];
    for grapheme in word.graphemes(true) {
        match lines.last_mut() {
            Some(line) if line.is_empty() || fits(line, grapheme) => line.push_str(grapheme),
            _ => lines.push(grapheme.to_owned()),
        }
    }
    lines
}

/// One line without what steers: control characters become blanks or U+FFFD, and overrides of direction go.
pub(super) fn tame(text: &str) -> String {
    let shown = text.chars().filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    shown
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Text for XML and HTML; what XML forbids even when escaped must be [tamed](tame) before.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_harmless() {
        assert_eq!(
            escape(&tame("a <b> & \"c\"\n\u{0}\u{9b}\u{202e}")),
            "a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn long_text_is_wrapped_and_nothing_is_lost() {
        let text = "one two three abcdefghijklmnopqrstuvwxyz four";
        let lines = wrapped(text, 10.0, 60.0, &AsText);
        assert_eq!(lines, ["one two", "three", "abcdefghij", "klmnopqrst", "uvwxyz", "four"]);
        assert!(lines.iter().all(|line| AsText.width(line, 10.0) <= 60.0));
        assert!(wrapped("", 10.0, 60.0, &AsText).is_empty());
        assert_eq!(wrapped("汉字", 10.0, 1.0, &AsText), ["汉", "字"], "every line has something");
    }
}
