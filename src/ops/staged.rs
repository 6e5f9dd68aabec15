//! What is asked of Ralph besides a commit: what is staged, and each commit of a range.

use crate::domain::oid::Oid;
use crate::git::{GitError, NewCommit};
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};
use crate::ops::worktrees::PrivateIndex;
use crate::sys::env::var;

/// A commit of what is staged in this checkout, on top of HEAD. No ref names it, and git clears it away in time.
pub fn staged(cx: &Ctx) -> Result<Oid, OpError> {
    let Some(here) = cx.repo.here()? else {
        return Err(Refused::new(
            Because::Environment,
            "checkout.bare",
            "nothing is staged here: this is no checkout",
        )
        .next("git orch ralph REV")
        .into());
    };
    // In a hook of `git commit -a` or `git commit FILE` it is another index than the checkout's.
    let index = match cx.env.get(var::GIT_INDEX_FILE) {
        Some(file) => PrivateIndex::copy(&here, &here.path.join(file))?,
        None => PrivateIndex::of(&here)?,
    };
    let written = index.cmd(cx, &here, &["write-tree"]).run()?;
    if !written.status.success() && written.stderr.contains("unmerged") {
        let fact = "files are in conflict: what is staged is no tree yet";
        return Err(Refused::new(Because::Environment, "index.unmerged", fact)
            .next("git status   (resolve them, `git add` them, and judge again)")
            .into());
    }
    let tree = Oid::parse(written.checked()?.text().trim()).map_err(GitError::from)?;
    let head = cx.repo.rev_parse("HEAD^{commit}").ok();
    let author = cx.author();
    Ok(cx.repo.write_commit(&NewCommit {
        tree,
        parents: head.into_iter().collect(),
        name: author.name,
        email: author.email,
        time: cx.clock.now(),
        message: "what is staged".to_owned(),
    })?)
}

/// The commits of `range` (`A..B`; `A`: from there to HEAD), parents before children.
pub fn range(cx: &Ctx, range: &str) -> Result<Vec<Oid>, OpError> {
    let whole = if range.contains("..") { range.to_owned() } else { format!("{range}..HEAD") };
    let listed =
        cx.repo.git(["rev-list", "--reverse", "--topo-order", "--end-of-options", &whole, "--"]).run()?;
    if !listed.status.success() {
        let fact = format!("`{range}` is no range of commits: {}", listed.stderr);
        return Err(Refused::new(Because::Usage, "range.unknown", fact)
            .next("git orch ralph --range main..HEAD")
            .into());
    }
    let ids = listed.text();
    if ids.is_empty() {
        let fact = format!("`{range}` has no commit: nothing would be judged");
        return Err(Refused::new(Because::Usage, "range.empty", fact)
            .next("git log --oneline A..B   (the commits of B that A has not)")
            .into());
    }
    ids.lines().map(|line| Oid::parse(line).map_err(|e| GitError::from(e).into())).collect()
}
