//! Who acts. Recorded on every change of state.

use std::fmt;

use crate::domain::id::SessionId;

/// What sort of actor made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActorKind {
    /// A person who typed a command.
    Person,
    /// An agent, or the loop on its behalf.
    Agent,
    /// A git hook.
    Hook,
    /// The merge queue.
    Queue,
}

impl ActorKind {
    /// Its word in trailers and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
            Self::Hook => "hook",
            Self::Queue => "queue",
        }
    }

    /// The kind for a word, if it is one.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Person, Self::Agent, Self::Hook, Self::Queue].into_iter().find(|k| k.as_str() == word)
    }
}

/// Who acts: a kind, a name that people recognise, and the session it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Person, agent, hook or queue.
    pub kind: ActorKind,
    /// The e-mail address of a person; the driver's name of an agent. No spaces or control characters.
    pub name: String,
    /// The session, for whatever runs under one. Unique per process, never a user name.
    pub session: Option<SessionId>,
}

impl fmt::Display for Actor {
    /// `person:ann@example.com`, the form that trailers and messages use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.name)
    }
}
