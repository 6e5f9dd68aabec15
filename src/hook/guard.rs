//! The guard of trunk, of the state's ref, and of tasks' branches against other tasks' agents, asked by git's `reference-transaction` hook at `prepared`.
//!
//! `decide` is pure: every fact that it needs is a question to `Facts`, asked only when it matters.
//! What the guard can't see, because git runs no hook: `git branch -C`, any rename or copy on a reftable
//! repository, `core.hooksPath` on the command line, other git libraries. Tamper evidence finds those.

use crate::domain::branch;
use crate::domain::oid::{MaybeOid, Oid};
use crate::hook::decode::{RefUpdate, Value};

/// What the guard may ask about trunk.
pub trait Facts {
    /// Why a question has no answer.
    type Error: std::fmt::Display;
    /// Trunk's value now, symbolic refs followed.
    fn current(&self) -> Result<MaybeOid, Self::Error>;
    /// Trunk's value in `packed-refs`; None on other ref stores.
    fn packed(&self) -> Result<Option<Oid>, Self::Error>;
    /// The value of the remote's trunk here, as of this transaction.
    fn tracking(&self) -> Result<Option<Oid>, Self::Error>;
    /// Whether `old` is an ancestor of `new`.
    fn is_ancestor(&self, old: &Oid, new: &Oid) -> Result<bool, Self::Error>;
    /// Whether a merge ticket in force names this move.
    fn has_ticket(&self, old: &MaybeOid, new: &Oid) -> Result<bool, Self::Error>;
    /// Whether an override in force covers trunk at this value.
    fn is_overridden(&self, old: &MaybeOid) -> Result<bool, Self::Error>;
    /// The rename that the running git was asked for, if it is one and we can tell.
    fn rename(&self) -> Option<Rename>;
    /// The value now of the ref that the guard follows, `refs/remotes/<remote>/<trunk>`.
    fn tracked(&self, name: &str) -> Result<MaybeOid, Self::Error>;
    /// Whether the running git brings `name` from the remote that it is named after, or can't be seen.
    fn is_news(&self, name: &str) -> bool;
}

/// `git branch -m FROM TO`, short names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The branch that goes.
    pub from: String,
    /// The branch that comes.
    pub to: String,
}

/// The guard's word on one update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let it through.
    Allow,
    /// Refuse the whole transaction.
    Deny(Denial),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The rule's id: `trunk.direct`, `trunk.delete`, `trunk.rename`, `trunk.tracking`, `trunk.unreadable`,
    /// `state.direct`, `task.other`.
    pub rule: &'static str,
    /// What broke it.
    pub fact: String,
    /// What to type instead, one command with its purpose a line.
    pub way_out: Vec<String>,
    /// Where trunk was and where it was to go, for the repair hint. None for deletions and the unknown.
    pub wanted: Option<Oid>,
}

/// Decides on the update of `trunk` (full name; `update.name` is trunk or what trunk is an alias of).
pub fn decide<F: Facts>(trunk: &str, update: &RefUpdate, facts: &F) -> Decision {
    match judge(trunk, update, facts) {
        Ok(decision) => decision,
        Err(error) => deny("trunk.unreadable", format!("{trunk}: {error}"), None),
    }
}

/// Decides on the deletion of another branch `name`: refused when it is the first half of a rename onto trunk,
/// because git would refuse the second half only after the branch is gone.
pub fn decide_other<F: Facts>(trunk: &str, name: &str, facts: &F) -> Decision {
    let Some(rename) = facts.rename() else { return Decision::Allow };
    if heads(&rename.to) != trunk || heads(&rename.from) != name {
        return Decision::Allow;
    }
    match facts.current().and_then(|current| facts.is_overridden(&current)) {
        Ok(true) => Decision::Allow,
        Ok(false) => deny("trunk.rename", format!("`{}` would replace {trunk}", rename.from), None),
        Err(error) => deny("trunk.unreadable", format!("{trunk}: {error}"), None),
    }
}

