//! What commands of a gate, and fixers, may see and write: their checkout, the system, the toolchains, and nothing of their
//! user.
//!
//! Caches of toolchains can be written where the run was given a copy of its own, which is thrown away: whatever a tree
//! downloads or forges there is gone before the next tree is judged, and never reaches the user's own builds.

use std::path::{Path, PathBuf};

use crate::sys::env::{Env, var};
use crate::sys::fs;
use crate::sys::sandbox::{Network, Placed, SYSTEM, Sandbox, Support};

/// What the commands of one run are held to.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The checkout: the one place that may be written.
    pub checkout: &'a Path,
    /// The repository's common git directory, which may be read.
    pub git_dir: &'a Path,
    /// What of that may not.
    pub secret: &'a Path,
    /// Further places that may be written.
    pub writes: &'a [PathBuf],
    /// The run's own copies of directories, and where its commands find them.
    pub placed: &'a [Placed],
    /// The process that holds those (`sys::holder`).
    pub holder: Option<u32>,
    /// A directory for the sandbox itself.
    pub scratch: &'a Path,
    /// What this machine can do.
    pub support: Support,
    /// The program that puts a command into its sandbox (`sandbox::take_over`).
    pub launcher: &'a Path,
}

/// Variables that name a directory of a toolchain, or of its cache, and where it is without them, below the home.
pub const TOOLCHAINS: [(&str, &str); 25] = [
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("NVM_DIR", ".nvm"),
    ("VOLTA_HOME", ".volta"),
    ("FNM_DIR", ".local/share/fnm"),
    ("PNPM_HOME", ".local/share/pnpm"),
    ("COREPACK_HOME", ".cache/node/corepack"),
    ("YARN_CACHE_FOLDER", ".cache/yarn"),
    ("npm_config_cache", ".npm"),
    ("BUN_INSTALL", ".bun"),
    ("DENO_DIR", ".cache/deno"),
    ("PYENV_ROOT", ".pyenv"),
    ("UV_CACHE_DIR", ".cache/uv"),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv"),
    ("PIP_CACHE_DIR", ".cache/pip"),
    ("POETRY_HOME", ".local/share/pypoetry"),
    ("POETRY_CACHE_DIR", ".cache/pypoetry"),
    ("GOPATH", "go"),
    ("GOCACHE", ".cache/go-build"),
    ("GOMODCACHE", "go/pkg/mod"),
    ("PLAYWRIGHT_BROWSERS_PATH", ".cache/ms-playwright"),
    ("ASDF_DATA_DIR", ".asdf"),
    ("MISE_DATA_DIR", ".local/share/mise"),
    ("PIPX_HOME", ".local/share/pipx"),
    ("RBENV_ROOT", ".rbenv"),
];

/// Variables that name something to read.
pub const READS: [&str; 7] = [
    "GOROOT",
    "JAVA_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
];

/// Files of toolchains that may hold a password or a token, below the toolchain's directory.
const CREDENTIALS: [(&str, &[&str]); 2] =
    [("CARGO_HOME", &["credentials", "credentials.toml"]), ("UV_PYTHON_INSTALL_DIR", &["credentials"])];

/// Files of toolchains, below the toolchain's directory, that are shown unless they have a password or a token.
const SETTINGS: [(&str, &[&str]); 1] = [("CARGO_HOME", &["config", "config.toml"])];

/// Further directories of toolchains below the home whose programs need all of them.
const WHOLE: [&str; 8] = [".nodenv", ".goenv", ".jenv", ".plenv", ".elan", ".opam", ".ghcup", ".juliaup"];

/// What of a directory at home that has programs belongs to these: beside it are settings, and what logs in.
const OF_PROGRAMS: [&str; 6] = ["bin", "shims", "lib", "libexec", "share", "include"];

/// Where a system keeps what names and certificates lead to, outside of its usual directories.
const RESOLVER: [&str; 2] = ["/etc/resolv.conf", "/var/lib/ca-certificates"];

