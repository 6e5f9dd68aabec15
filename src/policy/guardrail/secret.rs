//! What tells a secret from its stand-in, and how a line with one is shown.

use std::collections::BTreeMap;
use std::ops::Range;

/// The most characters of a secret that are shown.
const SHOWN: usize = 4;

/// Bits a character, by how often each occurs in `text` (Shannon).
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts: BTreeMap<char, u32> = BTreeMap::new();
    for c in text.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let total = f64::from(counts.values().sum::<u32>());
    counts.values().map(|&count| f64::from(count) / total).map(|share| -share * share.log2()).sum()
}

/// Whether `text` only stands where a secret would: too even for one, or with a word that says so.
pub(super) fn is_dummy(text: &str, least: f64, dummies: &[String]) -> bool {
    let lower = text.to_lowercase();
    entropy(text) < least || dummies.iter().any(|word| lower.contains(word.as_str()))
}

/// `text` with the `secrets` in it (bytes) made unreadable, and where `focus` (a byte of `text`) is then.
pub(super) fn redacted(text: &str, mut secrets: Vec<Range<usize>>, focus: usize) -> (String, usize) {
    secrets.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let (mut shown, mut done, mut place) = (String::new(), 0, None);
    for range in secrets {
        if range.end <= done {
            continue;
        }
        // Of two that overlap, the rest of the second is a secret of its own.
        let start = range.start.max(done);
        if focus < start && place.is_none() {
            place = Some(shown.len() + focus.saturating_sub(done));
        }
        shown.push_str(&text[done..start]);
        place = place.or((focus < range.end).then_some(shown.len()));
        let secret = &text[start..range.end];
        let length = secret.chars().count();
        shown.extend(secret.chars().take(SHOWN.min(length / 4)));
        shown.push_str("…(");
        shown.push_str(&length.to_string());
        shown.push(')');
        done = range.end;
    }
    let place = place.unwrap_or(shown.len() + focus.saturating_sub(done));
    shown.push_str(&text[done..]);
    (shown, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_texts_have_little_entropy() {
        assert!(entropy("aaaaaaaaaaaaaaaa") < 0.1 && entropy("") < 0.1);
        assert!((entropy("abcd") - 2.0).abs() < 1e-9);
        assert!(entropy("q8Zr2LxW0pTn5VbK7sYd") > 4.0);
    }

    #[test]
    fn a_quarter_of_a_secret_and_at_most_four_characters_are_shown() {
        let one = |text, range, focus| redacted(text, vec![range], focus);
        assert_eq!(one("k = 0123456789abcdef;", 4..20, 4), ("k = 0123…(16);".into(), 4));
        assert_eq!(one("k = hunter2", 4..11, 0), ("k = h…(7)".into(), 0));
        assert_eq!(one("k = hunter2; x", 4..11, 13).0, "k = h…(7); x");
        assert_eq!(one("ü = ééééééééé", 5..23, 0).0, "ü = éé…(9)");
    }

    #[test]
    fn overlapping_secrets_are_all_hidden() {
        let (shown, _) = redacted("a 0123456789 b", vec![4..12, 2..8, 3..5], 0);
        assert_eq!(shown, "a 0…(6)6…(4) b");
        let (shown, focus) = redacted("x=SECRETSECRET y=TOKENTOKEN z", vec![2..14, 17..27], 28);
        assert_eq!(&shown[focus..], "z");
    }
}
