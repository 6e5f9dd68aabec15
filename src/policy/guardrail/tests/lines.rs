//! Rules about lines of code: suppressions, tests that are switched off, SQL, health information.

use super::table::table;

#[test]
fn suppressions_in_typescript() {
    let (ignore, expect, lint) =
        ("suppression.ts-ignore", "suppression.ts-expect-error", "suppression.eslint-disable");
    table(&[
        (ignore, "src/a.ts", "  // @ts-ignore"),
        (ignore, "src/a.tsx", "{/* @ts-ignore */}"),
        (ignore, "src/a.js", "foo(); // @ts-ignore: legacy"),
        (ignore, "src/a.ts", "/**\n * @ts-nocheck\n */"),
        (ignore, "SRC/A.TS", "//@ts-ignore"),
        ("", "docs/a.md", "Never write `// @ts-ignore`."),
        ("", "docs/a.md", "// @ts-ignore"),
        ("", "src/a.ts", "const banned = ['// @ts-ignore', \"// @ts-nocheck\"];"),
        ("", "src/a.ts", "// we never use @ts-ignore here"),
        ("", "src/a.ts", "// @ts-ignored"),
        (expect, "src/a.ts", "// @ts-expect-error"),
        (expect, "src/a.ts", "// @ts-expect-error bug"),
        ("", "src/a.ts", "// @ts-expect-error the types of v3 lack `close`"),
        ("", "src/a.ts", "// @ts-expect-error: the types of v3 lack `close`"),
        (lint, "src/a.js", "/* eslint-disable */"),
        (lint, "src/a.js", "x(); // eslint-disable-line no-console"),
        (lint, "src/a.vue", "// eslint-disable-next-line no-console -- because"),
        (lint, "src/a.ts", "// biome-ignore lint: because"),
        (lint, "src/a.ts", "// deno-lint-ignore no-explicit-any"),
        ("", "src/a.ts", "// eslint-enable"),
        ("", "src/a.ts", "const text = \"/* eslint-disable */\";"),
        ("", "node_modules/x/a.js", "/* eslint-disable */"),
        ("", "public/app.min.js", "/* eslint-disable */var a=1"),
        ("suppression.js-coverage", "src/a.ts", "/* istanbul ignore next */"),
        ("suppression.js-coverage", "src/a.ts", "/* v8 ignore next 3 */"),
        ("", "src/a.ts", "// istanbul is a city"),
    ]);
}

#[test]
fn suppressions_in_rust() {
    let rule = "suppression.rust-allow";
    table(&[
        (rule, "src/a.rs", "#[allow(dead_code)]"),
        (rule, "src/a.rs", "    #![allow(clippy::all)]"),
        (rule, "src/a.rs", "#[expect(dead_code)]"),
        (rule, "src/a.rs", "#[cfg_attr(test, allow(dead_code))]"),
        (rule, "src/a.rs", "#[allow(\n    dead_code,\n    unused,\n)]\nfn f() { let reason = 1; }"),
        ("", "src/a.rs", "#[expect(dead_code, reason = \"the next change calls it\")]"),
        ("", "src/a.rs", "#[allow(\n    dead_code,\n    reason = \"the next change calls it\"\n)]"),
        ("", "src/a.rs", "    let text = \"#[allow(dead_code)]\";"),
        (rule, "src/a.rs", "fn f(#[allow(unused)] a: u8) {}"),
        ("", "src/a.rs", "//! `#![allow(unsafe_code)]` is nowhere"),
        ("", "src/a.rs", "#[deny(dead_code)]"),
        ("", "docs/a.md", "#[allow(dead_code)]"),
        ("tests.rust-ignored", "src/a.rs", "    #[ignore]"),
        ("tests.rust-ignored", "src/a.rs", "    #[ignore = \"flaky\"]"),
        ("", "src/a.rs", "    #[cfg_attr(windows, ignore = \"needs a fork\")]"),
        ("", "src/a.rs", "    // what to ignore"),
    ]);
}

