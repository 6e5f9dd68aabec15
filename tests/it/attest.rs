//! Verdicts that others read, and those of others that count: with real keys and OpenSSH's own program.

use base64::Engine as _;

use git_orch::sys::fs;

use crate::env::{ORCH, TestEnv, TestRepo};
use crate::project::{Project, gate, refused};

/// A key of its own without a passphrase; its path, and the line of its public half.
fn key(env: &TestEnv, name: &str) -> (String, String) {
    let path = env.root().join(name).display().to_string();
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path];
    env.cmd("ssh-keygen").args(&args).run().success();
    let line = fs::read_string(&env.root().join(format!("{name}.pub"))).expect("made");
    (path, line.trim().to_owned())
}

/// A project whose gate notes each run, and whose trunk believes these signers.
fn project(env: &TestEnv, signers: &[String]) -> Project {
    let list: Vec<String> = signers.iter().map(|signer| format!("{signer:?}")).collect();
    let step = gate(&format!("echo run >> {}", env.root().join("runs").display()));
    Project::with(env, &format!("[policy]\nsigners = [{}]\n{step}", list.join(", ")))
}

fn runs(env: &TestEnv) -> usize {
    fs::read_optional(&env.root().join("runs")).expect("readable").map_or(0, |text| text.lines().count())
}

/// `ralph` as another machine would run it: with a key of its own for seals.
fn elsewhere(repo: &TestRepo, args: &[&str]) -> serde_json::Value {
    let home = repo.env().root().join("another-home").display().to_string();
    repo.cmd(ORCH).args(&["ralph"]).args(args).var("XDG_STATE_HOME", &home).run().any().json()
}

#[test]
fn a_signed_verdict_counts_where_trunk_names_its_signer() {
    let env = TestEnv::new();
    let (path, public) = key(&env, "build");
    let project = project(&env, &[format!("build@example.com {public}")]);
    project.repo.git(&["config", "orch.signingKey", &path]).success();
    project.repo.orch(&["ralph"]).success();
    let told = elsewhere(&project.repo, &["--json"]);
    assert_eq!((told["recorded"].as_bool(), runs(&env)), (Some(true), 1));
    let shown = elsewhere(&project.repo, &["show", "--json"]);
    assert_eq!(shown["verdicts"][0]["origin"], "signed");
    assert_eq!(shown["verdicts"][0]["signer"], "build@example.com");
}

#[test]
fn what_nobody_signed_or_somebody_else_did_is_a_hint() {
    let env = TestEnv::new();
    let (_, believed) = key(&env, "build");
    let (path, _) = key(&env, "other");
    let project = project(&env, &[format!("build@example.com {believed}")]);
    for sign in [false, true] {
        if sign {
            project.repo.git(&["config", "orch.signingKey", &path]).success();
        }
        project.repo.orch(&["ralph", "--fresh"]).success();
        let shown = elsewhere(&project.repo, &["show", "--json"]);
        assert_eq!(shown["verdicts"][0]["origin"], "hint");
    }
    assert_eq!(runs(&env), 2);
    let told = elsewhere(&project.repo, &["--json"]);
    assert_eq!(
        (told["recorded"].as_bool(), runs(&env)),
        (Some(false), 3),
        "it runs where it is not believed"
    );
}

#[test]
fn a_signature_is_of_one_verdict() {
    let env = TestEnv::new();
    let (path, public) = key(&env, "build");
    let project = project(&env, &[format!("build@example.com {public}")]);
    project.repo.git(&["config", "orch.signingKey", &path]).success();
    project.repo.orch(&["ralph"]).success();
    // The same signature under a verdict that says more.
    let file =
        project.repo.git(&["ls-tree", "-r", "--name-only", "refs/orch/state", "verdicts"]).success().line();
    let text = project.repo.git(&["cat-file", "-p", &format!("refs/orch/state:{file}")]).success().stdout;
    project.repo.write("forged", &text.replace("sandboxed", "partial").replace("unpartial", "sandboxed"));
    let blob = project.repo.git(&["hash-object", "-w", "forged"]).success().line();
    let index = env.root().join("index").display().to_string();
    let git =
        |args: &[&str]| project.repo.cmd("git").args(args).var("GIT_INDEX_FILE", &index).run().success();
    git(&["read-tree", "refs/orch/state"]);
    git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{file}")]);
    let tree = git(&["write-tree"]).line();
    let commit =
        project.repo.git(&["commit-tree", &tree, "-p", "refs/orch/state", "-m", "forged"]).success().line();
    project.repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "refs/orch/state", &commit]).success();
    let shown = elsewhere(&project.repo, &["show", "--json"]);
    assert_eq!(shown["verdicts"][0]["origin"], "hint");
    assert_eq!(
        project.repo.orch(&["ralph", "show", "--json"]).success().json()["verdicts"][0]["origin"],
        "hint"
    );
}

