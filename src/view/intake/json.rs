//! JSON lines: one object a line with the fields of a task (contract.md). `id` is a name that `needs` of
//! other lines may use; the queue gives out its own. What only the queue can know (`fence`, `owner`, …) is
//! accepted and left out, so that the output of `list --json` can be read back line by line.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::draft::{self, Draft};
use crate::domain::kind::{Kind, Priority};
use crate::domain::role::Role;
use crate::view::intake::{Found, Intake};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    title: String,
    id: Option<String>,
    kind: Option<String>,
    body: Option<String>,
    priority: Option<String>,
    role: Option<String>,
    labels: Option<Vec<String>>,
    needs: Option<Vec<String>>,
    files: Option<Vec<String>>,
    acceptance: Option<Vec<String>>,
    status: Option<String>,
    #[serde(rename = "schema")]
    _schema: Option<Value>,
    #[serde(rename = "ready")]
    _ready: Option<Value>,
    #[serde(rename = "owner")]
    _owner: Option<Value>,
    #[serde(rename = "fence")]
    _fence: Option<Value>,
    #[serde(rename = "claim")]
    _claim: Option<Value>,
    #[serde(rename = "branch")]
    _branch: Option<Value>,
    #[serde(rename = "path")]
    _path: Option<Value>,
    #[serde(rename = "created")]
    _created: Option<Value>,
    #[serde(rename = "updated")]
    _updated: Option<Value>,
    #[serde(rename = "rejected")]
    _rejected: Option<Value>,
}

/// Reads every line that is not blank.
pub(super) fn read(text: &str) -> Intake {
    let mut intake = Intake::default();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Line>(line) {
            Ok(parsed) => task(i + 1, parsed, &mut intake),
            Err(e) => intake.problem(i + 1, message(&e, line)),
        }
    }
    intake
}

/// serde's message without its own position (the line is always 1 there) and without its list of all fields.
fn message(e: &serde_json::Error, line: &str) -> String {
    let text = e.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let what = what.split_once(", expected one of").map_or(what, |(what, _)| what);
    let hint = match what.strip_prefix("unknown field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => format!("; did you mean `{}`?", nearest(field)),
        None if e.is_eof() && line.trim() == "{" => "; write each object on one line".to_owned(),
        None => String::new(),
    };
    format!("column {}: {what}{hint}", e.column())
}

/// The field that `field` was probably meant to be.
fn nearest(field: &str) -> &'static str {
    const FIELDS: [&str; 10] =
        ["title", "id", "kind", "body", "priority", "role", "labels", "needs", "files", "acceptance"];
    let distance = |candidate: &&str| strsim::damerau_levenshtein(field, candidate);
    FIELDS.into_iter().min_by_key(distance).unwrap_or("title")
}

fn task(line: usize, parsed: Line, intake: &mut Intake) {
    let before = intake.problems.len();
    let title = match draft::title(&parsed.title) {
        Ok(title) => title,
        Err(e) => {
            intake.problem(line, e.to_string());
            String::new()
        }
    };
    let kind = word(line, "kind", parsed.kind.as_deref(), Kind::parse, intake);
    let priority = word(line, "priority", parsed.priority.as_deref(), Priority::parse, intake);
    let role = word(line, "role", parsed.role.as_deref(), Role::parse, intake);
    if let Some(status) = parsed.status.filter(|s| s != "open") {
        intake.problem(line, format!("`status` is `{status}`; only open tasks can be added"));
    }
    if intake.problems.len() > before {
        return;
    }
    let draft = Draft {
        kind: kind.unwrap_or(Kind::Bug),
        body: parsed.body.unwrap_or_default().trim_end().to_owned(),
        priority: priority.unwrap_or_default(),
        role,
        labels: parsed.labels.unwrap_or_default(),
        files: parsed.files.unwrap_or_default(),
        acceptance: parsed.acceptance.unwrap_or_default(),
        ..Draft::new(title)
    };
    intake.found.push(Found { line, name: parsed.id, needs: parsed.needs.unwrap_or_default(), draft });
}

fn word<T>(
    line: usize,
    field: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<T>,
    intake: &mut Intake,
) -> Option<T> {
    let text = text?;
    let value = parse(text);
    if value.is_none() {
        intake.problem(line, format!("`{text}` is no {field} (see `git orch add -h`)"));
    }
    value
}

#[cfg(test)]
mod tests {
    use crate::domain::draft::Need;
    use crate::domain::kind::{Kind, Priority};
    use crate::view::intake::read_tasks;

    #[test]
    fn a_line_may_name_another_one_or_a_task_of_the_queue() {
        let text = r#"{"title":"Parser","id":"p","kind":"feature","priority":"P0","labels":["ui"]}

{"title":"Printer","needs":["p","bug-7k3f"],"fence":3,"owner":null}"#;
        let drafts = read_tasks(text).unwrap();
        assert_eq!((drafts[0].kind, drafts[0].priority), (Kind::Feature, Priority::P0));
        assert_eq!(drafts[1].kind, Kind::Bug);
        assert_eq!(drafts[1].needs[0], Need::Sibling(0));
        assert!(matches!(&drafts[1].needs[1], Need::Task(p) if p.prefix == "7k3f"));
    }

    #[test]
    fn every_problem_is_named_with_its_line() {
        let text = "{\"title\":\"ok\",\"id\":\"a\"}\n{\"titel\":\"x\"}\n{\"title\":\" \",\"kind\":\"cow\"}\n\
                    {\"title\":\"x\",\"status\":\"done\"}\n{\n{\"title\":\"y\",\"id\":\"a\",\"needs\":[\"a\",\"?\"]}\nhm";
        let e = read_tasks(text).expect_err("bad lines");
        insta::assert_snapshot!(e, @r"
        line 2: column 8: unknown field `titel`; did you mean `title`?
        line 3: a title can't be empty
        line 3: `cow` is no kind (see `git orch add -h`)
        line 4: `status` is `done`; only open tasks can be added
        line 5: column 1: EOF while parsing an object; write each object on one line
        line 6: the id `a` is used twice
        line 6: `a` needs itself
        line 6: `?` is neither the id of another task here nor one that the queue could have
        line 7: column 1: expected value
        ");
    }

    #[test]
    fn the_output_of_list_can_be_read_back() {
        let view = crate::view::TaskView::new(&crate::view::task::tests::sample(7, "Fix it"), true, None);
        let drafts = read_tasks(&serde_json::to_string(&view).unwrap()).unwrap();
        assert_eq!(
            (drafts[0].title.as_str(), drafts[0].labels.as_slice()),
            ("Fix it", &["ui".to_owned()][..])
        );
    }
}
