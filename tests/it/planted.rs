//! What somebody who can push plants in the state of a remote: it is refused as a whole, nothing of ours is lost, work
//! goes on, and a person puts ours in its place.

use crate::env::TestRepo;
use crate::project::names_rule;
use crate::run::Done;
use crate::sync::{Team, json, shown};

/// Makes the remote's state what `edit`, lines of shell that end with the id of a tree, makes of it.
fn plant(team: &Team, edit: &str) {
    let line = format!(
        "export GIT_AUTHOR_NAME=e GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=e GIT_COMMITTER_EMAIL=e\n\
         s=refs/orch/state; blob() {{ git hash-object -w --stdin; }}\n\
         tree=$({edit}) && \
         c=$(git log -1 --format=%B $s | git commit-tree -p $s $tree) && git update-ref $s $c"
    );
    team.hub.repo().sh(&line).success();
}

/// The same, for one file whose new text is what `filter` makes of it.
fn plant_file(team: &Team, path: &str, filter: &str) {
    let edit = format!(
        "export GIT_INDEX_FILE=$PWD/evil.index; rm -f evil.index; git read-tree $s; \
         b=$({{ git show $s:{path} 2>/dev/null || :; }} | {filter} | blob); \
         git update-index --add --cacheinfo 100644,$b,{path}; git write-tree"
    );
    plant(team, &edit);
}

/// Refuses what was planted, goes on, and puts ours in its place.
fn refused_whole(team: &Team, ours: &TestRepo, what: &str) {
    let before = ours.rev("refs/orch/state");
    let synced = ours.orch(&["sync"]).any();
    assert!(synced.status() == 8 && names_rule(&synced.stderr, "sync.hostile"), "{what}: {synced}");
    assert_eq!(ours.rev("refs/orch/state"), before, "{what}");
    let id = json(ours, &["next", "--peek", "--json"])["id"].as_str().expect("an id").to_owned();
    let told = ours.orch(&["start", &id, "--no-worktree"]).success();
    assert!(told.stderr.contains("is refused"), "{what}: {}", told.stderr);
    ours.orch(&["release", &id]).success();
    ours.orch(&["sync", "--restore"]).success();
    assert_eq!(ours.orch(&["list", "--json"]).success().stdout.matches("\"title\"").count(), 2, "{what}");
    ours.orch(&["sync"]).success();
    assert_eq!(team.trees().len(), 1, "{what}");
}

fn one() -> (Team, String) {
    let team = Team::of(1);
    let a = &team.clones[0];
    a.orch(&["add", "first"]).success();
    let id = a.orch(&["add", "second"]).success().line();
    a.orch(&["sync"]).success();
    (team, id)
}

fn file_of(id: &str) -> String {
    format!("tasks/{}/{id}.toml", &id[..2])
}

#[test]
fn a_tree_of_another_shape_is_refused() {
    let (team, id) = one();
    let a = &team.clones[0];
    let shapes = [
        ("a file for all tasks", "b=$(echo hi | blob); { git ls-tree $s | grep -v 'tasks$'; printf '100644 blob %s\\ttasks\\n' $b; } | git mktree".to_owned()),
        ("a directory for the mode", "b=$(echo hi | blob); t=$(printf '100644 blob %s\\tx\\n' $b | git mktree); { git ls-tree $s | grep -v control; printf '040000 tree %s\\tcontrol.toml\\n' $t; } | git mktree".to_owned()),
        ("a directory for a task", format!("export GIT_INDEX_FILE=$PWD/evil.index; rm -f evil.index; git read-tree $s; printf '0 %040d\\t{file}\\n100644 %s\\t{file}/x\\n' 0 $(echo hi | blob) | git update-index --index-info; git write-tree", file = file_of(&id))),
        ("a name twice", "e=$(git mktree </dev/null); { git cat-file tree $s^{tree}; printf '40000 tasks\\0'; git cat-file tree $(printf '040000 tree %s\\tx\\n' $e | git mktree) | tail -c 20; } > evil.tree; git hash-object -t tree -w --literally evil.tree".to_owned()),
        ("one directory everywhere", "t=$(git mktree </dev/null); b=$(echo hi | blob); t=$(printf '100644 blob %s\\tx\\n' $b | git mktree); for n in 1 2; do t=$(for k in 0 1 2 3 4 5 6 7 8 9; do printf '040000 tree %s\\td%s\\n' $t $k; done | git mktree); done; { git ls-tree $s; printf '040000 tree %s\\tlater\\n' $t; } | git mktree".to_owned()),
        ("deep", "b=$(echo hi | blob); t=$(printf '100644 blob %s\\tx\\n' $b | git mktree); for n in 1 2 3 4 5; do t=$(printf '040000 tree %s\\td\\n' $t | git mktree); done; { git ls-tree $s; printf '040000 tree %s\\tlater\\n' $t; } | git mktree".to_owned()),
    ];
    for (what, edit) in shapes {
        plant(&team, &edit);
        refused_whole(&team, a, what);
    }
}

