//! Gathers the facts that `plan` needs. Reads the worktree without following links.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::agent::autofix::plan::{Facts, MANIFESTS, Root};
use crate::agent::driver::AgentError;
use crate::sys::fs;

/// Directories that hold no sources of the project's own.
const FOREIGN: [&str; 6] = [".git", "node_modules", "target", "vendor", ".venv", "__pycache__"];
/// Where a project keeps the programs that it brings along.
const TOOL_DIRS: [&str; 1] = [".venv/bin"];
const TOOLS: [&str; 1] = ["ruff"];

/// What is known of `worktree`, for a task about the files that match `globs` (all files if empty).
pub fn look(worktree: &Path, globs: &[String]) -> Result<Facts, AgentError> {
    let top = root(worktree, PathBuf::new())?;
    let mut roots = Vec::new();
    for dir in top.dirs.iter().filter(|dir| !dir.starts_with('.') && !FOREIGN.contains(&dir.as_str())) {
        let below = root(worktree, PathBuf::from(dir))?;
        if MANIFESTS.iter().any(|&name| below.names.contains(name)) {
            roots.push(below);
        }
    }
    roots.insert(0, top);
    let files = if globs.is_empty() { None } else { Some(matching(worktree, &glob_set(globs)?)?) };
    Ok(Facts { roots, files })
}

fn root(worktree: &Path, dir: PathBuf) -> Result<Root, AgentError> {
    let mut root = Root { dir, ..Root::default() };
    let at = worktree.join(&root.dir);
    for path in fs::list(&at)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // A link is neither, so that nothing outside the worktree is read.
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            root.dirs.insert(name.to_owned());
        } else if meta.is_file() {
            if MANIFESTS.contains(&name) {
                let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
                root.texts.insert(name.to_owned(), text);
            }
            root.names.insert(name.to_owned());
        }
    }
    for (dir, tool) in TOOL_DIRS.iter().flat_map(|dir| TOOLS.iter().map(move |tool| (dir, tool))) {
        let path = Path::new(dir).join(tool);
        if at.join(&path).is_file() {
            root.tools.insert((*tool).to_owned(), path);
        }
    }
    Ok(root)
}

fn glob_set(globs: &[String]) -> Result<GlobSet, AgentError> {
    let error = |glob: &str, source| AgentError::Glob { glob: glob.to_owned(), source };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|e| error(glob, e))?);
    }
    set.build().map_err(|e| error(&globs.join(" "), e))
}

/// The files of `worktree` that match, sorted, relative to it.
fn matching(worktree: &Path, globs: &GlobSet) -> Result<Vec<PathBuf>, AgentError> {
    let mut files = Vec::new();
    let mut todo = vec![worktree.to_owned()];
    while let Some(dir) = todo.pop() {
        for path in fs::list(&dir)? {
            let Ok(meta) = path.symlink_metadata() else { continue };
            let foreign = path.file_name().is_some_and(|name| FOREIGN.iter().any(|f| name == *f));
            if meta.is_dir() && !foreign {
                todo.push(path);
            } else if meta.is_file()
                && let Ok(relative) = path.strip_prefix(worktree)
                && globs.is_match(relative)
            {
                files.push(relative.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write_new(&path, b"[workspace]", 0o644).unwrap();
        }
        dir
    }

    #[test]
    fn roots_are_the_top_and_what_has_a_manifest_below() {
        let dir = tree(&["README", "a/Cargo.toml", "b/x", "node_modules/p/package.json", ".venv/bin/ruff"]);
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("package.json")).unwrap();
        let facts = look(dir.path(), &[]).unwrap();
        let dirs: Vec<_> = facts.roots.iter().map(|root| root.dir.display().to_string()).collect();
        assert_eq!(dirs, ["", "a"]);
        assert_eq!(facts.roots[1].texts["Cargo.toml"], "[workspace]");
        assert!(!facts.roots[0].texts.contains_key("package.json"), "a link is not read");
        assert!(facts.roots[0].tools.contains_key("ruff"));
        assert_eq!(facts.files, None);
    }

    #[test]
    fn globs_find_files_of_the_project() {
        let dir = tree(&["src/a.rs", "src/x/b.rs", "src/c.txt", "target/debug/d.rs", "e.rs"]);
        let found = |globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
            look(dir.path(), &globs).unwrap().files.unwrap()
        };
        assert_eq!(found(&["src/*.rs", "e.rs"]), [Path::new("e.rs"), Path::new("src/a.rs")]);
        assert_eq!(found(&["**/*.rs"]).len(), 3);
        assert!(found(&["nope"]).is_empty());
        assert!(matches!(look(dir.path(), &["[".to_owned()]), Err(AgentError::Glob { .. })));
    }
}
