//! Reads a journal: its runs and their records.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::JournalError;
use super::store::open_to_read;
use crate::record::{PriorAttempts, Record, RecordKind, RunFinished, RunStarted};

/// Rows that are read at once. A row is a few kilobytes, rarely a megabyte, so that memory stays
/// small while the cost of a query is spread over many rows.
const PAGE_ROWS: u32 = 64;

/// A journal that is open for reading.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
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

/// The last run of a journal with given parameters.
#[derive(Debug)]
pub enum PriorRun {
    /// The journal has no such run.
    Never,
    /// It was interrupted: its number, and the attempts so far.
    Interrupted(i64, PriorAttempts),
    /// It finished: its records.
    Ended(Vec<Record>),
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
    /// The last row of the last page, or `None` at the end.
    last: Option<i64>,
}

/// Iterates over the records of a run. Holds only a few of them in memory.
///
/// A missing or unreadable row is an error.
pub struct Records<'a> {
    rows: Rows<'a>,
    /// Number of the next row.
    next: i64,
}

impl Journal {
    /// Opens a journal for reading. Another process may write it at the same time.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: path.to_owned(), connection: open_to_read(path)? })
    }

    /// Returns every run, in order.
    pub fn runs(&self) -> Result<Vec<StoredRun>, JournalError> {
        let query = "SELECT run, min(seq), max(seq) FROM record GROUP BY run ORDER BY run";
        let bounds = self.select(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        bounds.into_iter().map(|(run, first, last)| self.stored_run(run, first, last)).collect()
    }

    fn stored_run(&self, run: i64, first: i64, last: i64) -> Result<StoredRun, JournalError> {
        let Record { wall_time: at, kind: RecordKind::RunStarted(started), .. } =
            self.record(run, first)?
        else {
            let reason = format!("the first record of run {run} is not `run.started`");
            return Err(JournalError::Damaged(self.path.clone(), reason));
        };
        // Only interrupted runs are read completely, to find the attempts in doubt.
        let RecordKind::RunFinished(finished) = self.record(run, last)?.kind else {
            let in_doubt = self.prior_attempts([run])?.in_doubt();
            return Ok(StoredRun { run, at, started, finished: None, in_doubt });
        };
        Ok(StoredRun { run, at, started, finished: Some(finished), in_doubt: Vec::new() })
    }

    fn prior_attempts(
        &self,
        runs: impl IntoIterator<Item = i64>,
    ) -> Result<PriorAttempts, JournalError> {
        let mut prior = PriorAttempts::default();
        for run in runs {
            for record in self.records(run) {
                prior.add(&record?);
            }
        }
        Ok(prior)
    }

    /// Iterates over the records of a run, in order.
    pub fn records(&self, run: i64) -> Records<'_> {
        Records { rows: self.rows(run), next: 1 }
    }

    pub(super) fn rows(&self, run: i64) -> Rows<'_> {
        Rows { journal: self, run, page: VecDeque::new(), last: Some(i64::MIN) }
    }

    fn page(&self, run: i64, after: i64) -> Result<Vec<JournalRow>, JournalError> {
        let query = "SELECT seq, record, seal FROM record WHERE run = ?1 AND seq > ?2 \
                     ORDER BY seq LIMIT ?3";
        self.select(query, (run, after, PAGE_ROWS), |row| {
            Ok(JournalRow { seq: row.get(0)?, text: row.get(1)?, seal: row.get(2)? })
        })
    }

    fn record(&self, run: i64, seq: i64) -> Result<Record, JournalError> {
        let query = "SELECT record FROM record WHERE run = ?1 AND seq = ?2";
        let text: Vec<String> = self.select(query, (run, seq), |row| row.get(0))?;
        self.parse(run, seq, text.first().map_or("", String::as_str))
    }

    fn parse(&self, run: i64, seq: i64, text: &str) -> Result<Record, JournalError> {
        serde_json::from_str(text).map_err(|error| {
            JournalError::Damaged(self.path.clone(), format!("run {run}, row {seq}: {error}"))
        })
    }

    /// Finds the last run with these parameters, and the runs that it resumes.
    pub fn earlier(&self, requested: &RunStarted) -> Result<PriorRun, JournalError> {
        let is_same = |stored: &&StoredRun| {
            RunStarted { resumes: None, ..stored.started.clone() } == *requested
        };
        let runs = self.runs()?;
        let mut same: Vec<&StoredRun> = runs.iter().filter(is_same).collect();
        // Runs before the last one that started afresh are not part of it.
        let begun = same.iter().rposition(|stored| stored.started.resumes.is_none()).unwrap_or(0);
        same.drain(..begun);
        let Some(last) = same.last() else { return Ok(PriorRun::Never) };
        if last.finished.is_some() {
            return Ok(PriorRun::Ended(self.records(last.run).collect::<Result<_, _>>()?));
        }
        let prior = self.prior_attempts(same.iter().map(|stored| stored.run))?;
        Ok(PriorRun::Interrupted(last.run, prior))
    }

    /// Returns `SQLite`'s own check of the file: `ok`, or a description of the damage.
    pub(super) fn quick_check(&self) -> Result<String, JournalError> {
        let check = self.connection.query_row("PRAGMA quick_check", [], |row| row.get(0));
        check.map_err(|error| self.failed(error))
    }

    pub(super) fn run_numbers(&self) -> Result<Vec<i64>, JournalError> {
        self.select("SELECT DISTINCT run FROM record ORDER BY run", [], |row| row.get(0))
    }

    fn select<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(parameters, row)?.collect()
        };
        read().map_err(|error| self.failed(error))
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
            && let Some(last) = self.last
        {
            match self.journal.page(self.run, last) {
                Ok(page) => self.page = page.into(),
                Err(error) => {
                    self.last = None;
                    return Some(Err(error));
                }
            }
            // In a damaged file a page can end before its start, and would be read again for ever.
            self.last = self.page.back().map(|row| row.seq).filter(|seq| *seq > last);
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
            journal.parse(run, row.seq, &row.text)
        }))
    }
}
