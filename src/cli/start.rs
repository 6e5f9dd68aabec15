//! From argv to an exit code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

use crate::cli::app::{self, Cli};
use crate::cli::args::{Color, GlobalArgs};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::{Out, last_words};
use crate::cli::{commands, complete, logging};
use crate::report::words::harmless;
use crate::sys::clock::Clock;
use crate::sys::env::Env;

/// Runs the command that `args` (the program's name first) ask for.
pub fn start(env: &Env, cwd: std::io::Result<PathBuf>, args: Vec<OsString>) -> Exit {
    if env.get(complete::VARIABLE).is_some() {
        return complete::answer(args, cwd.ok().as_deref());
    }
    let json = asks_for_json(&args);
    let cli = match app::parse(&args) {
        Ok(cli) => cli,
        Err(e) => return refuse(env, &e, &help_of(&args), json),
    };
    let mut out = Out::open(env, &cli.global, Clock.now());
    if cli.command.as_ref().is_some_and(commands::Command::wants_json) {
        out.expect_json();
    }
    let result = perform(env, cwd, &mut out, &cli);
    close(out, result)
}

fn perform(env: &Env, cwd: std::io::Result<PathBuf>, out: &mut Out, cli: &Cli) -> Result<Exit, CommandError> {
    logging::install(env, cli.global.verbose)?;
    let cx = Invocation { env, cwd: directory(cwd, cli.global.directory.as_deref())? };
    if let Some(command) = &cli.command {
        return commands::run(&cx, out, command);
    }
    out.data(&app::short_help().ansi().to_string());
    Ok(Exit::Done)
}

fn directory(cwd: std::io::Result<PathBuf>, change: Option<&Path>) -> Result<PathBuf, CommandError> {
    let dir = match (cwd, change) {
        (_, Some(dir)) if dir.is_absolute() => dir.to_owned(),
        (Ok(cwd), change) => cwd.join(change.unwrap_or(Path::new(""))),
        (Err(e), _) => {
            let error = CommandError::from_error(Exit::Environment, &e);
            return Err(error.rule("environment.directory").next("cd to a directory that exists"));
        }
    };
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(CommandError::new(Exit::Usage, format!("{} is not a directory", dir.display())))
}

fn close(mut out: Out, result: Result<Exit, CommandError>) -> Exit {
    let exit = match result {
        Ok(exit) => exit,
        Err(error) => {
            out.error(&error);
            error.exit()
        }
    };
    match out.finish() {
        Ok(()) => exit,
        Err(error) => {
            last_words(&harmless(error.render().trim_end()));
            if exit == Exit::Done { error.exit() } else { exit }
        }
    }
}

/// The command line can't be understood, or help or the version was asked for.
fn refuse(env: &Env, error: &clap::Error, help: &str, json: bool) -> Exit {
    let mut out = Out::open(env, &GlobalArgs { color: Color::Auto, ..GlobalArgs::default() }, Clock.now());
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    let text = error.render().ansi().to_string();
    if asked && error.exit_code() == 0 {
        out.data(&text);
        return close(out, Ok(Exit::Done));
    }
    if json {
        out.expect_json();
        let error = CommandError::new(Exit::Usage, usage_fact(&text)).rule("usage");
        return close(out, Err(error.next(help)));
    }
    // clap names `--help`, which git takes for itself: it wants a manual page that may not be installed.
    let text = match text.rsplit_once("For more information, try") {
        Some((before, _)) => format!("{before}For more information: {help}\n"),
        None => text,
    };
    out.words(&text);
    close(out, Ok(Exit::Usage))
}

/// What shows the help of the command that was typed, as far as it is one.
fn help_of(args: &[OsString]) -> String {
    let (mut tree, mut line) = (app::command(), "git orch".to_owned());
    for arg in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        let Some(sub) = tree.find_subcommand(arg) else { break };
        line = format!("{line} {}", sub.get_name());
        tree = sub.clone();
    }
    line + " -h"
}

/// clap's message in one line, without the usage and the hints that follow it.
fn usage_fact(text: &str) -> String {
    let text = harmless(text);
    let message = text.split("\n\n").next().unwrap_or(&text);
    let words: Vec<&str> = message.trim_start_matches("error:").split_whitespace().collect();
    words.join(" ")
}

fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json" || arg == "--json-events")
}

/// What is said when the program has a bug; `what` is the panic's message and place.
pub fn bug(what: &str) {
    last_words(&format!(
        "error: BUG: {what}\n\
         This is a fault of git-orch {}, not yours. The same command carries on from what was done.\n\
         next: report this line with the command that you typed",
        env!("CARGO_PKG_VERSION"),
    ));
}
