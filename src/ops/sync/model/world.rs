//! The clones and their remote: commands, their steps, and what must be so after each.

use crate::domain::task::{Claim, Evidence, Register, State};
use crate::ops::sync::model::node::{Commit, Do, Goal, Node, holds, id, join, lease, oid};
use crate::ops::sync::rules::{has_gone, is_same_right, is_settled};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    /// `start`: fetches, then takes the task or tells its owner.
    Start,
    /// `next` just after a fetch; with the state pushed along, or not.
    Next {
        share: bool,
    },
    Release,
    Merge,
    Reopen,
    Sync,
}

pub(super) const COMMANDS: [Command; 7] = [
    Command::Start,
    Command::Next { share: true },
    Command::Next { share: false },
    Command::Release,
    Command::Merge,
    Command::Reopen,
    Command::Sync,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) state: Register,
    pub(super) claim: Option<Commit>,
    /// Pushes that were given up and may still arrive: what they expect, and what they bring.
    pub(super) late: Vec<(Option<Commit>, Option<Commit>)>,
    /// Merges that the remote's trunk took since the task was last open again.
    pub(super) trunk: Vec<(usize, u64)>,
    /// Whom the remote gave the task, in its order.
    pub(super) grants: Vec<(u64, usize)>,
    pub(super) faults: u8,
    pub(super) commands: u8,
    /// Whether nobody goes by what it saw before the task was finished.
    pub(super) is_late: bool,
    pub(super) broken: Option<&'static str>,
}

/// What became of a step that needs the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Net {
    Works,
    Silent,
    ReplyLost,
}

impl World {
    pub(super) fn begin(&mut self, n: usize, command: Command) -> bool {
        let node = &mut self.nodes[n];
        let is_known = node.tracking.is_some();
        match command {
            Command::Start => {
                node.first([Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Start { offline: false }]);
            }
            Command::Next { share } => {
                if node.register.state != State::Open || !(share || node.fresh) {
                    return false;
                }
                node.take(n);
                if share {
                    node.first([Do::Share]);
                }
                node.first([Do::Remember]);
            }
            Command::Release => {
                if !node.is_own(n) {
                    return false;
                }
                node.register = node.change(n, |r, at| r.release(&id(), at)).expect("it is ours");
                (node.held, node.told) = (None, None);
                node.tell(is_known);
            }
            Command::Reopen => {
                if !matches!(node.register.state, State::Done(_)) {
                    return false;
                }
                node.register = node.change(n, |r, at| r.reopen(&id(), at)).expect("it is done");
                node.tell(is_known);
                self.trunk.clear();
            }
            Command::Merge => {
                // Whoever was confirmed asks again only when it lands.
                if !node.is_own(n) || !(node.fresh || node.register.anchor >= node.register.fence) {
                    return false;
                }
                let back = match &node.register.state {
                    State::Merging(_) => State::Review,
                    state => state.clone(),
                };
                let next = node.change(n, |r, at| r.begin_merge(&id(), at, lease(n)));
                node.register = next.expect("it is claimed");
                node.merging = Some((node.register.fence, back));
                node.first([Do::Remember, Do::Confirm, Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Land]);
            }
            Command::Sync => {
                node.first([Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Renew, Do::PublishAll, Do::Share]);
            }
        }
        true
    }

    /// The next step of a clone's command.
    pub(super) fn go(&mut self, n: usize, net: Net) {
        let node = &mut self.nodes[n];
        let Some(step) = node.todo.pop() else { return };
        match step {
            Do::Fetch if net != Net::Works => node.no_fetch(),
            Do::Fetch => {
                (node.fetched, node.tracking) = (self.state.clone(), self.claim.clone());
                node.fresh = true;
            }
            Do::JoinState => {
                let joined = join(&node.register, &node.fetched);
                if joined.change != node.register.change && !node.notes.is_empty() {
                    node.notes.clear();
                    return node.first([Do::JoinState]);
                }
                node.register = joined;
            }
            Do::JoinClaim => node.join_claim(),
            Do::Renew => node.renew(n),
            Do::PublishAll => node.publish_all(n, self.is_late),
            Do::Share => self.share(n, net),
            Do::Start { offline } => node.start(n, offline),
            Do::Remember => node.held = Some(node.register.fence),
            Do::Confirm => {
                if node.register.anchor < node.register.fence {
                    node.ours = Some(node.register.clone());
                    node.first([Do::Publish(Goal::Merge)]);
                }
            }
            Do::Publish(goal) => self.publish(n, goal),
            Do::Push(goal, expected, new) => self.push(n, (goal, expected, new), net),
            Do::Look(goal, new) => match net {
                Net::Works if self.claim.as_ref() == Some(&new) => node.first([Do::Arrived(goal, new)]),
                Net::Works => node.again(goal),
                Net::Silent | Net::ReplyLost => node.fail(goal),
            },
            Do::Arrived(goal, commit) => node.arrived(n, goal, commit),
            Do::Land => self.land(n, net),
            Do::Done => self.done(n),
            Do::GiveBack => node.give_back(n),
        }
    }

