//! What git tells a hook, as values. Pure.
//!
//! Never an error: what this version does not know (a hook, a transaction state, a line) is a value of its own,
//! because a hook that fails on the unknown blocks every later git.

use crate::domain::oid::{MaybeOid, Oid};

/// One run of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `pre-commit`.
    PreCommit,
    /// `prepare-commit-msg`.
    PrepareCommitMsg {
        /// The message's file, absolute or relative to the working directory.
        file: String,
        /// Where the message came from; None for an ordinary `git commit`.
        source: Option<Source>,
        /// The commit that the message was taken from (`-c`, `-C`, `--amend`), as git wrote it.
        commit: Option<String>,
    },
    /// `commit-msg`.
    CommitMsg {
        /// The message's file, absolute or relative to the working directory.
        file: String,
    },
    /// `pre-push`.
    PrePush {
        /// The remote's name, or its URL if it has none.
        remote: String,
        /// The remote's URL.
        url: String,
        /// What is about to be pushed; empty when everything is up to date.
        lines: Vec<PushLine>,
        /// Lines that are not of the documented form.
        unreadable: Vec<String>,
    },
    /// `reference-transaction`.
    ReferenceTransaction {
        /// How far the transaction is.
        state: State,
        /// The refs it changes.
        updates: Vec<RefUpdate>,
    },
    /// A hook that this version does not know.
    Other {
        /// Its name.
        hook: String,
    },
}

/// Where a commit message came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `-m` or `-F`; also cherry-pick and revert.
    Message,
    /// `-t` or `commit.template`.
    Template,
    /// A merge.
    Merge,
    /// `git merge --squash`.
    Squash,
    /// `-c`, `-C` or `--amend`.
    Commit,
    /// A word that this version does not know.
    Other(String),
}

/// How far a reference transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Before the refs are locked (git 2.54).
    Preparing,
    /// The refs are locked: the last moment to refuse.
    Prepared,
    /// Done.
    Committed,
    /// Given up; also reported for transactions that never began.
    Aborted,
    /// A word that this version does not know.
    Other(String),
}

/// One line of `pre-push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushLine {
    /// What is pushed, as the user wrote it; `(delete)` for a deletion. May contain spaces (`HEAD@{1 day ago}`).
    pub local_ref: String,
    /// Its id; zero for a deletion.
    pub local: MaybeOid,
    /// The full name of the ref at the remote.
    pub remote_ref: String,
    /// Its id there; zero if it is not there.
    pub remote: MaybeOid,
}

/// One side of a line of `reference-transaction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Zeros: absent, or (as the old value) no expectation.
    Zero,
    /// An object.
    Id(Oid),
    /// Another ref, for symbolic refs.
    Ref(String),
    /// Something that this version does not know.
    Other(String),
}

/// One line of `reference-transaction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// The value that the caller expects, not necessarily the one that is there.
    pub old: Value,
    /// The value to be.
    pub new: Value,
    /// The full name of the ref.
    pub name: String,
}

