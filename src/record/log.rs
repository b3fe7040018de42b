//! The record log of one run: numbers records and passes them to subscribers.
//!
//! The journal, the verdict and the console subscribe. A subscriber receives every record: `append`
//! waits for the slowest one, which bounds the memory. With a journal, other subscribers receive a
//! record only after it is stored, so that everything shown can be looked up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::{Record, RecordKind};
use crate::base::clock::Clock;
use crate::base::limits::{READ_BATCH, RECORD_QUEUE, RECORD_QUEUE_BYTES};
use crate::base::redact::Redactor;

/// Time and place of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordScope {
    /// Run time.
    pub at: Timestamp,
    /// Number of the conversation, from 1.
    pub conversation: Option<u32>,
    /// Number of the script's step, from 1.
    pub step: Option<usize>,
}

/// A record log. Clones share one log.
#[derive(Clone, Debug)]
pub struct RecordLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    run: u32,
    clock: Clock,
    state: Mutex<LogState>,
    /// Notified when a record is appended. Subscribers that may read it only when it is stored wait for
    /// `readable`: waking a reader on another thread in vain costs two system calls.
    appended: Notify,
    /// Notified when a record becomes readable for all subscribers.
    readable: Notify,
    /// Notified when `records` has room for another one.
    space: Notify,
}

#[derive(Debug)]
struct LogState {
    redactor: Arc<Redactor>,
    /// Records that some subscriber has not read, oldest first.
    records: VecDeque<Arc<Record>>,
    /// The size of `records`, in bytes.
    bytes: usize,
    /// Number of the last record; 0 before the first.
    last: u64,
    /// Number of the last stored record, if there is a journal.
    committed: Option<u64>,
    /// Notified when the record of this number is stored. The second number tells several apart.
    pending: BTreeMap<(u64, u64), oneshot::Sender<()>>,
    /// Number of entries of `pending` so far.
    awaited: u64,
    /// The next record of each subscription, by subscription id.
    readers: BTreeMap<u64, u64>,
    subscribed: u64,
    is_closed: bool,
    /// Set when the journal cannot store a record. Nothing more is shown or sent.
    has_failed: bool,
}

/// A record whose effect must wait until it is stored.
#[derive(Debug)]
pub struct PendingWrite(Option<oneshot::Receiver<()>>);

/// Reads the records of a log in order.
#[derive(Debug)]
pub struct LogReader {
    log: RecordLog,
    id: u64,
    sees_uncommitted: bool,
}

/// The requested record is no longer in memory. A journal may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("records before {first} are no longer in memory")]
pub struct Forgotten {
    /// Number of the oldest record in memory.
    pub first: u64,
}

impl RecordLog {
    /// Creates an empty log for a run.
    pub fn new(run: u32, clock: Clock) -> Self {
        let state = LogState {
            redactor: Arc::default(),
            records: VecDeque::new(),
            bytes: 0,
            last: 0,
            committed: None,
            pending: BTreeMap::new(),
            awaited: 0,
            readers: BTreeMap::new(),
            subscribed: 0,
            is_closed: false,
            has_failed: false,
        };
        Self(Arc::new(Shared {
            run,
            clock,
            state: Mutex::new(state),
            appended: Notify::new(),
            readable: Notify::new(),
            space: Notify::new(),
        }))
    }

    /// Creates the log of a run that continues after record `last` of a journal.
    pub fn resumed(run: u32, clock: Clock, last: u64) -> Self {
        let log = Self::new(run, clock);
        log.state().last = last;
        log
    }

    /// Redacts more secrets in all later records.
    pub fn redact(&self, redactor: Redactor) {
        let mut state = self.state();
        state.redactor = Arc::new(state.redactor.merged(redactor));
    }

