//! Run time: who waits for which moment of it, and when it passes.
//!
//! Under a virtual clock each conversation has a time of its own, unless one can hold up another:
//! then all share one. A time jumps to the next moment that somebody waits for, once nothing else
//! is going on in it. Under a real clock all share the time that passes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::ConversationNumber;
use super::engine::EngineTimer;

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockMode {
    /// It jumps.
    Virtual,
    /// It passes as wall time does, so many times faster.
    Real(f64),
}

/// Who shares a time.
pub(super) type ClockGroup = u32;

/// The group of everybody.
const ALL: ClockGroup = 0;

/// Something that a moment was waited for with.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A player goes on.
    Wake(oneshot::Sender<()>),
    /// The engine wants to know.
    Timer(EngineTimer),
}

/// The times of a run.
#[derive(Debug)]
pub(super) struct VirtualClocks {
    start: Timestamp,
    shared: bool,
    /// How many players share the one time, where they do.
    players: usize,
    groups: HashMap<ClockGroup, VirtualClock>,
    /// What is waited for in all of them: group, moment, and the order in which it was asked for.
    /// Thousands of conversations wait for one thing each, so they share a map.
    due: BTreeMap<(ClockGroup, Timestamp, u64), Waiter>,
    asked: u64,
}

/// One time.
#[derive(Debug)]
pub(super) struct VirtualClock {
    pub(super) now: Timestamp,
    /// How many players and attempts are about something.
    pub(super) busy: usize,
}

impl VirtualClocks {
    /// The times of so many conversations, which begin at this moment.
    pub(super) fn new(start: Timestamp, shared: bool, players: usize) -> Self {
        let (groups, due) = (HashMap::new(), BTreeMap::new());
        Self { start, shared, players, groups, due, asked: 0 }
    }

    /// The group of a conversation.
    pub(super) fn group(&self, conversation: ConversationNumber) -> ClockGroup {
        if self.shared { ALL } else { conversation }
    }

    /// Whether a group is of all conversations.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The time of a group.
    pub(super) fn of(&mut self, group: ClockGroup) -> &mut VirtualClock {
        let (now, busy) = (self.start, if self.shared { self.players } else { 1 });
        self.groups.entry(group).or_insert(VirtualClock { now, busy })
    }

    /// The time of a conversation.
    pub(super) fn of_conversation(
        &mut self,
        conversation: ConversationNumber,
    ) -> &mut VirtualClock {
        self.of(self.group(conversation))
    }

    /// A conversation has ended, and its time with it.
    pub(super) fn forget(&mut self, conversation: ConversationNumber) {
        if !self.shared {
            while self.take_next(conversation, Timestamp::MAX).is_some() {}
            self.groups.remove(&conversation);
        }
    }

    /// The next moment that is waited for in the time of everybody.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((_, at, _), _)| *at)
    }

    /// Something of a conversation waits for a moment.
    pub(super) fn wait(&mut self, conversation: ConversationNumber, at: Timestamp, due: Waiter) {
        self.asked += 1;
        self.due.insert((self.group(conversation), at, self.asked), due);
    }

    /// A group's time jumps to the next moment that is waited for, but not beyond a limit; gives
    /// what waited.
    pub(super) fn jump(&mut self, group: ClockGroup, limit: Timestamp) -> Option<Waiter> {
        let (at, due) = self.take_next(group, limit)?;
        let time = self.of(group);
        time.now = time.now.max(at);
        Some(due)
    }

    fn take_next(&mut self, group: ClockGroup, limit: Timestamp) -> Option<(Timestamp, Waiter)> {
        let all = (group, Timestamp::MIN, 0)..=(group, limit, u64::MAX);
        let (key, _) = self.due.range(all).next()?;
        let key = *key;
        Some((key.1, self.due.remove(&key)?))
    }
}
