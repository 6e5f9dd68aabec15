//! What holds for all rules, and what the engine does with them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::table::{SOURCES, add, edit, hit_by, lines_from, rename, rules};
use crate::policy::guardrail::{Allow, Change, Exceptions, Excuse, Rule, Rules, check};

#[test]
fn every_rule_says_what_why_and_what_instead() {
    let rules = rules();
    assert!(rules.all().len() > 50, "{}", rules.all().len());
    for rule in rules.all() {
        assert!(
            rule.id.starts_with("guardrail.") && rule.why.len() > 15 && rule.fix.len() > 8,
            "{}",
            rule.id
        );
        for text in [&rule.about, &rule.why, &rule.fix] {
            assert!(!text.ends_with('.') && !text.contains('\n'), "{}: fragments", rule.id);
        }
        // Who writes the change must not be the one who lets a secret in, or a protected file be touched.
        let guarded = ["secret.", "protected.", "ci.", "conflict.", "file."];
        let guarded = guarded.iter().any(|group| rule.id["guardrail.".len()..].starts_with(group));
        assert!(!guarded || rule.allow != Allow::Comment, "{}", rule.id);
    }
}

#[test]
fn a_profile_switches_its_rules_on() {
    let without = Rules::parse(&SOURCES, &[]).unwrap();
    let with = rules();
    let ids = |rules: &Rules| rules.all().iter().map(|rule| rule.id.clone()).collect::<BTreeSet<_>>();
    let more: Vec<String> = ids(with).difference(&ids(&without)).cloned().collect();
    assert!(!more.is_empty() && more.iter().all(|id| id.starts_with("guardrail.phi.")), "{more:?}");
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    let rule = "files=['**']\n[[rule]]\nid='a'\nabout='x'\nwhy='x'\nfix='x'\nallow='never'\n";
    let problem = |text: &str| {
        let problems = Rules::parse(&[("mine.toml", text)], &[]).expect_err(text);
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert!(Rules::parse(&[("mine.toml", &format!("{rule}pattern='a'"))], &[]).is_ok());
    for (text, expected) in [
        (format!("{rule}patern='a'"), "mine.toml:8:1: unknown field `patern`"),
        (format!("{rule}pattern='('"), "mine.toml:8:9: not a pattern: "),
        (format!("{rule}kind='size'"), "mine.toml:2:1: the rule needs a `limit` in bytes"),
        (format!("{rule}kind='path'\npattern='a'"), "mine.toml:2:1: a rule of this kind has no `pattern`"),
        (rule.to_owned(), "mine.toml:2:1: the rule needs a `pattern`"),
        (format!("{rule}kind='deleted-test'\npattern='a'"), "needs a group for the test's name"),
        (format!("{rule}kind='cow'"), "mine.toml:8:6: unknown variant `cow`"),
        (format!("{rule}pattern='a'\nfiles=['[']"), "mine.toml:2:1: the contract of mine.toml has a pattern"),
        (format!("{rule}pattern='a'\nfiles=[]"), "mine.toml:2:1: the rule is for no files"),
        (rule.replace("id='a'", "id=''") + "pattern='a'", "mine.toml:2:1: `id` is empty"),
    ] {
        let told = problem(&text);
        assert!(told.contains(expected), "{text}\n{told}");
    }
    let twice = format!("{rule}pattern='a'\n{}pattern='b'", &rule["files=['**']\n".len()..]);
    assert_eq!(problem(&twice), "mine.toml:9:1: a second rule `a`");
}

#[test]
fn an_exception_is_a_reason_where_the_rule_allows_one() {
    let rules = rules();
    let judged = |text: &str, exceptions| {
        let checked = check(rules, &[edit("src/a.ts", text, "")], exceptions);
        let allowed = checked.allowed.iter().map(|a| format!("allowed {:?}", a.excuse));
        let hits = checked.hits.iter().map(|f| f.message.rsplit('`').next().unwrap_or_default().to_owned());
        allowed.chain(hits).collect::<Vec<_>>().join(" | ")
    };
    let id = "guardrail.suppression.ts-ignore";
    let same = format!("// @ts-ignore orch-allow: {id} -- the types of v3 are wrong");
    let above = format!("// orch-allow: {id} -- the types of v3 are wrong\n// @ts-ignore");
    let allowed = "allowed Comment(\"the types of v3 are wrong\")";
    for text in [&same, &above] {
        assert_eq!(judged(text, Exceptions::Comments), allowed);
        assert_eq!(judged(text, Exceptions::Person), allowed);
        assert_eq!(judged(text, Exceptions::Nobody), "; exceptions do not count here");
    }
    let bare = "; its exception gives no reason of ten letters";
    assert_eq!(judged(&format!("// orch-allow: {id} -- why\n// @ts-ignore"), Exceptions::Comments), bare);
    assert_eq!(judged(&format!("// @ts-ignore orch-allow: {id}"), Exceptions::Comments), bare);
    assert_eq!(judged("// @ts-ignore", Exceptions::Comments), "");
    assert_eq!(judged("// @ts-ignore", Exceptions::Person), "allowed Person");
    let far = format!("// orch-allow: {id} -- the types of v3 are wrong\nx()\n// @ts-ignore");
    assert_eq!(judged(&far, Exceptions::Comments), "");
}

#[test]
fn what_a_person_must_allow_is_not_allowed_by_a_comment() {
    let rules = rules();
    let sql = "-- orch-allow: guardrail.sql.drop -- nobody reads it since May\nDROP TABLE old_prices;";
    let change = [edit("db/7.sql", sql, "")];
    let checked = check(rules, &change, Exceptions::Comments);
    assert!(checked.hits[0].message.ends_with("; only a person may allow it"), "{:?}", checked.hits);
    let checked = check(rules, &change, Exceptions::Person);
    assert_eq!((checked.hits.len(), &checked.allowed[0].excuse), (0, &Excuse::Person));
}

#[test]
fn what_nothing_may_allow_is_never_allowed() {
    let text = "[[rule]]\nid='a'\nabout='x'\nwhy='x'\nfix='x'\nallow='never'\nfiles=['**']\npattern='bad'";
    let rules = Rules::parse(&[("mine.toml", text)], &[]).unwrap();
    let change = [edit("a", "bad # orch-allow: guardrail.a -- nobody else has it", "")];
    let checked = check(&rules, &change, Exceptions::Person);
    assert!(checked.hits[0].message.ends_with("; this rule has no exceptions"), "{:?}", checked.hits);
}

#[test]
fn an_old_comment_excuses_nothing_new() {
    let old = "// orch-allow: guardrail.suppression.ts-ignore -- the types of v3 are wrong";
    let mut change = edit("src/a.ts", "// @ts-ignore", old);
    change.removed[0].number = 9;
    assert_eq!(hit_by(&[change]), ["suppression.ts-ignore"]);
}

#[test]
fn moved_lines_are_old_code() {
    let line = "// @ts-ignore";
    assert!(hit_by(&[edit("a.ts", "    // @ts-ignore", line)]).is_empty(), "indented");
    assert!(hit_by(&[edit("a.ts", "", line), add("b.ts", line)]).is_empty(), "to another file");
    let copied = hit_by(&[edit("a.ts", &format!("{line}\nx()\n{line}"), line)]);
    assert_eq!(copied, ["suppression.ts-ignore"]);
    let renamed = Change { removed: lines_from(1, line), ..rename("a.ts", "b.ts") };
    assert!(hit_by(&[Change { added: lines_from(9, line), ..renamed }]).is_empty(), "in a file that moves");
    // Removed where it was no hit, it is no excuse where it is one.
    assert_eq!(hit_by(&[edit("a.md", "", line), add("b.ts", line)]), ["suppression.ts-ignore"]);
}

#[test]
fn findings_say_where_and_show_the_line() {
    let checked = check(rules(), &[edit("src/a.ts", "x();\n  y(); // @ts-ignore", "")], Exceptions::Nobody);
    let finding = &checked.hits[0];
    let span = finding.span.unwrap();
    assert_eq!((span.line, span.end_line, finding.path.as_deref()), (11, 11, Some("src/a.ts")));
    assert_eq!(finding.message, "the type checker is silenced: `y(); // @ts-ignore`");
    assert_eq!(finding.fingerprint.len(), 64);
}

#[test]
fn our_own_rules_and_documents_break_none() {
    let mut changes: Vec<Change> =
        SOURCES.iter().map(|(name, text)| add(&format!("policies/guardrails/{name}.toml"), text)).collect();
    changes.push(add("docs/guardrails.md", include_str!("../../../../docs/guardrails.md")));
    let checked = check(rules(), &changes, Exceptions::Nobody);
    assert!(checked.hits.is_empty(), "{:#?}", checked.hits);
}

#[test]
fn the_document_has_every_rule() {
    let document = include_str!("../../../../docs/guardrails.md");
    let row =
        |rule: &Rule| format!("| `{}` | {} | {} | {} |", rule.id, rule.about, rule.fix, rule.allow.as_str());
    let rows: Vec<String> = rules().all().iter().map(row).collect();
    let shown: Vec<&str> = document.lines().filter(|line| line.starts_with("| `guardrail.")).collect();
    assert_eq!(shown, rows, "the table should be:\n{}\n", rows.join("\n"));
}

/// Lines that no rule is about, and some that one is.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z (){};=]{0,40}",
        1 => Just("// @ts-ignore".to_owned()),
        1 => Just("it.only('x', () => {})".to_owned()),
        1 => Just("/* eslint-disable */".to_owned()),
    ]
}

proptest! {
    #[test]
    fn lines_that_stay_give_no_hit(lines in proptest::collection::vec(any_line(), 0..30)) {
        // As a whole file that is rewritten line by line to what it was.
        let text = lines.join("\n");
        prop_assert!(hit_by(&[edit("src/a.test.ts", &text, &text)]).is_empty());
        prop_assert!(hit_by(&[rename("src/a.test.ts", "src/b.test.ts")]).is_empty());
    }

    #[test]
    fn fingerprints_stay_when_lines_move(lines in proptest::collection::vec(any_line(), 0..30), by in 0u32..1000) {
        let rules = rules();
        let prints = |first: u32, indent: &str| {
            let text = lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n");
            let change = Change { added: lines_from(first, &text), ..add("src/a.ts", "") };
            let checked = check(rules, &[change], Exceptions::Nobody);
            checked.hits.into_iter().map(|f| (f.rule, f.fingerprint)).collect::<Vec<_>>()
        };
        prop_assert_eq!(prints(1, ""), prints(1 + by, "    "));
    }
}
