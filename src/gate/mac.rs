//! The seal on a verdict: HMAC-SHA-256 by a key that agents can't read.
//!
//! The key is 32 bytes in `verifier.key` under the user's state directory, outside of every repository and of
//! the agents' sandbox. Whoever runs with the user's own rights can read it: the seal tells this machine's
//! verdicts from hearsay, it does not prove anything to others.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::domain::verdict::{StepReport, StepResult, Verdict};
use crate::gate::canon::{Canon, hex, unhex};
use crate::sys::fs::{self, FsError};
use crate::sys::random;

/// The key's file name.
pub const FILE: &str = "verifier.key";
const BYTES: usize = 32;

/// This machine's key for verdicts.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey([u8; BYTES]);

impl std::fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifierKey(..)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be made or read.
    #[error("the verifier's key can't be used")]
    Fs(#[from] FsError),
    /// Others may read or write the file.
    #[error("{} may be read or written by others (mode {mode:03o}): chmod 600 it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("{} holds {length} bytes instead of {BYTES}: it is no key", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
}

impl VerifierKey {
    /// The key in `dir` (`Env::state_home`), made at the first use. Two processes at once get the same key.
    pub fn load_or_create(dir: &Path) -> Result<Self, KeyError> {
        if let Some(key) = Self::load(dir)? {
            return Ok(key);
        }
        fs::create_dir_all(dir)?;
        let path = dir.join(FILE);
        // Whoever is first wins; the file appears whole, so that the loser reads the winner's key.
        fs::publish_new(&path, &random::bytes::<BYTES>(), 0o600)?;
        read(&path)
    }

