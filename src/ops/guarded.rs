//! Changes that no guardrail found anything in, so that nobody looks twice: `<common dir>/orch/guarded/<hash>`.
//!
//! Called by `ops::guardrails`. A mark's name is the hash of both trees, the commit and the rules; what is in it is
//! this machine's seal of the same. Invariants: a mark that somebody else made counts nothing; other rules, or
//! another base, are another name. Deliberately absent: marks of changes in which something was found, or allowed:
//! that is told anew each time.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::assets;
use crate::ops::compared::Compared;
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::people;
use crate::ops::seal::verifier;
use crate::sys::fs::{self, Durability};

/// What rules mean, besides what they say: raise it when the same rules find something else.
const MEANING: &str = "1";
/// So many marks are kept; they are cheap to make again.
const MARKS: usize = 4096;

/// A mark, there or not.
pub(crate) struct Mark {
    /// What is sealed.
    text: String,
    path: PathBuf,
}

impl Mark {
    /// The mark of a change under the rules that are on with `profiles`.
    pub(crate) fn of(cx: &Ctx, compared: &Compared, profiles: &[&str]) -> Self {
        let base = compared.base.as_ref().map_or("nothing", |base| base.as_str());
        let rules = hash(rules(profiles));
        let (tree, commit) = (&compared.tree, &compared.commit);
        let text = format!("git-orch guarded\nbase {base}\ntree {tree}\ncommit {commit}\nrules {rules}\n");
        let path = cx.file("guarded").join(hash([text.as_str()]));
        Self { text, path }
    }

    /// Whether this machine left it.
    pub(crate) fn is_there(&self, cx: &Ctx) -> Result<bool, OpError> {
        // One that can't be read is none.
        let Ok(Some(seal)) = fs::read_optional(&self.path) else { return Ok(false) };
        Ok(verifier(cx)?.verify_bytes(self.text.as_bytes(), seal.trim_end()))
    }

    /// Leaves it. What an agent runs leaves none: its `PATH` says which git was asked. Nor is it a failure if there is no
    /// room: then it is looked again.
    pub(crate) fn leave(&self, cx: &Ctx) -> Result<(), OpError> {
        if people::agent_above(cx).is_some() {
            return Ok(());
        }
        let seal = verifier(cx)?.sign_bytes(self.text.as_bytes());
        let dir = cx.file("guarded");
        if fs::list(&dir).is_ok_and(|marks| marks.len() >= MARKS) {
            fs::remove_dir_all(&dir).unwrap_or_default();
        }
        fs::create_dir_all(&dir)
            .and_then(|()| fs::write_atomic(&self.path, seal.as_bytes(), 0o644, Durability::None))
            .unwrap_or_default();
        Ok(())
    }
}

/// All that decides what is found.
fn rules<'a>(profiles: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let built_in = assets::GUARDRAILS.iter().flat_map(|(name, text)| [*name, *text]);
    [MEANING, env!("CARGO_PKG_VERSION")].into_iter().chain(profiles.iter().copied()).chain(built_in)
}

fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
