//! `git orch hook`: what the dispatcher calls. Not for people, and hidden from help.

use crate::cli::command_error::CommandError;
use crate::cli::events;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::cli::progress::{Events, Progress};
use crate::cli::wire;
use crate::domain::verdict::Word;
use crate::gate::Stop;
use crate::hook::decode;
use crate::ops::Ctx;
use crate::ops::hooks::{self, Answer, Unverified};
use crate::policy::Violation;
use crate::report;
use crate::sys::process::quote;
use crate::sys::term;
use std::ffi::OsString;
use std::path::Path;

/// Run a hook's rules; git's hooks call it
#[derive(Clone, Debug, clap::Args)]
pub struct HookArgs {
    /// The hook's name, as git calls it
    #[arg(value_name = "HOOK")]
    pub name: String,
    /// What git gave the hook
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<OsString>,
}

pub(super) fn run(cx: &Invocation<'_>, out: &mut Out, args: &HookArgs) -> Result<Exit, CommandError> {
    let words: Vec<String> = args.args.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let stdin = if args.name == "pre-push" { input()? } else { Vec::new() };
    let event = decode::decode(&args.name, &words, &stdin);
    let answer = match event {
        decode::Event::PreCommit => hooks::pre_commit(&wire::open(cx, out)?)?,
        decode::Event::PrepareCommitMsg { file, source, .. } => {
            hooks::prepare_commit_msg(&wire::open(cx, out)?, Path::new(&file), source.as_ref())?
        }
        decode::Event::CommitMsg { file } => hooks::commit_msg(&wire::open(cx, out)?, Path::new(&file))?,
        decode::Event::PrePush { remote, lines, .. } => {
            let cx = wire::open_long(cx, out)?;
            let mut progress = Progress::new(out, Events::Words);
            let answer = hooks::pre_push(&cx, &remote, &lines, &mut |event| {
                progress.on(out, &events::event(event));
            });
            progress.finish();
            return answer_push(&cx, out, answer?);
        }
        decode::Event::ReferenceTransaction { .. } | decode::Event::Other { .. } => Answer::Go(None),
    };
    match answer {
        Answer::Broken(violations) => Err(broken(&violations)),
        Answer::Go(_) | Answer::Unverified(_) => Ok(Exit::Done),
    }
}

fn input() -> Result<Vec<u8>, CommandError> {
    term::input().map_err(|e| CommandError::new(Exit::Environment, format!("cannot read stdin: {e}")))
}

fn broken(violations: &[Violation]) -> CommandError {
    let [first, rest @ ..] = violations else { return CommandError::new(Exit::Bug, "BUG: no violation") };
    let error =
        CommandError::new(Exit::Refused, format!("{}: {}", first.fact, first.reason)).rule(first.rule);
    let more: Vec<String> = rest.iter().map(|v| format!("also {}: {}", v.rule, v.fact)).collect();
    let error = if more.is_empty() { error } else { error.detail(more.join("\n")) };
    first.way_out.iter().fold(error, CommandError::next)
}

fn answer_push(cx: &Ctx, out: &mut Out, answer: Answer) -> Result<Exit, CommandError> {
    match answer {
        Answer::Go(warning) => {
            if let Some(fact) = warning {
                out.warn(&format!("pushed without a verdict: {fact}"));
            }
            Ok(Exit::Done)
        }
        Answer::Broken(violations) => Err(broken(&violations)),
        Answer::Unverified(tips) => Err(unverified(cx, out, &tips).exits(Exit::Refused)),
    }
}

/// Why a push is refused: each tip with what is known about it.
pub(super) fn unverified(cx: &Ctx, out: &Out, tips: &[Unverified]) -> CommandError {
    let Some(first) = tips.first() else { return CommandError::new(Exit::Bug, "BUG: no tip") };
    let name = first.local_ref.strip_prefix("refs/heads/").unwrap_or(&first.local_ref);
    let judged = &first.judged;
    let late = judged.stop == Some(Stop::Deadline);
    let fact = match (late, judged.word) {
        (true, _) => format!("{name} could not be verified within push.budget; nothing is known about it"),
        (false, word) => format!("{name} is {}", word.as_str()),
    };
    let exit = if judged.word == Word::Fail { Exit::Failed } else { Exit::Blocked };
    let rule = judged.rule().unwrap_or("push.unverified").to_owned();
    let mut error = CommandError::new(if late { Exit::Blocked } else { exit }, fact).rule(rule.clone());
    let mut detail = String::new();
    for tip in tips.iter().filter(|tip| tip.judged.stop.is_none()) {
        if let Some(view) = wire::verdict(cx, &tip.judged, &tip.local_ref, Vec::new()) {
            detail.push_str(&report::refused(&view, out.page()));
        }
    }
    if !detail.is_empty() {
        error = error.detail(detail);
    }
    match (late, rule.as_str()) {
        (true, _) => error.next("git orch push   (verifies first, without a limit, then pushes)"),
        (false, "gate.changed") => error.next(format!("git orch approve {} --reason TEXT", quote(name))),
        (false, _) => wire::approval(&judged.guarded, name)
            .into_iter()
            .fold(error.next("fix it, commit, and push again"), CommandError::next)
            .next(format!("git orch ralph {}", quote(name))),
    }
}
