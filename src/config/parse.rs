//! `orch.toml`: text to `Config`, with every problem of the file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::check::{self, PlacedStep};
use crate::config::model::{
    Accept, Agent, Config, Guardrails, Merge, Merging, Minimum, Moment, OnBlocked, Policy, Profile, Push,
    Ralph, RoleConfig, Run, Step, StepKind,
};
use crate::config::problem::{ConfigProblem, nearest};
use crate::config::quarantine;
use crate::config::reader::{Reader, Value};
use crate::domain::role::{Role, Team};
use crate::sys::sandbox::Network;

/// The configuration file's name, at the root of the tree.
pub const FILE: &str = "orch.toml";

const TOP: [&str; 6] = ["ralph", "agents", "roles", "merge", "push", "policy"];
const RALPH: [&str; 9] =
    ["setup", "carry", "accept", "max_age", "network", "breaker", "breaker_wait", "step", "quarantine"];
const MAX_BREAKER: u64 = 1000;
const STEP: [&str; 15] = [
    "name",
    "kind",
    "run",
    "inputs",
    "env",
    "timeout",
    "needs",
    "group",
    "resources",
    "report",
    "retries",
    "when",
    "teams",
    "min_tests",
    "network",
];
const MAX_RETRIES: u64 = 10;

/// Reads `orch.toml`. `origin` is what problems name: the path, and the commit where that helps.
///
/// # Errors
/// Everything that is wrong, in the order of the file. While the TOML itself is broken only that is reported.
pub fn parse(text: &str, origin: &str) -> Result<Config, Vec<ConfigProblem>> {
    let mut reader = Reader::new(origin, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            reader.problem(&error.span().unwrap_or(0..0), error.message());
        }
        return Err(reader.into_problems());
    }
    let config = top(&mut reader, document.get_ref());
    let problems = reader.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn top(r: &mut Reader<'_>, table: &DeTable<'_>) -> Config {
    let mut config = Config::default();
    let mut roles = Vec::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "ralph" => config.ralph = ralph(r, value),
            "agents" => agents(r, value, &mut config),
            "roles" => roles.push(value),
            "merge" => config.merge = merge(r, value),
            "push" => config.push = push(r, value),
            "policy" => config.policy = policy(r, value),
            _ => r.unknown_key(key, "", &TOP),
        }
    }
    // After the agents, wherever they stand in the file: roles name them.
    for value in roles {
        read_roles(r, value, &mut config);
    }
    config
}

fn ralph(r: &mut Reader<'_>, value: &Value<'_>) -> Ralph {
    let mut ralph = Ralph::default();
    let Some(table) = r.table("ralph", value) else { return ralph };
    let (mut steps, mut quarantined, mut network) = (Vec::new(), Vec::new(), Network::On);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "setup" => ralph.setup = r.strings("setup", value).into_iter().map(Spanned::into_inner).collect(),
            "carry" => ralph.carry = r.checked_strings("carry", value, check::carry),
            "accept" => {
                ralph.accept =
                    r.choice("accept", value, &Accept::ALL, Accept::as_str).unwrap_or(ralph.accept);
            }
            "max_age" => ralph.max_age = r.positive_period("max_age", value).unwrap_or(ralph.max_age),
            "network" => {
                network = r.choice("network", value, &Network::ALL, Network::as_str).unwrap_or(network);
            }
            "breaker" => {
                let count = r.count("breaker", value, MAX_BREAKER).and_then(|n| u32::try_from(n).ok());
                ralph.breaker = count.unwrap_or(ralph.breaker);
            }
            "breaker_wait" => {
                ralph.breaker_wait = r.positive_period("breaker_wait", value).unwrap_or(ralph.breaker_wait);
            }
            "step" => steps = r.tables("ralph.step", value),
            "quarantine" => quarantined = r.tables("ralph.quarantine", value),
            _ => r.unknown_key(key, "[ralph]", &RALPH),
        }
    }
    let placed: Vec<PlacedStep> = steps.iter().map(|table| step(r, table, network)).collect();
    check::steps(r, &placed);
    ralph.steps = placed.into_iter().map(|p| p.step).collect();
    let names: Vec<&str> = ralph.steps.iter().map(|step| step.name.as_str()).collect();
    ralph.quarantine = quarantine::read(r, &quarantined, &names);
    ralph
}

