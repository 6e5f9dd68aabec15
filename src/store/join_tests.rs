//! The laws of the join, over random histories of clones with clocks that disagree.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

use crate::domain::id::{ChangeId, SessionId, TaskId};
use crate::domain::kind::{Kind, Priority};
use crate::domain::oid::Oid;
use crate::domain::pass::StepPass;
use crate::domain::stamp::{Field, Hlc, Stamp, TagSet};
use crate::domain::task::{Claim, Evidence, Lease, Move, Owner, Register, Task, Work};
use crate::domain::time::Timestamp;
use crate::domain::unknown::Unknown;
use crate::store::codec::{decode_task, encode_task, register_text};
use crate::store::join::join_file;
use crate::store::passes::{encode_pass, encode_pruned, tests::pass};

const PATH: &str = "tasks/00/00000007.toml";

fn id() -> TaskId {
    TaskId::from_bits(7)
}

/// What one clone does at one time.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Title(u8),
    Body(u8),
    Label(u8),
    Unlabel(u8),
    Claim,
    Confirm,
    TakeOver,
    Release,
    Block,
    Unblock,
    Merge,
    Land,
    Close,
    Reopen,
    Unknown(u8),
    Hear(Index),
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        any::<u8>().prop_map(Deed::Title),
        any::<u8>().prop_map(Deed::Body),
        (0..4_u8).prop_map(Deed::Label),
        (0..4_u8).prop_map(Deed::Unlabel),
        Just(Deed::Claim),
        Just(Deed::Confirm),
        Just(Deed::TakeOver),
        Just(Deed::Release),
        Just(Deed::Block),
        Just(Deed::Unblock),
        Just(Deed::Merge),
        Just(Deed::Land),
        Just(Deed::Close),
        Just(Deed::Reopen),
        (0..4_u8).prop_map(Deed::Unknown),
        any::<Index>().prop_map(Deed::Hear),
    ]
}

/// The task as it was when all clones had the same.
pub(super) fn origin() -> Task {
    let change = ChangeId::from_bits(1);
    let stamp = Stamp { ms: 1, seq: 0, actor: "ann".into(), change: change.clone() };
    let at = Move { change: &change, now: Timestamp::from_millis(1), clock: Hlc { ms: 1, seq: 0 }, epoch: 0 };
    Task {
        id: id(),
        created: Timestamp::from_millis(1),
        creator: "person:ann".into(),
        updated: Timestamp::from_millis(1),
        kind: Field::new(Kind::Bug, &stamp),
        title: Field::new("first".into(), &stamp),
        body: Field::new(String::new(), &stamp),
        priority: Field::new(Priority::P2, &stamp),
        role: Field::new(None, &stamp),
        acceptance: Field::new(Vec::new(), &stamp),
        labels: TagSet::default(),
        needs: TagSet::default(),
        files: TagSet::default(),
        rejected: None,
        register: Register::new(&at),
        unknown: Unknown::default(),
    }
}

