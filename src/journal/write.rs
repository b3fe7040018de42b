//! Writes a journal: one thread for all runs, many records in one transaction.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::JournalError;
use super::store::{JournalLock, Seal, WriteOptions, checkpoint, open, seal};
use crate::base::fail_points;
use crate::base::limits::{JOURNAL_BATCH, RECORD_QUEUE};
use crate::record::{Record, RecordKind, RecordLog, Verdict};

/// A journal that this process writes.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    runs: Arc<AtomicI64>,
    queue: mpsc::Sender<WriterItem>,
    thread: JoinHandle<Result<(), JournalError>>,
    _lock: JournalLock,
}

/// A record to store.
struct WriterItem {
    run: i64,
    record: Arc<Record>,
    /// The log that is notified of the commit.
    log: RecordLog,
}

impl JournalWriter {
    /// Opens a journal. Creates it if it does not exist.
    pub fn open(path: &Path, options: WriteOptions) -> Result<Self, JournalError> {
        let lock = JournalLock::acquire(path)?;
        let connection = open(path, options)?;
        let last = connection
            .query_row("SELECT coalesce(max(run), 0) FROM record", [], |row| row.get::<_, i64>(0))
            .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
        let (queue, mut items) = mpsc::channel(RECORD_QUEUE);
        let thread_path = path.to_owned();
        let thread = thread::Builder::new().spawn(move || {
            let written = write(connection, &mut items);
            // After an error, every log that still sends must fail. If the queue were just dropped,
            // the log of an item that arrived at that moment would wait for ever.
            while let Some(item) = items.blocking_recv() {
                item.log.fail();
            }
            written.map_err(|error| JournalError::Sqlite(thread_path, error))
        });
        let thread = thread.map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
        let runs = Arc::new(AtomicI64::new(last));
        Ok(Self { path: path.to_owned(), runs, queue, thread, _lock: lock })
    }

    /// Stores the records of a log as a new run, until the log is closed.
    pub fn attach(&self, log: &RecordLog) {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let (queue, mut records, log) = (self.queue.clone(), log.observe_and_commit(), log.clone());
        tokio::spawn(async move {
            while let Some(record) = records.next().await {
                let item = WriterItem { run, record, log: log.clone() };
                if queue.send(item).await.is_err() {
                    return log.fail();
                }
            }
        });
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

/// Writes records in batches until every sender has been dropped.
fn write(
    mut connection: Connection,
    items: &mut mpsc::Receiver<WriterItem>,
) -> Result<(), rusqlite::Error> {
    let mut ends: HashMap<i64, (i64, Seal)> = HashMap::new();
    let mut batch = Vec::new();
    while let Some(item) = items.blocking_recv() {
        batch.push(item);
        // A commit is slow, so take everything that has arrived meanwhile.
        while batch.len() < JOURNAL_BATCH
            && let Ok(item) = items.try_recv()
        {
            batch.push(item);
        }
        if let Err(error) = commit(&mut connection, &batch, &mut ends) {
            batch.iter().for_each(|item| item.log.fail());
            return Err(error);
        }
        fail_points::hit("committed");
        // Only the last record of each log, because a commit covers those before it.
        let ends: BTreeMap<i64, WriterItem> =
            batch.drain(..).map(|item| (item.run, item)).collect();
        for item in ends.into_values() {
            item.log.commit(item.record.seq);
        }
    }
    fail_points::hit("closing");
    checkpoint(&connection)?;
    fail_points::hit("checkpointed");
    // Leaves a single file that can be copied. Fails if another process is reading; that is fine.
    let _ = connection.pragma_update(None, "journal_mode", "DELETE");
    Ok(())
}

fn commit(
    connection: &mut Connection,
    batch: &[WriterItem],
    ends: &mut HashMap<i64, (i64, Seal)>,
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    {
        let row = "INSERT INTO record (run, seq, record, seal) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = transaction.prepare_cached(row)?;
        for WriterItem { run, record, .. } in batch {
            if is_interrupted(record) {
                continue;
            }
            let (seq, previous) = ends.entry(*run).or_default();
            *seq += 1;
            let text = serde_json::to_string(&**record)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            *previous = seal(previous, *run, *seq, &text);
            insert.execute((*run, *seq, &text, previous.as_slice()))?;
        }
    }
    fail_points::hit("writing");
    transaction.commit()
}

/// Returns whether a record is the end of an interrupted run. It is not stored, because only a run
/// without a final record can be resumed.
fn is_interrupted(record: &Record) -> bool {
    matches!(&record.kind, RecordKind::RunFinished(run) if run.verdict == Verdict::Interrupted)
}
