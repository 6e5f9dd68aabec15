//! The queue by hand, as people and scripts use it: every command, its screens, its JSON, its refusals.

use crate::env::{ORCH, TestEnv, TestRepo};

/// A repository that git-orch is set up in.
pub(crate) fn board(env: &TestEnv, name: &str) -> TestRepo {
    let repo = env.repo(name);
    repo.orch(&["init"]).success();
    repo
}

/// Adds a task; returns its id.
pub(crate) fn add(repo: &TestRepo, args: &[&str]) -> String {
    let id = repo.orch(&[&["add"], args].concat()).success().line();
    repo.env().learn_id(&id);
    id
}

/// Adds many tasks from JSON lines or a check-list; returns their ids.
pub(crate) fn add_from(repo: &TestRepo, text: &str) -> Vec<String> {
    let ids = repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(text).run().success().lines();
    for id in &ids {
        repo.env().learn_id(id);
    }
    ids
}

/// How many commits the history of the state has.
pub(crate) fn changes(repo: &TestRepo) -> usize {
    repo.git(&["rev-list", "--count", "refs/orch/state"]).success().line().parse().expect("a number")
}

/// The titles that `list` shows with these arguments.
fn titles(repo: &TestRepo, args: &[&str]) -> Vec<String> {
    let shown = repo.orch(&[&["list", "--json"], args].concat()).success().json();
    let rows = shown.as_array().expect("an array");
    rows.iter().map(|row| row["title"].as_str().expect("a title").to_owned()).collect()
}

fn field(repo: &TestRepo, id: &str, name: &str) -> serde_json::Value {
    repo.orch(&["show", id, "--json"]).success().json()[name].clone()
}

