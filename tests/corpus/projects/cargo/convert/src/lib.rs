//! Lengths in words.

use measure::Length;

/// Reads `3 m` or `20 mm`.
pub fn parse(text: &str) -> Option<Length> {
    let (number, unit) = text.trim().split_once(' ')?;
    let count: i64 = number.parse().ok()?;
    match unit {
        "m" => Some(Length::metres(count)),
        "mm" => Some(Length(count)),
        _ => None,
    }
}

/// A length for people.
pub fn shown(length: Length) -> String {
    if length.0 % 1000 == 0 {
        format!("{} m", length.whole_metres())
    } else {
        format!("{} mm", length.0)
    }
}
