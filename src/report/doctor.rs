//! The doctor's findings.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{DIM, LITERAL, STRONG, paint};
use crate::report::words::{harmless, plural};
use crate::view::{CheckState, CheckView, DoctorView};

/// A line a check; where it is and what to type below those that need it.
pub fn doctor(view: &DoctorView, page: Page) -> String {
    let name = view.checks.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
    let mut out: String = view.checks.iter().map(|check| self::check(check, name, page)).collect();
    let (problems, fixed) = (view.count(CheckState::Problem), view.count(CheckState::Fixed));
    let fixed = if fixed > 0 { format!(", {fixed} fixed") } else { String::new() };
    let end = if problems == 0 { "no problems".to_owned() } else { plural(problems, "problem") };
    out.line(&format!(
        "\n{}",
        paint(STRONG, &format!("{}, {end}{fixed}", plural(view.checks.len(), "check")))
    ));
    out
}

/// The problems alone; nothing if there are none.
pub fn problems(view: &DoctorView, page: Page) -> String {
    let problems = || view.checks.iter().filter(|check| check.state == CheckState::Problem);
    let name = problems().map(|c| c.name.chars().count()).max().unwrap_or(0);
    problems().map(|check| self::check(check, name, page)).collect()
}

fn check(check: &CheckView, name: usize, page: Page) -> String {
    let mark = match check.state {
        CheckState::Ok | CheckState::Fixed => Mark::Good,
        CheckState::Note => Mark::Idle,
        CheckState::Problem => Mark::Bad,
    };
    let fixed = if check.state == CheckState::Fixed { "fixed: " } else { "" };
    let mut out = format!("{} {:<name$}  {fixed}{}\n", page.mark(mark), check.name, harmless(&check.what));
    let pad = " ".repeat(name + 4);
    if let Some(place) = &check.place {
        out.line(&format!("{pad}{}", paint(DIM, &harmless(place))));
    }
    if let Some(next) = &check.next {
        out.line(&format!("{pad}{} {}", page.arrow(), paint(LITERAL, &harmless(next))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain, terminal};

    #[test]
    fn a_problem_says_where_and_what_to_type() {
        let check = |name: &str, state, what: &str| CheckView {
            name: name.into(),
            state,
            what: what.into(),
            place: None,
            next: None,
        };
        let mut view = DoctorView {
            checks: vec![
                check("state", CheckState::Ok, "12 tasks, all readable"),
                check("hooks", CheckState::Problem, "pre-push was overwritten"),
                check("worktrees", CheckState::Fixed, "1 lock of a dead process"),
            ],
        };
        view.checks[1].place = Some(".git/hooks/pre-push".into());
        view.checks[1].next = Some("git orch doctor --fix".into());
        insta::assert_snapshot!(plain(&doctor(&view, terminal(80))), @r"
        ✓ state      12 tasks, all readable
        ✗ hooks      pre-push was overwritten
                     .git/hooks/pre-push
                     → git orch doctor --fix
        ✓ worktrees  fixed: 1 lock of a dead process

        3 checks, 1 problem, 1 fixed
        ");
        insta::assert_snapshot!(plain(&problems(&view, file())), @r"
        x hooks  pre-push was overwritten
                 .git/hooks/pre-push
                 -> git orch doctor --fix
        ");
        view.checks.truncate(1);
        assert_eq!(problems(&view, file()), "");
        insta::assert_snapshot!(plain(&doctor(&view, file())), @r"
        + state  12 tasks, all readable

        1 check, no problems
        ");
    }
}