/// The record of a step's PASS that was taken back.
const REFUTED: (&str, &str) = (
    "refuted/4c/4c8af4f70b62c8454f153174cad96ab233a798abf674130a3745d1829a754677.8mb0hp6t.toml",
    include_str!(
        "../corpus/store/v1/refuted/4c/4c8af4f70b62c8454f153174cad96ab233a798abf674130a3745d1829a754677.8mb0hp6t.toml"
    ),
);

/// The same, made at `time`.
fn made(record: &str, time: &str) -> String {
    let old = record.lines().find(|line| line.starts_with("made = ")).expect("it says when");
    record.replace(old, &format!("made = \"{time}\""))
}

#[test]
fn what_would_win_every_join_is_refused() {
    let (team, id) = one();
    let a = &team.clones[0];
    let task = file_of(&id);
    let far = "9999-12-30T22:00:00.000Z";
    let files = [
        ("another trunk", "meta.toml", "sed 's/trunk = .*/trunk = \"wip\\/evil\"/'".to_owned()),
        ("a newer program's", "meta.toml", "sed 's/min_writer = .*/min_writer = 4294967295/'".to_owned()),
        (
            "a mode of the future",
            "control.toml",
            format!("cat > /dev/null; printf 'mode = \"OFF\"\\nat = \"{far}\"\\n'"),
        ),
        ("a fence", &task, "sed 's/^fence = .*/fence = 9223372036854775807/'".to_owned()),
        ("an epoch", &task, "sed 's/^epoch = .*/epoch = 7/'".to_owned()),
        ("a clock", &task, "sed 's/^clock = .*/clock = \"30000000000000.0\"/'".to_owned()),
        ("a stamp", &task, "sed 's/^title = \"[0-9.]*\\(.*\\) /title = \"30000000000000.0\\1 /'".to_owned()),
        ("a time", &task, format!("sed 's/^updated = .*/updated = \"{far}\"/'")),
        (
            "a clock at its end",
            &task,
            "sed 's/^clock = .*/clock = \"9223372036854775807.4294967295\"/'".to_owned(),
        ),
        ("a refutation", REFUTED.0, format!("cat > /dev/null; printf %s '{}'", made(REFUTED.1, far))),
    ];
    for (what, path, filter) in files {
        plant_file(&team, path, &filter);
        // What can't be read ranks below everything, and is only damage.
        if matches!(what, "a fence" | "a clock at its end") {
            a.orch(&["sync"]).success();
            assert_eq!(shown(a, &id)["title"], "second", "{what}");
            team.sync();
            assert_eq!(team.trees().len(), 1, "{what}");
        } else {
            refused_whole(&team, a, what);
        }
    }
}

#[test]
fn a_claim_that_is_none_keeps_nobody_from_working() {
    let (team, id) = one();
    let (a, hub) = (&team.clones[0], team.hub.repo());
    for (what, made) in [
        ("a blob", "echo hi | git hash-object -w --stdin"),
        ("a commit of something else", "git rev-parse refs/heads/main"),
    ] {
        let claim = format!("refs/orch/claims/{}/{id}", &id[..2]);
        hub.sh(&format!("git update-ref {claim} $({made})")).success();
        hub.sh(&format!("git update-ref refs/orch/claims/00/00000000 $({made})")).success();
        a.orch(&["sync"]).success();
        let taken = json(a, &["start", &id, "--no-worktree", "--json"]);
        assert_eq!(taken["claim"], "confirmed", "{what}");
        a.orch(&["release", &id]).success();
        a.orch(&["doctor"]).success();
    }
}

#[test]
fn a_state_that_is_no_commit_is_refused() {
    let (team, _) = one();
    let (a, hub) = (&team.clones[0], team.hub.repo());
    hub.sh("git update-ref -d refs/orch/state; git update-ref refs/orch/state $(git hash-object -w orch.toml || echo hi | git hash-object -w --stdin)")
        .success();
    refused_whole(&team, a, "a blob");
}

