//! Every order of steps and faults, within bounds.

use stateright::{Checker, Expectation, Model, Property};

use crate::ops::sync::model::node::{Do, Node};
use crate::ops::sync::model::world::{COMMANDS, Command, Net, World};
use crate::sys::env::Env;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Deed {
    Begin(usize, Command),
    Go(usize),
    /// The remote can't be reached.
    Offline(usize),
    /// The remote did it, and the answer did not arrive.
    LostReply(usize),
    /// The push is given up, and may arrive at any time later.
    Late(usize),
    /// One of those does.
    Arrive(usize),
    /// Nobody is at work for longer than what is known is good for.
    Rest,
    /// Like `kill -9`: what is not written is gone.
    Kill(usize),
}

/// How much is explored.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes: usize,
    commands: u8,
    faults: u8,
}

impl Model for Bounds {
    type State = World;
    type Action = Deed;

    fn init_states(&self) -> Vec<World> {
        let nodes = vec![Node::new(); self.nodes];
        vec![World {
            state: nodes[0].register.clone(),
            nodes,
            claim: None,
            late: Vec::new(),
            trunk: Vec::new(),
            grants: Vec::new(),
            faults: self.faults,
            commands: self.commands,
            is_late: false,
            broken: None,
        }]
    }

    fn actions(&self, world: &World, deeds: &mut Vec<Deed>) {
        if world.broken.is_some() {
            return;
        }
        if !world.is_late && world.nodes.iter().all(|node| node.todo.is_empty()) {
            deeds.push(Deed::Rest);
        }
        deeds.extend((0..world.late.len()).map(Deed::Arrive));
        for (n, node) in world.nodes.iter().enumerate() {
            let Some(next) = node.todo.last() else {
                deeds.extend(COMMANDS.iter().map(|command| Deed::Begin(n, *command)));
                continue;
            };
            deeds.push(Deed::Go(n));
            deeds.push(Deed::Kill(n));
            if matches!(next, Do::Fetch | Do::Share | Do::Push(..) | Do::Look(..) | Do::Land) {
                deeds.push(Deed::Offline(n));
            }
            if matches!(next, Do::Push(..)) {
                deeds.push(Deed::Late(n));
            }
            if matches!(next, Do::Share | Do::Push(..) | Do::Land) {
                deeds.push(Deed::LostReply(n));
            }
        }
    }

    fn next_state(&self, last: &World, deed: Deed) -> Option<World> {
        let mut world = last.clone();
        match deed {
            Deed::Begin(n, command) => {
                world.commands = world.commands.checked_sub(1)?;
                if !world.begin(n, command) {
                    return None;
                }
            }
            Deed::Go(n) => world.go(n, Net::Works),
            Deed::Rest => world.rest(),
            Deed::Arrive(push) => {
                let (expected, new) = world.late.remove(push);
                if world.claim == expected {
                    world.grant(new.as_ref());
                    world.claim = new;
                }
            }
            Deed::Late(n) | Deed::Offline(n) | Deed::LostReply(n) | Deed::Kill(n) => {
                world.faults = world.faults.checked_sub(1)?;
                if let (Deed::Late(_), Some(Do::Push(_, expected, new))) = (deed, world.nodes[n].todo.last())
                {
                    world.late.push((expected.clone(), new.clone()));
                }
                match deed {
                    Deed::Late(_) | Deed::Offline(_) => world.go(n, Net::Silent),
                    Deed::LostReply(_) => world.go(n, Net::ReplyLost),
                    _ => world.nodes[n].forget_command(),
                }
            }
        }
        for node in &mut world.nodes {
            if node.todo.is_empty() {
                (node.ours, node.merging, node.over) = (None, None, None);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is broken on the way", |_, world: &World| world.broken.is_none()),
            Property::always("one owner for each fence", |_, world: &World| world.one_owner()),
            Property::always("who was told `confirmed` keeps it", |_, world: &World| world.kept()),
            Property::always("all agree in the end", |_, world: &World| world.healed()),
            Property::sometimes("a task is taken over", |_, world: &World| {
                world.grants.windows(2).any(|pair| pair[0].1 != pair[1].1)
            }),
            Property::sometimes("a task is merged", |_, world: &World| !world.trunk.is_empty()),
        ]
    }
}

/// Fails with the shortest way to what must not be; else how many states were looked at.
fn explore(bounds: Bounds) -> usize {
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    for property in bounds.properties() {
        let found = checker.discovery(property.name);
        match (property.expectation, found) {
            (Expectation::Always, Some(path)) => {
                let step = |(world, deed): (World, Option<Deed>)| format!("{deed:?}: {}", world.line());
                let steps: Vec<String> = path.into_vec().into_iter().map(step).collect();
                panic!("{} is not so, by\n{}", property.name, steps.join("\n"));
            }
            // Telling, waiting, and taking over are three commands.
            (Expectation::Sometimes, None) if bounds.commands > 2 => panic!("never: {}", property.name),
            (Expectation::Always | Expectation::Sometimes | Expectation::Eventually, _) => {}
        }
    }
    checker.unique_state_count()
}

#[test]
fn two_clones_with_three_commands_and_one_fault() {
    let states = explore(Bounds { nodes: 2, commands: 3, faults: 1 });
    assert!(states > 150_000, "all of them, not {states}");
}

#[test]
fn three_clones_with_two_commands_and_one_fault() {
    let states = explore(Bounds { nodes: 3, commands: 2, faults: 1 });
    assert!(states > 20_000, "all of them, not {states}");
}

/// `ORCH_TEST_MODEL="<clones> <commands> <faults>"` explores as far as that says.
#[test]
fn as_far_as_is_asked_for() {
    let asked = Env::capture();
    let Some(asked) = asked.get("ORCH_TEST_MODEL").and_then(|text| text.to_str()) else { return };
    let numbers: Vec<u8> = asked.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [nodes, commands, faults] = numbers.as_slice() else { panic!("three numbers, not {asked}") };
    let states = explore(Bounds { nodes: (*nodes).into(), commands: *commands, faults: *faults });
    assert!(states > 0, "{states}");
}
