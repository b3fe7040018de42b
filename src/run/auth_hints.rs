//! What may be wrong with a receiver that refuses what is right, said once a run.

use std::collections::HashMap;
use std::sync::Arc;

use crate::platform::Account;
use crate::record::{AuthHint, Record, RecordKind};

/// Watches for the first delivery that a receiver does not let in.
#[derive(Debug, Default)]
pub(super) struct AuthHints {
    /// The bodies of deliveries that have not settled.
    bodies: HashMap<String, Arc<str>>,
    said: bool,
}

impl AuthHints {
    /// Looks at a record; gives a hint where there is one to give.
    pub(super) fn watch(&mut self, record: &Record, account: &Account) -> Option<RecordKind> {
        match &record.kind {
            // Of a body that lost its secrets nothing can be computed.
            RecordKind::DeliveryPlanned { delivery, body, .. }
                if !self.said && !body.contains("${secret.") =>
            {
                self.bodies.insert(delivery.clone(), Arc::clone(body));
            }
            RecordKind::DeliverySettled(settled) => {
                let body = self.bodies.remove(&settled.delivery)?;
                let is_refusal =
                    |status: &u16| settled.faults.is_empty() && matches!(status, 401 | 403);
                let status = settled.result.status.filter(is_refusal)?;
                self.said = true;
                self.bodies.clear();
                return Some(RecordKind::AuthHint(AuthHint {
                    event_type: settled.event_type.clone(),
                    status,
                    expected: account.verified_headers(&body, settled.attempts),
                    mistakes: account.mistakes(&body, settled.attempts),
                }));
            }
            _ => {}
        }
        None
    }
}
