//! Writes a journal: one thread for all runs, many records in one transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::JournalError;
use super::file_identity::FileIdentity;
use super::item::{RecordBatch, WriterItem};
use super::rows::{LastRows, check_rows, store};
use super::store::{JournalLock, WriteOptions, checkpoint, open, open_to_read};
use crate::base::fail_points;
use crate::base::limits::{JOURNAL_BATCH, READ_BATCH, RECORD_QUEUE};
use crate::record::{LogReader, Record, RecordLog};

/// A journal that this process writes.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    /// Number of the last run.
    runs: Arc<AtomicI64>,
    queue: mpsc::Sender<WriterItem>,
    thread: JoinHandle<Result<(), JournalError>>,
    failure: Arc<OnceLock<String>>,
    _lock: JournalLock,
}

/// Gets each record that was stored, with its number among those of all runs and that of its run.
pub struct RecordSink(Box<SinkFunction>);

/// Gets the number among all runs, the number of the run, and the record.
type SinkFunction = dyn Fn(u64, i64, &Arc<Record>) + Send;

impl RecordSink {
    /// Creates a sink. The thread of the writer calls it, before anybody learns of the commit.
    pub fn new(sink: impl Fn(u64, i64, &Arc<Record>) + Send + 'static) -> Self {
        Self(Box::new(sink))
    }
}

impl fmt::Debug for RecordSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecordSink")
    }
}

impl JournalWriter {
    /// Opens a journal. Creates it if it does not exist.
    pub fn open(path: &Path, options: WriteOptions) -> Result<Self, JournalError> {
        Self::start(path, options, None)
    }

    /// Opens a journal for a server, which numbers the records of all runs.
    pub fn open_numbered(
        path: &Path,
        options: WriteOptions,
        sink: RecordSink,
    ) -> Result<Self, JournalError> {
        Self::start(path, options, Some(sink))
    }

    fn start(
        path: &Path,
        options: WriteOptions,
        sink: Option<RecordSink>,
    ) -> Result<Self, JournalError> {
        let lock = JournalLock::acquire(path)?;
        let connection = open(path, options)?;
        // A new journal gets its name while it is opened.
        let file = FileIdentity::of(path)?;
        // A number is never used again, not even that of a deleted run.
        let last = "SELECT max((SELECT coalesce(max(id), 0) >> 32 FROM record), \
                    (SELECT coalesce(max(run), 0) FROM expired))";
        let last = connection
            .query_row(last, [], |row| row.get::<_, i64>(0))
            .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
        let (queue, mut items) = mpsc::channel(RECORD_QUEUE / READ_BATCH);
        let failure = Arc::new(OnceLock::new());
        let failed = Arc::clone(&failure);
        let thread = thread::Builder::new().spawn(move || {
            let written = write(connection, &file, &mut items, sink.as_ref(), &failed);
            // After an error, every log that still sends must fail. If the queue were just dropped,
            // the log of an item that arrived at that moment would wait forever.
            while let Some(item) = items.blocking_recv() {
                item.fail();
            }
            written
        });
        let thread = thread.map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
        let runs = Arc::new(AtomicI64::new(last));
        Ok(Self { path: path.to_owned(), runs, queue, thread, failure, _lock: lock })
    }

    /// Stores the records of a log as a new run, until the log is closed.
    pub fn attach(&self, log: &RecordLog) {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        self.attach_to(log, run);
    }

    /// Stores the records of a log as those of this run, until the log is closed.
    pub fn attach_to(&self, log: &RecordLog, run: i64) {
        self.runs.fetch_max(run, Ordering::Relaxed);
        tokio::spawn(feed(self.queue.clone(), log.clone(), log.observe_and_commit(), run));
    }

    /// Returns the number of the last run, deleted ones included.
    pub fn last_run(&self) -> i64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Stores a change at a server that belongs to no run. Returns whether it was stored.
    pub async fn note(&self, fact: String) -> bool {
        let (stored, done) = oneshot::channel();
        self.queue.send(WriterItem::Fact(fact, stored)).await.is_ok() && done.await.is_ok()
    }

    /// Deletes all records of a run. Returns whether they were deleted.
    pub async fn expire(&self, run: i64) -> bool {
        let (stored, done) = oneshot::channel();
        self.queue.send(WriterItem::Expire(run, stored)).await.is_ok() && done.await.is_ok()
    }

