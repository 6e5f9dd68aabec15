//! What tells the programs of this machine from those that will replace them.
//!
//! None is started: that would take longer than many a step. A program is its place, its size and its time; and each
//! directory of `PATH` is its time, which changes when a program in it is put in or replaced. Managers of toolchains have
//! one program in front of many: of these, what they have installed and what they are set to counts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::Run;
use crate::gate::{TOOLS, digest_of};
use crate::sys::env::{Env, var};
use crate::sys::fs;
use crate::sys::process::find_program;

/// A manager of toolchains: the variable that names its directory, where that is without it below the home, and what in
/// there says which toolchains there are. `*` is any name.
const MANAGERS: [(&str, &str, &[&str]); 8] = [
    (
        "RUSTUP_HOME",
        ".rustup",
        &["settings.toml", "toolchains/*", "toolchains/*/lib/rustlib/multirust-channel-manifest.toml"],
    ),
    ("PYENV_ROOT", ".pyenv", &["version", "versions/*"]),
    ("RBENV_ROOT", ".rbenv", &["version", "versions/*"]),
    ("NODENV_ROOT", ".nodenv", &["version", "versions/*"]),
    ("VOLTA_HOME", ".volta", &["tools/user/platform.json"]),
    ("ASDF_DATA_DIR", ".asdf", &["installs/*/*"]),
    ("MISE_DATA_DIR", ".local/share/mise", &["installs/*/*"]),
    ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", &["*"]),
];

/// Files below the home that such managers are set by.
const SETTINGS: [&str; 2] = [".tool-versions", ".config/mise/config.toml"];

/// What all steps find, by name, each as a digest. `env` is the environment that steps are given.
pub(crate) fn of_machine(env: &Env) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> =
        TOOLS.iter().filter_map(|name| Some(((*name).to_owned(), program(name, env)?))).collect();
    let path = env.get(var::PATH).unwrap_or_default();
    found.insert(var::PATH.to_owned(), digest(&path.to_string_lossy()));
    for dir in std::env::split_paths(path) {
        // Many a directory of programs is a link to that of the version in use.
        if let Some(stamp) = fs::canonical(&dir).ok().and_then(|dir| stamp(&dir)) {
            found.insert(dir.display().to_string(), digest(&stamp));
        }
    }
    let home = env.get(var::HOME).map(PathBuf::from).unwrap_or_default();
    for (variable, place, patterns) in MANAGERS {
        let root = env.get(variable).map_or_else(|| home.join(place), PathBuf::from);
        let state: Vec<String> = patterns.iter().flat_map(|pattern| times(&root, pattern)).collect();
        if !state.is_empty() {
            found.insert(root.display().to_string(), digest(&state.join("\n")));
        }
    }
    for name in SETTINGS {
        found.extend(stamp(&home.join(name)).map(|stamp| (format!("~/{name}"), digest(&stamp))));
    }
    found
}

/// The words of a command.
pub(super) fn words(run: &Run) -> Vec<&str> {
    let between = |c: char| c.is_whitespace() || ";|&()<>\"'`$={}".contains(c);
    match run {
        // One of several words is a line for a shell, as that of `sh -c`.
        Run::Argv(words) => {
            let lines = words.iter().filter(|word| word.contains(char::is_whitespace));
            let inside = lines.flat_map(|line| line.split(between));
            words.iter().map(String::as_str).chain(inside).collect()
        }
        Run::Shell(line) => line.split(between).chain(["sh"]).collect(),
    }
}

/// The programs that commands name. Each is looked for once: steps have much in common.
#[derive(Default)]
pub(super) struct Programs {
    /// Where they were looked for.
    path: OsString,
    known: BTreeMap<String, Option<String>>,
}

impl Programs {
    /// Those of a step's command, by name.
    pub(super) fn of_command(&mut self, run: &Run, env: &Env) -> BTreeMap<String, String> {
        let path = env.get(var::PATH).unwrap_or_default();
        if self.path != path {
            *self = Self { path: path.to_owned(), known: BTreeMap::new() };
        }
        let outside =
            |word: &&str| !word.is_empty() && (!word.contains('/') || Path::new(word).is_absolute());
        let mut found = BTreeMap::new();
        for word in words(run).into_iter().filter(outside) {
            let known = self.known.entry(word.to_owned()).or_insert_with(|| program(word, env));
            found.extend(known.clone().map(|program| (word.to_owned(), program)));
        }
        found
    }
}

fn program(name: &str, env: &Env) -> Option<String> {
    let path = fs::canonical(&find_program(name, env)?).ok()?;
    stamp(&path).map(|stamp| digest(&stamp))
}

/// Place, size and time of a file or a directory.
fn stamp(path: &Path) -> Option<String> {
    Some(format!("{} {} {}", path.display(), fs::size(path)?, fs::modified(path)?.millis()))
}

/// The stamps of what matches `pattern` below `root`.
fn times(root: &Path, pattern: &str) -> Vec<String> {
    let mut at = vec![root.to_owned()];
    for part in pattern.split('/') {
        at = match part {
            "*" => at.iter().flat_map(|dir| fs::list(dir).unwrap_or_default()).collect(),
            name => at.iter().map(|dir| dir.join(name)).collect(),
        };
    }
    at.sort();
    at.iter().filter_map(|path| stamp(&fs::canonical(path).ok()?)).collect()
}

fn digest(text: &str) -> String {
    let mut digest = digest_of("git-orch tool v1", [("", text)].into_iter());
    // Enough to tell one from another; nobody gains by making two alike.
    digest.truncate(16);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_program_and_another_toolchain_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let env = Env::from_pairs([
            ("PATH", bin.display().to_string()),
            ("HOME", dir.path().display().to_string()),
        ]);
        let put = |name: &str, text: &str| {
            let path = bin.join(name);
            fs::write_atomic(&path, text.as_bytes(), 0o755, fs::Durability::None).unwrap();
        };
        let both =
            |line: &str| (of_machine(&env), Programs::default().of_command(&Run::Shell(line.into()), &env));
        put("node", "1");
        put("lint", "1");
        let first = both("X=1 lint a.js && ./bin/node");
        assert_eq!(first, both("X=1 lint a.js && ./bin/node"));
        assert_eq!(first.1.keys().collect::<Vec<_>>(), ["lint"]);

        put("lint", "12");
        assert_ne!(first.1, both("lint").1, "the command's program");
        put("node", "123");
        let second = of_machine(&env);
        assert_ne!(first.0["node"], second["node"]);

        fs::create_dir_all(&dir.path().join(".rustup/toolchains/stable")).unwrap();
        let third = of_machine(&env);
        assert_eq!(third.len(), second.len() + 1, "{third:?}");
        let manifest = dir.path().join(".rustup/toolchains/stable/lib/rustlib");
        fs::create_dir_all(&manifest).unwrap();
        fs::write_new(&manifest.join("multirust-channel-manifest.toml"), b"x", 0o644).unwrap();
        assert_ne!(of_machine(&env), third);
    }

    #[test]
    fn a_program_is_looked_for_again_along_another_path() {
        let dir = tempfile::tempdir().unwrap();
        let mut programs = Programs::default();
        let mut found = |name: &str| {
            let bin = dir.path().join(name);
            fs::create_dir_all(&bin).unwrap();
            fs::write_atomic(&bin.join("lint"), name.as_bytes(), 0o755, fs::Durability::None).unwrap();
            let env = Env::from_pairs([("PATH", bin.display().to_string())]);
            programs.of_command(&Run::Shell("lint".into()), &env)
        };
        assert_ne!(found("one"), found("three"));
    }
}
