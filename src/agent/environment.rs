//! The environment that agents and fixers start from.
//!
//! It is the user's own, because tools need their `PATH`, `HOME` and caches, except for
//!
//! - what points git at a repository, an index, a configuration or an editor of the caller's: inside a hook
//!   or under `git orch` those name the wrong checkout;
//! - what tells an agent that it runs inside another one: it would refuse, or join the outer session;
//! - git-orch's own variables, which the driver sets anew;
//! - what asks for colour;
//!
//! and with what keeps git and tools from waiting for a person who is not there.

use std::ffi::OsStr;

use crate::sys::env::Env;

/// The names that `git rev-parse --local-env-vars` prints, and those that git sets for its own children.
const GIT_LOCAL: [&str; 21] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_EXEC_PATH",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_REPLACE_REF_BASE",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];
const GIT_LOCAL_PREFIXES: [&str; 3] = ["GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_PUSH_OPTION_"];

/// What agents set for their children, by which a nested one knows that it is nested.
const NESTING: [&str; 7] = [
    "CLAUDECODE",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CODEX_SANDBOX",
    "CODEX_SANDBOX_NETWORK_DISABLED",
    "GEMINI_CLI",
];

const COLOUR: [&str; 2] = ["CLICOLOR_FORCE", "FORCE_COLOR"];

/// No editor, no question, no watch mode, no colour.
const ADDED: [(&str, &str); 4] =
    [("GIT_EDITOR", "true"), ("GIT_TERMINAL_PROMPT", "0"), ("CI", "1"), ("NO_COLOR", "1")];

/// An environment fit for agents: there is no other way to make one than to scrub the user's.
#[derive(Clone, Debug)]
pub struct AgentEnv(Env);

impl AgentEnv {
    /// The user's environment, scrubbed as the module's documentation says.
    pub fn scrubbed(user: &Env) -> Self {
        let kept = user
            .iter()
            .filter(|(name, _)| {
                !is_dropped(name) && !ADDED.iter().any(|(added, _)| *name == OsStr::new(added))
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let added = ADDED.iter().map(|(name, value)| (name.into(), value.into()));
        Self(Env::from_pairs(kept.chain(added)))
    }

    /// What a child is given.
    pub fn as_env(&self) -> &Env {
        &self.0
    }
}

fn is_dropped(name: &OsStr) -> bool {
    // A name that is not UTF-8 is none of these.
    let Some(name) = name.to_str() else { return false };
    [&GIT_LOCAL[..], &NESTING, &COLOUR].iter().any(|names| names.contains(&name))
        || name.starts_with("ORCH_")
        || GIT_LOCAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_s_repository_and_agent_are_forgotten() {
        let user = Env::from_pairs([
            ("PATH", "/bin"),
            ("GIT_DIR", "/x/.git"),
            ("GIT_INDEX_FILE", "/x/index"),
            ("GIT_CONFIG_KEY_0", "core.hooksPath"),
            ("GIT_SSH_COMMAND", "ssh -i key"),
            ("CLAUDECODE", "1"),
            ("ORCH_HOOK", "pre-commit"),
            ("ORCH_TASK", "7k3fabcd"),
            ("FORCE_COLOR", "1"),
            ("GIT_EDITOR", "vi"),
            ("CI", "false"),
        ]);
        let env = AgentEnv::scrubbed(&user);
        let text: Vec<String> = env
            .as_env()
            .iter()
            .map(|(k, v)| format!("{}={}", k.to_string_lossy(), v.to_string_lossy()))
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        CI=1
        GIT_EDITOR=true
        GIT_SSH_COMMAND=ssh -i key
        GIT_TERMINAL_PROMPT=0
        NO_COLOR=1
        PATH=/bin
        ");
    }

    #[test]
    fn every_name_that_git_calls_local_is_dropped() {
        let git = crate::sys::process::Cmd::new("git", std::path::Path::new("/"), &Env::capture())
            .args(["rev-parse", "--local-env-vars"])
            .run()
            .unwrap()
            .checked()
            .unwrap();
        let kept: Vec<String> =
            git.text().lines().filter(|name| !is_dropped(OsStr::new(name))).map(str::to_owned).collect();
        assert_eq!(kept, Vec::<String>::new());
    }
}
