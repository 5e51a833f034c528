//! One set of links from two directions.
//!
//! A model links every target word with a source word, or with none; one of the opposite direction links every source word
//! with a target word. Where both agree, the links are good but few; together they are many but worse. The heuristics of
//! Och & Ney (2003) and Koehn, Och & Marcu (2003), as Moses has them, begin with the former and add links of the latter:
//!
//! ```text
//! grow-diag:  until nothing is added:
//!               for every link so far, by target word, then source word (links added meanwhile included):
//!                 for its neighbours below, left, above, right, then at the corners:
//!                   if either direction has the neighbour, and one of its words has no link: add it
//! final:      for the links of the forward, then those of the reverse direction, in the same order:
//!               if one of its words (final-and: each of them) has no link: add it
//! ```
//!
//! The order matters, since a link that was added takes the place of others.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use crate::{Link, Links};

/// How the links of two directions become one set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symmetrization {
    /// Links of the forward direction alone.
    Forward,
    /// Links of both.
    Intersection,
    /// Links of either.
    Union,
    /// The intersection, grown.
    GrowDiag,
    /// That, with all links whose source or target word has none.
    GrowDiagFinal,
    /// That, with only links whose words both have none.
    GrowDiagFinalAnd,
}

impl Symmetrization {
    /// Merges the links that were found for target words (`forward`) and those found for source words (`reverse`), both with
    /// the source first. Possible links are passed over.
    pub fn merge(self, forward: &Links, reverse: &Links) -> Links {
        let [forward, reverse] = [forward, reverse].map(|links| links.sure().map(point).collect::<BTreeSet<_>>());
        let both = || forward.intersection(&reverse).copied().collect::<BTreeSet<_>>();
        let either = || forward.union(&reverse).copied().collect::<BTreeSet<_>>();
        let grown = || Growing::from(both()).grow(&either());
        let points = match self {
            Self::Forward => forward,
            Self::Intersection => both(),
            Self::Union => either(),
            Self::GrowDiag => grown().points,
            Self::GrowDiagFinal => grown().finish(&forward, false).finish(&reverse, false).points,
            Self::GrowDiagFinalAnd => grown().finish(&forward, true).finish(&reverse, true).points,
        };
        points.into_iter().map(|(target, source)| Link { source, target }).collect()
    }
}

/// A link in the order that links are visited in: target word, source word.
type Point = (usize, usize);

fn point(link: Link) -> Point {
    (link.target, link.source)
}

/// Links so far, and the words that have one.
struct Growing {
    points: BTreeSet<Point>,
    targets: BTreeSet<usize>,
    sources: BTreeSet<usize>,
}

impl From<BTreeSet<Point>> for Growing {
    fn from(points: BTreeSet<Point>) -> Self {
        let (targets, sources) = points.iter().copied().unzip();
        Self { points, targets, sources }
    }
}

impl Growing {
    /// Adds neighbours that are in `either`.
    fn grow(mut self, either: &BTreeSet<Point>) -> Self {
        loop {
            let before = self.points.len();
            let mut next = self.points.first().copied();
            while let Some(point) = next {
                for neighbour in neighbours(point).filter(|neighbour| either.contains(neighbour)) {
                    if !self.has_both(neighbour) {
                        self.add(neighbour);
                    }
                }
                next = self.points.range((Excluded(point), Unbounded)).next().copied();
            }
            if self.points.len() == before {
                return self;
            }
        }
    }

    /// Adds links of one direction whose words have none: one of them, or both.
    fn finish(mut self, direction: &BTreeSet<Point>, both: bool) -> Self {
        for &point in direction {
            let free = if both { !self.has_one(point) } else { !self.has_both(point) };
            if free {
                self.add(point);
            }
        }
        self
    }

    fn has_one(&self, (target, source): Point) -> bool {
        self.targets.contains(&target) || self.sources.contains(&source)
    }

    fn has_both(&self, (target, source): Point) -> bool {
        self.targets.contains(&target) && self.sources.contains(&source)
    }

    fn add(&mut self, point: Point) {
        self.points.insert(point);
        self.targets.insert(point.0);
        self.sources.insert(point.1);
    }
}

