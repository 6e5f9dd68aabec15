//! A commit that is to be written, and its bytes.

use crate::domain::oid::Oid;
use crate::domain::time::Timestamp;
use crate::git::error::GitError;
use crate::git::read::to_gix;

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
