//! Ralph's result: a line a step, the tail of what failed, the word last.

use crate::domain::verdict::Word;
use crate::report::Page;
use crate::report::guardrail;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{self, DIM, LITERAL, STRONG, WARN_LABEL, paint};
use crate::report::table::Table;
use crate::report::words::{duration, harmless, indent, plural, relative, short};
use crate::view::{GateStepsView, RangeView, StepView, VerdictView};

/// The most lines of a failing step's output that are shown; the log has the rest.
const TAIL_LINES: usize = 20;

/// The whole result. Its last line is the word alone (contract.md, "Ralph").
pub fn verdict(view: &VerdictView, page: Page) -> String {
    let mut out = String::new();
    let name = view.steps.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
    for step in &view.steps {
        out.push_str(&self::step(step, name, page));
    }
    for warning in &view.warnings {
        out.line(&format!("{} {}", paint(WARN_LABEL, "warning:"), harmless(warning)));
    }
    out.push_str(&guardrail::decided(&view.findings, page));
    out.push_str(&guardrail::allowed(&view.allowed));
    out.push_str(&decided(view));
    out.line(&paint(DIM, &about(view, page)));
    out.line(&paint(palette::verdict(view.verdict), view.verdict.as_str()));
    out
}

/// The same for a refusal: what passed is no part of the reason, and the refusal has said the word.
pub fn refused(view: &VerdictView, page: Page) -> String {
    let mut out = String::new();
    let steps = || view.steps.iter().filter(|step| step.verdict != Word::Pass);
    let name = steps().map(|s| s.name.chars().count()).max().unwrap_or(0);
    for step in steps() {
        out.push_str(&self::step(step, name, page));
    }
    out.push_str(&guardrail::decided(&view.findings, page));
    out.push_str(&decided(view));
    out.line(&paint(DIM, &about(view, page)));
    out
}

/// The commits of a range: a line each, with what did not pass below. Its last line is the word alone.
pub fn range(view: &RangeView, page: Page) -> String {
    let mut out = String::new();
    for commit in &view.commits {
        let word = paint(palette::verdict(commit.verdict), commit.verdict.as_str());
        let cached = commit.steps.iter().filter(|step| step.cached).count();
        let how = match commit.recorded {
            true => "recorded".to_owned(),
            false => format!("{}, {cached} cached", plural(commit.steps.len(), "step")),
        };
        out.line(&format!("{} {word}  {}", short(&commit.commit), paint(DIM, &how)));
        if commit.verdict != Word::Pass {
            out.line(&indent(refused(commit, page).trim_end(), 2));
        }
    }
    let count = plural(view.commits.len(), "commit");
    out.line(&paint(DIM, &format!("{}{}{count}", view.range, page.dot())));
    out.line(&paint(palette::verdict(view.verdict), view.verdict.as_str()));
    out
}

/// The rule that decided, if no step did; else what the base has to do with it.
fn decided(view: &VerdictView) -> String {
    let fact = view.fact.as_deref().unwrap_or("");
    if view.rule.is_none() && !fact.is_empty() {
        let what = if view.verdict == Word::Pass { "no regressions" } else { "worse than the base" };
        return format!("{what}: {}\n", harmless(fact));
    }
    view.rule
        .as_ref()
        .map_or_else(String::new, |rule| format!("rule {}: {}\n", paint(LITERAL, rule), harmless(fact)))
}

fn about(view: &VerdictView, page: Page) -> String {
    let dot = page.dot();
    let made = if view.recorded {
        format!("{dot}recorded {}", relative(page.now, &view.made))
    } else {
        String::new()
    };
    let gate = match view.judged_by {
        Some("own") => format!("{dot}by its own gate"),
        Some(_) => format!("{dot}by trunk's gate"),
        None => String::new(),
    };
    let (commit, tree) = (short(&view.commit), short(&view.tree));
    format!("{} {commit}{dot}tree {tree}{dot}{}{gate}{made}", view.rev, view.trust)
}

/// One step, in a column of names so wide; below it what it said, if it did not pass.
pub(super) fn step(step: &StepView, name: usize, page: Page) -> String {
    let mark = match step.verdict {
        Word::Pass => Mark::Good,
        Word::Fail => Mark::Bad,
        Word::Blocked if step.skipped() => Mark::Idle,
        Word::Blocked => Mark::Warn,
    };
    let time = if step.skipped() { String::new() } else { duration(step.millis) };
    let time = if step.cached { "cached".to_owned() } else { time };
    let why = match &step.reason {
        Some(reason) if step.verdict == Word::Pass => format!("  {}", paint(DIM, &harmless(reason))),
        Some(reason) => format!("  {}", paint(palette::verdict(step.verdict), &harmless(reason))),
        None => String::new(),
    };
    let shown = harmless(&step.name).replace('\n', " ");
    let line = format!("{} {shown:<name$}  {time:>6}{why}", page.mark(mark));
    let mut out = format!("{}\n", line.trim_end());
    if step.verdict != Word::Pass && !step.said.trim().is_empty() {
        out.push_str(&tail(step));
    }
    out
}

/// Findings come first and are worth more than what was printed around them: what does not fit is cut at its end.
fn tail(step: &StepView) -> String {
    let text = harmless(step.said.trim_end());
    let mut lines: Vec<&str> = text.lines().collect();
    let found = step.report.as_ref().is_some_and(|report| report.found > 0);
    let most = if found { TAIL_LINES + 1 } else { TAIL_LINES };
    if found {
        lines.truncate(most);
    }
    let cut = lines.len().saturating_sub(most);
    let mut out = format!("{}\n", indent(&lines[cut..].join("\n"), 4));
    if let Some(log) = &step.log {
        let place = match cut {
            0 => format!("log: {log}"),
            n => format!("{} before these: {log}", plural(n, "line")),
        };
        out.line(&format!("    {}", paint(DIM, &place)));
    }
    out
}

