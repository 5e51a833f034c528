//! Alignments of many sentence pairs as one HTML page that needs nothing else: no network, no other file.
//!
//! The page is `html/page.html`, `page.css` and `page.js`, written by hand, with the pairs as JSON in a `<script>` of a type
//! that no browser runs. The script of the page puts their text into the document as text only, never as HTML, and a content
//! security policy forbids the page to load anything. The fields of [`Page`] are the fields of the JSON.
//!
//! ```
//! use rnnsearch_alignment::html::{Candidate, Matrix, Page, Pair};
//! use rnnsearch_alignment::{Alignment, Sentence};
//!
//! let source = Sentence::from_words(["zone", "économique"]);
//! let target = Sentence::from_words(["economic", "area"]);
//! let alignment = Alignment::new(source, target, vec![0.1, 0.9, 0.8, 0.2])?;
//!
//! let words = Some(Matrix::new(&alignment, &alignment));
//! let candidate = Candidate { text: "economic area".into(), words, ..Candidate::default() };
//! let pair = Pair { number: 1, source: "zone économique".into(), candidates: vec![candidate], ..Pair::default() };
//! let page = Page { title: "An example".into(), total: 1, pairs: vec![pair], ..Page::default() };
//!
//! let mut html = Vec::new();
//! page.write(&mut html)?;
//! assert!(String::from_utf8(html)?.contains(r#""weights":[[100,900],[800,200]]"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod gallery;

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::heatmap::{Palette, Theme, visible};
use crate::{Alignment, Link, Links, Sentence};

pub use self::gallery::Gallery;

const HTML: &str = include_str!("html/page.html");
const CSS: &str = include_str!("html/page.css");
const JS: &str = include_str!("html/page.js");

/// What a page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// The colours to begin with; without them, those that the reader's system asks for.
    #[serde(serialize_with = "theme")]
    pub theme: Option<Theme>,
    /// The hue of weights.
    #[serde(serialize_with = "palette")]
    pub palette: Palette,
    /// Whether sub-words are shown first, where both are known.
    pub subwords: bool,
    /// The number of pairs that there were: more than are in the page, if it was limited.
    pub total: usize,
    /// The pairs, in order.
    pub pairs: Vec<Pair>,
}

/// A source sentence and what it was, or may be, translated to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pair {
    /// Its number in the corpus, from 1.
    pub number: usize,
    /// The source sentence.
    pub source: String,
    /// Its translations, best first; at least one.
    pub candidates: Vec<Candidate>,
    /// Links between words that people made; the page compares those of the first candidate with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gold: Option<Gold>,
}

/// A translation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// log p of the text; none if the model did not read it.
    pub log_prob: Option<f64>,
    /// The number of the model's tokens that this is the sum over, the end of the sentence included.
    pub length: usize,
    /// By which candidates were ranked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The weights between words; none if a side has none, or the pair was not aligned.
    pub words: Option<Matrix>,
    /// The weights between the model's tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subwords: Option<Matrix>,
    /// Links between words.
    #[serde(serialize_with = "sure_links", skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
}

/// Weights and their labels. Numbers are thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// What is shown for the source tokens: the columns.
    pub source: Vec<String>,
    /// What is shown for the target tokens: the rows.
    pub target: Vec<String>,
    /// `[target tokens][source tokens]`
    pub weights: Vec<Vec<u16>>,
    /// The attention that each source token got from all target tokens together, but not from the end of the sentence.
    pub coverage: Vec<u32>,
    /// Whether the last source token, and the last target token, is the end of the sentence.
    pub ends: [bool; 2],
}

/// Links that people made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Gold {
    /// Which; those that must be found and those that may be.
    #[serde(flatten, serialize_with = "gold_links")]
    pub links: Links,
    /// Alignment error rate of the first candidate's links.
    pub aer: f64,
}

impl Matrix {
    /// The weights of an alignment. `attention` is the model's own between the same tokens, where the weights are made of it: it tells
    /// what was looked at too little or too often. Its sentences may have ends that those of the weights lack.
    ///
    /// # Panics
    ///
    /// If `attention` has fewer source tokens.
    pub fn new(weights: &Alignment, attention: &Alignment) -> Self {
        let labels = |sentence: &Sentence| sentence.tokens().iter().map(|token| visible(token.label())).collect();
        let (source, target) = (weights.source(), weights.target());
        let read = attention.target().len() - usize::from(attention.target().has_end());
        let coverage = |column| attention.rows().take(read).map(|row| row[column]).sum();
        Self {
            source: labels(source),
            target: labels(target),
            weights: weights.rows().map(|row| row.iter().map(|&weight| thousandths(weight) as u16).collect()).collect(),
            coverage: (0..source.len()).map(|column| thousandths(coverage(column))).collect(),
            ends: [source.has_end(), target.has_end()],
        }
    }
}

impl Page {
    /// Writes the page.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut rest = HTML;
        for (mark, content) in [("/* page.css */", CSS), ("{}", self.json()?.as_str()), ("/* page.js */", JS)] {
            let (before, after) = rest.split_once(mark).expect("page.html has every mark, in this order");
            to.write_all(before.as_bytes())?;
            to.write_all(content.as_bytes())?;
            rest = after;
        }
        to.write_all(rest.as_bytes())
    }

    /// The page as JSON in which nothing can end a `<script>`: `<` comes in strings only, where it can be written as an escape.
    fn json(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)?.replace('<', "\\u003c"))
    }
}

