//! A home of a bench's own: nothing of the user's counts.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;

use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};

/// The variables under which everything runs, with a home below `root`; `more` besides.
pub(crate) fn env(root: &Path, more: &[(&'static str, OsString)]) -> Result<Env, Box<dyn Error>> {
    let home = root.join("home");
    fs::create_dir_all(&home)?;
    let config = home.join(".gitconfig");
    let text = "[user]\n\tname = Ann Lee\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n\
                [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
    fs::write_atomic(&config, text.as_bytes(), 0o644, Durability::None)?;
    let path = Env::capture().get("PATH").ok_or("PATH is not set")?.to_owned();
    let pairs: [(&str, OsString); 5] = [
        ("PATH", path),
        ("HOME", home.into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", config.into()),
    ];
    Ok(Env::from_pairs(pairs.into_iter().chain(more.iter().cloned())))
}