    /// The key in `dir`, if there is one.
    pub fn load(dir: &Path) -> Result<Option<Self>, KeyError> {
        match read(&dir.join(FILE)) {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::Fs(e)) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The MAC of `verdict`, whatever its field `mac` says.
    pub fn sign(&self, verdict: &Verdict) -> String {
        hex(&self.mac(verdict).finalize().into_bytes())
    }

    /// Whether `verdict.mac` is this key's MAC of the rest. Takes the same time wherever they differ.
    pub fn verify(&self, verdict: &Verdict) -> bool {
        unhex(&verdict.mac).is_some_and(|mac| self.mac(verdict).verify_slice(&mac).is_ok())
    }

    /// The MAC of other bytes of ours. They must begin with a line that says what they are, so that no two
    /// kinds of record can stand for one another.
    pub fn sign_bytes(&self, bytes: &[u8]) -> String {
        hex(&self.keyed().chain_update(b"git-orch bytes v1\n").chain_update(bytes).finalize().into_bytes())
    }

    /// Whether `mac` is this key's MAC of `bytes`.
    pub fn verify_bytes(&self, bytes: &[u8], mac: &str) -> bool {
        let keyed = self.keyed().chain_update(b"git-orch bytes v1\n").chain_update(bytes);
        unhex(mac).is_some_and(|mac| keyed.verify_slice(&mac).is_ok())
    }

    fn keyed(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length")
    }

    fn mac(&self, verdict: &Verdict) -> Hmac<Sha256> {
        self.keyed().chain_update(canonical(verdict))
    }
}

fn read(path: &Path) -> Result<VerifierKey, KeyError> {
    let error = |source| FsError { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(error)?;
    let mode = file.metadata().map_err(error)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(BYTES as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    let length = bytes.len();
    bytes.try_into().map(VerifierKey).map_err(|_| KeyError::Length { path: path.to_owned(), length })
}

/// A digest of all of a verdict but its seals, lower-case hexadecimal SHA-256.
pub(super) fn record_digest(verdict: &Verdict) -> String {
    hex(&Sha256::digest(canonical(verdict)))
}

/// All fields but the seals, in the order of the struct (encoding: `canon`).
fn canonical(v: &Verdict) -> Vec<u8> {
    let canon = Canon::new("git-orch verdict v1")
        .text(&v.key)
        .text(v.tree.as_str())
        .text(&v.gate)
        .text(v.word.as_str())
        .text(v.scope.as_str())
        .option(v.rule.as_deref())
        .option(v.fact.as_deref())
        .text(v.trust.as_str())
        .number(v.steps.len() as u64);
    let canon = v.steps.iter().fold(canon, step).text(&v.made.to_string()).text(&v.by);
    // Verdicts of the first run were sealed before runs were counted.
    let canon = if v.run > 1 { canon.number(u64::from(v.run)) } else { canon };
    // And those from before tools were named.
    if v.tools.is_empty() {
        return canon.bytes();
    }
    let canon = canon.text("tools").number(v.tools.len() as u64);
    v.tools.iter().fold(canon, |canon, (name, what)| canon.text(name).text(what)).bytes()
}

fn step(canon: Canon, step: &StepResult) -> Canon {
    let exit = step.exit.map(|code| code.to_string());
    let canon = canon
        .text(&step.name)
        .text(&step.kind)
        .text(step.word.as_str())
        .option(step.reason.as_deref())
        .number(step.millis)
        .option(exit.as_deref())
        .text(&step.tail);
    // Verdicts from before there were reports keep their seals.
    let canon = match &step.report {
        Some(found) => report(canon, found),
        None => canon,
    };
    // And those from before there were keys.
    match (&step.key, step.cached) {
        (None, None) => canon,
        (key, cached) => {
            let cached = cached.map(|at| at.to_string());
            canon.text("key").option(key.as_deref()).option(cached.as_deref())
        }
    }
}

fn report(canon: Canon, report: &StepReport) -> Canon {
    let tests = report.tests.map(|t| format!("{} {} {}", t.ran, t.failed, t.skipped));
    let coverage = report.coverage.map(|c| format!("{} {}", c.covered, c.total));
    let canon = canon
        .text("report")
        .number(report.found)
        .option(tests.as_deref())
        .option(coverage.as_deref())
        .number(report.findings.len() as u64);
    let canon = if report.partial { canon.text("partial") } else { canon };
    let quarantined = report.quarantined.iter().map(String::as_str);
    let canon =
        if report.quarantined.is_empty() { canon } else { canon.text("quarantined").list(quarantined) };
    report.findings.iter().fold(canon, |canon, finding| {
        let span = finding.span.map(|s| format!("{} {:?} {}", s.line, s.column, s.end_line));
        canon
            .text(&finding.rule)
            .option(finding.path.as_deref())
            .option(span.as_deref())
            .text(&finding.message)
            .text(finding.severity.as_str())
            .text(&finding.fingerprint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::domain::oid::Oid;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::{Scope, Trust, Word};

    fn verdict() -> Verdict {
        Verdict {
            key: "k".into(),
            tree: Oid::parse(&"1".repeat(40)).unwrap(),
            gate: "g".into(),
            word: Word::Pass,
            scope: Scope::Absolute,
            rule: None,
            fact: None,
            trust: Trust::Unsandboxed,
            steps: vec![StepResult {
                name: "test".into(),
                kind: "test".into(),
                word: Word::Pass,
                reason: None,
                millis: 5,
                exit: Some(0),
                tail: "ok".into(),
                report: None,
                key: None,
                cached: None,
            }],
            made: Timestamp::from_millis(0),
            run: 1,
            by: "person:ann@example.com".into(),
            tools: BTreeMap::new(),
            mac: String::new(),
            signature: None,
        }
    }

    #[test]
    fn the_mac_is_frozen() {
        // Stored verdicts carry it: another encoding would make every recorded verdict a hint.
        insta::assert_snapshot!(VerifierKey([7; BYTES]).sign(&verdict()), @"96c273a542d63abddd31f71b6aa954a8295bba1726c78c60a55de1ec3d3ed5df");
    }

    #[test]
    fn a_change_of_any_field_breaks_the_seal() {
        let key = VerifierKey([7; BYTES]);
        let mut good = verdict();
        good.mac = key.sign(&good);
        assert!(key.verify(&good));
        assert!(!VerifierKey([8; BYTES]).verify(&good));
        let changes: Vec<fn(&mut Verdict)> = vec![
            |v| v.key.push('x'),
            |v| v.tree = Oid::parse(&"2".repeat(40)).unwrap(),
            |v| v.gate.push('x'),
            |v| v.word = Word::Fail,
            |v| v.scope = Scope::NoRegressions,
            |v| v.rule = Some(String::new()),
            |v| v.fact = Some("x".into()),
            |v| v.trust = Trust::Sandboxed,
            |v| v.steps.clear(),
            |v| v.steps[0].name.push('x'),
            |v| v.steps[0].kind.push('x'),
            |v| v.steps[0].word = Word::Fail,
            |v| v.steps[0].reason = Some("x".into()),
            |v| v.steps[0].millis = 6,
            |v| v.steps[0].exit = None,
            |v| v.steps[0].tail.clear(),
            |v| v.steps[0].report = Some(StepReport::default()),
            |v| v.steps[0].report = Some(StepReport { partial: true, ..StepReport::default() }),
            |v| {
                v.steps[0].report =
                    Some(StepReport { quarantined: vec!["x".into()], ..StepReport::default() });
            },
            |v| v.steps[0].key = Some(String::new()),
            |v| v.steps[0].cached = Some(Timestamp::from_millis(0)),
            |v| v.made = Timestamp::from_millis(1),
            |v| v.by.push('x'),
            |v| drop(v.tools.insert("x".into(), "y".into())),
            |v| v.mac.truncate(62),
            |v| v.mac = v.mac.to_uppercase(),
            |v| v.mac.clear(),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(!key.verify(&bad), "change {index} is not seen");
        }
    }

    #[test]
    fn many_at_once_get_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("state/git-orch");
        let keys: Vec<VerifierKey> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| VerifierKey::load_or_create(&home).unwrap())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(VerifierKey::load(&home).unwrap(), Some(keys[0].clone()));
        let mode = home.join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::list(&home).unwrap().len(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write_new(&path, &[1; BYTES], 0o600).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(VerifierKey::load(dir.path()), Err(KeyError::Open { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write_new(&dir.path().join(FILE), &[1; BYTES + 1], 0o600).unwrap();
        assert!(matches!(VerifierKey::load_or_create(dir.path()), Err(KeyError::Length { length: 33, .. })));
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", VerifierKey([7; BYTES])), "VerifierKey(..)");
    }
}
