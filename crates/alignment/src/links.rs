//! Hard word alignments: which words belong together, and the text formats they are kept in.

use std::collections::BTreeSet;
use std::fmt;

/// A source word and a target word that belong together, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Index of the source word.
    pub source: usize,
    /// Index of the target word.
    pub target: usize,
}

/// The links of a sentence pair, in order of source word, then target word.
///
/// Alignments made by people tell links that must be found (sure) from those that may be (possible); a program's links
/// are all sure. Scores that count every sure link as possible too take [`Links::all`] for the possible ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    sure: BTreeSet<Link>,
    possible: BTreeSet<Link>,
}

/// How the links of sentence pairs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFormat {
    /// A line a pair, `0-0 1-2`: source-target, counted from 0; what fast_align and Moses read and write.
    Pharaoh,
    /// A line a pair, `1-1 2p3`: source-target, counted from 1, `-` for sure and `p` for possible links; what many gold
    /// alignments come in.
    Talp,
    /// A line a link, `1 2 3 P`: pair, source, target, all counted from 1, and `S` for sure (or nothing) or `P` for possible
    /// links; that of the shared task of NAACL 2003. A number may follow; a word 0 is no word.
    Naacl,
}

/// What a line of the NAACL format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NaaclLine {
    /// The sentence pair, from 1.
    pub pair: usize,
    /// The link; none if it is said of a word that it has none.
    pub link: Option<Link>,
    pub sure: bool,
}

impl Links {
    /// Adds a sure link; it is no longer a possible one.
    pub fn insert_sure(&mut self, link: Link) {
        self.possible.remove(&link);
        self.sure.insert(link);
    }

    /// Adds a possible link, unless it is a sure one.
    pub fn insert_possible(&mut self, link: Link) {
        if !self.sure.contains(&link) {
            self.possible.insert(link);
        }
    }

    /// Adds a link.
    pub(crate) fn insert(&mut self, link: Link, sure: bool) {
        if sure { self.insert_sure(link) } else { self.insert_possible(link) }
    }

    /// The sure links.
    pub fn sure(&self) -> impl ExactSizeIterator<Item = Link> {
        self.sure.iter().copied()
    }

    /// The links that are possible but not sure.
    pub fn possible(&self) -> impl ExactSizeIterator<Item = Link> {
        self.possible.iter().copied()
    }

    /// Sure and possible links together.
    pub fn all(&self) -> impl Iterator<Item = Link> {
        self.sure.union(&self.possible).copied()
    }

    /// The links of the pair the other way round.
    pub fn transposed(&self) -> Self {
        let swap = |link: &Link| Link { source: link.target, target: link.source };
        Self { sure: self.sure.iter().map(swap).collect(), possible: self.possible.iter().map(swap).collect() }
    }
}

/// Sure links.
impl FromIterator<Link> for Links {
    fn from_iter<I: IntoIterator<Item = Link>>(links: I) -> Self {
        Self { sure: links.into_iter().collect(), possible: BTreeSet::new() }
    }
}

/// In Pharaoh format, which has no mark for possible links: only the sure ones are written.
impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written: Vec<_> = self.sure().map(|link| format!("{}-{}", link.source, link.target)).collect();
        f.write_str(&written.join(" "))
    }
}

impl LinkFormat {
    /// Writes the links of a pair, line ends included. `pair` is its number, from 1, which NAACL lines begin with.
    ///
    /// ```
    /// use rnnsearch_alignment::{Link, LinkFormat, Links};
    /// let mut links = Links::from_iter([Link { source: 0, target: 1 }]);
    /// links.insert_possible(Link { source: 2, target: 0 });
    /// assert_eq!(LinkFormat::Pharaoh.format(&links, 7), "0-1\n");
    /// assert_eq!(LinkFormat::Talp.format(&links, 7), "1-2 3p1\n");
    /// assert_eq!(LinkFormat::Naacl.format(&links, 7), "7 1 2 S\n7 3 1 P\n");
    /// ```
    pub fn format(self, links: &Links, pair: usize) -> String {
        let all = || links.all().map(|link| (link.source + 1, link.target + 1, links.sure.contains(&link)));
        match self {
            Self::Pharaoh => format!("{links}\n"),
            Self::Talp => {
                let write = |(source, target, sure)| format!("{source}{}{target}", if sure { '-' } else { 'p' });
                all().map(write).collect::<Vec<_>>().join(" ") + "\n"
            }
            Self::Naacl => {
                let write =
                    |(source, target, sure)| format!("{pair} {source} {target} {}\n", if sure { 'S' } else { 'P' });
                all().map(write).collect()
            }
        }
    }

    /// Reads the links of one line, or says which word of it is no link. An empty line has no links.
    ///
    /// Not for NAACL, whose lines say of which pair they are.
    ///
    /// # Errors
    ///
    /// The word.
    pub fn parse(self, text: &str) -> Result<Links, &str> {
        let mut links = Links::default();
        for token in text.split_ascii_whitespace() {
            let (link, sure) = self.parse_link(token).ok_or(token)?;
            links.insert(link, sure);
        }
        Ok(links)
    }

