//! Contracts: read from TOML, tightened, looked up by role.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;

use crate::domain::role::{Role, Team};

/// Whether something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// A contract's file. Every field is optional: what a role leaves out is its team's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    why: String,
    branches: Option<Vec<String>>,
    allowed: Option<Vec<String>>,
    #[serde(default)]
    forbidden: Vec<String>,
    new_files: Option<Permission>,
    deletions: Option<Permission>,
    max_files: Option<u64>,
    max_lines: Option<u64>,
}

/// A contract can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Its text is not a contract.
    #[error("the contract of {name} is not valid")]
    Parse {
        /// The team or role.
        name: String,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// One of its patterns is not one.
    #[error("the contract of {name} has a pattern that is not one: `{pattern}`")]
    Pattern {
        /// The team or role.
        name: String,
        /// The pattern.
        pattern: String,
        /// Why.
        #[source]
        source: globset::Error,
    },
    /// The name is neither a team nor a role, or it has no contract.
    #[error("no contract for `{0}`")]
    Unknown(String),
}

/// Path patterns, compiled.
#[derive(Clone, Debug)]
pub struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl Patterns {
    /// Compiles `texts`; `name` is the contract's, for errors. `*` stays within a directory, `**` crosses them.
    pub fn compile(name: &str, texts: &[String]) -> Result<Self, PolicyError> {
        let error = |pattern: &str, source| PolicyError::Pattern {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            source,
        };
        let mut set = GlobSetBuilder::new();
        for text in texts {
            set.add(GlobBuilder::new(text).literal_separator(true).build().map_err(|e| error(text, e))?);
        }
        let set = set.build().map_err(|e| error(&texts.join(" "), e))?;
        Ok(Self { texts: texts.to_vec(), set })
    }

    /// Whether one of them matches.
    pub fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }

    /// The first that matches.
    pub fn first_match(&self, path: &str) -> Option<&str> {
        self.set.matches(path).first().map(|&at| self.texts[at].as_str())
    }

    /// The patterns as written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

/// What a role may do: its team's contract, tightened by its own. A list in a list must be met in every part.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Why the limits are what they are, for refusals.
    pub why: String,
    /// Branches that may be worked on (short names).
    pub branches: Vec<Patterns>,
    /// Paths that may be touched; empty: all.
    pub allowed: Vec<Patterns>,
    /// Paths that may not be touched.
    pub forbidden: Vec<Patterns>,
    /// Whether files may be added.
    pub new_files: Permission,
    /// Whether files may be deleted.
    pub deletions: Permission,
    /// At most this many files on the whole branch.
    pub max_files: u64,
    /// At most this many lines added and deleted on the whole branch.
    pub max_lines: u64,
}

impl Contract {
    /// Everything is allowed: what contracts are tightened from.
    fn open() -> Self {
        Self {
            why: String::new(),
            branches: Vec::new(),
            allowed: Vec::new(),
            forbidden: Vec::new(),
            new_files: Permission::Allow,
            deletions: Permission::Allow,
            max_files: u64::MAX,
            max_lines: u64::MAX,
        }
    }

    /// This contract with `text` (TOML) on top. Nothing that this one refuses becomes allowed.
    pub fn tightened(&self, name: &str, text: &str) -> Result<Self, PolicyError> {
        let file: File =
            toml::from_str(text).map_err(|source| PolicyError::Parse { name: name.to_owned(), source })?;
        let with = |list: &[Patterns], more: Option<&Vec<String>>| -> Result<Vec<Patterns>, PolicyError> {
            let more = more.map(|texts| Patterns::compile(name, texts)).transpose()?;
            Ok(list.iter().cloned().chain(more).collect())
        };
        let stricter =
            |a, b: Option<Permission>| if b == Some(Permission::Deny) { Permission::Deny } else { a };
        Ok(Self {
            branches: with(&self.branches, file.branches.as_ref())?,
            allowed: with(&self.allowed, file.allowed.as_ref())?,
            forbidden: with(&self.forbidden, Some(&file.forbidden).filter(|texts| !texts.is_empty()))?,
            new_files: stricter(self.new_files, file.new_files),
            deletions: stricter(self.deletions, file.deletions),
            max_files: self.max_files.min(file.max_files.unwrap_or(u64::MAX)),
            max_lines: self.max_lines.min(file.max_lines.unwrap_or(u64::MAX)),
            why: file.why,
        })
    }
}

