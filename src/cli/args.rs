//! Arguments that several commands share.

use std::path::PathBuf;

use clap::ArgAction;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;

use crate::cli::candidates;
use crate::domain::control::Mode;
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::{Role, Team};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GlobalArgs {
    /// Say less: only data, warnings and errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Say more: -v what is done, -vv how, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Global options")]
    pub directory: Option<PathBuf>,
    /// When to use colour: auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = "Global options"
    )]
    pub color: Color,
    // Not clap's own, which names `--help`: `git orch --help` is git's, and looks for a manual page.
    /// Print help (all of it: git orch help)
    #[arg(short, long, global = true, action = ArgAction::Help, display_order = 999)]
    pub help: Option<bool>,
}

/// `--json` of a command that reads.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct JsonArg {
    /// Print JSON; a refusal is an object, too
    #[arg(long)]
    pub json: bool,
}

/// A task that must be named.
#[derive(Clone, Debug, clap::Args)]
pub struct TaskArg {
    /// The task: its id or the beginning of it, with or without its kind (`7k3f`, `bug-7k3f`)
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(candidates::tasks))]
    pub task: String,
}

/// Tasks of which at least one must be named.
#[derive(Clone, Debug, clap::Args)]
pub struct TasksArg {
    /// The tasks: their ids or the beginnings of them; all are changed, or none
    #[arg(value_name = "TASK", required = true, num_args = 1.., add = ArgValueCandidates::new(candidates::tasks))]
    pub tasks: Vec<String>,
}

/// Tasks; this checkout's if none is named.
#[derive(Clone, Debug, clap::Args)]
pub struct OptionalTasksArg {
    /// The tasks; this checkout's if none is named
    #[arg(value_name = "TASK", num_args = 0.., add = ArgValueCandidates::new(candidates::tasks))]
    pub tasks: Vec<String>,
}

/// A task that is this checkout's if none is named.
#[derive(Clone, Debug, clap::Args)]
pub struct OptionalTaskArg {
    /// The task; this checkout's if none is named
    #[arg(value_name = "TASK", add = ArgValueCandidates::new(candidates::tasks))]
    pub task: Option<String>,
}

/// Which tasks to take.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PickArgs {
    /// Only tasks of this team
    #[arg(long, value_name = "TEAM", value_parser = team(), help_heading = "Filters")]
    pub team: Option<Team>,
    /// Only tasks for this role
    #[arg(long, value_name = "ROLE", value_parser = role(), help_heading = "Filters")]
    pub role: Option<Role>,
    /// Only tasks of this kind; may be given several times
    #[arg(long, value_name = "KIND", value_parser = kind(), help_heading = "Filters")]
    pub kind: Vec<Kind>,
    /// Only tasks with this label; several: with all of them
    #[arg(long, value_name = "LABEL", help_heading = "Filters")]
    pub label: Vec<String>,
}

/// A role, or the word that takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChoice(
    /// None for `none`: the kind decides again.
    pub Option<Role>,
);

/// A kind's word.
pub(crate) fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).map(|w| Kind::parse(&w).expect("one of `ALL`"))
}

/// A priority's word, with or without its letter; `ignore_case` is the argument's to set.
pub(crate) fn priority() -> impl TypedValueParser<Value = Priority> {
    let value = |p: Priority| PossibleValue::new(p.as_str()).alias(&p.as_str()[1..]);
    PossibleValuesParser::new(Priority::ALL.map(value)).map(|w| Priority::parse(&w).expect("one of `ALL`"))
}

/// A role's word.
pub(crate) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).map(|w| Role::parse(&w).expect("one of `ALL`"))
}

/// A role's word, or `none`.
pub(crate) fn role_choice() -> impl TypedValueParser<Value = RoleChoice> {
    let words = Role::ALL.map(Role::as_str).into_iter().chain(["none"]);
    PossibleValuesParser::new(words).map(|w| RoleChoice(Role::parse(&w)))
}

/// A team's word.
pub(crate) fn team() -> impl TypedValueParser<Value = Team> {
    PossibleValuesParser::new(Team::ALL.map(Team::as_str)).map(|w| Team::parse(&w).expect("one of `ALL`"))
}

/// A mode's word; `ignore_case` is the argument's to set.
pub(crate) fn mode() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(Mode::ALL.map(Mode::as_str)).map(|w| Mode::parse(&w).expect("one of `ALL`"))
}
