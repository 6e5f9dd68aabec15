//! Making commits and merging trees without touching anyone's checkout.

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::git::durable::Batch;
use crate::git::error::GitError;
use crate::git::read::to_gix;
use crate::git::repo::Repo;
use crate::sys::fs::Durability;

/// A commit to be written. Author and committer are the same; the time zone is UTC.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// Its tree.
    pub tree: Oid,
    /// Its parents, first parent first.
    pub parents: Vec<Oid>,
    /// The author's and committer's name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// When.
    pub time: Timestamp,
    /// The whole message, trailers included.
    pub message: String,
}

/// What merging two commits gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeTree {
    /// The merged tree.
    Clean(Oid),
    /// The paths at which they conflict.
    Conflict(Vec<String>),
}

/// Header values may not hold what ends them.
fn header_safe(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '<' | '>' | '\n' | '\r' | '\0'))
        .collect::<String>()
        .trim()
        .to_owned()
}

impl NewCommit {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, GitError> {
        let signature = gix::actor::Signature {
            name: header_safe(&self.name).into(),
            email: header_safe(&self.email).into(),
            time: gix::date::Time::new(self.time.seconds(), 0),
        };
        let mut message = self.message.trim_end().replace('\0', "");
        message.push('\n');
        let commit = gix::objs::Commit {
            tree: to_gix(&self.tree)?,
            parents: self.parents.iter().map(to_gix).collect::<Result<_, _>>()?,
            author: signature.clone(),
            committer: signature,
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        };
        let mut bytes = Vec::new();
        gix::objs::WriteTo::write_to(&commit, &mut bytes).map_err(|source| GitError::Malformed {
            path: "a new commit".into(),
            what: source.to_string(),
        })?;
        Ok(bytes)
    }
}

impl Repo {
    /// Writes one commit durably; its tree and parents must be there already.
    pub fn write_commit(&self, commit: &NewCommit) -> Result<Oid, GitError> {
        let mut batch = Batch::new(self);
        let oid = batch.commit(commit)?;
        batch.persist(Durability::Commit)?;
        Ok(oid)
    }

    /// Merges `theirs` into `ours` as `git merge` would, in the object database only.
    pub fn merge_tree(&self, ours: &Oid, theirs: &Oid) -> Result<MergeTree, GitError> {
        let output = self
            .git(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"])
            .args([ours.as_str(), theirs.as_str()])
            .run()?;
        // Exit 1 means conflicts; everything above is an error of git's.
        if output.status.code().is_none_or(|code| code > 1) {
            output.checked()?;
            return Err(GitError::Malformed { path: "git merge-tree".into(), what: "no status".into() });
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = text.split('\0').filter(|part| !part.is_empty());
        let tree = Oid::parse(parts.next().unwrap_or_default())?;
        if output.status.success() {
            Ok(MergeTree::Clean(tree))
        } else {
            Ok(MergeTree::Conflict(parts.map(str::to_owned).collect()))
        }
    }
}
