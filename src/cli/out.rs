//! The only thing that writes to stdout and stderr.
//!
//! *Data* is what was asked for and goes to stdout; *status*, *hints*, *warnings* and *errors* are words for
//! whoever watches and go to stderr. A reader that went away (`| head`) is no error: the rest is dropped. Any
//! other failure is kept and reported once, by `finish`.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::cli::args::{Color, GlobalArgs};
use crate::cli::command_error::CommandError;
use crate::cli::exit::Exit;
use crate::domain::time::Timestamp;
use crate::report::Page;
use crate::report::palette::{HINT_LABEL, WARN_LABEL, paint};
use crate::sys::env::Env;
use crate::sys::terminal;

type Sink = AutoStream<Box<dyn Write + Send>>;

/// Whether words that only accompany the data are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// All of them.
    Normal,
    /// Warnings and errors only (`-q`).
    Quiet,
}

/// Named streams.
pub struct Out {
    data: Sink,
    words: Sink,
    talk: Talk,
    page: Page,
    /// Whether stdout is a terminal, and stderr.
    terminal: (bool, bool),
    json: bool,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("talk", &self.talk).field("page", &self.page).finish_non_exhaustive()
    }
}

impl Out {
    /// The process's own streams, as the options and the environment want them.
    pub fn open(env: &Env, global: &GlobalArgs, now: Timestamp) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let terminal = (terminal::is_terminal(&stdout), terminal::is_terminal(&stderr));
        let width = if terminal.0 { columns(env).or_else(|| terminal::width(&stdout)) } else { None };
        let (data, words) = match global.color {
            Color::Auto => (AutoStream::choice(&stdout), AutoStream::choice(&stderr)),
            Color::Always => (ColorChoice::Always, ColorChoice::Always),
            Color::Never => (ColorChoice::Never, ColorChoice::Never),
        };
        Self {
            data: AutoStream::new(Box::new(stdout), data),
            words: AutoStream::new(Box::new(stderr), words),
            talk: if global.quiet { Talk::Quiet } else { Talk::Normal },
            page: Page { width, unicode: terminal::utf8(env), now },
            terminal,
            json: false,
            failed: None,
        }
    }

    /// Streams into these two writers, without colour, for tests and for surfaces that capture.
    pub fn captured(
        data: Box<dyn Write + Send>,
        words: Box<dyn Write + Send>,
        talk: Talk,
        page: Page,
    ) -> Self {
        Self {
            data: AutoStream::never(data),
            words: AutoStream::never(words),
            talk,
            page,
            terminal: (false, false),
            json: false,
            failed: None,
        }
    }

    /// What reports are written on.
    pub fn page(&self) -> Page {
        self.page
    }

    /// Whether somebody watches stderr.
    pub fn watched(&self) -> bool {
        self.terminal.1 && self.talk == Talk::Normal
    }

    /// A question, whose answer is typed behind it.
    pub(crate) fn question(&mut self, text: &str) {
        let _gone = self.words.write_all(text.as_bytes()).and_then(|()| self.words.flush());
    }

    /// From now on a refusal is an object on stdout (`--json`).
    pub fn expect_json(&mut self) {
        self.json = true;
    }

    /// Data, as it is; whole lines.
    pub fn data(&mut self, text: &str) {
        let written = self.data.write_all(text.as_bytes());
        self.keep(written);
    }

    /// What a command that was not asked for data did: on stdout, and muted by `-q`.
    pub fn account(&mut self, text: &str) {
        if !self.is_quiet() {
            self.data(text);
        }
    }

    /// Whether only what is wrong is wanted (`-q`).
    pub fn is_quiet(&self) -> bool {
        self.talk == Talk::Quiet
    }

    /// A value as JSON: indented on a terminal, else one line.
    pub fn json(&mut self, value: &impl Serialize) {
        let text =
            if self.terminal.0 { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        self.json_text(text);
    }

    /// A value as one line of JSON and at once: an event.
    pub fn json_line(&mut self, value: &impl Serialize) {
        self.json_text(serde_json::to_string(value));
        let flushed = self.data.flush();
        self.keep(flushed);
    }

    fn json_text(&mut self, text: serde_json::Result<String>) {
        match text {
            Ok(text) => self.data(&(text + "\n")),
            Err(e) => self.keep(Err(e.into())),
        }
    }

    /// A sentence about what was done. Muted by `-q`.
    pub fn status(&mut self, line: &str) {
        if self.talk == Talk::Normal {
            self.word(line);
        }
    }

    /// What could be typed next. Muted by `-q`.
    pub fn hint(&mut self, line: &str) {
        if self.talk == Talk::Normal {
            self.word(&format!("{} {line}", paint(HINT_LABEL, "hint:")));
        }
    }

    /// Something to know, though the command does what it was asked.
    pub fn warn(&mut self, line: &str) {
        self.word(&format!("{} {line}", paint(WARN_LABEL, "warning:")));
    }

    /// Why the command did not do what it was asked.
    pub fn error(&mut self, error: &CommandError) {
        if self.json {
            self.json(&error.view());
        } else {
            self.word(error.render().trim_end());
        }
    }

    /// `line` with colours only where stderr takes them, for what is drawn there by somebody else.
    pub(crate) fn coloured(&self, line: &str) -> String {
        match self.words.current_choice() {
            ColorChoice::Never => anstream::adapter::strip_str(line).to_string(),
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => line.to_owned(),
        }
    }

    /// Text that is laid out already, for stderr; whole lines.
    pub(crate) fn words(&mut self, text: &str) {
        self.word(text.trim_end());
    }

    /// Everything is written; what could not be is an error of the environment.
    pub fn finish(mut self) -> Result<(), CommandError> {
        let flushed = self.data.flush();
        self.keep(flushed);
        match self.failed {
            Some(e) => Err(CommandError::new(Exit::Environment, format!("cannot write to stdout: {e}"))),
            None => Ok(()),
        }
    }

    fn keep(&mut self, result: io::Result<()>) {
        match result {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe && self.failed.is_none() => self.failed = Some(e),
            Ok(()) | Err(_) => {}
        }
    }

    /// Nobody is left to tell when stderr fails.
    fn word(&mut self, line: &str) {
        let _gone = self.words.write_all(format!("{line}\n").as_bytes());
    }
}

