//! The prompt: a sentence in, its translation out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use rnnsearch_alignment::heatmap;
use rnnsearch_inference::{TranslateOptions, Translation, Translator};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::commands::heatmap::{in_units, is_dumb_terminal, terminal_width, usual_terminal_options};
use crate::messages::{Messages, harmless};
use crate::output::print;
use crate::record::one_line;

const HELP: &str = "\
Type a sentence to translate it. Commands:
  :align         draw which source words each word of the last translation looked at
  :alt           show the other translations that were considered
  :beam N        keep N hypotheses at a step; 1 is greedy
  :time on|off   tell how long each translation takes, or do not
  :help          show this
  :quit          leave; so does Ctrl-D
";

/// Lines kept in the history.
const HISTORY: usize = 1000;

/// Translates what is typed until there is no more.
pub fn run(translator: Translator, options: TranslateOptions, messages: Messages) -> Result<()> {
    let config = rustyline::Config::builder().max_history_size(HISTORY)?.auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config).context("cannot read from the terminal")?;
    let history = history_file();
    if let Some(file) = &history {
        // There is none before the first prompt is left.
        let _ = editor.load_history(file);
    }
    let data = &translator.config().data;
    messages.note(format_args!("{} to {}; :help lists the commands", data.source_language, data.target_language));
    let prompt = format!("{}> ", data.source_language);
    let mut prompt_state = Prompt { translator: &translator, options, timed: false, last: None };
    loop {
        match editor.readline(&prompt) {
            Ok(line) => match prompt_state.answer(&line)? {
                Some(answer) => print(&answer)?,
                None => break,
            },
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read from the terminal"),
        }
    }
    if let Some(file) = &history
        && let Err(error) = save_history(&mut editor, file)
    {
        messages.warning(format_args!("cannot save the history in `{}`: {error}", file.display()));
    }
    Ok(())
}

fn save_history(editor: &mut DefaultEditor, file: &PathBuf) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.append_history(file)
}

/// `rnnsearch/history.txt` in the folder for such things, if there is one.
fn history_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("rnnsearch").join("history.txt"))
}

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
enum Request<'a> {
    Translate(&'a str),
    Align,
    Alternatives,
    Beam(Option<usize>),
    Time(Option<bool>),
    Help,
    Quit,
    Unknown(&'a str),
}

impl<'a> Request<'a> {
    fn parse(line: &'a str) -> Self {
        let line = line.trim();
        let mut words = line.split_whitespace();
        let command = words.next().and_then(|word| word.strip_prefix(':')).unwrap_or_default();
        // A colon on its own, or a smiley, is text.
        if !command.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Self::Translate(line);
        }
        let beam = |word: &str| word.parse().ok().filter(|beam| (1..=1000).contains(beam));
        match (command, words.next(), words.next()) {
            ("align", None, None) => Self::Align,
            ("alt", None, None) => Self::Alternatives,
            ("beam", number, None) => Self::Beam(number.and_then(beam)),
            ("time", Some("on"), None) => Self::Time(Some(true)),
            ("time", Some("off"), None) => Self::Time(Some(false)),
            ("time", None, None) => Self::Time(None),
            ("help", None, None) => Self::Help,
            ("quit" | "q", None, None) => Self::Quit,
            _ => Self::Unknown(line),
        }
    }
}

/// What the prompt remembers.
struct Prompt<'a> {
    translator: &'a Translator,
    options: TranslateOptions,
    /// Whether times are told.
    timed: bool,
    last: Option<Translation>,
}

