//! Axes with round numbers.

/// What is less cannot be told from zero.
pub(super) const LEAST: f64 = 1e-100;

/// A range of values with its round numbers: the multiples of `step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    step: f64,
}

impl Axis {
    /// An axis that has all values, with some room beyond them for markers, and about `count` round numbers. It begins or ends at
    /// zero where that is the least or the greatest value.
    pub fn around(values: impl Iterator<Item = f64>, count: f64) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let size = low.abs().max(high.abs());
        let (low, high) = if !size.is_finite() || size < LEAST {
            (0.0, 1.0)
        } else if high - low < 1e-9 * size {
            // As good as one value.
            (low - 0.5 * size, high + 0.5 * size)
        } else {
            (low, high)
        };
        let room = 0.08 * (high - low);
        let beyond = |value: f64, room: f64| if value == 0.0 { 0.0 } else { value + room };
        Self::exactly(beyond(low, -room), beyond(high, room), count)
    }

    /// An axis from `low` to `high`, which must be more, with about `count` round numbers.
    pub fn exactly(low: f64, high: f64, count: f64) -> Self {
        let rough = (high - low) / count;
        let magnitude = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0].into_iter().map(|unit| unit * magnitude).find(|&step| step >= rough);
        Self { low, high, step: step.unwrap_or(10.0 * magnitude) }
    }

    /// Where a value is, from 0 to 1.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The round numbers.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = ((self.low / self.step).ceil() as i64, (self.high / self.step).floor() as i64);
        (first..=last).map(|tick| tick as f64 * self.step)
    }

    /// A round number as text, with as many decimals as the step has.
    pub fn label(&self, tick: f64) -> String {
        if tick == 0.0 && self.step < 1e-4 {
            return "0".to_owned();
        }
        if self.step < 1e-4 {
            // The power that most of the axis has, so that neighbours can be compared.
            let power = self.low.abs().max(self.high.abs()).log10().floor();
            let unit = 10f64.powf(power);
            return format!("{}e{power}", plain(tick / unit, self.step / unit));
        }
        plain(tick, self.step)
    }
}

/// A multiple of `step`, with thin spaces between thousands.
fn plain(number: f64, step: f64) -> String {
    let whole = |decimals: &i32| {
        let scaled = step * 10f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    let decimals = (0..6).find(whole).unwrap_or(6);
    let text = format!("{number:.*}", decimals as usize);
    if number.abs() >= 10_000.0 { grouped(&text) } else { text }
}

/// A number with a thin space before every three digits of its whole part.
fn grouped(number: &str) -> String {
    let end = number.find('.').unwrap_or(number.len());
    let first = usize::from(number.starts_with('-'));
    let mut text = String::new();
    for (place, c) in number.char_indices() {
        if place > first && place < end && (end - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64]) -> String {
        let axis = Axis::around(values.iter().copied(), 7.0);
        axis.ticks().map(|tick| axis.label(tick)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&[0.0, 41.3, 27.0]), "0 10 20 30 40");
        assert_eq!(labels(&[0.0, 12.0]), "0 2 4 6 8 10 12");
        assert_eq!(labels(&[0.0, 15.5]), "0.0 2.5 5.0 7.5 10.0 12.5 15.0");
        assert_eq!(labels(&[0.0, 0.037]), "0.00 0.01 0.02 0.03");
        assert_eq!(labels(&[-3.0, 2.0]), "-3 -2 -1 0 1 2");
        assert_eq!(labels(&[1.69, 3.44]), "2.0 2.5 3.0 3.5");
    }

    #[test]
    fn without_spread_there_are_ticks_too() {
        assert_eq!(labels(&[]), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(&[0.0]), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(&[5.0]), "3 4 5 6 7");
        assert_eq!(labels(&[1e9, 1e9 + 1e-6]).split(' ').count(), 5);
        assert_eq!(labels(&[0.0, 5e-324]), labels(&[]));
    }

    #[test]
    fn small_and_large_numbers_can_be_read() {
        assert_eq!(labels(&[0.0, 0.001]), "0.0000 0.0002 0.0004 0.0006 0.0008 0.0010");
        assert_eq!(labels(&[0.0, 3e-5]), "0 0.5e-5 1.0e-5 1.5e-5 2.0e-5 2.5e-5 3.0e-5");
        assert_eq!(labels(&[0.0, 65_000.0]), "0 20\u{2009}000 40\u{2009}000 60\u{2009}000");
        assert_eq!(grouped("-1234567.5"), "-1\u{2009}234\u{2009}567.5");
    }
}
