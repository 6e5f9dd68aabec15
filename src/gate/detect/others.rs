//! Hints for repositories that no detector knows.

use crate::gate::detect::facts::Facts;

const KNOWN: [(&str, &str); 10] = [
    ("pom.xml", "mvn -B verify"),
    ("build.gradle", "./gradlew check"),
    ("build.gradle.kts", "./gradlew check"),
    ("Gemfile", "bundle exec rake"),
    ("mix.exs", "mix test"),
    ("composer.json", "composer test"),
    ("Package.swift", "swift test"),
    ("deno.json", "deno task test"),
    ("CMakeLists.txt", "cmake -B build && cmake --build build && ctest --test-dir build"),
    ("build.zig", "zig build test"),
];

/// What somebody could write whose gate is empty.
pub(super) fn hints(facts: &Facts<'_>) -> Vec<String> {
    let mut hints = vec![
        "Nothing that this version knows how to judge was found: the gate is empty, and Ralph says BLOCKED until \
         orch.toml has a [[ralph.step]]."
            .to_owned(),
    ];
    let found = KNOWN.iter().filter(|(file, _)| facts.exists(file));
    hints.extend(found.map(|(file, line)| format!("{file} is there: a step could run `{line}`.")));
    let makefile = ["Makefile", "makefile", "GNUmakefile"].iter().find_map(|name| facts.read(name));
    let targets = makefile.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(':'));
    for target in targets.map(|(name, _)| name.trim()).filter(|name| ["test", "check", "lint"].contains(name))
    {
        hints.push(format!("The makefile has a target `{target}`: a step could run `make {target}`."));
    }
    hints
}
