//! What people do with work that Ralph or they themselves do not want: send it back, revert, override.

use crate::env::{ORCH, TestEnv};
use crate::project::{Project, Task, gate, refused};
use crate::pty::OnTerminal;

#[test]
fn work_that_is_sent_back_goes_to_the_next_agent_with_the_reason() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let repo = &project.repo;
    let id = repo.orch(&["add", "work", "--kind", "feature"]).success().line();
    refused(repo.orch(&["reject", &id, "--reason", "no"]), 2, "reject.nothing");
    repo.orch(&["run", "--agent", "echo 4 > src/a"]).success();
    assert_eq!(project.status(&id), "review");
    refused(repo.orch(&["reject", &id, "--reason", " "]), 2, "reason.empty");
    let as_agent = repo.cmd(ORCH).args(&["reject", &id, "--reason", "x"]).var("ORCH_TASK", &id);
    refused(as_agent.run(), 4, "person.only");
    insta::assert_snapshot!(repo.orch(&["reject", &id, "--reason", "five, not four"]), @r"
    ---- stderr
    Rejected feature ID1: work
    hint: it is open again: whoever takes it next is told why, and goes on with its branch
    [exit: 0]
    ");
    let shown = project.shown(&id);
    assert_eq!((&shown["status"], &shown["rejected"]), (&"open".into(), &"five, not four".into()));
    assert!(repo.orch(&["show", &id]).success().stdout.contains("\nrejected five, not four\n"));
    assert!(repo.orch(&["log"]).success().stdout.contains("five, not four"));
    // An agent that leaves it as it is has not done it, though Ralph passes.
    let prompts = project.env().root().join("prompts");
    let idle = format!("cat > {}", prompts.display());
    let done = repo.orch(&["run", "--agent", &idle]).code(3);
    assert_eq!(project.status(&id), "blocked", "{}", done.stderr);
    let prompt = project.env().cmd("cat").args(&["prompts"]).run().success().stdout;
    assert!(
        prompt.contains("## A person sent the work back\n") && prompt.contains("five, not four"),
        "{prompt}"
    );
    // From `blocked` it goes back into the queue, too.
    repo.orch(&["reject", &id, "--reason", "still five"]).success();
    repo.orch(&["run", "--agent", "echo 5 > src/a"]).success();
    assert_eq!(project.status(&id), "review");
    repo.orch(&["merge", &id]).success();
    refused(repo.orch(&["reject", &id, "--reason", "late"]), 2, "reject.finished");
    assert_eq!(repo.git(&["show", "main:src/a"]).success().line(), "5");
}

#[test]
fn what_somebody_holds_stays_with_them() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    refused(task.repo.orch(&["reject", &task.id, "--reason", "x"]), 4, "person.only");
    let done = project.repo.orch(&["reject", &task.id, "--reason", "no"]).success();
    assert!(done.stderr.contains("it stays with person:ann@example.com"), "{}", done.stderr);
    assert_eq!(project.status(&task.id), "claimed");
    task.commits("src/a", "5\n");
    task.repo.orch(&["merge"]).success();
}

#[test]
fn work_that_is_sent_back_while_the_agent_is_at_it_is_not_merged_before_it_was_told() {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let repo = &project.repo;
    let id = repo.orch(&["add", "work"]).success().line();
    let root = project.env().root();
    project.env().cmd("mkfifo").args(&["began", "goes"]).run().success();
    // The first iteration waits until the person has spoken; the second is told.
    let agent = format!(
        "cd src; if grep -q 'sent the work back'; then echo 5 > a; else echo 4 > a; echo > {0}/began; cat {0}/goes; fi",
        root.display()
    );
    let running = repo.cmd(ORCH).args(&["run", "--agent", &agent]).spawn();
    crate::project::hear(&root.join("began"));
    repo.orch(&["reject", &id, "--reason", "five, not four"]).success();
    crate::project::tell(&root.join("goes"));
    running.wait().success();
    assert_eq!(repo.git(&["show", "main:src/a"]).success().line(), "5");
}

