//! Links that an alignment must have, or must not have.
//!
//! A link pinned to a target word makes it look at the words it is pinned to and at nothing else; a link that is avoided has no
//! weight. This is done before the softmax, so that what the model then writes follows from where it looked.
//!
//! Which word the next token belongs to depends on the token: it goes on with a word or begins the next. Where these look in
//! different places, a hypothesis is taken both ways: looking as the word it is at, with the tokens that go on with it, and looking
//! as the next word, with those that begin one. So what is asked holds for every token of every word, and exactly.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rnnsearch_alignment::Link;

use crate::units::Units;

/// What is added to the energies of certain target words, which are counted from 0 as blanks separate them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steering {
    biases: BTreeMap<usize, Vec<f32>>,
    units: Arc<Units>,
}

/// Which tokens may come next where a hypothesis looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// All: it makes no difference.
    Any,
    /// Those that go on with the word.
    GoOn,
    /// Those that begin the next, and the end.
    Begin,
}

/// How far a hypothesis is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// How many words have begun.
    pub(crate) begun: usize,
    /// Whether the next token may go on with the last of them: it has begun, and no blank has come since.
    open: bool,
}

/// Energies so much lower have no weight.
const NEVER: f32 = -1e9;

impl Steering {
    /// From links between words, given the bytes of each source word and of each source token. The end of the source, which is the
    /// token after the last, can always be looked at but by words that are pinned.
    pub(crate) fn new(
        (pinned, avoided): (&[Link], &[Link]),
        words: &[Range<usize>],
        tokens: &[Range<usize>],
        units: Arc<Units>,
    ) -> Self {
        let touches = |token: &Range<usize>, link: &Link| {
            words.get(link.source).is_some_and(|word| token.start < word.end && word.start < token.end)
        };
        let targets = pinned.iter().chain(avoided).map(|link| link.target);
        let bias = |target: usize| {
            let of_target =
                |links: &[Link]| links.iter().filter(|link| link.target == target).copied().collect::<Vec<Link>>();
            let (pins, avoids) = (of_target(pinned), of_target(avoided));
            let seen = |token: &Range<usize>| {
                (pins.is_empty() || pins.iter().any(|pin| touches(token, pin)))
                    && !avoids.iter().any(|avoid| touches(token, avoid))
            };
            let seen = tokens.iter().map(seen).chain([pins.is_empty()]);
            seen.map(|seen| if seen { 0.0 } else { NEVER }).collect()
        };
        Self { biases: targets.map(|target| (target, bias(target))).collect(), units }
    }

    /// For the same source with a tag before it, which can be looked at where the end can.
    pub(crate) fn behind_tag(mut self) -> Self {
        for bias in self.biases.values_mut() {
            bias.insert(0, bias.last().copied().unwrap_or_default());
        }
        self
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.biases.is_empty()
    }

    /// The ways to go on with a hypothesis.
    pub(crate) fn ways(&self, Place { begun, open }: Place) -> &'static [Way] {
        match open && self.biases.get(&(begun - 1)) != self.biases.get(&begun) {
            true => &[Way::GoOn, Way::Begin],
            false => &[Way::Any],
        }
    }

    /// What to add to the energies on the way; nothing if this is empty.
    pub(crate) fn bias(&self, Place { begun, .. }: Place, way: Way) -> Vec<f32> {
        let word = if way == Way::GoOn { begun.saturating_sub(1) } else { begun };
        self.biases.get(&word).cloned().unwrap_or_default()
    }

    /// Whether a token may come on the way.
    pub(crate) fn allows(&self, way: Way, token: u32) -> bool {
        let begins = token == rnnsearch_corpus::EOS || self.units.begins(token);
        way == Way::Any || begins == (way == Way::Begin)
    }

    /// How far a hypothesis is with one more token. Words are counted as blanks separate them: one begins with a token that has a
    /// blank before it, or comes after blanks, or first.
    pub(crate) fn follow(&self, Place { begun, open }: Place, token: u32) -> Place {
        if self.units.is_blank(token) {
            return Place { begun, open: false };
        }
        Place { begun: begun + usize::from(!open || self.units.begins(token)), open: true }
    }
}
