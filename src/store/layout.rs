//! Where things are in the state's tree (design.md §4).

use crate::domain::id::{SessionId, TaskId};
use crate::domain::oid::Oid;

/// The state's ref.
pub const STATE_REF: &str = "refs/orch/state";

/// Where the state of a remote that calls it `name` is fetched to. Not below `refs/remotes/`: `git fetch --prune` deletes
/// there.
pub fn remote_state_ref(remote: &str, name: &str) -> String {
    if name == STATE_REF {
        format!("refs/orch/remotes/{remote}/state")
    } else {
        format!("refs/orch/remotes/{remote}/as/{name}")
    }
}

/// What claims are called on a remote, before the task's place.
pub const CLAIMS: &str = "refs/orch/claims/";

/// Where the claim of a task is, below `CLAIMS` or below where it was fetched to.
pub fn claim(id: &TaskId) -> String {
    format!("{}/{id}", id.shard())
}

/// The task whose claim a ref is; `name` without what is before the task's place.
pub fn task_of_claim(name: &str) -> Option<TaskId> {
    let (shard, id) = name.split_once('/')?;
    let id = TaskId::parse(id).ok()?;
    (id.shard() == shard).then_some(id)
}

/// Where a remote's claims are fetched to, before the task's place.
pub fn remote_claims(remote: &str) -> String {
    format!("refs/orch/remotes/{remote}/claims/")
}

/// Where a remote's state is fetched to before it is looked at.
pub fn fetched_state_ref(remote: &str, name: &str) -> String {
    if name == STATE_REF {
        format!("refs/orch/remotes/{remote}/fetched/state")
    } else {
        format!("refs/orch/remotes/{remote}/fetched/as/{name}")
    }
}

pub(crate) const META: &str = "meta.toml";
/// The directory of what is finished for long.
pub(crate) const ARCHIVE: &str = "archive";
/// The directory of PASSes of steps that turned out to be none.
pub(crate) const REFUTED: &str = "refuted";
/// The directory of what says which records were let go.
pub(crate) const PRUNED_DIR: &str = "pruned";
/// Before which time records of steps were let go.
pub(crate) const PRUNED: &str = "pruned/steps.toml";
pub(crate) const CONTROL: &str = "control.toml";

/// No change makes a file of the state larger, in bytes.
pub(crate) const MAX_FILE: usize = 64 * 1024;
/// No file of the state is larger, in bytes: what clones join may have more than what each wrote.
pub(crate) const MAX_READ: usize = 1024 * 1024;

pub(crate) fn task(id: &TaskId) -> String {
    format!("tasks/{}/{id}.toml", id.shard())
}

pub(crate) fn session(id: &SessionId) -> String {
    format!("sessions/{}/{id}.toml", id.shard())
}

pub(crate) fn handoff(id: &SessionId) -> String {
    format!("sessions/{}/{id}.md", id.shard())
}

/// The verdict of one clone (`maker`) for a key: each writes its own, so that none hides another's.
pub(crate) fn verdict(key: &str, maker: &SessionId) -> String {
    format!("verdicts/{}/{key}.{maker}.toml", &key[..2])
}

/// The directory of the verdicts for a key, and how the names of their files begin.
pub(crate) fn verdicts(key: &str) -> (String, &str) {
    (format!("verdicts/{}", &key[..2]), key)
}

/// The PASS of a step with a key on one tree, of one clone: which of them count depends on the tree.
pub(crate) fn step_pass(key: &str, maker: &SessionId, tree: &Oid) -> String {
    format!("steps/{}/{key}.{maker}.{}.toml", &key[..2], &tree.as_str()[..12])
}

/// Where the clone `maker` says that a step under a key does not pass after all, as it failed on one tree.
pub(crate) fn refuted(key: &str, maker: &SessionId, tree: &Oid) -> String {
    format!("{REFUTED}/{}/{key}.{maker}.{}.toml", &key[..2], &tree.as_str()[..12])
}

/// The directory of what is said against a step's key, and how the names of its files begin.
pub(crate) fn refutations(key: &str) -> (String, &str) {
    (format!("{REFUTED}/{}", &key[..2]), key)
}

/// The directory of the PASSes for a step's key, and how the names of their files begin.
pub(crate) fn step_passes(key: &str) -> (String, &str) {
    (format!("steps/{}", &key[..2]), key)
}

pub(crate) fn approval(tree: &Oid) -> String {
    format!("decisions/{}/approve-{tree}.toml", &tree.as_str()[..2])
}

/// The task whose file `path` is.
pub(crate) fn task_of(path: &str) -> Option<TaskId> {
    let (shard, name) = path.strip_prefix("tasks/")?.split_once('/')?;
    let id = TaskId::parse(name.strip_suffix(".toml")?).ok()?;
    (id.shard() == shard).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_found_only_in_its_own_place() {
        let id = TaskId::parse("7k3fabcd").unwrap();
        assert_eq!(task_of(&task(&id)), Some(id));
        for path in ["tasks/7j/7k3fabcd.toml", "tasks/7k3fabcd.toml", "tasks/7k/7k3fabcd.md", "x"] {
            assert_eq!(task_of(path), None, "{path}");
        }
    }
}
