//! The loop over real repositories, real agents and a real gate; also what is left of it when it is killed.

use std::path::{Path, PathBuf};

use git_orch::config::Merging;
use git_orch::domain::control::{Control, Mode};
use git_orch::domain::draft::{Draft, Need};
use git_orch::domain::id::{IdPrefix, TaskId};
use git_orch::domain::kind::Kind;
use git_orch::domain::session::Outcome;
use git_orch::domain::task::{State, Task};
use git_orch::domain::time::Timestamp;
use git_orch::index::Filter;
use git_orch::ops::progress::Event;
use git_orch::ops::push::{Pushed, push};
use git_orch::ops::run::{Ended, RunOptions, RunReport, Stopped, run};
use git_orch::ops::{Ctx, OpError, tasks, worktrees};
use git_orch::policy::grant::Action;
use git_orch::store::{Change, Meta, Store};
use git_orch::sys::clock::Clock;
use git_orch::sys::fs::Durability;
use git_orch::sys::signal::Interrupts;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::{hear, tell};
use crate::run::Running;

/// Passes when every file `answer*` says 42.
const GATE: &str = "[[ralph.step]]\nname = 'answer'\nkind = 'test'\n\
    run = 'for f in answer*; do grep -qx 42 $f || { echo \"$f: expected: 42\"; exit 1; }; done'\n";

/// A repository with a gate that fails, and git-orch set up in it.
struct World {
    repo: TestRepo,
    interrupts: Interrupts,
}

/// What a run told, and what it came to.
struct Ran {
    report: RunReport,
    events: Vec<Event>,
}

impl World {
    fn new() -> Self {
        Self::with(&[("orch.toml", GATE), ("answer", "7\n")])
    }

    /// One with a task for what is wrong in it.
    fn with_bug() -> (Self, TaskId) {
        let world = Self::new();
        let id = world.add(Kind::Bug, "the answer is wrong");
        (world, id)
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let env = TestEnv::new();
        let repo = env.unborn("r");
        // The library reads the configuration of the process that it is in, which is this test's.
        for (key, value) in [("user.name", "Ann Lee"), ("user.email", "ann@example.com")] {
            repo.git(&["config", key, value]).success();
        }
        repo.commit("first", files);
        let world = Self { repo, interrupts: Interrupts::default() };
        let cx = world.cx();
        let meta = Meta::new("0".repeat(16), "main".into());
        let store = Store::new(&cx.repo, Durability::None);
        store.create(&cx.author(), Timestamp::from_millis(1), &meta).expect("a state");
        world.repo.git(&["config", "orch.durability", "none"]).success();
        world
    }

    fn cx(&self) -> Ctx {
        let cwd = self.repo.path("");
        Ctx::open(&self.repo.env().vars(), &cwd, self.interrupts.clone()).expect("a repository")
    }

    fn add(&self, kind: Kind, title: &str) -> TaskId {
        self.add_draft(Draft { kind, ..Draft::new(title.to_owned()) })
    }

    fn add_draft(&self, draft: Draft) -> TaskId {
        let mut tasks = tasks::add(&self.cx(), &[draft], "test").expect("added");
        tasks.pop().expect("one").id
    }

    fn task(&self, id: &TaskId) -> Task {
        let cx = self.cx();
        let snapshot = cx.snapshot().expect("a state");
        snapshot.task(id).expect("readable").expect("there")
    }

    fn status(&self, id: &TaskId) -> &'static str {
        self.task(id).register.state.status()
    }

    fn reason(&self, id: &TaskId) -> String {
        match self.task(id).register.state {
            State::Blocked(why) => why,
            other => panic!("{id} is {}", other.status()),
        }
    }

    /// Runs the loop in this process.
    fn run(&self, options: &RunOptions) -> Result<Ran, OpError> {
        let mut events = Vec::new();
        let report = run(&self.cx(), options, &mut |event| events.push(event))?;
        if let Some(error) = &report.failure {
            panic!("{error}: {:?}", std::error::Error::source(error));
        }
        Ok(Ran { report, events })
    }

    fn ran(&self, options: &RunOptions) -> Ran {
        self.run(options).unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)))
    }

    fn worktree(&self, id: &TaskId) -> PathBuf {
        worktrees::path(&self.cx(), id)
    }

    fn trunk_file(&self, file: &str) -> String {
        self.repo.git(&["show", &format!("main:{file}")]).success().stdout.trim().to_owned()
    }
}

