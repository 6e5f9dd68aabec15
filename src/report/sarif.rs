//! A verdict as SARIF 2.1.0, for code hosts and editors: one run for each step.

use serde_json::{Value, json};

use crate::domain::verdict::Word;
use crate::view::{FindingView, StepView, VerdictView};

/// The whole log, with a line end.
pub fn sarif(view: &VerdictView) -> String {
    let runs: Vec<Value> = view.steps.iter().map(run).chain(decided(view)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    });
    format!("{log:#}\n")
}

/// The rule that decided when no step did: without it nobody would see that the tree did not pass.
fn decided(view: &VerdictView) -> Option<Value> {
    let rule = view.rule.as_ref().filter(|_| view.verdict != Word::Pass)?;
    let text = view.fact.as_ref().unwrap_or(rule);
    Some(json!({
        "tool": { "driver": { "name": "git-orch" } },
        "results": [{ "ruleId": rule, "level": "error", "message": { "text": text } }],
    }))
}

fn run(step: &StepView) -> Value {
    let findings = step.report.as_ref().map_or(&[][..], |report| report.findings.as_slice());
    let results: Vec<Value> = findings.iter().map(result).collect();
    let mut invocation = json!({ "executionSuccessful": step.verdict != Word::Blocked });
    if let Some(reason) = &step.reason {
        let level = if step.verdict == Word::Pass { "note" } else { "error" };
        invocation["toolExecutionNotifications"] = json!([{ "level": level, "message": { "text": reason } }]);
    }
    if let Some(exit) = step.exit {
        invocation["exitCode"] = json!(exit);
    }
    json!({
        "tool": { "driver": { "name": step.name } },
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
    })
}

fn result(finding: &FindingView) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": { "text": if finding.message.is_empty() { &finding.rule } else { &finding.message } },
        "partialFingerprints": { "gitOrch/v1": finding.fingerprint },
    });
    if let Some(path) = &finding.path {
        let mut place = json!({ "artifactLocation": { "uri": uri(path), "uriBaseId": "%SRCROOT%" } });
        if let Some(line) = finding.line {
            place["region"] = json!({ "startLine": line });
            if let Some(column) = finding.column {
                place["region"]["startColumn"] = json!(column);
            }
        }
        result["locations"] = json!([{ "physicalLocation": place }]);
    }
    result
}

/// A path as a relative reference: whatever is no plain character of one, escaped.
fn uri(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(path, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Asked;
    use crate::view::verdict::tests::{reported, sample};

    #[test]
    fn findings_are_results_and_what_blocked_is_told() {
        let view = VerdictView::new(&sample(Word::Fail, vec![reported()]), Asked::default(), &|_| None);
        let mut blocked = VerdictView::new(&sample(Word::Blocked, vec![]), Asked::default(), &|_| None);
        blocked.rule = Some("gate.changed".into());
        assert!(sarif(&blocked).contains("\"ruleId\": \"gate.changed\""), "nobody takes it for a green one");
        let log: Value = serde_json::from_str(&sarif(&view)).unwrap();
        insta::assert_snapshot!(log, @r#"{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","runs":[{"columnKind":"unicodeCodePoints","invocations":[{"executionSuccessful":true,"exitCode":0,"toolExecutionNotifications":[{"level":"error","message":{"text":"exit 1"}}]}],"results":[{"level":"error","locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/%C3%BC%20a.py","uriBaseId":"%SRCROOT%"},"region":{"startColumn":5,"startLine":3}}}],"message":{"text":"line <too> long"},"partialFingerprints":{"gitOrch/v1":"0f"},"ruleId":"E501"},{"level":"warning","message":{"text":"line <too> long"},"partialFingerprints":{"gitOrch/v1":"0f"},"ruleId":"E501"}],"tool":{"driver":{"name":"lint"}}}],"version":"2.1.0"}"#);
    }
}
