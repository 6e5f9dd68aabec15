//! The rules that a commit is held against.

use crate::domain::branch;
use crate::domain::id::TaskId;
use crate::domain::role::{Role, Team};
use crate::policy::contract::{Contract, Patterns, Permission, Rules};

/// How many paths a refusal names.
const SHOWN: usize = 5;
/// Files that a build writes by itself: whoever builds can't help making them.
const LOCK_FILES: [&str; 13] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "flake.lock",
];

/// Everything that the rules need to know about a commit that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitFacts {
    /// The protected branch (short name).
    pub trunk: String,
    /// Whether trunk has a commit. Without one, the first is anybody's to make.
    pub trunk_exists: bool,
    /// The branch that the commit will be on (short name). During a rebase, the branch being rebased.
    /// None on a detached HEAD.
    pub branch: Option<String>,
    /// The task that the worktree or the branch belongs to.
    pub task: Option<TaskFacts>,
    /// What the whole branch will have changed: merge base with the policy tip to the tree to be committed.
    pub changes: Vec<Change>,
}

/// The task that a commit belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFacts {
    /// Its id.
    pub id: TaskId,
    /// Its branch (short name).
    pub branch: String,
    /// The role whose contract applies.
    pub role: Role,
    /// How the commit came to be this task's.
    pub place: Place,
    /// Whether this clone still holds the task: the fence of its lease is the task's.
    pub held: bool,
    /// The other task that whoever commits was started for.
    pub other: Option<String>,
}

/// How a commit belongs to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is made in the task's worktree.
    Worktree,
    /// It is made elsewhere, on the task's branch.
    Branch,
}

/// What a commit does to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file's path after the change (before it, for deletions), with `/`.
    pub path: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// Lines added; 0 for binary files.
    pub lines_added: u64,
    /// Lines deleted; 0 for binary files.
    pub lines_deleted: u64,
    /// Whether git treats it as binary.
    pub binary: bool,
}

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content, mode or type changes.
    Modified,
    /// It is removed.
    Deleted,
    /// It is moved, perhaps with changes.
    Renamed {
        /// From this path.
        from: String,
    },
}

/// A rule that the commit breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's id.
    pub rule: &'static str,
    /// Why there is such a rule.
    pub reason: String,
    /// What breaks it.
    pub fact: String,
    /// What to do instead: commands, the best first.
    pub way_out: Vec<String>,
}

/// The rules that the commit breaks, in a fixed order; none: it may be made.
///
/// Branch rules stop the evaluation: what a commit on the wrong branch changes says nothing.
pub fn evaluate(rules: &Rules, facts: &CommitFacts) -> Vec<Violation> {
    let on = facts.branch.as_deref();
    if on == Some(facts.trunk.as_str()) {
        return if facts.trunk_exists { vec![trunk(facts)] } else { Vec::new() };
    }
    let Some(task) = &facts.task else { return Vec::new() };
    if let Some(other) = &task.other {
        return vec![not_its_own(task, other)];
    }
    if !task.held {
        // The worktree is no task's any more: its work can be kept on any free branch.
        let on_task = on == Some(task.branch.as_str()) || (on.is_none() && task.place == Place::Worktree);
        return if on_task { vec![not_held(task)] } else { Vec::new() };
    }
    if task.place == Place::Worktree && on != Some(task.branch.as_str()) {
        return vec![wrong_branch(facts, task)];
    }
    let contract = rules.contract(task.role);
    if !contract.branches.iter().all(|patterns| patterns.matches(&task.branch)) {
        return vec![wrong_team(task)];
    }
    [paths_forbidden, paths_allowed, new_files, deletions, files, lines]
        .into_iter()
        .filter_map(|rule| rule(contract, task, &facts.changes))
        .collect()
}

fn trunk(facts: &CommitFacts) -> Violation {
    let way_out = match &facts.task {
        Some(task) => vec![format!("git switch {}", task.branch)],
        None => vec![
            "git orch start --here   (a task and its branch from here; index and files stay as they are)"
                .to_owned(),
            "git switch -c NAME   (a free branch)".to_owned(),
            "git orch override --reason TEXT -- git commit …   (a person, this once, recorded)".to_owned(),
        ],
    };
    Violation {
        rule: "branch.trunk",
        reason: "trunk only moves to what Ralph has verified".to_owned(),
        fact: format!("this commit would be made directly on {}", facts.trunk),
        way_out,
    }
}

