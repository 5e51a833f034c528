//! A line of the file with carets under the mistake.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// Columns of source text shown at most.
const WIDTH: usize = 100;

/// Line and column of a byte, both from 1; columns count characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The line where `span` begins, with its number before it and carets under the span, without a final newline.
///
/// Tabs become a space and other control characters a replacement mark, so that the carets stand where they should and
/// no file can steer the terminal. Of a span over several lines the first is shown; a long line is cut on both sides.
pub(crate) fn snippet(text: &str, span: Range<usize>) -> String {
    let (number, column) = position(text, span.start);
    let line_start = text[..text.floor_char_boundary(span.start)].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let marked = text.get(span).and_then(|marked| marked.lines().next()).map_or(0, |marked| marked.chars().count());
    let (before, shown, marked) = window(&line.chars().map(printable).collect::<Vec<_>>(), column - 1, marked);

    let gutter = " ".repeat(number.to_string().len());
    let carets = "^".repeat(width(&marked).max(1));
    format!("{gutter} |\n{number} | {shown}\n{gutter} | {}{carets}", " ".repeat(width(&before)))
}

/// A character as it may be sent to a terminal.
pub(crate) fn printable(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => ' ',
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// The part of a line around `start`: what stands before the mark, the whole part, and what is marked.
fn window(line: &[char], start: usize, marked: usize) -> (String, String, String) {
    let start = start.min(line.len());
    let end = (start + marked).min(line.len());
    if line.len() <= WIDTH {
        return (line[..start].iter().collect(), line.iter().collect(), line[start..end].iter().collect());
    }
    let first = start.saturating_sub(WIDTH / 2);
    let last = line.len().min(first + WIDTH);
    let lead = if first > 0 { "…" } else { "" };
    let tail = if last < line.len() { "…" } else { "" };
    let part = |from: usize, to: usize| line[from..to].iter().collect::<String>();
    (
        format!("{lead}{}", part(first, start)),
        format!("{lead}{}{tail}", part(first, last)),
        part(start, end.clamp(start, last)),
    )
}

fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}
