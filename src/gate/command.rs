//! One command of the gate: a setup line, or one try of a step.

use std::path::Path;

use crate::config::{Period, Run};
use crate::gate::classify::{Facts, Judgement, judge};
use crate::gate::context::RunContext;
use crate::gate::reading::REPORT;
use crate::gate::text::{TAIL_BYTES, plain, tail};
use crate::sys::env::Env;
use crate::sys::process::{Cmd, End, Limits};
use crate::sys::sandbox::Network;

/// What is run, where, and how long at most.
pub(super) struct Command<'a> {
    pub(super) run: &'a Run,
    pub(super) network: Network,
    pub(super) ctx: &'a RunContext<'a>,
    pub(super) checkout: &'a Path,
    pub(super) env: &'a Env,
    /// Where what it prints is kept.
    pub(super) kept: Option<&'a Path>,
    /// Outranks the limits of the run.
    pub(super) wall: Period,
}

/// What came of it.
pub(super) struct Tried {
    pub(super) judgement: Judgement,
    pub(super) tail: String,
    /// Whether it was stopped from outside: interrupted, or out of the caller's time.
    pub(super) stopped: bool,
    /// Whether all that it printed is kept.
    pub(super) kept: bool,
}

impl Command<'_> {
    /// Runs it to its end and hands on every line it prints, without terminal escapes.
    pub(super) fn execute(&self, on_line: &mut dyn FnMut(&str)) -> Tried {
        let limits = Limits { wall: Some(self.wall.duration()), ..self.ctx.limits.clone() };
        let mut lines = 0;
        let cmd = self.ctx.hold(self.cmd(), self.network);
        let cmd = match self.kept {
            Some(path) => cmd.keep_output(path, REPORT),
            None => cmd,
        };
        let end = cmd.supervise(&limits, &mut |line| {
            lines += 1;
            on_line(&plain(line));
        });
        let judgement = judge(&Facts { run: self.run, end: &end, lines, wall: self.wall });
        let stopped = end.as_ref().is_ok_and(|ended| ended.end == End::Interrupted);
        let kept = end.as_ref().is_ok_and(|ended| ended.kept);
        let tail = end.map(|ended| tail(&ended.tail, TAIL_BYTES)).unwrap_or_default();
        Tried { judgement, tail, stopped, kept }
    }

    fn cmd(&self) -> Cmd {
        match self.run {
            Run::Shell(line) => Cmd::shell(line, self.checkout, self.env),
            Run::Argv(words) => {
                let (program, args) = words.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
                // `./gradlew` is the checkout's, wherever we ourselves were started.
                let program =
                    if program.contains('/') { self.checkout.join(program) } else { program.into() };
                Cmd::new(program, self.checkout, self.env).args(args)
            }
        }
    }
}
