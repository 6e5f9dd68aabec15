//! `git orch man`.

use std::path::{Path, PathBuf};

use crate::cli::command_error::CommandError;
use crate::cli::docs;
use crate::cli::exit::Exit;
use crate::cli::invocation::Invocation;
use crate::cli::out::Out;
use crate::report::words::plural;
use crate::sys::env;
use crate::sys::fs::{self, Durability};

/// Print the manual page, or install all of them
///
/// `git orch --help` works once they are installed: git asks `man` for it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  git orch man | man -l -
  git orch man --install                      beside the program: ../share/man/man1
  git orch man --install ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write a page for every command into DIR [default: ../share/man/man1 beside the program]
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
    pub install: Option<Option<PathBuf>>,
}

/// Prints the main page, or writes all of them.
pub fn run(cx: &Invocation<'_>, out: &mut Out, args: &ManArgs) -> Result<Exit, CommandError> {
    let Some(dir) = &args.install else {
        out.data(&docs::main_page()?);
        return Ok(Exit::Done);
    };
    let dir = match dir {
        Some(dir) => cx.cwd.join(dir),
        None => beside_the_program()?,
    };
    let count = install(&dir)?;
    out.status(&format!("Installed {} in {}.", plural(count, "manual page"), dir.display()));
    if !on_manpath(&dir, cx) {
        out.hint(&format!(
            "`man` does not look there by itself: add {} to MANPATH",
            man_root(&dir).display()
        ));
    }
    Ok(Exit::Done)
}

fn install(dir: &Path) -> Result<usize, CommandError> {
    let pages = docs::pages()?;
    fs::create_dir_all(dir)?;
    for (name, page) in &pages {
        fs::write_atomic(&dir.join(name), page.as_bytes(), 0o644, Durability::None)?;
    }
    Ok(pages.len())
}

/// `/x/bin/git-orch` has its pages in `/x/share/man/man1`, where `man` looks for what `/x/bin` on PATH has.
fn beside_the_program() -> Result<PathBuf, CommandError> {
    let program = env::current_program().and_then(|path| path.canonicalize());
    let prefix = program.ok().and_then(|path| Some(path.parent()?.parent()?.to_owned()));
    let prefix = prefix.ok_or_else(|| {
        CommandError::new(Exit::Environment, "cannot tell where this program lies")
            .next("git orch man --install DIR")
    })?;
    Ok(prefix.join("share/man/man1"))
}

fn man_root(dir: &Path) -> &Path {
    dir.parent().unwrap_or(dir)
}

/// Whether `man` finds pages there: a directory beside `share` is on PATH, as a rule `bin`, or MANPATH names it.
fn on_manpath(dir: &Path, cx: &Invocation<'_>) -> bool {
    let root = man_root(dir);
    let prefix = root.ends_with("share/man").then(|| root.parent().and_then(Path::parent)).flatten();
    let beside = |entry: PathBuf| entry.parent().is_some_and(|parent| Some(parent) == prefix);
    let path = cx.env.get(env::var::PATH);
    let found = path.is_some_and(|list| std::env::split_paths(list).any(beside));
    // An empty entry of MANPATH stands for what PATH gives.
    cx.env.get("MANPATH").map_or(found, |list| {
        std::env::split_paths(list).any(|entry| entry == root || (entry.as_os_str().is_empty() && found))
    })
}
