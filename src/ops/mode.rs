//! The kill switch: shown to everybody, tightened by everybody, loosened only by a person.

use crate::domain::control::{Control, Mode};
use crate::ops::context::Ctx;
use crate::ops::error::OpError;
use crate::ops::people;
use crate::policy::grant::Action;
use crate::store::Change;

/// The mode in force, with who set it and why.
pub fn get(cx: &Ctx) -> Result<Control, OpError> {
    Ok(cx.snapshot()?.control()?)
}

/// Sets the mode. The same mode with the same reason is no change. Returns what was and what is.
pub fn set(cx: &Ctx, mode: Mode, reason: Option<&str>) -> Result<(Control, Control), OpError> {
    cx.snapshot()?;
    let reason = reason.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (result, _) = cx.store().transact(&cx.author(), Action::Control, |edit| {
        let before = edit.snapshot().control()?;
        if before.mode == mode && (reason.is_none() || reason == before.reason) {
            return Ok((before.clone(), before));
        }
        if strictness(mode) < strictness(before.mode) {
            people::refuse_agents(
                cx,
                &format!("set the mode from {} to {}", before.mode.as_str(), mode.as_str()),
            )?;
        }
        let by = Some(cx.actor.to_string());
        // Whoever sets it has seen what was set, also by a clock that is ahead: what is joined is what was set last.
        let at = before.at.map_or(edit.now(), |at| edit.now().max(at.plus_millis(1)));
        let after = Control { mode, reason: reason.clone(), by, at: Some(at) };
        let change = Change {
            action: "mode",
            subject: "control".into(),
            cause: "mode".into(),
            note: Some(note(&before, &after)),
        };
        edit.put_control(&after, change);
        Ok::<_, OpError>((before, after))
    })?;
    Ok(result)
}

/// How much a mode forbids.
fn strictness(mode: Mode) -> usize {
    Mode::ALL.iter().position(|known| *known == mode).unwrap_or(0)
}

fn note(before: &Control, after: &Control) -> String {
    let moved = format!("{} to {}", before.mode.as_str(), after.mode.as_str());
    match &after.reason {
        Some(reason) => format!("{moved}: {reason}"),
        None => moved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_ordered_by_what_they_forbid() {
        let order = [Mode::Normal, Mode::Paused, Mode::Safe, Mode::Off].map(strictness);
        assert!(order.is_sorted());
        let control = |mode, reason: Option<&str>| Control {
            mode,
            reason: reason.map(Into::into),
            ..Control::default()
        };
        let off = control(Mode::Off, Some("fire"));
        assert_eq!(note(&control(Mode::Normal, None), &off), "NORMAL to OFF: fire");
        assert_eq!(note(&off, &control(Mode::Normal, None)), "OFF to NORMAL");
    }
}