impl Prompt<'_> {
    /// What to print for a line; none if it asks to leave.
    fn answer(&mut self, line: &str) -> Result<Option<String>> {
        Ok(Some(match Request::parse(line) {
            Request::Translate("") => String::new(),
            Request::Translate(text) => self.translate(text),
            Request::Align => self.align()?,
            Request::Alternatives => self.alternatives(),
            Request::Beam(Some(beam)) => {
                self.options.search.beam_size = beam;
                format!("beam {beam}\n")
            }
            Request::Beam(None) => format!("beam {}; :beam N sets it, from 1 to 1000\n", self.options.search.beam_size),
            Request::Time(wanted) => {
                self.timed = wanted.unwrap_or(self.timed);
                format!("time {}\n", if self.timed { "on" } else { "off" })
            }
            Request::Help => HELP.to_owned(),
            Request::Quit => return Ok(None),
            Request::Unknown(line) => format!("there is no command `{}`\n{HELP}", harmless(line)),
        }))
    }

    fn translate(&mut self, text: &str) -> String {
        let mut options = self.options.clone();
        options.search.n_best = options.search.beam_size;
        let begin = Instant::now();
        let mut growing = Growing { row: String::new(), drawn: !is_dumb_terminal() };
        let translation =
            self.translator.translate_watched(&text.into(), &options, &mut |text: &str| growing.show(&shown(text)));
        growing.show("");
        let mut answer = shown(&translation.candidates[0].text) + "\n";
        if translation.pieces > 1 {
            answer += &format!("(too long for the model at once: translated in {} pieces)\n", translation.pieces);
        }
        if self.timed {
            let time = format!("{:.2} s", begin.elapsed().as_secs_f64());
            answer += &if usual_terminal_options().color { format!("\x1b[2m{time}\x1b[0m\n") } else { time + "\n" };
        }
        self.last = Some(translation);
        answer
    }

    fn align(&self) -> Result<String> {
        let Some(last) = &self.last else { return Ok(NOTHING_YET.to_owned()) };
        if last.candidates[0].alignment.is_none() {
            return Ok("this model has no attention, and so no alignments\n".to_owned());
        }
        Ok(heatmap::terminal(&in_units(&last.candidates[0], false)?, &usual_terminal_options()))
    }

    fn alternatives(&self) -> String {
        let Some(last) = &self.last else { return NOTHING_YET.to_owned() };
        let line = |candidate: &rnnsearch_inference::Candidate| {
            format!("{:8.3}  {}\n", candidate.score, shown(&candidate.text))
        };
        last.candidates.iter().map(line).collect()
    }
}

/// A translation on its way, on one row of the terminal that is drawn anew as it grows.
struct Growing {
    /// What stands there.
    row: String,
    /// Whether the terminal can draw over a row.
    drawn: bool,
}

impl Growing {
    /// Shows the end of a text, as much as fits.
    fn show(&mut self, text: &str) {
        if !self.drawn {
            return;
        }
        // A full row would wrap on some terminals, and `…` is two columns wide on others.
        let row = tail(text, terminal_width().saturating_sub(2));
        if row == self.row {
            return;
        }
        let mut stdout = io::stdout();
        // Who cannot be shown how it grows is told of that when the translation is printed.
        let _ = write!(stdout, "\r{row}\x1b[K").and_then(|()| stdout.flush());
        self.row = row;
    }
}

/// The end of a text that fits into so many columns, after `…` where that is not all of it.
fn tail(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |grapheme: &&str| {
        let fits = grapheme.width() <= room;
        room = room.saturating_sub(grapheme.width());
        fits
    };
    let length: usize = text.graphemes(true).rev().take_while(fits).map(str::len).sum();
    format!("…{}", &text[text.len() - length..])
}

const NOTHING_YET: &str = "nothing is translated yet: type a sentence first\n";

fn shown(text: &str) -> String {
    harmless(&one_line(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_a_colon_and_a_letter() {
        assert_eq!(Request::parse(" Guten Tag. "), Request::Translate("Guten Tag."));
        assert_eq!(Request::parse(":align"), Request::Align);
        assert_eq!(Request::parse(":alt "), Request::Alternatives);
        assert_eq!(Request::parse(":beam 12"), Request::Beam(Some(12)));
        for other in [":beam", ":beam 0", ":beam 1001", ":beam x"] {
            assert_eq!(Request::parse(other), Request::Beam(None), "{other}");
        }
        assert_eq!(Request::parse(":time on"), Request::Time(Some(true)));
        assert_eq!(Request::parse(":time"), Request::Time(None));
        assert_eq!(Request::parse(":time now"), Request::Unknown(":time now"));
        assert_eq!((Request::parse(":q"), Request::parse(":help")), (Request::Quit, Request::Help));
        assert_eq!(Request::parse(":align now"), Request::Unknown(":align now"));
        for text in ["", ":", ":-)", ": align", "a :align"] {
            assert_eq!(Request::parse(text), Request::Translate(text), "{text}");
        }
    }

    #[test]
    fn a_row_shows_the_end_of_what_does_not_fit() {
        assert_eq!(tail("", 5), "");
        assert_eq!(tail("abcde", 5), "abcde");
        assert_eq!(tail("abcdef", 5), "…cdef");
        // Two columns a character, and none for a combining mark.
        assert_eq!(tail("一二三", 6), "一二三");
        assert_eq!(tail("一二三", 5), "…二三");
        assert_eq!(tail("一二三", 4), "…三");
        assert_eq!(tail("abe\u{301}f", 4), "abe\u{301}f");
        assert_eq!(tail("abe\u{301}f", 3), "…e\u{301}f");
        assert_eq!(tail("abc", 0), "…");
    }
}
