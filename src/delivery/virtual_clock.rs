//! Run time: which waiters are due, and how clocks advance.
//!
//! With virtual clocks, each conversation has its own, unless a failure in one can block another:
//! then all share one. A virtual clock jumps to its next waiter as soon as nothing in its group is
//! running. With a real clock, all conversations share the time that passes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::ConversationNumber;
use super::engine::EngineTimer;

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockMode {
    /// Jumps to the next event without waiting.
    Virtual,
    /// Passes like wall time, multiplied by this speed.
    Real(f64),
}

/// The number of a clock: that of its conversation, or `ALL`.
pub(super) type ClockGroup = u32;

/// The clock that all conversations share. Conversations are numbered from 1, so 0 is free.
const ALL: ClockGroup = 0;

/// Something that waits for a run time.
#[derive(Debug)]
pub(super) enum Waiter {
    /// A sleeping conversation.
    Wake(oneshot::Sender<()>),
    /// A timer of the engine.
    Timer(EngineTimer),
}

/// The clocks of a run and their waiters.
#[derive(Debug)]
pub(super) struct VirtualClocks {
    start: Timestamp,
    shared: bool,
    /// Number of conversations that share one clock.
    players: usize,
    groups: HashMap<ClockGroup, VirtualClock>,
    /// The waiters by group, run time and order of registration. One map for all groups: with
    /// thousands of conversations of one waiter each, a map per group costs more memory.
    due: BTreeMap<(ClockGroup, Timestamp, u64), Waiter>,
    /// Number of waiters so far.
    registered: u64,
}

/// The clock of one group.
#[derive(Debug)]
pub(super) struct VirtualClock {
    pub(super) now: Timestamp,
    /// Number of conversations that are not waiting, plus attempts in flight. The clock cannot jump
    /// unless it is 0.
    pub(super) busy: usize,
}

impl VirtualClocks {
    /// Creates the clocks of `players` conversations that start at `start`.
    pub(super) fn new(start: Timestamp, shared: bool, players: usize) -> Self {
        let (groups, due) = (HashMap::new(), BTreeMap::new());
        Self { start, shared, players, groups, due, registered: 0 }
    }

    /// The clock group of a conversation.
    pub(super) fn group(&self, conversation: ConversationNumber) -> ClockGroup {
        if self.shared { ALL } else { conversation }
    }

    /// Returns whether all conversations share one clock.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The clock of a group, created on first use.
    pub(super) fn of(&mut self, group: ClockGroup) -> &mut VirtualClock {
        // Every conversation starts as running, and is not created here one by one.
        let (now, busy) = (self.start, if self.shared { self.players } else { 1 });
        self.groups.entry(group).or_insert(VirtualClock { now, busy })
    }

    /// The clock of a conversation.
    pub(super) fn of_conversation(
        &mut self,
        conversation: ConversationNumber,
    ) -> &mut VirtualClock {
        self.of(self.group(conversation))
    }

    /// Removes the clock of a conversation that has ended, with its waiters.
    pub(super) fn forget(&mut self, conversation: ConversationNumber) {
        if !self.shared {
            while self.take_next(conversation, Timestamp::MAX).is_some() {}
            self.groups.remove(&conversation);
        }
    }

    /// The run time at which the next waiter is due, for clocks that are shared.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((_, at, _), _)| *at)
    }

    /// Registers a waiter of a conversation.
    pub(super) fn wait(&mut self, conversation: ConversationNumber, at: Timestamp, waiter: Waiter) {
        self.registered += 1;
        self.due.insert((self.group(conversation), at, self.registered), waiter);
    }

    /// Advances a clock to its next waiter and returns the waiter, unless it is due after `limit`.
    pub(super) fn jump(&mut self, group: ClockGroup, limit: Timestamp) -> Option<Waiter> {
        let (at, waiter) = self.take_next(group, limit)?;
        let clock = self.of(group);
        clock.now = clock.now.max(at);
        Some(waiter)
    }

    fn take_next(&mut self, group: ClockGroup, limit: Timestamp) -> Option<(Timestamp, Waiter)> {
        let all = (group, Timestamp::MIN, 0)..=(group, limit, u64::MAX);
        let (key, _) = self.due.range(all).next()?;
        let key = *key;
        Some((key.1, self.due.remove(&key)?))
    }
}
