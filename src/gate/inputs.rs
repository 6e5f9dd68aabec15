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
    let is_list =
        name.strip_suffix(".txt").is_some_and(|stem| LISTS.iter().any(|list| stem.starts_with(list)));
    is_list || NAMES.contains(&name)
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
pub fn runs_scripts(manifest: &str) -> bool {
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
