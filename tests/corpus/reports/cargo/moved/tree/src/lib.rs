//! Planted.

mod inner;
pub use inner::{number, tail};

/// ```
/// assert_eq!(planted::number(true), 1);
/// ```
pub fn documented() {}

#[cfg(test)]
mod tests {
    #[test]
    fn passes() {}

    #[test]
    #[ignore]
    fn waits() {}

    #[test]
    fn fails() {
        assert_eq!(super::number(false), 8, "seven is not eight");
    }

    #[test]
    #[should_panic]
    fn never_panics() {}
}
