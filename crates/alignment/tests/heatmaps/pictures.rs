//! Heatmaps as SVG and PNG. With `RNNSEARCH_PICTURES=DIR` the pictures are written there, to be looked at.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use resvg::tiny_skia::Pixmap;
use resvg::usvg::{self, fontdb};
use rnnsearch_alignment::heatmap::{Palette, Rendered, Style, Theme, png, svg};
use rnnsearch_alignment::{Alignment, AlignmentError, Fonts, Sentence};

use crate::examples;

static FONTS: LazyLock<Fonts> = LazyLock::new(Fonts::shipped);

/// The PNG of an alignment, kept for the eye if asked for.
fn drawn(name: &str, alignment: &Alignment, style: &Style) -> Rendered {
    let rendered = png(alignment, style, &FONTS, 2.0).unwrap();
    if let Some(folder) = std::env::var_os("RNNSEARCH_PICTURES").map(std::path::PathBuf::from) {
        std::fs::write(folder.join(format!("{name}.png")), &rendered.bytes).unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), svg(alignment, style, &FONTS)).unwrap();
    }
    rendered
}

fn style(title: &str, caption: &str) -> Style {
    Style { title: Some(title.into()), caption: Some(caption.into()), ..Style::default() }
}

fn single(source: &str, target: &str) -> Alignment {
    Alignment::new(Sentence::from_words([source]), Sentence::from_words([target]), vec![1.0]).unwrap()
}

#[test]
fn no_shipped_script_lacks_a_glyph() {
    let pictures = [
        ("french", examples::french(), style("English → French", "Each row is a distribution over the English words.")),
        ("arabic", examples::arabic(), Style::default()),
        ("chinese", examples::chinese(), style("我昨天在图书馆读了三本书。", "")),
        ("hindi", examples::hindi(), Style::default()),
        ("scripts", examples::scripts(), Style::default()),
        ("long", examples::long(), style("Sixty words", "")),
        ("dark", examples::french(), Style { theme: Theme::Dark, ..style("English → French", "On a dark page.") }),
        ("grey", examples::french(), Style { palette: Palette::Grey, ..Style::default() }),
        ("dark-grey", examples::hindi(), Style { palette: Palette::Grey, theme: Theme::Dark, ..Style::default() }),
    ];
    for (name, alignment, style) in pictures {
        let rendered = drawn(name, &alignment, &style);
        assert_eq!(rendered.missing, [], "{name}");
        let size = |at: usize| u32::from_be_bytes(rendered.bytes[at..at + 4].try_into().unwrap());
        assert_eq!((size(16), size(20)), (rendered.width, rendered.height));
    }
}

#[test]
fn a_script_without_a_font_is_reported() {
    let alignment = single("𒀀𒁀", "a𓀀");
    let rendered = png(&alignment, &style("ᚠ title", "𒀀 caption"), &FONTS, 1.0).unwrap();
    assert_eq!(rendered.missing, ['ᚠ', '𒀀', '𒁀', '𓀀']);
}

#[test]
fn fonts_of_the_system_can_only_help() {
    let missing = |fonts: &Fonts| png(&single("⠃ⵣ", "ᚠ𒀀"), &Style::default(), fonts, 1.0).unwrap().missing;
    let (without, with) = (missing(&FONTS), missing(&Fonts::shipped().with_system()));
    assert_eq!(without, ['ᚠ', '⠃', 'ⵣ', '𒀀']);
    assert!(with.iter().all(|c| without.contains(c)), "{with:?}");
    println!("not on this system: {with:?}");
}

#[test]
fn labels_of_several_scripts_lack_no_glyph() {
    for label in ["GPTमें", "كتاب.كتاب", "3D-фильм", "iPhone手机", "e\u{301}汉", "ש\"ס", "ก็ok"]
    {
        assert_eq!(png(&single("a", label), &Style::default(), &FONTS, 1.0).unwrap().missing, [], "{label}");
    }
}

#[test]
fn impossible_sizes_are_refused() {
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = png(&single("a", "b"), &Style::default(), &FONTS, scale).unwrap_err();
        assert!(matches!(error, AlignmentError::Scale(_)), "{error}");
    }
    let error = png(&single("a", "b"), &Style::default(), &FONTS, 1e9).unwrap_err();
    assert!(error.to_string().ends_with("more than 67108864 in all: use a smaller scale, or SVG"), "{error}");
    let tiny = png(&single("a", "b"), &Style::default(), &FONTS, 1e-6).unwrap();
    assert_eq!((tiny.width, tiny.height), (1, 1));
}

#[test]
fn the_svg_is_what_it_was() {
    let alignment = Alignment::new(
        Sentence::from_words(["zone", "<économique>"]).with_end(),
        Sentence::from_words(["area", "عربي"]),
        vec![0.75, 0.25, 0.0, 0.125, 0.5, 0.375],
    );
    insta::assert_snapshot!(svg(&alignment.unwrap(), &style("A & B", "two words each"), &FONTS));
}

