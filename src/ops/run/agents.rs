//! Which agent works on which task.

use std::collections::BTreeSet;

use crate::agent::autofix::Autofix;
use crate::agent::command::Command;
use crate::agent::driver::Driver;
use crate::config::{BUILTIN_AGENTS, Config};
use crate::domain::kind::Kind;
use crate::domain::role::Role;
use crate::domain::task::Task;
use crate::index::Row;

/// The agents of a run.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    /// Outranks everything else.
    command: Option<String>,
    config: Config,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Autofix,
    Command { name: Option<String>, line: String },
}

impl Agents {
    pub(super) fn new(command: Option<String>, config: Config) -> Self {
        Self { command, config }
    }

    /// What the run is called in claims and in the audit.
    pub(super) fn actor_name(&self) -> &'static str {
        if self.command.is_some() { "command" } else { "loop" }
    }

    fn choose(&self, kind: Kind, role: Role) -> Option<Choice> {
        if let Some(line) = &self.command {
            return Some(Choice::Command { name: None, line: line.clone() });
        }
        match self.config.roles.get(&role).and_then(|role| role.agent.as_deref()) {
            Some(name) => match self.config.agents.get(name) {
                Some(agent) => {
                    Some(Choice::Command { name: Some(name.to_owned()), line: agent.command.clone() })
                }
                None => BUILTIN_AGENTS.contains(&name).then_some(Choice::Autofix),
            },
            None => (kind == Kind::Quality).then_some(Choice::Autofix),
        }
    }

    /// Whether an agent works on such tasks.
    pub(super) fn covers(&self, row: &Row) -> bool {
        self.choose(row.kind, row.doer()).is_some()
    }

    /// The command lines that would work on these tasks; None for what is built in.
    pub(super) fn lines<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> BTreeSet<Option<String>> {
        let choices = rows.filter_map(|row| self.choose(row.kind, row.doer()));
        let line = |choice| match choice {
            Choice::Autofix => None,
            Choice::Command { line, .. } => Some(line),
        };
        choices.map(line).collect()
    }

    /// The agent for a task.
    pub(super) fn driver(&self, task: &Task) -> Option<Box<dyn Driver>> {
        Some(match self.choose(task.kind.value, task.effective_role())? {
            Choice::Autofix => Box::new(Autofix),
            Choice::Command { name, line } => Box::new(Command::new(name.as_deref(), &line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(command: Option<&str>, toml: &str) -> Agents {
        Agents::new(command.map(str::to_owned), crate::config::parse(toml, "orch.toml").unwrap())
    }

    fn chosen(agents: &Agents, kind: Kind, role: Role) -> String {
        match agents.choose(kind, role) {
            None => "none".into(),
            Some(Choice::Autofix) => "autofix".into(),
            Some(Choice::Command { name, line }) => format!("{}:{line}", name.unwrap_or_default()),
        }
    }

    #[test]
    fn the_command_outranks_the_role_and_the_role_outranks_the_kind() {
        let toml = "[agents.gpt]\ncommand = 'gpt -p'\n[roles.bugfix]\nagent = 'gpt'\n\
            [roles.testfixer]\nagent = 'autofix'\n[roles.codequality]\nagent = 'gpt'";
        let (none, some, all) = (agents(None, ""), agents(None, toml), agents(Some("x"), toml));
        let row = |kind, role| [&none, &some, &all].map(|a| chosen(a, kind, role)).join(" ");
        assert_eq!(row(Kind::Bug, Role::Bugfix), "none gpt:gpt -p :x");
        assert_eq!(row(Kind::Test, Role::Testfixer), "none autofix :x");
        assert_eq!(row(Kind::Quality, Role::Codequality), "autofix gpt:gpt -p :x");
        assert_eq!(row(Kind::Quality, Role::Featurebuilder), "autofix autofix :x");
        assert_eq!(row(Kind::Feature, Role::Featurebuilder), "none none :x");
    }
}
