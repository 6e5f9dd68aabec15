//! What an installation will do. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::assets;
use crate::hook::install::facts::{Facts, FileFact, HooksDir, Standing};
use crate::hook::install::manager::Manager;
use crate::hook::install::record::{Installed, InstalledDir};
use crate::hook::install::{copy_of_dispatcher, is_ours};
use crate::hook::name::PREVIOUS;
use crate::hook::settings::Settings;

/// Names under which managers keep a hook that they replaced.
const BACKUPS: [&str; 2] = [".legacy", ".old"];
/// What follows the name of an older hook that is kept but no longer run.
pub(in crate::hook) const KEPT: &str = ".orch-kept";

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a directory.
    MakeDir(PathBuf),
    /// Write a `.gitignore` that hides a directory made in the worktree.
    Ignore(PathBuf),
    /// Copy the dispatcher.
    CopyDispatcher {
        /// From beside the main binary.
        from: PathBuf,
        /// Into the local directory.
        to: PathBuf,
    },
    /// Write `hook.toml`.
    WriteSettings(Settings),
    /// Write `installed.toml`.
    Record(Installed),
    /// Give a hook that was there its second name, under which it keeps running.
    Keep {
        /// The hook's file.
        from: PathBuf,
        /// Its second name.
        to: PathBuf,
    },
    /// Put the dispatcher in the place of a hook, in one step.
    Install {
        /// The hook's file.
        path: PathBuf,
        /// What it is for.
        why: String,
    },
    /// Rename a file, replacing what has the new name.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name.
        to: PathBuf,
    },
    /// Remove a file of ours.
    Remove(PathBuf),
    /// Remove a `.gitignore` of ours if it is all that is left in its directory.
    Unhide(PathBuf),
    /// Remove a directory if nothing is left in it.
    RemoveDir(PathBuf),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDir(path) => write!(f, "make {}/", path.display()),
            Self::Ignore(path) => {
                write!(f, "write {} (hides that directory from git status)", path.display())
            }
            Self::CopyDispatcher { from, to } => write!(f, "copy {} to {}", from.display(), to.display()),
            Self::WriteSettings(settings) => {
                write!(
                    f,
                    "write hook.toml: trunk {}, main binary {}",
                    settings.trunk,
                    settings.main.display()
                )
            }
            Self::Record(_) => write!(f, "write installed.toml, for `git orch uninstall`"),
            Self::Keep { from, to } => {
                write!(f, "keep {} as {} (it goes on running)", from.display(), name(to))
            }
            Self::Install { path, why } => write!(f, "install {}: {why}", path.display()),
            Self::Rename { from, to } => write!(f, "rename {} to {}", from.display(), name(to)),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Unhide(path) => write!(f, "remove {} if nothing else is there", path.display()),
            Self::RemoveDir(path) => write!(f, "remove {}/ if it is empty", path.display()),
        }
    }
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// All changes, in order, with what people should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The local directory.
    pub orch: PathBuf,
    /// What will be done; empty when everything is as it should be.
    pub steps: Vec<Step>,
    /// One line each: managers, and why hooks are not enforced.
    pub notes: Vec<String>,
    /// Whether git will run our hooks. If not, `notes` says why; shown as NOT ENFORCED.
    pub enforced: bool,
}

/// The rows of `hooks/hooks.toml`.
#[derive(Deserialize)]
struct Table {
    hook: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    why: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers of the file; a test compares it"))]
    order: String,
}

fn table() -> Vec<Row> {
    toml::from_str::<Table>(assets::HOOKS).expect("the embedded table is tested").hook
}

/// What has to be done so that git runs our hooks and all that was there before.
///
/// # Panics
/// If the embedded table of hooks is not valid, which a test excludes.
pub fn plan(facts: &Facts) -> Plan {
    let mut plan = Plan { orch: facts.orch.clone(), enforced: true, ..Plan::default() };
    let dir = &facts.hooks;
    let refused = match dir.standing {
        Standing::Usable => None,
        Standing::Tracked => Some("is under version control, so git-orch does not write there"),
        Standing::Outside => Some("is outside this repository, so git-orch does not write there"),
    };
    if let Some(why) = refused {
        plan.enforced = false;
        plan.notes.push(format!("hooks NOT ENFORCED: {} {why}", dir.path.display()));
        return plan;
    }
    plan.steps = local_steps(facts);
    plan.steps.extend(dir.missing.iter().cloned().map(Step::MakeDir));
    if dir.in_worktree && !dir.missing.is_empty() {
        plan.steps.push(Step::Ignore(dir.path.join(".gitignore")));
    }
    for row in table() {
        plan.steps.extend(hook_steps(dir, &row.name, &row.why, &facts.bytes));
    }
    let mut managers: Vec<Manager> = Vec::new();
    for (_, file) in dir.files.iter().filter(|(_, file)| !is_ours(&file.bytes)) {
        managers.extend(Manager::of(&dir.path, &file.bytes).filter(|manager| !managers.contains(manager)));
    }
    plan.notes.extend(managers.into_iter().map(Manager::note));
    plan
}

