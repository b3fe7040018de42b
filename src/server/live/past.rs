//! Reads runs, records and deliveries that are no longer in memory from the journal.

use std::sync::{Arc, PoisonError};

use super::LiveServer;
use super::deliveries::{DeliveryFilter, DeliveryIndex, DeliverySummary};
use super::error::LiveError;
use super::history::{RecordFilter, RecordGap};
use super::history_list::HistoryPage;
use super::kept_record::KeptRecord;
use super::run::ServedRun;
use crate::base::limits::{MAX_DELIVERIES_READ, MAX_PAGE, RECORD_PAGE};
use crate::journal::{JournalError, RunOutline, StoredDeliveryId};
use crate::platform::VendorRef;
use crate::record::{RunStarted, Verdict};
use crate::scenario::LiveScript;

/// A run in a list.
pub enum ListedRun {
    /// It is in memory.
    Live(Arc<ServedRun>),
    /// Only the journal has it. The text is the reason, if it cannot be continued.
    Past(Box<RunOutline>, Option<String>),
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those with a smaller number: the next page.
    pub before: Option<u32>,
    /// Only those at this vendor.
    pub vendor: Option<String>,
    /// Only those with this verdict.
    pub verdict: Option<Verdict>,
    /// Only those whose number, seed, vendor or scenario contains this text, in any case.
    pub text: Option<String>,
}

impl RunFilter {
    fn includes(&self, run: &ListedRun) -> bool {
        let (vendor, verdict, texts) = match run {
            ListedRun::Live(run) => {
                let LiveScript { script, seed, .. } = &run.script;
                let texts = [script.name.clone(), script.file.clone(), seed.to_string()];
                let verdict = run.finished().map(|finished| finished.verdict);
                (run.vendor.to_string(), verdict, texts.to_vec())
            }
            ListedRun::Past(outline, _) => {
                let RunStarted { scenario, file, seed, vendor, .. } = &outline.started;
                let texts = [scenario.clone(), file.clone(), seed.to_string()];
                let verdict = outline.finished.as_ref().map(|finished| finished.verdict);
                (VendorRef::parse(vendor).id, verdict, texts.to_vec())
            }
        };
        let is_text = |text: &String| {
            let text = text.to_lowercase();
            let is_in = |part: &String| part.to_lowercase().contains(&text);
            run.number().to_string() == text || is_in(&vendor) || texts.iter().any(is_in)
        };
        self.vendor.as_ref().is_none_or(|only| *only == vendor)
            && self.verdict.is_none_or(|only| verdict == Some(only))
            && self.text.as_ref().is_none_or(is_text)
    }
}

impl ListedRun {
    fn number(&self) -> u32 {
        match self {
            Self::Live(run) => run.number,
            Self::Past(outline, _) => u32::try_from(outline.run).unwrap_or_default(),
        }
    }
}

/// Why records cannot be returned.
#[derive(Clone, Debug)]
pub enum RecordsError {
    /// They have been forgotten.
    Gap(RecordGap),
    /// The journal cannot be read.
    Unreadable(LiveError),
}

/// An error of the journal in the response to a request.
pub(super) fn unreadable(error: &JournalError) -> LiveError {
    LiveError::unavailable(error.to_string(), "run `standin journal doctor` on the file")
}