#[test]
fn the_same_alignment_gives_the_same_bytes() {
    let (alignment, style) = (examples::scripts(), style("title", "caption"));
    assert_eq!(svg(&alignment, &style, &FONTS), svg(&alignment, &style, &Fonts::shipped()));
    assert_eq!(png(&alignment, &style, &FONTS, 1.0).unwrap(), png(&alignment, &style, &Fonts::shipped(), 1.0).unwrap());
}

#[test]
fn eighty_words_each_way_make_a_picture_of_bounded_size() {
    let words: Vec<String> = (0..80).map(|i| format!("word{i}")).collect();
    let alignment = Alignment::new(Sentence::from_words(&words), Sentence::from_words(&words), vec![0.0125; 6400]);
    let svg = svg(&alignment.unwrap(), &Style::default(), &FONTS);
    assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
}

#[test]
fn long_labels_are_shortened_and_told_whole_in_a_tooltip() {
    let word = "Donaudampfschifffahrtsgesellschaftskapitänsmütze";
    let svg = svg(&single(word, "cap"), &Style::default(), &FONTS);
    assert!(svg.contains(&format!("<title>{word}</title>Donaudampf")), "{svg}");
    assert!(svg.contains("…</text>"));
}

/// Where text is, as set in the shipped fonts.
fn text_boxes(svg: &str) -> Vec<usvg::Rect> {
    fn collect(group: &usvg::Group, boxes: &mut Vec<usvg::Rect>) {
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => collect(group, boxes),
                usvg::Node::Text(text) => boxes.push(text.abs_bounding_box()),
                _ => {}
            }
        }
    }
    let mut boxes = Vec::new();
    collect(tree(svg).root(), &mut boxes);
    boxes
}

/// The same places written as the renderer, which knows no direction, understands them.
fn left_to_right(svg: &str) -> String {
    let right_to_left = " direction=\"rtl\"";
    let end = " text-anchor=\"end\"";
    svg.replace(&format!("{end}{right_to_left}"), "").replace(right_to_left, end)
}

fn tree(svg: &str) -> usvg::Tree {
    static DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut database = fontdb::Database::new();
        database.load_fonts_dir("fonts");
        Arc::new(database)
    });
    let options = usvg::Options { fontdb: DATABASE.clone(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options).unwrap()
}

prop_compose! {
    /// An alignment of any words, often of scripts that are shaped or wide.
    fn alignments()(
        source in prop::collection::vec(prop_oneof!["[a-zA-ZéأبتथमहिWM汉]{1,12}", ".{0,12}"], 1..=60),
        target in prop::collection::vec(prop_oneof!["[a-z]{1,9}", ".{0,30}"], 1..=60),
        seed in any::<u32>(),
    ) -> Alignment {
        let weight = |cell: usize| ((cell as u32).wrapping_mul(2654435761) ^ seed) as f32 / u32::MAX as f32;
        let weights = (0..source.len() * target.len()).map(weight).collect();
        Alignment::new(Sentence::from_words(source), Sentence::from_words(target), weights).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_text_is_clipped(alignment in alignments(), title in ".{0,80}") {
        let svg = left_to_right(&svg(&alignment, &style(&title, &title), &FONTS));
        let size = tree(&svg).size();
        for text in text_boxes(&svg) {
            let inside = text.left() >= 0.0 && text.top() >= 0.0 && text.right() <= size.width() && text.bottom() <= size.height();
            prop_assert!(inside, "{text:?} is not inside {size:?}");
        }
    }

    #[test]
    fn any_text_makes_valid_xml(alignment in alignments(), title in ".{0,80}") {
        let svg = svg(&alignment, &style(&title, &title), &FONTS);
        let document = usvg::roxmltree::Document::parse(&svg).unwrap();
        let cells = document.descendants().filter(|node| node.parent().is_some_and(|p| p.attribute("class") == Some("cells")));
        prop_assert_eq!(cells.filter(|node| node.is_element()).count(), alignment.weights().len());
        let allowed = |c: char| !c.is_control() || c == '\n';
        prop_assert!(svg.chars().all(allowed));
    }

    #[test]
    fn nothing_touches_the_edge_of_a_png(alignment in alignments(), title in ".{0,80}") {
        let picture = Pixmap::decode_png(&png(&alignment, &style(&title, &title), &FONTS, 0.5).unwrap().bytes).unwrap();
        let (width, height) = (picture.width(), picture.height());
        let edge = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]).chain((0..height).flat_map(|y| [(0, y), (width - 1, y)]));
        for (x, y) in edge {
            let pixel = picture.pixel(x, y).unwrap();
            prop_assert!(pixel.red() > 250, "{pixel:?} at {x}, {y}");
        }
    }

    #[test]
    fn any_alignment_makes_a_png(alignment in alignments()) {
        let rendered = png(&alignment, &Style::default(), &FONTS, 0.2).unwrap();
        let labels = || alignment.source().tokens().iter().chain(alignment.target().tokens()).map(|token| token.label());
        prop_assert!(rendered.missing.iter().all(|c| labels().any(|label| label.contains(*c))));
    }
}
