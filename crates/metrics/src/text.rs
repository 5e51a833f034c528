//! Cutting text into the words that metrics compare: sacreBLEU's tokenizers.
//!
//! The rules are those of sacreBLEU 2.6, oddities included: a score is only comparable with others if its text was cut
//! in the same way.

use crate::MetricError;
use regex::Regex;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// How BLEU cuts text into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tokenizer {
    /// At white space only: for text that is already tokenized.
    None,
    /// The tokenizer of NIST's mteval-v13a, the usual one: punctuation is cut off, except within numbers.
    #[default]
    V13a,
    /// mteval-v14's: like 13a, with all of Unicode's punctuation and symbols.
    Intl,
    /// Every character is a word.
    Char,
    /// For Chinese: every Chinese character is a word, the rest is cut as in 13a.
    Zh,
}

impl Tokenizer {
    /// Every tokenizer.
    pub const ALL: [Self; 5] = [Self::V13a, Self::Intl, Self::Char, Self::Zh, Self::None];

    /// The name in signatures and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::V13a => "13a",
            Self::Intl => "intl",
            Self::Char => "char",
            Self::Zh => "zh",
        }
    }

    /// The words of `line`.
    pub fn tokenize(self, line: &str) -> Vec<String> {
        words(&self.separate(line)).map(str::to_owned).collect()
    }

    /// Puts white space between the words of `line`: they are then `words(&result)`.
    pub(crate) fn separate(self, line: &str) -> String {
        match self {
            Self::None => line.to_owned(),
            Self::V13a => substitute(&MTEVAL, &format!(" {} ", unescape(line))),
            Self::Intl => substitute(&INTERNATIONAL, line),
            Self::Char => line.chars().flat_map(|c| [c, ' ']).collect(),
            Self::Zh => substitute(&MTEVAL, &isolate(trim(line), is_chinese)),
        }
    }
}

impl fmt::Display for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tokenizer {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        let found = Self::ALL.into_iter().find(|tokenizer| tokenizer.name() == name);
        found.ok_or_else(|| MetricError::UnknownTokenizer { name: name.to_owned() })
    }
}

/// The words of `text`, split where Python's `str.split` does: Unicode's white space and four old separators.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `text` without white space at its end.
pub(crate) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `text` without white space at either end.
fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Python's `str.isspace` for one character.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Patterns with their replacements, to be applied one after the other.
pub(crate) type Rules = Vec<(Regex, &'static str)>;

/// Compiles rules; the patterns are constants of this crate.
pub(crate) fn rules(rules: &[(&str, &'static str)]) -> Rules {
    let compile = |pattern| Regex::new(pattern).expect("a constant pattern is valid");
    rules.iter().map(|&(pattern, replacement)| (compile(pattern), replacement)).collect()
}

/// Applies each rule in turn.
pub(crate) fn substitute(rules: &Rules, text: &str) -> String {
    rules.iter().fold(text.to_owned(), |text, (pattern, replacement)| pattern.replace_all(&text, *replacement).into())
}

/// Cuts off ASCII punctuation; full stops and commas unless within a number; dashes after a digit.
pub(crate) const PUNCTUATION: (&str, &str) = (r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", " $1 ");
pub(crate) const AFTER_NON_DIGIT: (&str, &str) = (r"([^0-9])([\.,])", "$1 $2 ");
pub(crate) const BEFORE_NON_DIGIT: (&str, &str) = (r"([\.,])([^0-9])", " $1 $2");
pub(crate) const DASH_AFTER_DIGIT: (&str, &str) = (r"([0-9])(-)", "$1 $2 ");

static MTEVAL: LazyLock<Rules> =
    LazyLock::new(|| rules(&[PUNCTUATION, AFTER_NON_DIGIT, BEFORE_NON_DIGIT, DASH_AFTER_DIGIT]));

static INTERNATIONAL: LazyLock<Rules> =
    LazyLock::new(|| rules(&[(r"(\P{N})(\p{P})", "$1 $2 "), (r"(\p{P})(\P{N})", " $1 $2"), (r"(\p{S})", " $1 ")]));

/// The part of 13a that does not depend on the language: line ends and four XML entities.
fn unescape(line: &str) -> String {
    let line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    unescape_entities(line)
}

/// Reads four XML entities.
pub(crate) fn unescape_entities(line: String) -> String {
    if !line.contains('&') {
        return line;
    }
    line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
}

/// Puts spaces around every character that `alone` names.
pub(crate) fn isolate(line: &str, alone: impl Fn(char) -> bool) -> String {
    let space = |c| alone(c).then_some(' ');
    line.chars().flat_map(|c| space(c).into_iter().chain([c]).chain(space(c))).collect()
}

/// What sacreBLEU takes for a Chinese character.
///
/// Its table writes `\u20000` for the first character beyond the basic plane, which Python reads as U+2000 and a `0`. So
/// the ranges meant for the supplementary planes cover U+2001 to U+2A6D and a part of the Kangxi radicals instead.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{2001}'..='\u{2a6d}' | '\u{2e80}'..='\u{2eff}' | '\u{2f00}'..='\u{2fdf}'
        | '\u{2ff0}'..='\u{2fff}' | '\u{3000}'..='\u{303f}' | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}'
        | '\u{31c0}'..='\u{31ef}' | '\u{3200}'..='\u{33ff}' | '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}'
        | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}'
        | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokenizer: Tokenizer, line: &str) -> String {
        tokenizer.tokenize(line).join(" ")
    }

    #[test]
    fn each_tokenizer_cuts_in_its_own_way() {
        let line = "It's 3.5-fold, &quot;ok&quot;\u{a0}— 好的!";
        assert_eq!(cut(Tokenizer::None, line), "It's 3.5-fold, &quot;ok&quot; — 好的!");
        assert_eq!(cut(Tokenizer::V13a, line), "It's 3.5 - fold , \" ok \" — 好的 !");
        assert_eq!(cut(Tokenizer::Intl, line), "It ' s 3.5 - fold , & quot ; ok & quot ; — 好的 !");
        assert_eq!(cut(Tokenizer::Zh, line), "It's 3.5 - fold , & quot ; ok & quot ; — 好 的 !");
        assert_eq!(cut(Tokenizer::Char, "a 好"), "a 好");
    }

    #[test]
    fn names_are_read_back() {
        for tokenizer in Tokenizer::ALL {
            assert_eq!(tokenizer.name().parse(), Ok(tokenizer));
        }
        let error = "13b".parse::<Tokenizer>().unwrap_err();
        assert_eq!(error.to_string(), "unknown tokenizer `13b`; expected one of 13a, intl, char, zh, none");
    }
}
