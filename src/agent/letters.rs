//! The other texts from templates: a person's brief, a task's commit message, a session's handoff.

use std::path::Path;

use serde::Serialize;

use crate::agent::render::{RenderError, TaskText, fill, one_line, plain};
use crate::assets::templates;
use crate::domain::kind::Kind;
use crate::domain::session::{Outcome, Session};
use crate::sys::process::quote;

/// What `git orch next` prints for a person who takes `task`: what it is, where, how to finish.
pub fn brief(task: &TaskText, branch: &str, path: &Path) -> Result<String, RenderError> {
    #[derive(Serialize)]
    struct Context<'a> {
        task: &'a TaskText,
        branch: &'a str,
        path: String,
        cd: String,
    }
    let path = path.display().to_string();
    let cd = quote(&path);
    fill("brief.txt", templates::BRIEF, &Context { task, branch, path, cd })
}

/// A subject line is at most this many characters long, its prefix included.
const SUBJECT_CHARS: usize = 72;
/// As much of a task's body as a commit message repeats, in bytes.
const BODY_BYTES: usize = 2000;
const PREFIXES: [&str; 10] =
    ["fix", "feat", "refactor", "test", "docs", "style", "chore", "perf", "build", "ci"];

/// The message of a commit for a task, without trailers.
pub fn commit_message(kind: Kind, title: &str, body: &str) -> Result<String, RenderError> {
    #[derive(Serialize)]
    struct Context {
        prefix: &'static str,
        subject: String,
        body: String,
    }
    let prefix = match kind {
        Kind::Bug => "fix",
        Kind::Feature => "feat",
        Kind::Refactor => "refactor",
        Kind::Test => "test",
        Kind::Docs => "docs",
        Kind::Quality => "style",
    };
    let title = one_line(title);
    let bare = without_prefix(&title);
    let subject = shortened(bare, SUBJECT_CHARS - prefix.len() - 2);
    let whole = if subject == bare { None } else { Some(bare.to_owned()) };
    let body = [whole, Some(body_text(body))].into_iter().flatten().filter(|part| !part.is_empty());
    let body = body.collect::<Vec<_>>().join("\n\n");
    fill("commit.txt", templates::COMMIT, &Context { prefix, subject, body })
}

/// A title that came with a prefix of this kind of its own is not given two.
fn without_prefix(title: &str) -> &str {
    match title.split_once(": ") {
        Some((word, rest)) if PREFIXES.contains(&word.split('(').next().unwrap_or(word)) => rest,
        Some(_) | None => title,
    }
}

/// `text`, cut at a word with an ellipsis if it has more than `chars` characters.
fn shortened(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let head: String = text.chars().take(chars - 1).collect();
    let cut = match head.rfind(' ') {
        Some(space) if space > head.len() / 2 => &head[..space],
        Some(_) | None => &head,
    };
    format!("{cut}…")
}