/// The contracts of all roles.
#[derive(Clone, Debug)]
pub struct Rules {
    roles: BTreeMap<Role, Contract>,
}

impl Rules {
    /// Reads the contracts of teams and roles: word and TOML each. Every role must have both.
    pub fn parse(teams: &[(&str, &str)], roles: &[(&str, &str)]) -> Result<Self, PolicyError> {
        for (word, _) in teams {
            Team::parse(word).ok_or_else(|| PolicyError::Unknown((*word).to_owned()))?;
        }
        for (word, _) in roles {
            Role::parse(word).ok_or_else(|| PolicyError::Unknown((*word).to_owned()))?;
        }
        Self::parse_some(&Role::ALL, teams, roles)
    }

    /// The same for `wanted` alone, where the others will not be asked for: compiling patterns takes its time.
    pub fn parse_some(
        wanted: &[Role],
        teams: &[(&str, &str)],
        roles: &[(&str, &str)],
    ) -> Result<Self, PolicyError> {
        let text = |list: &[(&str, &str)], word: &str| {
            list.iter()
                .find(|(name, _)| *name == word)
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| PolicyError::Unknown(word.to_owned()))
        };
        let mut contracts = BTreeMap::new();
        for role in wanted {
            let team = role.team().as_str();
            let contract = Contract::open()
                .tightened(team, &text(teams, team)?)?
                .tightened(role.as_str(), &text(roles, role.as_str())?)?;
            contracts.insert(*role, contract);
        }
        Ok(Self { roles: contracts })
    }

    /// The contract of a role.
    ///
    /// # Panics
    /// If it is none of those that were read, which is a bug of the caller.
    pub fn contract(&self, role: Role) -> &Contract {
        self.roles.get(&role).expect("BUG: a contract that was not read is asked for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Contract {
        Contract::open().tightened("t", text).unwrap()
    }

    #[test]
    fn a_role_can_only_tighten() {
        let team = open("why='t'\nbranches=['fix/**']\nnew_files='deny'\nmax_files=5\nforbidden=['ci/**']");
        let role = team
            .tightened("r", "why='r'\nbranches=['**']\nnew_files='allow'\nmax_files=50\nforbidden=['x']")
            .unwrap();
        assert_eq!((role.new_files, role.max_files, role.why.as_str()), (Permission::Deny, 5, "r"));
        assert!(role.branches.iter().any(|p| !p.matches("feature/x")));
        assert!(
            role.forbidden.iter().any(|p| p.matches("ci/a/b"))
                && role.forbidden.iter().any(|p| p.matches("x"))
        );
    }

    #[test]
    fn stars_stay_within_a_directory() {
        let p = Patterns::compile("t", &["src/*.rs".to_owned(), "**/migrations/**".to_owned()]).unwrap();
        assert!(p.matches("src/a.rs") && !p.matches("src/a/b.rs"));
        assert!(p.matches("migrations/1.sql") && p.matches("a/b/migrations/c/1.sql"));
        assert_eq!(p.first_match("src/a.rs"), Some("src/*.rs"));
    }

    #[test]
    fn mistakes_name_the_contract() {
        let open = Contract::open();
        let typo = open.tightened("qa", "why='x'\nmax_fils=3").unwrap_err();
        assert_eq!(typo.to_string(), "the contract of qa is not valid");
        let glob = open.tightened("qa", "why='x'\nforbidden=['[']").unwrap_err();
        assert!(glob.to_string().contains("`[`"), "{glob}");
        assert!(matches!(Rules::parse(&[], &[]), Err(PolicyError::Unknown(name)) if name == "qa"));
        assert!(
            matches!(Rules::parse(&[("cow", "")], &[]), Err(PolicyError::Unknown(name)) if name == "cow")
        );
    }
}
