//! `git orch list`.

use crate::cli::args::{JsonArg, kind, priority, role, team};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::{Role, Team};
use crate::domain::task::State;
use crate::index::{Filter, Row};
use crate::ops::ready::{Queue, Readiness};
use crate::report;
use crate::view::TaskLine;

/// List tasks
///
/// Unfinished tasks, P0 before P4 and the oldest first: the order in which `git orch next` takes them. Filters
/// of one sort widen each other, filters of different sorts narrow each other.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch list --ready                    what could be taken now
  git orch list --mine                     what you hold
  git orch list --kind bug --priority P0 --priority P1
  git orch list --search \"crash\" --all
  git orch list --json | jq -r '.[].id'")]
pub struct ListArgs {
    /// Only tasks with this status; may be given several times
    #[arg(
        long,
        alias = "state",
        value_name = "STATUS",
        value_parser = State::STATUSES,
        help_heading = "Filters"
    )]
    pub status: Vec<String>,
    /// Only tasks of this kind; may be given several times
    #[arg(long, value_name = "KIND", value_parser = kind(), help_heading = "Filters")]
    pub kind: Vec<Kind>,
    /// Only tasks of this priority; may be given several times
    #[arg(
        long,
        value_name = "PRIORITY",
        value_parser = priority(),
        ignore_case = true,
        help_heading = "Filters"
    )]
    pub priority: Vec<Priority>,
    /// Only tasks for this role
    #[arg(long, value_name = "ROLE", value_parser = role(), help_heading = "Filters")]
    pub role: Option<Role>,
    /// Only tasks of this team
    #[arg(long, value_name = "TEAM", value_parser = team(), help_heading = "Filters")]
    pub team: Option<Team>,
    /// Only tasks with this label; several: with all of them
    #[arg(long, value_name = "LABEL", help_heading = "Filters")]
    pub label: Vec<String>,
    /// Only tasks that could be taken now
    #[arg(long, help_heading = "Filters", conflicts_with = "status")]
    pub ready: bool,
    /// Only tasks that you hold
    #[arg(long, help_heading = "Filters")]
    pub mine: bool,
    /// Only tasks with these words in title or body
    #[arg(long, value_name = "TEXT", help_heading = "Filters")]
    pub search: Option<String>,
    /// Done and closed tasks, too
    #[arg(short, long)]
    pub all: bool,
    /// Stop after N tasks
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

impl ListArgs {
    fn filter(&self, owner: &str) -> Filter {
        let statuses = if !self.status.is_empty() {
            State::STATUSES.into_iter().filter(|word| self.status.iter().any(|s| s == word)).collect()
        } else if self.all {
            Vec::new()
        } else {
            State::STATUSES.into_iter().filter(|word| !matches!(*word, "done" | "closed")).collect()
        };
        Filter {
            team: self.team,
            role: self.role,
            kinds: self.kind.clone(),
            priorities: self.priority.clone(),
            statuses,
            labels: self.label.clone(),
            owner: self.mine.then(|| owner.to_owned()),
        }
    }
}

impl ListArgs {
    /// What is said of an empty list.
    fn nothing(&self, filter: &Filter) -> &'static str {
        let plain = Filter { statuses: filter.statuses.clone(), ..Filter::default() };
        let all = self.status.is_empty() && !self.ready && self.search.is_none() && *filter == plain;
        match (all, self.all) {
            (true, true) => "There are no tasks.",
            (true, false) => "There are no unfinished tasks.",
            (false, _) => "No task matches.",
        }
    }
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &ListArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let snapshot = cx.snapshot()?;
    let filter = args.filter(&cx.actor.to_string());
    let limit = args.limit.unwrap_or(usize::MAX);
    let queue = Queue::open(&cx, &snapshot)?;
    wire::warn_of_damage(out, &queue.damaged()?);
    let rows = match (&args.search, args.ready) {
        (Some(text), true) => queue.search(text, &filter, Readiness::Ready, limit)?,
        (Some(text), false) => queue.search(text, &filter, Readiness::Any, limit)?,
        (None, true) => queue.ready(&filter, limit)?,
        (None, false) => queue.list(&filter, limit)?,
    };
    if args.output.json {
        // A damaged file is skipped by readers; `doctor` names it.
        let task = |row: &Row| snapshot.task(&row.id).ok().flatten().map(|task| (task, row.ready()));
        let tasks = rows.iter().filter_map(task);
        let views: Vec<_> = tasks.map(|(task, ready)| wire::view_ready(&cx, &task, ready)).collect();
        out.json(&views);
    } else if rows.is_empty() {
        out.status(args.nothing(&filter));
        out.hint(if args.all {
            "`git orch add TITLE`"
        } else {
            "`git orch add TITLE`, or `git orch list --all`"
        });
    } else {
        out.data(&report::task_table(rows.iter().map(TaskLine::from), out.page()));
    }
    Ok(Exit::Done)
}
