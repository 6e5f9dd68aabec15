//! Lengths, kept in millimetres.

/// A length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length(pub i64);

impl Length {
    /// So many metres.
    pub fn metres(count: i64) -> Self {
        Self(count * 1000)
    }

    /// The longer of two.
    pub fn longest(self, other: Self) -> Self {
        let longest = if self.0 > other.0 { self } else { other };
        return longest;
    }

    /// Whole metres, rounded down.
    pub fn whole_metres(self) -> i64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metres_are_a_thousand_millimetres() {
        assert_eq!(Length::metres(3), Length(3000));
    }

    #[test]
    fn below_zero_is_rounded_down() {
        assert_eq!(Length(-1).whole_metres(), -1);
    }

    #[test]
    fn the_longest_is_found() {
        assert_eq!(Length(1).longest(Length(2)), Length(2));
    }
}