    /// Returns the cell that gets the reason when nothing more can be stored.
    pub fn failure_cell(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.failure)
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until every record is stored.
    ///
    /// # Errors
    /// A record could not be stored.
    pub async fn close(self) -> Result<(), JournalError> {
        let Self { path, queue, thread, _lock, .. } = self;
        drop(queue);
        // The thread ends when all attached logs are closed. To join it here would block their tasks.
        let joined = tokio::task::spawn_blocking(move || thread.join().ok()).await;
        let panicked = || JournalError::Damaged(path, "the writer thread panicked".into());
        joined.ok().flatten().unwrap_or_else(|| Err(panicked()))
    }
}

/// Passes the records of a log to the thread of the journal, and its commits to the log.
// The thread does not call `commit` itself: it would wake each task that waits for a record, and each
// wake from another thread costs a system call.
async fn feed(queue: mpsc::Sender<WriterItem>, log: RecordLog, mut records: LogReader, run: i64) {
    let (committed, mut commits) = mpsc::unbounded_channel();
    let mut sending = Some((queue, committed));
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            Some(seq) = commits.recv() => log.commit(seq),
            () = records.next_batch(&mut batch), if sending.is_some() => {
                let Some((queue, committed)) = sending.as_ref().filter(|_| !batch.is_empty()) else {
                    sending = None; // the commits end when the thread has stored everything
                    continue;
                };
                let (log, committed) = (log.clone(), committed.clone());
                let records = std::mem::take(&mut batch);
                let item = WriterItem::Records(RecordBatch { run, records, log, committed });
                if let Err(mpsc::error::SendError(item)) = queue.send(item).await {
                    return item.fail();
                }
            }
            else => return,
        }
    }
}

/// Writes records in batches until every sender has been dropped.
fn write(
    mut connection: Connection,
    file: &FileIdentity,
    items: &mut mpsc::Receiver<WriterItem>,
    sink: Option<&RecordSink>,
    failure: &OnceLock<String>,
) -> Result<(), JournalError> {
    let mut ends = LastRows::new();
    let mut batch = Vec::new();
    // A commit is slow, so take everything that has arrived meanwhile, and wake its sender once.
    while items.blocking_recv_many(&mut batch, JOURNAL_BATCH / READ_BATCH) > 0 {
        let first = match store(&mut connection, file, &batch, &mut ends, sink.is_some()) {
            Ok(first) => first,
            Err(error) => {
                let _ = failure.set(describe(&error));
                batch.drain(..).for_each(WriterItem::fail);
                return Err(error);
            }
        };
        fail_points::hit("committed");
        report(&mut batch, first, sink);
    }
    fail_points::hit("closing");
    checkpoint(&connection).map_err(|error| file.sqlite(error))?;
    fail_points::hit("checkpointed");
    // Leaves a single file that can be copied. Fails if another process is reading; that is fine.
    let _ = connection.pragma_update(None, "journal_mode", "DELETE");
    drop(connection);
    verify(file, &ends)
}

/// Reports a batch that was stored. `first` is the number of its first record.
fn report(batch: &mut Vec<WriterItem>, first: u64, sink: Option<&RecordSink>) {
    let (mut number, mut ends) = (first, BTreeMap::new());
    for item in batch.drain(..) {
        match item {
            WriterItem::Records(item) => {
                if let Some(RecordSink(sink)) = sink {
                    for record in &item.records {
                        sink(number, item.run, record);
                        number += 1;
                    }
                }
                // Only the last record of each log, because a commit covers those before it.
                ends.insert(item.run, item);
            }
            WriterItem::Fact(_, stored) | WriterItem::Expire(_, stored) => {
                let _ = stored.send(());
            }
        }
    }
    for item in ends.into_values() {
        if let Some(last) = item.records.last() {
            let _ = item.committed.send(last.seq);
        }
    }
}

/// Describes an error with its causes.
fn describe(error: &JournalError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Checks through a new connection that the path names a journal with every row that was written.
fn verify(file: &FileIdentity, ends: &LastRows) -> Result<(), JournalError> {
    file.check()?;
    let opened = open_to_read(file.path())?;
    ends.iter().try_for_each(|(run, end)| check_rows(&opened.connection, file, *run, 0, *end))
}
