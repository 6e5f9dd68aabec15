//! A verdict in the form that others read: an in-toto Statement whose predicate is a SLSA Verification Summary, and the
//! envelope that carries its signature.
//!
//! Sources: in-toto Attestation Framework v1 (Statement), SLSA v1.0 (Verification Summary Attestation), DSSE v1.0.2 (pre-
//! authentication encoding, envelope). The statement is a function of the verdict alone, to the byte, so that whoever has the
//! verdict can check a signature over it. Fields of ours are in `gitOrch`, which other readers pass over; its `record` is a
//! digest of all of the verdict.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::domain::verdict::{Scope, StepResult, Verdict, Word};
use crate::gate::mac::record_digest;

/// The type of an envelope's payload.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What signatures of ours are for: one for something else is none.
pub const NAMESPACE: &str = "git-orch";

/// The statement, as bytes.
pub fn statement(verdict: &Verdict) -> Vec<u8> {
    let passed = verdict.word == Word::Pass;
    let levels: Vec<String> = match (passed, verdict.scope) {
        (false, _) => Vec::new(),
        (true, Scope::Absolute) => vec!["GIT_ORCH_PASS".to_owned()],
        (true, Scope::NoRegressions) => vec!["GIT_ORCH_NO_REGRESSIONS".to_owned()],
    };
    let steps: Vec<Value> = verdict.steps.iter().map(step).collect();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": format!("tree:{}", verdict.tree), "digest": { "gitTree": verdict.tree.as_str() } }],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": { "id": "urn:git-orch:ralph" },
            "timeVerified": verdict.made.to_string(),
            "resourceUri": format!("urn:git-orch:tree:{}", verdict.tree),
            "policy": { "uri": "urn:git-orch:gate", "digest": { "sha256": verdict.gate } },
            "verificationResult": if passed { "PASSED" } else { "FAILED" },
            "verifiedLevels": levels,
            "gitOrch": {
                "key": verdict.key,
                "verdict": verdict.word.as_str(),
                "scope": verdict.scope.as_str(),
                "trust": verdict.trust.as_str(),
                "rule": verdict.rule,
                "fact": verdict.fact,
                "run": verdict.run,
                "by": verdict.by,
                "tools": verdict.tools,
                "steps": steps,
                "record": { "sha256": record_digest(verdict) },
            },
        },
    });
    // Maps are ordered by their keys, so that the same verdict has the same bytes.
    statement.to_string().into_bytes()
}

fn step(step: &StepResult) -> Value {
    json!({
        "name": step.name,
        "kind": step.kind,
        "verdict": step.word.as_str(),
        "how": if step.cached.is_some() { "cached" } else { "executed" },
        "made": step.cached.map(|at| at.to_string()),
        "key": step.key,
        "millis": step.millis,
    })
}

/// What a signature is made over: DSSE's pre-authentication encoding.
pub fn signed_bytes(statement: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), statement.len());
    [head.as_bytes(), statement].concat()
}

/// The envelope of a statement with a signature, as JSON.
pub fn envelope(statement: &[u8], signature: &str) -> Value {
    json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": BASE64.encode(statement),
        "signatures": [{ "sig": BASE64.encode(signature) }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oid::Oid;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::Trust;

    fn result(name: &str) -> StepResult {
        StepResult {
            name: name.into(),
            kind: "test".into(),
            word: Word::Pass,
            reason: None,
            millis: 5,
            exit: Some(0),
            tail: "ok".into(),
            report: None,
            key: None,
            cached: None,
        }
    }

    fn sample(steps: Vec<StepResult>) -> Verdict {
        Verdict {
            key: "k".into(),
            tree: Oid::parse(&"c".repeat(40)).unwrap(),
            gate: "g".into(),
            word: Word::Pass,
            scope: Scope::Absolute,
            rule: None,
            fact: None,
            trust: Trust::Sandboxed,
            steps,
            made: Timestamp::from_millis(0),
            run: 1,
            by: "person:ann".into(),
            tools: std::collections::BTreeMap::new(),
            mac: "m".into(),
            signature: None,
        }
    }

    #[test]
    fn the_statement_is_frozen() {
        // Signatures are made over it: another text would make every signature one of nobody.
        let mut cached = result("lint");
        (cached.key, cached.cached) = (Some("0f".into()), Some(Timestamp::from_millis(0)));
        let mut verdict = sample(vec![cached, result("test")]);
        verdict.tools.insert("node".into(), "1a".into());
        let text: Value = serde_json::from_slice(&statement(&verdict)).unwrap();
        assert_eq!(text.to_string().into_bytes(), statement(&verdict), "in one order");
        let text = &text["predicate"]["gitOrch"];
        insta::assert_snapshot!(serde_json::to_string_pretty(text).unwrap(), @r#"
        {
          "by": "person:ann",
          "fact": null,
          "key": "k",
          "record": {
            "sha256": "4482cabc378fc39633eb923a7b230055196e1ae2d4d3546c3ee4c731c071ad51"
          },
          "rule": null,
          "run": 1,
          "scope": "absolute",
          "steps": [
            {
              "how": "cached",
              "key": "0f",
              "kind": "test",
              "made": "1970-01-01T00:00:00.000Z",
              "millis": 5,
              "name": "lint",
              "verdict": "PASS"
            },
            {
              "how": "executed",
              "key": null,
              "kind": "test",
              "made": null,
              "millis": 5,
              "name": "test",
              "verdict": "PASS"
            }
          ],
          "tools": {
            "node": "1a"
          },
          "trust": "sandboxed",
          "verdict": "PASS"
        }
        "#);
        insta::assert_snapshot!(crate::gate::canon::hex(&<sha2::Sha256 as sha2::Digest>::digest(statement(&verdict))), @"82767ddecb8d77795b75f975c661e0064c9a83a642866f81a9ab2099ffc1d84f");
    }

    #[test]
    fn everything_in_a_verdict_is_signed() {
        let good = sample(vec![result("test")]);
        let changes: Vec<fn(&mut Verdict)> = vec![
            |v| v.word = Word::Fail,
            |v| v.steps[0].tail.push('x'),
            |v| v.steps[0].millis += 1,
            |v| v.run += 1,
            |v| drop(v.tools.insert("x".into(), "y".into())),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            assert_ne!(statement(&bad), statement(&good), "change {index} is not seen");
        }
    }

    #[test]
    fn the_encoding_is_that_of_dsse() {
        assert_eq!(signed_bytes(b"hi"), b"DSSEv1 28 application/vnd.in-toto+json 2 hi");
        let envelope = envelope(b"hi", "s");
        assert_eq!(
            (&envelope["payload"], &envelope["signatures"][0]["sig"]),
            (&json!("aGk="), &json!("cw=="))
        );
    }
}
