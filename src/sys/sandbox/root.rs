//! The root directory that a sandboxed command sees: what it may read and write, at the same places as outside, and
//! nothing else.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::sys::fs;
use crate::sys::sandbox::failure::{Failure, tried};
use crate::sys::sandbox::spec::Sandbox;

/// Where this program is inside.
pub(super) const PROGRAM: &str = "/.git-orch";

/// Devices that every program expects. No terminal: whoever has one could type for the person in front of it.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// What is mounted at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Read,
    /// The `n`th of what is found elsewhere.
    Placed(usize),
    Write,
    Hidden,
}

/// What the new root is made of.
#[derive(Default)]
struct Plan {
    /// Real places, parents first, and what is at each.
    bound: BTreeMap<PathBuf, Bound>,
    /// Links on the way to them, and where they lead.
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Plan {
    fn of(sandbox: &Sandbox) -> Self {
        let mut plan = Self::default();
        let reads = sandbox.reads.iter().map(|path| (path, Bound::Read));
        let placed = sandbox.placed.iter().enumerate();
        let placed = placed.map(|(n, placed)| (&placed.place, Bound::Placed(n)));
        let writes = sandbox.writes.iter().map(|path| (path, Bound::Write));
        for (path, bound) in reads.chain(placed).chain(writes) {
            if let Some(real) = plan.follow(path) {
                let at = plan.bound.entry(real).or_insert(bound);
                *at = (*at).max(bound);
            }
        }
        plan.leave_out_what_is_there();
        let hidden: Vec<PathBuf> =
            sandbox.hidden.iter().filter_map(|path| fs::canonical(path).ok()).collect();
        // What is outside of everything bound is not there anyway.
        for path in hidden.into_iter().filter(|path| plan.holds(path)).collect::<Vec<_>>() {
            plan.bound.insert(path, Bound::Hidden);
        }
        plan
    }

    /// What may be read in something that may be read needs no mount of its own.
    fn leave_out_what_is_there(&mut self) {
        let all = self.bound.clone();
        self.bound.retain(|path, bound| {
            let above = path.ancestors().skip(1).find_map(|above| all.get(above));
            *bound != Bound::Read || !matches!(above, Some(Bound::Read | Bound::Placed(_)))
        });
    }

    /// Whether something above `path`, or itself, is bound.
    fn holds(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.bound.contains_key(above))
    }

    /// Where a path really leads, with the links on the way noted; None if there is nothing.
    fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let real = fs::canonical(path).ok()?;
        let mut at = PathBuf::from("/");
        for component in path.components() {
            match component {
                Component::Normal(name) => at.push(name),
                Component::RootDir | Component::CurDir => continue,
                Component::ParentDir | Component::Prefix(_) => return Some(real),
            }
            if at.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
                let target = at.read_link().ok()?;
                let parent = at.parent().unwrap_or(Path::new("/"));
                let next = parent.join(&target);
                self.links.insert(at.clone(), target);
                let rest = path.strip_prefix(&at).unwrap_or(Path::new("")).to_owned();
                // A link may lead to another link.
                self.follow(&next.join(rest));
                return Some(real);
            }
        }
        Some(real)
    }
}

/// Puts the root together below the sandbox's scratch directory. `program`: this one.
pub(super) fn build(sandbox: &Sandbox, program: &Path) -> Result<(), Failure> {
    let root = sandbox.root();
    // Nothing of what follows may be seen outside.
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(tried("make mounts private"))?;
    fs::create_dir_all(&root)?;
    fs::create_dir_all(&sandbox.temp())?;
    let plan = Plan::of(sandbox);
    let safe = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", &root, "tmpfs", safe, c"mode=0755").map_err(tried("mount the root"))?;
    devices(&root)?;
    bind(Path::new("/proc"), &root, "proc")?;
    bind(&sandbox.temp(), &root, "tmp")?;
    for home in &sandbox.home {
        fs::create_dir_all(&sandbox.home_files())?;
        bind_at(&sandbox.home_files(), &below(&root, home))?;
    }
    for (link, target) in &plan.links {
        let place = below(&root, link);
        if place.symlink_metadata().is_err() && !plan.holds(link) {
            fs::create_dir_all(place.parent().unwrap_or(&root))?;
            symlink(target, &place).map_err(tried(format!("link {}", link.display())))?;
        }
    }
    for (path, bound) in &plan.bound {
        let place = below(&root, path);
        match bound {
            Bound::Read => bind_at(path, &place).and_then(|()| read_only(&place))?,
            Bound::Write => bind_at(path, &place)?,
            Bound::Hidden => hide(path, &place)?,
            Bound::Placed(n) => {
                let is_bound = path.parent().is_some_and(|above| plan.holds(above));
                put(&sandbox.placed[*n].source, &place, is_bound)?;
            }
        }
    }
    bind_at(program, &below(&root, Path::new(PROGRAM)))?;
    read_only(&below(&root, Path::new(PROGRAM)))?;
    // What is nobody's place (`/`, `/dev`, directories on the way) is nobody's to write.
    read_only(&root)
}

