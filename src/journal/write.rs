//! The one thread that writes.

use std::collections::HashMap;
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
use crate::record::{PendingRecord, Record};

/// A journal that is written by this process.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    runs: Arc<AtomicI64>,
    queue: mpsc::Sender<WriterItem>,
    thread: JoinHandle<Result<(), JournalError>>,
    _lock: JournalLock,
}

/// Writes the records of one run.
#[derive(Clone, Debug)]
pub struct JournalHandle {
    run: i64,
    queue: mpsc::Sender<WriterItem>,
}

/// A record on its way, and its place where it goes once it is kept, unless nobody waits for it.
#[derive(Debug)]
struct WriterItem {
    run: i64,
    entry: PendingRecord,
    then: Option<mpsc::OwnedPermit<Record>>,
}

impl JournalWriter {
    /// Opens a journal, and makes it where there is none.
    pub fn open(path: &Path, options: WriteOptions) -> Result<Self, JournalError> {
        let lock = JournalLock::of(path)?;
        let connection = open(path, options)?;
        let last = connection
            .query_row("SELECT coalesce(max(run), 0) FROM record", [], |row| row.get::<_, i64>(0))
            .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
        let (queue, mut items) = mpsc::channel(RECORD_QUEUE);
        let own = path.to_owned();
        let thread = thread::spawn(move || {
            let written = write(connection, &mut items);
            // Whatever still comes is let go, one by one: in a queue that is merely dropped, something
            // that comes at that very moment would stay, and whoever waits for it would wait for ever.
            while items.blocking_recv().is_some() {}
            written.map_err(|error| JournalError::Sqlite(own, error))
        });
        let runs = Arc::new(AtomicI64::new(last));
        Ok(Self { path: path.to_owned(), runs, queue, thread, _lock: lock })
    }

    /// A writer for one more run.
    pub fn begin(&self) -> JournalHandle {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        JournalHandle { run, queue: self.queue.clone() }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until everything is written; tells why not everything could be.
    pub fn close(self) -> Result<(), JournalError> {
        drop(self.queue);
        let broken = || JournalError::Damaged(self.path, "its writer broke".into());
        self.thread.join().unwrap_or_else(|_| Err(broken()))
    }
}

impl JournalHandle {
    /// Writes a record down and hands it on. Waits while a queue is full; what cannot be written is
    /// not handed on. Its place behind is taken here: one run that is not told yet would otherwise
    /// hold up the thread that writes, and with it the run that is told before.
    pub async fn append(&self, entry: PendingRecord, then: &mpsc::Sender<Record>) {
        let then = then.clone().reserve_owned().await.ok();
        let item = WriterItem { run: self.run, entry, then };
        let _ = self.queue.send(item).await;
    }
}

/// Writes whatever has come, in one transaction, until nobody sends any more.
fn write(
    mut connection: Connection,
    items: &mut mpsc::Receiver<WriterItem>,
) -> Result<(), rusqlite::Error> {
    let mut ends: HashMap<i64, (i64, Seal)> = HashMap::new();
    let mut batch = Vec::new();
    while let Some(item) = items.blocking_recv() {
        batch.push(item);
        while batch.len() < JOURNAL_BATCH
            && let Ok(item) = items.try_recv()
        {
            batch.push(item);
        }
        commit(&mut connection, &mut batch, &mut ends)?;
        fail_points::hit("committed");
        for WriterItem { entry, then, .. } in batch.drain(..) {
            let record = entry.commit();
            then.map(|place| place.send(record));
        }
    }
    fail_points::hit("closing");
    checkpoint(&connection)?;
    fail_points::hit("checkpointed");
    // What has ended is one file, unless somebody reads it just now.
    let _ = connection.pragma_update(None, "journal_mode", "DELETE");
    Ok(())
}

fn commit(
    connection: &mut Connection,
    batch: &mut [WriterItem],
    ends: &mut HashMap<i64, (i64, Seal)>,
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    {
        let row = "INSERT INTO record (run, seq, record, seal) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = transaction.prepare_cached(row)?;
        for WriterItem { run, entry, .. } in batch {
            let (seq, before) = ends.entry(*run).or_default();
            *seq += 1;
            let text = serde_json::to_string(&entry.record)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            *before = seal(before, *run, *seq, &text);
            insert.execute((*run, *seq, &text, before.as_slice()))?;
        }
    }
    fail_points::hit("writing");
    transaction.commit()
}
