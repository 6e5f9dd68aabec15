//! What the main binary decides on behalf of a hook.

use std::path::{Path, PathBuf};

use crate::config::Moment;
use crate::domain::branch;
use crate::domain::oid::Oid;
use crate::domain::task::Task;
use crate::domain::verdict::Word;
use crate::gate::rule;
use crate::hook::decode::{PushLine, Source};
use crate::ops::context::{Ctx, Trunk};
use crate::ops::contract;
use crate::ops::error::OpError;
use crate::ops::people;
use crate::ops::progress::Sink;
use crate::ops::ralph::{self, Judged, Request};
use crate::ops::worktrees;
use crate::policy::Violation;
use crate::sys::env::var;
use crate::sys::fs::{self, Durability};

/// What git puts, after a comment character, between the message and the diff that `commit -v` shows.
const SCISSORS: &str = " ------------------------ >8 ------------------------";

/// What a hook answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Go on; a line to show, perhaps.
    Go(Option<String>),
    /// A commit that breaks rules.
    Broken(Vec<Violation>),
    /// Tips that may not be pushed.
    Unverified(Vec<Unverified>),
}

/// A tip that may not be pushed.
#[derive(Clone, Debug)]
pub struct Unverified {
    /// The branch that was to be pushed, as git names it.
    pub local_ref: String,
    /// What is known about its tip.
    pub judged: Judged,
}

/// `pre-commit`: the rules of the branch and of the task's contract, on exactly the index that git commits.
pub fn pre_commit(cx: &Ctx) -> Result<Answer, OpError> {
    let Some(snapshot) = present(cx)? else { return Ok(Answer::Go(None)) };
    let (violations, _) = contract::judge_commit(cx, &snapshot, &index(cx))?;
    Ok(if violations.is_empty() { Answer::Go(None) } else { Answer::Broken(violations) })
}

/// `prepare-commit-msg`: the same once more, because `--no-verify` skips the other, and rebase, cherry-pick,
/// revert and merge run only this one; then the trailers of a task's commit, unless the user has yet to write the
/// message: git gives up on a message that was left empty or as the template is, and must see that it was.
pub fn prepare_commit_msg(cx: &Ctx, message: &Path, source: Option<&Source>) -> Result<Answer, OpError> {
    let Some(snapshot) = present(cx)? else { return Ok(Answer::Go(None)) };
    let (violations, task) = contract::judge_commit(cx, &snapshot, &index(cx))?;
    if !violations.is_empty() {
        return Ok(Answer::Broken(violations));
    }
    let unwritten = matches!(source, None | Some(Source::Template));
    if let Some(task) = task.filter(|_| !unwritten) {
        add_trailers(cx, &task, message)?;
    }
    Ok(Answer::Go(None))
}

/// `commit-msg`: the trailers of a task's commit whose message was written in an editor.
pub fn commit_msg(cx: &Ctx, message: &Path) -> Result<Answer, OpError> {
    let Some(snapshot) = present(cx)? else { return Ok(Answer::Go(None)) };
    let on = contract::branch_here(cx)?;
    if let Some((task, _)) = contract::task_here(cx, &snapshot, on.as_deref())?
        && !is_blank(cx, message)?
    {
        add_trailers(cx, &task, message)?;
    }
    Ok(Answer::Go(None))
}

/// Whether git will find nothing in the message but comments, and give up.
fn is_blank(cx: &Ctx, message: &Path) -> Result<bool, OpError> {
    let text = fs::read(&cx.cwd.join(message))?;
    let text = String::from_utf8_lossy(&text);
    let written = text.split(SCISSORS).next().unwrap_or_default();
    let output = cx.repo.git(["stripspace", "--strip-comments"]).stdin(written).run()?.checked()?;
    Ok(output.stdout.is_empty())
}

fn present(cx: &Ctx) -> Result<Option<crate::store::Snapshot<'_>>, OpError> {
    if cx.store().tip()?.is_none() { Ok(None) } else { cx.snapshot().map(Some) }
}

/// The index that git commits: `GIT_INDEX_FILE` for `-a` and partial commits, else this worktree's.
fn index(cx: &Ctx) -> PathBuf {
    match cx.env.get(var::GIT_INDEX_FILE) {
        Some(path) => cx.cwd.join(path),
        None => cx.repo.git_dir().join("index"),
    }
}

fn add_trailers(cx: &Ctx, task: &Task, message: &Path) -> Result<(), OpError> {
    let path = cx.cwd.join(message);
    if let Ok(text) = fs::read_string(&path)
        && let Some(text) = with_trailers(&text, &trailers(task))
    {
        return Ok(fs::overwrite(&path, text.as_bytes(), Durability::None)?);
    }
    let id = format!("Orch-Task: {}", task.id);
    let fence = format!("Orch-Fence: {}", task.register.fence);
    cx.repo
        // Without `--no-divider`, a line of three dashes would end the message.
        .git(["interpret-trailers", "--in-place", "--no-divider", "--if-exists", "replace"])
        .args(["--trailer".as_ref(), id.as_ref(), "--trailer".as_ref(), fence.as_ref(), path.as_os_str()])
        .run()?
        .checked()?;
    Ok(())
}

/// A message with trailers after it, where that needs no knowledge of git's: one paragraph of plain text. None
/// for what may have comments, trailers or a patch in it.
fn with_trailers(text: &str, trailers: &str) -> Option<String> {
    let text = text.trim_end_matches('\n');
    let plain = |line: &str| line.starts_with(|c: char| c.is_alphanumeric()) && !line.contains(SCISSORS);
    (!text.is_empty() && text.lines().all(plain)).then(|| format!("{text}\n\n{trailers}"))
}

