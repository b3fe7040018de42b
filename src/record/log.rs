//! The record log of one run: every fact once, numbered as it is appended.
//!
//! Whoever wants records subscribes: the journal, the verdict, the console. A subscriber misses
//! nothing: the log waits for the slowest one, so that its memory is bounded. With a journal, other
//! subscribers see a record only once it is stored; what is shown can be looked up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::{Record, RecordKind};
use crate::base::clock::Clock;
use crate::base::limits::RECORD_QUEUE;
use crate::base::redact::Redactor;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordScope {
    /// The run time.
    pub at: Timestamp,
    /// The number of the conversation.
    pub conversation: Option<u32>,
    /// The number of the step.
    pub step: Option<usize>,
}

/// The log. Clones append to the same one.
#[derive(Clone, Debug)]
pub struct RecordLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: u32,
    clock: Clock,
    state: Mutex<State>,
    /// A record can be read that could not be read before.
    readable: Notify,
    /// A subscriber that was far behind has caught up a little.
    space: Notify,
}

#[derive(Debug)]
struct State {
    redactor: Arc<Redactor>,
    /// The records that some subscriber has not read yet, oldest first.
    records: VecDeque<Arc<Record>>,
    /// The number of the last record; numbers start at 1.
    last: u64,
    /// The number up to which records are stored, where a journal stores them.
    committed: Option<u64>,
    /// Who waits until the record of this number is stored.
    pending: BTreeMap<u64, oneshot::Sender<()>>,
    /// The next number that each subscriber reads.
    readers: BTreeMap<u64, u64>,
    subscribed: u64,
    is_closed: bool,
    /// The journal could not store a record: nothing more is shown or sent.
    has_failed: bool,
}

/// A record that was appended before its effect happens.
#[derive(Debug)]
pub struct PendingWrite(Option<oneshot::Receiver<()>>);

/// A reader of a log, from one record on.
#[derive(Debug)]
pub struct Subscription {
    log: RecordLog,
    id: u64,
    sees_uncommitted: bool,
}

/// Records before the requested one are no longer in memory; a journal may have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("records before {first} are no longer in memory")]
pub struct Forgotten {
    /// The oldest record that can be read.
    pub first: u64,
}

impl RecordLog {
    /// An empty log for the run of this number.
    pub fn new(run: u32, clock: Clock) -> Self {
        let state = State {
            redactor: Arc::default(),
            records: VecDeque::new(),
            last: 0,
            committed: None,
            pending: BTreeMap::new(),
            readers: BTreeMap::new(),
            subscribed: 0,
            is_closed: false,
            has_failed: false,
        };
        let (readable, space) = (Notify::new(), Notify::new());
        Self(Arc::new(Shared { run, clock, state: Mutex::new(state), readable, space }))
    }

    /// Keeps these secrets out of all records that follow.
    pub fn redact(&self, redactor: Redactor) {
        self.state().redactor = Arc::new(redactor);
    }

    /// Appends a record. Waits while a subscriber is too far behind.
    pub async fn append(&self, scope: RecordScope, kind: RecordKind) {
        self.append_and(scope, kind, |_, _| ()).await;
    }

    /// Appends a record whose effect must not happen before the record is stored.
    pub async fn append_intent(&self, scope: RecordScope, kind: RecordKind) -> PendingWrite {
        let wait = |state: &mut State, seq| {
            state.committed?;
            let (stored, pending) = oneshot::channel();
            if !state.has_failed {
                state.pending.insert(seq, stored);
            }
            Some(pending)
        };
        PendingWrite(self.append_and(scope, kind, wait).await)
    }

    /// Appends a record of a subscriber, which would wait for itself if it waited for space.
    pub fn append_unbounded(&self, scope: RecordScope, kind: RecordKind) {
        let record = self.record(scope, kind);
        self.push(&mut self.state(), record);
    }

    /// Appends a record of a run that was played before, with its own wall time.
    pub async fn append_again(&self, record: &Record) {
        self.append_record(record.clone(), |_, _| ()).await;
    }

