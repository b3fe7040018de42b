//! Reads a journal: its runs and their records.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;

use super::JournalError;
use super::store::{LAST_SEQ, ReadConnection, Seal, open_to_read, row_id, rows_of_run, seal};
use crate::record::{
    PriorAttempts, PriorResults, Record, RecordKind, RecordPlace, RunFinished, RunStarted, Verdict,
    VerdictBuilder,
};

/// Rows that are read at once. A row is a few kilobytes, rarely a megabyte, so that memory stays
/// small while the cost of a query is spread over many rows.
const PAGE_ROWS: u32 = 64;

/// A journal that is open for reading.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    opened: ReadConnection,
}

/// A run of a journal.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Number of the run in the journal.
    pub run: i64,
    /// Wall time at which it started.
    pub at: Timestamp,
    /// Its parameters.
    pub started: RunStarted,
    /// Its result; `None` if it was interrupted.
    pub finished: Option<RunFinished>,
    /// The attempts in doubt, such as `1-2, attempt 1`.
    pub in_doubt: Vec<String>,
}

/// The beginning of a run of a journal.
#[derive(Clone, Debug)]
pub struct RunBeginning {
    /// Number of the run in the journal.
    pub run: i64,
    /// Its parameters.
    pub started: RunStarted,
}

/// The last run of a journal with given parameters.
#[derive(Debug)]
pub enum PriorRun {
    /// The journal has no such run.
    Never,
    /// It was interrupted: its number, and the attempts so far.
    Interrupted(i64, PriorAttempts),
    /// It finished: its number.
    Ended(i64),
}

/// Reads the results of an interrupted run while it is resumed.
#[derive(Debug)]
struct StoredResults(Mutex<Journal>);

impl PriorResults for StoredResults {
    fn record(&self, place: RecordPlace) -> Result<Record, String> {
        let journal = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        journal.record(place).map_err(|error| error.to_string())
    }
}

/// A row of a run.
#[derive(Debug)]
pub(super) struct JournalRow {
    pub(super) seq: i64,
    /// The record as JSON.
    pub(super) text: String,
    pub(super) seal: Vec<u8>,
}

/// Iterates over the rows of a run, page by page.
pub(super) struct Rows<'a> {
    journal: &'a Journal,
    run: i64,
    page: VecDeque<JournalRow>,
    /// The first number that the next page can have, or `None` at the end.
    next: Option<i64>,
}

/// Iterates over the records of a run. Holds only a few of them in memory.
///
/// A row that is missing, unreadable or changed is an error, and so is a final record whose verdict
/// does not follow from the others.
pub struct Records<'a> {
    rows: Rows<'a>,
    /// Number of the next row.
    next: i64,
    /// Checksum of the row before.
    previous: Seal,
    verdict: VerdictBuilder,
}

