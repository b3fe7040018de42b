//! The journal file: its lock, its format and the checksums of its rows.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::JournalError;
use crate::base::fail_points;
use crate::base::limits::MAX_JOURNAL_BYTES;

crate::string_enum! {
    /// Failure that a journal survives without losing stored records.
    pub enum Durability {
        /// A crash of the process.
        Process = "process",
        /// A power failure too.
        Power = "power",
    }
}

/// Options for writing a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Failure that stored records survive.
    pub durability: Durability,
    /// Maximum size of the file, in bytes.
    pub max_bytes: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { durability: Durability::Process, max_bytes: MAX_JOURNAL_BYTES }
    }
}

/// Size of the pages of a new journal, in bytes.
// A table without row numbers keeps at most a quarter of a page of each row in the tree. The rest of the
// row takes further pages. With pages of 4 KiB, most records need one: the file is a fifth larger, and a
// run takes 5 to 8 % more CPU time.
const PAGE_BYTES: u64 = 16 * 1024;

/// `application_id` of a journal: "stnd" in ASCII.
const APPLICATION: i64 = 0x7374_6e64;
/// The format, version by version. Released entries never change; a new version adds one.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE record (
        run INTEGER NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL, seal BLOB NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER record_remains BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
",
    // For servers: the order of the records of all runs, changes between runs, and deleted runs.
    "
    CREATE TABLE position (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, delivery TEXT
    );
    CREATE INDEX position_of_run ON position (run, kind);
    CREATE INDEX position_of_delivery ON position (run, delivery) WHERE delivery IS NOT NULL;
    CREATE TABLE fact (id INTEGER PRIMARY KEY, fact TEXT NOT NULL, seal BLOB NOT NULL);
    CREATE TRIGGER fact_stays BEFORE UPDATE ON fact BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER fact_remains BEFORE DELETE ON fact BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TABLE expired (run INTEGER PRIMARY KEY);
    DROP TRIGGER record_remains;
    CREATE TRIGGER record_remains BEFORE DELETE ON record
        WHEN NOT EXISTS (SELECT 1 FROM expired WHERE expired.run = OLD.run)
        BEGIN SELECT RAISE(ABORT, 'append-only'); END;
",
    // For lists of a server. Journals of development versions have the index already.
    "CREATE INDEX IF NOT EXISTS position_of_kind ON position (kind);",
    // Row numbers: SQLite finds the end of a table with row numbers without comparing keys. The columns `run`
    // and `seq` are for people who read the file with other programs.
    "
    CREATE TABLE numbered (
        id INTEGER PRIMARY KEY, record TEXT NOT NULL, seal BLOB NOT NULL,
        run INTEGER AS (id >> 32), seq INTEGER AS (id & 4294967295)
    );
    INSERT INTO numbered (id, record, seal) SELECT run << 32 | seq, record, seal FROM record ORDER BY run, seq;
    DROP TABLE record;
    ALTER TABLE numbered RENAME TO record;
    CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER record_remains BEFORE DELETE ON record
        WHEN NOT EXISTS (SELECT 1 FROM expired WHERE expired.run = OLD.id >> 32)
        BEGIN SELECT RAISE(ABORT, 'append-only'); END;
",
];

/// Returns the number of a row of the table of records.
// A damaged record can have any `seq`. It must not lead to the rows of another run.
pub(super) fn row_id(run: i64, seq: i64) -> i64 {
    run << 32 | seq.clamp(0, LAST_SEQ)
}

/// Returns the numbers of the first and the last row that a run can have.
pub(super) fn rows_of_run(run: i64) -> (i64, i64) {
    (row_id(run, 0), row_id(run, LAST_SEQ))
}

/// The greatest number of a row in its run.
pub(super) const LAST_SEQ: i64 = u32::MAX as i64;

/// Checksum of a row: the first half of a SHA-256. It detects damage; it is no signature.
pub(super) type Seal = [u8; 16];

/// Computes the checksum of a row from its content and the checksum of the previous row.
pub(super) fn seal(previous: &Seal, run: i64, seq: i64, record: &[u8]) -> Seal {
    let digest = Sha256::new()
        .chain_update(previous)
        .chain_update(run.to_be_bytes())
        .chain_update(seq.to_be_bytes())
        .chain_update(record)
        .finalize();
    let mut seal = Seal::default();
    seal.copy_from_slice(&digest[..16]);
    seal
}

/// Locks a journal for writing. The operating system releases the lock with the process.
#[derive(Debug)]
pub(super) struct JournalLock(
    #[expect(dead_code, reason = "the file holds the lock until it is dropped")] File,
);

impl JournalLock {
    pub(super) fn acquire(path: &Path) -> Result<Self, JournalError> {
        let unusable = |error| JournalError::Unusable(path.to_owned(), error);
        // First, so that no lock file is created next to some other file.
        refuse_foreign(path)?;
        // A symbolic link and its target must share one lock.
        let mut file = open_private(&beside(&real_path(path), ".lock")).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let owner = if pid.is_empty() { pid } else { format!(" ({})", pid.trim()) };
                return Err(JournalError::Locked(path.to_owned(), owner));
            }
        }
        // Only now: the file shows the process id to other processes while the lock is held.
        file.set_len(0).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self(file))
    }
}

