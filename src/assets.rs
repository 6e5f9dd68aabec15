//! Everything that is embedded, named once.
//!
//! Only text: whoever uses a file parses it. Deliberately absent: anything read at run time.

/// The hooks that `init` installs, with order and purpose (TOML; read by `hook::install`).
pub const HOOKS: &str = include_str!("../hooks/hooks.toml");

/// Contracts of the teams: team's word and TOML (read by `policy`).
pub const TEAM_POLICIES: [(&str, &str); 2] =
    [("qa", include_str!("../policies/teams/qa.toml")), ("dev", include_str!("../policies/teams/dev.toml"))];

/// Contracts of the roles: role's word and TOML (read by `policy`).
pub const ROLE_POLICIES: [(&str, &str); 5] = [
    ("bugfix", include_str!("../policies/roles/bugfix.toml")),
    ("codequality", include_str!("../policies/roles/codequality.toml")),
    ("testfixer", include_str!("../policies/roles/testfixer.toml")),
    ("featurebuilder", include_str!("../policies/roles/featurebuilder.toml")),
    ("testwriter", include_str!("../policies/roles/testwriter.toml")),
];

/// Guardrails: file's word and TOML (read by `policy::guardrail`).
pub const GUARDRAILS: [(&str, &str); 8] = [
    ("common", include_str!("../policies/guardrails/common.toml")),
    ("rust", include_str!("../policies/guardrails/rust.toml")),
    ("typescript", include_str!("../policies/guardrails/typescript.toml")),
    ("python", include_str!("../policies/guardrails/python.toml")),
    ("go", include_str!("../policies/guardrails/go.toml")),
    ("sql", include_str!("../policies/guardrails/sql.toml")),
    ("secrets", include_str!("../policies/guardrails/secrets.toml")),
    ("phi", include_str!("../policies/guardrails/phi.toml")),
];

/// Texts for agents and people, in the template language of `minijinja`. Each is rendered by the function
/// of `agent::render` that has its context.
pub mod templates {
    /// What an agent is told about its task: `agent::prompt`.
    pub const TASK_PROMPT: &str = include_str!("../templates/task.md");
    /// What a person who takes a task is told.
    pub const BRIEF: &str = include_str!("../templates/brief.txt");
    /// The message of a task's commit, without trailers.
    pub const COMMIT: &str = include_str!("../templates/commit.txt");
    /// What a session leaves to the next one.
    pub const HANDOFF: &str = include_str!("../templates/handoff.md");
}

/// The repository that `git orch demo` makes: `ops::demo`.
pub mod demo {
    /// `Cargo.toml`.
    pub const MANIFEST: &str = include_str!("../templates/demo/Cargo.toml.in");
    /// `src/lib.rs`.
    pub const LIB: &str = include_str!("../templates/demo/lib.rs");
    /// `src/stats.rs`, with a real bug, a test that shows it, and a bug that no test shows.
    pub const STATS: &str = include_str!("../templates/demo/stats.rs");
    /// `src/table.rs`, badly formatted.
    pub const TABLE: &str = include_str!("../templates/demo/table.rs");
    /// `src/words.rs`, with lint findings.
    pub const WORDS: &str = include_str!("../templates/demo/words.rs");
    /// `tools/agent.sh`, the scripted agent.
    pub const AGENT: &str = include_str!("../templates/demo/agent.sh");
    /// `orch.toml`.
    pub const ORCH: &str = include_str!("../templates/demo/orch.toml");
    /// What is added to `orch.toml` at the end.
    pub const STRICT: &str = include_str!("../templates/demo/strict.toml");
}
