//! What a person may choose about `git orch init`.

/// Whether init may commit the `orch.toml` that it makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrchToml {
    /// Where nobody else has trunk.
    #[default]
    Commit,
    /// Never: it is only written.
    Write,
}

/// What a person may choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitOptions {
    /// The protected branch; None: the remote's default branch, else the current one.
    pub trunk: Option<String>,
    /// The remote to coordinate through; None: `orch.remote`, else `origin`, else the only one.
    pub remote: Option<String>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Whether `orch.toml` may be committed.
    pub orch_toml: OrchToml,
}