fn step(r: &mut Reader<'_>, table: &Spanned<&DeTable<'_>>, network: Network) -> PlacedStep {
    let mut placed = PlacedStep {
        step: Step { network, ..Step::new("", StepKind::Custom, Run::Argv(Vec::new())) },
        name: table.span(),
        needs: Vec::new(),
    };
    for required in ["name", "run"] {
        if !table.get_ref().keys().any(|key| key.get_ref().as_ref() == required) {
            r.problem(&table.span(), format!("this [[ralph.step]] has no `{required}`"));
        }
    }
    for (key, value) in *table.get_ref() {
        match key.get_ref().as_ref() {
            "name" => {
                placed.name = value.span();
                placed.step.name = step_name(r, value).unwrap_or_default();
            }
            "run" => placed.step.run = run(r, value).unwrap_or(placed.step.run),
            "needs" => placed.needs = r.strings("needs", value),
            name if STEP.contains(&name) => step_key(r, name, value, &mut placed.step),
            _ => r.unknown_key(key, "[[ralph.step]]", &STEP),
        }
    }
    placed.step.needs = placed.needs.iter().map(|need| need.get_ref().clone()).collect();
    if placed.step.retries > 0 && placed.step.kind != StepKind::Test {
        r.problem(&placed.name, "`retries` is only for steps of kind `test`: nothing else may flake");
    }
    placed
}

fn step_key(r: &mut Reader<'_>, key: &str, value: &Value<'_>, step: &mut Step) {
    match key {
        "kind" => step.kind = r.choice(key, value, &StepKind::ALL, StepKind::as_str).unwrap_or(step.kind),
        "inputs" => step.inputs = r.checked_strings(key, value, check::input),
        "env" => step.env = r.checked_strings(key, value, check::env_name),
        "timeout" => step.timeout = r.positive_period(key, value).unwrap_or(step.timeout),
        "group" => step.group = r.string(key, value),
        "resources" => step.resources = r.checked_strings(key, value, |_| Ok(())),
        "report" => step.report = r.string(key, value),
        "retries" => {
            step.retries =
                r.count(key, value, MAX_RETRIES).and_then(|n| u32::try_from(n).ok()).unwrap_or(step.retries);
        }
        "when" => {
            let moments = r.choices(key, value, &Moment::ALL, Moment::as_str);
            if !moments.is_empty() {
                step.when = moments.into_iter().collect();
            }
        }
        "teams" => step.teams = r.choices(key, value, &Team::ALL, Team::as_str).into_iter().collect(),
        "network" => {
            step.network = r.choice(key, value, &Network::ALL, Network::as_str).unwrap_or(step.network);
        }
        "min_tests" => step.min_tests = r.count(key, value, u64::from(u32::MAX)),
        _ => {}
    }
}

fn step_name(r: &mut Reader<'_>, value: &Value<'_>) -> Option<String> {
    let name = r.string("name", value)?;
    match check::step_name(&name) {
        Ok(()) => Some(name),
        Err(wrong) => {
            r.problem(&value.span(), wrong);
            None
        }
    }
}

