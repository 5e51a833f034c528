//! Inline markup: tags are taken off a text before it is translated, and put into its translation by the alignment.
//!
//! What is put back is well-formed whenever what came was: every element becomes one run of words inside that of its parent, and
//! beside those of its brothers. Tags that stand alone, such as `<br/>`, comments, and tags without a partner, are put where what
//! stood before them ends.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::Candidate;
use crate::looks::Looks;
use crate::units::is_word_character;

/// A text without its tags, and these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Markup {
    /// The text, its entities resolved.
    pub text: String,
    elements: Vec<Element>,
}

/// An opening and a closing tag with what is between them; or a tag alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Element {
    open: String,
    /// Empty for a tag alone.
    close: String,
    /// The bytes of the text between them.
    span: Range<usize>,
    children: Vec<Element>,
}

/// An element that is not closed yet.
struct Unclosed {
    name: String,
    element: Element,
}

/// A tag, or where a comment may begin. A name that begins with a digit has no attributes: `1 <2 and 3> 2` holds no tag.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    let name = r#"(?<name>[A-Za-z][\w:.-]*)(?:\s(?:[^<>"']|"[^"]*"|'[^']*')*?)?"#;
    Regex::new(&format!(r"<!--|<(?<closes>/?)(?:{name}|(?<number>[0-9][\w:.-]*)\s*)(?<alone>/?)>")).expect("a pattern")
});

/// An entity, or the mark that begins one.
static ENTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"&(?:(?:#(?<decimal>\d+)|#[xX](?<hex>[0-9A-Fa-f]+)|(?<name>\w+));)?").expect("a pattern")
});