impl Ran {
    fn outcomes(&self) -> Vec<&'static str> {
        self.report.session.tasks.iter().map(|task| task.outcome.as_str()).collect()
    }

    fn notes(&self) -> Vec<&str> {
        let mut notes = Vec::new();
        for event in &self.events {
            if let Event::Note { text, .. } = event {
                notes.push(text.as_str());
            }
        }
        notes
    }

    fn decisions(&self) -> Vec<String> {
        let decision = |event: &Event| match event {
            Event::IterationFinished { word, decision, .. } => {
                Some(format!("{} {decision:?}", word.map_or("-", |word| word.as_str())))
            }
            _ => None,
        };
        self.events.iter().filter_map(decision).collect()
    }
}

fn fake() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/agent.sh")
}

/// Options that let the scripted agent play `scenario`.
fn agent(scenario: &str) -> RunOptions {
    shell(&format!("sh '{}' {scenario}", fake().display()))
}

fn shell(line: &str) -> RunOptions {
    RunOptions { agent: Some(line.to_owned()), ..RunOptions::default() }
}

#[test]
fn an_agent_is_told_what_fails_until_it_passes_and_is_merged() {
    let (world, id) = World::with_bug();
    let ran = world.ran(&agent("obey answer"));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.events);
    assert_eq!(ran.decisions(), ["FAIL Retry(Failing)", "PASS Allow"]);
    assert_eq!(ran.report.ended(), Ended::Done);
    assert_eq!(ran.report.count(Outcome::Merged), 1);
    assert_eq!(world.trunk_file("answer"), "42");
    assert_eq!(world.repo.read("answer"), "42\n", "the clean checkout of trunk follows");
    let State::Done(evidence) = world.task(&id).register.state else { panic!("not done") };
    assert_eq!(evidence.commit.as_str(), world.repo.rev("main"));
    assert!(!world.worktree(&id).exists(), "nothing is left in its worktree");
    let format = "--format=%an: %s [%(trailers:key=Orch-Task,valueonly,separator=%x2C)]";
    world.repo.env().learn_id(id.as_str());
    insta::assert_snapshot!(world.repo.git(&["log", "--topo-order", format, "main"]).success(), @r"
    Ann Lee: Merge task ID1: the answer is wrong [ID1]
    Ann Lee: fix: the answer is wrong [ID1]
    Ann Lee: fix: the answer is wrong [ID1]
    Ann Lee: first []
    [exit: 0]
    ");
    let session = &ran.report.session;
    let cx = world.cx();
    let stored = cx.snapshot().unwrap().session(&session.id).unwrap().expect("recorded");
    assert_eq!(&stored, session);
    assert!(stored.ended.is_some());
    let shard = session.id.shard();
    let handoff = cx.snapshot().unwrap().file(&format!("sessions/{shard}/{}.md", session.id)).unwrap();
    assert!(handoff.expect("a handoff").contains("## Merged"), "what the next session reads");
    assert!(!cx.repo.orch_dir().join("live").join(session.id.as_str()).exists());
}

#[test]
fn what_may_not_be_committed_is_left_and_named() {
    let (world, id) = World::with_bug();
    let script = format!("sh '{}' litter; echo 42 > answer; echo x > .envrc.local", fake().display());
    let ran = world.ran(&shell(&format!("{script}; rm .envrc.local")));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.decisions());
    let tree = world.repo.git(&["ls-tree", "-r", "--name-only", "main"]).success();
    assert_eq!(tree.lines(), ["answer", "orch.toml"]);
    let notes = ran.notes().join("\n").replace(&*world.worktree(&id).to_string_lossy(), "$WORKTREE");
    insta::assert_snapshot!(notes, @r"
    not committed: .env: a file of this name holds secrets
    not committed: link-out: a link out of the worktree
    not committed: node_modules/p/index.js: build output or a cache; `.gitignore` should name it
    its worktree is kept: it has 3 untracked files
    ");
    assert!(world.worktree(&id).join(".env").exists(), "nothing is deleted");
    assert_eq!(world.repo.git(&["rev-list", "--all", "--", ".env"]).success().stdout, "");
}

#[test]
fn a_secret_in_a_tracked_file_stays_out_too() {
    let world = World::with(&[("orch.toml", GATE), ("answer", "7\n"), ("notes", "nothing\n")]);
    let id = world.add(Kind::Bug, "the answer is wrong");
    let key = format!("-----BEGIN RSA {} KEY-----", "PRIVATE");
    let ran = world.ran(&shell(&format!("echo 42 > answer; echo '{key}' > notes")));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.decisions());
    assert_eq!(world.trunk_file("notes"), "nothing");
    assert!(
        ran.notes()[0].starts_with("not committed: notes: contains what looks like"),
        "{:?}",
        ran.notes()
    );
    let left = git_orch::sys::fs::read_string(&world.worktree(&id).join("notes")).unwrap();
    assert_eq!(left.trim(), key, "nothing is taken back in the worktree");
}

