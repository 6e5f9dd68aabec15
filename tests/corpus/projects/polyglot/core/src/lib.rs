//! Temperatures of stations.

/// Tenths of a degree of a text like `-3.5`.
pub fn tenths(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.')?;
    Some(sign * (whole.parse::<i32>().ok()? * 10 + part.parse::<i32>().ok()?))
}

/// The mean, rounded down.
pub fn mean(values: &[i32]) -> i32 {
    values.iter().sum::<i32>() / values.len() as i32
}

#[cfg(test)]
mod tests {
    use super::{mean, tenths};

    #[test]
    fn frost_is_read() {
        assert_eq!(tenths("-3.5"), Some(-35));
    }

    #[test]
    fn whole_degrees_are_read() {
        assert_eq!(tenths("12"), Some(120));
    }

    #[test]
    fn the_mean_is_between() {
        assert_eq!(mean(&[10, 20]), 15);
    }
}