impl Held<'_> {
    /// The sandbox for a command, with the programs that `env` has.
    pub fn sandbox(&self, network: Network, env: &Env) -> Sandbox {
        let home = home(env);
        let mut reads: Vec<PathBuf> = SYSTEM.iter().chain(&RESOLVER).map(PathBuf::from).collect();
        reads.push(self.git_dir.to_owned());
        reads.extend(READS.iter().filter_map(|name| absolute(env, name)));
        for dir in env.search_path().into_iter().filter(|dir| dir.is_absolute()) {
            reads.extend(shown(&dir, env));
            reads.push(dir);
        }
        let mut hidden = vec![self.secret.to_owned()];
        for (name, place) in toolchains(env) {
            let secrets = CREDENTIALS.iter().filter(|(of, _)| *of == name).flat_map(|(_, files)| *files);
            hidden.extend(secrets.map(|file| place.join(file)));
            let settings = SETTINGS.iter().filter(|(of, _)| *of == name).flat_map(|(_, files)| *files);
            hidden.extend(settings.map(|file| place.join(file)).filter(|file| has_token(file)));
            // Where there is a copy, it is found there; else what is there may only be read.
            reads.push(place);
        }
        let mut writes = vec![self.checkout.to_owned()];
        writes.extend(self.writes.iter().cloned());
        Sandbox {
            reads,
            writes,
            placed: self.placed.to_vec(),
            holder: self.holder,
            hidden,
            home: home.into_iter().collect(),
            scratch: self.scratch.to_owned(),
            network,
            support: self.support,
        }
    }
}

/// Directories of toolchains and their caches, of which each run is to have its own copies.
pub fn caches(env: &Env) -> Vec<PathBuf> {
    toolchains(env).into_iter().map(|(_, place)| place).collect()
}

/// The same, by the variable that names it.
fn toolchains(env: &Env) -> Vec<(&'static str, PathBuf)> {
    let home = home(env);
    let place = |(name, default): (&'static str, &str)| {
        let place = absolute(env, name).or_else(|| Some(home.as_ref()?.join(default)))?;
        is_own(&place, home.as_deref()).then_some((name, place))
    };
    TOOLCHAINS.into_iter().filter_map(place).collect()
}

fn home(env: &Env) -> Option<PathBuf> {
    env.get(var::HOME).map(PathBuf::from).filter(|home| home.is_absolute())
}

fn absolute(env: &Env, name: &str) -> Option<PathBuf> {
    env.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Whether a directory is a toolchain's own: neither the home nor something above it, which a variable may name by
/// mistake, or to have it shown.
fn is_own(path: &Path, home: Option<&Path>) -> bool {
    path.components().count() > 2 && home.is_none_or(|home| !home.starts_with(path))
}

/// The installation that a directory of programs belongs to (`<it>/bin`, `<it>/shims`), where that is all of it.
fn installation<'a>(dir: &'a Path, home: Option<&Path>) -> Option<&'a Path> {
    let is_programs = dir.ends_with("bin") || dir.ends_with("shims");
    let whole = dir.parent().filter(|_| is_programs)?;
    // `~/.local/bin` has siblings that are other programs' data.
    let shared = home.is_some_and(|home| whole == home.join(".local"));
    (is_own(whole, home) && !shared).then_some(whole)
}

/// What of that installation is shown.
fn shown(dir: &Path, env: &Env) -> Vec<PathBuf> {
    let home = home(env);
    let Some(whole) = installation(dir, home.as_deref()) else { return Vec::new() };
    let Some(home) = home.filter(|home| is_settings(whole, home)) else { return vec![whole.to_owned()] };
    let known = toolchains(env).iter().any(|(_, place)| place == whole)
        || WHOLE.iter().any(|name| *whole == home.join(name));
    if known { vec![whole.to_owned()] } else { OF_PROGRAMS.map(|name| whole.join(name)).to_vec() }
}

