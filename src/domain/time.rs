//! Time as a value: milliseconds since the Unix epoch, in UTC.

use std::fmt;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time")]
pub struct TimeError(pub String);

impl Timestamp {
    /// From milliseconds since the epoch; out-of-range values are clamped to what a calendar can show.
    pub fn from_millis(ms: i64) -> Self {
        const YEAR_MINUS_9999: i64 = -377_705_023_200_000;
        const YEAR_9999: i64 = 253_402_207_200_000;
        Self(ms.clamp(YEAR_MINUS_9999, YEAR_9999))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as git's author and committer lines have them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads RFC 3339.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimeError(text.to_owned()))?;
        Ok(Self::from_millis(time.as_millisecond()))
    }

    /// This time plus `ms` milliseconds.
    #[must_use]
    pub fn plus_millis(self, ms: i64) -> Self {
        Self::from_millis(self.0.saturating_add(ms))
    }

    /// The quarter of the year that it is in, in UTC: `2026-q3`. Sorts as time does.
    pub fn quarter(self) -> String {
        // Clamped to jiff's range when made.
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        let date = jiff::tz::Offset::UTC.to_datetime(time);
        format!("{:04}-q{}", date.year().max(0), (date.month() + 2) / 3)
    }

    /// Milliseconds from `earlier` to this time; negative if it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, e.g. `2026-11-23T13:40:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).expect("clamped to jiff's range when made");
        write!(f, "{time:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339() {
        let t = Timestamp::from_millis(1_000_000_000_123);
        assert_eq!(t.to_string(), "2001-09-09T01:46:40.123Z");
        assert_eq!(Timestamp::parse(&t.to_string()), Ok(t));
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn quarters_begin_in_january_april_july_and_october() {
        let quarter = |text: &str| Timestamp::parse(text).expect("valid").quarter();
        assert_eq!(quarter("2026-01-01T00:00:00Z"), "2026-q1");
        assert_eq!(quarter("2026-03-31T23:59:59Z"), "2026-q1");
        assert_eq!(quarter("2026-04-01T00:00:00Z"), "2026-q2");
        assert_eq!(quarter("2026-12-31T23:59:59Z"), "2026-q4");
        assert_eq!(Timestamp::from_millis(i64::MIN).quarter(), "0000-q1");
    }

    #[test]
    fn out_of_range_is_clamped_not_a_panic() {
        assert!(!Timestamp::from_millis(i64::MAX).to_string().is_empty());
        let last = Timestamp::parse("9999-12-30T22:00:00.999Z").expect("a time");
        assert_eq!(Timestamp::parse(&last.to_string()), Ok(last));
    }
}
