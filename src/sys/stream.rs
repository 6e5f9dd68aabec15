//! What a child prints, line by line, and the end of it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc;

/// How much of a supervised child's output is kept in memory.
const TAIL_BYTES: usize = 16 * 1024;
/// A longer line is cut, so that a child that prints no line end can't fill the memory.
const LINE_BYTES: u64 = 64 * 1024;

/// Hands on every line until the end, and writes all of it to `kept`. Says whether that has it all.
pub(super) fn read_lines(
    reader: io::PipeReader,
    lines: &mpsc::SyncSender<String>,
    mut kept: Option<Kept>,
) -> bool {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => return kept.is_some(),
            Err(_) => return false,
            Ok(_) => {
                kept = kept.and_then(|kept| kept.write(&line));
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                if lines.send(text).is_err() {
                    return false;
                }
            }
        }
    }
}

/// A file that a child's output is kept in, byte by byte.
pub(super) struct Kept {
    file: File,
    left: u64,
}

impl Kept {
    /// The file at `path`, made anew, for at most `limit` bytes.
    pub(super) fn new(path: &Path, limit: u64) -> io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file, left: limit })
    }

    /// None: there was no room.
    fn write(mut self, bytes: &[u8]) -> Option<Self> {
        self.left = self.left.checked_sub(bytes.len() as u64)?;
        self.file.write_all(bytes).is_ok().then_some(self)
    }
}

/// The end of a stream of lines.
#[derive(Default)]
pub(super) struct Tail {
    lines: std::collections::VecDeque<String>,
    bytes: usize,
}

impl Tail {
    pub(super) fn push(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > TAIL_BYTES && self.lines.len() > 1 {
            if let Some(first) = self.lines.pop_front() {
                self.bytes -= first.len() + 1;
            }
        }
    }

    pub(super) fn text(self) -> String {
        Vec::from(self.lines).join("\n")
    }
}
