//! Hints for a receiver that rejects valid credentials: given once per run.

use std::sync::Arc;

use jiff::Timestamp;

use crate::base::fast_map::FastMap;
use crate::platform::{Account, RequestFacts, Signing, Verifier};
use crate::record::{AuthHint, EventFacts, Record, RecordKind, SettledDelivery};

/// Number of accepted requests that are remembered. Few are enough to exclude mistakes that would
/// have rejected them.
const MAX_ACCEPTED: usize = 8;

/// Watches for the first delivery that a receiver rejects with 401 or 403.
#[derive(Debug, Default)]
pub(super) struct AuthHints {
    /// The requests of deliveries that have not settled, by delivery id.
    pending: FastMap<String, SentRequest>,
    /// Requests without faults that their receivers accepted.
    accepted: Vec<SentRequest>,
    is_given: bool,
}

/// The last request of a delivery.
#[derive(Debug)]
struct SentRequest {
    endpoint: u32,
    body: Arc<str>,
    event: Option<Arc<EventFacts>>,
    attempt: u32,
    sent_at: Timestamp,
}

impl SentRequest {
    fn facts(&self) -> RequestFacts<'_> {
        RequestFacts::of_event(&self.body, self.attempt, self.sent_at, self.event.as_deref())
    }
}

impl AuthHints {
    /// Looks at a record, and returns a hint if it is the first rejected delivery that a mistake in
    /// verification can explain.
    pub(super) fn watch(&mut self, record: &Record, account: &Account) -> Option<RecordKind> {
        match &record.kind {
            // Nothing can be computed from a body whose secrets were redacted.
            RecordKind::DeliveryPlanned { delivery, endpoint, body, event, .. }
                if !self.is_given && !body.contains("${secret.") =>
            {
                let (body, event) = (Arc::clone(body), event.clone());
                let (attempt, sent_at) = (1, record.run_time);
                let request = SentRequest { endpoint: *endpoint, body, event, attempt, sent_at };
                self.pending.insert(delivery.clone(), request);
            }
            RecordKind::AttemptStarted { delivery, attempt, .. } => {
                let request = self.pending.get_mut(delivery)?;
                (request.attempt, request.sent_at) = (*attempt, record.run_time);
            }
            RecordKind::DeliverySettled(settled) => {
                let request = self.pending.remove(&settled.delivery)?;
                let hint = self.settled(settled, request, account)?;
                self.is_given = true;
                self.pending.clear();
                self.accepted.clear();
                return Some(hint);
            }
            _ => {}
        }
        None
    }

    fn settled(
        &mut self,
        settled: &SettledDelivery,
        request: SentRequest,
        account: &Account,
    ) -> Option<RecordKind> {
        // With a fault, a rejection is what the receiver should do.
        let status = settled.result.status.filter(|_| settled.faults.is_empty())?;
        if (200..300).contains(&status) {
            if self.accepted.len() < MAX_ACCEPTED {
                self.accepted.push(request);
            }
            return None;
        }
        if !matches!(status, 401 | 403) {
            return None;
        }
        let facts = request.facts();
        let same = self.accepted.iter().filter(|other| other.endpoint == request.endpoint);
        let accepted: Vec<RequestFacts<'_>> = same.map(SentRequest::facts).collect();
        let mistakes = Verifier::of(account).mistakes(&facts, &accepted);
        // The receiver has accepted these credentials, so it rejects this request for another reason.
        if mistakes.is_empty() && !accepted.is_empty() {
            return None;
        }
        Some(RecordKind::AuthHint(AuthHint {
            event_type: settled.event_type.clone(),
            status,
            expected: Signing::of(account).credential_headers(&facts),
            mistakes,
        }))
    }
}
