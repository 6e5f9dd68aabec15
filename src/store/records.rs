//! The state's small records: `meta.toml`, `control.toml`, approvals, and the conversion of verdicts and sessions.

use std::collections::BTreeMap;

use toml::de::DeValue;
use toml::{Table, Value};

use crate::domain::branch;
use crate::domain::control::{Control, Mode};
use crate::domain::id::{SessionId, TaskId};
use crate::domain::oid::Oid;
use crate::domain::session::{Outcome, Session, SessionTask};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Scope, StepResult, Trust, Verdict, Word};
use crate::store::codec::{put, put_opt};
use crate::store::findings::{decode_report, encode_report};
use crate::store::reader::Reader;

/// The format that this program writes.
pub(crate) const FORMAT: u32 = 1;

/// `meta.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The format of everything in the tree.
    pub format: u32,
    /// Programs that know less than this format must not read.
    pub min_reader: u32,
    /// Programs that know less than this format must not write.
    pub min_writer: u32,
    /// Rises with every squash of the history.
    pub epoch: u64,
    /// The tip of the history that the last squash let go.
    pub previous: Option<Oid>,
    /// Random; the same in every clone.
    pub repository: String,
    /// The protected branch's short name.
    pub trunk: String,
}

impl Meta {
    /// The meta of a new state.
    pub fn new(repository: String, trunk: String) -> Self {
        Self { format: FORMAT, min_reader: 1, min_writer: 1, epoch: 0, previous: None, repository, trunk }
    }

    pub(crate) fn encode(&self) -> Table {
        let mut t = Table::new();
        put(&mut t, "format", i64::from(self.format));
        put(&mut t, "min_reader", i64::from(self.min_reader));
        put(&mut t, "min_writer", i64::from(self.min_writer));
        put(&mut t, "epoch", i64::try_from(self.epoch).unwrap_or(i64::MAX));
        put_opt(&mut t, "previous", self.previous.as_ref().map(Oid::as_str));
        put(&mut t, "repository", self.repository.as_str());
        put(&mut t, "trunk", self.trunk.as_str());
        t
    }

    pub(crate) fn decode(r: &Reader<'_>) -> Result<Self, String> {
        let small =
            |key| r.int(key).and_then(|n| u32::try_from(n).map_err(|_| format!("{key} is out of range")));
        Ok(Self {
            format: small("format")?,
            min_reader: small("min_reader")?,
            min_writer: small("min_writer")?,
            epoch: u64::try_from(r.int("epoch")?).map_err(|_| "epoch is negative".to_owned())?,
            previous: r.optional("previous", Reader::oid)?,
            repository: r.text("repository")?,
            trunk: r.word("trunk", |name| branch::is_name(name).then(|| name.to_owned()))?,
        })
    }
}

/// The text of a record, with the keys of its older versions that this program does not know. Of two values of such a
/// key the greater: every clone must choose alike. `known` are the keys that the record may leave out.
pub(crate) fn over<'a>(record: &Table, known: &[&str], older: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = record.clone();
    for table in older.into_iter().filter_map(|text| text.parse::<Table>().ok()) {
        for (key, value) in
            table.into_iter().filter(|(key, _)| !record.contains_key(key) && !known.contains(&key.as_str()))
        {
            let greater = all.get(&key).is_none_or(|known| known.to_string() < value.to_string());
            if greater {
                all.insert(key, value);
            }
        }
    }
    all.to_string()
}

/// A person's approval of one tree under one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The rule that is lifted: `gate.changed`; `guardrail`, if it is only those in `guardrails`.
    pub rule: String,
    /// Guardrails that are lifted, in order. Absent in approvals of `gate.changed` alone; a program that does not know
    /// the field finds the seal of one that has it broken, and counts nothing.
    pub guardrails: Vec<String>,
    /// For exactly this tree.
    pub tree: Oid,
    /// The tree that it was compared with: what whoever approved it was shown is the difference. Absent in approvals of
    /// older programs, which count no more.
    pub base: Option<Oid>,
    /// Why.
    pub reason: String,
    /// By whom, as `Actor` prints.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// HMAC of the rest by this machine's verifier key, lower-case hexadecimal.
    pub mac: String,
}