/// The trailers of a task's commit, for commits that we make ourselves.
pub(crate) fn trailers(task: &Task) -> String {
    format!("Orch-Task: {}\nOrch-Fence: {}\n", task.id, task.register.fence)
}

/// `pre-push`: the tip of each pushed branch needs a PASS. Recorded ones are found; a missing one is run until
/// `push.budget` is up, and then nothing is recorded and the push is refused.
pub fn pre_push(cx: &Ctx, remote: &str, lines: &[PushLine], sink: &mut Sink<'_>) -> Result<Answer, OpError> {
    let branches: Vec<Pushed<'_>> = lines.iter().filter_map(Pushed::of).collect();
    if branches.is_empty() {
        return Ok(Answer::Go(None));
    }
    // Without the state nothing is known: passing then would make removing it the way around the gate.
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let config = cx.config_or_default(&trunk)?;
    let mut tips = Vec::new();
    for pushed in branches {
        // Before the override: one is a person's, and never open to a task's worktree.
        let onto_trunk = pushed.branch == trunk.name;
        if onto_trunk && let Some(violation) = not_onto_trunk(cx, &trunk, &pushed) {
            return Ok(Answer::Broken(vec![violation]));
        }
        if contract::covers_push(cx, &trunk, &pushed.line.local_ref, pushed.branch)? {
            continue;
        }
        if !onto_trunk
            && (is_exempt(&config.push.exempt, pushed.branch) || is_on_remote(cx, remote, pushed.tip)?)
        {
            continue;
        }
        tips.push(pushed);
    }
    if tips.is_empty() {
        return Ok(Answer::Go(None));
    }
    let deadline = cx.clock.monotonic() + config.push.budget.duration();
    let mut refused = Vec::new();
    let mut warning = None;
    for pushed in tips {
        let mut request = request(&trunk, pushed.tip, pushed.branch);
        request.deadline = Some(deadline);
        let judged = ralph::judge(cx, &request, sink)?;
        match judged.word {
            Word::Pass => {}
            Word::Blocked if judged.rule() == Some(rule::NO_STEPS) => {
                warning = judged.deciding().and_then(|v| v.fact.clone());
            }
            Word::Fail | Word::Blocked => {
                refused.push(Unverified { local_ref: pushed.line.local_ref.clone(), judged });
            }
        }
    }
    Ok(if refused.is_empty() { Answer::Go(warning) } else { Answer::Unverified(refused) })
}

/// The request that a pushed tip is judged by; `git orch push` makes the same, so that the hook finds its verdict.
pub(crate) fn request(trunk: &Trunk, tip: &Oid, name: &str) -> Request {
    let mut request = Request::new(tip.clone(), Moment::Push);
    request.team = if name == trunk.name { None } else { branch::team(name) };
    request
}

/// A line that gives a branch of the remote a commit.
struct Pushed<'a> {
    line: &'a PushLine,
    /// The commit.
    tip: &'a Oid,
    /// The branch at the remote, short.
    branch: &'a str,
}

impl<'a> Pushed<'a> {
    fn of(line: &'a PushLine) -> Option<Self> {
        Some(Self { line, tip: line.local.id()?, branch: line.remote_ref.strip_prefix("refs/heads/")? })
    }
}

/// Why the remote's trunk may not be pushed from here: an agent's work gets there by the merge gate, which looks
/// at more than a tree.
fn not_onto_trunk(cx: &Ctx, trunk: &Trunk, pushed: &Pushed<'_>) -> Option<Violation> {
    let here = cx.repo.work_tree().and_then(|top| worktrees::task_at(cx, top));
    let fact = match (people::agent_above(cx), here) {
        (Some(task), _) => format!("the agent of task {task} would move the remote's {}", trunk.name),
        (None, Some(task)) if trunk.local.as_ref() != Some(pushed.tip) => {
            format!("the remote's {} would move to what is in the worktree of task {task}", trunk.name)
        }
        (None, _) => return None,
    };
    Some(Violation {
        rule: "trunk.push",
        reason: "a task's work gets into trunk by the merge gate".to_owned(),
        fact,
        way_out: vec!["git orch merge   (this checkout's task)".to_owned()],
    })
}

/// Whether `push.exempt` (globs over branch names) covers a branch.
pub(crate) fn is_exempt(globs: &[String], name: &str) -> bool {
    globs.iter().any(|glob| {
        globset::GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .is_ok_and(|g| g.compile_matcher().is_match(name))
    })
}

/// Whether the remote has the commit already, as far as this clone knows.
fn is_on_remote(cx: &Ctx, remote: &str, tip: &Oid) -> Result<bool, OpError> {
    // A push to a URL has no tracking refs: nothing is known, and the tip is judged.
    if !cx.settings.remotes.iter().any(|name| name == remote) {
        return Ok(false);
    }
    let prefix = format!("refs/remotes/{remote}/");
    let output = cx.repo.run_git(["for-each-ref", "--count=1", "--contains", tip.as_str(), &prefix])?;
    Ok(!output.stdout.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plainest_message_is_completed_without_git() {
        assert_eq!(with_trailers("fix: x\n", "T: 1\n").as_deref(), Some("fix: x\n\nT: 1\n"));
        assert_eq!(with_trailers("Größe\nund mehr", "T: 1\n").as_deref(), Some("Größe\nund mehr\n\nT: 1\n"));
        for text in ["", "\n", "x\n\ny", "x\n# comment\n", "x\n\nT: 0\n", "# x", "---\n", "; auto"] {
            assert_eq!(with_trailers(text, "T: 1\n"), None, "{text:?}");
        }
    }
}
