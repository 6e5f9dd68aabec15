//! Which files define the gate, the policy, the hooks and the agents: a change of one needs a person.

/// Files and directories (with a slash at the end) that decide what is checked and who checks it.
pub const PATHS: [&str; 17] = [
    "orch.toml",
    ".orch/",
    ".husky/",
    ".githooks/",
    "lefthook.yml",
    "lefthook.yaml",
    "lefthook.toml",
    ".lefthook.yml",
    ".lefthook.yaml",
    ".pre-commit-config.yaml",
    "prek.toml",
    ".claude/",
    ".codex/",
    ".gemini/",
    ".opencode/",
    "opencode.json",
    ".aider.conf.yml",
];

/// Whether `path` (with `/`, from the top) is one of them. Case is ignored: some file systems do.
pub fn is_gate(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    PATHS.iter().any(|gate| if gate.ends_with('/') { path.starts_with(gate) } else { path == *gate })
}

#[cfg(test)]
mod tests {
    use super::is_gate;

    #[test]
    fn only_what_defines_the_gate() {
        for path in ["orch.toml", "ORCH.toml", ".husky/pre-commit", ".claude/settings.json"] {
            assert!(is_gate(path), "{path}");
        }
        for path in ["src/orch.toml", "husky/x", "orch.toml.md", "README.md"] {
            assert!(!is_gate(path), "{path}");
        }
    }
}
