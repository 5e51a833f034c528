//! Pieces of the source that come back as they are: addresses, placeholders, and what else patterns find.
//!
//! The model reads a piece like other text. A copy of it in the translation stays; else the words that translate it, by the alignment,
//! are replaced by it; and if no word looked at it, it is put where the words around it suggest. So every piece comes
//! as often as it came in the source.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use rnnsearch_alignment::{Alignment, Sentence, Token};

use crate::Candidate;
use crate::looks::Looks;
use crate::units::is_word_character;

/// What is to come back untouched.
#[derive(Clone, Debug, Default)]
pub struct Protect {
    patterns: Vec<Regex>,
}

/// URLs, e-mail addresses, and placeholders such as `{name}`, `${x}`, `%s`, `%(name)s`, `%1$d`, `<0>`.
static USUAL: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const PATTERNS: [&str; 6] = [
        r#"\b(?:https?|ftp)://[^\s<>"]*[\p{L}\p{N}/#=&_-]"#,
        r#"\bwww\.[^\s<>"]*[\p{L}\p{N}/#=&_-]"#,
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"\$?\{\{[^{}\n]*\}\}|\$?\{[^{}\s]*\}",
        r"%(?:\(\w+\)|\d+\$)?[-+0#]*\d*(?:\.\d+)?l{0,2}(?:[sdiufgexXc]\b|@)",
        r"</?\d+/?>",
    ];
    PATTERNS.iter().map(|pattern| Regex::new(pattern).expect("a pattern")).collect()
});

impl Protect {
    /// What usually is, and all that these patterns find.
    pub fn usual_and(patterns: Vec<Regex>) -> Self {
        Self { patterns: USUAL.iter().cloned().chain(patterns).collect() }
    }

    /// The bytes of every piece of a text, from left to right; of pieces that overlap, that which begins first, or is longer.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.patterns.iter().flat_map(|pattern| pattern.find_iter(text)).map(|found| found.range());
        let mut found: Vec<Range<usize>> = found.filter(|piece| !text[piece.clone()].trim().is_empty()).collect();
        found.sort_by_key(|piece| (piece.start, std::cmp::Reverse(piece.end)));
        let mut end = 0;
        found.retain(|piece| {
            let free = piece.start >= end;
            end = if free { piece.end } else { end };
            free
        });
        found
    }

    /// Puts the pieces of a source back into a translation of it.
    pub fn restore(source: &str, pieces: &[Range<usize>], candidate: &mut Candidate) {
        if pieces.is_empty() {
            return;
        }
        let edits = edits(source, pieces, candidate);
        let (text, places) = edited(&candidate.text, &edits);
        if let Some(alignment) = &candidate.alignment {
            candidate.alignment = realigned(alignment, &text, pieces, &edits, &places);
        }
        candidate.text = text;
    }
}

/// Some bytes of a text that become others: those of the piece of this number, with a blank before or behind it where it had no place
/// of its own; or nothing.
#[derive(Debug)]
struct Edit<'s> {
    bytes: Range<usize>,
    piece: Option<usize>,
    before: &'static str,
    text: &'s str,
    behind: &'static str,
}

