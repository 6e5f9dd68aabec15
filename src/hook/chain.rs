//! The hook that was there before us, and how it is run so that it notices no difference.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::hook::name::PREVIOUS;
use crate::sys::env::{Env, var};
use crate::sys::process::Cmd;
use crate::sys::{ancestry, fs};

/// How husky's shims find the hook's name and the script to run: from `$0`, which is not ours to rename.
const SOURCES_BY_OWN_NAME: &str = r#"dirname "$0")/h""#;
/// Reads the older script under the name that it was written for.
const SOURCE_IT: &str = r#". "$0.orch-prev""#;

/// How an older hook has to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// As a program.
    Exec,
    /// By a shell, as git does with a script that has no `#!` line.
    Shell,
    /// Sourced by a shell that goes by the original name.
    Sourced,
}

fn start_of(bytes: &[u8]) -> Start {
    if bytes.starts_with(b"#!") {
        let by_own_name = std::str::from_utf8(bytes).is_ok_and(|text| text.contains(SOURCES_BY_OWN_NAME));
        if by_own_name { Start::Sourced } else { Start::Exec }
    } else if bytes.contains(&0) {
        Start::Exec
    } else {
        Start::Shell
    }
}

/// The command that runs the older `hook` in `hooks_dir`; None if there is none, or git would ignore it.
pub(in crate::hook) fn previous(
    hooks_dir: &Path,
    hook: &str,
    args: &[OsString],
    env: &Env,
    cwd: &Path,
) -> Option<Cmd> {
    let path = hooks_dir.join(format!("{hook}{PREVIOUS}"));
    let meta = path.metadata().ok()?;
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return None;
    }
    let start = fs::read(&path).map_or(Start::Exec, |bytes| start_of(&bytes));
    let cmd = match start {
        Start::Exec => Cmd::new(&path, cwd, env),
        Start::Shell => Cmd::new("sh", cwd, env).args([&path]),
        Start::Sourced => Cmd::new("sh", cwd, env).args(["-c", SOURCE_IT]).args([hooks_dir.join(hook)]),
    };
    Some(cmd.args(args).env(var::ORCH_HOOK, marker(hook)))
}

/// The value of `ORCH_HOOK` for what this run of `hook` starts: the hook and the git that asked for it.
pub(in crate::hook) fn marker(hook: &str) -> String {
    format!("{hook}:{}", ancestry::parent())
}

/// Whether this run of `hook` is part of one that is under way: a manager that has kept us as *its* older hook
/// calls us from there. A nested git's hooks are runs of their own.
pub(in crate::hook) fn is_under_way(program: &Path, hook: &str, env: &Env) -> bool {
    let Some((marked, pid)) = env.text(var::ORCH_HOOK).and_then(|text| text.split_once(':')) else {
        return false;
    };
    let Ok(pid) = pid.parse::<i32>() else { return false };
    if marked != hook {
        return false;
    }
    match ancestry::names_up_to(pid) {
        Some(between) => !between.iter().any(|name| name == "git"),
        // Not to be seen from here: only a kept copy goes by another name than the hook's.
        None => program.file_name().is_some_and(|name| name != hook),
    }
}

/// The directory that a hook was started from.
pub(in crate::hook) fn hooks_dir(program: &Path, cwd: &Path) -> Option<PathBuf> {
    program.parent().filter(|dir| !dir.as_os_str().is_empty()).map(|dir| cwd.join(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_started_as_git_starts_them() {
        assert_eq!(start_of(b"#!/bin/sh\nexit 0\n"), Start::Exec);
        assert_eq!(start_of(b"echo hi\n"), Start::Shell);
        assert_eq!(start_of(b"\x7fELF\0\0"), Start::Exec);
        assert_eq!(start_of(b"#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"\n"), Start::Sourced);
    }

    #[test]
    fn only_a_run_under_the_same_git_is_under_way() {
        let program = Path::new("hooks/pre-commit");
        let env = |text: &str| Env::from_pairs([(var::ORCH_HOOK, text)]);
        assert!(is_under_way(program, "pre-commit", &env(&marker("pre-commit"))));
        assert!(!is_under_way(program, "pre-push", &env(&marker("pre-commit"))));
        assert!(!is_under_way(program, "pre-commit", &env("pre-commit:2147483647")));
        assert!(is_under_way(Path::new("pre-commit.legacy"), "pre-commit", &env("pre-commit:2147483647")));
        assert!(!is_under_way(program, "pre-commit", &env("1")));
    }
}