/// The first whole lines of a task's body that fit. A line that git would take for one of our trailers is
/// indented: trailers are the orchestrator's to write.
fn body_text(body: &str) -> String {
    let mut text = String::new();
    for line in plain(body).lines() {
        let line = line.trim_end();
        if text.len() + line.len() > BODY_BYTES {
            text.push_str("…\n");
            break;
        }
        if line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("orch-")) {
            text.push(' ');
        }
        text.push_str(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

#[derive(Serialize)]
struct HandoffTask {
    id: String,
    title: String,
    branch: Option<String>,
    iterations: u32,
    note: Option<String>,
    #[serde(skip)]
    outcome: Outcome,
}

/// What a session leaves to the next one, as Markdown. `describe` gives title and branch of the session's
/// nth task.
pub fn handoff(
    session: &Session,
    describe: &dyn Fn(usize) -> (String, Option<String>),
) -> Result<String, RenderError> {
    #[derive(Serialize)]
    struct Group<'a> {
        title: &'static str,
        tasks: Vec<&'a HandoffTask>,
    }
    #[derive(Serialize)]
    struct Context<'a> {
        session: &'a str,
        by: &'a str,
        started: String,
        ended: String,
        summary: String,
        groups: Vec<Group<'a>>,
        next: Vec<String>,
    }
    let tasks: Vec<HandoffTask> = session
        .tasks
        .iter()
        .enumerate()
        .map(|(n, task)| {
            let (title, branch) = describe(n);
            let note = task.note.as_deref().map(one_line);
            HandoffTask {
                id: task.id.to_string(),
                title: one_line(&title),
                branch,
                iterations: task.iterations,
                note,
                outcome: task.outcome,
            }
        })
        .collect();
    let of = |outcome| tasks.iter().filter(|task| task.outcome == outcome).collect::<Vec<_>>();
    let groups = Outcome::ALL.map(|outcome| Group { title: heading(outcome), tasks: of(outcome) });
    let context = Context {
        session: session.id.as_str(),
        by: &session.by,
        started: session.started.to_string(),
        ended: session.ended.map_or("an end that was not recorded".to_owned(), |end| end.to_string()),
        summary: summary(&tasks),
        groups: groups.into_iter().filter(|group| !group.tasks.is_empty()).collect(),
        next: next_steps(&tasks),
    };
    fill("handoff.md", templates::HANDOFF, &context)
}

fn heading(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Merged => "Merged",
        Outcome::Review => "Waiting for review",
        Outcome::Failed => "Failed",
        Outcome::Blocked => "Blocked",
        Outcome::Interrupted => "Interrupted",
    }
}

fn summary(tasks: &[HandoffTask]) -> String {
    let counts = Outcome::ALL.map(|outcome| {
        let n = tasks.iter().filter(|task| task.outcome == outcome).count();
        let word = if outcome == Outcome::Review { "in review" } else { outcome.as_str() };
        (n > 0).then(|| format!("{n} {word}"))
    });
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if counts.is_empty() { "No task was worked on.".to_owned() } else { format!("{}.", counts.join(", ")) }
}

