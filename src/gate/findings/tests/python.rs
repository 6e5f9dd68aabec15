//! ruff, mypy, pytest.

use crate::gate::findings::tests::setting::{new, report, said, shown, text};

#[test]
fn ruff_names_places_in_characters() {
    insta::assert_snapshot!(shown(&report("ruff", "ruff/base")), @r"
    5496 error a.py:1:8-1 F401 | `os` imported but unused
    a947 error a.py:2:8-2 F401 | `sys` imported but unused
    4d8c error a.py:6:17-6 E702 | Multiple statements on one line (semicolon)
    c866 error a.py:6:19-6 F841 | Local variable `wrong` is assigned to but never used
    eb75 error a.py:7:16-7 E711 | Comparison to `None` should be `cond is None`
    5747 error a.py:9:24-9 F821 | Undefined name `missing`
    0cbc error broken.py:1:7-1 invalid-syntax | Expected a parameter or the end of the parameter list
    cdbd error broken.py:2:1-2 invalid-syntax | unexpected EOF while parsing
    ");
    assert_eq!(shown(&report("ruff", "ruff/clean")), "");
}

#[test]
fn what_ruff_finds_is_known_again() {
    assert_eq!(new("ruff", "ruff/moved", "ruff/base"), "");
    insta::assert_snapshot!(new("ruff", "ruff/planted", "ruff/base"), @"bfcc error a.py:2:24-2 F821 | Undefined name `unknown_name`");
}

#[test]
fn mypy_says_the_same_in_every_way() {
    insta::assert_snapshot!(shown(&report("mypy", "mypy/base")), @r#"
    717c error a.py:6-6 assignment | Incompatible types in assignment (expression has type "str", variable has type "int")
    bbae error a.py:9-9 name-defined | Name "missing" is not defined
    "#);
    insta::assert_snapshot!(shown(&report("mypy", "mypy/columns")), @r#"
    717c error a.py:6-6 assignment | Incompatible types in assignment (expression has type "str", variable has type "int")
    2ad5 error a.py:9:24-9 name-defined | Name "missing" is not defined
    "#);
    assert_eq!(shown(&report("mypy", "mypy/json")), shown(&report("mypy", "mypy/columns")));
    assert_eq!(shown(&report("mypy", "mypy/pretty")), shown(&report("mypy", "mypy/base")));
    assert_eq!(shown(&report("mypy", "mypy/clean")), "");
}

#[test]
fn what_mypy_finds_is_known_again() {
    assert_eq!(new("mypy", "mypy/moved", "mypy/base"), "");
    assert_eq!(new("mypy", "mypy/moved-json", "mypy/json"), "");
    insta::assert_snapshot!(new("mypy", "mypy/planted", "mypy/base"), @r#"6371 error a.py:2-2 name-defined | Name "unknown_name" is not defined"#);
}

#[test]
fn mypy_that_did_not_look_has_no_report() {
    insta::assert_snapshot!(said("mypy", &text("mypy/missing"), &[]), @"b8a9 error nothing.py mypy | Cannot read file: No such file or directory");
    insta::assert_snapshot!(said("mypy", "usage: mypy [-h]\nmypy: error: no such option: --x\n", &[]), @"error: cannot find a report of the format `mypy`");
    insta::assert_snapshot!(said("mypy", "a.py:1: error: x  [y]\nFound 2 errors in 1 file (checked 1 source file)", &[]), @"error: cannot find every problem that the report counts (format `mypy`): 2 counted, 1 named");
    assert_eq!(said("mypy", "\n", &[]), "");
}

#[test]
fn pytest_names_tests() {
    let plain = shown(&report("pytest", "pytest/base"));
    insta::assert_snapshot!(plain, @r"
    af2c error tests/test_a.py test_wrong | assert (1 + 1) == 3
    8d0c error tests/test_a.py test_par[a - b] | AssertionError: assert 'a - b' == 'c'
    ea45 error tests/test_a.py TestThing::test_in | ValueError: no
    c3b9 error tests/test_a.py test_strict | [XPASS(strict)]
    f620 error tests/test_a.py test_fix | RuntimeError: fixture
    ran 7, failed 5, skipped 1
    ");
    assert_eq!(shown(&report("pytest", "pytest/colour")), plain);
    insta::assert_snapshot!(shown(&report("pytest", "pytest/collection")), @r"
    1f46 error tests/test_broken.py collection | ModuleNotFoundError: No module named 'missing_module'
    ran 1, failed 1, skipped 0
    stopped early
    ");
}

#[test]
fn what_pytest_finds_is_known_again() {
    assert_eq!(new("pytest", "pytest/moved", "pytest/base"), "");
    insta::assert_snapshot!(new("pytest", "pytest/planted", "pytest/base"), @"a7c2 error tests/test_a.py test_planted | AssertionError: assert 'a' == 'b'");
}

#[test]
fn pytest_counts_what_it_says() {
    insta::assert_snapshot!(said("pytest", &text("pytest/unnamed"), &[]), @"error: cannot find every problem that the report counts (format `pytest`): 5 counted, 0 named");
    let whole = text("pytest/base");
    let cut = whole.trim_end().rsplit_once('\n').map_or("", |(before, _)| before);
    insta::assert_snapshot!(said("pytest", cut, &[]), @"error: cannot find a report of the format `pytest`");
    let printed = format!("ERROR app.db: no connection\nFAILED a.py::b - c\n{whole}");
    assert_eq!(said("pytest", &printed, &[]), said("pytest", &whole, &[]));
    assert_eq!(said("pytest", "no tests ran in 0.01s", &[]), "ran 0, failed 0, skipped 0\n");
}
