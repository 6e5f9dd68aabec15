//! A task as TOML, in one canonical form: sorted keys, trailing newline.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::domain::branch;
use crate::domain::id::{ChangeId, SessionId, TaskId};
use crate::domain::kind::{Kind, Priority};
use crate::domain::oid::Oid;
use crate::domain::role::Role;
use crate::domain::stamp::{Field, Hlc, Stamp, TagSet};
use crate::domain::task::{Claim, Evidence, Lease, Owner, Register, Rejection, State, Task, Work};
use crate::domain::unknown::Unknown;
use crate::store::reader::{Reader, parse, written};

pub(crate) fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

pub(crate) fn put_opt(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(table, key, value);
    }
}

/// The file of a task.
pub fn encode_task(task: &Task) -> String {
    let mut t = Table::new();
    put(&mut t, "schema", 1);
    put(&mut t, "id", task.id.as_str());
    put(&mut t, "created", task.created.to_string());
    put(&mut t, "creator", task.creator.as_str());
    put(&mut t, "updated", task.updated.to_string());
    put(&mut t, "kind", task.kind.value.as_str());
    put(&mut t, "title", task.title.value.as_str());
    put(&mut t, "body", task.body.value.as_str());
    put(&mut t, "priority", task.priority.value.as_str());
    put_opt(&mut t, "role", task.role.value.map(Role::as_str));
    put(&mut t, "acceptance", task.acceptance.value.clone());
    let mut stamps = Table::new();
    put(&mut stamps, "kind", task.kind.stamp.to_string());
    put(&mut stamps, "title", task.title.stamp.to_string());
    put(&mut stamps, "body", task.body.stamp.to_string());
    put(&mut stamps, "priority", task.priority.stamp.to_string());
    put(&mut stamps, "role", task.role.stamp.to_string());
    put(&mut stamps, "acceptance", task.acceptance.stamp.to_string());
    if let Some(rejected) = &task.rejected {
        let mut own = Table::new();
        put(&mut own, "reason", rejected.value.reason.as_str());
        put_opt(&mut own, "tree", rejected.value.tree.as_ref().map(Oid::as_str));
        put(&mut t, "rejected", own);
        put(&mut stamps, "rejected", rejected.stamp.to_string());
    }
    put(&mut t, "stamps", stamps);
    let mut gone = Table::new();
    encode_set(&mut t, &mut gone, "labels", &task.labels, String::clone);
    encode_set(&mut t, &mut gone, "needs", &task.needs, |id| id.as_str().to_owned());
    encode_set(&mut t, &mut gone, "files", &task.files, String::clone);
    if !gone.is_empty() {
        put(&mut t, "gone", gone);
    }
    put(&mut t, "register", encode_register(&task.register));
    put_unknown(&mut t, &task.unknown);
    t.to_string()
}

/// What is stored of a register.
pub(crate) fn register_text(register: &Register) -> String {
    encode_register(register).to_string()
}

const TASK_KEYS: [&str; 16] = [
    "schema",
    "id",
    "created",
    "creator",
    "updated",
    "kind",
    "title",
    "body",
    "priority",
    "role",
    "acceptance",
    "labels",
    "needs",
    "files",
    "rejected",
    "register",
];
const STAMPED: [&str; 7] = ["kind", "title", "body", "priority", "role", "acceptance", "rejected"];
const SETS: [&str; 3] = ["labels", "needs", "files"];
const REGISTER_KEYS: [&str; 18] = [
    "status", "fence", "epoch", "anchor", "top", "change", "clock", "since", "branch", "base", "owner",
    "session", "worker", "claim", "expires", "reason", "commit", "tree",
];

/// The keys of a task's file that this program does not know.
fn unknown_keys(r: &Reader<'_>) -> Result<Unknown, String> {
    let mut unknown = Unknown::default();
    let mut look = |path: &[&str], table: &Reader<'_>, known: &[&[&str]]| {
        for (key, item) in table.items() {
            if !known.iter().any(|keys| keys.contains(&key)) {
                let path = path.iter().copied().chain([key]).map(str::to_owned).collect();
                unknown.insert(path, written(item)?);
            }
        }
        Ok::<(), String>(())
    };
    look(&[], r, &[&TASK_KEYS, &["stamps", "gone"]])?;
    let subs: [(&str, &[&[&str]]); 4] = [
        ("stamps", &[&STAMPED]),
        ("gone", &[&SETS]),
        ("rejected", &[&["reason", "tree"]]),
        ("register", &[&REGISTER_KEYS, &["verdict", "local"]]),
    ];
    for (name, known) in subs {
        if let Some(sub) = r.sub(name)? {
            look(&[name], &sub, known)?;
        }
    }
    Ok(unknown)
}

