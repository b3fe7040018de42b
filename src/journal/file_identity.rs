//! The identity of the journal file: shows that its path still names the file that is written.

use std::fs::{self, Metadata};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::JournalError;

/// The file that a journal is written to.
// Compared by `stat` only. To open and close the file again would release the locks of SQLite, because
// POSIX locks end when a process closes any descriptor of the file.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    /// Device and number of the file.
    identity: (u64, u64),
}

impl FileIdentity {
    /// Remembers the file at a path. A file with a second name is refused: the lock and the
    /// write-ahead log belong to one name, so that two processes could write it.
    pub(super) fn of(path: &Path) -> Result<Self, JournalError> {
        let identity = identity(&metadata(path)?);
        let file = Self { path: path.to_owned(), identity };
        file.check()?;
        Ok(file)
    }

    /// Checks that the path still names the file, and that the file has no other name.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let found = metadata(&self.path)?;
        if identity(&found) != self.identity {
            return Err(self.lost("it was replaced by another file"));
        }
        if links(&found) > 1 {
            return Err(
                self.lost("it has a second name (a hard link), which another process may use")
            );
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sqlite(&self, error: rusqlite::Error) -> JournalError {
        JournalError::Sqlite(self.path.clone(), error)
    }

    /// The error of a write that did not reach the file.
    pub(super) fn lost(&self, reason: &str) -> JournalError {
        JournalError::Lost(self.path.clone(), reason.to_owned())
    }
}

fn metadata(path: &Path) -> Result<Metadata, JournalError> {
    fs::metadata(path).map_err(|error| {
        JournalError::Lost(path.to_owned(), format!("it is no longer at its path ({error})"))
    })
}

#[cfg(unix)]
fn identity(found: &Metadata) -> (u64, u64) {
    (MetadataExt::dev(found), MetadataExt::ino(found))
}

#[cfg(unix)]
fn links(found: &Metadata) -> u64 {
    MetadataExt::nlink(found)
}

// Other systems do not let a file be removed or replaced while it is open.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u64 {
    1
}