/// A task whose branch changes two files, one of which has what guardrails forbid.
fn guarded() -> (Project, Task) {
    let project = Project::with(&TestEnv::new(), &gate("true"));
    let task = project.task(&["--kind", "feature"]);
    task.commits("src/a", "4\n");
    task.commits("schema.sql", "DROP TABLE users;\n");
    (project, task)
}

fn asked(project: &Project, args: &[&str]) -> OnTerminal {
    let mut terminal = OnTerminal::start(&project.repo.cmd(ORCH).args(args));
    terminal.sees("a  abort: leave everything as it is");
    terminal
}

#[test]
fn abort_is_what_enter_the_end_of_input_and_an_interrupt_mean() {
    let (project, task) = guarded();
    let tip = project.repo.rev(&task.branch);
    let leave: [fn(&mut OnTerminal); 4] = [
        |terminal| terminal.types(""),
        |terminal| terminal.types("what?"),
        OnTerminal::ends_input,
        |terminal| terminal.interrupts(),
    ];
    for leave in leave {
        let mut terminal = asked(&project, &["merge", &task.id]);
        terminal.sees("[r/o/A] ");
        leave(&mut terminal);
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(3), "{shown}");
        assert!(shown.contains("nothing was merged"), "{shown}");
        assert_eq!(
            (project.repo.rev(&task.branch), project.status(&task.id)),
            (tip.clone(), "claimed".into())
        );
    }
}

#[test]
fn revert_puts_back_what_was_found_and_keeps_the_work() {
    let (project, task) = guarded();
    let tip = project.repo.rev(&task.branch);
    let mut terminal = asked(&project, &["merge", &task.id]);
    terminal
        .sees("r  revert: put 1 file back as it was where the branch began (schema.sql); the work is kept");
    terminal.types("r");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("`git revert "), "{shown}");
    assert!(!task.repo.has("schema.sql") && task.repo.read("src/a") == "4\n");
    assert_eq!(task.repo.git(&["status", "--porcelain"]).success().stdout, "");
    assert_eq!(project.repo.rev(&format!("{}~1", task.branch)), tip, "history is as it was");
    let kept = project.repo.git(&["for-each-ref", "--format=%(objectname)", "refs/orch/backup/blocked"]);
    assert_eq!(kept.success().line(), tip);
    // What brings it back brings it back; without it the rest is merged.
    task.repo.git(&["revert", "--no-edit", "HEAD"]).success();
    assert!(task.repo.has("schema.sql"));
    task.repo.git(&["revert", "--no-edit", "HEAD"]).success();
    project.repo.orch(&["merge", &task.id]).success();
    project.is_sound();
}

/// A task that was taken when trunk had these files too.
fn task_on(files: &[(&str, &str)]) -> (Project, Task) {
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.commit("files", files);
    let project = Project::set_up(repo, &gate("true"));
    let task = project.task(&["--kind", "feature"]);
    (project, task)
}

fn reverts(project: &Project, task: &Task) {
    let mut terminal = asked(project, &["ralph", &task.id]);
    terminal.types("r");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains(" back on "), "{shown}");
    assert_eq!(task.repo.git(&["status", "--porcelain"]).success().stdout, "");
}

#[test]
fn revert_brings_a_renamed_file_back_under_its_old_name() {
    let (project, task) = task_on(&[("a.sql", "SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\n")]);
    task.repo.git(&["mv", "a.sql", "b.sql"]).success();
    task.commits("b.sql", "SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\nDROP TABLE users;\n");
    reverts(&project, &task);
    let diff = task.repo.git(&["diff", "--name-status", "main", "HEAD"]).success();
    assert_eq!(diff.stdout, "", "a.sql is as it was, b.sql is not there");
}

