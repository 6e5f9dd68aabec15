//! JUnit, SARIF, Go, patterns, and the bounds of all.

use crate::domain::finding::Finding;
use crate::gate::findings::tests::setting::{Files, ROOT, format, named, new, report, said, shown, text};
use crate::gate::findings::{FINDINGS, read};

#[test]
fn junit_names_tests_of_every_runner() {
    insta::assert_snapshot!(shown(&report("junit", "vitest-junit/base")), @r"
    8834 error test/broken.test.js suite | Cannot find module './missing.js' imported from test/broken.test.js
    b69d error test/sum.test.js sum > is wrong | expected 2 to be 3 // Object.is equality
    ran 3, failed 2, skipped 2
    ");
    insta::assert_snapshot!(shown(&report("junit", "pytest-junit/collection")), @r#"
    91f2 error - tests.test_broken | collection failure
    4a2e error - tests.test_a::test_wrong | assert (1 + 1) == 3
    e6c0 error - tests.test_a::test_par[a - b] | AssertionError: assert 'a - b' == 'c' - c + a - b
    0f98 error - tests.test_a.TestThing::test_in | ValueError: no
    7b98 error - tests.test_a::test_fix | failed on setup with "RuntimeError: fixture"
    2592 error - tests.test_a::test_strict | [XPASS(strict)]
    ran 8, failed 6, skipped 1
    "#);
}

#[test]
fn what_junit_says_is_known_again() {
    for dir in ["vitest-junit", "pytest-junit"] {
        assert_eq!(new("junit", &format!("{dir}/moved"), &format!("{dir}/base")), "");
    }
    insta::assert_snapshot!(new("junit", "vitest-junit/planted", "vitest-junit/base"), @"fed7 error test/sum.test.js planted | expected 'a' to be 'b' // Object.is equality");
    insta::assert_snapshot!(new("junit", "pytest-junit/planted", "pytest-junit/base"), @"c5c3 error - tests.test_a::test_planted | AssertionError: assert 'a' == 'b' - b + a");
}

#[test]
fn junit_of_nextest_and_others() {
    let nextest = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" uuid="x" timestamp="2026-01-01T00:00:00Z" time="0.1">
    <testsuite name="planted" tests="3" disabled="0" errors="0" failures="1">
        <testcase name="tests::passes" classname="planted" timestamp="2026-01-01T00:00:00Z" time="0.01"/>
        <testcase name="tests::flaky" classname="planted">
            <flakyFailure message="once" type="test failure"/>
        </testcase>
        <testcase name="tests::fails" classname="planted">
            <failure type="test failure with exit code 101">thread &apos;tests::fails&apos; panicked at src/lib.rs:28:9: &#x27;no&#x27; &unknown;<![CDATA[ <raw> ]]></failure>
            <system-out>out</system-out>
        </testcase>
    </testsuite>
</testsuites>"#;
    insta::assert_snapshot!(said("junit", nextest, &[]), @r"
    248f error - planted::tests::fails | thread 'tests::fails' panicked at src/lib.rs:28:9: 'no' <raw>
    ran 3, failed 1, skipped 0
    ");
    let googletest = r#"<testsuite name="A" file="a_test.cc"><testcase name="One" status="notrun" classname="A"/><testcase name="Two" classname="A" file="b.cc" line="7"><error message="bad"/></testcase></testsuite>"#;
    insta::assert_snapshot!(said("junit", googletest, &[]), @r"
    09dc error b.cc:7-7 A::Two | bad
    ran 1, failed 1, skipped 1
    ");
    assert_eq!(said("junit", "<testsuites/>", &[]), "ran 0, failed 0, skipped 0\n");
}

#[test]
fn xml_that_breaks_off_is_no_report() {
    for text in
        ["<testsuites>", "<testsuites><testsuite", "<testsuites><testcase name=\"a", "<testsuite><a></a>"]
    {
        insta::allow_duplicates! {
            insta::assert_snapshot!(said("junit", text, &[]), @"error: cannot find the end of the report (format `junit`)");
        }
    }
    insta::assert_snapshot!(said("junit", "<testsuites></testsuite>", &[]), @"error: cannot read the report (format `junit`)");
    insta::assert_snapshot!(said("junit", "<html/>", &[]), @"error: cannot find a report of the format `junit`");
    let deep = "<testsuite>".repeat(100_000);
    insta::assert_snapshot!(said("junit", &deep, &[]), @"error: cannot find the end of the report (format `junit`)");
}

#[test]
fn sarif_has_places_and_levels() {
    insta::assert_snapshot!(shown(&report("sarif", "sarif/base")), @r"
    ae0d error a.py:1:8-1 F401 | `os` imported but unused
    75b8 error a.py:2:8-2 F401 | `sys` imported but unused
    96e8 error a.py:6-6 E702 | Multiple statements on one line (semicolon)
    03bd error a.py:6-6 F841 | Local variable `wrong` is assigned to but never used
    ee00 error a.py:7:16-7 E711 | Comparison to `None` should be `cond is None`
    5312 error a.py:9:24-9 F821 | Undefined name `missing`
    2c62 error broken.py:1:7-1 invalid-syntax | Expected a parameter or the end of the parameter list
    d8c9 error broken.py:2:1-2 invalid-syntax | unexpected EOF while parsing
    ");
    assert_eq!(new("sarif", "sarif/moved", "sarif/base"), "");
    insta::assert_snapshot!(new("sarif", "sarif/planted", "sarif/base"), @"6a3e error a.py:2:24-2 F821 | Undefined name `unknown_name`");
}

#[test]
fn sarif_as_others_write_it() {
    let text = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t","rules":[
        {"id":"R0"},
        {"id":"R1","defaultConfiguration":{"level":"error"},"messageStrings":{"default":{"text":"by id"}}}]}},
      "columnKind":"unicodeCodePoints",
      "artifacts":[{"location":{"uri":"src/a%20b.c"}}],
      "results":[
        {"ruleIndex":1,"message":{"id":"default"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0},"region":{"startLine":2,"startColumn":3,"endLine":4}}}]},
        {"rule":{"id":"R2"},"level":"note","message":{"text":"no place"}},
        {"ruleId":"R0","message":{"text":"m"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file://localhost/checkout/x.c"}}}]},
        {"ruleId":"R0","kind":"pass","message":{"text":"passed"}},
        {"ruleId":"R0","baselineState":"absent","message":{"text":"gone"}},
        {"ruleId":"R0","message":{"text":"suppressed"},"suppressions":[{"kind":"inSource"}]},
        {"ruleId":"R0","message":{"text":"not yet suppressed"},"suppressions":[{"kind":"external","status":"rejected"}]}
      ]},{"tool":{"driver":{"name":"u"}},"results":null}]}"#;
    insta::assert_snapshot!(said("sarif", text, &[("src/a b.c", "x\n  y\n")]), @r"
    ece3 error src/a b.c:2:3-4 R1 | by id
    a706 note - R2 | no place
    08f1 warning x.c R0 | m
    b1c0 warning - R0 | not yet suppressed
    ");
    assert_eq!(said("sarif", r#"{"version":"2.1.0","runs":[]}"#, &[]), "");
}

#[test]
fn go_tests_builds_and_panics() {
    insta::assert_snapshot!(shown(&report("go", "go/base")), @r"
    cf4e error a_test.go:9-9 TestBad | got 7
    1d8c error a_test.go:15-15 TestTable/two | second
    7f99 error - TestTable | 
    997c error - TestPanics | panic: assignment to entry in nil map [recovered, repanicked]
    da11 error sub/b.go:3:23-3 go | undefined: undefined
    ran 6, failed 4, skipped 1
    ");
    assert_eq!(new("go", "go/moved", "go/base"), "");
    insta::assert_snapshot!(new("go", "go/planted", "go/base"), @"76b4 error a_test.go:20-20 TestPlanted | planted");
    let whole = text("go/base");
    let (cut, _) = whole.trim_end().rsplit_once('\n').expect("lines");
    insta::assert_snapshot!(said("go", cut, &[]), @"error: cannot find the end of the report (format `go`)");
}

#[test]
fn go_in_text() {
    insta::assert_snapshot!(shown(&report("go", "go/vet")), @r"
    da11 error sub/b.go:3:23-3 go | undefined: undefined
    de7c error a.go:7:29-7 go | fmt.Printf format %d has arg söme of wrong type string
    ");
    assert_eq!(new("go", "go/vet-moved", "go/vet"), "");
    insta::assert_snapshot!(new("go", "go/vet-planted", "go/vet"), @"5506 error a.go:15:30-15 go | fmt.Printf format %s has arg 7 of wrong type int");
    insta::assert_snapshot!(shown(&report("go", "go/text")), @r"
    cf4e error a_test.go:9-9 TestBad | got 7
    7f99 error - TestTable | 
    1d8c error a_test.go:15-15 TestTable/two | second
    997c error - TestPanics | panic: assignment to entry in nil map [recovered, repanicked]
    da11 error sub/b.go:3:23-3 go | undefined: undefined
    ");
    insta::assert_snapshot!(said("go", &text("go/no-module"), &[]), @"");
    assert_eq!(said("go", "go: downloading golang.org/x/text v0.3.0\nok  \texample.com/m\t0.1s\n", &[]), "");
}

#[test]
fn go_packages_that_fail_without_a_test() {
    let text = "sub/b.go:3:23: undefined: x\nFAIL\tm/sub [build failed]\n--- FAIL: TestA (0.00s)\nFAIL\tm/a\t0.1s\n\
                panic: boom\nFAIL\tm/other\t0.1s\nok  \tm\t0.1s\nFAIL\n";
    insta::assert_snapshot!(said("go", text, &[]), @r"
    7800 error sub/b.go:3:23-3 go | undefined: x
    5513 error - TestA | 
    2aa7 error - m/other | 0.1s
    ");
    let events = "{\"Action\":\"start\",\"Package\":\"m\"}\n{\"Action\":\"output\",\"Package\":\"m\",\"Output\":\"panic: boom\\n\"}\n\
                  {\"Action\":\"fail\",\"Package\":\"m\"}\n";
    insta::assert_snapshot!(said("go", events, &[]), @r"
    f78f error - m | panic: boom
    ran 0, failed 0, skipped 0
    ");
}

#[test]
fn patterns_are_the_projects_own() {
    let pattern = r"regex:^(?P<file>[^:]+):(?P<line>\d+):(?:(?P<col>\d+):)? (?P<severity>\w+): (?P<message>.*?)(?: \[(?P<rule>\S+)\])?$";
    let text =
        "\x1b[1m/checkout/sh/a.sh:2:4: warning: quote this [SC2086]\x1b[0m\n./b.sh:3: error: no\nIn all: 2\n";
    insta::assert_snapshot!(said(pattern, text, &[("sh/a.sh", "a\n  \u{e4}$b c\n")]), @r"
    cb37 warning sh/a.sh:2:4-2 SC2086 | quote this
    1764 error b.sh:3-3 regex | no
    ");
    let moved = "/checkout/sh/a.sh:3:2: warning: quote this [SC2086]\n";
    let of = |text: &str, file: &str| said(pattern, text, &[("sh/a.sh", file)])[..4].to_owned();
    assert_eq!(of(text, "a\n  \u{e4}$b c\n"), of(moved, "a\n\n $b\n\tc\n"));
    assert_ne!(of(text, "a\n  \u{e4}$b c\n"), of(moved, "a\n\n $b\n\td\n"));
    assert_eq!(said(pattern, "", &[]), "");
}

#[test]
fn what_follows_a_finding_is_part_of_it() {
    let of = |source: &str| said("tsc", "a.ts(1,3): error TS1: m", &[("a.ts", source)]);
    let tail = "0123456789".repeat(5);
    let near = |sign: char| format!("  xy({sign})\n{tail}");
    assert_eq!(of(&near('1')), of(&format!("\n\n  xy( 1 ){tail}")[2..]));
    assert_ne!(of(&near('1')), of(&near('2')));
    let far = |sign: char| format!("  {tail}{sign}");
    assert_eq!(of(&far('1')), of(&far('2')));
}

#[test]
fn what_is_kept_is_bounded() {
    let line = |n: usize| format!("f{n}: {}\n", "\u{e4}".repeat(2_000));
    let text: String =
        (0..FINDINGS + 7).map(|n| if n < 3 { line(n) } else { format!("f{n}: m\n") }).collect();
    let report = read(&format(r"regex:^(?P<file>\w+): (?P<message>.*)$"), &text, ROOT, &Files(&[]));
    let report = report.expect("it has matches");
    assert_eq!((report.findings.len(), report.truncated), (FINDINGS, 7));
    assert_eq!(report.findings[0].message.len(), Finding::MESSAGE);
}

#[test]
fn paths_in_messages_are_from_the_root() {
    let text = "a: cannot find /checkout/x/y.js\n";
    insta::assert_snapshot!(said(r"regex:^(?P<file>\w+): (?P<message>.*)$", text, &[]), @"da99 error a regex | cannot find x/y.js");
}

#[test]
fn tests_are_named_as_their_failures_are() {
    let libtest = "running 3 tests\ntest m::a ... ok\ntest m::b - should panic ... FAILED\ntest m::c ... ignored, slow\n\n\
        failures:\n\n---- m::b stdout ----\nboom\n\nfailures:\n    m::b\n\n\
        test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n";
    let junit = "<testsuite name='s'><testcase name='a' classname='m'/><testcase name='b' classname='m'>\
        <failure message='boom'/></testcase><testcase name='c' classname='m'><skipped/></testcase></testsuite>";
    let jest = r#"{"numFailedTests":1,"numPassedTests":1,"numPendingTests":1,"testResults":[{"name":"/r/x.js","status":"failed",
        "assertionResults":[{"fullName":"m::a","status":"passed"},{"fullName":"m::b","status":"failed"},
        {"fullName":"m::c","status":"pending"}]}]}"#
        .replace('\n', "");
    let event = |action: &str, test: &str| format!("{{\"Action\":\"{action}\",\"Package\":\"p\"{test}}}\n");
    let test = |name: &str| format!(",\"Test\":\"m::{name}\"");
    let go = [("pass", test("a")), ("fail", test("b")), ("skip", test("c")), ("fail", String::new())];
    let go = go.iter().map(|(action, test)| event(action, test)).collect::<String>();
    for (format, text) in [("libtest", libtest), ("junit:r.xml", junit), ("jest", &jest), ("go", &go)] {
        let (names, rules) = named(format, text);
        let all = ["m::a", "m::b", "m::c"].map(str::to_owned).to_vec();
        assert_eq!((names, rules), (Some(all), vec!["m::b".to_owned()]), "{format}");
    }
    // One that was told in the middle of another's output is not known.
    let (names, _) = named("libtest", &libtest.replace("test m::a ... ok", "test m::a ... said something"));
    assert_eq!(names, None);
}
