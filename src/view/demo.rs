//! What `git orch demo` shows, piece by piece.

/// A piece of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DemoView {
    /// A part begins.
    Part(String),
    /// A sentence.
    Says(String),
    /// A command is about to run.
    Runs {
        /// Where, below the demo's directory.
        dir: String,
        /// What.
        line: String,
    },
    /// It printed a line.
    Line(String),
    /// It was refused, as it should be.
    Refused {
        /// Its exit status.
        exit: i32,
    },
    /// The end.
    End {
        /// Where everything is.
        root: String,
        /// How long it took.
        millis: u64,
        /// Whether formatter and linter took part.
        fixers: bool,
    },
}