/// Decides on the update of `name`, the remote's trunk as this clone knows it. Trunk follows that ref, and the
/// gate is read there: only a fetch from the remote, or a push to it, says where it is.
pub fn decide_tracking<F: Facts>(trunk: &str, update: &RefUpdate, facts: &F) -> Decision {
    let name = update.name.as_str();
    let judged = || {
        let new = match &update.new {
            // `git remote remove` and `git fetch --prune`: what is gone lets nothing through.
            Value::Zero => return Ok(true),
            Value::Id(new) => new,
            Value::Ref(_) | Value::Other(_) => return Ok(false),
        };
        Ok(facts.is_news(name)
            || facts.tracked(name)?.id() == Some(new)
            || facts.is_overridden(&facts.current()?)?)
    };
    match judged() {
        Ok(true) => Decision::Allow,
        Ok(false) => {
            let fact = format!("{name} would move without the remote saying so, and {trunk} follows it");
            deny("trunk.tracking", fact, None)
        }
        Err(error) => {
            let error: F::Error = error;
            deny("trunk.unreadable", format!("{name}: {error}"), None)
        }
    }
}

/// The ref that the state is kept under. git-orch moves it without hooks.
pub const STATE: &str = "refs/orch/state";

/// Decides on an update of the state's ref, which is at `current` and in `packed-refs` at `packed`: whoever sets it back
/// takes back what is on record. It may be made where there is none, as from a bundle.
pub fn decide_state(update: &RefUpdate, current: &MaybeOid, packed: Option<&Oid>) -> Decision {
    let same = match (&update.new, current) {
        (_, MaybeOid::Zero) => true,
        (Value::Id(new), MaybeOid::Id(current)) => new == current,
        // `git pack-refs` removes the loose copy of what it has just packed.
        (Value::Zero, MaybeOid::Id(_)) => matches!(&update.old, Value::Id(old) if packed == Some(old)),
        (Value::Ref(_) | Value::Other(_), MaybeOid::Id(_)) => false,
    };
    if same {
        return Decision::Allow;
    }
    deny(
        "state.direct",
        format!("{STATE} is git-orch's alone to move: it is the record of what was done"),
        None,
    )
}

/// Decides on an update of a branch by the agent of task `own`: other tasks' branches are not its own.
pub fn decide_by_agent(name: &str, own: &str) -> Decision {
    let other = name.strip_prefix("refs/heads/").and_then(branch::task_of);
    match other {
        Some(other) if other.as_str() != own => deny(
            "task.other",
            format!("{name} is the branch of task {other}, and this is the agent of {own}"),
            None,
        ),
        Some(_) | None => Decision::Allow,
    }
}

fn judge<F: Facts>(trunk: &str, update: &RefUpdate, facts: &F) -> Result<Decision, F::Error> {
    let new = match &update.new {
        Value::Zero => return judge_deletion(trunk, update, facts),
        Value::Id(new) => new,
        Value::Ref(other) | Value::Other(other) => {
            let fact = format!("{trunk} would become an alias of {other}");
            return Ok(deny("trunk.direct", fact, None));
        }
    };
    let current = facts.current()?;
    if current.id() == Some(new) {
        return Ok(Decision::Allow);
    }
    if facts.has_ticket(&current, new)? {
        return Ok(Decision::Allow);
    }
    let tracking = facts.tracking()?;
    let allowed = match (&current, &tracking) {
        // The first commit of a new repository.
        (MaybeOid::Zero, None) => true,
        (MaybeOid::Zero, Some(remote)) => remote == new,
        (MaybeOid::Id(old), Some(remote)) => remote == new && facts.is_ancestor(old, new)?,
        (MaybeOid::Id(_), None) => false,
    };
    if allowed || facts.is_overridden(&current)? {
        return Ok(Decision::Allow);
    }
    let fact = match &current {
        MaybeOid::Id(old) => format!("{trunk} would move from {} to {}", old.short(), new.short()),
        MaybeOid::Zero => format!("{trunk} would be made at {}", new.short()),
    };
    Ok(deny("trunk.direct", fact, Some(new.clone())))
}

