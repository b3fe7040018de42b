//! Hints for a receiver that rejects valid credentials: given once per run.

use std::collections::HashMap;
use std::sync::Arc;

use crate::platform::{Account, Signing, Verifier};
use crate::record::{AuthHint, Record, RecordKind};

/// Watches for the first delivery that a receiver rejects with 401 or 403.
#[derive(Debug, Default)]
pub(super) struct AuthHints {
    /// The bodies of deliveries that have not settled, by delivery id.
    bodies: HashMap<String, Arc<str>>,
    is_given: bool,
}

impl AuthHints {
    /// Looks at a record, and returns a hint if it is the first rejected delivery.
    pub(super) fn watch(&mut self, record: &Record, account: &Account) -> Option<RecordKind> {
        match &record.kind {
            // Nothing can be computed from a body whose secrets were redacted.
            RecordKind::DeliveryPlanned { delivery, body, .. }
                if !self.is_given && !body.contains("${secret.") =>
            {
                self.bodies.insert(delivery.clone(), Arc::clone(body));
            }
            RecordKind::DeliverySettled(settled) => {
                let body = self.bodies.remove(&settled.delivery)?;
                let is_refusal =
                    |status: &u16| settled.faults.is_empty() && matches!(status, 401 | 403);
                let status = settled.result.status.filter(is_refusal)?;
                self.is_given = true;
                self.bodies.clear();
                return Some(RecordKind::AuthHint(AuthHint {
                    event_type: settled.event_type.clone(),
                    status,
                    expected: Signing::of(account).credential_headers(&body, settled.attempts),
                    mistakes: Verifier::of(account).mistakes(&body, settled.attempts),
                }));
            }
            _ => {}
        }
        None
    }
}
