//! Teams and roles, and the branches they work on.

use crate::domain::kind::Kind;

/// A team: `qa` keeps the code right, `dev` extends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Team {
    /// Bug fixes, code quality, test fixes; branches `fix/*`.
    Qa,
    /// Features and new tests; branches `feature/*`.
    Dev,
}

/// A role: what kind of work an agent or a person does on a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Fixes bugs (team `qa`).
    Bugfix,
    /// Improves code without changing what it does (team `qa`).
    Codequality,
    /// Repairs tests (team `qa`).
    Testfixer,
    /// Builds features (team `dev`).
    Featurebuilder,
    /// Writes new tests (team `dev`).
    Testwriter,
}

impl Team {
    /// Both teams.
    pub const ALL: [Self; 2] = [Self::Qa, Self::Dev];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qa => "qa",
            Self::Dev => "dev",
        }
    }

    /// The team for a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == word)
    }

    /// What its branches start with, slash included.
    pub fn branch_prefix(self) -> &'static str {
        match self {
            Self::Qa => "fix/",
            Self::Dev => "feature/",
        }
    }
}

impl Role {
    /// All roles, in the order that help shows.
    pub const ALL: [Self; 5] =
        [Self::Bugfix, Self::Codequality, Self::Testfixer, Self::Featurebuilder, Self::Testwriter];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bugfix => "bugfix",
            Self::Codequality => "codequality",
            Self::Testfixer => "testfixer",
            Self::Featurebuilder => "featurebuilder",
            Self::Testwriter => "testwriter",
        }
    }

    /// The role for a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// The team it belongs to.
    pub fn team(self) -> Team {
        match self {
            Self::Bugfix | Self::Codequality | Self::Testfixer => Team::Qa,
            Self::Featurebuilder | Self::Testwriter => Team::Dev,
        }
    }

    /// The role that works on a task which names none.
    pub fn for_kind(kind: Kind) -> Self {
        match kind {
            Kind::Bug => Self::Bugfix,
            Kind::Quality => Self::Codequality,
            Kind::Test => Self::Testfixer,
            Kind::Feature | Kind::Refactor | Kind::Docs => Self::Featurebuilder,
        }
    }

    /// How many iterations Wiggum allows it (seed-system's budgets, design.md §2).
    pub fn iterations(self) -> u32 {
        match self {
            Self::Bugfix | Self::Testfixer | Self::Testwriter => 15,
            Self::Codequality => 20,
            Self::Featurebuilder => 50,
        }
    }
}
