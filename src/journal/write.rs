//! Writes a journal: one thread for all runs, many records in one transaction.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::JournalError;
use super::file_identity::FileIdentity;
use super::store::{JournalLock, Seal, WriteOptions, checkpoint, open, open_to_read, seal};
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
        // A new journal gets its name while it is opened.
        let file = FileIdentity::of(path)?;
        let last = connection
            .query_row("SELECT coalesce(max(run), 0) FROM record", [], |row| row.get::<_, i64>(0))
            .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
        let (queue, mut items) = mpsc::channel(RECORD_QUEUE);
        let thread = thread::Builder::new().spawn(move || {
            let written = write(connection, &file, &mut items);
            // After an error, every log that still sends must fail. If the queue were just dropped,
            // the log of an item that arrived at that moment would wait for ever.
            while let Some(item) = items.blocking_recv() {
                item.log.fail();
            }
            written
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

/// The last row of a run that was written.
#[derive(Clone, Copy, Debug, Default)]
struct LastRow {
    seq: i64,
    seal: Seal,
}

/// The last rows by run.
type LastRows = HashMap<i64, LastRow>;

/// Writes records in batches until every sender has been dropped.
fn write(
    mut connection: Connection,
    file: &FileIdentity,
    items: &mut mpsc::Receiver<WriterItem>,
) -> Result<(), JournalError> {
    let mut ends = LastRows::new();
    let mut batch = Vec::new();
    while let Some(item) = items.blocking_recv() {
        batch.push(item);
        // A commit is slow, so take everything that has arrived meanwhile.
        while batch.len() < JOURNAL_BATCH
            && let Ok(item) = items.try_recv()
        {
            batch.push(item);
        }
        if let Err(error) = store(&mut connection, file, &batch, &mut ends) {
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
    checkpoint(&connection).map_err(|error| file.sqlite(error))?;
    fail_points::hit("checkpointed");
    // Leaves a single file that can be copied. Fails if another process is reading; that is fine.
    let _ = connection.pragma_update(None, "journal_mode", "DELETE");
    drop(connection);
    verify(file, &ends)
}

/// Commits a batch, and checks that it is in the file that the path names.
fn store(
    connection: &mut Connection,
    file: &FileIdentity,
    batch: &[WriterItem],
    ends: &mut LastRows,
) -> Result<(), JournalError> {
    let last = |ends: &LastRows, run| ends.get(&run).copied().unwrap_or_default();
    let before: BTreeMap<i64, i64> =
        batch.iter().map(|item| (item.run, last(ends, item.run).seq)).collect();
    commit(connection, batch, ends).map_err(|error| file.sqlite(error))?;
    for (run, from) in before {
        check_rows(connection, file, run, from, last(ends, run))?;
    }
    file.check()
}

/// Checks through a new connection that the path names a journal with every row that was written.
fn verify(file: &FileIdentity, ends: &LastRows) -> Result<(), JournalError> {
    file.check()?;
    let opened = open_to_read(file.path())?;
    let check = |(run, end): (&i64, &LastRow)| check_rows(&opened.connection, file, *run, 0, *end);
    ends.iter().try_for_each(check)
}

/// Checks that a run has every row after row `from`, up to its end.
// SQLite reports no error if a trigger of the file or a defective disk discards a row.
fn check_rows(
    connection: &Connection,
    file: &FileIdentity,
    run: i64,
    from: i64,
    end: LastRow,
) -> Result<(), JournalError> {
    let LastRow { seq: last, seal } = end;
    if last == from {
        return Ok(()); // only the end of an interrupted run, which is not stored
    }
    let count = "SELECT count(*) FROM record WHERE run = ?1 AND seq > ?2 AND seq <= ?3";
    let stored = "SELECT count(*) FROM record WHERE run = ?1 AND seq = ?2 AND seal = ?3";
    let check = || -> rusqlite::Result<bool> {
        let rows: i64 =
            connection.prepare_cached(count)?.query_row((run, from, last), |row| row.get(0))?;
        let ends: i64 = connection
            .prepare_cached(stored)?
            .query_row((run, last, seal.as_slice()), |row| row.get(0))?;
        Ok(rows == last - from && ends == 1)
    };
    match check() {
        Ok(true) => Ok(()),
        Ok(false) => Err(file.lost(&format!("rows of run {run} were not stored"))),
        Err(error) => Err(file.sqlite(error)),
    }
}

fn commit(
    connection: &mut Connection,
    batch: &[WriterItem],
    ends: &mut LastRows,
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    {
        let row = "INSERT INTO record (run, seq, record, seal) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = transaction.prepare_cached(row)?;
        for WriterItem { run, record, .. } in batch {
            if is_interrupted(record) {
                continue;
            }
            let LastRow { seq, seal: previous } = ends.entry(*run).or_default();
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