#[test]
fn a_task_is_added_shown_and_listed() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let first = add(&repo, &["  Parser loses the last line ", "--priority", "P1", "--label", "io"]);
    let mut line =
        vec!["Print what was parsed", "--kind", "feature", "--needs", &first, "--role", "testwriter"];
    line.extend(["--file", "src/**", "--file", "docs/*.md", "--accept", "a round trip", "--accept", "fast"]);
    line.extend(["--body", "Seen by Ann.\n\n- with CRLF\n"]);
    let second = add(&repo, &line);
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ID        PRI  KIND     STATE    TITLE
    ID1  P1   bug      ready    Parser loses the last line
    ID2  P2   feature  waiting  Print what was parsed
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["show", &second]), @r"
    Print what was parsed
    feature ID2 - P2 - waiting

      Seen by Ann.

      - with CRLF

    role     testwriter
    needs    ID1
    files    docs/*.md, src/**
    accept   - a round trip
             - fast
    added    TIME UTC (DURATION ago)
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["show", &first, "--json"]), @r#"
    {"schema":1,"id":"ID1","kind":"bug","title":"Parser loses the last line","body":"","priority":"P1","status":"open","ready":true,"role":null,"labels":["io"],"needs":[],"files":[],"acceptance":[],"owner":null,"fence":0,"claim":"none","branch":null,"path":null,"created":"TIME","updated":"TIME","rejected":null}
    [exit: 0]
    "#);
    insta::assert_snapshot!(repo.orch(&["show", &second, "--json"]), @r#"
    {"schema":1,"id":"ID2","kind":"feature","title":"Print what was parsed","body":"Seen by Ann.\n\n- with CRLF","priority":"P2","status":"open","ready":false,"role":"testwriter","labels":[],"needs":["ID1"],"files":["docs/*.md","src/**"],"acceptance":["a round trip","fast"],"owner":null,"fence":0,"claim":"none","branch":null,"path":null,"created":"TIME","updated":"TIME","rejected":null}
    [exit: 0]
    "#);
    let body = repo.cmd(ORCH).args(&["add", "From stdin", "--body", "-", "--json"]).stdin("one\ntwo\n").run();
    assert_eq!(body.success().json()["body"], "one\ntwo");
}

#[test]
fn an_empty_queue_and_one_before_init_say_what_to_type() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ---- stderr
    error: git-orch is not set up here
    rule: init.missing
    next: git orch init
    [exit: 8]
    ");
    insta::assert_snapshot!(repo.orch(&["add", "x", "--json"]), @r#"
    {"error":{"code":8,"rule":"init.missing","fact":"git-orch is not set up here","next":["git orch init"]}}
    [exit: 8]
    "#);
    repo.orch(&["init"]).success();
    insta::assert_snapshot!(repo.orch(&["list"]), @r"
    ---- stderr
    There are no unfinished tasks.
    hint: `git orch add TITLE`, or `git orch list --all`
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["list", "--json"]), @r"
    []
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["list", "--label", "x"]), @r"
    ---- stderr
    No task matches.
    hint: `git orch add TITLE`, or `git orch list --all`
    [exit: 0]
    ");
}

#[test]
fn a_list_is_filtered_and_in_the_order_of_work() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let text = r#"
        {"title":"a","kind":"bug","priority":"P2","labels":["ui","io"],"id":"a"}
        {"title":"b","kind":"feature","priority":"P0","labels":["ui"],"needs":["a"]}
        {"title":"c","kind":"quality","priority":"P4","body":"about crashes"}
        {"title":"d","kind":"docs","priority":"P1","role":"testwriter"}
        {"title":"e crash","kind":"bug","priority":"P2"}"#;
    let ids = add_from(&repo, text);
    repo.orch(&["next", "--no-worktree", "--kind", "docs"]).success();
    repo.orch(&["block", &ids[2], "--reason", "later"]).success();
    repo.orch(&["close", &ids[4], "--reason", "a double"]).success();
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["b", "d", "a", "c"]),
        (&["--all"], &["b", "d", "a", "e crash", "c"]),
        (&["--ready"], &["a"]),
        (&["--mine"], &["d"]),
        (&["--status", "blocked"], &["c"]),
        (&["--status", "closed", "--status", "claimed"], &["d", "e crash"]),
        (&["--kind", "bug"], &["a"]),
        (&["--kind", "bug", "--kind", "docs", "--all"], &["d", "a", "e crash"]),
        (&["--priority", "p0", "--priority", "P4"], &["b", "c"]),
        (&["--team", "dev"], &["b", "d"]),
        (&["--team", "qa"], &["a", "c"]),
        (&["--role", "testwriter"], &["d"]),
        (&["--role", "codequality"], &["c"]),
        (&["--label", "ui"], &["b", "a"]),
        (&["--label", "ui", "--label", "io"], &["a"]),
        (&["--search", "crash"], &["c"]),
        (&["--search", "nowhere"], &[]),
        (&["--search", "crashes"], &["c"]),
        (&["--search", "CRASH", "--all"], &["e crash", "c"]),
        (&["--limit", "2"], &["b", "d"]),
        (&["--limit", "0"], &[]),
    ];
    for (args, expected) in cases {
        assert_eq!(titles(&repo, args), *expected, "{args:?}");
    }
    insta::assert_snapshot!(repo.orch(&["list", "--all"]), @r"
    ID        PRI  KIND     STATE    OWNER            TITLE
    ID1  P0   feature  waiting                   b
    ID2  P1   docs     claimed  ann@example.com  d
    ID3  P2   bug      ready                     a
    ID4  P2   bug      closed                    e crash
    ID5  P4   quality  blocked                   c
    [exit: 0]
    ");
    repo.orch(&["list", "--kind", "story"]).code(2);
    repo.orch(&["list", "--ready", "--status", "open"]).code(2);
}

#[test]
fn an_edit_changes_what_it_names_and_nothing_else() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Old", "--body", "kept", "--label", "a", "--file", "x", "--accept", "one"]);
    let line =
        ["edit", &id, "--title", "New", "--label", "b", "--unlabel", "a", "--file", "y", "--unfile", "x"];
    insta::assert_snapshot!(repo.orch(&line), @r"
    ---- stderr
    Changed bug ID1
    [exit: 0]
    ");
    let more = ["edit", &id, "--priority", "P0", "--kind", "docs", "--role", "testwriter", "--accept", "two"];
    repo.orch(&more).success();
    insta::assert_snapshot!(repo.orch(&["show", &id]), @r"
    New
    docs ID1 - P0 - ready

      kept

    role     testwriter
    labels   b
    files    y
    accept   - two
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    [exit: 0]
    ");
    repo.orch(&["edit", &id, "--role", "none"]).success();
    assert_eq!(field(&repo, &id, "role"), serde_json::Value::Null);
    let before = changes(&repo);
    repo.orch(&["edit", &id, "--title", "New"]).success();
    assert_eq!(changes(&repo), before, "what changes nothing makes no commit");
    insta::assert_snapshot!(repo.orch(&["edit", &id, "--title", " "]), @r"
    ---- stderr
    error: a title can't be empty
    rule: task.title
    next: git orch edit ID1 --title TITLE
    [exit: 2]
    ");
    assert_eq!(repo.orch(&["edit", &id, "--priority", "P1", "--json"]).success().json()["priority"], "P1");
    let editor = "sed -i -e '1s/.*/Edited/' -e '$a more'";
    repo.cmd(ORCH).args(&["edit", &id]).var("GIT_EDITOR", editor).run().success();
    assert_eq!(field(&repo, &id, "title"), "Edited");
    assert!(field(&repo, &id, "body").as_str().is_some_and(|body| body.starts_with("kept")));
    let failed = repo.cmd(ORCH).args(&["edit", &id]).var("GIT_EDITOR", "false").run().any();
    assert_ne!(failed.status(), 0, "an editor that fails changes nothing");
    assert_eq!(field(&repo, &id, "title"), "Edited");
}

