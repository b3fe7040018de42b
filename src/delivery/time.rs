//! Run time: who waits for which moment of it, and when it passes.
//!
//! Under a virtual clock each conversation has a time of its own, unless one can hold up another:
//! then all share one. A time jumps to the next moment that somebody waits for, once nothing else
//! is going on in it. Under a real clock all share the time that passes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Conversation;
use super::engine::Timer;

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// It jumps.
    Virtual,
    /// It passes as wall time does, so many times faster.
    Real(f64),
}

/// Who shares a time.
pub(super) type Group = u32;

/// The group of everybody.
const ALL: Group = 0;

/// Something that a moment was waited for with.
#[derive(Debug)]
pub(super) enum Due {
    /// A player goes on.
    Wake(oneshot::Sender<()>),
    /// The engine wants to know.
    Timer(Timer),
}

/// The times of a run.
#[derive(Debug)]
pub(super) struct Times {
    start: Timestamp,
    shared: bool,
    /// How many players share the one time, where they do.
    players: usize,
    groups: HashMap<Group, Time>,
}

/// One time.
#[derive(Debug)]
pub(super) struct Time {
    pub(super) now: Timestamp,
    /// How many players and attempts are about something.
    pub(super) busy: usize,
    due: BTreeMap<(Timestamp, u64), Due>,
    asked: u64,
}

impl Times {
    /// The times of so many conversations, which begin at this moment.
    pub(super) fn new(start: Timestamp, shared: bool, players: usize) -> Self {
        Self { start, shared, players, groups: HashMap::new() }
    }

    /// The group of a conversation.
    pub(super) fn group(&self, conversation: Conversation) -> Group {
        if self.shared { ALL } else { conversation }
    }

    /// Whether a group is of all conversations.
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The time of a group.
    pub(super) fn of(&mut self, group: Group) -> &mut Time {
        let (now, busy) = (self.start, if self.shared { self.players } else { 1 });
        self.groups.entry(group).or_insert_with(|| Time {
            now,
            busy,
            due: BTreeMap::new(),
            asked: 0,
        })
    }

    /// The time of a conversation.
    pub(super) fn of_conversation(&mut self, conversation: Conversation) -> &mut Time {
        self.of(self.group(conversation))
    }

    /// A conversation has ended, and its time with it.
    pub(super) fn forget(&mut self, conversation: Conversation) {
        if !self.shared {
            self.groups.remove(&conversation);
        }
    }

    /// The next moment that is waited for in the time of everybody.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let ((at, _), _) = self.groups.get(&ALL)?.due.first_key_value()?;
        Some(*at)
    }
}

impl Time {
    /// Waits for a moment.
    pub(super) fn wait(&mut self, at: Timestamp, due: Due) {
        self.asked += 1;
        self.due.insert((at, self.asked), due);
    }

    /// Jumps to the next moment that is waited for, but not beyond a limit; gives what waited.
    pub(super) fn jump(&mut self, limit: Timestamp) -> Option<Due> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= limit)?;
        let ((at, _), due) = entry.remove_entry();
        self.now = self.now.max(at);
        Some(due)
    }
}