impl Approval {
    /// What the MAC is made over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut t = self.encode();
        t.remove("mac");
        format!("git-orch approval\n{t}").into_bytes()
    }

    pub(crate) fn encode(&self) -> Table {
        let mut t = Table::new();
        put(&mut t, "schema", 1);
        put(&mut t, "rule", self.rule.as_str());
        put(&mut t, "tree", self.tree.as_str());
        put_opt(&mut t, "base", self.base.as_ref().map(Oid::as_str));
        put(&mut t, "reason", self.reason.as_str());
        put(&mut t, "by", self.by.as_str());
        put(&mut t, "at", self.at.to_string());
        put(&mut t, "mac", self.mac.as_str());
        if !self.guardrails.is_empty() {
            let rules = self.guardrails.iter().map(|rule| Value::String(rule.clone()));
            put(&mut t, "guardrails", Value::Array(rules.collect()));
        }
        t
    }

    pub(crate) fn decode(r: &Reader<'_>) -> Result<Self, String> {
        Ok(Self {
            rule: r.text("rule")?,
            guardrails: r
                .texts("guardrails")?
                .map(|rule| rule.map(str::to_owned))
                .collect::<Result<_, _>>()?,
            tree: r.oid("tree")?,
            base: r.optional("base", Reader::oid)?,
            reason: r.text("reason")?,
            by: r.text("by")?,
            at: r.time("at")?,
            mac: r.text("mac")?,
        })
    }
}

pub(crate) fn encode_control(c: &Control) -> Table {
    let mut t = Table::new();
    put(&mut t, "mode", c.mode.as_str());
    put_opt(&mut t, "reason", c.reason.as_deref());
    put_opt(&mut t, "by", c.by.as_deref());
    put_opt(&mut t, "at", c.at.map(|at| at.to_string()));
    t
}

pub(crate) fn decode_control(r: &Reader<'_>) -> Result<Control, String> {
    let word = r.text("mode")?;
    Ok(Control {
        mode: Mode::parse(&word).ok_or_else(|| format!("mode `{word}` is unknown"))?,
        reason: r.optional_text("reason")?,
        by: r.optional_text("by")?,
        at: r.optional("at", Reader::time)?,
    })
}

pub(crate) fn encode_verdict(v: &Verdict) -> Table {
    let mut t = Table::new();
    put(&mut t, "schema", 1);
    put(&mut t, "key", v.key.as_str());
    put(&mut t, "tree", v.tree.as_str());
    put(&mut t, "gate", v.gate.as_str());
    put(&mut t, "verdict", v.word.as_str());
    put(&mut t, "scope", v.scope.as_str());
    put_opt(&mut t, "rule", v.rule.as_deref());
    put_opt(&mut t, "fact", v.fact.as_deref());
    put(&mut t, "trust", v.trust.as_str());
    put(&mut t, "made", v.made.to_string());
    put(&mut t, "by", v.by.as_str());
    put(&mut t, "mac", v.mac.as_str());
    put_opt(&mut t, "signature", v.signature.as_deref());
    if !v.tools.is_empty() {
        put(
            &mut t,
            "tools",
            Value::Table(v.tools.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect()),
        );
    }
    if v.run > 1 {
        put(&mut t, "run", i64::from(v.run));
    }
    let steps = v.steps.iter().map(|s| {
        let mut t = Table::new();
        put(&mut t, "name", s.name.as_str());
        put(&mut t, "kind", s.kind.as_str());
        put(&mut t, "verdict", s.word.as_str());
        put_opt(&mut t, "reason", s.reason.as_deref());
        put(&mut t, "millis", i64::try_from(s.millis).unwrap_or(i64::MAX));
        put_opt(&mut t, "exit", s.exit.map(i64::from));
        put(&mut t, "tail", s.tail.as_str());
        put_opt(&mut t, "key", s.key.as_deref());
        put_opt(&mut t, "cached", s.cached.map(|at| at.to_string()));
        if let Some(report) = &s.report {
            put(&mut t, "report", Value::Table(encode_report(report)));
        }
        Value::Table(t)
    });
    put(&mut t, "step", Value::Array(steps.collect()));
    t
}

fn decode_step(value: &DeValue<'_>) -> Result<StepResult, String> {
    let r = Reader::new(value.as_table().ok_or("a step is no table")?);
    let exit = r.optional("exit", Reader::int)?;
    Ok(StepResult {
        name: r.text("name")?,
        kind: r.text("kind")?,
        word: r.word("verdict", Word::parse)?,
        reason: r.optional_text("reason")?,
        millis: u64::try_from(r.int("millis")?).map_err(|_| "millis is negative".to_owned())?,
        exit: exit.map(|n| i32::try_from(n).map_err(|_| "exit is out of range".to_owned())).transpose()?,
        tail: r.text("tail")?,
        report: r.sub("report")?.map(|r| decode_report(&r)).transpose()?,
        key: r.optional_text("key")?,
        cached: r.optional("cached", Reader::time)?,
    })
}

