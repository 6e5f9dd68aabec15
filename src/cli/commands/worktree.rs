//! `git orch worktree`.

use crate::cli::args::{JsonArg, OptionalTaskArg};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::Ctx;
use crate::ops::tasks;
use crate::ops::worktrees::{self, Pruned, Pruning};
use crate::report;
use crate::view::{KeptView, PruneView, WorktreeView};

/// The worktrees of tasks
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  cd \"$(git orch worktree path 7k3f)\"
  git orch worktree prune --dry-run")]
pub struct WorktreeArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: WorktreeAction,
}

/// What to do with worktrees.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum WorktreeAction {
    /// List them, with what is in each that exists nowhere else
    List(WorktreeListArgs),
    /// Print where a task's worktree is
    Path(WorktreePathArgs),
    /// Remove those that are no longer needed
    ///
    /// Only worktrees of finished tasks. One with anything uncommitted, untracked or unpushed is kept, and
    /// you are told why.
    Prune(WorktreePruneArgs),
}

/// How to list.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreeListArgs {
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// Whose path.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreePathArgs {
    /// Which task.
    #[command(flatten)]
    pub target: OptionalTaskArg,
}

/// How to prune.
#[derive(Clone, Debug, clap::Args)]
pub struct WorktreePruneArgs {
    /// Show what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &WorktreeArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    match &args.action {
        WorktreeAction::List(list) => show_list(&cx, out, list)?,
        WorktreeAction::Path(path) => {
            let snapshot = cx.snapshot()?;
            let id = wire::task_or_here(&cx, &snapshot, path.target.task.as_deref())?;
            let Some(path) = worktrees::place_of(&cx, &tasks::find(&snapshot, &id)?) else {
                return Err(CommandError::new(Exit::Usage, format!("task {id} has no worktree"))
                    .rule("worktree.absent")
                    .next(format!("git orch start {id}")));
            };
            out.data(&format!("{}\n", path.display()));
        }
        WorktreeAction::Prune(prune) => show_pruned(&cx, out, prune)?,
    }
    Ok(Exit::Done)
}

fn show_list(cx: &Ctx, out: &mut Out, args: &WorktreeListArgs) -> Result<(), CommandError> {
    let list: Vec<WorktreeView> = worktrees::survey(cx)?.into_iter().map(wire::worktree).collect();
    if args.output.json {
        out.json(&list);
    } else if list.is_empty() {
        out.status("No worktrees.");
    } else {
        out.data(&report::worktrees(&list, out.page()));
    }
    Ok(())
}

fn show_pruned(cx: &Ctx, out: &mut Out, args: &WorktreePruneArgs) -> Result<(), CommandError> {
    let how = if args.dry_run { Pruning::Planned } else { Pruning::Done };
    let mut view = PruneView { dry_run: args.dry_run, ..PruneView::default() };
    for (entry, pruned) in worktrees::prune(cx, how)? {
        let path = entry.worktree.path.display().to_string();
        match pruned {
            Pruned::Removed => view.removed.push(path),
            Pruned::Kept(why) => view.kept.push(KeptView { path, task: Some(entry.id.to_string()), why }),
        }
    }
    if args.output.json {
        out.json(&view);
    } else {
        let text = report::pruned(&view, out.page());
        // What would be done was asked for.
        if args.dry_run {
            out.data(&text);
        } else {
            out.account(&text);
        }
        let unsaid = if out.is_quiet() && !args.dry_run { &view.kept[..] } else { &[] };
        for kept in unsaid {
            out.warn(&format!("kept {}: {}", kept.path, kept.why));
        }
    }
    Ok(())
}
