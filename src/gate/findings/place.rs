//! Paths as tools write them, as paths from the checkout's root.

/// The longest path that is kept.
const PATH: usize = 1_024;

/// `path` from the root of the checkout at `root`; None if it is outside, or no path.
pub(super) fn relative(path: &str, root: &str) -> Option<String> {
    let path = slashes(path.strip_prefix("file://").unwrap_or(path));
    let root = slashes(root);
    let path = if absolute(&path) { below(&path, root.trim_end_matches('/'))? } else { &path };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part if part.chars().any(char::is_control) => return None,
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    (!path.is_empty() && path.len() <= PATH).then_some(path)
}

fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// Whether it starts at a root: `/…` or `C:/…`.
fn absolute(path: &str) -> bool {
    match path.as_bytes() {
        [b'/', ..] => true,
        [drive, b':', b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

fn below<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    // `file:///C:/…` leaves a slash before the drive.
    let path = path.strip_prefix('/').filter(|rest| absolute(rest)).unwrap_or(path);
    path.strip_prefix(root).filter(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_from_the_root_or_none() {
        for (path, root, expected) in [
            ("src/a.rs", "/r/o", Some("src/a.rs")),
            ("./src//a.rs", "/r/o", Some("src/a.rs")),
            ("src\\a.rs", "/r/o", Some("src/a.rs")),
            ("src/b/../a.rs", "/r/o", Some("src/a.rs")),
            ("/r/o/src/a.rs", "/r/o/", Some("src/a.rs")),
            ("file:///r/o/src/a.rs", "/r/o", Some("src/a.rs")),
            ("/r/o/../o/a.rs", "/r/o", None),
            ("/r/other/a.rs", "/r/o", None),
            ("/r/o", "/r/o", None),
            ("../a.rs", "/r/o", None),
            ("a/../../b", "/r/o", None),
            ("C:\\r\\o\\a.rs", "C:\\r\\o", Some("a.rs")),
            ("file:///C:/r/o/a.rs", "C:\\r\\o", Some("a.rs")),
            ("D:\\a.rs", "C:\\r\\o", None),
            ("", "/r/o", None),
            (".", "/r/o", None),
            ("a\nb", "/r/o", None),
            ("/a.rs", "/", Some("a.rs")),
            ("//a.rs", "/", Some("a.rs")),
        ] {
            assert_eq!(relative(path, root).as_deref(), expected, "{path} below {root}");
        }
        assert_eq!(relative(&"a".repeat(PATH + 1), "/"), None);
    }
}
