//! Heatmaps in a terminal.

use proptest::prelude::*;
use rnnsearch_alignment::heatmap::{Palette, TerminalOptions, Theme, terminal};
use rnnsearch_alignment::{Alignment, Sentence};
use unicode_width::UnicodeWidthStr;

use crate::examples;

fn plain(width: usize) -> TerminalOptions {
    TerminalOptions { width, color: false, theme: Theme::Dark, palette: Palette::Blue }
}

#[test]
fn a_sentence_that_fits_is_one_panel() {
    insta::assert_snapshot!(terminal(&examples::french(), &plain(80)));
}

#[test]
fn a_wide_sentence_is_cut_into_panels() {
    insta::assert_snapshot!(terminal(&examples::french(), &plain(36)));
}

#[test]
fn twenty_columns_are_enough() {
    insta::assert_snapshot!(terminal(&examples::chinese(), &plain(20)));
}

#[test]
fn right_to_left_words_stand_on_steps_too() {
    insta::assert_snapshot!(terminal(&examples::arabic(), &plain(60)));
}

#[test]
fn colours_are_escapes_that_end_with_the_line() {
    let alignment = Alignment::new(Sentence::from_words(["a", "b"]), Sentence::from_words(["x"]), vec![0.0, 1.0]);
    let drawn = terminal(&alignment.unwrap(), &TerminalOptions { color: true, ..plain(40) });
    insta::assert_snapshot!(drawn.replace('\x1b', "ESC"));
}

#[test]
fn labels_cannot_steer_the_terminal() {
    let evil = "\x1b[2J\u{9b}31m\r\n\u{202e}";
    let alignment = Alignment::new(Sentence::from_words([evil]), Sentence::from_words([evil]), vec![1.0]).unwrap();
    let drawn = terminal(&alignment, &plain(80));
    assert!(drawn.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{drawn:?}");
}

/// Text without its colours.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        source in prop::collection::vec(prop_oneof!["[a-z汉字é]{1,20}", ".{0,12}"], 1..=60),
        target in prop::collection::vec(prop_oneof!["[a-z汉字é]{1,20}", ".{0,12}"], 1..=60),
        width in 20usize..200,
        color: bool,
    ) {
        let weights = (0..source.len() * target.len()).map(|cell| (cell % 7) as f32 / 6.0).collect();
        let alignment = Alignment::new(Sentence::from_words(&source), Sentence::from_words(&target), weights).unwrap();
        let drawn = terminal(&alignment, &TerminalOptions { color, ..plain(width) });
        for line in uncoloured(&drawn).lines() {
            prop_assert!(line.width() <= width, "{} columns of {width}: {line:?}", line.width());
        }
        // Every source word has its step.
        prop_assert!(drawn.matches('┌').count() >= source.len());
    }
}