    /// Appends a record and does something with its number under the same lock, so that no commit
    /// comes in between.
    async fn append_and<T>(
        &self,
        scope: RecordScope,
        kind: RecordKind,
        then: impl FnOnce(&mut State, u64) -> T,
    ) -> T {
        self.append_record(self.record(scope, kind), then).await
    }

    async fn append_record<T>(&self, record: Record, then: impl FnOnce(&mut State, u64) -> T) -> T {
        loop {
            // Created before the check, so that a change in between is not missed.
            let space = self.0.space.notified();
            {
                let mut state = self.state();
                // After a failure nobody reads, and nothing is sent either.
                if state.records.len() < RECORD_QUEUE || state.has_failed {
                    let seq = self.push(&mut state, record);
                    return then(&mut state, seq);
                }
            }
            space.await;
        }
    }

    /// Reads the log from the record of this number on.
    pub fn subscribe(&self, from: u64) -> Result<Subscription, Forgotten> {
        let mut state = self.state();
        let first = state.first();
        if from < first {
            return Err(Forgotten { first });
        }
        Ok(self.reader(&mut state, from, false))
    }

    /// Reads all records, from the first on and before they are stored.
    pub fn observe(&self) -> Subscription {
        self.reader(&mut self.state(), 1, true)
    }

    /// Subscribes the journal. From now on, other subscribers see a record once it is committed.
    pub fn observe_and_commit(&self) -> Subscription {
        let mut state = self.state();
        state.committed = Some(0);
        self.reader(&mut state, 1, true)
    }

    /// The records up to this number are stored.
    pub fn commit(&self, seq: u64) {
        let mut state = self.state();
        state.committed = Some(seq);
        let later = state.pending.split_off(&(seq + 1));
        for (_, stored) in std::mem::replace(&mut state.pending, later) {
            let _ = stored.send(());
        }
        drop(state);
        self.0.readable.notify_waiters();
    }

    /// The journal can store nothing more.
    pub fn fail(&self) {
        let mut state = self.state();
        state.has_failed = true;
        state.pending.clear();
        drop(state);
        self.0.readable.notify_waiters();
        self.0.space.notify_waiters();
    }

    /// Nothing follows: subscriptions end after the last record.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.0.readable.notify_waiters();
    }

    fn reader(&self, state: &mut State, from: u64, sees_uncommitted: bool) -> Subscription {
        state.subscribed += 1;
        state.readers.insert(state.subscribed, from.max(state.first()));
        Subscription { log: self.clone(), id: state.subscribed, sees_uncommitted }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, scope: RecordScope, kind: RecordKind) -> Record {
        let redactor = Arc::clone(&self.state().redactor);
        Record {
            seq: 0, // numbered under the lock, where it is appended
            run_time: scope.at,
            wall_time: self.0.clock.now(),
            run: self.0.run,
            conversation: scope.conversation,
            step: scope.step,
            kind: kind.redacted(&redactor),
        }
    }

    fn push(&self, state: &mut State, record: Record) -> u64 {
        state.last += 1;
        state.records.push_back(Arc::new(Record { seq: state.last, ..record }));
        state.forget();
        self.0.readable.notify_waiters();
        state.last
    }
}

impl State {
    /// The number of the oldest record in memory.
    fn first(&self) -> u64 {
        self.last + 1 - self.records.len() as u64
    }

    /// Drops the records that every subscriber has read.
    fn forget(&mut self) {
        let next = self.readers.values().min().copied().unwrap_or(self.last + 1);
        while self.first() < next && self.records.pop_front().is_some() {}
    }
}

impl PendingWrite {
    /// Waits until the record is stored, and returns whether it could be. Without a journal there is
    /// nothing to wait for.
    pub async fn committed(self) -> bool {
        match self.0 {
            None => true,
            Some(stored) => stored.await.is_ok(),
        }
    }
}

/// What a subscription finds when it looks for its next record.
enum Found {
    Record(Arc<Record>),
    Nothing,
    End,
}