/// What to change, from left to right.
fn edits<'s>(source: &'s str, pieces: &[Range<usize>], candidate: &Candidate) -> Vec<Edit<'s>> {
    let text = candidate.text.as_str();
    let looks = Looks::new(candidate.alignment.as_ref(), source);
    let words = looks.words();
    let replace = |bytes, piece: usize| Edit {
        bytes,
        piece: Some(piece),
        before: "",
        text: &source[pieces[piece].clone()],
        behind: "",
    };
    let mut edits: Vec<Edit> = Vec::new();
    let is_free = |bytes: &Range<usize>, edits: &[Edit]| {
        edits.iter().all(|edit| edit.bytes.end <= bytes.start || bytes.end <= edit.bytes.start)
    };
    // Copies go first, longer pieces before those they hold; a copy too many is taken away.
    let mut left: Vec<usize> = (0..pieces.len()).collect();
    let mut literals: Vec<&str> = pieces.iter().map(|piece| &source[piece.clone()]).collect();
    literals.sort_by_key(|literal| (std::cmp::Reverse(literal.len()), *literal));
    literals.dedup();
    for literal in literals {
        let free: Vec<Range<usize>> = copies(text, literal).into_iter().filter(|copy| is_free(copy, &edits)).collect();
        for copy in free {
            let inside = words.partition_point(|word| word.end <= copy.start)
                ..words.partition_point(|word| word.start < copy.end);
            let alike = (0..left.len()).rev().filter(|&place| source[pieces[left[place]].clone()] == *literal);
            let looks_at = |place: usize| looks.total(&pieces[left[place]], &inside);
            edits.push(match alike.max_by(|&a, &b| looks_at(a).total_cmp(&looks_at(b))) {
                Some(place) => replace(copy, left.remove(place)),
                None => Edit { bytes: with_blank(text, copy), piece: None, before: "", text: "", behind: "" },
            });
        }
    }
    for piece in left {
        let bytes = free_runs(words, |word| is_free(word, &edits))
            .filter_map(|run| looks.run(&pieces[piece], run))
            .max_by(|a, b| looks.total(&pieces[piece], a).total_cmp(&looks.total(&pieces[piece], b)))
            .map(|run| words[run.start].start..words[run.end - 1].end);
        edits.push(match bytes {
            Some(bytes) => replace(bytes, piece),
            None => {
                let gap = looks.gap(pieces[piece].start, 0..words.len());
                let place = inserted(text, words, gap, &edits);
                let blank = |needed: bool| if needed { " " } else { "" };
                let (before, behind) = (&text[..place], &text[place..]);
                let touches = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
                Edit {
                    before: blank(touches(before.chars().next_back())),
                    behind: blank(touches(behind.chars().next())),
                    ..replace(place..place, piece)
                }
            }
        });
    }
    edits.sort_by_key(|edit| (edit.bytes.start, edit.bytes.end, edit.piece));
    edits
}

/// Some bytes with the blanks before them, or at the start of the text those behind.
fn with_blank(text: &str, bytes: Range<usize>) -> Range<usize> {
    let before = text[..bytes.start].trim_end().len();
    let behind = text.len() - text[bytes.end..].trim_start().len();
    if before > 0 { before..bytes.end } else { 0..behind }
}

/// Where to insert before a word; behind what is replaced there.
fn inserted(text: &str, words: &[Range<usize>], gap: usize, edits: &[Edit]) -> usize {
    let place = words.get(gap).map_or(text.len(), |word| word.start);
    let inside = edits.iter().find(|edit| edit.bytes.start < place && place < edit.bytes.end);
    inside.map_or(place, |edit| edit.bytes.end)
}

/// Where a piece stands in a text, not as a part of a longer word.
fn copies(text: &str, piece: &str) -> Vec<Range<usize>> {
    let joined = |before: Option<char>, behind: Option<char>| {
        before.is_some_and(is_word_character) && behind.is_some_and(is_word_character)
    };
    let places = text.match_indices(piece).map(|(at, _)| at..at + piece.len());
    let alone = |copy: &Range<usize>| {
        !joined(text[..copy.start].chars().next_back(), piece.chars().next())
            && !joined(piece.chars().next_back(), text[copy.end..].chars().next())
    };
    places.filter(alone).collect()
}