#[test]
fn revert_puts_directories_back_where_files_are_now_and_files_where_directories_are() {
    let drop = "DROP TABLE users;\n";
    let (project, task) = task_on(&[("d/x.txt", "x\n"), ("d/y.txt", "y\n"), ("f", "f\n")]);
    task.repo.git(&["rm", "-r", "--quiet", "d", "f"]).success();
    task.stage("d", "no directory\n");
    task.stage("f/other.txt", "other\n");
    task.stage("d.sql", drop);
    task.commits("f/a.sql", drop);
    reverts(&project, &task);
    let diff = || task.repo.git(&["diff", "--name-status", "main", "HEAD"]).success().stdout;
    assert_eq!(diff(), "A\td\nD\td/x.txt\nD\td/y.txt\n", "what was found, and what is in its way");
}

#[test]
fn revert_is_for_what_was_judged() {
    let (project, task) = guarded();
    let mut terminal = asked(&project, &["ralph", &task.id]);
    let tip = task.commits("src/a", "5\n");
    terminal.types("r");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(6), "{shown}");
    assert!(shown.contains("moved meanwhile; nothing was taken back"), "{shown}");
    assert_eq!(project.repo.rev(&task.branch), tip);
    assert!(task.repo.has("schema.sql"));
}

#[test]
fn what_was_typed_before_the_question_is_no_answer() {
    let env = TestEnv::new();
    let root = env.root().to_owned();
    env.cmd("mkfifo").args(&["began", "goes"]).run().success();
    let line = format!("echo > {0}/began; cat {0}/goes; exit 127", root.display());
    let project = Project::with(&env, &gate(&line));
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    let trunk = project.repo.rev("main");
    let mut terminal = OnTerminal::start(&project.repo.cmd(ORCH).args(&["merge", &task.id]));
    crate::project::hear(&root.join("began"));
    terminal.types("o");
    terminal.types("typed ahead");
    // The terminal shows what it has taken.
    terminal.sees("typed ahead");
    crate::project::tell(&root.join("goes"));
    terminal.sees("[o/A] ");
    terminal.types("");
    let (code, shown) = terminal.ends();
    assert_eq!((code, project.repo.rev("main")), (Some(3), trunk), "{shown}");
}

#[test]
fn override_asks_for_a_reason_and_holds_for_that_tree_alone() {
    let (project, task) = guarded();
    let mut terminal = asked(&project, &["ralph", &task.id]);
    terminal.types("o");
    terminal.sees("Reason: ");
    terminal.types("");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("Without a reason nothing is let pass"), "{shown}");
    let mut terminal = asked(&project, &["ralph", &task.id]);
    terminal.types("override");
    terminal.sees("Reason: ");
    terminal.types("nobody has users");
    let (_, shown) = terminal.ends();
    assert!(shown.contains("Let pass: guardrail.sql.drop at schema.sql:1"), "{shown}");
    project.repo.orch(&["ralph", &task.id]).code(0);
    let log = project.repo.orch(&["log", "--action", "override"]).success();
    assert!(log.stdout.contains("guardrail.sql.drop at schema.sql:1: nobody has users"), "{}", log.stdout);
    task.commits("src/a", "5\n");
    project.repo.orch(&["ralph", &task.id]).code(3);
    // A merge goes on after it.
    let mut terminal = asked(&project, &["merge", &task.id]);
    terminal.types("o");
    terminal.sees("Reason: ");
    terminal.types("still nobody");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(project.status(&task.id), "done");
}

#[test]
fn what_could_not_be_judged_gets_past_by_a_merge_alone() {
    let project = Project::with(&TestEnv::new(), &gate("exit 127"));
    let task = project.task(&[]);
    let tip = task.commits("src/a", "4\n");
    let (code, shown) = OnTerminal::start(&project.repo.cmd(ORCH).args(&["ralph", &task.id])).ends();
    assert_eq!(code, Some(3), "{shown}");
    assert!(!shown.contains("abort"), "nobody is asked who has no choice: {shown}");
    let mut terminal = asked(&project, &["merge", &task.id]);
    terminal.sees("[o/A] ");
    terminal.types("r");
    let (code, shown) = terminal.ends();
    assert_eq!((code, project.repo.rev(&task.branch)), (Some(3), tip), "the change is not to blame: {shown}");
    let mut terminal = asked(&project, &["merge", &task.id]);
    terminal.sees("o  override: let it pass though it could not be judged");
    terminal.types("o");
    terminal.sees("Reason: ");
    terminal.types("the tool comes tomorrow");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    let log = project.repo.orch(&["log", "--action", "override"]).success();
    assert!(log.stdout.contains("the tool comes tomorrow"), "{}", log.stdout);
}

