//! The processes above this one: their working directories and task variables.
//!
//! Reads `/proc`; elsewhere than on Linux the list is empty, which `override` treats as "unknown".

use std::path::{Path, PathBuf};

use crate::sys::env::var;

/// One process above this one, or this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its working directory, where the system lets us see it.
    pub cwd: Option<PathBuf>,
    /// The value of `ORCH_TASK` in its environment, where the system lets us see it.
    pub task: Option<String>,
}

/// This process and those above it, nearest first.
pub fn chain() -> Vec<Process> {
    let mut list = Vec::new();
    let mut pid = i32::try_from(std::process::id()).unwrap_or(0);
    // Bounded: a damaged /proc must not loop.
    while pid > 0 && list.len() < 128 {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let Some(parent) = parent_of(&dir) else { break };
        list.push(Process { pid, cwd: dir.join("cwd").read_link().ok(), task: task_of(&dir) });
        pid = parent;
    }
    list
}

fn parent_of(dir: &Path) -> Option<i32> {
    let status = crate::sys::fs::read_string(&dir.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn task_of(dir: &Path) -> Option<String> {
    let environ = crate::sys::fs::read(&dir.join("environ")).ok()?;
    environ.split(|&b| b == 0).find_map(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        let (name, value) = text.split_once('=')?;
        (name == var::ORCH_TASK).then(|| value.to_owned())
    })
}

/// The processes whose working directory is `dir` or below it, other than this one.
pub fn inside(dir: &Path) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = crate::sys::fs::list(Path::new("/proc")).unwrap_or_default();
    let pid = |path: PathBuf| path.file_name()?.to_str()?.parse::<i32>().ok();
    pids.into_iter()
        .filter_map(pid)
        .filter(|&pid| pid != own)
        .filter(|pid| {
            let cwd = PathBuf::from(format!("/proc/{pid}/cwd")).read_link();
            cwd.is_ok_and(|cwd| cwd.starts_with(dir))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_comes_first() {
        let chain = super::chain();
        assert_eq!(chain[0].pid, i32::try_from(std::process::id()).unwrap());
        assert!(chain.len() > 1);
    }
}
