//! Redaction of records.
//!
//! It works on the serialised record, so that a new field cannot be forgotten.

use serde_json::Value as Json;

use super::RecordKind;
use crate::base::redact::Redactor;

impl RecordKind {
    /// Replaces every secret with its reference, such as `${secret.token}`.
    #[must_use]
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        if redactor.is_empty() {
            return self;
        }
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        if !redact(&mut json, redactor) {
            return self;
        }
        // Only strings changed, so it still parses.
        serde_json::from_value(json).unwrap_or(self)
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
