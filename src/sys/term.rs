//! Standard error and standard input, for programs without the command line's own printer.

use std::io::Write as _;

/// Prints `text` and a line end on standard error. A closed standard error is not worth failing for.
pub fn say(text: &str) {
    let line = format!("{text}\n");
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
}

/// All of standard input.
pub fn input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)?;
    Ok(bytes)
}
