//! Commits that wait for a flush, in a file: processes that change the state at once share one, as threads do.
//!
//! Written by who holds the lock on the state, read by who flushes (`store::flush` has the protocol). Each link is what one
//! process made of the link before, with its objects, which are nowhere else yet. The file is never durable and need not be:
//! nothing in it was acknowledged. What a kill cut off, or anything else that does not match its checksum, ends the chain.
//!
//! Invariants: a file that is read stays whole, because links are only appended, and a chain that begins anew is
//! another file. Who appends has kept others from removing it since he read it: a link that was given up never comes
//! back. Deliberately absent: comparing objects with their ids. Who may write here may write packs, too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gix::objs::Kind;

use crate::domain::oid::Oid;
use crate::git::error::GitError;
use crate::git::fresh::{Known, Pending};
use crate::git::repo::Repo;
use crate::sys::fs::{self, Durability};

/// What was published is left behind in a file as long as it is smaller than this.
const ROOMY: usize = 1024 * 1024;

/// What the file begins with: another version is another form.
const MAGIC: &[u8] = b"git-orch chain 1\n";

/// One process's changes.
#[derive(Debug)]
pub struct Link {
    /// The commit that they were made of.
    pub parent: Oid,
    /// The last commit of them.
    pub head: Oid,
    /// Whether whoever waits wants them to survive a power cut.
    pub durability: Durability,
    /// What these commits are made of.
    pub objects: Pending,
}

/// What waits for a flush.
#[derive(Debug, Default)]
pub struct Chain {
    /// In order; each begins where the one before ends.
    pub links: Vec<Link>,
    /// The ends of links that are part of the state by now.
    pub published: Vec<Oid>,
    /// Whether another link can be written behind the last one.
    open: bool,
}

impl Chain {
    /// Where the chain ends; None if nothing waits.
    pub fn head(&self) -> Option<&Oid> {
        self.links.last().map(|link| &link.head)
    }

    /// What all of them are to survive if one is.
    pub fn durability(&self) -> Durability {
        let is_wanted = |link: &Link| link.durability == Durability::Commit;
        if self.links.iter().any(is_wanted) { Durability::Commit } else { Durability::None }
    }

    /// Writes behind it, in the file at `path` from which it was read, what one process made of its end: the commits from
    /// `parent`, which it was made of, to `head`.
    pub fn append(
        &self,
        path: &Path,
        ends: (&Oid, &Oid, Durability),
        written: &[Pending],
    ) -> Result<(), GitError> {
        let new = encode(ends, written)?;
        // One that another user made, whose file can't be written but replaced, begins anew as well.
        if self.open && fs::append(path, &new)? {
            return Ok(());
        }
        let mut all = MAGIC.to_vec();
        for Link { parent, head, durability, objects } in &self.links {
            all.extend(encode((parent, head, *durability), std::slice::from_ref(objects))?);
        }
        all.extend(new);
        Ok(fs::write_whole(path, &all)?)
    }
}

impl Repo {
    /// What waits at `path` for a flush while the state is at `tip`. Empty if the file is not there, or if its chain does
    /// not go on from there. Once links can't be read, no more are.
    pub fn chain(&self, path: &Path, tip: &Oid) -> Result<Chain, GitError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Chain::default()),
            Err(error) => return Err(error.into()),
        };
        let (bodies, whole) = bodies(&bytes);
        let all: Vec<Ends<'_>> = bodies.iter().copied().map_while(Ends::of).collect();
        let first = match all.iter().rposition(|ends| ends.head == *tip) {
            Some(at) => at + 1,
            None if all.first().is_some_and(|ends| ends.parent == *tip) => 0,
            None => return Ok(Chain::default()),
        };
        let published = all.iter().take(first).map(|ends| ends.head.clone()).collect();
        let mut chain = Chain { links: Vec::new(), published, open: whole && bytes.len() < ROOMY };
        for ends in all.get(first..).unwrap_or_default() {
            let goes_on = chain.head().unwrap_or(tip) == &ends.parent;
            let Some(objects) = goes_on.then(|| objects(ends.rest)).flatten() else {
                chain.open = false;
                break;
            };
            let objects = self.fresh.pend(objects);
            let (parent, head) = (ends.parent.clone(), ends.head.clone());
            chain.links.push(Link { parent, head, durability: ends.durability, objects });
        }
        chain.open &= !chain.links.is_empty() && first + chain.links.len() == bodies.len();
        Ok(chain)
    }

    /// Keeps at hand what another process put in its place.
    pub fn keep_at_hand(&self, written: &[Pending]) {
        for pending in written {
            let known = pending.objects.iter().map(|(oid, known)| (oid.clone(), known.clone()));
            self.fresh.keep(known.collect());
        }
    }
}

/// The ends of a link, and its objects as they are in the file.
struct Ends<'a> {
    parent: Oid,
    head: Oid,
    durability: Durability,
    rest: &'a [u8],
}

impl<'a> Ends<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let (parent, rest) = line(body)?;
        let (head, rest) = line(rest)?;
        let (durability, rest) = rest.split_first()?;
        let durability = if *durability == 0 { Durability::None } else { Durability::Commit };
        Some(Self { parent, head, durability, rest })
    }
}

