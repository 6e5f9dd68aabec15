//! Which tasks are wanted.

use crate::domain::kind::{Kind, Priority};
use crate::domain::role::{Role, Team};
use crate::index::row::Row;

/// What a task must be to be listed. The default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of a role of this team.
    pub team: Option<Team>,
    /// Of this role.
    pub role: Option<Role>,
    /// Of one of these kinds; empty means any.
    pub kinds: Vec<Kind>,
    /// Of one of these priorities; empty means any.
    pub priorities: Vec<Priority>,
    /// Of one of these statuses (contract.md's words); empty means any.
    pub statuses: Vec<&'static str>,
    /// With all of these labels.
    pub labels: Vec<String>,
    /// Held by this actor: `person:ann@example.com`, or what follows the colon.
    pub owner: Option<String>,
}

impl Filter {
    /// Whether `row` is wanted. Also for rows that a caller made from git.
    pub fn matches(&self, row: &Row) -> bool {
        self.doers().contains(&row.doer())
            && (self.kinds.is_empty() || self.kinds.contains(&row.kind))
            && (self.priorities.is_empty() || self.priorities.contains(&row.priority))
            && (self.statuses.is_empty() || self.statuses.contains(&row.status))
            && self.labels.iter().all(|label| row.labels.contains(label))
            && self.owner.as_deref().is_none_or(|owner| row.owner.as_deref().is_some_and(|o| is(o, owner)))
    }

    /// The roles whose tasks are wanted.
    fn doers(&self) -> Vec<Role> {
        let wanted = |role: &Role| {
            self.team.is_none_or(|team| team == role.team()) && self.role.is_none_or(|only| only == *role)
        };
        Role::ALL.into_iter().filter(wanted).collect()
    }

    /// The same as a condition of SQL, as far as it goes: every row that `matches` satisfies it. Made of our
    /// own words only.
    pub(super) fn sql(&self) -> String {
        let mut all = Vec::new();
        if self.team.is_some() || self.role.is_some() {
            all.push(format!(" AND doer IN ({})", quoted(self.doers().into_iter().map(Role::as_str))));
        }
        if !self.kinds.is_empty() {
            all.push(format!(" AND kind IN ({})", quoted(self.kinds.iter().map(|kind| kind.as_str()))));
        }
        if !self.priorities.is_empty() {
            let place = |p: &Priority| Priority::ALL.iter().position(|q| q == p);
            let places: Vec<String> =
                self.priorities.iter().filter_map(place).map(|at| at.to_string()).collect();
            all.push(format!(" AND priority IN ({})", places.join(", ")));
        }
        if !self.statuses.is_empty() {
            all.push(format!(" AND status IN ({})", quoted(self.statuses.iter().copied())));
        }
        all.concat()
    }
}

fn is(actor: &str, wanted: &str) -> bool {
    actor == wanted || actor.split_once(':').is_some_and(|(_, name)| name == wanted)
}

fn quoted(words: impl Iterator<Item = &'static str>) -> String {
    words.map(|w| format!("'{w}'")).collect::<Vec<_>>().join(", ")
}
