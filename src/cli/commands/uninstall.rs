//! `git orch uninstall`.

/// Take git-orch out of this repository
///
/// Restores every file and configuration key that `init` changed. The queue and its history stay in
/// `refs/orch/*`, worktrees with work in them stay where they are, and `orch.toml` stays because it is yours:
/// it is versioned with the code.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    /// Also remove `refs/orch/*`: the queue, its history and the verdicts of this clone
    #[arg(long)]
    pub state: bool,
}
