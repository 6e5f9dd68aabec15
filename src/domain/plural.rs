//! A count with its noun, in every message.

/// `1 task`, `3 tasks`.
pub fn plural(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o']) => format!("{count} {stem}ies"),
        _ if noun.ends_with("ch") || noun.ends_with('s') => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_noun() {
        let all = [
            plural(0, "task"),
            plural(1, "entry"),
            plural(2, "entry"),
            plural(2, "day"),
            plural(3, "branch"),
        ];
        assert_eq!(all, ["0 tasks", "1 entry", "2 entries", "2 days", "3 branches"]);
    }
}
