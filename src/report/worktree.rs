//! Worktrees, and what became of those that were pruned.

use crate::report::Page;
use crate::report::lines::Lines as _;
use crate::report::page::Mark;
use crate::report::palette::{self, DIM, LITERAL, PLAIN, WARN};
use crate::report::table::Table;
use crate::report::words::{harmless, plural};
use crate::view::{PruneView, WorktreeUse, WorktreeView};

/// One worktree a line.
pub fn worktrees(list: &[WorktreeView], page: Page) -> String {
    let mut table = Table::new(["TASK", "STATE", "WORK", "BRANCH", "PATH"]).cut("BRANCH");
    for worktree in list {
        let task = match worktree.usage {
            WorktreeUse::Gate => "(gate)",
            WorktreeUse::Task => worktree.task.as_deref().unwrap_or("(none)"),
        };
        let (work, style) = work(worktree);
        let status = worktree.status.unwrap_or("");
        table.row([
            (task, LITERAL),
            (status, palette::state(status)),
            (&work, style),
            (worktree.branch.as_deref().unwrap_or(""), PLAIN),
            (&worktree.path, PLAIN),
        ]);
    }
    table.render(page)
}

/// What would be lost with the worktree.
fn work(worktree: &WorktreeView) -> (String, anstyle::Style) {
    // Build output that is kept for the next run, and nobody's work.
    if worktree.usage == WorktreeUse::Gate && !worktree.missing {
        return (String::new(), PLAIN);
    }
    if worktree.missing {
        return ("missing".to_owned(), WARN);
    }
    let parts = [
        (worktree.uncommitted, "uncommitted"),
        (worktree.untracked, "untracked"),
        (worktree.unpushed, if worktree.shared { "unpushed" } else { "unmerged" }),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() { ("clean".to_owned(), DIM) } else { (parts.join(", "), WARN) }
}

/// What went and what stayed.
pub fn pruned(view: &PruneView, page: Page) -> String {
    let mut out = String::new();
    let (removed, kept) =
        if view.dry_run { ("would be removed", "would be kept") } else { ("removed", "kept") };
    for path in &view.removed {
        out.line(&format!("{} {removed} {path}", page.mark(Mark::Good)));
    }
    for entry in &view.kept {
        out.line(&format!("{} {kept} {}: {}", page.mark(Mark::Idle), entry.path, harmless(&entry.why)));
    }
    out + &format!("{} {removed}, {} {kept}\n", plural(view.removed.len(), "worktree"), view.kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::tests::{file, plain, terminal};
    use crate::view::KeptView;

    #[test]
    fn worktrees_say_what_would_be_lost() {
        let view = |n: usize, usage| WorktreeView {
            path: format!("/w/app.orch/0000000{n}"),
            usage,
            task: Some(format!("0000000{n}")),
            status: (usage == WorktreeUse::Task).then_some("claimed"),
            branch: Some(format!("fix/0000000{n}-x")),
            uncommitted: n,
            untracked: 0,
            unpushed: n * 2,
            shared: true,
            missing: false,
        };
        let list = [view(1, WorktreeUse::Task), view(0, WorktreeUse::Gate)];
        insta::assert_snapshot!(plain(&worktrees(&list, terminal(100))), @r"
        TASK      STATE    WORK                       BRANCH          PATH
        00000001  claimed  1 uncommitted, 2 unpushed  fix/00000001-x  /w/app.orch/00000001
        (gate)                                        fix/00000000-x  /w/app.orch/00000000
        ");
    }

    #[test]
    fn pruning_says_what_it_kept_and_why() {
        let view = PruneView {
            dry_run: false,
            removed: vec!["/w/a".into()],
            kept: vec![KeptView {
                path: "/w/b".into(),
                task: None,
                why: "2 commits are on no remote".into(),
            }],
        };
        insta::assert_snapshot!(plain(&pruned(&view, file())), @r"
        + removed /w/a
        - kept /w/b: 2 commits are on no remote
        1 worktree removed, 1 kept
        ");
        insta::assert_snapshot!(plain(&pruned(&PruneView { dry_run: true, ..view }, file())), @r"
        + would be removed /w/a
        - would be kept /w/b: 2 commits are on no remote
        1 worktree would be removed, 1 would be kept
        ");
    }
}
