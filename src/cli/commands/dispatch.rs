//! Every command, and which `run` it has.

use crate::cli::command_error::CommandError;
use crate::cli::commands::add::AddArgs;
use crate::cli::commands::approve::ApproveArgs;
use crate::cli::commands::completions::CompletionsArgs;
use crate::cli::commands::demo::DemoArgs;
use crate::cli::commands::dep::DepAction;
use crate::cli::commands::dep::DepArgs;
use crate::cli::commands::doctor::DoctorArgs;
use crate::cli::commands::edit::EditArgs;
use crate::cli::commands::hook::HookArgs;
use crate::cli::commands::init::InitArgs;
use crate::cli::commands::list::ListArgs;
use crate::cli::commands::log::LogArgs;
use crate::cli::commands::maintain::MaintainArgs;
use crate::cli::commands::man::ManArgs;
use crate::cli::commands::merge::MergeArgs;
use crate::cli::commands::metrics::MetricsArgs;
use crate::cli::commands::mode::ModeArgs;
use crate::cli::commands::moves::{BlockArgs, CloseArgs, ReleaseArgs, ReopenArgs, UnblockArgs};
use crate::cli::commands::next::NextArgs;
use crate::cli::commands::override_::OverrideArgs;
use crate::cli::commands::push::PushArgs;
use crate::cli::commands::ralph::RalphArgs;
use crate::cli::commands::reject::RejectArgs;
use crate::cli::commands::run::RunArgs;
use crate::cli::commands::show::ShowArgs;
use crate::cli::commands::start::StartArgs;
use crate::cli::commands::status::StatusArgs;
use crate::cli::commands::sync::SyncArgs;
use crate::cli::commands::uninstall::UninstallArgs;
use crate::cli::commands::worktree::WorktreeAction;
use crate::cli::commands::worktree::WorktreeArgs;
use crate::cli::commands::{
    add, approve, completions, demo, dep, doctor, edit, hook, init, list, log, maintain, man, merge, metrics,
    mode, moves, next, override_, push, ralph, reject, run as run_command, show, start, status, sync,
    uninstall, worktree,
};
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::ops::steps::Step;

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
#[expect(missing_docs, reason = "the words are on the arguments: here they would replace them in the help")]
pub enum Command {
    Init(InitArgs),
    Status(StatusArgs),
    Doctor(DoctorArgs),
    Uninstall(UninstallArgs),
    Demo(DemoArgs),
    Add(AddArgs),
    List(ListArgs),
    Show(ShowArgs),
    Edit(EditArgs),
    Dep(DepArgs),
    Block(BlockArgs),
    Unblock(UnblockArgs),
    Close(CloseArgs),
    Reopen(ReopenArgs),
    Next(NextArgs),
    Start(StartArgs),
    Release(ReleaseArgs),
    Worktree(WorktreeArgs),
    #[command(visible_alias = "gate")]
    Ralph(RalphArgs),
    Push(PushArgs),
    Merge(MergeArgs),
    Approve(ApproveArgs),
    Reject(RejectArgs),
    Override(OverrideArgs),
    Run(RunArgs),
    Sync(SyncArgs),
    Mode(ModeArgs),
    Log(LogArgs),
    /// Show what was done, and how long it took
    Metrics(MetricsArgs),
    Maintain(MaintainArgs),
    Man(ManArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Hook(HookArgs),
}

impl Command {
    /// The tree of one frequent command, without all the others: what most command lines need, at a quarter of the
    /// time. None for what is typed seldom.
    pub fn alone(name: &str) -> Option<clap::Command> {
        use clap::{Args as _, Command as Tree};
        Some(match name {
            "add" => AddArgs::augment_args(Tree::new("add")),
            "list" => ListArgs::augment_args(Tree::new("list")),
            "show" => ShowArgs::augment_args(Tree::new("show")),
            "next" => NextArgs::augment_args(Tree::new("next")),
            "start" => StartArgs::augment_args(Tree::new("start")),
            "release" => ReleaseArgs::augment_args(Tree::new("release")),
            "ralph" => RalphArgs::augment_args(Tree::new("ralph")).visible_alias("gate"),
            "push" => PushArgs::augment_args(Tree::new("push")),
            "merge" => MergeArgs::augment_args(Tree::new("merge")),
            "status" => StatusArgs::augment_args(Tree::new("status")),
            "hook" => HookArgs::augment_args(Tree::new("hook")).hide(true),
            _ => return None,
        })
    }

