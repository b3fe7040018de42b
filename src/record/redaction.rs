//! Redaction of records.
//!
//! It works on the serialised record, so that a new field cannot be forgotten. Only binary response
//! bodies are redacted before: their base64 form hides secrets.

use serde_json::Value as Json;

use super::{AttemptResult, RecordKind};
use crate::base::redact::Redactor;

impl RecordKind {
    /// Replaces every secret with its reference, such as `${secret.token}`.
    #[must_use]
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Self {
        if redactor.is_empty() {
            return self;
        }
        if let Some(result) = self.result_mut() {
            result.body.edit_text(|text| {
                redactor.redact(text);
            });
        }
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        if !redact(&mut json, redactor) {
            return self;
        }
        // Only strings changed, so it still parses.
        serde_json::from_value(json).unwrap_or(self)
    }

    /// Returns the result of a request, if the record has one.
    fn result_mut(&mut self) -> Option<&mut AttemptResult> {
        match self {
            Self::HandshakeFinished { result, .. } | Self::AttemptFinished { result, .. } => {
                Some(result)
            }
            Self::DeliverySettled(settled) => Some(&mut settled.result),
            _ => None,
        }
    }
}

/// Redacts every string. Returns whether one changed.
fn redact(json: &mut Json, redactor: &Redactor) -> bool {
    match json {
        Json::String(text) => redactor.redact(text),
        Json::Array(items) => {
            // `|` and not `||`, which would skip the items after the first change.
            items.iter_mut().fold(false, |changed, item| redact(item, redactor) | changed)
        }
        Json::Object(table) => {
            table.values_mut().fold(false, |changed, value| redact(value, redactor) | changed)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::record::AttemptOutcome;

    #[test]
    fn a_secret_in_a_binary_response_body_is_redacted() {
        let secret = Secret::private("private-key".into());
        let redactor = Redactor::new([("${secret.key}".to_owned(), &secret)]);
        let failure = AttemptResult::failure(AttemptOutcome::Responded, "", 1);
        let record = RecordKind::AttemptFinished {
            delivery: "1".into(),
            attempt: 1,
            hop: 0,
            result: AttemptResult { body: b"\xff private-key".to_vec().into(), ..failure },
            retry_in_ms: None,
        };
        let mut redacted = record.redacted(&redactor);
        let body = redacted.result_mut().unwrap().body.text().into_owned();
        assert_eq!(body, "\u{fffd} ${secret.key}");
    }
}
