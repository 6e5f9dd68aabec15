//! Building text line by line.

/// Whole lines at the end of a text.
pub(crate) trait Lines {
    /// Adds `text` and a line end; white space at the end of `text` is left out.
    fn line(&mut self, text: &str);
}

impl Lines for String {
    fn line(&mut self, text: &str) {
        self.push_str(text.trim_end());
        self.push('\n');
    }
}
