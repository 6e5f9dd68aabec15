//! Markers that a merge left.

use crate::policy::guardrail::change::{Change, Line};

/// What one of git's markers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Ours,
    Middle,
    Theirs,
}

fn marker(text: &str) -> Option<Marker> {
    let text = text.trim_end_matches('\r');
    let labelled =
        |sign: &str| text.strip_prefix(sign).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if labelled("<<<<<<<") {
        Some(Marker::Ours)
    } else if labelled(">>>>>>>") {
        Some(Marker::Theirs)
    } else if text == "=======" || labelled("|||||||") {
        Some(Marker::Middle)
    } else {
        None
    }
}

/// The first marker, if two of different kinds follow each other: one alone may be a heading's underline, or a quote of
/// a quote.
pub(super) fn first(change: &Change) -> Option<&Line> {
    let marked: Vec<(&Line, Marker)> =
        change.added.iter().filter_map(|line| marker(&line.text).map(|marker| (line, marker))).collect();
    let pair = |pair: &&[(&Line, Marker)]| {
        matches!(
            (pair[0].1, pair[1].1),
            (Marker::Ours, Marker::Middle | Marker::Theirs) | (Marker::Middle, Marker::Theirs)
        )
    };
    marked.windows(2).find(pair).map(|pair| pair[0].0)
}