fn run(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Run> {
    let DeValue::Array(items) = value.get_ref() else {
        return r.string("run", value).map(Run::Shell);
    };
    let words: Vec<String> = r.strings("run", value).into_iter().map(Spanned::into_inner).collect();
    if items.is_empty() {
        r.problem(&value.span(), "`run` is empty");
    }
    // An empty word was reported and left out: what remains is not what was written.
    (!words.is_empty() && words.len() == items.len()).then_some(Run::Argv(words))
}

fn agents(r: &mut Reader<'_>, value: &Value<'_>, config: &mut Config) {
    let Some(table) = r.table("agents", value) else { return };
    for (name, value) in table {
        let section = format!("agents.{}", name.get_ref());
        if let Err(wrong) = check::name(name.get_ref()) {
            r.problem(&name.span(), wrong);
        }
        let Some(table) = r.table(&section, value) else { continue };
        let mut command = None;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "command" => command = Some(r.string("command", value)),
                _ => r.unknown_key(key, &format!("[{section}]"), &["command"]),
            }
        }
        match command {
            None => r.problem(&name.span(), format!("[{section}] has no `command`")),
            // Reported already; the name is kept so that roles which use it aren't reported as well.
            Some(text) => {
                let command = text.unwrap_or_default();
                config.agents.insert(name.get_ref().clone().into_owned(), Agent { command });
            }
        }
    }
}

fn read_roles(r: &mut Reader<'_>, value: &Value<'_>, config: &mut Config) {
    let Some(table) = r.table("roles", value) else { return };
    for (name, value) in table {
        let section = format!("roles.{}", name.get_ref());
        let Some(role) = Role::parse(name.get_ref()) else {
            let words = Role::ALL.map(Role::as_str);
            let message = format!("unknown role `{}`; it is one of {}", name.get_ref(), words.join(", "));
            r.problem_near(&name.span(), message, nearest(name.get_ref(), words));
            continue;
        };
        let Some(table) = r.table(&section, value) else { continue };
        let mut settings = RoleConfig::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "agent" => {
                    settings.agent = r.string("agent", value);
                    check::agent(r, settings.agent.as_deref(), &value.span(), &config.agents);
                }
                _ => r.unknown_key(key, &format!("[{section}]"), &["agent"]),
            }
        }
        config.roles.insert(role, settings);
    }
}

fn merge(r: &mut Reader<'_>, value: &Value<'_>) -> Merge {
    let mut merge = Merge::default();
    let Some(table) = r.table("merge", value) else { return merge };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "qa" => merge.qa = r.choice("qa", value, &Merging::ALL, Merging::as_str).unwrap_or(merge.qa),
            "dev" => merge.dev = r.choice("dev", value, &Merging::ALL, Merging::as_str).unwrap_or(merge.dev),
            _ => r.unknown_key(key, "[merge]", &["qa", "dev"]),
        }
    }
    merge
}

fn push(r: &mut Reader<'_>, value: &Value<'_>) -> Push {
    let mut push = Push::default();
    let Some(table) = r.table("push", value) else { return push };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "budget" => push.budget = r.period("budget", value).unwrap_or(push.budget),
            "exempt" => push.exempt = r.checked_strings("exempt", value, check::glob),
            _ => r.unknown_key(key, "[push]", &["budget", "exempt"]),
        }
    }
    push
}

fn policy(r: &mut Reader<'_>, value: &Value<'_>) -> Policy {
    let mut policy = Policy::default();
    let Some(table) = r.table("policy", value) else { return policy };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "profile" => {
                let chosen = r.choice("profile", value, &Profile::ALL, Profile::as_str);
                policy.profile = chosen.unwrap_or(policy.profile);
            }
            "guardrails" => {
                let chosen = r.choices("guardrails", value, &Guardrails::ALL, Guardrails::as_str);
                policy.guardrails = chosen.into_iter().collect();
            }
            "sandbox" => {
                let chosen = r.choice("sandbox", value, &Minimum::ALL, Minimum::as_str);
                policy.sandbox = chosen.unwrap_or(policy.sandbox);
            }
            "signers" => policy.signers = r.checked_strings("signers", value, check::signer),
            "blocked" => {
                let chosen = r.choice("blocked", value, &OnBlocked::ALL, OnBlocked::as_str);
                policy.blocked = chosen.unwrap_or(policy.blocked);
            }
            _ => r.unknown_key(key, "[policy]", &["profile", "guardrails", "sandbox", "signers", "blocked"]),
        }
    }
    policy
}
