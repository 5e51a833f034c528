//! Lists of candidates, as `translate --n-best` prints them: as text or as JSON objects.

use anyhow::{Context, Result, bail, ensure};
use rnnsearch_corpus::Lines;
use serde::Deserialize;

use crate::window::Room;

/// The candidates of a source.
#[derive(Debug, PartialEq)]
pub struct Group {
    /// Its line, from 0.
    pub number: u64,
    pub source: String,
    /// At least one.
    pub candidates: Vec<Candidate>,
}

/// A candidate in a list.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Candidate {
    #[serde(rename = "translation")]
    pub text: String,
    pub score: f64,
    /// What follows the score in its line, with the bars before it.
    #[serde(skip)]
    pub rest: String,
}

/// A line of a JSON list.
#[derive(Deserialize)]
struct Object {
    source: String,
    #[serde(flatten)]
    best: Candidate,
    n_best: Option<Vec<Candidate>>,
}

/// The groups of a list beside the lines of their sources. There must be one for each, in order.
pub struct Groups {
    list: Lines,
    sources: Lines,
    /// Groups so far.
    count: u64,
    /// A candidate that was read to see that its group is another one, with its number.
    ahead: Option<(u64, Candidate)>,
}

impl Groups {
    pub fn new(list: Lines, sources: Lines) -> Self {
        Self { list, sources, count: 0, ahead: None }
    }

    /// The next groups, as there is room for; none at the end. Also says whether it failed after them.
    pub fn take(&mut self, mut room: Room) -> (Vec<Group>, Result<()>) {
        let mut groups = Vec::new();
        while room.is_left() {
            match self.next() {
                Ok(Some(group)) => {
                    group.candidates.iter().for_each(|candidate| room.take(&group.source, &candidate.text));
                    groups.push(group);
                }
                Ok(None) => break,
                Err(error) => return (groups, Err(error)),
            }
        }
        (groups, Ok(()))
    }

    fn next(&mut self) -> Result<Option<Group>> {
        let first = match self.ahead.take() {
            Some(first) => Some(first),
            None => match self.list.next().transpose()? {
                Some(line) if line.starts_with('{') => return self.object(&line).map(Some),
                line => line.map(|line| self.candidate(&line)).transpose()?,
            },
        };
        let Some((number, candidate)) = first else {
            return match self.sources.next().transpose()? {
                Some(_) => bail!("{} has no candidates for {}", self.list.name(), self.source_place()),
                None => Ok(None),
            };
        };
        let source = self.source(number)?;
        let mut candidates = vec![candidate];
        while let Some(line) = self.list.next().transpose()? {
            let (other, candidate) = self.candidate(&line)?;
            if other != number {
                self.ahead = Some((other, candidate));
                break;
            }
            candidates.push(candidate);
        }
        Ok(Some(Group { number, source, candidates }))
    }

    /// The source of the group of this number, which must be the next.
    fn source(&mut self, number: u64) -> Result<String> {
        let expected = self.count;
        ensure!(
            number == expected,
            "{}: candidates of sentence {number} where those of sentence {expected} should come: a list has some for every \
             line of the source, in order",
            self.place()
        );
        let Some(source) = self.sources.next().transpose()? else {
            let (file, lines) = (self.sources.name(), self.sources.line());
            bail!("{}: candidates of sentence {number}, counted from 0, but {file} has {lines} lines", self.place());
        };
        self.count += 1;
        Ok(source)
    }

    /// The candidate of a line of text, and the number of its sentence. It is read from its end, since texts may have bars too.
    fn candidate(&self, line: &str) -> Result<(u64, Candidate)> {
        let parsed = || {
            let (number, rest) = line.split_once(" ||| ")?;
            let score = |text: &str| text.trim().parse().ok().filter(|score: &f64| score.is_finite());
            let (before, last) = rest.rsplit_once(" ||| ")?;
            let (text, score, links) = match score(last) {
                Some(score) => (before, score, ""),
                None => {
                    let (text, middle) = before.rsplit_once(" ||| ")?;
                    (text, score(middle)?, &rest[before.len()..])
                }
            };
            Some((number.trim().parse().ok()?, Candidate { text: text.into(), score, rest: links.into() }))
        };
        parsed().with_context(|| {
            format!(
                "{}: not a candidate `line ||| translation ||| score`, nor an object, as `translate --n-best` prints them",
                self.place()
            )
        })
    }