impl Journal {
    /// Opens a journal for reading. Another process may write it at the same time.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: path.to_owned(), opened: open_to_read(path)? })
    }

    /// Iterates over the first records of all runs, in order, without reading the others.
    pub fn beginnings(
        &self,
    ) -> Result<impl Iterator<Item = Result<RunBeginning, JournalError>>, JournalError> {
        let started = |run| {
            let first = self.records(run).next().transpose()?;
            let Some(Record { kind: RecordKind::RunStarted(started), .. }) = first else {
                return Err(self.no_beginning(run));
            };
            Ok(RunBeginning { run, started })
        };
        Ok(self.run_numbers()?.into_iter().map(started))
    }

    /// Returns every run, in order. Reads and checks the whole journal.
    pub fn runs(&self) -> Result<Vec<StoredRun>, JournalError> {
        self.run_numbers()?.into_iter().map(|run| self.stored_run(run)).collect()
    }

    fn stored_run(&self, run: i64) -> Result<StoredRun, JournalError> {
        let (mut begun, mut finished) = (None, None);
        let mut prior = PriorAttempts::default();
        for record in self.records(run) {
            let record = record?;
            prior.add(run, &record);
            match record.kind {
                RecordKind::RunStarted(started) if begun.is_none() => {
                    begun = Some((record.wall_time, started));
                }
                RecordKind::RunFinished(end) => finished = Some(end),
                _ => {}
            }
        }
        let (at, started) = begun.ok_or_else(|| self.no_beginning(run))?;
        let in_doubt = if finished.is_some() { Vec::new() } else { prior.in_doubt() };
        Ok(StoredRun { run, at, started, finished, in_doubt })
    }

    fn no_beginning(&self, run: i64) -> JournalError {
        let reason = format!("the first record of run {run} is not `run.started`");
        JournalError::Damaged(self.path.clone(), reason)
    }

    /// Iterates over the records of a run, in order.
    pub fn records(&self, run: i64) -> Records<'_> {
        Records {
            rows: self.rows(run),
            next: 1,
            previous: Seal::default(),
            verdict: VerdictBuilder::default(),
        }
    }

    pub(super) fn rows(&self, run: i64) -> Rows<'_> {
        Rows { journal: self, run, page: VecDeque::new(), next: Some(0) }
    }

    /// Returns rows of a run, from this number on, up to a number of them.
    fn rows_from(&self, run: i64, seq: i64, most: u32) -> Result<Vec<JournalRow>, JournalError> {
        let query = "SELECT seq, record, seal FROM record WHERE id BETWEEN ?1 AND ?2 \
                     ORDER BY id LIMIT ?3";
        let (_, last) = rows_of_run(run);
        self.select(query, (row_id(run, seq), last, most), |row| {
            Ok(JournalRow { seq: row.get(0)?, text: row.get(1)?, seal: row.get(2)? })
        })
    }

    pub(super) fn parse(&self, run: i64, seq: i64, text: &str) -> Result<Record, JournalError> {
        serde_json::from_str(text).map_err(|error| {
            JournalError::Damaged(self.path.clone(), format!("run {run}, row {seq}: {error}"))
        })
    }

    /// Returns how far a run got: the last of these, each of which resumes the one before.
    pub fn earlier(&self, runs: &[i64]) -> Result<PriorRun, JournalError> {
        let Some(last) = runs.last().copied() else { return Ok(PriorRun::Never) };
        // Read to its end, which checks the whole run without keeping its records.
        let mut has_finished = false;
        for record in self.records(last) {
            has_finished |= matches!(record?.kind, RecordKind::RunFinished(_));
        }
        if has_finished {
            return Ok(PriorRun::Ended(last));
        }
        let mut prior = PriorAttempts::stored_in(self.stored_results()?);
        for run in runs {
            for record in self.records(*run) {
                prior.add(*run, &record?);
            }
        }
        Ok(PriorRun::Interrupted(last, prior))
    }

    /// Returns a reader of the results of interrupted runs.
    pub(super) fn stored_results(&self) -> Result<Arc<dyn PriorResults>, JournalError> {
        Ok(Arc::new(StoredResults(Mutex::new(Self::open(&self.path)?))))
    }

    /// Reads one record. It is checked together with the row before it.
    fn record(&self, place: RecordPlace) -> Result<Record, JournalError> {
        let RecordPlace { run, seq } = place;
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let rows = self.rows_from(run, seq - 1, 2)?;
        let changed = || {
            let reason = format!("run {run}, row {seq} was changed");
            JournalError::Damaged(self.path.clone(), reason)
        };
        let row = |number| rows.iter().find(|row| row.seq == number);
        let before = match row(seq - 1) {
            Some(before) => Seal::try_from(before.seal.as_slice()).map_err(|_| changed())?,
            None => Seal::default(),
        };
        let found = row(seq).ok_or_else(changed)?;
        if found.seal != seal(&before, run, seq, found.text.as_bytes()) {
            return Err(changed());
        }
        self.parse(run, seq, &found.text)
    }

    /// Returns `SQLite`'s own check of the file: `ok`, or a description of the damage.
    pub(super) fn quick_check(&self) -> Result<String, JournalError> {
        let check = self.opened.connection.query_row("PRAGMA quick_check", [], |row| row.get(0));
        check.map_err(|error| self.failed(error))
    }

    /// Returns the numbers of all runs, in order.
    pub fn run_numbers(&self) -> Result<Vec<i64>, JournalError> {
        // From the first row of one run to that of the next, without reading the rows between them.
        let query = "WITH RECURSIVE known(run) AS (SELECT min(id) >> 32 FROM record UNION ALL \
                     SELECT (SELECT min(id) >> 32 FROM record WHERE id > (known.run << 32 | 4294967295)) \
                     FROM known WHERE known.run IS NOT NULL) \
                     SELECT run FROM known WHERE run IS NOT NULL";
        self.select(query, [], |row| row.get(0))
    }

    pub(super) fn select<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.opened.connection.prepare_cached(sql)?;
            statement.query_map(parameters, row)?.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    /// Stops reading the file, so that its writer can tidy up when it closes it. Every query fails from
    /// now on.
    pub fn disconnect(&mut self) -> Result<(), JournalError> {
        let nothing = Connection::open_in_memory().map_err(|error| self.failed(error))?;
        self.opened.connection = nothing;
        Ok(())
    }

    pub(super) fn damaged(&self, reason: String) -> JournalError {
        JournalError::Damaged(self.path.clone(), reason)
    }

    fn failed(&self, error: rusqlite::Error) -> JournalError {
        JournalError::Sqlite(self.path.clone(), error)
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<JournalRow, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        // One query per page needs no open transaction, which would keep the writer from truncating
        // its log. Rows are never changed, so pages fit together.
        if self.page.is_empty()
            && let Some(next) = self.next
        {
            match self.journal.rows_from(self.run, next, PAGE_ROWS) {
                Ok(page) => self.page = page.into(),
                Err(error) => {
                    self.next = None;
                    return Some(Err(error));
                }
            }
            // In a damaged file a page can end before its start, and would be read again forever.
            let after = self.page.back().map(|row| row.seq + 1);
            self.next = after.filter(|after| (next + 1..=LAST_SEQ).contains(after));
        }
        self.page.pop_front().map(Ok)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Rows { journal, run, .. } = self.rows;
        let expected = self.next;
        self.next += 1;
        Some(self.rows.next()?.and_then(|row| {
            if row.seq != expected {
                let reason = format!("run {run}, row {expected} is missing");
                return Err(JournalError::Damaged(journal.path.clone(), reason));
            }
            self.previous = seal(&self.previous, run, row.seq, row.text.as_bytes());
            if row.seal != self.previous {
                let reason = format!("run {run}, row {expected} was changed");
                return Err(JournalError::Damaged(journal.path.clone(), reason));
            }
            let record = journal.parse(run, row.seq, &row.text)?;
            // Recomputed, because nothing else shows that a stored verdict is the one of the run.
            if let RecordKind::RunFinished(RunFinished { verdict: Verdict::Passed, .. }) =
                record.kind
                && std::mem::take(&mut self.verdict).finish(0).verdict != Verdict::Passed
            {
                let reason = format!("run {run} is recorded as passed, but its records disagree");
                return Err(JournalError::Damaged(journal.path.clone(), reason));
            }
            self.verdict.count(&record);
            Ok(record)
        }))
    }
}