/// A project whose gate can't judge, until the file `judges` is there: then it FAILs. And a task of it.
fn unjudged() -> (Project, Task) {
    let env = TestEnv::new();
    let judges = env.root().join("judges");
    let project = Project::with(&env, &gate(&format!("test -e {} && exit 1; exit 127", judges.display())));
    let task = project.task(&[]);
    task.commits("src/a", "4\n");
    (project, task)
}

fn lets_pass(terminal: &mut OnTerminal, reason: &str) {
    terminal.types("o");
    terminal.sees("Reason: ");
    terminal.types(reason);
}

#[test]
fn what_gets_past_blocked_does_not_get_past_fail() {
    let (project, task) = unjudged();
    let trunk = project.repo.rev("main");
    let mut terminal = asked(&project, &["merge", &task.id]);
    project.env().cmd("touch").args(&["judges"]).run().success();
    lets_pass(&mut terminal, "the tool comes tomorrow");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!((project.repo.rev("main"), project.status(&task.id)), (trunk, "claimed".into()));
    let log = project.repo.orch(&["log", "--action", "override"]).success();
    assert!(!log.stdout.contains("tomorrow"), "{}", log.stdout);
}

#[test]
fn what_gets_past_blocked_does_so_for_the_tree_that_was_shown() {
    let (project, task) = unjudged();
    let mut terminal = asked(&project, &["merge", &task.id]);
    task.commits("src/a", "5\n");
    lets_pass(&mut terminal, "for four");
    terminal.sees_times("a  abort: leave everything as it is", 2);
    terminal.types("");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(3), "{shown}");
    assert_eq!(project.repo.git(&["show", "main:src/a"]).success().stdout, "1\n2\n3\n");
    assert_eq!(project.status(&task.id), "claimed");
}

#[test]
fn nobody_is_asked_who_can_t_answer_or_is_no_person() {
    let (project, task) = guarded();
    refused(project.repo.orch(&["merge", &task.id]), 3, "guardrail.sql.drop");
    for args in [
        ["merge", &task.id, "--unattended"],
        ["ralph", &task.id, "--json"],
        ["ralph", &task.id, "--unattended"],
    ] {
        let (code, shown) = OnTerminal::start(&project.repo.cmd(ORCH).args(&args)).ends();
        assert_eq!(code, Some(3), "{shown}");
        assert!(!shown.contains("abort"), "{shown}");
    }
    let (_, shown) = OnTerminal::start(&task.agent_cmd(ORCH).args(&["ralph"])).ends();
    assert!(!shown.contains("abort"), "{shown}");
    // In the task's own worktree a person may revert, and let nothing pass.
    let mut terminal = OnTerminal::start(&task.repo.cmd(ORCH).args(&["ralph"]));
    terminal.sees("[r/A] ");
    terminal.types("o");
    assert_eq!(terminal.ends().0, Some(3));
}

#[test]
fn without_a_terminal_all_is_left_unless_policy_says_otherwise() {
    let (project, task) = guarded();
    let tip = project.repo.rev(&task.branch);
    refused(project.repo.orch(&["merge", &task.id]), 3, "guardrail.sql.drop");
    assert_eq!(project.repo.rev(&task.branch), tip, "left, unless policy says otherwise");
}