    /// What a link of this format looks like, for messages.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Self::Pharaoh => "SOURCE-TARGET, with words counted from 0, as in 0-2",
            Self::Talp => "SOURCE-TARGET or SOURCEpTARGET, with words counted from 1, as in 1-3 or 1p3",
            Self::Naacl => "PAIR SOURCE TARGET, and S or P, all counted from 1, as in 1 1 3 S",
        }
    }

    /// A link and whether it is sure; `None` if the token is no link.
    fn parse_link(self, token: &str) -> Option<(Link, bool)> {
        let mark = token.find(|c: char| !c.is_ascii_digit())?;
        let sure = match (self, token.as_bytes()[mark]) {
            (_, b'-') => true,
            (Self::Talp, b'p') => false,
            _ => return None,
        };
        let first = if self == Self::Pharaoh { 0 } else { 1 };
        let index = |digits: &str| number(digits)?.checked_sub(first);
        Some((Link { source: index(&token[..mark])?, target: index(&token[mark + 1..])? }, sure))
    }
}

impl NaaclLine {
    /// `None` if it is no such line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut index = || number(words.next()?);
        let (pair, source, target) = (index()?, index()?, index()?);
        let mut rest = words.peekable();
        let mark = rest.next_if(|word| matches!(*word, "S" | "P"));
        let confidence = rest.next().is_none_or(|word| word.parse().is_ok_and(f64::is_finite));
        if pair == 0 || !confidence || rest.next().is_some() {
            return None;
        }
        let link = source.checked_sub(1).zip(target.checked_sub(1)).map(|(source, target)| Link { source, target });
        Some(Self { pair, link, sure: mark != Some("P") })
    }
}

fn number(digits: &str) -> Option<usize> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl fmt::Display for LinkFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pharaoh => "Pharaoh",
            Self::Talp => "talp",
            Self::Naacl => "NAACL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(source: usize, target: usize) -> Link {
        Link { source, target }
    }

    #[test]
    fn pharaoh_counts_from_zero() {
        let links = LinkFormat::Pharaoh.parse(" 1-2\t0-0  1-2 ").unwrap();
        assert_eq!(links.sure().collect::<Vec<_>>(), [link(0, 0), link(1, 2)]);
        assert_eq!(links.to_string(), "0-0 1-2");
        assert_eq!(links.transposed().to_string(), "0-0 2-1");
        assert_eq!(LinkFormat::Pharaoh.parse("").unwrap(), Links::default());
    }

    #[test]
    fn talp_counts_from_one_and_tells_possible_links() {
        let links = LinkFormat::Talp.parse("1-1 2p3 3p1 3-1").unwrap();
        assert_eq!(links.sure().collect::<Vec<_>>(), [link(0, 0), link(2, 0)]);
        assert_eq!(links.possible().collect::<Vec<_>>(), [link(1, 2)]);
        assert_eq!(LinkFormat::Talp.format(&links, 1), "1-1 2p3 3-1\n");
        assert_eq!(LinkFormat::Pharaoh.format(&links, 1), "0-0 2-0\n");
        assert_eq!(LinkFormat::Naacl.format(&links, 1), "1 1 1 S\n1 2 3 P\n1 3 1 S\n");
    }

    #[test]
    fn naacl_lines_say_of_which_pair_they_are() {
        let read = |text| NaaclLine::parse(text).map(|line| (line.pair, line.link, line.sure));
        assert_eq!(read("0003 1 2"), Some((3, Some(link(0, 1)), true)));
        assert_eq!(read(" 3\t1 2 P 0.5 "), Some((3, Some(link(0, 1)), false)));
        assert_eq!(read("3 1 2 1.0"), Some((3, Some(link(0, 1)), true)));
        assert_eq!(read("3 0 2 S"), Some((3, None, true)));
        for bad in ["", "1 2", "0 1 1", "1 1 -1", "1 1 x S", "1 1 1 Q", "1 1 1 S x", "1 1 1 S 1 1", "1 1 1 nan", "1-1"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn bad_links_are_named() {
        for bad in ["1", "-1", "1-", "1-+2", "1--2", "a-b", "1p2", "1-2-3", "٣-1", "99999999999999999999-1", "1-é"] {
            assert_eq!(LinkFormat::Pharaoh.parse(&format!("0-0 {bad} 1-1")), Err(bad));
        }
        assert_eq!(LinkFormat::Talp.parse("0-1"), Err("0-1"));
    }

    proptest! {
        #[test]
        fn links_survive_being_written(
            sure in prop::collection::vec((0usize..100, 0usize..100), 0..30),
            possible in prop::collection::vec((0usize..100, 0usize..100), 0..30),
        ) {
            let mut links: Links = sure.into_iter().map(|(s, t)| link(s, t)).collect();
            prop_assert_eq!(&LinkFormat::Pharaoh.parse(&links.to_string()).unwrap(), &links);
            possible.into_iter().for_each(|(s, t)| links.insert_possible(link(s, t)));
            prop_assert_eq!(&LinkFormat::Talp.parse(&LinkFormat::Talp.format(&links, 1)).unwrap(), &links);
            let mut read = Links::default();
            for line in LinkFormat::Naacl.format(&links, 5).lines() {
                let NaaclLine { pair, link, sure } = NaaclLine::parse(line).unwrap();
                prop_assert_eq!(pair, 5);
                read.insert(link.unwrap(), sure);
            }
            prop_assert_eq!(&read, &links);
            prop_assert_eq!(&links.transposed().transposed(), &links);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}", talp: bool) {
            let format = if talp { LinkFormat::Talp } else { LinkFormat::Pharaoh };
            let _ = (format.parse(&text), NaaclLine::parse(&text));
        }
    }
}
