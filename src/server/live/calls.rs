//! An index of the calls in the history: what a list shows about each.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::history_list::{HistoryEntry, HistoryFilter};
use super::kept_record::KeptRecord;
use crate::record::{CallRecord, RecordKind};

/// A call in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallSummary {
    /// Number of its record. Lists are ordered by it.
    pub number: u64,
    /// Id of the vendor.
    #[schema(value_type = String)]
    pub vendor: Arc<str>,
    /// Number of the run.
    pub run: u32,
    /// Id of the conversation; absent if it is about none.
    #[schema(value_type = Option<String>)]
    pub conversation: Option<Arc<str>>,
    /// Number among the calls of the account. All elements of a batch have numbers.
    pub call: u64,
    /// Number among the elements of a batch, from 1.
    pub element: Option<usize>,
    /// Run time.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query without `?`; empty if the URL has no query.
    pub query: String,
    /// Name of the route, if one covers it.
    pub route: Option<String>,
    /// Name of the operation, if one matches. It is not known if the credentials are not valid.
    pub operation: Option<String>,
    /// Vendor-neutral name, such as `send_message`.
    pub name: Option<String>,
    /// Whether it presented valid credentials: `not_needed`, `valid`, `missing`, `invalid` or
    /// `not_verified`.
    pub auth: String,
    /// Whether its operation changes something at the vendor.
    pub acts: bool,
    /// Status of the response.
    pub status: u16,
    /// The condition under which it failed, such as `unknown.conversation`.
    pub error: Option<String>,
    /// Description of the error.
    pub why: Option<String>,
    /// What the vendor accepts although it is a mistake.
    pub warnings: Vec<String>,
    /// Arguments without an effect here: of the body as `doc.name`, of the query as `?name`.
    pub ignored: Vec<String>,
}

/// Which calls to list.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// What it has in common with other lists.
    pub within: HistoryFilter,
    /// Only those whose route, operation or vendor-neutral name is this one.
    pub operation: Option<String>,
    /// Only those that failed, or that did not.
    pub failed: Option<bool>,
}

/// The numbers of the records of calls in memory.
// The records have everything else.
#[derive(Debug, Default)]
pub(super) struct CallIndex(BTreeSet<u64>);

impl CallIndex {
    /// Takes note of a record.
    pub(super) fn update(&mut self, kept: &KeptRecord) {
        if matches!(kept.record.kind, RecordKind::CallReceived(_)) {
            self.0.insert(kept.id);
        }
    }

    /// Drops the calls whose record has this number or a smaller one.
    pub(super) fn forget(&mut self, number: u64) {
        while self.0.first().is_some_and(|first| *first <= number) {
            self.0.pop_first();
        }
    }

    /// Returns the numbers before this one, the highest first.
    pub(super) fn before(&self, number: u64) -> impl Iterator<Item = u64> {
        self.0.range(..number).rev().copied()
    }
}

impl CallSummary {
    /// Returns what a list shows about the call of a record; `None` for another record.
    pub(super) fn of(kept: &KeptRecord) -> Option<Self> {
        let RecordKind::CallReceived(call) = &kept.record.kind else { return None };
        let CallRecord { number, method, path, query, element, route, operation, .. } =
            call.clone();
        Some(Self {
            number: kept.id,
            vendor: Arc::clone(&kept.vendor),
            run: kept.record.run,
            conversation: kept.conversation.clone(),
            call: number,
            element,
            at: kept.record.run_time,
            method,
            path,
            query,
            route,
            operation,
            name: call.call.clone(),
            auth: call.auth.to_string(),
            acts: call.acts,
            status: call.status,
            error: call.error.clone(),
            why: call.why.clone(),
            warnings: call.warnings.clone(),
            ignored: call.ignored.clone(),
        })
    }
}

impl CallFilter {
    /// Returns the call of a record, if it includes it.
    pub(super) fn included(&self, kept: &KeptRecord) -> Option<CallSummary> {
        let RecordKind::CallReceived(call) = &kept.record.kind else { return None };
        let entry = HistoryEntry {
            number: kept.id,
            run: kept.record.run,
            conversation: kept.conversation.as_deref(),
            vendor: &kept.vendor,
        };
        let has_name = |name: &String| {
            [&call.route, &call.operation, &call.call]
                .into_iter()
                .flatten()
                .any(|known| known == name)
        };
        let is_included = self.within.includes(entry)
            && self.operation.as_ref().is_none_or(has_name)
            && self.failed.is_none_or(|only| only == call.has_failed());
        // Not before, since it copies the texts.
        if is_included { CallSummary::of(kept) } else { None }
    }
}

/// Returns whether a record is the response to a call that waited for its conversation.
pub(super) fn responds_to(kept: &KeptRecord, run: u32, call: u64) -> bool {
    matches!(&kept.record.kind, RecordKind::CallResponded(settled) if settled.call == call)
        && kept.record.run == run
}
