//! `git orch edit`.

use crate::cli::args::{JsonArg, RoleChoice, TaskArg, kind, priority, role_choice};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::draft;
use crate::domain::id::TaskId;
use crate::domain::kind::{Kind, Priority};
use crate::ops::editor;
use crate::ops::tasks::{self, RoleEdit, TaskEdit};
use crate::view::{edit_text, read_edit_text};

/// Change a task's title, body or fields
///
/// Without any option, on a terminal, title and body are opened in git's editor. Status and owner change by
/// `start`, `release`, `block` and their like only, dependencies by `git orch dep`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch edit 7k3f                          in the editor
  git orch edit 7k3f --priority P0 --label urgent --unlabel later
  git orch edit 7k3f --role none              let the kind decide again")]
pub struct EditArgs {
    /// Which task.
    #[command(flatten)]
    pub target: TaskArg,
    /// The new title
    #[arg(long, value_name = "TITLE")]
    pub title: Option<String>,
    /// The new body; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// The new kind
    #[arg(long, value_name = "KIND", value_parser = kind())]
    pub kind: Option<Kind>,
    /// The new priority
    #[arg(long, value_name = "PRIORITY", value_parser = priority(), ignore_case = true)]
    pub priority: Option<Priority>,
    /// The new role; `none` lets the kind decide
    #[arg(long, value_name = "ROLE", value_parser = role_choice())]
    pub role: Option<RoleChoice>,
    /// Add a label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// Take a label away; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub unlabel: Vec<String>,
    /// Add a glob of files; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub file: Vec<String>,
    /// Take a glob of files away; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub unfile: Vec<String>,
    /// What must hold when it is done; replaces all that was there; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub accept: Vec<String>,
    /// Open title and body in the editor even with other options
    #[arg(long, conflicts_with_all = ["title", "body"])]
    pub editor: bool,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

impl EditArgs {
    /// Whether any option changes something, so that no editor is needed.
    pub fn changes(&self) -> bool {
        let lists = [&self.label, &self.unlabel, &self.file, &self.unfile, &self.accept];
        self.title.is_some()
            || self.body.is_some()
            || self.kind.is_some()
            || self.priority.is_some()
            || self.role.is_some()
            || lists.iter().any(|list| !list.is_empty())
    }
}

impl EditArgs {
    fn what(&self, id: &TaskId) -> Result<TaskEdit, CommandError> {
        let body = match self.body.as_deref() {
            Some("-") => Some(stdin()?),
            text => text.map(str::to_owned),
        };
        Ok(TaskEdit {
            title: self.title.as_deref().map(|text| title(text, id)).transpose()?,
            body: body.map(|text| text.trim_end().to_owned()),
            kind: self.kind,
            priority: self.priority,
            role: match self.role {
                None => RoleEdit::Keep,
                Some(RoleChoice(None)) => RoleEdit::Clear,
                Some(RoleChoice(Some(role))) => RoleEdit::Set(role),
            },
            acceptance: (!self.accept.is_empty()).then(|| self.accept.clone()),
            label: self.label.clone(),
            unlabel: self.unlabel.clone(),
            file: self.file.clone(),
            unfile: self.unfile.clone(),
        })
    }
}

fn title(text: &str, id: &TaskId) -> Result<String, CommandError> {
    draft::title(text).map_err(|e| {
        let error = CommandError::from_error(Exit::Usage, &e).rule("task.title");
        error.next(format!("git orch edit {id} --title TITLE"))
    })
}

fn stdin() -> Result<String, CommandError> {
    std::io::read_to_string(std::io::stdin().lock())
        .map_err(|e| CommandError::new(Exit::Environment, format!("cannot read stdin: {e}")))
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &EditArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let snapshot = cx.snapshot()?;
    let id = tasks::resolve(&snapshot, &args.target.task)?;
    let mut what = args.what(&id)?;
    if args.editor || !args.changes() {
        let before = wire::view(&cx, &snapshot, &tasks::find(&snapshot, &id)?)?;
        let edited = read_edit_text(&editor::edit(&cx, &edit_text(&before))?)?;
        what.title = Some(title(&edited.title, &id)?);
        what.body = Some(edited.body);
    }
    let before = tasks::find(&snapshot, &id)?.updated;
    let task = tasks::edit(&cx, &id, &what)?;
    let snapshot = cx.snapshot()?;
    if args.output.json {
        out.json(&wire::view(&cx, &snapshot, &task)?);
    } else {
        let did = if task.updated == before { "Nothing to change in" } else { "Changed" };
        out.status(&format!("{did} {} {}", task.kind.value.as_str(), task.id));
    }
    Ok(Exit::Done)
}
