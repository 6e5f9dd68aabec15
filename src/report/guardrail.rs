//! What guardrails found, with why and what to do; what was let through, with the reason.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{DIM, LITERAL, paint};
use crate::report::words::harmless;
use crate::view::{AllowedView, HitView};

/// Each hit.
pub fn hits(hits: &[HitView], page: Page) -> String {
    let mut out = String::new();
    for hit in hits {
        let place = place(hit.path.as_deref(), hit.line);
        out.line(&format!("{} {place}  {}", page.mark(Mark::Bad), paint(LITERAL, &hit.rule)));
        out.line(&format!("    {}", harmless(&hit.message)));
        out.line(&format!("    {} {}", paint(DIM, "why:"), harmless(&hit.why)));
        out.line(&format!("    {} {}", paint(DIM, "fix:"), harmless(&hit.fix)));
    }
    out
}

/// The same as what decided a verdict.
pub(super) fn decided(found: &[HitView], page: Page) -> String {
    let mut out = hits(found, page);
    if !out.is_empty() {
        out.line(&paint(DIM, "No step was run: what a guardrail forbids is not judged further."));
    }
    out
}

/// What was let through, one line each, for reviewers.
pub(super) fn allowed(list: &[AllowedView]) -> String {
    let mut out = String::new();
    for one in list {
        let place = place(one.path.as_deref(), one.line);
        let excuse = match &one.reason {
            Some(reason) => format!("\"{}\"", harmless(reason)),
            None => "a person approved it".to_owned(),
        };
        out.line(&format!("allowed: {place}  {}: {excuse}", paint(LITERAL, &one.rule)));
    }
    out
}

fn place(path: Option<&str>, line: Option<u32>) -> String {
    let path = harmless(path.unwrap_or("the change"));
    line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain};

    #[test]
    fn each_hit_has_its_place_its_reason_and_a_way_out() {
        let hit = HitView {
            rule: "guardrail.a.b".into(),
            path: Some("src/a.rs".into()),
            line: Some(7),
            message: "bad: `x`".into(),
            severity: "error",
            fingerprint: "f".into(),
            why: "it hurts".into(),
            fix: "leave it out".into(),
        };
        insta::assert_snapshot!(plain(&decided(&[hit], file())), @r"
        x src/a.rs:7  guardrail.a.b
            bad: `x`
            why: it hurts
            fix: leave it out
        No step was run: what a guardrail forbids is not judged further.
        ");
        assert_eq!(decided(&[], file()), "");
    }

    #[test]
    fn what_was_let_through_has_its_reason() {
        let one = |line, reason: Option<&str>| AllowedView {
            rule: "guardrail.a.b".into(),
            path: Some("a".into()),
            line,
            message: String::new(),
            fingerprint: "f".into(),
            by: "comment",
            reason: reason.map(str::to_owned),
        };
        let list = [one(Some(1), Some("upstream bug 1234")), one(None, None)];
        insta::assert_snapshot!(plain(&allowed(&list)), @r#"
        allowed: a:1  guardrail.a.b: "upstream bug 1234"
        allowed: a  guardrail.a.b: a person approved it
        "#);
    }
}
