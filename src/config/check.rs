//! What must hold beyond types: names, globs, and the graph of steps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use crate::config::model::{Agent, BUILTIN_AGENTS, Step};
use crate::config::problem::nearest;
use crate::config::reader::Reader;

/// A step with the places that later checks point at.
pub(super) struct PlacedStep {
    pub(super) step: Step,
    pub(super) name: Range<usize>,
    pub(super) needs: Vec<Spanned<String>>,
}

const NAME_LENGTH: usize = 64;
/// Names that the gate itself uses for results and logs.
const RESERVED: [&str; 1] = ["setup"];

/// A name that is also a file's name and a word in messages.
pub(super) fn name(text: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && text.chars().all(inner) && text.len() <= NAME_LENGTH {
        Ok(())
    } else {
        Err(format!(
            "`{}` can't be a name: letters, digits and `._-:`, a letter or digit first, at most {NAME_LENGTH}",
            text.escape_debug()
        ))
    }
}

pub(super) fn step_name(text: &str) -> Result<(), String> {
    name(text)?;
    // Logs of steps whose names differ in case alone would be one file on some systems.
    if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        Err(format!("`{text}` is reserved: the gate uses it for its own setup"))
    } else {
        Ok(())
    }
}

/// A glob of files that a step reads, from the checkout's root.
pub(super) fn input(text: &str) -> Result<(), String> {
    let path = text.strip_prefix('!').unwrap_or(text);
    let odd = |part: &str| part == "." || part == "..";
    if path.is_empty() || path.starts_with('/') || path.split('/').any(odd) {
        let shown = text.escape_debug();
        return Err(format!(
            "`inputs` can't hold `{shown}`: it matches from the root of the checkout, as `src/**` does"
        ));
    }
    glob(path)
}

pub(super) fn glob(text: &str) -> Result<(), String> {
    globset::GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map(drop)
        .map_err(|e| format!("`{}` is not a glob: {}", text.escape_debug(), e.kind()))
}

/// A line of OpenSSH's allowed signers.
pub(super) fn signer(text: &str) -> Result<(), String> {
    let is_key = |word: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| word.starts_with(kind));
    let words: Vec<&str> = text.split_whitespace().collect();
    let has_key = words.windows(2).skip(1).any(|pair| is_key(pair[0]) && pair[1].starts_with("AAAA"));
    if text.lines().count() == 1 && has_key && !is_key(words[0]) && !text.starts_with('#') {
        Ok(())
    } else {
        Err("a signer is a name and a public key: \"ann@example.com ssh-ed25519 AAAA…\"".to_owned())
    }
}

/// A path below the checkout's root.
pub(super) fn carry(text: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("`carry` can't hold `{}`: {why}", text.escape_debug()));
    let parts: Vec<&str> = text.split('/').collect();
    if text.starts_with('/') || text.chars().any(char::is_control) || text.contains('\\') {
        bad("it must be a path relative to the root of the checkout")
    } else if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
        bad("it must be a plain path without `.`, `..`, `//` or a slash at the end")
    } else if parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
        bad("git's own files are never kept")
    } else {
        Ok(())
    }
}

pub(super) fn env_name(text: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(inner) {
        return Err(format!("`{}` can't be a variable's name", text.escape_debug()));
    }
    if text.starts_with("GIT_") {
        return Err(format!("`{text}` is never given to a step: git's variables would point it elsewhere"));
    }
    Ok(())
}

/// That `agent` is one that exists.
pub(super) fn agent(
    r: &mut Reader<'_>,
    agent: Option<&str>,
    span: &Range<usize>,
    agents: &BTreeMap<String, Agent>,
) {
    let Some(agent) = agent else { return };
    let known = || agents.keys().map(String::as_str).chain(BUILTIN_AGENTS);
    if !known().any(|name| name == agent) {
        let message = format!("there is no agent `{agent}`: define [agents.{agent}]");
        r.problem_near(span, message, nearest(agent, known()));
    }
}

/// Unique names, needs that exist, no cycle.
pub(super) fn steps(r: &mut Reader<'_>, steps: &[PlacedStep]) {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for placed in steps {
        let name = &placed.step.name;
        // Case-insensitive: the name is a log file's name too. An empty name was reported before.
        if !name.is_empty() && !names.insert(name.to_ascii_lowercase()) {
            r.problem(&placed.name, format!("there is another step `{name}`"));
        }
    }
    let known: BTreeSet<&str> = steps.iter().map(|p| p.step.name.as_str()).collect();
    let mut dangling = false;
    for placed in steps {
        for need in &placed.needs {
            if !known.contains(need.get_ref().as_str()) {
                dangling = true;
                r.problem_near(
                    &need.span(),
                    format!("`{}` needs `{}`, which is no step", placed.step.name, need.get_ref()),
                    nearest(need.get_ref(), known.iter().copied()),
                );
            }
        }
    }
    if !dangling && let Some((at, path)) = cycle(steps) {
        r.problem(&at, format!("steps need each other in a circle: {}", path.join(" -> ")));
    }
}

/// The first cycle in the order of the file: where its first step is named, and its path.
fn cycle(steps: &[PlacedStep]) -> Option<(Range<usize>, Vec<String>)> {
    let needs: BTreeMap<&str, &[String]> =
        steps.iter().map(|p| (p.step.name.as_str(), p.step.needs.as_slice())).collect();
    let mut done = BTreeSet::new();
    let mut on_path = BTreeSet::new();
    for placed in steps {
        // (step, index of its next need): an explicit stack, for files with absurdly long chains.
        let mut stack: Vec<(&str, usize)> = vec![(placed.step.name.as_str(), 0)];
        while let Some((at, next)) = stack.last().copied() {
            let need = needs.get(at).and_then(|list| list.get(next)).map(String::as_str);
            let Some(need) = need else {
                done.insert(at);
                on_path.remove(at);
                stack.pop();
                continue;
            };
            if let Some(top) = stack.last_mut() {
                top.1 += 1;
            }
            on_path.insert(at);
            if on_path.contains(need) {
                let names = stack.iter().map(|(name, _)| (*name).to_owned());
                let path = names.skip_while(|name| name != need).chain([need.to_owned()]).collect();
                let first = steps.iter().find(|p| p.step.name == need)?;
                return Some((first.name.clone(), path));
            }
            if !done.contains(need) {
                stack.push((need, 0));
            }
        }
    }
    None
}