    fn done(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let evidence = Evidence { commit: oid(), tree: oid(), verdict: String::new(), local: false };
        let fence = node.merging.take().map(|(fence, _)| fence);
        if fence == Some(node.register.fence)
            && let Ok(next) = node.change(n, |r, at| r.merged(&id(), at, evidence))
        {
            node.register = next;
            (node.held, node.told) = (None, None);
            node.first([Do::Share, Do::PublishAll]);
            self.is_late = false;
        }
    }

    pub(super) fn share(&mut self, n: usize, net: Net) {
        let node = &mut self.nodes[n];
        match net {
            Net::Works if node.fetched == self.state => {
                self.state = node.register.clone();
                node.fetched = node.register.clone();
                node.fresh = true;
            }
            Net::Works => node.first([Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Share]),
            Net::ReplyLost | Net::Silent => {
                if net == Net::ReplyLost && node.fetched == self.state {
                    self.state = node.register.clone();
                }
                node.forget_command();
            }
        }
    }

    /// As `confirm::publish`, one round.
    pub(super) fn publish(&mut self, n: usize, goal: Goal) {
        let node = &mut self.nodes[n];
        let ours = node.ours.clone().expect("it is being published");
        if has_gone(&ours, &node.register) {
            node.held = None;
            if node.merging.is_some() {
                node.first([Do::GiveBack]);
            } else {
                node.todo.clear();
            }
            return;
        }
        match node.prepare(n, goal) {
            Some(push) => node.first([push]),
            None if node.tracking.as_ref().is_some_and(|there| is_settled(&there.0, &node.register)) => {
                node.was_told(n, goal);
            }
            None => {
                let before = node.clone();
                node.join_claim();
                if *node == before {
                    self.broken = Some("a claim that can be neither pushed nor heard");
                }
                let node = &mut self.nodes[n];
                let at = node.todo.len() - usize::from(node.todo.last() == Some(&Do::JoinClaim));
                node.todo.insert(at, Do::Publish(goal));
            }
        }
    }

    pub(super) fn push(
        &mut self,
        n: usize,
        (goal, expected, new): (Goal, Option<Commit>, Option<Commit>),
        net: Net,
    ) {
        let fits = self.claim == expected;
        if net != Net::Silent && fits {
            self.grant(new.as_ref());
            self.claim.clone_from(&new);
        }
        let node = &mut self.nodes[n];
        match (net, fits, new) {
            (Net::Works, true, Some(new)) => {
                if node.notes.contains(&new) {
                    node.first([Do::Arrived(goal, new)]);
                } else {
                    node.tracking = Some(new);
                }
            }
            (Net::Works, true, None) => node.tracking = None,
            (Net::Works, false, _) if goal == Goal::Sync => {}
            (Net::Works, false, _) => node.again(goal),
            (Net::Silent | Net::ReplyLost, _, Some(new)) if goal != Goal::Sync => {
                node.first([Do::Look(goal, new)]);
            }
            (Net::Silent | Net::ReplyLost, _, _) => node.fail(goal),
        }
    }

    /// Notes whom the remote gives the task.
    pub(super) fn grant(&mut self, new: Option<&Commit>) {
        let owner = |commit: &Commit| {
            let register = &commit.0.register;
            (0..self.nodes.len()).find(|n| holds(register, *n)).map(|n| (register.fence, n))
        };
        let Some(next) = new.and_then(owner) else { return };
        if self.grants.last() == Some(&next) {
            return;
        }
        if self.grants.last().is_some_and(|last| last.0 >= next.0) {
            self.broken = Some("a fence that does not rise");
        }
        self.grants.push(next);
    }