pub(crate) fn decode_verdict(r: &Reader<'_>) -> Result<Verdict, String> {
    Ok(Verdict {
        key: r.text("key")?,
        tree: r.oid("tree")?,
        gate: r.text("gate")?,
        word: r.word("verdict", Word::parse)?,
        scope: r.word("scope", Scope::parse)?,
        rule: r.optional_text("rule")?,
        fact: r.optional_text("fact")?,
        trust: r.word("trust", Trust::parse)?,
        steps: r.array("step")?.map(decode_step).collect::<Result<_, _>>()?,
        made: r.time("made")?,
        run: match r.optional("run", Reader::int)? {
            Some(run) => u32::try_from(run).map_err(|_| "run is out of range".to_owned())?,
            None => 1,
        },
        by: r.text("by")?,
        tools: if r.has("tools") { texts(r, "tools")? } else { BTreeMap::new() },
        mac: r.text("mac")?,
        signature: r.optional_text("signature")?,
    })
}

/// A table of texts.
pub(crate) fn texts(r: &Reader<'_>, key: &str) -> Result<BTreeMap<String, String>, String> {
    let table = r.required_sub(key)?;
    let names: Vec<String> = table.items().map(|(name, _)| name.to_owned()).collect();
    let pair = |name: String| table.text(&name).map(|value| (name, value));
    names.into_iter().map(pair).collect()
}

pub(crate) fn encode_session(s: &Session) -> Table {
    let mut t = Table::new();
    put(&mut t, "schema", 1);
    put(&mut t, "id", s.id.as_str());
    put(&mut t, "by", s.by.as_str());
    put(&mut t, "started", s.started.to_string());
    put_opt(&mut t, "ended", s.ended.map(|at| at.to_string()));
    let tasks = s.tasks.iter().map(|task| {
        let mut t = Table::new();
        put(&mut t, "id", task.id.as_str());
        put(&mut t, "outcome", task.outcome.as_str());
        put(&mut t, "iterations", i64::from(task.iterations));
        put_opt(&mut t, "note", task.note.as_deref());
        Value::Table(t)
    });
    put(&mut t, "task", Value::Array(tasks.collect()));
    t
}

fn decode_session_task(value: &DeValue<'_>) -> Result<SessionTask, String> {
    let r = Reader::new(value.as_table().ok_or("a task is no table")?);
    Ok(SessionTask {
        id: TaskId::parse(&r.text("id")?).map_err(|e| e.to_string())?,
        outcome: r.word("outcome", Outcome::parse)?,
        iterations: u32::try_from(r.int("iterations")?)
            .map_err(|_| "iterations is out of range".to_owned())?,
        note: r.optional_text("note")?,
    })
}

pub(crate) fn decode_session(r: &Reader<'_>) -> Result<Session, String> {
    Ok(Session {
        id: SessionId::parse(&r.text("id")?).map_err(|e| e.to_string())?,
        by: r.text("by")?,
        started: r.time("started")?,
        ended: r.optional("ended", Reader::time)?,
        tasks: r.array("task")?.map(decode_session_task).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::reader::parse;

    #[test]
    fn approvals_of_every_version_are_written_as_they_were() {
        for (text, guardrails, based) in [
            (
                include_str!(
                    "../../tests/corpus/store/v1/decisions/5b/approve-5bd6c47ab13bfd60465a8b82f25bb13d8254c605.toml"
                ),
                0,
                false,
            ),
            (
                include_str!(
                    "../../tests/corpus/store/v1/decisions/35/approve-35c306c5dc7fc7e32498d0fed9a07f4898984202.toml"
                ),
                2,
                false,
            ),
            (
                include_str!(
                    "../../tests/corpus/store/v1/decisions/48/approve-4808fc3ef2c4ea1325ff5ee66ba5e08053a14d56.toml"
                ),
                1,
                true,
            ),
        ] {
            let table = parse(text).unwrap();
            let approval = Approval::decode(&Reader::new(&table)).unwrap();
            assert_eq!(approval.guardrails.len(), guardrails);
            assert_eq!(approval.base.is_some(), based);
            assert_eq!(approval.encode().to_string(), text);
            let sealed = String::from_utf8(approval.signed_bytes()).unwrap();
            let unsealed: String = text
                .lines()
                .filter(|line| !line.starts_with("mac"))
                .map(|line| line.to_owned() + "\n")
                .collect();
            assert_eq!(
                sealed,
                format!("git-orch approval\n{unsealed}"),
                "the seal covers all that is written"
            );
        }
    }
}