fn local_steps(facts: &Facts) -> Vec<Step> {
    let copy = copy_of_dispatcher(&facts.orch);
    let mut steps = Vec::new();
    if !facts.copy_is_current {
        let bin = copy.parent().map(Path::to_owned).unwrap_or_default();
        steps.push(Step::MakeDir(bin));
        steps.push(Step::CopyDispatcher { from: facts.dispatcher.clone(), to: copy });
    }
    if facts.settings.as_ref() != Some(&facts.wanted) {
        steps.push(Step::WriteSettings(facts.wanted.clone()));
    }
    let record = facts.installed.with(&InstalledDir {
        path: facts.hooks.path.clone(),
        made: facts.hooks.missing.clone(),
        hooks: table().into_iter().map(|row| row.name).collect(),
    });
    if record != facts.installed {
        steps.push(Step::Record(record));
    }
    steps
}

/// The steps for one hook.
pub(in crate::hook) fn hook_steps(dir: &HooksDir, hook: &str, why: &str, bytes: &[u8]) -> Vec<Step> {
    let path = dir.path.join(hook);
    let install = Step::Install { path: path.clone(), why: why.to_owned() };
    let Some(now) = dir.files.get(hook) else { return vec![install] };
    if now.bytes == bytes && now.link.is_none() && now.mode & 0o111 != 0 {
        return Vec::new();
    }
    if is_ours(&now.bytes) && now.link.is_none() {
        return vec![install];
    }
    let mut steps = make_room(dir, hook, now);
    let to = dir.path.join(format!("{hook}{PREVIOUS}"));
    if dir.files.get(&format!("{hook}{PREVIOUS}")) != Some(now) {
        steps.push(Step::Keep { from: path, to });
    }
    steps.push(install);
    steps
}