/// Where the inside's `path` is while the root is put together.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn devices(root: &Path) -> Result<(), Failure> {
    let dev = root.join("dev");
    fs::create_dir_all(&dev.join("pts"))?;
    fs::create_dir_all(&dev.join("shm"))?;
    for name in DEVICES {
        bind_at(&Path::new("/dev").join(name), &dev.join(name))?;
    }
    let safe = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", dev.join("shm"), "tmpfs", safe, c"mode=1777")
        .map_err(tried("mount /dev/shm"))?;
    rustix::mount::mount(
        "devpts",
        dev.join("pts"),
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"newinstance,ptmxmode=0666,mode=0620",
    )
    .map_err(tried("mount /dev/pts"))?;
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        symlink(target, dev.join(name)).map_err(tried(format!("link /dev/{name}")))?;
    }
    Ok(())
}

fn bind(from: &Path, root: &Path, name: &str) -> Result<(), Failure> {
    bind_at(from, &root.join(name))
}

/// Mounts what is at `from` at `to`, which is made if it is not there.
fn bind_at(from: &Path, to: &Path) -> Result<(), Failure> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
    } else {
        make_file(to)?;
    }
    rustix::mount::mount_bind_recursive(from, to).map_err(tried(format!("bind {}", from.display())))
}

fn make_file(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let made = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600));
    made.map(drop).map_err(tried(format!("make {}", path.display())))
}

/// Shows a directory at `place`. Below what is bound the place is there already, and nothing is made: it may be in the
/// checkout, where a command that runs now may have put a link on the way.
fn put(source: &Path, place: &Path, is_bound: bool) -> Result<(), Failure> {
    if !is_bound {
        fs::create_dir_all(place)?;
    }
    rustix::mount::mount_bind_recursive(source, place).map_err(tried(format!("place {}", source.display())))
}

/// Puts an empty file or directory where `path` is.
fn hide(path: &Path, place: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        return rustix::mount::mount("tmpfs", place, "tmpfs", flags, c"mode=0555")
            .map_err(tried(format!("hide {}", path.display())));
    }
    rustix::mount::mount_bind("/dev/null", place).map_err(tried(format!("hide {}", path.display())))
}

/// Makes the mount at `place` read-only. What a mount was given outside for its safety can't be taken away inside.
fn read_only(place: &Path) -> Result<(), Failure> {
    let what = || format!("make {} read-only", place.display());
    let now = rustix::fs::statvfs(place).map_err(tried(what()))?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    for (_, flag) in kept.into_iter().filter(|(is, _)| now.contains(*is)) {
        flags |= flag;
    }
    rustix::mount::mount_remount(place, flags, c"").map_err(tried(what()))
}

/// Makes the new root ours, lets go of the old one, and goes to `dir`.
pub(super) fn enter(root: &Path, dir: &Path) -> Result<(), Failure> {
    let go = |path: &Path| rustix::process::chdir(path).map_err(tried(format!("go to {}", path.display())));
    go(root)?;
    // The old root comes to lie on the new one, and goes.
    rustix::process::pivot_root(".", ".").map_err(tried("change the root"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(tried("let go of the old root"))?;
    go(Path::new("/"))?;
    match go(dir) {
        Err(Failure::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(Failure::Usage(format!("{} is not in the sandbox", dir.display())))
        }
        other => other,
    }
}
