//! The environment of setup and steps: an allow-list, so that a verdict depends on the tree and the machine
//! and not on the shell it was asked from.
//!
//! Passed on where set: where programs, homes, caches and toolchains are (`PASSED`), the locale (`LANG`,
//! `LC_*`), the way to the network (proxies, certificates), and what the step declares in `env` (setup is given
//! what any step declares). Set by us: `CI=1`, `NO_COLOR=1`, `TERM=dumb`, `GIT_CEILING_DIRECTORIES`. Everything
//! else is gone, above all git's own variables (a hook's `GIT_DIR` would point the steps' git at the user's
//! repository), agent sockets, `ORCH_*`, and `CARGO_TARGET_DIR` or `VIRTUAL_ENV`, which would lend the checkout
//! the build output of another tree.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::sys::env::{Env, var};

/// The variables that are passed on, besides `LC_*`.
pub const PASSED: [&str; 57] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    // Per-user directories.
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    // Rust.
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Node.
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "FNM_DIR",
    "PNPM_HOME",
    "COREPACK_HOME",
    "YARN_CACHE_FOLDER",
    "npm_config_cache",
    "BUN_INSTALL",
    "DENO_DIR",
    "PLAYWRIGHT_BROWSERS_PATH",
    // Python.
    "PYENV_ROOT",
    "UV_CACHE_DIR",
    "PIP_CACHE_DIR",
    "POETRY_HOME",
    "POETRY_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "PIPX_HOME",
    // Go.
    "GOROOT",
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOPROXY",
    // Others, and managers of all of them.
    "JAVA_HOME",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "RBENV_ROOT",
    // The network.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
];

/// The environment for a command of the gate in `checkout`, of what `env` has; `declared` are the names of
/// further variables to pass on.
pub fn environment<'a>(env: &Env, declared: impl IntoIterator<Item = &'a str>, checkout: &Path) -> Env {
    let declared: Vec<&str> = declared.into_iter().filter(|name| !name.starts_with("GIT_")).collect();
    let passes = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| PASSED.contains(&name) || name.starts_with("LC_") || declared.contains(&name))
    };
    let mut pairs: Vec<(OsString, OsString)> = env
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| {
            let value = if name == var::PATH { search_path(value) } else { value.to_owned() };
            (name.to_owned(), value)
        })
        .collect();
    for (name, value) in [("CI", "1"), (var::NO_COLOR, "1"), ("TERM", "dumb")] {
        // What a step declares by name, it is given as it is.
        if !declared.contains(&name) {
            pairs.push((name.into(), value.into()));
        }
    }
    // Git in a checkout that lost its `.git` must find nothing, rather than the repository it lies in.
    let ceiling = checkout.parent().unwrap_or(checkout);
    pairs.push(("GIT_CEILING_DIRECTORIES".into(), ceiling.into()));
    Env::from_pairs(pairs)
}

/// Without relative directories (the tree could plant programs there), without `node_modules/.bin` (a hook that npm started
/// has those of the user's own checkout), and without git's own programs, which stand first in what a hook is given.
fn search_path(path: &OsStr) -> OsString {
    let kept = std::env::split_paths(path)
        .filter(|dir| dir.is_absolute() && !dir.ends_with("node_modules/.bin") && !dir.ends_with("git-core"));
    std::env::join_paths(kept).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::held::{READS, TOOLCHAINS};

    #[test]
    fn only_what_is_listed_or_declared_gets_through() {
        let env = Env::from_pairs([
            ("PATH", "/usr/lib/git-core:/usr/bin:node_modules/.bin::/x/node_modules/.bin:/bin"),
            ("HOME", "/home/ann"),
            ("LC_ALL", "C"),
            ("GIT_DIR", "/elsewhere/.git"),
            ("GIT_INDEX_FILE", "/elsewhere/.git/index"),
            ("GIT_CONFIG_COUNT", "1"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("ORCH_TASK", "7k3f"),
            ("VIRTUAL_ENV", "/x/.venv"),
            ("CARGO_TARGET_DIR", "/x/target"),
            ("TERM", "xterm-256color"),
            ("DATABASE_URL", "postgres://localhost"),
            ("OTHER", "x"),
        ]);
        let given =
            environment(&env, ["DATABASE_URL", "GIT_DIR", "ABSENT"], Path::new("/w/repo.orch/gate-0"));
        let lines: Vec<String> =
            given.iter().map(|(k, v)| format!("{}={}", k.display(), v.display())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        CI=1
        DATABASE_URL=postgres://localhost
        GIT_CEILING_DIRECTORIES=/w/repo.orch
        HOME=/home/ann
        LC_ALL=C
        NO_COLOR=1
        PATH=/usr/bin:/bin
        TERM=dumb
        ");
    }

    #[test]
    fn a_declared_variable_is_given_as_it_is() {
        let env = Env::from_pairs([("TERM", "vt100")]);
        let given = environment(&env, ["TERM", "CI"], Path::new("/w/x"));
        assert_eq!(given.text("TERM"), Some("vt100"));
        assert_eq!(given.text("CI"), None);
    }

    #[test]
    fn what_is_shown_by_a_variable_is_passed_on_by_it() {
        let names = TOOLCHAINS.iter().map(|(name, _)| *name).chain(READS);
        let missing: Vec<&str> = names.filter(|name| !PASSED.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