#[test]
fn policy_puts_back_what_nobody_can_be_asked_about() {
    let policy = gate("true") + "[policy]\nblocked = 'revert'\n";
    let project = Project::with(&TestEnv::new(), &policy);
    let task = project.task(&["--kind", "feature"]);
    task.commits("schema.sql", "DROP TABLE users;\n");
    task.agent(&["ralph"]).code(3);
    assert!(task.repo.has("schema.sql"), "an agent mends it by itself");
    let other = project.task(&["--kind", "feature"]);
    other.repo.orch(&["ralph", &task.id]).code(3);
    assert!(task.repo.has("schema.sql"), "nobody takes work back from another task's worktree");
    let done = project.repo.orch(&["ralph", &task.id]).code(3);
    assert!(done.stderr.contains("Put 1 file back on "), "{}", done.stderr);
    assert!(!task.repo.has("schema.sql"));
    project.repo.orch(&["ralph", &task.id]).code(0);
}

#[test]
fn a_file_in_the_way_is_never_touched() {
    let (project, task) = guarded();
    let tip = project.repo.rev(&task.branch);
    task.repo.write("schema.sql", "DROP TABLE users; -- and more\n");
    let mut terminal = asked(&project, &["ralph", &task.id]);
    terminal.types("r");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(4), "{shown}");
    assert!(shown.contains("are in the way; nothing was taken back"), "{shown}");
    assert_eq!(task.repo.read("schema.sql"), "DROP TABLE users; -- and more\n");
    assert_eq!(project.repo.rev(&task.branch), tip);
}

#[test]
fn single_findings_are_let_pass_by_name_for_one_tree() {
    let (project, task) = guarded();
    let over = |what: &str, finding: &str| {
        project.repo.orch(&["ralph", "override", what, "--finding", finding, "--reason", "agreed"])
    };
    let json = project.repo.orch(&["ralph", &task.id, "--json"]).code(3).json();
    let fingerprint = json["findings"][0]["fingerprint"].as_str().expect("it has one").to_owned();
    refused(over(&task.id, "guardrail.nonsense"), 2, "override.finding");
    let args = ["ralph", "override", "--finding", "guardrail.sql.drop", "--reason", "x"];
    refused(task.repo.orch(&args), 4, "person.only");
    refused(task.agent(&args), 4, "person.only");
    over(&task.id, &fingerprint[..12]).success();
    let json = project.repo.orch(&["ralph", &task.id, "--json"]).code(0).json();
    assert_eq!(
        (&json["allowed"][0]["rule"], &json["allowed"][0]["by"]),
        (&"guardrail.sql.drop".into(), &"person".into())
    );
    // Another finding of the same rule was not let pass.
    task.commits("schema.sql", "DROP TABLE users;\nDROP TABLE orders;\n");
    project.repo.orch(&["ralph", &task.id]).code(3);
    over(&task.id, "guardrail.sql.drop").success();
    project.repo.orch(&["merge", &task.id]).success();
}

