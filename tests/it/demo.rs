//! `git orch demo` as a test: it checks itself, because a command that ends otherwise than it says is an error.

use crate::env::TestEnv;

#[test]
fn the_demo_ends_with_trunk_green() {
    let env = TestEnv::new();
    let shown = env.orch(&["demo", "--keep", "demo"]).success().lines().join("\n");
    for part in ["branch.trunk", "iteration 1 FAIL", "gate.changed", "3 tasks: 3 done", "Done in "] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let tally = env.at("demo/tally");
    tally.orch(&["ralph", "main"]).success();
    tally.git(&["fsck", "--strict", "--no-dangling"]).success();
}

#[test]
fn a_directory_with_something_in_it_is_left_alone() {
    let env = TestEnv::new();
    let repo = env.repo("mine");
    let refused = env.orch(&["demo", "--keep", "mine"]).code(2);
    assert!(refused.to_string().contains("is not empty"));
    assert_eq!(repo.read("README.md"), "# test\n");
}