fn judge_deletion<F: Facts>(trunk: &str, update: &RefUpdate, facts: &F) -> Result<Decision, F::Error> {
    // `git pack-refs` removes the loose copy of what it has just packed. A real deletion of a packed ref shows
    // first as a line without an old value, from the transaction on the packed file.
    if let Value::Id(old) = &update.old
        && facts.packed()?.as_ref() == Some(old)
    {
        return Ok(Decision::Allow);
    }
    // `git branch -M main` on main: git deletes the ref and makes it again.
    if facts.rename().is_some_and(|r| heads(&r.from) == trunk && heads(&r.to) == trunk) {
        return Ok(Decision::Allow);
    }
    if facts.is_overridden(&facts.current()?)? {
        return Ok(Decision::Allow);
    }
    Ok(deny("trunk.delete", format!("{trunk} would be deleted or renamed"), None))
}

fn heads(short: &str) -> String {
    format!("refs/heads/{short}")
}

fn deny(rule: &'static str, fact: String, wanted: Option<Oid>) -> Decision {
    let anyway = "git orch override --reason TEXT -- git …   (a person, this once, recorded)";
    let way_out: &[&str] = match rule {
        "trunk.direct" => &[
            "git orch start --here   (edits on trunk: take them to a task branch)",
            "git orch merge BRANCH   (work on a branch: verify and merge it)",
            anyway,
        ],
        "trunk.tracking" => &["git fetch   (asks the remote)", anyway],
        "state.direct" => {
            &["git orch log   (what is on record)", "git orch doctor --fix   (if it is damaged)"]
        }
        "task.other" => &["git orch status"],
        _ => &[anyway],
    };
    let way_out = way_out.iter().map(|line| (*line).to_owned()).collect();
    Decision::Deny(Denial { rule, fact, way_out, wanted })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn oid(c: char) -> Oid {
        Oid::parse(&c.to_string().repeat(40)).unwrap()
    }

    #[derive(Default)]
    #[expect(clippy::struct_excessive_bools, reason = "one per question that is answered yes or no")]
    struct Table {
        current: Option<char>,
        packed: Option<char>,
        tracking: Option<char>,
        ancestor: bool,
        ticket: bool,
        overridden: bool,
        rename: Option<(&'static str, &'static str)>,
        news: bool,
        broken: bool,
        expensive: Cell<u32>,
    }

    impl Facts for Table {
        type Error = String;
        fn current(&self) -> Result<MaybeOid, String> {
            if self.broken {
                Err("cannot read it".into())
            } else {
                Ok(self.current.map_or(MaybeOid::Zero, |c| MaybeOid::Id(oid(c))))
            }
        }
        fn packed(&self) -> Result<Option<Oid>, String> {
            Ok(self.packed.map(oid))
        }
        fn tracking(&self) -> Result<Option<Oid>, String> {
            Ok(self.tracking.map(oid))
        }
        fn is_ancestor(&self, _: &Oid, _: &Oid) -> Result<bool, String> {
            self.expensive.set(self.expensive.get() + 1);
            Ok(self.ancestor)
        }
        fn has_ticket(&self, _: &MaybeOid, _: &Oid) -> Result<bool, String> {
            Ok(self.ticket)
        }
        fn is_overridden(&self, _: &MaybeOid) -> Result<bool, String> {
            Ok(self.overridden)
        }
        fn rename(&self) -> Option<Rename> {
            self.rename.map(|(from, to)| Rename { from: from.into(), to: to.into() })
        }
        fn tracked(&self, _: &str) -> Result<MaybeOid, String> {
            Ok(self.tracking.map_or(MaybeOid::Zero, |c| MaybeOid::Id(oid(c))))
        }
        fn is_news(&self, _: &str) -> bool {
            self.news
        }
    }

    fn value(c: char) -> Value {
        if c == '0' { Value::Zero } else { Value::Id(oid(c)) }
    }

    fn rule(old: char, new: char, facts: &Table) -> &'static str {
        let update = RefUpdate { old: value(old), new: value(new), name: MAIN.into() };
        match decide(MAIN, &update, facts) {
            Decision::Allow => "allow",
            Decision::Deny(denial) => denial.rule,
        }
    }

    fn at(current: char) -> Table {
        Table { current: Some(current), ..Table::default() }
    }

    #[test]
    fn moves() {
        assert_eq!(rule('a', 'b', &at('a')), "trunk.direct");
        assert_eq!(rule('0', 'b', &at('a')), "trunk.direct", "no expectation is not absence");
        assert_eq!(rule('a', 'a', &at('a')), "allow");
        assert_eq!(rule('0', 'a', &at('a')), "allow", "pack-refs writes what is there");
        assert_eq!(rule('a', 'b', &Table { ticket: true, ..at('a') }), "allow");
        assert_eq!(rule('a', 'b', &Table { overridden: true, ..at('a') }), "allow");
        assert_eq!(rule('a', 'b', &Table { broken: true, ..at('a') }), "trunk.unreadable");
    }

    #[test]
    fn first_commits() {
        assert_eq!(rule('0', 'a', &Table::default()), "allow");
        assert_eq!(rule('0', 'a', &Table { tracking: Some('a'), ..Table::default() }), "allow");
        assert_eq!(rule('0', 'a', &Table { tracking: Some('b'), ..Table::default() }), "trunk.direct");
    }

    #[test]
    fn only_a_fast_forward_to_exactly_the_remotes_trunk_passes() {
        let pulled = |tracking, ancestor| Table { tracking: Some(tracking), ancestor, ..at('a') };
        assert_eq!(rule('a', 'b', &pulled('b', true)), "allow");
        assert_eq!(rule('a', 'b', &pulled('b', false)), "trunk.direct");
        let other = pulled('c', true);
        assert_eq!(rule('a', 'b', &other), "trunk.direct");
        assert_eq!(other.expensive.get(), 0, "ancestry costs a process: asked only when it can matter");
    }

    #[test]
    fn deletions() {
        let packed = |c| Table { packed: Some(c), ..at('a') };
        assert_eq!(rule('a', '0', &packed('a')), "allow", "pack-refs prunes the loose copy");
        assert_eq!(rule('a', '0', &packed('b')), "trunk.delete");
        assert_eq!(rule('0', '0', &packed('a')), "trunk.delete", "the packed half of a real deletion");
        assert_eq!(rule('a', '0', &at('a')), "trunk.delete");
        assert_eq!(rule('a', '0', &Table { overridden: true, ..at('a') }), "allow");
        assert_eq!(rule('a', '0', &Table { rename: Some(("main", "main")), ..at('a') }), "allow");
        assert_eq!(rule('a', '0', &Table { rename: Some(("main", "x")), ..at('a') }), "trunk.delete");
    }

    #[test]
    fn only_the_remote_says_where_its_trunk_is() {
        let rule = |new, facts: &Table| {
            let update =
                RefUpdate { old: Value::Zero, new: value(new), name: "refs/remotes/origin/main".into() };
            match decide_tracking(MAIN, &update, facts) {
                Decision::Allow => "allow",
                Decision::Deny(denial) => denial.rule,
            }
        };
        let pulled = || Table { tracking: Some('a'), ..at('a') };
        assert_eq!(rule('b', &pulled()), "trunk.tracking");
        assert_eq!(rule('b', &Table { news: true, ..pulled() }), "allow");
        assert_eq!(rule('b', &Table { overridden: true, ..pulled() }), "allow");
        assert_eq!(rule('a', &pulled()), "allow", "pack-refs writes what is there");
        assert_eq!(rule('0', &pulled()), "allow");
        assert_eq!(rule('b', &Table { broken: true, ..pulled() }), "trunk.unreadable");
    }

    #[test]
    fn an_alias_is_refused() {
        let update =
            RefUpdate { old: Value::Zero, new: Value::Ref("refs/heads/x".into()), name: MAIN.into() };
        assert!(matches!(decide(MAIN, &update, &at('a')), Decision::Deny(d) if d.rule == "trunk.direct"));
    }

    #[test]
    fn the_first_half_of_a_rename_onto_trunk_is_refused() {
        let renames = |from, to| Table { rename: Some((from, to)), ..at('a') };
        let rule = |facts: &Table| match decide_other(MAIN, "refs/heads/x", facts) {
            Decision::Allow => "allow",
            Decision::Deny(denial) => denial.rule,
        };
        assert_eq!(rule(&renames("x", "main")), "trunk.rename");
        assert_eq!(rule(&renames("x", "y")), "allow");
        assert_eq!(rule(&renames("z", "main")), "allow");
        assert_eq!(rule(&at('a')), "allow");
        assert_eq!(rule(&Table { overridden: true, ..renames("x", "main") }), "allow");
    }
}