impl Source {
    fn parse(word: &str) -> Self {
        match word {
            "message" => Self::Message,
            "template" => Self::Template,
            "merge" => Self::Merge,
            "squash" => Self::Squash,
            "commit" => Self::Commit,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl State {
    /// The state for git's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "preparing" => Self::Preparing,
            "prepared" => Self::Prepared,
            "committed" => Self::Committed,
            "aborted" => Self::Aborted,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl Value {
    fn parse(text: &str) -> Self {
        match (text.strip_prefix("ref:"), MaybeOid::parse(text)) {
            (Some(target), _) => Self::Ref(target.to_owned()),
            (None, Ok(MaybeOid::Zero)) => Self::Zero,
            (None, Ok(MaybeOid::Id(oid))) => Self::Id(oid),
            (None, Err(_)) => Self::Other(text.to_owned()),
        }
    }
}

/// Reads what git gave to hook `name`: its arguments and its standard input.
pub fn decode(name: &str, args: &[String], stdin: &[u8]) -> Event {
    let arg = |n: usize| args.get(n).cloned().unwrap_or_default();
    match name {
        "pre-commit" => Event::PreCommit,
        "prepare-commit-msg" => Event::PrepareCommitMsg {
            file: arg(0),
            source: args.get(1).filter(|word| !word.is_empty()).map(|word| Source::parse(word)),
            commit: args.get(2).filter(|word| !word.is_empty()).cloned(),
        },
        "commit-msg" => Event::CommitMsg { file: arg(0) },
        "pre-push" => {
            let (lines, unreadable) = push_lines(stdin);
            Event::PrePush { remote: arg(0), url: arg(1), lines, unreadable }
        }
        "reference-transaction" => {
            Event::ReferenceTransaction { state: State::parse(&arg(0)), updates: ref_updates(stdin) }
        }
        other => Event::Other { hook: other.to_owned() },
    }
}

fn lines(stdin: &[u8]) -> impl Iterator<Item = String> {
    stdin
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).into_owned())
}

fn push_lines(stdin: &[u8]) -> (Vec<PushLine>, Vec<String>) {
    let mut read = Vec::new();
    let mut unreadable = Vec::new();
    for line in lines(stdin) {
        match push_line(&line) {
            Some(push) => read.push(push),
            None => unreadable.push(line),
        }
    }
    (read, unreadable)
}

fn push_line(line: &str) -> Option<PushLine> {
    // From the right: the local side is an expression of the user's and may contain spaces.
    let mut words = line.rsplitn(4, ' ');
    let remote = MaybeOid::parse(words.next()?).ok()?;
    let remote_ref = words.next()?.to_owned();
    let local = MaybeOid::parse(words.next()?).ok()?;
    Some(PushLine { local_ref: words.next()?.to_owned(), local, remote_ref, remote })
}

/// The lines of `reference-transaction`; a line that is not of the documented form is skipped.
pub fn ref_updates(stdin: &[u8]) -> Vec<RefUpdate> {
    lines(stdin)
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (old, new, name) = (words.next()?, words.next()?, words.next()?);
            Some(RefUpdate { old: Value::parse(old), new: Value::parse(new), name: name.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn messages_say_where_they_came_from() {
        let event = decode("prepare-commit-msg", &words(&[".git/COMMIT_EDITMSG", "commit", "HEAD"]), b"");
        let expected = Event::PrepareCommitMsg {
            file: ".git/COMMIT_EDITMSG".into(),
            source: Some(Source::Commit),
            commit: Some("HEAD".into()),
        };
        assert_eq!(event, expected);
        let bare = decode("prepare-commit-msg", &words(&["m"]), b"");
        assert_eq!(bare, Event::PrepareCommitMsg { file: "m".into(), source: None, commit: None });
    }

    #[test]
    fn pushes_are_read_from_the_right() {
        let stdin = format!(
            "refs/heads/x {A} refs/heads/x {ZERO}\nHEAD@{{1 day ago}} {A} refs/heads/y {A}\n(delete) {ZERO} refs/heads/z {A}\nnonsense\n"
        );
        let event = decode("pre-push", &words(&["origin", "url"]), stdin.as_bytes());
        let Event::PrePush { remote, url, lines, unreadable } = event else { panic!("{event:?}") };
        assert_eq!((remote.as_str(), url.as_str()), ("origin", "url"));
        let locals: Vec<_> = lines.iter().map(|l| l.local_ref.as_str()).collect();
        assert_eq!(locals, ["refs/heads/x", "HEAD@{1 day ago}", "(delete)"]);
        assert_eq!(lines[0].remote, MaybeOid::Zero);
        assert_eq!(lines[2].local, MaybeOid::Zero);
        assert_eq!(unreadable, ["nonsense"]);
    }

    #[test]
    fn transactions_know_zero_ids_and_refs() {
        let stdin = format!("{ZERO} {A} refs/heads/x\nref:refs/heads/x ref:refs/heads/y HEAD\n? ! z\n");
        let Event::ReferenceTransaction { state, updates } =
            decode("reference-transaction", &words(&["prepared"]), stdin.as_bytes())
        else {
            panic!("not a transaction");
        };
        assert_eq!(state, State::Prepared);
        assert_eq!(updates[0].old, Value::Zero);
        assert_eq!(updates[0].new, Value::Id(Oid::parse(A).unwrap()));
        assert_eq!(updates[1].new, Value::Ref("refs/heads/y".into()));
        assert_eq!(updates[2].old, Value::Other("?".into()));
    }

    #[test]
    fn the_unknown_is_a_value() {
        assert_eq!(decode("post-rewrite", &[], b""), Event::Other { hook: "post-rewrite".into() });
        let event = decode("reference-transaction", &words(&["someday"]), b"");
        let state = State::Other("someday".into());
        assert_eq!(event, Event::ReferenceTransaction { state, updates: vec![] });
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            name in prop_oneof![
                Just("pre-push".to_owned()), Just("reference-transaction".to_owned()),
                Just("prepare-commit-msg".to_owned()), ".*",
            ],
            args in proptest::collection::vec(".*", 0..4),
            stdin in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            decode(&name, &args, &stdin);
        }

        #[test]
        fn every_update_git_can_write_is_read(refs in proptest::collection::vec("refs/heads/[a-z/é]{1,20}", 0..20)) {
            let text: Vec<String> = refs.iter().map(|r| format!("{ZERO} {A} {r}\n")).collect();
            let names: Vec<_> = ref_updates(text.concat().as_bytes()).into_iter().map(|u| u.name).collect();
            prop_assert_eq!(names, refs);
        }
    }
}
