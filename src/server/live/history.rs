//! The records of all runs of a server, in one order and in bounded memory.
//!
//! Readers keep a position and read from there. A slow reader delays nobody: when records that it has
//! not read are forgotten, it learns that there is a gap.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::calls::{CallFilter, CallIndex, CallSummary, responds_to};
use super::counts::{ConversationCounts, CountedDeliveries};
use super::deliveries::{DeliveryFilter, DeliveryIndex, DeliverySummary};
use super::endpoint_states::{EndpointState, EndpointStates};
use super::kept_record::KeptRecord;
use super::metrics::Metrics;
use crate::base::limits::{MAX_KEPT_BYTES, MAX_KEPT_RECORDS};
use crate::delivery::ConversationKey;
use crate::record::{EndpointSubscription, Record, RecordKind};

/// Which records a reader reads.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Only those of this run.
    pub run: Option<u32>,
    /// Only those of this conversation.
    pub conversation: Option<String>,
}

impl RecordFilter {
    /// Returns whether it includes every record.
    pub fn is_empty(&self) -> bool {
        self.run.is_none() && self.conversation.is_none()
    }

    pub(super) fn includes(&self, kept: &KeptRecord) -> bool {
        let of_run = self.run.is_none_or(|run| kept.record.run == run);
        let conversation = self.conversation.as_deref();
        of_run && conversation.is_none_or(|id| kept.conversation.as_deref() == Some(id))
    }
}

/// Records that a reader requested have been forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordGap {
    /// Number of the oldest record in memory.
    pub first: u64,
}

/// Numbers that increase when something changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryVersion {
    /// Number of the last record.
    pub records: u64,
    /// Increases when a run or an endpoint changes in a way that no record shows, such as a pause.
    pub runs: u64,
}

/// The history of a server.
#[derive(Debug, Default)]
pub struct History {
    state: Mutex<HistoryState>,
    version: watch::Sender<HistoryVersion>,
    /// Numbers for monitoring.
    pub metrics: Metrics,
}

#[derive(Debug, Default)]
struct HistoryState {
    records: VecDeque<KeptRecord>,
    bytes: usize,
    last: u64,
    deliveries: DeliveryIndex,
    calls: CallIndex,
    counts: CountedDeliveries,
    endpoints: EndpointStates,
    /// Where the records of the runs in memory belong.
    origins: HashMap<u32, RecordOrigin>,
}

/// Where the records of a run belong.
#[derive(Clone, Debug)]
pub(super) struct RecordOrigin {
    pub(super) vendor: Arc<str>,
    /// The run whose conversations the records belong to.
    pub(super) run: u32,
    /// The delivery that the run sends again, if it is a redelivery.
    pub(super) redelivery_of: Option<Arc<str>>,
}

impl History {
    /// Continues after this record of an earlier process.
    pub(super) fn continue_after(&self, last: u64) {
        let mut state = self.state();
        state.last = last;
        state.deliveries.begin_at(last + 1);
        drop(state);
        self.version.send_modify(|version| version.records = last);
    }

    /// Notes where the records of a run belong.
    pub(super) fn register(&self, run: u32, origin: RecordOrigin) {
        self.state().origins.insert(run, origin);
    }

    /// Forgets where the records of a run belong. None follow.
    pub(super) fn unregister(&self, run: u32) {
        let mut state = self.state();
        state.origins.remove(&run);
        state.counts.forget(run);
    }

