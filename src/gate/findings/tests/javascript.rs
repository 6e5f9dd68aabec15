//! eslint, tsc, vitest, jest.

use crate::gate::findings::tests::setting::{new, report, said, shown, text, try_read};

#[test]
fn eslint_counts_columns_as_javascript_does() {
    insta::assert_snapshot!(shown(&report("eslint", "eslint/base")), @r"
    e50c warning src/b.js:1:7-1 no-unused-vars | 'smile' is assigned a value but never used.
    b67e error src/b.js:1:20-1 no-var | Unexpected var, use let or const instead.
    b4fa warning src/b.js:1:24-1 no-unused-vars | 'old' is assigned a value but never used.
    fd1d error src/b.js:3:9-3 eqeqeq | Expected '===' and instead saw '=='.
    e3e0 warning src/b.js:4:5-4 no-debugger | Unexpected 'debugger' statement.
    6b9d error src/b.js:6:10-6 no-undef | 'undefinedName' is not defined.
    1829 error src/broken.js:1:11-1 eslint | Parsing error: Unexpected token ;
    ");
    assert_eq!(shown(&report("eslint", "eslint/clean")), "");
}

#[test]
fn what_eslint_finds_is_known_again() {
    assert_eq!(new("eslint", "eslint/moved", "eslint/base"), "");
    insta::assert_snapshot!(new("eslint", "eslint/planted", "eslint/base"), @"f7ff error src/b.js:1:21-1 no-undef | 'unknownThing' is not defined.");
}

#[test]
fn eslint_may_be_run_by_something_that_talks() {
    let report = text("eslint/base");
    let talk = format!("\n> web@1.0.0 lint\n> eslint -f json src\n\n{report}\nnpm error code 1\n");
    assert_eq!(said("eslint", &talk, &[]), said("eslint", &report, &[]));
    let twice = format!("{report}\n{}\n", text("eslint/clean"));
    assert_eq!(said("eslint", &twice, &[]), said("eslint", &report, &[]));
}

#[test]
fn tsc_says_the_same_pretty_and_plain() {
    let plain = shown(&report("tsc", "tsc/base"));
    insta::assert_snapshot!(plain, @r"
    8ca8 error src/a.ts:2:41-2 TS2322 | Type 'string' is not assignable to type 'number'.
    1249 error src/a.ts:4:14-4 TS2339 | Property 'width' does not exist on type 'Shape'.
    64f2 error src/a.ts:6:14-6 TS2741 | Property 'size' is missing in type '{ name: string; }' but required in type 'Shape'.
    ");
    assert_eq!(shown(&report("tsc", "tsc/pretty")), plain);
    assert_eq!(said("tsc", "", &[]), "");
    insta::assert_snapshot!(shown(&report("tsc", "tsc/no-inputs")), @r#"77dc error - TS18003 | No inputs were found in config file 'tsconfig.json'. Specified 'include' paths were '["src/**/*.ts"]' and 'exclude' paths were '[]'."#);
}

#[test]
fn what_tsc_finds_is_known_again() {
    assert_eq!(new("tsc", "tsc/moved", "tsc/base"), "");
    insta::assert_snapshot!(new("tsc", "tsc/planted", "tsc/base"), @"3287 error src/a.ts:1:14-1 TS2322 | Type 'number' is not assignable to type 'string'.");
}

#[test]
fn tsc_counts_what_it_says() {
    let pretty = text("tsc/pretty");
    let cut = pretty.lines().skip(4).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(said("tsc", &cut, &[]), @"error: cannot find every problem that the report counts (format `tsc`): 3 counted, 2 named");
}

#[test]
fn vitest_and_jest_name_tests() {
    insta::assert_snapshot!(shown(&report("vitest", "vitest/base")), @r"
    632c error test/broken.test.js suite | Cannot find module './missing.js' imported from test/broken.test.js
    4eb4 error test/sum.test.js sum is wrong | AssertionError: expected 2 to be 3 // Object.is equality
    ran 2, failed 1, skipped 2
    ");
    insta::assert_snapshot!(shown(&report("jest", "jest/base")), @r"
    4eb4 error test/sum.test.js:3:3-3 sum is wrong | Error: expect(received).toBe(expected) // Object.is equality Expected: 3 Received: 2
    ac4b error test/broken.test.js suite | Cannot find module './missing.js' from 'test/broken.test.js'
    ran 2, failed 1, skipped 2
    ");
    for name in ["vitest", "jest"] {
        let dir = |variant: &str| format!("{name}/{variant}");
        assert_eq!(new(name, &dir("moved"), &dir("base")), "");
    }
    insta::assert_snapshot!(new("vitest", "vitest/planted", "vitest/base"), @"22fa error test/sum.test.js planted | AssertionError: expected 'a' to be 'b' // Object.is equality");
    insta::assert_snapshot!(new("jest", "jest/planted", "jest/base"), @r#"22fa error test/sum.test.js:8:1-8 planted | Error: expect(received).toBe(expected) // Object.is equality Expected: "b" Received: "a""#);
}

#[test]
fn a_report_that_breaks_off_is_none() {
    for (name, dir) in [("eslint", "eslint/base"), ("jest", "jest/base"), ("vitest", "vitest/base")] {
        let whole = text(dir);
        let cut: String = whole.chars().take(whole.chars().count() * 2 / 3).collect();
        let expected = format!("error: cannot find the end of the report (format `{name}`)");
        assert_eq!(said(name, &cut, &[]), expected);
        assert_eq!(said(name, "", &[]), format!("error: cannot find a report of the format `{name}`"));
    }
    assert!(try_read("jest", "eslint/base").is_err());
    assert!(try_read("eslint", "jest/base").is_err());
}
