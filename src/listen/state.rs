//! What the bundled receiver has received, as JSON. Its page shows it, and scenarios can wait for it with
//! `eventually`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::stored_request::StoredRequest;
use crate::base::clock::Clock;
use crate::base::limits::{MAX_KEPT_REQUEST_BYTES, MAX_KEPT_REQUESTS};

/// What a receiver has received since it started.
#[derive(Debug)]
pub(super) struct ReceiverState {
    since: Timestamp,
    requests: Mutex<ReceivedRequests>,
}

#[derive(Debug, Default)]
struct ReceivedRequests {
    counts: RequestCounts,
    /// Number of events by type.
    types: BTreeMap<String, usize>,
    /// The latest requests, in the order of their arrival.
    latest: VecDeque<StoredRequest>,
    /// Size of their bodies.
    bytes: usize,
}

/// Numbers of requests that a receiver got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    /// All requests, without GET and HEAD.
    pub requests: usize,
    /// Requests that passed verification.
    pub passed: usize,
    /// Requests that failed verification.
    pub failed: usize,
    /// Handshakes that passed verification.
    pub handshakes: usize,
    /// Events that were stored.
    pub events: usize,
    /// Events with the body of an earlier one.
    pub duplicates: usize,
    /// Events that are older than one that arrived before them in their conversation.
    pub out_of_order: usize,
}

impl RequestCounts {
    /// Returns whether every request passed verification, and at least `exit_after` arrived.
    pub fn has_passed(&self, exit_after: Option<u64>) -> bool {
        self.failed == 0 && exit_after.is_none_or(|least| self.requests as u64 >= least)
    }
}

impl ReceiverState {
    pub(super) fn new() -> Self {
        Self { since: Clock::System.now(), requests: Mutex::default() }
    }

    /// Stores a request. Returns the number of its event, if it is one that is stored as such.
    pub(super) fn store(&self, request: StoredRequest) -> Option<usize> {
        self.requests().store(request)
    }

    pub(super) fn counts(&self) -> RequestCounts {
        self.requests().counts
    }

    /// Returns the counts, the event types and the texts of the latest messages.
    pub(super) fn to_json(&self, exit_after: Option<u64>) -> Json {
        let requests = self.requests();
        let mut json = self.summary(&requests, exit_after);
        json["messages"] = requests.messages().collect();
        json
    }

    /// Returns the counts, and the requests after this number that are still kept.
    pub(super) fn after(&self, number: usize, exit_after: Option<u64>) -> Json {
        let requests = self.requests();
        let later = requests.latest.iter().filter(|request| request.number > number);
        let later: Vec<Json> = later.map(StoredRequest::to_json).collect();
        json!({"state": self.summary(&requests, exit_after), "requests": later})
    }

    /// Returns a request with its body.
    pub(super) fn request(&self, number: usize) -> Option<Json> {
        let requests = self.requests();
        let mut latest = requests.latest.iter();
        let request = latest.find(|request| request.number == number)?;
        let mut json = request.to_json();
        json["body"] = request.received.body.as_str().into();
        Some(json)
    }

    /// Returns an event with its body as JSON.
    pub(super) fn event(&self, number: usize) -> Option<Json> {
        let requests = self.requests();
        let mut latest = requests.latest.iter();
        latest.find(|request| request.event_number == Some(number)).map(StoredRequest::event_json)
    }

    fn summary(&self, requests: &ReceivedRequests, exit_after: Option<u64>) -> Json {
        let mut json = json!(requests.counts);
        json["types"] = json!(requests.types);
        json["since"] = json!(self.since);
        json["exit_after"] = json!(exit_after);
        json["exit_code"] = u8::from(!requests.counts.has_passed(exit_after)).into();
        json
    }

    fn requests(&self) -> MutexGuard<'_, ReceivedRequests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceivedRequests {
    fn store(&mut self, mut request: StoredRequest) -> Option<usize> {
        let counts = &mut self.counts;
        counts.requests += 1;
        request.number = counts.requests;
        let has_passed = request.received.report.passed();
        if has_passed {
            counts.passed += 1;
        } else {
            counts.failed += 1;
        }
        if request.is_event() {
            let earlier = || self.latest.iter().rev().filter(|other| other.is_event());
            request.duplicate_of = earlier().find(|other| other.repeats(&request)).map(|other| {
                // The first one, however often it was repeated.
                other.duplicate_of.unwrap_or(other.number)
            });
            if request.duplicate_of.is_none() {
                request.overtaken_by =
                    earlier().find(|other| other.is_later(&request)).map(|o| o.number);
            }
            counts.duplicates += usize::from(request.duplicate_of.is_some());
            counts.out_of_order += usize::from(request.overtaken_by.is_some());
        } else if has_passed {
            counts.handshakes += 1;
        }
        if request.is_stored_event() {
            counts.events += 1;
            request.event_number = Some(counts.events);
            let event = request.received.report.event.clone().unwrap_or_default();
            *self.types.entry(event).or_default() += 1;
        }
        let number = request.event_number;
        self.bytes += request.received.body.len();
        self.latest.push_back(request);
        self.forget();
        number
    }

    /// Drops the oldest requests beyond the limits.
    fn forget(&mut self) {
        while self.latest.len() > MAX_KEPT_REQUESTS
            || (self.bytes > MAX_KEPT_REQUEST_BYTES && self.latest.len() > 1)
        {
            let Some(request) = self.latest.pop_front() else { return };
            self.bytes -= request.received.body.len();
        }
    }

    /// Returns the texts of the latest events.
    fn messages(&self) -> impl Iterator<Item = &str> {
        let events = self.latest.iter().filter(|request| request.event_number.is_some());
        events.filter_map(|request| request.received.report.text.as_deref())
    }
}
