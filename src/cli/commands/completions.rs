//! `git orch completions`.

use crate::cli::command_error::CommandError;
use crate::cli::complete::{self, Shell};
use crate::cli::exit::Exit;
use crate::cli::out::Out;

/// Print the completions for a shell
///
/// They complete `git orch` as well as `git-orch`, task ids included.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Put one of these where your shell starts:
  bash   eval \"$(git orch completions bash)\"
  zsh    eval \"$(git orch completions zsh)\"      (after compinit)
  fish   git orch completions fish | source")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// Prints the script.
pub fn run(out: &mut Out, args: &CompletionsArgs) -> Result<Exit, CommandError> {
    out.data(&complete::script(args.shell)?);
    Ok(Exit::Done)
}
