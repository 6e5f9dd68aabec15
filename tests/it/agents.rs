//! Agents without git: prompt, driver and decision together, with the scripted agent of `tests/fakes`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git_orch::agent::command::Command;
use git_orch::agent::commit_filter::{Choice, Entry, Ignored, Kind, classify};
use git_orch::agent::driver::{Driver, Ending, Event, Job, Limit};
use git_orch::agent::environment::AgentEnv;
use git_orch::agent::failing::{Failing, Room, select};
use git_orch::agent::prompt::{Check, Prompt};
use git_orch::agent::prompt_file;
use git_orch::agent::render::TaskText;
use git_orch::agent::wiggum::{Decision, Facts, Feedback, IterationFacts, Judged, counted, decide};
use git_orch::domain::id::{SessionId, TaskId};
use git_orch::domain::oid::Oid;
use git_orch::domain::verdict::{StepResult, Word};
use git_orch::sys::env::Env;
use git_orch::sys::fs;
use git_orch::sys::process::Limits;
use git_orch::sys::signal::Interrupts;

/// A directory in which a task is worked on until the file `answer` says 42.
struct Work {
    dir: tempfile::TempDir,
    history: Vec<IterationFacts>,
    failing: Failing,
    feedback: Option<Feedback>,
}

impl Work {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(&dir.path().join("tree")).expect("a directory");
        fs::write_new(&dir.path().join("tree/answer"), b"7\n", 0o644).expect("a file");
        Self { dir, history: Vec::new(), failing: Failing::default(), feedback: None }
    }

    fn answer(&self) -> String {
        fs::read_string(&self.dir.path().join("tree/answer")).expect("a file").trim().to_owned()
    }

    /// The id of the tree, as far as this test has one: its answer.
    fn tree(answer: &str) -> Oid {
        let hex = answer.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
        Oid::parse(&format!("{hex:a>40}")).expect("short enough")
    }

    fn job(&self) -> Job<'static> {
        let (session, task) = (SessionId::from_bits(1), TaskId::from_bits(2));
        let iteration = u32::try_from(self.history.len()).expect("few") + 1;
        let prompt_file = prompt_file::path(&self.dir.path().join("common"), &session, &task, iteration);
        let worktree = self.dir.path().join("tree");
        let base = Self::tree("7");
        let text = TaskText {
            id: task.to_string(),
            kind: "bug".to_owned(),
            title: "the answer is wrong".to_owned(),
            priority: "P2".to_owned(),
            body: String::new(),
            acceptance: Vec::new(),
            files: Vec::new(),
            rejected: String::new(),
        };
        let prompt = Prompt {
            task: &text,
            worktree: &worktree,
            branch: "fix/00000002",
            base: &base,
            port_base: 42000,
            attempt: counted(&self.history) + 1,
            budget: 4,
            contract: &[],
            checks: &[Check { name: "answer".to_owned(), run: "check answer".to_owned() }],
            feedback: self.feedback,
            failing: &self.failing,
        };
        prompt_file::write(&prompt_file, &prompt.render().expect("our template")).expect("a prompt");
        Job {
            task,
            session,
            iteration,
            worktree,
            branch: "fix/00000002".to_owned(),
            base,
            port_base: 42000,
            files: Vec::new(),
            prompt_file,
            env: AgentEnv::scrubbed(&Env::capture()),
            held: None,
        }
    }

    /// One run of the scripted agent, without a decision.
    fn run(&self, script: &str, limits: &Limits) -> (Ending, Vec<String>) {
        let fake = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/agent.sh");
        let mut lines = Vec::new();
        let driver = Command::new(None, &format!("sh '{}' {script}", fake.display()));
        let ending = driver.run(&self.job(), limits, &mut |event| {
            if let Event::Line(line) = event {
                lines.push(line);
            }
        });
        (ending.expect("it starts"), lines)
    }

    /// One iteration: agent, check, decision.
    fn iterate(&mut self, script: &str) -> Decision {
        let before = Self::tree(&self.answer());
        let (ending, _) = self.run(script, &limits());
        let answer = self.answer();
        let word = if answer == "42" { Word::Pass } else { Word::Fail };
        let step = StepResult {
            name: "answer".to_owned(),
            kind: "test".to_owned(),
            word,
            reason: Some("exit 1".to_owned()),
            millis: 1,
            exit: Some(1),
            tail: format!("found: {answer}\nexpected: 42"),
            report: None,
            key: None,
            cached: None,
        };
        self.failing = select(&[step], Room::default());
        let judged = Some(Judged { word, failure: answer.clone(), summary: "answer (exit 1)".to_owned() });
        let now = IterationFacts { before, after: Self::tree(&answer), judged, ending };
        let decision = decide(&Facts {
            base: &Self::tree("7"),
            budget: 4,
            prompts: Command::new(None, "").prompts(),
            now: &now,
            spent: 0,
            history: &self.history,
        });
        self.feedback = if let Decision::Retry(feedback) = decision { Some(feedback) } else { None };
        self.history.push(now);
        decision
    }

    fn until_decided(&mut self, script: &str) -> String {
        loop {
            let decision = self.iterate(script);
            if !matches!(decision, Decision::Retry(_)) {
                return format!("{} runs, {decision:?}", self.history.len());
            }
        }
    }
}

