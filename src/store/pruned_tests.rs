//! The laws of the join over states that let records of steps go, as trees of git, with records that can't be read.

use std::collections::BTreeMap;

use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest};

use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::time::Timestamp;
use crate::store::archive_tests::Bare;
use crate::store::layout;
use crate::store::passes::{encode_pass, encode_pruned, tests::pass};

/// The files of one clone.
type Files = BTreeMap<String, String>;

fn record(made: i64, millis: u64) -> String {
    encode_pass(&StepPass { made: Timestamp::from_millis(made), millis, ..pass() }).to_string()
}

fn pruned(before: i64) -> String {
    encode_pruned(Timestamp::from_millis(before)).to_string()
}

/// A state with records of some times around those before which they are let go.
fn files() -> impl Strategy<Value = Files> {
    let text = prop_oneof![
        3 => (0..4_i64, 0..2_u64).prop_map(|(made, millis)| record(made, millis)),
        1 => prop::sample::select(vec!["", "made = ", "x = 1\n"]).prop_map(str::to_owned),
    ];
    let name =
        prop::sample::select(vec!["steps/00/a.b.c.toml", "steps/00/d.b.c.toml", "refuted/00/a.b.toml"]);
    let records = prop::collection::btree_map(name.prop_map(str::to_owned), text, 0..4);
    let before = prop_oneof![
        1 => Just(None),
        3 => (1..4_i64).prop_map(|before| Some(pruned(before))),
        1 => Just(Some("before = ".to_owned())),
    ];
    (records, before).prop_map(|(mut files, before)| {
        files.extend(before.map(|text| (layout::PRUNED.to_owned(), text)));
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_let_go_joins_alike_everywhere(states in prop::collection::vec(files(), 3)) {
        let bare = Bare::new();
        let commits: Vec<Oid> = states.into_iter().map(|files| bare.commit_files(files, Vec::new())).collect();
        let [a, b, c] = commits.as_slice() else { panic!("BUG: three states") };
        let (ab, ba) = (bare.join(a, b), bare.join(b, a));
        prop_assert_eq!(bare.tree(&ab), bare.tree(&ba));
        let (abc, bca) = (bare.join(&ab, c), bare.join(&bare.join(b, c), a));
        prop_assert_eq!(bare.tree(&abc), bare.tree(&bca));
        prop_assert_eq!(bare.tree(&bare.join(&abc, &bca)), bare.tree(&abc));
        // The same files in a history that has nothing to do with it.
        let again = bare.commit_files(bare.texts(&ab), Vec::new());
        prop_assert_eq!(bare.tree(&bare.join(&ab, &again)), bare.tree(&ab));
    }
}

#[test]
fn of_two_old_versions_neither_stays() {
    let bare = Bare::new();
    let state = |text: String| {
        let files = [("steps/00/a.b.c.toml".to_owned(), text), (layout::PRUNED.to_owned(), pruned(9))];
        bare.commit_files(Files::from(files), Vec::new())
    };
    let damaged = || "made = ".to_owned();
    for (one, two) in
        [(record(1, 0), record(2, 0)), (record(1, 0), damaged()), (damaged(), "x = 1\n".to_owned())]
    {
        let (one, two) = (state(one), state(two));
        for joined in [bare.join(&one, &two), bare.join(&two, &one)] {
            let left = bare.texts(&joined);
            assert_eq!(left.keys().collect::<Vec<_>>(), [layout::PRUNED], "{left:?}");
        }
    }
}

/// A program that knows nothing of what was let go brings it back with each join: were that taken out by a commit of its own,
/// the two would take turns for ever.
#[test]
fn what_an_older_program_brings_back_makes_no_commit() {
    let bare = Bare::new();
    let told = || (layout::PRUNED.to_owned(), pruned(9));
    let old = || ("steps/00/a.b.c.toml".to_owned(), record(1, 0));
    let young = || ("steps/00/d.b.c.toml".to_owned(), record(9, 0));
    let let_go = bare.commit_files(Files::from([told()]), Vec::new());
    let back = bare.commit_files(Files::from([told(), old()]), vec![let_go.clone()]);
    assert_eq!(bare.join(&let_go, &back), back, "it is taken as it is");
    assert_eq!(bare.join(&back, &let_go), back);
    let snapshot = bare.store().at(&back).expect("there");
    let due = snapshot.steps_before(Timestamp::from_millis(9)).expect("readable");
    assert_eq!(due, ["steps/00/a.b.c.toml"], "`maintain` finds it");
    // Whoever has something to commit lets it go with that.
    let ours = bare.commit_files(Files::from([told(), young()]), vec![let_go]);
    for joined in [bare.join(&ours, &back), bare.join(&back, &ours)] {
        let left = bare.texts(&joined);
        assert_eq!(left.keys().collect::<Vec<_>>(), [layout::PRUNED, "steps/00/d.b.c.toml"], "{left:?}");
    }
}
