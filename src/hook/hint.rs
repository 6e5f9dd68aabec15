//! What a refused command left half done, and the way back. Pure.
//!
//! git asks the guard late: a merge, reset or rebase has moved index and files by then. No line here throws
//! work away; `git read-tree -m -u` keeps local changes or stops.

use std::path::Path;

use crate::domain::oid::Oid;
use crate::hook::guard::Rename;

/// What is seen of the command that was refused.
#[derive(Clone, Debug, Default)]
pub(in crate::hook) struct Scene {
    /// Its command line, where the system lets us see it.
    pub command: Vec<String>,
    /// `GIT_REFLOG_ACTION`: set by merge, pull and rebase.
    pub action: String,
    /// Which of git's state files there are.
    pub files: StateFiles,
}

/// git's state files, by what they mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one per file of git's")]
pub(in crate::hook) struct StateFiles {
    /// `MERGE_HEAD`.
    pub merge: bool,
    /// `CHERRY_PICK_HEAD`.
    pub cherry_pick: bool,
    /// `REVERT_HEAD`.
    pub revert: bool,
    /// `rebase-merge`, or `rebase-apply` of a rebase.
    pub rebase: bool,
    /// `rebase-apply` of `git am`.
    pub am: bool,
}

/// Options of `git` itself that take the next word.
const WITH_VALUE: [&str; 8] = [
    "-c",
    "-C",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--config-env",
    "--attr-source",
    "--shallow-file",
];
/// Those that stand alone.
const ALONE: [&str; 13] = [
    "-p",
    "-P",
    "--paginate",
    "--no-pager",
    "--bare",
    "--no-replace-objects",
    "--no-lazy-fetch",
    "--no-optional-locks",
    "--no-advice",
    "--literal-pathspecs",
    "--glob-pathspecs",
    "--noglob-pathspecs",
    "--icase-pathspecs",
];

/// The subcommand of a git command line, and the words after it; None where an option is unknown, and so whether the
/// next word is its value.
pub(in crate::hook) fn subcommand(command: &[String]) -> Option<(&str, &[String])> {
    let mut at = 1;
    while let Some(word) = command.get(at) {
        if WITH_VALUE.contains(&word.as_str()) {
            at += 2;
        } else if !word.starts_with('-') {
            return Some((word, &command[at + 1..]));
        } else if word.contains('=') || ALONE.contains(&word.as_str()) {
            at += 1;
        } else {
            return None;
        }
    }
    None
}

/// Whether a command line says for itself what the remote is: what it brings then is anybody's.
fn redefines_the_remote(command: &[String]) -> bool {
    let key = |word: &str| {
        let word = word.to_ascii_lowercase();
        let name = word.split('=').next().unwrap_or_default();
        let of_one = name.strip_prefix("remote.").is_some_and(|rest| rest.contains('.'));
        of_one
            || ["url.", "core.sshcommand", "core.gitproxy", "orch."].iter().any(|key| name.starts_with(key))
    };
    let set =
        command.windows(2).any(|pair| matches!(pair[0].as_str(), "-c" | "--config-env") && key(&pair[1]));
    set || command.iter().any(|word| word.strip_prefix("--config-env=").is_some_and(key))
}

/// Whether a command line is `git commit`.
pub(in crate::hook) fn is_commit(command: &[String]) -> bool {
    let is_git = command.first().is_some_and(|program| Path::new(program).ends_with("git"));
    is_git && subcommand(command).is_some_and(|(word, _)| word == "commit")
}

/// The rename that a command line asks for; `head` is the branch that HEAD is on.
pub(in crate::hook) fn rename(command: &[String], head: Option<&str>) -> Option<Rename> {
    let ("branch", words) = subcommand(command)? else { return None };
    let is_flag = |word: &&String| word.starts_with('-');
    let moves = words
        .iter()
        .filter(is_flag)
        .any(|flag| flag == "--move" || (!flag.starts_with("--") && flag.contains(['m', 'M'])));
    let mut names = words.iter().filter(|word| !is_flag(word)).rev();
    let to = names.next().filter(|_| moves)?.clone();
    let from = names.next().cloned().or_else(|| head.map(str::to_owned))?;
    Some(Rename { from, to })
}

/// Options of `git fetch` and `git pull` that take the next word.
const FETCH_WITH_VALUE: [&str; 9] = [
    "--depth",
    "--deepen",
    "--shallow-since",
    "--shallow-exclude",
    "-j",
    "--jobs",
    "-o",
    "--server-option",
    "--negotiation-tip",
];