#[test]
fn suppressions_in_python() {
    let (noqa, types) = ("suppression.py-noqa", "suppression.py-type-ignore");
    table(&[
        (noqa, "a.py", "import os  # noqa"),
        (noqa, "a.py", "import os  # NOQA: F401"),
        (noqa, "a.py", "# ruff: noqa"),
        (noqa, "a.py", "x = 1  # pylint: disable=invalid-name"),
        (noqa, "a.py", "run(x)  # nosec"),
        ("", "a.py", "tags = ['# noqa']"),
        ("", "a.md", "import os  # noqa"),
        ("", "a.py", "x = 1  # pylint: enable=invalid-name"),
        (types, "a.py", "x: int = f()  # type: ignore[assignment]"),
        (types, "a.pyi", "x = 1  # pyright: ignore"),
        (types, "a.py", "# mypy: ignore-errors"),
        ("", "a.py", "x = 1  # type: int"),
        ("suppression.py-coverage", "a.py", "else:  # pragma: no cover"),
        ("tests.py-skipped", "tests/test_a.py", "@pytest.mark.skip(reason='slow')"),
        ("tests.py-skipped", "tests/test_a.py", "@pytest.mark.xfail"),
        ("tests.py-skipped", "tests/test_a.py", "    @unittest.skip('later')"),
        ("tests.py-skipped", "tests/test_a.py", "    pytest.skip('later')"),
        ("tests.py-skipped", "tests/test_a.py", "pytestmark = pytest.mark.skip"),
        ("", "tests/test_a.py", "@pytest.mark.skipif(sys.platform == 'win32', reason='posix')"),
        ("", "tests/test_a.py", "    if not docker:\n        pytest.skip('needs docker')"),
        ("", "tests/test_a.py", "@skip_on_windows"),
    ]);
}

#[test]
fn suppressions_in_go() {
    let rule = "suppression.go-nolint";
    table(&[
        (rule, "a.go", "x := f() //nolint"),
        (rule, "a.go", "x := f() //nolint:errcheck"),
        (rule, "a.go", "x := f() // #nosec G101"),
        ("", "a.go", "x := f() //nolint:errcheck // closing a reader never fails"),
        ("", "a.go", "//lint:ignore SA1019 the new one needs Go 1.30"),
        ("", "a.go", "text := \"//nolint\""),
        ("", "vendor/a.go", "x := f() //nolint"),
        ("tests.go-skipped", "a_test.go", "\tt.Skip(\"later\")"),
        ("tests.go-skipped", "a_test.go", "\tt.SkipNow()"),
        ("", "a_test.go", "\tif testing.Short() {\n\t\tt.Skip(\"slow\")"),
        ("", "a.go", "\tt.Skip(3)"),
        ("tests.go-focused", "a_test.go", "\tFIt(\"adds\", func() {"),
        ("tests.go-pending", "a_test.go", "\tPDescribe(\"sums\", func() {"),
        ("", "a_test.go", "\tIt(\"adds\", func() {"),
        ("", "a_test.go", "\tfit.FIt(x)"),
    ]);
}

#[test]
fn tests_that_are_focused_or_skipped_in_typescript() {
    let (focused, skipped) = ("tests.js-focused", "tests.js-skipped");
    table(&[
        (focused, "a.test.ts", "it.only('adds', () => {"),
        (focused, "a.test.ts", "  describe.only(`sums`, () => {"),
        (focused, "a.test.ts", "test.describe.only('x', () => {"),
        (focused, "a.test.ts", "it.only.each([1, 2])('adds', () => {"),
        (focused, "a.test.ts", "fit('adds', () => {"),
        ("", "a.ts", "chart.fit('width')"),
        ("", "a.ts", "fit(box, page)"),
        ("", "a.ts", "// it.only('adds')"),
        ("", "a.ts", "query.only('name')"),
        ("", "a.test.ts", "const text = 'it.only(1)'"),
        (skipped, "a.test.ts", "it.skip('adds', () => {"),
        (skipped, "a.test.ts", "xdescribe('sums', () => {"),
        (skipped, "a.test.ts", "test.todo('adds')"),
        (skipped, "a.test.ts", "describe.skip(Sums.name, () => {"),
        ("", "a.test.ts", "test.skip(browserName === 'webkit', 'no such thing there')"),
        ("", "a.test.ts", "test.skip(({ browserName }) => browserName === 'webkit')"),
        ("", "a.test.ts", "test.skip(!process.env.CI)"),
        ("", "a.ts", "cursor.skip(10)"),
        ("", "a.ts", "exit('done')"),
    ]);
}

