//! The comment that asks for an exception: `orch-allow: <rule>[, <rule>…] -- <reason>`.
//!
//! It is on the line of the hit or on the one above, and the change adds it, too: an old comment excuses nothing new.

use crate::policy::guardrail::change::Change;

const SIGN: &str = "orch-allow:";
/// What stands between the rules and the reason.
const DASHES: &str = " -- ";
/// A shorter reason is none.
const REASON: usize = 10;
/// What ends a comment in some language, and is no part of the reason.
const ENDS: [&str; 5] = ["*/", "-->", "#}", "%>", "--}}"];

/// A comment that names a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comment {
    Reasoned(String),
    /// Without a reason, or one too short to be one.
    Bare,
}

/// The comment in `text` that names `rule`.
fn in_text(text: &str, rule: &str) -> Option<Comment> {
    text.split(SIGN).skip(1).find_map(|asked| {
        let (rules, reason) = asked.split_once(DASHES).unwrap_or((asked, ""));
        let named = rules.split([',', ' ', '\t', '*', '/']).any(|word| word.trim() == rule);
        named.then(|| {
            let mut reason = reason.trim();
            while let Some(rest) = ENDS.iter().find_map(|end| reason.strip_suffix(end)) {
                reason = rest.trim();
            }
            let long = reason.chars().filter(|c| c.is_alphanumeric()).count() >= REASON;
            if long { Comment::Reasoned(reason.to_owned()) } else { Comment::Bare }
        })
    })
}

/// The comment that names `rule` for line `number` of the new file.
pub(super) fn comment(change: &Change, number: u32, rule: &str) -> Option<Comment> {
    [Some(number), number.checked_sub(1)].into_iter().flatten().find_map(|number| {
        let at = change.added.binary_search_by_key(&number, |line| line.number).ok()?;
        in_text(&change.added[at].text, rule)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_rules_and_gives_a_reason() {
        let rule = "guardrail.a.b";
        let reasoned = |text: &str| Some(Comment::Reasoned(text.to_owned()));
        for (text, expected) in [
            ("x(); // orch-allow: guardrail.a.b -- upstream bug 1234", reasoned("upstream bug 1234")),
            ("/* orch-allow: guardrail.a.b -- upstream bug 1234 */", reasoned("upstream bug 1234")),
            ("<!-- orch-allow: guardrail.a.b -- upstream bug 1234 -->", reasoned("upstream bug 1234")),
            ("# orch-allow: guardrail.x, guardrail.a.b -- upstream bug 1234", reasoned("upstream bug 1234")),
            ("# orch-allow: guardrail.a.b -- bug", Some(Comment::Bare)),
            ("# orch-allow: guardrail.a.b -- --------------", Some(Comment::Bare)),
            ("# orch-allow: guardrail.a.b", Some(Comment::Bare)),
            ("# orch-allow: guardrail.a.bc -- upstream bug 1234", None),
            ("# orch-allow: -- guardrail.a.b upstream bug 1234", None),
            ("# guardrail.a.b -- upstream bug 1234", None),
        ] {
            assert_eq!(in_text(text, rule), expected, "{text}");
        }
    }
}
