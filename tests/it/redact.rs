//! Replaces what differs from run to run: paths, ids, object ids, times.
//!
//! A thing keeps its name for as long as its `TestEnv` lives, and names are given in the order of first
//! appearance, so that a snapshot shows which ids are the same.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Eight characters of Crockford's alphabet: an id, or an English word ("branches").
const ID: &str = "[0-9a-hjkmnp-tv-z]{8}";

/// Where an id is an id whatever it looks like: a branch, a worktree, a field, a whole line of output.
static ID_IN_CONTEXT: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r#"(?m)(?:^session |Session |fix/|feature/|\.orch/|Orch-Task: |(?:bug|quality|test|feature|refactor|docs)-|"(?:id|task|session|change|subject)": ?"|\A)({ID})\b|^({ID})$"#
    ))
});
/// A word that may be an id or an object id.
static WORD: LazyLock<Regex> = LazyLock::new(|| regex("[0-9A-Za-z_]+"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?)?",
        r"|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} +\d+ \d\d:\d\d:\d\d \d{4}( [+-]\d{4})?"
    ))
});
/// A measured duration. One in quotes is somebody's configuration.
static DURATION: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?m)(^|[\s(,])\d+(\.\d+)? ?(µs|ms|s|min)( \d+ ?s)?\b"));
static PID: LazyLock<Regex> = LazyLock::new(|| regex(r"\bpid \d+"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("written above")
}

/// Knows what it has replaced.
pub(crate) struct Redactor {
    paths: Vec<(String, &'static str)>,
    ids: Vec<String>,
    known: Vec<String>,
    oids: Vec<String>,
}

impl Redactor {
    /// For a world below `root`, with the binaries in `bin`.
    pub(crate) fn new(root: &Path, bin: &Path) -> Self {
        let text = |p: &Path| p.to_string_lossy().into_owned();
        Self {
            paths: vec![(text(root), "$ROOT"), (text(bin), "$BIN")],
            ids: Vec::new(),
            known: Vec::new(),
            oids: Vec::new(),
        }
    }

    /// Remembers ids that `text` shows in a place where only ids are.
    pub(crate) fn learn(&mut self, text: &str) {
        for found in ID_IN_CONTEXT.captures_iter(text) {
            if let Some(id) = found.get(1).or_else(|| found.get(2)) {
                self.learn_id(id.as_str());
            }
        }
    }

    /// Remembers one id.
    pub(crate) fn learn_id(&mut self, id: &str) {
        if !self.known.iter().any(|k| k == id) {
            self.known.push(id.to_owned());
        }
    }

    /// `text` without what differs from run to run.
    pub(crate) fn redact(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in &self.paths {
            text = text.replace(path, name);
        }
        self.learn(&text);
        text = TIME.replace_all(&text, "TIME").into_owned();
        text = DURATION.replace_all(&text, "${1}DURATION").into_owned();
        // What was done within a second is shown without a number.
        text = text.replace("(just now)", "(DURATION ago)");
        text = PID.replace_all(&text, "pid PID").into_owned();
        WORD.replace_all(&text, |word: &Captures<'_>| self.word(&word[0])).into_owned()
    }

    fn word(&mut self, word: &str) -> String {
        let hex = word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && matches!(word.len(), 12 | 40 | 64) {
            return if word.bytes().all(|b| b == b'0') { "ZERO".to_owned() } else { self.oid(word) };
        }
        // An id is all letters one time in twenty: those are known from where they were shown.
        let mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_lowercase());
        let shape = word.len() == 8 && !word.bytes().any(|b| b"ilou_".contains(&b) || b.is_ascii_uppercase());
        if shape && (mixed || self.known.iter().any(|k| k == word)) {
            return format!("ID{}", position(&mut self.ids, word, |known| known == word));
        }
        word.to_owned()
    }

    /// A full object id and its abbreviation have the same name.
    fn oid(&mut self, word: &str) -> String {
        let n = position(&mut self.oids, word, |known| known.starts_with(word) || word.starts_with(known));
        if self.oids[n - 1].len() < word.len() {
            word.clone_into(&mut self.oids[n - 1]);
        }
        format!("OID{n}")
    }
}

/// The place from 1 of the first that `is`, or of `word` added at the end.
fn position(list: &mut Vec<String>, word: &str, is: impl Fn(&str) -> bool) -> usize {
    let at = list.iter().position(|known| is(known)).unwrap_or_else(|| {
        list.push(word.to_owned());
        list.len() - 1
    });
    at + 1
}

#[test]
fn names_are_stable_and_in_order_of_appearance() {
    let mut r = Redactor::new(Path::new("/tmp/x"), Path::new("/bin/y"));
    let a = "a1".repeat(20);
    let text =
        format!("/tmp/x/repo 7k3fabcd {a} {} branches\nfix/branches-slug 2026-11-23T10:00:00.000Z", &a[..12]);
    let expected = "$ROOT/repo ID1 OID1 OID1 ID2\nfix/ID2-slug TIME";
    assert_eq!(r.redact(&text), expected, "an id that is a word is known from its context");
    assert_eq!(
        r.redact("bug-7k3fabcd took 12 ms, timeout = \"60s\""),
        "bug-ID1 took DURATION, timeout = \"60s\""
    );
    let mut r = Redactor::new(Path::new("/tmp/x"), Path::new("/bin/y"));
    assert_eq!(r.redact("the branches of sha256sum_x"), "the branches of sha256sum_x");
}
