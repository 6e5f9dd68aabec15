//! What is generated from the command tree and the exit codes: manual pages, and blocks of the README and of
//! docs/. A test compares each block with what is generated; `ORCH_REGENERATE=1 cargo test docs` writes them.

use clap_mangen::Man;

use crate::cli::app::{self, GROUPS};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::report::lines::Lines as _;
use crate::report::words::harmless;

/// The README's table of commands, in Markdown.
pub fn command_table() -> String {
    let mut command = app::command();
    command.build();
    let mut out = String::new();
    for (heading, names) in GROUPS {
        out.line(&format!("| **{heading}** | |"));
        for sub in names.iter().filter_map(|name| command.find_subcommand(name)) {
            rows(sub, &mut out);
        }
    }
    // The first group's heading is the table's: Markdown has no table without one.
    out.replacen(" |\n", " |\n|---|---|\n", 1)
}

fn rows(command: &clap::Command, out: &mut String) {
    let about = app::about(command).replace('|', "\\|");
    out.line(&format!("| `{}` | {about} |", usage(command).replace('|', "\\|")));
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        rows(sub, out);
    }
}

/// `git orch show <TASK>`: the usage without options, which help has.
fn usage(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let positionals = command.get_positionals().map(|arg| {
        let value = arg.get_value_names().and_then(|names| names.first()).map_or("…", |n| n.as_str());
        let many = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "…" } else { "" };
        let dashes = if arg.is_last_set() { "-- " } else { "" };
        if arg.is_required_set() { format!(" {dashes}{value}{many}") } else { format!(" [{value}{many}]") }
    });
    name + &positionals.collect::<String>()
}

/// The table of exit codes, in Markdown.
pub fn exit_table() -> String {
    let mut out = "| code | meaning |\n|---|---|\n".to_owned();
    for exit in Exit::ALL {
        out.line(&format!("| {} | {} |", exit.code(), exit.meaning()));
    }
    out
}

/// The manual page of `git-orch`, in roff.
pub fn main_page() -> Result<String, CommandError> {
    let mut text = page(built())?;
    text += ".SH \"EXIT STATUS\"\n";
    for exit in Exit::ALL {
        text.line(&format!(".TP\n\\fB{}\\fR\n{}", exit.code(), roff(exit.meaning())));
    }
    Ok(text)
}

/// Every manual page: the file's name and its text.
pub fn pages() -> Result<Vec<(String, String)>, CommandError> {
    let mut pages = vec![("git-orch.1".to_owned(), main_page()?)];
    for sub in built().get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        collect(sub, "git-orch", &mut pages)?;
    }
    Ok(pages)
}

fn collect(
    command: &clap::Command,
    parent: &str,
    pages: &mut Vec<(String, String)>,
) -> Result<(), CommandError> {
    let name = format!("{parent}-{}", command.get_name());
    pages.push((format!("{name}.1"), page(command.clone().display_name(&name))?));
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        collect(sub, &name, pages)?;
    }
    Ok(())
}

fn built() -> clap::Command {
    let mut command = app::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(command: clap::Command) -> Result<String, CommandError> {
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man =
        Man::new(command).manual("git-orch manual").source(concat!("git-orch ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text))
        .and_then(|()| man.render_subcommands_section(&mut text))
        .map_err(|e| CommandError::from_error(Exit::Bug, &e))?;
    Ok(String::from_utf8_lossy(&text).into_owned() + &section(&notes))
}

/// What help shows after the options, line by line as it is: clap_mangen would fill the lines of examples.
fn section(notes: &str) -> String {
    let (heading, body) = match notes.split_once('\n') {
        Some((first, rest)) if first.starts_with("Example") => ("EXAMPLES", rest),
        _ if notes.is_empty() => return String::new(),
        _ => ("NOTES", notes),
    };
    let mut out = format!(".SH {heading}\n.nf\n");
    for line in body.lines() {
        out.line(&roff(line));
    }
    out + ".fi\n"
}

/// A line's text, safe as roff: a dot or a quote at its beginning would be a request.
fn roff(text: &str) -> String {
    let text = harmless(text).replace('\\', "\\e").replace('-', "\\-").replace('`', "\\`");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::sys::env::Env;
    use crate::sys::fs::{self, Durability};

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// Compares the block `name` of `path` with `wanted`, or writes it.
    #[track_caller]
    fn block(path: &str, name: &str, wanted: &str) {
        let path = file(path);
        let text = fs::read_string(&path).unwrap();
        let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
        let from = text.find(&begin).expect("the block's begin") + begin.len();
        let to = from + text[from..].find(&end).expect("the block's end");
        if Env::capture().get("ORCH_REGENERATE").is_some() {
            let text = format!("{}{wanted}{}", &text[..from], &text[to..]);
            fs::write_atomic(&path, text.as_bytes(), 0o644, Durability::None).unwrap();
            return;
        }
        assert_eq!(&text[from..to], wanted, "{}: ORCH_REGENERATE=1 cargo test docs", path.display());
    }

    #[test]
    fn the_readme_has_the_commands_of_the_help() {
        block("README.md", "commands", &command_table());
    }

    #[test]
    fn the_exit_codes_are_documented() {
        block("docs/exit-codes.md", "exit-codes", &exit_table());
    }

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["git-orch.1", "git-orch-next.1", "git-orch-dep-add.1", "git-orch-override.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.iter().any(|n| n.contains("hook") || n.contains("help")), "{names:?}");
        for (name, text) in &pages {
            let title = name.strip_suffix(".1").unwrap();
            assert!(text.contains(&format!(".TH {title} 1")), "{name}: {}", &text[..200]);
        }
    }

    #[test]
    fn examples_keep_their_lines() {
        insta::assert_snapshot!(section("Example:\n  a `b` --c\n.so \\x"), @r"
        .SH EXAMPLES
        .nf
          a \`b\` \-\-c
        \&.so \ex
        .fi
        ");
        assert!(main_page().unwrap().contains("\n.TP\n\\fB70\\fR\nour bug\n"));
    }
}
