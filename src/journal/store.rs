//! The file: its lock, its format, and the rows in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};

use super::JournalError;
use crate::base::fail_points;
use crate::base::limits::MAX_JOURNAL_PAGES;

crate::string_enum! {
    /// What a journal survives.
    pub enum Durability {
        /// The end of the process, however sudden.
        Process = "process",
        /// The end of power too.
        Power = "power",
    }
}

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// What it survives.
    pub durability: Durability,
    /// How many pages of 4 KiB it may have.
    pub pages: u32,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { durability: Durability::Process, pages: MAX_JOURNAL_PAGES }
    }
}

/// "stnd": by which a file says that it is a journal.
const APPLICATION: i64 = 0x7374_6e64;
/// How the file became what it is, step by step; never changed, only added to.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE record (
        run INTEGER NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL, seal BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER record_remains BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"];

/// What seals a row with the one before it.
pub(super) type Seal = [u8; 16];

/// The seal of a row that follows the row of this seal.
pub(super) fn seal(before: &Seal, run: i64, seq: i64, record: &str) -> Seal {
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(run.to_be_bytes())
        .chain_update(seq.to_be_bytes())
        .chain_update(record)
        .finalize();
    let mut seal = Seal::default();
    seal.copy_from_slice(&digest[..16]);
    seal
}

/// The lock of a journal that is written; it is free once the process ends.
#[derive(Debug)]
pub(super) struct JournalLock(
    #[expect(dead_code, reason = "it holds the lock until it is dropped")] File,
);

impl JournalLock {
    pub(super) fn of(path: &Path) -> Result<Self, JournalError> {
        let unusable = |error| JournalError::Unusable(path.to_owned(), error);
        refuse_foreign(path)?; // beside what is no journal, nothing is left either
        // A link to a journal is that journal.
        let own = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = own.into_os_string();
        name.push(".lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(PathBuf::from(name))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let who = if pid.is_empty() { pid } else { format!(" ({})", pid.trim()) };
                return Err(JournalError::Locked(path.to_owned(), who));
            }
        }
        file.set_len(0).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self(file))
    }
}

/// Opens a journal to write it, and makes it where there is none.
pub(super) fn open(path: &Path, options: WriteOptions) -> Result<Connection, JournalError> {
    let sqlite = |error| JournalError::Sqlite(path.to_owned(), error);
    let mut connection = Connection::open(path).map_err(sqlite)?;
    let version = version(&connection, path)?;
    let synchronous = match options.durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    let prepare = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.query_row(&format!("PRAGMA max_page_count = {}", options.pages), [], |_| Ok(()))
    };
    prepare().map_err(sqlite)?;
    migrate(&mut connection, version).map_err(sqlite)?;
    Ok(connection)
}

/// Opens a journal to read it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, JournalError> {
    fs::metadata(path).map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
    refuse_foreign(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
    match version(&connection, path)? {
        0 => Err(JournalError::Foreign(path.to_owned())), // nothing was written to it yet
        _ => Ok(connection),
    }
}

/// Refuses a file that `SQLite` would not know, before it touches it; a pipe or a device, too, on which
/// it would wait for ever.
fn refuse_foreign(path: &Path) -> Result<(), JournalError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(JournalError::Foreign(path.to_owned()));
    }
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut head = Vec::new();
    let read = file.take(16).read_to_end(&mut head);
    read.map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
    if head.is_empty() || head == MAGIC { Ok(()) } else { Err(JournalError::Foreign(path.into())) }
}

/// The version of a journal's format: 0 of one that is still empty.
fn version(connection: &Connection, path: &Path) -> Result<usize, JournalError> {
    let pragma = |name: &str| -> Result<i64, rusqlite::Error> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let tables = "SELECT count(*) FROM sqlite_master";
    let read = || {
        let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    let (application, version, tables) =
        read().map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
    if application != APPLICATION && (application, version, tables) != (0, 0, 0) {
        return Err(JournalError::Foreign(path.to_owned()));
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(JournalError::Newer(path.to_owned(), version)),
    }
}

/// Brings a journal to the format of this version, and everything of it into its main file: a
/// damaged write-ahead log would take a new schema with it.
fn migrate(connection: &mut Connection, version: usize) -> Result<(), rusqlite::Error> {
    for (number, step) in (1..).zip(MIGRATIONS).skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", number)?;
        fail_points::hit("migrating");
        transaction.commit()?;
    }
    checkpoint(connection)
}

/// Brings everything into the main file.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
