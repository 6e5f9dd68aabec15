//! Why steps would run, or not; what recorded steps saved; whether they said the truth.

use crate::domain::verdict::Word;
use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{self, DIM, LITERAL, PLAIN, STRONG, paint};
use crate::report::table::Table;
use crate::report::words::{duration, harmless, plural, relative, short};
use crate::view::{CacheStatsView, CacheVerifyView, ChangedView, ExplainView, ExplainedView, RuleView};

/// The most differences that are shown of one step.
const MOST: usize = 20;

/// What would become of each step, and why.
pub fn explain(view: &ExplainView, page: Page) -> String {
    let mut out = String::new();
    if let Some(answer) = &view.recorded {
        let word = paint(palette::verdict(answer.verdict), answer.verdict.as_str());
        out.line(&format!("{word} is on record, {}: no step would run", relative(page.now, &answer.made)));
    }
    if let Some(RuleView { rule, fact }) = &view.blocked {
        out.line(&format!(
            "rule {}: {}: no step would run before that",
            paint(LITERAL, rule),
            harmless(fact)
        ));
    }
    let width = view.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
    let mut gate = None;
    for step in &view.steps {
        if step.gate != gate {
            gate = step.gate;
            out.line(if gate == Some("own") { "by its own gate:" } else { "by trunk's gate:" });
        }
        out.push_str(&self::step(step, width, page));
    }
    let cached = view.steps.iter().filter(|step| !step.runs).count();
    let running = view.steps.len() - cached;
    out.line(&paint(
        DIM,
        &format!(
            "{} {}: {} would run, {cached} cached",
            view.rev,
            short(&view.commit),
            plural(running, "step")
        ),
    ));
    out
}

fn step(step: &ExplainedView, width: usize, page: Page) -> String {
    let pass = step.pass.as_ref().map_or_else(String::new, |pass| {
        format!("the PASS of {}, {}", short(&pass.commit), relative(page.now, &pass.made))
    });
    let (mark, word, why) = match step.why {
        "cached" => (Mark::Good, "cached", pass),
        "needed" => (Mark::Idle, "runs", format!("{} find what it leaves", step.needed_by.join(", "))),
        "changed" => (Mark::Warn, "runs", format!("differs from {pass}:")),
        "too_old" => (Mark::Warn, "runs", format!("{pass}, is too old (ralph.max_age)")),
        "trust" => (Mark::Warn, "runs", format!("{pass}, had less of a sandbox than policy.sandbox demands")),
        "refuted" => (Mark::Warn, "runs", format!("{pass}, was refuted: it failed when it ran again")),
        "other_tree" => (Mark::Warn, "runs", format!("{pass}, ran on another tree, and none that trunk had")),
        _ => (Mark::Warn, "runs", "no PASS of it is on record".to_owned()),
    };
    let mut out = format!("{} {:<width$}  {word:<6}  {}\n", page.mark(mark), step.name, paint(DIM, &why));
    for changed in step.changed.iter().take(MOST) {
        out.line(&format!("    {}", self::changed(changed)));
    }
    if step.changed.len() > MOST {
        out.line(&format!("    and {} more", step.changed.len() - MOST));
    }
    out
}

fn changed(changed: &ChangedView) -> String {
    let how = changed.how;
    match (changed.what, changed.name.as_deref()) {
        ("file", None) => "files that it reads are others (which ones can't be told)".to_owned(),
        ("definition", _) => "the step's definition, or setup, changed".to_owned(),
        ("machine", _) => "another operating system or processor".to_owned(),
        (what, name) => format!("{what:<8}  {}  {how}", paint(LITERAL, &harmless(name.unwrap_or_default()))),
    }
}

/// What the recorded steps saved.
pub fn cache_stats(view: &CacheStatsView, page: Page) -> String {
    if view.steps.is_empty() {
        return "no step is on record yet\n".to_owned();
    }
    let mut table = Table::new(["STEP", "RECORDED", "RAN", "CACHED", "SAVED"]);
    for step in &view.steps {
        let saved = if step.cached == 0 { String::new() } else { duration(step.saved_millis) };
        table.row([
            (&step.name, LITERAL),
            (&step.recorded.to_string(), PLAIN),
            (&step.ran.to_string(), PLAIN),
            (&step.cached.to_string(), PLAIN),
            (&saved, PLAIN),
        ]);
    }
    table.render(page)
}

