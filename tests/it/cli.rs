//! The surface by itself: help, manual, completions, streams and exit codes, without a repository.

use git_orch::domain::draft::Draft;
use git_orch::ops::{self, Ctx};
use git_orch::store::Meta;
use git_orch::sys::env::Env;
use git_orch::sys::signal::Interrupts;

use crate::env::TestEnv;

#[test]
fn a_command_line_that_can_t_be_understood_is_exit_2() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.orch(&["ad"]), @r"
    ---- stderr
    error: unrecognized subcommand 'ad'

      tip: a similar subcommand exists: 'add'

    Usage: git orch [OPTIONS] [COMMAND]

    For more information: git orch -h
    [exit: 2]
    ");
    insta::assert_snapshot!(env.orch(&["show", "--json"]), @r#"
    {"error":{"code":2,"rule":"usage","fact":"the following required arguments were not provided: <TASK>","next":["git orch show -h"]}}
    [exit: 2]
    "#);
    for (args, help) in [
        (&["list", "--limti"][..], "list"),
        (&["worktree", "prune", "x"], "worktree prune"),
        (&["gate", "--x"], "ralph"),
    ] {
        let shown = env.orch(args).code(2).stderr.clone();
        assert!(shown.ends_with(&format!("\n\nFor more information: git orch {help} -h\n")), "{shown}");
        let line: Vec<&str> = help.split(' ').chain(["-h"]).collect();
        assert!(env.orch(&line).success().lines().len() > 3, "{help}");
    }
    insta::assert_snapshot!(env.orch(&["-C", "nowhere", "man"]), @r"
    ---- stderr
    error: $ROOT/nowhere is not a directory
    [exit: 2]
    ");
}

#[test]
fn git_finds_the_program() {
    let env = TestEnv::new();
    let version = env.git(&["orch", "--version"]).success();
    assert_eq!(version.line(), format!("git-orch {}", env!("CARGO_PKG_VERSION")));
    let help = env.git(&["orch", "-h"]).success();
    assert!(help.stdout.contains("Usage: git orch [OPTIONS] [COMMAND]"), "{}", help.stdout);
    assert_eq!(help.stdout, env.orch(&[]).success().stdout);
}

#[test]
fn the_manual_is_installed_where_it_is_asked_for() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.orch(&["man", "--install", "man/man1"]), @r"
    ---- stderr
    Installed 50 manual pages in $ROOT/man/man1.
    hint: `man` does not look there by itself: add $ROOT/man to MANPATH
    [exit: 0]
    ");
    let page = env.cmd("cat").args(&["man/man1/git-orch-next.1"]).run().success();
    assert!(page.stdout.contains(".TH git-orch-next 1"), "{}", page.stdout);
    let main = env.cmd("cat").args(&["man/man1/git-orch.1"]).run().success();
    assert_eq!(main.stdout, env.orch(&["man"]).success().stdout);
    assert_eq!(env.orch(&["-q", "man", "--install", "man/man1"]).success().stderr, "");
}