#[test]
fn a_broken_contract_goes_back_to_the_agent() {
    let (world, id) = World::with_bug();
    let script = "echo 42 > answer; test $ORCH_ITERATION = 2 && rm -f extra || echo x > extra; \
        test $ORCH_ITERATION = 1 || grep -q 'this role adds no files' $ORCH_PROMPT_FILE";
    let ran = world.ran(&shell(script));
    assert_eq!(ran.decisions(), ["FAIL Retry(Failing)", "PASS Allow"]);
    assert_eq!(ran.outcomes(), ["merged"]);
    let branch = world.task(&id).register.work.expect("worked on").branch;
    assert_eq!(world.repo.try_rev(&branch), None, "merged branches go");
    assert_eq!(world.repo.git(&["rev-list", "--count", "--no-merges", "main"]).success().line(), "2");
}

#[test]
fn an_agent_s_own_commits_are_kept() {
    let world = World::new();
    world.add(Kind::Bug, "the answer is wrong");
    let ran = world.ran(&agent("commit answer 42"));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.decisions());
    let log = world.repo.git(&["log", "--no-merges", "--topo-order", "--format=%s", "main"]).success();
    assert_eq!(log.lines(), ["an agent committed this", "first"]);
}

#[test]
fn an_agent_s_commit_of_a_secret_is_taken_back() {
    let world = World::new();
    world.add(Kind::Bug, "the answer is wrong");
    let script = "echo 42 > answer; echo T=1 > .env; git add -A -f; git commit -q -m all; \
        git rm -q --cached .env; git commit -q -m 'hide it'";
    let ran = world.ran(&shell(script));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.decisions());
    assert_eq!(world.repo.git(&["rev-list", "main", "--", ".env"]).success().stdout, "");
    let log = world.repo.git(&["log", "--no-merges", "--topo-order", "--format=%s", "main"]).success();
    assert_eq!(log.lines(), ["fix: the answer is wrong", "first"]);
    assert!(
        ran.notes()[0].contains("the agent's own commits are taken back, because .env"),
        "{:?}",
        ran.notes()
    );
}

#[test]
fn an_agent_that_leaves_its_branch_is_told_and_nothing_is_lost() {
    let (world, id) = World::with_bug();
    let script = "echo 42 > answer; if test $ORCH_ITERATION = 1; then git switch -q -c mine; \
        else git switch -q $ORCH_BRANCH; fi";
    let ran = world.ran(&shell(script));
    assert_eq!(ran.decisions(), ["FAIL Retry(Failing)", "PASS Allow"], "{:?}", ran.events);
    assert_eq!(ran.outcomes(), ["merged"]);
    let kept = world.repo.git(&["show", &format!("refs/orch/backup/wip/{id}:answer")]).success();
    assert_eq!(kept.line(), "42");
}

#[test]
fn a_worktree_that_leads_elsewhere_is_not_touched() {
    let (world, id) = World::with_bug();
    let ran = world.ran(&shell("echo 42 > answer; rm .git; git init -q . && git add -A"));
    assert_eq!(ran.outcomes(), ["blocked"]);
    assert_eq!(ran.report.ended(), Ended::Blocked);
    assert!(world.reason(&id).contains("TAMPERED"), "{}", world.reason(&id));
    assert_eq!(world.trunk_file("answer"), "7");
}

#[test]
fn what_an_agent_can_not_do_is_a_person_s() {
    let world = World::new();
    let stuck = world.add(Kind::Bug, "stuck");
    let ran = world.ran(&agent("write answer 1"));
    assert_eq!(ran.outcomes(), ["blocked"]);
    assert!(world.reason(&stuck).contains("changed nothing, twice in a row; still failing: answer"));
    let spent = world.add(Kind::Bug, "spent");
    let ran = world.ran(&shell("echo $ORCH_ITERATION > answer"));
    assert_eq!(ran.outcomes(), ["failed"], "{:?}", ran.report.session.tasks);
    assert_eq!(ran.report.ended(), Ended::Failed);
    assert_eq!(ran.report.session.tasks[0].iterations, 15);
    assert_eq!(world.reason(&spent), "gave up: 15 of 15 iterations used; still failing: answer (exit 1)");
    let missing = world.add(Kind::Bug, "missing");
    assert_eq!(world.ran(&shell("true; no-such-agent")).outcomes(), ["blocked"]);
    assert!(world.reason(&missing).contains("no-such-agent"), "{}", world.reason(&missing));
    assert_eq!(world.trunk_file("answer"), "7");
}

