//! Reads calls from the history, and those that are no longer in memory from the journal.

use super::LiveServer;
use super::calls::{CallFilter, CallSummary, responds_to};
use super::error::LiveError;
use super::history_list::HistoryPage;
use super::kept_record::KeptRecord;
use super::past::unreadable;
use crate::base::limits::MAX_CALLS_READ;
use crate::journal::JournalError;
use crate::record::{CallRecord, RecordKind};

impl LiveServer {
    /// Returns calls, the newest first. A page can be shorter than `limit`, because the number of calls
    /// that are read from the journal is limited. This takes time: do not call it on a thread that other
    /// requests need.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn calls(
        &self,
        filter: &CallFilter,
        limit: usize,
    ) -> Result<HistoryPage<CallSummary>, LiveError> {
        let (mut items, first) = self.history.calls(filter, limit);
        let is_full = items.len() == limit;
        let last = items.last().filter(|_| is_full).map(|last| last.number);
        let journal = self.journal.as_ref().filter(|_| !is_full);
        let Some(journal) = journal else { return Ok(HistoryPage { items, next: last }) };
        let failed = |error: JournalError| unreadable(&error);
        let before = filter.within.before.unwrap_or(u64::MAX).min(first);
        let stored = journal.read().calls_before(before, filter.within.runs(), MAX_CALLS_READ);
        let stored = stored.map_err(failed)?;
        let mut next = stored.last().filter(|_| stored.len() == MAX_CALLS_READ).map(|last| last.id);
        for numbered in stored {
            let id = numbered.id;
            let kept = journal.kept(numbered).map_err(failed)?;
            items.extend(kept.and_then(|kept| filter.included(&kept)));
            if items.len() == limit {
                next = Some(id);
                break;
            }
        }
        Ok(HistoryPage { items, next })
    }

    /// Returns a call with its record, and that of its response if that is separate; `None` if there
    /// is no such call.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn call(&self, number: u64) -> Result<Option<(CallSummary, Vec<KeptRecord>)>, LiveError> {
        let found = match self.history.call(number) {
            Some(records) => records,
            None => self.stored_call(number)?,
        };
        Ok(found.first().and_then(CallSummary::of).map(|summary| (summary, found)))
    }

    /// Returns the records of a call of the journal.
    fn stored_call(&self, number: u64) -> Result<Vec<KeptRecord>, LiveError> {
        let Some(journal) = &self.journal else { return Ok(Vec::new()) };
        let failed = |error: JournalError| unreadable(&error);
        let stored = journal.read().calls_before(number.saturating_add(1), 0..=i64::MAX, 1);
        let stored = stored.map_err(failed)?.pop().filter(|found| found.id == number);
        let kept = stored.map(|found| journal.kept(found)).transpose().map_err(failed)?.flatten();
        let Some(kept) = kept else { return Ok(Vec::new()) };
        let (run, mut found) = (kept.record.run, vec![kept]);
        let RecordKind::CallReceived(CallRecord { number: call, response: None, .. }) =
            &found[0].record.kind
        else {
            return Ok(found);
        };
        let (call, run_number) = (*call, i64::from(run));
        let later = journal.read().call_responses(run_number, number, MAX_CALLS_READ);
        for numbered in later.map_err(failed)? {
            let kept = journal.kept(numbered).map_err(failed)?;
            if let Some(kept) = kept.filter(|kept| responds_to(kept, run, call)) {
                found.push(kept);
                break;
            }
        }
        Ok(found)
    }
}