/// Whether a command line that is about to move `name` (`refs/remotes/<remote>/<branch>`) brings `branch` from that
/// remote, or has pushed it there. A command line that can't be seen is taken at its word.
pub(in crate::hook) fn is_news(command: &[String], name: &str, branch: &str) -> bool {
    let Some((word, words)) = subcommand(command) else { return command.is_empty() };
    if redefines_the_remote(command) {
        return false;
    }
    let remote = name.strip_prefix("refs/remotes/").and_then(|n| n.strip_suffix(branch)?.strip_suffix('/'));
    match word {
        "push" | "remote" | "clone" => true,
        "fetch" | "pull" => {
            let mut named = Vec::new();
            let mut rest = words.iter();
            while let Some(word) = rest.next() {
                let maps = word.starts_with("--refmap") && word != "--refmap=";
                if maps || word.starts_with("--upload-pack") {
                    return false;
                }
                if FETCH_WITH_VALUE.contains(&word.as_str()) {
                    rest.next();
                } else if !word.starts_with('-') {
                    named.push(word.as_str());
                }
            }
            let Some((from, specs)) = named.split_first() else { return true };
            let is_other = |spec: &&str| {
                let source = source_of(spec.strip_prefix('+').unwrap_or(spec), name);
                source.is_some_and(|src| src.strip_prefix("refs/heads/").unwrap_or(&src) != branch)
            };
            Some(*from) == remote && !specs.iter().any(is_other)
        }
        _ => false,
    }
}

/// What the refspec `spec` brings to `name`; None if it concerns other refs.
fn source_of(spec: &str, name: &str) -> Option<String> {
    let (src, dst) = spec.split_once(':')?;
    let Some((before, after)) = dst.split_once('*') else { return (dst == name).then(|| src.to_owned()) };
    let starred = name.strip_prefix(before)?.strip_suffix(after)?;
    Some(src.replacen('*', starred, 1))
}

/// The remote in force by the lines of `git config --get-regexp` (`orch.remote X`, `remote.X.url U`): the
/// configured one, else `origin`, else the only one.
pub(in crate::hook) fn remote(lines: &str) -> Option<String> {
    let value = |line: &str| line.strip_prefix("orch.remote ").map(|name| name.trim().to_owned());
    let name = |line: &str| {
        let (key, _) = line.split_once(' ')?;
        Some(key.strip_prefix("remote.")?.strip_suffix(".url")?.to_owned())
    };
    if let Some(chosen) = lines.lines().filter_map(value).next_back() {
        return Some(chosen);
    }
    let mut names: Vec<String> = lines.lines().filter_map(name).collect();
    names.sort();
    names.dedup();
    match names.as_slice() {
        [only] => Some(only.clone()),
        many => many.iter().find(|name| *name == "origin").cloned(),
    }
}

