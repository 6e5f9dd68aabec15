//! Every decoder against what is nearly right: files of `tests/corpus/store`, mutated.
//!
//! What is read is hostile input. Nothing makes a decoder panic; what it accepts it writes and reads back as the same;
//! and nothing becomes much larger than it was. `PROPTEST_CASES=1000000` runs longer. A failure prints the mutations.

use std::path::{Path, PathBuf};

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;
use toml::Table;

use crate::domain::mutation::{Traps, mutation};
use crate::domain::oid::Oid;
use crate::domain::stamp::{Hlc, Stamp};
use crate::git::{Entry, EntryKind};
use crate::store::admit::check_place;
use crate::store::check::problem;
use crate::store::claim::ClaimRecord;
use crate::store::codec::{decode_task, encode_task};
use crate::store::layout;
use crate::store::passes::{decode_pass, encode_pass};
use crate::store::reader::{Reader, parse};
use crate::store::records::{self, Approval, Meta};
use crate::sys::fs;

/// What formats like to stumble over.
const TRAPS: Traps = Traps {
    words: &[
        "\"",
        "'",
        "\"\"\"",
        "=",
        "\n",
        "[",
        "]",
        "[[",
        "{",
        "}",
        ".",
        "#",
        "\\u0000",
        "\\U0010FFFF",
        "\u{feff}",
        "\r",
        "-1",
        "9223372036854775808",
        "18446744073709551615",
        "1e999",
        "nan",
        "true",
        "[register]\n",
        "schema = 2\n",
    ],
    nest: "[{a=",
};

/// Every file below `tests/corpus/store`, by its path in a state; claims by `claim.toml`.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/store");
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = vec![root.join("v1"), root.join("claims")];
    while let Some(dir) = todo.pop() {
        for path in fs::list(&dir).expect("the corpus can be read") {
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let below = path.strip_prefix(&root).expect("below it").to_str().expect("plain").to_owned();
            let name = match below.split_once('/') {
                Some(("claims", _)) | None => "claim.toml".to_owned(),
                Some((_, name)) => name.to_owned(),
            };
            found.push((name, fs::read_string(&path).expect("text").into_bytes()));
        }
    }
    found
}

/// Reads what belongs at `path`; what was read, written: None if it was refused.
fn again(path: &str, text: &str) -> Option<String> {
    let table = |decode: &dyn Fn(&Reader<'_>) -> Option<Table>| {
        let table = parse(text).ok()?;
        Some(decode(&Reader::new(&table))?.to_string())
    };
    match path.split_once('/').map_or(path, |(dir, _)| dir) {
        "claim.toml" => Some(ClaimRecord::decode(text).ok()?.encode()),
        "tasks" => Some(encode_task(&decode_task(text).ok()?)),
        "meta.toml" => table(&|r| Some(Meta::decode(r).ok()?.encode())),
        "control.toml" => table(&|r| Some(records::encode_control(&records::decode_control(r).ok()?))),
        "sessions" => table(&|r| Some(records::encode_session(&records::decode_session(r).ok()?))),
        "steps" | layout::REFUTED => table(&|r| Some(encode_pass(&decode_pass(r).ok()?))),
        "verdicts" => table(&|r| Some(records::encode_verdict(&records::decode_verdict(r).ok()?))),
        "decisions" => table(&|r| Some(Approval::decode(r).ok()?.encode())),
        _ => None,
    }
}

fn judge(path: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    drop(problem(path, bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
    let Some(written) = again(path, text) else { return Ok(()) };
    let back = again(path, &written);
    prop_assert_eq!(back.as_ref(), Some(&written), "reads back as the same");
    prop_assert!(written.len() <= 4 * text.len() + 4_096, "{} of {}", written.len(), text.len());
    Ok(())
}

#[test]
fn the_corpus_has_every_kind_and_all_of_it_is_read() {
    let corpus = corpus();
    for kind in [
        "claim.toml",
        "tasks/",
        "meta.toml",
        "control.toml",
        "sessions/",
        "verdicts/",
        "steps/",
        "refuted/",
        "decisions/",
    ] {
        let toml = |path: &str| path.starts_with(kind) && path.contains(".toml");
        let mut of_kind = corpus.iter().filter(|(path, _)| toml(path)).peekable();
        assert!(of_kind.peek().is_some(), "no {kind}");
        for (path, bytes) in of_kind {
            let text = std::str::from_utf8(bytes).expect("text");
            assert!(again(path, text).is_some(), "{path}");
        }
    }
}

/// Each case is some 50 inputs.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.saturating_mul(3), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_makes_a_decoder_stumble(list in prop::collection::vec(
        (any::<Index>(), prop::collection::vec(mutation(), 1..6)), 16)
    ) {
        let corpus = corpus();
        for (file, mutations) in list {
            let (path, bytes) = file.get(&corpus);
            let mut bytes = bytes.clone();
            for how in &mutations {
                bytes = how.of(bytes, &TRAPS, &corpus);
                judge(path, &bytes)?;
            }
        }
    }

    #[test]
    fn names_and_stamps_are_read_or_refused(text in prop_oneof![
        any::<String>(),
        "[0-9a-z/]{1,16}",
        "(tasks/)?[0-9a-z]{2}/[0-9a-z]{8}(\\.toml)?",
        "-?[0-9]{0,25}\\.[0-9]{0,12}( [0-9a-z]{8})?( .{0,9})?",
    ]) {
        if let Some(id) = layout::task_of_claim(&text) {
            prop_assert_eq!(layout::claim(&id), text.clone());
        }
        if let Some(id) = layout::task_of(&text) {
            prop_assert_eq!(layout::task(&id), text.clone());
        }
        if let Some(clock) = Hlc::parse(&text) {
            prop_assert_eq!(Hlc::parse(&clock.to_string()), Some(clock));
            prop_assert!(clock.after(clock) >= clock);
        }
        if let Ok(stamp) = Stamp::parse(&text) {
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Ok(stamp));
        }
        let oid = Oid::parse(&"a".repeat(40)).expect("valid");
        let entry = Entry { name: Vec::new(), kind: EntryKind::Blob, executable: false, oid };
        if check_place(&text, &entry).is_ok() {
            prop_assert!(text.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
            prop_assert!(text.is_ascii() && !text.contains([' ', '\\', ':']));
        }
        drop(problem(&text, text.as_bytes()));
    }
}