#[test]
fn the_merge_of_a_branch_without_a_task_is_an_object_too() {
    let world = World::new();
    let repo = &world.repo;
    repo.git(&["switch", "--quiet", "-c", "plain"]).success();
    repo.commit("right", &[("answer", "42\n")]);
    let merged = repo.orch(&["merge", "plain", "--json"]).success();
    assert_eq!(merged.json()["branch"], "plain", "{merged}");
    assert_eq!(merged.json()["commit"], repo.rev("main"), "{merged}");
    repo.commit("wrong", &[("answer", "7\n")]);
    let refused = repo.orch(&["merge", "plain", "--json"]).code(1);
    assert_eq!(refused.json()["error"]["rule"], "ralph.verdict", "{refused}");
    repo.commit("right again", &[("answer", "42\n"), ("note", "more\n")]);
    let hinted = repo.orch(&["merge", "plain"]).success();
    assert!(hinted.stderr.contains("still on plain: `git switch main`"), "{hinted}");
}

#[test]
fn dev_work_waits_for_a_person_unless_told_otherwise() {
    let world = World::new();
    let one = world.add(Kind::Feature, "one");
    let ran = world.ran(&agent("write answer 42"));
    assert_eq!((ran.outcomes(), ran.report.ended()), (vec!["review"], Ended::Done));
    assert_eq!(world.status(&one), "review");
    assert!(world.worktree(&one).exists());
    let two = world.add(Kind::Feature, "two");
    let auto = RunOptions { merge: Some(Merging::Auto), ..agent("write answer 42") };
    assert_eq!(world.ran(&auto).outcomes(), ["merged"]);
    assert_eq!(world.status(&two), "done");
    let three = world.add(Kind::Bug, "three");
    let review =
        RunOptions { merge: Some(Merging::Review), ..shell("echo 42 > answer; echo 42 >> orch.toml") };
    assert_eq!(world.ran(&review).outcomes(), ["blocked"], "a changed gate needs a person");
    assert!(world.reason(&three).contains("gate.changed"), "{}", world.reason(&three));
}

#[test]
fn what_has_to_be_right_first_is_refused() {
    let world = World::with(&[("answer", "7\n")]);
    world.add(Kind::Bug, "x");
    let rule = |options: &RunOptions| match world.run(options) {
        Err(OpError::Refused(refused)) => refused.rule,
        Err(error) => panic!("{error}"),
        Ok(ran) => panic!("{:?}", ran.outcomes()),
    };
    assert_eq!(rule(&agent("write answer 42")), "ralph.no_steps");
    world.repo.commit("gate", &[("orch.toml", GATE)]);
    set_mode(&world, Mode::Paused);
    assert_eq!(rule(&agent("write answer 42")), "mode");
    set_mode(&world, Mode::Normal);
    assert_eq!(world.ran(&agent("write answer 42")).outcomes(), ["merged"]);
}

fn set_mode(world: &World, mode: Mode) {
    let cx = world.cx();
    let control = Control { mode, ..Control::default() };
    let change = Change { action: "mode", subject: "mode".into(), cause: "test".into(), note: None };
    cx.store()
        .transact(&cx.author(), Action::Control, |edit| {
            edit.put_control(&control, change.clone());
            Ok::<_, OpError>(())
        })
        .expect("set");
}

#[test]
fn off_stops_what_is_under_way() {
    let world = World::new();
    let id = world.add(Kind::Bug, "x");
    let script = "echo up > $ORCH_WORKTREE/../up; exec sleep 600";
    world.repo.sh("mkdir -p ../r.orch && mkfifo ../r.orch/up").success();
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            hear(&world.worktree(&id).with_file_name("up"));
            set_mode(&World { repo: world.repo.clone(), interrupts: Interrupts::default() }, Mode::Off);
        });
        World { repo: world.repo.clone(), interrupts: Interrupts::default() }.ran(&shell(script))
    });
    assert_eq!(ran.outcomes(), ["interrupted"]);
    assert_eq!(ran.report.stopped, Some(Stopped::Mode(Mode::Off)));
    assert_eq!(world.status(&id), "claimed");
}

#[test]
fn kinds_without_an_agent_are_left_alone() {
    let world = World::new();
    let (bug, quality) = (world.add(Kind::Bug, "bug"), world.add(Kind::Quality, "quality"));
    let ran = world.ran(&RunOptions::default());
    assert_eq!(ran.report.without_agent, 1);
    assert_eq!(ran.notes()[0], "1 ready task needs an agent: --agent CMD, or [agents] in orch.toml");
    assert_eq!(ran.outcomes(), ["blocked"], "no fixer knows this project");
    assert_eq!((world.status(&bug), world.status(&quality)), ("open", "blocked"));
    let ran = world.ran(&RunOptions::default());
    assert_eq!((ran.report.ended(), ran.report.without_agent), (Ended::Nothing, 1));
    let only = Filter { kinds: vec![Kind::Docs], ..Filter::default() };
    let ran = world.ran(&RunOptions { filter: only, ..agent("nothing") });
    assert_eq!((ran.report.ended(), ran.report.without_agent), (Ended::Nothing, 0));
}