/// The line that tells how to get back to before the refused command; None if it left nothing.
pub(in crate::hook) fn after(scene: &Scene, wanted: Option<&Oid>) -> Option<String> {
    let files = scene.files;
    let (word, words) = subcommand(&scene.command).unwrap_or(("", &[]));
    let acts = |verb: &str| word == verb || scene.action.split(' ').next() == Some(verb);
    let back = |what: &str, how: &str| Some(format!("{what} left its state behind: {how} takes it back"));
    if files.merge {
        return back("the merge", "`git merge --abort`");
    }
    if files.cherry_pick {
        return back("the cherry-pick", "`git cherry-pick --abort`");
    }
    if files.rebase {
        return back("the rebase", "`git rebase --abort`");
    }
    if files.am {
        return back("git am", "`git am --abort`");
    }
    let has = |flag: &str| words.iter().any(|w| w == flag);
    let files_moved = acts("merge")
        || acts("pull")
        || acts("rebase")
        || acts("cherry-pick")
        || (word == "reset" && ["--hard", "--keep", "--merge"].into_iter().any(has));
    match (word, wanted) {
        (_, Some(new)) if files_moved => Some(format!(
            "index and files are already at {0}: `git read-tree -m -u {0} HEAD` takes them back and keeps local changes",
            new.short()
        )),
        ("reset", _) if !has("--soft") => {
            Some("the index is already moved: `git reset` makes it fit trunk again".to_owned())
        }
        ("revert", _) => Some(
            "the reverted changes are staged: `git orch start --here` takes them to a task branch".to_owned(),
        ),
        _ if files.revert => back("the revert", "`git revert --abort`"),
        ("commit", _) => Some("what you staged is still staged".to_owned()),
        ("fetch", _) => Some(
            "if this was a fetch of the remote's trunk: the remote's side has arrived, run it once more"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn subcommands_are_found_behind_gits_own_options() {
        let command = words("git -c a=b --no-pager -C dir branch -M x main");
        assert_eq!(subcommand(&command).map(|(s, r)| (s, r.len())), Some(("branch", 3)));
        assert_eq!(subcommand(&words("git")), None);
        assert_eq!(subcommand(&words("git -c")), None);
    }

    #[test]
    fn renames_are_seen() {
        let of = |line: &str| rename(&words(line), Some("cur")).map(|r| format!("{}>{}", r.from, r.to));
        assert_eq!(of("git branch -M x main").as_deref(), Some("x>main"));
        assert_eq!(of("git branch -f -m x main").as_deref(), Some("x>main"));
        assert_eq!(of("git branch -fm main").as_deref(), Some("cur>main"));
        assert_eq!(of("git branch --move main").as_deref(), Some("cur>main"));
        assert_eq!(of("git branch -D x"), None);
        assert_eq!(of("git branch --merged main"), None);
        assert_eq!(of("git update-ref -m x main"), None);
    }

    #[test]
    fn each_command_has_its_way_back() {
        let new = Oid::parse(&"b".repeat(40)).unwrap();
        let hint = |line: &str, action: &str, files: StateFiles| {
            let scene = Scene { command: words(line), action: action.into(), files };
            format!("{line}: {}\n", after(&scene, Some(&new)).unwrap_or_else(|| "-".into()))
        };
        let none = StateFiles::default();
        let table = [
            hint("git merge x", "merge x", none),
            hint("git merge --no-ff x", "merge x", StateFiles { merge: true, ..none }),
            hint("git rebase x main", "rebase", StateFiles { rebase: true, ..none }),
            hint("git reset --hard x", "", none),
            hint("git reset x", "", none),
            hint("git reset --soft x", "", none),
            hint("git cherry-pick x", "", StateFiles { cherry_pick: true, ..none }),
            hint("git am x", "", StateFiles { am: true, ..none }),
            hint("git revert x", "", none),
            hint("git commit -n", "", none),
            hint("git update-ref refs/heads/main x", "", none),
            hint("git fetch origin main:main", "", none),
        ]
        .concat();
        assert!(!table.contains("--hard`"));
        insta::assert_snapshot!(table, @"
        git merge x: index and files are already at bbbbbbbbbbbb: `git read-tree -m -u bbbbbbbbbbbb HEAD` takes them back and keeps local changes
        git merge --no-ff x: the merge left its state behind: `git merge --abort` takes it back
        git rebase x main: the rebase left its state behind: `git rebase --abort` takes it back
        git reset --hard x: index and files are already at bbbbbbbbbbbb: `git read-tree -m -u bbbbbbbbbbbb HEAD` takes them back and keeps local changes
        git reset x: the index is already moved: `git reset` makes it fit trunk again
        git reset --soft x: -
        git cherry-pick x: the cherry-pick left its state behind: `git cherry-pick --abort` takes it back
        git am x: git am left its state behind: `git am --abort` takes it back
        git revert x: the reverted changes are staged: `git orch start --here` takes them to a task branch
        git commit -n: what you staged is still staged
        git update-ref refs/heads/main x: -
        git fetch origin main:main: if this was a fetch of the remote's trunk: the remote's side has arrived, run it once more
        ");
    }

    #[test]
    fn only_git_commit_is_a_commit() {
        let is = |line: &str| is_commit(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(is("git commit -m x") && is("/usr/bin/git -c a.b=c -C dir commit"));
        assert!(!is("git hook run pre-commit") && !is("git rebase commit") && !is("sh commit") && !is(""));
    }

    #[test]
    fn what_brings_the_remotes_trunk() {
        let news = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            is_news(&words, "refs/remotes/origin/main", "main")
        };
        for line in [
            "",
            "git fetch",
            "git fetch --quiet --prune origin",
            "git fetch --depth 3 origin main",
            "git -c http.x=y fetch origin +refs/heads/*:refs/remotes/origin/*",
            "git fetch origin +refs/heads/main:refs/remotes/origin/main",
            "git pull --ff-only",
            "git push /somewhere main",
            "git -c remote.pushDefault=fork --no-pager push",
            "git fetch --refmap= origin +refs/heads/main:refs/remotes/origin/main",
            "git remote rename upstream origin",
        ] {
            assert!(news(line), "{line}");
        }
        for line in [
            "git fetch . HEAD:refs/remotes/origin/main",
            "git fetch origin wip:refs/remotes/origin/main",
            "git fetch /elsewhere main:refs/remotes/origin/main",
            "git update-ref refs/remotes/origin/main x",
            "git receive-pack .",
            "git-receive-pack .",
            "git --attr-source push update-ref refs/remotes/origin/main x",
            "git --new-option push update-ref refs/remotes/origin/main x",
            "git fetch --refmap=+refs/heads/wip/main:refs/remotes/origin/main origin wip/main",
            "git fetch origin +refs/heads/wip/*:refs/remotes/origin/*",
            "git fetch --upload-pack=x origin",
            "git -c remote.origin.url=/elsewhere fetch origin",
            "git --config-env=remote.origin.url=X fetch origin",
        ] {
            assert!(!news(line), "{line}");
        }
    }

    #[test]
    fn the_remote_in_force() {
        let lines = "remote.fork.url u\nremote.fork.url v\n";
        assert_eq!(remote(lines).as_deref(), Some("fork"));
        assert_eq!(remote("remote.a.b.url u\nremote.origin.url v\n").as_deref(), Some("origin"));
        assert_eq!(remote("remote.a.url u\nremote.b.url v\n"), None);
        assert_eq!(remote("remote.a.url u\norch.remote b\n").as_deref(), Some("b"));
        assert_eq!(remote(""), None);
    }
}