/// Frees the second name for the hook that is there `now`: someone put it in the place of ours.
fn make_room(dir: &HooksDir, hook: &str, now: &FileFact) -> Vec<Step> {
    let file = |suffix: &str| dir.files.get(&format!("{hook}{suffix}"));
    let path = |suffix: &str| dir.path.join(format!("{hook}{suffix}"));
    let backup = BACKUPS.into_iter().find(|suffix| file(suffix).is_some_and(|f| is_ours(&f.bytes)));
    match (file(PREVIOUS), backup) {
        // The manager kept us as what was there before it: without us that would be our older hook.
        (Some(older), Some(backup)) if older != now => {
            vec![Step::Rename { from: path(PREVIOUS), to: path(backup) }]
        }
        (_, Some(backup)) => vec![Step::Remove(path(backup))],
        (Some(older), None) if older != now => {
            let manager = |f: &FileFact| Manager::of(&dir.path, &f.bytes);
            if manager(now).is_some() && manager(older) == manager(now) {
                return vec![Step::Remove(path(PREVIOUS))];
            }
            let free = (0..).map(|n| if n == 0 { KEPT.to_owned() } else { format!("{KEPT}-{n}") });
            let kept = free.into_iter().find(|suffix| file(suffix).is_none()).unwrap_or_default();
            vec![Step::Rename { from: path(PREVIOUS), to: path(&kept) }]
        }
        (_, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::install::MARKER;
    use crate::hook::name::{Hook, Order};

    fn ours() -> Vec<u8> {
        [b"\x7fELF\0", MARKER.as_bytes(), b"\0"].concat()
    }

    fn file(bytes: &[u8]) -> FileFact {
        FileFact { bytes: bytes.to_vec(), mode: 0o755, link: None }
    }

    fn facts(files: &[(&str, &[u8])]) -> Facts {
        let wanted = Settings {
            version: 1,
            main: "/opt/git-orch".into(),
            build: "b".into(),
            trunk: "refs/heads/main".into(),
            tracking: None,
            enabled: true,
        };
        Facts {
            orch: "/r/.git/orch".into(),
            hooks: HooksDir {
                path: "/r/.git/hooks".into(),
                standing: Standing::Usable,
                missing: vec![],
                in_worktree: false,
                files: files.iter().map(|(name, bytes)| ((*name).to_owned(), file(bytes))).collect(),
            },
            dispatcher: "/opt/git-orch-hook".into(),
            bytes: ours(),
            copy_is_current: false,
            installed: Installed::default(),
            settings: None,
            wanted,
        }
    }

    fn show(plan: &Plan) -> String {
        let steps = plan.steps.iter().map(|step| format!("{step}\n"));
        steps.chain(plan.notes.iter().map(|note| format!("note: {note}\n"))).collect()
    }

    #[test]
    fn the_table_says_what_the_code_says() {
        let rows: Vec<_> = table().iter().map(|row| (row.name.clone(), row.order.clone())).collect();
        let code: Vec<_> = Hook::ALL
            .iter()
            .map(|hook| {
                let order = if hook.order() == Order::After { "after" } else { "before" };
                (hook.as_str().to_owned(), order.to_owned())
            })
            .collect();
        assert_eq!(rows, code);
    }

    #[test]
    fn a_fresh_repository() {
        insta::assert_snapshot!(show(&plan(&facts(&[]))), @"
        make /r/.git/orch/bin/
        copy /opt/git-orch-hook to /r/.git/orch/bin/git-orch-hook
        write hook.toml: trunk refs/heads/main, main binary /opt/git-orch
        write installed.toml, for `git orch uninstall`
        install /r/.git/hooks/pre-commit: checks branch and role policy on exactly what is about to be committed
        install /r/.git/hooks/prepare-commit-msg: checks the same where --no-verify, cherry-pick, revert, merge or rebase skip pre-commit; adds the task's trailers
        install /r/.git/hooks/commit-msg: adds the task's trailers to a message that was written in an editor
        install /r/.git/hooks/pre-push: looks up Ralph's verdict for every pushed branch
        install /r/.git/hooks/reference-transaction: lets trunk move only by a verified merge, a pull, or a recorded override
        ");
    }

    #[test]
    fn what_was_there_keeps_running() {
        let plan = plan(&facts(&[("pre-commit", b"#!/bin/sh\nlefthook run\n")]));
        let text = show(&plan);
        assert!(text.contains("keep /r/.git/hooks/pre-commit as pre-commit.orch-prev"), "{text}");
        assert!(text.contains("note: lefthook owns hooks here"), "{text}");
    }

    #[test]
    fn the_second_plan_is_empty() {
        let all: Vec<(&str, Vec<u8>)> = Hook::ALL.iter().map(|hook| (hook.as_str(), ours())).collect();
        let all: Vec<(&str, &[u8])> = all.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let mut facts = facts(&all);
        let first = plan(&facts);
        for step in first.steps {
            match step {
                Step::Record(record) => facts.installed = record,
                Step::WriteSettings(settings) => facts.settings = Some(settings),
                Step::CopyDispatcher { .. } => facts.copy_is_current = true,
                other => assert!(matches!(other, Step::MakeDir(_)), "{other}"),
            }
        }
        assert_eq!(plan(&facts).steps, vec![]);
    }

    #[test]
    fn tracked_and_shared_directories_are_not_written() {
        for standing in [Standing::Tracked, Standing::Outside] {
            let mut facts = facts(&[]);
            facts.hooks.standing = standing;
            let plan = plan(&facts);
            assert!(plan.steps.is_empty() && !plan.enforced);
            assert!(plan.notes[0].contains("NOT ENFORCED"));
        }
    }

    #[test]
    fn a_directory_made_in_the_worktree_is_hidden_from_status() {
        let mut facts = facts(&[]);
        facts.hooks.path = "/r/.husky/_".into();
        facts.hooks.missing = vec!["/r/.husky".into(), "/r/.husky/_".into()];
        facts.hooks.in_worktree = true;
        let text = show(&plan(&facts));
        assert!(text.contains("make /r/.husky/\nmake /r/.husky/_/\nwrite /r/.husky/_/.gitignore"), "{text}");
    }

    /// The steps for `pre-push` with these files.
    fn steps(files: &[(&str, &[u8])]) -> String {
        let facts = facts(files);
        let steps = hook_steps(&facts.hooks, "pre-push", "w", &facts.bytes);
        let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
        lines.join("; ").replace("/r/.git/hooks/", "")
    }

    #[test]
    fn nothing_is_lost_when_someone_replaced_ours() {
        let (ours, a, b): (&[u8], &[u8], &[u8]) = (&ours(), b"#!/bin/sh\na\n", b"#!/bin/sh\nb\n");
        let older = [b"\x7fELF\0older", MARKER.as_bytes()].concat();
        let (l1, l2): (&[u8], &[u8]) = (b"#!/bin/sh\nlefthook 1\n", b"#!/bin/sh\nlefthook 2\n");
        let table = [
            steps(&[]),
            steps(&[("pre-push", ours)]),
            steps(&[("pre-push", &older)]),
            steps(&[("pre-push", a)]),
            steps(&[("pre-push", a), ("pre-push.orch-prev", a)]),
            steps(&[("pre-push", b), ("pre-push.orch-prev", a)]),
            steps(&[("pre-push", b), ("pre-push.orch-prev", a), ("pre-push.orch-kept", b)]),
            steps(&[("pre-push", b), ("pre-push.orch-prev", a), ("pre-push.legacy", ours)]),
            steps(&[("pre-push", b), ("pre-push.old", ours)]),
            steps(&[("pre-push", l2), ("pre-push.orch-prev", l1)]),
        ]
        .join("\n");
        insta::assert_snapshot!(table, @"
        install pre-push: w

        install pre-push: w
        keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        install pre-push: w
        rename pre-push.orch-prev to pre-push.orch-kept; keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        rename pre-push.orch-prev to pre-push.orch-kept-1; keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        rename pre-push.orch-prev to pre-push.legacy; keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        remove pre-push.old; keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        remove pre-push.orch-prev; keep pre-push as pre-push.orch-prev (it goes on running); install pre-push: w
        ");
    }
}
