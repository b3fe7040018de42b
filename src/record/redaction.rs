//! Redaction: applied once, to the serialised record, so that no field can be forgotten.

use serde_json::Value as Json;

use super::RecordKind;
use crate::base::redact::Redactor;

impl RecordKind {
    /// The same without the secrets in it: references such as `${secret.token}` replace them.
    #[must_use]
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        if redactor.is_empty() {
            return self;
        }
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        if !redact(&mut json, redactor) {
            return self;
        }
        serde_json::from_value(json).unwrap_or(self)
    }
}

/// Redacts every string, and returns whether any changed.
fn redact(json: &mut Json, redactor: &Redactor) -> bool {
    match json {
        Json::String(text) => redactor.redact(text),
        Json::Array(items) => {
            items.iter_mut().fold(false, |any, item| redact(item, redactor) | any)
        }
        Json::Object(table) => {
            table.values_mut().fold(false, |any, value| redact(value, redactor) | any)
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
