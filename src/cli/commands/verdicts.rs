//! `git orch ralph show`, `log` and `export`: the verdicts on record.

use std::path::PathBuf;

use crate::cli::args::JsonArg;
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::wire;
use crate::domain::verdict::Verdict;
use crate::ops::Ctx;
use crate::ops::error::OpError;
use crate::ops::seen::{self, Form, Origin};
use crate::report;
use crate::sys::fs;
use crate::sys::process::quote;
use crate::view::{RecordView, RecordsView, SCHEMA};

/// Of which commit.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphShowArgs {
    /// The commit [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// How many.
#[derive(Clone, Debug, clap::Args)]
pub struct RalphLogArgs {
    /// Stop after N verdicts
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub limit: usize,
    /// How to print.
    #[command(flatten)]
    pub output: JsonArg,
}

/// What, and where to.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// The commit [default: HEAD]
    #[arg(value_name = "REV")]
    pub rev: Option<String>,
    /// As a DSSE envelope, with the signature
    #[arg(long)]
    pub dsse: bool,
    /// Write it to FILE
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

pub(super) fn show(cx: &Invocation<'_>, out: &mut Out, args: &RalphShowArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let rev = args.rev.as_deref().unwrap_or("HEAD");
    let commit = wire::commit(&cx, out, rev)?;
    let tree = cx.repo.tree_of(&commit).map_err(OpError::from)?;
    let view = view(&cx, seen::of_tree(&cx, &tree)?)?;
    if args.output.json {
        out.json(&view);
    } else if view.verdicts.is_empty() {
        out.status(&format!("No verdict on {rev} is on record."));
        out.hint(&format!("git orch ralph {}", quote(rev)));
    } else {
        out.data(&report::records(&view, out.page()));
    }
    Ok(Exit::Done)
}

pub(super) fn log(cx: &Invocation<'_>, out: &mut Out, args: &RalphLogArgs) -> Result<Exit, CommandError> {
    let cx = wire::open(cx, out)?;
    let view = view(&cx, seen::last(&cx, args.limit)?)?;
    if args.output.json {
        out.json(&view);
    } else {
        out.data(&report::record_list(&view, out.page()));
    }
    Ok(Exit::Done)
}

fn view(cx: &Ctx, seen: Vec<(Verdict, Origin)>) -> Result<RecordsView, CommandError> {
    let gate = seen::whole_gate(cx)?;
    let record = |(verdict, origin): (Verdict, Origin)| match origin {
        Origin::Here => RecordView::new(&verdict, "here", None, &gate),
        Origin::Signed(name) => RecordView::new(&verdict, "signed", Some(name), &gate),
        Origin::Hint => RecordView::new(&verdict, "hint", None, &gate),
    };
    Ok(RecordsView { schema: SCHEMA, verdicts: seen.into_iter().map(record).collect() })
}

pub(super) fn export(cx: &Invocation<'_>, out: &mut Out, args: &ExportArgs) -> Result<Exit, CommandError> {
    let cx: Ctx = wire::open(cx, out)?;
    let rev = args.rev.as_deref().unwrap_or("HEAD");
    let commit = wire::commit(&cx, out, rev)?;
    let tree = cx.repo.tree_of(&commit).map_err(OpError::from)?;
    let form = if args.dsse { Form::Envelope } else { Form::Statement };
    let exported = seen::export(&cx, rev, &tree, form)?;
    match &args.output {
        None => out.json(&exported),
        Some(file) => {
            let text = format!("{exported:#}\n");
            fs::write_named(file, text.as_bytes()).map_err(OpError::from)?;
        }
    }
    Ok(Exit::Done)
}