#[test]
fn checks_that_are_weakened() {
    table(&[
        ("checks.ts-loose", "tsconfig.json", "    \"strict\": false,"),
        ("checks.ts-loose", "packages/a/tsconfig.build.json", "\"noImplicitAny\": false"),
        ("", "tsconfig.json", "    \"strict\": true,"),
        ("", "package.json", "    \"strict\": false,"),
        ("checks.script-ignored", "package.json", "    \"test\": \"vitest run || true\","),
        ("checks.script-ignored", "a/package.json", "    \"lint:js\": \"eslint . || exit 0\""),
        ("", "package.json", "    \"clean\": \"rm -rf out || true\","),
        ("", "package.json", "    \"test\": \"a || b\","),
        ("hooks.skipped", "release.sh", "git commit --no-verify -m x"),
        ("hooks.skipped", "package.json", "\"release\": \"HUSKY=0 git push\""),
        ("hooks.skipped", "Makefile", "\tgit -c core.hooksPath=/dev/null commit"),
        ("", "README.md", "git commit --no-verify"),
        ("", "release.sh", "# never use git commit --no-verify"),
        ("", "release.sh", "npm publish --no-verify"),
        ("text.hidden", "src/a.rs", "let a = \"\u{202e}x\";"),
        ("", "docs/a.md", "\u{202e}x"),
        ("", "src/a.rs", "let a = \"\\u{202e}ü→x\";"),
    ]);
}

#[test]
fn destructive_sql_in_its_own_files() {
    let (delete, update, drop) = ("sql.delete-all", "sql.update-all", "sql.drop");
    table(&[
        (delete, "db/1.sql", "DELETE FROM users;"),
        (delete, "db/1.sql", "delete from \"users\""),
        (delete, "db/1.sql", "DELETE FROM users\n;\nSELECT 1 WHERE true;"),
        (delete, "db/1.sql", "DELETE FROM a WHERE x = 1; DELETE FROM b;"),
        ("", "db/1.sql", "DELETE FROM users WHERE id = 1;"),
        ("", "db/1.sql", "DELETE FROM users\nUSING old\nWHERE users.id = old.id;"),
        ("", "db/1.sql", "-- DELETE FROM users;"),
        ("", "db/1.sql", "x -- DELETE FROM users;"),
        ("", "db/1.sql", "INSERT INTO log VALUES ('delete from users');"),
        ("", "db/1_down.sql", "DELETE FROM users;"),
        ("", "tests/clean.sql", "DELETE FROM users;"),
        (update, "db/1.sql", "UPDATE users SET active = false;"),
        (update, "db/1.sql", "UPDATE users\nSET active = false"),
        ("", "db/1.sql", "UPDATE users SET active = false WHERE id = 1;"),
        ("", "db/1.sql", "UPDATE users SET active = false\n  WHERE id = 1;"),
        ("", "db/1.sql", "ON CONFLICT (id) DO UPDATE SET x = 1;"),
        ("", "db/1.sql", "ON CONFLICT (id) DO UPDATE SET\n  x = 1;"),
        ("", "db/1.sql", "REFERENCES a (id) ON UPDATE CASCADE\n  ON DELETE SET NULL;"),
        (drop, "db/1.sql", "DROP TABLE IF EXISTS users;"),
        (drop, "db/1.sql", "ALTER TABLE users DROP COLUMN age;"),
        ("", "db/1.sql", "DROP TABLE IF EXISTS tmp_users;"),
        ("", "db/1.sql", "DROP INDEX users_age;"),
        ("", "db/1.sql", "-- DROP TABLE users;"),
        ("sql.truncate", "db/1.sql", "TRUNCATE users;"),
        ("", "db/1.sql", "SELECT truncate(x, 2);"),
    ]);
}

