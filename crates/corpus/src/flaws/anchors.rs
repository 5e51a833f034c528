//! What stands on both sides of a good pair as it is: long numbers, URLs and mail addresses.

use std::sync::LazyLock;

use regex::Regex;

/// A long number of each side that has no counterpart on the other side, if both have one.
///
/// Short numbers are often written as words, or are times of the clock. A counterpart is a number that begins with the other or is its
/// beginning, zeros at the end aside: 2.838 million may be 283.8 times ten thousand, 600,000 may be 600 thousand.
pub(crate) fn different_numbers(source: &str, target: &str) -> Option<(String, String)> {
    let (source, target) = (numbers(source), numbers(target));
    let alone = |these: &[String], those: &[String]| {
        let is_alone = |number: &&String| number.len() >= 3 && !those.iter().any(|other| is_like(number, other));
        these.iter().find(is_alone).cloned()
    };
    alone(&source, &target).zip(alone(&target, &source))
}

fn is_like(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|number| number.trim_end_matches('0'));
    one.starts_with(other) || other.starts_with(one)
}

/// The numbers of URLs and mail addresses on each side, if they differ.
pub(crate) fn different_urls(source: &str, target: &str) -> Option<(usize, usize)> {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        // Text in scripts without blanks goes on right before and after.
        let pattern = r#"(?i)(?-u:\b)(?:https?://|ftp://|www\.)[!-~&&[^<>"]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"#;
        Regex::new(pattern).expect("a pattern")
    });
    let count = |text: &str| if text.contains(['/', '@', '.']) { URL.find_iter(text).count() } else { 0 };
    let counts = (count(source), count(target));
    (counts.0 != counts.1).then_some(counts)
}

/// The numbers of a text, without what separates thousands: "1 234", "1.234" and "1,234" are 1234, "3.50" is 3 and 50.
fn numbers(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let (mut numbers, mut at) = (Vec::new(), 0);
    while at < characters.len() {
        let mut number = digits(&characters[at..]);
        at += number.len().max(1);
        let may_go_on = (1..=3).contains(&number.len());
        while let Some(thousands) = may_go_on.then(|| thousands(&characters[at..])).flatten() {
            number.push_str(&thousands);
            at += 1 + thousands.len();
        }
        if !number.is_empty() {
            numbers.push(number);
        }
    }
    numbers
}

/// Three digits after what separates thousands, and no fourth.
fn thousands(characters: &[char]) -> Option<String> {
    let [' ' | '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '٬', rest @ ..] = characters else {
        return None;
    };
    Some(digits(rest)).filter(|digits| digits.len() == 3)
}

/// The digits that the text begins with, as ASCII has them.
fn digits(characters: &[char]) -> String {
    characters.iter().map_while(|&character| digit(character)).collect()
}

/// A decimal digit of the scripts that have their own.
fn digit(character: char) -> Option<char> {
    /// The zeros of Arabic, Persian, Devanagari, Bengali, Gurmukhi, Gujarati, Tamil, Telugu, Kannada, Thai, Burmese, Khmer, and of full width.
    const ZEROS: [u32; 14] =
        [0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66, 0xce6, 0xe50, 0x1040, 0x17e0, 0xff10];
    ZEROS.iter().find_map(|zero| char::from_digit(u32::from(character).checked_sub(*zero).filter(|d| *d < 10)?, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_read_in_any_form() {
        for text in ["1 234 567", "1.234.567", "1,234,567", "1'234'567", "1234567", "1\u{202f}234\u{a0}567", "١٢٣٤٥٦٧"]
        {
            assert_eq!(numbers(text), ["1234567"], "{text}");
        }
        assert_eq!(numbers("In 1999 200 men, 3.50 at 15:30, no. 12"), ["1999", "200", "3", "50", "15", "30", "12"]);
        assert_eq!(numbers("2018年，100%"), ["2018", "100"]);
        assert_eq!(numbers("1,23456"), ["1", "23456"]);
    }

    #[test]
    fn numbers_differ_if_each_side_has_its_own() {
        assert_eq!(different_numbers("in 1984", "en 1948"), Some(("1984".into(), "1948".into())));
        for (one, other) in [
            ("1984 and 2000", "1984 und zweitausend"),
            ("1,000 of 1984", "1 000 de 1984"),
            ("at 3 pm", "um 15 Uhr"),
            ("600 thousand in 1984", "600,000 1984"),
            ("283.8万", "2.838 million or 2838 thousand"),
            ("600 and 3800万", "38 million and 600"),
        ] {
            assert_eq!(different_numbers(one, other), None, "{one}");
        }
    }

    #[test]
    fn urls_are_counted() {
        assert_eq!(different_urls("see http://a.b/c.", "voir http://a.b/d"), None);
        assert_eq!(different_urls("see www.a.org", "voir ici"), Some((1, 0)));
        assert_eq!(different_urls("me@a.org and http://x.y", "me@a.org"), Some((2, 1)));
        assert_eq!(different_urls("@ 5. Mai, e.g. this/that", "x"), None);
    }
}
