//! Reads what a server has stored: records by their number among all runs, outlines of runs, and
//! changes between runs.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;

use super::JournalError;
use super::read::Journal;
use super::rows::FACTS;
use super::store::{Seal, rows_of_run, seal};
use crate::base::limits::MAX_PAGE;
use crate::fault::Faults;
use crate::record::{
    PriorResults, Record, RecordKind, RunFinished, RunServed, RunStarted, RunSteered, SteerCommand,
};

/// A record with its number among those of all runs.
#[derive(Clone, Debug)]
pub struct NumberedRecord {
    /// Number, from 1, in the order in which the records were stored.
    pub id: u64,
    /// Number of the run in the journal.
    pub run: i64,
    /// The record.
    pub record: Record,
}

/// A delivery of a journal.
#[derive(Clone, Debug)]
pub struct StoredDeliveryId {
    /// Number of its first record among those of all runs.
    pub id: u64,
    /// Number of its run.
    pub run: i64,
    /// Its id in the run.
    pub delivery: String,
}

/// What a list shows about a run of a server.
#[derive(Clone, Debug)]
pub struct RunOutline {
    /// Number of the run.
    pub run: i64,
    /// Wall time of its start.
    pub at: Timestamp,
    /// Its parameters.
    pub started: RunStarted,
    /// How the server plays it.
    pub served: RunServed,
    /// The speed of its real clock; `None` for a virtual clock.
    pub speed: Option<f64>,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The faults that somebody has turned on.
    pub faults: Faults,
    /// Its result, if its script has ended.
    pub finished: Option<RunFinished>,
    /// Whether somebody has cancelled it.
    pub is_cancelled: bool,
}

impl RunOutline {
    fn steer(&mut self, steered: &RunSteered) {
        match steered.command {
            SteerCommand::Pause | SteerCommand::Step => self.is_paused = true,
            SteerCommand::Resume => self.is_paused = false,
            SteerCommand::Speed => self.speed = steered.speed,
            SteerCommand::Cancel => self.is_cancelled = true,
            SteerCommand::Faults => self.faults = steered.faults.clone().unwrap_or_default(),
            SteerCommand::Mark => {}
        }
    }
}

/// The columns of a numbered record.
const COLUMNS: &str = "position.id, position.run, record.record FROM position \
                       JOIN record ON record.id = position.run << 32 | position.seq";

/// Condition: the run of a record was played at the vendor `?1`.
// The first record of a run names the vendor and its revision: `NAME@REVISION`.
const OF_VENDOR: &str = "?1 = (SELECT substr(name, 1, instr(name || '@', '@') - 1) FROM \
    (SELECT json_extract(first.record, '$.data.vendor') AS name FROM record AS first \
     WHERE first.id = position.run << 32 | 1))";

impl Journal {
    /// Returns the number of the last record among those of all runs; 0 if there are no records.
    pub fn last_position(&self) -> Result<u64, JournalError> {
        let last = self
            .select("SELECT coalesce(max(id), 0) FROM position", [], |row| row.get::<_, i64>(0))?;
        Ok(last.first().map_or(0, |last| last.unsigned_abs()))
    }

    /// Returns records after number `after`, up to a number of them.
    pub fn numbered_after(
        &self,
        after: u64,
        most: usize,
    ) -> Result<Vec<NumberedRecord>, JournalError> {
        let query =
            format!("SELECT {COLUMNS} WHERE position.id > ?1 ORDER BY position.id LIMIT ?2");
        self.numbered(&query, (signed(after), most_rows(most)))
    }

