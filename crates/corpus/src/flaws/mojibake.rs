//! Mojibake: UTF-8 that a program took for Latin-1 or Windows-1252, as in "fÃ¼r" for "für".
//!
//! Characters above ASCII whose bytes in Windows-1252 are together a character in UTF-8 hardly ever stand beside each other in good text,
//! but for some capital letters before a closing quotation mark ("CAFÉ»", "Spaß“"). So a sequence counts if
//!
//! - it gives punctuation, a currency or a trade mark sign ("â€œ", "â‚¬"), or
//! - it gives a Latin letter or sign (the bytes C2 to C5), and there is a small letter before or a letter after it, or no letter before
//!   "Â", or
//! - it gives anything, and another such sequence touches it, as all do in texts of other scripts ("Ð´Ð°").

use std::ops::Range;

/// The characters of the bytes 0x80 to 0x9f in Windows-1252; the bytes that have none stay as they are.
pub(crate) const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The first mojibake.
pub(crate) fn find_mojibake(text: &str) -> Option<Range<usize>> {
    Sequences::of(text).sure(text).next().map(|sequence| sequence.bytes)
}

/// The text with what was meant, if it has mojibake, or control characters that are signs in Windows-1252.
pub(crate) fn undo_mojibake(text: &str) -> Option<String> {
    let undone = undo_sequences(text);
    let sign = |character: char| match character {
        // The next line (NEL) is one in its own right.
        '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' => WINDOWS_1252[character as usize - 0x80],
        character => character,
    };
    let before = undone.as_deref().unwrap_or(text);
    let signed: String = before.chars().map(sign).collect();
    if signed == before { undone } else { Some(signed) }
}

fn undo_sequences(text: &str) -> Option<String> {
    let (mut repaired, mut end) = (String::new(), 0);
    for Sequence { bytes, meant } in Sequences::of(text).sure(text) {
        repaired.push_str(&text[end..bytes.start]);
        repaired.push(meant);
        end = bytes.end;
    }
    (end > 0).then(|| repaired + &text[end..])
}

/// Characters whose bytes are together one character in UTF-8.
#[derive(Clone, Debug)]
struct Sequence {
    bytes: Range<usize>,
    meant: char,
}

struct Sequences(Vec<Sequence>);

impl Sequences {
    fn of(text: &str) -> Self {
        let mut sequences = Vec::new();
        if text.is_ascii() {
            return Self(sequences);
        }
        let mut end = 0;
        for (start, lead) in text.char_indices() {
            if start >= end
                && lead >= '\u{c2}'
                && let Some(sequence) = read(text, start)
            {
                end = sequence.bytes.end;
                sequences.push(sequence);
            }
        }
        Self(sequences)
    }

    /// Those that are surely mojibake.
    fn sure(self, text: &str) -> impl Iterator<Item = Sequence> {
        let touches = |one: Option<&Sequence>, other: Option<&Sequence>| {
            one.zip(other).is_some_and(|(one, other)| one.bytes.end == other.bytes.start)
        };
        let is_sure = |(index, sequence): (usize, &Sequence)| {
            let (before, after) = (index.checked_sub(1).and_then(|before| self.0.get(before)), self.0.get(index + 1));
            touches(before, Some(sequence)) || touches(Some(sequence), after) || is_sure_alone(text, sequence)
        };
        let sure: Vec<Sequence> =
            self.0.iter().enumerate().filter(|&found| is_sure(found)).map(|(_, sequence)| sequence.clone()).collect();
        sure.into_iter()
    }
}

/// The sequence that begins at a byte.
fn read(text: &str, start: usize) -> Option<Sequence> {
    let mut characters = text[start..].chars();
    let lead = byte(characters.next()?)?;
    let more = match lead {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return None,
    };
    let (mut bytes, mut length) = ([lead, 0, 0, 0], text[start..].chars().next()?.len_utf8());
    for place in &mut bytes[1..=more] {
        let character = characters.next()?;
        *place = byte(character)?;
        length += character.len_utf8();
    }
    let meant = std::str::from_utf8(&bytes[..=more]).ok()?.chars().next()?;
    Some(Sequence { bytes: start..start + length, meant })
}

/// The byte of a character in Windows-1252, or in Latin-1.
fn byte(character: char) -> Option<u8> {
    match character {
        '\u{80}'..='\u{ff}' => u8::try_from(u32::from(character)).ok(),
        _ => WINDOWS_1252.iter().position(|&other| other == character).map(|at| 0x80 + at as u8),
    }
}

fn is_sure_alone(text: &str, Sequence { bytes, meant }: &Sequence) -> bool {
    let before = text[..bytes.start].chars().next_back();
    let after = text[bytes.end..].chars().next();
    let second = text[bytes.clone()].chars().nth(1);
    let is = |character: Option<char>, what: fn(char) -> bool| character.is_some_and(what);
    match meant {
        '\u{2010}'..='\u{203a}' | '€' | '™' => true,
        // A capital before a no-break space or a dash, and one in quotation marks, are what they look like.
        '\u{a0}'..='\u{17f}' if matches!(second, Some('\u{a0}' | '–' | '—')) => is(before, char::is_lowercase),
        '\u{a0}'..='\u{17f}' if second == Some('»') && matches!(before, Some('«' | '‹' | '“' | '„')) => false,
        '\u{a0}'..='\u{17f}' => {
            is(before, char::is_lowercase)
                || is(after, char::is_alphabetic)
                || *meant < '\u{c0}' && !is(before, char::is_alphabetic)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a program has it that takes UTF-8 for Windows-1252.
    fn misread(text: &str) -> String {
        let character = |byte: u8| match byte {
            0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
            byte => char::from(byte),
        };
        text.bytes().map(character).collect()
    }

    #[test]
    fn what_was_misread_is_found_and_undone() {
        for text in
            ["für", "Überall", "FÜR ALLE", "20 °C", "« Oui »", "„So“", "it’s", "5 €", "да", "你好", "señor", "Straße"]
        {
            let misread = misread(text);
            assert!(find_mojibake(&misread).is_some(), "{misread}");
            assert_eq!(undo_mojibake(&misread).as_deref(), Some(text), "{misread}");
        }
        let twice = misread(&misread("für"));
        assert_eq!(undo_mojibake(&twice).and_then(|once| undo_mojibake(&once)).as_deref(), Some("für"), "{twice}");
    }

    #[test]
    fn latin_1_is_undone_too() {
        assert_eq!(undo_mojibake("gro\u{c3}\u{9f}"), Some("groß".into()));
        assert_eq!(undo_mojibake("\u{84}So\u{93}, \u{85}\u{81}"), Some("„So“, \u{85}\u{81}".into()));
    }

    #[test]
    fn good_text_is_left_alone() {
        for text in [
            "PÅ\u{a0}VEG",
            "Å\u{a0}være",
            "IRMÃ\u{a0}MARIA",
            "LULEÅ–BODEN",
            "la lettre «Â»",
            "für",
            "„Spaß“",
            "«CAFÉ»",
            "“AMANHÔ",
            "é™",
            "naïve—",
            "ÄÖÜ",
            "Ã",
            "Î”",
            "ça…",
            "Å“",
            "да",
            "你好",
            "plain",
        ] {
            assert_eq!(find_mojibake(text), None, "{text}");
            assert_eq!(undo_mojibake(text), None, "{text}");
        }
    }

    #[test]
    fn the_place_is_told() {
        assert_eq!(find_mojibake("fÃ¼r"), Some(1..5));
    }
}