/// Writes keys that this program does not know, except over one that it has come to know.
fn put_unknown(table: &mut Table, unknown: &Unknown) {
    for (path, text) in unknown.iter() {
        let Some((key, tables)) = path.split_last() else { continue };
        let value = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        let Some(value) = value else { continue };
        let mut at = &mut *table;
        for name in tables {
            let sub = at.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(sub) = sub else { return };
            at = sub;
        }
        at.entry(key.clone()).or_insert(value);
    }
}

fn encode_set<T: Ord + Clone>(
    t: &mut Table,
    gone: &mut Table,
    key: &str,
    set: &TagSet<T>,
    name: impl Fn(&T) -> String,
) {
    if !set.is_empty() {
        let mut members = Table::new();
        for (member, tags) in set.adds() {
            put(&mut members, &name(member), tags.iter().cloned().collect::<Vec<_>>());
        }
        put(t, key, members);
    }
    if !set.tombstones().is_empty() {
        put(gone, key, set.tombstones().iter().cloned().collect::<Vec<_>>());
    }
}

pub(crate) fn encode_register(register: &Register) -> Table {
    let mut t = Table::new();
    put(&mut t, "status", register.state.status());
    put(&mut t, "fence", i64::try_from(register.fence).unwrap_or(i64::MAX));
    put(&mut t, "epoch", i64::try_from(register.epoch).unwrap_or(i64::MAX));
    if register.anchor > 0 {
        put(&mut t, "anchor", i64::try_from(register.anchor).unwrap_or(i64::MAX));
    }
    if register.top > register.fence {
        put(&mut t, "top", i64::try_from(register.top).unwrap_or(i64::MAX));
    }
    put(&mut t, "change", register.change.as_str());
    put(&mut t, "clock", register.clock.to_string());
    put(&mut t, "since", register.since.to_string());
    if let Some(work) = &register.work {
        put(&mut t, "branch", work.branch.as_str());
        put(&mut t, "base", work.base.as_str());
    }
    match &register.state {
        State::Open | State::Review => {}
        State::Claimed(lease) | State::Merging(lease) => {
            put(&mut t, "owner", lease.owner.actor.as_str());
            put(&mut t, "session", lease.owner.session.as_str());
            put(&mut t, "worker", lease.owner.worker);
            put(&mut t, "claim", lease.claim.as_str());
            put(&mut t, "expires", lease.expires.to_string());
        }
        State::Blocked(reason) | State::Closed(reason) => put(&mut t, "reason", reason.as_str()),
        State::Done(evidence) => {
            put(&mut t, "commit", evidence.commit.as_str());
            put(&mut t, "tree", evidence.tree.as_str());
            put(&mut t, "verdict", evidence.verdict.as_str());
            if evidence.local {
                put(&mut t, "local", true);
            }
        }
    }
    t
}

/// Reads the file of a task. The error says what is wrong with it.
pub fn decode_task(text: &str) -> Result<Task, String> {
    let table = parse(text)?;
    let r = Reader::new(&table);
    let stamps = r.required_sub("stamps")?;
    let stamp = |key| Stamp::parse(stamps.str(key)?).map_err(|e| format!("stamps.{key}: {e}"));
    let gone = r.sub("gone")?;
    Ok(Task {
        id: TaskId::parse(r.str("id")?).map_err(|e| e.to_string())?,
        created: r.time("created")?,
        creator: r.text("creator")?,
        updated: r.time("updated")?,
        kind: Field { value: r.word("kind", Kind::parse)?, stamp: stamp("kind")? },
        title: Field { value: r.line("title")?, stamp: stamp("title")? },
        body: Field { value: r.text("body")?, stamp: stamp("body")? },
        priority: Field { value: r.word("priority", Priority::parse)?, stamp: stamp("priority")? },
        role: Field { value: r.optional("role", |r, key| r.word(key, Role::parse))?, stamp: stamp("role")? },
        acceptance: Field { value: owned(r.texts("acceptance")?)?, stamp: stamp("acceptance")? },
        labels: decode_set(&r, gone.as_ref(), "labels", |text| Ok(text.to_owned()))?,
        needs: decode_set(&r, gone.as_ref(), "needs", |text| TaskId::parse(text).map_err(|e| e.to_string()))?,
        files: decode_set(&r, gone.as_ref(), "files", |text| Ok(text.to_owned()))?,
        rejected: r.sub("rejected")?.map(|own| decode_rejection(&own, stamp("rejected")?)).transpose()?,
        register: decode_register(&r.required_sub("register")?)?,
        unknown: unknown_keys(&r)?,
    })
}

