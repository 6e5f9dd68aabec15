//! Landlock: holds a process and all that it starts to what the sandbox names, whatever else fails.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::sys::sandbox::failure::{Failure, tried};
use crate::sys::sandbox::spec::Sandbox;

/// What the process sees as its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// One that was put together for it: all of it may be read.
    Own,
    /// The machine's.
    Machine,
}

/// What may be done with devices and `/proc`, besides reading.
const ALWAYS: [&str; 2] = ["/dev", "/proc"];

/// Restricts this process for good. Does nothing where there is no Landlock.
pub(super) fn restrict(sandbox: &Sandbox, root: Root) -> Result<(), Failure> {
    if sandbox.support.landlock == 0 {
        return Ok(());
    }
    let failure = |error: RulesetError| Failure::Landlock(error.to_string());
    let reads: Vec<PathBuf> = match root {
        Root::Own => vec![PathBuf::from("/")],
        Root::Machine => {
            let own = ALWAYS.iter().map(PathBuf::from);
            sandbox.reads.iter().cloned().chain(own).chain([sandbox.temp()]).collect()
        }
    };
    let mut writes: Vec<PathBuf> = sandbox.writes.clone();
    writes.extend(ALWAYS.iter().map(PathBuf::from));
    match root {
        Root::Own => {
            writes.push(PathBuf::from("/tmp"));
            writes.extend(
                sandbox.home.iter().chain(sandbox.placed.iter().map(|placed| &placed.place)).cloned(),
            );
        }
        Root::Machine => writes.push(sandbox.temp()),
    }
    let status = apply(&reads, &writes).map_err(failure)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err(Failure::Landlock("it is not there any more".to_owned())),
        (_, _) => Ok(()),
    }
}

/// The newest access rights that we know. An older kernel enforces those that it knows.
const NEWEST: ABI = ABI::V6;

fn apply(reads: &[PathBuf], writes: &[PathBuf]) -> Result<landlock::RestrictionStatus, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let read: BitFlags<AccessFs> = AccessFs::from_read(NEWEST);
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(reads, read))?
        .add_rules(path_beneath_rules(writes, all))?
        .restrict_self()
}

/// The version of Landlock's interface here; 0: none. Restricts this process to try it.
pub(super) fn version() -> u32 {
    match apply(&[PathBuf::from("/")], &[]).map(|status| status.landlock) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi as u32,
        Ok(LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) | Err(_) => 0,
    }
}

/// Becomes the program. Only returns if that fails.
#[expect(
    clippy::disallowed_methods,
    reason = "below `sys::process`: directory and environment are the caller's"
)]
pub(super) fn exec(program: &OsStr, args: &[OsString]) -> Failure {
    tried(format!("run {}", program.display()))(Command::new(program).args(args).exec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sandbox::spec::SCOPES;

    #[test]
    fn the_version_of_scopes_is_what_the_crate_says() {
        assert!(Scope::from_all(ABI::from(i32::try_from(SCOPES).unwrap() - 1)).is_empty());
        assert!(!Scope::from_all(ABI::from(i32::try_from(SCOPES).unwrap())).is_empty());
    }
}
