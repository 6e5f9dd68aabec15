//! What a run says to whoever watches it.

use git_orch::index::Filter;
use git_orch::ops::Ctx;
use git_orch::ops::progress::Event;
use git_orch::ops::run::{RunOptions, Stopped, run};
use git_orch::sys::fs;
use git_orch::sys::lock::FileLock;
use git_orch::sys::signal::Interrupts;

use crate::project::{Project, wait_for};

#[test]
fn who_interrupts_what_is_over_is_not_told_what_will_stop() {
    let project = Project::new();
    let repo = &project.repo;
    for (key, value) in [("user.name", "Ann Lee"), ("user.email", "ann@example.com")] {
        repo.git(&["config", key, value]).success();
    }
    repo.orch(&["add", "work"]).success();
    let interrupts = Interrupts::default();
    let cx = Ctx::open(&repo.env().vars(), &repo.path(""), interrupts.clone()).expect("a repository");
    let options = RunOptions {
        jobs: 1,
        max_tasks: None,
        until_empty: true,
        agent: Some("true".to_owned()),
        merge: None,
        filter: Filter::default(),
    };
    let mut told = Vec::new();
    let report = run(&cx, &options, &mut |event| {
        if matches!(event, Event::TaskFinished { .. }) {
            interrupts.raise();
            // The only worker's range of ports is free when it is gone.
            let slots = fs::list(&repo.path(".git/orch/slots")).expect("there was a worker");
            wait_for("the end of the worker", || {
                slots.iter().all(|slot| !FileLock::is_held(slot).expect("readable"))
            });
        }
        told.push(event);
    });
    assert_eq!(report.expect("it runs").stopped, Some(Stopped::Interrupted));
    assert!(!told.iter().any(|event| matches!(event, Event::Stopping { .. })), "{told:?}");
}