    /// Appends a record. Waits while a subscriber is `RECORD_QUEUE` records or `RECORD_QUEUE_BYTES`
    /// behind.
    // Not an `async fn`: its future would contain the large `kind`, not just the record's address.
    pub fn append(
        &self,
        scope: RecordScope,
        kind: RecordKind,
    ) -> impl Future<Output = ()> + Send + use<'_> {
        let record = self.record(scope, kind);
        async { self.append_record(record, |_, _| ()).await }
    }

    /// Appends a record whose effect must not happen before the record is stored.
    pub fn append_intent(
        &self,
        scope: RecordScope,
        kind: RecordKind,
    ) -> impl Future<Output = PendingWrite> + Send + use<'_> {
        let record = self.record(scope, kind);
        let wait = |state: &mut LogState, seq| {
            state.committed?;
            Some(state.pending(seq))
        };
        async move { PendingWrite(self.append_record(record, wait).await) }
    }

    /// Returns when every record so far is stored.
    pub fn flushed(&self) -> PendingWrite {
        let mut state = self.state();
        let last = state.last;
        let is_stored = |committed: u64| committed >= last && !state.has_failed;
        if state.committed.is_none_or(is_stored) {
            return PendingWrite(None);
        }
        PendingWrite(Some(state.pending(last)))
    }

    /// Returns a record as the log would show it.
    pub fn redacted(&self, kind: RecordKind) -> RecordKind {
        let redactor = Arc::clone(&self.state().redactor);
        kind.redacted(&redactor)
    }

    /// Appends a record without waiting. For subscribers, which would wait for themselves.
    pub fn append_unbounded(&self, scope: RecordScope, kind: RecordKind) {
        let record = self.record(scope, kind);
        self.push(&mut self.state(), record);
    }

    /// Appends the record of an earlier run, with the wall time of that run.
    pub async fn append_existing(&self, record: &Record) {
        self.append_record(Arc::new(record.clone()), |_, _| ()).await;
    }

    /// Appends a record and calls `then` with its number under the same lock, so that the record
    /// cannot be committed in between.
    async fn append_record<T>(
        &self,
        record: Arc<Record>,
        then: impl FnOnce(&mut LogState, u64) -> T,
    ) -> T {
        loop {
            // Created before the check, or a `notify_waiters` in between would be missed.
            let space = self.0.space.notified();
            {
                let mut state = self.state();
                // After a failure, subscriptions end, so there is no reader to wait for.
                if state.has_space() || state.has_failed {
                    let seq = self.push(&mut state, record);
                    // One waiter wakes the next while there is room. To wake all of them for each
                    // record would be quadratic in the number of conversations.
                    if state.has_space() {
                        self.0.space.notify_one();
                    }
                    return then(&mut state, seq);
                }
            }
            space.await;
        }
    }

    /// Subscribes to the records from number `from` on.
    ///
    /// # Errors
    /// The record is no longer in memory.
    pub fn subscribe(&self, from: u64) -> Result<LogReader, Forgotten> {
        let mut state = self.state();
        let first = state.first();
        if from < first {
            return Err(Forgotten { first });
        }
        Ok(self.reader(&mut state, from, false))
    }

    /// Subscribes to all records, including those that are not stored yet.
    pub fn observe(&self) -> LogReader {
        self.reader(&mut self.state(), 1, true)
    }

    /// Subscribes the journal. From now on, other subscribers receive only committed records.
    pub fn observe_and_commit(&self) -> LogReader {
        let mut state = self.state();
        // The records of a resumed run are stored already.
        state.committed = Some(state.first() - 1);
        self.reader(&mut state, 1, true)
    }

    /// Marks the records up to `seq` as stored.
    pub fn commit(&self, seq: u64) {
        let mut state = self.state();
        state.committed = Some(seq);
        let later = state.pending.split_off(&(seq + 1, 0));
        for (_, stored) in std::mem::replace(&mut state.pending, later) {
            let _ = stored.send(());
        }
        drop(state);
        self.0.readable.notify_waiters();
    }

    /// Marks the journal as failed. Subscriptions end, and pending writes return `false`.
    pub fn fail(&self) {
        let mut state = self.state();
        state.has_failed = true;
        state.pending.clear();
        drop(state);
        self.0.appended.notify_waiters();
        self.0.readable.notify_waiters();
        self.0.space.notify_waiters();
    }

    /// Closes the log. Subscriptions end after the last record.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.0.appended.notify_waiters();
        self.0.readable.notify_waiters();
    }

    fn reader(&self, state: &mut LogState, from: u64, sees_uncommitted: bool) -> LogReader {
        state.subscribed += 1;
        state.readers.insert(state.subscribed, from.max(state.first()));
        LogReader { log: self.clone(), id: state.subscribed, sees_uncommitted }
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, scope: RecordScope, kind: RecordKind) -> Arc<Record> {
        let redactor = Arc::clone(&self.state().redactor);
        Arc::new(Record {
            seq: 0, // numbered under the lock, where it is appended
            run_time: scope.at,
            wall_time: self.0.clock.now(),
            run: self.0.run,
            conversation: scope.conversation,
            step: scope.step,
            kind: kind.redacted(&redactor),
        })
    }

    fn push(&self, state: &mut LogState, mut record: Arc<Record>) -> u64 {
        state.last += 1;
        state.bytes += record.size();
        Arc::make_mut(&mut record).seq = state.last;
        state.records.push_back(record);
        state.forget();
        self.0.appended.notify_waiters();
        if state.committed.is_none() {
            self.0.readable.notify_waiters();
        }
        state.last
    }
}