#[test]
fn destructive_sql_in_code() {
    let (delete, update, drop) = ("sql.code-delete-all", "sql.code-update-all", "sql.code-drop");
    table(&[
        (delete, "src/a.ts", "await db.query(\"DELETE FROM users\");"),
        (delete, "src/a.ts", "await db.query('delete from users');"),
        (delete, "src/a.py", "cur.execute(\"\"\"\n    DELETE FROM users\n\"\"\")\nx = 'where'"),
        (delete, "src/a.py", "QUERY = \"DELETE FROM users\"\nx = 'where'"),
        ("", "src/a.py", "QUERY = \"DELETE FROM users \"\\\n    \"WHERE id = 1\""),
        ("", "src/a.ts", "await db.query(`DELETE FROM users WHERE id = ${id}`);"),
        ("", "src/a.ts", "await db.query(\n  `DELETE FROM users\n   WHERE id = 1`);"),
        ("", "src/a.ts", "label: 'delete from cart',"),
        ("", "src/a.ts", "// DELETE FROM users"),
        ("", "tests/a.rs", "db.run(\"DELETE FROM users\");"),
        (update, "src/a.rs", "db.run(\"UPDATE users SET active = false\");"),
        ("", "src/a.rs", "db.run(\"UPDATE users SET active = false WHERE id = ?1\");"),
        ("", "src/a.rs", "db.run(\"UPDATE users SET active = false \\\n   WHERE id = ?1\");"),
        (drop, "src/a.go", "db.Exec(\"DROP TABLE users\")"),
        (drop, "src/a.go", "db.Exec(`ALTER TABLE users DROP COLUMN age`)"),
        ("", "src/a.go", "db.Exec(\"DROP TABLE IF EXISTS tmp_users\")"),
        ("", "src/a.go", "// db.Exec(\"DROP TABLE users\")"),
        ("", "src/a.rs", "    /// db.run(\"DELETE FROM users\");"),
        ("", "src/a.py", "# cur.execute('UPDATE users SET active = 0')"),
        ("sql.code-orm", "src/a.ts", "await prisma.user.deleteMany({});"),
        ("sql.code-orm", "src/a.py", "User.objects.all().delete()"),
        ("sql.code-orm", "src/a.rb", "User.delete_all"),
        ("", "src/a.ts", "await prisma.user.deleteMany({ where: { id } });"),
        ("", "src/a.py", "User.objects.filter(id=1).delete()"),
    ]);
}

#[test]
fn health_information() {
    table(&[
        ("phi.ssn", "seed.json", "{\"ssn\": \"536-22-8134\"}"),
        ("phi.ssn", "notes.md", "Social Security Number: 536-22-8134"),
        ("", "seed.json", "{\"ssn\": \"000-22-8134\"}"),
        ("", "seed.json", "{\"ssn\": \"123-45-6789\"}"),
        ("", "seed.json", "{\"part\": \"536-22-8134\"}"),
        ("", "seed.json", "{\"phone\": \"536-228-8134\"}"),
        ("phi.mrn", "seed.json", "{\"mrn\": \"83746152\"}"),
        ("", "seed.json", "{\"mrn\": \"TEST-1\"}"),
        ("phi.medicare", "seed.csv", "MBI,2FH5-RU6-NK84"),
        ("", "seed.csv", "MBI,1EG4-TE5-MK73"),
        ("phi.birth", "seed.ts", "const patient = { name, dob: '1974-03-09' };"),
        ("", "seed.ts", "const patient = { name, dob: '1900-01-01' };"),
        ("", "seed.ts", "const user = { name, dob: '1974-03-09' };"),
        ("phi.logged", "src/a.ts", "console.log('found', patient.name);"),
        ("phi.logged", "src/a.py", "logger.info(f'{user.ssn}')"),
        ("", "src/a.ts", "console.log('found', patient.id);"),
    ]);
}
