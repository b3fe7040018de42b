//! Reads runs, records and deliveries that are no longer in memory from the journal.

use std::sync::{Arc, PoisonError};

use super::LiveServer;
use super::deliveries::{DeliveryFilter, DeliveryIndex, DeliverySummary};
use super::error::LiveError;
use super::history::{RecordFilter, RecordGap};
use super::kept_record::KeptRecord;
use super::run::ServedRun;
use crate::base::limits::{MAX_PAGE, RECORD_PAGE};
use crate::journal::{JournalError, RunOutline};

/// A run in a list.
pub enum ListedRun {
    /// It is in memory.
    Live(Arc<ServedRun>),
    /// Only the journal has it. The text is the reason, if it cannot be continued.
    Past(Box<RunOutline>, Option<String>),
}

/// An error of the journal in the response to a request.
pub(super) fn unreadable(error: &JournalError) -> LiveError {
    LiveError::unavailable(error.to_string(), "run `standin journal doctor` on the file")
}

impl LiveServer {
    /// Returns runs with smaller numbers than `before`, the newest first, up to a number of them.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn run_list(&self, before: Option<u32>, limit: usize) -> Result<Vec<ListedRun>, LiveError> {
        let is_before = |run: &Arc<ServedRun>| before.is_none_or(|before| run.number < before);
        let Some(journal) = &self.journal else {
            let runs = self.runs.all().into_iter().rev().filter(is_before);
            return Ok(runs.take(limit).map(ListedRun::Live).collect());
        };
        let outlines = journal.read().outlines(before.map_or(i64::MAX, i64::from), limit);
        let outlines = outlines.map_err(|error| unreadable(&error))?;
        Ok(outlines.into_iter().map(|outline| self.listed(outline)).collect())
    }

    /// Returns what a list shows about a run, without restoring it.
    ///
    /// # Errors
    /// There is no such run, or the journal cannot be read.
    pub fn look_up(&self, number: u32) -> Result<ListedRun, LiveError> {
        if let Some(run) = self.runs.get(number) {
            return Ok(ListedRun::Live(run));
        }
        let unknown = || LiveError::unknown("run", &number.to_string(), &[]);
        let journal = self.journal.as_ref().ok_or_else(unknown)?;
        let outline = journal.read().outline(i64::from(number));
        let outline = outline.map_err(|error| unreadable(&error))?.ok_or_else(unknown)?;
        Ok(self.listed(outline))
    }

    fn listed(&self, outline: RunOutline) -> ListedRun {
        let number = u32::try_from(outline.run).unwrap_or_default();
        match self.runs.get(number) {
            Some(run) => ListedRun::Live(run),
            None => ListedRun::Past(Box::new(outline), self.lost_reason(number)),
        }
    }

    /// Returns why a run could not be restored, if that was tried.
    pub(super) fn lost_reason(&self, number: u32) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Returns up to `limit` records after number `after`, and the number up to which was read.
    ///
    /// # Errors
    /// Records after this number have been forgotten, and there is no journal.
    pub fn records(
        &self,
        after: u64,
        limit: usize,
        filter: &RecordFilter,
    ) -> Result<(Vec<KeptRecord>, u64), RecordGap> {
        let gap = match (self.history.read(after, limit, filter), &self.journal) {
            (Err(gap), Some(journal)) => (gap, journal),
            (read, _) => return read,
        };
        let (RecordGap { first }, journal) = gap;
        let stored = journal.read().numbered_after(after, limit.min(RECORD_PAGE));
        let stored = stored.map_err(|_| RecordGap { first })?;
        let stored: Vec<_> = stored.into_iter().take_while(|found| found.id < first).collect();
        // Deleted runs leave numbers without records.
        let read = stored.last().map_or(first - 1, |last| last.id);
        let kept = stored.into_iter().filter_map(|numbered| journal.kept(numbered));
        Ok((kept.filter(|kept| filter.includes(kept)).collect(), read))
    }

    /// Returns deliveries, the newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<DeliverySummary>, LiveError> {
        let (mut found, first) = self.history.deliveries(filter, limit);
        let Some(journal) = &self.journal else { return Ok(found) };
        let mut before = filter.before.unwrap_or(u64::MAX).min(first);
        let runs = filter.runs();
        while found.len() < limit {
            let page = journal.read().planned_before(before, runs.clone(), MAX_PAGE);
            let page = page.map_err(|error| unreadable(&error))?;
            let Some(last) = page.last() else { break };
            before = last.id;
            for planned in page {
                let summary = self.stored_delivery(planned.run, &planned.delivery)?;
                found
                    .extend(summary.map(|(summary, _)| summary).filter(|row| filter.includes(row)));
                if found.len() == limit {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Returns a delivery with its records; `None` if there is no such delivery.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn delivery(
        &self,
        id: &str,
    ) -> Result<Option<(DeliverySummary, Vec<KeptRecord>)>, LiveError> {
        if let Some(found) = self.history.delivery(id) {
            return Ok(Some(found));
        }
        let parsed =
            id.split_once('-').and_then(|(run, delivery)| Some((run.parse().ok()?, delivery)));
        match parsed {
            Some((run, delivery)) => self.stored_delivery(run, delivery),
            None => Ok(None),
        }
    }

    /// Returns a delivery of the journal with its records.
    fn stored_delivery(
        &self,
        run: i64,
        delivery: &str,
    ) -> Result<Option<(DeliverySummary, Vec<KeptRecord>)>, LiveError> {
        let Some(journal) = &self.journal else { return Ok(None) };
        let stored = journal.read().numbered_of_delivery(run, delivery);
        let stored = stored.map_err(|error| unreadable(&error))?;
        let kept: Vec<_> = stored.into_iter().filter_map(|found| journal.kept(found)).collect();
        let redelivery_of = journal.origin(run).and_then(|origin| origin.redelivery_of);
        let summary = DeliveryIndex::of_records(&kept, redelivery_of.as_ref()).pop();
        Ok(summary.map(|summary| (summary, kept)))
    }
}
