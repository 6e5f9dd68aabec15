//! A remote that keeps us waiting: nobody waits for ever, and nothing is left running.

use git_orch::hook::place::orch_dir;
use git_orch::sys::lock::FileLock;

use crate::env::{ORCH, Remote, TestEnv, TestRepo};
use crate::project::{Project, counting_gate, names_rule, refused, wait_for};

/// A project that shares trunk through `hub`.
fn connected() -> (Project, Remote) {
    let env = TestEnv::new();
    let hub = env.remote("hub");
    let repo = env.repo("repo");
    repo.commit("gate", &[("orch.toml", &counting_gate(&env)), ("src/a", "1\n")]);
    repo.connect(&hub);
    repo.orch(&["init"]).success();
    (Project { repo }, hub)
}

/// Makes `key` an address behind which nobody ever answers. The process that waits for it notes its id.
fn hang(repo: &TestRepo, key: &str) {
    repo.write("../ssh", &format!("#!/bin/sh\necho $$ > '{}'\nexec sleep 600\n", waiting(repo).display()));
    repo.sh("chmod +x ../ssh && git config ssh.variant simple && git config core.sshCommand $PWD/../ssh")
        .success();
    repo.git(&["config", key, "ssh://nobody.invalid/x"]).success();
}

fn waiting(repo: &TestRepo) -> std::path::PathBuf {
    repo.env().root().join("waiting")
}

fn nothing_waits(repo: &TestRepo) {
    let pid = git_orch::sys::fs::read_string(&waiting(repo)).expect("it was asked");
    let cmdline = std::path::PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
    // A zombie's is empty.
    wait_for("the end of what waited", || git_orch::sys::fs::read(&cmdline).unwrap_or_default().is_empty());
}

#[test]
fn a_remote_that_never_answers_is_given_up() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    hang(repo, "remote.hub.url");
    repo.git(&["config", "orch.networkTimeout", "300ms"]).success();

    let done = refused(repo.orch(&["merge", &task.id]), 8, "merge.offline");
    for part in ["hub can't be reached", "within 300ms", "orch.networkTimeout", "merge --no-push"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
    nothing_waits(repo);
    let told = repo.orch(&["start", &repo.orch(&["add", "more"]).success().line()]).success();
    assert!(told.stderr.contains("within 300ms"), "{}", told.stderr);
    let told = repo.orch(&["init"]).success().to_string();
    assert!(told.contains("hub could not be asked: it did not answer within DURATION"), "{told}");
    let done = refused(repo.orch(&["push", "hub", "main"]), 8, "remote.silent");
    assert!(done.stderr.contains("git ls-remote hub"), "{}", done.stderr);
    nothing_waits(repo);
    repo.orch(&["merge", "--no-push", &task.id]).success();
}

#[test]
fn a_push_without_an_answer_is_asked_about_by_the_next_merge() {
    // Once it does not arrive, once only the answer does not. Both wait out a time limit that a fetch has to keep.
    std::thread::scope(|scope| {
        for arrives in [false, true] {
            scope.spawn(move || push_without_an_answer(arrives));
        }
    });
}

fn push_without_an_answer(arrives: bool) {
    let (project, hub) = connected();
    let repo = &project.repo;
    let task = project.task(&["--kind", "feature"]);
    let tip = task.commits("new", "x\n");
    if arrives {
        hub.repo().write("hooks/post-receive", "#!/bin/sh\ngrep -q refs/heads/ || exit 0\nexec sleep 600\n");
        hub.repo().sh("chmod +x hooks/post-receive").success();
    } else {
        hang(repo, "remote.hub.pushurl");
    }
    repo.git(&["config", "orch.networkTimeout", "10s"]).success();
    let done = refused(repo.orch(&["merge", &task.id]), 8, "merge.push");
    assert!(done.stderr.contains("is not known"), "{}", done.stderr);
    assert!(done.stderr.contains("within 10s"), "{}", done.stderr);
    hub.repo().sh("rm -f hooks/post-receive").success();
    repo.git(&["config", "--unset-all", "remote.hub.pushurl"]).any();
    repo.git(&["config", "orch.networkTimeout", "0s"]).success();
    repo.orch(&["merge", &task.id]).success();
    assert_eq!(project.status(&task.id), "done");
    assert_eq!(hub.repo().rev("main^2"), tip, "merged once (arrives: {arrives})");
    assert_eq!(repo.rev("main"), hub.repo().rev("main"));
}

/// Trunk is being moved by a process that does not come to an end: this one.
fn held(repo: &TestRepo) -> FileLock {
    repo.git(&["config", "orch.networkTimeout", "100ms"]).success();
    lock(repo, "queue.lock")
}

/// A lock of the clone, which whoever wants it waits for.
pub(crate) fn lock(repo: &TestRepo, name: &str) -> FileLock {
    let lock = orch_dir(&repo.path(".git")).join(name);
    FileLock::try_acquire(&lock).expect("writable").expect("free")
}

#[test]
fn whoever_waits_for_another_fetch_waits_as_long_as_the_remote_may_take() {
    let (project, _hub) = connected();
    let repo = &project.repo;
    let task = project.task(&["--kind", "feature"]);
    task.commits("new", "x\n");
    let other = lock(repo, "fetch.lock");
    repo.git(&["config", "orch.networkTimeout", "100ms"]).success();
    let done = refused(repo.orch(&["merge", &task.id]), 8, "merge.offline");
    assert!(done.stderr.contains("has been fetching from it for more than 5 s"), "{}", done.stderr);
    // Whoever does not want to wait need not.
    repo.git(&["config", "--unset", "orch.networkTimeout"]).success();
    let mut merging = repo.cmd(ORCH).args(&["-vv", "merge", &task.id]).spawn();
    merging.says("waiting for another fetch");
    merging.signal(rustix::process::Signal::INT);
    assert!(names_rule(&merging.wait().code(130).stderr, "remote.interrupted"));
    assert_eq!(project.status(&task.id), "claimed");
    drop(other);
    repo.orch(&["merge", &task.id]).success();
}

#[test]
fn a_merge_that_waits_in_vain_for_another_may_be_tried_again() {
    let project = Project::new();
    let task = project.task(&[]);
    task.commits("src/a", "x\n");
    let other = held(&project.repo);
    let done = refused(project.repo.orch(&["merge", &task.id]), 6, "merge.busy");
    assert!(done.stderr.contains(&format!("waiting for process {}", std::process::id())), "{}", done.stderr);
    assert_eq!(project.status(&task.id), "claimed");
    // Whoever does not want to wait need not.
    let mut merging = project.repo.cmd(ORCH).args(&["merge", &task.id]).spawn();
    merging.says("waiting for process");
    merging.signal(rustix::process::Signal::INT);
    assert!(names_rule(&merging.wait().code(130).stderr, "merge.interrupted"));
    assert_eq!(project.status(&task.id), "claimed");
    drop(other);
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn a_run_outlives_a_merge_that_takes_long() {
    let project = Project::new();
    let id = project.repo.orch(&["add", "work"]).success().line();
    let other = held(&project.repo);
    let mut run =
        project.repo.cmd(ORCH).args(&["run", "--merge", "auto", "--agent", "echo x > src/a"]).spawn();
    run.says("it is tried again");
    drop(other);
    run.wait().success();
    assert_eq!(project.status(&id), "done");
}
