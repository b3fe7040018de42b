//! What the bundled receiver has stored, as JSON. Scenarios can wait for it with `eventually`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};

use crate::base::limits::MAX_KEPT_EVENTS;
use crate::platform::VerificationReport;

/// The events that a receiver has stored.
#[derive(Debug, Default)]
pub(super) struct ReceiverState(Mutex<StoredEvents>);

#[derive(Debug, Default)]
struct StoredEvents {
    /// Number of events so far.
    received: usize,
    /// Number of requests that failed verification.
    failed: usize,
    /// Number of events by type.
    types: BTreeMap<String, usize>,
    /// The latest events.
    latest: VecDeque<StoredEvent>,
}

#[derive(Debug)]
struct StoredEvent {
    number: usize,
    vendor: String,
    event: Option<String>,
    text: Option<String>,
    body: String,
}

impl ReceiverState {
    /// Stores a request of a vendor, and returns its number. A handshake is not an event.
    pub(super) fn store(
        &self,
        vendor: &str,
        report: &VerificationReport,
        body: &str,
    ) -> Option<usize> {
        let mut events = self.events();
        if !report.passed() {
            events.failed += 1;
            return None;
        }
        report.handshake.is_none().then(|| events.store(vendor, report, body))
    }

    /// Returns the JSON at a path; `None` if nothing is there.
    pub(super) fn at(&self, path: &str) -> Option<Json> {
        let events = self.events();
        match path.trim_matches('/').split_once('/') {
            Some(("events", number)) => {
                events.event(number.parse().ok()?).map(StoredEvent::to_json)
            }
            None if path == "/state" => Some(events.to_json()),
            _ => None,
        }
    }

    fn events(&self) -> MutexGuard<'_, StoredEvents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredEvents {
    fn store(&mut self, vendor: &str, report: &VerificationReport, body: &str) -> usize {
        self.received += 1;
        let event = report.event.clone();
        *self.types.entry(event.clone().unwrap_or_default()).or_default() += 1;
        self.latest.push_back(StoredEvent {
            number: self.received,
            vendor: vendor.to_owned(),
            event,
            text: report.text.clone(),
            body: body.to_owned(),
        });
        if self.latest.len() > MAX_KEPT_EVENTS {
            self.latest.pop_front();
        }
        self.received
    }

    fn event(&self, number: usize) -> Option<&StoredEvent> {
        self.latest.iter().find(|event| event.number == number)
    }

    fn to_json(&self) -> Json {
        let texts: Vec<&String> =
            self.latest.iter().filter_map(|event| event.text.as_ref()).collect();
        json!({
            "events": self.received,
            "failed": self.failed,
            "types": self.types,
            "messages": texts,
        })
    }
}

impl StoredEvent {
    fn to_json(&self) -> Json {
        let body: Option<Json> = serde_json::from_str(&self.body).ok();
        json!({
            "number": self.number,
            "vendor": self.vendor,
            "event": self.event,
            "text": self.text,
            "body": body,
        })
    }
}
