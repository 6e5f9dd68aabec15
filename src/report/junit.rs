//! A verdict as JUnit XML, for build servers: a suite for each step, a case for each finding, or one for all of it.

use quick_xml::escape::escape;

use crate::domain::verdict::Word;
use crate::report::lines::Lines as _;
use crate::report::words::harmless;
use crate::view::{FindingView, StepView, VerdictView};

/// The whole file.
pub fn junit(view: &VerdictView) -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"git-orch\">\n");
    for step in &view.steps {
        out.push_str(&suite(step));
    }
    if let Some(rule) = view.rule.as_ref().filter(|_| view.verdict != Word::Pass) {
        // Without it nobody would see that the tree did not pass.
        out.line("  <testsuite name=\"ralph\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">");
        let (rule, fact) = (text(rule), text(view.fact.as_deref().unwrap_or("")));
        out.line(&format!(
            "    <testcase classname=\"ralph\" name=\"{rule}\"><error message=\"{fact}\"/></testcase>"
        ));
        out.line("  </testsuite>");
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(step: &StepView) -> String {
    let findings = step.report.as_ref().map_or(&[][..], |report| report.findings.as_slice());
    let failures = if step.verdict == Word::Fail { findings.len().max(1) } else { 0 };
    let errors = usize::from(step.verdict == Word::Blocked && !step.skipped());
    let skipped = usize::from(step.skipped());
    let name = text(&step.name);
    let mut out = String::new();
    out.line(&format!(
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{}.{:03}\">",
        failures.max(1),
        step.millis / 1000,
        step.millis % 1000,
    ));
    let reason = text(step.reason.as_deref().unwrap_or(""));
    let case =
        |inner: &str| format!("    <testcase classname=\"{name}\" name=\"{name}\">{inner}</testcase>\n");
    match step.verdict {
        Word::Fail if !findings.is_empty() => findings.iter().for_each(|f| out.push_str(&found(&name, f))),
        Word::Fail => {
            out.push_str(&case(&format!("<failure message=\"{reason}\">{}</failure>", text(&step.tail))));
        }
        Word::Blocked if step.skipped() => out.push_str(&case(&format!("<skipped message=\"{reason}\"/>"))),
        Word::Blocked => {
            out.push_str(&case(&format!("<error message=\"{reason}\">{}</error>", text(&step.tail))));
        }
        Word::Pass => out.push_str(&case("")),
    }
    out.push_str("  </testsuite>\n");
    out
}

fn found(step: &str, finding: &FindingView) -> String {
    let path = finding.path.as_deref().unwrap_or("");
    let line = finding.line.map_or(String::new(), |line| format!(" line=\"{line}\""));
    let file = if path.is_empty() { String::new() } else { format!(" file=\"{}\"{line}", text(path)) };
    format!(
        "    <testcase classname=\"{step}\" name=\"{}\"{file}><failure type=\"{}\" message=\"{}\"/></testcase>\n",
        text(&finding.rule),
        finding.severity,
        text(&finding.message),
    )
}

/// Without what XML can't have at all, and the rest escaped.
fn text(text: &str) -> String {
    escape(harmless(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Asked;
    use crate::view::verdict::tests::{reported, sample, step};

    #[test]
    fn every_step_is_a_suite() {
        let steps = vec![
            step("fmt", Word::Pass, None, ""),
            step("build", Word::Blocked, Some("no \"cargo\""), "a < b\u{7}"),
            step("test", Word::Fail, Some("exit 1"), "boom"),
            step("docs", Word::Blocked, Some("skipped: needs test"), ""),
            reported(),
        ];
        let mut view = VerdictView::new(&sample(Word::Fail, steps), Asked::default(), &|_| None);
        view.rule = Some("ralph.tree_changed".into());
        view.fact = Some("a & b".into());
        insta::assert_snapshot!(junit(&view), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="git-orch">
          <testsuite name="fmt" tests="1" failures="0" errors="0" skipped="0" time="1.234">
            <testcase classname="fmt" name="fmt"></testcase>
          </testsuite>
          <testsuite name="build" tests="1" failures="0" errors="1" skipped="0" time="1.234">
            <testcase classname="build" name="build"><error message="no &quot;cargo&quot;">a &lt; b</error></testcase>
          </testsuite>
          <testsuite name="test" tests="1" failures="1" errors="0" skipped="0" time="1.234">
            <testcase classname="test" name="test"><failure message="exit 1">boom</failure></testcase>
          </testsuite>
          <testsuite name="docs" tests="1" failures="0" errors="0" skipped="1" time="1.234">
            <testcase classname="docs" name="docs"><skipped message="skipped: needs test"/></testcase>
          </testsuite>
          <testsuite name="lint" tests="2" failures="2" errors="0" skipped="0" time="1.234">
            <testcase classname="lint" name="E501" file="src/ü a.py" line="3"><failure type="error" message="line &lt;too&gt; long"/></testcase>
            <testcase classname="lint" name="E501"><failure type="warning" message="line &lt;too&gt; long"/></testcase>
          </testsuite>
          <testsuite name="ralph" tests="1" failures="0" errors="1" skipped="0">
            <testcase classname="ralph" name="ralph.tree_changed"><error message="a &amp; b"/></testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