#[test]
fn dependencies_order_the_work_and_a_cycle_is_refused_with_its_path() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = add_from(&repo, "- [ ] First\n- [ ] Second\n- [ ] Third\n");
    let [a, b, c] = [&ids[0], &ids[1], &ids[2]];
    insta::assert_snapshot!(repo.orch(&["dep", "add", b, a]), @r"
    ---- stderr
    ID1 needs ID2
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["dep", "add", c, b, a]), @r"
    ---- stderr
    ID3 needs ID2, ID1
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["dep", "tree", c]), @r"
    ID3  waiting  Third
    |- ID2  ready  First
    `- ID1  waiting  Second
       `- ID2  ready  First
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["dep", "tree", b, "--json"]), @r#"
    {"rows":[{"depth":0,"last":true,"id":"ID1","title":"Second","status":"open","ready":false,"repeated":false,"ignored":false},{"depth":1,"last":true,"id":"ID2","title":"First","status":"open","ready":true,"repeated":false,"ignored":false}]}
    [exit: 0]
    "#);
    let before = changes(&repo);
    insta::assert_snapshot!(repo.orch(&["dep", "add", a, c]), @r"
    ---- stderr
    error: this would be a cycle of dependencies: ID2 -> ID3 -> ID2
    rule: deps.cycle
    next: git orch dep tree ID3
    [exit: 4]
    ");
    repo.orch(&["dep", "add", a, a]).code(4);
    assert_eq!(changes(&repo), before, "a refusal changes nothing");
    assert_eq!(titles(&repo, &["--ready"]), ["First"]);
    insta::assert_snapshot!(repo.orch(&["dep", "rm", c, a, b]), @r"
    ---- stderr
    ID3 needs nothing
    [exit: 0]
    ");
    assert_eq!(titles(&repo, &["--ready"]), ["First", "Third"]);
    insta::assert_snapshot!(repo.orch(&["dep", "rm", c, a]), @r"
    ---- stderr
    error: task ID3 does not need ID2
    rule: deps.absent
    next: git orch dep tree ID3
    [exit: 2]
    ");
    let cycle =
        "{\"title\":\"A\",\"id\":\"a\",\"needs\":[\"b\"]}\n{\"title\":\"B\",\"id\":\"b\",\"needs\":[\"a\"]}";
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(cycle).run(), @r"
    ---- stderr
    error: this would be a cycle of dependencies: `A` -> `B` -> `A`
    rule: deps.cycle
    next: correct what they need; nothing was added
    [exit: 4]
    ");
}

#[test]
fn a_task_s_life_by_hand() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let id = add(&repo, &["Wait for the vendor"]);
    let moves: &[(&[&str], i32, &str)] = &[
        (&["unblock"], 4, "open"),
        (&["release"], 4, "open"),
        (&["reopen"], 4, "open"),
        (&["block", "--reason", "they have to answer"], 0, "blocked"),
        (&["release"], 4, "blocked"),
        (&["unblock"], 0, "open"),
        (&["close", "--reason", "a double of another"], 0, "closed"),
        (&["close", "--reason", "again"], 4, "closed"),
        (&["block", "--reason", "again"], 4, "closed"),
        (&["reopen"], 0, "open"),
        (&["start", "--no-worktree"], 0, "claimed"),
        (&["release"], 0, "open"),
    ];
    for (line, code, status) in moves {
        let mut args = line.to_vec();
        args.insert(1, &id);
        repo.orch(&args).code(*code);
        assert_eq!(field(&repo, &id, "status"), *status, "after {line:?}");
    }
    repo.orch(&["block", &id, "-m", "they have to answer"]).success();
    insta::assert_snapshot!(repo.orch(&["show", &id]), @r"
    Wait for the vendor
    bug ID1 - P2 - blocked

    reason   they have to answer
    branch   fix/ID1-wait-for-the-vendor
    added    TIME UTC (DURATION ago)
    changed  TIME UTC (DURATION ago)
    ---- stderr
    hint: `git orch unblock ID1` puts it back into the queue, `git orch close ID1 --reason TEXT` gives it up
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["reopen", &id]), @r"
    ---- stderr
    error: task ID1 is blocked; only a done or closed task can be reopened
    rule: task.state
    next: git orch show ID1
    [exit: 4]
    ");
    insta::assert_snapshot!(repo.orch(&["block", &id]), @r"
    ---- stderr
    error: the following required arguments were not provided:
      --reason <TEXT>

    Usage: git orch block --reason <TEXT> <TASK>...

    For more information: git orch block -h
    [exit: 2]
    ");
}

#[test]
fn several_tasks_move_together_or_not_at_all() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let ids = add_from(&repo, "- [ ] One\n- [ ] Two\n- [ ] Three\n");
    let (a, b, c) = (ids[0].as_str(), ids[1].as_str(), ids[2].as_str());
    let all = |status: &str| ids.iter().all(|id| field(&repo, id, "status") == status);
    let before = changes(&repo);
    repo.orch(&["block", a, b, "-m", "later"]).success();
    assert_eq!(changes(&repo), before + 1, "one change");
    insta::assert_snapshot!(repo.orch(&["unblock", a, c, b]), @r"
    ---- stderr
    error: task ID1 is open; only a blocked task can be unblocked
    rule: task.state
    next: git orch show ID1
    [exit: 4]
    ");
    assert_eq!((changes(&repo), field(&repo, a, "status")), (before + 1, "blocked".into()), "none of them");
    insta::assert_snapshot!(repo.orch(&["unblock", a, b, a]), @r"
    ---- stderr
    Unblocked bug ID2: One
    Unblocked bug ID3: Two
    [exit: 0]
    ");
    let moves: &[(&[&str], &str)] =
        &[(&["close", "-m", "x"], "closed"), (&["reopen"], "open"), (&["block", "-m", "x"], "blocked")];
    for (line, status) in moves {
        repo.orch(&[line, &[a, b, c][..]].concat()).success();
        assert!(all(status), "{line:?}");
    }
    repo.orch(&["unblock", a, b, c]).success();
    for id in &ids {
        repo.orch(&["start", id, "--no-worktree"]).success();
    }
    repo.orch(&["release", a, b, c]).success();
    assert!(all("open"));
}

#[test]
fn many_tasks_are_one_change_in_the_order_they_were_written() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let old = add(&repo, &["There before"]);
    let waiting = format!("{{\"title\":\"Waits\",\"needs\":[\"{old}\"]}}");
    assert_eq!(field(&repo, &add_from(&repo, &waiting)[0], "needs")[0], *old);
    repo.write(
        "plan.md",
        "# Plan\n\n- [ ] Zeta first (bug, P1, id: zeta, label: io, label: ui)\n  Seen with CRLF only.\n\n  \
             - [ ] a box inside stays in the body\n- [x] done already\n- [ ] Alpha (second) thing (feature, \
             needs: zeta)\n* [ ] Mid (docs, file: docs/*.md, accept: it is read)\n- no box\n",
    );
    let before = changes(&repo);
    let ids = repo.orch(&["add", "--from", "plan.md"]).success().lines();
    for id in &ids {
        env.learn_id(id);
    }
    assert_eq!((ids.len(), changes(&repo)), (3, before + 1), "one change");
    insta::assert_snapshot!(repo.git(&["log", "-1", "--format=%s%n%n%(trailers:key=Orch-Change)", "refs/orch/state"]), @r#"
    task.add and 2 more

    Orch-Change: {"action":"task.add","actor":"person:ann@example.com","cause":"add","id":"ID1","subject":"task/ID2","note":"Zeta first"}
    Orch-Change: {"action":"task.add","actor":"person:ann@example.com","cause":"add","id":"ID1","subject":"task/ID3","note":"Alpha (second) thing"}
    Orch-Change: {"action":"task.add","actor":"person:ann@example.com","cause":"add","id":"ID1","subject":"task/ID4","note":"Mid"}
    [exit: 0]
    "#);
    insta::assert_snapshot!(repo.orch(&["show", &ids[0]]), @r"
    Zeta first
    bug ID2 - P1 - ready

      Seen with CRLF only.

      - [ ] a box inside stays in the body

    labels   io, ui
    added    TIME UTC (DURATION ago)
    [exit: 0]
    ");
    insta::assert_snapshot!(repo.orch(&["show", &ids[1]]), @r"
    Alpha (second) thing
    feature ID3 - P2 - waiting

    needs    ID2
    added    TIME UTC (DURATION ago)
    [exit: 0]
    ");
    let many = (0..30)
        .map(|n| format!("{{\"title\":\"n{n:02}\",\"priority\":\"P4\"}}\n"))
        .collect::<Vec<_>>()
        .concat();
    add_from(&repo, &many);
    let expected: Vec<String> = (0..30).map(|n| format!("n{n:02}")).collect();
    assert_eq!(titles(&repo, &["--priority", "P4"]), expected);
    let json =
        repo.cmd(ORCH).args(&["add", "--from", "-", "--json"]).stdin("- [ ] one\n").run().success().json();
    assert_eq!(json.as_array().map(Vec::len), Some(1), "a file's tasks are an array, also one");
}

#[test]
fn what_list_prints_can_be_added_elsewhere() {
    let env = TestEnv::new();
    let (one, two) = (board(&env, "one"), board(&env, "two"));
    let first = add(&one, &["First", "--label", "x", "--body", "b"]);
    add(&one, &["Second", "--needs", &first, "--kind", "feature", "--accept", "ok"]);
    let listed = one.orch(&["list", "--json"]).success().json();
    let lines: Vec<String> = listed.as_array().expect("an array").iter().map(ToString::to_string).collect();
    add_from(&two, &lines.join("\n"));
    let of = |repo: &TestRepo, name: &str| {
        let all = repo.orch(&["list", "--json"]).success().json();
        all.as_array().expect("an array").iter().map(|t| t[name].clone()).collect::<Vec<_>>()
    };
    for name in ["title", "body", "kind", "labels", "acceptance", "ready"] {
        assert_eq!(of(&one, name), of(&two, name), "{name}");
    }
}

#[test]
fn input_that_can_t_be_read_adds_nothing_and_is_named_line_by_line() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let before = changes(&repo);
    let bad = "{\"title\":\"ok\"}\n{\"titel\":\"x\"}\n{\"title\":\"y\",\"kind\":\"story\"}\n[1]\n{\"title\":\"z\",\"needs\":[\"nobody\"]}\n";
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(bad).run(), @r"
    ---- stderr
    error: line 2: column 8: unknown field `titel`; did you mean `title`?
           line 3: `story` is no kind (see `git orch add -h`)
           line 4: column 2: invalid type: integer `1`, expected a string
    rule: add.input
    next: git orch help add
    [exit: 2]
    ");
    let list =
        "- [ ] fine (see the docs)\n- [ ] odd (Bug, P7)\n- [ ] (P1)\n- [ ] a (featur, P2)\n- [ ] b (P9)\n";
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(list).run(), @r"
    ---- stderr
    error: line 2: `P7` is no kind, priority or role
           line 3: a title can't be empty
           line 4: `featur` is no kind, priority or role; did you mean `feature`?
           line 5: `P9` is no kind, priority or role
           allowed in parentheses at a title's end, with commas or spaces between:
           kinds bug, quality, test, feature, refactor, docs; priorities P0 to P4;
           roles bugfix, codequality, testfixer, featurebuilder, testwriter;
           id: NAME, label: LABEL, needs: TASK, file: GLOB, accept: TEXT
           (for other words there, put a period behind the parentheses)
    rule: add.input
    next: git orch help add
    [exit: 2]
    ");
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin("nothing\n").run(), @r"
    ---- stderr
    error: no task found: write one JSON object a line, or a Markdown check-list (`- [ ] title`)
    rule: add.input
    next: git orch help add
    [exit: 2]
    ");
    insta::assert_snapshot!(repo.orch(&["add", "--from", "absent.md"]), @r"
    ---- stderr
    error: cannot read $ROOT/r/absent.md
    caused by: No such file or directory (os error 2)
    [exit: 8]
    ");
    repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(vec![0xff, 0xfe, b'\n']).run().code(8);
    repo.orch(&["add", "T", "--from", "plan.md"]).code(2);
    assert_eq!(changes(&repo), before);
}

#[test]
fn needs_that_no_task_has_are_named_as_they_were_typed() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let before = changes(&repo);
    let needy = "- [ ] a (needs: nope)\n- [ ] b (needs: c, id: b)\n- [ ] c (id: c)\n- [ ] d (needs: looo)\n";
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "--from", "-"]).stdin(needy).run(), @r"
    ---- stderr
    error: line 1: no task's id begins with `nope`
           line 4: no task's id begins with `looo`
    rule: id.unknown
    next: git orch list --all
    [exit: 2]
    ");
    insta::assert_snapshot!(repo.cmd(ORCH).args(&["add", "x", "--needs", "nope"]).run(), @r"
    ---- stderr
    error: no task's id begins with `nope`
    rule: id.unknown
    next: git orch list --all
    [exit: 2]
    ");
    assert_eq!(changes(&repo), before);
}

#[test]
fn ids_are_abbreviated_and_mistyped() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let lines = (0..40).map(|n| format!("{{\"title\":\"t{n}\"}}\n")).collect::<Vec<_>>().concat();
    let ids = add_from(&repo, &lines);
    let id = &ids[0];
    let unique = (1..=8).find(|&n| ids.iter().filter(|other| other.starts_with(&id[..n])).count() == 1);
    let short = &id[..unique.expect("ids differ")];
    for typed in [short.to_owned(), format!("bug-{short}"), id.to_uppercase(), format!("bug-{id}")] {
        assert_eq!(repo.orch(&["show", &typed, "--json"]).success().json()["id"], **id, "{typed}");
    }
    insta::assert_snapshot!(repo.orch(&["show", &format!("docs-{id}")]), @r"
    ---- stderr
    error: task ID1 is a bug, no docs
    rule: id.kind
    next: git orch show ID1
    [exit: 2]
    ");
    // Two of forty ids begin alike in one of thirty-two characters.
    let twice =
        (b'0'..=b'z').map(char::from).find(|&c| ids.iter().filter(|id| id.starts_with(c)).count() > 1);
    let typed = twice.expect("more ids than characters").to_string();
    let shown = repo.orch(&["show", &typed]).code(2);
    assert!(shown.stderr.contains("rule: id.ambiguous"), "{}", shown.stderr);
    for id in ids.iter().filter(|id| id.starts_with(&typed)).take(8) {
        assert!(shown.stderr.contains(id.as_str()), "{}", shown.stderr);
    }
    // One character is wrong.
    let wrong = if id.ends_with('0') { "1" } else { "0" };
    let typo = repo.orch(&["show", &format!("{}{wrong}", &id[..7])]).code(2);
    assert!(typo.stderr.contains(&format!("next: git orch show {id}")), "{}", typo.stderr);
    let empty = board(&env, "empty");
    insta::assert_snapshot!(empty.orch(&["show", "7k3f"]), @r"
    ---- stderr
    error: no task's id begins with `7k3f`
    rule: id.unknown
    next: git orch list --all
    [exit: 2]
    ");
    insta::assert_snapshot!(empty.orch(&["show", "not an id"]), @r"
    ---- stderr
    error: `not an id` is not an id or the beginning of one (0-9 a-z without i, l, o, u)
    rule: id.malformed
    next: git orch list
    [exit: 2]
    ");
    insta::assert_snapshot!(empty.orch(&["show", "7k3f", "--json"]), @r#"
    {"error":{"code":2,"rule":"id.unknown","fact":"no task's id begins with `7k3f`","next":["git orch list --all"]}}
    [exit: 2]
    "#);
    insta::assert_snapshot!(empty.orch(&["add", "x", "--needs", "7k3f"]), @r"
    ---- stderr
    error: no task's id begins with `7k3f`
    rule: id.unknown
    next: git orch list --all
    [exit: 2]
    ");
}

#[test]
fn every_reader_s_json_has_the_fields_of_the_contract() {
    let env = TestEnv::new();
    let repo = board(&env, "r");
    let fields = [
        "schema",
        "id",
        "kind",
        "title",
        "body",
        "priority",
        "status",
        "ready",
        "role",
        "labels",
        "needs",
        "files",
        "acceptance",
        "owner",
        "fence",
        "claim",
        "branch",
        "path",
        "created",
        "updated",
        "rejected",
    ];
    let check = |what: &str, value: &serde_json::Value| {
        let mut found: Vec<&str> = value.as_object().expect(what).keys().map(String::as_str).collect();
        let mut expected = fields.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{what}");
    };
    let added = repo.orch(&["add", "T", "--json"]).success().json();
    let id = added["id"].as_str().expect("an id").to_owned();
    check("add", &added);
    check("next --peek", &repo.orch(&["next", "--peek", "--json"]).success().json());
    check("list", &repo.orch(&["list", "--json"]).success().json()[0]);
    let taken = repo.orch(&["next", "--json"]).success().json();
    check("next", &taken);
    check("show", &repo.orch(&["show", &id, "--json"]).success().json());
    check("edit", &repo.orch(&["edit", &id, "--label", "x", "--json"]).success().json());
    check("start", &repo.orch(&["start", &id, "--json"]).success().json());
    let shown = repo.orch(&["list", "--json"]).success().json()[0].clone();
    assert_eq!(taken["claim"], "local");
    assert_eq!(taken["owner"], "person:ann@example.com");
    assert!(taken["updated"].as_str() > taken["created"].as_str(), "a claim is a change: {taken}");
    assert_eq!(shown["branch"], taken["branch"]);
    assert_eq!(shown["path"], taken["path"]);
    assert_eq!(shown["status"], "claimed");
}
