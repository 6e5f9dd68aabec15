//! JSON among other lines: steps print what they like around the report.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::gate::findings::report::ReportError;

/// Every document of the shape `T` that starts a line. Text and other JSON around them are skipped; a document that breaks
/// off is an error, and so is none at all.
pub(super) fn documents<T: DeserializeOwned>(
    text: &str,
    format: &'static str,
) -> Result<Vec<T>, ReportError> {
    let text = text.trim_start_matches('\u{feff}');
    let (mut found, mut refused, mut at) = (Vec::new(), None, 0);
    while let Some(start) = opening(text, at) {
        let mut documents = serde_json::Deserializer::from_str(&text[start..]).into_iter::<T>();
        at = start + 1;
        match documents.next() {
            Some(Ok(document)) => {
                found.push(document);
                at = start + documents.byte_offset();
            }
            Some(Err(e)) => match e.classify() {
                Category::Eof => return Err(ReportError::BrokenOff { format }),
                Category::Data => refused = refused.or(Some(e)),
                Category::Syntax | Category::Io => {}
            },
            None => {}
        }
    }
    match (found.is_empty(), refused) {
        (false, _) => Ok(found),
        (true, Some(e)) => Err(ReportError::Unreadable { format, cause: Box::new(e) }),
        (true, None) => Err(ReportError::Missing { format }),
    }
}

/// The next line from `at` on that starts with a bracket.
fn opening(text: &str, at: usize) -> Option<usize> {
    let opens = |at: usize| text[at..].starts_with(['{', '[']);
    if at == 0 && opens(0) {
        return Some(0);
    }
    // The byte before `at` was a bracket or is the end of a document: both are characters of one byte.
    let from = at.saturating_sub(1);
    text[from..].match_indices('\n').map(|(n, _)| from + n + 1).find(|n| *n >= at && opens(*n))
}

/// Reads each line that starts as one of `starts`; what such a line can't be read as is an error.
pub(super) fn lines<T: DeserializeOwned>(
    text: &str,
    starts: &[&str],
    format: &'static str,
) -> Result<Vec<T>, ReportError> {
    let lines = text.lines().map(str::trim).filter(|line| starts.iter().any(|start| line.starts_with(start)));
    lines
        .map(|line| {
            serde_json::from_str(line).map_err(|e| match e.classify() {
                Category::Eof => ReportError::BrokenOff { format },
                Category::Data | Category::Syntax | Category::Io => {
                    ReportError::Unreadable { format, cause: Box::new(e) }
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        match documents::<Vec<u8>>(text, "x") {
            Ok(found) => format!("{found:?}"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn documents_are_found_among_text() {
        for (text, expected) in [
            ("[1]", "[[1]]"),
            ("\u{feff}[]", "[[]]"),
            ("> lint\n[1,\n2]\n[note] all done\n[3]\n{\"a\":1}", "[[1, 2], [3]]"),
            ("[1] [2]\n[3]", "[[1], [3]]"),
            ("[1][2]", "[[1]]"),
            ("text [1]", "cannot find a report of the format `x`"),
            ("", "cannot find a report of the format `x`"),
            ("[1]\n[2,", "cannot find the end of the report (format `x`)"),
            ("[\"a\"]", "cannot read the report (format `x`)"),
            ("{\"a\":1}\n", "cannot read the report (format `x`)"),
        ] {
            assert_eq!(all(text), expected, "{text}");
        }
    }
}
