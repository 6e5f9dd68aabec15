//! Which files of a tree a step's `inputs` name, and which directories need no look inside. Pure.
//!
//! A path is an input if one of the globs matches it and none of those that begin with `!` does; where all begin so, it is
//! whatever these leave. The name of a directory stands for all that is in it. `*` stops at `/`, `**` does not.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// What a step reads.
#[derive(Clone, Debug)]
pub struct Covers {
    wanted: Vec<Glob>,
    unwanted: Vec<Glob>,
    matches: GlobSet,
    excludes: GlobSet,
}

/// How much of a directory is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that is in it.
    All,
    /// Perhaps something.
    Some,
    /// Nothing.
    None,
}

#[derive(Clone, Debug)]
struct Glob {
    /// What stands before the first part with a wildcard, without a slash at its end.
    literal: String,
    /// Whether all below `literal` matches.
    all_below: bool,
    /// Whether there is no wildcard: then it may be a directory's name.
    plain: bool,
}

impl Glob {
    fn new(text: &str) -> Self {
        let text = text.trim_end_matches('/');
        let wild = |part: &&str| part.contains(['*', '?', '[', '{', '\\']);
        let parts: Vec<&str> = text.split('/').collect();
        let literal: Vec<&str> = parts.iter().copied().take_while(|part| !wild(part)).collect();
        let rest = &parts[literal.len()..];
        let all_below = rest == ["**"] || rest == ["**", "*"];
        Self { literal: literal.join("/"), all_below, plain: rest.is_empty() }
    }

    /// Whether something in `dir` may match.
    fn may_match_in(&self, dir: &str) -> bool {
        is_below(&self.literal, dir) || is_below(dir, &self.literal)
    }

    /// Whether everything in `dir` matches.
    fn matches_all_in(&self, dir: &str) -> bool {
        (self.all_below || self.plain) && is_below(dir, &self.literal)
    }
}

/// Whether `path` is `dir` or in it; everything is in ``.
fn is_below(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Covers {
    /// What `inputs` names; everything where it is empty.
    ///
    /// # Errors
    /// A text that is no glob, with what is wrong with it.
    pub fn new(inputs: &[String]) -> Result<Self, globset::Error> {
        let (unwanted, wanted): (Vec<&str>, Vec<&str>) =
            inputs.iter().map(String::as_str).partition(|text| text.starts_with('!'));
        let unwanted: Vec<&str> = unwanted.into_iter().filter_map(|text| text.strip_prefix('!')).collect();
        let wanted = if wanted.is_empty() { vec!["**"] } else { wanted };
        Ok(Self {
            matches: set(&wanted)?,
            excludes: set(&unwanted)?,
            wanted: wanted.into_iter().map(Glob::new).collect(),
            unwanted: unwanted.into_iter().map(Glob::new).collect(),
        })
    }

    /// How much of the directory at `dir` (with `/`, none at its end) is covered.
    pub fn dir(&self, dir: &str) -> Extent {
        if self.unwanted.iter().any(|glob| glob.matches_all_in(dir)) {
            return Extent::None;
        }
        let clean = !self.unwanted.iter().any(|glob| glob.may_match_in(dir));
        if clean && self.wanted.iter().any(|glob| glob.matches_all_in(dir)) {
            Extent::All
        } else if self.wanted.iter().any(|glob| glob.may_match_in(dir)) {
            Extent::Some
        } else {
            Extent::None
        }
    }

    /// Whether the file at `path` is covered.
    pub fn file(&self, path: &str) -> bool {
        let plain = |globs: &[Glob]| globs.iter().any(|glob| glob.plain && is_below(path, &glob.literal));
        (self.matches.is_match(path) || plain(&self.wanted))
            && !(self.excludes.is_match(path) || plain(&self.unwanted))
    }
}

fn set(globs: &[&str]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        set.add(GlobBuilder::new(text.trim_end_matches('/')).literal_separator(true).build()?);
    }
    set.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(inputs: &[&str]) -> Covers {
        Covers::new(&inputs.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn files() {
        for (inputs, path, expected) in [
            (&[][..], "a/b", true),
            (&["src/**"], "src/a/b.rs", true),
            (&["src/**"], "srcs/a", false),
            (&["src"], "src/a/b.rs", true),
            (&["src/"], "src/a", true),
            (&["*.rs"], "a.rs", true),
            (&["*.rs"], "a/b.rs", false),
            (&["**/*.rs"], "b.rs", true),
            (&["**/*.{ts,tsx}", "!gen/**"], "gen/a.ts", false),
            (&["**/*.{ts,tsx}", "!gen"], "gen/x/a.ts", false),
            (&["!docs/**"], "src/a", true),
            (&["!docs/**"], "docs/a", false),
            (&["a b/\u{fc}/**"], "a b/\u{fc}/c", true),
        ] {
            assert_eq!(covers(inputs).file(path), expected, "{inputs:?} {path}");
        }
    }

    #[test]
    fn directories() {
        use Extent::{All, None, Some};
        for (inputs, dir, expected) in [
            (&[][..], "a", All),
            (&["src/**"], "src", All),
            (&["src/**"], "src/a", All),
            (&["src/**"], "srcs", None),
            (&["src/a/**"], "src", Some),
            (&["src/a.rs"], "src", Some),
            (&["src"], "src/a", All),
            (&["**/*.rs"], "x", Some),
            (&["src/**/*.rs"], "src/x", Some),
            (&["src/**", "!src/gen/**"], "src", Some),
            (&["src/**", "!src/gen/**"], "src/a", All),
            (&["src/**", "!src/gen/**"], "src/gen", None),
            (&["src/**", "!**/*.md"], "src/a", Some),
            (&["!docs/**"], "src", All),
        ] {
            assert_eq!(covers(inputs).dir(dir), expected, "{inputs:?} {dir}");
        }
    }

    proptest! {
        /// What is said of a directory holds for each file in it.
        #[test]
        fn directories_and_files_agree(
            inputs in prop::collection::vec("!?(\\*\\*|[ab]|[ab]/[ab]|\\*)(/(\\*\\*|\\*|[ab]|\\*\\.x))?", 0..4),
            path in "[ab]/[ab]/[ab](\\.x)?",
        ) {
            let Ok(covers) = Covers::new(&inputs) else { return Ok(()) };
            for (at, _) in path.match_indices('/') {
                match covers.dir(&path[..at]) {
                    Extent::All => prop_assert!(covers.file(&path), "{inputs:?} {path} {at}"),
                    Extent::None => prop_assert!(!covers.file(&path), "{inputs:?} {path} {at}"),
                    Extent::Some => {}
                }
            }
        }
    }
}
