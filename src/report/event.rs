//! One line for what happened, where there are no progress bars.

use crate::domain::verdict::Word;
use crate::report::Page;
use crate::report::page::Mark;
use crate::report::palette::{self, DIM, LITERAL, paint};
use crate::report::run::mark;
use crate::report::words::{duration, harmless, plural};
use crate::view::Event;

/// The line without its end; None for what is only shown while it lasts.
pub fn line(event: &Event, page: Page) -> Option<String> {
    let text = match event {
        Event::RunStarted { session, jobs, ready } => {
            let (ready, jobs) = (plural(*ready, "task"), plural(*jobs, "job"));
            format!("Session {}: {ready} ready, {jobs}", paint(LITERAL, session))
        }
        Event::TaskStarted { task, title, agent, .. } => {
            format!("{}{} {}", of(Some(task)), harmless(title), paint(DIM, &format!("({agent})")))
        }
        Event::IterationFinished { task, iteration, verdict, decision, why, millis } => {
            let why = why.as_deref().map_or_else(String::new, |w| format!(": {}", one_line(w)));
            let word = match verdict {
                Some(word) => paint(palette::verdict(*word), word.as_str()),
                None => "not judged".to_owned(),
            };
            let (time, arrow) = (paint(DIM, &duration(*millis)), page.arrow());
            format!("{}iteration {iteration} {word} {arrow} {decision}{why}  {time}", of(Some(task)))
        }
        Event::TaskFinished { task, outcome, iterations, note, millis } => {
            let note = note.as_deref().map_or_else(String::new, |n| format!(": {}", one_line(n)));
            let times = plural(usize::try_from(*iterations).unwrap_or(usize::MAX), "iteration");
            let cost = paint(DIM, &format!("{times}, {}", duration(*millis)));
            format!("{}{} {}{note}  {cost}", of(Some(task)), page.mark(mark(*outcome)), outcome.as_str())
        }
        Event::StepFinished { task, step, verdict, reason, millis, cached } => {
            let reason = reason.as_deref().map_or_else(String::new, |r| format!("  {}", one_line(r)));
            let time = if *cached { "cached".to_owned() } else { duration(*millis) };
            let (mark, time) = (page.mark(step_mark(*verdict)), paint(DIM, &time));
            format!("{}{mark} {step}  {time}{reason}", of(task.as_deref()))
        }
        Event::Note { task, text } => format!("{}{}", of(task.as_deref()), one_line(text)),
        Event::Stopping { now: true } => "Stopping now.".to_owned(),
        Event::Stopping { now: false } => {
            "Stopping after the current step. Ctrl-C again stops at once.".to_owned()
        }
        Event::IterationStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepOutput { .. }
        | Event::Verdict { .. }
        | Event::RunFinished { .. } => return None,
    };
    Some(text)
}

fn step_mark(word: Word) -> Mark {
    match word {
        Word::Pass => Mark::Good,
        Word::Fail => Mark::Bad,
        Word::Blocked => Mark::Warn,
    }
}

fn of(task: Option<&str>) -> String {
    task.map_or_else(String::new, |id| format!("{} ", paint(LITERAL, id)))
}

fn one_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::session::Outcome;
    use crate::report::page::tests::{file, plain};

    #[test]
    fn a_run_in_plain_lines() {
        let task = || "00000007".to_owned();
        let events = [
            Event::RunStarted { session: "00000001".into(), jobs: 1, ready: 2 },
            Event::TaskStarted {
                task: task(),
                title: "Fix it".into(),
                branch: "b".into(),
                agent: "autofix".into(),
            },
            Event::IterationStarted { task: task(), iteration: 1, limit: 15 },
            Event::StepFinished {
                task: Some(task()),
                step: "test".into(),
                verdict: Word::Fail,
                reason: Some("exit 1".into()),
                millis: 900,
                cached: false,
            },
            Event::IterationFinished {
                task: task(),
                iteration: 1,
                verdict: Some(Word::Fail),
                decision: "RETRY".into(),
                why: Some("14 left".into()),
                millis: 1_900,
            },
            Event::TaskFinished {
                task: task(),
                outcome: Outcome::Merged,
                iterations: 2,
                note: None,
                millis: 190_000,
            },
            Event::Stopping { now: false },
        ];
        let lines: Vec<String> = events.iter().filter_map(|e| line(e, file())).collect();
        insta::assert_snapshot!(plain(&lines.join("\n")), @r"
        Session 00000001: 2 tasks ready, 1 job
        00000007 Fix it (autofix)
        00000007 x test  0.9 s  exit 1
        00000007 iteration 1 FAIL -> RETRY: 14 left  1.9 s
        00000007 + merged  2 iterations, 3 min
        Stopping after the current step. Ctrl-C again stops at once.
        ");
    }
}
