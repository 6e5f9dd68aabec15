//! Every reader against what is nearly right: files of the corpus, mutated, and texts of nothing.
//!
//! Reports are hostile input. Nothing makes a reader panic, and what it keeps is bounded. `PROPTEST_CASES=1000000` runs
//! longer. A failure prints the mutations.

use std::path::PathBuf;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof};
use proptest::proptest;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use crate::domain::finding::Finding;
use crate::domain::mutation::{Traps, mutation};
use crate::gate::findings::tests::setting::{Files, ROOT, Tree, corpus, format};
use crate::gate::findings::{FINDINGS, Sources, read};
use crate::sys::fs;

const FORMATS: [&str; 15] = [
    "cargo",
    "libtest",
    "eslint",
    "tsc",
    "vitest",
    "jest",
    "ruff",
    "mypy",
    "pytest",
    "junit",
    "sarif",
    "lcov",
    "cobertura",
    "go",
    r"regex:(?P<file>[^:]*):(?P<line>\d+):(?P<col>\d+)",
];

/// What formats like to stumble over.
const TRAPS: Traps = Traps {
    words: &[
        "\"",
        "\n",
        "[",
        "{",
        "}",
        "]",
        ",",
        "\\ud800",
        "\u{feff}",
        "\r",
        "\x1b[31m",
        "-1",
        "0",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "1e999",
        "null",
        "<testcase name=\"a\">",
        "</testsuite>",
        "<failure>",
        "&#x110000;",
        "<![CDATA[",
        "]]>",
        "\n{\"reason\":",
        "\n{\"Action\":\"fail\",\"Package\":\"a/b\"}\n",
        "\nfailures:\n",
        "\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; \n",
        "::",
        "../",
    ],
    nest: "[{\"a\":",
};

/// Every report of the corpus, with its directory.
fn reports() -> Vec<(PathBuf, Vec<u8>)> {
    let list = |path: &PathBuf| fs::list(path).expect("the corpus can be read");
    let dirs = list(&corpus()).into_iter().filter(|path| path.is_dir()).flat_map(|dir| list(&dir));
    let files = dirs.flat_map(|dir| list(&dir).into_iter().map(move |file| (dir.clone(), file)));
    let reports = files.filter(|(_, file)| file.is_file());
    reports.map(|(dir, file)| (dir, fs::read(&file).expect("it was listed"))).collect()
}

fn judge(name: &str, bytes: &[u8], sources: &dyn Sources) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(bytes);
    let Ok(report) = read(&format(name), &text, ROOT, sources) else { return Ok(()) };
    prop_assert!(report.findings.len() <= FINDINGS);
    for finding in &report.findings {
        prop_assert!(finding.message.len() <= Finding::MESSAGE && finding.rule.len() <= 300);
        prop_assert!(!finding.message.contains(char::is_control));
        prop_assert!(finding.fingerprint.len() == 32);
        if let Some(path) = &finding.path {
            let whole = |part: &str| !["", ".", ".."].contains(&part);
            prop_assert!(path.split('/').all(whole) && path.len() <= 1_024, "{path}");
        }
        if let Some(span) = finding.span {
            prop_assert!(finding.path.is_some() && span.line > 0 && span.end_line >= span.line);
        }
    }
    if let Some(tests) = report.tests {
        prop_assert!(tests.failed <= tests.ran || name == "jest" || name == "vitest");
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_makes_a_reader_stumble(list in prop::collection::vec(
        (any::<Index>(), any::<Index>(), prop::collection::vec(mutation(), 1..6)), 8)
    ) {
        let reports = reports();
        for (file, other, mutations) in list {
            let (dir, bytes) = file.get(&reports);
            let of_dir = dir.parent().and_then(|of| of.file_name()).and_then(|name| name.to_str());
            let of_dir = of_dir.map_or("", |name| name.rsplit('-').next().unwrap_or(name));
            let own = FORMATS.iter().find(|name| **name == of_dir);
            let sources = Tree(dir.join("tree"));
            let mut bytes = bytes.clone();
            for how in &mutations {
                bytes = how.of(bytes, &TRAPS, &reports);
                for name in own.into_iter().chain([other.get(&FORMATS)]) {
                    judge(name, &bytes, &sources)?;
                }
            }
        }
    }

    #[test]
    fn nothing_is_too_strange_to_be_refused(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            any::<String>().prop_map(String::into_bytes),
            "([a-z/.\u{e4}\u{1f600}]{1,9}[:(,)]{1,2}[0-9]{1,11}[:,)] ?){1,4}.{0,20}\n".prop_map(String::into_bytes),
        ],
        source in any::<String>(),
    ) {
        let files = [("a", source.as_str())];
        for name in FORMATS {
            judge(name, &bytes, &Files(&files))?;
        }
    }

    #[test]
    fn places_that_are_not_there_have_no_text(
        source in "[a\u{e4}\u{1f600} \t\r\n]{0,60}",
        line in prop_oneof![0..9_u32, Just(u32::MAX)],
        column in prop_oneof![0..40_u32, Just(u32::MAX)],
    ) {
        let files = [("a", source.as_str())];
        let eslint = format!(
            r#"[{{"filePath":"a","messages":[{{"ruleId":"r","severity":2,"message":"m","line":{line},"column":{column},"endLine":0}}]}}]"#
        );
        for (name, text) in [
            ("eslint", eslint),
            ("tsc", format!("a({line},{column}): error TS1: m")),
            ("go", format!("a.go:{line}:{column}: m")),
            ("mypy", format!("a:{line}:{column}: error: m")),
            (FORMATS[14], format!("a:{line}:{column}")),
        ] {
            judge(name, text.as_bytes(), &Files(&files))?;
        }
    }
}