    /// Forgets all records. Their numbers are not used again.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        while let Some(kept) = state.records.pop_front() {
            state.deliveries.forget(kept.id);
            state.calls.forget(kept.id);
        }
        state.bytes = 0;
    }

    /// Appends a record of a run that is registered.
    pub(super) fn append(&self, run: u32, record: Arc<Record>) {
        self.append_as(None, run, record);
    }

    /// Appends a record that a journal has stored under this number.
    pub(super) fn append_stored(&self, number: u64, run: i64, record: Arc<Record>) {
        self.append_as(Some(number), u32::try_from(run).unwrap_or_default(), record);
    }

    fn append_as(&self, number: Option<u64>, run: u32, record: Arc<Record>) {
        let mut state = self.state();
        let Some(origin) = state.origins.get(&run).cloned() else { return };
        self.metrics.count(&origin.vendor, &record);
        state.last = number.unwrap_or(state.last + 1);
        let conversation = record.conversation;
        let conversation = conversation.map(|number| format!("{}-{number}", origin.run).into());
        let kept = KeptRecord { id: state.last, vendor: origin.vendor, conversation, record };
        state.deliveries.update(&kept, origin.redelivery_of.as_ref());
        state.calls.update(&kept);
        state.endpoints.note(&kept.vendor, &kept.record);
        if origin.redelivery_of.is_none() {
            state.counts.note(run, &kept.record);
        }
        state.bytes += kept.record.size();
        state.records.push_back(kept);
        state.forget();
        let last = state.last;
        drop(state);
        self.version.send_modify(|version| version.records = last);
    }

    /// Counts the delivery of a record of a run that is restored.
    pub(super) fn count_again(&self, run: u32, record: &Record) {
        self.state().counts.note(run, record);
    }

    /// Takes note of the subscriptions that the endpoints of a vendor had before a restart.
    pub(super) fn restore_subscriptions(&self, vendor: &str, known: &[EndpointSubscription]) {
        self.state().endpoints.note_subscriptions(&vendor.into(), known);
    }

    /// Takes note of a handshake before a restart.
    pub(super) fn restore_handshake(&self, vendor: &str, record: &Record) {
        self.state().endpoints.note(&vendor.into(), record);
    }

    /// Returns what is known about an endpoint of a vendor.
    pub fn endpoint(&self, vendor: &str, number: u32) -> EndpointState {
        self.state().endpoints.of(vendor, number)
    }

    /// Reports that a run or an endpoint has changed.
    pub(super) fn touch(&self) {
        self.version.send_modify(|version| version.runs += 1);
    }

    /// Watches for changes.
    pub fn changes(&self) -> watch::Receiver<HistoryVersion> {
        self.version.subscribe()
    }

    /// Returns up to `limit` records after number `after`, and the number up to which was read.
    ///
    /// # Errors
    /// Records after this number have been forgotten.
    pub fn read(
        &self,
        after: u64,
        limit: usize,
        filter: &RecordFilter,
    ) -> Result<(Vec<KeptRecord>, u64), RecordGap> {
        let state = self.state();
        let first = state.first();
        if after + 1 < first {
            return Err(RecordGap { first });
        }
        let (mut found, mut read) = (Vec::new(), after.min(state.last));
        let skipped = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        for kept in state.records.iter().skip(skipped) {
            if found.len() == limit {
                break;
            }
            read = kept.id;
            if filter.includes(kept) {
                found.push(kept.clone());
            }
        }
        Ok((found, read))
    }

    /// Returns the number of the oldest record in memory.
    pub fn first(&self) -> u64 {
        self.state().first()
    }

    /// Returns the deliveries in memory, the newest first, and the number of the first one that the
    /// memory is complete from.
    pub(super) fn deliveries(
        &self,
        filter: &DeliveryFilter,
        limit: usize,
    ) -> (Vec<DeliverySummary>, u64) {
        let state = self.state();
        (state.deliveries.list(filter, limit), state.deliveries.first())
    }

    /// Returns a delivery with its records, if they are in memory.
    pub(super) fn delivery(&self, id: &str) -> Option<(DeliverySummary, Vec<KeptRecord>)> {
        let state = self.state();
        let summary = state.deliveries.find(id)?.clone();
        let (run, delivery) = id.split_once('-')?;
        let run: u32 = run.parse().ok()?;
        let skipped = usize::try_from(summary.number.checked_sub(state.first())?).ok()?;
        let is_part = |kept: &&KeptRecord| {
            kept.record.run == run && kept.record.kind.delivery() == Some(delivery)
        };
        let records = state.records.iter().skip(skipped).filter(is_part).cloned().collect();
        Some((summary, records))
    }

    /// Returns the calls in memory, the newest first, and the number of the oldest record in memory.
    pub(super) fn calls(&self, filter: &CallFilter, limit: usize) -> (Vec<CallSummary>, u64) {
        let state = self.state();
        let numbers = state.calls.before(filter.within.before.unwrap_or(u64::MAX));
        let records = numbers.filter_map(|number| state.records.get(state.index(number)?));
        (records.filter_map(|kept| filter.included(kept)).take(limit).collect(), state.first())
    }

    /// Returns the record of a call, and that of its response if that is separate; `None` if they
    /// are not in memory.
    pub(super) fn call(&self, number: u64) -> Option<Vec<KeptRecord>> {
        let state = self.state();
        let index = state.index(number)?;
        let kept = state.records.get(index)?;
        let mut found = vec![kept.clone()];
        let RecordKind::CallReceived(call) = &kept.record.kind else { return Some(found) };
        if call.response.is_none() {
            let mut later = state.records.iter().skip(index + 1);
            found.extend(
                later.find(|other| responds_to(other, kept.record.run, call.number)).cloned(),
            );
        }
        Some(found)
    }

    /// Returns the records of a run that are in memory.
    pub(super) fn records_of(&self, run: u32) -> Vec<Record> {
        let state = self.state();
        let of_run = state.records.iter().filter(|kept| kept.record.run == run);
        of_run.map(|kept| Record::clone(&kept.record)).collect()
    }

    /// Returns the numbers of deliveries of a conversation.
    pub fn counts(&self, conversation: ConversationKey) -> ConversationCounts {
        self.state().counts.of(conversation)
    }

    fn state(&self) -> MutexGuard<'_, HistoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HistoryState {
    fn first(&self) -> u64 {
        self.last + 1 - self.records.len() as u64
    }

    /// Drops the oldest records beyond the limits.
    fn forget(&mut self) {
        while self.records.len() > MAX_KEPT_RECORDS
            || (self.bytes > MAX_KEPT_BYTES && self.records.len() > 1)
        {
            let Some(kept) = self.records.pop_front() else { return };
            self.bytes -= kept.record.size();
            self.deliveries.forget(kept.id);
            self.calls.forget(kept.id);
        }
    }

    /// Returns the place of a record in memory.
    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;
    use crate::record::RecordKind;

    fn planned(run: u32) -> Record {
        Record {
            seq: 1,
            run,
            wall_time: jiff::Timestamp::UNIX_EPOCH,
            run_time: jiff::Timestamp::UNIX_EPOCH,
            conversation: Some(1),
            step: None,
            kind: RecordKind::DeliveryPlanned {
                delivery: "1-1".into(),
                endpoint: 1,
                event_type: "message".into(),
                certainty: "documented".into(),
                faults: Faults::default(),
                control: false,
                body: "{}".into(),
                event: None,
            },
        }
    }

    #[test]
    fn a_restored_run_keeps_its_counts_when_records_are_forgotten() {
        let history = History::default();
        let origin = |run| RecordOrigin { vendor: "v".into(), run, redelivery_of: None };
        (1..=2).for_each(|run| history.register(run, origin(run)));
        history.count_again(1, &planned(1));
        let record = Arc::new(planned(2));
        (0..=MAX_KEPT_RECORDS).for_each(|_| history.append(2, Arc::clone(&record)));
        assert!(history.first() > 1, "records are forgotten");
        let count = |run| history.counts(ConversationKey { run, number: 1 }).deliveries;
        assert_eq!((count(1), count(2)), (1, 1));
        history.unregister(1);
        assert_eq!(count(1), 0);
    }
}
