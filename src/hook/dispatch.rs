//! The dispatcher: what `git-orch-hook` does when git runs it as a hook (docs/architecture.md, "Hooks").
//!
//! It must start in a millisecond and never fail on its own account: without settings it is only the hook
//! that was there before, and says so; but trunk stays guarded, by what the state says.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use crate::domain::branch;
use crate::hook::decode::{RefUpdate, Value, ref_updates};
use crate::hook::facts::{self, Live, state_files};
use crate::hook::guard::{self, Decision, Denial, Facts as _, decide, decide_other, decide_tracking};
use crate::hook::hint::{self, Scene};
use crate::hook::name::{Hook, Order, of_program};
use crate::hook::place::Place;
use crate::hook::settings::{Settings, SettingsError};
use crate::hook::whose::Whose;
use crate::hook::{chain, install, refs};
use crate::sys::ancestry;
use crate::sys::env::{Env, var};
use crate::sys::fs;
use crate::sys::process::Cmd;
use crate::sys::term;

/// A hook refused.
const REFUSED: i32 = 4;
/// Called by hand, without a hook's name.
const USAGE: i32 = 2;
/// The variable that merge, pull and rebase set for their children.
const REFLOG_ACTION: &str = "GIT_REFLOG_ACTION";

/// One run of the dispatcher.
struct Run<'a> {
    hook: String,
    program: PathBuf,
    args: &'a [OsString],
    hooks_dir: Option<PathBuf>,
    env: &'a Env,
    cwd: &'a Path,
}

/// Runs as the hook that `argv[0]` names (or `git-orch-hook HOOK ARG…`); returns the exit status.
pub fn main(argv: &[OsString], env: &Env, cwd: &Path) -> i32 {
    let Some(run) = Run::new(argv, env, cwd) else {
        term::say(&format!(
            "git-orch-hook: started by git as a hook; see `git orch doctor` ({})",
            install::MARKER
        ));
        return USAGE;
    };
    match Hook::parse(&run.hook) {
        Some(Hook::ReferenceTransaction) => run.reference_transaction(),
        hook => run.through_main(hook),
    }
}

impl<'a> Run<'a> {
    fn new(argv: &'a [OsString], env: &'a Env, cwd: &'a Path) -> Option<Self> {
        let program = PathBuf::from(argv.first()?);
        let name = of_program(&program)?;
        if name == "git-orch-hook" {
            let hook = argv.get(1)?.to_str()?.to_owned();
            return Some(Self { hook, program, args: &argv[2..], hooks_dir: None, env, cwd });
        }
        let hooks_dir = chain::hooks_dir(&program, cwd);
        Some(Self { hook: name, program, args: &argv[1..], hooks_dir, env, cwd })
    }

    fn previous(&self) -> Option<Cmd> {
        chain::previous(self.hooks_dir.as_deref()?, &self.hook, self.args, self.env, self.cwd)
    }

    /// Ends as the older hook with this standard input (None: the one we have), or with success.
    fn end_as_previous(&self, stdin: Option<Vec<u8>>) -> i32 {
        let Some(previous) = self.previous() else { return 0 };
        let error = fed(previous, stdin).exec();
        term::say(&format!("git-orch: {}", with_causes(&error)));
        1
    }

    fn reference_transaction(&self) -> i32 {
        if self.args.first().is_none_or(|state| state != "prepared") {
            return self.end_as_previous(None);
        }
        let Some(place) = Place::find(self.env, self.cwd) else { return self.end_as_previous(None) };
        let read = Settings::read(&place.orch());
        if read.as_ref().is_ok_and(|settings| !settings.enabled) {
            return self.end_as_previous(None);
        }
        if let (Ok(_), Some(dir)) = (&read, &self.hooks_dir) {
            install::repair(&place.orch(), dir);
        }
        let Ok(stdin) = term::input() else { return 0 };
        let updates = ref_updates(&stdin);
        let Some(settings) = read.map_or_else(|error| self.by_the_state(&updates, &error), Some) else {
            return self.end_as_previous(Some(stdin));
        };
        match self.guard(&place, &settings, &updates) {
            Some(text) => {
                term::say(&text);
                REFUSED
            }
            None => self.end_as_previous(Some(stdin)),
        }
    }

    /// What the guard goes by when its settings can't be read: the state says which branch is trunk, so that whoever
    /// spoils a file in the local directory has not opened trunk. Says so. None, and everything passes, where there is
    /// no state either, where the hooks are switched off, or where no branch is concerned.
    fn by_the_state(&self, updates: &[RefUpdate], error: &SettingsError) -> Option<Settings> {
        let is_branch = |name: &str| {
            name == guard::STATE || name.starts_with("refs/heads/") || name.starts_with("refs/remotes/")
        };
        let off = Cmd::new("git", self.cwd, self.env).args(["config", "--get", "orch.hooks"]);
        if !updates.iter().any(|update| is_branch(&update.name)) || hooks_are_off(&off) {
            return None;
        }
        let error = with_causes(error);
        let settings = facts::settings_by_state(self.env, self.cwd);
        term::say(&match &settings {
            Some(settings) => format!(
                "git-orch: {error}\n  {} is guarded all the same; next: git orch doctor --fix",
                settings.trunk
            ),
            None => format!("git-orch: this hook guarded nothing: {error}"),
        });
        settings
    }