fn not_held(task: &TaskFacts) -> Violation {
    Violation {
        rule: "task.fence",
        reason: "a task has one owner at a time".to_owned(),
        fact: format!("task {} is not held here any more: it was released or taken over", task.id),
        way_out: vec![
            format!("git switch -c kept/{}   (keeps this work on a free branch)", task.id),
            format!("git orch show {}   (who holds it now)", task.id),
        ],
    }
}

fn not_its_own(task: &TaskFacts, other: &str) -> Violation {
    Violation {
        rule: "task.other",
        reason: "an agent works on the task that it was started for".to_owned(),
        fact: format!("this would be a commit of task {}, made by an agent of task {other}", task.id),
        way_out: vec![format!("cd \"$(git orch worktree path {other})\"")],
    }
}

fn wrong_branch(facts: &CommitFacts, task: &TaskFacts) -> Violation {
    let on = facts.branch.as_deref().map_or("a detached HEAD".to_owned(), |name| format!("branch {name}"));
    Violation {
        rule: "branch.task",
        reason:
            "a task's worktree commits only on the task's own branch, which is what gets verified and merged"
                .to_owned(),
        fact: format!("this is the worktree of task {}, and HEAD is on {on}", task.id),
        way_out: vec![format!("git switch {}", task.branch)],
    }
}

fn wrong_team(task: &TaskFacts) -> Violation {
    let team = task.role.team();
    let whose = branch::team(&task.branch).map_or("no team".to_owned(), |t| format!("team {}", t.as_str()));
    Violation {
        rule: "branch.team",
        reason: "the branch's prefix says whose contract its work was held against".to_owned(),
        fact: format!(
            "role {} (team {}) works on {}*, and {} belongs to {whose}",
            task.role.as_str(),
            team.as_str(),
            team.branch_prefix(),
            task.branch
        ),
        way_out: vec![
            format!("git orch edit {} --help   (back to a kind and a role of the branch's team)", task.id),
            "git orch add TITLE   (a task, and so a branch, of the other team)".to_owned(),
        ],
    }
}

/// A violation of a role's contract.
fn broken(rule: &'static str, contract: &Contract, task: &TaskFacts, fact: String, fix: String) -> Violation {
    Violation {
        rule,
        reason: format!("contract of role {}: {}", task.role.as_str(), contract.why),
        fact,
        way_out: vec![fix, format!("git orch block {} --reason TEXT   (leave it to a person)", task.id)],
    }
}

fn paths_of(change: &Change) -> impl Iterator<Item = &str> {
    let from = match &change.kind {
        ChangeKind::Renamed { from } => Some(from.as_str()),
        ChangeKind::Added | ChangeKind::Modified | ChangeKind::Deleted => None,
    };
    std::iter::once(change.path.as_str()).chain(from)
}

/// `one` or `one, two and 3 more`.
fn some(paths: &[&str]) -> String {
    let shown = paths.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn unstage(path: &str) -> String {
    format!("git restore --staged {path}   (and commit without it)")
}

fn paths_forbidden(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let pattern = |path| contract.forbidden.iter().find_map(|patterns| patterns.first_match(path));
    let hits: Vec<(&str, &str)> =
        changes.iter().flat_map(paths_of).filter_map(|path| Some((path, pattern(path)?))).collect();
    let (first, glob) = *hits.first()?;
    let paths: Vec<&str> = hits.iter().map(|(path, _)| *path).collect();
    let fact = format!("{} may not be touched (pattern {glob})", some(&paths));
    Some(broken("contract.paths.forbidden", contract, task, fact, unstage(first)))
}

fn paths_allowed(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let inside = |path: &str| contract.allowed.iter().all(|patterns| patterns.matches(path));
    let paths: Vec<&str> = changes.iter().flat_map(paths_of).filter(|path| !inside(path)).collect();
    let first = *paths.first()?;
    let allowed: Vec<&str> = contract.allowed.iter().flat_map(Patterns::texts).map(String::as_str).collect();
    let fact = format!("{} is outside of {}", some(&paths), some(&allowed));
    Some(broken("contract.paths.allowed", contract, task, fact, unstage(first)))
}

fn new_files(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let mut paths = of_kind(changes, &ChangeKind::Added);
    paths.retain(|path| !is_lock_file(path));
    let first = *paths.first().filter(|_| contract.new_files == Permission::Deny)?;
    let fact = format!("{} is new, and this role adds no files", some(&paths));
    let mut violation = broken("contract.new_files", contract, task, fact, unstage(first));
    if task.role.team() == Team::Qa {
        let line = format!(
            "git orch edit {} --role featurebuilder   (a person, outside of the task's worktree: it is more than a fix)",
            task.id
        );
        violation.way_out.insert(1, line);
    }
    Some(violation)
}

fn is_lock_file(path: &str) -> bool {
    LOCK_FILES.contains(&path.rsplit('/').next().unwrap_or(path))
}

fn deletions(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let paths = of_kind(changes, &ChangeKind::Deleted);
    let first = *paths.first().filter(|_| contract.deletions == Permission::Deny)?;
    let fact = format!("{} would be deleted, and this role deletes no files", some(&paths));
    Some(broken("contract.deletions", contract, task, fact, unstage(first)))
}

fn of_kind<'a>(changes: &'a [Change], kind: &ChangeKind) -> Vec<&'a str> {
    changes.iter().filter(|change| change.kind == *kind).map(|change| change.path.as_str()).collect()
}

