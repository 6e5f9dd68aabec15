//! Which fixers apply to a worktree. Pure.
//!
//! A tool is run only where the project says that it uses it: reformatting somebody's code in a style they
//! never chose is no fix. Rust and Go have one style each, so there the manifest is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is known of a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The top directory, and those directly below it that have a manifest.
    pub roots: Vec<Root>,
    /// The files that the task is about, relative to the worktree; None if it names none.
    pub files: Option<Vec<PathBuf>>,
}

/// A directory with a manifest in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Relative to the worktree; empty for its top.
    pub dir: PathBuf,
    /// The names of the files in it.
    pub names: BTreeSet<String>,
    /// The names of the directories in it.
    pub dirs: BTreeSet<String>,
    /// The text of its manifests (`MANIFESTS`), by name.
    pub texts: BTreeMap<String, String>,
    /// The programs that the project brings along, relative to `dir`, by name.
    pub tools: BTreeMap<String, PathBuf>,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixer {
    /// What people call it.
    pub name: &'static str,
    /// Where, relative to the worktree.
    pub dir: PathBuf,
    /// Program and arguments; a program with a slash in it is relative to `dir`.
    pub argv: Vec<String>,
    /// What in the worktree says that it applies.
    pub why: String,
}

/// Files whose presence makes a directory a root, and whose text says which tools the project uses.
pub(super) const MANIFESTS: [&str; 4] = ["Cargo.toml", "package.json", "pyproject.toml", "go.mod"];

const SCRIPTS: [&str; 10] = ["js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte"];
/// More names than this on one command line are not worth it: the fixer then does the whole directory.
const MOST_PATHS: usize = 500;

/// The fixers that apply, in the order to run them: what changes code before what formats it.
pub fn plan(facts: &Facts) -> Vec<Fixer> {
    let mut fixers = Vec::new();
    for language in [cargo, javascript, python, go] {
        let at_top = facts.roots.iter().filter(|root| root.dir.as_os_str().is_empty());
        let top: Vec<Fixer> = at_top.flat_map(|root| language(root, facts)).collect();
        // A manifest at the top speaks for those below: they are its members, or examples.
        if top.is_empty() {
            let below = facts.roots.iter().filter(|root| !root.dir.as_os_str().is_empty());
            fixers.extend(below.flat_map(|root| language(root, facts)));
        } else {
            fixers.extend(top);
        }
    }
    fixers
}

/// The paths to hand to a fixer that takes paths; None when the task is about none that it could fix.
fn paths(root: &Root, facts: &Facts, endings: &[&str]) -> Option<Vec<String>> {
    let everything = vec![".".to_owned()];
    let Some(files) = &facts.files else { return Some(everything) };
    let fits = |path: &&Path| {
        endings.is_empty() || path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending))
    };
    let below = files.iter().filter_map(|file| file.strip_prefix(&root.dir).ok()).filter(fits);
    let below: Vec<String> = below.filter_map(|path| Some(argument(path.to_str()?))).collect();
    match below.len() {
        0 => None,
        n if n > MOST_PATHS => Some(everything),
        _ => Some(below),
    }
}

/// A path that no program takes for an option.
fn argument(path: &str) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path.to_owned() }
}

fn fixer(root: &Root, name: &'static str, words: &[&str], paths: Vec<String>, why: &str) -> Fixer {
    let mut argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    if let Some(tool) = root.tools.get(&argv[0]).and_then(|path| path.to_str()) {
        tool.clone_into(&mut argv[0]);
    }
    argv.extend(paths);
    Fixer { name, dir: root.dir.clone(), argv, why: why.to_owned() }
}

