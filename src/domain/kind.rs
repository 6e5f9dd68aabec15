//! What sort of work a task is, and how urgent.

/// What sort of work a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Something is wrong.
    Bug,
    /// Something is untidy.
    Quality,
    /// A test is missing or wrong.
    Test,
    /// Something new.
    Feature,
    /// The same, better cut.
    Refactor,
    /// Words.
    Docs,
}

impl Kind {
    /// All kinds, in the order that help shows.
    pub const ALL: [Self; 6] =
        [Self::Bug, Self::Quality, Self::Test, Self::Feature, Self::Refactor, Self::Docs];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Quality => "quality",
            Self::Test => "test",
            Self::Feature => "feature",
            Self::Refactor => "refactor",
            Self::Docs => "docs",
        }
    }

    /// The kind for a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// How urgent a task is; `P0` comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Blocks users.
    P0,
    /// Degrades.
    P1,
    /// The default.
    #[default]
    P2,
    /// Can wait.
    P3,
    /// Some day.
    P4,
}

impl Priority {
    /// All priorities, most urgent first.
    pub const ALL: [Self; 5] = [Self::P0, Self::P1, Self::P2, Self::P3, Self::P4];

    /// Its word: `P0` to `P4`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
        }
    }

    /// The priority for a word (`P1`, `p1` or `1`).
    pub fn parse(word: &str) -> Option<Self> {
        let digit = word.strip_prefix(['P', 'p']).unwrap_or(word);
        Self::ALL.into_iter().find(|p| &p.as_str()[1..] == digit)
    }
}