    /// The text of the refusal, if trunk's guard refuses.
    fn guard(&self, place: &Place, settings: &Settings, updates: &[RefUpdate]) -> Option<String> {
        let facts = Live::new(place, settings, updates, self.env, self.cwd);
        let trunk = settings.trunk.as_str();
        let agent = Whose::new(&place.common_dir, None).task_in(self.env);
        let mut alias: Option<Option<String>> = None;
        for update in updates {
            let is_tracking = settings.tracking.as_ref() == Some(&update.name);
            if !is_tracking && update.name != guard::STATE && !update.name.starts_with("refs/heads/") {
                continue;
            }
            let protected = update.name == trunk
                || alias.get_or_insert_with(|| refs::target(&place.common_dir, trunk)).as_ref()
                    == Some(&update.name);
            let decision = if update.name == guard::STATE {
                judge_state(place, update, &facts)
            } else if is_tracking {
                decide_tracking(trunk, update, &facts)
            } else if protected {
                decide(trunk, update, &facts)
            } else if update.new == Value::Zero {
                decide_other(trunk, &update.name, &facts)
            } else {
                Decision::Allow
            };
            let decision = match (decision, agent) {
                (Decision::Allow, Some(own)) => guard::decide_by_agent(&update.name, own),
                (decision, _) => decision,
            };
            if let Decision::Deny(denial) = decision {
                if hooks_are_off(&facts.git(&["config", "--get", "orch.hooks"])) {
                    return None;
                }
                return Some(self.refusal(&denial, &facts, &place.git_dir));
            }
        }
        None
    }

    fn refusal(&self, denial: &Denial, facts: &Live<'_>, git_dir: &Path) -> String {
        let scene = Scene {
            command: facts.command().to_vec(),
            action: self.env.text(REFLOG_ACTION).unwrap_or_default().to_owned(),
            files: state_files(git_dir),
        };
        let mut text = format!("git-orch: refused by rule {}\n  {}", denial.rule, denial.fact);
        for (n, line) in denial.way_out.iter().enumerate() {
            text.push_str(if n == 0 { "\n  next: " } else { "\n        " });
            text.push_str(line);
        }
        if let Some(hint) = hint::after(&scene, denial.wanted.as_ref()) {
            text.push_str("\n  left: ");
            text.push_str(&hint);
        }
        text
    }

    fn through_main(&self, hook: Option<Hook>) -> i32 {
        if chain::is_under_way(&self.program, &self.hook, self.env) {
            return 0;
        }
        let settings = match Place::find(self.env, self.cwd).map(|place| Settings::read(&place.orch())) {
            Some(Ok(settings)) => settings,
            // It checks nothing even when all is well.
            Some(Err(_)) if hook == Some(Hook::CommitMsg) => return self.end_as_previous(None),
            Some(Err(error)) => return self.without_settings(hook, &error),
            None => return self.end_as_previous(None),
        };
        if !settings.enabled {
            return self.end_as_previous(None);
        }
        let is_needed = match hook {
            Some(Hook::PreCommit) => !self.is_judged_later(),
            Some(Hook::CommitMsg) => self.wants_trailers(),
            Some(_) | None => true,
        };
        if !is_needed {
            return self.end_as_previous(None);
        }
        match hook.map_or(Order::After, Hook::order) {
            Order::After => self.previous_then_main(hook, &settings),
            Order::Before => self.main_then_previous(hook, &settings),
        }
    }