#[test]
fn a_squash_that_leaves_the_audit_out_does_not_lose_it() {
    let (team, id) = one();
    let a = &team.clones[0];
    let log = |repo: &TestRepo| repo.orch(&["log", &id, "--json"]).success().stdout;
    let before = log(a);
    assert!(before.contains("task.add"));
    let hub = team.hub.repo();
    let forged = "export GIT_AUTHOR_NAME=e GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=e GIT_COMMITTER_EMAIL=e\n\
        s=refs/orch/state; export GIT_INDEX_FILE=$PWD/evil.index; rm -f evil.index; git read-tree $s\n\
        m=$(git show $s:meta.toml | sed \"s/^epoch = .*/epoch = 1\\nprevious = \\\"$(git rev-parse $s)\\\"/\" | git hash-object -w --stdin)\n\
        for c in $(git rev-list $s); do echo \"{\\\"changes\\\":[],\\\"clock\\\":[1,0],\\\"commit\\\":\\\"$c\\\",\\\"seconds\\\":1}\"; done > evil.audit\n\
        l=$(git hash-object -w evil.audit)\n\
        git update-index --add --cacheinfo 100644,$m,meta.toml --cacheinfo 100644,$l,archive/1970-q1/audit-000000000000-0000.jsonl\n\
        git update-ref $s $(git log -1 --format=%B $s | git commit-tree $(git write-tree))";
    hub.sh(forged).success();
    a.orch(&["sync"]).success();
    assert!(log(a).contains("task.add"), "{}", log(a));
}

#[test]
fn a_clone_that_is_copied_is_another_one() {
    let team = Team::of(1);
    let a = &team.clones[0];
    let first = a.orch(&["add", "first"]).success().line();
    let wanted = a.orch(&["add", "wanted"]).success().line();
    a.orch(&["start", &first, "--no-worktree"]).success();
    a.sh("cp -a . ../copy").success();
    let copy = a.env().at("copy");
    let won: Vec<Done> =
        [a, &copy].map(|repo| repo.orch(&["start", &wanted, "--no-worktree", "--json"]).any()).into();
    assert_eq!(won.iter().filter(|done| done.status() == 0).count(), 1);
    let lost = won.iter().find(|done| done.status() != 0).expect("one");
    assert!(lost.stdout.contains("task.held") || lost.stdout.contains("claim.lost"), "{lost}");
    // Moved, it is the same.
    a.sh("mv ../copy ../elsewhere").success();
    let moved = a.env().at("elsewhere");
    let session = moved.read(".git/orch/session");
    moved.orch(&["status"]).success();
    moved.orch(&["start", &first, "--no-worktree"]).code(6);
    assert_eq!(moved.read(".git/orch/session"), session);
}

#[test]
fn a_mode_that_was_set_by_a_clock_ahead_can_be_set_again() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    a.orch(&["add", "x"]).success();
    team.sync();
    let ahead = a.sh("date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%S.000Z").success().line();
    plant_file(
        &team,
        "control.toml",
        &format!("cat > /dev/null; printf 'mode = \"PAUSED\"\\nat = \"{ahead}\"\\n'"),
    );
    team.sync();
    b.orch(&["mode", "OFF", "--reason", "fire"]).success();
    for clone in [b, a, b] {
        clone.orch(&["sync"]).success();
    }
    for clone in [a, b] {
        assert!(clone.orch(&["mode"]).success().stdout.contains("OFF"));
    }
}

#[test]
fn texts_that_are_too_large_together_are_joined() {
    let team = Team::of(2);
    let [a, b] = team.clones.as_slice() else { panic!("BUG: two") };
    let id = a.orch(&["add", "x"]).success().line();
    team.sync();
    let body = "x".repeat(60_000);
    a.cmd(crate::env::ORCH).args(&["edit", &id, "--body", "-"]).stdin(body.as_bytes()).run().success();
    let labels: Vec<String> = (0..300).map(|n| format!("--label=label-number-{n}")).collect();
    let mut args = vec!["edit", id.as_str()];
    args.extend(labels.iter().map(String::as_str));
    b.orch(&args).success();
    team.sync();
    team.sync();
    assert_eq!(team.trees().len(), 1);
    // It can still be taken, and made smaller.
    a.orch(&["start", &id, "--no-worktree"]).success();
    let more = a.orch(&["edit", &id, "--body", &"y".repeat(70_000)]).any();
    assert!(names_rule(&more.stderr, "state.too_large"), "{more}");
    a.orch(&["edit", &id, "--body", "short"]).success();
}

#[test]
fn a_task_whose_branch_can_not_be_gets_another() {
    let (team, id) = one();
    let a = &team.clones[0];
    let work = |branch: &str| {
        format!(
            "sed 's/^fence = .*/fence = 1/; s/^status = .*/status = \"open\"\\nbranch = \"{branch}\"\\nbase = \"{}\"/'",
            "f".repeat(40)
        )
    };
    plant_file(&team, &file_of(&id), &work("main"));
    a.orch(&["sync"]).success();
    let taken = json(a, &["start", &id, "--json"]);
    let branch = taken["branch"].as_str().expect("a branch");
    assert!(branch.starts_with("fix/") || branch.starts_with("feature/"), "{branch}");
}
