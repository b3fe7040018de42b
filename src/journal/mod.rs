//! The journal: every record of every run in one `SQLite` file that survives the process.
//!
//! One thread writes, many records in one transaction. Whoever is about to send a request waits
//! until its intent is kept; what it met is kept after. Rows are only ever added, and each is
//! sealed with the one before it, so that damage shows. A run that has no end was interrupted; an
//! attempt that has none is in doubt.

mod read;
mod store;
mod write;

use std::io;
use std::path::PathBuf;

pub use read::{IntegrityError, Journal, PriorRun, StoredRun};
pub use store::{Durability, WriteOptions};
pub use write::JournalWriter;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes it.
    #[error("the journal `{0}` is being written by another process{1}")]
    Locked(PathBuf, String),
    /// It is some other file.
    #[error("`{0}` is no journal of ours; it is left as it is")]
    Foreign(PathBuf),
    /// A later version made it.
    #[error("the journal `{0}` was made by a later version (format {1}); it is left as it is")]
    Newer(PathBuf, i64),
    /// What is in it is not what was written.
    #[error("the journal `{0}` is damaged: {1}; `standin journal doctor` says where")]
    Damaged(PathBuf, String),
    /// Its folder or file cannot be read or written.
    #[error("cannot use the journal `{0}`")]
    Unusable(PathBuf, #[source] io::Error),
    /// `SQLite` could not do its work.
    #[error("the journal `{0}` cannot be written or read")]
    Sqlite(PathBuf, #[source] rusqlite::Error),
}
