//! A step's whole output on disk, bounded.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::sys::fs::FsError;

/// A log is at most about this long; what comes after is left out, with a line that says so. (The end of the
/// output is in the verdict.)
pub const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// A log being written. The first error is kept and writing stops: a full disk must not stop the step, but its
/// result can't be trusted.
pub(super) struct Log {
    file: BufWriter<std::fs::File>,
    path: PathBuf,
    written: u64,
    limit: u64,
    error: Option<FsError>,
}

impl Log {
    /// Makes or empties the log at `path`.
    pub(super) fn create(path: &Path, limit: u64) -> Result<Self, FsError> {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|source| FsError { action: "write", path: path.to_owned(), source })?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), written: 0, limit, error: None })
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &str) {
        if self.error.is_some() || self.written > self.limit {
            return;
        }
        self.written += line.len() as u64 + 1;
        let result = if self.written > self.limit {
            writeln!(self.file, "[cut here: the output is longer than {} KiB]", self.limit / 1024)
        } else {
            writeln!(self.file, "{line}")
        };
        if let Err(source) = result {
            self.error = Some(FsError { action: "write", path: self.path.clone(), source });
        }
    }

    /// Flushes; the first error of all.
    pub(super) fn finish(mut self) -> Result<(), FsError> {
        match self.error {
            Some(error) => Err(error),
            None => self.file.flush().map_err(|source| FsError { action: "write", path: self.path, source }),
        }
    }
}

/// In words for people: what can't be written, and what the system said.
pub(super) fn no_log(error: &FsError) -> String {
    format!("{error}: {}", error.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = Log::create(&path, 1024).unwrap();
        for n in 0..1000 {
            log.line(&format!("line {n}"));
        }
        log.finish().unwrap();
        let text = crate::sys::fs::read_string(&path).unwrap();
        assert!(text.starts_with("line 0\nline 1\n"));
        assert!(text.ends_with("\n[cut here: the output is longer than 1 KiB]\n"), "{text}");
        assert!(text.len() < 1200);
    }

    #[test]
    fn a_full_disk_is_an_error_at_the_end() {
        let full = Path::new("/dev/full");
        if !crate::sys::fs::exists(full) {
            return;
        }
        let mut log = Log::create(full, 1024).unwrap();
        log.line("x");
        assert_eq!(log.finish().expect_err("full").action, "write");
    }
}
