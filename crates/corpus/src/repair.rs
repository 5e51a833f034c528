//! Repairs of a text: what is wrong with it, and what was surely meant.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::flaws;

/// What can be repaired, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    /// UTF-8 that was taken for Latin-1 or Windows-1252 is what it was, and Windows-1252 that was taken for Latin-1.
    Mojibake,
    /// Entities of HTML are characters; tags stay.
    Entities,
    /// Control characters go; those that end a line or page are blanks.
    Control,
    /// Invisible characters that do nothing for their text go.
    Invisible,
    /// Unicode is composed (NFC).
    Nfc,
    /// White space at the ends goes; several of it in a row, and tabs, are one blank.
    Spaces,
}

impl Repair {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Mojibake, Self::Entities, Self::Control, Self::Invisible, Self::Nfc, Self::Spaces];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mojibake => "mojibake",
            Self::Entities => "entities",
            Self::Control => "control",
            Self::Invisible => "invisible",
            Self::Nfc => "nfc",
            Self::Spaces => "spaces",
        }
    }

    /// The repaired text, if there is something to repair.
    pub fn apply(self, text: &str) -> Option<String> {
        match self {
            Self::Mojibake => flaws::undo_mojibake(text),
            Self::Entities => flaws::resolve_entities(text),
            Self::Control => without_control(text),
            Self::Invisible => {
                let is_invisible = flaws::is_invisible_in(text);
                text.contains(&is_invisible).then(|| text.replace(&is_invisible, ""))
            }
            Self::Nfc => (!is_nfc(text)).then(|| text.nfc().collect()),
            Self::Spaces => Some(flaws::tidy(text)).filter(|tidy| tidy != text),
        }
    }
}

/// Makes repairs until there is nothing more to repair. One may bring to light what another one is for, which comes first: so after each they
/// begin anew. Returns the text, and which were made.
///
/// ```
/// use rnnsearch_corpus::{Repair, repair};
///
/// let (text, made) = repair("  f&Atilde;&frac14;r dich ".into(), &Repair::ALL);
/// assert_eq!((text.as_str(), made), ("für dich", vec![Repair::Mojibake, Repair::Entities, Repair::Spaces]));
/// ```
pub fn repair(mut text: String, repairs: &[Repair]) -> (String, Vec<Repair>) {
    let mut made = Vec::new();
    while let Some((repair, repaired)) = repairs.iter().find_map(|repair| Some((*repair, repair.apply(&text)?))) {
        text = repaired;
        made.push(repair);
    }
    made.sort_unstable();
    made.dedup();
    (text, made)
}

/// A text that a line can hold and be read again as it was: without carriage returns at its end and byte order marks at its start.
pub fn line_of(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_end_matches('\r')
}

fn without_control(text: &str) -> Option<String> {
    let is_control = |character: char| character.is_control() && character != '\t';
    text.contains(is_control).then(|| {
        let kept = text.chars().filter_map(|character| match character {
            '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' => Some(' '),
            character => Some(character).filter(|character| !is_control(*character)),
        });
        kept.collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What entities bring to light is neither a control character nor invisible.
    #[test]
    fn what_comes_to_light_is_repaired_first() {
        for (text, expected) in [
            ("don&#146;t", "don’t"),
            ("1914&#150;1918", "1914–1918"),
            ("gro&Atilde;&#159;", "groß"),
            ("d&Atilde;&shy;a", "día"),
            ("dÃƒÂ\u{ad}a", "día"),
        ] {
            assert_eq!(repair(text.into(), &Repair::ALL).0, expected, "{text}");
        }
        assert_eq!(repair("1914&#150;1918".into(), &[Repair::Entities]).0, "1914–1918");
    }

    #[test]
    fn each_repair_does_its_own() {
        for (repair, text, expected) in [
            (Repair::Mojibake, "fÃ¼r", "für"),
            (Repair::Entities, "d&#39;or <b>", "d'or <b>"),
            (Repair::Control, "a\u{7}b\rc\td\u{85}e", "ab c\td e"),
            (Repair::Invisible, "Zu\u{ad}sammen\u{200b}", "Zusammen"),
            (Repair::Nfc, "u\u{308}ber", "über"),
            (Repair::Spaces, " a\t b ", "a b"),
        ] {
            assert_eq!(repair.apply(text).as_deref(), Some(expected), "{repair:?}");
            assert_eq!(repair.apply(expected), None, "{repair:?}");
        }
    }

    #[test]
    fn repairs_go_on_while_there_is_something_to_repair() {
        let made = |text: &str| repair(text.to_owned(), &Repair::ALL);
        assert_eq!(made("&amp;amp;lt;"), ("<".into(), vec![Repair::Entities]));
        assert_eq!(made("a&#7;b"), ("ab".into(), vec![Repair::Entities, Repair::Control]));
        assert_eq!(made("ÃƒÂ¼ber"), ("über".into(), vec![Repair::Mojibake]));
        assert_eq!(made("gut"), ("gut".into(), vec![]));
    }

    proptest! {
        #[test]
        fn what_was_repaired_needs_no_repair(
            parts in proptest::collection::vec(
                prop_oneof![
                    "\\PC{0,3}", Just("&amp;".to_owned()), Just("&#195;".to_owned()), Just("Ã".to_owned()), Just("¼".to_owned()),
                    Just("â€".to_owned()), Just("lt;".to_owned()), Just("\u{308}".to_owned()), Just("\u{200b}".to_owned()),
                    Just("\r".to_owned()), Just(" ".to_owned()), Just("\u{1b}".to_owned()),
                ],
                0..12,
            )
        ) {
            let (text, _) = repair(parts.concat(), &Repair::ALL);
            prop_assert_eq!(repair(text.clone(), &Repair::ALL), (text.clone(), vec![]));
            prop_assert_eq!(line_of(&text), text.as_str());
        }
    }
}
