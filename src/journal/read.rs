//! What a journal holds: its runs, their records, and what is wrong with them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::JournalError;
use super::store::{Seal, open_to_read, seal};
use crate::fault::FaultKind;
use crate::record::{Origin, PriorAttempts, Record, RecordKind, RunFinished, RunStarted};

/// A journal that is read.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
}

/// A run as it is kept.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Its number in the journal.
    pub run: i64,
    /// When it began, by the clock on the wall.
    pub at: Timestamp,
    /// What it is.
    pub started: RunStarted,
    /// How it ended; nothing of one that was interrupted.
    pub finished: Option<RunFinished>,
    /// The attempts that went out and of which nobody knows what they met.
    pub in_doubt: Vec<String>,
}

/// What became of a run that is to be played.
#[derive(Debug)]
pub enum PriorRun {
    /// It was not played yet.
    Never,
    /// It was interrupted: its last run, and what is known of its attempts.
    Interrupted(i64, PriorAttempts),
    /// It has ended: its records.
    Ended(Vec<Record>),
}

/// A row of a run: its place, the record and what seals it.
type JournalRow = (i64, String, Vec<u8>);

/// Something in a journal that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityError {
    /// The run.
    pub run: i64,
    /// The row.
    pub seq: i64,
    /// What is wrong.
    pub what: String,
}