fn limits() -> Limits {
    Limits { grace: Duration::from_millis(100), ..Limits::wall(None, &Interrupts::default()) }
}

/// Waits until the process is gone, or dead and not yet reaped.
fn gone(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    while fs::read_string(&stat).is_ok_and(|text| !text.contains(") Z")) {
        std::thread::yield_now();
    }
}

#[test]
fn an_agent_learns_from_what_failed() {
    let mut work = Work::new();
    assert_eq!(work.iterate("obey answer"), Decision::Retry(Feedback::Failing));
    assert_eq!(work.answer(), "?");
    assert_eq!(work.iterate("obey answer"), Decision::Allow);
}

#[test]
fn each_sort_of_agent_comes_to_its_end() {
    let end = |script| Work::new().until_decided(script);
    let scripts = [
        "write answer 42",
        "fail answer 42",
        "nth answer 1 2 42",
        "nth answer 1 2 3 4 5 6",
        "nth answer 1 2 1",
        "write answer 1",
        "nothing",
        "crash 2 write answer 42",
        "crash 9 nothing",
    ];
    let table: Vec<String> = scripts.iter().map(|script| format!("{script}: {}", end(script))).collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    write answer 42: 1 runs, Allow
    fail answer 42: 1 runs, Allow
    nth answer 1 2 42: 3 runs, Allow
    nth answer 1 2 3 4 5 6: 4 runs, GiveUp("4 of 4 iterations used; still failing: answer (exit 1)")
    nth answer 1 2 1: 3 runs, Ask("stuck: the same change failed in the same way before; still failing: answer (exit 1)")
    write answer 1: 3 runs, Ask("the agent changed nothing, twice in a row; still failing: answer (exit 1)")
    nothing: 2 runs, Ask("the agent changed nothing, twice in a row; still failing: answer (exit 1)")
    crash 2 write answer 42: 3 runs, Allow
    crash 9 nothing: 4 runs, Ask("the agent was killed by signal 9; 4 of its runs ended so without a change")
    "#);
}

#[test]
fn nothing_that_an_agent_started_stays() {
    let work = Work::new();
    let (ending, lines) = work.run("orphan nothing", &limits());
    assert_eq!(ending, Ending::Finished { exit: 0 });
    gone(&lines[0]);
    let wall = Limits { wall: Some(Duration::from_millis(300)), ..limits() };
    let (ending, lines) = work.run("stubborn", &wall);
    assert_eq!(ending, Ending::Stalled(Limit::Wall));
    gone(&lines[0]);
    assert_eq!(work.run("talk", &wall).0, Ending::Stalled(Limit::Wall));
    let idle = Limits { idle: Some(Duration::from_millis(200)), ..limits() };
    assert_eq!(work.run("stall", &idle).0, Ending::Stalled(Limit::Idle));
}

#[test]
fn litter_is_not_committed() {
    let work = Work::new();
    assert_eq!(work.run("litter", &limits()).0, Ending::Finished { exit: 0 });
    let tree = work.dir.path().join("tree");
    let mut table = Vec::new();
    for name in ["answer", ".env", "node_modules/p/index.js", "link-out", "pipe"] {
        let path = tree.join(name);
        let kind = path.symlink_metadata().expect("it left this").file_type();
        let (target, content);
        let kind = if kind.is_symlink() {
            target = path.read_link().expect("a link");
            Kind::Link(&target)
        } else if kind.is_file() {
            content = fs::read(&path).expect("a file");
            Kind::File { size: content.len() as u64, content: &content }
        } else {
            Kind::Other
        };
        let entry = Entry { path: Path::new(name), ignored: Ignored::No, kind, base: None };
        table.push(match classify(&entry) {
            Choice::Keep => format!("{name}: keep"),
            Choice::Skip(reason) => format!("{name}: {reason}"),
        });
    }
    insta::assert_snapshot!(table.join("\n"), @"
    answer: keep
    .env: a file of this name holds secrets
    node_modules/p/index.js: build output or a cache; `.gitignore` should name it
    link-out: a link out of the worktree
    pipe: not a regular file
    ");
}
