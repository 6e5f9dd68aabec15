//! Findings: single problems that a step of the gate reports, instead of one exit status.

use std::collections::BTreeMap;

/// How bad a finding is, as its tool says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It makes the tool fail.
    Error,
    /// It is told, and may make the tool fail where the project says so.
    Warning,
    /// A remark.
    Note,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// The severity for a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// Where in a file. All numbers count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first line.
    pub line: u32,
    /// The first column, where the tool says one.
    pub column: Option<u32>,
    /// The last line; at least `line`.
    pub end_line: u32,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The tool's name for what is wrong (`clippy::needless_return`, `TS2322`, `E501`), or the name of the failed test.
    pub rule: String,
    /// The file, from the checkout's root with `/`; None: it is of no single file.
    pub path: Option<String>,
    /// Where in the file.
    pub span: Option<Span>,
    /// What the tool says, at most `Finding::MESSAGE` bytes.
    pub message: String,
    /// How bad it is.
    pub severity: Severity,
    /// Lower-case hexadecimal. The same for the same problem wherever its lines have moved to, and however they are
    /// indented or broken: it is taken over what the tool found, never over where.
    pub fingerprint: String,
}

impl Finding {
    /// The most bytes of a message that are kept.
    pub const MESSAGE: usize = 500;
}

/// One line, as compilers write it: `src/a.rs:3:5: error E0308: mismatched types`.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(path) = &self.path {
            f.write_str(path)?;
            if let Some(span) = self.span {
                write!(f, ":{}", span.line)?;
                if let Some(column) = span.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        write!(f, "{} {}", self.severity.as_str(), self.rule)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// Executed, whatever came of it.
    pub ran: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Known and not executed.
    pub skipped: u64,
}

impl Tests {
    /// The sum of two runs.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            ran: self.ran.saturating_add(other.ran),
            failed: self.failed.saturating_add(other.failed),
            skipped: self.skipped.saturating_add(other.skipped),
        }
    }
}

/// Counts of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Lines that tests executed.
    pub covered: u64,
    /// Lines that can be executed.
    pub total: u64,
}

/// The findings of `candidate` that `base` has not, in order. A fingerprint that stands in the base some times excuses as
/// many of the candidate, those in files that have it in the base before others: a copy of an old problem is a new one.
pub fn new_ones<'a>(candidate: &'a [Finding], base: &[Finding]) -> Vec<&'a Finding> {
    let mut left: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    for finding in base {
        *left.entry((finding.fingerprint.clone(), finding.path.clone())).or_default() += 1;
    }
    let place = |finding: &Finding| (finding.fingerprint.clone(), finding.path.clone());
    let unexcused: Vec<&Finding> = candidate.iter().filter(|f| !take(&mut left, &place(f))).collect();
    let mut moved: BTreeMap<String, usize> = BTreeMap::new();
    for ((fingerprint, _), count) in left {
        *moved.entry(fingerprint).or_default() += count;
    }
    unexcused.into_iter().filter(|finding| !take(&mut moved, &finding.fingerprint)).collect()
}

/// Takes one of what is left under `key`, if there is one.
fn take<K: Ord>(left: &mut BTreeMap<K, usize>, key: &K) -> bool {
    match left.get_mut(key) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, fingerprint: &str) -> Finding {
        Finding {
            rule: "r".into(),
            path: Some(path.into()),
            span: None,
            message: String::new(),
            severity: Severity::Error,
            fingerprint: fingerprint.into(),
        }
    }

    fn new(candidate: &[(&str, &str)], base: &[(&str, &str)]) -> String {
        let make = |list: &[(&str, &str)]| list.iter().map(|(p, f)| finding(p, f)).collect::<Vec<_>>();
        let (candidate, base) = (make(candidate), make(base));
        let words = new_ones(&candidate, &base);
        let words = words.iter().map(|f| format!("{}:{}", f.path.as_deref().unwrap_or(""), f.fingerprint));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_the_base_has_is_not_new_wherever_it_went() {
        assert_eq!(new(&[("a", "1"), ("b", "2")], &[("a", "1")]), "b:2");
        assert_eq!(new(&[("moved", "1")], &[("a", "1")]), "");
        assert_eq!(new(&[], &[("a", "1")]), "");
    }

    #[test]
    fn a_copy_of_an_old_problem_is_a_new_one() {
        assert_eq!(new(&[("copy", "1"), ("a", "1")], &[("a", "1")]), "copy:1");
        assert_eq!(new(&[("a", "1"), ("a", "1")], &[("a", "1")]), "a:1");
        assert_eq!(new(&[("a", "1"), ("b", "1")], &[("a", "1"), ("c", "1")]), "");
    }
}
