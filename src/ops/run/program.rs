//! Whether the programs that agents' command lines begin with are where they will be looked up.
//!
//! Called once by a run, before any task is taken: where no agent can be found every task would fail in the same way,
//! and each would be blocked. What only a shell can tell (quotes, variables, a compound command) is not guessed at: the
//! first task tells.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::agent::environment::AgentEnv;
use crate::git::EntryKind;
use crate::ops::context::{Ctx, Trunk};
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::remote::{self, Fetched};
use crate::ops::worktrees;
use crate::sys::env::var;
use crate::sys::fs;
use crate::sys::process::{Cmd, find_program, quote};

/// A program that no task's worktree would find.
struct Missing {
    program: String,
    fact: String,
    /// Whether another commit of trunk could have it.
    in_trunk: bool,
}

impl Missing {
    fn new(program: &str, fact: String, in_trunk: bool) -> Self {
        Self { program: program.to_owned(), fact, in_trunk }
    }
}

/// Refuses agents of which none can be found; says which can't. `lines` are their command lines, None is one that is
/// built in.
pub(super) fn look_up(cx: &Ctx, lines: &BTreeSet<Option<String>>) -> Result<Vec<String>, OpError> {
    let trunk = cx.trunk(&cx.snapshot()?)?;
    let mut missing = missing_of(cx, &trunk, lines)?;
    // Worktrees are cut from trunk as the remote has it then.
    if missing.iter().any(|missing| missing.in_trunk) && remote::fetch(cx, &trunk)? == Fetched::Fresh {
        missing = missing_of(cx, &cx.trunk_named(&trunk.name)?, lines)?;
    }
    if missing.len() < lines.len() {
        return Ok(missing.into_iter().map(|m| format!("{}: its tasks will be blocked", m.fact)).collect());
    }
    match missing.into_iter().next() {
        Some(Missing { program, fact, .. }) => {
            let refused = Refused::new(Because::Environment, "run.agent", fact);
            Err(ways_out(cx, &program, refused).into())
        }
        None => Ok(Vec::new()),
    }
}

fn missing_of(cx: &Ctx, trunk: &Trunk, lines: &BTreeSet<Option<String>>) -> Result<Vec<Missing>, OpError> {
    let found = lines.iter().flatten().map(|line| missing_in(cx, trunk, line));
    found.filter_map(Result::transpose).collect()
}

fn missing_in(cx: &Ctx, trunk: &Trunk, line: &str) -> Result<Option<Missing>, OpError> {
    let Some(program) = first_word(line) else { return Ok(None) };
    if program.starts_with('/') {
        let missing = || Missing::new(program, format!("there is no program {program}"), false);
        Ok(find_program(program, &cx.env).is_none().then(missing))
    } else if program.contains('/') {
        in_trunk(cx, trunk, program)
    } else {
        on_path(cx, trunk, program)
    }
}

/// What is wrong with a path that a shell resolves in the task's worktree, which is cut from trunk.
fn in_trunk(cx: &Ctx, trunk: &Trunk, program: &str) -> Result<Option<Missing>, OpError> {
    let place = worktrees::root(cx).join("task");
    let path = fs::normal(&place.join(program));
    let Ok(inside) = path.strip_prefix(&place) else {
        let fact = format!("{program}, from a task's worktree, is {}: there is no program", path.display());
        let missing = || Missing::new(program, fact, false);
        return Ok(find_program(&path.to_string_lossy(), &cx.env).is_none().then(missing));
    };
    let (Some(tip), Some(inside)) = (trunk.tip(), inside.to_str()) else { return Ok(None) };
    let tree = cx.repo.tree_of(tip)?;
    for (end, _) in inside.match_indices('/') {
        // Where a link leads, the checkout will show.
        if cx.repo.entry_at(&tree, &inside[..end])?.is_some_and(|entry| leads_elsewhere(entry.kind)) {
            return Ok(None);
        }
    }
    let name = trunk.tip_name();
    let fact = match cx.repo.entry_at(&tree, inside)? {
        Some(entry) if leads_elsewhere(entry.kind) || entry.executable => return Ok(None),
        Some(entry) if entry.kind == EntryKind::Blob => {
            format!("{program} is looked up in the task's worktree, and {inside} on {name} is not executable")
        }
        Some(_) | None => {
            format!("{program} is looked up in the task's worktree, and {name} has no file {inside}")
        }
    };
    Ok(Some(Missing::new(program, fact, true)))
}

/// Whether what is behind an entry is not in the tree.
fn leads_elsewhere(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Submodule | EntryKind::Other)
}

/// What is wrong with a bare word. The shell itself is asked: it knows its own commands. What is relative in PATH leads
/// elsewhere in a task's worktree than here.
fn on_path(cx: &Ctx, trunk: &Trunk, program: &str) -> Result<Option<Missing>, OpError> {
    let env = AgentEnv::scrubbed(&cx.env);
    let (absolute, relative): (Vec<PathBuf>, Vec<PathBuf>) =
        env.as_env().search_path().into_iter().partition(|dir| dir.is_absolute());
    if absolute.is_empty() && relative.is_empty() {
        // Each shell has a list of its own for that.
        return Ok(None);
    }
    // No directory at all would mean the current one.
    let mut path = OsString::from("/dev/null");
    for dir in absolute {
        path.push(":");
        path.push(dir);
    }
    let words = ["-c", "PATH=$2; command -v -- \"$1\"", "sh", program];
    let asked = Cmd::new("sh", &cx.repo.main_path(), env.as_env()).args(words).args([path]).run()?;
    if asked.status.success() {
        return Ok(None);
    }
    for dir in &relative {
        let there = dir.join(program);
        if there.to_str().is_none_or(|there| matches!(in_trunk(cx, trunk, there), Ok(None))) {
            return Ok(None);
        }
    }
    let fact = format!("{program} is looked up along PATH, and no directory there has it");
    Ok(Some(Missing::new(program, fact, !relative.is_empty())))
}

fn ways_out(cx: &Ctx, program: &str, refused: Refused) -> Refused {
    let here = fs::normal(&cx.cwd.join(program));
    // Twice where a shell reads it twice: the one that it is typed into, and the one that starts the agent.
    let absolute = |line: &str| format!("git orch run --agent {line}");
    if fs::exists(&here) && !here.is_dir() {
        let path = quote(&here.to_string_lossy());
        let again = absolute(&quote(&path));
        let refused = match find_program(&here.to_string_lossy(), &cx.env) {
            Some(_) => refused.next(again),
            None => refused.next(format!("chmod +x {path}")).next(again),
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
