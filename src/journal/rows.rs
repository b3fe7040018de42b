//! Rows of a journal: writes them in one transaction, and checks that they are there.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Transaction};
use serde::Deserialize;

use super::JournalError;
use super::file_identity::FileIdentity;
use super::item::WriterItem;
use super::store::{Seal, row_id, rows_of_run, seal};
use crate::base::fail_points;
use crate::record::{Record, RecordKind, Verdict};

/// The part of a stored record by which a server finds it.
#[derive(Deserialize)]
struct RecordHead<'a> {
    kind: &'a str,
}

/// The last row of a run that was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastRow {
    seq: i64,
    seal: Seal,
}

/// The last rows by run.
pub(super) type LastRows = HashMap<i64, LastRow>;

/// Number of the run under which facts are sealed. Runs have positive numbers.
pub(super) const FACTS: i64 = 0;

/// Commits a batch, and checks that it is in the file that the path names. Returns the number of its
/// first record among all runs, if the records are numbered.
pub(super) fn store(
    connection: &mut Connection,
    file: &FileIdentity,
    batch: &[WriterItem],
    ends: &mut LastRows,
    is_numbered: bool,
) -> Result<u64, JournalError> {
    let runs = batch.iter().filter_map(|item| match item {
        WriterItem::Records(item) => Some(item.run),
        WriterItem::Fact(..) | WriterItem::Expire(..) => None,
    });
    let mut before = BTreeMap::new();
    for run in runs {
        if let Entry::Vacant(entry) = ends.entry(run) {
            entry.insert(last_row(connection, run).map_err(|error| file.sqlite(error))?);
        }
        before.entry(run).or_insert(ends[&run].seq);
    }
    let first = commit(connection, batch, ends, is_numbered).map_err(|error| file.sqlite(error))?;
    for (run, from) in before {
        // A run that was deleted in the same batch has no rows to check.
        if let Some(end) = ends.get(&run) {
            check_rows(connection, file, run, from, *end)?;
        }
    }
    file.check()?;
    Ok(first)
}

/// Checks that a run has every row after row `from`, up to its end.
// SQLite reports no error if a trigger of the file or a defective disk discards a row.
pub(super) fn check_rows(
    connection: &Connection,
    file: &FileIdentity,
    run: i64,
    from: i64,
    end: LastRow,
) -> Result<(), JournalError> {
    let LastRow { seq: last, seal } = end;
    if last == from {
        return Ok(()); // only the end of an interrupted run, which is not stored
    }
    let count = "SELECT count(*), (SELECT seal FROM record WHERE id = ?2) FROM record \
                 WHERE id BETWEEN ?1 AND ?2";
    let check = || -> rusqlite::Result<bool> {
        let places = (row_id(run, from + 1), row_id(run, last));
        connection.prepare_cached(count)?.query_row(places, |row| {
            let (rows, stored): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
            Ok(rows == last - from && stored.is_some_and(|stored| stored == seal))
        })
    };
    match check() {
        Ok(true) => Ok(()),
        Ok(false) => Err(file.lost(&format!("rows of run {run} were not stored"))),
        Err(error) => Err(file.sqlite(error)),
    }
}

/// Returns the last stored row of a run: a server continues the runs of an earlier process.
fn last_row(connection: &Connection, run: i64) -> rusqlite::Result<LastRow> {
    let last = "SELECT seq, seal FROM record WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
    let row = connection.prepare_cached(last)?.query_row(rows_of_run(run), |row| {
        let seal: Vec<u8> = row.get(1)?;
        let seal = Seal::try_from(seal.as_slice()).unwrap_or_default();
        Ok(LastRow { seq: row.get(0)?, seal })
    });
    Ok(row.optional()?.unwrap_or_default())
}

