//! Whether the program that an agent's command line begins with is where it will be looked up.
//!
//! Called once by a run, before any task is taken: every task would fail in the same way, and each would be blocked.
//! What only a shell can tell (quotes, variables, a compound command) is not guessed at: the first task tells.

use std::collections::BTreeSet;

use crate::agent::environment::AgentEnv;
use crate::git::EntryKind;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::worktrees;
use crate::sys::env::var;
use crate::sys::fs;
use crate::sys::process::{Cmd, find_program, quote};

/// Refuses command lines whose program no task's worktree would find.
pub(super) fn refuse_missing(cx: &Ctx, lines: &BTreeSet<String>) -> Result<(), OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    lines.iter().try_for_each(|line| refuse_line(cx, &trunk, line))
}

fn refuse_line(cx: &Ctx, trunk: &Trunk, line: &str) -> Result<(), OpError> {
    let Some(program) = first_word(line) else { return Ok(()) };
    let fact = if program.starts_with('/') {
        find_program(program, &cx.env).is_none().then(|| format!("there is no program {program}"))
    } else if program.contains('/') {
        in_trunk(cx, trunk, program)?
    } else {
        on_path(cx, program)?
    };
    match fact {
        Some(fact) => {
            Err(ways_out(cx, program, Refused::new(Because::Environment, "run.agent", fact)).into())
        }
        None => Ok(()),
    }
}

/// What is wrong with a path that a shell resolves in the task's worktree, which is cut from trunk.
fn in_trunk(cx: &Ctx, trunk: &Trunk, program: &str) -> Result<Option<String>, OpError> {
    let place = worktrees::root(cx).join("task");
    let path = fs::normal(&place.join(program));
    let Ok(inside) = path.strip_prefix(&place) else {
        let fact = format!("{program}, from a task's worktree, is {}: there is no program", path.display());
        return Ok(find_program(&path.to_string_lossy(), &cx.env).is_none().then_some(fact));
    };
    let (Some(tip), Some(inside)) = (trunk.tip(), inside.to_str()) else { return Ok(None) };
    let tree = cx.repo.tree_of(tip)?;
    for (end, _) in inside.match_indices('/') {
        // Where a link leads, the checkout will show.
        if cx.repo.entry_at(&tree, &inside[..end])?.is_some_and(|entry| entry.kind == EntryKind::Other) {
            return Ok(None);
        }
    }
    let name = trunk.tip_name();
    let fact = match cx.repo.entry_at(&tree, inside)? {
        Some(entry) if entry.kind == EntryKind::Other || entry.executable => return Ok(None),
        Some(entry) if entry.kind == EntryKind::Blob => {
            format!("{program} is looked up in the task's worktree, and {inside} on {name} is not executable")
        }
        Some(_) | None => {
            format!("{program} is looked up in the task's worktree, and {name} has no file {inside}")
        }
    };
    Ok(Some(fact))
}

/// What is wrong with a bare word. The shell itself is asked: it knows its own commands.
fn on_path(cx: &Ctx, program: &str) -> Result<Option<String>, OpError> {
    let env = AgentEnv::scrubbed(&cx.env);
    let asked = Cmd::new("sh", &cx.repo.main_path(), env.as_env())
        .args(["-c", "command -v -- \"$1\"", "sh", program])
        .run()?;
    let found = asked.status.success();
    Ok((!found).then(|| format!("{program} is looked up along PATH, and no directory there has it")))
}

fn ways_out(cx: &Ctx, program: &str, refused: Refused) -> Refused {
    let here = cx.cwd.join(program);
    let absolute = |path: &str| format!("git orch run --agent {path}");
    if fs::exists(&here) && !here.is_dir() {
        let path = quote(&quote(&fs::normal(&here).to_string_lossy()));
        let refused = match find_program(&here.to_string_lossy(), &cx.env) {
            Some(_) => refused.next(absolute(&path)),
            None => refused.next(format!("chmod +x {path}")).next(absolute(&path)),
        };
        refused.next("or bring the file to trunk first: `git orch start --here`, commit it, `git orch merge`")
    } else {
        refused.next(absolute("/PATH/TO/AGENT")).next("git orch help run")
    }
}

/// The program's word, if a look at the line is enough to know it.
fn first_word(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        let end = rest.find(|c: char| c.is_whitespace() || ";&|".contains(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() || word.contains(|c| "$`\"'\\*?[]{}()<>~#!".contains(c)) {
            return None;
        }
        match word.split_once('=') {
            Some((name, _)) if name != var::PATH && behind.starts_with(char::is_whitespace) => {
                rest = behind.trim_start();
            }
            Some(_) => return None,
            None => return Some(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_first_word_where_that_is_plain() {
        let cases = [
            ("./agent.sh", Some("./agent.sh")),
            (" gpt -p 'x'", Some("gpt")),
            ("A=1 B= gpt;", Some("gpt")),
            ("cd x && ./a", Some("cd")),
            ("", None),
            ("A=1", None),
            ("PATH=x gpt", None),
            ("f=$(date); gpt", None),
            ("'my agent' -p", None),
            ("~/bin/gpt", None),
            ("{ gpt; }", None),
        ];
        for (line, word) in cases {
            assert_eq!(first_word(line), word, "{line}");
        }
    }
}