#[test]
fn an_export_is_checked_by_whoever_has_the_public_key() {
    let env = TestEnv::new();
    let (path, public) = key(&env, "build");
    let project = project(&env, &[]);
    refused(project.repo.orch(&["ralph", "export"]), 1, "verdict.none");
    project.repo.orch(&["ralph"]).success();
    refused(project.repo.orch(&["ralph", "export", "--dsse"]), 1, "verdict.unsigned");
    project.repo.git(&["config", "orch.signingKey", &path]).success();
    project.repo.orch(&["ralph", "--fresh"]).success();

    let statement = project.repo.orch(&["ralph", "export"]).success().json();
    assert_eq!(statement["subject"][0]["digest"]["gitTree"], project.repo.rev("HEAD^{tree}"));
    assert_eq!(statement["predicate"]["verificationResult"], "PASSED");
    assert_eq!(statement["predicate"]["gitOrch"]["steps"][0]["how"], "executed");
    assert!(statement["predicate"]["gitOrch"]["tools"]["sh"].is_string());

    let out = env.root().join("out.json");
    project.repo.orch(&["ralph", "export", "--dsse", "--output", &out.display().to_string()]).success();
    let text = fs::read_string(&out).expect("written");
    let envelope: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let decode = |value: &serde_json::Value| {
        base64::engine::general_purpose::STANDARD.decode(value.as_str().expect("text")).expect("base64")
    };
    let payload = decode(&envelope["payload"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&payload).expect("JSON"), statement);
    let kind = envelope["payloadType"].as_str().expect("text");
    let signed = [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes(), payload].concat();
    let [sig, allowed] = ["sig", "allowed"].map(|name| env.root().join(name));
    fs::write_new(&sig, &decode(&envelope["signatures"][0]["sig"]), 0o600).expect("ours");
    fs::write_new(&allowed, format!("me {public}\n").as_bytes(), 0o600).expect("ours");
    let paths = [&allowed, &sig].map(|path| path.display().to_string());
    let args = ["-Y", "verify", "-n", "git-orch", "-I", "me", "-f", &paths[0], "-s", &paths[1]];
    env.cmd("ssh-keygen").args(&args).stdin(signed).run().success();
}

#[test]
fn a_key_that_can_t_be_used_is_said_and_stops_nobody() {
    let env = TestEnv::new();
    let project = project(&env, &[]);
    project.repo.git(&["config", "orch.signingKey", "/nowhere/key"]).success();
    let done = project.repo.orch(&["ralph"]).success();
    assert!(done.stderr.contains("the verdict is not signed: ssh-keygen:"), "{}", done.stderr);
    project.repo.git(&["config", "orch.signingKey", "key"]).success();
    refused(project.repo.orch(&["ralph"]), 8, "config.local");
    let bad = gate("true");
    let other = TestEnv::new();
    let repo = Project::with(&other, &format!("[policy]\nsigners = [\"ssh-ed25519 AAAAC3\"]\n{bad}")).repo;
    let done = refused(repo.orch(&["ralph"]), 8, "config.invalid");
    assert!(done.stderr.contains("a signer is a name and a public key"), "{}", done.stderr);
}

#[test]
fn a_verdict_beside_its_base_is_signed_and_a_part_is_never_exported() {
    let env = TestEnv::new();
    let (path, public) = key(&env, "build");
    let report = "report = \"regex:^(?P<file>[^:]+):(?P<line>[0-9]+): (?P<message>.*)$\"";
    let toml = format!(
        "[policy]\nsigners = [\"build@example.com {public}\"]\n[ralph]\naccept = \"no_regressions\"\n\
         [[ralph.step]]\nname = \"old\"\nkind = \"lint\"\nrun = \"echo src/a:1: bad; false\"\n{report}\n\
         [[ralph.step]]\nname = \"good\"\nkind = \"lint\"\nrun = \"true\"\n"
    );
    let project = Project::with(&env, &toml);
    project.repo.git(&["config", "orch.signingKey", &path]).success();
    let task = project.task(&["--role", "featurebuilder"]);
    task.commits("README", "1\n");
    task.repo.orch(&["ralph"]).success();
    let shown = elsewhere(&task.repo, &["show", "--json"]);
    let scopes: Vec<_> =
        shown["verdicts"].as_array().expect("verdicts").iter().map(|v| (&v["scope"], &v["origin"])).collect();
    assert!(scopes.iter().all(|(_, origin)| *origin == "signed"), "{scopes:?}");
    assert!(scopes.iter().any(|(scope, _)| *scope == "no_regressions"), "{scopes:?}");
    // The tree by itself fails; a part of the gate passes, later.
    project.repo.orch(&["ralph", "main"]).code(1);
    project.repo.orch(&["ralph", "main", "--step", "good"]).success();
    let exported = project.repo.orch(&["ralph", "export", "main"]).success().json();
    assert_eq!(exported["predicate"]["verificationResult"], "FAILED");
    let shown = project.repo.orch(&["ralph", "show", "main", "--json"]).success().json();
    assert_eq!(shown["verdicts"][0]["part"], true);
}

