//! The journal: an append-only `SQLite` file with the records of all runs.
//!
//! One thread writes, in batches. A request is sent only after its `attempt.started` record is
//! stored; the result is stored afterwards. Each row has a checksum that includes the previous row,
//! so that damage is detected. A run without a final record was interrupted. An attempt without a
//! result is in doubt: the receiver may have seen it.

mod accounts;
mod file_identity;
mod integrity;
mod item;
mod read;
mod rows;
mod server;
mod store;
mod write;

use std::io;
use std::path::PathBuf;

pub use accounts::{AccountFile, AccountItem, AccountStore};
pub use integrity::IntegrityError;
pub use read::{Journal, PriorRun, Records, RunBeginning, StoredRun};
pub use server::{NumberedRecord, RunOutline, StoredDeliveryId};
pub use store::{Durability, WriteOptions};
pub use write::{JournalWriter, RecordSink};

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes the journal. The text is its process id in parentheses, if known.
    #[error("the journal `{0}` is being written by another process{1}")]
    Locked(PathBuf, String),
    /// The file is not a journal.
    #[error("`{0}` is not a standin journal; it was not changed")]
    Foreign(PathBuf),
    /// A later version of standin created the file.
    #[error(
        "the journal `{0}` was created by a later version of standin (format {1}); it was not changed"
    )]
    Newer(PathBuf, i64),
    /// A record is missing or unreadable.
    #[error("the journal `{0}` is damaged: {1}; run `standin journal doctor` for details")]
    Damaged(PathBuf, String),
    /// What was written is not, or may not be, in the file.
    #[error("the journal `{0}` cannot be relied on: {1}")]
    Lost(PathBuf, String),
    /// The file or its folder cannot be read or written.
    #[error("cannot use the journal `{0}`")]
    Unusable(PathBuf, #[source] io::Error),
    /// `SQLite` failed.
    #[error("cannot read or write the journal `{0}`")]
    Sqlite(PathBuf, #[source] rusqlite::Error),
}
