//! How far along things are: bars where standard error is a terminal, plain lines in a training elsewhere.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rnnsearch_training::{Observer, Prepared, Progress, Sample, ValidationReport};

use crate::messages::{Messages, harmless};

/// From this width of the terminal on there is room for a bar beside the numbers.
const ROOM_FOR_BAR: usize = 72;
/// The width where the terminal does not tell.
const USUAL_WIDTH: usize = 80;

/// Shows a training.
pub struct TrainingProgress {
    messages: Messages,
    bar: Option<ProgressBar>,
    /// The width that the bar was made for.
    width: usize,
}

impl TrainingProgress {
    /// Shows nothing yet.
    pub fn new(messages: Messages) -> Self {
        Self { messages, bar: None, width: 0 }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Tells something, above the bar if there is one.
    fn note(&self, text: impl fmt::Display) {
        self.above_bar(|| self.messages.note(text));
    }

    fn above_bar(&self, tell: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        let width = terminal_width();
        if width != self.width {
            bar.set_style(style(width));
            self.width = width;
        }
        bar.set_length(progress.batches as u64);
        bar.set_position(progress.batch as u64);
        if width >= ROOM_FOR_BAR {
            bar.set_prefix(format!("epoch {}", progress.epoch));
            bar.set_message(numbers(progress).join("  "));
        } else {
            bar.set_message(narrow(progress, width));
        }
    }
}

impl Observer for TrainingProgress {
    fn message(&mut self, text: &str) {
        self.note(text);
    }

    fn detail(&mut self, text: &str) {
        self.above_bar(|| self.messages.detail(text));
    }

    fn warning(&mut self, text: &str) {
        self.above_bar(|| self.messages.warning(text));
    }

    fn prepared(&mut self, prepared: &Prepared) {
        let Prepared { pairs, target_tokens, parameters, vocabularies: (source, target), .. } = *prepared;
        let [pairs, tokens, parameters] = [pairs, target_tokens, parameters].map(|count| HumanCount(count as u64));
        self.note(format_args!(
            "training on {pairs} pairs, {tokens} target tokens; {parameters} parameters, vocabularies of {source} and {target}"
        ));
        if io::stderr().is_terminal() && !self.messages.quiet {
            self.bar = Some(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        }
    }

    fn went_back(&mut self, _: u64) {}

    fn progress(&mut self, progress: &Progress) {
        if progress.logged && (self.bar.is_none() || self.messages.verbose) {
            let left = time_left(progress).map(|left| format!(", {left}")).unwrap_or_default();
            self.note(format_args!("{progress}{left}"));
        }
        self.draw(progress);
    }

    fn validated(&mut self, report: &ValidationReport) {
        let samples = report.samples.iter().map(|sample| format!("\n{}", shown(sample)));
        self.note(format_args!("{report}{}", samples.collect::<String>()));
    }
}

/// A sample that cannot steer the terminal.
fn shown(sample: &Sample) -> Sample {
    Sample {
        source: harmless(&sample.source),
        reference: harmless(&sample.reference),
        translation: harmless(&sample.translation),
        alignment: None,
    }
}

/// The numbers of an update, the most telling first.
fn numbers(progress: &Progress) -> Vec<String> {
    let loss = format!("loss {:.3}", progress.loss);
    let speed = format!("{} tokens/s", HumanCount(progress.tokens_per_second as u64));
    [Some(loss), time_left(progress), Some(speed)].into_iter().flatten().collect()
}

/// The time until the end that the settings allow; validation may end a training sooner.
fn time_left(progress: &Progress) -> Option<String> {
    progress.remaining.map(|remaining| format!("{} left", clock(remaining)))
}

/// As much of the progress as fits into a narrow terminal.
fn narrow(progress: &Progress, width: usize) -> String {
    let percent = 100 * progress.batch / progress.batches.max(1);
    let mut line = format!("{} {percent}%", progress.epoch);
    for number in numbers(progress) {
        if line.len() + 1 + number.len() < width {
            line = format!("{line} {number}");
        }
    }
    line
}

/// Hours, minutes and seconds.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn style(width: usize) -> ProgressStyle {
    let template = if width >= ROOM_FOR_BAR { "{prefix} {wide_bar} {pos}/{len}  {msg}" } else { "{wide_msg}" };
    ProgressStyle::with_template(template).expect("the template is a constant").progress_chars("━╸ ")
}

fn terminal_width() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(USUAL_WIDTH, |(width, _)| width.0.into())
}

/// Counts sentences on a terminal, while they are translated.
pub struct Counter(ProgressBar);

impl Counter {
    /// Counts up to `total`, if that is known.
    pub fn new(total: Option<usize>, shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = match total {
            Some(_) if terminal_width() >= ROOM_FOR_BAR => "{wide_bar} {pos}/{len} sentences  {eta} left",
            Some(_) => "{pos}/{len} {eta}",
            None => "{pos} sentences",
        };
        let style = ProgressStyle::with_template(template).expect("the template is a constant").progress_chars("━╸ ");
        Self(ProgressBar::with_draw_target(total.map(|total| total as u64), target).with_style(style))
    }

    /// Counts some more.
    pub fn add(&self, sentences: usize) {
        self.0.inc(sentences as u64);
    }

    /// Does something that may tell something, above the count.
    pub fn above<T>(&self, tell: impl FnOnce() -> T) -> T {
        self.0.suspend(tell)
    }

    /// Takes the count away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress {
            update: 1200,
            epoch: 3,
            batch: 120,
            batches: 363,
            alignment_loss: None,
            risk: None,
            loss: 3.21449,
            gradient_norm: 1.0,
            learning_rate: 1e-3,
            tokens_per_second: 8123.4,
            remaining: Some(Duration::from_secs(3 * 3600 + 62)),
            logged: true,
        }
    }

    #[test]
    fn the_loss_comes_first_and_what_does_not_fit_is_left_out() {
        assert_eq!(numbers(&progress()).join("  "), "loss 3.214  3:01:02 left  8,123 tokens/s");
        assert_eq!(narrow(&progress(), 60), "3 33% loss 3.214 3:01:02 left 8,123 tokens/s");
        assert_eq!(narrow(&progress(), 40), "3 33% loss 3.214 3:01:02 left");
        assert_eq!(narrow(&progress(), 20), "3 33% loss 3.214");
        for width in 20..72 {
            assert!(narrow(&progress(), width).len() < width, "{width}");
        }
    }

    #[test]
    fn an_unknown_end_is_not_told() {
        let progress = Progress { remaining: None, ..progress() };
        assert_eq!(narrow(&progress, 60), "3 33% loss 3.214 8,123 tokens/s");
    }
}