impl Subscription {
    /// Waits for the next record. Nothing follows the end of the run, or a failure of the journal.
    pub async fn next(&mut self) -> Option<Arc<Record>> {
        let log = self.log.clone();
        loop {
            let readable = log.0.readable.notified();
            match self.find() {
                Found::Record(record) => return Some(record),
                Found::End => return None,
                Found::Nothing => readable.await,
            }
        }
    }

    /// The next record, if there is one now.
    pub fn try_next(&mut self) -> Option<Arc<Record>> {
        match self.find() {
            Found::Record(record) => Some(record),
            Found::Nothing | Found::End => None,
        }
    }

    fn find(&mut self) -> Found {
        let mut state = self.log.state();
        let Some(next) = state.readers.get(&self.id).copied() else { return Found::End };
        let visible = match state.committed {
            Some(committed) if !self.sees_uncommitted => committed,
            _ => state.last,
        };
        let has_ended = state.has_failed || (state.is_closed && next > state.last);
        if next > visible {
            return if has_ended { Found::End } else { Found::Nothing };
        }
        let at = usize::try_from(next - state.first()).unwrap_or(usize::MAX);
        let Some(record) = state.records.get(at).cloned() else { return Found::End };
        state.readers.insert(self.id, next + 1);
        let was_full = state.records.len() >= RECORD_QUEUE;
        state.forget();
        if was_full {
            self.log.0.space.notify_waiters();
        }
        Found::Record(record)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.log.state();
        state.readers.remove(&self.id);
        state.forget();
        drop(state);
        self.log.0.space.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> RecordScope {
        RecordScope { at: Timestamp::UNIX_EPOCH, conversation: None, step: None }
    }

    fn kind(event_type: &str) -> RecordKind {
        RecordKind::DeliveryUnsubscribed { event_type: event_type.to_owned() }
    }

    fn log() -> RecordLog {
        RecordLog::new(1, Clock::Fixed(Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn records_are_numbered_in_order_and_every_subscriber_gets_all() {
        let log = log();
        let mut readers = [log.subscribe(1).unwrap(), log.subscribe(2).unwrap()];
        for name in ["a", "b", "c"] {
            log.append(scope(), kind(name)).await;
        }
        log.close();
        let mut seen = Vec::new();
        for reader in &mut readers {
            while let Some(record) = reader.next().await {
                seen.push(record.seq);
            }
        }
        assert_eq!(seen, [1, 2, 3, 2, 3]);
        assert_eq!(log.subscribe(1).unwrap_err(), Forgotten { first: 4 });
    }

    #[tokio::test]
    async fn append_waits_for_the_slowest_subscriber() {
        let log = log();
        let mut slow = log.subscribe(1).unwrap();
        for _ in 0..RECORD_QUEUE {
            log.append(scope(), kind("x")).await;
        }
        let blocked = tokio::spawn({
            let log = log.clone();
            async move { log.append(scope(), kind("y")).await }
        });
        tokio::task::yield_now().await;
        assert!(!blocked.is_finished());
        assert_eq!(slow.next().await.unwrap().seq, 1);
        blocked.await.unwrap();
    }

    #[tokio::test]
    async fn with_a_journal_records_are_seen_and_acted_on_once_they_are_committed() {
        let log = log();
        let mut journal = log.observe_and_commit();
        let mut console = log.subscribe(1).unwrap();
        let pending = log.append_intent(scope(), kind("a")).await;
        assert_eq!(journal.next().await.unwrap().seq, 1);
        assert!(console.try_next().is_none());
        log.commit(1);
        assert!(pending.committed().await);
        assert_eq!(console.next().await.unwrap().seq, 1);
    }

    #[tokio::test]
    async fn after_a_failed_write_nothing_is_acted_on_or_shown() {
        let log = log();
        let _journal = log.observe_and_commit();
        let mut console = log.subscribe(1).unwrap();
        let pending = log.append_intent(scope(), kind("a")).await;
        log.fail();
        assert!(!pending.committed().await);
        assert!(!log.append_intent(scope(), kind("b")).await.committed().await);
        assert!(console.next().await.is_none());
    }
}
