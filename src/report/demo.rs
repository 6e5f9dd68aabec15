//! The demo's pages.

use crate::report::palette::{DIM, LITERAL, STRONG, paint};
use crate::report::words::{duration, harmless};
use crate::view::DemoView;

/// A piece of the demo as text; whole lines.
pub fn demo(view: &DemoView) -> String {
    match view {
        DemoView::Part(text) => format!("\n{}\n", paint(STRONG, text)),
        DemoView::Says(text) => format!("\n{text}\n"),
        DemoView::Runs { dir, line } => {
            let prompt = paint(DIM, &format!("{dir} $"));
            format!("\n{prompt} {}\n", paint(LITERAL, line))
        }
        DemoView::Line(text) => format!("{}\n", harmless(text)),
        DemoView::Refused { exit } => format!("{}\n", paint(DIM, &format!("(refused, exit {exit})"))),
        DemoView::End { root, millis, fixers } => {
            let mut text = format!(
                "\nDone in {}. Everything is in {root}\n\n  \
                 cd {root}/tally\n  git orch log        every change, who made it and why\n  \
                 git orch show ID    a task\n  git orch doctor     whether all is well\n",
                duration(*millis)
            );
            if !fixers {
                text.push_str(
                    "\ncargo fmt or clippy is not installed: the part that tightens the gate was left out.\n",
                );
            }
            text
        }
    }
}
