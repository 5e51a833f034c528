//! Where sentences end.
//!
//! They end where Unicode says so (UAX #29), but not after abbreviations, initials and ordinals, nor inside a sentence that quotes
//! another. In doubt text stays together: two sentences translated as one lose less than one cut in two.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Languages that write ordinals as numbers with a full stop.
const DOTTED_ORDINALS: [&str; 23] = [
    "bs", "cs", "da", "de", "dsb", "et", "eu", "fi", "fo", "hr", "hsb", "hu", "is", "lb", "lv", "nb", "nn", "no", "pl",
    "sk", "sl", "sr", "tr",
];

/// Abbreviations of many languages that hardly ever end a sentence.
const ABBREVIATIONS: &[&str] = &["dr", "prof", "mr", "mrs", "vs", "cf"];

/// More of them, in a language given by its code.
fn abbreviations(language: &str) -> &'static [&'static str] {
    match language {
        "en" => &[
            "ms", "messrs", "rev", "hon", "gen", "col", "capt", "cmdr", "lt", "sgt", "maj", "gov", "sen", "rep", "st",
            "mt", "e.g", "i.e", "approx", "viz", "resp",
        ],
        "de" | "lb" => &[
            "hr", "hrn", "fr", "frl", "dipl", "ing", "med", "phil", "jur", "rer", "nat", "st", "bzw", "d.h", "u.a",
            "s.o", "s.u", "vgl", "evtl", "ggf", "inkl", "exkl", "zzgl", "ca", "sog", "bspw", "hl", "geb", "resp",
            "mio", "mrd",
        ],
        "fr" => &["mm", "mme", "mmes", "mlle", "mgr", "me", "st", "ste", "av", "bd", "env", "p.ex", "ex"],
        "es" | "gl" | "ca" => &["sr", "sra", "sres", "srta", "dra", "dña", "ud", "uds", "vd", "vds", "ej", "aprox"],
        "pt" => &["sr", "sra", "sres", "dra", "exmo", "exma", "ex", "aprox"],
        "it" => &["sig", "sigg", "dott", "avv", "ing", "on", "es"],
        "nl" => &["dhr", "mevr", "mw", "drs", "ir", "ing", "bijv", "d.w.z", "o.a", "ca"],
        "da" | "nb" | "nn" | "no" | "sv" => &["hr", "fr", "bl.a", "f.eks", "t.ex", "ca"],
        "pl" => &["np", "tzw", "ul", "inż", "mgr"],
        "cs" | "sk" => &["např", "tzv", "ing", "mgr", "napr"],
        "ru" | "uk" => &["т.е", "т.к", "т.н", "ул", "им", "проф", "акад"],
        _ => &[],
    }
}

/// Abbreviations that do not end a sentence where a number follows.
const BEFORE_NUMBERS: &[&str] = &[
    "no", "nos", "nr", "núm", "num", "n°", "nº", "№", "art", "abs", "fig", "figs", "abb", "tab", "kap", "chap", "cap",
    "ch", "sec", "sect", "vol", "vols", "pp", "pag", "pág", "ziff", "tel", "kl", "op", "jan", "janv", "feb", "févr",
    "mar", "mär", "apr", "avr", "jun", "jul", "juil", "aug", "sep", "sept", "oct", "okt", "nov", "dec", "dez", "déc",
];

/// What may stand between the end of a sentence and its full stop's blank.
const CLOSING: [char; 16] = ['"', '\'', '”', '’', '“', '‘', '»', '«', '›', '‹', ')', ']', '}', '」', '』', '）'];
/// What may stand before the first letter of a sentence.
const OPENING: [char; 18] =
    ['"', '\'', '“', '„', '‚', '‘', '”', '’', '«', '»', '‹', '›', '(', '[', '{', '「', '『', '（'];

/// What ends a line, and a sentence with it.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// What differs between languages.
struct Rules {
    dotted_ordinals: bool,
    abbreviations: &'static [&'static str],
}