/// Elements of HTML that have no content.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// Elements of HTML between which words do not go on.
const BLOCKS: [&str; 17] =
    ["br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "table", "td", "th", "tr", "ul"];

/// The most elements within each other; what is deeper stands alone.
const DEEPEST: usize = 200;

/// A tag or a comment.
struct Tag {
    bytes: Range<usize>,
    /// In lower case; none for a comment.
    name: Option<String>,
    closes: bool,
    /// Whether it is an element by itself.
    alone: bool,
}

/// The tags and comments of a text, from left to right.
fn tags(text: &str) -> Vec<Tag> {
    let (mut tags, mut at, mut may_be_comments) = (Vec::new(), 0, true);
    while let Some(found) = TAG.captures_at(text, at) {
        let Range { start, end } = found.get(0).expect("a match").range();
        at = end;
        let name = found.name("name").or(found.name("number")).map(|name| name.as_str().to_lowercase());
        if name.is_none() {
            // Once no comment ends, none that begins later does: the text is searched for it but once.
            let length = if may_be_comments { text[at..].find("-->") } else { None };
            may_be_comments = length.is_some();
            let Some(length) = length else { continue };
            at += length + "-->".len();
        }
        let is = |group: &str| found.name(group).is_some_and(|mark| !mark.is_empty());
        tags.push(Tag { bytes: start..at, closes: is("closes"), alone: name.is_none() || is("alone"), name });
    }
    tags
}

impl Markup {
    /// Takes the tags off a text. What looks like a tag or an entity and is none is text.
    pub fn parse(marked: &str) -> Self {
        let mut markup = Self { text: String::new(), elements: Vec::new() };
        let (mut open, mut cursor, mut broken): (Vec<Unclosed>, usize, bool) = (Vec::new(), 0, false);
        for Tag { bytes, name, closes, alone: is_alone } in tags(marked) {
            markup.push(&resolved(&marked[cursor..bytes.start]), &mut broken);
            cursor = bytes.end;
            let is_of = |names: &[&str]| name.as_deref().is_some_and(|name| names.contains(&name));
            let is_alone = is_alone || is_of(&VOID);
            // An opportunity for a line break is inside of a word.
            broken |= is_of(&BLOCKS) || is_of(&VOID) && !is_of(&["wbr"]);
            let open_tag = marked[bytes].to_owned();
            let alone = Element { open: open_tag, close: String::new(), span: markup.here(), children: Vec::new() };
            match name {
                Some(name) if !is_alone && !closes && open.len() < DEEPEST => {
                    open.push(Unclosed { name, element: alone })
                }
                Some(name) if !is_alone && closes => markup.close(&mut open, &name, alone),
                _ => markup.add(&mut open, alone),
            }
        }
        markup.push(&resolved(&marked[cursor..]), &mut broken);
        while let Some(unclosed) = open.pop() {
            markup.stand_alone(&mut open, unclosed);
        }
        markup
    }

    /// Where the text ends so far.
    fn here(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }

    /// Adds text; where it was `broken`, as by a line break, words on both sides are not one; a full stop stays where it is.
    fn push(&mut self, text: &str, broken: &mut bool) {
        let Some(first) = text.chars().next() else { return };
        let touched = self.text.chars().next_back().is_some_and(|last| !last.is_whitespace());
        let begins = is_word_character(first) || "\"'“„‚‘«‹([{¿¡".contains(first);
        if *broken && touched && begins {
            self.text.push(' ');
        }
        *broken = false;
        self.text.push_str(text);
    }

    fn add(&mut self, open: &mut [Unclosed], element: Element) {
        open.last_mut().map_or(&mut self.elements, |parent| &mut parent.element.children).push(element);
    }

    /// Closes the last open element of a name; what was opened since stands alone, and so does a tag that closes nothing.
    fn close(&mut self, open: &mut Vec<Unclosed>, name: &str, tag: Element) {
        if !open.iter().any(|unclosed| unclosed.name == name) {
            return self.add(open, tag);
        }
        while let Some(mut unclosed) = open.pop() {
            if unclosed.name == name {
                unclosed.element.close = tag.open;
                unclosed.element.span.end = self.text.len();
                return self.add(open, unclosed.element);
            }
            self.stand_alone(open, unclosed);
        }
    }

    fn stand_alone(&mut self, open: &mut [Unclosed], unclosed: Unclosed) {
        let mut element = unclosed.element;
        let children = std::mem::take(&mut element.children);
        self.add(open, element);
        children.into_iter().for_each(|child| self.add(open, child));
    }

    /// Puts the tags into a translation of the text, whose own `<`, `>` and `&` become entities.
    pub fn restore(&self, candidate: &mut Candidate) {
        let looks = Looks::new(candidate.alignment.as_ref(), &self.text);
        let mut writer = Writer { text: &candidate.text, looks: &looks, out: String::new(), cursor: 0 };
        writer.elements(&self.elements, 0..looks.words().len(), candidate.text.len());
        writer.text_up_to(candidate.text.len());
        candidate.text = writer.out;
    }
}

/// Writes a translation with its tags.
struct Writer<'a> {
    text: &'a str,
    looks: &'a Looks,
    out: String,
    /// The byte of the text up to which it is written.
    cursor: usize,
}

impl Writer<'_> {
    /// Writes elements whose parent is the words `within`, which end at a byte.
    fn elements(&mut self, elements: &[Element], within: Range<usize>, end: usize) {
        let place = |element: &Element| {
            let run = if element.close.is_empty() { None } else { self.looks.run(&element.span, within.clone()) };
            run.unwrap_or_else(|| {
                let gap = self.looks.gap(element.span.start, within.clone());
                gap..gap
            })
        };
        let mut placed: Vec<(Range<usize>, &Element)> =
            elements.iter().map(|element| (place(element), element)).collect();
        placed.sort_by_key(|(words, _)| (words.start, words.end));
        let mut free = within.start;
        for (words, element) in placed {
            // What its brothers hold already is theirs.
            let words = words.start.max(free)..words.end.max(free);
            free = words.end;
            let byte = |word: usize| if word < within.end { self.looks.words()[word].start } else { end };
            let (start, end) = match words.is_empty() {
                true => (byte(words.start).max(self.cursor), byte(words.start).max(self.cursor)),
                false => (byte(words.start), self.looks.words()[words.end - 1].end),
            };
            self.text_up_to(start);
            self.out.push_str(&element.open);
            self.elements(&element.children, words, end);
            self.text_up_to(end);
            self.out.push_str(&element.close);
        }
    }

    fn text_up_to(&mut self, byte: usize) {
        self.out.push_str(&escaped(&self.text[self.cursor..byte]));
        self.cursor = byte;
    }
}

