//! What `git orch uninstall` will do to hooks. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::hook::install::facts::{self, FileFact};
use crate::hook::install::plan::{KEPT, Plan, Step};
use crate::hook::install::record::{FILE, Installed, InstalledDir};
use crate::hook::install::{InstallError, copy_of_dispatcher, is_ours};
use crate::hook::name::PREVIOUS;
use crate::hook::settings;

/// What is in every hooks directory of `installed` now.
pub fn inspect_installed(
    installed: &Installed,
) -> Result<BTreeMap<PathBuf, BTreeMap<String, FileFact>>, InstallError> {
    installed.dirs.iter().map(|dir| Ok((dir.path.clone(), facts::files(&dir.path)?))).collect()
}

/// The steps that restore every hooks directory in `installed`; `files` is what `inspect_installed` found.
///
/// `reference-transaction` goes first: it would repair the others.
pub fn plan_removal(
    orch: &Path,
    installed: &Installed,
    files: &BTreeMap<PathBuf, BTreeMap<String, FileFact>>,
) -> Plan {
    let mut plan = Plan { orch: orch.to_owned(), ..Plan::default() };
    let none = BTreeMap::new();
    for dir in &installed.dirs {
        restore_dir(&mut plan, dir, files.get(&dir.path).unwrap_or(&none));
    }
    let copy = copy_of_dispatcher(orch);
    let bin = copy.parent().map(Path::to_owned);
    plan.steps.push(Step::Remove(copy));
    plan.steps.extend(bin.map(Step::RemoveDir));
    plan.steps.push(Step::Remove(orch.join(settings::FILE)));
    plan.steps.push(Step::Remove(orch.join(FILE)));
    plan
}

fn restore_dir(plan: &mut Plan, dir: &InstalledDir, files: &BTreeMap<String, FileFact>) {
    for hook in dir.hooks.iter().rev() {
        let path = dir.path.join(hook);
        let older = dir.path.join(format!("{hook}{PREVIOUS}"));
        let kept = files.get(&format!("{hook}{PREVIOUS}"));
        let has_older = kept.is_some();
        match files.get(hook) {
            // An installation was killed between giving it a second name and taking its place.
            file @ Some(_) if file == kept => plan.steps.push(Step::Remove(older)),
            Some(file) if !is_ours(&file.bytes) => {
                plan.notes.push(format!("kept {}: it is not ours", path.display()));
                if has_older {
                    plan.notes.push(format!("kept {}: the hook that was there before", older.display()));
                }
            }
            Some(_) | None if has_older => plan.steps.push(Step::Rename { from: older, to: path }),
            Some(_) => plan.steps.push(Step::Remove(path)),
            None => {}
        }
        for (name, _) in files.iter().filter(|(name, _)| name.starts_with(&format!("{hook}{KEPT}"))) {
            plan.notes.push(format!("kept {}: an older hook", dir.path.join(name).display()));
        }
    }
    if dir.made.contains(&dir.path) {
        plan.steps.push(Step::Unhide(dir.path.join(".gitignore")));
    }
    plan.steps.extend(dir.made.iter().rev().cloned().map(Step::RemoveDir));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::install::MARKER;

    #[test]
    fn every_hook_goes_back_to_what_it_was() {
        let file = |text: &str| FileFact { bytes: text.as_bytes().to_vec(), mode: 0o755, link: None };
        let ours = || file(&format!("\u{0}{MARKER}"));
        let hooks = ["pre-commit", "prepare-commit-msg", "pre-push", "reference-transaction"];
        let dir = InstalledDir {
            path: "/h".into(),
            made: vec!["/h".into()],
            hooks: hooks.iter().map(|h| (*h).to_owned()).collect(),
        };
        let installed = Installed { version: 1, config: vec![], dirs: vec![dir] };
        let there: BTreeMap<String, FileFact> = [
            ("pre-commit", ours()),
            ("pre-commit.orch-prev", file("#!/bin/sh\n")),
            ("prepare-commit-msg", file("#!/bin/sh\ntheirs\n")),
            ("prepare-commit-msg.orch-prev", file("#!/bin/sh\n")),
            ("pre-push.orch-prev", file("#!/bin/sh\n")),
            ("pre-push.orch-kept", file("#!/bin/sh\n")),
            ("reference-transaction", ours()),
        ]
        .into_iter()
        .map(|(name, fact)| (name.to_owned(), fact))
        .collect();
        let files = [(PathBuf::from("/h"), there)].into_iter().collect();
        let plan = plan_removal(Path::new("/o"), &installed, &files);
        let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).chain(plan.notes).collect();
        insta::assert_snapshot!(steps.join("\n"), @"
        remove /h/reference-transaction
        rename /h/pre-push.orch-prev to pre-push
        rename /h/pre-commit.orch-prev to pre-commit
        remove /h/.gitignore if nothing else is there
        remove /h/ if it is empty
        remove /o/bin/git-orch-hook
        remove /o/bin/ if it is empty
        remove /o/hook.toml
        remove /o/installed.toml
        kept /h/pre-push.orch-kept: an older hook
        kept /h/prepare-commit-msg: it is not ours
        kept /h/prepare-commit-msg.orch-prev: the hook that was there before
        ");
    }
}
