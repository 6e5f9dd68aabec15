//! cargo, clippy, libtest.

use crate::gate::findings::tests::setting::{Files, ROOT, format, new, report, said, shown, text};
use crate::gate::findings::{Sources, read};

#[test]
fn cargo_names_diagnostics_once_and_tests() {
    insta::assert_snapshot!(shown(&report("cargo", "cargo/base")), @r"
    3b71 warning src/lib.rs:5:26-5 unused_variables | unused variable: `unused`
    dddb warning src/lib.rs:9:5-9 clippy::needless_return | unneeded `return` statement
    047d warning src/lib.rs:6:8-6 clippy::bool_comparison | equality checks against true are unnecessary
    f46f error src/lib.rs:33:9-33 tests::fails | assertion `left == right` failed: seven is not eight left: 7 right: 8
    0afd error - tests::never_panics | note: test did not panic as expected at src/lib.rs:38:8
    425b error src/lib.rs:17-17 src/lib.rs - documented (line 17) | assertion `left == right` failed left: 4 right: 1
    ran 4, failed 3, skipped 1
    ");
}

#[test]
fn what_cargo_finds_is_known_again() {
    assert_eq!(new("cargo", "cargo/moved", "cargo/base"), "");
    insta::assert_snapshot!(new("cargo", "cargo/planted", "cargo/base"), @r"
    0a96 warning src/lib.rs:44:5-44 clippy::let_and_return | returning the result of a `let` binding from a block
    808a warning src/lib.rs:23:1-23 clippy::items_after_test_module | items after a test module
    ");
}

#[test]
fn errors_in_macros_are_where_our_code_calls_them() {
    insta::assert_snapshot!(shown(&report("cargo", "cargo/broken")), @r"
    2488 error src/lib.rs:12:20-12 E0425 | cannot find value `undefined` in this scope
    1205 error src/lib.rs:4:13-4 E0308 | mismatched types
    3469 error src/lib.rs:13:26-13 E0308 | mismatched types
    stopped early
    ");
}

#[test]
fn cargo_ends_every_build() {
    let whole = text("cargo/base");
    let (cut, _) = whole.split_once("{\"reason\":\"build-finished\"").expect("it ends");
    insta::assert_snapshot!(said("cargo", cut, &[]), @"error: cannot find the end of the report (format `cargo`)");
    insta::assert_snapshot!(said("cargo", &whole[..200], &[]), @"error: cannot find the end of the report (format `cargo`)");
    insta::assert_snapshot!(said("cargo", "error: no such command: `clipy`", &[]), @"error: cannot find a report of the format `cargo`");
    assert_eq!(said("cargo", "{\"reason\":\"build-finished\",\"success\":true}", &[]), "");
}

#[test]
fn libtest_names_tests() {
    let loud = shown(&report("libtest", "libtest/base"));
    insta::assert_snapshot!(loud, @r"
    f46f error src/lib.rs:33:9-33 tests::fails | assertion `left == right` failed: seven is not eight left: 7 right: 8
    0afd error - tests::never_panics | note: test did not panic as expected at src/lib.rs:38:8
    425b error src/lib.rs:17-17 src/lib.rs - documented (line 17) | assertion `left == right` failed left: 4 right: 1
    ran 4, failed 3, skipped 1
    ");
    assert_eq!(shown(&report("libtest", "libtest/quiet")), loud);
    insta::assert_snapshot!(new("libtest", "libtest/planted", "libtest/base"), @"5c82 error src/lib.rs:42:9-42 tests::planted | planted");
}

#[test]
fn tests_are_the_same_in_both_formats() {
    let of = |name: &str, dir: &str| {
        let tests = report(name, dir).findings.into_iter().filter(|f| f.rule.contains("tests::"));
        tests.map(|f| (f.rule, f.fingerprint)).collect::<Vec<_>>()
    };
    let of_cargo = of("cargo", "cargo/base");
    assert_eq!(of_cargo.len(), 2);
    assert_eq!(of_cargo, of("libtest", "libtest/base"));
}

#[test]
fn what_ends_a_test_process_or_a_build_is_a_finding() {
    insta::assert_snapshot!(shown(&report("libtest", "libtest/abort")), @"314e error - aborting | the process ended: signal: 6, SIGABRT: process abort signal");
    insta::assert_snapshot!(shown(&report("libtest", "libtest/broken")), @"ffeb error - compile | could not compile `unbuilt`");
}

#[test]
fn tests_of_the_same_name_are_as_many() {
    let suite = "running 1 test\n\nfailures:\n\n---- a stdout ----\nthread 'a' panicked at src/lib.rs:1:2:\nno\n\n\
                 failures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
    insta::assert_snapshot!(said("libtest", &suite.repeat(2), &[]), @r"
    8805 error src/lib.rs:1:2-1 a | no
    8805 error src/lib.rs:1:2-1 a | no
    ran 2, failed 2, skipped 0
    ");
}

#[test]
fn what_a_test_prints_is_of_no_suite() {
    let printed = "running 3 tests\ntest x ... FAILED\ntest result: FAILED. 0 passed; 3 failed; 0 ignored; 0 measured; 0";
    let text = format!(
        "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\n{printed}\n\nfailures:\n    a\n\n\
         test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out"
    );
    insta::assert_snapshot!(said("libtest", &text, &[]), @r"
    8805 error - a | running 3 tests test x ... FAILED test result: FAILED. 0 passed; 3 failed; 0 ignored; 0 measured; 0
    ran 1, failed 1, skipped 0
    ");
}

#[test]
fn a_suite_without_a_result_broke_off() {
    let whole = text("libtest/base");
    let (cut, _) = whole.split_once("test result:").expect("it ends");
    insta::assert_snapshot!(said("libtest", cut, &[]), @"error: cannot find the end of the report (format `libtest`)");
    insta::assert_snapshot!(said("libtest", "error: no such command: `tset`", &[]), @"error: cannot find a report of the format `libtest`");
    let unnamed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
    insta::assert_snapshot!(said("libtest", unnamed, &[]), @"error: cannot find every problem that the report counts (format `libtest`): 2 counted, 0 named");
}

#[test]
fn paths_are_from_where_the_tool_ran() {
    struct Below<'a>(Files<'a>);
    impl Sources for Below<'_> {
        fn text(&self, path: &str) -> Option<String> {
            self.0.text(path)
        }
        fn dir(&self) -> Option<&str> {
            Some("core")
        }
    }
    let files = Below(Files(&[("core/src/lib.rs", "fn a() {}\n"), ("other/src/lib.rs", "fn a() {}\n")]));
    for (said, path) in [
        ("src/lib.rs", "core/src/lib.rs"),
        ("other/src/lib.rs", "other/src/lib.rs"),
        ("gone.rs", "core/gone.rs"),
    ] {
        let text = std::format!("{said}:1: unused");
        let pattern = format("regex:^(?P<file>[^:]+):(?P<line>\\d+): (?P<message>.*)$");
        let report = read(&pattern, &text, ROOT, &files).expect("a report");
        assert_eq!(report.findings[0].path.as_deref(), Some(path));
    }
}
