//! The end of a process that has a bug.

use std::any::Any;

/// Makes every panic, on any thread, call `report` with its message and place, and end the process with `code`.
///
/// A worker thread that panicked would otherwise leave the rest waiting for it, and a panic's own exit code
/// (101, or a signal under `panic = "abort"`) is none of ours.
pub fn exit_with(code: i32, report: fn(&str)) {
    std::panic::set_hook(Box::new(move |info| {
        let text = message(info.payload());
        let place = info.location().map_or_else(String::new, |l| format!(" ({}:{})", l.file(), l.line()));
        report(&format!("{text}{place}"));
        exit(code);
    }));
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("a panic without a message")
}

#[expect(clippy::disallowed_methods, clippy::exit, reason = "a panic has no `main` to return to")]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}
