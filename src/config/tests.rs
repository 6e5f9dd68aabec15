//! `orch.toml`: what is accepted, what is refused, and where it says that the mistake is.

use std::path::PathBuf;

use proptest::prelude::*;

use crate::config::{Accept, Config, Guardrails, Merging, Moment, Period, Run, StepKind, parse};
use crate::domain::role::{Role, Team};

fn corpus(kind: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config").join(kind);
    let files = crate::sys::fs::list(&dir).unwrap();
    assert!(files.len() >= 4, "the corpus is there");
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, crate::sys::fs::read_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn valid_files_are_accepted() {
    for (name, text) in corpus("valid") {
        assert!(parse(&text, &name).is_ok(), "{name}: {:?}", parse(&text, &name));
    }
}

#[test]
fn invalid_files_get_every_problem_with_its_place() {
    let mut shown = String::new();
    for (name, text) in corpus("invalid") {
        for problem in parse(&text, &name).expect_err(&name) {
            shown = shown + &problem.to_string() + "\n";
        }
    }
    let expected = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config/invalid.messages");
    assert_eq!(shown, crate::sys::fs::read_string(&expected).unwrap(), "the messages changed");
}

#[test]
fn nothing_written_means_the_built_in_layer() {
    let config = parse("", "orch.toml").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.ralph.accept, Accept::Absolute);
    assert_eq!(config.ralph.max_age.to_string(), "7d");
    assert_eq!((config.merge.of(Team::Qa), config.merge.of(Team::Dev)), (Merging::Auto, Merging::Review));
    assert_eq!(config.push.budget, Period::from_secs(60));
    assert_eq!(config.push.exempt, ["wip/*"]);
}

#[test]
fn every_key_reaches_its_field() {
    let (_, text) = corpus("valid").into_iter().find(|(name, _)| name == "everything.toml").unwrap();
    let config = parse(&text, "orch.toml").unwrap();
    assert_eq!(config.ralph.setup, ["npm ci"]);
    assert_eq!(config.ralph.carry, ["node_modules", "packages/web/node_modules"]);
    assert_eq!(config.ralph.accept, Accept::NoRegressions);
    let [lint, unit] = &config.ralph.steps[..] else { panic!("two steps") };
    assert_eq!((lint.name.as_str(), lint.kind), ("lint", StepKind::Lint));
    assert_eq!(lint.run, Run::Argv(["npm", "run", "lint"].map(str::to_owned).to_vec()));
    assert_eq!(lint.inputs, ["src/**/*.{ts,tsx}", "!src/generated/**"]);
    assert_eq!(lint.env, ["NODE_OPTIONS"]);
    assert_eq!(lint.timeout, Period::from_secs(90 * 60));
    assert_eq!(lint.group.as_deref(), Some("checks"));
    assert_eq!(Vec::from_iter(lint.when.clone()), [Moment::Push, Moment::Merge]);
    assert_eq!(Vec::from_iter(lint.teams.clone()), Team::ALL);
    assert_eq!(unit.run, Run::Shell("npm run build\nnpm test\n".into()));
    assert_eq!((unit.retries, unit.min_tests), (2, Some(10)));
    assert_eq!((unit.needs.clone(), unit.resources.clone()), (vec!["lint".into()], vec!["port:5432".into()]));
    assert_eq!(unit.report.as_deref(), Some("jest"));
    assert_eq!(config.agents["local"].command, "./agent.sh");
    assert_eq!(config.roles[&Role::Bugfix].agent.as_deref(), Some("local"));
    assert_eq!((config.merge.qa, config.merge.dev), (Merging::Review, Merging::Auto));
    assert!(config.push.budget.is_zero());
    assert_eq!(Vec::from_iter(config.policy.guardrails), [Guardrails::Health]);
}

#[test]
fn a_cycle_through_a_long_chain_is_no_stack_overflow() {
    let step = |n: u32| {
        let need = (n + 1) % 20_000;
        format!("[[ralph.step]]\nname = \"s{n}\"\nrun = \"x\"\nneeds = [\"s{need}\"]\n")
    };
    let text: String = (0..20_000).map(step).collect();
    assert_eq!(parse(&text, "x").expect_err("cycle").len(), 1);
}

/// Bits of real files, so that random texts get past the first syntax error.
fn fragment() -> impl Strategy<Value = String> {
    let words = [
        "[ralph]\n",
        "[[ralph.step]]\n",
        "name = \"a\"\n",
        "run = \"x\"\n",
        "run = [\"x\", 1]\n",
        "needs = [\"a\", \"b\"]\n",
        "timeout = \"9m\"\n",
        "retries = 3\n",
        "kind = \"test\"\n",
        "[push]\n",
        "[agents.a]\n",
        "command = 'x'\n",
        "[roles.bugfix]\n",
        "agent = \"ä\"\n",
        "inputs = [\"**/[\"]\n",
        "carry = [\"../x\"]\n",
        "= ",
        "\"",
        "[",
        "]",
        "{",
        "1e999",
        "1979-05-27",
        "\u{feff}",
        "\r",
        "\0",
        "ü",
    ];
    prop_oneof![prop::sample::select(words.to_vec()).prop_map(str::to_owned), "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        drop(parse(&text, "x"));
    }

    #[test]
    fn no_mixture_of_real_bits_makes_it_panic(bits in prop::collection::vec(fragment(), 0..30)) {
        let text = bits.concat();
        if let Err(problems) = parse(&text, "x") {
            prop_assert!(!problems.is_empty());
            let lines = text.lines().count() + 1;
            prop_assert!(problems.iter().all(|p| (1..=lines).contains(&p.line) && p.column >= 1));
        }
    }
}
