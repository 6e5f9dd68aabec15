//! `git orch add`.

use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::ops::tasks;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCandidates;

use crate::cli::args::{JsonArg, kind, priority, role};
use crate::cli::candidates;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::domain::draft::{self, Draft, Need};
use crate::domain::id::IdPrefix;
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;
use crate::sys::fs;

/// Add a task, or many from a file
///
/// Prints the id of each new task alone on a line, so that scripts can keep it.
///
/// With `--from`, one change adds everything in a file: JSON lines with the fields of `git orch show --json`,
/// or a Markdown check-list. If one line is bad, nothing is added and every problem is named.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch add \"Crash on an empty file\" --priority P1 --label parser
  git orch add \"Print what was parsed\" --kind feature --needs 7k3f --accept \"round trip is tested\"
  git log -1 --format=%B | git orch add \"Follow up\" --body -
  git orch add --from plan.md

A check-list; boxes that are ticked are left out, what is below a title is the body:
  - [ ] Parser loses the last line (bug, P1, id: parser, label: io)
    Seen with CRLF only.
  - [ ] Print what was parsed (feature, needs: parser 7k3f)
In the parentheses: a kind, a priority, a role, and `id: label: needs: file: accept:` with values.

JSON lines; `id` is a name for `needs` within the file:
  {\"title\":\"Parser loses the last line\",\"kind\":\"bug\",\"priority\":\"P1\",\"id\":\"parser\"}
  {\"title\":\"Print what was parsed\",\"kind\":\"feature\",\"needs\":[\"parser\"]}")]
pub struct AddArgs {
    /// What is to be done, in one line
    #[arg(value_name = "TITLE", required_unless_present = "from")]
    pub title: Option<String>,
    /// What sort of work it is; decides role, branch and limits: a bug fix, say, adds no files
    #[arg(long, value_name = "KIND", value_parser = kind(), default_value = "bug")]
    pub kind: Kind,
    /// How urgent it is; P0 comes first
    #[arg(long, value_name = "PRIORITY", value_parser = priority(), ignore_case = true, default_value = "P2")]
    pub priority: Priority,
    /// The rest of the description, Markdown; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub body: Option<String>,
    /// The role that should do it [default: the kind decides]
    #[arg(long, value_name = "ROLE", value_parser = role())]
    pub role: Option<Role>,
    /// A word to filter by; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// A task that must be merged first; may be given several times
    #[arg(long, value_name = "TASK", add = ArgValueCandidates::new(candidates::tasks))]
    pub needs: Vec<String>,
    /// A glob of the files that it is about; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub file: Vec<String>,
    /// What must hold when it is done; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub accept: Vec<String>,
    /// Read the tasks from a file, or from stdin with `-`
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["title", "kind", "priority", "body", "role", "label", "needs", "file", "accept"]
    )]
    pub from: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

impl AddArgs {
    /// What is to be added: from the arguments, a file below `cwd`, or `stdin`.
    pub fn drafts(&self, cwd: &Path, stdin: &mut dyn Read) -> Result<Vec<Draft>, CommandError> {
        match &self.from {
            Some(path) if path == Path::new("-") => Ok(crate::view::read_tasks(&read_all(stdin)?)?),
            Some(path) => Ok(crate::view::read_tasks(&fs::read_string(&cwd.join(path))?)?),
            None => Ok(vec![self.draft(stdin)?]),
        }
    }

    fn draft(&self, stdin: &mut dyn Read) -> Result<Draft, CommandError> {
        let body = match self.body.as_deref() {
            Some("-") => read_all(stdin)?,
            Some(text) => text.to_owned(),
            None => String::new(),
        };
        let needs = self.needs.iter().map(|text| IdPrefix::parse(text).map(Need::Task));
        Ok(Draft {
            kind: self.kind,
            body: body.trim_end().to_owned(),
            priority: self.priority,
            role: self.role,
            labels: self.label.clone(),
            needs: needs.collect::<Result<_, _>>()?,
            files: self.file.clone(),
            acceptance: self.accept.clone(),
            ..Draft::new(draft::title(self.title.as_deref().unwrap_or(""))?)
        })
    }
}

fn read_all(from: &mut dyn Read) -> Result<String, CommandError> {
    let mut text = String::new();
    match from.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(e) => Err(CommandError::new(Exit::Environment, format!("cannot read stdin: {e}"))),
    }
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &AddArgs) -> Result<Exit, CommandError> {
    let drafts = args.drafts(&cx.cwd, &mut std::io::stdin().lock())?;
    let cx = wire::open(cx, out)?;
    let added = tasks::add(&cx, &drafts, "add")?;
    let snapshot = cx.snapshot()?;
    if args.output.json {
        let views: Vec<_> =
            added.iter().map(|task| wire::view(&cx, &snapshot, task)).collect::<Result<_, _>>()?;
        match (views.as_slice(), &args.from) {
            ([one], None) => out.json(one),
            (many, _) => out.json(&many),
        }
        return Ok(Exit::Done);
    }
    for task in &added {
        out.data(&format!("{}\n", task.id));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::app;
    use crate::cli::commands::Command;

    fn args(line: &[&str]) -> AddArgs {
        match app::parse(["git-orch", "add"].iter().chain(line)).expect("parses").command {
            Some(Command::Add(args)) => args,
            other => panic!("BUG: {other:?}"),
        }
    }

    #[test]
    fn arguments_make_one_draft() {
        let line = ["Fix it ", "--kind", "docs", "--priority", "p0", "--needs", "bug-7k3f", "--body", "-"];
        let drafts = args(&line).drafts(Path::new("/"), &mut "text\n".as_bytes()).unwrap();
        let draft = &drafts[0];
        assert_eq!((draft.title.as_str(), draft.kind, draft.priority), ("Fix it", Kind::Docs, Priority::P0));
        assert_eq!((draft.body.as_str(), draft.needs.len()), ("text", 1));
    }

    #[test]
    fn a_file_may_be_stdin() {
        let drafts =
            args(&["--from", "-"]).drafts(Path::new("/"), &mut "- [ ] a\n- [ ] b\n".as_bytes()).unwrap();
        assert_eq!(drafts.len(), 2);
        let e =
            args(&["--from", "no.md"]).drafts(Path::new("/nowhere"), &mut "".as_bytes()).expect_err("absent");
        assert_eq!(e.exit(), Exit::Environment);
    }

    #[test]
    fn bad_arguments_are_usage() {
        for line in [vec![" "], vec!["x", "--needs", "?"]] {
            let e = args(&line).drafts(Path::new("/"), &mut "".as_bytes()).expect_err("bad");
            assert_eq!(e.exit(), Exit::Usage);
        }
        let e = app::parse(["git-orch", "add", "x", "--from", "y"].iter()).expect_err("both");
        assert_eq!(e.exit_code(), 2);
    }
}
