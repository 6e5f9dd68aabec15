//! Names of task branches: `fix/<id>-slug`, `feature/<id>-slug`.

use crate::domain::id::TaskId;
use crate::domain::kind::Kind;
use crate::domain::role::{Role, Team};

const SLUG_CHARS: usize = 40;

/// The branch of a task: the role's prefix if it has one, else the kind's (contract.md, "Ids and tasks").
pub fn name(id: &TaskId, title: &str, kind: Kind, role: Option<Role>) -> String {
    let team = role.unwrap_or_else(|| Role::for_kind(kind)).team();
    let slug = slug(title);
    let dash = if slug.is_empty() { "" } else { "-" };
    format!("{}{id}{dash}{slug}", team.branch_prefix())
}

/// The team whose prefix `branch` (short name) has.
pub fn team(branch: &str) -> Option<Team> {
    Team::ALL.into_iter().find(|team| branch.starts_with(team.branch_prefix()))
}

/// The task that `branch` (short name, e.g. `fix/7k3fabcd-slug`) belongs to by its name alone.
pub fn task_of(branch: &str) -> Option<TaskId> {
    let rest = branch.strip_prefix(team(branch)?.branch_prefix())?;
    TaskId::parse(rest.split('-').next()?).ok()
}

/// Whether git takes `branch` as the short name of a branch, wherever it stands in a command line.
pub fn is_name(branch: &str) -> bool {
    let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    !branch.starts_with('-')
        && !branch.ends_with('.')
        && !branch.contains(bad)
        && !branch.contains("..")
        && !branch.contains("@{")
        && branch != "@"
        && branch.split('/').all(part)
}

/// Lower-case ASCII words of `title` joined by dashes, at most 40 characters; empty if it has none.
pub fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        let dash = usize::from(!slug.is_empty());
        if slug.len() + dash + word.len() > SLUG_CHARS {
            if slug.is_empty() {
                slug.push_str(&word[..SLUG_CHARS].to_ascii_lowercase());
            }
            break;
        }
        if dash == 1 {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    // git refuses names that end in `.lock`; a slug has no dot, so nothing else can go wrong.
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TaskId {
        TaskId::parse("7k3fabcd").expect("valid")
    }

    #[test]
    fn the_role_outranks_the_kind() {
        assert_eq!(name(&id(), "Fix: the race!", Kind::Bug, None), "fix/7k3fabcd-fix-the-race");
        assert_eq!(name(&id(), "x", Kind::Bug, Some(Role::Testwriter)), "feature/7k3fabcd-x");
        assert_eq!(name(&id(), "x", Kind::Docs, None), "feature/7k3fabcd-x");
    }

    #[test]
    fn titles_without_ascii_words_have_no_slug() {
        assert_eq!(name(&id(), "日本語", Kind::Test, None), "fix/7k3fabcd");
        assert_eq!(task_of("fix/7k3fabcd"), Some(id()));
    }

    #[test]
    fn slugs_are_bounded_at_words() {
        let s = slug("one two three four five six seven eight nine ten");
        assert!(s.len() <= SLUG_CHARS && !s.ends_with('-'), "{s}");
        assert_eq!(slug(&"a".repeat(90)).len(), SLUG_CHARS);
    }

    #[test]
    fn names_that_git_takes() {
        for name in ["main", "fix/7k3fabcd-x", "a/b.c", "é"] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", "-b", "a b", "a..b", "a/", "/a", "a//b", "x.lock", "a.lock/b", "@", "a@{b", "a\nb", "a."]
        {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn only_task_branches_have_a_task() {
        assert_eq!(task_of("fix/7k3fabcd-slug"), Some(id()));
        assert_eq!(task_of("fix/ui-race"), None);
        assert_eq!(task_of("main"), None);
    }
}