/// Opens a file for reading and writing. Creates it if it does not exist, for its owner only.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    // A journal contains the bodies of requests and responses.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns the path that a symbolic link leads to, even if nothing is there.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let target = || Some(path.parent()?.join(fs::read_link(path).ok()?));
    fs::canonicalize(path).ok().or_else(target).unwrap_or_else(|| path.to_owned())
}

/// Returns the path of a file next to the journal, with this suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates a journal without runs, unless there is one. It gets its name when it is complete, so
/// that a process that is killed meanwhile leaves no file that cannot be read.
fn create(path: &Path) -> Result<(), JournalError> {
    let unusable = |error| JournalError::Unusable(path.to_owned(), error);
    let sqlite = |error| JournalError::Sqlite(path.to_owned(), error);
    if fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let real = real_path(path);
    let new = beside(&real, ".new");
    // A process that was killed here may have left them.
    for file in [beside(&new, "-journal"), new.clone()] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
    }
    // SQLite gives its other files the mode of this one.
    drop(open_private(&new).map_err(unusable)?);
    let mut connection = Connection::open(&new).map_err(sqlite)?;
    // Only before the first table is created.
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed()).map_err(sqlite)?;
    migrate(&mut connection, 0).map_err(sqlite)?;
    connection.close().map_err(|(_, error)| sqlite(error))?;
    fs::rename(&new, &real).map_err(unusable)?;
    sync_folder(&real).map_err(unusable)
}

/// Stores the name of a new file, so that it survives a loss of power.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Opens a journal for writing. Creates it if it does not exist.
pub(super) fn open(path: &Path, options: WriteOptions) -> Result<Connection, JournalError> {
    create(path)?;
    let sqlite = |error| JournalError::Sqlite(path.to_owned(), error);
    let mut connection = Connection::open(path).map_err(sqlite)?;
    let version = version(&connection, path)?;
    let synchronous = match options.durability {
        // With a write-ahead log, NORMAL is safe unless the power fails.
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    let mut prepare = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        // Before the limit, because a change of the format can need the size of the file again.
        migrate(&mut connection, version)?;
        // An older journal has smaller pages.
        let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = options.max_bytes / u64::try_from(page_bytes).unwrap_or(PAGE_BYTES).max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
    };
    prepare().map_err(sqlite)?;
    // Moves everything into the main file: a damaged write-ahead log would lose the new schema.
    checkpoint(&connection).map_err(sqlite)?;
    Ok(connection)
}

/// A connection to a journal that is only read.
#[derive(Debug)]
pub(super) struct ReadConnection {
    pub(super) connection: Connection,
    /// The folder of the copy that the connection reads, if the journal itself cannot be read as it is.
    _copy: Option<TempDir>,
}

/// Opens a journal for reading.
///
/// A process that was killed while it changed the journal mode leaves a file that `SQLite` reads
/// only after a repair. The repair is made to a copy: a reader must not change the journal. So is the
/// change of an older format.
pub(super) fn open_to_read(path: &Path) -> Result<ReadConnection, JournalError> {
    fs::metadata(path).map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
    refuse_foreign(path)?;
    match open_checked(path, path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Err(JournalError::Sqlite(_, error)) if needs_repair(&error) => {}
        Ok((_, version)) if version < MIGRATIONS.len() => {}
        opened => return Ok(ReadConnection { connection: opened?.0, _copy: None }),
    }
    let folder = copy(path).map_err(|error| JournalError::Unusable(path.to_owned(), error))?;
    let file = folder.path().join(COPY);
    let opened = open_checked(path, &file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let (mut connection, version) = opened;
    migrate(&mut connection, version)
        .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
    Ok(ReadConnection { connection, _copy: Some(folder) })
}

/// Opens `file`, which contains the journal of this path, and checks its format. Returns the version of
/// the format too.
fn open_checked(
    path: &Path,
    file: &Path,
    flags: OpenFlags,
) -> Result<(Connection, usize), JournalError> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| JournalError::Sqlite(path.to_owned(), error))?;
    match version(&connection, path)? {
        0 => Err(JournalError::Foreign(path.to_owned())), // an empty database
        version => Ok((connection, version)),
    }
}

/// Returns whether `SQLite` must write before it can read.
fn needs_repair(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Name of the copy of a journal.
const COPY: &str = "journal.db";

/// Copies a journal with the files that belong to it into a temporary folder.
fn copy(path: &Path) -> io::Result<TempDir> {
    let (folder, real) = (tempfile::tempdir()?, real_path(path));
    for suffix in ["", "-journal", "-wal"] {
        match fs::copy(beside(&real, suffix), folder.path().join(format!("{COPY}{suffix}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => drop(copied?),
        }
    }
    Ok(folder)
}

/// Rejects a file that is no `SQLite` database before `SQLite` writes to it. Rejects pipes and
/// devices too, on which a read would block forever.
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

/// Returns the format version of a journal; 0 if it is empty.
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

/// Migrates a journal to the current format.
fn migrate(connection: &mut Connection, version: usize) -> Result<(), rusqlite::Error> {
    for (number, step) in (1..).zip(MIGRATIONS).skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", number)?;
        fail_points::hit("migrating"); // a crash here must leave the old format
        transaction.commit()?;
    }
    Ok(())
}

/// Moves everything from the write-ahead log into the main file.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
