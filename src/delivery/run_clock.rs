//! Run time: which waiters of a run are due, and how its clocks advance.
//!
//! With virtual clocks, each conversation has its own, unless a failure in one can block another:
//! then all share one. A virtual clock jumps to its next waiter as soon as nothing in its group is
//! in flight. With a real clock, all conversations share the time that passes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::engine::EngineTimer;
use crate::base::fast_map::FastMap;

/// How run time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClockMode {
    /// Jumps to the next event without waiting.
    Virtual,
    /// Passes like wall time, multiplied by this speed.
    Real(f64),
}

/// The speeds that a real clock can have.
pub const SPEEDS: RangeInclusive<f64> = 0.01..=100_000.0;

/// Seconds after which a waiting real clock computes its time again.
const LONGEST_WAIT: f64 = 24.0 * 3600.0;

/// The number of a clock in its run: that of its conversation, or `ALL`.
pub(super) type ClockGroup = u32;

/// The clock that all conversations share. Conversations are numbered from 1, so 0 is free.
pub(super) const ALL: ClockGroup = 0;

/// Something that waits for a run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// The conversation of this number.
    Wake(u32),
    /// A timer of the engine.
    Timer(EngineTimer),
}

/// The clocks of a run and their waiters.
#[derive(Debug)]
pub(super) struct RunClock {
    start: Timestamp,
    shared: bool,
    real: Option<RealTime>,
    is_paused: bool,
    groups: FastMap<ClockGroup, GroupClock>,
    /// The waiters by group, run time and order of registration. One map for all groups: with
    /// thousands of conversations of one waiter each, a map per group costs more memory.
    due: BTreeMap<(ClockGroup, Timestamp, u64), Waiter>,
    /// Number of waiters so far.
    registered: u64,
}

/// Run time that passes like wall time.
#[derive(Clone, Copy, Debug)]
struct RealTime {
    /// The run time at `since`.
    at: Timestamp,
    since: Instant,
    speed: f64,
}

/// The clock of one group.
#[derive(Debug)]
struct GroupClock {
    now: Timestamp,
    /// Number of attempts and expectations in flight. The clock cannot jump unless it is 0.
    in_flight: usize,
}

