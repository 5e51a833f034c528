//! Alignments to draw: sentences of our own with links worked out by hand.

use rnnsearch_alignment::{Alignment, Sentence};

/// An alignment that gives most of each row's weight to the linked source words, the nearest more than the others.
///
/// `links` has the source words of every target word; a word without any looks at the end of the sentence. Both sides get
/// their end, linked with each other.
pub fn linked(source: &[&str], target: &[&str], links: &[&[usize]]) -> Alignment {
    assert_eq!(target.len(), links.len());
    let end = source.len();
    let mut weights = Vec::new();
    for (row, links) in links.iter().copied().chain([[end].as_slice()]).enumerate() {
        let links = if links.is_empty() { &[end] } else { links };
        let nearness = |column: usize| {
            let distance = links.iter().map(|&link| link.abs_diff(column)).min().unwrap_or(0);
            let blur = 0.02 + 0.13 * ((row * 7 + 3) % 5) as f32 / 4.0;
            if distance == 0 { 1.0 } else { blur.powi(distance as i32) }
        };
        let row: Vec<f32> = (0..=end).map(nearness).collect();
        let sum: f32 = row.iter().sum();
        weights.extend(row.iter().map(|weight| weight / sum));
    }
    Alignment::new(Sentence::from_words(source).with_end(), Sentence::from_words(target).with_end(), weights)
        .expect("a distribution in every row")
}

/// English to French: adjectives change places, `ne ... pas` goes around the verb.
pub fn french() -> Alignment {
    linked(
        &["The", "old", "black", "cat", "does", "not", "like", "the", "cold", "winter", "rain", "."],
        &["Le", "vieux", "chat", "noir", "n'", "aime", "pas", "la", "pluie", "froide", "de", "l'", "hiver", "."],
        &[&[0], &[1], &[3], &[2], &[4, 5], &[6], &[5], &[7], &[10], &[8], &[9], &[7, 9], &[9], &[11]],
    )
}

pub fn arabic() -> Alignment {
    linked(
        &["قرأ", "الطالب", "الجديد", "كتابًا", "طويلًا", "في", "المكتبة", "؟"],
        &["The", "new", "student", "read", "a", "long", "book", "in", "the", "library", "?"],
        &[&[1], &[2], &[1], &[0], &[3], &[4], &[3], &[5], &[6], &[6], &[7]],
    )
}

pub fn chinese() -> Alignment {
    linked(
        &["我", "昨", "天", "在", "图", "书", "馆", "读", "了", "三", "本", "书", "。"],
        &["I", "read", "three", "books", "at", "the", "library", "yesterday", "."],
        &[&[0], &[7, 8], &[9, 10], &[11], &[3], &[4], &[4, 5, 6], &[1, 2], &[12]],
    )
}

pub fn hindi() -> Alignment {
    linked(
        &["Yesterday", "my", "sister", "wrote", "a", "long", "letter", "in", "Hindi", "."],
        &["कल", "मेरी", "बहन", "ने", "हिन्दी", "में", "एक", "लम्बी", "चिट्ठी", "लिखी", "।"],
        &[&[0], &[1], &[2], &[3], &[8], &[7], &[4], &[5], &[6], &[3], &[9]],
    )
}

/// Many scripts at once, also within a word.
pub fn scripts() -> Alignment {
    linked(
        &["ἀρχή", "русский", "עברית", "ภาษาไทย", "日本語", "カタカナ", "한국어", "Հայերեն", "ქართული", "GPTमें"],
        &["début", "Größe", "Łódź", "ắ", "العربية", "हिन्दी", "汉字", "▁sous", "x\u{1b}y", "fi\u{200d}"],
        &[&[0], &[1], &[2], &[3], &[4], &[5], &[6], &[7], &[8], &[9]],
    )
}

/// Sixty words a side, going one way, then back, with some long words.
pub fn long() -> Alignment {
    let words = ["time", "flies", "like", "an", "arrow", ",", "unquestionably", "while", "rivers", "run", "to", "sea"];
    let source: Vec<&str> = (0..60).map(|i| words[i % words.len()]).collect();
    let target: Vec<&str> = (0..60).map(|i| words[(i * 5 + 2) % words.len()]).collect();
    let links: Vec<[usize; 1]> = (0..60)
        .map(|i| {
            [if i < 20 {
                i
            } else if i < 40 {
                59 - i
            } else {
                i
            }]
        })
        .collect();
    linked(&source, &target, &links.iter().map(|link| link.as_slice()).collect::<Vec<_>>())
}