#[test]
fn bash_completes_the_program_and_the_git_command() {
    let env = TestEnv::new();
    let script = r#"
        source <(git-orch completions bash)
        complete_words() {
            local function=$1; shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMPREPLY=()
            $function "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
            echo "${COMPREPLY[*]}"
        }
        complete_words _clap_complete_git_orch git-orch ra
        complete_words _clap_complete_git_orch git-orch worktree pa
        complete_words _git_orch git -C /x orch add title --kind ""
        complete_words _git_orch git orch gate --fr
    "#;
    insta::assert_snapshot!(env.cmd("bash").args(&["-c", script]).run(), @r"
    ralph
    path
    bug quality test feature refactor docs
    --fresh
    [exit: 0]
    ");
}

#[test]
fn the_ids_of_unfinished_tasks_are_completed() {
    let env = TestEnv::new();
    let repo = env.repo("r");
    let answer = |args: &[&str]| {
        let words = [&["--", "git-orch"], args].concat();
        let index = (words.len() - 2).to_string();
        let cmd = repo.cmd("git-orch").args(&words).var("COMPLETE", "bash");
        cmd.var("_CLAP_COMPLETE_INDEX", index).var("_CLAP_IFS", "\n").run().success().lines()
    };
    assert_eq!(answer(&["show", ""]).iter().filter(|l| !l.starts_with('-')).count(), 0, "no state yet");
    let (path, home) = (Env::capture().get("PATH").expect("set").to_owned(), env.home().into());
    let vars = Env::from_pairs([("PATH", path), ("HOME", home)]);
    let cx = Ctx::open(&vars, &repo.path(""), Interrupts::default()).expect("a repository");
    let meta = Meta::new("0".repeat(16), "main".into());
    cx.store().create(&cx.author(), cx.clock.now(), &meta).expect("no state yet");
    let drafts = ["One", "Two"].map(|title| Draft::new(title.into()));
    let added = ops::tasks::add(&cx, &drafts, "test").expect("added");
    let done = ops::steps::Step::Close("not needed".into());
    ops::steps::step(&cx, std::slice::from_ref(&added[0].id), &done).expect("closed");
    let left = added[1].id.to_string();
    assert_eq!(answer(&["show", &left[..1]]), [left.as_str()]);
    assert!(answer(&["dep", "add", &left, ""]).contains(&left));
    assert!(!answer(&["show", ""]).contains(&added[0].id.to_string()));
}

#[test]
fn a_reader_that_leaves_is_no_failure_and_a_full_disk_is() {
    let env = TestEnv::new();
    // Opened for reading only until the writing end is open: whoever writes then has no reader.
    let script = "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; git-orch completions bash >&4";
    assert_eq!(env.cmd("sh").args(&["-c", script]).run().success().stderr, "");
    insta::assert_snapshot!(env.cmd("sh").args(&["-c", "git-orch man > /dev/full"]).run(), @r"
    ---- stderr
    error: cannot write to stdout: No space left on device (os error 28)
    [exit: 8]
    ");
}

#[test]
fn colour_is_for_those_who_want_it() {
    let env = TestEnv::new();
    let coloured = |args: &[&str]| env.orch(args).any().stdout.contains('\u{1b}');
    assert!(!coloured(&["-h"]));
    let forced = env.cmd("git-orch").args(&["-h"]).var("CLICOLOR_FORCE", "1").run().success();
    assert!(forced.stdout.contains('\u{1b}'), "{}", forced.stdout);
    let refused =
        env.cmd("git-orch").args(&["-h"]).var("CLICOLOR_FORCE", "1").var("NO_COLOR", "1").run().success();
    assert!(!refused.stdout.contains('\u{1b}'), "{}", refused.stdout);
}

#[test]
fn a_filter_for_logs_that_is_none_is_named() {
    let env = TestEnv::new();
    let outcome = env.cmd("git-orch").args(&["man"]).var("ORCH_LOG", "a=b=c").run().code(8);
    assert!(outcome.stderr.starts_with("error: ORCH_LOG"), "{}", outcome.stderr);
}

#[test]
fn a_panic_on_any_thread_is_exit_70_and_says_that_it_is_a_bug() {
    const HERE: &str = "PANIC_HERE";
    if Env::capture().get(HERE).is_some() {
        git_orch::sys::panic::exit_with(70, git_orch::cli::bug);
        let thread = std::thread::spawn(|| panic!("boom {}", 7));
        thread.join().expect("the process ends in the thread");
    }
    let env = TestEnv::new();
    let this = git_orch::sys::env::current_program().expect("this test runs");
    let name = "cli::a_panic_on_any_thread_is_exit_70_and_says_that_it_is_a_bug";
    let outcome = env.cmd(&this).args(&["--exact", name, "--nocapture"]).var(HERE, "1").run().code(70);
    assert!(outcome.stderr.starts_with("error: BUG: boom 7 (tests/it/cli.rs:"), "{}", outcome.stderr);
}
