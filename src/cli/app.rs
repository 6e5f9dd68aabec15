//! The command tree: global options, commands, and how help groups them.

use std::ffi::OsString;

use clap::builder::{StyledStr, Styles};
use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use crate::cli::args::GlobalArgs;
use crate::cli::commands::Command;
use crate::report::lines::Lines as _;
use crate::report::palette::{ERROR_LABEL, GOOD, HINT_LABEL, LITERAL, STRONG, WARN};

/// Turn any git repository into an orchestrator for coding agents and people
///
/// The repository is the database, git hooks are the enforcement, a git remote is the coordination service.
/// `git orch init` sets it up; `git orch next` hands you the next task in a worktree of its own; `git orch
/// ralph` judges what you did; `git orch merge` brings it into trunk; `git orch run` does all of that by
/// itself.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "git-orch",
    bin_name = "git orch",
    version,
    styles = STYLES,
    max_term_width = 100,
    infer_subcommands = false,
    disable_help_flag = true,
    after_help = "Exit codes and the first ten minutes are in the README. Help for a command: git orch help COMMAND"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

const STYLES: Styles = Styles::styled()
    .header(STRONG)
    .usage(STRONG)
    .literal(LITERAL)
    .error(ERROR_LABEL)
    .context(HINT_LABEL)
    .valid(GOOD)
    .invalid(WARN);

/// How help groups the commands. A test wants every visible command in exactly one group.
pub const GROUPS: [(&str, &[&str]); 6] = [
    ("Set up", &["init", "status", "doctor", "demo", "uninstall"]),
    ("Fill the queue", &["add", "list", "show", "edit", "dep", "block", "unblock", "close", "reopen"]),
    ("Work on a task", &["next", "start", "release", "worktree"]),
    ("Verify and merge", &["ralph", "push", "merge", "approve", "reject", "override"]),
    ("Let it run", &["run", "sync", "mode", "log", "metrics", "maintain"]),
    ("Shell and manual", &["man", "completions"]),
];

/// The command tree as the manual and the completions want it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads a command line, the program's name first. Help and version are errors, too, of exit code 0.
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let tree = sufficient(&args).unwrap_or_else(|| grouped(command()));
    Cli::from_arg_matches_mut(&mut tree.try_get_matches_from(args)?)
}

/// The part of the tree that this command line needs, where that is known at once: building all of it takes longer
/// than most commands.
fn sufficient(args: &[OsString]) -> Option<clap::Command> {
    match args.get(1)?.to_str()? {
        "-V" | "--version" if args.len() == 2 => Some(root()),
        name => Command::alone(name).map(|command| root().subcommand(command)),
    }
}

/// The program without its commands.
fn root() -> clap::Command {
    let root = clap::Command::new("git-orch").bin_name("git orch").version(env!("CARGO_PKG_VERSION"));
    let root = root.disable_help_flag(true);
    GlobalArgs::augment_args(root.styles(STYLES).max_term_width(100))
}

/// The help of `git orch` alone.
pub fn short_help() -> StyledStr {
    grouped(command()).render_help()
}

/// The same tree, with the list of commands in groups.
fn grouped(command: clap::Command) -> clap::Command {
    let list = list(&command);
    command
        .help_template("{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{options}{after-help}")
        .before_help(list)
}

fn list(command: &clap::Command) -> StyledStr {
    let width = GROUPS.iter().flat_map(|(_, names)| names.iter().map(|n| n.len())).max().unwrap_or(0);
    let mut text = String::new();
    for (heading, names) in GROUPS {
        text.line(&format!("{STRONG}{heading}:{STRONG:#}"));
        for name in names {
            let about = command.find_subcommand(name).map_or_else(String::new, about);
            text.line(&format!("  {LITERAL}{name:<width$}{LITERAL:#}  {about}"));
        }
        text.line("");
    }
    text.trim_end().to_owned().into()
}