    /// Whether a refusal is to be an object on stdout.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Add(args) => args.output.json,
            Self::List(args) => args.output.json,
            Self::Show(args) => args.output.json,
            Self::Edit(args) => args.output.json,
            Self::Next(args) => args.output.json,
            Self::Start(args) => args.output.json,
            Self::Merge(args) => args.output.json,
            Self::Status(args) => args.output.json,
            Self::Doctor(args) => args.output.json,
            Self::Mode(args) => args.output.json,
            Self::Sync(args) => args.output.json,
            Self::Log(args) => args.output.json,
            Self::Metrics(args) => args.output.json,
            Self::Maintain(args) => args.output.json,
            Self::Run(args) => args.json_events,
            Self::Dep(args) => matches!(&args.action, DepAction::Tree(tree) if tree.output.json),
            Self::Ralph(args) => match &args.action {
                Some(action) => action.json(),
                None => args.output.json || args.json_events,
            },
            Self::Worktree(args) => match &args.action {
                WorktreeAction::List(list) => list.output.json,
                WorktreeAction::Prune(prune) => prune.output.json,
                WorktreeAction::Path(_) => false,
            },
            Self::Init(_)
            | Self::Uninstall(_)
            | Self::Demo(_)
            | Self::Block(_)
            | Self::Unblock(_)
            | Self::Close(_)
            | Self::Reopen(_)
            | Self::Release(_)
            | Self::Push(_)
            | Self::Approve(_)
            | Self::Reject(_)
            | Self::Override(_)
            | Self::Man(_)
            | Self::Completions(_)
            | Self::Hook(_) => false,
        }
    }
}

/// Runs a command.
pub fn run(cx: &Invocation<'_>, out: &mut Out, command: &Command) -> Result<Exit, CommandError> {
    match command {
        Command::Man(args) => man::run(cx, out, args),
        Command::Completions(args) => completions::run(out, args),
        Command::Add(args) => add::run(cx, out, args),
        Command::List(args) => list::run(cx, out, args),
        Command::Show(args) => show::run(cx, out, args),
        Command::Edit(args) => edit::run(cx, out, args),
        Command::Dep(args) => dep::run(cx, out, args),
        Command::Block(args) => moves::run(cx, out, &args.target.tasks, &Step::Block(args.reason.clone())),
        Command::Unblock(args) => moves::run(cx, out, &args.target.tasks, &Step::Unblock),
        Command::Close(args) => moves::run(cx, out, &args.target.tasks, &Step::Close(args.reason.clone())),
        Command::Reopen(args) => moves::run(cx, out, &args.target.tasks, &Step::Reopen),
        Command::Release(args) => moves::run(cx, out, &args.target.tasks, &Step::Release),
        Command::Next(args) => next::run(cx, out, args),
        Command::Start(args) => start::run(cx, out, args),
        Command::Worktree(args) => worktree::run(cx, out, args),
        Command::Ralph(args) => ralph::run(cx, out, args),
        Command::Merge(args) => merge::run(cx, out, args),
        Command::Approve(args) => approve::run(cx, out, args),
        Command::Reject(args) => reject::run(cx, out, args),
        Command::Override(args) => override_::run(cx, out, args),
        Command::Demo(args) => demo::run(cx, out, args),
        Command::Init(args) => init::run(cx, out, args),
        Command::Uninstall(args) => uninstall::run(cx, out, args),
        Command::Log(args) => log::run(cx, out, args),
        Command::Metrics(args) => metrics::run(cx, out, args),
        Command::Maintain(args) => maintain::run(cx, out, args),
        Command::Mode(args) => mode::run(cx, out, args),
        Command::Status(args) => status::run(cx, out, args),
        Command::Hook(args) => hook::run(cx, out, args),
        Command::Push(args) => push::run(cx, out, args),
        Command::Run(args) => run_command::run(cx, out, args),
        Command::Sync(args) => sync::run(cx, out, args),
        Command::Doctor(args) => doctor::run(cx, out, args),
    }
}