impl LogState {
    fn first(&self) -> u64 {
        self.last + 1 - self.records.len() as u64
    }

    /// Adds a waiter for the commit of a record.
    fn pending(&mut self, seq: u64) -> oneshot::Receiver<()> {
        let (stored, pending) = oneshot::channel();
        // Dropping the sender reports the failure.
        if !self.has_failed {
            self.awaited += 1;
            self.pending.insert((seq, self.awaited), stored);
        }
        pending
    }

    /// Drops the records that every subscription has read.
    fn forget(&mut self) {
        let next = self.readers.values().min().copied().unwrap_or(self.last + 1);
        while self.first() < next
            && let Some(record) = self.records.pop_front()
        {
            self.bytes -= record.size();
        }
    }

    /// Returns whether another record fits. A record of any size fits into an empty log.
    fn has_space(&self) -> bool {
        self.records.len() < RECORD_QUEUE && self.bytes < RECORD_QUEUE_BYTES
    }

    /// Returns whether many records fit, so that it is worth to wake those who wait for space. To wake
    /// one for each record that a reader on another thread has read costs a system call each.
    fn has_room(&self) -> bool {
        self.records.len() <= RECORD_QUEUE / 2 && self.bytes <= RECORD_QUEUE_BYTES / 2
    }
}

impl PendingWrite {
    /// Waits until the record is stored. Returns `false` if the journal failed. Returns at once if
    /// there is no journal.
    pub async fn committed(self) -> bool {
        match self.0 {
            None => true,
            Some(stored) => stored.await.is_ok(),
        }
    }
}

/// What a subscription has found.
#[derive(PartialEq)]
enum Found {
    Records,
    NothingYet,
    End,
}

impl LogReader {
    /// Waits for the next record. Returns `None` at the end of the log or after a journal failure.
    pub async fn next(&mut self) -> Option<Arc<Record>> {
        let mut next = None;
        self.wait(1, |record| next = Some(record)).await;
        next
    }

    /// Waits for records, and adds those that are readable then: all, or as many as are read at once.
    /// Adds none at the end of the log or after a journal failure. Nothing is lost if the future is
    /// dropped.
    pub async fn next_batch(&mut self, batch: &mut Vec<Arc<Record>>) {
        self.wait(READ_BATCH, |record| batch.push(record)).await;
    }

    /// Adds the records that are readable now: all, or as many as are read at once.
    pub fn try_next_batch(&mut self, batch: &mut Vec<Arc<Record>>) {
        self.read(READ_BATCH, |record| batch.push(record));
    }

    /// Waits until there are records, and takes at most `most`.
    async fn wait(&mut self, most: usize, mut take: impl FnMut(Arc<Record>)) {
        let log = self.log.clone();
        loop {
            let news = if self.sees_uncommitted { &log.0.appended } else { &log.0.readable };
            let news = news.notified();
            if self.read(most, &mut take) != Found::NothingYet {
                return;
            }
            news.await;
        }
    }

