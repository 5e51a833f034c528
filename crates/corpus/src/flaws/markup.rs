//! Tags and entities of HTML that were left in a text.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::mojibake::WINDOWS_1252;

/// A tag of an element that text comes with, or an entity that is known or has a number. `<` in "1 < 2" and the `&` of "AT&T;" are none.
static MARKUP: LazyLock<Regex> = LazyLock::new(|| {
    const ELEMENTS: &str = "a|abbr|b|big|blockquote|body|br|center|cite|code|dd|div|dl|doc|dt|em|font|form|h[1-6]|head|hl|hr|html|i|iframe|\
        img|input|label|li|link|meta|nobr|ol|option|p|pre|q|ref|s|script|select|seg|small|span|strike|strong|style|sub|sup|table|tbody|td|\
        th|thead|title|tr|tt|u|ul";
    let pattern = format!(r"</?(?i:{ELEMENTS})(?:\s[^<>]*)?/?>|<!--|{ENTITY_PATTERN}");
    Regex::new(&pattern).expect("a pattern")
});

static ENTITY: LazyLock<Regex> = LazyLock::new(|| Regex::new(ENTITY_PATTERN).expect("a pattern"));

const ENTITY_PATTERN: &str =
    r"&(?:#(?<decimal>\d{1,7})|#[xX](?<hex>[0-9A-Fa-f]{1,6})|(?<name>[A-Za-z]{2,8}[0-9]{0,2}));";

/// Entities with a name: those of XML and Latin-1, and of common signs.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("iexcl", '¡'),
    ("cent", '¢'),
    ("pound", '£'),
    ("curren", '¤'),
    ("yen", '¥'),
    ("brvbar", '¦'),
    ("sect", '§'),
    ("uml", '¨'),
    ("copy", '©'),
    ("ordf", 'ª'),
    ("laquo", '«'),
    ("not", '¬'),
    ("shy", '\u{ad}'),
    ("reg", '®'),
    ("macr", '¯'),
    ("deg", '°'),
    ("plusmn", '±'),
    ("sup2", '²'),
    ("sup3", '³'),
    ("acute", '´'),
    ("micro", 'µ'),
    ("para", '¶'),
    ("middot", '·'),
    ("cedil", '¸'),
    ("sup1", '¹'),
    ("ordm", 'º'),
    ("raquo", '»'),
    ("frac14", '¼'),
    ("frac12", '½'),
    ("frac34", '¾'),
    ("iquest", '¿'),
    ("Agrave", 'À'),
    ("Aacute", 'Á'),
    ("Acirc", 'Â'),
    ("Atilde", 'Ã'),
    ("Auml", 'Ä'),
    ("Aring", 'Å'),
    ("AElig", 'Æ'),
    ("Ccedil", 'Ç'),
    ("Egrave", 'È'),
    ("Eacute", 'É'),
    ("Ecirc", 'Ê'),
    ("Euml", 'Ë'),
    ("Igrave", 'Ì'),
    ("Iacute", 'Í'),
    ("Icirc", 'Î'),
    ("Iuml", 'Ï'),
    ("ETH", 'Ð'),
    ("Ntilde", 'Ñ'),
    ("Ograve", 'Ò'),
    ("Oacute", 'Ó'),
    ("Ocirc", 'Ô'),
    ("Otilde", 'Õ'),
    ("Ouml", 'Ö'),
    ("times", '×'),
    ("Oslash", 'Ø'),
    ("Ugrave", 'Ù'),
    ("Uacute", 'Ú'),
    ("Ucirc", 'Û'),
    ("Uuml", 'Ü'),
    ("Yacute", 'Ý'),
    ("THORN", 'Þ'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("atilde", 'ã'),
    ("auml", 'ä'),
    ("aring", 'å'),
    ("aelig", 'æ'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("igrave", 'ì'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("eth", 'ð'),
    ("ntilde", 'ñ'),
    ("ograve", 'ò'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("ouml", 'ö'),
    ("divide", '÷'),
    ("oslash", 'ø'),
    ("ugrave", 'ù'),
    ("uacute", 'ú'),
    ("ucirc", 'û'),
    ("uuml", 'ü'),
    ("yacute", 'ý'),
    ("thorn", 'þ'),
    ("yuml", 'ÿ'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("hellip", '…'),
    ("prime", '′'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("euro", '€'),
    ("trade", '™'),
    ("minus", '−'),
    ("thinsp", '\u{2009}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
];

/// The first tag or entity.
pub(crate) fn find_markup(text: &str) -> Option<Range<usize>> {
    if !text.contains(['<', '&']) {
        return None;
    }
    let is_markup = |found: &Captures| !found[0].starts_with('&') || character(found).is_some();
    MARKUP.captures_iter(text).find(is_markup).and_then(|found| Some(found.get(0)?.range()))
}

/// The text with the characters that its entities stand for, if it has any.
pub(crate) fn resolve_entities(text: &str) -> Option<String> {
    if !text.contains('&') {
        return None;
    }
    let known = |found: &Captures| character(found).map_or_else(|| found[0].to_owned(), String::from);
    let resolved = ENTITY.replace_all(text, known);
    (resolved != text).then(|| resolved.into_owned())
}

/// The character that an entity stands for. One with a number of a line break, or of no character, is not known: no line holds that.
fn character(found: &Captures) -> Option<char> {
    let number = |group: &str, base| {
        let number = u32::from_str_radix(found.name(group)?.as_str(), base).ok()?;
        // Browsers read these as Windows-1252, and so they are meant.
        let meant = number.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(at as usize)).copied();
        meant.or_else(|| char::from_u32(number))
    };
    let named = || {
        let name = found.name("name")?.as_str();
        NAMED.iter().find(|(other, _)| *other == name).map(|(_, character)| *character)
    };
    number("decimal", 10).or_else(|| number("hex", 16)).or_else(named).filter(|character| *character != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_entities_are_found() {
        for (text, found) in [
            ("a <b>c</b>", "<b>"),
            ("a<br/>", "<br/>"),
            ("x <A HREF='y'>", "<A HREF='y'>"),
            ("</p>", "</p>"),
            ("<!-- c", "<!--"),
            ("a &amp; b", "&amp;"),
            ("d&#39;un", "&#39;"),
            ("&#x27;", "&#x27;"),
            ("&frac12;", "&frac12;"),
        ] {
            assert_eq!(find_markup(text).map(|range| &text[range]), Some(found), "{text}");
        }
        for text in ["1 < 2 and 3 > 2", "AT&T; R&D;", "a <unk> b", "<3", "x & y;", "&#10;", "&#xd800;", "<Tom>"] {
            assert_eq!(find_markup(text), None, "{text}");
        }
    }

    #[test]
    fn entities_become_characters() {
        assert_eq!(resolve_entities("d&#39;&eacute;t&#xe9; &amp; R&D; &lt;"), Some("d'été & R&D; <".into()));
        assert_eq!(resolve_entities("&amp;lt;"), Some("&lt;".into()));
        assert_eq!(resolve_entities("R&D; &#10;"), None);
    }
}
