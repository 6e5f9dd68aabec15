//! From a text to a report: the one way in.

use crate::gate::findings::format::{Format, Kind};
use crate::gate::findings::report::{Report, ReportError};
use crate::gate::findings::settle::settle;
use crate::gate::findings::source::Sources;
use crate::gate::findings::{
    cargo, cobertura, eslint, go, jest, junit, lcov, libtest, mypy, pattern, pytest, ruff, sarif, tsc,
};

/// Reads `text`, what a step printed or the file at `format.path()`, of a tool that ran in the checkout at `root`: its path as
/// tools see it, without symbolic links.
///
/// Tools that say nothing of a tree without problems have an empty report for an empty text. A step that failed with an
/// empty report is the caller's to judge: its tool may have failed before it looked.
pub fn read(format: &Format, text: &str, root: &str, sources: &dyn Sources) -> Result<Report, ReportError> {
    let gathered = match &format.kind {
        Kind::Cargo => cargo::read(text)?,
        Kind::Libtest => libtest::read(text, "libtest")?,
        Kind::Eslint => eslint::read(text)?,
        Kind::Tsc => tsc::read(text)?,
        Kind::Vitest => jest::read(text, "vitest")?,
        Kind::Jest => jest::read(text, "jest")?,
        Kind::Ruff => ruff::read(text)?,
        Kind::Mypy => mypy::read(text)?,
        Kind::Pytest => pytest::read(text)?,
        Kind::Junit => junit::read(text)?,
        Kind::Sarif => sarif::read(text)?,
        Kind::Lcov => lcov::read(text)?,
        Kind::Cobertura => cobertura::read(text)?,
        Kind::Go => go::read(text)?,
        Kind::Pattern(pattern) => pattern::read(pattern, text),
    };
    Ok(settle(&gathered, format.family(), root, sources))
}
