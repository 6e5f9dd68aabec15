//! `git orch dep`.

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::id::TaskId;
use crate::ops::needs::{Needs, is_ready_without};
use crate::ops::{Ctx, tasks};
use crate::report;
use crate::view::DepTreeView;
use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::{JsonArg, TaskArg};
use crate::cli::candidates;

/// What a task needs before it can be taken
///
/// A task is ready when everything that it needs is merged. A cycle is refused, with its path. Of one that two
/// clones made together, the edge that closes it is ignored: all clones ignore the same, and `git orch dep rm`
/// takes away whichever should not be there.
#[derive(Clone, Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  git orch dep add 7k3f 9xq2     7k3f waits until 9xq2 is merged
  git orch dep tree 7k3f         everything that 7k3f waits for")]
pub struct DepArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DepAction,
}

/// What to do with dependencies.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DepAction {
    /// Make a task wait for others
    Add(DepEdgeArgs),
    /// Let a task no longer wait for others
    Rm(DepEdgeArgs),
    /// Show everything that a task waits for
    Tree(DepTreeArgs),
}

/// A task and those that it needs.
#[derive(Clone, Debug, clap::Args)]
pub struct DepEdgeArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// The tasks that it needs
    #[arg(value_name = "NEEDS", required = true, add = ArgValueCandidates::new(candidates::tasks))]
    pub needs: Vec<String>,
}

/// The root of the tree.
#[derive(Clone, Debug, clap::Args)]
pub struct DepTreeArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &DepArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    match &args.action {
        DepAction::Add(edge) => {
            let (id, needs) = edge.resolve(&cx)?;
            let task = tasks::dep_add(&cx, &id, &needs)?;
            out.status(&format!("{} needs {}", task.id, list(task.needs.iter())));
        }
        DepAction::Rm(edge) => {
            let (id, needs) = edge.resolve(&cx)?;
            let task = tasks::dep_rm(&cx, &id, &needs)?;
            let rest = if task.needs.is_empty() { "nothing".to_owned() } else { list(task.needs.iter()) };
            out.status(&format!("{} needs {rest}", task.id));
        }
        DepAction::Tree(tree) => show_tree(&cx, out, tree)?,
    }
    Ok(Exit::Done)
}

fn list<'a>(ids: impl Iterator<Item = &'a TaskId>) -> String {
    ids.map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}

fn show_tree(cx: &Ctx, out: &mut Out, args: &DepTreeArgs) -> Result<(), CommandError> {
    let snapshot = cx.snapshot()?;
    let id = tasks::resolve(&snapshot, &args.target.task)?;
    let root = tasks::find(&snapshot, &id)?;
    let needs = Needs::below(&snapshot, [&root]);
    let ignored = needs.ignored();
    let look = |id: &TaskId| {
        let task = snapshot.task(id).ok()??;
        let ready = is_ready_without(&snapshot, &task, &ignored).ok()?;
        Some(wire::view_ready(cx, &task, ready))
    };
    let view = DepTreeView::new(&id, &needs.edges(), &ignored, &look);
    wire::warn_of_cycles(out, &needs.cycles());
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::tree(&view, out.page()));
    }
    Ok(())
}

impl DepEdgeArgs {
    fn resolve(&self, cx: &Ctx) -> Result<(TaskId, Vec<TaskId>), CommandError> {
        let snapshot = cx.snapshot()?;
        let id = tasks::resolve(&snapshot, &self.target.task)?;
        let needs: Result<Vec<_>, _> = self.needs.iter().map(|n| tasks::resolve(&snapshot, n)).collect();
        Ok((id, needs?))
    }
}
