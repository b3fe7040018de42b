//! The file beside the journal of a server with what calls have made at the accounts: tokens,
//! subscriptions, documents and files.
//!
//! They contain secrets, and a journal has none, so that it can be handed on. Only the owner can read
//! this file.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::Connection;

use super::JournalError;
use super::store::{Durability, beside, open_private, real_path};

/// Suffix of the file.
const SUFFIX: &str = ".accounts";

/// `application_id` of the file: "stna" in ASCII.
const APPLICATION: i64 = 0x7374_6e61;

/// Version of the format.
const VERSION: i64 = 1;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS item (
    account TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (account, kind, key)
)";

/// The file with the items of all accounts.
#[derive(Clone)]
pub struct AccountFile {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
    /// Why nothing more can be stored.
    failure: Arc<OnceLock<String>>,
}

/// The items of one account.
#[derive(Clone, Debug)]
pub struct AccountStore {
    file: AccountFile,
    account: String,
}

/// Something that an account keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountItem {
    /// What it is.
    pub kind: String,
    /// Its name among those of its kind.
    pub key: String,
    /// The item; `None` if it is removed.
    pub value: Option<Vec<u8>>,
}

impl fmt::Debug for AccountFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccountFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccountItem").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl AccountFile {
    /// Opens the file beside a journal, which this process must have opened for writing. One that was
    /// left by another journal is replaced.
    ///
    /// # Errors
    /// The file cannot be used, or a later version of standin has written it.
    pub fn open(
        journal: &Path,
        durability: Durability,
        journal_is_new: bool,
    ) -> Result<Self, JournalError> {
        let path = beside(&real_path(journal), SUFFIX);
        let unusable = |error| JournalError::Unusable(path.clone(), error);
        let sqlite = |error| JournalError::Sqlite(path.clone(), error);
        if journal_is_new {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unusable(error));
                }
                _ => {}
            }
        }
        // SQLite gives its other files the mode of this one.
        drop(open_private(&path).map_err(unusable)?);
        let connection = Connection::open(&path).map_err(sqlite)?;
        check_version(&connection, &path)?;
        let synchronous = match durability {
            // The system writes what the process has written, even if the process is killed.
            Durability::Process => "OFF",
            Durability::Power => "FULL",
        };
        let prepare = || {
            // Without a write-ahead log, which would stay beside the file of a killed process.
            connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
            connection.pragma_update(None, "synchronous", synchronous)?;
            // What was removed must not stay in free pages.
            connection.pragma_update(None, "secure_delete", "ON")?;
            connection.execute_batch(SCHEMA)?;
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.pragma_update(None, "user_version", VERSION)
        };
        prepare().map_err(sqlite)?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { path, connection, failure: Arc::default() })
    }

    /// Returns the items of one account.
    pub fn account(&self, account: &str) -> AccountStore {
        AccountStore { file: self.clone(), account: account.to_owned() }
    }

    /// Returns why nothing more can be stored, if that is so.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let pragma = |name: &str| -> Result<i64, rusqlite::Error> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let read = || Ok((pragma("application_id")?, pragma("user_version")?));
    match read().map_err(|error| JournalError::Sqlite(path.to_owned(), error))? {
        (0, 0) | (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, version) => Err(JournalError::Newer(path.to_owned(), version)),
        _ => Err(JournalError::Foreign(path.to_owned())),
    }
}

impl AccountStore {
    /// Returns the stored items, in the order of kinds and keys.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn items(&self) -> Result<Vec<AccountItem>, JournalError> {
        let read = || -> Result<Vec<AccountItem>, rusqlite::Error> {
            let connection = self.file.connection();
            let mut query = connection.prepare(
                "SELECT kind, key, value FROM item WHERE account = ?1 ORDER BY kind, key",
            )?;
            let rows = query.query_map([&self.account], |row| {
                Ok(AccountItem { kind: row.get(0)?, key: row.get(1)?, value: row.get(2)? })
            })?;
            rows.collect()
        };
        read().map_err(|error| JournalError::Sqlite(self.file.path.clone(), error))
    }

    /// Removes all items. A failure is found at the next change.
    pub fn clear(&self) {
        let connection = self.file.connection();
        let _ = connection.execute("DELETE FROM item WHERE account = ?1", [&self.account]);
    }

    /// Stores items, all of them or none. Returns whether they are stored.
    pub fn write(&self, items: &[AccountItem]) -> bool {
        let write = || -> Result<(), rusqlite::Error> {
            let mut connection = self.file.connection();
            let transaction = connection.transaction()?;
            for AccountItem { kind, key, value } in items {
                match value {
                    Some(value) => transaction.execute(
                        "INSERT OR REPLACE INTO item VALUES (?1, ?2, ?3, ?4)",
                        (&self.account, kind, key, value),
                    )?,
                    None => transaction.execute(
                        "DELETE FROM item WHERE account = ?1 AND kind = ?2 AND key = ?3",
                        (&self.account, kind, key),
                    )?,
                };
            }
            transaction.commit()
        };
        let written = write();
        if let Err(error) = &written {
            let _ = self.file.failure.set(format!("{}: {error}", self.file.path.display()));
        }
        written.is_ok()
    }
}