    /// Takes the records that are readable now, at most `most`.
    fn read(&mut self, most: usize, mut take: impl FnMut(Arc<Record>)) -> Found {
        let mut state = self.log.state();
        let Some(next) = state.readers.get(&self.id).copied() else { return Found::End };
        let visible = match state.committed {
            Some(committed) if !self.sees_uncommitted => committed,
            _ => state.last,
        };
        let has_ended = state.has_failed || (state.is_closed && next > state.last);
        if next > visible {
            return if has_ended { Found::End } else { Found::NothingYet };
        }
        let at = usize::try_from(next - state.first()).unwrap_or(usize::MAX);
        let readable = usize::try_from(visible + 1 - next).unwrap_or(usize::MAX);
        let records = state.records.iter().skip(at).take(readable.min(most));
        let taken = records.cloned().map(&mut take).count();
        state.readers.insert(self.id, next + taken as u64);
        state.forget();
        if state.has_room() {
            self.log.0.space.notify_one();
        }
        if taken == 0 { Found::End } else { Found::Records }
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let mut state = self.log.state();
        state.readers.remove(&self.id);
        state.forget();
        drop(state);
        self.log.0.space.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::fault::Faults;

    fn scope() -> RecordScope {
        RecordScope { at: Timestamp::UNIX_EPOCH, conversation: None, step: None }
    }

    fn kind(event_type: &str) -> RecordKind {
        RecordKind::ActionSilent { event: event_type.to_owned(), reason: String::new() }
    }

    fn log() -> RecordLog {
        RecordLog::new(1, Clock::Fixed(Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn every_subscriber_receives_all_records_in_order() {
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
        // Woken when half of the records have been read.
        for seq in 1..=RECORD_QUEUE as u64 / 2 {
            assert_eq!(slow.next().await.unwrap().seq, seq);
        }
        blocked.await.unwrap();
    }

    #[tokio::test]
    async fn append_waits_for_the_bytes_of_large_records() {
        let log = log();
        let mut slow = log.subscribe(1).unwrap();
        let body: Arc<str> = "x".repeat(RECORD_QUEUE_BYTES / 4).into();
        let large = || RecordKind::DeliveryPlanned {
            delivery: "1-1".into(),
            endpoint: 1,
            event_type: "x".into(),
            certainty: "documented".into(),
            faults: Faults::default(),
            control: false,
            body: Arc::clone(&body),
            event: None,
        };
        for _ in 0..4 {
            log.append(scope(), large()).await;
        }
        let blocked = tokio::spawn({
            let (log, kind) = (log.clone(), large());
            async move { log.append(scope(), kind).await }
        });
        tokio::task::yield_now().await;
        assert!(!blocked.is_finished());
        for seq in 1..=3 {
            assert_eq!(slow.next().await.unwrap().seq, seq);
        }
        blocked.await.unwrap();
    }

    #[tokio::test]
    async fn every_waiting_append_continues_when_a_subscriber_catches_up() {
        let log = log();
        let mut slow = log.subscribe(1).unwrap();
        let appends: Vec<_> = (0..3 * RECORD_QUEUE)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move { log.append(scope(), kind("x")).await })
            })
            .collect();
        for seq in 1..=3 * RECORD_QUEUE as u64 {
            assert_eq!(slow.next().await.unwrap().seq, seq);
        }
        for append in appends {
            append.await.unwrap();
        }
    }

    #[tokio::test]
    async fn with_a_journal_subscribers_receive_only_committed_records() {
        let log = log();
        let mut journal = log.observe_and_commit();
        let mut console = log.subscribe(1).unwrap();
        let pending = log.append_intent(scope(), kind("a")).await;
        assert_eq!(journal.next().await.unwrap().seq, 1);
        let mut shown = Vec::new();
        console.try_next_batch(&mut shown);
        assert!(shown.is_empty());
        log.commit(1);
        assert!(pending.committed().await);
        console.next_batch(&mut shown).await;
        assert_eq!(shown[0].seq, 1);
        assert!(console.next().now_or_never().is_none());
    }

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn subscribers_are_woken_only_for_what_they_can_read() {
        let log = log();
        let (mut journal, mut console) = (log.observe_and_commit(), log.subscribe(1).unwrap());
        let (stored, shown) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        let wakers = [Arc::clone(&stored).into(), Arc::clone(&shown).into()];
        let (mut to_store, mut to_show) = (pin!(journal.next()), pin!(console.next()));
        assert!(to_store.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(to_show.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        let woken = || [&stored, &shown].map(|wakes| wakes.0.load(Ordering::Relaxed));
        log.append(scope(), kind("a")).await;
        assert_eq!(woken(), [1, 0]);
        log.commit(1);
        assert_eq!(woken(), [1, 1]);
        assert_eq!(to_show.await.unwrap().seq, 1);
    }

    #[tokio::test]
    async fn after_a_journal_failure_subscriptions_end_and_writes_fail() {
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