/// What came of running steps again.
pub fn cache_verify(view: &CacheVerifyView, page: Page) -> String {
    let mut out = String::new();
    for step in &view.steps {
        let (mark, text) = match step.verdict {
            Word::Pass => (Mark::Good, "passes again".to_owned()),
            Word::Fail => (Mark::Bad, paint(STRONG, "a lie: it fails now, and counts no longer")),
            Word::Blocked => (Mark::Warn, "could not be judged".to_owned()),
        };
        let reason = step.reason.as_deref().map_or_else(String::new, |r| format!("  {}", harmless(r)));
        out.line(&format!("{} {}  {text}{reason}", page.mark(mark), step.name));
    }
    let (of, commit) = (plural(view.known, "recorded step"), short(&view.commit));
    out.line(&paint(DIM, &format!("{} {commit}: {} of {of} run again", view.rev, view.steps.len())));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain};
    use crate::view::{AgainView, PassView, StepStatsView};

    fn explained(name: &str, why: &'static str, changed: &[(&'static str, Option<&str>)]) -> ExplainedView {
        let changed = changed.iter().map(|(what, name)| ChangedView {
            what,
            name: name.map(str::to_owned),
            how: "changed",
        });
        ExplainedView {
            name: name.into(),
            gate: None,
            key: "k".into(),
            runs: why != "cached",
            why,
            needed_by: vec!["test".into(), "docs".into()],
            pass: (why != "new").then(|| PassView {
                commit: "a".repeat(40),
                made: "2001-09-09T01:46:40.000Z".into(),
                by: "person:ann".into(),
                millis: 5,
            }),
            changed: changed.collect(),
        }
    }

    #[test]
    fn each_step_says_why() {
        let changed = [
            ("file", Some("src/a\u{1b}.rs")),
            ("variable", Some("RUSTFLAGS")),
            ("program", Some("node")),
            ("definition", None),
            ("file", None),
        ];
        let steps = vec![
            explained("fmt", "cached", &[]),
            explained("build", "needed", &[]),
            explained("test", "changed", &changed),
            explained("docs", "other_tree", &[]),
            explained("old", "too_old", &[]),
            explained("trust", "trust", &[]),
            explained("lie", "refuted", &[]),
            explained("new", "new", &[]),
        ];
        let view = ExplainView {
            schema: 1,
            rev: "HEAD".into(),
            commit: "c".repeat(40),
            recorded: None,
            blocked: None,
            steps,
        };
        insta::assert_snapshot!(plain(&explain(&view, file())), @r"
        + fmt    cached  the PASS of aaaaaaaaaaaa, 1 min ago
        - build  runs    test, docs find what it leaves
        ! test   runs    differs from the PASS of aaaaaaaaaaaa, 1 min ago:
            file      src/as  changed
            variable  RUSTFLAGS  changed
            program   node  changed
            the step's definition, or setup, changed
            files that it reads are others (which ones can't be told)
        ! docs   runs    the PASS of aaaaaaaaaaaa, 1 min ago, ran on another tree, and none that trunk had
        ! old    runs    the PASS of aaaaaaaaaaaa, 1 min ago, is too old (ralph.max_age)
        ! trust  runs    the PASS of aaaaaaaaaaaa, 1 min ago, had less of a sandbox than policy.sandbox demands
        ! lie    runs    the PASS of aaaaaaaaaaaa, 1 min ago, was refuted: it failed when it ran again
        ! new    runs    no PASS of it is on record
        HEAD cccccccccccc: 7 steps would run, 1 cached
        ");
    }

    #[test]
    fn what_was_saved_and_what_was_a_lie() {
        assert_eq!(
            plain(&cache_stats(&CacheStatsView { schema: 1, steps: vec![] }, file())),
            "no step is on record yet\n"
        );
        let step = |name: &str, cached| StepStatsView {
            name: name.into(),
            recorded: 2,
            ran: 3,
            cached,
            saved_millis: 90_000,
        };
        let stats = CacheStatsView { schema: 1, steps: vec![step("test", 12), step("lint", 0)] };
        insta::assert_snapshot!(plain(&cache_stats(&stats, file())), @r"
        STEP  RECORDED  RAN  CACHED  SAVED
        test  2         3    12      1 min
        lint  2         3    0
        ");
        let again = |name: &str, verdict, reason: Option<&str>| AgainView {
            name: name.into(),
            verdict,
            reason: reason.map(str::to_owned),
        };
        let view = CacheVerifyView {
            schema: 1,
            rev: "main".into(),
            commit: "c".repeat(40),
            known: 4,
            steps: vec![
                again("a", Word::Pass, None),
                again("b", Word::Fail, Some("exit 1")),
                again("c", Word::Blocked, Some("x: not found")),
            ],
        };
        insta::assert_snapshot!(plain(&cache_verify(&view, file())), @r"
        + a  passes again
        x b  a lie: it fails now, and counts no longer  exit 1
        ! c  could not be judged  x: not found
        main cccccccccccc: 3 of 4 recorded steps run again
        ");
    }
}
