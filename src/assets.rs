//! Everything that is embedded from `templates/`, named once.
//!
//! Called by the modules that render or install it. Touches nothing. Deliberately absent: what renders it.

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