/// One clone's deed, the `n`th of all, at the time that its clock shows.
pub(super) fn act(mut task: Task, deed: &Deed, clone: usize, n: u64, ms: i64) -> Task {
    let change = ChangeId::from_bits(100 + n);
    let clock = Hlc { ms, seq: 0 };
    let stamp = Stamp { ms, seq: 0, actor: format!("c{clone}"), change: change.clone() };
    let at = Move { change: &change, now: Timestamp::from_millis(ms), clock, epoch: 0 };
    let session = SessionId::from_bits(u64::try_from(clone).expect("few"));
    let owner = Owner { actor: format!("person:c{clone}"), session, worker: false };
    let lease = Lease { owner, claim: Claim::Local, expires: Timestamp::from_millis(ms + 9) };
    let oid = Oid::parse(&"a".repeat(40)).expect("valid");
    let work = Work { branch: "fix/x".into(), base: oid.clone() };
    let evidence = Evidence { commit: oid.clone(), tree: oid, verdict: "k".into(), local: false };
    let r = task.register.clone();
    let moved = match deed {
        Deed::Claim => r.claim(&id(), &at, lease, work).ok(),
        Deed::Confirm => r.state.lease().is_some().then(|| r.confirmed()),
        Deed::TakeOver => r.take_over(&id(), &at, lease).ok(),
        Deed::Release => r.release(&id(), &at).ok(),
        Deed::Block => r.block(&id(), &at, "why".into()).ok(),
        Deed::Unblock => r.unblock(&id(), &at).ok(),
        Deed::Merge => r.begin_merge(&id(), &at, lease).ok(),
        Deed::Land => r.merged(&id(), &at, evidence).ok(),
        Deed::Close => r.close(&id(), &at, "why".into()).ok(),
        Deed::Reopen => r.reopen(&id(), &at).ok(),
        _ => None,
    };
    if let Some(next) = moved {
        assert!(next.standing() >= r.standing(), "what a clone does comes after what it saw: {deed:?}");
        assert!(next.top >= r.top, "{deed:?}");
        let changed_hands = next.fence != r.fence;
        assert!(!changed_hands || next.fence > r.top, "a fence is never given twice: {deed:?}");
        task.register = next;
    }
    match deed {
        Deed::Title(t) => drop(task.title.set(format!("title {t}"), &stamp)),
        Deed::Body(t) => drop(task.body.set(format!("body {t}"), &stamp)),
        Deed::Label(l) => drop(task.labels.insert(format!("l{l}"), &change, 0)),
        Deed::Unlabel(l) => drop(task.labels.remove(&format!("l{l}"))),
        Deed::Unknown(u) => task.unknown.insert(vec![format!("later{}", u % 2)], format!("{n}")),
        _ => {}
    }
    task.updated = Timestamp::from_millis(ms);
    task
}

/// What three clones have after a random history.
fn clones() -> impl Strategy<Value = Vec<Task>> {
    let skews = prop::collection::vec(-400_000..400_000_i64, 3);
    let deeds = prop::collection::vec((0..3_usize, deed()), 1..40);
    (skews, deeds).prop_map(|(skews, deeds)| {
        let mut clones = vec![origin(); 3];
        for (n, (who, deed)) in deeds.into_iter().enumerate() {
            let n = i64::try_from(n).expect("few");
            clones[who] = match &deed {
                Deed::Hear(from) => clones[who].clone().join(from.get(&clones).clone(), register_text),
                _ => {
                    let ms = 1_000_000 + n * 1_000 + skews[who];
                    act(clones[who].clone(), &deed, who, n.unsigned_abs(), ms)
                }
            };
        }
        clones
    })
}

fn join(one: &str, two: &str) -> String {
    join_file(PATH, one, two).expect("related")
}

