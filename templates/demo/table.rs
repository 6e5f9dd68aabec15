//! Tables of numbers.

/// One line per value, right-aligned to `width`.
pub fn lines(values:&[f64],width:usize)->Vec<String>{
  values.iter().map(|value|format!("{value:>width$.2}",width=width)).collect()
}

#[cfg(test)]
mod tests{
  use super::*;

  #[test] fn values_are_right_aligned(){ assert_eq!(lines(&[1.0],6),["  1.00"]); }
}