    pub(super) fn land(&mut self, n: usize, net: Net) {
        let node = &mut self.nodes[n];
        let Some((fence, _)) = node.merging else { return };
        if fence != node.register.fence {
            return node.first([Do::GiveBack]);
        }
        let is_there = self.trunk.iter().any(|(by, _)| *by == n);
        if net == Net::Silent {
            return node.first([Do::GiveBack]);
        }
        if !is_there {
            let there = node.tracking.clone();
            let is_known =
                there.as_ref().is_none_or(|there| is_same_right(&there.0.register, &node.register));
            let new = node.record(n, node.register.clone(), None);
            if !is_known || node.register.anchor < node.register.fence {
                return node.first([Do::GiveBack]);
            }
            node.notes.push(new.clone());
            if self.claim != there {
                return node.first([Do::Fetch, Do::JoinState, Do::JoinClaim, Do::Land]);
            }
            if net == Net::Works {
                node.tracking = Some(new.clone());
            }
            if self.grants.last() != Some(&(fence, n)) {
                self.broken = Some("a merge by who has no right to it");
            }
            self.claim = Some(new);
            if self.trunk.iter().any(|(_, other)| *other == fence) {
                self.broken = Some("two merges by one fence");
            }
            self.trunk.push((n, fence));
        }
        self.nodes[n].first([if net == Net::Works { Do::Done } else { Do::GiveBack }]);
    }
}

impl World {
    pub(super) fn rest(&mut self) {
        self.is_late = true;
        for node in &mut self.nodes {
            node.fresh = false;
        }
    }

    pub(super) fn one_owner(&self) -> bool {
        let mut fences: Vec<u64> = Vec::new();
        for (n, node) in self.nodes.iter().enumerate() {
            let confirmed = node.register.state.lease().is_some_and(|lease| lease.claim == Claim::Confirmed);
            if confirmed && holds(&node.register, n) {
                fences.push(node.register.fence);
            }
        }
        let count = fences.len();
        fences.sort_unstable();
        fences.dedup();
        fences.len() == count
    }

    pub(super) fn kept(&self) -> bool {
        self.nodes.iter().enumerate().all(|(n, node)| {
            let Some(fence) = node.told else { return true };
            holds(&node.register, n) || self.grants.iter().any(|(other, by)| *other > fence && *by != n)
        })
    }

    /// Where at most one clone is at work: kills that, then lets every clone sync undisturbed a few times: all have the same, nothing that the remote
    /// has outranks it, and what was merged by the last owner is done.
    pub(super) fn healed(&self) -> bool {
        if self.nodes.iter().filter(|node| !node.todo.is_empty()).count() > 1 {
            return true;
        }
        let mut world = self.clone();
        for node in &mut world.nodes {
            node.forget_command();
        }
        for _ in 0..3 {
            for n in 0..world.nodes.len() {
                world.begin(n, Command::Sync);
                while !world.nodes[n].todo.is_empty() {
                    world.go(n, Net::Works);
                }
            }
        }
        let agree = world.nodes.iter().all(|node| node.register == world.state);
        let above = |claim: &Commit| claim.0.register.standing() <= world.state.standing();
        let claim = world.claim.as_ref().is_none_or(above);
        agree && claim && world.broken.is_none() && self.is_recorded(&world.state)
    }

    /// A merge that was recorded is not forgotten: but for who was given the task after it.
    pub(super) fn is_recorded(&self, now: &Register) -> bool {
        let Some((by, fence)) = self.trunk.last() else { return true };
        let given = self.grants.iter().any(|(other, _)| other > fence);
        let recorded = matches!(self.nodes[*by].register.state, State::Done(_));
        given || !recorded || matches!(now.state, State::Done(_))
    }
}

impl World {
    pub(super) fn line(&self) -> String {
        let node = |node: &Node| {
            let Register { state, fence, anchor, .. } = &node.register;
            let holder = state.lease().map_or("-", |lease| &lease.owner.actor);
            format!("{} {holder} {fence}/{anchor} held {:?}", state.status(), node.held)
        };
        self.nodes.iter().map(node).collect::<Vec<_>>().join(" | ")
    }
}
