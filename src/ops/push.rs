//! `git orch push`: verifies first, then pushes.
//!
//! git opens the connection before it runs `pre-push`, and hosts drop idle ones: what takes minutes is done before
//! git is started for good. The hook runs all the same and finds the verdicts.

use std::process::ExitStatus;

use crate::domain::verdict::Word;
use crate::gate::rule;
use crate::ops::context::Ctx;
use crate::ops::contract;
use crate::ops::error::OpError;
use crate::ops::hooks::{self, Unverified};
use crate::ops::progress::{Event, Sink};
use crate::ops::ralph;
use crate::ops::remote::{self, Asked};

/// How a push ended.
#[derive(Debug)]
pub enum Pushed {
    /// These tips may not be pushed: nothing was.
    Unverified(Vec<Unverified>),
    /// git ran; its status.
    Ran(ExitStatus),
}

/// One line of `git push --porcelain` that would change a branch at the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// What is pushed: a ref, or another revision.
    from: String,
    /// The branch at the remote, short.
    branch: String,
}

/// Verifies what `git push ARGS` would push, then pushes it with the user's hooks and the terminal.
pub fn push(cx: &Ctx, args: &[String], sink: &mut Sink<'_>) -> Result<Pushed, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let config = cx.config_or_default(&trunk)?;
    let mut refused = Vec::new();
    for line in planned(cx, args)? {
        // Trunk is never exempt, as in the hook.
        let exempt = line.branch != trunk.name && hooks::is_exempt(&config.push.exempt, &line.branch);
        if exempt || contract::covers_push(cx, &trunk, &line.from, &line.branch)? {
            continue;
        }
        let tip = cx.repo.rev_parse(&format!("{}^{{commit}}", line.from))?;
        let judged = ralph::judge(cx, &hooks::request(&trunk, &tip, &line.branch), sink)?;
        match judged.word {
            Word::Pass => {}
            Word::Blocked if judged.rule() == Some(rule::NO_STEPS) => {
                let fact = judged.deciding().and_then(|verdict| verdict.fact.clone());
                let text = format!("pushed unverified: {}", fact.unwrap_or_default());
                sink(Event::Note { task: None, text });
            }
            Word::Fail | Word::Blocked => refused.push(Unverified { local_ref: line.from, judged }),
        }
    }
    if !refused.is_empty() {
        return Ok(Pushed::Unverified(refused));
    }
    let status = cx.repo.git_as_user(&cx.cwd, ["push"]).args(args).run_attached()?;
    Ok(Pushed::Ran(status))
}

/// What the push would do, as git says without doing it. Nothing if git refuses: then it will say so itself.
fn planned(cx: &Ctx, args: &[String]) -> Result<Vec<Line>, OpError> {
    // Quietly, git would not say it.
    let loud = args.iter().filter(|arg| !matches!(arg.as_str(), "-q" | "--quiet"));
    let push = cx
        .repo
        .git_as_user(&cx.cwd, ["push", "--dry-run", "--porcelain", "--no-verify"])
        .args(loud)
        .env("LC_ALL", "C");
    let output = match remote::ask(cx, &push)? {
        Asked::Answered(output) => output,
        Asked::Silent(said) => {
            let named = args.iter().find(|arg| !arg.starts_with('-')).map(String::as_str);
            return Err(remote::silent(named.or(cx.remote()).unwrap_or("origin"), &said).into());
        }
    };
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(lines.lines().filter_map(line).collect())
}

/// Reads one line: `<flag>\t<from>:<to>\t<summary>`. Deletions, rejections, what is up to date, tags and
/// everything else that is no branch are none.
fn line(text: &str) -> Option<Line> {
    let mut fields = text.split('\t');
    let (flag, pair) = (fields.next()?, fields.next()?);
    if !matches!(flag, " " | "+" | "*") {
        return None;
    }
    // A ref's name has no colon; what is pushed may.
    let (from, to) = pair.rsplit_once(':')?;
    let branch = to.strip_prefix("refs/heads/")?;
    (!from.is_empty()).then(|| Line { from: from.to_owned(), branch: branch.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_branches_that_move_are_judged() {
        let text = "To file:///x\n \trefs/heads/a:refs/heads/a\t1..2\n*\tHEAD:refs/heads/b\t[new branch]\n\
            +\trefs/heads/c:refs/heads/d\t1...2 (forced update)\n=\trefs/heads/e:refs/heads/e\t[up to date]\n\
            -\t:refs/heads/f\t[deleted]\n*\trefs/tags/v1:refs/tags/v1\t[new tag]\n\
            !\trefs/heads/g:refs/heads/g\t[rejected] (fetch first)\n\
            *\trefs/orch/state:refs/orch/state\t[new reference]\nDone\n";
        let found: Vec<String> =
            text.lines().filter_map(line).map(|l| format!("{} {}", l.from, l.branch)).collect();
        assert_eq!(found, ["refs/heads/a a", "HEAD b", "refs/heads/c d"]);
    }
}