/// A command's one line.
pub(crate) fn about(command: &clap::Command) -> String {
    command.get_about().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
        grouped(command()).debug_assert();
    }

    #[test]
    fn a_command_alone_is_what_it_is_in_the_tree() {
        let alone = |command: &clap::Command| Command::alone(command.get_name()).is_some();
        let names: Vec<String> =
            command().get_subcommands().filter(|c| alone(c)).map(|c| c.get_name().to_owned()).collect();
        assert!(names.len() >= 11, "{names:?}");
        for name in &names {
            for end in [&["--help"][..], &["-h"], &["--no-such-option"], &["--limit"], &["--color", "red"]] {
                let line: Vec<&str> = ["git-orch", name].iter().chain(end).copied().collect();
                let words = |tree: clap::Command| {
                    tree.try_get_matches_from(&line).map(drop).map_err(|e| e.to_string())
                };
                let args: Vec<OsString> = line.iter().map(Into::into).collect();
                let part = sufficient(&args).expect("it is known");
                assert_eq!(words(part), words(grouped(command())), "{line:?}");
            }
        }
        let version =
            |tree: clap::Command| tree.try_get_matches_from(["git-orch", "-V"]).unwrap_err().to_string();
        assert_eq!(version(root()), version(command()));
    }

    #[test]
    fn every_visible_command_is_in_one_group() {
        let command = command();
        let mut visible: Vec<&str> =
            command.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        visible.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(visible, grouped);
    }

    #[test]
    fn every_command_and_option_has_words() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(!about(command).is_empty(), "{path} has no help");
            assert!(!about(command).ends_with('.'), "{path}: the first line is a heading, not a sentence");
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{path} {} has no help", arg.get_id());
            }
            command.get_subcommands().for_each(|sub| check(sub, &path));
        }
        check(&command(), "");
    }

    #[test]
    fn examples_in_help_are_real() {
        fn check(command: &clap::Command) {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in examples.lines().filter_map(|l| l.strip_prefix("  git orch ")) {
                let line = line.split("   ").next().unwrap_or(line).split(" | ").next().unwrap_or(line);
                let words = words(line);
                let args = ["git-orch".to_owned()].into_iter().chain(words);
                if let Err(e) = parse(args) {
                    panic!("`git orch {line}`: {e}");
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    /// Splits as a shell would, without expansion.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.trim().chars() {
            match (c, quote) {
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(q)) if c == q => quote = None,
                (' ', None) => words.push(String::new()),
                (c, _) => words.last_mut().unwrap().push(c),
            }
        }
        words
    }

    #[test]
    fn the_first_screen() {
        insta::assert_snapshot!(crate::report::words::harmless(&short_help().to_string()), @r"
        Turn any git repository into an orchestrator for coding agents and people

        Usage: git orch [OPTIONS] [COMMAND]

        Set up:
          init         Set up git-orch in this repository
          status       Show where the repository stands
          doctor       Look for what is wrong, and repair it
          demo         See all of it at work on a small repository
          uninstall    Take git-orch out of this repository

        Fill the queue:
          add          Add a task, or many from a file
          list         List tasks
          show         Show a task in full
          edit         Change a task's title, body or fields
          dep          What a task needs before it can be taken
          block        Keep a task from being taken
          unblock      Put a blocked task back into the queue
          close        Give a task up
          reopen       Put a done or closed task back into the queue

        Work on a task:
          next         Take the next ready task, in a worktree of its own
          start        Take a certain task, or make one of what you have begun
          release      Give a task back to the queue
          worktree     The worktrees of tasks

        Verify and merge:
          ralph        Judge a commit: PASS, FAIL or BLOCKED
          push         Judge what would be pushed, then push it
          merge        Merge a task into trunk, once Ralph passes on the result
          approve      Approve a change of the gate, or what a guardrail found
          reject       Send a task's work back, with the reason
          override     Run one git command past the rules

        Let it run:
          run          Work through the queue by itself
          sync         Share the queue with the other clones
          mode         Show or set the kill switch
          log          Show who changed what
          metrics      Show what was done, and how long it took
          maintain     Keep the state small: archive what is long finished, pack what lies loose

        Shell and manual:
          man          Print the manual page, or install all of them
          completions  Print the completions for a shell

          -q, --quiet         Say less: only data, warnings and errors
          -v, --verbose...    Say more: -v what is done, -vv how, -vvv everything
          -C <DIR>            Run as if started in DIR
              --color <WHEN>  When to use colour: auto, always or never
          -h, --help          Print help (all of it: git orch help)
          -V, --version       Print version

        Exit codes and the first ten minutes are in the README. Help for a command: git orch help COMMAND
        ");
    }

    #[test]
    fn words_after_push_and_override_are_git_s() {
        let push = parse(["git-orch", "push", "--force-with-lease", "-q", "origin"]).unwrap();
        assert!(matches!(push.command, Some(Command::Push(args)) if args.args.len() == 3));
        assert!(!push.global.quiet);
        let line = ["git-orch", "override", "-m", "x", "--", "git", "commit", "-m", "y"];
        let over = parse(line).unwrap();
        assert!(matches!(over.command, Some(Command::Override(args)) if args.command.len() == 4));
        assert!(parse(["git-orch", "override", "--", "git"]).is_err());
        assert!(parse(["git-orch", "merge", "--override"]).is_err());
    }
}