fn thousandths(weight: f32) -> u32 {
    (weight * 1000.0).round() as u32
}

fn theme<S: Serializer>(theme: &Option<Theme>, to: S) -> Result<S::Ok, S::Error> {
    let name = theme.map(|theme| match theme {
        Theme::Light => "light",
        Theme::Dark => "dark",
    });
    name.serialize(to)
}

fn palette<S: Serializer>(palette: &Palette, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match palette {
        Palette::Blue => "blue",
        Palette::Grey => "grey",
    })
}

/// `[[source, target], ...]`, counted from 0.
fn places(links: impl Iterator<Item = Link>) -> Vec<[usize; 2]> {
    links.map(|link| [link.source, link.target]).collect()
}

fn sure_links<S: Serializer>(links: &Option<Links>, to: S) -> Result<S::Ok, S::Error> {
    links.as_ref().map(|links| places(links.sure())).serialize(to)
}

/// `"sure": [[source, target], ...], "possible": [...]`
fn gold_links<S: Serializer>(links: &Links, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Fields {
        sure: Vec<[usize; 2]>,
        possible: Vec<[usize; 2]>,
    }
    Fields { sure: places(links.sure()), possible: places(links.possible()) }.serialize(to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Token;

    fn html(page: &Page) -> String {
        let mut html = Vec::new();
        page.write(&mut html).unwrap();
        String::from_utf8(html).unwrap()
    }

    /// The JSON, found as a browser finds it: from the start of its script to the next `</script`.
    fn data(html: &str) -> Value {
        let (_, rest) = html.split_once(r#"<script type="application/json" id="data">"#).unwrap();
        serde_json::from_str(rest.split_once("</script").unwrap().0).unwrap()
    }

    fn page(text: &str) -> Page {
        let sentence = || Sentence::new(text, vec![Token::new(text, 0..text.len())]).unwrap().with_end();
        let alignment = Alignment::new(sentence(), sentence(), vec![0.1234, 0.8766, 0.25, 0.75]).unwrap();
        let matrix = Some(Matrix::new(&alignment.without_end().unwrap(), &alignment));
        let mut links = Links::from_iter([Link { source: 0, target: 0 }]);
        let candidate = Candidate {
            text: text.into(),
            log_prob: Some(-1.5),
            length: 2,
            words: matrix,
            subwords: Some(Matrix::new(&alignment, &alignment)),
            links: Some(links.clone()),
            ..Candidate::default()
        };
        links.insert_possible(Link { source: 0, target: 1 });
        let gold = Some(Gold { links, aer: 0.5 });
        let pair = Pair { number: 7, source: text.into(), candidates: vec![candidate], gold };
        Page { title: text.into(), theme: Some(Theme::Dark), total: 9, pairs: vec![pair], ..Page::default() }
    }

    #[test]
    fn the_data_is_what_was_given() {
        let matrix =
            json!({"source": ["a"], "target": ["a"], "weights": [[123]], "coverage": [123], "ends": [false, false]});
        let subwords = json!({
            "source": ["a", "</s>"], "target": ["a", "</s>"], "weights": [[123, 877], [250, 750]], "coverage": [123, 877],
            "ends": [true, true],
        });
        let candidate = json!({
            "text": "a", "log_prob": -1.5, "length": 2, "words": matrix, "subwords": subwords, "links": [[0, 0]],
        });
        let gold = json!({"sure": [[0, 0]], "possible": [[0, 1]], "aer": 0.5});
        let pair = json!({"number": 7, "source": "a", "candidates": [candidate], "gold": gold});
        let expected = json!({
            "title": "a", "theme": "dark", "palette": "blue", "subwords": false, "total": 9, "pairs": [pair],
        });
        assert_eq!(data(&html(&page("a"))), expected);
    }

    #[test]
    fn hostile_text_stays_data() {
        for text in [
            "</script><script>alert(1)</script>",
            "<!--<script>",
            "\"'`\\",
            "/* page.js */ {} /* page.css */",
            "a\0b\x1b\u{7f}\u{2028}\u{fffe}",
            "\u{202e}abc\u{2066}",
            "مرحبا بالعالم 世界",
        ] {
            let (html, empty) = (html(&page(text)), html(&Page::default()));
            let data = data(&html);
            assert_eq!(data["pairs"][0]["source"], text);
            assert_eq!(data["pairs"][0]["candidates"][0]["text"], text);
            for token in ["<script", "</script", "<!--"] {
                assert_eq!(html.matches(token).count(), empty.matches(token).count(), "{token} in {text}");
            }
        }
    }

    #[test]
    fn the_page_stands_alone() {
        let html = html(&Page::default());
        let svg = "http://www.w3.org/2000/svg";
        assert_eq!(html.matches("http:").count(), html.matches(svg).count());
        for outside in ["https:", "//cdn", "@import", "url(", " src=", "innerHTML", "eval("] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.len() < 48_000, "{} bytes", html.len());
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let data = data(&html(&page(&text)));
            prop_assert_eq!(data["title"].as_str(), Some(text.as_str()));
            prop_assert_eq!(data["pairs"][0]["source"].as_str(), Some(text.as_str()));
        }
    }
}
