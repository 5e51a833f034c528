//! Links made by people for the sentence pairs of a test set.

use std::collections::BTreeMap;

use crate::links::NaaclLine;
use crate::{AlignmentError, Link, LinkFormat, Links};

/// The links of a file, by sentence pair.
#[derive(Clone, Debug)]
pub struct Gold {
    file: String,
    format: LinkFormat,
    /// By number of the pair, from 1; pairs without links may be missing.
    pairs: BTreeMap<usize, Links>,
    /// Pairs that the file tells of: its lines, or the last pair of a NAACL file.
    count: usize,
    /// In a NAACL file, the line that each link stands in.
    lines: BTreeMap<(usize, Link), usize>,
}

impl Gold {
    /// Reads the lines of a file. `file` is its name, for messages. Without a format, the content tells it:
    ///
    /// | NAACL | the first line that is not blank begins with three numbers |
    /// |---|---|
    /// | talp | a link has a `p`, or else the name ends with `.talp` |
    /// | Pharaoh | else, if a link is of a word 0 |
    ///
    /// # Errors
    ///
    /// A line that has something else than links, or content that does not tell.
    pub fn parse(file: &str, lines: &[String], format: Option<LinkFormat>) -> Result<Self, AlignmentError> {
        let format = match format {
            Some(format) => format,
            None => detect(file, lines).ok_or_else(|| AlignmentError::UnknownFormat { file: file.to_owned() })?,
        };
        let mut gold = Self { file: file.to_owned(), format, pairs: BTreeMap::new(), count: 0, lines: BTreeMap::new() };
        for (text, line) in lines.iter().zip(1..) {
            gold.add(text, line).map_err(|token| AlignmentError::Link {
                file: file.to_owned(),
                line,
                format,
                token: token.to_owned(),
            })?;
        }
        Ok(gold)
    }

    /// Reads a line, or says what in it is wrong.
    fn add<'t>(&mut self, text: &'t str, line: usize) -> Result<(), &'t str> {
        if self.format != LinkFormat::Naacl {
            self.count = line;
            self.pairs.insert(line, self.format.parse(text)?);
            return Ok(());
        }
        if text.trim().is_empty() {
            return Ok(());
        }
        let NaaclLine { pair, link, sure } = NaaclLine::parse(text).ok_or(text)?;
        self.count = self.count.max(pair);
        if let Some(link) = link {
            self.pairs.entry(pair).or_default().insert(link, sure);
            self.lines.entry((pair, link)).or_insert(line);
        }
        Ok(())
    }

    /// The links of a pair, by its number from 1, whose sentences have so many words.
    ///
    /// # Errors
    ///
    /// A link of a word that the sentences do not have.
    pub fn links(&self, pair: usize, source_words: usize, target_words: usize) -> Result<Links, AlignmentError> {
        let links = self.pairs.get(&pair).cloned().unwrap_or_default();
        let beyond = links.all().find(|link| link.source >= source_words || link.target >= target_words);
        let Some(link) = beyond else { return Ok(links) };
        let line = self.lines.get(&(pair, link)).copied().unwrap_or(pair);
        let mut alone = Links::default();
        alone.insert(link, links.sure().any(|sure| sure == link));
        let link = self.format.format(&alone, pair).trim_end().to_owned();
        Err(AlignmentError::Beyond {
            file: self.file.clone(),
            line,
            format: self.format,
            link,
            source_words,
            target_words,
        })
    }

    /// Checks that the file is of so many pairs.
    ///
    /// # Errors
    ///
    /// If it is not; a NAACL file may have no links for the last pairs.
    pub fn check_pairs(&self, pairs: usize) -> Result<(), AlignmentError> {
        let agree = if self.format == LinkFormat::Naacl { self.count <= pairs } else { self.count == pairs };
        if agree {
            return Ok(());
        }
        Err(AlignmentError::Pairs { file: self.file.clone(), found: self.count, pairs })
    }
}