fn columns(env: &Env) -> Option<usize> {
    env.text("COLUMNS")?.parse().ok().filter(|&n| n > 0)
}

/// Writes a last line to stderr when nothing else can be relied on: from a panic.
pub(crate) fn last_words(text: &str) {
    let _gone = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A writer that a test can look into, and that can be made to fail.
    #[derive(Clone, Default)]
    pub(crate) struct Pipe(Arc<Mutex<Vec<u8>>>, Option<io::ErrorKind>);

    impl Pipe {
        /// What was written.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(kind) = self.1 {
                return Err(kind.into());
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An `Out` without terminal, and its two ends.
    pub(crate) fn out(talk: Talk, broken: Option<io::ErrorKind>) -> (Out, Pipe, Pipe) {
        let (data, words) = (Pipe(Arc::default(), broken), Pipe::default());
        let page = Page { width: None, unicode: false, now: Timestamp::from_millis(0) };
        (Out::captured(Box::new(data.clone()), Box::new(words.clone()), talk, page), data, words)
    }

    #[test]
    fn each_stream_goes_where_it_belongs() {
        let (mut out, data, words) = out(Talk::Normal, None);
        out.data("id\n");
        out.status("Added 1 task.");
        out.hint("git orch next");
        out.warn("careful");
        out.error(&CommandError::new(Exit::Usage, "no"));
        assert!(out.finish().is_ok());
        assert_eq!(data.text(), "id\n");
        assert_eq!(words.text(), "Added 1 task.\nhint: git orch next\nwarning: careful\nerror: no\n");
    }

    #[test]
    fn quiet_keeps_warnings_and_errors() {
        let (mut out, data, words) = out(Talk::Quiet, None);
        out.status("x");
        out.hint("x");
        out.account("x");
        out.warn("careful");
        out.error(&CommandError::new(Exit::Usage, "no"));
        assert_eq!((data.text(), words.text()), (String::new(), "warning: careful\nerror: no\n".to_owned()));
    }

    #[test]
    fn a_refusal_under_json_is_an_object_on_stdout_and_nothing_else() {
        let (mut out, data, words) = out(Talk::Normal, None);
        out.expect_json();
        out.error(&CommandError::new(Exit::NothingReady, "nothing is ready").rule("next.idle"));
        assert_eq!(
            data.text(),
            "{\"error\":{\"code\":5,\"rule\":\"next.idle\",\"fact\":\"nothing is ready\",\"next\":[]}}\n"
        );
        assert_eq!(words.text(), "");
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let (mut gone, ..) = out(Talk::Normal, Some(io::ErrorKind::BrokenPipe));
        gone.data("x\n");
        assert!(gone.finish().is_ok());
        let (mut full, ..) = out(Talk::Normal, Some(io::ErrorKind::StorageFull));
        full.data("x\n");
        assert_eq!(full.finish().expect_err("full").exit(), Exit::Environment);
    }
}
