//! Settings of the command line: what git was given with `-c` and hands on to what it starts.

/// The `key=value` pairs that git was given with `-c`, from the variable by which it hands them on.
pub(crate) fn command_line_settings(text: &str) -> Vec<String> {
    let mut pairs = Vec::new();
    let mut pair = String::new();
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            '\\' if !quoted => pair.extend(chars.next()),
            c if c.is_whitespace() && !quoted => pairs.push(std::mem::take(&mut pair)),
            c => pair.push(c),
        }
    }
    pairs.push(pair);
    pairs.retain(|pair| !pair.is_empty());
    pairs
}

#[cfg(test)]
mod tests {
    use super::command_line_settings;

    #[test]
    fn settings_of_the_command_line_are_read_as_git_writes_them() {
        let both = command_line_settings(r"'user.name'='Ann O'\''Lee' 'orch.remote=up stream' 'core.bare'");
        assert_eq!(both, ["user.name=Ann O'Lee", "orch.remote=up stream", "core.bare"]);
        assert_eq!(command_line_settings("'a.b'=''"), ["a.b="]);
        assert!(command_line_settings("").is_empty());
    }
}
