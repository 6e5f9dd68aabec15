//! Plain structs for screens and for `--json`, and the pure reading of what people write into files.
//!
//! Made by surfaces from domain values and from what `ops` returns; read by `report` and serialised as they
//! are. Touches nothing. Invariants: field names and order of a struct that `--json` prints are public
//! (contract.md, README); times are RFC 3339 text; an unset value is `null`, never left out. Deliberately
//! absent: words for people, colour, layout (`report`), and any decision about tasks (`domain`).

mod actions;
mod breaker;
mod demo;
mod deps;
mod doctor;
mod edit_text;
mod event;
mod explain;
mod guardrail;
mod idle;
mod intake;
mod log;
mod maintain;
mod metrics;
mod record;
mod refusal;
mod run;
mod status;
mod sync;
pub(crate) mod task;
pub(crate) mod verdict;
mod words;
mod worktree;

pub use actions::{Action, ActionsView, Done};
pub use breaker::{BreakerView, FlakeView, FlakesView};
pub use demo::DemoView;
pub use deps::{DepRow, DepTreeView};
pub use doctor::{CheckState, CheckView, DoctorView};
pub use edit_text::{EditTextError, Edited, edit_text, read_edit_text};
pub use event::{Event, EventView};
pub use explain::{
    AgainView, AnswerView, CacheStatsView, CacheVerifyView, ChangedView, ExplainView, ExplainedView,
    PassView, RuleView, StepStatsView,
};
pub use guardrail::{AllowedView, HitView};
pub use idle::{Held, IdleView, Waiting};
pub use intake::{IntakeError, Problem, read_tasks};
pub use log::{LogEntry, LogView};
pub use maintain::MaintainView;
pub use metrics::MetricsView;
pub use record::{RecordView, RecordsView};
pub use refusal::{RefusalBody, RefusalView};
pub use run::{RunSummary, RunTask};
pub use status::{Counts, HooksState, HooksView, StatusView};
pub use sync::{ConflictView, LostView, SyncView};
pub use task::{NextView, TaskLine, TaskView};
pub use verdict::{Asked, FindingView, GateStepView, GateStepsView, RangeView, StepView, VerdictView};
pub use worktree::{KeptView, PruneView, WorktreeUse, WorktreeView};

/// The version of every JSON object that has a `schema` field. Fields are added under the same number and
/// never renamed or changed.
pub const SCHEMA: u32 = 1;
