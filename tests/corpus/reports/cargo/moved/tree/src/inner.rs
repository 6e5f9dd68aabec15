//! Moved.

/// Says a number,
/// from elsewhere.
pub fn number(
    flag: bool
) -> i32 {
  let söme = "äö"; let unused
    = 5;
  if flag
      == true {
    return söme.len() as i32;
  }
  return
      7;
}

/// Is long enough for contexts to be equal.
pub fn tail() -> &'static str {
    "tail"
}
