//! Planted.

/// Says a number.
pub fn number(flag: bool) -> i32 {
    let söme = "äö"; let unused = 5;
    if flag == true {
        return söme.len() as i32;
    }
    return 7;
}

/// Is long enough for contexts to be equal.
pub fn tail() -> &'static str {
    "tail"
}

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
