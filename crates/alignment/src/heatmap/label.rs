//! Labels that can be shown: any text of a user, made visible, harmless and short enough.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::fonts::is_invisible;

/// The label with everything in it visible: blanks as ␣, and so the ▁ that stands for them in sub-words, control characters
/// as their pictures, and ∅ for nothing.
///
/// What remains is valid in XML and cannot steer a terminal: no control characters, no overrides of direction.
pub(crate) fn visible(label: &str) -> String {
    let shown: String = label.chars().filter(|&c| !overrides_direction(c)).map(picture).collect();
    if shown.chars().all(is_invisible) { "∅".to_owned() } else { shown }
}

/// The longest beginning of `text` that `fits`, with … if anything is left out.
pub(super) fn shortened(text: &str, fits: impl Fn(&str) -> bool) -> String {
    if fits(text) {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
    let fitting = ends.partition_point(|&end| fits(&format!("{}…", &text[..end])));
    format!("{}…", &text[..ends.get(fitting.saturating_sub(1)).copied().unwrap_or(0)])
}

/// Columns that a text takes in a terminal, where Chinese characters, for one, take two.
pub(super) fn columns(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Text on lines that fit, cut at blanks; a word that does not fit a line is shortened.
pub(super) fn wrapped(text: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace().map(visible) {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line} {word}")) => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(shortened(&word, &fits)),
        }
    }
    lines
}

fn picture(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        '▁' => '␣',
        c if c.is_whitespace() => '␣',
        c => c,
    }
}

fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_unseen() {
        assert_eq!(visible("▁a b"), "␣a␣b");
        assert_eq!(visible("\x1b[31m\u{9b}\x7f\n"), "␛[31m\u{fffd}␡␊");
        assert_eq!(visible("\u{202e}abc\u{2069}"), "abc");
        assert_eq!((visible(""), visible("\u{200b}"), visible("\u{3000}")), ("∅".into(), "∅".into(), "␣".into()));
        assert_eq!(visible("می‌خواهم"), "می‌خواهم");
    }

    #[test]
    fn long_labels_end_in_an_ellipsis() {
        let within = |limit: usize| move |text: &str| columns(text) <= limit;
        assert_eq!(shortened("abcdef", within(6)), "abcdef");
        assert_eq!(shortened("abcdef", within(5)), "abcd…");
        assert_eq!(shortened("汉字汉字", within(6)), "汉字…");
        assert_eq!(shortened("e\u{301}e\u{301}e\u{301}", within(2)), "e\u{301}…");
        assert_eq!(shortened("abc", within(1)), "…");
        assert_eq!(shortened("abc", within(0)), "…");
    }

    #[test]
    fn lines_break_at_blanks() {
        let lines = wrapped("one two  three\nabcdefghijk four", |text| columns(text) <= 9);
        assert_eq!(lines, ["one two", "three", "abcdefgh…", "four"]);
    }
}