impl RealTime {
    fn now(&self) -> Timestamp {
        let elapsed = self.since.elapsed().mul_f64(self.speed);
        self.at.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

impl RunClock {
    /// Creates the clocks of a run that starts at `start`. With `shared`, all conversations have
    /// one virtual clock.
    pub(super) fn new(mode: ClockMode, start: Timestamp, shared: bool) -> Self {
        let real = match mode {
            ClockMode::Virtual => None,
            ClockMode::Real(speed) => Some(RealTime { at: start, since: Instant::now(), speed }),
        };
        Self {
            start,
            shared: shared || real.is_some(),
            real,
            is_paused: false,
            groups: FastMap::default(),
            due: BTreeMap::new(),
            registered: 0,
        }
    }

    /// The clock group of a conversation.
    pub(super) fn group(&self, conversation: u32) -> ClockGroup {
        if self.shared { ALL } else { conversation }
    }

    fn of(&mut self, group: ClockGroup) -> &mut GroupClock {
        let now = self.start;
        self.groups.entry(group).or_insert(GroupClock { now, in_flight: 0 })
    }

    /// The current run time of a conversation.
    pub(super) fn now(&mut self, conversation: u32) -> Timestamp {
        let real = self.real_now();
        let clock = self.of(self.group(conversation));
        clock.now = clock.now.max(real.unwrap_or(clock.now));
        clock.now
    }

    /// The current run time that all conversations share with a real clock.
    pub(super) fn passing(&mut self) -> Option<Timestamp> {
        self.real.is_some().then(|| self.now(ALL))
    }

    /// The run time of a real clock.
    fn real_now(&self) -> Option<Timestamp> {
        let real = self.real.as_ref()?;
        Some(if self.is_paused { real.at } else { real.now() })
    }

    /// Returns whether run time passes now, like wall time.
    pub(super) fn passes(&self) -> bool {
        self.real.is_some() && !self.is_paused
    }

    /// Counts an attempt or expectation of a conversation that begins.
    pub(super) fn begin_attempt(&mut self, conversation: u32) {
        self.of(self.group(conversation)).in_flight += 1;
    }

    /// Counts an attempt or expectation of a conversation that has ended.
    pub(super) fn end_attempt(&mut self, conversation: u32) {
        self.of(self.group(conversation)).in_flight -= 1;
    }

    /// Removes all waiters, because nothing more happens in the run.
    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// Removes the clock of a conversation that has ended, with its waiters.
    pub(super) fn forget(&mut self, conversation: u32) {
        if !self.shared {
            while self.take_next(conversation, Timestamp::MAX).is_some() {}
            self.groups.remove(&conversation);
        }
    }

    /// Registers a waiter of a conversation.
    pub(super) fn wait(&mut self, conversation: u32, at: Timestamp, waiter: Waiter) {
        self.registered += 1;
        self.due.insert((self.group(conversation), at, self.registered), waiter);
    }

    /// Advances a clock to its next waiter and returns the waiter, if it is due. A group with a
    /// ready delivery has something to send, although no attempt counts as in flight yet.
    pub(super) fn jump(&mut self, group: ClockGroup, has_ready: bool) -> Option<Waiter> {
        if self.is_paused {
            return None;
        }
        // A real clock never runs ahead of the time that has passed; a virtual one jumps.
        let limit = match self.real_now() {
            Some(now) => now,
            None if self.of(group).in_flight == 0 && !has_ready => Timestamp::MAX,
            None => return None,
        };
        self.advance(group, limit)
    }

    fn advance(&mut self, group: ClockGroup, limit: Timestamp) -> Option<Waiter> {
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

    /// The instant at which the next waiter is due under a real clock.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let real = self.real.as_ref().filter(|_| !self.is_paused)?;
        let ((_, at, _), _) = self.due.first_key_value()?;
        let after = at.duration_since(real.at).max(SignedDuration::ZERO).unsigned_abs();
        let after = after.as_secs_f64() / real.speed;
        Some(real.since + Duration::from_secs_f64(after.min(LONGEST_WAIT)))
    }

    /// Stops run time. Attempts in flight end, and nothing else happens.
    pub(super) fn pause(&mut self) {
        if let (Some(now), Some(real)) = (self.real_now(), &mut self.real) {
            (real.at, real.since) = (now, Instant::now());
        }
        self.is_paused = true;
    }

    /// Continues run time where it was paused.
    pub(super) fn resume(&mut self) {
        if let Some(real) = &mut self.real {
            real.since = Instant::now();
        }
        self.is_paused = false;
    }

    /// Changes the speed of a real clock. Other speeds than [`SPEEDS`] would overflow, and are ignored.
    pub(super) fn set_speed(&mut self, speed: f64) {
        if !SPEEDS.contains(&speed) {
            return;
        }
        if let (Some(now), Some(real)) = (self.real_now(), &mut self.real) {
            *real = RealTime { at: now, since: Instant::now(), speed };
        }
    }

    /// The groups with waiters.
    pub(super) fn waiting_groups(&self) -> impl Iterator<Item = ClockGroup> {
        self.due.keys().map(|(group, _, _)| *group)
    }

    /// Advances a paused run to its next waiter, and returns the waiter.
    pub(super) fn step(&mut self) -> Option<Waiter> {
        let firsts = self.due.keys().map(|(group, at, _)| (*at, *group));
        let (at, group) = firsts.min().filter(|_| self.is_paused)?;
        if let Some(real) = &mut self.real {
            real.at = real.at.max(at);
        }
        self.advance(group, at)
    }
}
