//! A real repository for this module's own tests.

use crate::domain::oid::Oid;
use crate::git::repo::Repo;
use crate::sys::env::{Env, var};
use crate::sys::fs;
use crate::sys::process::Cmd;

/// A repository in a directory of its own, with nothing of this machine's settings.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) env: Env,
}

impl World {
    /// Makes it, with this object format.
    pub(crate) fn new(format: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Env::capture().get(var::PATH).unwrap().to_owned();
        let pairs: [(&str, std::ffi::OsString); 7] = [
            ("PATH", path),
            ("HOME", dir.path().into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_AUTHOR_NAME", "Ann".into()),
            ("GIT_AUTHOR_EMAIL", "ann@example.com".into()),
            ("GIT_COMMITTER_NAME", "Ann".into()),
            ("GIT_COMMITTER_EMAIL", "ann@example.com".into()),
        ];
        let env = Env::from_pairs(pairs);
        let world = Self { dir, env };
        world.git(&["init", "--quiet", "--initial-branch=main", &format!("--object-format={format}")]);
        world
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        Cmd::new("git", self.dir.path(), &self.env).args(args).run().unwrap().checked().unwrap().text()
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write_atomic(&path, bytes.as_ref(), 0o644, fs::Durability::None).unwrap();
    }

    pub(crate) fn commit(&self) -> Oid {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]);
        Oid::parse(&self.git(&["rev-parse", "HEAD"])).unwrap()
    }

    pub(crate) fn repo(&self) -> Repo {
        Repo::discover(self.dir.path(), &self.env).unwrap()
    }
}
