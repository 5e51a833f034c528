//! Hard word alignments: which words belong together, and the two text formats they are kept in.

use std::collections::BTreeSet;
use std::fmt;

use crate::AlignmentError;

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

/// How the links of a sentence pair are written on a line, with blanks between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFormat {
    /// `0-0 1-2`: source-target, counted from 0; what fast_align and Moses read and write.
    Pharaoh,
    /// `1-1 2p3`: source-target, counted from 1, `-` for sure and `p` for possible links; what gold alignments come in.
    Talp,
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
}

/// Sure links.
impl FromIterator<Link> for Links {
    fn from_iter<I: IntoIterator<Item = Link>>(links: I) -> Self {
        Self { sure: links.into_iter().collect(), possible: BTreeSet::new() }
    }
}

impl LinkFormat {
    /// Reads the links of one line. `line` is its number in the file, from 1, for messages.
    ///
    /// An empty line has no links.
    ///
    /// # Errors
    ///
    /// A word that is not a link, named with its line.
    ///
    /// ```
    /// use rnnsearch_alignment::LinkFormat;
    /// let error = LinkFormat::Talp.parse("1-1 0-2", 7).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"line 7: "0-2" is not a link of the talp format"#));
    /// ```
    pub fn parse(self, text: &str, line: usize) -> Result<Links, AlignmentError> {
        let mut links = Links::default();
        for token in text.split_ascii_whitespace() {
            match self.parse_link(token) {
                Some((link, true)) => links.insert_sure(link),
                Some((link, false)) => links.insert_possible(link),
                None => return Err(AlignmentError::Link { format: self, line, token: token.to_owned() }),
            }
        }
        Ok(links)
    }

    /// Writes links as one line, without its end. Pharaoh has no mark for possible links: only the sure ones are written.
    pub fn format(self, links: &Links) -> String {
        let first = self.first();
        let write = |link: Link| {
            let mark = if links.sure.contains(&link) { '-' } else { 'p' };
            format!("{}{mark}{}", link.source + first, link.target + first)
        };
        let written: Vec<_> = match self {
            LinkFormat::Pharaoh => links.sure().map(write).collect(),
            LinkFormat::Talp => links.all().map(write).collect(),
        };
        written.join(" ")
    }

    /// What a link of this format looks like, for messages.
    pub(crate) fn form(self) -> &'static str {
        match self {
            LinkFormat::Pharaoh => "SOURCE-TARGET, with words counted from 0, as in 0-2",
            LinkFormat::Talp => "SOURCE-TARGET or SOURCEpTARGET, with words counted from 1, as in 1-3 or 1p3",
        }
    }

    /// The number of the first word of a sentence.
    fn first(self) -> usize {
        match self {
            LinkFormat::Pharaoh => 0,
            LinkFormat::Talp => 1,
        }
    }

    /// A link and whether it is sure; `None` if the token is no link.
    fn parse_link(self, token: &str) -> Option<(Link, bool)> {
        let mark = token.find(|c: char| !c.is_ascii_digit())?;
        let sure = match (self, token.as_bytes()[mark]) {
            (_, b'-') => true,
            (LinkFormat::Talp, b'p') => false,
            _ => return None,
        };
        let index = |digits: &str| {
            let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<usize>().ok())??;
            number.checked_sub(self.first())
        };
        Some((Link { source: index(&token[..mark])?, target: index(&token[mark + 1..])? }, sure))
    }
}

impl fmt::Display for LinkFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkFormat::Pharaoh => "Pharaoh",
            LinkFormat::Talp => "talp",
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
        let links = LinkFormat::Pharaoh.parse(" 1-2\t0-0  1-2 ", 1).unwrap();
        assert_eq!(links.sure().collect::<Vec<_>>(), [link(0, 0), link(1, 2)]);
        assert_eq!(LinkFormat::Pharaoh.format(&links), "0-0 1-2");
        assert_eq!(LinkFormat::Pharaoh.parse("", 1).unwrap(), Links::default());
    }

    #[test]
    fn talp_counts_from_one_and_tells_possible_links() {
        let links = LinkFormat::Talp.parse("1-1 2p3 3p1 3-1", 1).unwrap();
        assert_eq!(links.sure().collect::<Vec<_>>(), [link(0, 0), link(2, 0)]);
        assert_eq!(links.possible().collect::<Vec<_>>(), [link(1, 2)]);
        assert_eq!(LinkFormat::Talp.format(&links), "1-1 2p3 3-1");
        assert_eq!(LinkFormat::Pharaoh.format(&links), "0-0 2-0");
    }

    #[test]
    fn bad_links_are_named_with_their_line() {
        for bad in ["1", "-1", "1-", "1-+2", "1--2", "a-b", "1p2", "1-2-3", "٣-1", "99999999999999999999-1", "1-é"] {
            let error = LinkFormat::Pharaoh.parse(&format!("0-0 {bad}"), 12).unwrap_err();
            assert!(matches!(&error, AlignmentError::Link { line: 12, token, .. } if token == bad), "{error}");
        }
        assert_eq!(
            LinkFormat::Pharaoh.parse("1p2", 3).unwrap_err().to_string(),
            "line 3: \"1p2\" is not a link of the Pharaoh format: \
             write SOURCE-TARGET, with words counted from 0, as in 0-2"
        );
        assert!(LinkFormat::Talp.parse("0-1", 1).is_err());
    }

    proptest! {
        #[test]
        fn links_survive_being_written(
            sure in prop::collection::vec((0usize..100, 0usize..100), 0..30),
            possible in prop::collection::vec((0usize..100, 0usize..100), 0..30),
        ) {
            let mut links: Links = sure.into_iter().map(|(s, t)| link(s, t)).collect();
            prop_assert_eq!(&LinkFormat::Pharaoh.parse(&LinkFormat::Pharaoh.format(&links), 1).unwrap(), &links);
            possible.into_iter().for_each(|(s, t)| links.insert_possible(link(s, t)));
            prop_assert_eq!(&LinkFormat::Talp.parse(&LinkFormat::Talp.format(&links), 1).unwrap(), &links);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}", talp: bool) {
            let format = if talp { LinkFormat::Talp } else { LinkFormat::Pharaoh };
            let _ = format.parse(&text, 1);
        }
    }
}
