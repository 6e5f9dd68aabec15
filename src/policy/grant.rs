//! Permission as a value: what the mode allows. No store mutation without a `Grant`.

use crate::domain::control::Mode;

/// What somebody wants to do to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the state, or mend it.
    Repair,
    /// Change tasks without taking one: add, edit, block, close, reopen, release.
    Queue,
    /// Take a task.
    Claim,
    /// Go on with a task that is held: review, merge, iterate.
    Work,
    /// Record what was judged, approved, overridden or run.
    Record,
    /// Change the mode.
    Control,
    /// Take in what other clones did, the mode that they set included.
    Sync,
}

/// Proof that an action was allowed under the mode that the state had.
#[derive(Debug)]
pub struct Grant {
    action: Action,
}

impl Grant {
    /// What was allowed.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// The mode forbids the action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mode is {}", mode.as_str())]
pub struct ModeRefusal {
    /// The mode.
    pub mode: Mode,
    /// What was asked.
    pub action: Action,
}

/// Decides by the mode alone: PAUSED finishes what is held and takes nothing new, SAFE and OFF write nothing
/// but the mode itself, repairs, and records of what happened anyway.
pub fn permit(mode: Mode, action: Action) -> Result<Grant, ModeRefusal> {
    let allowed = match action {
        Action::Repair | Action::Control | Action::Record | Action::Sync => true,
        Action::Claim => mode.allows_claims(),
        Action::Queue | Action::Work => mode.allows_writes(),
    };
    if allowed { Ok(Grant { action }) } else { Err(ModeRefusal { mode, action }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_mode_allows() {
        let actions = [
            Action::Repair,
            Action::Queue,
            Action::Claim,
            Action::Work,
            Action::Record,
            Action::Control,
            Action::Sync,
        ];
        let row = |mode| actions.map(|a| if permit(mode, a).is_ok() { 'y' } else { '-' }).iter().collect();
        let table: Vec<String> = Mode::ALL.into_iter().map(row).collect();
        assert_eq!(table, ["yyyyyyy", "yy-yyyy", "y---yyy", "y---yyy"]);
    }
}