/// The format of a file, if its content or its name tells.
fn detect(file: &str, lines: &[String]) -> Option<LinkFormat> {
    let first = lines.iter().find(|line| !line.trim().is_empty());
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    if first.is_some_and(|line| line.split_ascii_whitespace().take(3).filter(|word| is_number(word)).count() == 3) {
        return Some(LinkFormat::Naacl);
    }
    let words = || lines.iter().flat_map(|line| line.split_ascii_whitespace());
    if words().any(|word| word.contains('p')) || file.ends_with(".talp") {
        return Some(LinkFormat::Talp);
    }
    if words().next().is_none() {
        // All formats say nothing in the same way.
        return Some(LinkFormat::Pharaoh);
    }
    let has_zero = |word: &str| word.split('-').any(|number| number.parse() == Ok(0));
    words().any(has_zero).then_some(LinkFormat::Pharaoh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(file: &str, text: &str, format: Option<LinkFormat>) -> Result<Gold, AlignmentError> {
        Gold::parse(file, &text.lines().map(str::to_owned).collect::<Vec<_>>(), format)
    }

    #[test]
    fn the_content_tells_the_format() {
        let format = |text| gold("a", text, None).map(|gold| gold.format);
        assert_eq!(format("\n1 1 1 S\n").unwrap(), LinkFormat::Naacl);
        assert_eq!(format("0001 0 2\n").unwrap(), LinkFormat::Naacl);
        assert_eq!(format("1-1\n\n2-3 3p1").unwrap(), LinkFormat::Talp);
        assert_eq!(format("1-1\n\n2-0").unwrap(), LinkFormat::Pharaoh);
        assert_eq!(format("\n\n").unwrap().to_string(), "Pharaoh");
        assert_eq!(gold("a.talp", "1-1", None).unwrap().format, LinkFormat::Talp);
        let unknown = format("1-1\n2-2").unwrap_err();
        assert!(matches!(unknown, AlignmentError::UnknownFormat { .. }), "{unknown}");
        assert_eq!(gold("a", "1-1", Some(LinkFormat::Pharaoh)).unwrap().links(1, 2, 2).unwrap().to_string(), "1-1");
    }

    #[test]
    fn all_formats_say_the_same() {
        for text in ["1-1 3p2\n\n2-1\n", "1 1 1 S\n1 3 2 P\n3 2 1\n3 0 1\n"] {
            let gold = gold("a", text, None).unwrap();
            gold.check_pairs(3).unwrap();
            let links = |pair| LinkFormat::Talp.format(&gold.links(pair, 3, 2).unwrap(), pair);
            assert_eq!([links(1), links(2), links(3)], ["1-1 3p2\n", "\n", "2-1\n"], "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let message = |error: AlignmentError| error.to_string();
        assert_eq!(
            message(gold("g", "1-1\n2-2 0-2 1p1\n", None).unwrap_err()),
            r#"g:2: "0-2" is not a link of the talp format: write SOURCE-TARGET or SOURCEpTARGET, with words counted from 1, "#
                .to_owned()
                + "as in 1-3 or 1p3"
        );
        let naacl = message(gold("g", "1 1 1\n1 x 1\n", None).unwrap_err());
        assert!(naacl.starts_with(r#"g:2: "1 x 1" is not a link of the NAACL format: "#), "{naacl}");
        let talp = gold("g.talp", "1-1\n1-1 4p2\n", None).unwrap();
        assert!(
            message(talp.links(2, 3, 2).unwrap_err()).starts_with("g.talp:2: the talp link 4p2 is of words beyond")
        );
        assert!(talp.links(2, 4, 2).is_ok());
        let naacl = gold("g", "1 1 1\n2 1 1\n2 1 3 P\n", None).unwrap();
        assert!(message(naacl.links(2, 1, 2).unwrap_err()).starts_with("g:3: the NAACL link 2 1 3 P is of words"));
    }

    #[test]
    fn pairs_are_counted() {
        let talp = gold("g.talp", "1-1\n\n", None).unwrap();
        assert!(talp.check_pairs(2).is_ok());
        let error = talp.check_pairs(3).unwrap_err().to_string();
        assert!(error.starts_with("g.talp has the links of 2 sentence pairs, the text has 3 pairs"), "{error}");
        let naacl = gold("g", "2 1 1\n", None).unwrap();
        assert!(naacl.check_pairs(3).is_ok() && naacl.check_pairs(1).is_err());
    }
}