#[test]
fn the_agent_is_the_role_s() {
    let gate = format!(
        "{GATE}[agents.scripted]\ncommand = 'echo 42 > answer'\n[roles.bugfix]\nagent = 'scripted'\n"
    );
    let world = World::with(&[("orch.toml", &gate), ("answer", "7\n")]);
    world.add(Kind::Bug, "bug");
    let ran = world.ran(&RunOptions::default());
    assert_eq!(ran.outcomes(), ["merged"]);
    let agents: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::TaskStarted { agent, .. } => Some(agent.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(agents, ["scripted"]);
}

#[test]
fn many_tasks_at_once_with_needs() {
    let files: Vec<(String, String)> = (0..6).map(|n| (format!("answer{n}"), "7\n".to_owned())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let gate = GATE.replace("answer*; do grep -qx 42 $f", "answer*; do grep -qxE \"7|42\" $f");
    let world = World::with(&[&[("orch.toml", gate.as_str())], &files[..]].concat());
    let mut ids: Vec<TaskId> = Vec::new();
    for n in 0..6 {
        let needs = (n >= 4).then(|| Need::Task(IdPrefix::parse(ids[n - 4].as_str()).unwrap()));
        let draft = Draft { needs: needs.into_iter().collect(), ..Draft::new(format!("answer{n}")) };
        ids.push(world.add_draft(draft));
    }
    let script = "f=$(sed -n 's/^# //p' $ORCH_PROMPT_FILE | head -n 1); echo 42 > $f; \
        echo $ORCH_PORT_BASE >> ../ports";
    let options = RunOptions { jobs: 3, until_empty: true, ..shell(script) };
    let ran = world.ran(&options);
    assert_eq!(ran.outcomes(), ["merged"; 6], "{:?}", ran.report);
    for n in 0..6 {
        assert_eq!(world.trunk_file(&format!("answer{n}")), "42");
    }
    let ports = git_orch::sys::fs::read_string(&world.worktree(&ids[0]).with_file_name("ports")).unwrap();
    assert!(ports.lines().all(|p| ["20000", "20020", "20040"].contains(&p)), "{ports}");
    world.repo.git(&["fsck", "--strict"]).success();
}

#[test]
fn at_most_so_many() {
    let world = World::new();
    let ids = [world.add(Kind::Bug, "one"), world.add(Kind::Bug, "two"), world.add(Kind::Bug, "three")];
    let options = RunOptions { max_tasks: Some(2), jobs: 2, ..agent("nothing") };
    assert_eq!(world.ran(&options).outcomes(), ["blocked"; 2]);
    assert_eq!(ids.map(|id| world.status(&id)), ["blocked", "blocked", "open"]);
}

#[test]
fn a_conflict_leaves_the_task_with_its_files_named() {
    let (world, id) = World::with_bug();
    let main = world.repo.path("");
    let script = format!(
        "echo 42 > answer; cd '{}' && echo 42,0 > answer && git commit -q -a -m meanwhile",
        main.display()
    );
    let ran = world.ran(&shell(&script));
    assert_eq!(ran.outcomes(), ["blocked"], "{:?}", ran.decisions());
    assert_eq!(world.reason(&id), "conflicts with trunk in answer");
    assert_eq!(world.trunk_file("answer"), "42,0");
}

#[test]
fn what_passes_alone_and_not_with_trunk_goes_back_to_the_agent() {
    let world = World::with(&[("orch.toml", GATE), ("answer", "7\n"), ("notes", "x\n")]);
    let id = world.add(Kind::Bug, "the answer is wrong");
    let main = world.repo.path("");
    // Trunk gets a second answer meanwhile, which is wrong, too. What the agent only touches is in nobody's way.
    let script = format!(
        "for f in answer*; do echo 42 > $f; done; touch -d '1 hour ago' notes; \
         test $ORCH_ITERATION = 1 || exit 0; cd '{}' && echo 8 > answer2 && echo more >> notes && \
         git add answer2 notes && git commit -q -m meanwhile",
        main.display()
    );
    let ran = world.ran(&shell(&script));
    assert_eq!(ran.decisions(), ["PASS Allow", "PASS Allow"]);
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.report);
    assert_eq!(world.trunk_file("answer2"), "42");
    assert!(ran.notes().iter().any(|note| note.contains("not together with trunk")), "{:?}", ran.notes());
    assert!(!world.worktree(&id).exists(), "{:?}", ran.notes());
}

impl World {
    /// A run as a process of its own.
    fn process(&self, agent: &str) -> Running {
        self.repo.cmd(ORCH).args(&["run", "--agent", agent]).spawn()
    }

    /// A fifo beside the worktrees, by which an agent and a test meet.
    fn fifo(&self, name: &str) -> PathBuf {
        let dir = worktrees::root(&self.cx());
        git_orch::sys::fs::create_dir_all(&dir).expect("beside the repository");
        let path = dir.join(name);
        self.repo.cmd("mkfifo").args(&[&path]).run().success();
        path
    }

    /// The whole is sound, and nothing of the task is left over.
    fn assert_merged_once(&self, id: &TaskId) {
        assert_eq!(self.status(id), "done");
        assert_eq!(self.trunk_file("answer"), "42");
        assert_eq!(self.repo.read("answer"), "42\n");
        assert_eq!(self.repo.git(&["rev-list", "--count", "--merges", "main"]).success().line(), "1");
        assert_eq!(self.repo.git(&["status", "--porcelain"]).success().stdout, "");
        self.repo.git(&["fsck", "--strict", "--no-dangling"]).success();
        assert!(!self.worktree(id).exists(), "its worktree went");
    }
}

#[test]
fn a_run_killed_under_its_agent_is_gone_on_with() {
    let (world, id) = World::with_bug();
    let up = world.fifo("up");
    // The agent leaves half of its work, says that it is up, and hangs.
    let hangs = format!("echo half > answer; echo up > '{}'; exec sleep 600", up.display());
    let mut process = world.process(&hangs);
    hear(&up);
    process.kill();
    assert_eq!(process.wait().any().status(), 137);
    assert_eq!(world.status(&id), "claimed");
    let fence = world.task(&id).register.fence;
    let ran = world.ran(&shell("test $(cat answer) = half && echo 42 > answer"));
    assert_eq!(ran.outcomes(), ["merged"], "{:?}", ran.decisions());
    assert!(world.task(&id).register.fence > fence, "it changed hands");
    let kept = world.repo.git(&["show", &format!("refs/orch/backup/wip/{id}:answer")]).success();
    assert_eq!(kept.line(), "half", "what was in the worktree is kept");
    world.assert_merged_once(&id);
}

#[test]
fn a_person_takes_over_what_a_killed_run_left() {
    let (world, id) = World::with_bug();
    let (up, pid) = (world.fifo("up"), world.repo.env().root().join("agent.pid"));
    let hangs = format!(
        "echo half > answer; echo new > new; echo $$ > '{}'; echo up > '{}'; exec sleep 600",
        pid.display(),
        up.display()
    );
    let mut process = world.process(&hangs);
    hear(&up);
    process.kill();
    process.wait().any();
    let agent = world.repo.cmd("cat").args(&[&pid]).run().success().line();
    world.repo.orch(&["start", id.as_str()]).success();
    // A zombie has no command line any more.
    let cmdline = std::path::PathBuf::from(format!("/proc/{agent}/cmdline"));
    crate::project::wait_for("the agent's end", || {
        git_orch::sys::fs::read(&cmdline).unwrap_or_default().is_empty()
    });
    let kept =
        |file: &str| world.repo.git(&["show", &format!("refs/orch/backup/wip/{id}:{file}")]).success().line();
    assert_eq!((kept("answer"), kept("new")), ("half".to_owned(), "new".to_owned()));
}

/// Installs a hook that kills whoever moves a ref like `pattern`, once: at `state` of the transaction.
fn kill_at(world: &World, state: &str, pattern: &str) {
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = {state} ] && [ ! -e .git/killed ] || exit 0\n\
         grep -q '{pattern}' || exit 0\n: > .git/killed\n\
         kill -9 $(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status)\n[ $1 = committed ]\n"
    );
    world.repo.write(".git/hooks/reference-transaction", &text);
    world.repo.sh("chmod +x .git/hooks/reference-transaction").success();
}