/// The gate's definition: what runs, in which order.
pub fn gate_steps(view: &GateStepsView, page: Page) -> String {
    let mut out = format!("{} {}\n", paint(STRONG, "Gate"), paint(DIM, &format!("({})", view.origin)));
    for command in &view.setup {
        out.line(&format!("  setup  {}", harmless(command)));
    }
    for path in &view.carry {
        out.line(&format!("  carry  {}", harmless(path)));
    }
    if view.steps.is_empty() {
        out.push_str("  no steps: every verdict is BLOCKED (ralph.no_steps)\n");
        return out;
    }
    let mut table = Table::new(["STEP", "KIND", "NEEDS", "TIMEOUT", "REPORT", "FROM", "RUN"]);
    for step in &view.steps {
        table.row([
            (&step.name, LITERAL),
            (&step.kind, palette::PLAIN),
            (&step.needs.join(", "), palette::PLAIN),
            (step.timeout.as_deref().unwrap_or(""), palette::PLAIN),
            (step.report.as_deref().unwrap_or(""), palette::PLAIN),
            (step.from.as_deref().unwrap_or(""), DIM),
            (&step.run, palette::PLAIN),
        ]);
    }
    let page = Page { width: page.width.map(|w| w.saturating_sub(2)), ..page };
    out.line(&indent(&table.render(page), 2));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain, terminal};
    use crate::view::verdict::tests::{sample, step as result};
    use crate::view::{Asked, GateStepView};

    fn view(word: Word) -> VerdictView {
        let tail = (1..=24).map(|n| format!("line {n}\u{1b}[0m\r\n")).collect::<Vec<_>>().concat();
        let steps = match word {
            Word::Pass => {
                vec![result("fmt", Word::Pass, None, "noise"), result("clippy", Word::Pass, None, "")]
            }
            Word::Fail | Word::Blocked => vec![
                result("fmt", Word::Pass, None, ""),
                result("clippy", Word::Blocked, Some("cargo: not found"), ""),
                result("test", Word::Fail, Some("exit 1"), &tail),
                result("docs", Word::Blocked, Some("skipped: needs test"), ""),
            ],
        };
        let asked = Asked { rev: "HEAD".into(), commit: "a".repeat(40), ..Asked::default() };
        VerdictView::new(&sample(word, steps), asked, &|name| Some(format!("/logs/{name}.log")))
    }

    #[test]
    fn the_word_is_the_last_line() {
        insta::assert_snapshot!(plain(&verdict(&view(Word::Fail), terminal(80))), @r"
        ✓ fmt      1.2 s
        ! clippy   1.2 s  cargo: not found
        ✗ test     1.2 s  exit 1
            line 5
            line 6
            line 7
            line 8
            line 9
            line 10
            line 11
            line 12
            line 13
            line 14
            line 15
            line 16
            line 17
            line 18
            line 19
            line 20
            line 21
            line 22
            line 23
            line 24
            4 lines before these: /logs/test.log
        · docs            skipped: needs test
        HEAD aaaaaaaaaaaa · tree cccccccccccc · unsandboxed
        FAIL
        ");
        let mut pass = view(Word::Pass);
        pass.recorded = true;
        pass.warnings = vec!["2 files are not committed; HEAD was judged without them".into()];
        insta::assert_snapshot!(plain(&verdict(&pass, file())), @r"
        + fmt      1.2 s
        + clippy   1.2 s
        warning: 2 files are not committed; HEAD was judged without them
        HEAD aaaaaaaaaaaa - tree cccccccccccc - unsandboxed - recorded 1 min ago
        PASS
        ");
    }

    #[test]
    fn a_refusal_shows_what_did_not_pass() {
        let mut view = view(Word::Fail);
        view.steps[2].said = "boom".into();
        insta::assert_snapshot!(plain(&refused(&view, file())), @r"
        ! clippy   1.2 s  cargo: not found
        x test     1.2 s  exit 1
            boom
            log: /logs/test.log
        - docs            skipped: needs test
        HEAD aaaaaaaaaaaa - tree cccccccccccc - unsandboxed
        ");
    }

    #[test]
    fn a_rule_that_decided_is_named() {
        let mut view = view(Word::Blocked);
        view.steps.clear();
        view.rule = Some("ralph.no_steps".into());
        view.fact = Some("orch.toml on main has no [[ralph.step]]".into());
        insta::assert_snapshot!(plain(&verdict(&view, file())), @r"
        rule ralph.no_steps: orch.toml on main has no [[ralph.step]]
        HEAD aaaaaaaaaaaa - tree cccccccccccc - unsandboxed
        BLOCKED
        ");
    }

    #[test]
    fn the_gate_in_a_table() {
        let step = |name: &str, needs: &[&str]| GateStepView {
            name: name.into(),
            kind: name.into(),
            run: format!("cargo {name} --all-targets"),
            needs: needs.iter().map(ToString::to_string).collect(),
            timeout: None,
            report: (name == "clippy").then(|| "cargo".to_owned()),
            from: Some("Cargo.toml".into()),
        };
        let view = GateStepsView {
            schema: 1,
            origin: "detected".into(),
            setup: vec!["npm ci".into()],
            carry: vec![],
            steps: vec![step("clippy", &[]), step("test", &["clippy"])],
        };
        insta::assert_snapshot!(plain(&gate_steps(&view, terminal(60))), @r"
        Gate (detected)
          setup  npm ci
          STEP    KIND    NEEDS   REPORT  FROM        RUN
          clippy  clippy          cargo   Cargo.toml  cargo clippy…
          test    test    clippy          Cargo.toml  cargo test…
        ");
    }
}
