//! The formats by their names in `orch.toml`: `report = "eslint"`, `"junit:target/junit.xml"`, `"regex:^(?P<file>…"`.

use regex::Regex;

use crate::gate::findings::pattern;
use crate::gate::findings::place::relative;

/// Which reader.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Cargo,
    Libtest,
    Eslint,
    Tsc,
    Vitest,
    Jest,
    Ruff,
    Mypy,
    Pytest,
    Junit,
    Sarif,
    Lcov,
    Cobertura,
    Go,
    Pattern(Box<Regex>),
}

/// The names of all but patterns.
const NAMED: [(&str, Kind); 14] = [
    ("cargo", Kind::Cargo),
    ("libtest", Kind::Libtest),
    ("eslint", Kind::Eslint),
    ("tsc", Kind::Tsc),
    ("vitest", Kind::Vitest),
    ("jest", Kind::Jest),
    ("ruff", Kind::Ruff),
    ("mypy", Kind::Mypy),
    ("pytest", Kind::Pytest),
    ("junit", Kind::Junit),
    ("sarif", Kind::Sarif),
    ("lcov", Kind::Lcov),
    ("cobertura", Kind::Cobertura),
    ("go", Kind::Go),
];

/// What a step's report looks like, and where it is.
#[derive(Clone, Debug)]
pub struct Format {
    pub(super) kind: Kind,
    path: Option<String>,
}

/// Why a `report` is none.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// No such name.
    #[error("cannot read reports of the format `{name}`; known are: {known}")]
    Unknown {
        /// What was written.
        name: String,
        /// What could be.
        known: String,
    },
    /// The path leads nowhere below the checkout.
    #[error("cannot use `{path}` as the path of a report: it must be below the checkout")]
    Path {
        /// What was written.
        path: String,
    },
    /// The pattern is no regular expression.
    #[error("cannot use `{pattern}` as a pattern")]
    Pattern {
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        cause: Box<regex::Error>,
    },
    /// The pattern has a group without a meaning, or none with one.
    #[error("cannot use `{pattern}` as a pattern: its named groups must be some of: {known}")]
    Groups {
        /// What was written.
        pattern: String,
        /// The groups that have a meaning.
        known: String,
    },
}

impl Format {
    /// The format for a step's `report`: a name, `name:path` or `regex:pattern`.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        if let Some(pattern) = text.strip_prefix("regex:") {
            return Ok(Self { kind: Kind::Pattern(Box::new(compile(pattern)?)), path: None });
        }
        let (name, path) = match text.split_once(':') {
            Some((name, path)) => (name, Some(path)),
            None => (text, None),
        };
        let Some((_, kind)) = NAMED.into_iter().find(|(known, _)| *known == name) else {
            let known = NAMED.iter().map(|(name, _)| *name).chain(["regex:<pattern>"]).collect::<Vec<_>>();
            return Err(FormatError::Unknown { name: name.to_owned(), known: known.join(", ") });
        };
        // Below a root that nothing is below: an absolute path is none of the checkout.
        let below =
            |path: &str| relative(path, "?").ok_or_else(|| FormatError::Path { path: path.to_owned() });
        Ok(Self { kind, path: path.map(below).transpose()? })
    }

    /// The file that the report is in, from the checkout's root; None: it is what the step prints.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Formats of one family have the same fingerprints: the same tool behind another way to print.
    pub(super) fn family(&self) -> &'static str {
        match self.kind {
            Kind::Cargo | Kind::Libtest => "cargo",
            Kind::Eslint => "eslint",
            Kind::Tsc => "tsc",
            Kind::Vitest | Kind::Jest => "jest",
            Kind::Ruff => "ruff",
            Kind::Mypy => "mypy",
            Kind::Pytest => "pytest",
            Kind::Junit => "junit",
            Kind::Sarif => "sarif",
            Kind::Lcov => "lcov",
            Kind::Cobertura => "cobertura",
            Kind::Go => "go",
            Kind::Pattern(_) => "regex",
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, FormatError> {
    let compiled = Regex::new(pattern)
        .map_err(|e| FormatError::Pattern { pattern: pattern.to_owned(), cause: Box::new(e) })?;
    let names: Vec<&str> = compiled.capture_names().flatten().collect();
    if names.is_empty() || names.iter().any(|name| !pattern::GROUPS.contains(name)) {
        let known = pattern::GROUPS.join(", ");
        return Err(FormatError::Groups { pattern: pattern.to_owned(), known });
    }
    Ok(compiled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Format::parse(text) {
            Ok(format) => format!("{} {}", format.family(), format.path().unwrap_or("-")),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn names_paths_and_patterns() {
        for (text, expected) in [
            ("eslint", "eslint -"),
            ("libtest", "cargo -"),
            ("junit:./target/ci/junit.xml", "junit target/ci/junit.xml"),
            ("regex:^(?P<file>[^:]+):(?P<line>\\d+)", "regex -"),
            ("junit:/tmp/x", "cannot use `/tmp/x` as the path of a report: it must be below the checkout"),
            ("junit:", "cannot use `` as the path of a report: it must be below the checkout"),
            ("junit:a/../..", "cannot use `a/../..` as the path of a report: it must be below the checkout"),
            ("regex:(", "cannot use `(` as a pattern"),
            (
                "regex:x",
                "cannot use `x` as a pattern: its named groups must be some of: file, line, col, rule, message, severity",
            ),
            (
                "regex:(?P<path>x)",
                "cannot use `(?P<path>x)` as a pattern: its named groups must be some of: file, line, col, rule, message, severity",
            ),
            (
                "eslnt:x",
                "cannot read reports of the format `eslnt`; known are: cargo, libtest, eslint, tsc, vitest, jest, ruff, mypy, pytest, junit, sarif, lcov, cobertura, go, regex:<pattern>",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