#[test]
fn a_run_killed_between_two_steps_is_gone_on_with() {
    // The commit is not on the branch yet; it is, and the index is not; trunk is about to move; it moved, and
    // nobody recorded it.
    for (state, pattern) in [
        ("prepared", "refs/heads/fix/"),
        ("committed", "refs/heads/fix/"),
        ("prepared", "refs/heads/main"),
        ("committed", "refs/heads/main"),
    ] {
        let world = World::new();
        let id = world.add(Kind::Bug, "the answer is wrong");
        kill_at(&world, state, pattern);
        // A second run of the agent would be seen.
        let script = "test ! -e ../ran && echo 42 > answer; : > ../ran";
        let killed = world.process(script).wait().any();
        assert_eq!(killed.status(), 137, "{state} {pattern}: {}", killed.stdout);
        assert_ne!(world.status(&id), "done");
        let ran = world.ran(&shell(script));
        assert_eq!(ran.outcomes(), ["merged"], "{state} {pattern}: {:?}", ran.events);
        assert_eq!(
            ran.report.session.tasks[0].iterations > 0,
            pattern.contains("fix/") && state == "prepared"
        );
        if pattern.contains("main") && state == "committed" {
            // The checkout of trunk could not follow: that is a person's to see, as after any killed git.
            world.repo.git(&["reset", "--quiet", "--hard"]).success();
        }
        world.assert_merged_once(&id);
    }
}

