//! What a reviewer would nag about: layers, globs, module docs, sizes, leftovers, undeclared files.
//!
//! Each check collects every violation and fails with the list. A file may break the size budget only if
//! `allow.txt` names it, and that list may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use git_orch::sys;
use regex::Regex;
use syn::visit::{self, Visit};

/// Lines of a file without its `mod tests`.
const LINES: usize = 500;
/// Lines of a file that is nothing but tests.
const TEST_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    sys::fs::read_string(path).expect("it was just listed")
}

/// All files below `dir` (relative to the package), sorted; none if it is not there.
fn files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root().join(dir)];
    while let Some(dir) = todo.pop() {
        for path in sys::fs::list(&dir).expect("the package can be read") {
            if path.is_dir() { todo.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn rust_files(dir: &str) -> Vec<PathBuf> {
    files(dir).into_iter().filter(|p| p.extension().is_some_and(|e| e == "rs")).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn parse(path: &Path) -> syn::File {
    syn::parse_file(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", shown(path)))
}

#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The rows of the table in `src/lib.rs`: module to row, from 1.
fn rows() -> BTreeMap<String, usize> {
    let row = Regex::new(r"(?m)^//! \| (\d+) \| ([^|]+) \|").expect("valid");
    let name = Regex::new(r"\[`(\w+)`\]").expect("valid");
    let text = read(&root().join("src/lib.rs"));
    let mut rows = BTreeMap::new();
    for found in row.captures_iter(&text) {
        let number = found[1].parse().expect("digits");
        for module in name.captures_iter(&found[2]) {
            assert!(rows.insert(module[1].to_owned(), number).is_none(), "{} is in two rows", &module[1]);
        }
    }
    rows
}

/// One top-level module that a file names, and how.
#[derive(Debug, Default)]
struct Imports {
    /// Names after `crate::` (or `git_orch::`).
    modules: BTreeSet<String>,
    /// The same with everything that follows, as far as it is not named by tests.
    paths: BTreeSet<Vec<String>>,
    /// What is banned whatever it names.
    banned: Vec<String>,
}

/// Collects what a file names.
struct Collector {
    found: Imports,
    /// How many modules the present one is below the crate's root.
    depth: usize,
    /// Whether the present module is `mod tests`.
    tests: bool,
}

impl Collector {
    fn path(&mut self, segments: &[String]) {
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["crate" | "git_orch", module, ..] => {
                self.found.modules.insert((*module).to_owned());
                if !self.tests {
                    self.found.paths.insert(segments[1..].to_vec());
                }
            }
            ["crate"] => self.found.banned.push("names the crate's root itself".to_owned()),
            ["super", "super", ..] => self.found.banned.push("`super::super`".to_owned()),
            ["super", ..] if self.depth == 1 => {
                self.found.banned.push("`super` that is the crate's root (say `crate::…`)".to_owned());
            }
            _ => {}
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(p) => self.tree(&with(&p.ident), &p.tree),
            syn::UseTree::Name(n) => self.path(&with(&n.ident)),
            syn::UseTree::Rename(r) => self.path(&with(&r.ident)),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.tree(before, t)),
            syn::UseTree::Glob(_) => {
                self.path(before);
                // The preludes of test libraries are made to be taken whole.
                let prelude = before.first().is_some_and(|first| first == "proptest");
                if !(self.tests && (prelude || before == ["super"])) {
                    self.found.banned.push(format!("a glob: `use {}::*`", before.join("::")));
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // `pub(crate)` and `pub(super)` are paths too, and name nothing.
        if segments.len() > 1 {
            self.path(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let tests = std::mem::replace(&mut self.tests, item.ident == "tests");
        self.depth += 1;
        visit::visit_item_mod(self, item);
        self.depth -= 1;
        self.tests = tests;
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let tokens = mac.tokens.to_string();
        let path = Regex::new(r"(?:\$ ?)?\b(crate|git_orch|super) *:: *(\w+)").expect("valid");
        for found in path.captures_iter(&tokens) {
            self.path(&[found[1].to_owned(), found[2].to_owned()]);
        }
        visit::visit_macro(self, mac);
    }
}

/// Whether a file is nothing but tests.
fn is_tests(path: &Path) -> bool {
    let file = shown(path);
    file.starts_with("tests/") || file.ends_with("/tests.rs") || file.contains("/tests/")
}

/// The top-level module that a file under `src/` belongs to: `domain`, …, or `main`, `lib`, `bin`.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("it is under src");
    let first = inside.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// How deep the module of a file is below the crate's root: `src/a.rs` and `src/a/mod.rs` are 1.
fn depth_of(path: &Path) -> usize {
    let inside = path.strip_prefix(root().join("src")).expect("it is under src");
    inside.components().count() - usize::from(inside.file_name().is_some_and(|n| n == "mod.rs"))
}

fn imports(text: &syn::File, depth: usize, tests: bool) -> Imports {
    let mut collector = Collector { found: Imports::default(), depth, tests };
    collector.visit_file(text);
    collector.found
}

/// What is wrong with what `module` in `file` names.
fn judge(file: &str, module: &str, found: &Imports, rows: &BTreeMap<String, usize>) -> Vec<String> {
    let mut problems: Vec<String> =
        found.banned.iter().map(|b| format!("{file}: {b} is not allowed (docs/style.md, Code)")).collect();
    // The binaries are below every row.
    let own = rows.get(module).copied().unwrap_or(usize::MAX);
    for other in &found.modules {
        match rows.get(other) {
            Some(&row) if row < own || other == module => {}
            Some(_) => problems.push(format!(
                "{file}: module `{module}` may not import `{other}` (docs/architecture.md, Rows)"
            )),
            None => problems.push(format!("{file}: `{other}` is in no row of the table in src/lib.rs")),
        }
    }
    problems
}

/// The module of a file under `src/`: `ops::run::worker`; of `mod.rs` its directory's.
fn path_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("it is under src").with_extension("");
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts =
        if parts.last().is_some_and(|last| last == "mod") { &parts[..parts.len() - 1] } else { &parts };
    parts.join("::")
}

/// Which files each file names, by module.
fn file_edges() -> BTreeMap<String, BTreeSet<String>> {
    let sources: BTreeMap<String, PathBuf> =
        rust_files("src").into_iter().filter(|f| !is_tests(f)).map(|f| (path_of(&f), f)).collect();
    let file_of = |path: &Vec<String>| {
        (1..=path.len()).rev().map(|n| path[..n].join("::")).find(|module| sources.contains_key(module))
    };
    let edges = |(module, file): (&String, &PathBuf)| {
        let found = imports(&parse(file), depth_of(file), false).paths;
        (module.clone(), found.iter().filter_map(file_of).filter(|other| other != module).collect())
    };
    sources.iter().map(edges).collect()
}

/// Everything that `from` leads to.
fn reached(from: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(module) = todo.pop() {
        for other in edges.get(module).into_iter().flatten() {
            if seen.insert(other.clone()) {
                todo.push(other);
            }
        }
    }
    seen
}

#[test]
fn files_do_not_need_each_other_in_a_circle() {
    let edges = file_edges();
    let circles: Vec<String> = edges
        .keys()
        .filter(|module| reached(module, &edges).contains(*module))
        .map(|module| format!("src: `{module}` is in a circle of files (docs/style.md, Code)"))
        .collect();
    none(&circles);
}

#[test]
fn modules_import_only_from_rows_above() {
    let rows = rows();
    let mut problems = Vec::new();
    for path in rust_files("src") {
        let (file, module) = (shown(&path), module_of(&path));
        let found = imports(&parse(&path), depth_of(&path), is_tests(&path));
        if module == "lib" {
            problems.extend(found.modules.iter().map(|m| format!("{file}: re-exports from `{m}`")));
        } else {
            problems.extend(judge(&file, &module, &found, &rows));
        }
    }
    none(&problems);
}

#[test]
fn the_layer_check_sees_every_way_to_import() {
    let rows = BTreeMap::from([("low".to_owned(), 1), ("mid".to_owned(), 2), ("side".to_owned(), 2)]);
    let check = |code: &str| {
        let file = syn::parse_file(code).expect("valid");
        judge("f", "mid", &imports(&file, 1, false), &rows).join("; ")
    };
    assert_eq!(check("use crate::low::A; use crate::mid::B; use std::fmt; pub(crate) struct S;"), "");
    assert_eq!(check("#[cfg(test)] mod tests { use super::*; use proptest::prelude::*; }"), "");
    let sideways = "f: module `mid` may not import `side` (docs/architecture.md, Rows)";
    for code in [
        "use crate::side::A;",
        "use crate::{low::A, side};",
        "pub use crate::side::A as B;",
        "fn f() -> crate::side::A { todo() }",
        "fn f() { x!(a, crate::side::A); }",
        "macro_rules! m { () => { $crate::side::f() } }",
        "mod inner { fn f() { use crate::side::A; } }",
        "impl crate::side::T for S {}",
    ] {
        assert_eq!(check(code), sideways, "{code}");
    }
    for code in [
        "use crate::low::*;",
        "use proptest::prelude::*;",
        "mod tests { use crate::low::*; }",
        "use crate::*;",
        "use crate as c;",
        "use super::low::A;",
        "mod inner { use super::super::low::A; }",
        "mod inner { use super::*; }",
        "fn f() { super::low::f() }",
        "use crate::unknown::A;",
    ] {
        assert_ne!(check(code), "", "{code}");
    }
}

#[test]
fn every_module_has_a_row() {
    let rows = rows();
    let lib = parse(&root().join("src/lib.rs"));
    let declared: BTreeSet<String> = lib
        .items
        .iter()
        .filter_map(|item| if let syn::Item::Mod(m) = item { Some(m.ident.to_string()) } else { None })
        .collect();
    assert_eq!(declared, rows.into_keys().collect());
}

#[test]
fn the_hook_dispatcher_stays_small() {
    let allowed = BTreeSet::from(["domain", "sys", "hook", "assets"].map(str::to_owned));
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in rust_files("src") {
        let found = imports(&parse(&path), depth_of(&path), is_tests(&path));
        all.entry(module_of(&path)).or_default().extend(found.modules);
    }
    let mut reached = BTreeSet::new();
    let mut todo = vec!["bin".to_owned(), "hook".to_owned()];
    while let Some(module) = todo.pop() {
        for next in all.get(&module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                todo.push(next.clone());
            }
        }
    }
    let extra: Vec<&String> = reached.difference(&allowed).collect();
    assert!(extra.is_empty(), "git-orch-hook reaches {extra:?} (docs/architecture.md, Rows)");
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut problems = Vec::new();
    for path in ["src", "tests/it", "benches"].into_iter().flat_map(rust_files) {
        let text = read(&path);
        let doc: String = text.lines().map_while(|l| l.strip_prefix("//!")).collect();
        // Three lines are a placeholder, not a module.
        if text.lines().count() > 3 && doc.trim().len() < 10 {
            problems.push(format!("{}: no `//!` module doc", shown(&path)));
        }
    }
    none(&problems);
}

#[test]
fn every_test_file_is_declared() {
    let declared: BTreeSet<String> = parse(&root().join("tests/it/main.rs"))
        .items
        .iter()
        .filter_map(|item| if let syn::Item::Mod(m) = item { Some(m.ident.to_string()) } else { None })
        .collect();
    let present: BTreeSet<String> = sys::fs::list(&root().join("tests/it"))
        .expect("it is this directory")
        .iter()
        .filter(|p| (p.is_dir() && !p.ends_with("snapshots")) || p.extension().is_some_and(|e| e == "rs"))
        .map(|p| p.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(declared, present, "tests/it/main.rs declares other modules than there are files");
}

#[test]
fn nothing_unfinished_is_left() {
    let words = [concat!("no", "commit"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    each_line(|file, line| {
        words.iter().find(|w| line.contains(**w)).map(|word| format!("{file}: `{word}` is left over"))
    });
}

#[test]
fn no_path_of_a_machine_is_left() {
    // Ann and Bob are people in examples.
    let path = Regex::new(r"(^|[^\w.$])/(home|Users|root|work)/(\w+)").expect("valid");
    let example = |name: &str| ["ann", "bob"].contains(&name);
    each_line(|file, line| {
        path.captures_iter(line)
            .any(|found| !example(&found[3]))
            .then(|| format!("{file}: a path of some machine: {line}"))
    });
}

/// Fails with everything that `check` finds in a line of a text file that we wrote.
#[track_caller]
fn each_line(check: impl Fn(&str, &str) -> Option<String>) {
    let dirs = ["src", "tests/it", "benches", "docs", "hooks", "templates", "policies", ".ci"];
    let mut problems = Vec::new();
    for path in dirs.into_iter().flat_map(files) {
        let bytes = sys::fs::read(&path).expect("it was just listed");
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (at, line) in text.lines().enumerate() {
            problems.extend(check(&format!("{}:{}", shown(&path), at + 1), line));
        }
    }
    none(&problems);
}

/// Lines up to the first `#[cfg(test)]` that opens a module.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|w| w[0] == "#[cfg(test)]" && w[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

#[test]
fn files_stay_small() {
    let allow = read(&root().join("tests/it/allow.txt"));
    let mut allowed: BTreeMap<&str, usize> = allow
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(|l| l.split_once(' ').expect("`<file> <lines>`"))
        .map(|(file, lines)| (file, lines.parse().expect("a number")))
        .collect();
    let mut problems = Vec::new();
    for path in ["src", "tests/it", "benches"].into_iter().flat_map(rust_files) {
        let (file, lines) = (shown(&path), production_lines(&read(&path)));
        let budget = if is_tests(&path) { TEST_LINES } else { LINES };
        match allowed.remove(file.as_str()) {
            None if lines > budget => problems.push(format!("{file}: {lines} lines; the limit is {budget}")),
            Some(limit) if lines > limit => {
                problems.push(format!("{file}: {lines} lines; allow.txt has {limit}, and may only shrink"));
            }
            Some(_) if lines <= budget => {
                problems.push(format!("{file}: needs no line in allow.txt any more"));
            }
            None | Some(_) => {}
        }
    }
    problems.extend(allowed.keys().map(|file| format!("{file}: in allow.txt, but not there")));
    none(&problems);
}

#[test]
fn everything_embedded_is_named_in_assets() {
    let assets = read(&root().join("src/assets.rs"));
    let problems: Vec<String> = ["hooks", "templates", "policies"]
        .into_iter()
        .flat_map(files)
        .map(|path| shown(&path))
        .filter(|file| !assets.contains(&format!("../{file}\"")))
        .map(|file| format!("{file} is not in src/assets.rs"))
        .collect();
    none(&problems);
}