#[test]
fn what_is_written_to_is_not_replaced() {
    let env = TestEnv::new();
    let project = project(&env, &[]);
    project.repo.sh("ln -s target.sarif link && mkfifo pipe").success();
    let read = project.repo.cmd("cat").args(&["pipe"]).spawn();
    project.repo.orch(&["ralph", "--sarif", "link", "--junit", "pipe"]).success();
    assert!(read.wait().success().stdout.contains("<testsuites"));
    assert!(project.repo.read("target.sarif").contains("sarif"));
    project.repo.sh("test -L link && test -p pipe").success();
    refused(project.repo.orch(&["ralph", "--sarif", "nowhere/x"]), 8, "output.place");
    assert_eq!(runs(&env), 1);
}

#[test]
fn the_log_lists_verdicts() {
    let env = TestEnv::new();
    let project = project(&env, &[]);
    assert_eq!(project.repo.orch(&["ralph", "log"]).success().stdout, "no verdict is on record yet\n");
    project.repo.orch(&["ralph"]).success();
    let shown = project.repo.orch(&["ralph", "log"]).success().stdout;
    assert!(shown.contains("PASS") && shown.contains("this machine"), "{shown}");
    let none = project.repo.orch(&["ralph", "show", "HEAD~1"]).success();
    assert!(none.stderr.contains("No verdict on HEAD~1 is on record."), "{}", none.stderr);
}

#[test]
fn only_signatures_of_what_is_asked_for_are_looked_at_and_each_once() {
    let env = TestEnv::new();
    let (path, public) = key(&env, "build");
    let step = |name: &str| format!("[[ralph.step]]\nname = \"{name}\"\nkind = \"custom\"\nrun = \"true\"\n");
    let signers = format!("[policy]\nsigners = [\"build@example.com {public}\"]\n");
    let project = Project::with(&env, &(signers + &step("one") + &step("two")));
    let repo = &project.repo;
    repo.git(&["config", "orch.signingKey", &path]).success();
    repo.orch(&["ralph", "--step", "one"]).success();
    repo.orch(&["ralph"]).success();
    // An `ssh-keygen` that notes what it is asked for.
    repo.sh("mkdir ../bin; printf '#!/bin/sh\\necho \"$*\" >>%s\\nexec %s \"$@\"\\n' $PWD/../asked $(command -v ssh-keygen) >../bin/ssh-keygen; chmod +x ../bin/ssh-keygen")
        .success();
    let paths = format!(
        "{}:{}",
        env.root().join("bin").display(),
        env.vars().get("PATH").expect("there is one").display()
    );
    let home = env.root().join("another-home").display().to_string();
    let asked = || {
        let lines = fs::read_optional(&env.root().join("asked")).expect("readable").unwrap_or_default();
        lines.lines().filter(|line| line.contains("verify")).count()
    };
    let verified = |args: &[&str]| {
        let before = asked();
        let cmd = repo.cmd(ORCH).args(&["ralph"]).args(args).var("XDG_STATE_HOME", &home).var("PATH", &paths);
        cmd.run().success();
        asked() - before
    };
    assert_eq!(verified(&["log"]), 2);
    assert_eq!(verified(&["log", "-n", "1"]), 1);
    assert_eq!(verified(&["export"]), 1, "a part is never exported");
    let twice =
        repo.git(&["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "the same tree"]).success().line();
    let third = repo.git(&["commit-tree", "HEAD^{tree}", "-p", &twice, "-m", "and again"]).success().line();
    assert_eq!(verified(&["--range", &format!("HEAD..{third}")]), 1);
}