/// The bytes of the sentences of a text, in a language given by its code; what is between them is blank.
pub fn sentences(text: &str, language: &str) -> Vec<Range<usize>> {
    // The character ends a sentence as three full stops do, and has as many bytes.
    let plain = text.replace('…', "...");
    let language = language.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let rules = Rules {
        dotted_ordinals: DOTTED_ORDINALS.contains(&language.as_str()),
        abbreviations: abbreviations(&language),
    };
    let (mut found, mut start, mut read) = (Vec::new(), 0, 0);
    let mut seen = Seen::default();
    for bound in bounds(&plain) {
        if bound <= read {
            // A quotation mark took it already.
            continue;
        }
        let end = with_its_quotes(&plain, start..bound, seen.with(&plain[read..bound]).open_quotes);
        if end <= read {
            continue;
        }
        seen = seen.with(&plain[read..end]);
        read = end;
        if ends(&plain[start..end], &plain[end..], seen.has_letters, &rules) {
            found.push(trimmed(&plain, start..end));
            (start, seen) = (end, Seen::default());
        }
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// What is known of a sentence as far as it is read, so that nothing is read again and again.
#[derive(Clone, Copy, Default)]
struct Seen {
    has_letters: bool,
    /// French marks that open, less those that close.
    open_quotes: isize,
}

impl Seen {
    /// With what comes next.
    fn with(self, next: &str) -> Self {
        let quotes = next.matches('«').count() as isize - next.matches('»').count() as isize;
        Self {
            has_letters: self.has_letters || next.contains(char::is_alphabetic),
            open_quotes: self.open_quotes + quotes,
        }
    }
}

/// Where Unicode's rule ends sentences.
///
/// After a full stop it looks ahead from each blank and each closing mark. No rule tells a long run of them from a short one, so long
/// ones are left out of what it is given.
fn bounds(text: &str) -> Vec<usize> {
    const ENOUGH: usize = 3;
    let kind = |c: char| match c {
        _ if LINE_ENDS.contains(&c) => None,
        _ if c.is_whitespace() => Some(' '),
        _ if CLOSING.contains(&c) => Some(')'),
        _ => Some(c),
    };
    // What is given, and after which of its bytes how much was left out up to there.
    let (mut given, mut left_out): (String, Vec<(usize, usize)>) = (String::new(), Vec::new());
    let (mut last, mut run) = (None, 0);
    for (at, c) in text.char_indices() {
        let kind = kind(c);
        run = if kind.is_some() && kind == last { run + 1 } else { 1 };
        last = kind;
        if run <= ENOUGH {
            given.push(c);
            continue;
        }
        let so_far = (given.len(), at + c.len_utf8() - given.len());
        match left_out.last_mut() {
            Some(same) if same.0 == so_far.0 => *same = so_far,
            _ => left_out.push(so_far),
        }
    }
    let mut passed = 0;
    let bound = |(at, piece): (usize, &str)| {
        let end = at + piece.len();
        passed += left_out[passed..].iter().take_while(|(place, _)| *place <= end).count();
        end + passed.checked_sub(1).map_or(0, |last| left_out[last].1)
    };
    given.split_sentence_bound_indices().map(bound).collect()
}

/// The bytes of a text without the blanks at its ends.
pub(crate) fn trimmed(text: &str, piece: Range<usize>) -> Range<usize> {
    let inside = &text[piece.clone()];
    let start = piece.start + inside.len() - inside.trim_start().len();
    start..(start + inside.trim().len())
}

/// The end of a sentence that Unicode's rule ends with these bytes, but for quotation marks that it gives to the wrong side.
fn with_its_quotes(text: &str, sentence: Range<usize>, open_quotes: isize) -> usize {
    let (left, rest) = (&text[sentence.clone()], &text[sentence.end..]);
    // An opening mark right after a Chinese or Japanese full stop.
    let opened = left.trim_end_matches(['「', '『', '（', '【', '《', '〈', '“', '‘']);
    if opened.trim_end_matches(CLOSING).ends_with(['。', '！', '？']) {
        return sentence.start + opened.len();
    }
    // A French closing mark, which a blank separates from the words that it closes.
    if !rest.starts_with('»') || open_quotes <= 0 {
        return sentence.end;
    }
    let after = rest['»'.len_utf8()..].trim_start();
    text.len() - after.len()
}

/// Whether a sentence ends between `left`, with the blanks after it, and `rest`.
fn ends(left: &str, rest: &str, has_letters: bool, rules: &Rules) -> bool {
    if left.ends_with(LINE_ENDS) {
        return true;
    }
    let (whole, rest) = (left.trim_end(), rest.trim_start());
    if rest.is_empty() {
        return true;
    }
    let goes_on = rest.starts_with(['—', '–', ',', ';', ':', ')'])
        || rest.trim_start_matches(OPENING).starts_with(char::is_lowercase)
        // Japanese quotations are followed by a particle.
        || whole.ends_with(['」', '』']) && rest.starts_with(['と', 'っ']);
    let stem = whole.trim_end_matches(CLOSING);
    let no_blank = whole.len() == left.len() && stem.ends_with(|c: char| c.is_ascii());
    if goes_on || no_blank || !has_letters {
        return false;
    }
    match stem.strip_suffix('.') {
        Some(before) if !before.ends_with('.') => !is_abbreviated(before, rest, rules),
        _ => true,
    }
}

/// Whether the full stop after `before` belongs to its last word and ends no sentence.
fn is_abbreviated(before: &str, rest: &str, rules: &Rules) -> bool {
    let is_edge = |c: char| c.is_whitespace() || c == '-' || c == '/' || OPENING.contains(&c);
    let word = before.rsplit(is_edge).next().unwrap_or_default();
    let lower = word.to_lowercase();
    let is_letter = |part: &str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    // Those of small letters alone, as in "5 p.m.", may end a sentence.
    let is_initial = is_letter(word) || word.split('.').all(is_letter) && lower != word;
    let is_ordinal = rules.dotted_ordinals
        && !word.is_empty()
        && (word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit()) || word.chars().all(|c| "IVXLC".contains(c)));
    is_initial
        || is_ordinal
        || ABBREVIATIONS.contains(&lower.as_str())
        || rules.abbreviations.contains(&lower.as_str())
        || BEFORE_NUMBERS.contains(&lower.as_str()) && rest.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts by language; a bar stands where a sentence ends and another begins.
    const CASES: &[(&str, &str)] = &[
        ("en", "It rains.| We stay at home.| Why not?| Good!| "),
        ("en", "  No end of it"),
        ("en", "Dr. Smith met Mr. and Mrs. Jones.| They talked."),
        ("en", "J. R. R. Tolkien and J.R.R. Martin write.| We read."),
        ("en", "The U.S. Army left.| It was late."),
        ("en", "We met at 5 p.m.| Then we left."),
        ("en", "Some fruit, e.g. Granny Smith apples, i.e. Malus, is sour.| Some is not."),
        ("en", "It costs 3.50 euros.| Version 2.0.1 is out.| See www.example.org.| Thanks."),
        ("en", "See No. 5 and Fig. 3.| Is it there?| No.| It is not."),
        ("en", "On Jan. 5 it snowed.| We won in Jan.| They lost."),
        ("en", "Wait... what?| Wait...| What?"),
        ("en", "Well… no.| Well…| Yes."),
        ("en", "\"Stop!\" he cried.| \"Why?\" she asked.| \"No.\"| He left."),
        ("en", "“It is late.”| She left (as always.)| He stayed."),
        ("en", "He said: “Who is it?” and went.| (It was me.)| [Nobody knew.]"),
        ("en", "She is 30.| He is 40.| In 1990.| Then in 2000."),
        ("en", "1. Open the box.| 2. Close the box."),
        ("en", "What?!| No!!!| Really?!?| Yes."),
        ("en", "Visit example.com/?Q=A or a.B.c now.| Done."),
        ("en", "Acme Inc. makes boxes.| So does Acme Inc.| Boxes are fine."),
        ("en", "He came—late!—and left.| Oh!— no."),
        ("de", "Am 3. Mai kam er.| Dann ging er."),
        ("de", "Der 2. Weltkrieg und das 19. Jahrhundert sind vorbei.| Im Jahr 1990.| Danach nicht mehr."),
        ("de", "Heinrich VIII. König von England lebte.| Er starb."),
        ("de", "Hr. Dr. med. Müller und Fr. Dipl.-Ing. Maier kamen.| Sie gingen."),
        ("de", "Tiere, z. B. Hunde, d.h. Haustiere, bzw. Katzen bellen.| Oder z.B. Vögel?| Ja."),
        ("de", "Das kostet ca. 5 Mio. Euro.| Siehe Abs. 3 und Nr. 7 im Buch.| Fertig."),
        ("de", "„Komm!“, rief sie.| „Warum?“ fragte er.| „Darum.“| Er kam."),
        ("de", "Er kam.| »Ja«, sagte sie.| »Nein!«| Er ging."),
        ("da", "Han gik ud.| Hun kom med.| De rejste den 3. Maj."),
        ("xx", "Dr. No came with me.| J. Bond left."),
        ("de-AT", "Am 1. Jänner ist frei.| Am 2. nicht."),
        ("fr", "M. Dupont et Mme. Durand arrivent.| Ils partent."),
        ("fr", "Vraiment ?| Oui !| Bien sûr."),
        ("fr", "« Vraiment ! » dit-il.| « Oui. »| Il partit."),
        ("fr", "« Vraiment\u{202f}!\u{a0}»| Il partit."),
        ("fr", "« Oui ! »\n|\nIl partit."),
        ("fr", "»\n|  x « Oui. »\n\n"),
        ("fr", "— Non ! — Si, dit-elle.| Voir p. 5."),
        ("es", "El Sr. García y la Sra. Pérez llegan.| ¿Quién es Ud. Señor?| ¡Hola!| ¿Qué tal?"),
        ("es", "—¡No! —dijo ella.| Se fue, p. ej. Juan."),
        ("it", "Il sig. Rossi e il dott. Bianchi arrivano.| Partono."),
        ("nl", "Dhr. Jansen komt, bijv. Piet.| Hij gaat."),
        ("cs", "Přišel 3. května.| Dne 5. Října odešel.| Konec."),
        ("ru", "Это т.е. Иван.| А. С. Пушкин писал.| Кто?| Он."),
        ("zh", "今天下雨。|我们在家。|为什么？|好！"),
        ("zh", "她走了。|“再见！”|（晚上。）|他说：“走吧。”|她走了。"),
        ("ja", "今日は雨です。|「行く！」と言った。|「はい。」|帰った。"),
        ("hi", "यह घर है।| वह गया।"),
        ("ar", "هل أنت هنا؟| نعم.| شكرا!"),
        ("", "One line\u{2028}|another line."),
    ];

    #[test]
    fn sentences_end_where_they_should() {
        let mut wrong = Vec::new();
        for (language, marked) in CASES {
            let text = marked.replace('|', "");
            let expected: Vec<&str> =
                marked.split('|').map(str::trim).filter(|sentence| !sentence.is_empty()).collect();
            let found: Vec<&str> = sentences(&text, language).into_iter().map(|sentence| &text[sentence]).collect();
            if found != expected {
                wrong.push(format!("{language}: {}", found.join("|")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn long_lines_take_no_longer_than_their_length_tells() {
        let repeated = |text: &str| text.repeat(1_000_000 / text.len());
        for (text, count) in [
            (repeated("1. "), 1),
            (format!("Yes.{}No", repeated(" \t")), 2),
            (format!("Yes.{}", repeated(")]")), 1),
            (format!("Yes{}", repeated("\n")), 1),
            (format!("{}{}", "Yes. ".repeat(1000), repeated(" ")), 1000),
            (repeated("« Oui ! » dit-il. "), 50000),
            (repeated("« oui ! » et "), 1),
        ] {
            assert_eq!(sentences(&text, "fr").len(), count, "{}", &text[..20]);
        }
    }

    proptest::proptest! {
        #[test]
        fn bounds_are_those_of_the_standard(text in "([aA1.!?,]|[ \u{a0}\t]{1,9}|[)»\"]{1,9}|\\.{1,5}|\n){0,20}") {
            let expected: Vec<usize> = text.split_sentence_bound_indices().map(|(at, piece)| at + piece.len()).collect();
            proptest::prop_assert_eq!(bounds(&text), expected);
        }

        #[test]
        fn nothing_but_blanks_is_between_sentences(text in "([a-zA-ZÄß。…!?.»«\"', 0-9\n\u{2028}\u{85}\r]|\\PC){0,60}") {
            let mut end = 0;
            for sentence in sentences(&text, "de") {
                proptest::prop_assert!(text[end..sentence.start].trim().is_empty());
                proptest::prop_assert_eq!(text[sentence.clone()].trim(), &text[sentence.clone()]);
                end = sentence.end;
            }
            proptest::prop_assert!(text[end..].trim().is_empty());
        }
    }
}
