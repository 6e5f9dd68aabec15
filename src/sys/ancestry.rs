//! The processes above this one, with their working directories and task variables, and those below another.
//!
//! Reads `/proc`; elsewhere than on Linux the list is empty, which `override` treats as "unknown".

use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

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
    /// The same of `ORCH_WORKTREE`.
    pub worktree: Option<PathBuf>,
}

/// This process and those above it, nearest first.
pub fn chain() -> Vec<Process> {
    let mut list = Vec::new();
    let mut pid = i32::try_from(std::process::id()).unwrap_or(0);
    // Bounded: a damaged /proc must not loop.
    while pid > 0 && list.len() < 128 {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let Some(parent) = parent_of(&dir) else { break };
        let cwd = dir.join("cwd").read_link().ok();
        let environ = read_file(&dir.join("environ")).unwrap_or_default();
        let worktree = variable(&environ, var::ORCH_WORKTREE).map(PathBuf::from);
        list.push(Process { pid, cwd, task: variable(&environ, var::ORCH_TASK), worktree });
        pid = parent;
    }
    list
}

/// The process that started this one.
pub fn parent() -> i32 {
    rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get())
}

/// The command line of process `pid`; empty where the system does not let us see it.
pub fn command_of(pid: i32) -> Vec<String> {
    let bytes = crate::sys::fs::read(&PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
    words_of(&bytes)
}

/// Each word ends with a NUL; an empty one is a word, the first one too.
fn words_of(cmdline: &[u8]) -> Vec<String> {
    let Some(words) = cmdline.strip_suffix(&[0]) else { return Vec::new() };
    words.split(|&b| b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The names of the processes between this one and `pid` above it, nearest first; None if it is not above.
pub fn names_up_to(pid: i32) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut at = parent();
    // Bounded: a damaged /proc must not loop.
    while at > 0 && names.len() < 128 {
        if at == pid {
            return Some(names);
        }
        let status = crate::sys::fs::read_string(&PathBuf::from(format!("/proc/{at}/status"))).ok()?;
        names.push(status.lines().find_map(|line| line.strip_prefix("Name:"))?.trim().to_owned());
        at = parent_of(&PathBuf::from(format!("/proc/{at}")))?;
    }
    None
}

/// `stat` and not `status`: the kernel takes a tenth of the time for it, and this is done for each process above.
fn parent_of(dir: &Path) -> Option<i32> {
    let stat = read_file(&dir.join("stat")).ok()?;
    // The name, in parentheses, may hold anything, parentheses too.
    let after = stat.rsplit(|&b| b == b')').next()?;
    std::str::from_utf8(after).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// A file of `/proc`, whose size is said to be 0: with room from the start it takes two reads instead of eight.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    std::fs::File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn variable(environ: &[u8], wanted: &str) -> Option<String> {
    let value = |pair: &[u8]| Some(pair.strip_prefix(wanted.as_bytes())?.strip_prefix(b"=")?.to_vec());
    environ.split(|&b| b == 0).find_map(|pair| String::from_utf8(value(pair)?).ok())
}

/// The name of process `pid`; None where the system does not let us see it.
pub fn name_of(pid: i32) -> Option<String> {
    let status = crate::sys::fs::read_string(&PathBuf::from(format!("/proc/{pid}/status"))).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("Name:"))?.trim().to_owned())
}

/// The processes, other than this one, that have all of `variables` in their environment.
pub fn with_variables(variables: &[(&str, &str)]) -> Vec<i32> {
    let wanted: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = crate::sys::fs::list(Path::new("/proc")).unwrap_or_default();
    let has_all = |pid: &i32| {
        let path = PathBuf::from(format!("/proc/{pid}/environ"));
        let Ok(environ) = crate::sys::fs::read(&path) else { return false };
        wanted.iter().all(|pair| environ.split(|&b| b == 0).any(|found| found == pair.as_bytes()))
    };
    pids.into_iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && has_all(pid))
        .collect()
}