#[test]
fn the_first_interrupt_lets_the_agent_finish() {
    let (world, id) = World::with_bug();
    let (up, go) = (world.fifo("up"), world.fifo("go"));
    let script =
        format!("echo 42 > answer; echo up > '{}'; cat '{}' > /dev/null", up.display(), go.display());
    let mut running = world.process(&script);
    hear(&up);
    running.signal(rustix::process::Signal::INT);
    running.says("after the current step");
    tell(&go);
    running.wait().code(130);
    assert_eq!(world.status(&id), "claimed");
    let branch = world.task(&id).register.work.expect("worked on").branch;
    assert_eq!(world.repo.git(&["show", &format!("{branch}:answer")]).success().line(), "42");
    let ran = world.ran(&shell("exit 9"));
    assert_eq!((ran.outcomes(), ran.report.session.tasks[0].iterations), (vec!["merged"], 0));
    world.assert_merged_once(&id);
}

#[test]
fn the_second_interrupt_stops_the_agent_and_keeps_its_work() {
    let (world, id) = World::with_bug();
    let up = world.fifo("up");
    let script = format!("echo half > answer; echo up > '{}'; exec sleep 600", up.display());
    let running = world.process(&script);
    hear(&up);
    running.signal(rustix::process::Signal::TERM);
    running.wait().code(130);
    assert_eq!(world.status(&id), "claimed");
    let kept = world.repo.git(&["show", &format!("refs/orch/backup/wip/{id}:answer")]).success();
    assert_eq!(kept.line(), "half");
    assert_eq!(world.ran(&agent("write answer 42")).outcomes(), ["merged"]);
    world.assert_merged_once(&id);
}

#[test]
fn what_a_killed_run_used_of_the_budget_stays_used() {
    let (world, id) = World::with_bug();
    let up = world.fifo("up");
    // Wrong at first; killed in the second iteration, begun anew, and again; then right.
    let script = format!(
        "echo $ORCH_ITERATION >> ../seen; case $ORCH_ITERATION in 1) echo 8 > answer;; \
         2) if mkdir ../once || mkdir ../twice; then echo up > '{}'; exec sleep 600; else echo 42 > answer; fi;; esac",
        up.display()
    );
    for _ in 0..2 {
        let mut running = world.process(&script);
        hear(&up);
        running.kill();
        running.wait().code(137);
    }
    assert_eq!(world.ran(&shell(&script)).outcomes(), ["merged"]);
    let seen = world.worktree(&id).with_file_name("seen");
    assert_eq!(git_orch::sys::fs::read_string(&seen).expect("the agent wrote it"), "1\n2\n2\n2\n");
    world.assert_merged_once(&id);
}

#[test]
fn killed_again_and_again_the_loop_still_gets_there() {
    let world = World::new();
    let ids: Vec<TaskId> = (0..3).map(|n| world.add(Kind::Bug, &format!("bug {n}"))).collect();
    world.repo.write(".git/info/exclude", "");
    let script = "echo 42 > answer; echo $ORCH_TASK >> notes.txt";
    world.repo.commit("notes", &[("notes.txt", "")]);
    let mut kills = 0;
    for millis in (60_u64..).step_by(50) {
        let mut process = world.process(script);
        // Any instant will do: nothing is waited for.
        Clock.wait(std::time::Duration::from_millis(millis));
        process.kill();
        let ended = process.wait().any();
        if ended.status() != 137 {
            // Nothing was ready: the last one was killed after its last task.
            assert!([0, 5].contains(&ended.status()), "{}\n{}", ended.stdout, ended.stderr);
            break;
        }
        kills += 1;
        assert!(kills < 60, "no end");
    }
    assert!(kills > 2, "it was killed {kills} times");
    let ran = world.ran(&shell(script));
    assert!(ran.report.session.tasks.iter().all(|task| task.outcome == Outcome::Merged), "{:?}", ran.report);
    for id in &ids {
        assert_eq!(world.status(id), "done", "{:?}", world.task(id).register);
    }
    let notes = world.trunk_file("notes.txt");
    for id in &ids {
        assert!(notes.contains(id.as_str()), "the work on {id} is in trunk: {notes}");
    }
    world.repo.git(&["fsck", "--strict", "--no-dangling"]).success();
}

