//! Which scripts of a `package.json` are one tool whose report can be read.

/// A tool as a script runs it: its report, and the options that make it print that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported {
    /// As `report` of a step.
    pub(super) report: &'static str,
    /// What has to be added to its line; empty: nothing.
    pub(super) options: &'static str,
}

const ESLINT: Reported = Reported { report: "eslint", options: "-f json" };
const VITEST: Reported = Reported { report: "vitest", options: "--reporter=json" };
const JEST: Reported = Reported { report: "jest", options: "--json" };
const TSC: Reported = Reported { report: "tsc", options: "" };

/// What a script is, if it is nothing but one of these tools. One that chose what it prints is left alone, and so is what a
/// shell makes of several: options would go to the last.
pub(super) fn reported(script: &str) -> Option<Reported> {
    let script = script.trim();
    if script.contains(['&', '|', ';', '>', '<', '`', '$', '\n']) {
        return None;
    }
    let mut words = script.split_whitespace();
    let tool = words.next()?;
    let rest: Vec<&str> = words.collect();
    let chose =
        |names: &[&str]| rest.iter().any(|word| names.contains(&word.split('=').next().unwrap_or(word)));
    match tool {
        "eslint" if !chose(&["-f", "--format", "-o", "--output-file"]) => Some(ESLINT),
        // Without `run` it would wait for changes, but for what it thinks of CI.
        "vitest"
            if rest.iter().any(|w| ["run", "--run"].contains(w))
                && !chose(&["--reporter", "--outputFile"]) =>
        {
            Some(VITEST)
        }
        "jest" if !chose(&["--json", "--reporters", "--outputFile"]) => Some(JEST),
        "tsc" if !chose(&["-w", "--watch", "-b", "--build"]) => Some(TSC),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_tool_by_itself_is_known() {
        for (script, expected) in [
            ("eslint .", Some("eslint -f json")),
            ("eslint . --max-warnings 0", Some("eslint -f json")),
            ("eslint . --format stylish", None),
            ("eslint . --format=json -o out.json", None),
            ("eslint . && tsc", None),
            ("vitest run --coverage", Some("vitest --reporter=json")),
            ("vitest", None),
            ("vitest run --reporter=dot", None),
            ("jest", Some("jest --json")),
            ("jest --json", None),
            ("tsc --noEmit", Some("tsc ")),
            ("tsc -b", None),
            ("NODE_ENV=test jest", None),
            ("node --test", None),
            ("", None),
        ] {
            let found = reported(script).map(|r| format!("{} {}", r.report, r.options));
            assert_eq!(found.as_deref(), expected, "{script}");
        }
    }
}
