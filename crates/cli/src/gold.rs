//! Scoring links by those that people made.

use anyhow::{Result, anyhow};
use rnnsearch_alignment::{AlignmentError, Gold, Link, LinkFormat, Links};
use rnnsearch_corpus::Lines;
use rnnsearch_metrics::{AlignmentScore, GoldLinks};
use serde::Serialize;

use crate::args::{GoldFile, GoldFormat};

/// Gold links, and how those of the pairs so far compare with them.
pub struct Scoring {
    gold: Gold,
    pairs: usize,
    total: AlignmentScore,
}

/// The links of a pair, scored.
pub struct Scored {
    pub score: AlignmentScore,
    /// Those that people made.
    pub gold: Links,
}

impl Scoring {
    /// Reads the gold links, if there are any.
    pub fn open(args: &GoldFile) -> Result<Option<Self>> {
        let Some(path) = &args.gold else { return Ok(None) };
        let lines = Lines::open(path)?.collect::<Result<Vec<_>, _>>()?;
        let gold = Gold::parse(&path.display().to_string(), &lines, args.gold_format.map(LinkFormat::from));
        let gold = gold.map_err(with_option)?;
        Ok(Some(Self { gold, pairs: 0, total: AlignmentScore::default() }))
    }

    /// Scores the links of the next pair, whose sentences have so many words.
    pub fn add(&mut self, links: &Links, source_words: usize, target_words: usize) -> Result<Scored> {
        self.pairs += 1;
        let gold = self.gold.links(self.pairs, source_words, target_words).map_err(with_option)?;
        let sides = GoldLinks { sure: places(gold.sure()), possible: places(gold.possible()) };
        let links = places(links.sure());
        self.total.add(&links, &sides);
        let mut score = AlignmentScore::default();
        score.add(&links, &sides);
        Ok(Scored { score, gold })
    }

    /// The score of all pairs.
    pub fn finish(&self) -> Result<AlignmentScore> {
        self.gold.check_pairs(self.pairs)?;
        Ok(self.total)
    }
}

/// The error, with the option that may help.
fn with_option(error: AlignmentError) -> anyhow::Error {
    match error {
        AlignmentError::UnknownFormat { .. } => anyhow!("{error}, with --gold-format"),
        AlignmentError::Beyond { .. } => anyhow!("{error} (--words says what counts as a word)"),
        error => error.into(),
    }
}

/// How links compare with gold links, in JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LinkScore {
    pub aer: f64,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

impl From<&AlignmentScore> for LinkScore {
    fn from(score: &AlignmentScore) -> Self {
        Self { aer: score.aer(), precision: score.precision(), recall: score.recall(), f1: score.f1() }
    }
}

fn places(links: impl Iterator<Item = Link>) -> rnnsearch_metrics::Links {
    links.map(|link| (link.source, link.target)).collect()
}

impl From<GoldFormat> for LinkFormat {
    fn from(format: GoldFormat) -> Self {
        match format {
            GoldFormat::Pharaoh => Self::Pharaoh,
            GoldFormat::Talp => Self::Talp,
            GoldFormat::Naacl => Self::Naacl,
        }
    }
}
