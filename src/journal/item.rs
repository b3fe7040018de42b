//! Items that the thread of a journal stores.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::record::{Record, RecordLog};

/// Something to store.
pub(super) enum WriterItem {
    Record(StoredRecord),
    /// A change at a server that belongs to no run, and who waits until it is stored.
    Fact(String, oneshot::Sender<()>),
    /// Delete all records of this run.
    Expire(i64, oneshot::Sender<()>),
}

/// A record to store.
pub(super) struct StoredRecord {
    pub(super) run: i64,
    pub(super) record: Arc<Record>,
    pub(super) log: RecordLog,
    /// Gets the number of the last record that was stored.
    pub(super) committed: mpsc::UnboundedSender<u64>,
}

impl WriterItem {
    /// Reports that it was not stored.
    pub(super) fn fail(self) {
        // The others are reported by dropping their senders.
        if let Self::Record(item) = self {
            item.log.fail();
        }
    }
}
