//! What can be wrong with a configuration, and how it is told.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::snippet::{position, snippet};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not text.
    #[error("{}:{line}:{column}: the configuration is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Character before which it stands, from 1.
        column: usize,
    },
    /// A value has no TOML form.
    #[error("the configuration cannot be written as TOML: {message}")]
    NotToml {
        /// Which value, and why.
        message: String,
    },
    /// A relative path could not be made absolute.
    #[error("cannot make the path `{}` absolute: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The settings are wrong; this lists every mistake.
    #[error("{}", all(mistakes))]
    Invalid {
        /// At least one, those of the file first.
        mistakes: Vec<Mistake>,
    },
}

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub fault: Fault,
    /// What to do about it, if that is not plain.
    pub help: Option<String>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// From the file.
    File {
        /// The file, as given.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Character in the line, from 1.
        column: usize,
        /// The line with carets under the value.
        snippet: String,
    },
    /// From a `--set key=value` argument.
    Override {
        /// The argument, `key=value`.
        argument: String,
    },
    /// From a preset.
    Preset {
        /// Its name.
        name: &'static str,
    },
    /// From nowhere: it is the default, or is missing.
    Default {
        /// The file that does not mention it.
        name: String,
    },
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The text is not TOML, or the argument not `key=value`.
    Syntax {
        /// What is wrong with it.
        message: String,
    },
    /// There is no such setting.
    UnknownKey {
        /// The path of the key.
        key: String,
    },
    /// A value of the wrong type, out of range, or none of the allowed ones.
    BadValue {
        /// The path of the setting.
        key: String,
        /// The value, with its type where that is wrong.
        given: String,
        /// The form it should have.
        expected: String,
    },
    /// Settings that cannot be together.
    Contradiction {
        /// Those settings; the mistake's place is that of the first that is not a default.
        settings: Vec<Setting>,
    },
    /// A corpus that is missing, lacks a part, or is of two forms.
    Corpus {
        /// Which, and how.
        message: String,
    },
}

/// A setting with its value, as part of a contradiction.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its path.
    pub key: String,
    /// Its value in TOML.
    pub value: String,
    /// Where the value comes from.
    pub place: Place,
}

impl Place {
    pub(crate) fn in_file(name: &str, text: &str, span: Range<usize>) -> Self {
        let (line, column) = position(text, span.start);
        Self::File { name: name.to_owned(), line, column, snippet: snippet(text, span) }
    }

    /// The place in a few words, beside another place.
    fn brief(&self) -> String {
        match self {
            Self::File { line, .. } => format!("line {line}"),
            Self::Override { argument } => format!("`--set {argument}`"),
            Self::Preset { name } => format!("preset `{name}`"),
            Self::Default { .. } => "the default".into(),
        }
    }
}

fn all(mistakes: &[Mistake]) -> String {
    let listed = mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n\n");
    match mistakes.len() {
        1 => listed,
        count => format!("{count} mistakes in the configuration\n\n{listed}"),
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { name, line, column, .. } => write!(f, "{name}:{line}:{column}: ")?,
            Place::Override { argument } => write!(f, "`--set {argument}`: ")?,
            Place::Preset { name } => write!(f, "preset `{name}`: ")?,
            Place::Default { name } => write!(f, "{name}: ")?,
        }
        write!(f, "{}", self.fault)?;
        let mut margin = String::new();
        if let Place::File { line, snippet, .. } = &self.place {
            write!(f, "\n{snippet}")?;
            margin = " ".repeat(line.to_string().len());
        }
        match &self.help {
            Some(help) => write!(f, "\n{margin} = {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { message } | Self::Corpus { message } => write!(f, "{message}"),
            Self::UnknownKey { key } => write!(f, "there is no setting `{key}`"),
            Self::BadValue { key, given, expected } => write!(f, "`{key}` must be {expected}, not {given}"),
            Self::Contradiction { settings } => contradiction(f, settings),
        }
    }
}

/// `a = 1` contradicts `b = 2` (line 3) and `c = 4` (the default)
fn contradiction(f: &mut fmt::Formatter<'_>, settings: &[Setting]) -> fmt::Result {
    for (index, setting) in settings.iter().enumerate() {
        match index {
            0 => {}
            1 => write!(f, " contradicts ")?,
            _ => write!(f, " and ")?,
        }
        write!(f, "`{} = {}`", setting.key, setting.value)?;
        if index > 0 {
            write!(f, " ({})", setting.place.brief())?;
        }
    }
    Ok(())
}
