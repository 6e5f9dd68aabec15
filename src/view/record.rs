//! The verdicts on record.

use serde::Serialize;

use crate::domain::verdict::{Verdict, Word};
use crate::view::verdict::StepView;
use crate::view::words;

/// Verdicts, the latest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordsView {
    /// The version of this object.
    pub schema: u32,
    /// The verdicts.
    pub verdicts: Vec<RecordView>,
}

/// A verdict on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordView {
    /// Ralph's word.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// The tree that was judged.
    pub tree: String,
    /// The key that it is kept under.
    pub key: String,
    /// The gate's definition that judged.
    pub gate: String,
    /// Whether that is another gate than the one in force now, or a part of it (`--step`, `when`, `teams`).
    pub part: bool,
    /// `absolute` or `no_regressions`.
    pub scope: &'static str,
    /// `unsandboxed`, `partial` or `sandboxed`.
    pub trust: &'static str,
    /// What it is worth here: `here`, `signed` or `hint`, which decides nothing.
    pub origin: &'static str,
    /// Whose signature it has, where it is `signed`.
    pub signer: Option<String>,
    /// The rule that decided, when no step did.
    pub rule: Option<String>,
    /// The fact behind the rule.
    pub fact: Option<String>,
    /// The steps, in the order of `orch.toml`.
    pub steps: Vec<StepView>,
    /// When it was made, RFC 3339.
    pub made: String,
    /// By whom.
    pub by: String,
}

impl RecordView {
    /// The view of `verdict`; `gate` is the one in force.
    pub fn new(verdict: &Verdict, origin: &'static str, signer: Option<String>, gate: &str) -> Self {
        Self {
            verdict: verdict.word,
            tree: verdict.tree.to_string(),
            key: verdict.key.clone(),
            gate: verdict.gate.clone(),
            part: verdict.gate != gate,
            scope: verdict.scope.as_str(),
            trust: verdict.trust.as_str(),
            origin,
            signer,
            rule: verdict.rule.clone(),
            fact: verdict.fact.clone(),
            steps: verdict.steps.iter().map(|step| StepView::new(step, None)).collect(),
            made: verdict.made.to_string(),
            by: verdict.by.clone(),
        }
    }
}
