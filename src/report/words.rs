//! Numbers, times and names as people read them.

pub use crate::domain::plural::plural;
use crate::domain::time::Timestamp;

/// `is` or `are`.
pub fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A duration to two digits or so: `12 ms`, `1.2 s`, `34 s`, `3 min`, `2 h 5 min`, `3 d`.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..100 => format!("{millis} ms"),
        100..9_950 => {
            let tenths = (millis + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        9_950..59_500 => format!("{} s", (millis + 500) / 1000),
        59_500..3_600_000 => format!("{} min", (seconds / 60).max(1)),
        3_600_000..172_800_000 => match (seconds / 60) % 60 {
            0 => format!("{} h", seconds / 3600),
            minutes => format!("{} h {minutes} min", seconds / 3600),
        },
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// How long before or after `now` an RFC 3339 time is: `3 min ago`, `in 7 d`; the text itself if it is none.
pub fn relative(now: Timestamp, time: &str) -> String {
    let Ok(then) = Timestamp::parse(time) else { return time.to_owned() };
    let millis = now.since(then);
    let size = duration(millis.unsigned_abs());
    match millis {
        -999..=999 => "just now".to_owned(),
        1_000.. => format!("{size} ago"),
        _ => format!("in {size}"),
    }
}

/// An RFC 3339 time to the minute: `2026-11-23 13:40 UTC`; the text itself if it is none.
pub fn minute(time: &str) -> String {
    match (time.get(..10), time.get(11..16), Timestamp::parse(time)) {
        (Some(day), Some(minute), Ok(_)) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}

/// An actor without the kind that goes without saying: `ann@example.com`, but `agent:autofix`.
pub fn actor(text: &str) -> &str {
    text.strip_prefix("person:").unwrap_or(text)
}

/// The first twelve characters of an object id or a key.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Every line of `text` with `spaces` in front; empty lines stay empty.
pub fn indent(text: &str, spaces: usize) -> String {
    let line = |l: &str| if l.trim().is_empty() { String::new() } else { " ".repeat(spaces) + l.trim_end() };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Text that others wrote, made safe for a terminal: of the control characters only line ends and tabs stay, and
/// none that make it read in another order than it is written in.
pub fn harmless(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let shown = |c: &char| (!c.is_control() || matches!(c, '\n' | '\t')) && !turns(*c);
    stripped.chars().filter(shown).collect()
}

/// Unicode's marks, embeddings, overrides and isolates of direction.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let all =
            [0, 99, 100, 1_249, 9_949, 9_950, 59_499, 59_500, 200_000, 3_600_000, 7_500_000, 259_200_000];
        insta::assert_snapshot!(all.map(duration).join(", "), @"0 ms, 99 ms, 0.1 s, 1.2 s, 9.9 s, 10 s, 59 s, 1 min, 3 min, 1 h, 2 h 5 min, 3 d");
    }

    #[test]
    fn times_are_relative_to_now() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        assert_eq!(relative(now, "2001-09-09T01:43:40Z"), "3 min ago");
        assert_eq!(relative(now, "2001-09-16T01:46:40Z"), "in 7 d");
        assert_eq!(relative(now, "2001-09-09T01:46:40Z"), "just now");
        assert_eq!(relative(now, "soon"), "soon");
        assert_eq!(minute("2001-09-09T01:46:40.123Z"), "2001-09-09 01:46 UTC");
        assert_eq!(minute("ü"), "ü");
    }

    #[test]
    fn what_others_wrote_can_t_drive_the_terminal() {
        assert_eq!(harmless("safe\u{202e}exe.gnp\u{2066}"), "safeexe.gnp");
        assert_eq!(harmless("a\u{1b}[31mred\u{1b}[0m\u{7}\r\n\tb"), "ared\n\tb");
    }
}
