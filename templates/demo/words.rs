//! Words for people.

/// Whether there is anything to say about `values`.
pub fn worth_saying(values: &[f64]) -> bool {
    return !(values.len() == 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_about_nothing() {
        assert!(!worth_saying(&[]));
        assert!(worth_saying(&[1.0]));
    }
}
