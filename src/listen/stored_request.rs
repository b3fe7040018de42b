//! A request that the bundled receiver keeps.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::received::Received;
use crate::base::text::shorten;
use crate::fault::FaultKind;

/// Maximum number of characters of a message text in a list. The body has all of it.
const MAX_LISTED_TEXT: usize = 200;

/// A request with its place among the others.
#[derive(Clone, Debug)]
pub(super) struct StoredRequest {
    /// Number of the request, from 1.
    pub(super) number: usize,
    /// When it had arrived.
    pub(super) at: Timestamp,
    /// Number of the event, from 1, if it was stored as one.
    pub(super) event_number: Option<usize>,
    /// The first event with this body.
    pub(super) duplicate_of: Option<usize>,
    /// A later event of this conversation that arrived before it.
    pub(super) overtaken_by: Option<usize>,
    pub(super) received: Received,
}

impl StoredRequest {
    pub(super) fn new(received: Received, at: Timestamp) -> Self {
        Self { number: 0, at, event_number: None, duplicate_of: None, overtaken_by: None, received }
    }

    /// Returns whether it is an event of the vendor that passed verification.
    pub(super) fn is_event(&self) -> bool {
        let report = &self.received.report;
        report.passed() && report.handshake.is_none()
    }

    /// Returns whether it is an event that the receiver does not reject on purpose.
    pub(super) fn is_stored_event(&self) -> bool {
        self.is_event() && !self.received.faults.has(FaultKind::Status)
    }

    /// Returns whether this event has the body of another one.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let (mine, others) = (&self.received, &other.received);
        mine.vendor == others.vendor && mine.body == others.body
    }

    /// Returns whether this event is later than another one of the same conversation.
    pub(super) fn is_later(&self, other: &Self) -> bool {
        let (mine, others) = (&self.received, &other.received);
        let conversation = &mine.report.conversation;
        mine.vendor == others.vendor
            && conversation.is_some()
            && *conversation == others.report.conversation
            && is_before(others.report.time.as_deref(), mine.report.time.as_deref())
    }

    /// Returns what a list shows.
    pub(super) fn to_json(&self) -> Json {
        let received = &self.received;
        let report = &received.report;
        let text = report.text.as_deref().map(|text| shorten(text, MAX_LISTED_TEXT));
        let faults: Vec<String> = received.faults.0.iter().map(ToString::to_string).collect();
        json!({
            "number": self.number,
            "at": self.at,
            "vendor": received.vendor,
            "method": received.method,
            "path": received.path,
            "event": report.event,
            "event_number": self.event_number,
            "text": text,
            "conversation": report.conversation,
            "handshake": report.handshake.is_some(),
            "passed": report.passed(),
            "verification": received.verification(),
            "errors": received.errors(),
            "status": received.status,
            "faults": faults,
            "bytes": received.body.len(),
            "duplicate_of": self.duplicate_of,
            "overtaken_by": self.overtaken_by,
        })
    }

    /// Returns the event with its body as JSON.
    pub(super) fn event_json(&self) -> Json {
        let Received { vendor, body, report, .. } = &self.received;
        let body: Option<Json> = serde_json::from_str(body).ok();
        json!({
            "number": self.event_number,
            "vendor": vendor,
            "event": report.event,
            "text": report.text,
            "body": body,
        })
    }
}

/// Compares the times of two events of a vendor: as numbers, or as texts of one format.
fn is_before(earlier: Option<&str>, later: Option<&str>) -> bool {
    let (Some(earlier), Some(later)) = (earlier, later) else { return false };
    match (earlier.parse::<f64>(), later.parse::<f64>()) {
        (Ok(earlier), Ok(later)) => earlier < later,
        _ => earlier < later,
    }
}

#[cfg(test)]
mod tests {
    use super::is_before;

    #[test]
    fn times_are_compared_as_numbers_or_as_texts() {
        assert!(is_before(Some("999"), Some("1000.5")));
        assert!(!is_before(Some("1000"), Some("1000")));
        assert!(is_before(Some("2026-01-05 09:00:01"), Some("2026-01-05 09:00:02")));
        assert!(!is_before(Some("2026-01-05"), None));
    }
}