    /// Whether `git commit` runs this hook and `prepare-commit-msg` is ours: it comes next, on the same index, and
    /// judges the same.
    fn is_judged_later(&self) -> bool {
        let Some(dir) = &self.hooks_dir else { return false };
        let whole = |hook: &str| {
            let meta = dir.join(hook).symlink_metadata().ok()?;
            (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then_some(meta.len())
        };
        let own = whole(&self.hook);
        own.is_some()
            && own == whole(Hook::PrepareCommitMsg.as_str())
            && hint::is_commit(&ancestry::command_of(ancestry::parent()))
    }

    /// Whether this may be a task's commit whose message has no trailers yet.
    fn wants_trailers(&self) -> bool {
        let message =
            self.args.first().and_then(|file| fs::read(&self.cwd.join(file)).ok()).unwrap_or_default();
        let has_them = String::from_utf8_lossy(&message).lines().any(|line| line.starts_with("Orch-Task: "));
        let head = Place::find(self.env, self.cwd)
            .and_then(|place| fs::read_string(&place.git_dir.join("HEAD")).ok())
            .and_then(|text| Some(text.strip_prefix("ref: refs/heads/")?.trim_end().to_owned()));
        !has_them && head.is_none_or(|name| branch::task_of(&name).is_some())
    }

    fn previous_then_main(&self, hook: Option<Hook>, settings: &Settings) -> i32 {
        let Some(previous) = self.previous() else { return self.end_as_main(hook, settings, None) };
        // Hooks of commits get no data, and the older one may want the terminal.
        let stdin = if hook.is_some() { None } else { term::input().ok() };
        match status(&fed(previous, stdin.clone())) {
            Ok(0) => self.end_as_main(hook, settings, stdin),
            Ok(status) => status,
            Err(text) => {
                term::say(&text);
                1
            }
        }
    }

    fn main_then_previous(&self, hook: Option<Hook>, settings: &Settings) -> i32 {
        if self.previous().is_none() {
            return self.end_as_main(hook, settings, None);
        }
        let stdin = term::input().unwrap_or_default();
        let main = self.main_command(settings).stdin(stdin.clone());
        let ended = status(&main).unwrap_or_else(|text| self.without_main(hook, &text));
        if ended == 0 { self.end_as_previous(Some(stdin)) } else { ended }
    }

    fn main_command(&self, settings: &Settings) -> Cmd {
        Cmd::new(&settings.main, self.cwd, self.env)
            .args(["hook", &self.hook])
            .args(self.args)
            .env(var::ORCH_HOOK, chain::marker(&self.hook))
    }

    fn end_as_main(&self, hook: Option<Hook>, settings: &Settings, stdin: Option<Vec<u8>>) -> i32 {
        let error = fed(self.main_command(settings), stdin).exec();
        self.without_main(hook, &format!("git-orch: {}", with_causes(&error)))
    }

    /// Nobody knows which program checks. Where there is a state, what has to be checked is refused, as without that
    /// program; else this is no repository of ours any more.
    fn without_settings(&self, hook: Option<Hook>, error: &SettingsError) -> i32 {
        let error = with_causes(error);
        let off = Cmd::new("git", self.cwd, self.env).args(["config", "--get", "orch.hooks"]);
        let ours = facts::settings_by_state(self.env, self.cwd).is_some();
        if hook.is_none() || !ours || hooks_are_off(&off) {
            term::say(&format!("git-orch: this hook checked nothing: {error}"));
            return self.end_as_previous(None);
        }
        term::say(&format!(
            "git-orch: {error}\n  nothing could be checked, so {} refuses\n  next: git orch doctor --fix\n        \
             git config orch.hooks off   (switches the hooks off in this clone)",
            self.hook
        ));
        REFUSED
    }

    /// The main binary is gone: what has to be checked is refused, everything else passes.
    fn without_main(&self, hook: Option<Hook>, problem: &str) -> i32 {
        let off = Cmd::new("git", self.cwd, self.env).args(["config", "--get", "orch.hooks"]);
        if hook.is_none_or(|hook| hook == Hook::CommitMsg) || hooks_are_off(&off) {
            return 0;
        }
        term::say(&format!(
            "{problem}\n  git-orch is not where it was when this clone's hooks were installed, so {} refuses\n  \
             next: install git-orch again, then `git orch init`   (cargo install --locked --path DIR)\n        \
             git config orch.hooks off   (switches the hooks off in this clone)",
            self.hook
        ));
        REFUSED
    }
}

/// Whether `git config --get orch.hooks` says so. Asked only before a refusal: what the main binary has
/// stored in `hook.toml` may be older, and there may be no main binary to store it.
fn hooks_are_off(config: &Cmd) -> bool {
    config.run().is_ok_and(|output| {
        ["off", "false", "no", "0"].iter().any(|word| output.text().trim().eq_ignore_ascii_case(word))
    })
}

/// With these bytes as standard input; None: with ours.
fn fed(command: Cmd, stdin: Option<Vec<u8>>) -> Cmd {
    match stdin {
        Some(bytes) => command.stdin(bytes),
        None => command,
    }
}

/// Runs to the end; the exit status as a shell would have it.
fn status(command: &Cmd) -> Result<i32, String> {
    let status = command.run_attached().map_err(|error| format!("git-orch: {}", with_causes(&error)))?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn judge_state(place: &Place, update: &RefUpdate, facts: &Live<'_>) -> Decision {
    let current = facts.tracked(guard::STATE);
    let packed = refs::packed(&place.common_dir, guard::STATE);
    match (current, packed) {
        (Ok(current), Ok(packed)) => guard::decide_state(update, &current, packed.as_ref()),
        // What can't be read can't be set back either; `doctor` repairs it.
        (Err(_), _) | (_, Err(_)) => Decision::Allow,
    }
}