/// The points around one, those beside it first.
fn neighbours((target, source): Point) -> impl Iterator<Item = Point> {
    const AROUND: [(isize, isize); 8] = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)];
    let around = move |(down, right)| target.checked_add_signed(down).zip(source.checked_add_signed(right));
    AROUND.into_iter().filter_map(around)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkFormat;
    use proptest::prelude::*;

    const ALL: [Symmetrization; 5] = [
        Symmetrization::Intersection,
        Symmetrization::Union,
        Symmetrization::GrowDiag,
        Symmetrization::GrowDiagFinal,
        Symmetrization::GrowDiagFinalAnd,
    ];

    fn merge(how: Symmetrization, forward: &str, reverse: &str) -> String {
        let links = |text| LinkFormat::Pharaoh.parse(text).unwrap();
        how.merge(&links(forward), &links(reverse)).to_string()
    }

    /// Worked by hand. Both have 0-0 and 3-3. Around 0-0, of the union, stand 0-1 (target 1 has no link: added) and 1-1 (then
    /// source 1 has none: added). Around 1-1: none. Around 3-3: 3-4 (added). Left over are 5-6 and 6-6 of the forward, and 5-7
    /// of the reverse direction, and 3-0, whose words both have links. final takes 5-6, then 6-6 (source 6 is free), then 5-7
    /// (target 7 is free); final-and takes 5-6 alone.
    #[test]
    fn worked_by_hand() {
        let (forward, reverse) = ("0-0 0-1 3-3 3-4 5-6", "0-0 1-1 3-0 3-3 5-7 6-6");
        let expected = [
            "0-0 3-3",
            "0-0 0-1 1-1 3-0 3-3 3-4 5-6 5-7 6-6",
            "0-0 0-1 1-1 3-3 3-4",
            "0-0 0-1 1-1 3-3 3-4 5-6 5-7 6-6",
            "0-0 0-1 1-1 3-3 3-4 5-6",
        ];
        for (how, expected) in ALL.into_iter().zip(expected) {
            assert_eq!(merge(how, forward, reverse), expected, "{how:?}");
        }
    }

    /// Around 1-1 stand 0-1 and 1-0, beside it, and 0-0, at the corner: they are visited in this order, and 0-0 then joins words
    /// that both have links.
    #[test]
    fn what_is_beside_comes_before_what_is_at_the_corner() {
        assert_eq!(merge(Symmetrization::GrowDiag, "1-1 0-0 1-0", "1-1 0-1"), "0-1 1-0 1-1");
        assert_eq!(merge(Symmetrization::GrowDiag, "1-1 0-0", "1-1"), "0-0 1-1");
    }

    /// Growth goes on from links that were added: 1-1, 2-2 and 3-3 are neighbours in a chain from 0-0.
    #[test]
    fn growth_goes_on() {
        assert_eq!(merge(Symmetrization::GrowDiag, "0-0 1-1 2-2 3-3", "0-0"), "0-0 1-1 2-2 3-3");
        assert_eq!(merge(Symmetrization::GrowDiag, "3-3 2-2 1-1 0-0", "3-3"), "0-0 1-1 2-2 3-3");
        assert_eq!(merge(Symmetrization::GrowDiag, "1-1", "3-3"), "", "there is nothing to grow from");
        assert_eq!(merge(Symmetrization::GrowDiagFinalAnd, "1-1 2-3", "3-3 1-2"), "1-1 2-3");
    }

    /// Cases of scripts/reference/symmetrization.py, which has the loops of the Moses manual.
    #[test]
    fn another_program_agrees() {
        let cases = include_str!("../tests/fixtures/symmetrization.txt");
        assert_eq!(cases.lines().count(), 120);
        for case in cases.lines() {
            let fields: Vec<&str> = case.split('|').map(str::trim).collect();
            let [forward, reverse, expected @ ..] = fields.as_slice() else { panic!("{case}") };
            for (how, expected) in ALL[2..].iter().zip(expected) {
                assert_eq!(merge(*how, forward, reverse), **expected, "{how:?} of {case}");
            }
        }
    }

    fn links() -> impl Strategy<Value = Links> {
        let link = (0usize..8, 0usize..8).prop_map(|(source, target)| Link { source, target });
        prop::collection::vec(link, 0..16).prop_map(Links::from_iter)
    }

    proptest! {
        #[test]
        fn each_adds_to_the_one_before(forward in links(), reverse in links()) {
            use Symmetrization::*;
            let merged = |how: Symmetrization| how.merge(&forward, &reverse).sure().collect::<BTreeSet<_>>();
            prop_assert_eq!(Forward.merge(&forward, &reverse), forward.clone());
            prop_assert!(merged(Intersection).is_subset(&merged(GrowDiag)));
            prop_assert!(merged(GrowDiag).is_subset(&merged(GrowDiagFinalAnd)));
            prop_assert!(merged(GrowDiag).is_subset(&merged(GrowDiagFinal)));
            prop_assert!(merged(GrowDiagFinal).is_subset(&merged(Union)));
            let words = |links: BTreeSet<Link>| -> (BTreeSet<usize>, BTreeSet<usize>) {
                links.into_iter().map(|link| (link.source, link.target)).unzip()
            };
            prop_assert_eq!(words(merged(GrowDiagFinal)), words(merged(Union)), "every word that can have a link has one");
            for how in ALL {
                prop_assert_eq!(how.merge(&forward, &forward), forward.clone());
            }
        }
    }
}