/// Whether a directory is where programs keep their settings: `~/.docker`, `~/.config/x`.
fn is_settings(path: &Path, home: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let above = path.parent();
    (is_hidden && above == Some(home)) || above == Some(&home.join(".config"))
}

/// Whether a file of settings has what logs in. One that can't be read can't be shown either.
fn has_token(file: &Path) -> bool {
    let Ok(text) = fs::read_optional(file) else { return true };
    let text = text.unwrap_or_default().to_ascii_lowercase();
    let said = |line: &str| {
        // The name of a program that asks for one.
        let line = line.replace("cargo:token", "");
        ["token", "secret-key", "password"].iter().any(|word| line.contains(word))
    };
    text.lines().filter(|line| !line.trim_start().starts_with('#')).any(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Sandbox {
        let env = Env::from_pairs(pairs.iter().copied());
        let none = Support::default();
        let held = Held {
            checkout: Path::new("/w/repo.orch/gate-0"),
            git_dir: Path::new("/w/repo/.git"),
            secret: Path::new("/w/repo/.git/orch"),
            writes: &[],
            placed: &[],
            holder: None,
            scratch: Path::new("/s"),
            support: none,
            launcher: Path::new("/usr/bin/git-orch"),
        };
        held.sandbox(Network::On, &env)
    }

    #[test]
    fn the_home_itself_is_never_shown() {
        let sandbox = of(&[
            ("HOME", "/home/ann"),
            ("PATH", "/home/ann/bin:/home/ann/.local/bin:/opt/node/bin:bin:/usr/bin:/home/ann/.pyenv/shims"),
            ("CARGO_HOME", "/home/ann"),
            ("RUSTUP_HOME", "/home"),
            ("GOPATH", "/"),
        ]);
        let all: Vec<&PathBuf> = sandbox.reads.iter().chain(&sandbox.writes).collect();
        let home = Path::new("/home/ann");
        assert!(all.iter().all(|path| !home.starts_with(path)), "{all:?}");
        for shown in ["/home/ann/bin", "/home/ann/.local/bin", "/opt/node", "/home/ann/.pyenv"] {
            assert!(sandbox.reads.iter().any(|path| path == Path::new(shown)), "{shown}");
        }
        assert!(!sandbox.reads.iter().any(|path| path == Path::new("/home/ann/.local")));
    }

    #[test]
    fn of_settings_with_programs_only_what_belongs_to_these_is_shown() {
        let path = "/home/ann/.docker/bin:/home/ann/.config/x/bin:/home/ann/.cargo/bin:/home/ann/.elan/bin";
        let sandbox = of(&[("HOME", "/home/ann"), ("PATH", path)]);
        let is_shown = |path: &str| sandbox.reads.iter().any(|shown| shown == Path::new(path));
        for path in [
            "/home/ann/.docker/bin",
            "/home/ann/.docker/lib",
            "/home/ann/.config/x/share",
            "/home/ann/.cargo",
            "/home/ann/.elan",
        ] {
            assert!(is_shown(path), "{path}");
        }
        for path in ["/home/ann/.docker", "/home/ann/.config", "/home/ann/.config/x"] {
            assert!(!is_shown(path), "{path}");
        }
        assert!(sandbox.hidden.contains(&PathBuf::from("/home/ann/.local/share/uv/credentials")));
    }

    #[test]
    fn a_toolchain_s_token_is_not_shown() {
        let sandbox = of(&[("HOME", "/home/ann"), ("CARGO_HOME", "/x/cargo")]);
        assert!(sandbox.reads.contains(&PathBuf::from("/x/cargo")));
        assert!(sandbox.hidden.contains(&PathBuf::from("/x/cargo/credentials.toml")));
        assert!(sandbox.hidden.contains(&PathBuf::from("/w/repo/.git/orch")));
    }
}
