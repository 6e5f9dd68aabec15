//! Rules, compiled.

use regex::{Regex, RegexSet};

use crate::policy::commit::ChangeKind;
use crate::policy::contract::Patterns;
use crate::policy::guardrail::change::Change;

/// What may turn a hit into one that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// A comment with a reason, or a person.
    Comment,
    /// A person.
    Person,
    /// Nothing.
    Never,
}

impl Allow {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Person => "person",
            Self::Never => "never",
        }
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Lines that are added.
    Line,
    /// The same, and what is found is never shown.
    Secret,
    /// Tests that are removed and not added anywhere else.
    DeletedTest,
    /// Markers that a merge left.
    Conflict,
    /// The size of files.
    Size,
    /// Files that are no text.
    Binary,
    /// Paths of changed files.
    Path,
}

/// What is looked for in added lines.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) pattern: Regex,
    /// No hit where this is found, too: in the line, or in the statement if `until` says where that ends. Of a secret:
    /// in what the pattern found.
    pub(super) unless: Option<Regex>,
    /// No hit where this is found in the line above, if that one is added, too.
    pub(super) above: Option<Regex>,
    /// The end of the statement that begins where the pattern is found; it may be lines below.
    pub(super) until: Option<Regex>,
    /// A hit only if this is found in the statement.
    pub(super) needs: Option<Regex>,
}

/// How a rule is checked.
#[derive(Debug)]
pub(super) enum Check {
    Line(Search),
    Secret {
        search: Search,
        /// The least bits a character.
        entropy: f64,
        /// Words in lower case that no real secret contains.
        dummies: Vec<String>,
    },
    DeletedTest {
        /// What begins a test; its group is the test's name.
        name: Regex,
        /// What makes a test of the next thing that has a name.
        marker: Option<Regex>,
    },
    Conflict,
    Size {
        limit: u64,
    },
    Binary,
    Path {
        when: Vec<When>,
    },
}

/// What happens to a file, as rules say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum When {
    Added,
    Modified,
    Renamed,
    Deleted,
}

impl When {
    pub(super) const ALL: [Self; 4] = [Self::Added, Self::Modified, Self::Renamed, Self::Deleted];

    pub(super) fn of(kind: &ChangeKind) -> Self {
        match kind {
            ChangeKind::Added => Self::Added,
            ChangeKind::Modified => Self::Modified,
            ChangeKind::Renamed { .. } => Self::Renamed,
            ChangeKind::Deleted => Self::Deleted,
        }
    }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, as in findings: `guardrail.suppression.ts-ignore`.
    pub id: String,
    /// What is wrong, as a fragment.
    pub about: String,
    /// Why it is.
    pub why: String,
    /// What to do instead.
    pub fix: String,
    /// What may allow it.
    pub allow: Allow,
    /// What it looks at.
    pub kind: Kind,
    /// The profile that switches it on; None: it is always on.
    pub profile: Option<String>,
    /// The file that it is in.
    pub source: String,
    pub(super) check: Check,
    /// Which of `Rules::scopes`.
    pub(super) scope: usize,
}

impl Rule {
    /// What it looks for in lines, if it does.
    pub(super) fn search(&self) -> Option<&Search> {
        match &self.check {
            Check::Line(search) | Check::Secret { search, .. } => Some(search),
            Check::DeletedTest { .. }
            | Check::Conflict
            | Check::Size { .. }
            | Check::Binary
            | Check::Path { .. } => None,
        }
    }
}

/// Files that a rule is for. Case is ignored: some file systems do.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) files: Patterns,
    pub(super) except: Patterns,
}

impl Scope {
    fn has(&self, lower: &str) -> bool {
        self.files.matches(lower) && !self.except.matches(lower)
    }
}

/// All rules that are on.
#[derive(Debug)]
pub struct Rules {
    pub(super) list: Vec<Rule>,
    pub(super) scopes: Vec<Scope>,
    /// What a line must contain, for each of `searched`: most lines contain nothing that any rule is about.
    pub(super) words: RegexSet,
    /// Indexes of the rules that look for something in lines.
    pub(super) searched: Vec<usize>,
}

impl Rules {
    /// All rules, in the order of their files.
    pub fn all(&self) -> &[Rule] {
        &self.list
    }

    /// The rule with this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.list.iter().find(|rule| rule.id == id)
    }

    /// For which scopes `path` counts.
    pub(super) fn scopes_of(&self, path: &str) -> Vec<bool> {
        let lower = path.to_lowercase();
        self.scopes.iter().map(|scope| scope.has(&lower)).collect()
    }
}

/// Where a file lies: for which scopes it counts before and after a change.
pub(super) struct Places {
    pub(super) old: Vec<bool>,
    pub(super) new: Vec<bool>,
}

impl Places {
    pub(super) fn of(rules: &Rules, change: &Change) -> Self {
        let new = rules.scopes_of(&change.path);
        let old = match &change.kind {
            ChangeKind::Renamed { from } => rules.scopes_of(from),
            ChangeKind::Added | ChangeKind::Modified | ChangeKind::Deleted => new.clone(),
        };
        Self { old, new }
    }
}