fn files(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let count = u64::try_from(changes.len()).unwrap_or(u64::MAX);
    let fact = format!("the branch would change {count} files; at most {}", contract.max_files);
    (count > contract.max_files).then(|| broken("contract.files", contract, task, fact, split()))
}

fn lines(contract: &Contract, task: &TaskFacts, changes: &[Change]) -> Option<Violation> {
    let count = changes
        .iter()
        // A new lock file is as long as its tool makes it.
        .filter(|change| change.kind != ChangeKind::Added || !is_lock_file(&change.path))
        .filter(|change| !change.binary)
        .fold(0_u64, |sum, c| sum.saturating_add(c.lines_added).saturating_add(c.lines_deleted));
    let fact =
        format!("the branch would change {count} lines (added and deleted); at most {}", contract.max_lines);
    (count > contract.max_lines).then(|| broken("contract.lines", contract, task, fact, split()))
}

fn split() -> String {
    "git orch add TITLE   (split it: the rest as a task of its own)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: &str = "why='team'\nbranches=['fix/**']\nforbidden=['ci/**']\nallowed=['src/**','ci/**','ok*']\n\
        new_files='deny'\ndeletions='deny'\nmax_files=3\nmax_lines=10";
    const DEV: &str = "why='dev'\nbranches=['feature/**']\nmax_files=20\nmax_lines=500";
    const NONE: &str = "why='role'";

    fn rules() -> Rules {
        let roles: Vec<(&str, &str)> = Role::ALL.iter().map(|role| (role.as_str(), NONE)).collect();
        Rules::parse(&[("qa", TEAM), ("dev", DEV)], &roles).unwrap()
    }

    fn id() -> TaskId {
        TaskId::parse("7k3fabcd").unwrap()
    }

    fn task() -> TaskFacts {
        let branch = "fix/7k3fabcd-x".to_owned();
        TaskFacts { id: id(), branch, role: Role::Bugfix, place: Place::Worktree, held: true, other: None }
    }

    fn on(branch: &str, task: Option<TaskFacts>) -> CommitFacts {
        let branch = (branch != "-").then(|| branch.to_owned());
        CommitFacts { trunk: "main".into(), trunk_exists: true, branch, task, changes: Vec::new() }
    }

    fn broken_by(facts: &CommitFacts) -> Vec<&'static str> {
        evaluate(&rules(), facts).into_iter().map(|v| v.rule).collect()
    }

    fn change(path: &str, kind: ChangeKind, lines: u64) -> Change {
        Change { path: path.into(), kind, lines_added: lines, lines_deleted: 0, binary: false }
    }

    #[test]
    fn branches() {
        let elsewhere = TaskFacts { place: Place::Branch, ..task() };
        let lost = TaskFacts { held: false, ..task() };
        let dev = TaskFacts { role: Role::Testwriter, ..task() };
        for (facts, expected) in [
            (on("main", None), vec!["branch.trunk"]),
            (CommitFacts { trunk_exists: false, ..on("main", None) }, vec![]),
            (on("main", Some(task())), vec!["branch.trunk"]),
            (on("anything", None), vec![]),
            (on("fix/by-hand", None), vec![]),
            (on("-", None), vec![]),
            (on("fix/7k3fabcd-x", Some(task())), vec![]),
            (on("fix/other", Some(task())), vec!["branch.task"]),
            (on("-", Some(task())), vec!["branch.task"]),
            (on("fix/7k3fabcd-x", Some(elsewhere)), vec![]),
            (on("fix/7k3fabcd-x", Some(lost.clone())), vec!["task.fence"]),
            (on("-", Some(lost.clone())), vec!["task.fence"]),
            (on("kept/7k3fabcd", Some(lost)), vec![]),
            (on("fix/7k3fabcd-x", Some(dev)), vec!["branch.team"]),
        ] {
            assert_eq!(broken_by(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn contracts() {
        use ChangeKind::{Added, Deleted, Modified};
        let with =
            |changes: Vec<Change>| broken_by(&CommitFacts { changes, ..on("fix/7k3fabcd-x", Some(task())) });
        let moved = |from: &str, to: &str| change(to, ChangeKind::Renamed { from: from.into() }, 0);
        assert!(with(vec![change("src/a", Modified, 10)]).is_empty());
        assert_eq!(with(vec![change("src/a", Modified, 11)]), ["contract.lines"]);
        assert_eq!(with(vec![change("ci/a", Modified, 1)]), ["contract.paths.forbidden"]);
        assert_eq!(with(vec![moved("ci/a", "src/a")]), ["contract.paths.forbidden"]);
        assert_eq!(with(vec![change("doc/a", Modified, 1)]), ["contract.paths.allowed"]);
        assert_eq!(with(vec![change("src/n", Added, 1)]), ["contract.new_files"]);
        assert!(with(vec![moved("src/a", "src/b")]).is_empty(), "a move is not a new file");
        assert!(with(vec![change("src/Cargo.lock", Added, 99)]).is_empty(), "a build makes it");
        assert_eq!(with(vec![change("src/Cargo.lock", Modified, 11)]), ["contract.lines"]);
        assert_eq!(with(vec![change("src/Cargo.lock.rs", Added, 1)]), ["contract.new_files"]);
        assert_eq!(with(vec![change("ci/go.sum", Added, 1)]), ["contract.paths.forbidden"]);
        assert_eq!(with(vec![change("src/n", Deleted, 1)]), ["contract.deletions"]);
        let many: Vec<_> = (0..4).map(|n| change(&format!("ok{n}"), Modified, 0)).collect();
        assert_eq!(with(many), ["contract.files"]);
        let blob = Change { binary: true, ..change("src/b", Modified, 99) };
        assert!(with(vec![blob]).is_empty(), "binary files have no lines");
    }

    #[test]
    fn the_limits_follow_the_task_not_the_worktree() {
        let there = TaskFacts { place: Place::Branch, ..task() };
        let facts = CommitFacts {
            changes: vec![change("src/a", ChangeKind::Modified, 11)],
            ..on("fix/7k3fabcd-x", Some(there))
        };
        assert_eq!(broken_by(&facts), ["contract.lines"]);
    }

    #[test]
    fn an_agent_commits_only_for_its_own_task() {
        let foreign = TaskFacts { other: Some("0123abcd".into()), ..task() };
        assert_eq!(broken_by(&on("fix/7k3fabcd-x", Some(foreign))), ["task.other"]);
    }

    #[test]
    fn refusals_name_rule_fact_and_way_out() {
        let changes = (0..7).map(|n| change(&format!("ci/{n}"), ChangeKind::Modified, 0)).collect();
        let facts = CommitFacts { changes, ..on("fix/7k3fabcd-x", Some(task())) };
        let mut all = evaluate(&rules(), &facts);
        all.extend(evaluate(&rules(), &on("main", None)));
        let text: Vec<String> = all
            .iter()
            .map(|v| {
                format!(
                    "{}\n  why: {}\n  fact: {}\n  next: {}\n",
                    v.rule,
                    v.reason,
                    v.fact,
                    v.way_out.join("\n        ")
                )
            })
            .collect();
        insta::assert_snapshot!(text.concat(), @"
        contract.paths.forbidden
          why: contract of role bugfix: role
          fact: ci/0, ci/1, ci/2, ci/3, ci/4 and 2 more may not be touched (pattern ci/**)
          next: git restore --staged ci/0   (and commit without it)
                git orch block 7k3fabcd --reason TEXT   (leave it to a person)
        contract.files
          why: contract of role bugfix: role
          fact: the branch would change 7 files; at most 3
          next: git orch add TITLE   (split it: the rest as a task of its own)
                git orch block 7k3fabcd --reason TEXT   (leave it to a person)
        branch.trunk
          why: trunk only moves to what Ralph has verified
          fact: this commit would be made directly on main
          next: git orch start --here   (a task and its branch from here; index and files stay as they are)
                git switch -c NAME   (a free branch)
                git orch override --reason TEXT -- git commit …   (a person, this once, recorded)
        ");
    }
}