#[test]
fn a_push_is_verified_first() {
    let world = World::new();
    let remote = world.repo.env().remote("origin");
    world.repo.connect(&remote);
    let push = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut notes = Vec::new();
        let pushed = push(&world.cx(), &args, &mut |event| {
            if let Event::Note { text, .. } = event {
                notes.push(text);
            }
        });
        match pushed.expect("it runs") {
            Pushed::Ran(status) => (format!("{status}"), notes),
            Pushed::Unverified(tips) => {
                let shown = tips.iter().map(|t| format!("{} {}", t.local_ref, t.judged.word.as_str()));
                (shown.collect::<Vec<_>>().join(", "), notes)
            }
        }
    };
    world.repo.git(&["switch", "--quiet", "-c", "fix/by-hand"]).success();
    world.repo.commit("bad", &[("answer", "8\n")]);
    assert_eq!(push(&["-q", "origin", "HEAD"]).0, "HEAD FAIL");
    assert_eq!(push(&["origin", "fix/by-hand", "HEAD:refs/heads/wip/x"]).0, "refs/heads/fix/by-hand FAIL");
    assert_eq!(remote.repo().try_rev("fix/by-hand"), None, "nothing was pushed");
    assert_eq!(push(&["-q", "origin", "HEAD:wip/x"]).0, "exit status: 0", "exempt");
    let good = world.repo.commit("good", &[("answer", "42\n")]);
    assert_eq!(push(&["-q", "-u", "origin", "fix/by-hand"]).0, "exit status: 0");
    assert_eq!(remote.repo().try_rev("fix/by-hand"), Some(good));
    assert_eq!(push(&["-q", "origin", ":wip/x"]).0, "exit status: 0", "a deletion");
    assert_eq!(push(&["-q", "nowhere", "HEAD"]).0, "exit status: 128", "git says what is wrong");
}

#[test]
fn without_a_gate_a_push_warns() {
    let world = World::with(&[("answer", "7\n")]);
    let remote = world.repo.env().remote("origin");
    world.repo.connect(&remote);
    world.repo.commit("more", &[("answer", "8\n")]);
    let mut notes = Vec::new();
    let args = ["-q".to_owned(), "origin".to_owned(), "main".to_owned()];
    let pushed = push(&world.cx(), &args, &mut |event| {
        if let Event::Note { text, .. } = event {
            notes.push(text);
        }
    });
    assert!(matches!(pushed, Ok(Pushed::Ran(status)) if status.success()));
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("pushed unverified: there is no orch.toml on origin/main"), "{notes:?}");
}

#[test]
fn an_agent_that_is_not_there_does_not_block_the_whole_queue() {
    let world = World::new();
    let ids: Vec<TaskId> = (0..5).map(|n| world.add(Kind::Bug, &format!("bug {n}"))).collect();
    let report = run(&world.cx(), &shell("true; no-such-agent"), &mut |_| {}).expect("it starts");
    let Some(OpError::Refused(refused)) = &report.failure else { panic!("{report:?}") };
    assert_eq!(refused.rule, "run.trouble");
    assert!(refused.fact.contains("no-such-agent"), "{}", refused.fact);
    let open = ids.iter().filter(|id| world.status(id) == "open").count();
    assert_eq!(open, 2, "the rest is left alone");
}

#[test]
fn a_fixer_without_work_says_whether_there_was_any() {
    let toml = format!("{GATE}[roles.bugfix]\nagent = 'autofix'\n");
    // A project that a fixer knows, and a fixer that finds nothing to do.
    let world = World::with(&[("orch.toml", &toml), ("answer", "42\n"), ("ruff.toml", ""), ("a.py", "")]);
    let id = world.add(Kind::Bug, "tidy");
    world.repo.sh("mkdir ../bin && ln -s /bin/true ../bin/ruff").success();
    let path = world.repo.env().root().join("bin").display().to_string();
    let mut cx = world.cx();
    let with = format!("{path}:{}", cx.env.text("PATH").expect("a path"));
    let pairs =
        cx.env.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).chain([("PATH".into(), with.into())]);
    cx.env = git_orch::sys::env::Env::from_pairs(pairs);
    let report = run(&cx, &RunOptions::default(), &mut |_| {}).expect("it runs");
    assert_eq!(report.ended(), Ended::Blocked);
    assert!(world.reason(&id).starts_with("nothing to do: the tree already passes"), "{}", world.reason(&id));
}
