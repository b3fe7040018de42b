//! Values in messages about what does not match.

use serde_json::Value as Json;

use crate::base::text::excerpt;

/// Maximum number of characters of a value in a message.
// Identifies the value. A whole nested document would hide the other mismatches.
const MAX_VALUE: usize = 120;

/// Formats a value for a message, shortened.
pub(super) fn shown(value: &Json) -> String {
    excerpt(&value.to_string(), MAX_VALUE)
}

/// Formats a value that may be missing.
pub(super) fn shown_or_nothing(value: Option<&Json>) -> String {
    value.map_or_else(|| "nothing".to_owned(), shown)
}
