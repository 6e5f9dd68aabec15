//! Logs for whoever looks for a fault. Nothing is set up unless asked for: it would cost every start.

use tracing_subscriber::EnvFilter;

use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::sys::env::{Env, var};

/// Starts to log to stderr if `ORCH_LOG` is set or `-v` was given (`-v` info, `-vv` debug, `-vvv` trace).
pub(crate) fn install(env: &Env, verbose: u8) -> Result<(), CommandError> {
    let filter = match (env.text(var::ORCH_LOG), verbose) {
        (Some(filter), _) => filter.to_owned(),
        (None, 0) => return Ok(()),
        (None, 1) => "git_orch=info".to_owned(),
        (None, 2) => "git_orch=debug".to_owned(),
        (None, _) => "git_orch=trace".to_owned(),
    };
    let filter = EnvFilter::try_new(&filter)
        .map_err(|e| CommandError::new(Exit::Environment, format!("ORCH_LOG is no filter: {e}")))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