fn cargo(root: &Root, facts: &Facts) -> Vec<Fixer> {
    let Some(manifest) = root.texts.get("Cargo.toml") else { return Vec::new() };
    // Neither takes paths; a task about no Rust file is not for them.
    if paths(root, facts, &["rs", "toml"]).is_none() {
        return Vec::new();
    }
    let workspace = manifest.lines().any(|line| line.trim_start().starts_with("[workspace"));
    let (members, all): (&[&str], &[&str]) =
        if workspace { (&["--workspace"], &["--all"]) } else { (&[], &[]) };
    let fix =
        ["cargo", "clippy", "--fix", "--allow-dirty", "--allow-staged", "--allow-no-vcs", "--all-targets"];
    vec![
        fixer(root, "cargo clippy", &[&fix, members].concat(), Vec::new(), "Cargo.toml"),
        fixer(root, "cargo fmt", &[&["cargo", "fmt"], all].concat(), Vec::new(), "Cargo.toml"),
    ]
}

fn javascript(root: &Root, facts: &Facts) -> Vec<Fixer> {
    let Some(package) = root.texts.get("package.json") else { return Vec::new() };
    let package: serde_json::Value = serde_json::from_str(package).unwrap_or_default();
    let mut fixers = Vec::new();
    let flat = starting(root, &["eslint.config."]);
    let legacy = starting(root, &[".eslintrc"])
        .or_else(|| package.get("eslintConfig").map(|_| "`eslintConfig` in package.json".to_owned()));
    if let Some(why) = flat.clone().or(legacy)
        && let Some(paths) = paths(root, facts, &SCRIPTS)
    {
        // `node_modules/.bin` even where it is not: a global eslint would not find the project's plugins.
        let mut words = vec!["node_modules/.bin/eslint", "--fix", "--no-error-on-unmatched-pattern"];
        if flat.is_none() {
            words.extend(["--ext", ".js,.jsx,.mjs,.cjs,.ts,.tsx"]);
        }
        fixers.push(fixer(root, "eslint", &words, paths, &why));
    }
    let prettier = starting(root, &[".prettierrc", "prettier.config."])
        .or_else(|| package.get("prettier").map(|_| "`prettier` in package.json".to_owned()));
    if let Some(why) = prettier
        && let Some(paths) = paths(root, facts, &[])
    {
        let words = ["node_modules/.bin/prettier", "--write", "--ignore-unknown"];
        fixers.push(fixer(root, "prettier", &words, paths, &why));
    }
    fixers
}

fn python(root: &Root, facts: &Facts) -> Vec<Fixer> {
    let in_manifest = root.texts.get("pyproject.toml").is_some_and(|text| {
        text.lines().map(str::trim_start).any(|line| {
            line.starts_with("[tool.ruff]")
                || line.starts_with("[tool.ruff.")
                || line.starts_with("[[tool.ruff")
        })
    });
    let why = starting(root, &["ruff.toml", ".ruff.toml"])
        .or_else(|| in_manifest.then(|| "`[tool.ruff]` in pyproject.toml".to_owned()));
    let Some(why) = why else { return Vec::new() };
    let Some(paths) = paths(root, facts, &["py", "pyi", "ipynb"]) else { return Vec::new() };
    vec![
        fixer(root, "ruff check", &["ruff", "check", "--fix"], paths.clone(), &why),
        fixer(root, "ruff format", &["ruff", "format"], paths, &why),
    ]
}

fn go(root: &Root, facts: &Facts) -> Vec<Fixer> {
    if !root.names.contains("go.mod") {
        return Vec::new();
    }
    let Some(mut paths) = paths(root, facts, &["go"]) else { return Vec::new() };
    if paths == ["."] {
        // `gofmt -w .` would rewrite what is vendored.
        let source = |dir: &&String| {
            !dir.starts_with(['.', '_']) && !["vendor", "node_modules"].contains(&dir.as_str())
        };
        let files = root.names.iter().filter(|name| Path::new(name).extension().is_some_and(|e| e == "go"));
        paths = root.dirs.iter().filter(source).chain(files).map(|name| argument(name)).collect();
    }
    if paths.is_empty() { Vec::new() } else { vec![fixer(root, "gofmt", &["gofmt", "-w"], paths, "go.mod")] }
}

