//! What guardrails found in a change, and what was let through.

use serde::Serialize;

use crate::domain::finding::Finding;
use crate::policy::guardrail::{Allowed, Excuse};

/// Something that a change may not bring in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HitView {
    /// The guardrail.
    pub rule: String,
    /// The file.
    pub path: Option<String>,
    /// The line in it, where it is in one.
    pub line: Option<u32>,
    /// What is wrong, with the line; what looks like a secret is left out of it.
    pub message: String,
    /// `error`.
    pub severity: &'static str,
    /// The same for the same problem, wherever it is.
    pub fingerprint: String,
    /// Why it is wrong.
    pub why: String,
    /// What to do instead.
    pub fix: String,
}

impl HitView {
    /// The view of a finding of a rule that says `why`, and how to `fix` it.
    pub fn new(finding: &Finding, why: &str, fix: &str) -> Self {
        Self {
            rule: finding.rule.clone(),
            path: finding.path.clone(),
            line: finding.span.map(|span| span.line),
            message: finding.message.clone(),
            severity: finding.severity.as_str(),
            fingerprint: finding.fingerprint.clone(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        }
    }
}

/// Something that was let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AllowedView {
    /// The guardrail.
    pub rule: String,
    /// The file.
    pub path: Option<String>,
    /// The line in it, where it is in one.
    pub line: Option<u32>,
    /// What would be wrong.
    pub message: String,
    /// The same for the same problem, wherever it is.
    pub fingerprint: String,
    /// `comment` or `person`.
    pub by: &'static str,
    /// The comment's reason.
    pub reason: Option<String>,
}

impl AllowedView {
    /// The view of what was let through.
    pub fn new(allowed: &Allowed) -> Self {
        let (by, reason) = match &allowed.excuse {
            Excuse::Comment(reason) => ("comment", Some(reason.clone())),
            Excuse::Person => ("person", None),
        };
        let finding = &allowed.finding;
        Self {
            rule: finding.rule.clone(),
            path: finding.path.clone(),
            line: finding.span.map(|span| span.line),
            message: finding.message.clone(),
            fingerprint: finding.fingerprint.clone(),
            by,
            reason,
        }
    }
}
