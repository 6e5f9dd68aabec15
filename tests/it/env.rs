//! `TestEnv`: an empty home, a cleared environment, a hermetic git, and the two binaries under test.
//!
//! Nothing of the machine reaches a test but the programs on `PATH`. Everything that a test makes lies below
//! one temporary directory, which goes with the last handle on it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git_orch::sys;

use crate::redact::Redactor;
use crate::run::{Cmd, Outcome};

/// The main binary.
pub(crate) const ORCH: &str = env!("CARGO_BIN_EXE_git-orch");
/// The hook dispatcher. Cargo puts it beside the main binary, which is where `init` looks for it.
pub(crate) const HOOK: &str = env!("CARGO_BIN_EXE_git-orch-hook");

/// What `git` reads in place of the machine's and the user's configuration. Abbreviations are twelve
/// characters, so that a redacted one is never a matter of luck; background maintenance is off, so that no
/// process outlives its test.
const GIT_CONFIG: &str = "\
[user]
\tname = Ann Lee
\temail = ann@example.com
[init]
\tdefaultBranch = main
[core]
\tabbrev = 12
[protocol \"file\"]
\tallow = always
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// A world for one test. Clones are handles on the same world.
#[derive(Clone)]
pub(crate) struct TestEnv(Arc<World>);

struct World {
    root: PathBuf,
    vars: Vec<(OsString, OsString)>,
    redactor: Mutex<Redactor>,
    // Last, so that it goes after everything that may still look into it.
    _dir: tempfile::TempDir,
}

impl TestEnv {
    /// An empty world.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("orch-it-").tempdir().expect("a temporary directory");
        let root = sys::fs::canonical(dir.path()).expect("it was just made");
        let home = root.join("home");
        for made in [&home, &root.join("tmp")] {
            sys::fs::create_dir_all(made).expect("the root is ours");
        }
        // Gates of tests note in here what they did.
        let writes = format!("[orch]\n\tsandboxWrites = {}\n", root.display());
        write(&home.join(".gitconfig"), &(GIT_CONFIG.to_owned() + &writes));
        let vars = variables(&root, &home);
        let redactor = Mutex::new(Redactor::new(&root, bin_dir()));
        Self(Arc::new(World { root, vars, redactor, _dir: dir }))
    }

    /// The directory that holds everything; `$ROOT` in rendered outcomes.
    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    /// The home directory of every process here.
    pub(crate) fn home(&self) -> PathBuf {
        self.0.root.join("home")
    }

    /// The environment of every process here, for tests that call the library.
    pub(crate) fn vars(&self) -> sys::env::Env {
        sys::env::Env::from_pairs(self.0.vars.iter().cloned())
    }

    /// A process to be started in the root.
    pub(crate) fn cmd(&self, program: impl AsRef<OsStr>) -> Cmd {
        Cmd::new(self, program.as_ref(), &self.0.vars)
    }

    /// Runs the product in the root, outside any repository.
    pub(crate) fn orch(&self, args: &[&str]) -> Outcome {
        self.cmd(ORCH).args(args).run()
    }

    /// Runs git in the root.
    pub(crate) fn git(&self, args: &[&str]) -> Outcome {
        self.cmd("git").args(args).run()
    }

    /// A repository `<root>/<name>` on `main` with one commit of one file, `README.md`.
    pub(crate) fn repo(&self, name: &str) -> TestRepo {
        let repo = self.unborn(name);
        repo.commit("first", &[("README.md", "# test\n")]);
        repo
    }

    /// A repository `<root>/<name>` without a commit.
    pub(crate) fn unborn(&self, name: &str) -> TestRepo {
        self.git(&["init", "--quiet", name]).success();
        self.at(name)
    }

    /// A repository `<root>/<name>` with the source of `tests/corpus/<name>`: one that we did not write.
    pub(crate) fn corpus(&self, name: &str) -> TestRepo {
        let source = corpus(name);
        self.cmd("cp").args(&[OsStr::new("-R"), source.as_os_str(), OsStr::new(name)]).run().success();
        self.git(&["init", "--quiet", name]).success();
        let repo = self.at(name);
        repo.write(".gitignore", "/target\n");
        repo.git(&["add", "--all"]).success();
        repo.commit("import", &[]);
        repo
    }

    /// The repository or worktree that is at `<root>/<path>` already (or at an absolute `path` below it).
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> TestRepo {
        let path = self.0.root.join(path);
        assert!(path.is_dir(), "{} is not a directory", path.display());
        TestRepo { env: self.clone(), path }
    }

    /// A bare repository `<root>/<name>.git` that others reach over `file://`.
    pub(crate) fn remote(&self, name: &str) -> Remote {
        let dir = format!("{name}.git");
        self.git(&["init", "--quiet", "--bare", &dir]).success();
        Remote { repo: self.at(&dir), name: name.to_owned() }
    }

    /// A clone of `remote` at `<root>/<name>`.
    pub(crate) fn clone_of(&self, remote: &Remote, name: &str) -> TestRepo {
        self.git(&["clone", "--quiet", "--origin", &remote.name, &remote.url(), name]).success();
        self.at(name)
    }

    /// Makes `id` known to the redactor, for ids that a test gets by other ways than a command's output.
    pub(crate) fn learn_id(&self, id: &str) {
        self.redactor(|r| r.learn_id(id));
    }

    /// Replaces in `text` what differs from run to run.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.redactor(|r| r.redact(text))
    }

    /// Works with what was replaced so far.
    pub(crate) fn redactor<T>(&self, act: impl FnOnce(&mut Redactor) -> T) -> T {
        act(&mut self.0.redactor.lock().expect("no test panics while it redacts"))
    }
}