fn commit(
    connection: &mut Connection,
    batch: &[WriterItem],
    ends: &mut LastRows,
    is_numbered: bool,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction()?;
    let first = if is_numbered { next_position(&transaction)? } else { 0 };
    let mut number = first;
    let mut rows = RecordRows::new(&transaction)?;
    for item in batch {
        match item {
            WriterItem::Records(item) => {
                let end = ends.entry(item.run).or_default();
                for record in &item.records {
                    if !is_numbered && is_interrupted(record) {
                        continue;
                    }
                    let text = rows.insert(item.run, record, end)?;
                    if is_numbered {
                        insert_position(&transaction, number, item.run, record, text)?;
                        number += 1;
                    }
                }
            }
            WriterItem::Fact(fact, _) => insert_fact(&transaction, fact)?,
            WriterItem::Expire(run, _) => {
                delete_run(&transaction, *run)?;
                ends.remove(run);
            }
        }
    }
    fail_points::hit("writing");
    drop(rows);
    transaction.commit()?;
    u64::try_from(first).map_err(|_| rusqlite::Error::InvalidQuery)
}

/// Stores the records of a batch.
struct RecordRows<'t> {
    insert: CachedStatement<'t>,
    /// The text of the last record. Reused, because a batch has hundreds.
    text: Vec<u8>,
}

impl<'t> RecordRows<'t> {
    fn new(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        let row = "INSERT INTO record (id, record, seal) VALUES (?1, ?2, ?3)";
        Ok(Self { insert: transaction.prepare_cached(row)?, text: Vec::new() })
    }

    /// Stores a record, and returns its text.
    fn insert(&mut self, run: i64, record: &Record, end: &mut LastRow) -> rusqlite::Result<&[u8]> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, record)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        end.seq += 1;
        end.seal = seal(&end.seal, run, end.seq, &self.text);
        let text = ToSqlOutput::Borrowed(ValueRef::Text(&self.text));
        self.insert.execute((row_id(run, end.seq), text, end.seal.as_slice()))?;
        Ok(&self.text)
    }
}

/// Returns the number of the next record among those of all runs.
fn next_position(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    // The number of a deleted record is not used again, because the last one always stays.
    transaction
        .prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM position")?
        .query_row([], |row| row.get(0))
}

fn insert_position(
    transaction: &Transaction<'_>,
    number: i64,
    run: i64,
    record: &Record,
    text: &[u8],
) -> rusqlite::Result<()> {
    let head: RecordHead<'_> = serde_json::from_slice(text)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let row = "INSERT INTO position (id, run, seq, kind, delivery) VALUES (?1, ?2, ?3, ?4, ?5)";
    let seq = i64::try_from(record.seq).unwrap_or(i64::MAX);
    let values = (number, run, seq, head.kind, record.kind.delivery());
    transaction.prepare_cached(row)?.execute(values).map(drop)
}

fn insert_fact(transaction: &Transaction<'_>, fact: &str) -> rusqlite::Result<()> {
    let last = "SELECT id, seal FROM fact ORDER BY id DESC LIMIT 1";
    let last = transaction
        .prepare_cached(last)?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let (last, previous) = last.optional()?.unwrap_or_default();
    let previous = Seal::try_from(previous.as_slice()).unwrap_or_default();
    let sealed = seal(&previous, FACTS, last + 1, fact.as_bytes());
    let row = "INSERT INTO fact (id, fact, seal) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(row)?.execute((last + 1, fact, sealed.as_slice())).map(drop)
}

fn delete_run(transaction: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    transaction.execute("INSERT OR IGNORE INTO expired (run) VALUES (?1)", [run])?;
    transaction.execute("DELETE FROM record WHERE id BETWEEN ?1 AND ?2", rows_of_run(run))?;
    // The last position stays: the next record must not get its number.
    let positions = "DELETE FROM position WHERE run = ?1 AND id < (SELECT max(id) FROM position)";
    transaction.execute(positions, [run]).map(drop)
}

/// Returns whether a record is the end of an interrupted run. It is not stored, because only a run
/// without a final record can be resumed. At a server, somebody has cancelled it for good.
fn is_interrupted(record: &Record) -> bool {
    matches!(&record.kind, RecordKind::RunFinished(run) if run.verdict == Verdict::Interrupted)
}
