//! What a sandboxed command may do, as a value.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The first argument of this program when it is to be a sandbox's outside.
pub const OUTSIDE: &str = "sandbox-exec";
/// The same for the first process inside.
pub(super) const INSIDE: &str = "sandbox-init";
/// When it is to hold the mounts of several sandboxes.
pub const HOLD: &str = "sandbox-hold";
/// And when it is to find out what there is.
pub const PROBE: &str = "sandbox-probe";
/// The status of a sandbox that could not be built. The last line on standard error begins with `FAILED`.
pub const STATUS: i32 = 125;
/// What the line begins with that says why a sandbox could not be built.
pub const FAILED: &str = "git-orch: sandbox: ";

/// What the line begins with by which a holder says that it is ready; then the numbers of what it could not mount, as JSON.
pub const READY: &str = "ready ";

/// What network a sandboxed command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// That of the machine.
    On,
    /// An own one, where it can talk to itself.
    Loopback,
    /// None.
    Off,
}

impl Network {
    /// All, in the order that messages show.
    pub const ALL: [Self; 3] = [Self::On, Self::Loopback, Self::Off];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Loopback => "loopback",
            Self::Off => "off",
        }
    }
}

/// What the kernel of this machine lets us do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// Whether there are namespaces of users, mounts and processes without root.
    pub namespaces: bool,
    /// The version of Landlock's interface; 0: there is none.
    pub landlock: u32,
}

/// How much of the sandbox there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strength {
    /// All of it.
    Full,
    /// What is missing, as a list of words for people.
    Partial(Vec<&'static str>),
    /// Nothing holds the command back.
    None,
}

impl Support {
    /// What a command with this network is held by.
    pub fn strength(self, network: Network) -> Strength {
        if !self.namespaces && self.landlock == 0 {
            return Strength::None;
        }
        let mut missing = Vec::new();
        if !self.namespaces {
            missing.push("sockets of agents and services can be reached");
            missing.push("processes that leave their group are not stopped");
        }
        if self.landlock == 0 {
            missing.push("Landlock is not there");
        } else if self.landlock < SCOPES && network == Network::On {
            missing.push("abstract sockets can be reached");
        }
        if missing.is_empty() { Strength::Full } else { Strength::Partial(missing) }
    }
}

/// The version of Landlock's interface that keeps a command from abstract sockets and signals outside.
pub(super) const SCOPES: u32 = 6;

/// Directories shown as one, in which what is written goes to one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// What is seen, the topmost first. Nothing is written here.
    #[serde(with = "paths")]
    pub lower: Vec<PathBuf>,
    /// What lies on top of it, and where what is written goes.
    #[serde(with = "path")]
    pub upper: PathBuf,
    /// An empty directory for the kernel, beside `upper`.
    #[serde(with = "path")]
    pub work: PathBuf,
    /// Where it is mounted.
    #[serde(with = "path")]
    pub at: PathBuf,
}

/// A directory that a command finds at another place, and may write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The directory.
    #[serde(with = "path")]
    pub source: PathBuf,
    /// Where it is found.
    #[serde(with = "path")]
    pub place: PathBuf,
}

/// What a sandboxed command may do.
///
/// Whatever is not named does not exist for it: no home but an empty one, no `/run`, no sockets, no other processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Files and directories that it may read and execute. What is not there is left out.
    #[serde(with = "paths")]
    pub reads: Vec<PathBuf>,
    /// Directories that it may write, too.
    #[serde(with = "paths")]
    pub writes: Vec<PathBuf>,
    /// Directories that it finds elsewhere, and may write. Only where there are namespaces.
    pub placed: Vec<Placed>,
    /// The process that holds mounts for it (`sys::holder`).
    pub holder: Option<u32>,
    /// Files and directories below those that are empty for it.
    #[serde(with = "paths")]
    pub hidden: Vec<PathBuf>,
    /// Where its home is; none or one. What is in there is in `scratch`.
    #[serde(with = "paths")]
    pub home: Vec<PathBuf>,
    /// A directory outside of all these, for us: its root is put together there, and its home and its `/tmp` lie there.
    /// Those who share it share a home and a `/tmp`.
    #[serde(with = "path")]
    pub scratch: PathBuf,
    /// Its network.
    pub network: Network,
    /// How it is held.
    pub support: Support,
}

/// A path as text: an absolute one as it is, one that is not UTF-8 as `hex:` and its bytes.
mod path {
    use std::ffi::OsString;
    use std::fmt::Write as _;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn text(path: &Path) -> String {
        if let Some(text) = path.to_str() {
            return text.to_owned();
        }
        path.as_os_str().as_bytes().iter().fold("hex:".to_owned(), |mut text, byte| {
            // Writing into a String can't fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
    }

    pub(super) fn parse(text: &str) -> Option<PathBuf> {
        let Some(hex) = text.strip_prefix("hex:") else { return Some(text.into()) };
        let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(pair).collect();
        bytes.map(|bytes| OsString::from_vec(bytes).into())
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text(path))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("no path"))
    }
}

/// The same of several.
mod paths {
    use std::path::PathBuf;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::path;

    pub(super) fn serialize<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(paths.iter().map(|each| path::text(each)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let all: Option<Vec<PathBuf>> = texts.iter().map(|text| path::parse(text)).collect();
        all.ok_or_else(|| D::Error::custom("no path"))
    }
}

/// Directories of the system that every command may read.
pub const SYSTEM: [&str; 12] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix",
    "/opt",
    "/run/current-system",
    "/sbin",
    "/sys",
    "/usr",
];

impl Sandbox {
    /// Where its root is put together.
    pub(super) fn root(&self) -> PathBuf {
        self.scratch.join("root")
    }

    /// As its processes are given it.
    pub(in crate::sys) fn text(&self) -> String {
        serde_json::to_string(self).expect("BUG: texts, numbers and lists are JSON")
    }

    /// What is in its home.
    pub(super) fn home_files(&self) -> PathBuf {
        self.scratch.join("home")
    }

    /// What it sees as `/tmp`.
    pub fn temp(&self) -> PathBuf {
        self.scratch.join("tmp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_survives_the_way_to_the_sandbox() {
        let odd = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/a\xff b"));
        let sandbox = Sandbox {
            reads: vec![odd.clone(), "/usr".into()],
            writes: vec!["/über \"x\"".into()],
            placed: vec![Placed { source: "/s/0".into(), place: odd }],
            holder: Some(7),
            hidden: Vec::new(),
            home: vec!["/root".into()],
            scratch: "/s".into(),
            network: Network::Off,
            support: Support { namespaces: true, landlock: 3 },
        };
        assert_eq!(serde_json::from_str::<Sandbox>(&sandbox.text()).unwrap(), sandbox);
    }

    #[test]
    fn what_is_missing_is_said() {
        let of = |namespaces, landlock, network| match (Support { namespaces, landlock }).strength(network) {
            Strength::Full => "full".to_owned(),
            Strength::Partial(missing) => missing.join("; "),
            Strength::None => "none".to_owned(),
        };
        insta::assert_snapshot!(
            [
                of(true, 6, Network::On),
                of(true, 5, Network::Off),
                of(true, 5, Network::On),
                of(true, 0, Network::Off),
                of(false, 7, Network::On),
                of(false, 0, Network::On),
            ]
            .join("\n"),
            @r"
        full
        full
        abstract sockets can be reached
        Landlock is not there
        sockets of agents and services can be reached; processes that leave their group are not stopped
        none
        "
        );
    }
}