impl LiveServer {
    /// Returns runs, the newest first. A page can be shorter than `limit`, because the number of runs
    /// that are read is limited. This takes time: do not call it on a thread that other requests need.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn run_list(
        &self,
        filter: &RunFilter,
        limit: usize,
    ) -> Result<HistoryPage<ListedRun, u32>, LiveError> {
        let mut page = HistoryPage::default();
        let before = filter.before.map_or(i64::MAX, i64::from);
        let numbers = self.run_numbers(None, before)?;
        let has_more = numbers.len() == MAX_PAGE;
        for number in numbers {
            if page.items.len() == limit {
                return Ok(page);
            }
            page.next = Some(number);
            let listed = match self.look_up(number) {
                // Deleted after its number was read.
                Err(LiveError::Unknown { .. }) => continue,
                listed => listed?,
            };
            if filter.includes(&listed) {
                page.items.push(listed);
            }
        }
        page.next = page.next.filter(|_| has_more);
        Ok(page)
    }

    /// Returns what a list shows about a run, without restoring it.
    ///
    /// # Errors
    /// There is no such run, or the journal cannot be read.
    pub fn look_up(&self, number: u32) -> Result<ListedRun, LiveError> {
        if let Some(run) = self.runs.peek(number) {
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
        match self.runs.peek(number) {
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
    /// Records after this number have been forgotten and there is no journal, or it cannot be read.
    pub fn records(
        &self,
        after: u64,
        limit: usize,
        filter: &RecordFilter,
    ) -> Result<(Vec<KeptRecord>, u64), RecordsError> {
        let gap = match (self.history.read(after, limit, filter), &self.journal) {
            (Err(gap), Some(journal)) => (gap, journal),
            (read, _) => return read.map_err(RecordsError::Gap),
        };
        let (RecordGap { first }, journal) = gap;
        let failed = |error: JournalError| RecordsError::Unreadable(unreadable(&error));
        let stored = journal.read().numbered_after(after, limit.min(RECORD_PAGE));
        let stored = stored.map_err(failed)?;
        let stored: Vec<_> = stored.into_iter().take_while(|found| found.id < first).collect();
        // Deleted runs leave numbers without records.
        let read = stored.last().map_or(first - 1, |last| last.id);
        let kept = stored.into_iter().filter_map(|numbered| journal.kept(numbered).transpose());
        let kept = kept.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        Ok((kept.into_iter().filter(|kept| filter.includes(kept)).collect(), read))
    }

    /// Returns deliveries, the newest first. A page can be shorter than `limit`, because the number of
    /// deliveries that are read from the journal is limited. This takes time: do not call it on a thread
    /// that other requests need.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
    ) -> Result<HistoryPage<DeliverySummary>, LiveError> {
        let (mut items, first) = self.history.deliveries(filter, limit);
        let is_full = items.len() == limit;
        let last = items.last().filter(|_| is_full).map(|last| last.number);
        let journal = self.journal.as_ref().filter(|_| !is_full);
        let Some(journal) = journal else { return Ok(HistoryPage { items, next: last }) };
        let failed = |error: JournalError| unreadable(&error);
        let before = filter.within.before.unwrap_or(u64::MAX).min(first);
        // Redeliveries belong to the original conversation, and to a later run.
        let runs = filter.within.runs_and_later();
        let page = journal.read().planned_before(before, runs, MAX_DELIVERIES_READ);
        let page = page.map_err(failed)?;
        let mut next =
            page.last().filter(|_| page.len() == MAX_DELIVERIES_READ).map(|last| last.id);
        for StoredDeliveryId { id, run, delivery } in page {
            let origin = journal.origin(run).map_err(failed)?;
            // Before its records are read, which takes longer.
            if origin.is_none_or(|origin| !filter.within.includes_vendor(&origin.vendor)) {
                continue;
            }
            let found = self.stored_delivery(run, &delivery)?;
            items.extend(found.map(|found| found.0).filter(|row| filter.includes(row)));
            if items.len() == limit {
                next = Some(id);
                break;
            }
        }
        Ok(HistoryPage { items, next })
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
        let failed = |error: JournalError| unreadable(&error);
        let kept = stored.into_iter().filter_map(|found| journal.kept(found).transpose());
        let kept = kept.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let origin = journal.origin(run).map_err(failed)?;
        let redelivery_of = origin.and_then(|origin| origin.redelivery_of);
        let summary = DeliveryIndex::of_records(&kept, redelivery_of.as_ref()).pop();
        Ok(summary.map(|summary| (summary, kept)))
    }
}
