//! Items that the thread of a journal stores.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::record::{Record, RecordLog};

/// Something to store.
pub(super) enum WriterItem {
    Records(RecordBatch),
    /// A change at a server that belongs to no run, and who waits until it is stored.
    Fact(String, oneshot::Sender<()>),
    /// Delete all records of this run.
    Expire(i64, oneshot::Sender<()>),
}

/// Records of a run to store, at least one.
pub(super) struct RecordBatch {
    pub(super) run: i64,
    pub(super) records: Vec<Arc<Record>>,
    pub(super) log: RecordLog,
    /// Gets the number of the last record that was stored.
    pub(super) committed: mpsc::UnboundedSender<u64>,
}

impl WriterItem {
    /// Reports that it was not stored.
    pub(super) fn fail(self) {
        // The others are reported by dropping their senders.
        if let Self::Records(item) = self {
            item.log.fail();
        }
    }
}
