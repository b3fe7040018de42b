//! Checks that a journal still contains what was written.

use super::JournalError;
use super::read::{Journal, JournalRow};
use super::store::{Seal, seal};
use crate::fault::FaultKind;
use crate::record::{Origin, Record, RecordKind, RunFinished, Verdict, VerdictBuilder};

/// A damaged or missing row of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityError {
    /// Number of the run, or 0 if the file itself is damaged.
    pub run: i64,
    /// Number of the row in its run.
    pub seq: i64,
    /// Description of the damage.
    pub what: String,
}

/// Totals of a run, counted from its records.
#[derive(Debug, Default)]
struct RunTotals {
    records: i64,
    planned: u64,
    settled: u64,
    attempts: u64,
    verdict: VerdictBuilder,
    /// The final record, as long as no other one follows.
    finished: Option<RunFinished>,
}

impl Journal {
    /// Checks the file, the checksum of every row and the totals of every run.
    pub fn examine(&self) -> Result<Vec<IntegrityError>, JournalError> {
        let mut errors = Vec::new();
        let status = self.quick_check()?;
        if status != "ok" {
            errors.push(IntegrityError { run: 0, seq: 0, what: status });
        }
        if let Err(error) = self.facts() {
            errors.push(IntegrityError { run: 0, seq: 0, what: error.to_string() });
        }
        for run in self.run_numbers()? {
            self.examine_run(run, &mut errors)?;
        }
        Ok(errors)
    }

    fn examine_run(&self, run: i64, errors: &mut Vec<IntegrityError>) -> Result<(), JournalError> {
        let (mut previous, mut last) = (Seal::default(), 0);
        let mut totals = Some(RunTotals::default());
        for row in self.rows(run) {
            let JournalRow { seq, text, seal: stored } = row?;
            let mut report = |what: String| errors.push(IntegrityError { run, seq, what });
            match seq - last {
                1 => {}
                ..=0 => report("it is out of order".into()),
                gap => report(format!("{} rows before it are missing", gap - 1)),
            }
            if stored != seal(&previous, run, seq, text.as_bytes()) {
                report("its checksum is invalid: the row was changed".into());
            }
            // Continue from the stored checksum, so that one damaged row is one error.
            previous = <Seal>::try_from(stored.as_slice()).unwrap_or_default();
            last = seq;
            // The totals say nothing if a record is unreadable.
            totals = totals.and_then(|totals| Some(totals.add(&serde_json::from_str(&text).ok()?)));
        }
        errors.extend(totals.and_then(|totals| totals.mismatch(run)));
        Ok(())
    }
}

impl RunTotals {
    fn add(mut self, record: &Record) -> Self {
        self.records += 1;
        self.verdict.count(record);
        self.finished = None;
        match &record.kind {
            // A dropped delivery is planned and settled, but the verdict does not count it.
            RecordKind::DeliveryPlanned { faults, .. } => {
                self.planned += u64::from(!faults.has(FaultKind::Drop));
            }
            RecordKind::DeliverySettled(settled) => {
                self.settled += u64::from(!settled.faults.has(FaultKind::Drop));
            }
            // A replayed attempt was sent by the run that this one resumes.
            RecordKind::AttemptStarted { origin, .. } => {
                self.attempts += u64::from(*origin != Origin::Replayed);
            }
            RecordKind::RunFinished(finished) => self.finished = Some(finished.clone()),
            _ => {}
        }
        self
    }

    /// Compares the totals with the final record, if there is one.
    fn mismatch(self, run: i64) -> Option<IntegrityError> {
        let Self { records, planned, settled, attempts, verdict, finished } = self;
        let finished = finished?;
        if finished.verdict == Verdict::Passed && verdict.finish(0).verdict != Verdict::Passed {
            let what = "the final record says `passed`, but the records of the run disagree".into();
            return Some(IntegrityError { run, seq: records, what });
        }
        let matches = (planned, attempts) == (finished.deliveries, finished.attempts)
            && finished.passed <= settled
            && settled <= planned;
        let what = format!(
            "the final record has {} deliveries and {} attempts, but the run has {planned} and \
             {attempts}",
            finished.deliveries, finished.attempts
        );
        (!matches).then_some(IntegrityError { run, seq: records, what })
    }
}
