//! What kind of file system a directory is on.

use std::path::Path;

use crate::sys::fs::FsError;

/// What a file system promises about shared memory and locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// One kernel serves all who have it open.
    Local,
    /// Others may have it open through another kernel (NFS, 9p, virtiofs, FUSE, SMB, …).
    Shared,
}

/// `f_type` of statfs(2) for file systems that more than one kernel may serve, or that go through a process.
const SHARED: [i128; 13] = [
    0x6969,      // NFS
    0x0102_1997, // 9p
    0x6573_5546, // FUSE, virtiofs
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x00c3_6400, // Ceph
    0x0bd0_0bd0, // Lustre
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x786f_4256, // VirtualBox
];

/// The kind of file system that `dir` is on.
pub fn of(dir: &Path) -> Result<Mount, FsError> {
    let stat = rustix::fs::statfs(dir).map_err(|errno| FsError {
        action: "examine",
        path: dir.to_owned(),
        source: errno.into(),
    })?;
    Ok(kind(i128::from(stat.f_type)))
}

fn kind(magic: i128) -> Mount {
    if SHARED.contains(&magic) { Mount::Shared } else { Mount::Local }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_shared_file_systems_are_told_from_local_ones() {
        assert_eq!(kind(0x6969), Mount::Shared);
        assert_eq!(kind(0x6573_5546), Mount::Shared);
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(kind(local), Mount::Local, "{local:x}");
        }
        assert!(of(Path::new("/no/such/dir")).is_err());
    }
}
