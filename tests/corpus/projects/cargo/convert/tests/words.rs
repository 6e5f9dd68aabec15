use convert::{parse, shown};
use measure::Length;

#[test]
fn metres_are_read() {
    assert_eq!(parse("3 m"), Some(Length(3000)));
}

#[test]
fn other_units_are_not() {
    assert_eq!(parse("3 ft"), None);
}

#[test]
fn what_is_shown_is_read_again() {
    for length in [Length(0), Length(1500), Length(2000)] {
        assert_eq!(parse(&shown(length)), Some(length));
    }
}
