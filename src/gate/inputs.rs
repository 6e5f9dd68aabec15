//! What setup's result depends on, as far as a tree and a machine can tell: where none of it differs, setup makes the same
//! again.

use crate::gate::canon::Canon;

/// Names of lock files, manifests, and files that choose a version of a tool, in whatever directory they are.
const NAMES: [&str; 30] = [
    ".node-version",
    ".npmrc",
    ".nvmrc",
    ".pnpmfile.cjs",
    ".python-version",
    ".tool-versions",
    ".yarnrc",
    ".yarnrc.yml",
    "Cargo.lock",
    "Cargo.toml",
    "Gemfile",
    "Gemfile.lock",
    "Pipfile",
    "Pipfile.lock",
    "go.mod",
    "go.sum",
    "mise.toml",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "poetry.lock",
    "pyproject.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "yarn.lock",
];

/// Names that begin so and end in `.txt` are such files, too.
const LISTS: [&str; 2] = ["requirements", "constraints"];

/// Programs whose version is in what setup makes: one that was replaced makes something else.
pub const TOOLS: [&str; 12] =
    ["bun", "cargo", "go", "node", "npm", "pip", "pnpm", "python3", "ruby", "rustc", "uv", "yarn"];

/// What the result of setup depends on.
#[derive(Clone, Debug, Default)]
pub struct SetupInputs {
    /// The lines.
    pub setup: Vec<String>,
    /// The paths that are carried.
    pub carry: Vec<String>,
    /// Files of the tree that `decides_setup`, each with its mode and its blob, as text.
    pub files: Vec<(String, String)>,
    /// What tells the present `TOOLS` from others.
    pub tools: Vec<String>,
}

impl SetupInputs {
    /// Equal for equal inputs, and for no others.
    pub fn key(&self) -> String {
        let machine = [std::env::consts::OS, std::env::consts::ARCH];
        let files = self.files.iter().flat_map(|(path, what)| [path.as_str(), what.as_str()]);
        Canon::new("git-orch setup 1")
            .list(self.setup.iter().map(String::as_str))
            .list(self.carry.iter().map(String::as_str))
            .list(files.collect::<Vec<_>>().into_iter())
            .list(self.tools.iter().map(String::as_str))
            .list(machine.into_iter())
            .sha256()
    }
}

/// Whether the file at `path` (with `/`) can change what setup makes.
pub fn decides_setup(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_list(name) || NAMES.contains(&name)
}

fn is_list(name: &str) -> bool {
    name.strip_suffix(".txt").is_some_and(|stem| LISTS.iter().any(|list| stem.starts_with(list)))
}

/// Whether the file at `path` may have an installation run, or build, what is in the tree.
pub fn may_name_local(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "package.json" || is_list(name)
}

/// Whether a file that `may_name_local` does.
pub fn names_local(path: &str, text: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_list(name) { text.lines().any(is_local) } else { runs_scripts(text) }
}

/// Archives, which pip takes for files wherever they are.
const ARCHIVES: [&str; 4] = [".whl", ".zip", ".tar.gz", ".tar.bz2"];

/// Whether a line of requirements names a place in the tree, or may.
fn is_local(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or(line).trim();
    if line.starts_with('#') {
        return false;
    }
    let words: Vec<&str> = line.split([' ', '\t', '=', '"', '\'']).filter(|word| !word.is_empty()).collect();
    let starts = |short: &str, long: &str| line.starts_with(short) || line.starts_with(long);
    let is_far = |word: &&str| word.contains("://") && !word.contains("file:");
    if starts("-r", "--requirement") || starts("-c", "--constraint") {
        return !words.last().is_some_and(|file| decides_setup(file));
    }
    if starts("-e", "--editable") {
        return true;
    }
    if starts("-f", "--find-links") {
        return !words.last().is_some_and(is_far);
    }
    let is_place = |word: &&str| {
        word.contains(['/', '$', '\\']) && !word.ends_with('\\')
            || word.contains("file:")
            || word.starts_with('.')
            || ARCHIVES.iter().any(|end| word.ends_with(end))
    };
    words.iter().any(|word| is_place(word) && !is_far(word))
}

/// Whether setup reads nothing of the tree but what `decides_setup`: each line installs what lock files and manifests ask
/// for, by a tool that is known to look at nothing else. Scripts of packages are another matter (`runs_scripts`).
pub fn only_installs(setup: &[String]) -> bool {
    let parts = setup.iter().flat_map(|line| line.split("&&"));
    parts.into_iter().all(|part| {
        let plain = !part.contains([';', '|', '`', '$', '(', '<', '>', '\n', '&', '*', '?']);
        plain && installs(&part.split_whitespace().collect::<Vec<_>>())
    })
}