/// Text with its entities as characters; an entity that is not known stays.
fn resolved(text: &str) -> String {
    let known = |found: &Captures| character(found).map_or_else(|| found[0].to_owned(), String::from);
    ENTITY.replace_all(text, known).into_owned()
}

/// The character that an entity is; none if it is not known.
fn character(found: &Captures) -> Option<char> {
    let number = |group: &str, base| char::from_u32(u32::from_str_radix(found.name(group)?.as_str(), base).ok()?);
    let named = || match found.name("name")?.as_str() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => None,
    };
    number("decimal", 10).or_else(|| number("hex", 16)).or_else(named)
}

/// Text with entities for its characters of markup; an entity that is not known stays, as it did in the source.
fn escaped(text: &str) -> String {
    let escape = |found: &Captures| match found[0].len() > 1 && character(found).is_none() {
        true => found[0].to_owned(),
        false => format!("&amp;{}", &found[0][1..]),
    };
    ENTITY.replace_all(text, escape).replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rnnsearch_alignment::{Alignment, Sentence};

    use super::*;

    fn candidate(source: &str, target: &[&str], weights: Vec<f32>) -> Candidate {
        let words: Vec<Range<usize>> =
            Sentence::from_spans(source, &[]).unwrap().words(rnnsearch_alignment::Segmentation::Words);
        let source = Sentence::from_spans(source, &words).unwrap();
        let target = Sentence::from_words(target);
        let text = target.text().to_owned();
        Candidate { text, alignment: Some(Alignment::new(source, target, weights).unwrap()), ..Candidate::default() }
    }

    /// The text with a word of the source for each word of the target.
    fn restored(marked: &str, target: &[&str], links: &[usize]) -> String {
        let markup = Markup::parse(marked);
        let count =
            Sentence::from_spans(&*markup.text, &[]).unwrap().words(rnnsearch_alignment::Segmentation::Words).len();
        let weights =
            links.iter().flat_map(|&link| (0..count).map(move |j| if j == link { 1.0 } else { 0.0 })).collect();
        let mut candidate = candidate(&markup.text, target, weights);
        markup.restore(&mut candidate);
        candidate.text
    }

    #[test]
    fn tags_go_with_their_words() {
        let restored = |marked: &str| restored(marked, &["chat", "rouge", "dort"], &[1, 0, 2]);
        assert_eq!(restored("<b>red</b> cat sleeps"), "chat <b>rouge</b> dort");
        assert_eq!(restored("<p><i>red <b>cat</b></i> sleeps</p>"), "<p><i><b>chat</b> rouge</i> dort</p>");
        assert_eq!(restored("<b>red</b><i> cat</i> sleeps"), "<i>chat</i> <b>rouge</b> dort");
        assert_eq!(restored("red cat<br>sleeps"), "chat rouge <br>dort");
        assert_eq!(restored("red cat <a href=\"x>y\" id='1'>sleeps</a>"), "chat rouge <a href=\"x>y\" id='1'>dort</a>");
        assert_eq!(restored("red cat sleeps<img src=a/>"), "chat rouge dort<img src=a/>");
        assert_eq!(restored("<0>red cat</0> sleeps<!-- > -->"), "<0>chat rouge</0> dort<!-- > -->");
    }

    #[test]
    fn what_is_no_tag_is_text() {
        let markup = Markup::parse("1 < 2 &amp; 3 &gt; 2 &foo; &#65;&#x42; <é> a<");
        assert_eq!((markup.text.as_str(), markup.elements.len()), ("1 < 2 & 3 > 2 &foo; AB <é> a<", 0));
        let mut candidate = Candidate { text: markup.text.clone(), ..Candidate::default() };
        markup.restore(&mut candidate);
        assert_eq!(candidate.text, "1 &lt; 2 &amp; 3 &gt; 2 &foo; AB &lt;é&gt; a&lt;");
        let markup = Markup::parse("1 <2 and 3> 2 &hellip; &amp;lt;");
        assert_eq!((markup.text.as_str(), markup.elements.len()), ("1 <2 and 3> 2 &hellip; &lt;", 0));
        assert_eq!(escaped(&markup.text), "1 &lt;2 and 3&gt; 2 &hellip; &amp;lt;");
    }

    #[test]
    fn words_of_blocks_are_apart() {
        for (marked, text) in [
            ("<ul><li>eins</li><li>zwei</li></ul>drei", "eins zwei drei"),
            ("<p>A.</p><P>„B.“</P>", "A. „B.“"),
            ("a<br>b<hr/>c <h2>d</h2>e", "a b c d e"),
            ("Donau<wbr>dampf<b>schiff</b>", "Donaudampfschiff"),
        ] {
            assert_eq!(Markup::parse(marked).text, text);
        }
    }

    #[test]
    fn long_lines_take_no_longer_than_their_length_tells() {
        let comments = "<!--<b>".repeat(150_000);
        let markup = Markup::parse(&comments);
        assert_eq!(markup.text.len(), 4 * 150_000);
    }

    #[test]
    fn tags_without_partner_come_back_alone() {
        for marked in ["</b>red <i>cat sleeps", "<b>red <i>cat</b> sleeps</i>"] {
            let text = restored(marked, &["chat", "rouge", "dort"], &[1, 0, 2]);
            assert_eq!(sorted(&text), sorted(marked), "{text}");
        }
        assert_eq!(Markup::parse("<br/><br/>").text, "");
    }

    /// The tags of a text, sorted.
    fn sorted(text: &str) -> Vec<String> {
        let mut tags: Vec<String> = tags(text).into_iter().map(|tag| text[tag.bytes].to_owned()).collect();
        tags.sort();
        tags
    }

    /// A text without its tags, its entities resolved.
    fn plain_of(text: &str) -> String {
        let (mut plain, mut cursor) = (String::new(), 0);
        for tag in tags(text) {
            plain.push_str(&text[cursor..tag.bytes.start]);
            cursor = tag.bytes.end;
        }
        resolved(&(plain + &text[cursor..]))
    }

    fn is_well_formed(text: &str) -> bool {
        let mut open = Vec::new();
        for Tag { name, closes, alone, .. } in tags(text) {
            match (closes, alone) {
                (false, false) => open.push(name),
                (true, _) if open.pop() != Some(name) => return false,
                _ => {}
            }
        }
        open.is_empty()
    }

    /// Well-formed markup around words.
    fn marked() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("red".to_owned()),
            Just(" cat".to_owned()),
            Just(" &amp; ".to_owned()),
            Just("<br/>".to_owned()),
            Just("x<u/>y".to_owned())
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            (0usize..4, prop::collection::vec(inner, 0..5)).prop_map(|(name, children)| {
                let name = ["b", "i", "a", "0"][name];
                format!("<{name}>{}</{name}>", children.concat())
            })
        })
    }

    proptest! {
        #[test]
        fn what_was_well_formed_stays_so(
            marked in prop::collection::vec(marked(), 0..4),
            target in prop::collection::vec("[a-z<&]{1,4}", 1..9),
            random in prop::collection::vec(0.0f32..1.0, 300),
        ) {
            let marked = marked.concat();
            let markup = Markup::parse(&marked);
            prop_assert!(is_well_formed(&marked));
            let target: Vec<&str> = target.iter().map(String::as_str).collect();
            let columns = Sentence::from_spans(&*markup.text, &[]).unwrap().words(rnnsearch_alignment::Segmentation::Words).len();
            let mut found = Candidate { text: target.join(" "), ..Candidate::default() };
            if columns > 0 {
                let weights = (0..columns * target.len()).map(|i| random[i * 7 % random.len()]).collect();
                found = candidate(&markup.text, &target, weights);
            }
            let plain = found.text.clone();
            markup.restore(&mut found);
            prop_assert!(is_well_formed(&found.text), "{} from {marked}", found.text);
            prop_assert_eq!(sorted(&found.text), sorted(&marked));
            prop_assert_eq!(plain_of(&found.text), plain);
        }

        #[test]
        fn any_text_has_its_tags_back(marked in "[<>/ab \"'=&;!-]{0,30}", words in 0usize..4) {
            let markup = Markup::parse(&marked);
            let text = vec!["a"; words].join(" ");
            let mut found = Candidate { text: text.clone(), ..Candidate::default() };
            markup.restore(&mut found);
            prop_assert_eq!(sorted(&found.text), sorted(&marked));
            prop_assert_eq!(plain_of(&found.text), text);
        }
    }
}