impl Journal {
    /// Opens a journal to read it; it may be written meanwhile.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { path: path.to_owned(), connection: open_to_read(path)? })
    }

    /// Every run, in order. Only those that were interrupted are read from end to end.
    pub fn runs(&self) -> Result<Vec<StoredRun>, JournalError> {
        let ends = "SELECT run, min(seq), max(seq) FROM record GROUP BY run ORDER BY run";
        let ends = self.select(ends, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        ends.into_iter().map(|(run, first, last)| self.kept(run, first, last)).collect()
    }

    fn kept(&self, run: i64, first: i64, last: i64) -> Result<StoredRun, JournalError> {
        let Record { wall_time: at, kind: RecordKind::RunStarted(started), .. } =
            self.record(run, first)?
        else {
            let what = format!("run {run} does not begin with its beginning");
            return Err(JournalError::Damaged(self.path.clone(), what));
        };
        let RecordKind::RunFinished(finished) = self.record(run, last)?.kind else {
            let in_doubt = self.known([run])?.in_doubt();
            return Ok(StoredRun { run, at, started, finished: None, in_doubt });
        };
        Ok(StoredRun { run, at, started, finished: Some(finished), in_doubt: Vec::new() })
    }

    /// What is known of the attempts of runs.
    fn known(&self, runs: impl IntoIterator<Item = i64>) -> Result<PriorAttempts, JournalError> {
        let mut known = PriorAttempts::default();
        for run in runs {
            self.records(run)?.iter().for_each(|record| known.learn(record));
        }
        Ok(known)
    }

    /// The records of a run.
    pub fn records(&self, run: i64) -> Result<Vec<Record>, JournalError> {
        let rows = self.rows(run)?;
        rows.into_iter().map(|(seq, text, _)| self.parsed(run, seq, &text)).collect()
    }

    fn record(&self, run: i64, seq: i64) -> Result<Record, JournalError> {
        let row = "SELECT record FROM record WHERE run = ?1 AND seq = ?2";
        let text: Vec<String> = self.select(row, (run, seq), |row| row.get(0))?;
        self.parsed(run, seq, text.first().map_or("", String::as_str))
    }

    fn parsed(&self, run: i64, seq: i64, text: &str) -> Result<Record, JournalError> {
        serde_json::from_str(text).map_err(|error| {
            JournalError::Damaged(self.path.clone(), format!("run {run}, row {seq}: {error}"))
        })
    }

    /// What became of a run that would begin like this, when it was last begun.
    pub fn earlier(&self, wanted: &RunStarted) -> Result<PriorRun, JournalError> {
        let is_it =
            |kept: &&StoredRun| RunStarted { resumes: None, ..kept.started.clone() } == *wanted;
        let runs = self.runs()?;
        let mut same: Vec<&StoredRun> = runs.iter().filter(is_it).collect();
        let begun = same.iter().rposition(|kept| kept.started.resumes.is_none()).unwrap_or(0);
        same.drain(..begun);
        let Some(last) = same.last() else { return Ok(PriorRun::Never) };
        if last.finished.is_some() {
            return Ok(PriorRun::Ended(self.records(last.run)?));
        }
        Ok(PriorRun::Interrupted(last.run, self.known(same.iter().map(|kept| kept.run))?))
    }

    /// Everything that is not as it was written.
    pub fn examine(&self) -> Result<Vec<IntegrityError>, JournalError> {
        let mut troubles = Vec::new();
        let checked: String = self
            .connection
            .query_row("PRAGMA quick_check", [], |row| row.get(0))
            .map_err(|error| self.broken(error))?;
        if checked != "ok" {
            troubles.push(IntegrityError { run: 0, seq: 0, what: checked });
        }
        for run in self.numbers()? {
            let (mut before, mut last) = (Seal::default(), 0);
            for (seq, text, sealed) in self.rows(run)? {
                let mut trouble = |what: String| troubles.push(IntegrityError { run, seq, what });
                if seq != last + 1 {
                    trouble(format!("{} rows are missing before it", seq - last - 1));
                }
                if sealed != seal(&before, run, seq, &text) {
                    trouble("it is not what was written".into());
                }
                before = <Seal>::try_from(sealed.as_slice()).unwrap_or_default();
                last = seq;
            }
            let records = self.records(run).unwrap_or_default();
            troubles.extend(contradiction(run, &records));
        }
        Ok(troubles)
    }

    fn numbers(&self) -> Result<Vec<i64>, JournalError> {
        self.select("SELECT DISTINCT run FROM record ORDER BY run", [], |row| row.get(0))
    }

    fn rows(&self, run: i64) -> Result<Vec<JournalRow>, JournalError> {
        let rows = "SELECT seq, record, seal FROM record WHERE run = ?1 ORDER BY seq";
        self.select(rows, [run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    fn select<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        let read = || -> rusqlite::Result<Vec<T>> {
            let mut selected = self.connection.prepare_cached(sql)?;
            selected.query_map(parameters, row)?.collect()
        };
        read().map_err(|error| self.broken(error))
    }

    /// What an error means where something is read: the file is not what it should be.
    fn broken(&self, error: rusqlite::Error) -> JournalError {
        JournalError::Sqlite(self.path.clone(), error)
    }
}

/// What a run says of itself in the end that its records do not say.
fn contradiction(run: i64, records: &[Record]) -> Option<IntegrityError> {
    let RecordKind::RunFinished(finished) = &records.last()?.kind else { return None };
    let count =
        |is: fn(&RecordKind) -> bool| records.iter().filter(|record| is(&record.kind)).count();
    // What is not sent on purpose is planned and settles, but is none of the run's deliveries.
    let planned = |what: &RecordKind| match what {
        RecordKind::DeliveryPlanned { faults, .. } => !faults.has(FaultKind::Drop),
        _ => false,
    };
    let settled = |what: &RecordKind| match what {
        RecordKind::DeliverySettled(settled) => !settled.faults.has(FaultKind::Drop),
        _ => false,
    };
    let (planned, settled) = (count(planned) as u64, count(settled) as u64);
    let attempts = count(
        |what| matches!(what, RecordKind::AttemptStarted { origin, .. } if *origin != Origin::Replayed),
    ) as u64;
    let holds = (planned, attempts) == (finished.deliveries, finished.attempts)
        && finished.passed <= settled
        && settled <= planned;
    let what = format!(
        "it says {} deliveries and {} attempts, and there are {planned} and {attempts}",
        finished.deliveries, finished.attempts
    );
    let seq = i64::try_from(records.len()).unwrap_or(i64::MAX);
    (!holds).then_some(IntegrityError { run, seq, what })
}
