//! Why steps would run, or not; what recorded steps saved; whether they said the truth.

use serde::Serialize;

use crate::domain::verdict::Word;
use crate::view::words;

/// The steps of the gate on one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainView {
    /// The version of this object.
    pub schema: u32,
    /// What was asked for, as typed (`HEAD`).
    pub rev: String,
    /// The commit it named.
    pub commit: String,
    /// The verdict on record by which no step would run; null where there is none.
    pub recorded: Option<AnswerView>,
    /// The rule that decides before any step runs; null where there is none.
    pub blocked: Option<RuleView>,
    /// The steps, in the order of `orch.toml`: where both judge, trunk's before those of the commit's own gate.
    pub steps: Vec<ExplainedView>,
}

/// A verdict that answers without any step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerView {
    /// Ralph's word.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// When it was made, RFC 3339.
    pub made: String,
}

/// A rule that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// Its name.
    pub rule: String,
    /// The fact behind it.
    pub fact: String,
}

/// What would become of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedView {
    /// Its name.
    pub name: String,
    /// Whose gate has it, where both judge: `trunk` or `own`; else null.
    pub gate: Option<&'static str>,
    /// The key of what its result depends on.
    pub key: String,
    /// Whether it would run.
    pub runs: bool,
    /// Why: `cached`; `needed` by others; `changed` since the last PASS; a PASS under the same key that does not
    /// count: `too_old`, `trust` (less of a sandbox than there has to be), `refuted`, `other_tree`; `new`: none is on record.
    pub why: &'static str,
    /// Where it is `needed`: the steps that find what it leaves.
    pub needed_by: Vec<String>,
    /// The PASS that is taken, or that it is compared with; null where there is none.
    pub pass: Option<PassView>,
    /// What is different from that.
    pub changed: Vec<ChangedView>,
}

/// A step's recorded PASS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassView {
    /// The commit that was judged.
    pub commit: String,
    /// When, RFC 3339.
    pub made: String,
    /// By whom.
    pub by: String,
    /// How long the step took.
    pub millis: u64,
}

/// Something that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedView {
    /// `file`, `variable`, `program`, `step`, `definition` or `machine`.
    pub what: &'static str,
    /// Its name or path; null where there is none, or where it can't be told.
    pub name: Option<String>,
    /// `added`, `removed` or `changed`.
    pub how: &'static str,
}

/// What the recorded steps saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheStatsView {
    /// The version of this object.
    pub schema: u32,
    /// Each step that ever had a key, by name.
    pub steps: Vec<StepStatsView>,
}

/// What is known of one step's results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepStatsView {
    /// Its name.
    pub name: String,
    /// PASSes on record.
    pub recorded: u64,
    /// How often verdicts had it run.
    pub ran: u64,
    /// How often they took it from an earlier run.
    pub cached: u64,
    /// How long those took when they ran.
    pub saved_millis: u64,
}

/// What came of running steps again whose PASS is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheVerifyView {
    /// The version of this object.
    pub schema: u32,
    /// What was asked for, as typed.
    pub rev: String,
    /// The commit it named.
    pub commit: String,
    /// Steps whose PASS would be taken for it.
    pub known: usize,
    /// Those that were run again.
    pub steps: Vec<AgainView>,
}

/// A step that was run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgainView {
    /// Its name.
    pub name: String,
    /// What it came to now. FAIL: what is on record was no PASS, and counts no longer.
    #[serde(serialize_with = "words::verdict")]
    pub verdict: Word,
    /// Why, when it is not PASS.
    pub reason: Option<String>,
}
