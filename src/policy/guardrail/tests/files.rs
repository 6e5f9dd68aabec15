//! Rules about whole files: conflicts, sizes, paths, tests that are gone.

use super::table::{add, delete, edit, hit_by, rename, rules, table};
use crate::policy::gate_paths::is_gate;
use crate::policy::guardrail::{Change, Exceptions, check};

#[test]
fn conflict_markers_are_a_set() {
    let marker = "conflict.marker";
    table(&[
        (marker, "a.md", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> feature"),
        (marker, "a.rs", "<<<<<<< ours\r\na\r\n||||||| base\r\nb\r\n=======\r\nc\r\n>>>>>>> theirs\r"),
        (marker, "a.rs", "=======\nb\n>>>>>>> 1a2b3c4 (what was done)"),
        ("", "a.md", "Heading\n======="),
        ("", "a.rst", "=======\nHeading\n======="),
        ("", "a.md", ">>>>>>> a quote of a quote"),
        ("", "a.md", "Heading\n=======\n>>> a quote"),
        ("", "a.sh", "cat <<<<<<<x\n======="),
        ("", "a.md", "    <<<<<<< HEAD\n    =======\n    >>>>>>> feature"),
    ]);
}

#[test]
fn sizes_count_when_they_grow() {
    let sized = |path: &str, old_size, size| hit_by(&[Change { size, old_size, ..edit(path, "", "") }]);
    assert_eq!(sized("a.txt", 0, 2_000_000), ["file.huge"]);
    assert_eq!(sized("a.txt", 1000, 2_000_000), ["file.huge"]);
    assert!(sized("a.txt", 1_900_000, 2_000_000).is_empty(), "it was huge before");
    assert!(sized("a.txt", 0, 1_048_576).is_empty());
    assert!(sized("web/package-lock.json", 0, 2_000_000).is_empty());
}

#[test]
fn binary_files_are_named() {
    let binary = |path: &str| hit_by(&[Change { binary: true, ..add(path, "") }]);
    assert_eq!(binary("bin/tool"), ["file.binary"]);
    assert_eq!(binary("a.wasm"), ["file.binary"]);
    assert!(binary("docs/images/a.PNG").is_empty());
}

#[test]
fn protected_paths() {
    let keys = "protected.keys";
    let rows = [
        (keys, add(".env", "A=1")),
        (keys, edit("app/.env.production", "A=1", "")),
        (keys, add("deploy/id_ed25519", "x")),
        (keys, rename("a.txt", "a.p12")),
        ("", delete(".env", "A=1")),
        ("", add(".env.example", "A=")),
        ("", add("src/env.rs", "")),
        ("protected.legal", edit("LICENSE", "x", "")),
        ("protected.legal", edit("LICENSE-MIT", "x", "")),
        ("protected.legal", rename("NOTICE.txt", "old.txt")),
        ("", add("packages/new/LICENSE", "x")),
        ("", edit("src/license.rs", "x", "")),
        ("protected.owners", edit(".github/CODEOWNERS", "x", "")),
        ("protected.git", add("src/.gitattributes", "*.rs binary")),
        ("ci.changed", edit(".github/workflows/ci.yml", "x", "")),
        ("ci.changed", add(".gitlab-ci.yml", "x")),
        ("ci.changed", delete("build/Jenkinsfile", "x")),
        ("ci.changed", rename(".circleci/config.yml", "old.yml")),
        ("", edit("docs/workflows/ci.yml", "x", "")),
    ];
    for (rule, change) in rows {
        let expected: Vec<&str> = rule.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(hit_by(std::slice::from_ref(&change)), expected, "{change:?}");
    }
}

#[test]
fn the_gates_own_files_are_blocked_elsewhere() {
    for path in crate::policy::gate_paths::PATHS {
        let path = if path.ends_with('/') { format!("{path}x") } else { path.to_owned() };
        assert!(is_gate(&path));
        assert!(hit_by(&[edit(&path, "x = 1", "")]).is_empty(), "{path}");
    }
}

#[test]
fn tests_that_are_gone() {
    let rust = "    #[test]\n    fn adds() {\n        assert_eq!(1 + 1, 2);\n    }";
    let late = "    fn adds() {\n        assert_eq!(1 + 1, 2);\n    }\n\n    #[test]";
    let python = "def test_adds():\n    assert add(1, 1) == 2";
    let script = "it('adds', () => {\n  expect(1).toBe(1)\n})";
    let go = "func TestAdds(t *testing.T) {\n}";
    let rows: [(&str, Vec<Change>); 23] = [
        ("tests.rust-deleted", vec![edit("src/a.rs", "", rust)]),
        ("tests.rust-deleted", vec![edit("src/a.rs", "", late)]),
        ("tests.rust-deleted", vec![edit("src/a.rs", "", "    #[test]")]),
        ("tests.rust-deleted", vec![edit("src/a.rs", "", "    #[tokio::test]\n    async fn a() {}")]),
        ("tests.rust-deleted", vec![edit("src/a.rs", "", "  #[test] fn a(){}")]),
        ("", vec![edit("src/a.rs", "    #[test]\n    fn a() {}", "  #[test] fn a(){}")]),
        ("", vec![edit("src/a.rs", "    #[tokio::test]", "    #[test]")]),
        ("", vec![edit("src/a.rs", "    fn adds() -> Result<(), E> {", "    fn adds() {")]),
        ("", vec![edit("src/a.rs", "", rust), add("src/b.rs", rust)]),
        ("", vec![edit("src/a.rs", "", "    fn helper() {}")]),
        ("tests.py-deleted", vec![edit("tests/test_a.py", "", python)]),
        ("tests.py-deleted", vec![delete("tests/test_a.py", python)]),
        ("tests.py-deleted", vec![edit("tests/test_a.py", "# def test_adds():", python)]),
        ("", vec![delete("tests/test_a.py", python), add("tests/test_b.py", python)]),
        ("", vec![edit("tests/test_a.py", "def test_sums():", "def test_adds():")]),
        ("", vec![edit("src/a.test.ts", "it('sums', () => {", "it('adds', () => {")]),
        ("tests.py-deleted", vec![edit("tests/test_a.py", "def test_sums():\n    pass", python)]),
        ("tests.py-deleted", vec![edit("tests/test_a.py", "", "def test_adds():")]),
        ("", vec![edit("src/a.py", "", python)]),
        ("tests.js-deleted", vec![edit("src/a.test.ts", "", script)]),
        ("tests.js-skipped", vec![edit("src/a.test.ts", "it.skip('adds', () => {", script)]),
        ("tests.js-deleted", vec![rename("src/a.test.ts", "src/a.test.ts.old")]),
        ("tests.go-deleted", vec![edit("a_test.go", "", go)]),
    ];
    for (rule, changes) in rows {
        let expected: Vec<&str> = rule.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(hit_by(&changes), expected, "{changes:?}");
    }
}

#[test]
fn a_deleted_file_of_tests_is_one_hit_that_names_them() {
    let text = "def test_b():\n    pass\ndef test_a():\n    pass";
    let checked = check(rules(), &[delete("tests/test_x.py", text)], Exceptions::Comments);
    let messages: Vec<&str> = checked.hits.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages, ["a test is gone: the file goes with `test_a`, `test_b`"]);
}