    /// Returns the last records, in order, up to a number of them.
    pub fn last_numbered(&self, most: usize) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!("SELECT {COLUMNS} ORDER BY position.id DESC LIMIT ?1");
        let mut found = self.numbered(&query, [most_rows(most)])?;
        found.reverse();
        Ok(found)
    }

    /// Returns the records of a run with their numbers, in order.
    pub fn numbered_of(&self, run: i64) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!("SELECT {COLUMNS} WHERE position.run = ?1 ORDER BY position.id");
        self.numbered(&query, [run])
    }

    /// Returns the records of a delivery with their numbers, in order.
    pub fn numbered_of_delivery(
        &self,
        run: i64,
        delivery: &str,
    ) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.run = ?1 AND position.delivery = ?2 ORDER BY position.id"
        );
        self.numbered(&query, (run, delivery))
    }

    /// Returns the deliveries of these runs whose first record has a smaller number than `before`, the
    /// newest first, up to a number of them.
    pub fn planned_before(
        &self,
        before: u64,
        runs: RangeInclusive<i64>,
        most: usize,
    ) -> Result<Vec<StoredDeliveryId>, JournalError> {
        let query = "SELECT id, run, delivery FROM position WHERE kind = 'delivery.planned' \
                     AND id < ?1 AND run BETWEEN ?2 AND ?3 ORDER BY id DESC LIMIT ?4";
        let parameters = (signed(before), runs.start(), runs.end(), most_rows(most));
        self.select(query, parameters, |row| {
            let id = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(StoredDeliveryId { id, run: row.get(1)?, delivery: row.get(2)? })
        })
    }

    /// Returns the records of calls of these runs with a smaller number than `before`, the newest first,
    /// up to a number of them.
    pub fn calls_before(
        &self,
        before: u64,
        runs: RangeInclusive<i64>,
        most: usize,
    ) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.kind = 'call.received' AND position.id < ?1 \
             AND position.run BETWEEN ?2 AND ?3 ORDER BY position.id DESC LIMIT ?4"
        );
        self.numbered(&query, (signed(before), runs.start(), runs.end(), most_rows(most)))
    }

    /// Returns the records of responses that waited, after number `after`, up to a number of them.
    pub fn call_responses(
        &self,
        run: i64,
        after: u64,
        most: usize,
    ) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.run = ?1 AND position.kind = 'call.responded' \
             AND position.id > ?2 ORDER BY position.id LIMIT ?3"
        );
        self.numbered(&query, (run, signed(after), most_rows(most)))
    }

    /// Returns the last record of subscriptions at a vendor, if there is one.
    pub fn last_subscriptions(&self, vendor: &str) -> Result<Option<NumberedRecord>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.kind = 'endpoints.changed' AND {OF_VENDOR} \
             ORDER BY position.id DESC LIMIT 1"
        );
        Ok(self.numbered(&query, [vendor])?.pop())
    }

    /// Returns the last handshakes at a vendor, in order, up to a number of them.
    pub fn last_handshakes(&self, vendor: &str) -> Result<Vec<NumberedRecord>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.kind = 'handshake.finished' AND {OF_VENDOR} \
             ORDER BY position.id DESC LIMIT ?2"
        );
        let mut found = self.numbered(&query, (vendor, most_rows(MAX_PAGE)))?;
        found.reverse();
        Ok(found)
    }

    /// Returns the number of the last record of a run in the run; 0 if it has none.
    pub fn last_row(&self, run: i64) -> Result<u64, JournalError> {
        let query =
            "SELECT coalesce(max(id), 0) & 4294967295 FROM record WHERE id BETWEEN ?1 AND ?2";
        let last = self.select(query, rows_of_run(run), |row| row.get::<_, i64>(0))?;
        Ok(last.first().map_or(0, |last| last.unsigned_abs()))
    }

    /// Returns a reader of the results of interrupted runs.
    pub fn results(&self) -> Result<Arc<dyn PriorResults>, JournalError> {
        self.stored_results()
    }

    fn numbered(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<NumberedRecord>, JournalError> {
        let rows = self.select(query, parameters, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })?;
        let parse = |(id, run, text): (i64, i64, String)| {
            let record = self.parse(run, 0, &text)?;
            Ok(NumberedRecord { id: id.unsigned_abs(), run, record })
        };
        rows.into_iter().map(parse).collect()
    }

    /// Returns outlines of the runs of a server with smaller numbers than `before`, the newest first,
    /// up to a number of them.
    pub fn outlines(&self, before: i64, most: usize) -> Result<Vec<RunOutline>, JournalError> {
        let runs = self.served_runs(before, most)?;
        runs.into_iter().filter_map(|run| self.outline(run).transpose()).collect()
    }

    /// Returns the numbers of the runs of a server that are smaller than `before`, the greatest first,
    /// up to a number of them.
    pub fn served_runs(&self, before: i64, most: usize) -> Result<Vec<i64>, JournalError> {
        // The index has the order of the runs, so that few rows are read.
        let query = "SELECT run FROM position INDEXED BY position_of_run \
                     WHERE kind = 'run.served' AND run < ?1 ORDER BY run DESC LIMIT ?2";
        self.select(query, (before, most_rows(most)), |row| row.get(0))
    }

    /// Returns the runs of a server that have neither ended nor been cancelled, in order.
    pub fn unfinished(&self) -> Result<Vec<i64>, JournalError> {
        let query = "SELECT run FROM position WHERE kind = 'run.served' AND NOT EXISTS \
                     (SELECT 1 FROM position AS ended WHERE ended.run = position.run \
                      AND ended.kind = 'run.finished') ORDER BY run";
        self.select(query, [], |row| row.get(0))
    }

    /// Returns the runs of a server that have ended, and in which nothing has happened since this time.
    pub fn ended_before(&self, time: Timestamp) -> Result<Vec<i64>, JournalError> {
        let query = "SELECT run, (SELECT record FROM record \
                     WHERE record.id BETWEEN position.run << 32 AND position.run << 32 | 4294967295 \
                     ORDER BY record.id DESC LIMIT 1) FROM position WHERE kind = 'run.finished' \
                     ORDER BY run";
        let rows =
            self.select(query, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let mut ended = Vec::new();
        for (run, text) in rows {
            if self.parse(run, 0, &text)?.wall_time < time {
                ended.push(run);
            }
        }
        Ok(ended)
    }

    /// Returns the outline of a run of a server.
    pub fn outline(&self, run: i64) -> Result<Option<RunOutline>, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} WHERE position.run = ?1 AND position.kind IN \
             ('run.started', 'run.served', 'run.steered', 'run.finished') ORDER BY position.id"
        );
        let (mut started, mut served, mut finished) = (None, None::<RunServed>, None);
        let mut steered = Vec::new();
        for NumberedRecord { record, .. } in self.numbered(&query, [run])? {
            match record.kind {
                RecordKind::RunStarted(found) => started = Some((record.wall_time, found)),
                RecordKind::RunServed(found) => served = Some(*found),
                RecordKind::RunSteered(found) => steered.push(found),
                RecordKind::RunFinished(found) => finished = Some(found),
                _ => {}
            }
        }
        let Some(((at, started), served)) = started.zip(served) else { return Ok(None) };
        let (speed, is_paused) = (served.speed, served.paused);
        let is_cancelled = false;
        let faults = Faults::default();
        let mut outline = RunOutline {
            run,
            at,
            started,
            served,
            speed,
            is_paused,
            faults,
            finished,
            is_cancelled,
        };
        steered.iter().for_each(|steered| outline.steer(steered));
        Ok(Some(outline))
    }

    /// Returns the changes that belong to no run, in order.
    ///
    /// # Errors
    /// The journal cannot be read, or one of them is missing or was changed.
    pub fn facts(&self) -> Result<Vec<String>, JournalError> {
        let rows = self.select("SELECT id, fact, seal FROM fact ORDER BY id", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let (mut previous, mut facts) = (Seal::default(), Vec::new());
        for (expected, (id, fact, sealed)) in (1..).zip(rows) {
            previous = seal(&previous, FACTS, expected, fact.as_bytes());
            if id != expected || sealed != previous {
                return Err(self.damaged(format!("change {expected} of the server was changed")));
            }
            facts.push(fact);
        }
        Ok(facts)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn most_rows(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
