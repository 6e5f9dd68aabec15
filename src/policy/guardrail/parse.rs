//! Rules from TOML.

use std::ops::Range;

use regex::{Regex, RegexSet};
use serde::Deserialize;
use toml::Spanned;

use crate::policy::contract::Patterns;
use crate::policy::guardrail::problem::RuleProblem;
use crate::policy::guardrail::rule::{Allow, Check, Kind, Rule, Rules, Scope, Search, When};

/// What every id begins with in findings and exceptions.
const PREFIX: &str = "guardrail.";
/// Bits a character of what people type as a stand-in stay below this; those of keys that a machine made do not.
const ENTROPY: f64 = 3.0;

/// A file of rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What a project must ask for to have these rules.
    profile: Option<String>,
    /// The files that rules without `files` are for.
    #[serde(default)]
    files: Vec<String>,
    /// Files that no rule here is for.
    #[serde(default)]
    except: Vec<String>,
    /// Words that no real secret contains.
    #[serde(default)]
    dummies: Vec<String>,
    rule: Vec<Spanned<Raw>>,
}

/// A rule as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    about: String,
    why: String,
    fix: String,
    allow: Allow,
    #[serde(default = "line")]
    kind: Kind,
    files: Option<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
    /// A line without any of these (case ignored) can't be a hit; without them the pattern itself is tried.
    #[serde(default)]
    words: Vec<String>,
    pattern: Option<Spanned<String>>,
    unless: Option<Spanned<String>>,
    above: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
    needs: Option<Spanned<String>>,
    marker: Option<Spanned<String>>,
    /// In place of the file's.
    dummies: Option<Vec<String>>,
    entropy: Option<f64>,
    limit: Option<u64>,
    when: Option<Vec<When>>,
}

fn line() -> Kind {
    Kind::Line
}

impl Rules {
    /// Reads files of rules: name and TOML each. Rules of a file with a `profile` are there only if `profiles` has it.
    ///
    /// # Errors
    /// Of each file everything that is wrong; while its TOML is broken, or has unknown keys, only the first such thing.
    pub fn parse(sources: &[(&str, &str)], profiles: &[&str]) -> Result<Self, Vec<RuleProblem>> {
        let mut reader = Reader::default();
        for (name, text) in sources {
            reader.file(name, text, profiles);
        }
        reader.finish()
    }
}

fn lower(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.to_lowercase()).collect()
}

/// Collects rules and problems.
#[derive(Default)]
struct Reader {
    rules: Vec<Rule>,
    scopes: Vec<Scope>,
    words: Vec<String>,
    searched: Vec<usize>,
    problems: Vec<RuleProblem>,
}

/// What is being read.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
    file: &'a File,
    /// The present rule.
    span: Range<usize>,
}

impl Source<'_> {
    fn problem(&self, message: impl Into<String>) -> RuleProblem {
        RuleProblem::at(self.name, self.text, &self.span, message)
    }

    fn regex(&self, pattern: &Spanned<String>) -> Result<Regex, RuleProblem> {
        Regex::new(pattern.get_ref()).map_err(|e| {
            let message = format!("not a pattern: {}", e.to_string().replace('\n', " "));
            RuleProblem::at(self.name, self.text, &pattern.span(), message)
        })
    }

    fn maybe(&self, pattern: Option<&Spanned<String>>) -> Result<Option<Regex>, RuleProblem> {
        pattern.map(|pattern| self.regex(pattern)).transpose()
    }

    fn needed(&self, pattern: Option<&Spanned<String>>) -> Result<Regex, RuleProblem> {
        pattern.map_or_else(|| Err(self.problem("the rule needs a `pattern`")), |p| self.regex(p))
    }

    fn search(&self, raw: &Raw) -> Result<Search, RuleProblem> {
        Ok(Search {
            pattern: self.needed(raw.pattern.as_ref())?,
            unless: self.maybe(raw.unless.as_ref())?,
            above: self.maybe(raw.above.as_ref())?,
            until: self.maybe(raw.until.as_ref())?,
            needs: self.maybe(raw.needs.as_ref())?,
        })
    }

    fn check(&self, raw: &Raw) -> Result<Check, RuleProblem> {
        Ok(match raw.kind {
            Kind::Line => Check::Line(self.search(raw)?),
            Kind::Secret => Check::Secret {
                search: self.search(raw)?,
                entropy: raw.entropy.unwrap_or(ENTROPY),
                dummies: lower(raw.dummies.as_ref().unwrap_or(&self.file.dummies)),
            },
            Kind::DeletedTest => {
                let name = self.needed(raw.pattern.as_ref())?;
                if name.captures_len() < 2 {
                    return Err(self.problem("the `pattern` needs a group for the test's name"));
                }
                Check::DeletedTest { name, marker: self.maybe(raw.marker.as_ref())? }
            }
            Kind::Conflict => Check::Conflict,
            Kind::Size => {
                let limit = raw.limit.ok_or_else(|| self.problem("the rule needs a `limit` in bytes"))?;
                Check::Size { limit }
            }
            Kind::Binary => Check::Binary,
            Kind::Path => Check::Path { when: raw.when.clone().unwrap_or_else(|| When::ALL.to_vec()) },
        })
    }

    /// Keys that the kind of the rule does not know.
    fn stray(&self, raw: &Raw) -> Result<(), RuleProblem> {
        let lines = matches!(raw.kind, Kind::Line | Kind::Secret);
        let tests = raw.kind == Kind::DeletedTest;
        let keys = [
            ("words", !raw.words.is_empty(), lines),
            ("pattern", raw.pattern.is_some(), lines || tests),
            ("unless", raw.unless.is_some(), lines),
            ("above", raw.above.is_some(), lines),
            ("until", raw.until.is_some(), lines),
            ("needs", raw.needs.is_some(), lines),
            ("marker", raw.marker.is_some(), tests),
            ("dummies", raw.dummies.is_some(), raw.kind == Kind::Secret),
            ("entropy", raw.entropy.is_some(), raw.kind == Kind::Secret),
            ("limit", raw.limit.is_some(), raw.kind == Kind::Size),
            ("when", raw.when.is_some(), raw.kind == Kind::Path),
        ];
        match keys.into_iter().find(|(_, there, known)| *there && !known) {
            Some((key, _, _)) => Err(self.problem(format!("a rule of this kind has no `{key}`"))),
            None => Ok(()),
        }
    }
}