#[test]
fn what_a_tree_lost_is_let_pass_for_that_tree_and_nothing_else_is() {
    let report = |tests: &str, ignored: u32| {
        let ran = tests.len();
        let lines: String =
            tests.chars().map(|test| format!("test {test} ... ok\n")).collect::<Vec<_>>().concat();
        let skipped = "test z ... ignored\n".repeat(usize::try_from(ignored).expect("few"));
        format!(
            "running {} tests\n{lines}{skipped}\ntest result: ok. {ran} passed; 0 failed; {ignored} ignored; 0 measured; 0 filtered out\n",
            ran + skipped.lines().count()
        )
    };
    let gate = "[[ralph.step]]\nname = 'unit'\nkind = 'test'\nrun = 'cat report'\nreport = 'libtest'\n\
        [[ralph.step]]\nname = 'devs'\nkind = 'custom'\nrun = 'true'\nteams = ['dev']\n";
    let env = TestEnv::new();
    let repo = env.repo("repo");
    repo.commit("tests", &[("report", &report("ab", 0))]);
    let project = Project::set_up(repo, gate);
    // A merge is judged by the part of the gate that is its team's, and so is what it is compared with.
    let first = project.task(&[]);
    first.commits("src/a", "4\n");
    project.repo.orch(&["merge", &first.id]).success();
    project.repo.orch(&["ralph", "main"]).code(0);
    let task = project.task(&[]);
    task.commits("report", &report("a", 1));
    let rule = || project.repo.orch(&["ralph", &task.id, "--json"]).any().json()["rule"].clone();
    let over = |finding: &str| {
        project.repo.orch(&["ralph", "override", &task.id, "--finding", finding, "--reason", "b is gone"])
    };
    assert_eq!(rule(), "ralph.fewer_tests");
    refused(over("ralph.coverage"), 2, "override.finding");
    over("ralph.fewer_tests").success();
    assert_eq!(rule(), "ralph.skipped_tests", "the other loss still blocks");
    over("ralph.skipped_tests").success();
    project.repo.orch(&["ralph", &task.id]).code(0);
    task.commits("report", &report("c", 1));
    assert_eq!(rule(), "ralph.fewer_tests", "another tree is asked about again");
    // A merge asks about both losses, one after the other.
    let mut terminal = asked(&project, &["merge", &task.id]);
    for (times, reason) in [(1, "fewer"), (2, "skipped")] {
        terminal.sees_times("a  abort: leave everything as it is", times);
        terminal.types("o");
        terminal.sees_times("Reason: ", times);
        terminal.types(reason);
        terminal.sees(if reason == "fewer" {
            "Let pass: ralph.fewer_tests"
        } else {
            "Let pass: ralph.skipped_tests"
        });
    }
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(project.status(&task.id), "done");
}

#[test]
fn where_nobody_is_asked_the_command_that_lets_it_pass_is_named() {
    let said = |done: &crate::run::Done| -> Vec<String> {
        done.stderr.lines().filter(|line| line.starts_with("hint: ")).map(str::to_owned).collect()
    };
    let (project, task) = guarded();
    let id = &task.id;
    let approve = format!("hint: git orch approve {id} --reason TEXT   (a person who has read the findings)");
    let past = format!("hint: git orch merge {id} --override --reason TEXT   (a person, recorded)");
    let blocked = project.repo.orch(&["ralph", id]).code(3);
    assert_eq!(said(&blocked), [approve, past.clone()]);
    // What is on no branch can't be merged.
    task.commits("src/a", "5\n");
    let blocked = project.repo.orch(&["ralph", &format!("{}~1", task.branch)]).code(3);
    assert_eq!(
        said(&blocked),
        [format!(
            "hint: git orch approve '{}~1' --reason TEXT   (a person who has read the findings)",
            task.branch
        )]
    );
    let task = project.task(&[]);
    task.commits("orch.toml", &gate("exit 127"));
    let blocked = project.repo.orch(&["ralph", &task.branch]).code(3);
    let id = &task.id;
    assert_eq!(
        said(&blocked),
        [format!("hint: git orch approve {id} --reason TEXT   (a person who has read the change)")]
    );
    project.repo.orch(&["approve", id, "--reason", "x"]).success();
    let blocked = project.repo.orch(&["ralph", id]).code(3);
    assert_eq!(
        said(&blocked),
        [format!("hint: git orch merge {id} --override --reason TEXT   (a person, recorded)")]
    );
}

#[test]
fn a_branch_s_name_is_quoted_where_it_is_to_be_typed() {
    let project = Project::new();
    let repo = &project.repo;
    repo.git(&["switch", "--quiet", "-c", "x;y"]).success();
    repo.commit("another gate", &[("orch.toml", &gate("echo other"))]);
    let typed = "git orch approve 'x;y' --reason TEXT";
    let done = repo.orch(&["ralph", "x;y"]).code(3);
    assert!(done.stderr.contains(typed), "{}", done.stderr);
    let done = repo.orch(&["merge", "x;y"]).code(3);
    assert!(done.stderr.contains(typed), "{}", done.stderr);
}
