//! This machine's key, by which verdicts, approvals and what guardrails said are sealed.
//!
//! Called by whatever records one of these, or counts one that it finds. Touches the key's file only. Deliberately
//! absent: what the bytes under a seal are.

use crate::gate::VerifierKey;
use crate::ops::context::Ctx;
use crate::ops::error::{Because, OpError, Refused};

/// This machine's key for verdicts.
pub(crate) fn verifier(cx: &Ctx) -> Result<VerifierKey, OpError> {
    let dir = cx.env.state_home().ok_or_else(|| {
        Refused::new(
            Because::Environment,
            "verifier.key",
            "verdicts are sealed by a key in your home, and HOME is not set",
        )
        .next("export HOME=…")
    })?;
    VerifierKey::load_or_create(&dir).map_err(|e| {
        let cause = std::error::Error::source(&e).map_or(String::new(), |c| format!(": {c}"));
        Refused::new(Because::Environment, "verifier.key", format!("{e}{cause}")).into()
    })
}