/// The first file of the root whose name starts with one of `starts`.
fn starting(root: &Root, starts: &[&str]) -> Option<String> {
    root.names.iter().find(|name| starts.iter().any(|start| name.starts_with(start))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root from lines like `Cargo.toml=[workspace]`, `src/`, `ruff@.venv/bin/ruff`.
    fn root(dir: &str, lines: &[&str]) -> Root {
        let mut root = Root { dir: PathBuf::from(dir), ..Root::default() };
        for line in lines {
            if let Some(dir) = line.strip_suffix('/') {
                root.dirs.insert(dir.to_owned());
            } else if let Some((tool, path)) = line.split_once('@') {
                root.tools.insert(tool.to_owned(), PathBuf::from(path));
            } else {
                let (name, text) = line.split_once('=').unwrap_or((line, ""));
                root.names.insert(name.to_owned());
                if MANIFESTS.contains(&name) {
                    root.texts.insert(name.to_owned(), text.to_owned());
                }
            }
        }
        root
    }

    fn shown(roots: Vec<Root>, files: Option<&[&str]>) -> String {
        let files = files.map(|files| files.iter().map(PathBuf::from).collect());
        let line = |f: Fixer| format!("{}/ {} <- {}", f.dir.display(), f.argv.join(" "), f.why);
        plan(&Facts { roots, files }).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_language_by_its_manifest() {
        let all = root(
            "",
            &[
                "Cargo.toml=[package]",
                "package.json={}",
                "eslint.config.js",
                ".prettierrc",
                "pyproject.toml=[tool.ruff.lint]",
                "ruff@.venv/bin/ruff",
                "go.mod",
                "main.go",
                "cmd/",
                "vendor/",
                ".git/",
                "-x/",
            ],
        );
        insta::assert_snapshot!(shown(vec![all], None), @"
        / cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --all-targets <- Cargo.toml
        / cargo fmt <- Cargo.toml
        / node_modules/.bin/eslint --fix --no-error-on-unmatched-pattern . <- eslint.config.js
        / node_modules/.bin/prettier --write --ignore-unknown . <- .prettierrc
        / .venv/bin/ruff check --fix . <- `[tool.ruff]` in pyproject.toml
        / .venv/bin/ruff format . <- `[tool.ruff]` in pyproject.toml
        / gofmt -w ./-x cmd main.go <- go.mod
        ");
    }

    #[test]
    fn a_manifest_alone_is_no_style() {
        let bare = root("", &["package.json={}", "pyproject.toml=[project]", "README.md"]);
        assert_eq!(shown(vec![bare], None), "");
        assert_eq!(shown(vec![root("", &["package.json=not json"])], None), "");
    }

    #[test]
    fn roots_below_count_when_the_top_has_none() {
        let below =
            || vec![root("", &["README.md"]), root("core", &["Cargo.toml=[workspace]\nmembers = []"])];
        insta::assert_snapshot!(shown(below(), None), @"
        core/ cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --all-targets --workspace <- Cargo.toml
        core/ cargo fmt --all <- Cargo.toml
        ");
        let mut both = below();
        both[0] = root("", &["Cargo.toml=[package]"]);
        assert!(!shown(both, None).contains("core/"));
    }

    #[test]
    fn the_task_s_files_are_passed_on_where_a_fixer_takes_paths() {
        let roots = || {
            vec![
                root("", &["Cargo.toml=[package]"]),
                root("web", &["package.json={\"eslintConfig\":{},\"prettier\":{}}"]),
                root("py", &["ruff.toml"]),
            ]
        };
        insta::assert_snapshot!(shown(roots(), Some(&["web/src/a.ts", "web/-b.css", "py/README.md"])), @"
        web/ node_modules/.bin/eslint --fix --no-error-on-unmatched-pattern --ext .js,.jsx,.mjs,.cjs,.ts,.tsx src/a.ts <- `eslintConfig` in package.json
        web/ node_modules/.bin/prettier --write --ignore-unknown src/a.ts ./-b.css <- `prettier` in package.json
        ");
        insta::assert_snapshot!(shown(roots(), Some(&["src/lib.rs"])), @"
        / cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --all-targets <- Cargo.toml
        / cargo fmt <- Cargo.toml
        ");
        assert_eq!(shown(roots(), Some(&[])), "");
    }
}