/// The processes of the program `name` that work on `path`: it is an argument of theirs, or their
/// `GIT_WORK_TREE`.
pub fn naming(name: &str, path: &Path) -> Vec<i32> {
    let pids = crate::sys::fs::list(Path::new("/proc")).unwrap_or_default();
    let pid = |path: PathBuf| path.file_name()?.to_str()?.parse::<i32>().ok();
    let works = |pid: &i32| {
        let command = command_of(*pid);
        let is = command.first().is_some_and(|program| Path::new(program).ends_with(name));
        is && (command.iter().skip(1).any(|word| Path::new(word) == path)
            || tree_of(*pid).as_deref() == Some(path))
    };
    pids.into_iter().filter_map(pid).filter(works).collect()
}

fn tree_of(pid: i32) -> Option<PathBuf> {
    let prefix = format!("{}=", var::GIT_WORK_TREE);
    let environ = crate::sys::fs::read(&PathBuf::from(format!("/proc/{pid}/environ"))).ok()?;
    let mut values = environ.split(|&b| b == 0).filter_map(|pair| pair.strip_prefix(prefix.as_bytes()));
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(values.next()?)))
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

/// The processes that process `pid` started and that are still below it.
pub fn below(pid: i32) -> Vec<i32> {
    let list = crate::sys::fs::list(Path::new("/proc")).unwrap_or_default();
    let pair = |dir: PathBuf| Some((dir.file_name()?.to_str()?.parse::<i32>().ok()?, parent_of(&dir)?));
    let pairs: Vec<(i32, i32)> = list.into_iter().filter_map(pair).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(&above) = found.get(at) {
        // Never twice: ids may be given anew while they are read.
        let fresh = pairs.iter().filter(|(child, parent)| *parent == above && !found.contains(child));
        let fresh: Vec<i32> = fresh.map(|(child, _)| *child).collect();
        found.extend(fresh);
        at += 1;
    }
    found.split_off(1)
}

/// Kills a process at once. One that is gone already is no error.
pub fn kill(pid: i32) -> std::io::Result<()> {
    signal(pid, Signal::KILL)
}

/// Sends a process a signal. One that is gone already is no error.
pub fn signal(pid: i32, signal: Signal) -> std::io::Result<()> {
    let Some(pid) = Pid::from_raw(pid) else { return Ok(()) };
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_comes_first() {
        let chain = super::chain();
        assert_eq!(chain[0].pid, i32::try_from(std::process::id()).unwrap());
        assert!(chain.len() > 1);
    }

    #[test]
    fn a_process_is_found_by_its_variables() {
        let mark = format!("{}-{}", std::process::id(), line!());
        let dir = tempfile::tempdir().unwrap();
        let up = dir.path().join("up");
        let env = crate::sys::env::Env::capture();
        let run = |line: &str| {
            crate::sys::process::Cmd::shell(line, dir.path(), &env).env("ORCH_MARK", &mark).env("A", "1")
        };
        run("mkfifo up").run().unwrap().checked().unwrap();
        let cmd = run("echo $$ > up; read x < up; exit 0");
        std::thread::scope(|scope| {
            scope.spawn(|| cmd.run().unwrap().checked().unwrap());
            let pid: i32 = crate::sys::fs::read_string(&up).unwrap().trim().parse().unwrap();
            assert_eq!(super::with_variables(&[("ORCH_MARK", &mark), ("A", "1")]), [pid]);
            assert!(super::with_variables(&[("ORCH_MARK", &mark), ("A", "2")]).is_empty());
            crate::sys::fs::overwrite(&up, b"\n", crate::sys::fs::Durability::None).unwrap();
        });
    }

    #[test]
    fn empty_words_are_words() {
        assert_eq!(super::words_of(b"\0update-ref\0\0x\0"), ["", "update-ref", "", "x"]);
        assert!(super::words_of(b"").is_empty());
    }

    #[test]
    fn the_parent_and_what_is_between() {
        assert_eq!(super::names_up_to(super::parent()), Some(vec![]));
        let own = std::path::PathBuf::from(format!("/proc/{}", std::process::id()));
        assert_eq!(super::parent_of(&own), Some(super::parent()));
        assert_eq!(super::names_up_to(i32::MAX), None);
        assert!(!super::command_of(i32::try_from(std::process::id()).unwrap()).is_empty());
    }
}