/// The runs of words that are free.
fn free_runs(words: &[Range<usize>], is_free: impl Fn(&Range<usize>) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (number, _) in words.iter().enumerate().filter(|(_, word)| is_free(word)) {
        match runs.last_mut() {
            Some(run) if run.end == number => run.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs.into_iter()
}

/// The text with its edits, and the bytes of each in it.
fn edited(text: &str, edits: &[Edit]) -> (String, Vec<Range<usize>>) {
    let (mut out, mut places, mut cursor) = (String::new(), Vec::new(), 0);
    for edit in edits {
        out.push_str(&text[cursor..edit.bytes.start]);
        out.push_str(edit.before);
        places.push(out.len()..out.len() + edit.text.len());
        out.push_str(edit.text);
        out.push_str(edit.behind);
        cursor = edit.bytes.end;
    }
    out.push_str(&text[cursor..]);
    (out, places)
}

/// The alignment of the edited text: a piece is a token that looks at itself in the source.
fn realigned(
    alignment: &Alignment,
    text: &str,
    pieces: &[Range<usize>],
    edits: &[Edit],
    places: &[Range<usize>],
) -> Option<Alignment> {
    let (source, target) = (alignment.source(), alignment.target());
    let mut rows: Vec<(Token, Vec<f32>)> = Vec::new();
    for (token, row) in target.tokens().iter().zip(alignment.rows()) {
        let Some(span) = token.span() else { continue };
        let shown = span.end - target.text()[span.clone()].trim_start().len();
        let is_changed = |edit: &Edit| edit.bytes.start < span.end && shown < edit.bytes.end;
        if !edits.iter().any(is_changed) {
            let start = moved(shown, edits, places, |edit| edit.bytes.end <= shown);
            // What is inserted where a token ends comes behind it.
            let end = moved(span.end, edits, places, |edit| edit.bytes.start < span.end);
            rows.push((Token::new(token.label(), start..end.max(start)), row.to_vec()));
        }
    }
    for (edit, place) in edits.iter().zip(places) {
        let Some(piece) = edit.piece else { continue };
        rows.push((Token::new(edit.text, place.clone()), looking_at(source, &pieces[piece])));
    }
    rows.sort_by_key(|(token, _)| token.span().map(|span| (span.start, span.end)));
    if target.has_end() {
        rows.push((Token::end(), alignment.rows().last().unwrap_or_default().to_vec()));
    }
    let (tokens, weights): (Vec<Token>, Vec<Vec<f32>>) = rows.into_iter().unzip();
    Alignment::new(source.clone(), Sentence::new(text, tokens).ok()?, weights.concat()).ok()
}

/// Where a byte that is not part of an edit is in the edited text, given which edits come before it.
fn moved(byte: usize, edits: &[Edit], places: &[Range<usize>], is_before: impl Fn(&Edit) -> bool) -> usize {
    let before = edits.iter().zip(places).take_while(|(edit, _)| is_before(edit)).last();
    before.map_or(byte, |(edit, place)| place.end + edit.behind.len() + byte - edit.bytes.end)
}

/// A row that looks at some bytes of the source, at all their tokens alike.
fn looking_at(source: &Sentence, piece: &Range<usize>) -> Vec<f32> {
    let touches = |token: &Token| token.span().is_some_and(|span| span.start < piece.end && piece.start < span.end);
    let touched: Vec<bool> = source.tokens().iter().map(touches).collect();
    let share = 1.0 / touched.iter().filter(|touched| **touched).count().max(1) as f32;
    touched.into_iter().map(|touched| if touched { share } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<&str> {
        Protect::usual_and(vec![]).find(text).into_iter().map(|piece| &text[piece]).collect()
    }

    #[test]
    fn usual_pieces_are_found() {
        for (text, pieces) in [
            (
                "see https://example.org/a?b=c_d#e, or (www.example.org).",
                vec!["https://example.org/a?b=c_d#e", "www.example.org"],
            ),
            ("write to a.b+c@example.co.uk.", vec!["a.b+c@example.co.uk"]),
            ("{name} has {{ count }} of ${x}, {}", vec!["{name}", "{{ count }}", "${x}", "{}"]),
            ("%s is %1$d, %(name)s, %5.2f; 100 % sure, 5% down", vec!["%s", "%1$d", "%(name)s", "%5.2f"]),
            ("%@ of %1$@, %lx%@s", vec!["%@", "%1$@", "%lx", "%@"]),
            ("<0>here</0> <1/> a < b > c, mail me@home", vec!["<0>", "</0>", "<1/>"]),
        ] {
            assert_eq!(found(text), pieces);
        }
    }

    #[test]
    fn the_longer_of_pieces_that_overlap_is_kept() {
        let protect = Protect::usual_and(vec![Regex::new(r"\d+").unwrap(), Regex::new(r"x*").unwrap()]);
        let text = "7 {a8} 90";
        let pieces: Vec<&str> = protect.find(text).into_iter().map(|piece| &text[piece]).collect();
        assert_eq!(pieces, ["7", "{a8}", "90"]);
    }

    /// The translation with the pieces of its source; every target word looks at one source word.
    fn restored(source: &str, target: &[&str], links: &[usize]) -> Candidate {
        let sentence = Sentence::from_words(source.split(' ')).with_end();
        let row = |&link: &usize| (0..sentence.len()).map(move |j| if j == link { 1.0 } else { 0.0 });
        let weights = links.iter().flat_map(row).collect();
        let target = Sentence::from_words(target);
        let text = target.text().to_owned();
        let alignment = Some(Alignment::new(sentence.clone(), target, weights).unwrap());
        let mut candidate = Candidate { text, alignment, ..Candidate::default() };
        Protect::restore(source, &Protect::usual_and(vec![]).find(source), &mut candidate);
        candidate
    }

    #[test]
    fn pieces_replace_what_looked_at_them() {
        let text = |source, target: &[&str], links: &[usize]| restored(source, target, links).text;
        assert_eq!(text("go to {a} now", &["va", "à", "un", "deux", "là"], &[0, 1, 2, 2, 3]), "va à {a} là");
        assert_eq!(text("go to {a} now", &["va", "{a}", "à", "là"], &[0, 1, 2, 3]), "va {a} à là", "a copy stays");
        assert_eq!(text("go to {a} now", &["va", "{a}", "à", "{a}"], &[0, 1, 2, 3]), "va {a} à", "but one");
        assert_eq!(text("go to {a} now", &["va", "à", "là"], &[0, 1, 3]), "va à {a} là", "between its neighbours");
        assert_eq!(text("{a} now", &["là"], &[1]), "{a} là");
        assert_eq!(text("go {a} {b}", &["va"], &[0]), "va {a} {b}");
        assert_eq!(text("{a} and {b}", &["x", "et", "y"], &[2, 1, 0]), "{b} et {a}");
        assert_eq!(text("{a} and {a}", &["x", "et", "{a}"], &[0, 1, 2]), "{a} et {a}");
    }

    #[test]
    fn alignments_follow() {
        let candidate = restored("go to {a} now", &["va", "un", "deux", "là"], &[0, 2, 2, 3]);
        let alignment = candidate.alignment.unwrap();
        assert_eq!(alignment.target().text(), "va {a} là");
        let labels: Vec<&str> = alignment.target().tokens().iter().map(Token::label).collect();
        let spans: Vec<_> = alignment.target().tokens().iter().map(|token| token.span().unwrap()).collect();
        assert_eq!((labels, spans), (vec!["va", "{a}", "là"], vec![0..2, 3..6, 7..10]));
        let best: Vec<usize> = alignment.best_links().sure().map(|link| link.target).collect();
        assert_eq!(best, [0, 1, 2]);
        let inserted = restored("go {a} {b}", &["va"], &[0]).alignment.unwrap();
        let spans: Vec<_> = inserted.target().tokens().iter().map(|token| token.span().unwrap()).collect();
        assert_eq!(spans, [0..2, 3..6, 7..10]);
    }

    proptest! {
        #[test]
        fn every_piece_comes_as_often_as_it_came(
            source in prop::collection::vec(prop_oneof!["[ab]{1,2}", "\\{[ab]\\}", Just("%s".to_owned())], 1..8),
            target in prop::collection::vec(prop_oneof!["[ab]{1,2}", "\\{[ab]\\}", Just("%s,".to_owned())], 0..8),
            links in prop::collection::vec(0usize..8, 8),
        ) {
            let text = source.join(" ");
            let target: Vec<&str> = target.iter().map(String::as_str).collect();
            let links: Vec<usize> = links[..target.len()].iter().map(|link| link % (source.len() + 1)).collect();
            if target.is_empty() {
                return Ok(());
            }
            let candidate = restored(&text, &target, &links);
            for piece in source.iter().filter(|word| word.starts_with(['{', '%'])) {
                let count = |text: &str| text.matches(piece.as_str()).count();
                prop_assert_eq!(count(&candidate.text), count(&text), "{} from {}", candidate.text, text);
            }
            let alignment = candidate.alignment.unwrap();
            prop_assert_eq!(alignment.target().text(), candidate.text);
        }
    }
}
