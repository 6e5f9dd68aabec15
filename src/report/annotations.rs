//! Findings as GitHub's workflow commands, which it shows beside the lines of a change.
//!
//! The form is that of "Workflow commands for GitHub Actions": `::error file=…,line=…::message`.

use crate::domain::verdict::Word;
use crate::report::lines::Lines as _;
use crate::report::words::harmless;
use crate::view::{FindingView, HitView, StepView, VerdictView};

/// One line for each finding; for a step that did not pass and has none, one with its reason; for a rule that decided, one.
pub fn annotations(view: &VerdictView) -> String {
    let mut out = String::new();
    for hit in &view.findings {
        out.line(&guardrail(hit));
    }
    for step in &view.steps {
        self::step(&mut out, step);
    }
    if let Some(rule) = view.rule.as_ref().filter(|_| view.verdict != Word::Pass && view.findings.is_empty())
    {
        let fact = view.fact.as_deref().unwrap_or("");
        out.line(&command("error", &[("title", rule)], fact));
    }
    out
}

fn step(out: &mut String, step: &StepView) {
    let findings = step.report.as_ref().map_or(&[][..], |report| report.findings.as_slice());
    for finding in findings {
        out.line(&found(&step.name, finding));
    }
    if step.verdict != Word::Pass && findings.is_empty() && !step.skipped() {
        let reason = step.reason.as_deref().unwrap_or("it did not pass");
        out.line(&command("error", &[("title", &step.name)], reason));
    }
}

fn found(step: &str, finding: &FindingView) -> String {
    let level = match finding.severity {
        "error" => "error",
        "warning" => "warning",
        _ => "notice",
    };
    let (line, column) = (finding.line.map(|n| n.to_string()), finding.column.map(|n| n.to_string()));
    let title = format!("{step}: {}", finding.rule);
    let mut properties = Vec::new();
    for (key, value) in [("file", finding.path.as_ref()), ("line", line.as_ref()), ("col", column.as_ref())] {
        properties.extend(value.map(|value| (key, value.as_str())));
    }
    properties.push(("title", &title));
    command(level, &properties, &finding.message)
}

fn guardrail(hit: &HitView) -> String {
    let line = hit.line.map(|n| n.to_string());
    let mut properties = Vec::new();
    properties.extend(hit.path.as_ref().map(|path| ("file", path.as_str())));
    properties.extend(line.as_ref().map(|line| ("line", line.as_str())));
    properties.push(("title", &hit.rule));
    command("error", &properties, &hit.message)
}

fn command(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let pairs: Vec<String> = properties.iter().map(|(key, value)| pair(key, value)).collect();
    format!("::{level} {}::{}", pairs.join(","), escaped(message))
}

fn pair(key: &str, value: &str) -> String {
    format!("{key}={}", escaped(value).replace(':', "%3A").replace(',', "%2C"))
}

fn escaped(text: &str) -> String {
    harmless(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Asked;
    use crate::view::verdict::tests::{reported, sample, step as result};

    #[test]
    fn each_finding_is_one_line_whatever_is_in_it() {
        let steps = vec![
            reported(),
            result("test", Word::Fail, Some("exit 1: 50 %\nof it"), "boom"),
            result("docs", Word::Blocked, Some("skipped: needs test"), ""),
            result("fmt", Word::Pass, None, ""),
        ];
        let mut verdict = sample(Word::Fail, steps);
        verdict.rule = Some("ralph.coverage".into());
        verdict.fact = Some("a::b, c".into());
        let view = crate::view::VerdictView::new(&verdict, Asked::default(), &|_| None);
        insta::assert_snapshot!(annotations(&view), @r"
        ::error file=src/ü a.py,line=3,col=5,title=lint%3A E501::line <too> long
        ::warning title=lint%3A E501::line <too> long
        ::error title=test::exit 1: 50 %25%0Aof it
        ::error title=ralph.coverage::a::b, c
        ");
    }
}
