//! An index of the deliveries in the history: what a list shows about each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history_list::{HistoryEntry, HistoryFilter};
use super::kept_record::KeptRecord;
use crate::record::{AttemptResult, RecordKind};

crate::string_enum! {
    /// State of a delivery.
    pub enum DeliveryState {
        /// Not sent yet.
        Pending = "pending",
        /// A request is in flight.
        Sending = "sending",
        /// The last attempt failed, and another one follows.
        Retrying = "retrying",
        /// It has settled and passed.
        Passed = "passed",
        /// It has settled and failed.
        Failed = "failed",
    }
}

/// A delivery in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliverySummary {
    /// Id of the delivery at the server, such as `3-1-7`: its run, conversation and number.
    pub id: String,
    /// Number of its first record. Lists are ordered by it.
    pub number: u64,
    /// Id of the vendor.
    #[schema(value_type = String)]
    pub vendor: Arc<str>,
    /// Number of the run.
    pub run: u32,
    /// Id of the conversation.
    #[schema(value_type = Option<String>)]
    pub conversation: Option<Arc<str>>,
    /// Number of the script's step; absent if a person or a program acted.
    pub step: Option<usize>,
    /// The vendor's name of the event type.
    pub event_type: String,
    /// Number of the endpoint.
    pub endpoint: u32,
    /// Evidence for the format: `documented`, `observed`, `inferred` or `assumed`.
    pub certainty: String,
    /// The injected faults.
    pub faults: Vec<String>,
    /// Run time of the event.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its state.
    #[schema(value_type = String)]
    pub state: DeliveryState,
    /// Number of attempts.
    pub attempts: u32,
    /// Status of the last response.
    pub status: Option<u16>,
    /// How the last attempt ended, if not with a response.
    pub outcome: Option<String>,
    /// Duration of the last attempt in microseconds.
    pub duration_us: Option<u64>,
    /// Why it failed.
    pub why: Option<String>,
    /// The delivery of which this is a redelivery.
    #[schema(value_type = Option<String>)]
    pub redelivery_of: Option<Arc<str>>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// What it has in common with other lists.
    pub within: HistoryFilter,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those whose event type contains this text.
    pub event_type: Option<String>,
}

/// The deliveries in memory.
#[derive(Debug, Default)]
pub(super) struct DeliveryIndex {
    /// By the number of their first record.
    all: BTreeMap<u64, DeliverySummary>,
    /// Numbers of the first records, by id.
    numbers: HashMap<String, u64>,
    /// Number of the record from which on all deliveries are here.
    first: u64,
}

impl DeliveryIndex {
    /// Takes note of a record.
    pub(super) fn update(&mut self, kept: &KeptRecord, redelivery_of: Option<&Arc<str>>) {
        if let RecordKind::DeliveryPlanned { .. } = kept.record.kind {
            self.add(kept, redelivery_of);
            return;
        }
        let Some(delivery) = kept.record.kind.delivery() else { return };
        let id = format!("{}-{delivery}", kept.record.run);
        let Some(row) = self.numbers.get(&id).and_then(|number| self.all.get_mut(number)) else {
            return;
        };
        match &kept.record.kind {
            RecordKind::AttemptStarted { attempt, .. } => {
                row.attempts = row.attempts.max(*attempt);
                row.state = DeliveryState::Sending;
            }
            RecordKind::AttemptFinished { result, .. } => {
                row.set_result(result);
                row.state = DeliveryState::Retrying;
            }
            RecordKind::DeliverySettled(settled) => {
                row.set_result(&settled.result);
                row.attempts = settled.attempts;
                row.why.clone_from(&settled.why);
                row.state =
                    if settled.passed { DeliveryState::Passed } else { DeliveryState::Failed };
            }
            _ => {}
        }
    }

    fn add(&mut self, kept: &KeptRecord, redelivery_of: Option<&Arc<str>>) {
        let RecordKind::DeliveryPlanned {
            delivery, endpoint, event_type, certainty, faults, ..
        } = &kept.record.kind
        else {
            return;
        };
        let id = format!("{}-{delivery}", kept.record.run);
        self.numbers.insert(id.clone(), kept.id);
        let summary = DeliverySummary {
            id,
            number: kept.id,
            vendor: Arc::clone(&kept.vendor),
            run: kept.record.run,
            conversation: kept.conversation.clone(),
            step: kept.record.step,
            event_type: event_type.clone(),
            endpoint: *endpoint,
            certainty: certainty.clone(),
            faults: faults.0.iter().map(ToString::to_string).collect(),
            at: kept.record.run_time,
            state: DeliveryState::Pending,
            attempts: 0,
            status: None,
            outcome: None,
            duration_us: None,
            why: None,
            redelivery_of: redelivery_of.cloned(),
        };
        self.all.insert(kept.id, summary);
    }

    /// Drops the deliveries whose first record has this number or a smaller one.
    pub(super) fn forget(&mut self, number: u64) {
        self.first = self.first.max(number + 1);
        while let Some(entry) = self.all.first_entry()
            && *entry.key() <= number
        {
            self.numbers.remove(&entry.remove().id);
        }
    }

    /// From this record on, all deliveries are here.
    pub(super) fn begin_at(&mut self, number: u64) {
        self.first = number;
    }

    /// Returns the number of the record from which on all deliveries are here.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns deliveries, the newest first.
    pub(super) fn list(&self, filter: &DeliveryFilter, limit: usize) -> Vec<DeliverySummary> {
        let rows = self.all.range(self.first..).rev().map(|(_, row)| row);
        rows.filter(|row| filter.includes(row)).take(limit).cloned().collect()
    }

    /// Returns the deliveries of these records, which need not be those of the memory.
    pub(super) fn of_records(
        records: &[KeptRecord],
        redelivery_of: Option<&Arc<str>>,
    ) -> Vec<DeliverySummary> {
        let mut index = Self::default();
        records.iter().for_each(|kept| index.update(kept, redelivery_of));
        index.all.into_values().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<&DeliverySummary> {
        self.all.get(self.numbers.get(id)?)
    }
}

impl DeliverySummary {
    fn set_result(&mut self, result: &AttemptResult) {
        self.status = result.status;
        let responded = result.status.is_some();
        self.outcome = (!responded).then(|| result.outcome.to_string());
        self.duration_us = Some(result.timings.total_us);
    }
}

impl DeliveryFilter {
    pub(super) fn includes(&self, row: &DeliverySummary) -> bool {
        let entry = HistoryEntry {
            number: row.number,
            run: row.run,
            conversation: row.conversation.as_deref(),
            vendor: &row.vendor,
        };
        self.within.includes(entry)
            && self.state.is_none_or(|state| row.state == state)
            && self.event_type.as_deref().is_none_or(|text| row.event_type.contains(text))
    }
}
