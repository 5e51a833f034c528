//! Messages to the user, on standard error.

use std::fmt;
use std::io::{self, Write};

use clap::Args;

/// How much to tell.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Messages")]
pub struct Messages {
    /// Tell nothing but warnings and errors
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more: the device, threads, sizes and times
    #[arg(long, short)]
    pub verbose: bool,
}

impl Messages {
    /// Tells something, unless told to be quiet.
    pub fn note(self, text: impl fmt::Display) {
        if !self.quiet {
            say(text);
        }
    }

    /// Tells something to those who want to know.
    pub fn detail(self, text: impl fmt::Display) {
        if self.verbose {
            say(text);
        }
    }

    /// Tells of something that should not be.
    pub fn warning(self, text: impl fmt::Display) {
        say(format_args!("warning: {text}"));
    }
}

/// Writes a line. Losing a message, because nobody reads them, must not lose the work.
fn say(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Text of others as a terminal may show it: control characters become their pictures, and so cannot steer it.
pub fn harmless(text: &str) -> String {
    let picture = |c: char| match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_pictures() {
        assert_eq!(harmless("a\x1b[31m\u{9b}\tä"), "a␛[31m\u{fffd}␉ä");
    }
}
