//! What the documents show works as shown.

use std::path::Path;

use git_orch::config;
use git_orch::domain::role::Role;
use git_orch::sys::fs;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_string(&path).expect("the document is there")
}

/// The code blocks of `language` in a Markdown text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn the_example_configuration_is_valid_and_has_every_section() {
    let blocks = blocks(&document("configuration.md"), "toml");
    assert_eq!(blocks.len(), 1);
    let config = config::parse(&blocks[0], "docs/configuration.md").expect("every key is known");
    assert_eq!(config.ralph.steps.len(), 2);
    assert!(config.agents.contains_key("local"));
    assert_eq!(config.roles.get(&Role::Bugfix).and_then(|r| r.agent.as_deref()), Some("local"));
}

#[test]
fn the_dispatcher_has_no_database() {
    let bytes = fs::read(Path::new(crate::env::HOOK)).expect("it was built");
    let main = fs::read(Path::new(crate::env::ORCH)).expect("it was built");
    let has = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|w| w == word);
    assert!(has(&main, b"SQLite format 3"), "the probe finds SQLite where it is");
    assert!(!has(&bytes, b"SQLite format 3"));
}
