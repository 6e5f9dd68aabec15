//! The repository: objects, refs, worktrees, and the `git` program.