impl Reader {
    fn file(&mut self, name: &str, text: &str, profiles: &[&str]) {
        let file: File = match toml::from_str(text) {
            Ok(file) => file,
            Err(e) => {
                let span = e.span().unwrap_or(0..0);
                self.problems.push(RuleProblem::at(name, text, &span, e.message().trim()));
                return;
            }
        };
        if file.profile.as_deref().is_some_and(|profile| !profiles.contains(&profile)) {
            return;
        }
        for raw in &file.rule {
            let source = Source { name, text, file: &file, span: raw.span() };
            if let Err(problem) = self.rule(&source, raw.get_ref()) {
                self.problems.push(problem);
            }
        }
    }

    fn rule(&mut self, source: &Source<'_>, raw: &Raw) -> Result<(), RuleProblem> {
        source.stray(raw)?;
        let id = format!("{PREFIX}{}", raw.id);
        if self.rules.iter().any(|rule| rule.id == id) {
            return Err(source.problem(format!("a second rule `{}`", raw.id)));
        }
        for (key, text) in [("id", &raw.id), ("about", &raw.about), ("why", &raw.why), ("fix", &raw.fix)] {
            if text.trim().is_empty() {
                return Err(source.problem(format!("`{key}` is empty")));
            }
        }
        let rule = Rule {
            id,
            about: raw.about.clone(),
            why: raw.why.clone(),
            fix: raw.fix.clone(),
            allow: raw.allow,
            kind: raw.kind,
            profile: source.file.profile.clone(),
            source: source.name.to_owned(),
            check: source.check(raw)?,
            scope: self.scope(source, raw)?,
        };
        if let Some(search) = rule.search() {
            self.searched.push(self.rules.len());
            self.words.push(prefilter(&raw.words, search));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// The scope of a rule: many have the same, and it is compiled and tried once.
    fn scope(&mut self, source: &Source<'_>, raw: &Raw) -> Result<usize, RuleProblem> {
        let files = lower(raw.files.as_ref().unwrap_or(&source.file.files));
        let except = lower(&[raw.except.as_slice(), source.file.except.as_slice()].concat());
        if files.is_empty() {
            return Err(source.problem("the rule is for no files"));
        }
        let same = |scope: &Scope| scope.files.texts() == files && scope.except.texts() == except;
        if let Some(at) = self.scopes.iter().position(same) {
            return Ok(at);
        }
        let compile = |texts: &[String]| {
            Patterns::compile(source.name, texts).map_err(|e| source.problem(e.to_string()))
        };
        self.scopes.push(Scope { files: compile(&files)?, except: compile(&except)? });
        Ok(self.scopes.len() - 1)
    }

    fn finish(self) -> Result<Rules, Vec<RuleProblem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let words = RegexSet::new(&self.words).map_err(|e| {
            let all = "all rules together";
            vec![RuleProblem::at(all, "", &(0..0), format!("too large: {e}"))]
        })?;
        Ok(Rules { list: self.rules, scopes: self.scopes, words, searched: self.searched })
    }
}

/// What a line must contain for a rule to be tried on it.
fn prefilter(words: &[String], search: &Search) -> String {
    if words.is_empty() {
        return search.pattern.as_str().to_owned();
    }
    let words: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
    // Without Unicode: `k` and `s` have relatives outside ASCII, which would slow every line down.
    format!("(?i-u:{})", words.join("|"))
}
