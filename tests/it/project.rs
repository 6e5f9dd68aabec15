//! A repository with git-orch set up, and a gate that tests steer by what is in the tree.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use git_orch::sys;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::run::{Cmd, Done, Outcome};

/// A set-up repository. Its gate notes each run in a file outside, and FAILs a tree that has a file `bad`.
pub(crate) struct Project {
    pub(crate) repo: TestRepo,
}

/// A task that was taken, in its worktree.
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) branch: String,
    pub(crate) repo: TestRepo,
}

impl Project {
    /// The repository `<root>/repo` with the usual gate.
    pub(crate) fn new() -> Self {
        let env = TestEnv::new();
        let gate = counting_gate(&env);
        Self::with(&env, &gate)
    }

    /// The same with `gate` as its `orch.toml`.
    pub(crate) fn with(env: &TestEnv, gate: &str) -> Self {
        let repo = env.repo("repo");
        Self::set_up(repo, gate)
    }

    /// Sets `repo` up: `orch.toml` and some sources are its second commit.
    pub(crate) fn set_up(repo: TestRepo, gate: &str) -> Self {
        repo.commit("gate", &[("orch.toml", gate), ("src/a", "1\n2\n3\n"), ("src/b", "b\n")]);
        repo.orch(&["init"]).success();
        Self { repo }
    }

    pub(crate) fn env(&self) -> &TestEnv {
        self.repo.env()
    }

    /// How often the usual gate ran.
    pub(crate) fn runs(&self) -> usize {
        let path = runs_file(self.env());
        sys::fs::read_optional(&path).expect("readable").map_or(0, |text| text.lines().count())
    }

    /// Adds a task with these options and takes it.
    pub(crate) fn task(&self, options: &[&str]) -> Task {
        let id = self.repo.cmd(ORCH).args(&["add", "work"]).args(options).run().success().line();
        self.start(&id)
    }

    /// Takes a task.
    pub(crate) fn start(&self, id: &str) -> Task {
        let shown = self.repo.orch(&["start", id, "--json"]).success().json();
        let text = |key: &str| shown[key].as_str().expect("a started task has it").to_owned();
        Task { id: text("id"), branch: text("branch"), repo: self.env().at(text("path")) }
    }

    /// What `show` says about a task.
    pub(crate) fn shown(&self, id: &str) -> serde_json::Value {
        self.repo.orch(&["show", id, "--json"]).success().json()
    }

    /// A task's status.
    pub(crate) fn status(&self, id: &str) -> String {
        self.shown(id)["status"].as_str().expect("a task has it").to_owned()
    }

    /// The repository is what git calls sound.
    pub(crate) fn is_sound(&self) {
        let done = self.repo.git(&["fsck", "--strict", "--no-dangling"]).success();
        assert_eq!(done.stdout, "");
    }
}

impl Task {
    /// Writes a file and commits it the way a user does.
    pub(crate) fn commits(&self, file: &str, text: &str) -> String {
        self.stage(file, text);
        self.repo.git(&["commit", "--quiet", "-m", "work"]).success();
        self.repo.rev("HEAD")
    }

    /// Writes a file and stages it.
    pub(crate) fn stage(&self, file: &str, text: &str) {
        self.repo.write(file, text);
        self.repo.git(&["add", "--", file]).success();
    }

    /// Runs the product here as an agent that the loop started would.
    pub(crate) fn agent(&self, args: &[&str]) -> Outcome {
        self.agent_cmd(ORCH).args(args).run()
    }

    /// A process of such an agent.
    pub(crate) fn agent_cmd(&self, program: &str) -> Cmd {
        self.repo.cmd(program).var("ORCH_TASK", &self.id)
    }
}

fn runs_file(env: &TestEnv) -> PathBuf {
    env.root().join("runs")
}

/// The usual gate.
pub(crate) fn counting_gate(env: &TestEnv) -> String {
    gate(&format!("echo run >> {}; test ! -e bad", runs_file(env).display()))
}

/// A gate of one step.
pub(crate) fn gate(run: &str) -> String {
    format!("[[ralph.step]]\nname = \"check\"\nkind = \"custom\"\nrun = '''{run}'''\n")
}

/// It was refused with this exit code by this rule.
#[track_caller]
pub(crate) fn refused(outcome: Outcome, code: i32, rule: &str) -> Done {
    let done = outcome.code(code);
    assert!(names_rule(&done.stderr, rule), "not by {rule}:\n{}\n{}", done.stdout, done.stderr);
    done
}

/// Whether a refusal names `rule` as the one that decided.
pub(crate) fn names_rule(stderr: &str, rule: &str) -> bool {
    stderr.contains(&format!("rule: {rule}\n")) || stderr.contains(&format!("refused by rule {rule}\n"))
}

/// From when on what did not happen never will.
const NEVER: Duration = Duration::from_secs(30);

/// Waits until the process at the other end of a fifo writes.
#[track_caller]
pub(crate) fn hear(fifo: &Path) {
    let path = fifo.to_owned();
    meet(fifo, move || drop(sys::fs::read(&path).expect("a fifo")));
}

/// Lets the process at the other end of a fifo go on, which reads.
#[track_caller]
pub(crate) fn tell(fifo: &Path) {
    let path = fifo.to_owned();
    meet(fifo, move || sys::fs::overwrite(&path, b"go\n", sys::fs::Durability::None).expect("a fifo"));
}

/// A thread of its own, because whoever opens a fifo waits for the other end, and nothing stops it.
#[track_caller]
fn meet(fifo: &Path, act: impl FnOnce() + Send + 'static) {
    let (met, meeting) = mpsc::channel();
    std::thread::spawn(move || {
        act();
        met.send(())
    });
    assert!(meeting.recv_timeout(NEVER).is_ok(), "nobody is at the other end of {}", fifo.display());
}

/// Looks until `seen` holds. Fails after half a minute: then it never will.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut seen: impl FnMut() -> bool) {
    let start = sys::clock::Clock.monotonic();
    while !seen() {
        assert!(start.elapsed() < NEVER, "{what}: it did not happen");
        sys::clock::Clock.wait(Duration::from_millis(2));
    }
}
