//! What the terminal is like. Asked once, by the surface that writes to it.

use std::io::IsTerminal as _;

use rustix::fd::AsFd;

use crate::sys::env::Env;
use crate::sys::signal::Interrupts;

/// Whether `stream` is a terminal.
pub fn is_terminal(stream: &impl AsFd) -> bool {
    stream.as_fd().is_terminal()
}

/// Throws away what was typed on standard input and not read.
pub fn forget_typed() {
    use rustix::termios::{QueueSelector, tcflush};
    if let Err(error) = tcflush(std::io::stdin(), QueueSelector::IFlush) {
        tracing::debug!(%error, "what was typed before stays");
    }
}

/// The next line that is typed on standard input, without its end. None: the input ended, can't be waited for, or
/// somebody interrupted.
pub fn ask(interrupts: &Interrupts) -> Option<String> {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdin = std::io::stdin();
    loop {
        if interrupts.soft() {
            return None;
        }
        // Reading goes on after a signal: somebody has to look.
        let look = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        let ready = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&look));
        match ready {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
            Ok(_) => {}
        }
        let mut line = String::new();
        let read = stdin.read_line(&mut line).ok().filter(|read| *read > 0)?;
        line.truncate(line.trim_end_matches(['\n', '\r']).len().min(read));
        return Some(line);
    }
}

/// How many columns `stream`'s terminal has; None if it is none or doesn't say.
pub fn width(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream.as_fd()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Whether the locale's character set is UTF-8, by the variables that POSIX gives that meaning.
pub fn utf8(env: &Env) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env.text(name));
    locale.is_some_and(|l| l.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        assert!(utf8(&Env::from_pairs([("LANG", "de_DE.UTF-8")])));
        assert!(!utf8(&Env::from_pairs([("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")])));
        assert!(utf8(&Env::from_pairs([("LC_ALL", ""), ("LC_CTYPE", "C.utf8")])));
        assert!(!utf8(&Env::default()));
    }
}