    /// The group of a line that is an object.
    fn object(&mut self, line: &str) -> Result<Group> {
        let object: Object = serde_json::from_str(line).map_err(|error| {
            let place = self.place();
            anyhow::anyhow!("{place}: not an object as `translate --n-best N --json` prints them: {error}")
        })?;
        let source = self.source(self.count)?;
        ensure!(
            object.source == source,
            "{}: its `source` is not that of {}: is this the list of another text?",
            self.place(),
            self.source_place()
        );
        let candidates = object.n_best.filter(|list| !list.is_empty()).unwrap_or_else(|| vec![object.best]);
        Ok(Group { number: self.count - 1, source, candidates })
    }

    /// Where the list is read.
    fn place(&self) -> String {
        format!("{}:{}", self.list.name(), self.list.line())
    }

    fn source_place(&self) -> String {
        format!("{}:{}", self.sources.name(), self.sources.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups in words, and the message at the end.
    fn read(list: &'static str, sources: &'static str) -> (Vec<String>, Option<String>) {
        let lines = |name, text: &'static str| Lines::from_reader(name, text.as_bytes());
        let mut groups = Groups::new(lines("list", list), lines("in", sources));
        let mut all = Vec::new();
        loop {
            let (taken, failed) = groups.take(Room::new(3));
            all.extend(taken.iter().map(|Group { number, source, candidates }| {
                let texts: Vec<String> = candidates.iter().map(|one| format!("{} {}", one.text, one.score)).collect();
                format!("{number} {source}: {}", texts.join(", "))
            }));
            match failed {
                Err(error) => return (all, Some(error.to_string())),
                Ok(()) if taken.is_empty() => return (all, None),
                Ok(()) => {}
            }
        }
    }

    #[test]
    fn candidates_are_grouped() {
        let list = "0 ||| a b ||| -1.5\n0 ||| c ||| -2 ||| 0-0 1-1\n1 |||  ||| 0.000000\n2 ||| d ||| -3e-1\n";
        let expected = ["0 x: a b -1.5, c -2", "1 :  0", "2 y: d -0.3"].map(String::from).to_vec();
        assert_eq!(read(list, "x\n\ny\n"), (expected, None));
        assert_eq!(read("", ""), (Vec::new(), None));
    }

    #[test]
    fn texts_may_have_bars() {
        let list = "0 ||| a ||| b ||| -1 ||| 0-0\n0 ||| ||| 3 ||| 4 ||| ||| -2\n0 ||| c ||| -3 ||| \n";
        let mut groups =
            Groups::new(Lines::from_reader("list", list.as_bytes()), Lines::from_reader("in", &b"x\n"[..]));
        let candidate = |text: &str, score, rest: &str| Candidate { text: text.into(), score, rest: rest.into() };
        let expected = [
            candidate("a ||| b", -1.0, " ||| 0-0"),
            candidate("||| 3 ||| 4 |||", -2.0, ""),
            candidate("c", -3.0, " ||| "),
        ];
        assert_eq!(groups.next().unwrap().unwrap().candidates, expected);
    }

    #[test]
    fn objects_are_groups() {
        let list = "{\"source\": \"x\", \"translation\": \"a\", \"score\": -1, \"n_best\": [{\"translation\": \"a\", \"score\": -1}, \
                    {\"translation\": \"b\", \"score\": -2}]}\n{\"source\": \"y\", \"translation\": \"c\", \"score\": -1}\n";
        let expected = ["0 x: a -1, b -2", "1 y: c -1"].map(String::from).to_vec();
        assert_eq!(read(list, "x\ny\n"), (expected, None));
        assert!(read(list, "x\nz\n").1.unwrap().contains("list:2: its `source` is not that of in:2"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (list, sources, whole, complaint) in [
            (
                "0 ||| a ||| -1\n2 ||| b ||| -1\n",
                "x\ny\nz\n",
                1,
                "list:2: candidates of sentence 2 where those of sentence 1",
            ),
            (
                "0 ||| a ||| -1\n1 ||| b ||| -1\n",
                "x\n",
                1,
                "list:2: candidates of sentence 1, counted from 0, but in has 1",
            ),
            ("0 ||| a ||| -1\n", "x\ny\n", 1, "list has no candidates for in:2"),
            ("0 ||| a ||| -1\n1 ||| b\n", "x\ny\n", 0, "list:2: not a candidate"),
            ("0 ||| a ||| good\n", "x\n", 0, "list:1: not a candidate"),
            ("0 ||| a ||| NaN\n", "x\n", 0, "list:1: not a candidate"),
            ("\n", "x\n", 0, "list:1: not a candidate"),
            ("{\"error\": \"not UTF-8\"}\n", "x\n", 0, "list:1: not an object as"),
        ] {
            let (groups, error) = read(list, sources);
            assert_eq!(groups.len(), whole, "{list}");
            assert!(error.as_ref().unwrap().starts_with(complaint), "{error:?}");
        }
    }
}