fn next_steps(tasks: &[HandoffTask]) -> Vec<String> {
    let mut steps: Vec<String> = tasks
        .iter()
        .filter_map(|task| {
            let id = &task.id;
            match task.outcome {
                Outcome::Merged | Outcome::Interrupted => None,
                Outcome::Review => Some(format!("`git orch show {id}`, then `git orch merge {id}`")),
                Outcome::Failed => Some(format!(
                    "`git orch start {id}` to go on by hand, or `git orch edit {id}` to say more"
                )),
                Outcome::Blocked => Some(format!("solve what blocks `{id}`, then `git orch unblock {id}`")),
            }
        })
        .collect();
    if tasks.iter().any(|task| task.outcome == Outcome::Interrupted) {
        steps.push("`git orch run` goes on with what was interrupted".to_owned());
    }
    if steps.is_empty() {
        steps.push("nothing is left over from this session".to_owned());
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{SessionId, TaskId};
    use crate::domain::session::SessionTask;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_brief() {
        let mut task = TaskText {
            id: "7k3fabcd".to_owned(),
            kind: "feature".to_owned(),
            title: "export as CSV".to_owned(),
            priority: "P2".to_owned(),
            body: "Quoting as in RFC 4180.".to_owned(),
            acceptance: vec!["a field with a comma survives".to_owned()],
            files: vec!["src/export/**".to_owned()],
            rejected: String::new(),
        };
        let path = Path::new("/srv/ann/my app.orch/7k3fabcd");
        insta::assert_snapshot!(brief(&task, "feature/7k3fabcd-export-as-csv", path).unwrap(), @"
        7k3fabcd  export as CSV
        feature, P2

        Quoting as in RFC 4180.

        Done when
          - a field with a comma survives

        Files
          src/export/**

        Branch  feature/7k3fabcd-export-as-csv
        Path    /srv/ann/my app.orch/7k3fabcd

          cd '/srv/ann/my app.orch/7k3fabcd'
          git commit                 on this branch, as often as you like
          git orch ralph             what the checks say
          git orch merge             checked, merged, done
          git orch release 7k3fabcd  gives it back; your work stays
        ");
        (task.body, task.acceptance, task.files) = (String::new(), Vec::new(), Vec::new());
        insta::assert_snapshot!(brief(&task, "feature/7k3fabcd", Path::new("/w/7k3fabcd")).unwrap(), @"
        7k3fabcd  export as CSV
        feature, P2

        Branch  feature/7k3fabcd
        Path    /w/7k3fabcd

          cd /w/7k3fabcd
          git commit                 on this branch, as often as you like
          git orch ralph             what the checks say
          git orch merge             checked, merged, done
          git orch release 7k3fabcd  gives it back; your work stays
        ");
    }

    #[test]
    fn commit_messages() {
        let message = |kind, title: &str, body: &str| commit_message(kind, title, body).unwrap();
        assert_eq!(message(Kind::Bug, "mean of an empty list", ""), "fix: mean of an empty list\n");
        assert_eq!(message(Kind::Quality, "style(cli): tidy", ""), "style: tidy\n");
        assert_eq!(message(Kind::Feature, "note: is no prefix", ""), "feat: note: is no prefix\n");
        let title = "a title that goes on and on, as machine-made ones do, and says the file too";
        insta::assert_snapshot!(message(Kind::Test, title, "Why.\n\nOrch-Task: forged\n\n"), @"
        test: a title that goes on and on, as machine-made ones do, and says…

        a title that goes on and on, as machine-made ones do, and says the file too

        Why.

         Orch-Task: forged
        ");
        assert!(message(Kind::Docs, &"x".repeat(200), "").lines().next().unwrap().chars().count() <= 72);
        assert!(message(Kind::Docs, "x", &"line\n".repeat(9999)).len() < BODY_BYTES + 100);
    }

    #[test]
    fn a_handoff() {
        let task = |n: u64, outcome, note: Option<&str>| SessionTask {
            id: TaskId::from_bits(n),
            outcome,
            iterations: u32::try_from(n).unwrap(),
            note: note.map(str::to_owned),
        };
        let mut session = Session {
            id: SessionId::from_bits(9),
            by: "agent:autofix".to_owned(),
            started: Timestamp::from_millis(0),
            ended: Some(Timestamp::from_millis(90_000)),
            tasks: vec![
                task(1, Outcome::Merged, None),
                task(2, Outcome::Failed, Some("15 of 15 iterations used;\nstill failing: test")),
                task(3, Outcome::Review, None),
                task(0, Outcome::Blocked, Some("could not start: sh: 1: gpt: not found")),
                task(5, Outcome::Interrupted, None),
            ],
        };
        let describe = |n: usize| (format!("title {n}"), (n != 3).then(|| format!("fix/{n}")));
        insta::assert_snapshot!(handoff(&session, &describe).unwrap(), @"
        # Session 00000009

        agent:autofix, 1970-01-01T00:00:00.000Z to 1970-01-01T00:01:30.000Z.

        1 merged, 1 in review, 1 failed, 1 blocked, 1 interrupted.

        ## Merged

        - `00000001` title 0 (1 iteration, `fix/0`)

        ## Waiting for review

        - `00000003` title 2 (3 iterations, `fix/2`)

        ## Failed

        - `00000002` title 1 (2 iterations, `fix/1`): 15 of 15 iterations used; still failing: test

        ## Blocked

        - `00000000` title 3: could not start: sh: 1: gpt: not found

        ## Interrupted

        - `00000005` title 4 (5 iterations, `fix/4`)

        ## Next

        - `git orch start 00000002` to go on by hand, or `git orch edit 00000002` to say more
        - `git orch show 00000003`, then `git orch merge 00000003`
        - solve what blocks `00000000`, then `git orch unblock 00000000`
        - `git orch run` goes on with what was interrupted
        ");
        (session.tasks, session.ended) = (Vec::new(), None);
        insta::assert_snapshot!(handoff(&session, &describe).unwrap(), @"
        # Session 00000009

        agent:autofix, 1970-01-01T00:00:00.000Z to an end that was not recorded.

        No task was worked on.

        ## Next

        - nothing is left over from this session
        ");
    }
}
