//! Command lines: where their programs are, and how they are written.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::sys::env::{Env, var};

/// Where `program` is found along `PATH`, as a shell would find it.
pub fn find_program(program: &str, env: &Env) -> Option<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return is_executable(&path).then_some(path);
    }
    find_in(program, env.get(var::PATH)?)
}

pub(super) fn find_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A word as a shell would need it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