/// The bodies of a file's links as far as they match their checksums, and whether that is all of it.
fn bodies(bytes: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut bodies = Vec::new();
    let Some(mut bytes) = bytes.strip_prefix(MAGIC) else { return (bodies, false) };
    while let Some((length, rest)) = number(bytes)
        && let Some((sum, rest)) = number(rest)
        && let Some((body, rest)) = usize::try_from(length).ok().and_then(|at| rest.split_at_checked(at))
        && crc32fast::hash(body) == sum
    {
        bodies.push(body);
        bytes = rest;
    }
    (bodies, bytes.is_empty())
}

fn objects(mut bytes: &[u8]) -> Option<BTreeMap<Oid, Known>> {
    let mut objects = BTreeMap::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let kind = *KINDS.get(usize::from(*kind))?;
        let (oid, rest) = line(rest)?;
        let (length, rest) = number(rest)?;
        let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        objects.insert(oid, (kind, Arc::from(content)));
        bytes = rest;
    }
    Some(objects)
}

const KINDS: [Kind; 4] = [Kind::Blob, Kind::Tree, Kind::Commit, Kind::Tag];

/// A kind's place among `KINDS`.
fn place(kind: Kind) -> u8 {
    match kind {
        Kind::Blob => 0,
        Kind::Tree => 1,
        Kind::Commit => 2,
        Kind::Tag => 3,
    }
}

fn line(bytes: &[u8]) -> Option<(Oid, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((Oid::parse(std::str::from_utf8(text).ok()?).ok()?, rest.get(1..)?))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// A link: how long it is, its checksum, and in it two ids, whether it is to be durable, and the objects: what kind, its id,
/// how long, its bytes.
fn encode(ends: (&Oid, &Oid, Durability), written: &[Pending]) -> Result<Vec<u8>, GitError> {
    let (parent, head, durability) = ends;
    let size = |length: usize| u32::try_from(length).map_err(|_| too_large());
    let mut body = format!("{parent}\n{head}\n").into_bytes();
    body.push(u8::from(durability == Durability::Commit));
    for (oid, (kind, content)) in written.iter().flat_map(|pending| &pending.objects) {
        body.push(place(*kind));
        body.extend_from_slice(format!("{oid}\n").as_bytes());
        body.extend_from_slice(&size(content.len())?.to_le_bytes());
        body.extend_from_slice(content);
    }
    let mut link = size(body.len())?.to_le_bytes().to_vec();
    link.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    link.append(&mut body);
    Ok(link)
}

fn too_large() -> GitError {
    GitError::Malformed { path: "what waits for a flush".into(), what: "it has more than 4 GiB".into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop, prop_assert};
    use proptest::proptest;

    use super::*;
    use crate::domain::mutation::{Traps, mutation};
    use crate::git::fresh::Fresh;

    const TRAPS: Traps = Traps { words: &["\n", "\0", "\0\0\0\0", "\u{3}"], nest: "\n" };

    fn oid(n: u8) -> Oid {
        Oid::parse(&format!("{:040x}", u32::from(n) + 1)).unwrap()
    }

    fn link(parent: u8, head: u8) -> Vec<u8> {
        let content = vec![head; usize::from(head)];
        let objects = BTreeMap::from([
            (oid(head), (Kind::Commit, Arc::from(content.as_slice()))),
            (oid(100 + head), (Kind::Tree, Arc::from([].as_slice()))),
        ]);
        let durability = if head == 3 { Durability::None } else { Durability::Commit };
        encode((&oid(parent), &oid(head), durability), &[Fresh::default().pend(objects)]).unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<(Oid, Oid, Durability, BTreeMap<Oid, Known>)> {
        let ends = bodies(bytes).0.into_iter().map_while(Ends::of);
        ends.map_while(|ends| Some((ends.parent, ends.head, ends.durability, objects(ends.rest)?))).collect()
    }

    #[test]
    fn what_is_written_is_read_up_to_where_it_is_cut_off() {
        let parts = [MAGIC.to_vec(), link(1, 2), link(2, 3), link(3, 4)];
        let all = parts.concat();
        let whole = read(&all);
        assert_eq!(whole.len(), 3);
        assert_eq!((&whole[1].0, &whole[1].1, whole[1].2), (&oid(2), &oid(3), Durability::None));
        assert_eq!(whole[2].2, Durability::Commit);
        assert_eq!(whole[1].3[&oid(3)], (Kind::Commit, Arc::from([3; 3].as_slice())));
        let ends: Vec<usize> = (1..=3).map(|some| parts[..some].concat().len()).collect();
        for end in 0..all.len() {
            let cut = &all[..end];
            let links = read(cut);
            assert!(links.len() < 3 && whole.starts_with(&links), "{end}");
            assert_eq!(bodies(cut).1, ends.contains(&end), "{end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_does_not_match_its_checksum_ends_the_chain(
            mutations in prop::collection::vec(mutation(), 0..6),
        ) {
            let all = [MAGIC.to_vec(), link(1, 2), link(2, 3), link(3, 4)].concat();
            let corpus = [((), all.clone())];
            let changed = mutations.iter().fold(all.clone(), |bytes, m| m.of(bytes, &TRAPS, &corpus));
            // A link that was moved or doubled is one that was written.
            let known = read(&all);
            prop_assert!(read(&changed).iter().all(|link| known.contains(link)));
        }
    }
}
