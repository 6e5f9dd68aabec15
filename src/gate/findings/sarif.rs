//! SARIF 2.1.0: of each result its rule, level, message and first place.
//!
//! Results that the tool itself sets aside (suppressed, passed, absent) are left out.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::domain::finding::Severity;
use crate::gate::findings::json;
use crate::gate::findings::problem::{Column, Gathered, Place, Problem};
use crate::gate::findings::report::ReportError;

#[derive(Deserialize)]
struct Log {
    runs: Option<Vec<Run>>,
    /// Only there to tell it from other JSON.
    #[serde(rename = "version")]
    _version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Option<Tool>,
    results: Option<Vec<Found>>,
    #[serde(default)]
    artifacts: Vec<Artifact>,
    column_kind: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
    #[serde(default)]
    message_strings: BTreeMap<String, Message>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize)]
struct Artifact {
    location: Option<Uri>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: Option<Reference>,
    level: Option<String>,
    kind: Option<String>,
    baseline_state: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
    suppressions: Option<Vec<Suppression>>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
struct Message {
    text: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<Physical>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Option<Uri>,
    region: Option<Region>,
}

#[derive(Clone, Deserialize)]
struct Uri {
    uri: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: Option<i64>,
    start_column: Option<i64>,
    end_line: Option<i64>,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut gathered = Gathered::default();
    for run in json::documents::<Log>(text, "sarif")?.into_iter().filter_map(|log| log.runs).flatten() {
        for found in run.results.iter().flatten().filter(|found| counts(found)) {
            gathered.add(problem(found, &run));
        }
    }
    Ok(gathered)
}

/// Whether it is a problem that still stands.
fn counts(found: &Found) -> bool {
    let accepted = |s: &Suppression| s.status.as_deref().is_none_or(|status| status == "accepted");
    let suppressed = found.suppressions.iter().flatten().any(accepted);
    let fails = found.kind.as_deref().is_none_or(|kind| ["fail", "open", "review"].contains(&kind));
    !suppressed && fails && found.baseline_state.as_deref() != Some("absent")
}

fn problem(found: &Found, run: &Run) -> Problem {
    let rules = run.tool.as_ref().map_or(&[][..], |tool| &tool.driver.rules);
    let reference = found.rule.as_ref();
    let id = found.rule_id.as_deref().or_else(|| reference?.id.as_deref());
    let index = found.rule_index.or_else(|| reference?.index);
    let rule = index
        .and_then(|index| rules.get(usize::try_from(index).ok()?))
        .or_else(|| rules.iter().find(|rule| Some(rule.id.as_str()) == id));
    let name = id.or(rule.map(|rule| rule.id.as_str())).unwrap_or("sarif");
    let default = rule.and_then(|rule| rule.default_configuration.as_ref()?.level.as_deref());
    let severity = match found.level.as_deref().or(default) {
        Some("error") => Severity::Error,
        Some("note" | "none") => Severity::Note,
        Some(_) | None => Severity::Warning,
    };
    let by_id = || rule?.message_strings.get(found.message.id.as_deref()?)?.text.as_deref();
    let message = found.message.text.as_deref().or_else(by_id).unwrap_or_default();
    let problem = Problem::new(name, message).severity(severity);
    let physical = found.locations.iter().find_map(|location| location.physical_location.as_ref());
    match physical.and_then(|physical| Some((physical, path(physical.artifact_location.as_ref()?, run)?))) {
        Some((physical, path)) => {
            problem.at(path, physical.region.as_ref().and_then(|region| place(region, run)))
        }
        None => problem,
    }
}

fn place(region: &Region, run: &Run) -> Option<Place> {
    let unit = match run.column_kind.as_deref() {
        Some("unicodeCodePoints") => Column::Chars,
        Some("utf16CodeUnits") => Column::Utf16,
        // Tools that do not say it count whatever they have at hand.
        Some(_) | None => Column::Ascii,
    };
    Place::new(region.start_line, Column::new(unit, region.start_column), region.end_line)
}

/// The path of a file; its name may stand in the list of the run's files only.
fn path(uri: &Uri, run: &Run) -> Option<String> {
    let listed = || {
        let artifact = run.artifacts.get(usize::try_from(uri.index?).ok()?)?;
        artifact.location.as_ref()?.uri.as_deref()
    };
    let uri = uri.uri.as_deref().or_else(listed)?;
    // A host before the path is this machine.
    let uri = uri.strip_prefix("file://localhost").unwrap_or(uri);
    Some(percent_decode_str(uri).decode_utf8_lossy().into_owned())
}