fn decode_rejection(r: &Reader<'_>, stamp: Stamp) -> Result<Field<Rejection>, String> {
    let (reason, tree) = (r.text("reason")?, r.optional("tree", Reader::oid)?);
    Ok(Field { value: Rejection { reason, tree }, stamp })
}

fn owned<'t, C: FromIterator<String>>(
    texts: impl Iterator<Item = Result<&'t str, String>>,
) -> Result<C, String> {
    texts.map(|text| text.map(str::to_owned)).collect()
}

fn decode_set<T: Ord + Clone>(
    r: &Reader<'_>,
    gone: Option<&Reader<'_>>,
    key: &str,
    member: impl Fn(&str) -> Result<T, String>,
) -> Result<TagSet<T>, String> {
    let mut adds: BTreeMap<T, BTreeSet<String>> = BTreeMap::new();
    if let Some(tags) = r.sub(key)? {
        for (name, _) in tags.items() {
            adds.insert(member(name)?, owned(tags.texts(name)?)?);
        }
    }
    let tombstones = match gone {
        Some(gone) => owned(gone.texts(key)?)?,
        None => BTreeSet::new(),
    };
    Ok(TagSet::from_parts(adds, tombstones))
}

/// Fences and epochs count what happened: nothing happens more often.
const MOST: u64 = 1 << 48;

pub(crate) fn decode_register(r: &Reader<'_>) -> Result<Register, String> {
    let natural = |key| match u64::try_from(r.int(key)?) {
        Ok(number) if number <= MOST => Ok(number),
        Ok(_) | Err(_) => Err(format!("register.{key} is out of range")),
    };
    let work = match (r.optional_text("branch")?, r.optional("base", Reader::oid)?) {
        // It gets into command lines.
        (Some(branch), Some(_)) if !branch::is_name(&branch) => {
            return Err(format!("register.branch {branch:?} is no name of a branch"));
        }
        (Some(branch), Some(base)) => Some(Work { branch, base }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err("register has only one of branch and base".into()),
    };
    let optional = |key| if r.has(key) { natural(key) } else { Ok(0) };
    let (fence, since) = (natural("fence")?, r.time("since")?);
    let clock = r.optional("clock", |r, key| {
        let text = r.str(key)?;
        Hlc::parse(text).ok_or_else(|| format!("register.{key} `{text}` is no clock"))
    })?;
    Ok(Register {
        state: decode_state(r)?,
        fence,
        top: optional("top")?.max(fence),
        anchor: optional("anchor")?,
        epoch: natural("epoch")?,
        change: ChangeId::parse(r.str("change")?).map_err(|e| e.to_string())?,
        clock: clock.unwrap_or(Hlc { ms: since.millis(), seq: 0 }),
        since,
        work,
    })
}

fn decode_state(r: &Reader<'_>) -> Result<State, String> {
    Ok(match r.str("status")? {
        "open" => State::Open,
        "claimed" => State::Claimed(decode_lease(r)?),
        "blocked" => State::Blocked(r.text("reason")?),
        "review" => State::Review,
        "merging" => State::Merging(decode_lease(r)?),
        "done" => State::Done(Evidence {
            commit: r.oid("commit")?,
            tree: r.oid("tree")?,
            verdict: r.text("verdict")?,
            local: r.optional("local", Reader::flag)?.unwrap_or(false),
        }),
        "closed" => State::Closed(r.text("reason")?),
        other => return Err(format!("register.status `{other}` is unknown")),
    })
}

fn decode_lease(r: &Reader<'_>) -> Result<Lease, String> {
    Ok(Lease {
        owner: Owner {
            actor: r.text("owner")?,
            session: SessionId::parse(r.str("session")?).map_err(|e| e.to_string())?,
            worker: r.flag("worker")?,
        },
        claim: r.word("claim", Claim::parse)?,
        expires: r.time("expires")?,
    })
}
