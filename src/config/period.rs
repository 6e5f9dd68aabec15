//! A length of time as people write it in configuration: `60s`, `10m`, `1h 30m`, `7d`.

use std::fmt;
use std::time::Duration;

/// A length of time, at most ten years, with a precision of one millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

/// The text is not a length of time that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time (write `60s`, `10m`, `1h 30m` or `7d`, at most 3650d)")]
pub struct PeriodError(pub String);

const LONGEST_MS: u64 = 3650 * 24 * 3600 * 1000;

impl Period {
    /// From whole seconds; more than ten years becomes ten years.
    pub const fn from_secs(seconds: u64) -> Self {
        let ms = seconds.saturating_mul(1000);
        Self(if ms > LONGEST_MS { LONGEST_MS } else { ms })
    }

    /// From the standard library's type, rounded down to milliseconds; more than ten years becomes ten years.
    pub fn from_duration(length: Duration) -> Self {
        Self(u64::try_from(length.as_millis()).map_or(LONGEST_MS, |ms| ms.min(LONGEST_MS)))
    }

    /// Reads `60s`, `10m`, `1h 30m`, `7d`. Months and years have no fixed length and are refused, as are
    /// negative lengths and a bare number, whose unit would be a guess.
    pub fn parse(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError(text.to_owned());
        let span: jiff::Span = text.trim().parse().map_err(|_| error())?;
        let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| error())?;
        let ms = u64::try_from(length.as_millis()).map_err(|_| error())?;
        if ms > LONGEST_MS { Err(error()) } else { Ok(Self(ms)) }
    }

    /// Milliseconds.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library has it.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Whether it has no length.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Period {
    /// The shortest form that `parse` reads back: `1h30m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= ms {
                write!(f, "{}{unit}", rest / ms)?;
                rest %= ms;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn people_write_it_in_many_ways() {
        for (text, shown) in [
            ("60s", "1m"),
            ("10m", "10m"),
            ("1h 30m", "1h30m"),
            ("90 minutes", "1h30m"),
            ("7d", "7d"),
            ("1w", "7d"),
            ("1500ms", "1s500ms"),
            ("0s", "0s"),
        ] {
            assert_eq!(Period::parse(text).map(|p| p.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_has_no_fixed_or_sensible_length_is_refused() {
        for bad in ["", "10", "1y", "2mo", "-5s", "5s ago", "ten minutes", "9999d", "99999999999999h"] {
            assert!(Period::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(ms in 0..=LONGEST_MS) {
            let period = Period(ms);
            prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
        }
    }
}
