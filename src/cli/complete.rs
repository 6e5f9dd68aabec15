//! Completions: scripts for shells, and the answers that they ask for.
//!
//! The script calls this program with `COMPLETE=<shell>` and the words typed so far; clap finds what fits, and
//! `candidates` gives the ids. Scripts cover `git orch …` as well: git's own completions call a function of a known
//! name for a subcommand that they don't know.

use std::ffi::OsString;

use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::cli::app;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;

/// The variable that asks for completions.
pub(crate) const VARIABLE: &str = "COMPLETE";

const PROGRAM: &str = "git-orch";

/// A shell that we have completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// What a shell should read to have completions.
pub fn script(shell: Shell) -> Result<String, CommandError> {
    let (completer, git): (&dyn EnvCompleter, &str) = match shell {
        Shell::Bash => (&Bash, GIT_BASH),
        Shell::Zsh => (&Zsh, GIT_ZSH),
        Shell::Fish => (&Fish, GIT_FISH),
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|e| CommandError::from_error(Exit::Bug, &e))?;
    Ok(String::from_utf8_lossy(&script).into_owned() + git)
}

/// git's completion calls `_git_orch` with the words `git … orch …`; ours wants `git-orch …`.
const GIT_BASH: &str = r#"
_git_orch() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ "${COMP_WORDS[i]}" == orch ]] && break
    done
    local COMP_WORDS=(git-orch "${COMP_WORDS[@]:i+1}") COMP_CWORD=$((COMP_CWORD - i))
    _clap_complete_git_orch git-orch "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
}
"#;

/// git's completion calls `_git-orch` with `words` beginning at `orch`.
const GIT_ZSH: &str = r"
function _git-orch() {
    words[1]=git-orch
    _clap_dynamic_completer_git_orch
}
zstyle ':completion:*:*:git:*' user-commands orch:'orchestrate coding agents and people'
";

/// fish gives the words of the whole line: what is before `orch` is replaced.
const GIT_FISH: &str = r"
function __git_orch_candidates
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l at (contains --index -- orch $words)
    COMPLETE=fish git-orch -- git-orch $words[(math $at + 1)..-1] (commandline --current-token)
end
complete --command git --condition '__fish_seen_subcommand_from orch' --keep-order --exclusive \
    --arguments '(__git_orch_candidates)'
complete --command git --condition __fish_use_subcommand --exclusive --arguments orch \
    --description 'orchestrate coding agents and people'
";

/// Answers a shell; stdout is all that it reads.
pub(crate) fn answer(args: Vec<OsString>, cwd: Option<&std::path::Path>) -> Exit {
    match CompleteEnv::with_factory(tree).var(VARIABLE).try_complete(args, cwd) {
        Ok(_) => Exit::Done,
        Err(_) => Exit::Usage,
    }
}

/// The command tree with one name a command: of two, clap would offer either.
fn tree() -> clap::Command {
    app::command().mut_subcommand("ralph", |ralph| ralph.visible_alias(None).alias("gate"))
}
