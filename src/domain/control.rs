//! The kill switch.

use crate::domain::time::Timestamp;

/// The mode of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything works.
    #[default]
    Normal,
    /// Current tasks are finished, no new ones are taken.
    Paused,
    /// Reading only.
    Safe,
    /// Stop now.
    Off,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Paused, Self::Safe, Self::Off];

    /// Its word, in capitals as everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Paused => "PAUSED",
            Self::Safe => "SAFE",
            Self::Off => "OFF",
        }
    }

    /// The mode for a word in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether new tasks may be claimed.
    pub fn allows_claims(self) -> bool {
        self == Self::Normal
    }

    /// Whether the queue may be written at all.
    pub fn allows_writes(self) -> bool {
        matches!(self, Self::Normal | Self::Paused)
    }
}

/// The mode with who set it and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The mode in force.
    pub mode: Mode,
    /// Why it was set.
    pub reason: Option<String>,
    /// Who set it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}
