//! What can be wrong with a text, as far as the text itself tells.
//!
//! The functions give the bytes where they find something. What they find is meant to be surely wrong: a good sentence that is taken for
//! a bad one is lost to a training.

mod anchors;
mod markup;
mod mojibake;

use std::ops::Range;

pub(crate) use anchors::{different_numbers, different_urls};
pub(crate) use markup::{find_markup, resolve_entities};
pub(crate) use mojibake::{find_mojibake, undo_mojibake};

/// Whether two texts have the same words, whatever the white space between them.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// A control character but the tab, or the character that stands for what could not be read.
pub(crate) fn is_broken(character: char) -> bool {
    character == char::REPLACEMENT_CHARACTER || character.is_control() && character != '\t'
}

/// The first character that is [`is_broken`].
pub(crate) fn find_broken(text: &str) -> Option<Range<usize>> {
    find_character(text, is_broken)
}

/// The first invisible character that does nothing for its text.
pub(crate) fn find_invisible(text: &str) -> Option<Range<usize>> {
    find_character(text, is_invisible_in(text))
}

/// Which characters of a text are invisible, and have no work to do: soft hyphens, byte order marks, spaces of no width where words have
/// blanks between them, and marks of direction where all goes from left to right.
pub(crate) fn is_invisible_in(text: &str) -> impl Fn(char) -> bool + use<> {
    let from_right = text.chars().any(|c| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fefc}'));
    let unspaced = text.chars().any(is_unspaced);
    move |character| match character {
        '\u{ad}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        '\u{200b}' => !unspaced,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => !from_right,
        _ => false,
    }
}

/// The first tab.
pub(crate) fn find_tab(text: &str) -> Option<Range<usize>> {
    find_character(text, |character| character == '\t')
}

/// The first place that [`tidy`] would change.
pub(crate) fn find_spacing(text: &str) -> Option<Range<usize>> {
    let mut last = ' ';
    for (at, character) in text.char_indices() {
        if character.is_whitespace() && last.is_whitespace() {
            return Some(at..at + character.len_utf8());
        }
        last = character;
    }
    (last.is_whitespace() && !text.is_empty()).then(|| text.trim_end().len()..text.len())
}

/// A text without white space at its ends, and with one blank for several or for a tab; a single no-break space stays.
pub(crate) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut characters = text.trim().chars().peekable();
    while let Some(character) = characters.next() {
        if !character.is_whitespace() {
            tidied.push(character);
            continue;
        }
        let mut several = false;
        while characters.next_if(|next| next.is_whitespace()).is_some() {
            several = true;
        }
        tidied.push(if several || character == '\t' { ' ' } else { character });
    }
    tidied
}

/// The first word of more than `most` characters. Scripts without blanks between words have no words here.
pub(crate) fn find_long_word(text: &str, most: usize) -> Option<Range<usize>> {
    let is_long = |word: &&str| word.len() > most && word.chars().count() > most && !word.chars().any(is_unspaced);
    text.split_whitespace().find(is_long).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

/// The share of letters among the characters that are no white space; none of a blank text.
pub(crate) fn letters(text: &str) -> Option<f64> {
    let (mut letters, mut all) = (0_usize, 0_usize);
    for character in text.chars().filter(|character| !character.is_whitespace()) {
        letters += usize::from(character.is_alphabetic());
        all += 1;
    }
    (all > 0).then(|| letters as f64 / all as f64)
}

/// How many times as long the longer text is, both counted with ten characters more. As a Han character says as much as three letters, it
/// counts three times, kana and Hangul twice.
pub(crate) fn character_ratio(one: &str, other: &str) -> f64 {
    let weight = |character| match character {
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => 3,
        '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7af}' => 2,
        _ => 1,
    };
    let [one, other] = [one, other].map(|text| text.chars().map(weight).sum::<usize>() + 10);
    one.max(other) as f64 / one.min(other) as f64
}

/// Whether a character belongs to a script that puts no blanks between words: Thai, Lao, Tibetan, Burmese, Khmer, Han and kana.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

fn find_character(text: &str, is: impl Fn(char) -> bool) -> Option<Range<usize>> {
    text.char_indices().find(|(_, character)| is(*character)).map(|(at, character)| at..at + character.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_makes_no_other_text() {
        assert!(is_same(" a\tb ", "a b"));
        assert!(!is_same("a b", "ab"));
    }

    #[test]
    fn control_characters_are_broken_and_tabs_are_not() {
        assert_eq!(find_broken("a\tb"), None);
        for text in ["ab\0", "ab\u{7f}", "ab\u{85}", "ab\r", "ab\u{fffd}"] {
            assert_eq!(find_broken(text).map(|found| found.start), Some(2), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_let_alone_where_they_work() {
        assert_eq!(find_invisible("Zu\u{ad}sammen"), Some(2..4));
        assert_eq!(find_invisible("a\u{200b}b"), Some(1..4));
        assert_eq!(find_invisible("ภาษา\u{200b}ไทย"), None);
        assert_eq!(find_invisible("a\u{200f}b"), Some(1..4));
        assert_eq!(find_invisible("שלום\u{200f}!"), None);
        assert_eq!(find_invisible("می\u{200c}خواهم"), None);
    }

    #[test]
    fn tidy_text_has_single_blanks() {
        for (text, expected, found) in [
            ("a b", "a b", None),
            ("", "", None),
            (" a", "a", Some(0..1)),
            ("a  b", "a b", Some(2..3)),
            ("a \n", "a", Some(2..3)),
            ("a ", "a", Some(1..2)),
            ("a\u{a0}: b", "a\u{a0}: b", None),
            ("a\u{a0} b", "a b", Some(3..4)),
        ] {
            assert_eq!((tidy(text).as_str(), find_spacing(text)), (expected, found), "{text:?}");
        }
        assert_eq!(tidy("a\tb"), "a b");
    }

    #[test]
    fn a_word_is_long_by_its_characters() {
        assert_eq!(find_long_word("äää bbbb cc", 3), Some(7..11));
        assert_eq!(find_long_word("äää bbbb cc", 4), None);
        assert_eq!(find_long_word("一二三四五六", 3), None);
    }

    #[test]
    fn shares_and_ratios() {
        assert_eq!(letters("ab 12"), Some(0.5));
        assert_eq!(letters("हिन्दी"), Some(5.0 / 6.0), "but for the virama");
        assert_eq!(letters(" "), None);
        assert_eq!(character_ratio("", &"x".repeat(30)), 4.0);
        assert_eq!(character_ratio("äöüäöüäöüä", ""), 2.0);
        assert_eq!(character_ratio("你好カナ", &"x".repeat(20)), 1.5);
    }
}