/// Where something of the corpus is.
pub(crate) fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn bin_dir() -> &'static Path {
    Path::new(ORCH).parent().expect("a binary lies in a directory")
}

/// All variables that a process gets.
fn variables(root: &Path, home: &Path) -> Vec<(OsString, OsString)> {
    let pairs: [(&str, OsString); 11] = [
        ("PATH", search_path()),
        ("HOME", home.into()),
        ("TMPDIR", root.join("tmp").into()),
        ("LC_ALL", "C".into()),
        ("TZ", "UTC".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", home.join(".gitconfig").into()),
        // A repository that the temporary directory may lie in is none of ours.
        ("GIT_CEILING_DIRECTORIES", root.into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("CARGO_NET_OFFLINE", "true".into()),
        ("CARGO_TERM_COLOR", "never".into()),
    ];
    pairs.into_iter().map(|(k, v)| (k.into(), v)).collect()
}

/// The binaries under test, the toolchain that built them, the system's directories, and git's own if it is
/// in none of these.
fn search_path() -> OsString {
    let ambient = sys::env::Env::capture();
    let mut dirs = vec![bin_dir().to_owned()];
    // Cargo names itself: its directory has the real `cargo` and `rustc`, which need no home to find them.
    dirs.extend(ambient.get("CARGO").and_then(|cargo| Path::new(cargo).parent()).map(Path::to_owned));
    dirs.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
    let git = sys::process::find_program("git", &ambient).expect("the tests need git on PATH");
    let git_dir = git.parent().expect("a program lies in a directory").to_owned();
    if !dirs.contains(&git_dir) {
        dirs.push(git_dir);
    }
    std::env::join_paths(dirs).expect("no directory on PATH has a colon")
}

fn write(path: &Path, text: &str) {
    sys::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("below the root");
    sys::fs::write_atomic(path, text.as_bytes(), 0o644, sys::fs::Durability::None).expect("below the root");
}

/// A working tree (or, for a `Remote`, a bare repository).
#[derive(Clone)]
pub(crate) struct TestRepo {
    env: TestEnv,
    path: PathBuf,
}

impl TestRepo {
    /// Its world.
    pub(crate) fn env(&self) -> &TestEnv {
        &self.env
    }

    /// Its directory, or something in it.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.path.join(inside)
    }

    /// A process to be started in it.
    pub(crate) fn cmd(&self, program: impl AsRef<OsStr>) -> Cmd {
        self.env.cmd(program).dir(&self.path)
    }

    /// Runs git in it.
    pub(crate) fn git(&self, args: &[&str]) -> Outcome {
        self.cmd("git").args(args).run()
    }

    /// Runs the product in it.
    pub(crate) fn orch(&self, args: &[&str]) -> Outcome {
        self.cmd(ORCH).args(args).run()
    }

    /// Runs `line` by the shell in it.
    pub(crate) fn sh(&self, line: &str) -> Outcome {
        self.cmd("sh").args(&["-c", line]).run()
    }

    /// Writes a file and the directories above it.
    pub(crate) fn write(&self, file: &str, text: &str) {
        write(&self.path.join(file), text);
    }

    /// A file's text.
    pub(crate) fn read(&self, file: &str) -> String {
        sys::fs::read_string(&self.path.join(file)).expect("the test wrote it or waits for it")
    }

    /// Whether something is at `file`.
    pub(crate) fn has(&self, file: &str) -> bool {
        sys::fs::exists(&self.path.join(file))
    }

    /// Writes `files` and commits exactly these, past every hook. Returns the commit's id.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (file, text) in files {
            self.write(file, text);
            self.git(&["add", "--", file]).success();
        }
        self.git(&["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", message])
            .success();
        self.rev("HEAD")
    }

    /// The id of `rev`.
    pub(crate) fn rev(&self, rev: &str) -> String {
        self.git(&["rev-parse", "--verify", rev]).success().line()
    }

    /// The id of `rev`, or None if there is no such thing.
    pub(crate) fn try_rev(&self, rev: &str) -> Option<String> {
        let outcome = self.git(&["rev-parse", "--verify", "--quiet", &format!("{rev}^{{object}}")]);
        (outcome.status() == 0).then(|| outcome.line())
    }

    /// Makes `remote` known under its name and pushes `main` to it.
    pub(crate) fn connect(&self, remote: &Remote) {
        self.git(&["remote", "add", &remote.name, &remote.url()]).success();
        self.git(&["push", "--quiet", "--no-verify", "--set-upstream", &remote.name, "main"]).success();
    }
}

/// A bare repository that plays the server.
pub(crate) struct Remote {
    repo: TestRepo,
    name: String,
}

impl Remote {
    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.repo.path.display())
    }

    /// The repository itself, to look into and to break.
    pub(crate) fn repo(&self) -> &TestRepo {
        &self.repo
    }
}