fn installs(words: &[&str]) -> bool {
    let flags = |rest: &[&str]| rest.iter().all(|word| word.starts_with('-'));
    match words {
        ["yarn"] | ["go", "mod", "download"] => true,
        ["npm", "ci" | "install" | "i", rest @ ..]
        | ["pnpm" | "yarn" | "bun", "install" | "i", rest @ ..]
        | ["cargo", "fetch", rest @ ..]
        | ["bundle", "install", rest @ ..] => flags(rest),
        [python, "-m", "venv", rest @ ..] => is_named(python, "python") && rest.len() <= 2,
        [python, "-m", "pip", rest @ ..] if is_named(python, "python") => pip(rest),
        [program, rest @ ..] if is_named(program, "pip") => pip(rest),
        _ => false,
    }
}

fn is_named(program: &str, name: &str) -> bool {
    let base = program.rsplit('/').next().unwrap_or(program);
    base.strip_prefix(name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// `pip install` of what files of requirements name, and of nothing that is built from the tree.
fn pip(words: &[&str]) -> bool {
    let ["install", rest @ ..] = words else { return false };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-r" | "--requirement" | "-c" | "--constraint"
                if rest.next().is_some_and(|file| decides_setup(file)) => {}
            "-q" | "--quiet" | "--no-deps" | "--require-hashes" | "--disable-pip-version-check" => {}
            _ => return false,
        }
    }
    true
}

/// Whether a `package.json` has scripts that an installation runs.
fn runs_scripts(manifest: &str) -> bool {
    ["\"preinstall\"", "\"install\"", "\"postinstall\"", "\"prepare\"", "\"prepublish\""]
        .iter()
        .any(|name| manifest.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_and_manifests_decide_wherever_they_are() {
        for path in ["Cargo.lock", "a/b/package.json", "requirements-dev.txt", "x/constraints.txt", ".npmrc"]
        {
            assert!(decides_setup(path), "{path}");
        }
        for path in ["src/main.rs", "package.json/x", "my-requirements.txt", "requirements.md", "Cargo.lock2"]
        {
            assert!(!decides_setup(path), "{path}");
        }
    }

    #[test]
    fn every_input_is_in_the_key() {
        let text = || vec!["x".to_owned()];
        let keys = [
            SetupInputs::default(),
            SetupInputs { setup: text(), ..SetupInputs::default() },
            SetupInputs { carry: text(), ..SetupInputs::default() },
            SetupInputs { tools: text(), ..SetupInputs::default() },
            SetupInputs { files: vec![("x".into(), "1".into())], ..SetupInputs::default() },
            SetupInputs { files: vec![("x".into(), "2".into())], ..SetupInputs::default() },
        ]
        .map(|inputs| inputs.key());
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }

    #[test]
    fn requirements_may_name_what_is_in_the_tree() {
        for line in [
            "./lib",
            "lib/sub",
            "-e .",
            "--editable=./lib",
            "mylib @ file:./lib",
            "wheels/x-1-py3-none-any.whl",
            "x.whl",
            "-r other.in",
            "--find-links wheels",
            "${HERE}/x",
            "--index-url file:///x",
        ] {
            assert!(names_local("requirements.txt", &format!("six==1.0\n{line}\n")), "{line}");
        }
        for line in [
            "# ./lib",
            "six==1.16 # see ./lib",
            "requests[security]>=2.8.1; python_version > '3.7'",
            "six==1.0 --hash=sha256:00 \\",
            "-r requirements-dev.txt",
            "-c constraints.txt",
            "--no-index",
            "--extra-index-url https://example.com/simple",
            "git+https://example.com/x/y@v1#egg=y",
            "-f https://example.com/wheels/",
        ] {
            assert!(!names_local("requirements.txt", line), "{line}");
        }
    }

    #[test]
    fn what_only_installs_is_known_and_all_else_may_read_anything() {
        let known = |line: &str| only_installs(&[line.to_owned()]);
        for line in [
            "npm ci",
            "npm ci --ignore-scripts && npm install",
            "pnpm install --frozen-lockfile",
            "yarn",
            "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt",
            "python3 -m pip install -r requirements-dev.txt",
            "cargo fetch --locked",
        ] {
            assert!(known(line), "{line}");
        }
        for line in [
            "sh scripts/setup.sh",
            "npm ci && node gen.js",
            "npm ci; ./x",
            "npm install ./local",
            "npm run build",
            "pip install .",
            "pip install -e .",
            "pip install -r other.in",
            "uv sync",
            "make deps",
            "npm ci $EXTRA",
            "./npm ci",
            "mypip install -r requirements.txt",
        ] {
            assert!(!known(line), "{line}");
        }
        assert!(
            runs_scripts("{\"scripts\": {\"postinstall\": \"x\"}}")
                && !runs_scripts("{\"scripts\": {\"test\": \"x\"}}")
        );
    }
}
