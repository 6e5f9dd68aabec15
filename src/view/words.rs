//! Domain words as JSON strings, for `#[serde(serialize_with = …)]`: domain types know nothing of JSON.

use serde::{Serialize as _, Serializer};

use crate::domain::session::Outcome;
use crate::domain::verdict::Word;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn verdict<S: Serializer>(word: &Word, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(word.as_str())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn outcome<S: Serializer>(outcome: &Outcome, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(outcome.as_str())
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn optional_verdict<S: Serializer>(word: &Option<Word>, to: S) -> Result<S::Ok, S::Error> {
    word.map(Word::as_str).serialize(to)
}
