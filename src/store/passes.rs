//! Steps' recorded PASSes, as the state has them: `steps/<hh>/<key>.<clone>.<tree>.toml`.

use toml::{Table, Value};

use crate::domain::pass::{StepInputs, StepPass};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Trust;
use crate::store::codec::put;
use crate::store::findings::{decode_report, encode_report};
use crate::store::reader::{Reader, parse};
use crate::store::records::texts;

impl StepPass {
    /// What the MAC is made over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut t = encode_pass(self);
        t.remove("mac");
        format!("git-orch step pass\n{t}").into_bytes()
    }
}

pub(crate) fn encode_pass(pass: &StepPass) -> Table {
    let mut t = Table::new();
    put(&mut t, "schema", 1);
    put(&mut t, "key", pass.key.as_str());
    put(&mut t, "step", pass.step.as_str());
    put(&mut t, "commit", pass.commit.as_str());
    put(&mut t, "tree", pass.tree.as_str());
    put(&mut t, "trust", pass.trust.as_str());
    if pass.refuted {
        put(&mut t, "refuted", true);
    }
    put(&mut t, "millis", i64::try_from(pass.millis).unwrap_or(i64::MAX));
    put(&mut t, "made", pass.made.to_string());
    put(&mut t, "by", pass.by.as_str());
    put(&mut t, "mac", pass.mac.as_str());
    let StepInputs { definition, files, environment, tools, needs, machine } = &pass.inputs;
    put(&mut t, "definition", definition.as_str());
    put(&mut t, "files", files.as_str());
    put(&mut t, "machine", machine.as_str());
    for (key, map) in [("environment", environment), ("tools", tools), ("needs", needs)] {
        put(&mut t, key, Value::Table(map.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect()));
    }
    if let Some(report) = &pass.report {
        put(&mut t, "report", Value::Table(encode_report(report)));
    }
    t
}

pub(crate) fn decode_pass(r: &Reader<'_>) -> Result<StepPass, String> {
    Ok(StepPass {
        key: r.text("key")?,
        step: r.text("step")?,
        commit: r.oid("commit")?,
        tree: r.oid("tree")?,
        inputs: StepInputs {
            definition: r.text("definition")?,
            files: r.text("files")?,
            environment: texts(r, "environment")?,
            tools: texts(r, "tools")?,
            needs: texts(r, "needs")?,
            machine: r.text("machine")?,
        },
        trust: r.word("trust", Trust::parse)?,
        millis: u64::try_from(r.int("millis")?).map_err(|_| "millis is negative".to_owned())?,
        report: r.sub("report")?.map(|r| decode_report(&r)).transpose()?,
        refuted: r.optional("refuted", Reader::flag)?.unwrap_or(false),
        made: r.time("made")?,
        by: r.text("by")?,
        mac: r.text("mac")?,
    })
}

/// The directory of the records.
pub(crate) const STEPS: &str = "steps";

/// What says before which time records were let go.
pub(crate) fn encode_pruned(before: Timestamp) -> Table {
    let mut t = Table::new();
    put(&mut t, "schema", 1);
    put(&mut t, "before", before.to_string());
    t
}

pub(crate) fn decode_pruned(r: &Reader<'_>) -> Result<Timestamp, String> {
    r.time("before")
}

/// Whether a file of the state is a record that is let go: made before that, or damaged. Of two versions the join
/// keeps the later, and any that can be read over one that can't: were the lower one kept where the other goes, it
/// would matter in which order states are joined.
pub(crate) fn is_let_go(path: &str, text: &str, before: Timestamp) -> bool {
    let is_record = path.split_once('/').is_some_and(|(dir, _)| dir == STEPS);
    let made = || Some(decode_pass(&Reader::new(&parse(text).ok()?)).ok()?.made);
    is_record && made().is_none_or(|made| made < before)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::domain::finding::Tests;
    use crate::domain::oid::Oid;
    use crate::domain::verdict::StepReport;

    pub(in crate::store) fn pass() -> StepPass {
        let map = |name: &str| BTreeMap::from([(name.to_owned(), "0f".to_owned())]);
        StepPass {
            key: "k".into(),
            step: "t \"\u{fc}".into(),
            commit: Oid::parse(&"1".repeat(40)).unwrap(),
            tree: Oid::parse(&"2".repeat(40)).unwrap(),
            inputs: StepInputs {
                definition: "d".into(),
                files: "f".into(),
                environment: map("A.B C"),
                tools: map("/usr/bin"),
                needs: BTreeMap::new(),
                machine: "m".into(),
            },
            trust: Trust::Sandboxed,
            millis: 5,
            report: None,
            refuted: false,
            made: Timestamp::from_millis(0),
            by: "person:ann".into(),
            mac: "0".into(),
        }
    }

    #[test]
    fn what_was_let_go_is_read_and_written_as_it_was() {
        let text = include_str!("../../tests/corpus/store/v1/pruned/steps.toml");
        let before = decode_pruned(&Reader::new(&parse(text).unwrap())).unwrap();
        assert_eq!(encode_pruned(before).to_string(), text);
        let of = |millis: i64| {
            encode_pass(&StepPass { made: Timestamp::from_millis(before.millis() + millis), ..pass() })
                .to_string()
        };
        let is_let_go = |path: &str, text: &str| is_let_go(path, text, before);
        assert!(is_let_go("steps/00/a.toml", &of(-1)) && !is_let_go("steps/00/a.toml", &of(0)));
        assert!(!is_let_go("refuted/00/a.toml", &of(-1)) && !is_let_go("refuted/00/a.toml", "made = "));
        assert!(is_let_go("steps/00/a.toml", "made = "), "it is below every one that can be read");
    }

    #[test]
    fn a_pass_reads_back_and_its_seal_is_over_all_of_it() {
        let report =
            StepReport { tests: Some(Tests { ran: 1, failed: 0, skipped: 2 }), ..StepReport::default() };
        let full = StepPass { report: Some(report), refuted: true, ..pass() };
        for pass in [pass(), full.clone()] {
            let text = encode_pass(&pass).to_string();
            assert_eq!(decode_pass(&Reader::new(&parse(&text).unwrap())).unwrap(), pass);
            let sealed = String::from_utf8(pass.signed_bytes()).unwrap();
            let lines = |text: &str| text.lines().filter(|l| !l.starts_with("mac =")).count();
            assert_eq!(sealed.lines().count(), lines(&text) + 1, "all but the seal");
        }
        assert_ne!(StepPass { refuted: false, ..full.clone() }.signed_bytes(), full.signed_bytes());
    }
}