proptest! {
    #[test]
    fn tasks_join_alike_everywhere(clones in clones()) {
        let texts: Vec<String> = clones.iter().map(encode_task).collect();
        let [a, b, c] = texts.as_slice() else { panic!("BUG: three clones") };
        prop_assert_eq!(join(a, b), join(b, a));
        prop_assert_eq!(join(&join(a, b), c), join(a, &join(b, c)));
        let ab = join(a, b);
        prop_assert_eq!(&join(&ab, a), &ab);
        prop_assert_eq!(&join(&ab, b), &ab);
        prop_assert_eq!(&join(&ab, &ab), &ab);
        let joined = decode_task(&ab).expect("readable");
        prop_assert_eq!(&encode_task(&joined), &ab, "in canonical form");
        for task in &clones[..2] {
            prop_assert!(joined.register.standing() >= task.register.standing());
            prop_assert!(joined.register.top >= task.register.top);
        }
    }

    #[test]
    fn what_the_remote_confirmed_outranks_what_clones_did_alone(deeds in prop::collection::vec(deed(), 0..20)) {
        let winner = {
            let claimed = act(origin(), &Deed::Claim, 0, 1, 1_000);
            act(claimed, &Deed::Confirm, 0, 2, 1_001)
        };
        let alone = deeds.iter().filter(|d| !matches!(d, Deed::Confirm | Deed::Hear(_))).zip(3..);
        let loser = alone.fold(origin(), |task, (deed, n)| act(task, deed, 1, n, 900_000));
        let joined = loser.clone().join(winner.clone(), register_text);
        prop_assert_eq!(&joined.register.state, &winner.register.state);
        prop_assert_eq!(joined.register.fence, winner.register.fence);
        prop_assert!(joined.register.top >= loser.register.fence, "a fence is never given twice");
    }

    #[test]
    fn anything_joins_alike_everywhere(
        path in prop::sample::select(vec![PATH, "control.toml", "sessions/00/a.toml", "sessions/00/a.md",
                                          "verdicts/00/a.b.toml", "decisions/00/approve-a.toml", "later/x",
                                          "steps/00/a.b.c.toml", "refuted/00/a.b.toml", "pruned/steps.toml"]),
        texts in prop::collection::vec(prop_oneof![
            any::<String>(),
            (0..4_i64, prop::sample::select(vec!["NORMAL", "OFF", "odd"]))
                .prop_map(|(n, mode)| format!("mode = \"{mode}\"\nat = \"2026-01-01T00:00:0{n}.000Z\"\n")),
            (0..4_i64).prop_map(|n| encode_pruned(Timestamp::from_millis(n)).to_string()),
            (0..4_i64, 0..2_u64).prop_map(|(made, millis)| {
                encode_pass(&StepPass { made: Timestamp::from_millis(made), millis, ..pass() }).to_string()
            }),
            (0..3_u64).prop_map(|n| encode_task(&act(origin(), &Deed::Title(1), 1, n, 5))),
        ], 3),
    ) {
        let join = |one: &str, two: &str| join_file(path, one, two).expect("related");
        let [a, b, c] = texts.as_slice() else { panic!("BUG: three texts") };
        prop_assert_eq!(join(a, b), join(b, a));
        prop_assert_eq!(join(&join(a, b), c), join(a, &join(b, c)));
        prop_assert_eq!(&join(a, a), a);
    }
}

#[test]
fn a_later_program_s_keys_come_along() {
    let text = encode_task(&origin())
        .replace("[register]", "[register]\nattempts = 3")
        .replace("schema = 1", "schema = 1\nzeal = { by = \"ann\" }");
    let mut task = decode_task(&text).expect("readable");
    task.title.set("other".into(), &Stamp { ms: 9, ..task.title.stamp.clone() });
    let written = encode_task(&task);
    for kept in ["attempts = 3", "by = \"ann\"", "title = \"other\""] {
        assert!(written.contains(kept), "{kept}: {written}");
    }
    assert!(join(&written, &encode_task(&origin())).contains("attempts = 3"));
}

#[test]
fn a_damaged_copy_never_hides_a_good_one() {
    let good = encode_task(&origin());
    for bad in ["", "zzz = \"", "\u{ff}"] {
        assert_eq!(join(&good, bad), good);
        assert_eq!(join(bad, &good), good);
    }
}

#[test]
fn states_of_two_repositories_are_not_joined() {
    let meta = |id: &str| {
        format!(
            "epoch = 0\nformat = 1\nmin_reader = 1\nmin_writer = 1\nrepository = \"{id}\"\ntrunk = \"main\"\n"
        )
    };
    let error = join_file("meta.toml", &meta("a"), &meta("b")).expect_err("unrelated");
    assert_eq!((error.ours.as_str(), error.theirs.as_str()), ("a", "b"));
    let newer = meta("a").replace("epoch = 0", "epoch = 4").replace("min_reader", "later = true\nmin_reader");
    assert_eq!(join_file("meta.toml", &meta("a"), &newer).expect("related"), newer);
    // Of squashes of one epoch all name the same.
    let squashed = |epoch: u8, previous: &str| {
        let line = format!("min_writer = 1\nprevious = \"{}\"", previous.repeat(40));
        meta("a").replace("epoch = 0", &format!("epoch = {epoch}")).replace("min_writer = 1", &line)
    };
    let (one, two, three) = (squashed(1, "b"), squashed(1, "c"), squashed(2, "a"));
    let join = |one: &str, two: &str| join_file("meta.toml", one, two).expect("related");
    assert_eq!((join(&one, &two), join(&two, &one)), (two.clone(), two.clone()));
    assert_eq!((join(&two, &three), join(&meta("a"), &one)), (three, one));
}
