//! Which pairs are left out of training, and the report of how many and why.

use std::fmt;

use rnnsearch_config::DataConfig;

use crate::pairs::{Pair, Place};

/// The limits a training pair must keep; lengths are counted in tokens, without the end of sentence.
///
/// Pairs with a blank side are always left out: they teach the model to translate nothing into something.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The most tokens on a side.
    pub max_length: usize,
    /// The fewest tokens on a side.
    pub min_length: usize,
    /// The most times one side may be longer than the other; 0 for any number.
    pub max_ratio: f64,
}

impl Filter {
    /// The limits of the settings.
    pub fn new(data: &DataConfig) -> Self {
        Self { max_length: data.max_length, min_length: data.min_length, max_ratio: data.max_ratio }
    }

    /// Leaves out a pair with a blank side: nothing, or white space only.
    pub fn check_blank(pair: &Pair) -> Option<Reason> {
        (pair.source.trim().is_empty() || pair.target.trim().is_empty()).then_some(Reason::Blank)
    }

    /// The reason to leave out a pair of so many source and target tokens, if there is one.
    pub fn check(&self, source: usize, target: usize) -> Option<Reason> {
        let (short, long) = (source.min(target), source.max(target));
        if long > self.max_length {
            Some(Reason::TooLong)
        } else if short < self.min_length {
            Some(Reason::TooShort)
        } else if self.max_ratio > 0.0 && long as f64 > self.max_ratio * short as f64 {
            Some(Reason::Ratio)
        } else {
            None
        }
    }
}

/// Why a pair was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A side is blank.
    Blank,
    /// A side has more than `data.max_length` tokens.
    TooLong,
    /// A side has fewer than `data.min_length` tokens.
    TooShort,
    /// The sides differ by more than `data.max_ratio`.
    Ratio,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Blank, Self::TooLong, Self::TooShort, Self::Ratio];
}

/// How many pairs were kept and left out. Its display form is one line.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReport {
    /// The limits that were applied.
    pub filter: Filter,
    /// Pairs kept.
    pub kept: u64,
    dropped: [Dropped; Reason::ALL.len()],
}

/// The pairs left out for one reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Place>,
}

impl FilterReport {
    /// How many places are remembered for each reason.
    pub const EXAMPLES: usize = 3;

    /// A report of nothing yet.
    pub fn new(filter: Filter) -> Self {
        Self { filter, kept: 0, dropped: Default::default() }
    }

    /// Counts a pair, left out for a reason or kept.
    pub fn count(&mut self, reason: Option<Reason>, place: &Place) {
        let Some(reason) = reason else {
            self.kept += 1;
            return;
        };
        let dropped = &mut self.dropped[reason as usize];
        dropped.count += 1;
        if dropped.examples.len() < Self::EXAMPLES {
            dropped.examples.push(place.clone());
        }
    }

    /// The pairs left out for a reason.
    pub fn dropped(&self, reason: Reason) -> &Dropped {
        &self.dropped[reason as usize]
    }

    /// All pairs read.
    pub fn total(&self) -> u64 {
        self.kept + self.dropped.iter().map(|dropped| dropped.count).sum::<u64>()
    }

    fn describe(&self, reason: Reason) -> String {
        match reason {
            Reason::Blank => "with a blank side".to_owned(),
            Reason::TooLong => format!("over {} tokens", self.filter.max_length),
            Reason::TooShort => format!("under {} tokens", self.filter.min_length),
            Reason::Ratio => format!("longer than {} times the other side", self.filter.max_ratio),
        }
    }
}

impl fmt::Display for FilterReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {} pairs kept", self.kept, self.total())?;
        let mut separator = "; left out: ";
        for reason in Reason::ALL {
            let Dropped { count, examples } = self.dropped(reason);
            if *count > 0 {
                let places: Vec<String> = examples.iter().map(Place::to_string).collect();
                let more = if *count > examples.len() as u64 { ", ..." } else { "" };
                write!(f, "{separator}{count} {} ({}{more})", self.describe(reason), places.join(", "))?;
                separator = "; ";
            }
        }
        Ok(())
    }
}
